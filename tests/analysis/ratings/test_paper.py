"""Expected values: R 4.2.2, tests/golden/golden.R on tests/golden/ratings.csv (unbalanced on purpose)."""

from pathlib import Path

import pandas as pd
import pytest

from analysis.ratings.paper import anova, means, tukey

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


def test_means_count_every_answer() -> None:
    assert sum(r["n"] for r in means(DATA)) == len(DATA)
