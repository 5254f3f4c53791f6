"""Mixed models beside lme4 and lmerTest on fresh random studies of many shapes.

R fits every study twice, by bobyqa and by nloptwrap, and the lower criterion counts. A comparison of two clips out of three
conditions has +1 and -1 in its random effects' design, which lme4's formulas can't say: its Zt is set by hand.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SHAPES: dict[str, dict[str, Any]] = {
    "the study's": {},
    "12 people": {"people": 12},
    "300 people": {"people": 300},
    "unbalanced": {"lost": 0.4},
    "one clip a taste": {"clips": 1},
    "strong clips": {"clip_sd": 2.0},
    "nothing varies": {"person_sd": 0.0, "clip_sd": 0.0},
    "three conditions": {"conditions": 3},
    "1 to 7": {"low": 1, "high": 7, "noise": 1.2},
    "decimals": {"decimals": 2},
}


def study(
    rng: np.random.Generator, people: int = 60, clips: int = 5, conditions: int = 2, trials: int = 5, person_sd: float = 0.7,
    clip_sd: float = 0.5, noise: float = 2.2, low: float = 0, high: float = 10, decimals: int = 0, lost: float = 0.0,
) -> pd.DataFrame:  # fmt: skip
    """Comparisons of clips: participant, taste, pair, first, second (clips), score less the middle."""
    tastes = ("bitter", "salty", "sour", "sweet")
    lift = dict(zip(tastes, rng.normal(0, 0.6, 4), strict=True))
    liking = rng.normal(0, person_sd, people)
    worth = rng.normal(0, clip_sd, (4, conditions, clips))
    pairs = [(a, b) for a in range(conditions) for b in range(a + 1, conditions)]
    rows = []
    for p in range(people):
        for k in range(trials):
            t = (p + k) % 4
            a, b = pairs[int(rng.integers(len(pairs)))]
            i = int(rng.integers(clips))
            j = i if conditions == 2 else int(rng.integers(clips))
            y = (low + high) / 2 + lift[tastes[t]] + liking[p] + worth[t, a, i] - worth[t, b, j] + rng.normal(0, noise)
            y = float(np.clip(round(y, decimals), low, high)) - (low + high) / 2
            if rng.random() >= lost:
                rows.append((p, tastes[t], f"p{a}{b}", f"{tastes[t]}-{a}-{i}", f"{tastes[t]}-{b}-{j}", y))
    return pd.DataFrame(rows, columns=["participant", "taste", "pair", "first", "second", "y"])


def ours(data: pd.DataFrame) -> dict[str, Any]:
    """Our fit, and every cell of taste and pair with its test."""
    from analysis.engines.mixed import fit

    cells = data["taste"] + data["pair"]
    names = sorted(cells.unique())
    x = np.column_stack([(cells == c).to_numpy(float) for c in names])
    found = fit(data["y"].to_numpy(float), x, {"people": data["participant"].to_numpy(), "clips": _clips(data)})
    tests = [found.test(row) for row in np.eye(len(names))]
    columns = [[getattr(t, k) for k in ("estimate", "error", "df", "p", "ci_low", "ci_high")] for t in tests]
    return {"reml": found.reml, "state": found.state, "sd": [*found.sd, found.residual_sd], "tests": np.array(columns)}


def _clips(data: pd.DataFrame) -> np.ndarray:
    if data["pair"].nunique() == 1:
        return data["first"].to_numpy()
    names = sorted({*data["first"], *data["second"]})
    sides = [np.equal.outer(data[k].to_numpy(), np.array(names)).astype(float) for k in ("first", "second")]
    return np.asarray(sides[0] - sides[1])


R = """
suppressMessages({library(lme4); library(lmerTest)}); options(warn = -1)
show <- function(i, what, x) cat(i, what, formatC(as.numeric(x), digits = 17), '\\n')
tight <- list(lmerControl(optimizer = 'bobyqa', optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE),
              lmerControl(optimizer = 'nloptwrap', optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-14, maxeval = 1e5), calc.derivs = FALSE))
