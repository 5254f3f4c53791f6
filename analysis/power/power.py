"""How many participants and clips a study needs: many simulated studies, each analysed by the plan that the study declares.

The generator draws what the simulated participants of `experiment.bots` answer (same design rows, same effect model), as
arrays instead of sessions; `tests/analysis/power/test_power.py` holds the two equal in distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.config import AnalysisConfig
from analysis.data.frames import KINDS
from analysis.errors import AnalysisError
from analysis.page.style import ORANGE
from analysis.power.plans import Answers, detected
from analysis.preference.pairs import named_pair
from experiment.bots.effects import Effects
from experiment.config import ExperimentConfig
from experiment.design import plan
from experiment.tasks.preference import PreferenceTask, compared
from experiment.tasks.task import Clip
from models.conditions import EARLIER, over_and_under
from stimuli.names import places

NO_TASK = 'power is worked out for comparisons alone (a task of kind = "preference"), and this study has none'
SIMULATED = KINDS["bot"]
BATCH = 200  # simulated studies drawn at once, so that memory does not grow with their number


@dataclass(frozen=True)
class Simulation:
    """What is simulated: a study and its declared tests, the effects that people are given, how many studies a size.

    `clips` are pairs of clips a taste, one entry a size; `plan` is the study's own unless it is named. The same seed gives the same
    numbers.
    """

    experiment: ExperimentConfig
    effects: Effects
    tastes: tuple[str, ...]
    clips: tuple[int, ...]
    analysis: AnalysisConfig
    studies: int
    seed: int
    plan: str | None = None

    @property
    def by(self) -> str:
        """The plan that is simulated."""
        return self.plan or self.analysis.plan


def clip_table(tastes: Sequence[str], per_taste: int, conditions: Sequence[str] = tuple(EARLIER)) -> list[Clip]:
    """Clips of a study that need not exist: numbers 0, 1, ... of each taste and condition."""
    models = [(t, m, n) for t in tastes for m in conditions for n in range(per_taste)]
    return [Clip(i + 1, t, m, n) for i, (t, m, n) in enumerate(models)]


def generate(
    config: ExperimentConfig, effects: Effects, clips: Sequence[Clip], n: int, studies: int, rng: np.random.Generator
) -> Answers:
    """Draw the preference answers of `studies` studies with `n` participants each.

    Raises
    ------
    AnalysisError
        If the study has no preference task.
    """
    (low, high), pairs, blocks = _comparisons(config)
    p, middle = effects.preference, (low + high) / 2
    order = places(list(dict.fromkeys(c.taste for c in clips)))
    names = tuple(sorted({c.taste for c in clips}, key=lambda taste: order[taste]))
    heard_by = sorted(clips, key=lambda c: order[c.taste])  # as sessions have them
    place, models = {c.id: k for k, c in enumerate(clips)}, {c.id: c.model for c in clips}
    planned = [[t for t in plan(config, heard_by, row) if t.block in blocks and not t.repeated] for row in range(n)]
    tastes = np.array([[names.index(str(t.taste)) for t in trials] for trials in planned])
    points = p.points(low, high)
    sides = [[over_and_under(models[t.first or 0], models[t.second or 0], pairs) for t in trials] for trials in planned]
    second = np.array(
        [
            [models[t.second or 0] == over for t, (over, _) in zip(trials, own, strict=True)]
            for trials, own in zip(planned, sides, strict=True)
        ]
    )
    ids = np.array([[(t.first or 0, t.second or 0) for t in trials] for trials in planned])
    heard, other = (
        np.vectorize(place.get)(np.where(side, ids[..., 1], ids[..., 0])).astype(int) for side in (second, ~second)
    )
    means = np.array(
        [
            [p.score(str(t.taste), *pair, low, high) for t, pair in zip(trials, own, strict=True)]
            for trials, own in zip(planned, sides, strict=True)
        ]
    )
    shape = (studies, *tastes.shape)
    score = (
        means
        + points * rng.normal(0, p.participant_sd, (studies, n, 1))
        + points * rng.normal(0, p.clip_sd, (studies, len(clips)))[:, heard]
        + points * rng.normal(0, p.residual_sd, shape)
    )
    if p.taste_sd > 0:
        slopes = rng.normal(0, p.taste_sd, (studies, n, len(names)))
        score += points * np.take_along_axis(slopes, np.broadcast_to(tastes, shape), axis=2)
    if p.pair_sd > 0:
        met, which = np.unique(heard * len(clips) + other, return_inverse=True)
        score += points * rng.normal(0, p.pair_sd, (studies, len(met)))[:, which.reshape(heard.shape)]
    if p.ends > 0:
        score = np.where(rng.random(shape) < p.ends, np.where(score > middle, high, low), score)
    answer = np.where(second, score, low + high - score)
    answer = np.clip(np.round(answer), low, high)
    careless = rng.random((studies, n, 1)) < p.careless
    answer = np.where(careless, rng.integers(low, high + 1, shape), answer)
    pairings = sorted({pair for own in sides for pair in own})
    of_pair = np.array([[pairings.index(pair) for pair in own] for own in sides])
    scores = np.where(second, answer, low + high - answer)
    return Answers(scores, tastes, names, heard, other, tuple(pairings), of_pair)


def _comparisons(config: ExperimentConfig) -> tuple[tuple[int, int], list[tuple[str, str]], set[str]]:
    """Slider, pairs and blocks of a study's comparisons, of all its tasks that have any."""
    tasks = [task for task in config.sequence() if isinstance(task, PreferenceTask)]
    if not tasks:
        raise AnalysisError(NO_TASK)
    return (tasks[0].low, tasks[0].high), compared(tasks), {task.block for task in tasks}


