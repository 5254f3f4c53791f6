"""The analyses against R itself, on data made here, where R and its packages are installed; else this file is skipped.

The other tests of this folder quote R's values, so nothing goes unchecked where R is not there.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.agreement.agreement import mantel, procrustes
from analysis.engines.mixed import fit
from analysis.engines.ordinal import fit_ordinal
from analysis.engines.ranks import signed_rank
from analysis.engines.threads import one_thread
from analysis.factors.extraction import extract
from analysis.factors.invariance import fit_groups
from analysis.factors.polychoric import polychoric
from analysis.factors.retention import adequacy, parallel_analysis, reduced_eigenvalues
from analysis.factors.trust import congruence, omega
from analysis.preference.bradley import bradley_terry
from analysis.ratings.paper import anova, tukey
from benchmarks.mixed import SHAPES, beside

PACKAGES = ("psych", "GPArotation", "vegan", "lme4", "lmerTest", "ordinal", "lavaan", "BradleyTerry2")


def _missing() -> str:
    if shutil.which("Rscript") is None:
        return "R is not installed"
    code = f"for (p in c({','.join(map(repr, PACKAGES))})) if (!requireNamespace(p, quietly = TRUE)) cat(p, '')"
    return subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, timeout=120).stdout.strip()


MISSING = _missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs R with packages; missing: {MISSING}")


def r(folder: Path, frame: pd.DataFrame, code: str) -> dict[str, np.ndarray]:
    """Run R code on `frame` (there: `d`); `out(name, values)` in it gives what comes back."""
    frame.to_csv(folder / "d.csv", index=False)
    head = (
        "options(warn = -1); d <- read.csv('d.csv', stringsAsFactors = TRUE)\n"
        "out <- function(name, x) cat('OUT', name, formatC(as.numeric(x), digits = 17), '\\n')\n"
    )
    run = subprocess.run(["Rscript", "-e", head + code], cwd=folder, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    lines = [line.split() for line in run.stdout.splitlines() if line.startswith("OUT ")]
    return {line[1]: np.array(line[2:], dtype=float) for line in lines}


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


def answers(seed: int, n: int = 60) -> pd.DataFrame:
    """Unbalanced ratings with everything that the seed paper's model has."""
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(n):
        person = {
            "participant": f"p{p}", "hearing_experience": rng.choice(["none", "amateur", "professional"], p=[0.5, 0.35, 0.15]),
            "eating_experience": rng.choice(["none", "amateur"]), "sex": rng.choice(["male", "female"], p=[0.6, 0.4]),
        }  # fmt: skip
        lean = rng.normal(0, 0.6)
        for clip in rng.choice(12, rng.integers(2, 5), replace=False):
            prompt = ("sweet", "sour", "salty", "bitter")[clip % 4]
            for adjective in ("sweet", "sour", "happy"):
                value = 2.6 + 1.2 * (adjective == prompt) + lean + 0.3 * np.sin(clip) + rng.normal(0, 1)
                rows.append(
                    {
                        **person,
                        "clip": f"c{clip}",
                        "prompt": prompt,
                        "adjective": adjective,
                        "value": float(np.clip(round(value), 1, 5)),
                    }
                )
    return pd.DataFrame(rows)


def items(seed: int, n: int = 260, per: int = 4) -> pd.DataFrame:
    """Answers of twelve items on three correlated factors, 1 to 5."""
    rng = np.random.default_rng(seed)
    factors = rng.multivariate_normal(np.zeros(3), [[1, 0.4, 0.2], [0.4, 1, 0.3], [0.2, 0.3, 1]], n)
    z = np.repeat(factors, per, axis=1) * rng.uniform(0.55, 0.85, 3 * per) + rng.normal(0, 0.6, (n, 3 * per))
    return pd.DataFrame(np.clip(np.round(z * 1.1 + 2.8), 1, 5), columns=[f"i{k + 1}" for k in range(3 * per)])


