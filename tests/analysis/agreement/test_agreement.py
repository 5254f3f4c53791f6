"""Ratings against targets: R's values, hand-made tables, laws, and data that can't be compared."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.agreement.agreement import analyse, components, mantel, procrustes, read_targets, slug, target_distance
from analysis.errors import AnalysisError

# R 4.2.2, vegan 2.6-4; all 8! orders are enumerated there, so its p are exact:
#   mantel(dist(a), dist(b), permutations = 99999); protest(a, b, permutations = 99999)
A = np.array([[1, 5, 2], [4, 1, 3], [2, 2, 7], [6, 3, 1], [5, 6, 4], [3, 7, 6], [7, 4, 2], [2, 6, 5]], dtype=float)
NEAR = np.array([[2, 4, 3], [3, 2, 2], [1, 3, 6], [7, 2, 2], [4, 6, 5], [2, 5, 7], [5, 5, 1], [4, 4, 6]], dtype=float)
FAR = np.array([[6, 1, 4], [2, 7, 3], [5, 2, 2], [1, 4, 6], [3, 3, 7], [7, 5, 1], [4, 6, 5], [2, 1, 3]], dtype=float)
VEGAN = {
    "mantel": (mantel, (0.691909244619, 7.44047619048e-05), (0.204140828065, 0.153794642857)),
    "protest": (procrustes, (0.835307977942, 0.00183531746032), (0.643449025546, 0.190104166667)),
}
ITEMS = ["x", "y", "z"]
ITALIAN = {"dolce": "sweet", "amaro": "bitter", "acido": "sour", "salato": "salty", "piccante": "spicy"}


def answers(table: np.ndarray, spread: tuple[float, ...] = (0.5, 1.0, 3.0)) -> pd.DataFrame:
    """Two people's answers whose means are the table's rows, the tracks t0, t1, ...; they differ by twice the item's spread."""
    rows = [
        (f"t{i}", item, value + noise)
        for i, row in enumerate(table)
        for item, value, half in zip(ITEMS, row, spread, strict=False)
        for noise in (-half, half)
    ]
    return pd.DataFrame(rows, columns=["clip", "adjective", "value"])


def vectors(table: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(table, columns=ITEMS, index=[f"t{i}" for i in range(len(table))])


@pytest.mark.parametrize("name", VEGAN)
def test_statistic_and_p_are_vegans(name: str) -> None:
    method, near, far = VEGAN[name]
    for b, (statistic, exact) in ((NEAR, near), (FAR, far)):
        found, p = method(A, b, 4999, np.random.default_rng(0))
        assert found == pytest.approx(statistic, rel=1e-10)
        # The share of 4,999 random orders; R went through all 40,320.
        assert p == pytest.approx(exact, abs=4 * np.sqrt(exact / 4999) + 1 / 5000)


def test_procrustes_statistic_is_the_root_of_what_is_left_of_one() -> None:
    """vegan: procrustes(a, b, symmetric = TRUE)$ss."""
    assert 1 - procrustes(A, NEAR, 9, np.random.default_rng(0))[0] ** 2 == pytest.approx(0.302260581987, rel=1e-10)
    assert 1 - procrustes(A, FAR, 9, np.random.default_rng(0))[0] ** 2 == pytest.approx(0.585973351524, rel=1e-10)


def test_fewer_dimensions_are_filled_up_with_nothing() -> None:
    """vegan: protest(a, cbind(b[, 1:2], 0))$t0."""
    narrow, _ = procrustes(A, NEAR[:, :2], 9, np.random.default_rng(0))
    assert narrow == pytest.approx(0.766191273306, rel=1e-10)


def test_turned_and_scaled_configuration_agrees_fully() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(12, 3))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    r, p = procrustes(a, 2 * a @ turn + 1, 199, np.random.default_rng(0))
    assert r == pytest.approx(1)
    assert p == pytest.approx(1 / 200)
    r, p = mantel(a, 2 * a @ turn, 199, np.random.default_rng(0))
    assert r == pytest.approx(1)
    assert p == pytest.approx(1 / 200)


@pytest.mark.parametrize("method", [mantel, procrustes, target_distance])
def test_an_order_that_agrees_as_well_counts_against_the_claim(method) -> None:
    """Rows that are all alike but one on each side: an order keeps the odd rows together in a fifth of all cases."""
    a, b = np.zeros((5, 2)), np.zeros((5, 2))
    a[2], b[2] = [3, 1], [2, 2]
    _, p = method(a, b, 1999, np.random.default_rng(0))
    assert p == pytest.approx(1 / 5, abs=0.04)