@dataclass(frozen=True)
class Batch:
    """Studies of one size that are drawn at once, by a seed of their own: how many people, pairs of clips a taste, which, how many."""

    people: int
    clips: int
    number: int
    studies: int


Found = dict[
    str, Any
]  # of a batch: `hits`, a list [taste, test, alternative, pair, studies that found it] each; `none`, studies without a fit


def batches(simulation: Simulation, sizes: Sequence[int]) -> list[Batch]:
    """All that is drawn for these numbers of people, size after size.

    Raises
    ------
    AnalysisError
        If the study has no preference task.
    """
    _comparisons(simulation.experiment)
    starts = range(0, simulation.studies, BATCH)
    return [
        Batch(n, clips, number, min(BATCH, simulation.studies - start))
        for clips in simulation.clips
        for n in sizes
        for number, start in enumerate(starts)
    ]


def found_in(simulation: Simulation, drawn: Batch) -> Found:
    """How many studies of a batch find each test; the same whoever draws it, and whatever else is drawn."""
    (low, high), pairs, _ = _comparisons(simulation.experiment)
    n, per_taste, batch = drawn.people, drawn.clips, drawn.number
    heard = [name for pair in pairs for name in reversed(pair)]
    heard += [name for task in simulation.experiment.sequence() for name in getattr(task, "conditions", ())]
    clips = clip_table(simulation.tastes, per_taste, tuple(dict.fromkeys(heard)))
    rng = np.random.default_rng([simulation.seed, n, per_taste, batch])
    answers = generate(simulation.experiment, simulation.effects, clips, n, drawn.studies, rng)
    found = detected(answers, (low + high) / 2, simulation.analysis, simulation.by)
    hits = [[one.taste, one.test, one.alternative, one.pair, int(one.hits.sum())] for one in found]
    return {"hits": hits, "none": found[0].none}


def rows_of(simulation: Simulation, found: Iterable[tuple[Batch, Found]]) -> list[dict[str, Any]]:
    """Power of every test at every size, from what was found in all batches."""
    sizes: dict[tuple[int, int], list[Found]] = {}
    for drawn, one in found:
        sizes.setdefault((drawn.people, drawn.clips), []).append(one)
    return [row for size, parts in sizes.items() for row in _of_size(simulation, size, parts)]


