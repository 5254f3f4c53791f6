"""The engine of a session: what is asked, said, kept and left out, seen by somebody who answers and remembers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from experiment import launch
from experiment.config import ExperimentConfig
from experiment.data.queries import status_rows
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
    Trial,
    utc_now,
)
from experiment.errors import ExperimentError
from experiment.headphones import HeadphoneTrial
from experiment.items import consent_sha256
from experiment.launch import Prepared
from experiment.question import Answer, Question
from experiment.session import Stopped, run_session, unanswered
from experiment.texts import texts
from tests.experiment import readers

EVERYTHING = 8 + 5 + 3 * 12


def events(store: Store, session: int, name: str) -> list[Event]:
    """A session's events of that name, in the order in which they were stored."""
    with store.transaction() as s:
        return list(s.scalars(select(Event).where(Event.session_id == session, Event.name == name).order_by(Event.id)))


class Person:
    """Answers in the middle, and remembers what happened in which order."""

    def __init__(self, age: float = 30, special: bool = True, right: int = 6, leaves_after: int | None = None):
        self.gain_db = 0.0
        self.age, self.special, self.right, self.leaves_after = age, special, right, leaves_after
        self.level: float | None = -9.0
        self.interrupt: type[BaseException] = Stopped
        self.happened: list[str] = []
        self.progress: list[tuple[int, int]] = []
        self.asked: list[Question] = []
        self.heard: list[tuple[list[str], list[str], float]] = []
        self.screened: list[list[int]] = []
        self.limits: list[int] = []

    def consent(self) -> tuple[bool, bool]:
        self.happened.append("consent")
        return True, self.special

    def sound_check(self) -> dict[str, Any] | None:
        self.happened.append("sound check")
        return {"plays": 2}

    def adjust_level(self, softest: int) -> float | None:
        self.happened.append("level")
        self.limits.append(softest)
        return self.level

    def screen_headphones(self, test: str, trials: list[HeadphoneTrial]) -> list[int] | None:
        self.happened.append(test)
        self.screened.append([t.right for t in trials])
        return [t.right if k < self.right else t.right % 3 + 1 for k, t in enumerate(trials)]

    def practice(self, question: Question) -> None:
        self.happened.append("practice")
        self.asked.append(question)

    def page(self, title: str, text: str) -> None:
        self.happened.append(f"{title}: {text}")

    def listen(self, clips: list[Stimulus], titles: list[str]) -> list[dict[str, Any]]:
        self.happened.append("listen")
        self.heard.append(([c.clip for c in clips], titles, self.gain_db))
        return [{"clip": c.clip, "driver": True} for c in clips]

    def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer:
        if len(self.progress) == self.leaves_after:
            raise self.interrupt
        self.happened.append(question.item)
        self.asked.append(question)
        self.progress.append(progress)
        if question.kind == "number":
            return Answer(value=self.age, response_time=1.25)
        if question.kind == "choice":
            assert question.options is not None
            return Answer(choice=list(question.options)[-1], response_time=0.5)
        number = len(self.progress)
        return Answer((question.low + question.high) // 2, None, number + 0.125, {"moves": number, "frames": 3})


def under(booth: Prepared, **options: Any) -> Prepared:
    config = ExperimentConfig.model_validate(booth.config.model_dump() | options)
    return Prepared(booth.store, booth.study_id, config, booth.stimuli)


def run(booth: Prepared, who: Person, code: str = "A", **header: Any) -> tuple[int, str]:
    session = launch.begin(booth, code, "driven", "en", "x", **header)
    return session, run_session(booth.store, session, booth.config, who)


def go_on(booth: Prepared, who: Person, code: str = "A") -> str:
    session, _ = launch.resume(booth, code)
    return run_session(booth.store, session, booth.config, who)


def rows(booth: Prepared, session: int) -> list[tuple[str, float | None, str | None, float | None]]:
    query = select(Response).join(Trial).where(Trial.session_id == session).order_by(Response.id)
    with booth.store.transaction() as s:
        return [(r.item, r.value, r.choice, r.response_time) for r in s.scalars(query)]


def aged(booth: Prepared, session: int, hours: float, last: float | None = None) -> None:
    """Let a session have begun so many hours ago, and its last answer be given `last` hours ago."""
    with booth.store.transaction() as s:
        s.execute(
            update(SessionRow).where(SessionRow.id == session).values(started_at=utc_now() - timedelta(hours=hours))
        )
        trials = select(Trial.id).where(Trial.session_id == session)
        when = utc_now() - timedelta(hours=hours if last is None else last)
        s.execute(update(Response).where(Response.trial_id.in_(trials)).values(answered_at=when))


# The way through a session -------------------------------------------------------------------------------------------


def test_a_session_goes_its_way(booth: Prepared) -> None:
    """Consent, the person, ears, practice, comparisons, a break, ratings, thanks: each once, in this order."""
    who = Person()
    session, status = run(booth, who, "P-1")
    assert status == "complete"
    pages = {k: f"{title}: {text}" for k, (title, text) in readers.PAGES["en"].items()}
    person = [
        "sex", "age", "hearing_experience", "eating_experience", "ethnicity", "hearing_impairments",
        "taste_impairments", "device",
    ]  # fmt: skip
    assert who.happened[:13] == [
        "consent", *person, "sound check", pages["practice"], "practice", pages["preference"],
    ]  # fmt: skip
    assert who.happened[13:23] == ["listen", "preference"] * 5
    assert who.happened[23:25] == [pages["ratings"], "listen"]
    # Clips of .6 s: five comparisons are 36 s of 146, with the first ratings 73.
    assert who.happened[37:39] == [pages["pause"], "listen"]
    assert who.happened[-1] == pages["end"].format("P-1")
    assert [h for h in who.happened if h == "listen"] == ["listen"] * 8
    assert who.progress == [(k, EVERYTHING) for k in range(EVERYTHING)]
    assert [titles for _, titles, _ in who.heard] == [["First piece", "Second piece"]] * 5 + [["Listen"]] * 3
    assert {gain for *_, gain in who.heard} == {0.0}
    with booth.store.transaction() as s:
        plan = s.scalars(select(Trial).where(Trial.session_id == session).order_by(Trial.position)).all()
        clips = [[c.clip for c in (t.first, t.second) if c] for t in plan if t.first]
        row = s.get_one(SessionRow, session)
        assert row.status == "complete"
        assert row.ended_at is not None
    assert [heard for heard, *_ in who.heard] == clips
    assert unanswered(booth.store, session) == (EVERYTHING, EVERYTHING)


def test_answers_are_kept_as_they_were_given(booth: Prepared) -> None:
    """Value or choice, and the seconds that it took; beside them how it came about."""
    who = Person()
    session, _ = run(booth, who)
    kept = rows(booth, session)
    assert kept[:3] == [
        ("sex", None, "not_said", 0.5), ("age", 30.0, None, 1.25), ("hearing_experience", None, "none", 0.5),
    ]  # fmt: skip
    assert kept[8] == ("preference", 5.0, None, 9.125)
    assert [t for *_, t in kept[13:]] == [k + 0.125 for k in range(14, 50)]
    assert {v for _, v, *_ in kept[13:]} == {3.0}
    with booth.store.transaction() as s:
        told = s.scalars(select(Event).where(Event.name == "answer").order_by(Event.id)).all()
        first = s.get_one(Trial, told[0].trial_id)
    assert told[0].detail == {"item": "preference", "moves": 9, "frames": 3}
    assert first.block == "preference"
    assert len(told) == 5 + 36  # what has no such record (choices here) has no event
    names = [e.name for e in events_of(booth, session)]
    assert (names[0], names[-1], names.count("audio_onset"), names.count("sound_check")) == ("start", "end", 13, 1)
    assert [e.at for e in events(booth.store, session, "answer")] == sorted(e.at for e in told)
    assert events(booth.store, session, "end")[0].detail == {"status": "complete"}
    assert events(booth.store, session, "sound_check")[0].detail == {"plays": 2}


def events_of(booth: Prepared, session: int) -> list[Event]:
    with booth.store.transaction() as s:
        return list(s.scalars(select(Event).where(Event.session_id == session).order_by(Event.id)))


def test_what_is_switched_off_is_not_shown(booth: Prepared) -> None:
    bare = under(booth, practice=False, pause=False, sound_check=False)
    who = Person()
    run(bare, who)
    first = "First part: " + readers.PAGES["en"]["preference"][1]
    assert who.happened[8:12] == ["device", first, "listen", "preference"]
    assert not any(h.startswith(("Half", "Practice", "practice", "sound")) for h in who.happened)
    ratings = under(booth, preference=None)
    who = Person()
    run(ratings, who, "B")
    assert "practice" not in who.happened
    assert not any(h.startswith("Half") for h in who.happened)


def test_each_answer_is_announced_once_it_is_stored(booth: Prepared) -> None:
    told: list[tuple[str, int]] = []
    session = launch.begin(booth, "A", "driven", "en", "x")
    run_session(
        booth.store, session, booth.config, Person(), lambda item: told.append((item, len(rows(booth, session))))
    )
    assert [n for _, n in told] == list(range(1, EVERYTHING + 1))
    assert [item for item, _ in told] == [item for item, *_ in rows(booth, session)]


# Leaving and going on -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("interrupt", "after"), [(Stopped, (1, 8, 9, 20)), (KeyboardInterrupt, (10,))])
def test_who_leaves_goes_on_where_it_was(
    booth: Prepared, interrupt: type[BaseException], after: tuple[int, ...]
) -> None:
    """Nothing is asked twice; the music of an unfinished trial is heard again, consent and practice are not."""
    for leaves in after:
        code = f"L{leaves}"
        first, second = Person(leaves_after=leaves), Person()
        first.interrupt = interrupt
        session, status = run(booth, first, code)
        assert status == "stopped"
        assert unanswered(booth.store, session) == (EVERYTHING, leaves)
        with booth.store.transaction() as s:
            assert s.get_one(SessionRow, session).status == "stopped"
            assert s.get_one(SessionRow, session).ended_at is not None
        assert go_on(booth, second, code) == "complete"
        asked = [q.item for q in first.asked + second.asked if q.item != "practice"]
        assert asked == [item for item, *_ in rows(booth, session)]
        assert len(asked) == EVERYTHING
        assert "consent" not in second.happened
        assert second.progress[0] == (leaves, EVERYTHING)  # of the whole session, not of what is left
        assert ("practice" in second.happened) is (leaves <= 8)
        if leaves == 20:
            assert second.happened[0] == "sound check"
            assert second.happened[1] == "Second part: " + readers.PAGES["en"]["ratings"][1]
            assert second.heard[0][0] == first.heard[-1][0]
        with booth.store.transaction() as s:
            assert s.get_one(SessionRow, session).status == "complete"


def test_a_session_left_too_long_can_not_go_on(booth: Prepared) -> None:
    """The hours count from the last answer, not from the start; a study may allow more or fewer."""
    session, _ = run(booth, Person(leaves_after=12))
    aged(booth, session, 90, 23.9)
    assert launch.resume(booth, "A") == (session, "en")
    aged(booth, session, 90, 24.1)
    with pytest.raises(ExperimentError, match=r"left 24\.[12] h ago; .* within 24 h"):
        launch.resume(booth, "A")
    assert launch.resume(under(booth, resume_hours=48), "A") == (session, "en")
    aged(booth, session, 1.5, 1.1)
    with pytest.raises(ExperimentError, match="within 1 h"):
        launch.resume(under(booth, resume_hours=1), "A")
    # One without an answer counts from its start.
    empty = launch.begin(booth, "B", "driven", "en", "x")
    aged(booth, empty, 23.9)
    assert launch.resume(booth, "B")[0] == empty
    aged(booth, empty, 24.1)
    with pytest.raises(ExperimentError, match="resume_hours"):
        launch.resume(booth, "B")


def row_of(booth: Prepared, session: int) -> tuple[int | None, str]:
    with booth.store.transaction() as s:
        found = s.get_one(SessionRow, session)
        return found.design_row, found.status


def test_a_booth_that_lost_its_power_gives_its_row_back_after_the_time_to_go_on(booth: Prepared) -> None:
    """Silent for 24.1 hours since its last answer: lapsed. For 23.9: still held, and the next one gets another row."""
    lost = launch.begin(booth, "A", "driven", "en", "x")
    with booth.store.transaction() as s:
        trial = s.scalars(select(Trial.id).where(Trial.session_id == lost)).first()
        s.add(Response(trial_id=trial, item="sex", choice="other"))
    aged(booth, lost, 50, 23.9)
    assert row_of(booth, launch.begin(booth, "B", "driven", "en", "x")) == (1, "running")
    assert row_of(booth, lost) == (0, "running")
    aged(booth, lost, 50, 24.1)
    assert row_of(booth, launch.begin(booth, "C", "driven", "en", "x")) == (0, "running")
    assert row_of(booth, lost) == (0, "stopped")
    # A study with shorter sessions lets go earlier; what is complete never lapses.
    done, _ = run(booth, Person(), "D")
    aged(booth, done, 500)
    quick = launch.begin(booth, "E", "driven", "en", "x")
    aged(booth, quick, 2.2)
    short = under(booth, resume_hours=2)
    assert row_of(booth, launch.begin(short, "F", "driven", "en", "x"))[0] == row_of(booth, quick)[0]
    assert row_of(booth, done)[1] == "complete"


# Who may not, or does not want to -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "minimum", "welcome"), [(17, 18, False), (18, 18, True), (15, 16, False), (16, 16, True)]
)
def test_the_minimum_age(booth: Prepared, age: int, minimum: int, welcome: bool) -> None:
    """Who is younger is thanked, and not even the first answer is kept; those of others are."""
    other, _ = run(booth, Person(leaves_after=5), "other")
    who = Person(age=age)
    session, status = run(under(booth, minimum_age=minimum), who, "B")
    if welcome:
        assert status == "complete"
        assert rows(booth, session)[1] == ("age", float(age), None, 1.25)
        assert "too_young" not in [e.name for e in events_of(booth, session)]
    else:
        assert status == "too_young"
        assert who.happened[1:] == ["sex", "age", ": ".join(readers.PAGES["en"]["too_young"])]
        assert left_of(booth, session) == {}
        # Nobody comes again under the code and is older.
        with pytest.raises(ExperimentError, match="participant b: is younger than the study's minimum age"):
            launch.resume(booth, "b")
        with pytest.raises(ExperimentError, match="participant B was too young; use another code"):
            launch.begin(booth, "B", "driven", "en", "x")
    assert len(rows(booth, other)) == 5


