"""One mixed model over all tastes and pairs of conditions: what is compared, what varies at random, and its contrasts.

score - middle = mean of the (pair, taste) + person + clips + residual. Every taste's mean is a contrast of the same model, so
that all tastes are judged by the same variances: one model a taste has so few clips that the estimated variance of clips, and with it
the verdict, is chance. Where the two clips of a comparison always meet they are one unit, ``pair``; else each side's clip
has an effect of its own, +1 for the clip that a high score speaks for and -1 for the other. With three and more conditions
people also differ in how much they favour each of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.engines.mixed import OK, Fits, fit_many
from analysis.engines.spread import apart
from analysis.engines.tails import p_value
from analysis.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.preference.questions import Bound, Question

ALL, OWN = "all", "people x conditions"
CHUNG = 1.5  # log prior of a variance ratio: gamma with shape 2.5 on the standard deviation (Chung et al. 2013)
KEPT = 3.0  # the same with shape 4: what holds 5 % among those studies of clips that differ in which no variance of clips was found
OWN_CLIPS = 2  # degrees of freedom from which on a taste's own variance of clips is asked: three clips of one mean
WIDEST = 2_000  # people times conditions, from where on their own effects are left out


@dataclass(frozen=True)
class Comparison:
    """A design of comparisons.

    Attributes
    ----------
    cells : tuple of (str, str)
        (pair, taste) of each column of `x`, in order; a pair is written ``over - under``, "" where there is only one.
    x : ndarray
        (n, cells) whether an answer is of the cell: fixed effects are the cells' means.
    factors : dict
        Random intercepts for `analysis.engines.mixed`: ``people``, then ``pair`` or ``clips``, then ``people x conditions``.
    """

    cells: tuple[tuple[str, str], ...]
    x: np.ndarray
    factors: dict[str, np.ndarray]

    @property
    def pairs(self) -> tuple[str, ...]:
        """Pairs of conditions, in the order of the cells."""
        return tuple(dict.fromkeys(pair for pair, _ in self.cells))

    def contrast(self, taste: str, pair: str) -> np.ndarray | None:
        """A taste's mean, or with "all" the mean over tastes, each with the same weight; None where nothing was asked."""
        chosen = np.array([p == pair and taste in (ALL, t) for p, t in self.cells], dtype=float)
        return chosen / chosen.sum() if chosen.any() else None


def sides(data: pd.DataFrame) -> pd.DataFrame:
    """Comparisons with columns participant, taste, pair, over and under (conditions), first and second (their clips), score."""
    out = data[["participant", "taste", "score"]].copy()
    for name in ("over", "under"):
        out[name] = data.get(name, name)
    out["first"] = data["clip_over"]
    out["second"] = data["clip_under"] if "clip_under" in data else data["clip_over"]
    pairs = out["over"].astype(str) + " - " + out["under"].astype(str)
    out["pair"] = pairs if pairs.nunique() > 1 else ""
    return out


def comparison(compared: pd.DataFrame) -> Comparison:
    """The model's design from the rows of `sides`."""
    pair, taste = compared["pair"].to_numpy(str), compared["taste"].to_numpy(str)
    cells = tuple(sorted(set(zip(pair.tolist(), taste.tolist(), strict=True))))
    x = np.column_stack([(pair == p) & (taste == t) for p, t in cells]).astype(float)
    return Comparison(cells, x, {"people": compared["participant"].to_numpy()} | clips(compared, x) | own(compared))


def own(compared: pd.DataFrame) -> dict[str, np.ndarray]:
    """Where there are three or more conditions: how much a person favours each of them, signed; nothing where people are too many."""
    conditions, people = {*compared["over"], *compared["under"]}, compared["participant"].to_numpy()
    if len(conditions) < 3 or len(conditions) * len(set(people.tolist())) > WIDEST:
        return {}
    codes = np.unique(people, return_inverse=True)[1].astype(str)
    keys = [np.char.add(np.char.add(codes, "\t"), compared[side].to_numpy(str)) for side in ("over", "under")]
    return {OWN: signed(*keys)}


