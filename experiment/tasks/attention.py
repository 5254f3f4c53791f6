"""Whether people attend: questions that have one right answer, tones to count between clips, answers that came too soon.

Nothing of it ends a session or leaves an answer out: what was missed is stored, and stands beside the answers wherever they go.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from experiment.question import Question
from experiment.tasks.preference import ITEM as COMPARED
from experiment.tasks.preference import PreferenceTask
from experiment.tasks.ratings import RatingsTask
from experiment.tasks.task import AFTER, ATTENTION, PlannedTrial, Reader, Task, scale_question

if TYPE_CHECKING:
    import numpy as np

ENDS = ("lowest", "highest")  # of the scale: which one is asked for
Scaled = RatingsTask | PreferenceTask


class AttentionConfig(BaseModel):
    """Checks of attention among the trials in which music is heard.

    Attributes
    ----------
    questions : int
        How often, on the study's own scale, one named end is asked for.
    listening : int
        How often, between two clips, short tones are to be counted.
    fastest : float or None
        Seconds under which an answer is marked as too fast to have been read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    questions: int = Field(default=0, ge=0, le=10)
    listening: int = Field(default=0, ge=0, le=10)
    fastest: float | None = Field(default=None, gt=0, le=10)


def scaled(tasks: Sequence[Task]) -> Scaled | None:
    """The task on whose scale it is asked: that of words, else that of comparisons."""
    found = [t for t in tasks if isinstance(t, RatingsTask | PreferenceTask)]
    return next((t for t in found if isinstance(t, RatingsTask)), found[0] if found else None)


def question(item: str, task: Scaled, reader: Reader) -> Question:
    """To choose one end of a task's scale, by its words."""
    words = reader.words["attention"]
    if isinstance(task, PreferenceTask):
        own = task.asks(COMPARED, next(iter(reader.tastes), ""), reader)
        text = words["slider"].format(answer=own.labels[ENDS.index(item)])
        return Question(item, "slider", text, low=task.low, high=task.high, labels=own.labels)
    labels = task.labels[reader.language]
    text = words["steps"].format(answer=(labels[0], labels[-1])[ENDS.index(item)])
    return scale_question(item, text, task.low, task.high, labels)


def right(item: str, task: Scaled) -> int:
    """The answer that was asked for."""
    return (task.low, task.high)[ENDS.index(item)]


def among(
    trials: Sequence[PlannedTrial], heard: Collection[str], questions: int, rng: np.random.Generator
) -> list[PlannedTrial]:
    """Trials with questions among those of the blocks in which music is `heard`: as many stretches, one somewhere in each."""
    places = [k for k, t in enumerate(trials) if t.block in heard]
    out = list(trials)
    if not questions or not places:
        return out
    first = int(rng.integers(2))
    bounds = [round(k * len(places) / questions) for k in range(questions + 1)]
    for k in reversed(range(questions)):
        at = places[int(rng.integers(bounds[k], max(bounds[k] + 1, bounds[k + 1]))) % len(places)] + 1
        while at < len(trials) and trials[at].block == AFTER:
            at += 1
        out.insert(at, PlannedTrial(ATTENTION, None, None, None, (ENDS[(first + k) % 2],)))
    return out


def due(listening: int, heard: int, index: int) -> int:
    """How many times tones are to have been counted before one (from 0) of the `heard` trials is listened to."""
    return sum(max(1, round((k + 1) * heard / (listening + 1))) <= index for k in range(listening))
