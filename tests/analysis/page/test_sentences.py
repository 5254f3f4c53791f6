"""Numbers and rows of results as people read them: every expected text was written by hand.

The table of sixty and more constructed results was written from the results alone: `first` fits better over the middle, `second`
under it. A row: what differs from a clear result, words that must stand in the sentence, words that must not.
"""

import math
from typing import Any

import pytest

from analysis.page import sentences
from analysis.page.sentences import Sides, apa, apa_anova, apa_mixed, number, p_value


@pytest.mark.parametrize(
    ("value", "column", "shown"),
    [
        # p: no zero before the point, three digits, never ".000"
        (0.0004, "p", "< .001"), (0.00099, "p", "< .001"), (0.001, "p", ".001"), (0.0312, "p_adjusted", ".031"),
        (0.05, "p_bonferroni", ".050"), (0.5, "p_permutation", ".500"), (0.9994, "spearman_p", ".999"), (1.0, "p", "1.000"), (1.0, "p_adjusted", "1.000"), (0.9996, "p", "1.000"),
        (0.0, "p", "< .001"), (0.10004, "p", ".100"),
        # what is no p keeps its zero
        (0.0312, "effect", "0.031"), (0.5, "share", "0.50"), (0.05, "p_value_of_something_else", "0.050"),
        # missing and not finite
        (None, "p", "–"), (float("nan"), "x", "–"), (float("nan"), "p", "–"), (math.inf, "bf10", "∞"), (-math.inf, "x", "-∞"),
        # three significant places or so, and minus signs
        (0.00724, "x", "0.007"), (-0.0559, "x", "-0.056"), (0.1234, "x", "0.12"), (0.0999, "x", "0.100"), (0.1, "x", "0.10"),
        (-3.14159, "x", "-3.14"), (2.5, "x", "2.50"), (0.0005, "x", "0.001"), (0.00049, "x", "4.90e-04"),
        (-0.00001, "x", "-1.00e-05"), (3.91e9, "bf10", "3.91e+09"), (100000.5, "x", "1.00e+05"), (99999.5, "x", "99,999.50"),
        (-123456.5, "x", "-1.23e+05"),
        # whole numbers and thousands
        (7, "n", "7"), (1234567, "n", "1,234,567"), (-1200, "x", "-1,200"), (12345.0, "x", "12,345"), (0.0, "x", "0"),
        (-4.0, "x", "-4"), (999999.0, "x", "999,999"), (1000000.0, "x", "1.00e+06"), (2000000.0, "x", "2.00e+06"),
        (-1.8e-16, "effect", "0"), (2e-12, "x", "2.00e-12"), (1e-16, "p", "< .001"),
        # words
        (True, "x", "yes"), (False, "p", "no"), ("sweet", "p", "sweet"),
    ],
)  # fmt: skip
def test_numbers_as_people_read_them(value: object, column: str, shown: str) -> None:
    assert number(value, column) == shown


def test_a_sliders_range_is_from_end_to_end() -> None:
    assert Sides("film", "base", (1.0, 7.0)).points == 6.0
    assert Sides("film", "base", (-50.0, 50.0)).points == 100.0
    assert Sides("film", "base").points == 10.0


@pytest.mark.parametrize(
    ("p", "shown"), [(0.05, "p = .050"), (0.0009, "p < .001"), (1.0, "p = 1.000"), (0.3, "p = .300")]
)
def test_p_in_a_sentence(p: float, shown: str) -> None:
    assert p_value(p) == shown


def test_a_rank_test_in_a_sentence_says_which_p_it_gives() -> None:
    row = {
        "statistic": 1234.5,
        "n": 60,
        "p": 0.012,
        "p_adjusted": None,
        "effect": 0.416,
        "ci_low": -0.02,
        "ci_high": 0.7,
    }
    assert apa(row) == "V = 1,234.50, n = 60, p = .012, r = 0.42 [-0.02, 0.70]"
    assert apa({**row, "p_adjusted": 0.048}) == "V = 1,234.50, n = 60, adjusted p = .048, r = 0.42 [-0.02, 0.70]"
    assert apa({**row, "p_adjusted": 0.0001}) == "V = 1,234.50, n = 60, adjusted p < .001, r = 0.42 [-0.02, 0.70]"
    del row["p_adjusted"]
    assert apa(row) == "V = 1,234.50, n = 60, p = .012, r = 0.42 [-0.02, 0.70]"


