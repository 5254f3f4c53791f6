"""Sessions through the engine with bots: balance, resumption, withdrawal, export."""

from __future__ import annotations

import csv
import threading
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select, text

from experiment import launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.data.connect import create, migrate
from experiment.data.exports.write import export
from experiment.data.store import Store
from experiment.data.tables import Participant, Response, SessionRow, Trial
from experiment.data.withdrawal import withdraw
from experiment.errors import ExperimentError
from experiment.launch import Prepared
from experiment.question import Answer
from experiment.session import Stopped, run_session, unanswered

ANSWERS = 8 + 5 + 3 * 12


def test_migrations_go_up_and_down(tmp_path: Path) -> None:
    engine = create(f"sqlite:///{tmp_path / 'x.db'}")
    migrate(engine)
    with engine.connect() as c:
        assert c.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert c.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert c.execute(text("PRAGMA synchronous")).scalar() == 2
    migrate(engine, "base")
    with engine.connect() as c:
        left = set(c.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars())
    assert left <= {"alembic_version"}


def test_models_and_migrations_agree(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from experiment.data.tables import Base

    with store.engine.connect() as c:
        assert compare_metadata(MigrationContext.configure(c), Base.metadata) == []


def test_bots_fill_the_plan_and_are_not_run_twice(prepared: Prepared) -> None:
    assert launch.simulate(prepared, load_effects(), 6, seed=1) == 6
    assert launch.simulate(prepared, load_effects(), 8, seed=1) == 2
    with prepared.store.transaction() as s:
        assert s.scalar(select(func.count(Response.id))) == 8 * ANSWERS
        rows = s.scalars(select(SessionRow).order_by(SessionRow.id)).all()
        assert [r.design_row for r in rows] == list(range(8))
        assert {r.status for r in rows} == {"complete"}
        assert {r.kind for r in rows} == {"bot"}


class Quitter(Bot):
    """Stops after some answers, as a person who leaves."""

    left = 20

    def ask(self, *args, **kwargs) -> Answer:
        if self.left == 0:
            raise Stopped
        self.left -= 1
        return super().ask(*args, **kwargs)


def _bot(prepared: Prepared, kind: type[Bot] = Bot) -> Bot:
    return kind(prepared.config, load_effects(), np.random.default_rng(0), 0)


def test_a_stopped_session_goes_on_at_the_next_unanswered_item(prepared: Prepared) -> None:
    first = launch.begin(prepared, "A", "driven" if False else "bot", "en", "x")
    assert run_session(prepared.store, first, prepared.config, _bot(prepared, Quitter)) == "stopped"
    assert unanswered(prepared.store, first) == (ANSWERS, 20)
    second = launch.begin(prepared, "B", "bot", "en", "x")
    with prepared.store.transaction() as s:
        assert s.get_one(SessionRow, second).design_row == 0  # the dropout gave its row back
    assert launch.resume(prepared, "A") == (first, "en")
    assert run_session(prepared.store, first, prepared.config, _bot(prepared)) == "complete"
    assert unanswered(prepared.store, first) == (ANSWERS, ANSWERS)
    with pytest.raises(ExperimentError, match="complete"):
        launch.resume(prepared, "A")
    with pytest.raises(ExperimentError, match="already has a session"):
        launch.begin(prepared, "A", "bot", "en", "x")


def test_two_booths_never_take_the_same_row(prepared: Prepared) -> None:
    errors: list[Exception] = []

    def booth(name: str) -> None:
        try:
            for i in range(8):
                launch.begin(prepared, f"{name}{i}", "bot", "en", name)
        except Exception as error:  # shown below
            errors.append(error)

    threads = [threading.Thread(target=booth, args=(n,)) for n in "abc"]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert errors == []
    with prepared.store.transaction() as s:
        rows = list(s.scalars(select(SessionRow.design_row)))
    assert sorted(rows) == list(range(24))


def test_withdrawal_leaves_a_tombstone_and_exports_forget(prepared: Prepared, tmp_path: Path) -> None:
    launch.simulate(prepared, load_effects(), 3, seed=1)
    folder, data = export(prepared.store, "s", "csv", tmp_path)
    path = folder / "s.csv"
    assert len(data.rows) == 3 * (ANSWERS - 3)  # special categories are left out
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert {r["participant"] for r in rows} == {"1", "2", "3"}
    assert "bot-" not in path.read_text()
    assert all("-" in r["choice"] for r in rows if r["item"] == "age")
    gone = withdraw(prepared.store, "bot-1-0001")
    assert (gone.study, gone.sessions, gone.answers) == ("s", 1, ANSWERS)
    assert len(export(prepared.store, "s", "csv", tmp_path)[1].rows) == 2 * (ANSWERS - 3)
    with prepared.store.transaction() as s:
        assert s.scalar(select(Participant).where(Participant.code == "bot-1-0001")) is None
        person = s.scalars(select(Participant).where(Participant.withdrawn_at.is_not(None))).one()
        assert (
            s.scalar(select(func.count(Trial.id)).join(SessionRow).where(SessionRow.participant_id == person.id)) == 0
        )
    assert withdraw(prepared.store, "bot-1-0001").answers == 0


def test_another_design_under_the_same_name_is_refused(prepared: Prepared) -> None:
    launch.simulate(prepared, load_effects(), 1, seed=1)
    with pytest.raises(ExperimentError, match="another"):
        prepared.store.ensure_study("s", "S", {"experiment": {"other": 1}})


def test_bad_urls_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="not a database URL"):
        Store("nonsense")
    with pytest.raises(ExperimentError, match="does not exist"):
        Store(f"sqlite:///{tmp_path}/no/such/x.db")