@pytest.mark.parametrize("method", [mantel, procrustes, target_distance])
def test_a_single_order_tried_can_give_a_half_at_the_least(method) -> None:
    """(hits + 1) / (permutations + 1): never zero."""
    assert method(A, A, 1, np.random.default_rng(3))[1] == pytest.approx(1 / 2)


@pytest.mark.parametrize("method", [mantel, procrustes, target_distance])
def test_p_is_uniform_without_relation(method) -> None:
    ps = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        ps.append(method(rng.normal(size=(10, 3)), rng.normal(size=(10, 3)), 99, rng)[1])
    assert 0.35 < float(np.mean(ps)) < 0.65
    assert min(ps) < 0.2
    assert max(ps) > 0.8


def test_distance_to_ones_own_target_by_hand() -> None:
    """Rows 3-4-5 and 5-12-13 away from their targets: 9 on average; exchanged they are nearer."""
    a, b = np.array([[0.0, 0], [10, 0]]), np.array([[3.0, 4], [15, 12]])
    own, p = target_distance(a, b, 400, np.random.default_rng(0))
    assert own == pytest.approx(9)
    exchanged = (np.hypot(15, 12) + np.hypot(7, 4)) / 2
    assert exchanged > 9
    assert p == pytest.approx(0.5, abs=0.1)  # the identity, one of two orders


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Sweet Dreams (live).mp3", "sweet_dreams_live"),
        ("sweet-dreams_live", "sweet_dreams_live"),
        ("No. 5", "no_5"),
        ("A.B.WAV", "a_b"),
        ("x.flac", "x"),
        ("x.ogg", "x"),
        ("caffè  7", "caffè_7"),
    ],
)
def test_names_are_matched_whatever_their_punctuation(name: str, wanted: str) -> None:
    assert slug(name) == wanted


def test_targets_are_read_in_the_order_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "targets.csv"
    path.write_text(
        "n,Track, Dolce ,AMARO,acido,salato,piccante,other\n1,First One.mp3,1,2,3,4,5,9\n2,second,6,7,8,9,10,9\n"
    )
    table = read_targets(path, ["bitter", "sweet", "spicy", "sour", "salty"], ITALIAN)
    assert list(table.columns) == ["bitter", "sweet", "spicy", "sour", "salty"]
    assert table.loc["first_one"].tolist() == [2, 1, 5, 3, 4]
    assert table.loc["second"].tolist() == [7, 6, 10, 8, 9]


