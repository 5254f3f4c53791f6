"""How many participants a study needs: many simulated studies, drawn at once, each with the declared tests.

The generator draws what the simulated participants of `experiment.bots` answer (same design rows, same effect model), as
arrays instead of sessions; `tests/analysis/power/test_power.py` holds the two equal in distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.config import AnalysisConfig
from analysis.errors import AnalysisError
from experiment.bots.effects import Effects
from experiment.config import ExperimentConfig
from experiment.design import Clip, plan

BATCH = 200  # simulated studies drawn at once, so that memory does not grow with their number


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
    if config.preference is None:
        raise AnalysisError("this study has no preference task; power is worked out for [experiment.preference]")
    p, low, high = effects.preference, config.preference.low, config.preference.high
    names = tuple(sorted({c.taste for c in clips}))
    tuned = {c.id: k for k, c in enumerate(clips) if c.model == "finetuned"}
    planned = [[t for t in plan(config, clips, row) if t.block == "preference"] for row in range(n)]
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


def signed_rank_p(scores: np.ndarray, middle: float, alternative: str) -> np.ndarray:
    """p-values of Wilcoxon's signed-rank test along the last axis, as `analysis.preference.signed_rank` gives them.

    Answers are whole numbers, so the ranks follow from how often each distance from the middle occurs: zeros are dropped,
    ties get mid-ranks, normal approximation with continuity correction (R's wilcox.test). nan where nothing differs.
    """
    from scipy.special import ndtr

    difference = scores - middle
    distances = np.unique(np.abs(difference))
    distances = distances[distances > 0]
    if len(distances) == 0:
        return np.full(difference.shape[:-1], np.nan)
    above = np.stack([(difference == d).sum(axis=-1) for d in distances], axis=-1).astype(float)
    below = np.stack([(difference == -d).sum(axis=-1) for d in distances], axis=-1).astype(float)
    tied = above + below
    ranks = np.cumsum(tied, axis=-1) - tied + (tied + 1) / 2
    v = (above * ranks).sum(axis=-1)
    n = tied.sum(axis=-1)
    centre = v - n * (n + 1) / 4
    variance = n * (n + 1) * (2 * n + 1) / 24 - (tied**3 - tied).sum(axis=-1) / 48
    with np.errstate(invalid="ignore", divide="ignore"):
        correction = {"greater": 0.5, "less": -0.5}.get(alternative, 0.5 * np.sign(centre))
        z = (centre - correction) / np.sqrt(variance)
        p = ndtr(-z) if alternative == "greater" else ndtr(z) if alternative == "less" else 2 * ndtr(-np.abs(z))
    return np.where(n > 0, np.minimum(p, 1.0), np.nan)


def detected(answers: Answers, middle: float, config: AnalysisConfig) -> dict[tuple[str, str], np.ndarray]:
    """Which studies find each declared effect, after correction over the tastes: (name, alternative) -> (studies,) bool."""
    declared = {h.taste: h.alternative for h in config.hypotheses}
    studies = len(answers.scores)
    flat, tastes = answers.scores.reshape(studies, -1), answers.tastes.ravel()
    found = {("all", "greater"): signed_rank_p(flat, middle, "greater") < config.alpha}
    kinds = [(name, declared.get(name, "two-sided")) for name in answers.names]
    p = np.stack([signed_rank_p(flat[:, tastes == k], middle, kind) for k, (_, kind) in enumerate(kinds)])
    adjusted = _adjusted(np.nan_to_num(p, nan=1.0), config.correction)
    found["any taste", "corrected"] = np.asarray((adjusted < config.alpha).any(axis=0))
    return found | {kind: adjusted[k] < config.alpha for k, kind in enumerate(kinds)}


def _adjusted(p: np.ndarray, method: str) -> np.ndarray:
    """Bonferroni's or Holm's adjustment along the first axis."""
    m = len(p)
    if method == "bonferroni":
        return np.minimum(1.0, m * p)
    order = np.argsort(p, axis=0)
    steps = (m - np.arange(m))[:, None] * np.take_along_axis(p, order, axis=0)
    out = np.empty_like(p)
    np.put_along_axis(out, order, np.minimum(1.0, np.maximum.accumulate(steps, axis=0)), axis=0)
    return out


def _one_size(
    arguments: tuple[ExperimentConfig, Effects, list[Clip], AnalysisConfig, int, int, int],
) -> list[dict[str, Any]]:
    config, effects, clips, analysis, n, simulations, seed = arguments
    assert config.preference is not None
    middle = (config.preference.low + config.preference.high) / 2
    hits: dict[tuple[str, str], int] = {}
    for batch, start in enumerate(range(0, simulations, BATCH)):
        studies = min(BATCH, simulations - start)
        drawn = generate(config, effects, clips, n, studies, np.random.default_rng([seed, n, batch]))
        for key, found in detected(drawn, middle, analysis).items():
            hits[key] = hits.get(key, 0) + int(found.sum())
    from scipy.stats import binomtest

    rows = []
    for (name, alternative), k in hits.items():
        interval = binomtest(k, simulations).proportion_ci(method="wilson")
        declared = effects.preference.mean.get(name)
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
    config: ExperimentConfig,
    effects: Effects,
    clips: Sequence[Clip],
    analysis: AnalysisConfig,
    sizes: Sequence[int],
    simulations: int,
    seed: int,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Power of the declared tests at each number of participants, with Wilson's 95 % interval; `jobs` sizes at a time.

    The same seed gives the same numbers, whatever `jobs` is.
    """
    from concurrent.futures import ProcessPoolExecutor

    if config.preference is None:
        raise AnalysisError("this study has no preference task; power is worked out for [experiment.preference]")
    tasks = [(config, effects, list(clips), analysis, n, simulations, seed) for n in sizes]
    rows: list[dict[str, Any]] = []
    if jobs == 1 or len(tasks) == 1:
        for k, task in enumerate(tasks):
            rows += _one_size(task)
            if progress:
                progress(k + 1, len(tasks))
        return rows
    with ProcessPoolExecutor(min(jobs, len(tasks))) as pool:
        for k, found in enumerate(pool.map(_one_size, tasks)):
            rows += found
            if progress:
                progress(k + 1, len(tasks))
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
