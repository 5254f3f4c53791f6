"""Amend a study in its course: its limits, its languages and its wording, each with a note; what people are asked stays.

A spelling can't be told from a reversal by its size: "like" and "dislike" are four letters apart, "piu" and "più" one. So a text
that keeps its letters (case, accents of the same letter in another encoding, points and spaces aside) is a spelling; one
around the questions is told; one of a question itself, or of an end of a scale, needs a reason of its own and is told in the
report as a deviation. What certainly turns answers round is refused: words that change places.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from experiment.config import ExperimentConfig, stored_config
from experiment.data.declared import (
    Change,
    began,
    current,
    differences,
    enter,
    only_tried,
    same_design,
    text_changes,
)
from experiment.data.store import Store, alone
from experiment.data.tables import SessionRow, StudyRow
from experiment.data.whose import find_person
from experiment.errors import ExperimentError
from experiment.items import every_question, reader
from experiment.question import Question
from experiment.texts import kept, texts

OPEN = ("running", "stopped")
# Texts of which answers are made: what is asked, and what can be answered.
ASKED = re.compile(
    r"texts\.[^.]+\.(?:(?:demographics|affect)\..*|practice\.question"
    r"|preference\.(?:question|low|high|middle|listen_first|listen_second)"
    r"|ratings\.(?:question|question_all|question_bipolar)|identification\.(?:question|none|confidence|unsure|sure))"
    r"|taste_words\..*|tasks\.(?:.*\.)?(?:words|labels|opposite|question)\..*",
    re.S,
)


def letters(text: str) -> str:
    """What of a text is no spelling: its letters and digits, in order."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def weight(change: Change) -> str:
    """What a change of a text weighs: ``spelling``, ``text`` (around the questions) or ``wording`` (of what is asked)."""
    if letters(change.was) == letters(change.now):
        return "spelling"
    return "wording" if ASKED.fullmatch(change.where) else "text"


def turned(old: ExperimentConfig, new: ExperimentConfig) -> None:
    """Refuse words that changed places: ends of a scale, options, items, what the two clips of a pair are called.

    Raises
    ------
    ExperimentError
        With the words.
    """
    for language in [x for x in old.languages if x in new.languages]:
        before, after = every_question(old, language), every_question(new, language)
        _turned(language, _exchangeable([q for _, q in before], [q for _, q in after]))
        for was, now in zip(old.sequence(), new.sequence(), strict=True):
            heard = was.titles(reader(old, language)), now.titles(reader(new, language))
            _turned(language, [(f"{was.block}, what clips are called", *heard)])


def _turned(language: str, lists: Iterable[tuple[str, list[str], list[str]]]) -> None:
    """Refuse words that stand where other words of the same list stood."""
    for name, was, now in lists:
        there = {letters(x): k for k, x in enumerate(was)}
        for k, word in enumerate(now):
            if letters(word) != letters(was[k]) and there.get(letters(word), k) != k:
                raise ExperimentError(
                    f"{language}: {name}: {word!r} stands where {was[k]!r} stood, so that the same answer would mean something "
                    "else; a study that began keeps that. Give the new one another name"
                )