def test_a_mixed_model_in_a_sentence() -> None:
    row = {"effect": 0.821, "ci_low": 0.3, "ci_high": 1.34, "statistic": 3.4, "df": 19.94, "p": 0.0028}
    assert apa_mixed(row) == "difference = 0.82, 95 % CI [0.30, 1.34], t(19.9) = 3.40, p = .003"
    assert apa_mixed(row, "slope").startswith("slope = 0.82, ")
    lower = {**row, "effect": -0.5, "ci_low": -1.0, "ci_high": 0.01, "statistic": -2.0, "p": 0.0004}
    assert apa_mixed(lower) == "difference = -0.50, 95 % CI [-1.00, 0.01], t(19.9) = -2.00, p < .001"
    assert apa_mixed({**row, "p": None}) == ""


def test_an_analysis_of_variance_in_a_sentence() -> None:
    term = {"df": 2.0, "F": 9.79, "p": 9.5e-5, "partial_eta_sq": 0.103}
    assert apa_anova(term, 171) == "F(2, 171) = 9.79, p < .001, partial η² = .103"
    assert (
        apa_anova({**term, "p": 0.2, "partial_eta_sq": 0.0004}, 171.0)
        == "F(2, 171) = 9.79, p = .200, partial η² = .000"
    )
    assert apa_anova({**term, "p": None}, 171) == ""


SIDES = Sides("fine-tuned", "base", (0.0, 10.0))
CLEAR: dict[str, Any] = {
    "taste": "sweet", "test": "lmm", "alternative": "greater", "status": "declared", "n": 111, "statistic": 3.1, "df": 17.2,
    "p": 0.003, "p_adjusted": 0.012, "effect": 0.82, "ci_low": 0.26, "ci_high": 1.38, "state": "ok",
}  # fmt: skip
DOWN = {"effect": -0.82, "ci_low": -1.38, "ci_high": -0.26, "statistic": -3.1}
OPEN = {"effect": 0.2, "ci_low": -0.36, "ci_high": 0.76, "statistic": 0.8, "p": 0.21, "p_adjusted": 0.84}
NOTHING = dict.fromkeys(("effect", "ci_low", "ci_high", "statistic", "df", "p", "p_adjusted"))
BETTER, WORSE = "fine-tuned fits better than base", "base fits better than fine-tuned"
NEVER = ["preferred", "prefer", "None", "nan", "lmm", "two.sided"]

