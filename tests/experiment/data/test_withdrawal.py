"""Withdrawal: everything that a person left goes, nothing of anybody else, and a tombstone stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from experiment.data.store import Store
from experiment.data.tables import Base, Participant, SessionRow, Superseded, Trial, utc_now
from experiment.data.withdrawal import studies_of, withdraw
from experiment.errors import ExperimentError
from tests.experiment.data.rows import Asked, sat

ANSWERED = [
    Asked("demographics", {"sex": (None, "female", 1.0), "age": (33.0, None, 2.0)}),
    Asked(
        "ratings",
        {"happy": (4.0, None, 3.0), "sad": (1.0, None, 4.0), "cold": (2.0, None, 5.0)},
        "sour",
        "sour-base-000",
    ),
]


def everything(store: Store) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables."""
    with store.engine.connect() as c:
        return {
            t.name: [dict(r) for r in c.execute(select(t).order_by(t.c.id)).mappings()]
            for t in Base.metadata.sorted_tables
        }


def test_all_of_a_person_goes_and_all_of_the_others_stays(store: Store) -> None:
    """Two studies and three sessions of one person, between people whose rows lie before and after."""
    sat(store, "before", ANSWERED, secret="kept")
    mine = [
        sat(store, "gone", ANSWERED, secret="UNMISTAKABLE", status="stopped"),
        sat(store, "gone", ANSWERED, secret="UNMISTAKABLE"),
        sat(store, "gone", ANSWERED[:1], "t", secret="UNMISTAKABLE", status="running"),
    ]
    sat(store, "after", ANSWERED, secret="kept", special=False)
    sat(store, "after", ANSWERED, "t", secret="kept")
    was = everything(store)
    with store.transaction() as s:
        trials = {t.id for x in mine for t in s.get_one(SessionRow, x).trials}
        person = s.scalars(select(Participant.id).where(Participant.code == "gone")).one()

    def of_others(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
        out = {name: rows[name] for name in ("study", "stimulus", "calibration")}
        for name in ("trial", "event", "screening"):
            out[name] = [r for r in rows[name] if r["session_id"] not in mine]
        out["response"] = [r for r in rows["response"] if r["trial_id"] not in trials]
        out["consent"] = [r for r in rows["consent"] if r["participant_id"] != person]
        out["session"] = [r for r in rows["session"] if r["id"] not in mine]
        out["participant"] = [r for r in rows["participant"] if r["id"] != person]
        return out

    assert withdraw(store, "gone") == {"sessions": 3, "answers": 12}
    now = everything(store)
    assert of_others(now) == of_others(was)
    left = {name: [r for r in rows if r not in of_others(now)[name]] for name, rows in now.items()}
    assert {name: len(rows) for name, rows in left.items() if rows} == {"participant": 1, "session": 3}
    tombstone = left["participant"][0]
    assert tombstone["code"] == "gone"
    assert tombstone["withdrawn_at"] is not None
    assert {(r["status"], r["calibration"], r["ended_at"]) for r in left["session"]} == {("withdrawn", None, None)}
    assert "UNMISTAKABLE" not in str(now)
    assert str(now).count("kept") > 3


def test_who_is_not_there_and_who_has_gone_before(store: Store) -> None:
    sat(store, "A", ANSWERED)
    was = everything(store)
    with pytest.raises(ExperimentError, match="participant B is not in"):
        withdraw(store, "B")
    assert everything(store) == was
    withdraw(store, "A")
    now = everything(store)
    with pytest.raises(ExperimentError, match=r"participant A has already withdrawn \(\d{4}-\d\d-\d\d\)"):
        withdraw(store, "A")
    assert everything(store) == now


def test_the_studies_of_a_person(store: Store) -> None:
    for study in ("z", "a"):
        sat(store, "A", ANSWERED, study)
    sat(store, "A", ANSWERED, "z")
    sat(store, "B", ANSWERED, "b")
    assert studies_of(store, "A") == ["a", "z"]
    assert studies_of(store, "C") == []
    withdraw(store, "A")
    assert studies_of(store, "A") == ["a", "z"]  # the tombstone still says which exports are to be made anew


@pytest.fixture
def booth(tmp_path: Path) -> Iterator[Store]:
    """A booth whose connections stay open, as during a session."""
    opened = Store(f"sqlite:///{tmp_path / 'p.db'}")
    yield opened
    opened.close()


def test_nothing_of_the_withdrawn_stays_in_the_files_while_a_booth_goes_on(booth: Store, tmp_path: Path) -> None:
    """SQLite keeps deleted rows in free pages unless told otherwise, and written pages in its log beside the file."""

    def files() -> bytes:
        return b"".join(p.read_bytes() for p in sorted(tmp_path.iterdir()))

    secret = [Asked("demographics", {"sex": (None, "UNMISTAKABLE", 1.0)})]
    sat(booth, "gone", secret, secret="UNMISTAKABLE")
    sat(booth, "stays", ANSWERED, secret="kept")
    assert files().count(b"UNMISTAKABLE") >= 5  # answer, calibration, screening, two events
    outside = Store(booth.url)
    withdraw(outside, "gone")
    outside.close()
    assert b"UNMISTAKABLE" not in files()
    assert b"kept" in files()
    sat(booth, "next", ANSWERED)  # the booth goes on
    assert len(everything(booth)["response"]) == 10


def test_answers_that_were_given_anew_go_too(store: Store) -> None:
    """Of whoever withdraws; another's stay."""
    sat(store, "A")
    sat(store, "B")
    with store.transaction() as s:
        for trial in s.scalars(select(Trial).order_by(Trial.id)):
            s.add(Superseded(trial_id=trial.id, item="sex", choice="male", answered_at=utc_now()))
        before = s.scalar(select(func.count()).select_from(Superseded))
    withdraw(store, "A")
    with store.transaction() as s:
        assert s.scalar(select(func.count()).select_from(Superseded)) == (before or 0) // 2 > 0
        kept = s.scalars(select(Participant.code).join(SessionRow).join(Trial).join(Superseded).distinct()).all()
    assert kept == ["B"]
