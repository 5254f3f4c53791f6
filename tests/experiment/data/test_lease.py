"""One sitting at a time writes a session: who took it over, who may, and what becomes of the one before."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select, update

from experiment import answering, launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.config import ExperimentConfig
from experiment.data import lease
from experiment.data.lease import LostError, alive
from experiment.data.tables import Event, Response, SessionRow, Sitting, utc_now
from experiment.errors import ExperimentError
from experiment.launch import Prepared
from experiment.question import Answer
from experiment.session import run_session
from experiment.steps import Ask, next_step


def row(prepared: Prepared, session: int) -> SessionRow:
    with prepared.store.transaction() as s:
        return s.get_one(SessionRow, session)


def becomes(prepared: Prepared, session: int, **values: Any) -> None:
    with prepared.store.transaction() as s:
        s.execute(update(SessionRow).where(SessionRow.id == session).values(**values))


def elsewhere(process: int = 1) -> str:
    """Another computer's holder; or this computer's, with another process."""
    return f"booth9/1f2e/{process}"


def test_a_session_that_runs_elsewhere_is_not_taken(prepared: Prepared) -> None:
    """Until nothing was heard of it for ten minutes; then it is, and says of whom it was taken."""
    session = launch.begin(prepared, "P1", "bot", "en", "left")
    for silent in (0, 300, 590):
        becomes(prepared, session, holder=elsewhere(), alive_at=utc_now() - timedelta(seconds=silent))
        with pytest.raises(
            ExperimentError, match=r"P1 runs at left \(last sign of life \d+ s ago\); end it there"
        ) as said:
            launch.resume(prepared, "P1", station="right")
        assert len(str(said.value).splitlines()) == 1
        assert row(prepared, session).station == "left"
    becomes(prepared, session, alive_at=utc_now() - timedelta(seconds=610))
    assert launch.resume(prepared, "P1", station="right") == (session, "en")
    assert (row(prepared, session).station, row(prepared, session).holder) == ("right", lease.holder())
    # A stopped one is anybody's.
    becomes(prepared, session, status="stopped", holder=elsewhere(), alive_at=utc_now())
    assert launch.resume(prepared, "P1") == (session, "en")


def test_a_clock_that_was_set_back_keeps_nobody_waiting_longer_than_silence(prepared: Prepared) -> None:
    """The last sign of life stands in the future then: it was -259200 s ago, and the session nobody's for three days."""
    session = launch.begin(prepared, "P1", "bot", "en", "left")
    for ahead in (1, 590):  # two clocks are never alike
        becomes(prepared, session, holder=elsewhere(), alive_at=utc_now() + timedelta(seconds=ahead))
        with pytest.raises(ExperimentError, match=r"runs at left \(last sign of life 0 s ago\); end it there"):
            launch.resume(prepared, "P1", station="right")
    becomes(prepared, session, alive_at=utc_now() + timedelta(days=3))
    assert launch.resume(prepared, "P1", station="right") == (session, "en")


def test_a_process_of_this_computer_that_died_holds_nothing(prepared: Prepared) -> None:
    """A booth whose program crashed goes on at once; one that is open in another window does not."""
    session = launch.begin(prepared, "P1", "bot", "en", "left")
    place = lease.holder().rpartition("/")[0]
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    becomes(prepared, session, holder=f"{place}/{child.pid}", alive_at=utc_now())
    with pytest.raises(ExperimentError, match="runs at left"):
        launch.resume(prepared, "P1")
    with pytest.raises(subprocess.TimeoutExpired):  # being asked about does a program no harm
        child.wait(0.3)
    child.kill()
    child.wait()
    assert launch.resume(prepared, "P1")[0] == session
    assert lease.holder().endswith(f"/{os.getpid()}")


def answer_one(prepared: Prepared, stored: Any) -> Any:
    """Agree, or answer the next question."""
    config = prepared.config
    if stored.special is None:
        return answering.agreed(prepared.store, stored, config, True, True, 1.0)
    step = next_step(stored, config)
    assert isinstance(step, Ask)
    given = (
        Answer(value=30.0) if step.question.kind == "number" else Answer(choice=next(iter(step.question.options or {})))
    )
    return answering.answered(prepared.store, stored, step, given, config, 1.0)