COMPARED: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    # directions and alternatives
    ("declared greater, found greater", {}, [f"For sweet, {BETTER}", "+0.82 of 10 points", "one-sided p", "supported", "the fit is ok"], [WORSE]),
    ("declared greater, found less", {**DOWN, "p": 0.998, "p_adjusted": 1.0}, ["not supported", "other side"], [BETTER, "is supported"]),
    ("declared less, found less", {**DOWN, "alternative": "less"}, [f"For sweet, {WORSE}", "-0.82", ", two-sided 95 % CI [", "one-sided p"], [BETTER, "two-sided p"]),
    ("declared less, found greater", {"alternative": "less", "p": 0.997, "p_adjusted": 1.0}, ["not supported", "other side"], [WORSE, "is supported"]),
    ("either, found greater", {"alternative": "two-sided"}, [BETTER, ", 95 % CI [", "two-sided p"], [WORSE, "one-sided", "two-sided 95 %"]),
    ("either, found less", {**DOWN, "alternative": "two-sided"}, [WORSE, "two-sided p"], [BETTER, "one-sided"]),
    ("over all tastes", {"taste": "all"}, [f"Over all tastes, {BETTER}"], ["For all"]),
    ("over all tastes, less", {**DOWN, "taste": "all", "alternative": "less"}, [f"Over all tastes, {WORSE}"], [BETTER]),
    # nothing found
    ("greater, open", OPEN, ["undecided", "[-0.36, 0.76]"], [BETTER, WORSE, "not supported", "equivalent", "no difference"]),
    ("less, open", {**OPEN, "alternative": "less"}, ["undecided"], [BETTER, WORSE, "supported"]),
    ("either, open", {**OPEN, "alternative": "two-sided"}, ["undecided", "two-sided"], [BETTER, WORSE, "one-sided"]),
    ("open and on the other side", {**OPEN, "effect": -0.2, "ci_low": -0.76, "ci_high": 0.36}, ["undecided", "-0.20"], [BETTER, WORSE]),
    # only the corrected p decides
    ("uncorrected under, corrected over", {"p": 0.02, "p_adjusted": 0.08}, ["undecided", ".080"], [BETTER, "is supported"]),
    ("no corrected p", {"p_adjusted": None, "p": 1e-6}, ["uncorrected"], ["is supported"]),
    ("corrected at the level", {"p_adjusted": 0.05}, ["undecided"], ["is supported", BETTER]),
    ("just under the level", {"p_adjusted": 0.0499}, [BETTER], ["undecided"]),
    ("p under a thousandth", {"p": 1e-9, "p_adjusted": 4e-9}, ["< .001"], ["= .000", "e-09"]),
    # ties
    ("exactly at the middle", {**OPEN, "effect": 0.0, "ci_low": -0.5, "ci_high": 0.5, "p": 0.5}, ["undecided", "0.00 of"], ["lean", "+0.00", "-0.00", BETTER, WORSE]),
    ("rounded to the middle", {**OPEN, "effect": -0.001}, ["undecided", "0.00 of"], ["-0.00 of", "+0.00 of"]),
    # exploratory
    ("exploratory, found greater", {"status": "exploratory", "alternative": "two-sided"}, ["exploratory", "lean to fine-tuned"], ["supported", BETTER]),
    ("exploratory, found less", {**DOWN, "status": "exploratory", "alternative": "two-sided"}, ["exploratory", "lean to base"], ["supported", "lean to fine-tuned"]),
    ("exploratory, open", {**OPEN, "status": "exploratory", "alternative": "two-sided"}, ["exploratory", "undecided"], ["supported", "lean"]),
    ("exploratory, exactly between", {**OPEN, "status": "exploratory", "effect": 0.0}, ["exploratory", "undecided"], ["lean to"]),
    # states
    ("too few", {**NOTHING, "state": "too few"}, ["For sweet", "can't be told", "too few answers that differ"], [BETTER, WORSE, "undecided", "supported"]),
    ("not converged, numbers there", {"state": "not converged"}, ["can't be told", "did not converge"], [BETTER, "+0.82", "supported"]),
    ("not converged, no numbers", {**NOTHING, "state": "not converged"}, ["can't be told", "did not converge"], [BETTER]),
    ("singular clips", {"state": "singular: clip"}, [BETTER, "clips", "estimated as zero"], ["singular: clip"]),
    ("singular people", {"state": "singular: participant"}, [BETTER, "people", "estimated as zero"], ["participant"]),
    ("singular and open", {**OPEN, "state": "singular: clip"}, ["undecided", "estimated as zero"], [BETTER]),
    ("unequal clips", {"state": "unequal: clips"}, [BETTER, "vary more than those of others", "its own variance"], ["the fit is ok"]),
    ("confounded clips", {"state": "confounded: clip"}, ["these clips only"], ["other clips"]),
    ("confounded and singular", {"state": "confounded: clip; singular: participant"}, ["these clips only", "people", "estimated as zero"], []),
    ("confounded, less", {**DOWN, "alternative": "less", "state": "confounded: clip"}, [WORSE, "these clips only"], [BETTER]),
    ("no p though it is ok", {**NOTHING, "state": "ok"}, ["can't be told"], [BETTER, WORSE]),
    ("an infinite interval", {"ci_low": float("-inf"), "ci_high": float("inf"), "state": "ok"}, ["can't be told"], ["inf", "∞", BETTER]),
    ("a p that is no number", {"p": float("nan"), "p_adjusted": float("nan")}, ["can't be told"], [BETTER]),
]  # fmt: skip

