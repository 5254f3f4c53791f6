"""The engine over lines of JSON: for whoever answers in another process, in another language, or far away.

``python -m experiment.wire --db URL`` reads one message a line and answers each with one line. A message is
``{"open": SESSION, "token": TOKEN}``, which begins a sitting (the same token goes on with it), or what was done:
``{"session": SESSION, "token": TOKEN, "step": ID, "at": SECONDS, "did": {...}}``, `at` counted from the opening. The answer is
the next step (`told`), or ``{"error": WHY}``. Nothing is kept between two messages: the process may be ended at any moment and
another may answer the next message. A message may be sent again when its answer was lost; what is stored already is not
stored twice.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from experiment import answering
from experiment.config import ExperimentConfig, stored_config
from experiment.data.store import Store
from experiment.data.tables import SessionRow, StudyRow
from experiment.errors import ExperimentError
from experiment.finite import endless
from experiment.items import question
from experiment.question import Answer
from experiment.steps import (
    Ask,
    Consent,
    End,
    Form,
    Headphones,
    Level,
    Listen,
    Page,
    Practice,
    SoundCheck,
    Step,
    Stored,
    next_step,
)

Message = dict[str, Any]


def told(step: Step) -> Message:
    """A step as JSON: its kind, its id and what a front end needs to show it.

    A clip is told by its number in the database and its SHA-256 alone: not by its taste, model or file. A headphone test is told by
    its name and the `draw` of its sounds and right answers, so that whoever plays it must be trusted, as a booth is. `gain_db`, the level that was set, stands
    beside every step.
    """
    match step:
        case Consent():
            more: Message = {"minutes": step.minutes, "special": step.special, "more": list(step.more)}
        case SoundCheck():
            more = {}
        case Page():
            more = {"title": step.title, "text": step.text}
        case Level():
            more = {"softest": step.softest}
        case Headphones():
            more = {"test": step.test, "draw": list(step.draw)}
        case Practice():
            more = {"question": dataclasses.asdict(step.question)}
        case Listen():
            more = {"clips": [{"id": c.id, "sha256": c.sha256} for c in step.clips], "titles": list(step.titles)}
        case Ask() | Form():
            trial = step.trial
            if isinstance(step, Ask):
                more = {"question": dataclasses.asdict(step.question)}
            else:
                more = {"questions": [dataclasses.asdict(q) for q in step.questions]}
            more |= {
                "trial": trial.id,
                "block": trial.block,
                "position": trial.position,
                "clips": [i for i in (trial.first_id, trial.second_id) if i is not None],
                "progress": list(step.progress),
            }
        case End():
            more = {"status": step.status}
    return {"kind": type(step).__name__.lower(), "id": step.id, **more}


def done(store: Store, stored: Stored, config: ExperimentConfig, step: Step, at: float, did: Message) -> Stored:
    """Store what was done of a step; `did` holds what `told` asks for.

    consent: ``takes_part``, ``special``; level: ``gain_db``; headphones: ``given``; listen: ``records`` of ``[at, {...}]``;
    ask: ``value``, ``choice`` (of several options with ``;`` between them), ``said`` (free text), ``response_time``,
    ``interaction``, or ``back``; form: ``answers``, these by item; a sound check may bring ``record``. Of any step
    ``{"stopped": true}`` ends the session; `failed` says beside it of a sound that could not be played.
    """
    if did.get("stopped"):
        return answering.stopped(store, stored, at, did.get("failed"))
    match step:
        case Consent():
            return answering.agreed(store, stored, config, _said(did, "takes_part"), _said(did, "special"), at)
        case SoundCheck() if did.get("record") is not None:
            begun, record = did["record"]
            return answering.seen(store, stored, step.id, float(begun), "sound_check", **record)
        case Level():
            return answering.level(store, stored, did["gain_db"], step.softest, at)
        case Headphones():
            return answering.screened(store, stored, step, did["given"], config.headphones_required, at)
        case Listen():
            records = [(float(begun), dict(record)) for begun, record in did["records"]]
            return answering.heard(store, stored, step.id, step.trial.id, records)
        case Ask() if did.get("back"):
            return answering.back(store, stored, step, at)
        case Ask():
            return answering.answered(store, stored, step, _answer(did), config, at)
        case Form():
            answers = {q.item: _answer(did["answers"][q.item]) for q in step.questions}
            return answering.filled(store, stored, step, answers, at)
    return answering.seen(store, stored, step.id, at)


def _said(did: Message, what: str) -> bool:
    """True or false, and nothing that is only like it: words such as ``"no"`` are no consent."""
    if not isinstance(did[what], bool):
        raise TypeError(f"{what} is true or false")
    return bool(did[what])


def _number(did: Message, what: str) -> Any:
    """A number, or nothing: ``true``, which Python counts as 1, is none."""
    found = did.get(what)
    if found is not None and (isinstance(found, bool) or not isinstance(found, int | float)):
        raise TypeError(f"{what} is no number")
    return found


def _answer(did: Message) -> Answer:
    took = _number(did, "response_time")
    return Answer(
        _number(did, "value"),
        did.get("choice"),
        None if took is None else float(took),
        did.get("interaction"),
        did.get("said"),
    )


class Engine:
    """Answers messages about the sessions of one database.

    Sessions are begun elsewhere (`experiment.launch.begin`); here they are run.
    """

    def __init__(self, store: Store):
        self.store = store

    def answer(self, message: Message) -> Message:
        """The next step after a message, or why there is none."""
        try:
            step, stored = self._next(message)
            return {**told(step), "gain_db": stored.gain_db}
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            return {"error": f"message not understood ({type(error).__name__}: {error})"}
        except ExperimentError as error:
            return {"error": str(error)}

    def _next(self, message: Message) -> tuple[Step, Stored]:
        strange = endless(message)
        if (
            strange is not None
        ):  # JSON has no such number; Python reads it, and a database keeps it as nothing or not at all
            raise ValueError(f"{strange[0]} = {strange[1]} is no finite number")
        session, token = int(message["open"] if "open" in message else message["session"]), str(message["token"])
        config = self._config(session)
        if "open" in message:
            stored = answering.started(self.store, session, token)
            return next_step(stored, config), stored
        if answering.sitting_of(self.store, session) != token:
            raise ExperimentError("this session goes on in another window or at another booth")
        stored = answering.read(self.store, session)
        if not isinstance(message["did"], dict):
            raise TypeError("did is no object")
        step: Step | None = next_step(stored, config)
        if step is not None and step.id != message["step"]:
            step = _answered_before(stored, config, str(message["step"]), message["did"])
        if step is not None:  # else it was done already, and its answer was lost
            stored = done(self.store, stored, config, step, float(message["at"]), message["did"])
        return next_step(stored, config), stored

    def _config(self, session: int) -> ExperimentConfig:
        def find(s: Any) -> dict[str, Any]:
            row = s.get(SessionRow, session)
            if row is None:
                raise ExperimentError(f"there is no session {session}")
            return dict(s.get_one(StudyRow, row.study_id).definition)

        return stored_config(self.store.do(find))


def _answered_before(stored: Stored, config: ExperimentConfig, step: str, did: Message) -> Ask | Form | None:
    """The question of an earlier step, so that another answer to it is refused and the same one is not."""
    for trial in stored.plan:
        there = [i for i in trial.items if (trial.id, i) in stored.answered]
        for item in there:
            if step == f"ask:{trial.position}:{item}":
                return Ask(step, trial, question(config, trial, item, stored.language), (0, 0))
            if step == f"form:{trial.position}:{item}":
                answered = [i for i in there if i in did["answers"]]
                asked = tuple(question(config, trial, i, stored.language) for i in answered)
                return Form(step, trial, asked, (0, 0))
    return None


def serve(store: Store, lines: Iterable[str], out: TextIO) -> None:
    """Answer line by line until there are no more."""
    engine = Engine(store)
    for line in lines:
        try:
            message = json.loads(line)
        # Python reads no number of thousands of digits, nor lists in lists without end.
        except (ValueError, RecursionError) as error:
            answer: Message = {"error": f"no JSON: {error}"}
        else:
            answer = engine.answer(message) if isinstance(message, dict) else {"error": "a message is a JSON object"}
        # Half a character, which a message may hold as \ud800, is written as it came: no encoding has it.
        out.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "backslashreplace").decode() + "\n")
        out.flush()


def main() -> None:
    """Serve a database over standard input and output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", required=True, help="Database URL.")
    store = Store(parser.parse_args().db)
    try:
        serve(store, sys.stdin, sys.stdout)
    finally:
        store.close()


if __name__ == "__main__":
    main()
