"""Mediation: known paths come back, pingouin's slopes, and the error rate where nothing is mediated."""

import numpy as np
import pandas as pd
import pytest

from analysis.errors import AnalysisError
from analysis.ratings.mediation import _reversed, analyse, indirect, mediators


def simulated(n: int, a: float, b: float, direct: float, seed: int, clips: int = 4) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(n), clips)
    x = rng.integers(0, 2, n * clips).astype(float)
    m = a * x + rng.normal(0, 1, n)[people] + rng.normal(size=n * clips)
    y = direct * x + b * m + rng.normal(0, 1, n)[people] + rng.normal(size=n * clips)
    return x, m, y, people


def test_declared_paths_come_back() -> None:
    x, m, y, people = simulated(600, 0.8, 0.5, 0.3, 0)
    found = indirect(x, m[:, None], y, people, 300, np.random.default_rng(0))
    total, direct, a, b, product = found["estimate"]
    assert a == pytest.approx(0.8, abs=0.1)
    assert b == pytest.approx(0.5, abs=0.06)
    assert product == pytest.approx(a * b)
    assert total == pytest.approx(direct + product)  # exact for least squares
    assert found["low"][-1] > 0.25


def test_slopes_are_pingouins_where_people_do_not_differ() -> None:
    """Where every person's mean is taken out beforehand, it is the ordinary analysis that pingouin has."""
    import pingouin

    x, m, y, people = simulated(50, 0.8, 0.5, 0.3, 1)
    frame = pd.DataFrame({"x": x, "m": m, "y": y})
    frame -= frame.groupby(people).transform("mean")
    table = pingouin.mediation_analysis(frame, x="x", m="m", y="y", n_boot=50, seed=1).set_index("path")["coef"]
    total, direct, a, b, product = indirect(x, m[:, None], y, people, 50, np.random.default_rng(0))["estimate"]
    assert a == pytest.approx(table["m ~ X"], rel=1e-6)
    assert total == pytest.approx(table["Total"], rel=1e-6)
    assert direct == pytest.approx(table["Direct"], rel=1e-6)
    assert product == pytest.approx(table["Indirect"], rel=1e-6)
    del b


# R 4.2.2, lm with factor(p) for what is within people:
#   a: m ~ x + factor(p); b and direct: y ~ x + m1 + m2 + factor(p); total: y ~ x + factor(p)
SMALL = pd.DataFrame(
    {
        "p": np.repeat(range(1, 6), 4),
        "x": [0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1],
        "m1": [2, 4, 1, 5, 3, 4, 2, 1, 2, 5, 3, 3, 4, 2, 5, 1, 2, 3, 3, 5],
        "m2": [5, 3, 4, 4, 2, 3, 5, 4, 3, 1, 2, 5, 3, 4, 2, 5, 4, 4, 3, 2],
        "y": [1, 4, 2, 5, 4, 3, 1, 2, 2, 5, 4, 2, 5, 3, 5, 1, 1, 2, 4, 4],
    },
    dtype=float,
)
PATHS = [2.6, 1.46478873239, 2.2, -1.8, 0.25754527163, -0.31589537223, 0.56659959759, 0.56861167002]


def small(**changes: np.ndarray) -> dict[str, np.ndarray]:
    d = SMALL.assign(**changes)
    return indirect(
        d["x"].to_numpy(),
        d[["m1", "m2"]].to_numpy(),
        d["y"].to_numpy(),
        d["p"].to_numpy(),
        200,
        np.random.default_rng(0),
    )


def test_two_mediators_at_once_are_rs_regressions() -> None:
    """Total, direct, then a, b and a * b of both: every sign as R has it."""
    found = small()
    assert found["estimate"] == pytest.approx(PATHS, rel=1e-9)
    assert (found["low"] < found["estimate"]).all()
    assert (found["estimate"] < found["high"]).all()


def test_what_people_add_to_all_their_answers_does_not_count() -> None:
    """Somebody who answers high on everything: the same slopes; the music turned round: the same paths through it, turned."""
    lifted = small(y=SMALL["y"] + 10 * SMALL["p"], m1=SMALL["m1"] - 3 * SMALL["p"])
    assert lifted["estimate"] == pytest.approx(PATHS, rel=1e-9)
    turned = small(x=1 - SMALL["x"])["estimate"]
    assert turned == pytest.approx(np.array(PATHS) * [-1, -1, -1, -1, 1, 1, -1, -1], rel=1e-9)
    other = small(m1=-2 * SMALL["m1"])["estimate"]
    assert other == pytest.approx(np.array(PATHS) * [1, 1, -2, 1, -0.5, 1, 1, 1], rel=1e-9)