def left_of(booth: Prepared, session: int) -> dict[str, int]:
    """Rows of each table that belong to a session, but for the note that the last page was read."""
    of_session = {t.__tablename__: t for t in (Trial, Event, Screening, Sitting)}
    with booth.store.transaction() as s:
        row = s.get_one(SessionRow, session)
        assert (row.calibration, row.overrides, row.versions) == (None, None, {})
        assert row.participant.code.startswith(f"{row.status}-")
        found = {
            name: s.scalar(select(func.count()).select_from(t).where(t.session_id == session)) or 0
            for name, t in of_session.items()
        }
        found["seen"] = len(
            s.scalars(select(Seen).where(Seen.session_id == session, ~Seen.step.startswith("page:"))).all()
        )
        found["consent"] = len(s.scalars(select(Consent).where(Consent.participant_id == row.participant_id)).all())
        joined = select(func.count()).select_from(Response).join(Trial).where(Trial.session_id == session)
        found["response"] = s.scalar(joined) or 0
    return {name: n for name, n in found.items() if n}


def test_sensitive_questions_need_their_own_consent(booth: Prepared) -> None:
    who = Person(special=False)
    session, _ = run(booth, who)
    asked = {q.item for q in who.asked}
    assert not asked & {"ethnicity", "hearing_impairments", "taste_impairments"}
    assert {"sex", "age", "device", "hearing_experience", "eating_experience"} <= asked
    assert who.progress[0] == (0, EVERYTHING - 3)
    assert unanswered(booth.store, session) == (EVERYTHING - 3, EVERYTHING - 3)
    with booth.store.transaction() as s:
        given = s.scalars(select(Consent)).one()
        assert given.special_categories is False
        assert given.study_id == booth.study_id