def test_targets_from_a_spreadsheet_are_those_of_the_text_file(tmp_path: Path) -> None:
    frame = pd.DataFrame({"track": ["a", "b"], "sweet": [1, 2], "sour": [3, 4]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_excel(tmp_path / "t.XLSX", index=False, engine="openpyxl")
    pd.testing.assert_frame_equal(
        read_targets(tmp_path / "t.XLSX", ["sour", "sweet"], {}),
        read_targets(tmp_path / "t.csv", ["sour", "sweet"], {}),
    )


def test_what_is_missing_in_targets_is_named(tmp_path: Path) -> None:
    path = tmp_path / "targets.csv"
    with pytest.raises(AnalysisError, match="do not exist"):
        read_targets(path, ["sweet"], {})
    path.write_text("track,dolce,amaro\na,1,2\n")
    with pytest.raises(AnalysisError, match="no column for sour; it has: track, dolce, amaro"):
        read_targets(path, ["bitter", "sour", "sweet"], ITALIAN)
    path.write_text("dolce,amaro\n1,2\n")
    with pytest.raises(AnalysisError, match="no column naming the tracks"):
        read_targets(path, ["bitter", "sweet"], ITALIAN)


def test_columns_are_called_as_the_study_calls_what_was_rated(tmp_path: Path) -> None:
    """By its name in the data before any language's word for it; no language is known but the study's."""
    path = tmp_path / "targets.csv"
    path.write_text("track,Süß,hot\na,1,2\n")
    assert read_targets(path, ["sweet", "hot"], {"süß": "sweet", "hot": "spicy"}).loc["a"].tolist() == [1, 2]
    with pytest.raises(AnalysisError, match="no column for sweet; it has: track, Süß, hot"):
        read_targets(path, ["sweet", "hot"], {"dolce": "sweet"})
    path.write_text("track,dolce,sweet\na,1,2\n")
    with pytest.raises(AnalysisError, match="two columns for sweet: dolce, sweet; leave one out"):
        read_targets(path, ["sweet"], ITALIAN)


def test_four_common_tracks_are_needed() -> None:
    with pytest.raises(AnalysisError, match="only 3 tracks"):
        analyse(answers(A), vectors(A).iloc[:3], 99, 0)
    assert analyse(answers(A), vectors(A).iloc[:4], 99, 0)["tests"][0]["n"] == 4


def standardised(table: np.ndarray) -> np.ndarray:
    """Means of the z-scores of both people's answers, by R's scale: sd over all sixteen, divided by fifteen."""
    half = np.array([0.5, 1, 3])
    single = np.concatenate([table - half, table + half])
    return (table - single.mean(0)) / single.std(0, ddof=1)


def test_tests_are_vegans_on_single_answers_standardised_and_then_averaged() -> None:
    """z <- scale(rbind(a + s, a - s)); z <- (z[1:8, ] + z[9:16, ]) / 2, s = (.5, 1, 3) by column: mantel(dist(z),
    dist(scale(b)))$statistic, protest(z, scale(b))$t0, mean(sqrt(rowSums((z - scale(b))^2))); tracks in any order."""
    mixed_up = vectors(NEAR).iloc[::-1]
    tables = analyse(answers(A), mixed_up, 199, 3)
    rows = {r["test"]: r for r in tables["tests"]}
    assert list(rows) == ["mantel", "procrustes", "permutation"]
    assert rows["mantel"]["statistic"] == pytest.approx(0.547139235384984, rel=1e-10)
    assert rows["procrustes"]["statistic"] == pytest.approx(0.814213868126052, rel=1e-10)
    assert rows["permutation"]["statistic"] == pytest.approx(0.957496744052041, rel=1e-10)
    assert all(r["permutations"] == 199 and r["n"] == 8 and r["state"] == "ok" for r in rows.values())
    assert all(r["p"] <= 0.05 for r in rows.values())
    for item, a, b in zip(ITEMS, A.T, NEAR.T, strict=True):
        row = next(r for r in tables["correlations"] if r["item"] == item)
        assert row["r"] == pytest.approx(np.corrcoef(a, b)[0, 1])
        assert row["n"] == 8


@pytest.mark.reference
def test_the_followups_49_people_as_their_authors_standardise(reference_data: Path) -> None:
    """R 4.2.2, vegan 2.6-4, on data.csv: by taste (m - mean(m, na.rm = TRUE)) / sd(as.vector(m), na.rm = TRUE), colMeans; scale of
    the targets. On standardised track means Mantel's r would be .446416."""
    folder = reference_data / "followup-study"
    wide = pd.read_csv(folder / "data.csv")
    words = dict(enumerate(("salty", "sweet", "sour", "bitter", "spicy"), start=1))
    tracks = [c[:-2] for c in wide if c.endswith("_1") and f"{c[:-2]}_5" in wide]
    long = [
        (track, word, value)
        for track in tracks
        for k, word in words.items()
        for value in wide[f"{track}_{k}"].dropna().to_numpy(float)
    ]
    data = pd.DataFrame(long, columns=["clip", "adjective", "value"])
    targets = read_targets(folder / "target_vectors.xlsx", sorted(words.values()), ITALIAN)
    rows = {r["test"]: r for r in analyse(data, targets, 999, 1)["tests"]}
    assert rows["mantel"]["statistic"] == pytest.approx(0.451914861654541, rel=1e-9)
    assert rows["procrustes"]["statistic"] == pytest.approx(0.715028858506027, rel=1e-9)
    assert rows["permutation"]["statistic"] == pytest.approx(1.52705695408481, rel=1e-9)
    assert all(r["p"] < 0.01 for r in rows.values())


def test_vectors_distances_and_ranks() -> None:
    """Two exchanged tracks lie nearer to each other's target; ratings stand by their answers' z, targets by the tracks'."""
    exchanged = A[[1, 0, 2, 3, 4, 5, 6, 7]]
    rows = {r["clip"]: r for r in analyse(answers(A, (0, 0, 0)), vectors(exchanged), 99, 0)["vectors"]}
    assert [rows[f"t{i}"]["rank"] for i in range(8)][2:] == [1] * 6
    assert rows["t0"]["rank"] > 1
    assert rows["t1"]["rank"] > 1
    rows = {r["clip"]: r for r in analyse(answers(A), vectors(exchanged), 99, 0)["vectors"]}
    z, w = standardised(A), (exchanged - A.mean(0)) / A.std(0, ddof=1)
    assert [rows["t0"][f"rated_{i}"] for i in ITEMS] == pytest.approx(list(z[0]))
    assert [rows["t0"][f"target_{i}"] for i in ITEMS] == pytest.approx(list(w[0]))
    assert rows["t0"]["distance"] == pytest.approx(float(np.linalg.norm(z[0] - w[0])))


def test_rank_counts_the_targets_that_lie_nearer() -> None:
    """On a line, the ratings 0, 1, 2, 10 and targets in the order 3, 2, 1, 4."""
    rated = np.array([[0.0], [1], [2], [10]])
    rows = [(f"t{i}", "x", v[0]) for i, v in enumerate(rated) for _ in range(2)]
    targets = pd.DataFrame({"x": [2.0, 1, 0, 10]}, index=[f"t{i}" for i in range(4)])
    tables = analyse(pd.DataFrame(rows, columns=["clip", "adjective", "value"]), targets, 99, 0)
    assert [r["rank"] for r in tables["vectors"]] == [3, 1, 3, 1]


def test_components_are_prcomps() -> None:
    """R: prcomp(a, scale. = TRUE): sdev^2 and rotation; signs such that the largest loading is positive."""
    rows = components((A - A.mean(0)) / A.std(0, ddof=1), ITEMS, "rated")
    assert [r["component"] for r in rows] == ["PC1", "PC2", "PC3"]
    assert [r["eigenvalue"] for r in rows] == pytest.approx([1.637678449118, 0.887236798851, 0.475084752032])
    assert [r["proportion"] for r in rows] == pytest.approx([0.545892816373, 0.295745599617, 0.158361584011])
    rotation = [
        [-0.645967016184, 0.389347618372, 0.656608746569],
        [0.310734950824, 0.919776271757, -0.239698561218],
        [0.697259208859, -0.049193922202, 0.715129046872],
    ]
    assert [[r[i] for i in ITEMS] for r in rows] == [pytest.approx(x) for x in rotation]
    both = analyse(answers(A), vectors(NEAR), 99, 0)["pca"]
    assert [r["source"] for r in both] == ["rated"] * 3 + ["targets"] * 3
    assert both[0]["eigenvalue"] == pytest.approx(1.637678449118)
    assert both[3]["eigenvalue"] == pytest.approx(np.linalg.eigvalsh(np.corrcoef(NEAR.T))[-1])


def test_the_same_seed_gives_the_same_p() -> None:
    one, two = (analyse(answers(A), vectors(FAR), 99, seed)["tests"] for seed in (5, 5))
    assert one == two
    assert [r["p"] for r in one] != [r["p"] for r in analyse(answers(A), vectors(FAR), 99, 6)["tests"]]


def test_what_can_not_be_compared_is_said_and_gets_no_p() -> None:
    one = np.full((8, 3), 4.0)
    with pytest.raises(
        AnalysisError, match=r"x is left out: its ratings are the same for all 8 tracks; .* nothing is left to compare"
    ):
        analyse(answers(one), vectors(A), 99, 0)
    part = answers(A).query("not (clip == 't3' and adjective == 'z')")
    with pytest.raises(AnalysisError, match="ratings of z are missing"):
        analyse(part, vectors(A), 99, 0)
    with pytest.raises(AnalysisError, match="ratings of w are missing"):
        analyse(answers(A), vectors(A).assign(w=np.arange(8.0)), 99, 0)


@pytest.mark.parametrize("whose", ["ratings", "targets"])
def test_an_item_that_never_varies_is_left_out_and_named(whose: str) -> None:
    """The rest is compared as if it had not been asked."""
    flat = A.copy()
    flat[:, 1] = 4.1
    tables = analyse(answers(flat if whose == "ratings" else A), vectors(flat if whose == "targets" else NEAR), 99, 0)
    assert tables["notes"] == [{"note": f"y is left out: its {whose} are the same for all 8 tracks"}]
    assert [r["item"] for r in tables["correlations"]] == ["x", "z"]
    assert all(r["state"] == "ok" for r in tables["tests"])


def test_targets_of_one_word_a_track_leave_mantels_r_undefined() -> None:
    """All lie equally far apart: no r, and no p that a comparison with nothing makes small."""
    rng = np.random.default_rng(2)
    rated = rng.normal(size=(4, 4))
    rows = [(f"t{i}", f"i{k}", rated[i, k] + e) for i in range(4) for k in range(4) for e in (-1, 1)]
    targets = pd.DataFrame(np.eye(4), columns=[f"i{k}" for k in range(4)], index=[f"t{i}" for i in range(4)])
    mantel_row, procrustes_row, permutation_row = analyse(
        pd.DataFrame(rows, columns=["clip", "adjective", "value"]), targets, 99, 0
    )["tests"]
    assert (mantel_row["statistic"], mantel_row["p"]) == (None, None)
    assert mantel_row["state"] == "undefined: all tracks lie equally far apart"
    assert procrustes_row["p"] > 0
    assert permutation_row["p"] > 0
    for one, other in ((rated, np.eye(4)), (np.eye(4), rated)):
        assert np.isnan(mantel(one, other, 99, rng)).all()  # both, r and p


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("track,sweet\na,1\nb,much\n", r"line 3: sweet is 'much', which is no number$"),
        ("track,sweet\na.wav,1\nb,2\nA,3\n", r"has a twice; one row a track is wanted$"),
        ("", r"can't be read as a table: No columns to parse from file$"),
        ("track,sweet\na,1\nb,2,3\n", r"can't be read as a table: Error tokenizing data"),
    ],
)
def test_targets_that_can_not_be_used_are_refused_in_a_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "targets.csv"
    path.write_text(text)
    with pytest.raises(AnalysisError, match=says) as caught:
        read_targets(path, ["sweet"], {})
    assert "\n" not in str(caught.value)