def test_interval_is_the_bootstrap_over_people_written_out() -> None:
    draws = np.random.default_rng(0).integers(5, size=(200, 5))
    values = []
    for d in draws:
        rows = pd.concat([SMALL[SMALL["p"] == k + 1].assign(p=j) for j, k in enumerate(d)])
        within = rows - rows.groupby("p").transform("mean").assign(p=0)
        x, y = within["x"].to_numpy(), within["y"].to_numpy()
        a = [float(x @ within[m].to_numpy() / (x @ x)) for m in ("m1", "m2")]
        b, _, rank, _ = np.linalg.lstsq(within[["x", "m1", "m2"]].to_numpy(), y, rcond=None)
        if rank < 3:
            continue  # of too few different people: nothing can be told from these
        values.append([x @ y / (x @ x), *(np.array(a) * b[1:])])
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    found = small()
    assert found["low"][[0, 6, 7]] == pytest.approx(low, rel=1e-6)
    assert found["high"][[0, 6, 7]] == pytest.approx(high, rel=1e-6)


def test_feelings_are_the_places_of_words_on_the_circumplex() -> None:
    """Happy against the mean of four; the mean of three against sad; hot against cold. By hand."""
    index = pd.MultiIndex.from_tuples([(1, 0, "sweet", "c")], names=["participant", "trial", "prompt", "clip"])
    words = {"happy": 5, "sad": 4, "anger": 2, "disgust": 1, "fear": 3, "surprise": 4, "hot": 5, "cold": 2}
    found = mediators(pd.DataFrame([words], index=index, dtype=float))
    assert found.iloc[0].to_dict() == pytest.approx({"valence": 5 - 2.5, "arousal": 3 - 4, "temperature": 3})
    some = mediators(pd.DataFrame([words], index=index, dtype=float).drop(columns=["cold", "fear"]))
    assert list(some.columns) == []


def test_interval_covers_zero_where_nothing_is_mediated() -> None:
    """b = 0 with a large a: the interval of the product holds zero in about 95 % of 60 studies."""
    misses = 0
    for seed in range(60):
        x, m, y, people = simulated(60, 0.8, 0.0, 0.3, 100 + seed)
        found = indirect(x, m[:, None], y, people, 200, np.random.default_rng(seed))
        misses += found["low"][-1] > 0 or found["high"][-1] < 0
    assert misses <= 8  # P(more than 8 of 60 at 5 %) < 1 %