EQUIVALENT: list[tuple[str, dict[str, Any], dict[str, Any] | None, str, list[str], list[str]]] = [
    ("open and within", OPEN, {"p": 0.004, "bound": 1.0}, "equivalent within ±1", ["equivalent", "±1"], ["undecided", BETTER]),
    ("open and not within", OPEN, {"p": 0.3, "bound": 1.0}, "undecided", ["undecided"], ["equivalent within"]),
    ("found and within", {}, {"p": 0.01, "bound": 2.0}, "supported", [BETTER, "within ±2"], ["undecided"]),
    ("found and not within", {}, {"p": 0.4, "bound": 0.5}, "supported", [BETTER], ["within ±"]),
    ("on the other side and within", {**DOWN, "p": 1.0, "p_adjusted": 1.0}, {"p": 0.01, "bound": 2.0}, "not supported", ["not supported", "within ±2"], [BETTER]),
    ("equivalence can't be told", OPEN, {"p": None, "bound": 1.0}, "undecided", ["undecided"], ["equivalent within"]),
    ("its corrected p counts", OPEN, {"p": 0.02, "p_adjusted": 0.08, "bound": 1.0}, "undecided", ["undecided"], ["equivalent within"]),
    ("model did not converge", {"state": "not converged"}, {"p": 0.001, "bound": 1.0}, "can't be told", ["can't be told"], ["equivalent"]),
    ("not asked", OPEN, None, "undecided", ["undecided"], ["equivalent"]),
    ("a bound alone", {**OPEN, "status": "exploratory"}, {"p": 0.004, "bound": 1.0}, "equivalent within ±1", ["exploratory", "declared: equivalent within ±1 points"], ["supported"]),
    ("bound with a fraction", OPEN, {"p": 0.004, "bound": 0.75}, "equivalent within ±0.75", ["±0.75"], ["±0.8"]),
]  # fmt: skip

RANKS: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("up", {"effect": 0.4, "ci_low": 0.1, "ci_high": 0.6, "statistic": 400.0}, ["lean to fine-tuned", "one-sided"], ["lean to base"]),
    ("down", {"effect": -0.4, "ci_low": -0.6, "ci_high": -0.1, "alternative": "less"}, ["lean to base"], ["lean to fine-tuned"]),
    ("level", {"effect": 0.0, "ci_low": -0.3, "ci_high": 0.3, "p": 0.5, "p_adjusted": 1.0}, ["not shown to lean to fine-tuned: V"], ["base", "answers lean"]),
    ("up, not shown", {"effect": 0.4, "p_adjusted": 0.06}, ["For sweet, the answers are not shown to lean to fine-tuned: V", "p = .060"], ["base", "answers lean"]),
    ("at the level", {"effect": 0.4, "p_adjusted": 0.05}, ["not shown to lean"], ["answers lean"]),
    ("uncorrected alone", {"effect": 0.4, "p": 0.03, "p_adjusted": None}, ["the answers lean to fine-tuned"], ["not shown"]),
    ("the other way, not shown", {"effect": 0.1, "alternative": "less", "p_adjusted": 0.9}, ["not shown to lean to base"], ["fine-tuned", "answers lean"]),
    ("either way, not shown", {"effect": 0.1, "alternative": "two-sided", "p_adjusted": 0.9}, ["not shown to lean to either side"], ["fine-tuned", "answers lean"]),
    ("answers in the middle", {"effect": 0.4, "n_ranked": 53}, ["n = 53 of 111, "], ["n = 111"]),
    ("none in the middle", {"effect": 0.4, "n_ranked": 111}, ["n = 111, "], [" of 111"]),
    ("either way", {"alternative": "two-sided", "effect": 0.4, "ci_low": 0.1, "ci_high": 0.6}, ["two-sided"], ["one-sided"]),
    ("looked at afterwards", {"status": "exploratory", "alternative": "less", "effect": -0.1, "ci_low": -0.4, "ci_high": 0.2}, ["exploratory", "one-sided"], ["supported"]),
    ("nothing off the middle", {"statistic": None, "p": None, "p_adjusted": None, "effect": 0.0, "ci_low": None, "ci_high": None}, ["can't be told"], ["None", "lean to base"]),
    ("all on one side", {"effect": 1.0, "ci_low": None, "ci_high": None}, ["r = 1.00", "no interval"], ["[1.00, 1.00]", "None"]),
]  # fmt: skip