def _of_size(simulation: Simulation, size: tuple[int, int], parts: list[Found]) -> list[dict[str, Any]]:
    from scipy.stats import binomtest

    (n, per_taste), simulations = size, simulation.studies
    hits: dict[tuple[str, str, str, str], int] = {}
    for part in parts:
        for taste, test, alternative, pair, count in part["hits"]:
            hits[taste, test, alternative, pair] = hits.get((taste, test, alternative, pair), 0) + count
    none = sum(part["none"] for part in parts)
    rows = []
    several = any(pair for *_, pair in hits)
    for (name, test, alternative, pair), k in hits.items():
        interval = binomtest(k, simulations).proportion_ci(method="wilson")
        rows.append(
            {
                "taste": name, **({"pair": pair} if several else {}), "test": test, "alternative": alternative, "people": n, "clips": per_taste, "power": k / simulations,
                "ci_low": float(interval.low), "ci_high": float(interval.high), "plan": simulation.by,
                "mean": _declared(simulation, name, pair), "simulations": simulations, "no_result": none,
            }
        )  # fmt: skip
    return rows


def _declared(simulation: Simulation, taste: str, pair: str = "") -> float | None:
    """The mean score that the effects declare for a taste, on the study's slider; None where they say nothing of it."""
    ((low, high), pairs, _), p = _comparisons(simulation.experiment), simulation.effects.preference
    over, under = next((own for own in pairs if named_pair(*own) == pair), pairs[0])
    if not any(taste in p.mean.get(condition, {}) for condition in (over, under)):
        return None
    return p.score(taste, over, under, low, high)


def power(
    simulation: Simulation, sizes: Sequence[int], progress: Callable[[int, int], None] | None = None
) -> list[dict[str, Any]]:
    """Power of the declared tests at each number of participants and of clips, with Wilson's 95 % interval.

    A study whose fit gives no result finds nothing, and is counted in `no_result`. The same seed gives the same numbers, whoever
    works out which of the batches (`analysis.power.batches` shares them out).
    """
    found, drawn = [], batches(simulation, sizes)
    for k, one in enumerate(drawn):
        found.append((one, found_in(simulation, one)))
        if progress:
            progress(k + 1, len(drawn))
    return rows_of(simulation, found)


def null(effects: Effects, middle: float) -> Effects:
    """The same people and clips without any effect: every mean is the middle, and they differ as before."""
    preference = effects.preference.model_copy(update={"mean": {}})
    return effects.model_copy(update={"preference": preference, "name": f"{effects.name}, null"})


def plot(rows: list[dict[str, Any]], alpha: float, path: Path) -> None:
    """Power over the number of participants, one line a test, with its interval."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    names = list(dict.fromkeys((r["taste"], r["test"], r["alternative"], r.get("pair", "")) for r in rows))
    each = list(dict.fromkeys(r["clips"] for r in rows))
    figure, grid = plt.subplots(
        1, len(each), figsize=(2.4 + 4 * len(each), 4.2), layout="constrained", sharey=True, squeeze=False
    )
    styles = ("-", "--", "-.", ":")
    for axes, clips in zip(grid[0], each, strict=True):
        for i, (colour, name) in enumerate(zip(sns.color_palette("colorblind", len(names)), names, strict=True)):
            part = [
                r
                for r in rows
                if (r["taste"], r["test"], r["alternative"], r.get("pair", "")) == name and r["clips"] == clips
            ]
            n = [r["people"] for r in part]
            label = f"{name[0]} ({name[2]})" + (f", {name[3]}" if name[3] else "")
            axes.plot(n, [r["power"] for r in part], marker="o", color=colour, ls=styles[i % len(styles)], label=label)
            low, high = [r["ci_low"] for r in part], [r["ci_high"] for r in part]
            axes.fill_between(n, low, high, color=colour, alpha=0.2, lw=0)
        axes.axhline(0.8, color="0.6", lw=0.8)
        axes.axhline(alpha, color="0.6", lw=0.8, ls=":")
        axes.set(xlabel="participants", ylim=(0, 1.02), title=f"{clips} pairs of clips a taste")
    grid[0][0].set_ylabel("power")
    grid[0][-1].legend(frameon=False, fontsize="small")
    figure.suptitle(f"Power of the declared tests by the {rows[0]['plan']} plan", x=0.02, ha="left")
    figure.text(0.99, 0.99, SIMULATED, ha="right", va="top", color=ORANGE, weight="bold", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
