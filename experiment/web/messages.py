"""What a browser says was done, read strictly: what is not exactly such a message is refused before anything is looked up."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from experiment.question import JOINED, Question
from experiment.steps import Ask, Consent, Form, Headphones, Level, Listen, SoundCheck, Step
from experiment.tasks.own import LETTERS

NAMED = re.compile("[A-Za-z0-9_]{1,40}")  # of what stands in a message: anything else is not said again
SLACK = 0.05  # s that may lack at a clip's end: clocks of sound cards and of processors are two
Seconds = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=10**6)]
M = TypeVar("M", bound=BaseModel)


class MessageError(ValueError):
    """A message is none; the words are for whoever wrote the browser's side."""


class Strict(BaseModel):
    """No more, no less, and nothing that is only like it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Interaction(Strict):
    """How an answer came about."""

    moves: Count = 0
    focus_losses: Count = 0
    hidden: Seconds = 0.0
    frames: Count = 0
    late_frames: Count = 0
    dropped: Count = 0


class Played(Strict):
    """One playing of a sound, as the browser's sound clock told it."""

    clip: Annotated[int, Field(ge=0, le=9)]
    at: Seconds
    onset_delay: Seconds | None
    onset_error: Annotated[float, Field(ge=-60, le=60, allow_inf_nan=False)] | None
    driver: bool
    seconds: Seconds
    played: Seconds
    underruns: Count
    hidden: Seconds = 0.0
    whole: bool


class Given(Strict):
    """An answer to one question: a number, places of options, or words."""

    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    chosen: list[Annotated[int, Field(ge=0, le=50)]] | None = Field(default=None, max_length=50)
    said: str | None = Field(default=None, max_length=4 * LETTERS)
    response_time: Seconds | None = None
    interaction: Interaction | None = None


class Left(Strict):
    """The page was out of sight for a while; or it filled the screen no longer, for how long nobody measured."""

    what: Literal["page", "fullscreen"]
    at: Seconds
    seconds: Seconds | None


class Did(Strict):
    """What was done of a step; each kind of step takes its own of these."""

    stopped: bool = False
    failed: list[Played] | None = Field(default=None, max_length=10)
    back: bool = False
    takes_part: bool | None = None
    special: bool | None = None
    gain_db: Annotated[float, Field(ge=-120, le=0)] | None = None
    given: list[Annotated[int, Field(ge=1, le=6)]] | None = Field(default=None, max_length=6)
    records: list[Played] | None = Field(default=None, max_length=100)
    answer: Given | None = None
    answers: list[Given] | None = Field(default=None, max_length=50)
    plays: Annotated[int, Field(ge=1, le=1000)] | None = None


Tab = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class Opened(Strict):
    """A window asks what to show: `begin` begins a session, `here` takes one over, `again` goes on with one that was stopped."""

    tab: Tab
    language: Annotated[str, Field(max_length=10)] | None = None
    begin: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    here: bool = False
    again: bool = False


class Done(Strict):
    """A step was done."""

    tab: Tab
    step: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16}$")]
    turn: Count
    at: Seconds
    did: Did
    left: list[Left] = Field(default=[], max_length=50)


class Alive(Strict):
    """A window is there."""

    tab: Tab


class Withdrawal(Strict):
    """The person withdraws."""

    sure: Literal[True]