def test_who_was_taken_over_writes_nothing_any_more(prepared: Prepared) -> None:
    """However long it was away: what it answered before stays, and every kind of write is refused in one line."""
    session = launch.begin(prepared, "P1", "bot", "en", "left")
    first = answering.started(prepared.store, session)
    for _ in range(3):
        first = answer_one(prepared, first)
    becomes(prepared, session, alive_at=utc_now() - timedelta(hours=2))
    first = answer_one(prepared, first)  # late, but nobody took it: it is still its holder's
    launch.resume(prepared, "P1", station="right")
    second = answering.started(prepared.store, session)
    assert second.answered == first.answered
    step = next_step(first, prepared.config)
    assert isinstance(step, Ask)
    store, config = prepared.store, prepared.config
    writes = [
        lambda: answering.answered(store, first, step, Answer(choice="none"), config, 2.0),
        lambda: answering.seen(store, first, "sound", 2.0),
        lambda: answering.level(store, first, -3.0, -24, 2.0),
        lambda: answering.heard(store, first, "heard:1", first.plan[1].id, []),
        lambda: answering.back(store, first, step, 2.0),
        lambda: answering.stopped(store, first, 2.0),
    ]
    with store.transaction() as s:
        before = [s.scalar(select(func.count()).select_from(t)) for t in (Response, Event)]
    for write in writes:
        with pytest.raises(LostError, match="this session goes on at right, in a later sitting") as said:
            write()
        assert said.value.status is None
    with store.transaction() as s:
        assert [s.scalar(select(func.count()).select_from(t)) for t in (Response, Event)] == before
    assert row(prepared, session).status == "running"
    third = answer_one(prepared, second)
    assert len(third.answered) == len(first.answered) + 1


def test_a_booth_that_was_taken_over_says_so_and_ends(prepared: Prepared) -> None:
    session = launch.begin(prepared, "P1", "bot", "en", "left")

    class TakenOver(Bot):
        asked = 0

        def ask(self, *given: Any) -> Answer:
            self.asked += 1
            if self.asked == 5:
                launch.resume(prepared, "P1", station="right")
                answering.started(prepared.store, session)
            return super().ask(*given)

    bot = TakenOver(prepared.config, load_effects(), np.random.default_rng(1), 0)
    with pytest.raises(ExperimentError, match="goes on at right"):
        run_session(prepared.store, session, prepared.config, bot)
    assert row(prepared, session).status == "running"
    with prepared.store.transaction() as s:
        assert s.scalar(select(func.count()).select_from(Response)) == 4


def test_what_belongs_to_a_booth_stays_there(prepared: Prepared) -> None:
    """Each sitting has the gain of its own station; what the first one was played at stands beside."""
    station = ExperimentConfig.model_validate(prepared.config.model_dump() | {"level": {"by": "station", "dba": 65}})
    asked = Prepared(prepared.store, prepared.study_id, station, prepared.stimuli)
    left, right = ({"by": "station", "gain_db": g} for g in (-3.0, -9.5))
    session = launch.begin(asked, "P1", "bot", "en", "left", left)
    assert answering.started(asked.store, session).gain_db == -3.0
    launch.resume(asked, "P1", station="left")
    assert answering.started(asked.store, session).gain_db == -3.0
    launch.resume(asked, "P1", station="right", calibration=right)
    assert answering.started(asked.store, session).gain_db == -9.5
    launch.resume(asked, "P1", station="third")
    stored = answering.started(asked.store, session)
    assert stored.gain_db is None  # a station without a level of its own plays at nobody else's
    answering.level(asked.store, stored, -6.0, -24, 1.0)
    with asked.store.transaction() as s:
        sittings = s.scalars(select(Sitting).order_by(Sitting.number)).all()
        told = [(x.number, x.station, (x.calibration or {}).get("gain_db")) for x in sittings]
    assert told == [(1, "left", -3.0), (2, "left", -3.0), (3, "right", -9.5), (4, "third", -6.0)]


def test_signs_of_life_are_given_while_somebody_reads(prepared: Prepared) -> None:
    session = launch.begin(prepared, "P1", "bot", "en", "left")
    stored = answering.started(prepared.store, session)
    old = utc_now() - timedelta(hours=1)
    becomes(prepared, session, alive_at=old)
    with alive(prepared.store, session, stored.sitting, every=0.05):
        deadline = time.monotonic() + 20
        while (row(prepared, session).alive_at or old).replace(tzinfo=old.tzinfo) <= old:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    becomes(prepared, session, alive_at=old)
    time.sleep(0.2)
    assert (row(prepared, session).alive_at or old).replace(tzinfo=old.tzinfo) == old  # and none after


def test_simulated_people_finish_nobody_else_s_session(prepared: Prepared) -> None:
    """A session that a person began under a bot's code, in an older version, is left alone."""
    session = launch.begin(prepared, "bot-1-0000", "bot", "en", "left")
    becomes(prepared, session, kind="person")
    with pytest.raises(ExperimentError, match="bot-1-0000 already has a session"):
        launch.simulate(prepared, load_effects(), 1, 1)
    assert row(prepared, session).status == "running"
