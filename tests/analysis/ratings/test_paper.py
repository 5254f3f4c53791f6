"""Expected values: R 4.2.2, tests/golden/golden.R on tests/golden/ratings.csv (unbalanced on purpose)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.config import AnalysisConfig
from analysis.errors import AnalysisError
from analysis.preference import robust
from analysis.ratings.paper import analyse, anova, correlations, means, model_frame, tukey

DATA = pd.read_csv(Path(__file__).parents[2] / "golden" / "ratings.csv", keep_default_na=False)
DATA["value"] = DATA["value"].astype(float)

ANOVA = {
    "prompt": (2, 17.675, 9.79008, 9.5403e-05),
    "adjective": (2, 7.07777778, 3.92034, 0.021686),
    "hearing_experience": (2, 4.29729839, 2.38025, 0.095660),
    "eating_experience": (1, 0.74209607, 0.82209, 0.365878),
    "sex": (1, 4.50141866, 4.98662, 0.026873),
    "prompt:adjective": (4, 12.2, 3.37875, 0.010924),
}
TUKEY = {
    ("salty", "bitter"): (-0.111111111111, -0.586923564466, 0.364701342244, 0.845563072634),
    ("sweet", "salty"): (0.708333333333, 0.232520879979, 1.184145786688, 0.001595902866),
    ("sad", "happy"): (-0.35, -0.7755795960969, 0.0755795960969, 0.129506522657),
    ("none", "amateur"): (0.196080246914, -0.219934541349, 0.6120950351765, 0.506589957331),
    ("professional", "none"): (-0.372777777778, -0.795846557884, 0.0502910023289, 0.096336948056),
}


def test_anova_is_type_one_as_in_r() -> None:
    rows = {r["term"]: r for r in anova(DATA)}
    assert list(rows) == [*ANOVA, "Residual"]
    for term, (df, sum_sq, f, p) in ANOVA.items():
        assert rows[term]["df"] == df
        assert rows[term]["sum_sq"] == pytest.approx(sum_sq, rel=1e-8)
        assert rows[term]["F"] == pytest.approx(f, rel=1e-5)
        assert rows[term]["p"] == pytest.approx(p, rel=1e-4)
    assert rows["Residual"]["mean_sq"] == pytest.approx(0.902699722, rel=1e-8)


def test_tukey_has_the_models_error_and_adjusted_means() -> None:
    rows = {(r["group1"], r["group2"]): r for r in tukey(DATA)}
    for pair, (difference, low, high, p) in TUKEY.items():
        row = rows[pair]
        assert row["diff"] == pytest.approx(difference, rel=1e-8)
        assert row["ci_low"] == pytest.approx(low, rel=1e-5)
        assert row["ci_high"] == pytest.approx(high, rel=1e-5)
        assert row["p"] == pytest.approx(p, rel=1e-5)


def test_eta_is_a_terms_share_of_itself_and_the_residual() -> None:
    """By hand from R's sums of squares: 17.675 / (17.675 + 171 * 0.902699722)."""
    rows = {r["term"]: r for r in anova(DATA)}
    residual = rows["Residual"]["df"] * 0.902699722
    assert rows["Residual"]["sum_sq"] == pytest.approx(residual, rel=1e-8)
    for term, (_, sum_sq, _, _) in ANOVA.items():
        assert rows[term]["partial_eta_sq"] == pytest.approx(sum_sq / (sum_sq + residual), rel=1e-7)
        assert rows[term]["mean_sq"] == pytest.approx(rows[term]["sum_sq"] / rows[term]["df"])
    assert all(rows["Residual"][k] is None for k in ("F", "p", "partial_eta_sq"))


def test_terms_that_are_not_there_or_never_vary_are_left_out() -> None:
    """Main effects in the seed paper's order whatever the columns' order, the interaction only where both are there."""
    shuffled = DATA[["value", "sex", "adjective", "prompt"]]
    assert [r["term"] for r in anova(shuffled)] == ["prompt", "adjective", "sex", "prompt:adjective", "Residual"]
    one = shuffled[shuffled["prompt"] == "sweet"]
    assert [r["term"] for r in anova(one)] == ["adjective", "sex", "Residual"]
    with pytest.raises(AnalysisError, match="neither prompts nor adjectives"):
        anova(DATA.head(1))
    with pytest.raises(AnalysisError, match="no residual"):
        anova(DATA.assign(value=2.0)[["value", "prompt", "adjective"]])
    alone = pd.DataFrame({"prompt": ["a", "a", "b", "b"], "adjective": ["x", "y"] * 2, "value": [1.0, 2, 3, 5]})
    with pytest.raises(AnalysisError, match="4 ratings leave nothing"):
        anova(alone)


