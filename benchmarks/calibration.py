"""False positives and coverage of the joint model, by variances of people and clips and within each state of the fit.

Answers are whole numbers of a slider from 0 to 10 with a tenth of them piled up at its ends; the design is the study's, 111 people and
five pairs of clips a taste. Beside nine cells with equal variances stand what the model does not know: clips that vary
unequally by taste, and people who favour a condition for some tastes. Equivalence is simulated at its bound, where it errs most.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cells import FOLDER, Cells

ROOT = Path(__file__).resolve().parent.parent
PEOPLE, RESIDUAL, STUDIES, AT_ONCE = 111, 2.2, 10_000, 250
MORE = 4  # times as many studies where clips vary little: one in ten finds no variance of theirs, a state that must be told too
FEW = 1000  # studies of a state, under which an interval of its shares is wider than what is asked of them


@dataclass(frozen=True)
class Cell:
    """Standard deviations of people, of clips by taste, and of people by taste; the mean's distance from the middle."""

    people: float
    clips: tuple[float, float, float, float]
    people_by_taste: float = 0.0
    shift: float = 0.0


CELLS = {
    f"people {p:g}, clips {c:g}": Cell(p, (c,) * 4) for p in (0.0, 0.7, 1.2) for c in (0.0, 0.4, 0.8)
} | {
    "people 0.7, clips 0.2 to 1.2 by taste": Cell(0.7, (0.2, 0.4, 0.8, 1.2)),
    "people 0.7, clips 0.4, people x taste 0.7": Cell(0.7, (0.4,) * 4, 0.7),
    "at the bound: people 0.7, clips 0.4": Cell(0.7, (0.4,) * 4, 0.0, 1.0),
    "at the bound: people 1.2, clips 0.8": Cell(1.2, (0.8,) * 4, 0.0, 1.0),
}  # fmt: skip


