"""Every kind of question on a virtual desk: naming, confidence, liking, fit, adjectives, statements, pages, own ones; both hands."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from experiment.data.store import Store
from experiment.data.tables import Response, SessionRow, Trial
from experiment.lab.desk import virtual_desk
from experiment.lab.hand import WRITTEN, drive
from experiment.lab.reading import phrases
from experiment.question import JOINED
from tastelab.study import load_study

pytestmark = pytest.mark.desk

TASKS = """
[[experiment.tasks]]
kind = "page"
name = "hello"
title = { en = "Hello", it = "Ciao" }
text = { en = "Read this.", it = "Leggi." }

[[experiment.tasks]]
kind = "identification"
clips = 4
none = true
confidence = 7
after = ["liking"]
repeats = 1

[[experiment.tasks]]
kind = "questionnaire"
name = "music"
question = { en = "Agree?", it = "D'accordo?" }
labels = { en = ["no", "yes"], it = ["no", "sì"] }
items = [{ name = "plays", words = { en = "I play.", it = "Suono." } }]

[[experiment.tasks]]
kind = "preference"
name = "fit"
trials = 2
pairs = [["finetuned", "base"]]

[[experiment.tasks]]
kind = "ratings"
clips = 1
labels = { en = ["no", "yes"], it = ["no", "sì"] }
adjectives = [{ name = "hot", words = { en = "hot", it = "caldo" }, opposite = { en = "cold", it = "freddo" } }]

[[experiment.tasks]]
kind = "questions"
name = "about"
items = [
    { kind = "choice", name = "diet", question = { en = "What do you eat?", it = "Che cosa mangi?" }, options = [{ name = "all", words = { en = "Anything", it = "Tutto" } }, { name = "plants", words = { en = "Plants", it = "Piante" } }] },
    { kind = "multiple", name = "plays", question = { en = "What do you play?", it = "Che cosa suoni?" }, options = [{ name = "piano", words = { en = "Piano", it = "Pianoforte" } }, { name = "voice", words = { en = "Voice", it = "Voce" } }, { name = "none", words = { en = "Nothing", it = "Niente" } }], alone = "none" },
    { kind = "number", name = "years", question = { en = "For how many years?", it = "Da quanti anni?" }, low = 0, high = 90 },
    { kind = "text", name = "thoughts", question = { en = "What was this about?", it = "Di che cosa si trattava?" }, most = 60 },
]

[experiment.debrief]
title = { en = "What it was about", it = "Di che si trattava" }
text = { en = "Machines made the music.", it = "Musica fatta da macchine." }

"""
ABOUT = ("diet", "plays", "years", "thoughts")
DEBRIEF = {"en": "Machines made the music.", "it": "Musica fatta da macchine."}


@pytest.mark.parametrize(("language", "keyboard"), [("en", False), ("it", True)])
def test_every_kind_of_question(
    small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path, language: str, keyboard: bool
) -> None:
    text = small_study_file.read_text(encoding="utf-8")
    start, end = text.index("[experiment.preference]"), text.index("[analysis]")
    study = tmp_path / "study.toml"
    study.write_text(text[:start] + TASKS + text[end:], encoding="utf-8")
    db = f"sqlite:///{tmp_path / 'p.db'}"
    base = [sys.executable, "-m", "tastelab.cli", "experiment", "run", "--window", "--markers", "--driven"]
    session = [*base, "--study", str(study), "--db", db, "--out", str(outputs), "--code", "A", "--language", language]
    reader = phrases(load_study(study).experiment, language)
    with virtual_desk() as desk:
        done = drive(desk, session, np.random.default_rng(6), reader, None, None, 300, keyboard=keyboard)
    assert done.status == 0, done.errors
    store = Store(db)
    with store.transaction() as s:
        rows = s.execute(select(Response, Trial).join(Trial, Trial.id == Response.trial_id).order_by(Response.id)).all()
        stored = [(r.item, t.taste if t.block == "fit" else None, r.value, r.choice) for r, t in rows]
        blocks = [t.block for _, t in rows]
        own = {r.item: (r.value, r.choice, r.said) for r, t in rows if t.block == "about"}
        row = s.scalars(select(SessionRow)).one()
        assert (row.status, row.language) == ("complete", language)
    store.close()
    assert stored == [(g["item"], g.get("taste"), g.get("value"), g.get("choice")) for g in done.given]
    assert blocks == [
        *["demographics"] * 8, *["identification", "identification", "affect"] * 5, "music", "fit", "fit", "ratings",
        *["about"] * 4,
    ]  # fmt: skip
    shown = [m["screen"] for m in done.markers]
    assert shown.count("playing") == 5 + 4 + 1
    # The study's own questions, each of another kind; what was written is what was typed, letter by letter.
    assert tuple(own) == ABOUT
    assert own["diet"][1] in ("all", "plants")
    assert set(str(own["plays"][1]).split(JOINED)) <= {"piano", "voice"}
    assert 0 <= float(own["years"][0] or 0) <= 90
    assert own["thoughts"] == (None, None, WRITTEN)
    (told,) = [m for m in done.markers if any(x.get("text") == DEBRIEF[language] for x in m["shown"])]
    assert told["screen"] == "page"
    assert done.markers.index(told) > shown.index("text")
