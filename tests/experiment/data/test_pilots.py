"""Pilots bind a study to nothing, stand in no analysis by default, and go whole."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, func, select

from analysis.data.frames import load
from experiment.data.pilots import IMPORTED, discard
from experiment.data.store import Store
from experiment.data.tables import Base, Consent, Participant, SessionRow
from experiment.errors import ExperimentError
from tests.experiment.data.rows import sat

CLIP = {"clip": "sweet-base-000", "taste": "sweet", "model": "base", "number": 0, "path": None}


def counts(store: Store) -> dict[str, int]:
    with store.engine.connect() as c:
        return {
            t.name: c.execute(select(func.count()).select_from(t)).scalar_one() for t in Base.metadata.sorted_tables
        }


def test_pilots_go_whole_and_nothing_else_does(store: Store) -> None:
    """Two pilots, one of whom takes part in earnest too, one in another study; and others beside."""
    sat(store, "A")
    sat(store, "B", study="t")
    kept = counts(store)
    sat(store, "P1", kind="pilot", secret="tried")
    sat(store, "A", kind="pilot", secret="tried")
    sat(store, "B", kind="pilot", secret="tried")
    assert discard(store, "s") == 3
    now = counts(store)
    # Whoever takes part in earnest agreed to that: both consents of A are to the study.
    assert now == kept | {"consent": kept["consent"] + 1}
    with store.transaction() as s:
        assert sorted(s.scalars(select(Participant.code))) == ["A", "B"]
        assert s.scalar(select(func.count()).select_from(SessionRow).where(SessionRow.kind == "pilot")) == 0
        studies = s.execute(select(Participant.code, Consent.study_id).join(Consent).order_by(Consent.id)).all()
    assert [code for code, _ in studies].count("B") == 1
    assert discard(store, "s") == 0
    assert discard(store, "nothing") == 0


@pytest.mark.parametrize("kind", ["bot", "imported", "pilot"])
def test_what_is_no_data_goes_and_people_stay(store: Store, kind: str) -> None:
    for other in ("person", "driven", "bot", "imported", "pilot"):
        sat(store, f"of-{other}", kind=other)
    assert discard(store, "s", kind) == 1
    with store.transaction() as s:
        assert set(s.scalars(select(SessionRow.kind))) == {"person", "driven", "bot", "imported", "pilot"} - {kind}
        assert set(s.scalars(select(Participant.code))) == {
            f"of-{other}" for other in ("person", "driven", "bot", "imported", "pilot") if other != kind
        }


@pytest.mark.parametrize("kind", ["person", "driven"])
def test_people_who_took_part_are_not_discarded(store: Store, kind: str) -> None:
    sat(store, "A", kind=kind)
    with pytest.raises(ValueError, match="people withdraw"):
        discard(store, "s", kind)
    assert counts(store)["session"] == 1


def test_where_only_simulated_people_bind_a_study_it_is_said_how_they_go(store: Store) -> None:
    first: dict[str, Any] = {"experiment": {"unheard": 1}}
    study_id = store.ensure_study("s", "S", first)
    sat(store, "B", kind="bot")
    sat(store, "P", kind="pilot")
    with pytest.raises(ExperimentError, match=r"under another.*Only simulated people.*discard-bots"):
        store.ensure_study("s", "S", {"experiment": {"unheard": 2}})
    sat(store, "A")
    with pytest.raises(ExperimentError, match="under another") as told:
        store.ensure_study("s", "S", {"experiment": {"unheard": 2}})
    assert "simulated" not in str(told.value)
    with store.transaction() as s:
        s.execute(delete(SessionRow).where(SessionRow.kind == "person"))
    assert discard(store, "s", "bot") == 1
    assert store.ensure_study("s", "S", {"experiment": {"unheard": 2}}) == study_id


def test_a_study_that_was_only_tried_out_may_change(store: Store) -> None:
    """Its design and its clips; with one person in earnest neither."""
    first: dict[str, Any] = {"experiment": {"unheard": 1}}
    study_id = store.ensure_study("s", "S", first)
    store.ensure_stimuli(study_id, [{**CLIP, "sha256": "1" * 64}])
    sat(store, "P", kind="pilot")
    assert store.ensure_study("s", "S", {"experiment": {"unheard": 2}}) == study_id
    store.ensure_stimuli(study_id, [{**CLIP, "sha256": "2" * 64}])
    sat(store, "A")
    with pytest.raises(ExperimentError, match="already has sessions under another"):
        store.ensure_study("s", "S", first)
    with pytest.raises(ExperimentError, match="differs from the one that earlier sessions heard"):
        store.ensure_stimuli(study_id, [{**CLIP, "sha256": "3" * 64}])


def test_pilots_are_analysed_where_they_are_asked_for(store: Store) -> None:
    sat(store, "P", kind="pilot")
    sat(store, "B", kind="bot")
    assert load(store.engine, "s").kind == "bot"
    assert load(store.engine, "s", "pilot").label == "PILOT"


def test_imports_go_whole_and_what_others_heard_stays(store: Store) -> None:
    """Clips that no file of ours is known of among it, and those of another study."""
    sat(store, "A")
    sat(store, "imp-3", kind="imported", study="t")
    kept = counts(store)
    sat(store, "imp-1", kind="imported")
    sat(store, "imp-2", kind="imported")
    assert discard(store, "s", IMPORTED) == 2
    assert counts(store) == kept
    assert discard(store, "s", IMPORTED) == 0