def answers(cell: Cell, taste: np.ndarray, pair: np.ndarray, studies: int, rng: np.random.Generator) -> np.ndarray:
    """Answers less the middle, (n, studies), of people with equally many trials each, pairs numbered over all tastes."""
    n = len(taste)
    who = np.repeat(np.arange(PEOPLE), n // PEOPLE)
    clips = rng.normal(size=(int(pair.max()) + 1, studies))
    y = (
        cell.shift
        + cell.people * rng.normal(size=(PEOPLE, studies))[who]
        + np.array(cell.clips)[taste][:, None] * clips[pair]
        + cell.people_by_taste * rng.normal(size=(4 * PEOPLE, studies))[4 * who + taste]
        + RESIDUAL * rng.normal(size=(n, studies))
    )
    y = np.clip(np.round(y + 5), 0, 10)
    piled = rng.random((n, studies)) < 0.1
    return np.where(piled, np.where(y > 5, 10, np.where(y < 5, 0, y)), y) - 5


def expected(cell: Cell, taste: int) -> float:
    """Mean answer of a taste: what the slider's ends and the pile-ups leave of the shift."""
    from scipy.stats import norm

    sd = float(np.sqrt(cell.people**2 + cell.clips[taste] ** 2 + cell.people_by_taste**2 + RESIDUAL**2))
    scale = np.arange(11)
    upper = np.where(scale < 10, norm.cdf((scale + 0.5 - 5 - cell.shift) / sd), 1.0)
    p = np.diff(np.concatenate([[0.0], upper]))
    piled = np.where(scale > 5, 10, np.where(scale < 5, 0, 5))
    return float(p @ (0.9 * scale + 0.1 * piled)) - 5


@cache
def _design() -> tuple[Any, np.ndarray, np.ndarray]:
    import pandas as pd

    from analysis.power.power import clip_table, generate
    from analysis.preference import joint
    from experiment.bots.effects import load_effects
    from tastelab.study import load_study

    study = load_study(ROOT / "study.toml")
    table = clip_table([t.name for t in study.stimuli.tastes], 5)
    drawn = generate(study.experiment, load_effects(), table, PEOPLE, 1, np.random.default_rng(0))
    taste, heard = drawn.tastes.ravel(), np.unique(drawn.heard.ravel(), return_inverse=True)[1]
    frame = pd.DataFrame(
        {
            "participant": np.repeat(np.arange(PEOPLE), drawn.tastes.shape[1]), "taste": np.array(drawn.names)[taste],
            "clip_over": heard, "clip_under": -1 - heard, "score": 0.0,
        }
    )  # fmt: skip
    return joint.comparison(joint.sides(frame)), taste, heard


def batch(
    cell: Cell, design: Any, taste: np.ndarray, pair: np.ndarray, rng: np.random.Generator
) -> dict[str, dict[str, int]]:
    """Counts by state of the fit: studies, and how many of them err in which way at 5 %."""
    from analysis.engines.threads import one_thread
    from analysis.preference import joint
    from analysis.preference.questions import Bound, Question

    tastes = sorted({t for _, t in design.cells})
    truth = np.array([expected(cell, k) for k in range(4)])
    means = np.array([truth.mean(), *truth])
    asked: list[Any] = [Question(t, "greater", "declared") for t in ("all", *tastes)]
    asked += [Bound(t, abs(float(m)) or 1.0) for t, m in zip(("all", *tastes), means, strict=True)]
    with one_thread():
        y = answers(cell, taste, pair, AT_ONCE, rng)
        fits = joint.fitted(design, y)
        a = joint.answered_by(fits, design, asked)
    low, high = a.interval(0.95)
    covered = (low[:, :5] <= means) & (means <= high[:, :5])
    found = a.p[:, :5] < 0.05
    equal = a.p[:, 5:] < 0.05
    states = np.array(fits.states)
    out = _counts(cell, tastes, states, covered, found, equal)
    out |= as_analysed(cell, tastes, design, fits, y, asked, means)
    return out


def as_analysed(
    cell: Cell, tastes: list[str], design: Any, fits: Any, y: np.ndarray, asked: list[Any], means: np.ndarray
) -> dict[str, dict[str, int]]:
    """The tests as they are reported: variances of clips of zero are kept off it, tastes are judged by their own clips where these
    vary more, and a common variance that is refused is said."""
    from scipy.stats import chi2

    from analysis.engines.mixed import fit_many
    from analysis.engines.spread import apart
    from analysis.engines.threads import one_thread
    from analysis.preference import joint
    from analysis.preference.robust import UNEQUAL

    taste = np.array([t for _, t in design.cells])[design.x.argmax(axis=1)]
    with one_thread():
        a = joint.answers(fits, design, y, asked)
        many = fit_many(y, design.x, apart(design.factors, "pair", taste))
    unequal = chi2.sf(np.maximum(fits.reml - many.reml, 0), len(tastes) - 1) < UNEQUAL
    low, high = a.interval(0.95)
    covered = (low[:, :5] <= means) & (means <= high[:, :5])
    named = np.where(joint.no_clips(fits), "singular: pair", "ok").astype(object)
    named = np.array([f"{s}; unequal" if u else s for s, u in zip(named, unequal, strict=True)])
    kept = _counts(cell, tastes, named, covered, a.p[:, :5] < 0.05, a.p[:, 5:] < 0.05)
    return {f"as analysed: {state}": counts for state, counts in kept.items()}


def _times(cell: Cell) -> int:
    return MORE if max(cell.clips) == 0.4 or len(set(cell.clips)) > 1 else 1


def _counts(
    cell: Cell, tastes: list[str], states: np.ndarray, covered: np.ndarray, found: np.ndarray, equal: np.ndarray
) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for state in ("all", *np.unique(states).tolist()):
        some = np.full(len(states), True) if state == "all" else states == state
        counts = {"studies": int(some.sum()), "overall_covered": int(covered[some, 0].sum())}
        counts |= {f"{t}_covered": int(covered[some, k + 1].sum()) for k, t in enumerate(tastes)}
        if cell.shift:
            counts |= {"overall_equivalent": int(equal[some, 0].sum())}
            counts |= {f"{t}_equivalent": int(equal[some, k + 1].sum()) for k, t in enumerate(tastes)}
        else:
            counts |= {"overall_found": int(found[some, 0].sum())}
            counts |= {f"{t}_found": int(found[some, k + 1].sum()) for k, t in enumerate(tastes)}
        out[state] = counts
    return out


COUNTS = ROOT / "docs" / "evidence" / "calibration.counts.json"


def calibration_cells(studies: int = STUDIES, folder: Path = FOLDER) -> Cells:
    """The batches of all cells, a unit each; kept under the code that they measure."""
    units = [
        f"{name}: {number}" for name, cell in CELLS.items() for number in range(-(-studies * _times(cell) // AT_ONCE))
    ]
    return Cells("calibration", units, simulated, [], "benchmarks/calibration.py", folder)


def simulated(unit: str) -> dict[str, dict[str, int]]:
    """Counts of one batch, by its cell and number."""
    name, _, number = unit.rpartition(": ")
    return batch(CELLS[name], *_design(), np.random.default_rng([11, list(CELLS).index(name), int(number)]))


def calibration(
    studies: int = STUDIES, path: Path | None = None, cells: list[str] | None = None, folder: Path = FOLDER
) -> dict[str, Any]:
    """Every cell, or some, up to `studies`, in batches that are kept: what was interrupted goes on where it was.

    Only what today's code made is gone on with; counts are written at the end.
    """
    from scipy.stats import binomtest

    shared = calibration_cells(studies, folder)  # batches may have been made in shares
    kept: dict[str, Any] = {}
    for name in cells or CELLS:
        done = kept[name] = {"batches": -(-studies * _times(CELLS[name]) // AT_ONCE), "states": {}}
        for number in range(done["batches"]):
            for state, counts in shared.found(f"{name}: {number}").items():
                mine = done["states"].setdefault(state, {})
                for key, k in counts.items():
                    mine[key] = mine.get(key, 0) + k
            print(f"{name}: {(number + 1) * AT_ONCE} studies", flush=True)
    counted = (path or COUNTS).with_suffix(".partial")
    counted.write_text(json.dumps(kept, indent=1) + "\n")
    counted.replace(path or COUNTS)
    rows = []
    for name, done in kept.items():
        for state, counts in done["states"].items():
            n = counts["studies"]
            for key in counts:
                if key == "studies" or n < FEW:
                    continue
                ci = binomtest(counts[key], n).proportion_ci(method="wilson")
                about, _, what = key.rpartition("_")
                rows.append(
                    {
                        "cell": name, "state": state, "about": about, "what": what, "studies": n, "share": counts[key] / n,
                        "ci_low": float(ci.low), "ci_high": float(ci.high),
                    }
                )  # fmt: skip
    return {"people": PEOPLE, "pairs_a_taste": 5, "rows": rows}