HEADLINES: list[tuple[str, list[dict[str, Any]], list[str], list[str]]] = [
    ("one of two", [{}, {**OPEN, "taste": "sour"}], ["fine-tuned fits better for sweet", "undecided for sour", "2 declared tests"], ["preferred", "base fits better"]),
    ("both directions", [{}, {**DOWN, "taste": "salty", "alternative": "less"}], ["fine-tuned fits better for sweet", "base fits better for salty"], ["fine-tuned fits better for salty", "fine-tuned fits better for sweet, salty"]),
    ("none", [OPEN, {**OPEN, "taste": "sour"}], ["undecided for sweet, sour"], ["fits better for"]),
    ("the wrong way", [{**DOWN, "p": 1.0, "p_adjusted": 1.0}], ["not supported for sweet"], ["fits better for"]),
    ("exploratory is no headline", [{**OPEN, "taste": "sour"}, {"status": "exploratory", "alternative": "two-sided"}], ["undecided for sour", "1 declared test"], ["sweet"]),
    ("nothing was declared", [{"status": "exploratory", "alternative": "two-sided"}], ["No test was declared"], ["fits better for", "sweet"]),
    ("one can't be told", [{}, {**NOTHING, "taste": "sour", "state": "too few"}], ["fine-tuned fits better for sweet", "can't be told for sour"], ["undecided for sour"]),
    ("uncorrected alone", [{"p": 1e-9, "p_adjusted": None}], ["can't be told for sweet"], ["fits better for"]),
    ("two-sided said so", [{"alternative": "two-sided"}], ["two-sided"], ["one-sided"]),
    ("both kinds of test", [{}, {"taste": "sour", "alternative": "two-sided"}], ["1 one-sided", "1 two-sided"], []),
    ("a bound alone is told", [{}, {**OPEN, "taste": "salty", "status": "exploratory", "equivalence": {"p": 0.001, "bound": 1.0}}], ["equivalent within ±1 for salty", "2 declared tests: 1 one-sided, 1 of equivalence"], ["undecided"]),
    ("a bound alone, not within", [{}, {"taste": "salty", "status": "exploratory", "equivalence": {"p": 0.3, "bound": 1.0}}], ["undecided whether within ±1 for salty"], ["fits better for sweet, salty", "equivalent within"]),
    ("equivalent", [{**OPEN, "taste": "salty", "equivalence": {"p": 0.001, "bound": 1.0}}], ["equivalent within ±1 for salty"], ["undecided for salty"]),
]  # fmt: skip


def test_there_are_sixty() -> None:
    assert len(COMPARED) + len(EQUIVALENT) + len(RANKS) + len(HEADLINES) >= 60


def _check(said: str, must: list[str], never: list[str]) -> None:
    for words in must:
        assert words in said, f"{words!r} is missing in: {said}"
    for words in [*never, *NEVER]:
        assert words not in said, f"{words!r} stands in: {said}"


@pytest.mark.parametrize(("what", "changes", "must", "never"), COMPARED, ids=[c[0] for c in COMPARED])
def test_a_comparison(what: str, changes: dict[str, Any], must: list[str], never: list[str]) -> None:
    _check(sentences.compared({**CLEAR, **changes}, SIDES, 0.05), must, never)


@pytest.mark.parametrize(
    ("what", "changes", "bound", "word", "must", "never"), EQUIVALENT, ids=[c[0] for c in EQUIVALENT]
)
def test_an_equivalence(
    what: str, changes: dict, bound: dict | None, word: str, must: list[str], never: list[str]
) -> None:
    row = {**CLEAR, **changes}
    assert sentences.verdict(row, 0.05, bound) == word
    _check(sentences.compared(row, SIDES, 0.05, bound), must, never)


@pytest.mark.parametrize(("what", "changes", "must", "never"), RANKS, ids=[c[0] for c in RANKS])
def test_a_rank_test(what: str, changes: dict[str, Any], must: list[str], never: list[str]) -> None:
    row = {**CLEAR, "test": "wilcoxon", "state": "ok", **changes}
    _check(sentences.ranked(row, SIDES, 0.05), must, [*never, "fits better"])


@pytest.mark.parametrize(("what", "rows", "must", "never"), HEADLINES, ids=[c[0] for c in HEADLINES])
def test_a_headline(what: str, rows: list[dict[str, Any]], must: list[str], never: list[str]) -> None:
    full = [{**CLEAR, **{k: v for k, v in row.items() if k != "equivalence"}} for row in rows]
    bounds = [{"taste": r["taste"], **g["equivalence"]} for r, g in zip(full, rows, strict=True) if "equivalence" in g]
    _check(sentences.by_taste(full, SIDES, 0.05, bounds), must, never)