def test_empty_and_aliased_cells_take_no_degrees_of_freedom() -> None:
    """R: anova(lm(value ~ prompt + adjective + sex + prompt:adjective)): sex follows from the prompt, half of the cells are empty.

    p 2, 3.9, F .9, p .45517; adjective 1, 0.0; residual 6, 13.0; neither sex nor the interaction is listed.
    """
    frame = pd.DataFrame(
        {
            "prompt": list("aaabbbccca"), "adjective": list("xyxyyyxxxy"), "sex": list("1112223331"),
            "value": [1.0, 2, 4, 3, 5, 4, 2, 2, 5, 3],
        }
    )  # fmt: skip
    rows = {r["term"]: r for r in anova(frame)}
    assert list(rows) == ["prompt", "adjective", "Residual"]
    assert [r["df"] for r in rows.values()] == [2, 1, 6]
    assert [r["sum_sq"] for r in rows.values()] == pytest.approx([3.9, 0.0, 13.0], abs=1e-9)
    assert (rows["prompt"]["F"], rows["prompt"]["p"]) == pytest.approx((0.9, 0.45517), rel=1e-4)


def test_three_clips_have_a_correlation_but_no_interval() -> None:
    (row,) = correlations(rated([1, 2, 4], [2, 3, 1]))
    assert (row["ci_low"], row["ci_high"]) == (None, None)
    (row,) = correlations(rated([1, 2, 4, 5], [2, 3, 5, 6]))
    assert (row["r"], row["ci_low"]) == (pytest.approx(1), None)


def test_tukey_of_two_levels_is_the_two_sided_t_test() -> None:
    """q = sqrt(2) t: p and interval of an ordinary two-sample t-test, group1 minus group2."""
    from scipy import stats

    a, b = np.array([1.0, 2, 4, 3, 2]), np.array([3.0, 5, 4])
    frame = pd.DataFrame({"prompt": ["sour"] * 5 + ["sweet"] * 3, "value": [*a, *b]})
    (row,) = tukey(frame)
    t = stats.ttest_ind(b, a)
    assert (row["factor"], row["group1"], row["group2"]) == ("prompt", "sweet", "sour")
    assert row["diff"] == pytest.approx(4 - 2.4)
    assert row["p"] == pytest.approx(t.pvalue, rel=1e-6)
    interval = t.confidence_interval(0.95)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high), rel=1e-6)
    narrow = tukey(frame, level=0.5)[0]
    assert narrow["ci_high"] - narrow["ci_low"] < row["ci_high"] - row["ci_low"]
    assert len(tukey(DATA)) == 3 * 3  # three levels each of prompt, adjective and hearing experience; no other factor


def test_means_are_those_of_their_own_cell() -> None:
    """By hand; R's sd (divided by n - 1); missing answers do not count."""
    rows = [
        ("sweet", "happy", 5.0), ("sweet", "happy", 2.0), ("sweet", "sad", 1.0), ("bitter", "happy", 3.0), ("bitter", "sad", 4.0),
        ("bitter", "sad", 2.0), ("bitter", "sad", np.nan), ("bitter", "sad", 3.0),
    ]  # fmt: skip
    found = means(pd.DataFrame(rows, columns=["prompt", "adjective", "value"]))
    assert [(r["prompt"], r["item"], r["mean"], r["n"]) for r in found] == [
        ("bitter", "happy", 3.0, 1), ("bitter", "sad", 3.0, 3), ("sweet", "happy", 3.5, 2), ("sweet", "sad", 1.0, 1),
    ]  # fmt: skip
    assert found[1]["sd"] == pytest.approx(1.0)
    assert found[2]["sd"] == pytest.approx(4.5**0.5)
    assert found[0]["sd"] is None  # one answer has none


# Who is in the model of the seed paper, by hand.
PEOPLE = pd.DataFrame(
    [
        (1, "male", "none", "none"), (2, "female", "amateur", "none"), (3, "other", "none", "amateur"),
        (4, "female", "none", "professional"), (5, "male", None, "amateur"), (6, "female", "none", "amateur"),
        (7, "male", "none", "amateur"),
    ],
    columns=["participant", "sex", "hearing_experience", "eating_experience"],
)  # fmt: skip
ANSWERS = pd.DataFrame(
    [
        (p, k, w, 1.0 + (p * p + 3 * k + (p + k) * (w == "sad")) % 5)
        for p in range(1, 9)
        for k in range(2)
        for w in ("happy", "sad")
    ],
    columns=["participant", "trial", "adjective", "value"],
).assign(prompt=lambda d: np.where(d["trial"] == 0, "sweet", "bitter"), clip=lambda d: "c" + d["trial"].astype(str))


def test_men_and_women_only_and_no_level_of_one_person() -> None:
    """3 is neither, 4 the only professional eater, 5 and 8 have not said; each person keeps all own answers."""
    frame = model_frame(ANSWERS, PEOPLE)
    assert sorted(set(frame["participant"])) == [1, 2, 6, 7]
    assert (frame.groupby("participant").size() == 4).all()
    # Among eaters who are no professionals only the third is left out for sex; two professionals are a level.
    two = pd.concat([PEOPLE, PEOPLE[PEOPLE["participant"] == 4].assign(participant=8)])
    assert sorted(set(model_frame(ANSWERS, two)["participant"])) == [1, 2, 4, 6, 7, 8]


