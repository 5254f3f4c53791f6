"""How far a factor solution can be trusted: second order, reliability, intervals of loadings, congruence.

psych's conventions: the second-order solution is that of fa.multi (minres at both levels), omega that of omega (Schmid &
Leiman 1957; McDonald 1999), checked against it by tests. Loading intervals draw participants, not clips: the three clips of
one person are not independent.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.engines.threads import one_thread
from analysis.errors import AnalysisError
from analysis.factors.extraction import SMALLEST_UNIQUENESS, FactorSolution, extract
from analysis.factors.paper import prepare

if TYPE_CHECKING:
    import pandas as pd

    from analysis.data.frames import StudyData

SALIENT = 0.4
# Fewer than `[analysis] resamples`, since each of them is a factor analysis anew; its reference says these numbers.
RESAMPLES = 200
PERMUTATIONS = 99


@dataclass(frozen=True)
class SecondOrder:
    """First-order `loadings` and `phi` by minres, and the `higher` loadings of its factors on those above.

    `heywood` marks first-order factors whose uniqueness above lies on its bound: their higher loadings are uncertain.
    """

    loadings: np.ndarray
    phi: np.ndarray
    higher: np.ndarray
    identified: bool
    heywood: np.ndarray


def second_order(r: np.ndarray, n_factors: int, n_higher: int) -> SecondOrder:
    """Factor the factors: psych::fa.multi(r, nfactors, nfact2, fm = "minres", rotate = "oblimin").

    `identified` is false where the upper model has more unknowns than correlations (two factors over four, as in the seed
    paper): its loadings are then one of many equally good solutions.
    """
    first = extract(r, tuple(str(i) for i in range(len(r))), n_factors, method="minres")
    if n_factors < 3:
        raise AnalysisError(f"{n_factors} factors are too few for factors above them; three are needed")
    above = extract(first.phi, tuple(f"F{i + 1}" for i in range(n_factors)), n_higher, method="minres")
    free = ((n_factors - n_higher) ** 2 - (n_factors + n_higher)) / 2
    heywood = above.uniqueness <= SMALLEST_UNIQUENESS * 1.01
    return SecondOrder(first.loadings, first.phi, above.loadings, free >= 0, heywood)


def omega(r: np.ndarray, n_factors: int) -> dict[str, float]:
    """McDonald's omega, hierarchical and total, by the Schmid-Leiman solution over `n_factors` >= 3 minres factors.

    Items that load negatively on the general factor are reversed first, as psych::omega does.
    """
    sign = np.ones(len(r))
    for _ in range(2):
        turned = r * np.outer(sign, sign)
        two = second_order(turned, n_factors, 1)
        general = two.loadings @ two.higher[:, 0]
        if (general >= 0).all():
            break
        sign = sign * np.where(general < 0, -1.0, 1.0)
    specific = two.loadings * np.sqrt(np.maximum(1 - two.higher[:, 0] ** 2, 0))
    uniqueness = 1 - general**2 - (specific**2).sum(axis=1)
    total = float(turned.sum())
    return {
        "omega_h": float(general.sum() ** 2 / total),
        "omega_total": float(1 - uniqueness.sum() / total),
        "alpha": cronbach(turned),
    }


def cronbach(covariance: np.ndarray) -> float:
    """Cronbach's alpha from the covariances of items, or from their correlations (standardised alpha)."""
    items = len(covariance)
    return float(items / (items - 1) * (1 - np.trace(covariance) / covariance.sum()))


def subscales(values: np.ndarray, items: tuple[str, ...], loadings: np.ndarray) -> list[dict[str, Any]]:
    """Reliability of each factor's salient items (|loading| >= .4): Cronbach's alpha and omega of one ML factor."""
    rows: list[dict[str, Any]] = []
    for k in range(loadings.shape[1]):
        own = np.flatnonzero((np.abs(loadings).argmax(axis=1) == k) & (np.abs(loadings[:, k]) >= SALIENT))
        sign = np.sign(loadings[own, k])
        named = ", ".join(("" if s > 0 else "-") + items[i] for i, s in zip(own, sign, strict=True))
        row: dict[str, Any] = {
            "factor": f"F{k + 1}",
            "items": named,
            "n_items": len(own),
            "alpha": None,
            "omega": None,
        }
        if len(own) >= 2:
            part = values[:, own] * sign
            row["alpha"] = cronbach(np.cov(part, rowvar=False))
        if len(own) >= 3:
            one = extract(np.corrcoef(part, rowvar=False), named_items(own, items), 1).loadings[:, 0]
            row["omega"] = float(one.sum() ** 2 / (one.sum() ** 2 + (1 - one**2).sum()))
        rows.append(row)
    return rows