def read(kind: type[M], body: bytes) -> M:
    """A message of a kind.

    Raises
    ------
    MessageError
        What is wrong, in one line, without what was said.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(x if NAMED.fullmatch(x) else "?" for x in map(str, first["loc"])) or "message"
        raise MessageError(f"{where[:80]}: {first['type']}") from None


TAKES: dict[type, set[str]] = {
    Consent: {"takes_part", "special"},
    SoundCheck: {"plays", "records"},
    Level: {"gain_db"},
    Headphones: {"given"},
    Listen: {"records"},
    Ask: {"answer", "back"},
    Form: {"answers"},
}


def did_of(step: Step, did: Did, names: list[str], lengths: list[float], hears: bool) -> dict[str, Any]:
    """What was done, as `wire.done` stores it.

    Parameters
    ----------
    names, lengths : list
        What the clips of the step are called, and how long they are, s.
    hears : bool
        Whether whoever answers hears: bots do not.

    Raises
    ------
    MessageError
        If it is not what this step takes: no clip goes unheard.
    """
    more = did.model_fields_set - (TAKES.get(type(step), set()) | {"stopped", "failed"})
    if more:
        raise MessageError(f"did: {min(more)} is nothing that this step takes")
    if did.stopped:
        failed = [_record(x, names) for x in did.failed or []]
        return {"stopped": True, "failed": {"attempts": failed} if failed else None}
    match step:
        case Consent():
            if did.takes_part is None or did.special is None:
                raise MessageError("did: takes_part and special")
            return {"takes_part": did.takes_part, "special": did.special and step.special}
        case SoundCheck():
            if did.plays is None and hears:
                raise MessageError("did: plays")
            last = did.records[-1] if did.records else None
            record = None if did.plays is None else {"plays": did.plays, **(_record(last, []) if last else {})}
            return {"record": None if record is None else [last.at if last else 0.0, record]}
        case Level():
            if did.gain_db is None and hears:
                raise MessageError("did: gain_db")
            return {"gain_db": did.gain_db}
        case Headphones():
            if did.given is None and hears:
                raise MessageError("did: given")
            if did.given is not None and (len(did.given) != len(step.trials()) or max(did.given) > step.answers):
                raise MessageError("did: given")
            return {"given": did.given}
        case Listen():
            return {"records": [[x.at, _record(x, names)] for x in _heard(did, lengths, hears)]}
        case Ask():
            if did.back:
                if not step.question.back:
                    raise MessageError("did: there is no way back")
                return {"back": True}
            if did.answer is None:
                raise MessageError("did: answer")
            return _answer(step.question, did.answer)
        case Form():
            if did.answers is None or len(did.answers) != len(step.questions):
                raise MessageError("did: answers")
            return {
                "answers": {q.item: _answer(q, a) for q, a in zip(step.questions, did.answers, strict=True)},
            }
    return {}


def _heard(did: Did, lengths: list[float], hears: bool) -> list[Played]:
    records = did.records or []
    if any(x.clip >= len(lengths) for x in records):
        raise MessageError("did: records of a clip that is not there")
    whole = {x.clip for x in records if x.whole and x.played >= lengths[x.clip] - SLACK and not x.underruns}
    if hears and whole != set(range(len(lengths))):
        raise MessageError("did: a clip was not heard whole")
    return records


def _record(played: Played, names: list[str]) -> dict[str, Any]:
    told = played.model_dump(exclude={"clip", "at"})
    return {"clip": names[played.clip], **told} if played.clip < len(names) else told


def _answer(question: Question, given: Given) -> dict[str, Any]:
    """An answer by the names of its options."""
    keys = list(question.options or {})
    choice = None
    if given.chosen is not None:
        if any(i >= len(keys) for i in given.chosen) or len(set(given.chosen)) < len(given.chosen):
            raise MessageError("did: chosen")
        choice = JOINED.join(keys[i] for i in sorted(given.chosen))
    wanted = {"choice": "chosen", "multiple": "chosen", "text": None}.get(question.kind, "value")
    if any((getattr(given, name) is not None) != (name == wanted) for name in ("value", "chosen")):
        raise MessageError(f"did: an answer of this kind is {wanted or 'said'}")
    if given.said is not None and question.kind != "text":
        raise MessageError("did: said")
    interaction = None if given.interaction is None else given.interaction.model_dump()
    return {
        "value": given.value,
        "choice": choice,
        "said": given.said,
        "response_time": given.response_time,
        "interaction": interaction,
    }
