"""How many participants a study needs: many simulated studies, drawn at once, each with the declared tests.

The generator draws what the simulated participants of `experiment.bots` answer (same design rows, same effect model), as
arrays instead of sessions; `tests/analysis/power/test_power.py` holds the two equal in distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from analysis.config import AnalysisConfig
from analysis.engines.ranks import signed_rank
from analysis.engines.tails import adjust
from analysis.errors import AnalysisError
from analysis.preference.questions import questions
from experiment.bots.effects import Effects
from experiment.config import ExperimentConfig
from experiment.design import plan
from experiment.tasks.preference import PreferenceTask
from experiment.tasks.task import Clip

NO_TASK = "this study has no preference task; power is worked out for [experiment.preference]"
BATCH = 200  # simulated studies drawn at once, so that memory does not grow with their number


@dataclass(frozen=True)
class Simulation:
    """What is simulated: a study and its declared tests, the effects that people are given, how many studies a size.

    The same seed gives the same numbers.
    """

    experiment: ExperimentConfig
    effects: Effects
    clips: tuple[Clip, ...]
    analysis: AnalysisConfig
    studies: int
    seed: int


@dataclass(frozen=True)
class Answers:
    """Preference answers of many simulated studies.

    Attributes
    ----------
    scores : ndarray
        (studies, participants, trials); of the fine-tuned model, on the slider's whole numbers.
    tastes : ndarray of int
        (participants, trials); index into `names`. The design is the same in every study.
    """

    scores: np.ndarray
    tastes: np.ndarray
    names: tuple[str, ...]


def clip_table(tastes: Sequence[str], per_taste: int) -> list[Clip]:
    """Clips of a study that need not exist: numbers 0, 1, ... of each taste and model."""
    models = [(t, m, n) for t in tastes for m in ("base", "finetuned") for n in range(per_taste)]
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
    task = config.task(PreferenceTask)
    if task is None:
        raise AnalysisError(NO_TASK)
    p, low, high = effects.preference, task.low, task.high
    names = tuple(sorted({c.taste for c in clips}))
    tuned = {c.id: k for k, c in enumerate(clips) if c.model == "finetuned"}
    planned = [[t for t in plan(config, clips, row) if t.block == task.block and not t.repeated] for row in range(n)]
    tastes = np.array([[names.index(str(t.taste)) for t in trials] for trials in planned])
    second = np.array([[t.second in tuned for t in trials] for trials in planned])
    heard = np.array(
        [[tuned[int(t.second if t.second in tuned else t.first or 0)] for t in trials] for trials in planned]
    )
    middle = (low + high) / 2
    means = np.array([p.mean.get(name, middle) for name in names])
    shape = (studies, *tastes.shape)
    score = (
        means[tastes]
        + rng.normal(0, p.participant_sd, (studies, n, 1))
        + rng.normal(0, p.clip_sd, (studies, len(clips)))[:, heard]
        + rng.normal(0, p.residual_sd, shape)
    )
    answer = np.where(second, score, low + high - score)
    answer = np.clip(np.round(answer), low, high)
    careless = rng.random((studies, n, 1)) < p.careless
    answer = np.where(careless, rng.integers(low, high + 1, shape), answer)
    return Answers(np.where(second, answer, low + high - answer), tastes, names)


def detected(answers: Answers, middle: float, config: AnalysisConfig) -> dict[tuple[str, str], np.ndarray]:
    """Which studies find each declared effect, after correction over the tastes: (name, alternative) -> (studies,) bool."""
    flat, tastes = answers.scores.reshape(len(answers.scores), -1), answers.tastes.ravel()
    overall, *per_taste = questions(answers.names, config)
    found = {(overall.taste, overall.alternative): signed_rank(flat, middle, overall.alternative)[1] < config.alpha}
    p = np.stack(
        [signed_rank(flat[:, tastes == answers.names.index(q.taste)], middle, q.alternative)[1] for q in per_taste]
    )
    adjusted = adjust(np.nan_to_num(p, nan=1.0), config.correction)
    found["any taste", "corrected"] = np.asarray((adjusted < config.alpha).any(axis=0))
    return found | {(q.taste, q.alternative): adjusted[k] < config.alpha for k, q in enumerate(per_taste)}


def _one_size(simulation: Simulation, n: int) -> list[dict[str, Any]]:
    from scipy.stats import binomtest

    asked, simulations = simulation.experiment.task(PreferenceTask), simulation.studies
    assert asked is not None
    middle = asked.middle
    hits: dict[tuple[str, str], int] = {}
    for batch, start in enumerate(range(0, simulations, BATCH)):
        rng = np.random.default_rng([simulation.seed, n, batch])
        studies = min(BATCH, simulations - start)
        drawn = generate(simulation.experiment, simulation.effects, simulation.clips, n, studies, rng)
        for key, found in detected(drawn, middle, simulation.analysis).items():
            hits[key] = hits.get(key, 0) + int(found.sum())
    rows = []
    for (name, alternative), k in hits.items():
        interval = binomtest(k, simulations).proportion_ci(method="wilson")
        declared = simulation.effects.preference.mean.get(name)
        rows.append(
            {
                "taste": name,
                "alternative": alternative,
                "mean": declared,
                "n": n,
                "power": k / simulations,
                "ci_low": float(interval.low),
                "ci_high": float(interval.high),
                "simulations": simulations,
            }
        )
    return rows


def power(
    simulation: Simulation, sizes: Sequence[int], jobs: int = 1, progress: Callable[[int, int], None] | None = None
) -> list[dict[str, Any]]:
    """Power of the declared tests at each number of participants, with Wilson's 95 % interval; `jobs` sizes at a time.

    The same seed gives the same numbers, whatever `jobs` is.
    """
    from concurrent.futures import ProcessPoolExecutor

    if simulation.experiment.task(PreferenceTask) is None:
        raise AnalysisError(NO_TASK)
    work = partial(_one_size, simulation)
    if jobs == 1 or len(sizes) == 1:
        return _collected(map(work, sizes), len(sizes), progress)
    with ProcessPoolExecutor(min(jobs, len(sizes))) as pool:
        return _collected(pool.map(work, sizes), len(sizes), progress)


def _collected(
    parts: Iterable[list[dict[str, Any]]], total: int, progress: Callable[[int, int], None] | None
) -> list[dict[str, Any]]:
    """Rows of all parts, telling after each how many are done."""
    rows: list[dict[str, Any]] = []
    for k, found in enumerate(parts):
        rows += found
        if progress:
            progress(k + 1, total)
    return rows


def null(effects: Effects, middle: float) -> Effects:
    """The same effects without any: every mean is the middle, clips and participants do not differ."""
    preference = effects.preference.model_copy(update={"mean": {}, "participant_sd": 0.0, "clip_sd": 0.0})
    return effects.model_copy(update={"preference": preference, "name": f"{effects.name}, null"})


def plot(rows: list[dict[str, Any]], alpha: float, path: Path) -> None:
    """Power over the number of participants, one line a test, with its interval."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    names = list(dict.fromkeys((r["taste"], r["alternative"]) for r in rows))
    styles = ("-", "--", "-.", ":")
    for i, (colour, name) in enumerate(zip(sns.color_palette("colorblind", len(names)), names, strict=True)):
        part = [r for r in rows if (r["taste"], r["alternative"]) == name]
        n = [r["n"] for r in part]
        label = f"{name[0]} ({name[1]})"
        axes.plot(n, [r["power"] for r in part], marker="o", color=colour, ls=styles[i % len(styles)], label=label)
        axes.fill_between(n, [r["ci_low"] for r in part], [r["ci_high"] for r in part], color=colour, alpha=0.2, lw=0)
    axes.axhline(0.8, color="0.6", lw=0.8)
    axes.axhline(alpha, color="0.6", lw=0.8, ls=":")
    axes.set(
        xlabel="participants", ylabel="power", ylim=(0, 1.02), title="Simulated studies: power of the declared tests"
    )
    axes.legend(frameon=False, fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