def test_music_that_does_not_vary_is_refused() -> None:
    with pytest.raises(AnalysisError, match="does not vary"):
        indirect(np.ones(8), np.arange(8.0)[:, None], np.arange(8.0), np.arange(8) // 2, 50, np.random.default_rng(0))


def rated(n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for p in range(n):
        for trial, prompt in enumerate(("sweet", "bitter", "sweet")):
            happy = 3 + (prompt == "sweet") + rng.normal()
            for item, value in {
                "happy": happy, "sad": rng.normal(3), "anger": rng.normal(2), "disgust": rng.normal(2), "fear": rng.normal(2),
                "sweet": happy + rng.normal(0, 0.5), "bitter": rng.normal(3),
            }.items():  # fmt: skip
                rows.append((p, trial, prompt, f"{prompt}-{trial}", item, value))
    return pd.DataFrame(rows, columns=["participant", "trial", "prompt", "clip", "adjective", "value"])


def test_analysis_has_a_row_a_taste_and_mediator() -> None:
    rows = analyse(rated(), None, None, 200, 0)
    assert {(r["taste"], r["mediator"]) for r in rows} == {("sweet", "valence"), ("bitter", "valence")}
    sweet = next(r for r in rows if r["taste"] == "sweet")
    assert sweet["indirect"] == pytest.approx(sweet["a"] * sweet["b"])
    assert sweet["ci_low"] > 0
    assert sweet["status"] == "exploratory"


def test_a_row_says_each_path_by_its_name() -> None:
    """The rows of small, constructed data, where R's values are known: taste y, feelings as they were answered."""
    long = [
        (int(r.p), k, "y" if r.x else "other", f"c{k}", item, value)
        for k, r in enumerate(SMALL.itertuples())
        for item, value in {"y": r.y, "z": float(k % 3)}.items()
    ]
    ratings = pd.DataFrame(long, columns=["participant", "trial", "prompt", "clip", "adjective", "value"])
    affect = pd.DataFrame(
        [
            (int(r.p), f"c{k}", item, value)
            for k, r in enumerate(SMALL.itertuples())
            for item, value in {"valence": r.m1, "arousal": r.m2}.items()
        ],
        columns=["participant", "clip", "item", "value"],
    )
    rows = analyse(ratings, affect, None, 200, 0)
    assert [(r["taste"], r["mediator"], r["music"], r["n"]) for r in rows] == [
        ("y", "valence", "prompt", 20), ("y", "arousal", "prompt", 20),
    ]  # fmt: skip
    for k, row in enumerate(rows):
        assert [row["total"], row["direct"], row["a"], row["b"], row["indirect"]] == pytest.approx(
            [PATHS[0], PATHS[1], PATHS[2 + k], PATHS[4 + k], PATHS[6 + k]], rel=1e-9
        )
        assert row["ci_low"] < row["indirect"] < row["ci_high"]
        assert row["total_low"] < row["total"] < row["total_high"]
        assert row["direct_low"] < row["direct"] < row["direct_high"]
        assert row["share"] == pytest.approx(PATHS[6 + k] / PATHS[0])
        # The other way round: x -> y -> feeling, by the same arithmetic.
        within = SMALL - SMALL.groupby("p").transform("mean").assign(p=0)
        b = np.linalg.lstsq(within[["x", "y"]].to_numpy(), within[("m1", "m2")[k]].to_numpy(), rcond=None)[0][1]
        assert row["reversed"] == pytest.approx(PATHS[0] * b, rel=1e-9)


def test_no_share_of_a_total_that_may_be_nothing() -> None:
    rng = np.random.default_rng(5)
    data = rated()
    noise = data.assign(value=rng.normal(3, 1, len(data)))
    rows = analyse(noise, None, None, 200, 0)
    assert rows
    for row in rows:
        holds = row["total_low"] <= 0 <= row["total_high"]
        assert (row["share"] is None) == holds
    assert any(r["share"] is None for r in rows)


def test_a_feature_counts_in_its_own_standard_deviations() -> None:
    """Ten times the feature is the same cause; a clip without it, or one value for all, is none."""
    clips = sorted(set(rated()["clip"]))
    one = pd.DataFrame({"f": [1.0, 2.0, 4.0]}, index=clips)
    a, b = (
        next(r for r in analyse(rated(), None, f, 100, 0) if r["music"] == "f") for f in (one, 10 * one)
    )  # fmt: skip
    assert a["total"] == pytest.approx(b["total"])
    raw = next(r for r in analyse(rated(), None, one / one["f"].std(), 100, 0) if r["music"] == "f")
    assert a["total"] == pytest.approx(raw["total"])
    assert a["total"] != 0
    for useless in (one * 0, one.iloc[:2], one * np.nan):
        assert {r["music"] for r in analyse(rated(), None, useless, 100, 0)} == {"prompt"}


def test_asked_valence_replaces_the_words() -> None:
    from analysis.data.frames import rated_clips

    wide = rated_clips(rated())
    keys = wide.reset_index()[["participant", "clip"]]
    affect = keys.assign(item="valence", value=np.arange(len(keys)) % 9 + 1.0)
    assert mediators(wide, affect)["valence"].tolist() == (np.arange(len(keys)) % 9 + 1.0).tolist()


def test_features_are_causes_of_their_own() -> None:
    clips = sorted(set(rated()["clip"]))
    features = pd.DataFrame({"pitch_height": np.arange(len(clips), dtype=float)}, index=clips)
    assert {r["music"] for r in analyse(rated(), None, features, 100, 0)} == {"prompt", "pitch_height"}


def test_without_feelings_one_line_says_so() -> None:
    data = rated()
    with pytest.raises(AnalysisError, match="twenty at least"):
        analyse(data[data["participant"] < 6], None, None, 100, 0)
    assert analyse(data[data["participant"] < 7], None, None, 100, 0)[0]["n"] == 21
    with pytest.raises(AnalysisError, match="feelings"):
        analyse(data[data["adjective"].isin(["sweet", "bitter"])], None, None, 100, 0)


@pytest.mark.parametrize("twin", ["valence", "music"])
def test_feelings_that_go_together_are_refused_and_cost_no_report(twin: str) -> None:
    """A feeling that is another one, or the music itself, in other units: no draw of people tells them apart."""
    rng = np.random.default_rng(5)
    people, x = np.repeat(np.arange(10), 6), np.tile([0.0, 1.0], 30)
    valence = rng.normal(size=60)
    m = np.column_stack([valence, 3 + 2 * (valence if twin == "valence" else x)])
    with pytest.raises(AnalysisError, match="vary together"):
        indirect(x, m, valence + x, people, 50, rng)


def test_a_feeling_that_one_person_alone_tells_apart_is_refused() -> None:
    """The estimate can be made; most draws of people leave that person out or hold nobody else like it."""
    rng = np.random.default_rng(6)
    people, x = np.repeat(np.arange(3), 8), np.tile([0.0, 1.0], 12)
    other = np.where(people == 0, rng.normal(size=24), x)
    found = indirect(x, other[:, None], rng.normal(size=24), people, 400, rng)  # it is in 70 % of the draws
    assert np.isfinite(found["low"]).all()
    people, x = np.repeat(np.arange(9), 8), np.tile([0.0, 1.0], 36)
    both = np.column_stack(
        [np.where(people == 0, rng.normal(size=72), x), np.where(people == 1, rng.normal(size=72), x + rng.normal(0, 1e-9, 72))]
    )  # fmt: skip
    with pytest.raises(AnalysisError, match="vary together"):
        indirect(x, both, rng.normal(size=72), people, 400, rng)


def test_a_word_that_nobody_varies_has_no_way_back() -> None:
    """Rated alike by everybody it explains no feeling; what the music does to it is nothing, and that is told."""
    assert (
        _reversed(
            np.tile([0.0, 1.0], 10), np.ones(20), np.arange(20.0), np.repeat([0, 1], 10), np.random.default_rng(0)
        )
        is None
    )


def test_where_no_taste_can_be_told_that_is_said() -> None:
    """Everybody gave one answer throughout: nothing varies, and the report says so instead of leaving the chapter out."""
    same = rated()
    with pytest.raises(AnalysisError, match="does not vary"):
        analyse(same.assign(value=3.0), None, None, 50, 0)