@pytest.mark.parametrize("seed", [0, 1])
def test_wilcoxon(tmp_path: Path, seed: int) -> None:
    x = np.random.default_rng(seed).integers(0, 11, 139).astype(float)
    code = (
        "for (a in c('greater', 'less', 'two.sided')) { w <- wilcox.test(d$x, mu = 5, alternative = a);"
        "out(a, c(w$statistic, w$p.value)) }; s <- shapiro.test(d$x); out('shapiro', c(s$statistic, s$p.value))"
    )
    found = r(tmp_path, pd.DataFrame({"x": x}), code)
    for name in ("greater", "less", "two.sided"):
        assert signed_rank(x, 5, name.replace(".", "-")) == pytest.approx(found[name], rel=1e-9)
    from scipy.stats import shapiro

    assert tuple(shapiro(x)) == pytest.approx(found["shapiro"], rel=1e-6)


@pytest.mark.parametrize("seed", [0, 1])
def test_anova_and_tukey(tmp_path: Path, seed: int) -> None:
    data = answers(seed)
    code = (
        "a <- anova(lm(value ~ prompt + adjective + hearing_experience + eating_experience + sex + prompt:adjective, d));"
        "out('ss', a$`Sum Sq`); out('F', head(a$`F value`, -1)); out('p', head(a$`Pr(>F)`, -1));"
        "t <- TukeyHSD(aov(value ~ prompt + adjective + hearing_experience, d));"
        "for (n in names(t)) { out(paste0(n, '_diff'), t[[n]][, 1]); out(paste0(n, '_low'), t[[n]][, 2]); out(paste0(n, '_p'), t[[n]][, 4]) }"
    )
    found = r(tmp_path, data, code)
    rows = anova(data)
    assert [row["sum_sq"] for row in rows] == pytest.approx(found["ss"], rel=1e-8)
    assert [row["F"] for row in rows[:-1]] == pytest.approx(found["F"], rel=1e-8)
    assert [row["p"] for row in rows[:-1]] == pytest.approx(found["p"], rel=1e-6)
    pairs = tukey(data)
    for factor in ("prompt", "adjective", "hearing_experience"):
        mine = [row for row in pairs if row["factor"] == factor]
        assert [row["diff"] for row in mine] == pytest.approx(found[f"{factor}_diff"], rel=1e-8)
        assert [row["ci_low"] for row in mine] == pytest.approx(found[f"{factor}_low"], rel=1e-5)
        # R's ptukey itself is good to about 1e-8 absolute.
        assert [row["p"] for row in mine] == pytest.approx(found[f"{factor}_p"], rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_factor_analysis(tmp_path: Path, seed: int) -> None:
    data = items(seed)
    code = (
        "suppressMessages({library(psych); library(GPArotation)}); f <- fa(d, 3, fm = 'ml', rotate = 'oblimin');"
        "out('loadings', t(unclass(f$loadings))); out('phi', f$Phi); out('scores', t(head(f$scores, 20)));"
        "set.seed(1); invisible(capture.output(p <- fa.parallel(d, fm = 'ml', fa = 'fa', n.iter = 50, plot = FALSE, quant = .95)));"
        "out('nfact', p$nfact); out('eigen', p$fa.values); out('kmo', KMO(d)$MSA); out('bartlett', cortest.bartlett(cor(d), nrow(d))$chisq)"
    )
    found = r(tmp_path, data, code)
    x = data.to_numpy()
    corr = np.corrcoef(x, rowvar=False)
    solution = extract(corr, tuple(data.columns), 3)
    assert solution.loadings.ravel() == pytest.approx(found["loadings"], abs=1e-4)
    assert solution.phi.ravel() == pytest.approx(found["phi"], abs=1e-4)
    z = (x - x.mean(0)) / x.std(0, ddof=1)
    assert solution.scores(z)[:20].ravel() == pytest.approx(found["scores"], abs=5e-4)
    assert reduced_eigenvalues(corr) == pytest.approx(found["eigen"], abs=1e-4)
    assert parallel_analysis(corr, len(x), np.random.default_rng(0))[0] == found["nfact"][0]
    kmo, bartlett = adequacy(data)
    assert kmo["value"] == pytest.approx(found["kmo"][0], rel=1e-6)
    assert bartlett["value"] == pytest.approx(found["bartlett"][0], rel=1e-6)


def test_polychoric_and_omega(tmp_path: Path) -> None:
    data = items(3)
    code = (
        "suppressMessages({library(psych); library(GPArotation)}); out('rho', polychoric(d, correct = 0, smooth = FALSE)$rho);"
        "o <- omega(cor(d), 3, fm = 'minres', rotate = 'oblimin', plot = FALSE); out('omega', c(o$omega_h, o$omega.tot, o$alpha))"
    )
    found = r(tmp_path, data, code)
    assert polychoric(data.to_numpy()).ravel() == pytest.approx(found["rho"], abs=2e-4)
    mine = omega(np.corrcoef(data.to_numpy(), rowvar=False), 3)
    assert [mine["omega_h"], mine["omega_total"], mine["alpha"]] == pytest.approx(found["omega"], abs=1e-4)


def test_mantel_and_protest(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    a = rng.normal(size=(18, 4))
    b = a @ rng.normal(size=(4, 4)) + rng.normal(size=(18, 4))
    code = (
        "suppressMessages(library(vegan)); set.seed(1); m <- mantel(dist(d[, 1:4]), dist(d[, 5:8]), permutations = 9999);"
        "out('mantel', c(m$statistic, m$signif)); p <- protest(d[, 1:4], d[, 5:8], permutations = 9999); out('protest', c(p$t0, p$signif))"
    )
    found = r(tmp_path, pd.DataFrame(np.hstack([a, b])), code)
    for name, method in (("mantel", mantel), ("protest", procrustes)):
        statistic, p = method(a, b, 9999, np.random.default_rng(0))
        assert statistic == pytest.approx(found[name][0], rel=1e-6)
        # Both p are counts of 9,999 random permutations.
        assert p == pytest.approx(found[name][1], abs=4 * np.sqrt(max(p, 1e-3) / 9999) + 1e-4)


def test_mixed_models(tmp_path: Path) -> None:
    data = answers(5).query("adjective == 'sweet'")
    code = (
        "suppressMessages({library(lme4); library(lmerTest); library(ordinal)}); d$g <- as.numeric(d$prompt == 'sweet');"
        "m <- lmer(value ~ g + (1 | participant) + (1 | clip), d); s <- summary(m)$coefficients; out('lmer', s[2, ]);"
        "out('sd', c(as.data.frame(VarCorr(m))$sdcor)); c <- clmm(factor(value) ~ g + (1 | participant) + (1 | clip), data = d);"
        "out('clmm', c(c$beta, c$logLik, coef(summary(c))['g', 'Std. Error']))"
    )
    found = r(tmp_path, data, code)
    g = (data["prompt"] == "sweet").to_numpy(float)
    factors = [data["participant"].to_numpy(), data["clip"].to_numpy()]
    mine = fit(data["value"].to_numpy(), np.column_stack([np.ones(len(g)), g]), factors)
    test = mine.test(np.array([0.0, 1.0]))
    estimate, _, df, t, p = found["lmer"]
    assert (test.estimate, test.t, test.df, test.p) == pytest.approx((estimate, t, df, p), rel=2e-3)
    assert (*mine.sd, mine.residual_sd) == pytest.approx(found["sd"], rel=1e-3, abs=1e-3)
    ordered = fit_ordinal(data["value"].to_numpy(), g[:, None], factors)
    assert ordered.beta[0] == pytest.approx(found["clmm"][0], rel=1e-3)
    assert ordered.log_likelihood == pytest.approx(found["clmm"][1], rel=1e-5)
    assert np.sqrt(ordered.covariance[0, 0]) == pytest.approx(found["clmm"][2], rel=5e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_mixed_models_of_every_shape(shape: str) -> None:
    """Fresh studies, another seed than the recorded evidence's; the ordinary formulas and Zt set by hand."""
    for row in beside(shape, range(900, 903)):
        assert row["reml_over"] < 1e-6
        assert row["singular_in_r"] == ("singular" in row["state"])
        for column in ("estimate", "error", "df", "p", "ci_low", "ci_high"):
            assert row[column] < 1e-4, column


def test_invariance(tmp_path: Path) -> None:
    data = items(6)
    group = np.where(np.arange(len(data)) % 3 == 0, "a", "b")
    model = "\\n".join(f"F{k + 1} =~ " + " + ".join(f"i{4 * k + j + 1}" for j in range(4)) for k in range(3))
    code = (
        f"suppressMessages(library(lavaan)); m <- '{model}'; n <- c('configural', 'metric', 'scalar');"
        "e <- list(NULL, 'loadings', c('loadings', 'intercepts'));"
        "for (i in 1:3) { f <- if (is.null(e[[i]])) cfa(m, d, group = 'group', meanstructure = TRUE) else"
        " cfa(m, d, group = 'group', group.equal = e[[i]], meanstructure = TRUE); out(n[i], fitMeasures(f, c('chisq', 'df', 'cfi', 'rmsea'))) }"
    )
    found = r(tmp_path, data.assign(group=group), code)
    for step, wanted in found.items():
        mine = fit_groups(data.to_numpy(), group, np.repeat([0, 1, 2], 4), step)
        assert (mine.chi_square, mine.df, mine.cfi, mine.rmsea) == pytest.approx(tuple(wanted), rel=1e-4)


@pytest.mark.reference
def test_published_correlations_give_rs_loadings(tmp_path: Path, reference_data: Path) -> None:
    """The seed study's published correlations (CC BY 4.0), through psych and through us: the same four factors."""
    table = pd.read_csv(reference_data / "seed-study" / "correlation_matrix_2dp.csv", index_col=0)
    code = (
        "suppressMessages({library(psych); library(GPArotation)}); f <- fa(as.matrix(d), 4, n.obs = 336, fm = 'ml', rotate = 'oblimin');"
        "out('loadings', t(unclass(f$loadings)))"
    )
    found = r(tmp_path, table, code)["loadings"].reshape(-1, 4)
    mine = extract(table.to_numpy(), tuple(table.index), 4).loadings
    assert np.abs(np.diag(congruence(mine, found))).min() > 0.9999
    assert mine == pytest.approx(found, abs=1e-3)


@pytest.mark.parametrize("conditions", ["abc", "abcde"])
def test_abilities(tmp_path: Path, conditions: str) -> None:
    """Answers from 0 to 10 whose middle, 5, says nothing, of people who met the pairs unequally often."""
    rng = np.random.default_rng(len(conditions))
    first, second = zip(*(rng.choice(list(conditions), 2, replace=False) for _ in range(260)), strict=True)
    better = np.array([ord(a) - ord(b) for a, b in zip(first, second, strict=True)])
    score = np.clip(np.round(5 + 0.6 * better + rng.normal(0, 3, 260)), 0, 10)
    d = pd.DataFrame({"over": first, "under": second, "score": score})
    code = f"""library(BradleyTerry2)
    n <- c({",".join(map(repr, conditions))}); d <- d[d$score != 5, ]; d$win <- as.numeric(d$score > 5)
    d$over <- factor(d$over, n); d$under <- factor(d$under, n)
    m <- BTm(cbind(win, 1 - win), over, under, data = d, refcat = n[1])
    k <- length(n); C <- diag(k) - 1 / k; a <- BTabilities(m)[n, 'ability']
    V <- matrix(0, k, k); V[-1, -1] <- vcov(m)
    out('ability', C %*% a); out('error', sqrt(diag(C %*% V %*% C)))"""
    found = r(tmp_path, d, code)
    rows = bradley_terry(d.assign(taste="sweet", participant=0), 5.0)
    assert [row["condition"] for row in rows] == list(conditions)
    assert [row["ability"] for row in rows] == pytest.approx(found["ability"], rel=1e-5, abs=1e-7)
    assert [row["standard_error"] for row in rows] == pytest.approx(found["error"], rel=1e-4)
