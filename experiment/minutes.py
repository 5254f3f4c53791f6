"""How long a session takes, about: clips are heard once, questions take what people are known to take, texts are read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiment.config import ExperimentConfig
from experiment.data.tables import Trial
from experiment.headphones import SIDES, tests_of
from experiment.tasks.own import Free, QuestionsTask
from experiment.tasks.preference import PreferenceTask
from experiment.tasks.task import Task

WORDS_A_MINUTE = 200  # silent reading of plain text by adults (Brysbaert 2019: 238), and some to spare
SECONDS = {"preference": 6.0, "ratings": 3.0, "identification": 5.0, "affect": 4.0}  # of one answer, about
OTHERS = 5.0  # s of an answer about oneself
WRITING = 25.0  # s of a text of one's own
NEAR = 0.1  # of a session that a break may come sooner or later than at its half, not to cut a part in two


def reading(section: Mapping[str, Any], keys: Iterable[str]) -> float:
    """Minutes that some of a section's texts are read in."""
    return sum(len(str(section[k]).split()) for k in keys if k in section) / WORDS_A_MINUTE


def answering(kind: str, questions: int, written: int = 0) -> float:
    """Seconds that questions of a kind of task (or of a block that every session has) take; some are `written` out."""
    return (questions - written) * SECONDS.get(kind, OTHERS) + written * WRITING


def written(task: Task | None, items: Iterable[str]) -> int:
    """How many of a task's items are answered in words of one's own."""
    own = {i.name for i in task.items if isinstance(i, Free)} if isinstance(task, QuestionsTask) else set()
    return sum(item in own for item in items)


def closing(asked: ExperimentConfig, language: str | None) -> float:
    """Minutes that a debrief and a last page of the study's own are read in."""
    if language is None:
        return 0.0
    notices = [n for n in (asked.debrief, asked.completion) if n is not None]
    return sum(reading({"title": n.title[language], "text": n.text[language]}, ("title", "text")) for n in notices)


def ears(asked: ExperimentConfig, words: Mapping[str, Any], practice: bool) -> float:
    """Minutes of sound check, level, headphone tests and practice before the first clip, and of tones to count later."""
    tests = sum(20.0 if test == SIDES else 45.0 for test in tests_of(asked.headphones, asked.sides))
    seconds = 10.0 * asked.sound_check + 10.0 * (asked.level.by == "participant") + tests + 12.0 * practice
    seconds += 12.0 * asked.attention.listening
    read = reading(words["sound"], ["text"]) * asked.sound_check + reading(words["practice"], ["text"]) * practice
    return seconds / 60 + read


def _lasts(plan: Sequence[Trial], asked: ExperimentConfig) -> list[float]:
    """Seconds of each trial: its clips and its questions."""
    tasks = {task.block: task for task in asked.sequence()}
    kinds = {block: task.kind for block, task in tasks.items()}
    return [
        sum(c.seconds or 0.0 for c in (t.first, t.second) if c is not None)
        + answering(kinds.get(t.block, t.block), len(t.items), written(tasks.get(t.block), t.items))
        for t in plan
    ]


def of_session(
    plan: Sequence[Trial], asked: ExperimentConfig, words: Mapping[str, Any], language: str | None = None
) -> int:
    """Minutes that a planned session takes, as it is told to whoever is asked to take part.

    Whole minutes to the next one; from ten on, to the next five: nobody is held longer than was said, by a careful count.
    """
    kinds = {task.kind for task in asked.sequence()}
    read = reading(words["consent"], ["title", "text", "special_title", "special_text"])
    read += sum(reading(words[kind], ["intro"]) for kind in kinds if kind in words)
    practice = asked.practice and asked.task(PreferenceTask) is not None
    minutes = sum(_lasts(plan, asked)) / 60 + read + ears(asked, words, practice) + closing(asked, language)
    whole = max(1, math.ceil(minutes - 1e-9))
    return whole if whole < 10 else 5 * math.ceil(whole / 5)


def half(plan: Sequence[Trial], asked: ExperimentConfig, parts: Sequence[str]) -> int | None:
    """Position of the trial before which about half of the music and its questions is over; None where one part alone has any.

    It is the first trial of one of the `parts` (blocks in which music is heard), if one begins within a tenth of the half.
    """
    if len(parts) < 2:
        return None
    first = next(k for k, trial in enumerate(plan) if trial.block in parts)
    lasts = _lasts(plan, asked)[first:]
    whole, over = sum(lasts), 0.0
    found: list[tuple[bool, float, int]] = []
    before: str | None = None
    for trial, seconds in zip(plan[first:], lasts, strict=True):
        if trial.block in parts:
            if before is not None:
                off = round(abs(over / whole - 0.5), 6)
                found.append((not (trial.block != before and off <= NEAR), off, -trial.position))
            before = trial.block
        over += seconds
    return -min(found)[2] if found else None
