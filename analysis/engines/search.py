"""Where a restricted likelihood is highest: a coarse grid over all variance ratios, then Newton's steps from its low places.

The search runs in log(1 + w gamma), w the mean number of answers behind a level: there the criterion has a slope at zero, is
near to a parabola, and ten steps span everything from no variance to nothing but it. Zero is where the projected steps
end with the slope pointing out.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from analysis.engines.reml import Design, Moments

LARGEST = 1e4  # of a random effect's variance over the residual's; a fit that goes there has no residual left
STARTS = 3  # low places of the grid that are followed
TOLERANCE = 1e-7  # of the projected slope, below which a search ends
EDGE = 1e-8  # a place this near to zero is zero: what is left to go down there is less than rounding
ENDED = 1e-4  # of the same, below which a search counts as ended
PLACES = (
    (0.0, 0.15, 0.4, 0.75, 1.2, 1.8, 2.5, 3.5, 4.7, 6.2, 8.0, 10.0), (0.0, 0.3, 0.9, 1.8, 3.0, 5.0, 8.0), (0.0, 0.7, 2.0, 5.0),
    (0.0, 1.0, 3.0), (0.0, 1.5),
)  # fmt: skip


def lowest(design: Design, at: Moments, penalty: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Variance ratios (studies, K) where the criterion is lowest, and whether the search ended there (studies,)."""
    t = _starts(design, at, penalty)
    study = np.concatenate([np.full(len(some), s) for s, some in enumerate(t)])
    found, value, good = _descend(design, at.of(study), np.concatenate(t), penalty)
    out = np.zeros((len(t), design.factors))
    ended = np.zeros(len(t), dtype=bool)
    order = np.lexsort((~good, np.round(value, 9), study))
    first = order[np.searchsorted(study[order], np.arange(len(t)))]
    out[:], ended[:] = _ratios(design, found[first])[0], good[first]
    return out, ended


def follow(design: Design, at: Moments, gamma: np.ndarray) -> tuple[np.ndarray, float, bool]:
    """From given ratios (K,) of one study down to where the criterion is lowest near them: ratios, criterion, whether the search ended."""
    if not design.factors:
        return gamma, float(design.criterion(np.zeros((1, 0)), at)[0]), True
    t = np.minimum(np.log1p(design.weight * gamma), _tops(design))
    found, value, good = _descend(design, at, t[None], 0.0)
    return _ratios(design, found)[0][0], float(value[0]), bool(good[0])