def test_no_consent_no_question(booth: Prepared) -> None:
    class No(Person):
        def consent(self) -> tuple[bool, bool]:
            return False, True

    who = No()
    session, status = run(booth, who)
    assert (status, who.asked, who.happened) == ("refused", [], [])
    assert left_of(booth, session) == {}
    with pytest.raises(
        ExperimentError, match="participant A: did not agree to take part; there is nothing to go on with"
    ):
        launch.resume(booth, "A")
    with pytest.raises(ExperimentError, match="participant A did not agree to take part; use another code"):
        launch.begin(booth, "A", "driven", "en", "x")
    # The place in the design is free again, and it is counted.
    next_one = launch.begin(booth, "B", "driven", "en", "x")
    with booth.store.transaction() as s:
        assert s.get_one(SessionRow, next_one).design_row == s.get_one(SessionRow, session).design_row == 0
    assert [r["status"] for r in status_rows(booth.store, "s")] == ["refused", "running"]
    assert "'A'" not in str(status_rows(booth.store, "s"))


def test_the_consent_text_has_a_fingerprint_that_changes_with_every_word(booth: Prepared) -> None:
    words = texts("en")
    run(booth, Person())
    with booth.store.transaction() as s:
        kept = s.scalars(select(Consent.text_sha256)).one()
    assert kept == consent_sha256(words)
    assert len(kept) == 64
    for key in ("title", "text", "special_title", "special_text"):
        changed = {**words, "consent": {**words["consent"], key: words["consent"][key] + "."}}
        assert consent_sha256(changed) != kept
    assert consent_sha256(texts("it")) != kept
    assert consent_sha256({**words, "next": "Go on"}) == kept


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "differs from its manifest"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
def test_a_changed_or_missing_clip_is_refused_before_a_session_begins(
    booth: Prepared, break_it: Callable[[Path], None], says: str
) -> None:
    clip = booth.stimuli[17]
    break_it(Path(str(clip.path)))
    with pytest.raises(ExperimentError, match=f"clip {clip.clip}: .*{says}"):
        launch.begin(booth, "A", "person", "en", "x")
    with booth.store.transaction() as s:
        assert s.scalars(select(SessionRow)).all() == []
    # Bots hear nothing, so they need no files.
    assert launch.begin(booth, "bot-1", "bot", "en", "x") > 0


