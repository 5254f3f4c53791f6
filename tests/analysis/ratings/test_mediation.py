"""Mediation: known paths come back, pingouin's slopes, and the error rate where nothing is mediated."""

import numpy as np
import pandas as pd
import pytest

from analysis.errors import AnalysisError
from analysis.ratings.mediation import analyse, indirect, mediators


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
    with pytest.raises(AnalysisError, match="feelings"):
        analyse(data[data["adjective"].isin(["sweet", "bitter"])], None, None, 100, 0)
