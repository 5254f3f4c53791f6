"""Features between tastes: R's rank tests on small tables, Holm by hand, and the published directions as published."""

import pandas as pd
import pytest

from analysis.sound.correspondences import correspondences, feature_frame, feature_tests, holm
from tests.analysis.report.study import clip

# R 4.2.2: wilcox.test(c(3, 8, 5, 9), c(1, 4, 2), exact = TRUE): W = 11, p = 4 / 35;
# with alternative = "greater": p = 2 / 35 (of 35 ways to draw three of seven ranks, two lie as far apart)
SWEET, BITTER = [3.0, 8.0, 5.0, 9.0], [1.0, 4.0, 2.0]


def frame(feature: str = "pitch_height", **tastes: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"clip": f"{t}{i}", "taste": t, "model": "base", "number": i, feature: v}
            for t, x in tastes.items()
            for i, v in enumerate(x)
        ]
    )


def test_one_row_a_clip_with_what_was_measured() -> None:
    rows = [clip("sweet", "base", 1, features={"tempo": 90.0}), clip("sour", "finetuned", 0, features={})]
    assert feature_frame(rows).to_dict("records") == [
        {"clip": "sweet-base-1", "taste": "sweet", "model": "base", "number": 1, "tempo": 90.0}
    ]


def test_music_of_a_wrong_prompt_is_of_that_prompts_taste() -> None:
    """Clips that stand for sweet and were asked for as bitter, low as bitter is: sweet is the higher one, as published."""
    pitch = {"sweet": 60.0, "bitter": 40.0}
    other = {"sweet": "bitter", "bitter": "sweet"}
    rows = [
        clip(taste, "wrong", k, prompt_of=other[taste], features={"pitch_height": pitch[other[taste]] + k})
        for taste in pitch
        for k in range(5)
    ]
    (row,) = feature_tests(feature_frame(rows), ["pitch_height"])
    assert (row["taste1"], row["mean1"], row["taste2"], row["mean2"]) == ("bitter", 42.0, "sweet", 62.0)
    declared = [r for r in correspondences(feature_frame(rows)) if r["feature"] == "pitch_height"]
    assert [(r["higher"], r["lower"], r["difference"]) for r in declared] == [("sweet", "bitter", 20.0)]


def test_two_tastes_by_rs_rank_test() -> None:
    (row,) = feature_tests(frame(sweet=SWEET, bitter=BITTER), ["pitch_height"])
    assert (row["taste1"], row["taste2"], row["n1"], row["n2"]) == ("bitter", "sweet", 3, 4)
    assert (row["mean1"], row["mean2"]) == pytest.approx((7 / 3, 6.25))
    assert row["U"] == 1  # of the bitter clips: 12 pairs less W
    assert row["p"] == pytest.approx(4 / 35)
    assert row["p_adjusted"] == pytest.approx(row["p"])
    assert abs(row["rank_biserial"]) == pytest.approx(1 - 2 * 1 / 12)
    assert (row["model"], row["feature"]) == ("base", "pitch_height")


def test_holm_by_hand() -> None:
    """p of 0.01, 0.04, 0.03: times 3, 2 and 1 in their order, never falling."""
    rows = holm([{"p": 0.01}, {"p": 0.04}, {"p": 0.03}])
    assert [r["p_adjusted"] for r in rows] == pytest.approx([0.03, 0.06, 0.06])


def test_every_pair_is_corrected_within_its_feature_and_model() -> None:
    data = frame(sweet=SWEET, bitter=BITTER, sour=[10.0, 11, 12], salty=[0.0, 0.5])
    both = pd.concat(
        [data.assign(roughness=-data["pitch_height"]), data.assign(model="finetuned", roughness=1.0 * data.index)]
    )
    rows = feature_tests(both, ["pitch_height", "roughness"])
    # Two clips are too few for a test: salty is left out.
    assert len(rows) == 2 * 2 * 3
    assert {(r["taste1"], r["taste2"]) for r in rows} == {("bitter", "sour"), ("bitter", "sweet"), ("sour", "sweet")}
    for k in range(0, 12, 3):
        block = rows[k : k + 3]
        assert len({(r["model"], r["feature"]) for r in block}) == 1
        ordered = sorted(block, key=lambda r: r["p"])
        high = 0.0
        for times, r in zip((3, 2, 1), ordered, strict=True):
            high = max(high, min(1.0, times * r["p"]))
            assert r["p_adjusted"] == pytest.approx(high)
    one, two = rows[:3], rows[3:6]
    for a, b in zip(one, two, strict=True):  # the feature turned round: means and sides turned round
        assert a["mean1"] == pytest.approx(-b["mean1"])
        assert a["rank_biserial"] == pytest.approx(-b["rank_biserial"])
        assert a["p"] == pytest.approx(b["p"])


# Feature, the taste that has more of it, the taste that has less: from the papers that the report names.
PUBLISHED = {
    ("pitch_height", "sweet", "bitter"), ("pitch_height", "sour", "bitter"), ("roughness", "sour", "sweet"),
    ("roughness", "bitter", "sweet"), ("centroid", "sour", "bitter"), ("gaps", "salty", "sweet"), ("gaps", "salty", "bitter"),
    ("mode", "sweet", "bitter"),
}  # fmt: skip


def test_published_directions_are_tested_one_sided_as_published() -> None:
    features = ("pitch_height", "roughness", "centroid", "gaps", "mode")
    rows = [
        {"clip": f"{t}{i}", "taste": t, "model": "base", "number": i, **dict.fromkeys(features, v)}
        for t, x in {"sweet": SWEET, "bitter": BITTER, "sour": [10.0, 11, 12], "salty": [6.0, 7, 7.5]}.items()
        for i, v in enumerate(x)
    ]
    found = correspondences(pd.DataFrame(rows))
    assert {(r["feature"], r["higher"], r["lower"]) for r in found} == PUBLISHED
    assert all(r["source"] for r in found)
    by = {(r["feature"], r["higher"], r["lower"]): r for r in found}
    row = by["pitch_height", "sweet", "bitter"]
    assert row["U"] == 11
    assert row["p"] == pytest.approx(2 / 35)
    assert row["difference"] == pytest.approx(6.25 - 7 / 3)
    assert (row["n1"], row["n2"]) == (4, 3)
    # Against the published direction: no small p however large the difference.
    against = by["roughness", "bitter", "sweet"]
    assert against["p"] > 0.9
    assert against["difference"] == pytest.approx(7 / 3 - 6.25)
    ordered = sorted(found, key=lambda r: r["p"])
    assert ordered[0]["p_adjusted"] == pytest.approx(8 * ordered[0]["p"])
    assert all(r["p"] <= r["p_adjusted"] <= 1 for r in found)


def test_what_was_not_measured_or_has_too_few_clips_is_not_tested() -> None:
    data = frame(sweet=SWEET, bitter=BITTER[:2])
    assert correspondences(data) == []
    assert correspondences(frame("tempo", sweet=SWEET, bitter=BITTER)) == []
    assert len(correspondences(frame(sweet=[*SWEET, float("nan")], bitter=BITTER))) == 1
    assert correspondences(frame(sweet=[*SWEET, float("nan")], bitter=BITTER))[0]["n1"] == 4
