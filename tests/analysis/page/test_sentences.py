"""Numbers and rows of results as people read them: every expected text was written by hand."""

import math

import pytest

from analysis.page.sentences import apa, apa_anova, apa_mixed, number, p_value


@pytest.mark.parametrize(
    ("value", "column", "shown"),
    [
        # p: no zero before the point, three digits, never ".000"
        (0.0004, "p", "< .001"), (0.00099, "p", "< .001"), (0.001, "p", ".001"), (0.0312, "p_adjusted", ".031"),
        (0.05, "p_bonferroni", ".050"), (0.5, "p_permutation", ".500"), (0.9994, "spearman_p", ".999"), (1.0, "p", "1"),
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
        # words
        (True, "x", "yes"), (False, "p", "no"), ("sweet", "p", "sweet"),
    ],
)  # fmt: skip
def test_numbers_as_people_read_them(value: object, column: str, shown: str) -> None:
    assert number(value, column) == shown


@pytest.mark.parametrize(("p", "shown"), [(0.05, "p = .050"), (0.0009, "p < .001"), (1.0, "p = 1"), (0.3, "p = .300")])
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
