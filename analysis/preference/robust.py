"""The plan that holds its error rates: participants and clips as random effects, with effects and their intervals.

The seed paper's tests treat the answers of one person, and all answers about one clip, as independent; under ordinary
variances of people and clips they find effects that are not there (docs/evidence/coverage.json). Here every question about
the comparisons is a contrast of one linear mixed model over all tastes (`analysis.preference.joint`), so that a result
speaks of other people and other clips; beside it stand rank-biserial correlation and Cliff's delta with intervals for both
(`analysis.engines.crossed`). Every row says the state of its fit.

No Bayes factor stands here: the usual ones take a t statistic of n independent answers, which a contrast with estimated
variances of people and clips is not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.config import AnalysisConfig
from analysis.data.frames import settled
from analysis.engines import spread
from analysis.engines.crossed import Crossed, crossed_intervals
from analysis.engines.mixed import OK, Fit, fit
from analysis.engines.ordinal import fit_ordinal
from analysis.engines.tails import adjust
from analysis.engines.threads import one_thread
from analysis.errors import AnalysisError
from analysis.preference import joint, worth
from analysis.preference.bradley import bradley_terry
from analysis.preference.questions import Bound, Question, answered, asked_of, family

if TYPE_CHECKING:
    import pandas as pd

TOO_FEW = "too few"
SPOKEN = {"pair": "pairs of clips"}
# p of common variances, under which it is said and the tests with variances by taste stand beside. Not 5 %: tests of those studies in
# which nothing is said would err more often, and all are judged by the wider variance whatever is said (calibration.json).
UNEQUAL = 0.01
# That an interval is wider does not say that clips vary more: fewer clips have fewer degrees of freedom.
OWN_VARIANCE = "judged by the variance of its own clips, whose interval is the wider"
OWN_VARIANCES = "judged by each taste's own variance of clips, whose interval is the wider"
NUMBERS = ("effect", "ci_low", "ci_high", "standard_error", "statistic", "df", "p", "p_adjusted")


def preference(data: pd.DataFrame, middle: float, config: AnalysisConfig) -> dict[str, list[dict[str, Any]]]:
    """Which condition fits better: over all tastes, and for each in its declared direction.

    Parameters
    ----------
    data : DataFrame
        `analysis.data.frames.StudyData.preference`.

    Returns
    -------
    dict
        ``tests``: effect (mean score less the middle, points), its 95 % interval, t, Satterthwaite's df, p, p corrected over
        the declared family (none for an exploratory test), the role (declared or exploratory) and the state of the fit; with
        more than one pair of conditions also ``pair``. ``equivalence``: the declared bounds (two one-sided tests, with the
        interval that goes with them, which is as sure as ``interval_level``: 90 % at 5 %). ``spread``: standard deviations. ``variances``: are those of clips and residual
        the same for all tastes. ``sensitivity``: the tests by other models, with one variance of clips for all tastes where a taste's
        own was the larger (its row's ``note`` says so), by the singular fit, and with variances by taste where one was refused.
        ``effects``: rank-biserial correlation and Cliff's delta with intervals. Of three or more conditions ``worth``
        (`analysis.preference.worth`; beside a singular fit also ``worth_sensitivity``), ``triangles`` and ``bradley_terry``.

    Raises
    ------
    AnalysisError
        If there are no answers.
    """
    with one_thread():
        return _preference(data, middle, config)


def asked_of_design(design: joint.Comparison, config: AnalysisConfig) -> list[Question | Bound]:
    """Every question of every pair of conditions, then the equivalence tests."""
    return asked_of({pair: [t for p, t in design.cells if p == pair] for pair in design.pairs}, config)


def sure_of(asked: Question | Bound, config: AnalysisConfig) -> float:
    """How sure the interval beside a question's answer is: 95 %, of an equivalence test the interval that it goes with."""
    return 0.95 if asked.bound is None else 1 - 2 * config.alpha


def rows_of_tests(data: pd.DataFrame, middle: float, config: AnalysisConfig) -> list[dict[str, Any]]:
    """The rows of ``tests`` alone, without what takes longer."""
    with one_thread():
        return _Study(data, middle, config).tables()["tests"]


class _Study:
    """One study's comparisons with their fit."""

    def __init__(self, data: pd.DataFrame, middle: float, config: AnalysisConfig):
        self.config = config
        self.compared = joint.sides(answered(data))
        self.design = joint.comparison(self.compared)
        self.y = self.compared["score"].to_numpy(float) - middle
        self.asked = asked_of_design(self.design, config)
        self.several = len(self.design.pairs) > 1
        try:
            self.found: joint.Fits | None = joint.fitted(self.design, self.y[:, None])
        except AnalysisError:
            self.found = None
        self.state = joint.said(self.found)

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The tests of differences and of equivalence."""
        rows = _tested(self.found, self.design, self.y, self.asked, self.config, self.state)
        tests, equivalence = [], []
        for q, row in zip(self.asked, rows, strict=True):
            row["n"] = int(_of(self.compared, q).sum())
            named = _named(q, self.several)
            if isinstance(q, Question):
                tests.append(named | {"test": "mixed model", "alternative": q.alternative} | row | {"role": q.role})
            else:
                level = {"interval_level": sure_of(q, self.config)}
                equivalence.append(named | {"test": "tost", "bound": q.bound, "reason": q.reason} | level | row)
        return {"tests": tests, "equivalence": equivalence}


def _preference(data: pd.DataFrame, middle: float, config: AnalysisConfig) -> dict[str, list[dict[str, Any]]]:
    s = _Study(data, middle, config)
    variances = _variances(s.found, s.design, s.compared, s.y)
    tables = s.tables()
    own = any(n in r["note"] for r in [*tables["tests"], *tables["equivalence"]] for n in (OWN_VARIANCE, OWN_VARIANCES))
    unequal = [r["part"] for r in variances if r["part"] != "residual" and r["p"] < UNEQUAL]
    for row in [*tables["tests"], *tables["equivalence"]] if unequal and s.state not in NOTES else []:
        if row["taste"] != joint.ALL:
            row["state"] = "; ".join([*([] if row["state"] == OK else [row["state"]]), f"unequal: {unequal[0]}"])
    return tables | {
        "spread": _spread(s.found, s.state),
        "variances": variances,
        "sensitivity": _sensitivity(s, variances, own),
        "effects": _effects(s.compared, s.asked, middle, config, s.several),
        **_worths(s, middle),
    }


def _worths(s: _Study, middle: float) -> dict[str, list[dict[str, Any]]]:
    """What conditions are worth, where there are more than two; kept off zero beside, where a variance was estimated as zero."""
    rows = worth.worth(s.compared, middle)
    if not rows:
        return {}
    careful = worth.worth(s.compared, middle, joint.CHUNG) if joint.is_singular(rows[0]["state"]) else []
    return {
        "worth": rows, "worth_sensitivity": [row | {"test": "boundary-avoiding"} for row in careful],
        "triangles": worth.triangles(s.found, s.design, s.compared), "bradley_terry": bradley_terry(s.compared, middle),
    }  # fmt: skip


def _of(compared: pd.DataFrame, q: Question | Bound) -> np.ndarray:
    taste, pair = compared["taste"].to_numpy(str), compared["pair"].to_numpy(str)
    return np.asarray((pair == q.pair) & ((taste == q.taste) | (q.taste == joint.ALL)))


def _named(q: Question | Bound, several: bool) -> dict[str, Any]:
    return {"taste": q.taste} | ({"pair": q.pair} if several else {})


def _tested(
    found: joint.Fits | None,
    design: joint.Comparison,
    y: np.ndarray | None,
    asked: list[Question | Bound],
    config: AnalysisConfig,
    state: str,
) -> list[dict[str, Any]]:
    """One row of numbers a question; empty, with the state, where the model says nothing. Without `y` they are of this very fit."""
    nothing = {"n": 0, **dict.fromkeys(NUMBERS), "state": state, "note": NOTES.get(state, "")}
    if found is None or state in NOTES:
        return [dict(nothing) for _ in asked]
    a = joint.answered_by(found, design, asked) if y is None else joint.answers(found, design, y[:, None], asked)
    corrected = family(asked, a.p[0], config)
    rows = []
    for k, q in enumerate(asked):
        low, high = (e[0, k] for e in a.interval(sure_of(q, config)))
        estimate, error = a.estimate[0, k], a.error[0, k]
        # Of the two one-sided statistics the one nearer to its bound.
        t = estimate / error if q.bound is None else min(estimate + q.bound, q.bound - estimate) / error
        values = (estimate, low, high, error, t, a.df[0, k], a.p[0, k], corrected[k])
        known = {name: float(v) if np.isfinite(v) else None for name, v in zip(NUMBERS, values, strict=True)}
        own = (OWN_VARIANCES if q.taste == joint.ALL else OWN_VARIANCE) if a.own[0, k] else ""
        note = "; ".join(n for n in (_note(found), own) if n)
        rows.append({"n": 0} | known | {"state": state, "note": note})
    return rows


NOTES = {
    "too few": "too few answers that differ for the model",
    "not converged": "the fit did not converge; there is no result",
}


def _note(found: joint.Fits) -> str:
    """In words what the state leaves open."""
    said = []
    if found.confounded:
        said.append(f"about these {' and '.join(SPOKEN.get(n, n) for n in found.confounded)} alone: one a mean")
    zero = [n for n, sd in zip(found.names, found.sd[0], strict=True) if sd == 0]
    if zero:
        kept = "; the tests keep variances off zero" if joint.no_clips(found)[0] else ""
        said.append(f"no variance of {' and '.join(SPOKEN.get(n, n) for n in zero)} was found{kept}")
    return "; ".join(said)


def _spread(found: joint.Fits | None, state: str) -> list[dict[str, Any]]:
    """Standard deviations of the joint model and their shares of the variance of an answer; empty where one was left out."""
    if found is None or state in NOTES:
        return []
    sds = [*zip(found.names, found.sd[0], strict=True), ("residual", found.residual_sd[0])]
    whole = sum(sd**2 for _, sd in sds if not np.isnan(sd))
    return [
        {
            "part": name, "sd": None if np.isnan(sd) else float(sd), "share": None if np.isnan(sd) else float(sd**2 / whole),
            "state": state,
        }
        for name, sd in sds if name not in found.merged
    ]  # fmt: skip


def _variances(
    found: joint.Fits | None, design: joint.Comparison, compared: pd.DataFrame, y: np.ndarray
) -> list[dict[str, Any]]:
    """Are the variances of clips and of the residual the same for all tastes? One row a part and taste."""
    taste = compared["taste"].to_numpy(str)
    # With people's own effects of the conditions the tests would take minutes.
    if found is None or not found.usable[0] or len(set(taste.tolist())) < 2 or joint.OWN in design.factors:
        return []
    factors = {k: v for k, v in design.factors.items() if k not in (*found.confounded, *found.merged)}
    tested: dict[str, spread.Spread | None] = {}
    for name in ("pair", "clips"):
        if name in factors:
            tested[name] = spread.of_factor(y, design.x, factors, name, taste)
    tested["residual"] = spread.of_residual(y, design.x, factors, taste)
    return [
        {
            "part": part, "taste": name, "sd": sd, "sd_common": s.common, "chi_squared": s.chi_squared, "df": s.df, "p": s.p,
        }
        for part, s in tested.items() if s is not None
        for name, sd in zip(s.groups, s.each, strict=True)
    ]  # fmt: skip


def _sensitivity(s: _Study, variances: list[dict[str, Any]], own: bool) -> list[dict[str, Any]]:
    """The same tests by other models.

    With one variance of clips for all tastes, where some taste is judged by its `own`; by the singular fit itself, where the tests
    keep a variance of clips off zero; with variances kept off zero, where that of people alone was zero; with a variance of clips
    for each taste, where a common one was refused at 1 %.
    """
    models: dict[str, tuple[joint.Comparison, float]] = {}
    if s.found is not None and own:
        models["one variance of clips"] = (s.design, joint.KEPT if joint.no_clips(s.found)[0] else 0.0)
    if s.found is not None and joint.no_clips(s.found)[0]:
        models["as estimated"] = (s.design, 0.0)
    elif joint.is_singular(s.state):
        models["boundary-avoiding"] = (s.design, joint.CHUNG)
    for part in {r["part"] for r in variances if r["part"] in s.design.factors and r["p"] < UNEQUAL}:
        factors = spread.apart(s.design.factors, part, s.compared["taste"].to_numpy(str))
        models["variances by taste"] = (replace(s.design, factors=factors), joint.CHUNG)
    rows = []
    for test, (design, penalty) in models.items():
        found = joint.fitted(design, s.y[:, None], penalty)
        sds = {f"sd_{n}": None if np.isnan(sd) else float(sd) for n, sd in zip(found.names, found.sd[0], strict=True)}
        for q, row in zip(s.asked, _tested(found, design, None, s.asked, s.config, found.states[0]), strict=True):
            named = _named(q, s.several) | {"test": test, "alternative": q.alternative, "bound": q.bound}
            named["interval_level"] = sure_of(q, s.config)
            rows.append(named | {k: row[k] for k in (*NUMBERS, "state")} | sds)
    return rows


def _effects(
    compared: pd.DataFrame, asked: list[Question | Bound], middle: float, config: AnalysisConfig, several: bool
) -> list[dict[str, Any]]:
    rows = []
    for q in asked:
        if isinstance(q, Bound):
            continue
        rng = np.random.default_rng(
            config.seed
        )  # of its own: what stands before it, and so what it is called, draws nothing from it
        part = compared[_of(compared, q)]
        scores, people = part["score"].to_numpy(float), part["participant"].to_numpy()
        clips, strata = part["first"].to_numpy(), part["taste"].to_numpy()
        effects = crossed_intervals(scores, people, clips, strata, middle, config.resamples, rng)
        rows.append(
            _named(q, several)
            | {"n_participants": int(part["participant"].nunique()), "n_clips": int(part["first"].nunique())}
            | _ends("rank_biserial", "rank", effects) | _ends("cliffs_delta", "delta", effects) | {"state": _spoken(effects)}
        )  # fmt: skip
    return rows


def _spoken(found: dict[str, Crossed]) -> str:
    """What intervals of effect sizes do not say: of other clips, of other people, or that there are none."""
    one = found["cliffs_delta"]
    if np.isnan(one.low):
        return "all on one side" if abs(one.effect) >= 1 else "too few"
    lone = [what for what, error in (("people", one.se_participants), ("clips", one.se_clips)) if np.isnan(error)]
    return f"confounded: {', '.join(lone)}" if lone else "ok"


def _ends(measure: str, short: str, found: dict[str, Crossed]) -> dict[str, float | None]:
    """An effect and its interval; empty where too little is there for an interval."""
    one = found[measure]
    low, high = (None if np.isnan(end) else end for end in (one.low, one.high))
    return {measure: one.effect, f"{short}_low": low, f"{short}_high": high}


def _row(found: Fit | None, contrast: np.ndarray, alternative: str) -> dict[str, Any]:
    """Estimate, interval and test of one contrast of the ratings; a model that can't be fitted gives empty cells and says so."""
    if found is None or found.state in NOTES:
        state = TOO_FEW if found is None else found.state
        return {**dict.fromkeys(NUMBERS), "state": state, "note": NOTES[state]}
    c = found.test(contrast, alternative)
    return {
        "effect": c.estimate, "ci_low": c.ci_low, "ci_high": c.ci_high, "standard_error": c.error, "statistic": c.t, "df": c.df,
        "p": c.p, "p_adjusted": None, "state": found.state, "note": _note(found.fits),
    }  # fmt: skip


def _factors(part: pd.DataFrame) -> dict[str, np.ndarray]:
    return {"people": part["participant"].to_numpy(), "clips": part["clip"].to_numpy()}


def _correct(rows: list[dict[str, Any]], method: str) -> None:
    p = np.array([np.nan if r["p"] is None else r["p"] for r in rows], dtype=float)
    for row, value in zip(rows, adjust(p, method), strict=True):
        row["p_adjusted"] = None if np.isnan(value) else float(value)


def ratings(data: pd.DataFrame, config: AnalysisConfig) -> dict[str, list[dict[str, Any]]]:
    """Does music prompted with a taste call up that taste's word more than music prompted with the others?

    Returns
    -------
    dict
        ``own_word``: one row a taste among the adjectives, the question of task 2, which no study file declares, one-sided, corrected over tastes;
        ``own_word_ordinal``: the same by a cumulative link mixed model (`analysis.engines.ordinal`), effects in log odds;
        ``prompts``: every adjective and prompt against the mean of the other prompts, two-sided, exploratory, corrected over all.
        All corrections are the study file's.
    """
    with one_thread():
        return _ratings(data, config)


def _ratings(data: pd.DataFrame, config: AnalysisConfig) -> dict[str, list[dict[str, Any]]]:
    data = data.dropna(subset=["value"])
    data, prompts = settled(data), sorted(data["prompt"].unique())
    if not prompts:
        raise AnalysisError("there are no ratings in this study; task 2 was not run")
    if len(prompts) < 2:
        raise AnalysisError("ratings of one prompt alone cannot be compared; the mixed model needs at least two")
    own, ordinal, every = [], [], []
    for adjective in sorted(data["adjective"].unique()):
        part = data[data["adjective"] == adjective]
        there = [p for p in prompts if (part["prompt"] == p).any()]
        if len(there) < 2:
            continue
        x = np.column_stack([(part["prompt"] == p).to_numpy(float) for p in there])
        try:
            found: Fit | None = fit(part["value"].to_numpy(float), x, _factors(part))
        except AnalysisError:
            found = None
        for k, prompt in enumerate(there):
            contrast = np.where(np.arange(len(there)) == k, 1.0, -1.0 / (len(there) - 1))
            head = {"prompt": prompt, "adjective": adjective, "test": "mixed model", "n": len(part)}
            if adjective == prompt:
                own.append(head | {"alternative": "greater"} | _row(found, contrast, "greater"))
                row = head | {"test": "ordinal mixed model", "alternative": "greater"}
                ordinal.append(row | _ordinal(part, x, k))
            every.append(head | {"alternative": "two-sided"} | _row(found, contrast, "two-sided"))
    for rows in (own, ordinal, every):
        if rows:
            _correct(rows, config.correction)
    return {"own_word": own, "own_word_ordinal": ordinal, "prompts": every}


def _ordinal(part: pd.DataFrame, x: np.ndarray, k: int) -> dict[str, Any]:
    """The prompt `k` against the mean of the others, as log odds of a higher answer."""
    empty = dict.fromkeys(("effect", "ci_low", "ci_high", "standard_error", "statistic", "p", "p_adjusted"))
    try:
        # Prompt k is the reference of the thresholds; its lead is minus the mean of the others' effects.
        found = fit_ordinal(part["value"].to_numpy(float), np.delete(x, k, axis=1), _factors(part))
    except (AnalysisError, np.linalg.LinAlgError):
        return {**empty, "state": TOO_FEW, "note": NOTES[TOO_FEW]}
    if found.state in NOTES:
        return {**empty, "state": found.state, "note": NOTES[found.state]}
    others = x.shape[1] - 1
    estimate, error, z, p = found.test(np.full(others, -1.0 / others), "greater")
    half = 1.959963984540054 * error
    return {
        "effect": estimate, "ci_low": estimate - half, "ci_high": estimate + half, "standard_error": error, "statistic": z, "p": p,
        "p_adjusted": None, "state": found.state, "note": "",
    }  # fmt: skip
