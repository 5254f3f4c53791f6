"""The only writer of a session: what a person did is stored in one transaction before the next step is looked for.

Each function takes what is stored and returns what is stored then. Each can be done again, as a booth does whose server
went away before it answered, or a browser whose connection broke: the same step of the same sitting is stored once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from experiment.config import ExperimentConfig
from experiment.data import lease
from experiment.data.queries import consent_to
from experiment.data.store import Store
from experiment.data.tables import (
    Consent,
    Event,
    Response,
    Screening,
    Seen,
    SessionRow,
    Sitting,
    Stimulus,
    StudyRow,
    Superseded,
    Trial,
    utc_now,
)
from experiment.data.tombstones import lay
from experiment.data.withdrawal import erase
from experiment.errors import ExperimentError
from experiment.headphones import PROOF, passed
from experiment.items import consent_more, consent_sha256
from experiment.question import JOINED, Answer, Question
from experiment.steps import LAST, NOT_PASSED, TOO_YOUNG, Ask, Form, Headphones, Stored
from experiment.texts import texts

START = "start"
REFUSED = "refused"
OTHERWISE = "was answered already, otherwise, in another window or at another booth"


def read(store: Store, session_id: int) -> Stored:
    """What is stored of a session."""
    return store.do(lambda s: _read(s, session_id))


def _read(s: Session, session_id: int) -> Stored:
    session = s.get_one(SessionRow, session_id)
    plan = s.scalars(select(Trial).where(Trial.session_id == session_id).order_by(Trial.position)).all()
    # Each table is read once and by its columns: this is done before every answer, of many people at a time.
    clips = {i for t in plan for i in (t.first_id, t.second_id) if i is not None}
    heard = {c.id: c for c in s.scalars(select(Stimulus).where(Stimulus.id.in_(clips)))} if clips else {}
    for trial in plan:
        for side, clip in (("first", trial.first_id), ("second", trial.second_id)):
            set_committed_value(trial, side, heard[clip] if clip is not None else None)
    of_session = Trial.session_id == session_id
    given = s.execute(select(Response.trial_id, Response.item).join(Trial).where(of_session)).all()
    anew = s.execute(select(Superseded.trial_id, Superseded.item).join(Trial).where(of_session)).all()
    agreed = consent_to(s, session)
    seen = s.scalars(select(Seen.step).where(Seen.session_id == session_id, Seen.sitting == session.sitting))
    made = select(Screening.test, Screening.passed).where(Screening.session_id == session_id)
    screenings = s.execute(made.order_by(Screening.id)).all()
    return Stored(
        session_id, session.participant.code, session.language, session.seed, session.status, plan,
        agreed.special_categories if agreed else None,
        frozenset((trial, item) for trial, item in given),
        frozenset(seen),
        {x.test: x.passed for x in screenings},
        len(screenings),
        (session.calibration or {}).get("gain_db"),
        session.sitting,
        Counter((trial, item) for trial, item in anew),
        sum(x.test == PROOF for x in screenings),
    )  # fmt: skip


def started(store: Store, session_id: int, token: str | None = None) -> Stored:
    """A sitting begins: what was only seen before counts no more.

    With a `token` it is that sitting's own: who comes again with the token of the last sitting goes on with it, but not with one
    that a required headphone test ended.
    """
    before = store.do(lambda s: s.get_one(SessionRow, session_id).sitting)
    if token is not None and sitting_of(store, session_id) == token:
        stored = read(store, session_id)
        if NOT_PASSED not in stored.seen or stored.status != "running":
            return stored

    def sit(s: Session) -> None:
        if not lease.taken(s, session_id, before):
            return
        row = s.get_one(SessionRow, session_id, populate_existing=True)
        place = {"station": row.station, "calibration": row.calibration, "declared": row.declared}
        s.add(Sitting(session_id=session_id, number=row.sitting, **place))
        detail = {} if token is None else {"token": token}
        s.add(Event(session_id=session_id, name=START, at=0.0, detail=detail))

    store.do(sit)
    return read(store, session_id)


def sitting_of(store: Store, session_id: int) -> str | None:
    """The token of the last sitting; None where it has none, or none has begun."""
    last = select(Event.detail).where(Event.session_id == session_id, Event.name == START).order_by(Event.id.desc())
    found = store.do(lambda s: s.scalar(last))
    return None if found is None else found.get("token")


def agreed(
    store: Store, stored: Stored, config: ExperimentConfig, takes_part: bool, special: bool, at: float
) -> Stored:
    """Consent was given, with or without that to special-category questions, or was not: then nothing is kept but that."""
    if not takes_part:
        return _kept_nothing(store, stored, REFUSED)
    if stored.special is not None:
        return stored
    more = consent_more(config, stored.language)
    digest = consent_sha256(texts(stored.language, config.texts), more)

    def write(s: Session) -> bool:
        lease.held(s, stored.session_id, stored.sitting)
        row = s.get_one(SessionRow, stored.session_id)
        given = consent_to(s, row)
        if given is None:
            given = Consent(
                participant_id=row.participant_id,
                study_id=row.study_id,
                text_sha256=digest,
                special_categories=special,
            )
            s.add(given)
        return given.special_categories

    return stored.having(special=store.do(write))


def seen(store: Store, stored: Stored, step: str, at: float, event: str | None = None, **detail: Any) -> Stored:
    """A page was read, practice done, the sound checked; `event` is what it is called in the protocol."""
    last = step == LAST

    def write(s: Session) -> None:
        if _first(s, stored, step):
            if event:
                s.add(Event(session_id=stored.session_id, name=event, at=at, detail=detail))
            if last:
                _end(s, stored.session_id, "complete", at)

    store.do(write)
    return stored.having(step, status="complete" if last else stored.status)


def level(store: Store, stored: Stored, gain_db: float | None, softest: int, at: float) -> Stored:
    """The level was set, in dB, kept within `softest`..0; None where nobody hears."""
    if gain_db is None:
        return seen(store, stored, "level", at)
    gain = float(min(0.0, max(float(softest), gain_db)))

    def write(s: Session) -> None:
        if _first(s, stored, "level"):
            chosen = {"by": "participant", "gain_db": gain}
            s.get_one(SessionRow, stored.session_id).calibration = chosen
            sitting = select(Sitting).filter_by(session_id=stored.session_id, number=stored.sitting)
            for row in s.scalars(sitting):
                row.calibration = chosen
            s.add(Event(session_id=stored.session_id, name="level", at=at, detail={"gain_db": gain}))

    store.do(write)
    return stored.having("level", gain_db=gain)


def heard(
    store: Store, stored: Stored, step: str, trial_id: int, records: list[tuple[float, dict[str, Any]]]
) -> Stored:
    """Clips were heard to their ends; each record is when it began and what was measured of it."""

    def write(s: Session) -> None:
        if _first(s, stored, step):
            for at, detail in records:
                s.add(Event(session_id=stored.session_id, trial_id=trial_id, name="audio_onset", at=at, detail=detail))
                s.flush()

    store.do(write)
    return stored.having(step)


def screened(
    store: Store, stored: Stored, step: Headphones, given: list[int] | None, required: bool, at: float
) -> Stored:
    """A headphone test was answered (None: nobody hears); where it is `required` and not passed, the session ends.

    Tones that were counted wrongly end none.
    """
    if given is None:
        return seen(store, stored, step.id, at)
    right = [t.right for t in step.trials()]
    good = passed(step.test, given, right)
    counted = step.place is not None
    ends = required and not good and not counted

    def write(s: Session) -> None:
        if _first(s, stored, step.id):
            detail = {"given": given, "right": right}
            s.add(Screening(session_id=stored.session_id, test=step.test, passed=good, detail=detail))
            if ends:
                _first(s, stored, NOT_PASSED)
                _end(s, stored.session_id, "stopped", at)

    store.do(write)
    after = stored.having(step.id, passed=stored.passed | {step.test: good}, screenings=stored.screenings + 1)
    after = replace(after, proofs=stored.proofs + counted)
    return after.having(NOT_PASSED, status="stopped") if ends else after


def answered(store: Store, stored: Stored, step: Ask, answer: Answer, config: ExperimentConfig, at: float) -> Stored:
    """An item was answered. Who is too young is asked no more, and nothing that was answered is kept.

    Raises
    ------
    ExperimentError
        If the item has another answer already, or this can't be one.
    """
    item, answer = step.question.item, _possible(step.question, answer)
    if item == "age" and (answer.value or 0) < config.minimum_age:
        return _kept_nothing(store, stored, TOO_YOUNG)
    anew, before = item in stored.reopened(step.trial), stored.superseded.get((step.trial.id, item), 0)

    def write(s: Session) -> bool:
        running = lease.held(s, stored.session_id, stored.sitting)
        trial = step.trial.id
        old = s.scalar(select(Response).where(Response.trial_id == trial, Response.item == item))
        if old is not None and anew and _superseded(s, trial, item) == before:
            # Both stay: the one that was gone back to beside the one that counts.
            kept = {k: getattr(old, k) for k in ("trial_id", "item", "value", "choice", "response_time", "answered_at")}
            s.add(Superseded(**kept))
            s.delete(old)
            s.flush()
        elif old is not None:
            return _alike(old, answer)
        _keep(s, stored, trial, item, answer, at, running)
        return True

    if not store.do(write):
        raise ExperimentError(f"{item} {OTHERWISE}")
    counts = stored.superseded | ({(step.trial.id, item): before + 1} if anew else {})
    return stored.having(answered=stored.answered | {(step.trial.id, item)}, superseded=counts)


def filled(store: Store, stored: Stored, step: Form, answers: Mapping[str, Answer], at: float) -> Stored:
    """The items of a screen were answered: all are stored, or none.

    Raises
    ------
    ExperimentError
        If one of them has another answer already, or this can't be one.
    KeyError
        If there is no answer to one of them.
    """
    given = {q.item: _possible(q, answers[q.item]) for q in step.questions}
    trial = step.trial.id

    def write(s: Session) -> str | None:
        running = lease.held(s, stored.session_id, stored.sitting)
        for item, answer in given.items():
            old = s.scalar(select(Response).where(Response.trial_id == trial, Response.item == item))
            if old is None:
                _keep(s, stored, trial, item, answer, at, running)
            elif not _alike(old, answer):
                return item
        return None

    other = store.do(write)
    if other is not None:
        raise ExperimentError(f"{other} {OTHERWISE}")
    return stored.having(answered=stored.answered | {(trial, item) for item in given})


def _alike(old: Response, answer: Answer) -> bool:
    """Whether what is stored is this answer."""
    number = None if answer.value is None else float(answer.value)
    given = (number, answer.choice, answer.response_time, answer.said)
    return (old.value, old.choice, old.response_time, old.said) == given


def _possible(question: Question, answer: Answer) -> Answer:
    """An answer as it is stored: several options in the order of the question, free text in one line and without what no letter is.

    Raises
    ------
    ExperimentError
        If it can't be an answer to the question; free text is not told.
    """
    if question.kind in ("number", "slider", "steps"):
        value = answer.value
        if value is None or not question.low <= value <= question.high or value != int(value):
            raise ExperimentError(
                f"{question.item}: {value!r} is no whole number from {question.low} to {question.high}"
            )
    if question.kind == "choice" and answer.choice not in (question.options or {}):
        raise ExperimentError(f"{question.item}: {answer.choice!r} is none of its options")
    if question.kind == "multiple":
        chosen = [x for x in (answer.choice or "").split(JOINED) if x]
        known = [x for x in question.options or {} if x in chosen]
        alone = question.alone in chosen
        right = len(known) == 1 if alone else question.low <= len(known) <= question.high
        if sorted(known) != sorted(chosen) or not right:
            raise ExperimentError(f"{question.item}: these options can't be chosen together")
        return replace(answer, choice=JOINED.join(known))
    if question.kind == "text":
        said = " ".join("".join(c if c.isprintable() else " " for c in answer.said or "").split())
        if not question.low <= len(said) <= question.high:
            raise ExperimentError(
                f"{question.item}: a text of {len(said)} characters, {question.low} to {question.high} may be"
            )
        return replace(answer, said=said or None)
    return answer


def _keep(s: Session, stored: Stored, trial: int, item: str, answer: Answer, at: float, running: bool) -> None:
    """Add an answer, and how it came about."""
    if not running:
        raise ExperimentError("this session is over; nothing is answered any more")
    number = None if answer.value is None else float(answer.value)
    took = answer.response_time
    s.add(Response(trial_id=trial, item=item, value=number, choice=answer.choice, response_time=took, said=answer.said))
    if answer.interaction:
        detail = {"item": item, **answer.interaction}
        s.add(Event(session_id=stored.session_id, trial_id=trial, name="answer", at=at, detail=detail))


def back(store: Store, stored: Stored, step: Ask, at: float) -> Stored:
    """The person goes back to the answer before this question; it counts until another is given."""
    item = stored.before(step.trial, step.question.item)
    if item is None:
        return stored
    going = stored.back(step.trial, item)

    def write(s: Session) -> None:
        if _first(s, stored, going):
            s.add(
                Event(session_id=stored.session_id, trial_id=step.trial.id, name="back", at=at, detail={"item": item})
            )

    store.do(write)
    return stored.having(going)


def _superseded(s: Session, trial: int, item: str) -> int:
    """How many answers to an item were given anew."""
    of = select(func.count()).select_from(Superseded).where(Superseded.trial_id == trial, Superseded.item == item)
    return int(s.scalar(of) or 0)


def left(store: Store, stored: Stored, times: Sequence[tuple[float, dict[str, Any]]]) -> None:
    """The person left the page, or the whole screen, and came back: when, and what was measured of it."""

    def write(s: Session) -> None:
        for at, detail in times:
            s.add(Event(session_id=stored.session_id, name="left", at=at, detail=detail))

    if times:
        store.do(write)


def stopped(store: Store, stored: Stored, at: float, failed: dict[str, Any] | None = None) -> Stored:
    """The person, or whoever watches, ended the session early, or a sound `failed`; what was answered is stored."""

    def write(s: Session) -> None:
        held = lease.held(s, stored.session_id, stored.sitting)
        if failed is not None:
            s.add(Event(session_id=stored.session_id, name="sound_failed", at=at, detail=failed))
        if held:
            _end(s, stored.session_id, "stopped", at)

    store.do(write)
    return stored.having(status="stopped" if stored.status == "running" else stored.status)


def _first(s: Session, stored: Stored, step: str) -> bool:
    """Note that a step was done in this sitting; False where it was noted before."""
    lease.held(s, stored.session_id, stored.sitting)
    place = {"session_id": stored.session_id, "sitting": stored.sitting, "step": step}
    if s.scalar(select(Seen).filter_by(**place)) is not None:
        return False
    s.add(Seen(**place))
    return True


def _kept_nothing(store: Store, stored: Stored, outcome: str) -> Stored:
    """Somebody does not take part, or may not: of the session there stays that it was, and what became of it.

    The code is kept as a tombstone alone, so that nobody comes again under it and says otherwise.
    """

    def write(s: Session) -> None:
        if not lease.held(s, stored.session_id, stored.sitting):
            return
        row = s.get_one(SessionRow, stored.session_id)
        study = s.get_one(StudyRow, row.study_id)
        stone = lay(s, study.name, stored.code, outcome, [row.kind])
        erase(s, row.participant, row.study_id, stone)
        row.ended_at = utc_now()

    store.do(write)
    return stored.having(status=outcome, plan=(), answered=frozenset())


def _end(s: Session, session_id: int, status: str, at: float) -> None:
    row = s.get_one(SessionRow, session_id)
    row.status = status
    row.ended_at = utc_now()
    s.add(Event(session_id=session_id, name="end", at=at, detail={"status": status}))