def test_a_workbook_that_is_none_and_an_empty_target(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_text("track,sweet")
    with pytest.raises(AnalysisError, match="can't be read as a table"):
        read_targets(tmp_path / "t.xlsx", ["sweet"], {})
    (tmp_path / "t.csv").write_text("track,sweet\na,1\nb,\n")
    assert read_targets(tmp_path / "t.csv", ["sweet"], {})["sweet"].isna().tolist() == [False, True]


def test_rows_that_name_no_track_are_no_targets(tmp_path: Path) -> None:
    """A blank row, a mean at the foot, and where a wrong cell stands beside them."""
    path = tmp_path / "t.csv"
    path.write_text("track,sweet\na,1\n,\nb,3\n,2\n")
    assert read_targets(path, ["sweet"], {})["sweet"].to_dict() == {"a": 1.0, "b": 3.0}
    path.write_text("track,sweet\na,1\n,x\nb,much\n")
    with pytest.raises(AnalysisError, match="line 4: sweet is 'much'"):
        read_targets(path, ["sweet"], {})


def test_tracks_without_targets_and_targets_without_tracks_are_named() -> None:
    """Else a misspelt name takes its track out of the answer, and nobody hears of it."""
    misspelt = vectors(A).rename(index={"t1": "t 01", "t7": "other"})
    tables = analyse(answers(A), misspelt, 99, 0)
    assert tables["tests"][0]["n"] == 6
    assert tables["notes"] == [
        {"note": "2 of 8 rated tracks have no targets and are left out: t1, t7"},
        {"note": "2 of 8 targets have no rated track: t 01, other"},
    ]
    one = analyse(answers(A), vectors(A).rename(index={"t7": "other"}), 99, 0)
    assert [n["note"] for n in one["notes"]] == [
        "1 of 8 rated tracks has no targets and is left out: t7",
        "1 of 8 targets has no rated track: other",
    ]
    many = analyse(answers(A), vectors(A).iloc[:4], 99, 0)
    assert many["notes"] == [{"note": "4 of 8 rated tracks have no targets and are left out: t4, t5, t6 ..."}]


@pytest.mark.parametrize("names", [("Ramen", "ramen"), ("Ramen!", "ramen"), ("ramen.mp3", "Ramen")])
def test_two_tracks_that_one_row_of_targets_would_be_for_are_refused(names: tuple[str, str]) -> None:
    said = answers(A).replace({"clip": dict(zip(("t0", "t1"), names, strict=True))})
    wanted = vectors(A).rename(index={"t0": "ramen"})
    with pytest.raises(AnalysisError) as error:
        analyse(said, wanted, 99, 0)
    assert str(error.value) == (
        f"the tracks {' and '.join(sorted(names))} have one name among the targets, 'ramen'; rename one"
    )
    # What the targets do not name is no matter.
    assert analyse(said, vectors(A).iloc[2:], 99, 0)["tests"][0]["n"] == 6


def test_what_is_left_out_moves_nothing() -> None:
    """Answers to tracks without targets, far away from the others: the same tables as without these answers."""
    wanted = vectors(A).drop(index=["t6", "t7"])
    all_of = answers(A)
    lone = all_of["clip"].isin(["t6", "t7"])
    all_of.loc[lone, "value"] += 50
    with_them, without = (analyse(rows, wanted, 99, 0) for rows in (all_of, all_of[~lone]))
    assert with_them.pop("notes") == [{"note": "2 of 8 rated tracks have no targets and are left out: t6, t7"}]
    assert without.pop("notes") == []
    assert with_them == without
