"""Pilots bind a study to nothing, stand in no analysis by default, and go whole."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from analysis.data.frames import load
from experiment.data.pilots import discard
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