def test_a_clip_without_a_file_is_missing(booth: Prepared) -> None:
    booth.stimuli[3].path = None
    with pytest.raises(ExperimentError, match="is missing; run 'tastelab stimuli generate'"):
        launch.begin(booth, "A", "person", "en", "x")
    assert booth.stimuli[2].sha256 == hashlib.sha256(Path(str(booth.stimuli[2].path)).read_bytes()).hexdigest()


def test_unanswered_counts_stored_answers_of_this_session_alone(booth: Prepared) -> None:
    a, _ = run(booth, Person(leaves_after=4), "A")
    b, _ = run(booth, Person(leaves_after=9), "B")
    assert unanswered(booth.store, a) == (EVERYTHING, 4)
    assert unanswered(booth.store, b) == (EVERYTHING, 9)
    with booth.store.transaction() as s:
        s.execute(delete(Response))
    assert unanswered(booth.store, b) == (EVERYTHING, 0)


def test_valence_and_questionnaires_are_asked_and_stored(booth: Prepared) -> None:
    """A questionnaire after the person's own questions; valence after each clip's adjectives, without hearing it again."""
    scale = {"question": {"en": "Agree?", "it": "D'accordo?"}, "labels": {"en": ["no", "yes"], "it": ["no", "sì"]}}
    items = [{"name": f"q{i}", "words": {"en": f"Statement {i}", "it": f"Frase {i}"}} for i in range(3)]
    asked = under(
        booth,
        affect=["valence", "arousal"],
        questionnaires=[{"name": "sounds", **scale, "low": 1, "high": 7, "items": items}],
    )
    who = Person()
    session, status = run(asked, who)
    assert status == "complete"
    assert [item for item, *_ in rows(asked, session)][8:11] == ["q0", "q1", "q2"]
    assert [v for _, v, *_ in rows(asked, session)][8:11] == [4.0] * 3
    assert [q.word for q in who.asked[8:11]] == ["Statement 0", "Statement 1", "Statement 2"]
    assert len(who.heard) == 5 + 3
    with asked.store.transaction() as s:
        query = select(Trial.block, Response.item, Response.value).join(Trial).order_by(Response.id)
        felt = [(i, v) for block, i, v in s.execute(query) if block == "affect"]
    assert felt == [("valence", 5.0), ("arousal", 5.0)] * 3
    assert who.happened.index("valence") > who.happened.index("listen")
    assert unanswered(asked.store, session) == (EVERYTHING + 3 + 6, EVERYTHING + 3 + 6)