def test_worths_are_told_from_the_highest_with_state_and_scale() -> None:
    rows = [
        {"taste": "all", "condition": "base", "value": -0.5, "ci_low": -0.9, "ci_high": -0.1, "state": "ok"},
        {"taste": "all", "condition": "tuned", "value": 0.75, "ci_low": 0.2, "ci_high": 1.3, "state": "ok"},
        {"taste": "all", "condition": "film", "value": -0.25, "ci_low": -0.7, "ci_high": 0.2, "state": "ok"},
    ]
    said = sentences.worths(rows, 10, {"tuned": "fine-tuned"})
    _check(
        said,
        ["Over all tastes", "fine-tuned +0.75 [0.20, 1.30], film -0.25 [-0.70, 0.20], base -0.50 [-0.90, -0.10]", "of 10", "the fit is ok", "exploratory"],
        ["supported", "fits better"],
    )  # fmt: skip
    part = [{**r, "taste": "sweet", "state": "singular: clips"} for r in rows]
    assert sentences.worths(part, 10, {}).startswith("For sweet, ")
    assert "the variance of clips was estimated as zero" in sentences.worths(part, 10, {})
    none = [{**r, "value": None, "ci_low": None, "ci_high": None, "state": "not connected"} for r in rows]
    _check(sentences.worths(none, 10, {}), ["can't be told", "no chain of comparisons"], ["+0.75"])


def test_the_names_are_the_study_s_and_classifiers_classify() -> None:
    other = Sides("old strings", "new brass", (0.0, 100.0))
    said = sentences.compared(CLEAR, other, 0.05)
    assert "old strings fits better than new brass" in said
    assert "+0.82 of 100 points" in said
    heard = sentences.classified(
        {"condition": "old strings", "taste": "sweet", "share": 0.6, "chance": 0.25, "p": 0.01, "n": 40}
    )
    assert (
        heard
        == "Of 40 clips of old strings asked for sweet, 60 % were classified as sweet (chance 25 %, one-sided p = .010)."
    )
    for word in ("fits", "prefer", "judged"):
        assert word not in heard


@pytest.mark.parametrize(
    ("ps", "must", "never"),
    [
        ({"sweet": 0.01, "sour": 0.2}, ["for sweet", "2 tastes"], ["sour"]),
        ({"sweet": 0.2}, ["for none of 1 taste"], ["sweet"]),
        ({"sweet": 0.05}, ["for none of 1 taste"], ["sweet"]),
        (
            {"sweet": None},
            ["Whether music prompted with a taste", "can't be told for sweet"],
            ["for sweet (", "None", "none", "0 "],
        ),
        ({"sweet": None, "sour": None}, ["can't be told for sour, sweet"], ["none", "(mixed"]),  # no test was made
        ({"sweet": None, "sour": 0.2, "salty": 0.3}, ["none of 2 tastes", "can't be told for sweet"], ["3"]),
        ({"sweet": 0.01, "bitter": 0.02}, ["for bitter, sweet"], []),
    ],
)
def test_own_words(ps: dict[str, float | None], must: list[str], never: list[str]) -> None:
    rows = [
        {"prompt": t, "p": p, "p_adjusted": p, "effect": 1.0, "state": "ok", "alternative": "greater"}
        for t, p in ps.items()
    ]
    _check(sentences.own_words(rows, 0.05), must, never)


def test_an_own_word_that_did_not_converge_is_not_found() -> None:
    rows = [
        {
            "prompt": "sweet",
            "p": 0.001,
            "p_adjusted": 0.001,
            "effect": 1.0,
            "state": "not converged",
            "alternative": "greater",
        }
    ]
    assert "can't be told for sweet" in sentences.own_words(rows, 0.05)


def test_what_is_not_declared_by_taste_is_not_said_of_the_whole_study() -> None:
    """Where only the tests over all tastes were declared, the line about tastes says so, and of which pair."""
    sides = Sides("harps", "drums")
    rows = [{"taste": "sweet", "role": "exploratory"}]
    said = sentences.by_taste(rows, sides, 0.05, family="3 declared tests: 3 two-sided")
    assert said == "By taste: no test was declared before the data; what is said of single tastes is exploratory."
    assert sentences.of_pair(said, sides).startswith("Harps or drums, by taste: no test was declared")
    none = sentences.by_taste(rows, sides, 0.05, family="no declared test")
    assert none == "No test was declared before the data; what follows is exploratory."


