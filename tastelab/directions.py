"""Directions that a study file declares by the condition that is expected to fit better, as tests have them: greater or less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.config import AnalysisConfig, Hypothesis
from experiment.config import ExperimentConfig
from experiment.tasks.preference import KIND, PreferenceTask, compared
from tastelab.check import nearest

EITHER = "either"
Pairs = Sequence[tuple[str, str]]


def astray(asked: ExperimentConfig, analysis: AnalysisConfig, conditions: Sequence[str]) -> Iterator[str]:
    """What of the declared directions means no test: one line each."""
    blocks = {task.block for task in asked.sequence() if isinstance(task, PreferenceTask)}
    pairs = compared(asked.sequence())
    for h in analysis.hypotheses:
        if h.task is not None and h.task not in {KIND, *blocks}:
            names = " or ".join(repr(name) for name in sorted(blocks))
            yield f"analysis.hypotheses: task = {h.task!r}: directions are declared of comparisons, here {names}"
        elif h.task in blocks and len(blocks) > 1:
            all_of = " and ".join(repr(name) for name in sorted(blocks))
            yield f"analysis.hypotheses: task = {h.task!r}: a direction holds for all comparisons, here {all_of}; leave task out"
        if h.favours is None or h.favours == EITHER:
            continue
        if h.favours not in conditions:
            yield f"analysis.hypotheses: there is no condition {h.favours!r}{nearest(h.favours, [*conditions, EITHER])}"
        elif _side(h.favours, pairs) is None:
            all_of = ", ".join(f"{over} over {under}" for over, under in pairs)
            yield (
                f"analysis.hypotheses: {h.favours!r} does not stand on one side of every pair that is compared ({all_of}); say "
                "alternative = 'greater' or 'less', of the first of each pair"
            )


def directed(analysis: AnalysisConfig, asked: ExperimentConfig) -> AnalysisConfig:
    """The same with every direction as a test has it: `alternative`, of the first condition of each pair."""
    pairs = compared(asked.sequence())
    declared = [h if h.favours is None else _as_test(h, pairs) for h in analysis.hypotheses]
    return analysis.model_copy(update={"hypotheses": declared})


def _as_test(declared: Hypothesis, pairs: Pairs) -> Hypothesis:
    side = None if declared.favours == EITHER else _side(str(declared.favours), pairs)
    alternative = "two-sided" if side is None else ("greater", "less")[side]
    return Hypothesis.model_validate({"taste": declared.taste, "alternative": alternative})


def _side(name: str, pairs: Pairs) -> int | None:
    """0 where a condition is the first of every pair, 1 where it is the second of every pair."""
    for side in (0, 1):
        if pairs and all(pair[side] == name for pair in pairs):
            return side
    return None