def test_what_was_not_asked_leaves_nobody_out() -> None:
    assert sorted(set(model_frame(ANSWERS, PEOPLE[["participant"]])["participant"])) == list(range(1, 9))
    only_sex = model_frame(ANSWERS, PEOPLE[["participant", "sex"]])
    assert sorted(set(only_sex["participant"])) == [1, 2, 4, 5, 6, 7]
    assert "hearing_experience" not in only_sex
    missing = ANSWERS.assign(value=ANSWERS["value"].where(ANSWERS["trial"] == 0))
    assert len(model_frame(missing, PEOPLE[["participant"]])) == 16


def test_a_demographic_counts_to_the_person_who_gave_it() -> None:
    frame = model_frame(ANSWERS, PEOPLE)
    given = frame.drop_duplicates("participant").set_index("participant")
    assert given["hearing_experience"].to_dict() == {1: "none", 2: "amateur", 6: "none", 7: "none"}
    assert given["sex"].to_dict() == {1: "male", 2: "female", 6: "female", 7: "male"}


def rated(x: list[float], y: list[float]) -> pd.DataFrame:
    rows = [
        (p, 0, "sweet", "c", w, v)
        for p, pair in enumerate(zip(x, y, strict=True))
        for w, v in zip("xy", pair, strict=True)
    ]
    return pd.DataFrame(rows, columns=["participant", "trial", "prompt", "clip", "adjective", "value"])


def test_correlation_is_rs() -> None:
    """R: cor.test(c(1,2,4,3,5,5,2,4), c(2,1,3,3,4,5,1,5))."""
    data = rated([1, 2, 4, 3, 5, 5, 2, 4], [2, 1, 3, 3, 4, 5, 1, 5])
    (row,) = correlations(data)
    assert (row["item1"], row["item2"], row["n"]) == ("x", "y", 8)
    assert row["r"] == pytest.approx(0.8381580761249)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((0.3260724265294, 0.9699512882407), rel=1e-10)
    assert row["p"] == pytest.approx(0.0093530053832)
    assert correlations(data[data["participant"] < 2]) == []
    assert len(correlations(data[data["participant"] < 3])) == 1
    assert correlations(rated([1, 2, 3, 4], [2, 2, 2, 2])) == []
    assert correlations(rated([2, 2, 2, 2], [1, 2, 3, 4])) == []


def test_everything_of_the_task_on_what_was_answered() -> None:
    data = ANSWERS.assign(value=ANSWERS["value"].where(ANSWERS.index != 0))
    tables = analyse(data, PEOPLE)
    assert list(tables) == ["anova", "tukey", "means", "correlations", "icc", "notes"]
    assert sum(r["n"] for r in tables["means"]) == 31  # of all people, in the model or not
    assert tables["correlations"][0]["n"] == 15
    assert sum(r["df"] for r in tables["anova"]) == 15 - 1  # four people's 16 answers, one missing
    # Where nobody is left for the model, the answers themselves are compared.
    nobody = PEOPLE.assign(sex="other")
    assert sum(r["df"] for r in analyse(data, nobody)["anova"]) == 31 - 1
    with pytest.raises(AnalysisError, match="no ratings"):
        analyse(data.assign(value=np.nan), PEOPLE)


def test_one_person_has_means_and_a_line_for_what_can_not_be_computed() -> None:
    alone = ANSWERS[(ANSWERS["participant"] == 1)]
    tables = analyse(alone, PEOPLE)
    assert len(tables["means"]) == 4
    assert tables["anova"] == []
    assert [n["note"] for n in tables["notes"]] == [
        "analysis of variance: not computed, 4 ratings leave nothing to compare prompts and adjectives with (no residual); more "
        "people are needed"
    ]


def test_answers_that_follow_from_the_terms_alone_leave_no_error_to_compare_with() -> None:
    """Everybody gives one prompt 1 and the other 5: no residual, so no comparison, and none with an error of zero."""
    frame = pd.DataFrame(
        [{"prompt": p, "adjective": "sweet", "value": v} for p, v in (("a", 1.0), ("b", 5.0)) for _ in range(4)]
    )
    assert tukey(frame) == []
    assert tukey(frame.assign(value=frame["value"] + [0, 1] * 4)) != []


def test_answers_that_are_all_the_same_are_not_said_to_be_too_few() -> None:
    """More people who say the same leave as little to compare with; too few answers are told as that."""
    same = pd.DataFrame(
        [(p, t, a, 3.0) for p in range(20) for t in ("x", "y") for a in ("m", "n")],
        columns=["participant", "prompt", "adjective", "value"],
    )
    with pytest.raises(AnalysisError, match=r"80 ratings .* they do not vary beside these"):
        anova(same)
    with pytest.raises(AnalysisError, match=r"4 ratings .* more people are needed"):
        anova(same[same["participant"] == 0].assign(value=[1.0, 2.0, 4.0, 3.0]))


def test_a_study_without_ratings_says_so() -> None:
    """It had been told that one prompt alone was rated."""
    nothing = pd.DataFrame(columns=["participant", "trial", "prompt", "clip", "adjective", "value"])
    with pytest.raises(AnalysisError, match="there are no ratings in this study"):
        robust.ratings(nothing, AnalysisConfig())