def named_items(indices: np.ndarray, items: tuple[str, ...]) -> tuple[str, ...]:
    """The names of some items."""
    return tuple(items[i] for i in indices)


def congruence(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Tucker's congruence of every column of `a` with every column of `b` (Tucker 1951)."""
    lengths = np.outer(np.linalg.norm(a, axis=0), np.linalg.norm(b, axis=0))
    return np.asarray(a.T @ b / np.maximum(lengths, 1e-300))


def aligned(loadings: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The columns of `loadings` in the order and with the signs that come nearest to `target`."""
    from scipy.optimize import linear_sum_assignment

    found = congruence(target, loadings)
    rows, columns = linear_sum_assignment(-np.abs(found))
    return np.asarray(loadings[:, columns] * np.where(found[rows, columns] < 0, -1.0, 1.0))


def loading_intervals(
    values: np.ndarray, people: np.ndarray, solution: FactorSolution, resamples: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, int]:
    """95 % percentile bootstrap intervals of the loadings, participants drawn with all their clips.

    Every resample's solution is aligned with the whole sample's. Returns low and high (items, factors) and how many
    resamples could be factored.
    """
    groups = [np.flatnonzero(people == p) for p in np.unique(people)]
    found = []
    for _ in range(resamples):
        rows = np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))])
        part = values[rows]
        if (part.std(axis=0) == 0).any():
            continue
        r = np.corrcoef(part, rowvar=False)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                again = extract(r, solution.items, solution.loadings.shape[1], precise=False)
        except (np.linalg.LinAlgError, ValueError):
            continue
        found.append(aligned(again.loadings, solution.loadings))
    if len(found) < 20:
        raise AnalysisError(f"only {len(found)} of {resamples} resamples could be factored; intervals need more people")
    low, high = np.quantile(np.array(found), [0.025, 0.975], axis=0)
    return np.asarray(low), np.asarray(high), len(found)


def between_groups(
    values: np.ndarray,
    people: np.ndarray,
    group_of: dict[Any, str],
    solution: FactorSolution,
    permutations: int,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Congruence of each factor between two groups of people, and how often people shuffled between groups agree less.

    Over .95 counts as equal, .85 to .94 as similar (Lorenzo-Seva & ten Berge 2006).
    """
    known = np.array([p in group_of for p in people])
    values, people = values[known], people[known]
    ids = np.unique(people)
    labels = np.array([group_of[p] for p in ids])
    names = sorted(set(labels))
    if len(names) != 2:
        raise AnalysisError(f"congruence compares two groups; there are {len(names)}")

    def compared(of_person: np.ndarray) -> np.ndarray | None:
        side = of_person[np.searchsorted(ids, people)]
        pair = []
        for name in names:
            part = values[side == name]
            if len(part) < 3 * values.shape[1] or (part.std(axis=0) == 0).any():
                return None
            again = extract(np.corrcoef(part, rowvar=False), solution.items, solution.loadings.shape[1], precise=False)
            pair.append(aligned(again.loadings, solution.loadings))
        return np.asarray(np.diag(congruence(pair[0], pair[1])))

    actual = compared(labels)
    if actual is None:
        raise AnalysisError("a group has too few completely rated clips for a factor analysis of its own")
    drawn = [compared(rng.permutation(labels)) for _ in range(permutations)]
    null = np.array([d for d in drawn if d is not None])
    if not len(null):
        raise AnalysisError(
            "however people are shuffled between the groups, one is too few for a factor analysis of its own"
        )
    p = ((null <= actual).sum(axis=0) + 1) / (len(null) + 1)
    return [
        {
            "group1": names[0], "n1": int((labels == names[0]).sum()), "group2": names[1], "n2": int((labels == names[1]).sum()),
            "factor": f"F{k + 1}", "congruence": float(actual[k]), "p": float(p[k]), "permutations": len(null),
        }
        for k in range(len(actual))
    ]  # fmt: skip


def people_groups(people: pd.DataFrame, item: str, smallest: int = 20) -> dict[Any, str] | None:
    """Participant -> group by an answer about people: the two commonest answers, or age at its median.

    None where the item was not asked, or a group has fewer than `smallest` people.
    """
    if item not in people:
        return None
    given = people.set_index("participant")[item].dropna()
    if item == "age":
        middle = float(given.median())
        groups = {p: f"under {middle:g}" if a < middle else f"{middle:g} and over" for p, a in given.items()}
    else:
        common = given.value_counts().index[:2]
        groups = {p: str(g) for p, g in given.items() if g in common}
    sizes = [sum(g == name for g in groups.values()) for name in set(groups.values())]
    return groups if len(sizes) == 2 and min(sizes) >= smallest else None


def analyse(
    data: StudyData, n_factors: int, groups: list[str], seed: int, resamples: int = RESAMPLES
) -> dict[str, list[dict[str, Any]]]:
    """Everything about how far the factors can be trusted.

    Returns
    -------
    dict
        ``loading_intervals`` (long: item, factor, loading, ci_low, ci_high), ``reliability`` (omega and alpha of all items),
        ``subscales``, ``second_order``, ``groups`` (congruence), ``invariance``, ``notes`` (what could not be done).
    """
    with one_thread():
        return _analyse(data, n_factors, groups, seed, resamples)


def _analyse(
    data: StudyData, n_factors: int, groups: list[str], seed: int, resamples: int
) -> dict[str, list[dict[str, Any]]]:
    from analysis.factors import invariance

    rated = prepare(data.ratings)
    solution = extract(rated.r, rated.items, n_factors)
    people = rated.wide.index.get_level_values("participant").to_numpy()
    out: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("loading_intervals", "reliability", "second_order", "groups", "invariance", "notes")
    }
    out["subscales"] = subscales(rated.answers, rated.items, solution.loadings)

    def attempt(what: str, task: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        try:
            return task()
        except (AnalysisError, np.linalg.LinAlgError, ValueError) as error:
            out["notes"].append({"note": f"{what}: not computed, {error}"})
            return []

    def intervals() -> list[dict[str, Any]]:
        low, high, used = loading_intervals(
            rated.answers, people, solution, resamples, np.random.default_rng([seed, 1])
        )
        return [
            {
                "item": item, "factor": f"F{k + 1}", "loading": float(solution.loadings[i, k]), "ci_low": float(low[i, k]),
                "ci_high": float(high[i, k]), "resamples": used,
            }
            for i, item in enumerate(rated.items)
            for k in range(n_factors)
        ]  # fmt: skip

    out["loading_intervals"] = attempt("loading intervals", intervals)
    if n_factors >= 3:
        out["reliability"] = attempt("omega", lambda: [{"items": len(rated.items), **omega(rated.r, n_factors)}])
        out["second_order"] = attempt("second order", lambda: _second_rows(rated.r, n_factors))
    for k, item in enumerate(groups):
        group_of = people_groups(data.people, item)
        if group_of is None:
            continue
        rng = np.random.default_rng([seed, 2, k])
        congruent = partial(between_groups, rated.answers, people, group_of, solution, PERMUTATIONS, rng)
        equal = partial(invariance.analyse, rated.answers, people, group_of, solution.loadings, PERMUTATIONS, rng)
        compared = attempt(f"congruence by {item}", congruent)
        steps = attempt(f"invariance by {item}", equal)
        out["groups"] += [{"by": item, **row} for row in compared]
        out["invariance"] += [{"by": item, **row} for row in steps]
    return out


def _second_rows(r: np.ndarray, n_factors: int) -> list[dict[str, Any]]:
    found = second_order(r, n_factors, 2 if n_factors > 3 else 1)
    return [
        {
            "factor": f"F{i + 1} (minres)",
            **{f"G{k + 1}": float(v) for k, v in enumerate(row)},
            "identified": found.identified,
            "state": "Heywood case: no variance of its own is left" if found.heywood[i] else "ok",
        }
        for i, row in enumerate(found.higher)
    ]