def clips(compared: pd.DataFrame, x: np.ndarray) -> dict[str, np.ndarray]:
    """The clips as random effects beside fixed effects `x`: ``pair`` where two always meet, else each side's clip, signed."""
    first, second = compared["first"].to_numpy(), compared["second"].to_numpy()
    meetings = set(zip(first.tolist(), second.tolist(), strict=True))
    once = len(meetings) == len(set(first.tolist())) == len(set(second.tolist()))
    if once and not set(first.tolist()) & set(second.tolist()):
        return {"pair": first}
    if once and (first == second).all():
        return {"clips": first}
    return _clips(compared, x)


def _clips(compared: pd.DataFrame, x: np.ndarray) -> dict[str, np.ndarray]:
    """Each side's clip, signed. A clip that is the only one of its side (a control) lies in the space of the means: its own
    factor, which the engine leaves out and says, so that it does not stand for clips that were never heard."""
    first, second = compared["first"].to_numpy(), compared["second"].to_numpy()
    columns = signed(first, second)
    basis = np.linalg.qr(x)[0]
    inside = ((columns - basis @ (basis.T @ columns)) ** 2).sum(axis=0) < 1e-9 * (columns**2).sum(axis=0)
    if inside.all() or not inside.any():
        return {"clips": columns}
    out = {"clips": columns[:, ~inside]}
    names = np.unique(np.concatenate([first, second]))
    of = dict(zip(first, compared["over"], strict=True)) | dict(zip(second, compared["under"], strict=True))
    whose = np.array([f"clips of {of[name]}" for name in names[inside]])
    return out | {str(key): columns[:, inside][:, whose == key] for key in dict.fromkeys(whose)}