def _ratios(design: Design, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """gamma and its slope in t."""
    return np.expm1(t) / design.weight, np.exp(t) / design.weight


def _tops(design: Design) -> np.ndarray:
    return np.asarray(np.log1p(design.weight * LARGEST))


def _starts(design: Design, at: Moments, penalty: float) -> list[np.ndarray]:
    """For each study the places of the grid that are lower than their neighbours, lowest first."""
    k, tops = design.factors, _tops(design)
    places = next((p for p in PLACES if len(p) ** k * max(design.r, 20) ** 2 <= 3_000_000), PLACES[-1])
    levels = [np.unique(np.minimum([p for p in places if p > 0 or not penalty], top)) for top in tops]
    grid = np.array(list(product(*levels)))
    gamma, _ = _ratios(design, grid)
    value = design.everywhere(gamma, at)
    if penalty:
        value = value - penalty * np.log(gamma).sum(axis=1)
    shape = tuple(len(x) for x in levels)
    cube = value.reshape(len(value), *shape)
    low = np.ones_like(cube, dtype=bool)
    for axis in range(1, k + 1):
        if cube.shape[axis] > 1:
            step = np.diff(cube, axis=axis)
            pad = [(0, 0)] * (k + 1)
            pad[axis] = (1, 0)
            low &= np.pad(step, pad, constant_values=-1) <= 0
            pad[axis] = (0, 1)
            low &= np.pad(step, pad, constant_values=1) >= 0
    flat = low.reshape(len(value), -1)
    out = []
    for s in range(len(value)):
        there = np.flatnonzero(flat[s])
        out.append(grid[there[np.argsort(value[s, there])][:STARTS]])
    return out


def _descend(design: Design, at: Moments, t: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Projected Newton steps from `t` (starts, K): where they end, the criterion there, and whether the slope vanished."""
    tops, t = _tops(design), t.copy()
    value, slope = np.full(len(t), np.inf), np.full(len(t), np.inf)
    going = np.arange(len(t))
    for _ in range(80):
        some = at.of(going)
        now, gradient, hessian = _in_t(design, some, t[going], penalty)
        here = t[going]
        fixed = ((here <= EDGE) & (gradient >= 0)) | ((here >= tops) & (gradient <= 0))
        gradient = np.where(fixed, 0.0, gradient)
        value[going], slope[going] = now, np.abs(gradient).max(axis=1)
        more = slope[going] > TOLERANCE
        if not more.any():
            break
        going, here, now, gradient, hessian, fixed = (v[more] for v in (going, here, now, gradient, hessian, fixed))
        some = at.of(going)
        direction = _newton(gradient, hessian, fixed)
        moved = _shortened(design, some, here, now, direction, tops, penalty)
        stuck = (moved == here).all(axis=1)
        if stuck.any():
            downhill = -gradient / np.maximum(np.abs(np.einsum("sii->si", hessian)), 1e-3)
            moved[stuck] = _shortened(
                design, some.of(np.flatnonzero(stuck)), here[stuck], now[stuck], downhill[stuck], tops, penalty
            )
            stuck = (moved == here).all(axis=1)
        t[going] = moved
        going = going[~stuck]
        if not len(going):
            break
    inside = (t < tops).all(axis=1)
    t = np.where(t <= EDGE, 0.0, t) if not penalty else t
    return t, value, (slope < ENDED) & inside


def _in_t(design: Design, at: Moments, t: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    gamma, turn = _ratios(design, t)
    s = design.slopes(gamma, at)
    value, gradient, hessian = s.value, s.gradient, s.hessian
    places = np.arange(design.factors)
    if penalty:
        value = value - penalty * np.log(gamma).sum(axis=1)
        gradient = gradient - penalty / gamma
        hessian = hessian.copy()
        hessian[:, places, places] += penalty / gamma**2
    hessian = hessian * turn[:, :, None] * turn[:, None, :]
    gradient = gradient * turn
    hessian[:, places, places] += gradient  # the second derivative of gamma in t is its first
    return value, gradient, hessian


def _newton(gradient: np.ndarray, hessian: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Newton's direction among what is free; where the criterion bends down, along its slope; no longer than one."""
    free = ~fixed
    hessian = np.where(free[:, :, None] & free[:, None, :], hessian, 0.0)
    places = np.arange(gradient.shape[1])
    hessian[:, places, places] += fixed
    values, vectors = np.linalg.eigh(hessian)
    along = np.einsum("sij,si->sj", vectors, gradient) / np.maximum(np.abs(values), 1e-8)
    direction = -np.einsum("sij,sj->si", vectors, along)
    return np.asarray(direction / np.maximum(np.abs(direction).max(axis=1, keepdims=True), 1.0))


def _shortened(
    design: Design, at: Moments, t: np.ndarray, value: np.ndarray, direction: np.ndarray, tops: np.ndarray, penalty: float
) -> np.ndarray:  # fmt: skip
    """The longest of the halved steps that goes down; `t` itself where none does."""
    out = t.copy()
    left = np.arange(len(t))
    share = 1.0
    lowest_place = 1e-6 if penalty else 0.0
    for _ in range(25):
        trial = np.clip(t[left] + share * direction[left], lowest_place, tops)
        gamma, _ = _ratios(design, trial)
        there = design.criterion(gamma, at.of(left))
        if penalty:
            there = there - penalty * np.log(gamma).sum(axis=1)
        good = there < value[left]
        out[left[good]] = trial[good]
        left = left[~good]
        if not len(left):
            break
        share /= 2
    return out