one <- function(d, control) {
  d$cell <- factor(paste0(d$taste, d$pair)); crossed <- nlevels(factor(d$pair)) > 1
  d$clip <- factor(d$first)
  alone <- all(tapply(as.character(d$clip), d$cell, function(x) length(unique(x))) == 1) && !crossed
  if (crossed) {
    # Every clip is written once as a level; the rows of Zt that belong to clips then get +1 for the first, -1 for the second.
    names <- sort(unique(c(d$first, d$second)))
    d$clip <- factor(rep(names, length.out = nrow(d)), levels = names)
  }
  form <- if (alone) y ~ 0 + cell + (1 | participant) else y ~ 0 + cell + (1 | participant) + (1 | clip)
  l <- lFormula(form, d, control = lmerControl(check.nobs.vs.rankZ = 'ignore', check.nobs.vs.nlev = 'ignore'))
  if (crossed) {
    z <- 1 * outer(names, d$first, '==') - 1 * outer(names, d$second, '==')
    at <- which(rownames(l$reTrms$Zt) %in% names); stopifnot(length(at) == length(names), rownames(l$reTrms$Zt)[at] == names)
    l$reTrms$Zt[at, ] <- z
  }
  f <- do.call(mkLmerDevfun, c(l, list(control = control)))
  o <- optimizeLmer(f, optimizer = control$optimizer, control = control$optCtrl, calc.derivs = FALSE)
  m <- mkMerMod(environment(f), o, l$reTrms, fr = l$fr)
  list(m = m, f = f, reml = REMLcrit(m))
}
a <- read.csv('d.csv', stringsAsFactors = FALSE); a$participant <- factor(a$participant)
for (i in unique(a$study)) {
  d <- droplevels(a[a$study == i, ]); both <- lapply(tight, function(k) one(d, k))
  best <- both[[which.min(sapply(both, function(x) x$reml))]]
  show(i, 'reml', best$reml); v <- as.data.frame(VarCorr(best$m))
  show(i, 'sd', v$sdcor[match(c('participant', 'clip', 'Residual'), v$grp)])
  t <- lmerTest:::as_lmerModLT(best$m, best$f); n <- length(fixef(best$m))
  for (j in seq_len(n)) {
    k <- as.numeric(seq_len(n) == j); s <- contest1D(t, k, confint = TRUE)
    show(i, 'test', s[c('Estimate', 'Std. Error', 'df', 'Pr(>|t|)', 'lower', 'upper')])
  }
}
"""


def theirs(studies: list[pd.DataFrame]) -> list[dict[str, Any]]:
    """lme4's lowest criterion, standard deviations, and lmerTest's tests of the same cells."""
    whole = pd.concat([d.assign(study=i) for i, d in enumerate(studies)])
    with tempfile.TemporaryDirectory() as folder:
        whole.to_csv(Path(folder) / "d.csv", index=False)
        run = subprocess.run(["Rscript", "-e", R], cwd=folder, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(run.stderr[-2000:])
    out: list[dict[str, Any]] = [{"tests": []} for _ in studies]
    for line in run.stdout.splitlines():
        place, what, *numbers = line.split()
        values = np.array([np.nan if n == "NA" else float(n) for n in numbers])
        if what == "test":
            out[int(place)]["tests"].append(values)
        else:
            out[int(place)][what] = values
    return [{**o, "reml": float(o["reml"][0]), "tests": np.array(o["tests"])} for o in out]


def beside(shape: str, seeds: range) -> list[dict[str, Any]]:
    """For each study of a shape: our criterion less lme4's, the states, and the largest difference of every column.

    Estimates, errors and ends are in points; degrees of freedom as a share.
    """
    studies = [study(np.random.default_rng([list(SHAPES).index(shape), s]), **SHAPES[shape]) for s in seeds]
    rows = []
    for data, r in zip(studies, theirs(studies), strict=True):
        start = time.perf_counter()
        mine = ours(data)
        took = time.perf_counter() - start
        off = np.abs(mine["tests"] - r["tests"])
        off[:, 2] /= r["tests"][:, 2]
        names = ("estimate", "error", "df", "p", "ci_low", "ci_high")
        rows.append(
            {
                "shape": shape, "state": mine["state"], "reml_over": mine["reml"] - r["reml"],
                "singular_in_r": bool(np.nanmin(r["sd"][:2]) < 1e-4 * r["sd"][2]), "seconds": took,
                **dict(zip(names, off.max(axis=0).tolist(), strict=True)),
            }
        )  # fmt: skip
    return rows


def lme4(count: int = 50) -> dict[str, Any]:
    """`count` studies of each shape."""
    if shutil.which("Rscript") is None:
        raise SystemExit("R with lme4 and lmerTest is needed")
    rows = [row for shape in SHAPES for row in beside(shape, range(count))]
    columns = ("reml_over", "estimate", "error", "df", "p", "ci_low", "ci_high")
    out: dict[str, Any] = {"studies": len(rows), "largest_differences": {k: max(r[k] for r in rows) for k in columns}}
    out["singular"] = sum("singular" in r["state"] for r in rows)
    out["singular_in_r"] = sum(r["singular_in_r"] for r in rows)
    out["shapes"] = {s: {k: max(r[k] for r in rows if r["shape"] == s) for k in (*columns, "seconds")} for s in SHAPES}
    return out