def signed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One column a name: +1 where it is on the first side, -1 where it is on the second."""
    names = np.unique(np.concatenate([first, second]))
    out = np.zeros((len(first), len(names)))
    rows = np.arange(len(first))
    np.add.at(out, (rows, np.searchsorted(names, first)), 1.0)
    np.add.at(out, (rows, np.searchsorted(names, second)), -1.0)
    return out


@dataclass(frozen=True)
class Answered:
    """The tests of many studies: each array (studies, questions); `own` is where the taste's own variance of clips counts."""

    estimate: np.ndarray
    error: np.ndarray
    df: np.ndarray
    p: np.ndarray
    own: np.ndarray

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Two-sided interval."""
        from scipy import stats

        half = stats.t.ppf((1 + level) / 2, self.df) * self.error
        return self.estimate - half, self.estimate + half


def fitted(design: Comparison, y: np.ndarray, penalty: float = 0.0) -> Fits:
    """The joint model of answers less the middle, (n, studies)."""
    return fit_many(y, design.x, design.factors, penalty)


def answered_by(found: Fits, design: Comparison, asked: list[Question | Bound], least: float = 0.0) -> Answered:
    """Every question's contrast and p; nan where the model says nothing. Degrees of freedom are no fewer than `least`.

    Raises
    ------
    AnalysisError
        If a question is about a taste that was not asked.
    """
    from scipy import stats

    contrasts = [design.contrast(q.taste, q.pair) for q in asked]
    if any(c is None for c in contrasts):
        raise AnalysisError("a test was declared of a taste that no answer is about")
    estimate, error, df = found.test(np.array(contrasts))
    df = np.maximum(df, least)
    p = np.empty_like(estimate)
    for k, q in enumerate(asked):
        e, s, d = estimate[:, k], error[:, k], df[:, k]
        if q.bound is None:
            p[:, k] = p_value(stats.t.sf(e / s, d), stats.t.cdf(e / s, d), q.alternative)
        else:  # two one-sided tests (Schuirmann 1987): the larger p counts
            p[:, k] = np.maximum(stats.t.sf((e + q.bound) / s, d), stats.t.cdf((e - q.bound) / s, d))
    nothing = ~(found.usable & found.converged)
    for values in (estimate, error, df, p):
        values[nothing] = np.nan
    return Answered(estimate, error, df, p, np.zeros(p.shape, dtype=bool))


def answers(found: Fits, design: Comparison, y: np.ndarray, asked: list[Question | Bound]) -> Answered:
    """Every question's contrast and p as they are reported of answers less the middle `y` (n, studies) with their fits.

    Two things that a study of a few clips can't tell are decided on the safe side (docs/evidence/calibration.counts.json):

    - Where the variance of clips was estimated as zero the tests are those of a fit that keeps variances off zero, by a prior as
      Chung et al. (2013) have it, but stronger: zero is mostly too little to tell, and tests that believe it err too often.
    - A taste is judged by the wider of two 95 % intervals: that of one variance of clips for all tastes, and that of the
      taste's own. One for all is too small for a taste whose clips vary more, and five clips seldom show that they do;
      Angrist and Pischke (2009, ch. 8) advise so of robust and usual errors. So is the mean over tastes, where each can tell its
      own: one variance for all has degrees of freedom that unequal ones do not have.
    """
    out = answered_by(found, design, asked)
    flat = np.flatnonzero(no_clips(found) & found.usable & found.converged)
    if len(flat):
        # A prior that is stronger than the data takes degrees of freedom that the clips' means have.
        kept = answered_by(fitted(design, y[:, flat], KEPT), design, asked, _between(design))
        _put(out, flat[:, None], np.arange(len(asked)), kept, np.isfinite(kept.p).all(axis=1)[:, None])
    split = by_taste(found, design)
    if split:
        own = answered_by(fitted(split, y), split, asked)
        tellable = _told_apart(found, design)
        tellable |= {ALL} if tellable == {t for _, t in design.cells} else set()
        told = np.array([q.taste in tellable for q in asked])
        wider = told & np.isfinite(own.p) & (_half(own) > _half(out))
        _put(out, np.arange(len(y.T))[:, None], np.arange(len(asked)), own, wider)
        out.own[:] = wider
    return out


def _between(design: Comparison) -> int:
    """Degrees of freedom of clips (or pairs of them) around their means."""
    levels = next((design.factors[n] for n in ("pair", "clips") if n in design.factors), np.zeros(0))
    return max(0, _distinct(levels) - len(design.cells))


def _distinct(levels: np.ndarray) -> int:
    """How many clips stand in some rows of a factor: labels, or signed columns."""
    return len(set(levels.tolist())) if levels.ndim == 1 else int((levels != 0).any(axis=0).sum())


def _half(a: Answered) -> np.ndarray:
    low, high = a.interval(0.95)
    return high - low


def _put(out: Answered, studies: np.ndarray, questions: np.ndarray, other: Answered, where: np.ndarray) -> None:
    """Numbers of another fit, where they count, in their places."""
    for name in ("estimate", "error", "df", "p"):
        mine, theirs = getattr(out, name), getattr(other, name)
        mine[studies, questions] = np.where(where, theirs, mine[studies, questions])


def by_taste(found: Fits, design: Comparison) -> Comparison | None:
    """The design with a variance of clips for each taste; None where no taste has clips enough to tell its own, or people have
    effects of their own of the conditions (fits would take minutes)."""
    if OWN in design.factors or not _told_apart(found, design):
        return None
    name = next(n for n in ("pair", "clips") if n in design.factors)
    return replace(design, factors=apart(design.factors, name, _taste(design)))


def _taste(design: Comparison) -> np.ndarray:
    return np.array([t for _, t in design.cells])[design.x.argmax(axis=1)]


def _told_apart(found: Fits, design: Comparison) -> set[str]:
    """Tastes with at least `OWN_CLIPS` clips (or pairs) more than their means, where there are several tastes."""
    names = [n for n in ("pair", "clips") if n in design.factors and n not in found.confounded + found.merged]
    taste = _taste(design)
    if not names or len(set(taste.tolist())) < 2:
        return set()
    levels = design.factors[names[0]]
    out = set()
    for t in set(taste.tolist()):
        if _distinct(levels[taste == t]) - sum(of == t for _, of in design.cells) >= OWN_CLIPS:
            out.add(t)
    return out


def no_clips(found: Fits) -> np.ndarray:
    """(studies,) whether a variance of clips, or of pairs of them, was estimated as zero."""
    clips = [k for k, name in enumerate(found.names) if name == "pair" or name.startswith("clips")]
    return np.asarray((found.sd[:, clips] == 0).any(axis=1))


def said(found: Fits | None) -> str:
    """The state of a study's fit."""
    return "too few" if found is None else found.states[0]


def is_singular(state: str) -> bool:
    """Whether a variance lies on the boundary."""
    return state != OK and "singular" in state