def _exchangeable(before: Sequence[Question], after: Sequence[Question]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Words that must not change places: within one scale or list of options, and of the items of one question."""
    for was, now in zip(before, after, strict=True):
        yield was.item, list(was.labels), list(now.labels)
        yield was.item, list((was.options or {}).values()), list((now.options or {}).values())
    for asked in dict.fromkeys(q.text for q in before):  # items of one question, and the two clips asked about
        items = [(was, now) for was, now in zip(before, after, strict=True) if was.text == asked]
        yield asked, [was.word for was, _ in items], [now.word for _, now in items]


def amend(
    store: Store,
    name: str,
    definition: dict[str, Any],
    config: ExperimentConfig,
    note: str | None,
    wording: str | None = None,
) -> list[Change]:
    """Let what a study file says now count from here on; returns what that changes. Empty where nobody took part yet.

    Parameters
    ----------
    note : str or None
        Why; needed.
    wording : str or None
        Why what people are asked reads otherwise; needed where it does.

    Raises
    ------
    ExperimentError
        If nothing differs, if what people are asked or hear would change, if the language of an unfinished session would go,
        or if a reason is lacking.
    """
    read = {language: texts(language, config.texts) for language in config.languages}

    def work(s: Session) -> list[Change]:
        alone(s)
        row = s.scalar(select(StudyRow).where(StudyRow.name == name))
        if row is None:
            raise ExperimentError(
                f"study {name!r} is not in the database: nobody took part, so its file may still be edited"
            )
        if not began(s, row.id):
            return []
        _same(row, definition)
        if current(s, row.id) is None:
            enter(s, row.id, row.definition, None)
        counts = current(s, row.id)
        assert counts is not None
        then = stored_config(counts.definition)
        shown = counts.texts or read
        new = config.model_copy(update={"design": then.design})
        turned(then.model_copy(update={"texts": kept(shown)}), new)
        found = differences(then, new) + text_changes(shown, read, new)
        changes = [replace(c, weight=weight(c)) if c.weight == "text" else c for c in found]
        if not changes:
            raise ExperimentError(f"study {name!r} is declared as its file says; there is nothing to amend")
        _languages(s, row.id, then, new)
        asked = [c for c in changes if c.weight == "wording"]
        if asked and not wording:
            raise ExperimentError(
                f"what people are asked would read otherwise: {asked[0].line()}"
                + (f" (and {len(asked) - 1} more)" if len(asked) > 1 else "")
                + "; if it means the same, say why with --wording WHY: the report tells it. If not, it is another study"
            )
        _nobody_named(s, f"{note or ''} {wording or ''}")
        why = note or wording
        if not why:
            raise ExperimentError("an amendment needs --note WHY; it is kept, and the report tells it")
        row.definition = definition
        enter(s, row.id, definition, read, why, wording if asked else None, changes)
        return changes

    def told(s: Session) -> list[Change]:
        try:
            return work(s)
        except ExperimentError as error:
            row = s.scalar(select(StudyRow).where(StudyRow.name == name))
            raise ExperimentError(f"{error}{only_tried(s, row.id) if row else ''}") from None

    return store.do(told)


def _nobody_named(s: Session, reason: str) -> None:
    """Refuse a reason with somebody's code in it: it is kept, and printed, whoever withdraws later."""
    for word in re.findall(r"[\w.-]+", reason):
        person = find_person(s, word.strip("."))
        if person is not None:
            raise ExperimentError(
                f"the reason names participant {person.code}; it is kept and printed: say it without a code"
            )


def _same(row: StudyRow, definition: dict[str, Any]) -> None:
    """Refuse another design, and other clips."""
    if not same_design(row.definition, definition):
        raise ExperimentError(
            f"study {row.name!r} began under another design (tasks, scales, items, groups, checks of ears, or how clips are "
            "dealt); that can't be amended: give the new design another name"
        )
    for table, what in (("models", "conditions"), ("stimuli", "clips")):
        old, new = row.definition.get(table), definition.get(table)
        if old is not None and new is not None and _made_of(old) != _made_of(new):
            raise ExperimentError(
                f"study {row.name!r} began with other {what} ([{table}] differs); that can't be amended: give the new one "
                "another name"
            )


def _made_of(table: dict[str, Any]) -> dict[str, Any]:
    """A table without what only says where and by what it is computed."""
    kept_ones = {k: v for k, v in table.items() if k not in ("device", "embedders", "captioner", "batch")}
    conditions = [
        # Where a folder of tracks lies differs from booth to booth.
        {**c, "tracks": Path(c["tracks"]).name if c.get("tracks") else None}
        for c in kept_ones.get("conditions", [])
    ]
    return kept_ones | {"conditions": conditions}


def _languages(s: Session, study_id: int, then: ExperimentConfig, now: ExperimentConfig) -> None:
    """Refuse to take away a language in which somebody has not finished."""
    gone = set(then.languages) - set(now.languages)
    query = select(SessionRow.language).where(
        SessionRow.study_id == study_id, SessionRow.language.in_(gone), SessionRow.status.in_(OPEN)
    )
    left = s.scalar(query.limit(1)) if gone else None
    if left is not None:
        raise ExperimentError(f"languages: somebody has not finished in {left!r}; it can go when nobody has")
