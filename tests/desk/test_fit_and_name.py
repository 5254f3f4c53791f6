"""A session of studies/fit-and-name.toml itself on a virtual desk: its tasks and questions, on fewer and shorter clips."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from experiment.data.store import Store
from experiment.data.tables import Response, SessionRow, Trial
from experiment.lab.desk import virtual_desk
from experiment.lab.hand import drive
from experiment.lab.reading import Page, phrases
from stimuli.generate import generate
from tastelab.study import load_study
from tests.conftest import ROOT

pytestmark = pytest.mark.desk

SHORTER = (
    ("clips_per_taste = 24 ", "clips_per_taste = 2 "),
    ("seconds = 10\n", "seconds = 1\n"),
    ("clips = 16 ", "clips = 4 "),
    ("repeats = 2 ", "repeats = 1 "),
    ("trials = 12 ", "trials = 4 "),
    ("[models]\n", "[models]\nbatch = 2\n"),
)
# What stands on the screen, written down by hand; experiment/texts and the study file are not asked.
NAMING = {
    "en": ("Which taste does this music call up?", ["sweet", "sour", "salty", "bitter", "none of these"]),
    "it": ("Quale gusto evoca questa musica?", ["dolce", "acido", "salato", "amaro", "nessuno di questi"]),
}
SURE = {
    "en": {"How sure are you?", "not at all", "completely"},
    "it": {"Con quanta sicurezza rispondi?", "nessuna", "completa"},
}
LIKED = {"en": "How much do you like this music?", "it": "Quanto ti piace questa musica?"}
FITS = {
    "en": {f"Which piece fits the taste {t} better?" for t in ("SWEET", "SOUR", "SALTY", "BITTER")},
    "it": {f"Quale brano si adatta meglio al gusto {t}?" for t in ("DOLCE", "ACIDO", "SALATO", "AMARO")},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study file with fewer and shorter clips, and these clips."""
    folder = tmp_path_factory.mktemp("fit")
    text = (ROOT / "studies" / "fit-and-name.toml").read_text(encoding="utf-8")
    for old, new in SHORTER:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file = folder / "study.toml"
    file.write_text(text, encoding="utf-8")
    loaded = load_study(file)
    made = generate(loaded.stimuli, loaded.models, folder / "outputs" / loaded.name / "stimuli")
    assert Counter(row.model for row in made) == {"base": 8, "finetuned": 8, "wrong": 8}
    return file


@pytest.mark.parametrize(("language", "keyboard"), [("en", False), ("it", True)])
def test_its_own_questions_are_answered_by_what_stands_there(
    study: Path, tmp_path: Path, language: str, keyboard: bool
) -> None:
    db = f"sqlite:///{tmp_path / 'p.db'}"
    base = [sys.executable, "-m", "tastelab.cli", "experiment", "run", "--window", "--markers", "--driven"]
    where = ["--study", str(study), "--db", db, "--out", str(study.parent / "outputs")]
    with virtual_desk() as desk:
        reader = phrases(load_study(study).experiment, language)
        session = [*base, *where, "--code", "A", "--language", language]
        done = drive(desk, session, np.random.default_rng(8), reader, None, None, 400, keyboard=keyboard)
    assert done.status == 0, done.errors
    store = Store(db)
    with store.transaction() as s:
        rows = s.execute(select(Response, Trial).join(Trial, Trial.id == Response.trial_id).order_by(Response.id)).all()
        stored = [(r.item, t.taste if t.block == "fit" else None, r.value, r.choice) for r, t in rows]
        blocks = [t.block for _, t in rows]
        plan = s.scalars(
            select(Trial).order_by(Trial.position).options(selectinload(Trial.first), selectinload(Trial.second))
        )
        trials = [t for t in plan if t.first is not None and t.block != "affect"]
        assert s.scalars(select(SessionRow.status)).all() == ["complete"]
        heard = [(t.block, t.repeated, [c.clip for c in (t.first, t.second) if c], [c.model for c in (t.first, t.second) if c]) for t in trials]  # fmt: skip
    store.close()
    assert stored == [(g["item"], g.get("taste"), g.get("value"), g.get("choice")) for g in done.given]
    assert blocks == [*["demographics"] * 8, *["identification", "identification", "affect"] * 5, *["fit"] * 4]
    # What is asked, in the study's words: four clips and one again, four pairs.
    pages = {k: [Page.of(m["shown"]) for m in done.markers if m["screen"] == k] for k in ("choice", "steps", "slider")}
    question, tastes = NAMING[language]
    naming = [p for p in pages["choice"] if any(w == question for w, _ in p.words)]
    assert len(naming) == 5
    assert all(list(p.buttons)[:5] == tastes for p in naming)
    said = [{w for w, _ in p.words} for p in pages["steps"]]
    assert sum(words >= SURE[language] for words in said) == 5
    assert sum(LIKED[language] in words for words in said) == 5
    asked = [w for p in pages["slider"] for w, _ in p.words if w in FITS[language]]
    assert set(asked) == FITS[language]
    assert len(asked) == 4
    # What sounds is what was planned: a clip again that was heard before, pairs with the base model's and the wrong prompt's.
    following = [*(m["screen"] for m in done.markers[1:]), ""]
    playing = [m["clip"] for m, then in zip(done.markers, following, strict=True) if m["screen"] == "playing" and then != "broken"]  # fmt: skip
    assert playing == [clip for _, _, clips, _ in heard for clip in clips]
    alone = [clips[0] for block, _, clips, _ in heard if block == "identification"]
    again = [clips[0] for _, repeated, clips, _ in heard if repeated]
    assert len(again) == 1
    assert Counter(alone)[again[0]] == 2
    assert len(set(alone)) == 4
    pairs = [tuple(sorted(models)) for block, _, _, models in heard if block == "fit"]
    assert set(pairs) == {("base", "finetuned"), ("finetuned", "wrong")}