def test_tracks_are_many_and_a_model_is_one() -> None:
    sides = Sides("the film tracks", "the base model", (0.0, 10.0))
    assert "the film tracks fit better than the base model, as supported" in sentences.compared(CLEAR, sides, 0.05)
    assert "the base model fits better than the film tracks" in sentences.compared(
        {**CLEAR, **DOWN, "alternative": "less"}, sides, 0.05
    )
    rows = [CLEAR, {**CLEAR, **OPEN, "taste": "sour"}]
    assert sentences.by_taste(rows, sides, 0.05).startswith(
        "By taste: the film tracks fit better for sweet; undecided for sour"
    )


def test_a_bound_alone_that_can_not_be_told_is_said() -> None:
    row = {
        "taste": "sour",
        "declared": False,
        "effect": 0.1,
        "p": 0.4,
        "p_adjusted": None,
        "state": "ok",
        "alternative": "two-sided",
    }
    bound = {"taste": "sour", "bound": 1.5, "p": None, "p_adjusted": None, "state": "not converged"}
    assert (
        sentences.near(bound, 0.05) == sentences.near({**bound, "state": "too few: 2 people"}, 0.05) == "can't be told"
    )
    said = sentences.by_taste([row | {"declared": ""}], SIDES, 0.05, [bound])
    assert "can't be told for sour" in said


def test_shares_of_naming_are_means_over_tastes_in_percent() -> None:
    tests = [{"taste": t, "p_adjusted": p, "state": "ok"} for t, p in (("sweet", 0.01), ("sour", 0.2))]
    shares = [{"taste": "sweet", "share": 0.75, "chance": 0.25}, {"taste": "sour", "share": 0.45, "chance": 0.15}]
    assert sentences.named_when_asked(tests, shares, "base", 0.05) == (
        "Of base a taste was named in 60 % of the answers when it was asked for and in 20 % when it was not (+40 points, mean of 2 "
        "tastes); shown to be more when asked for sweet of 2 (mixed logit, one-sided, corrected)."
    )
    # Whose fit is in which state is told: "the variance was zero" of one taste says nothing of another.
    found = zip(
        ("sweet", "sour", "salty", "bitter"), (0.01, 0.2, 0.3, None), ("singular: clip", "ok", "singular: clip", "not converged"), strict=True
    )  # fmt: skip
    tests = [{"taste": t, "p_adjusted": p, "state": state} for t, p, state in found]
    assert sentences.named_when_asked(tests, shares, "base", 0.05).endswith(
        "shown to be more when asked for sweet of 4 (mixed logit, one-sided, corrected); it can't be told for bitter; "
        "sweet, salty: the variance of clips was estimated as zero."
    )
    # Of what was not tested nothing is said, not that it is none.
    assert "shown to be more when asked for none of 2 (" in sentences.named_when_asked(tests[1:], shares, "base", 0.05)
    assert sentences.named_when_asked(tests[3:], shares, "base", 0.05).endswith(
        "(+40 points, mean of 2 tastes); it can't be told for bitter."
    )
    alone = [{"taste": "sweet", "share": 0.75, "chance": None}]
    assert sentences.named_when_asked(tests[:1], alone, "base", 0.05) == (
        "Of base it can't be told whether a taste is named more when it was asked for: no other music was heard."
    )


def test_kinds_of_tests_are_counted_one_sided_ones_first() -> None:
    rows = [{"status": "declared", "alternative": a} for a in ("two-sided", "greater", "less", "two-sided")]
    assert sentences.counted(rows, [{}]) == "5 declared tests: 2 one-sided, 2 two-sided, 1 of equivalence"


def test_answers_about_hidden_repeats_are_counted_by_pair_and_person() -> None:
    row = {"item": "own_word", "pairs": 1, "people": 12, "state": "too few", "same": None, "chance": None}
    assert sentences.repeated(row) == (
        "Heard again without being told (own word, 1 pair of answers of 12 people): too few to say how alike people answer."
    )
    known = {**row, "pairs": 24, "people": 1, "state": "ok", "same": 0.75, "chance": 0.25, "kappa": 0.667}
    assert sentences.repeated(known) == (
        "Heard again without being told (own word, 24 pairs of answers of 1 person): 75 % the same (by chance 25 %, Cohen's kappa 0.67)."
    )
