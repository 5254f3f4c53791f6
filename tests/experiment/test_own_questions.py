"""A study's own questions, its debrief and its last page: asked, stored, kept apart, exported, on glass and by messages."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sqlalchemy import func, select, text

from analysis.data.frames import load
from experiment import answering, launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.bots.remote import run_remote
from experiment.config import ExperimentConfig
from experiment.data.exports.write import export
from experiment.data.replay import timeline
from experiment.data.store import Store
from experiment.data.tables import Response, Stimulus, Superseded, Trial
from experiment.data.withdrawal import withdraw
from experiment.errors import ExperimentError
from experiment.lab.hand import WRITTEN
from experiment.lab.reading import phrases
from experiment.lab.screens import Screens
from experiment.launch import Prepared
from experiment.question import Answer, Question
from experiment.session import run_session
from experiment.steps import Ask, Consent, Page, next_step
from experiment.wire import Engine
from tests.experiment.lab.glass import GlassHand, World

SECRET = "My name is Ada Lovelace."
TWO = ("en", "it")
OPTIONS = [
    {"name": "piano", "words": {"en": "Piano", "it": "Pianoforte"}},
    {"name": "guitar", "words": {"en": "Guitar", "it": "Chitarra"}},
    {"name": "voice", "words": {"en": "Voice", "it": "Voce"}},
    {"name": "none", "words": {"en": "None of these", "it": "Nessuno di questi"}},
]
OWN: dict[str, Any] = {
    "kind": "questions", "name": "about_you", "items": [
        {"kind": "choice", "name": "diet", "question": {"en": "What do you eat?", "it": "Che cosa mangi?"},
         "options": [{"name": "all", "words": {"en": "Anything", "it": "Tutto"}}, {"name": "plants", "words": {"en": "Plants", "it": "Piante"}}]},
        {"kind": "multiple", "name": "plays", "question": {"en": "What do you play?", "it": "Che cosa suoni?"}, "options": OPTIONS, "alone": "none"},
        {"kind": "number", "name": "years", "question": {"en": "How many years?", "it": "Quanti anni?"}, "low": 0, "high": 1900},
        {"kind": "text", "name": "thoughts", "question": {"en": "What was it about?", "it": "Di che cosa si trattava?"}, "most": 60},
    ],
}  # fmt: skip
NOTICES = {
    "debrief": {"title": {"en": "What it was about", "it": "Di che si trattava"}, "text": {"en": "Machines made the music.", "it": "Musica fatta da macchine."}},
    "completion": {"title": {"en": "Done", "it": "Fatto"}, "text": {"en": "Show {code} at the desk.", "it": "Mostra {code} alla cassa."}},
}  # fmt: skip
NAMING = {"kind": "identification", "clips": 2}


def config(**more: Any) -> ExperimentConfig:
    words = {"en": {"sweet": "sweet", "sour": "sour"}, "it": {"sweet": "dolce", "sour": "acido"}}
    table = {
        "languages": TWO,
        "taste_words": words,
        "tasks": [NAMING, OWN],
        "demographics": ["age"],
        "replays": 0,
        **NOTICES,
    }
    return ExperimentConfig.model_validate(table | more)


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Callable[..., Prepared]]:
    stores: list[Store] = []

    def enter(asked: ExperimentConfig | None = None) -> Prepared:
        asked = asked or config()
        store = Store(f"sqlite:///{tmp_path / f'p{len(stores)}.db'}")
        stores.append(store)
        study = store.ensure_study("s", "S", {"experiment": asked.model_dump(mode="json")})
        rows = []
        for taste in ("sweet", "sour"):
            path = tmp_path / f"{taste}.wav"
            path.write_bytes(taste.encode())
            digest = hashlib.sha256(taste.encode()).hexdigest()
            rows.append({"clip": taste, "taste": taste, "model": "a", "number": 0, "path": str(path), "sha256": digest, "seconds": 0.5})  # fmt: skip
        return Prepared(store, study, asked, store.ensure_stimuli(study, rows))

    yield enter
    for store in stores:
        store.close()


def begun(prepared: Prepared, code: str = "A", language: str = "en", kind: str = "person") -> int:
    return launch.begin(prepared, code, kind, language, "booth-1")


def rows_of(store: Store) -> list[tuple[Any, ...]]:
    with store.transaction() as s:
        query = select(Response.item, Response.value, Response.choice, Response.said).order_by(Response.id)
        return [tuple(r) for r in s.execute(query)]


def bot(prepared: Prepared) -> Bot:
    return Bot(prepared.config, load_effects(None), np.random.default_rng(5), 5)


def at_the(prepared: Prepared, item: str, session: int) -> tuple[answering.Stored, Ask]:
    """A session up to a question, answered by a bot."""
    stored = answering.started(prepared.store, session)
    someone = bot(prepared)
    while True:
        step = next_step(stored, prepared.config)
        if isinstance(step, Ask) and step.question.item == item:
            return stored, step
        from experiment.session import perform

        stored = perform(step, prepared.store, stored, prepared.config, someone, 0.0)


@pytest.mark.parametrize("keyboard", [False, True])
@pytest.mark.parametrize("language", TWO)
def test_what_was_read_and_meant_is_what_is_stored(
    glass: World, ready: Callable[..., Prepared], language: str, keyboard: bool
) -> None:
    prepared = ready()
    hand = GlassHand(glass, np.random.default_rng(2), phrases(prepared.config, language), keyboard)
    screens = Screens(language, 0, marker=hand.answer)
    session = begun(prepared, language=language)
    assert run_session(prepared.store, session, prepared.config, screens) == "complete"
    screens.close()
    stored = rows_of(prepared.store)
    assert [(item, value, choice) for item, value, choice, _ in stored] == [
        (g["item"], g.get("value"), g.get("choice")) for g in hand.given
    ]
    assert [r[0] for r in stored] == ["age", "identification", "identification", "diet", "plays", "years", "thoughts"]
    assert [r[3] for r in stored] == [None] * 6 + [WRITTEN]
    # Nothing special is asked, so that no consent to it is either; debrief and last page are the study's own.
    assert "special" not in hand.screens
    last = [page.words for screen, page in hand.pages if screen == "page"][-2:]
    notices = [(n["title"][language], n["text"][language].format(code="A")) for n in NOTICES.values()]
    assert [{w for w, _ in words} for words in last] == [set(n) for n in notices]


def test_what_is_asked_of_a_person_may_be_chosen(ready: Callable[..., Prepared]) -> None:
    """In the file's order; with none of the special categories there is no second consent."""
    prepared = ready(config(demographics=["device", "age"]))
    session = begun(prepared)
    stored = answering.read(prepared.store, session)
    assert stored.plan[0].items == ["device", "age"]
    consent = next_step(stored, prepared.config)
    assert isinstance(consent, Consent)
    assert not consent.special
    asked = ready(config(demographics=["ethnicity", "age"]))
    first = next_step(answering.read(asked.store, begun(asked)), asked.config)
    assert isinstance(first, Consent)
    assert first.special
    nobody = ready(config(demographics=[], minimum_age=0))
    assert [t.block for t in answering.read(nobody.store, begun(nobody)).plan] == ["identification"] * 2 + ["about_you"]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"demographics": ["sex"]}, "leave out the age, and minimum_age = 18: nobody would be held to it"),
        ({"demographics": ["age", "age"]}, "named twice: age"),
        ({"demographics": ["shoe_size"]}, "Input should be 'sex'"),
        ({"debrief": {"title": {"en": "x"}, "text": {"en": "y"}}}, "debrief has no title or text in 'it'"),
        ({"completion": {**NOTICES["completion"], "text": {"en": "{name}", "it": ""}}}, "may have {code}, and no other braces"),
        ({"completion": {**NOTICES["completion"], "text": {"en": "{", "it": ""}}}, "text.en: "),
        ({"tasks": [NAMING, OWN, {**OWN, "name": "again"}]}, "questions are named twice: diet, plays, years, thoughts"),
    ],
)  # fmt: skip
def test_what_can_not_be_run_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        config(**table)


def test_a_debrief_comes_once_all_is_answered_and_before_the_last_page(ready: Callable[..., Prepared]) -> None:
    prepared = ready()
    stored, step = at_the(prepared, "thoughts", begun(prepared))
    stored = answering.answered(prepared.store, stored, step, Answer(said="x"), prepared.config, 1.0)
    told = next_step(stored, prepared.config)
    assert told == Page("debrief", "What it was about", "Machines made the music.")
    assert answering.read(prepared.store, stored.session_id).status == "running"
    stored = answering.seen(prepared.store, stored, told.id, 2.0)
    last = next_step(stored, prepared.config)
    assert last == Page("end", "Done", "Show A at the desk.")
    assert answering.seen(prepared.store, stored, last.id, 3.0).status == "complete"


def test_free_text_leaves_only_where_that_is_asked_for(ready: Callable[..., Prepared], tmp_path: Path) -> None:
    """Not by exports, not by replays, not by what analyses read; where it does, a spreadsheet runs none of it."""
    prepared = ready()
    stored, step = at_the(prepared, "thoughts", begun(prepared))
    written = Answer(said=f"={SECRET}", response_time=2.0)
    answering.answered(prepared.store, stored, step, written, prepared.config, 1.0)
    for format in ("csv", "psychds", "bids", "psychopy"):
        folder, _ = export(prepared.store, "s", format, tmp_path / "out")
        files = [p.read_text("utf-8") for p in folder.rglob("*") if p.is_file()]
        assert files
        assert not any("Ada" in x for x in files)
        folder, _ = export(prepared.store, "s", format, tmp_path / "free", free=True)
        files = [p.read_text("utf-8") for p in folder.rglob("*") if p.is_file()]
        assert sum(f"'={SECRET}" in x for x in files) == 1
        if format == "csv":
            (table,) = folder.rglob("*.csv")
            rows = list(csv.DictReader(table.open(encoding="utf-8")))
            assert [r["said"] for r in rows] == [""] * 6 + [f"'={SECRET}"]
    assert "Ada" not in json.dumps(timeline(prepared.store, prepared.study_id, "A"))
    data = load(prepared.store.engine, "s")
    assert "Ada" not in repr([f.to_csv() for f in (data.people, data.identification)])
    assert "Ada" not in repr(written)


def test_a_withdrawal_takes_the_text(ready: Callable[..., Prepared]) -> None:
    prepared = ready()
    stored, step = at_the(prepared, "thoughts", begun(prepared))
    answering.answered(prepared.store, stored, step, Answer(said=SECRET), prepared.config, 1.0)
    withdraw(prepared.store, "A")
    assert rows_of(prepared.store) == []


def test_who_takes_a_text_back_leaves_nothing_of_it(ready: Callable[..., Prepared], tmp_path: Path) -> None:
    """That there was another answer stays, as of every question; what it said does not."""
    again = {**OWN["items"][3], "name": "more"}
    prepared = ready(config(tasks=[NAMING, {**OWN, "items": [OWN["items"][3], again]}]))
    stored, step = at_the(prepared, "more", begun(prepared))
    with prepared.store.engine.begin() as connection:
        connection.execute(text("UPDATE response SET said = :said WHERE item = 'thoughts'"), {"said": SECRET})
    assert step.question.back
    stored = answering.back(prepared.store, stored, step, 1.0)
    anew = next_step(stored, prepared.config)
    assert isinstance(anew, Ask)
    assert anew.question.item == "thoughts"
    answering.answered(prepared.store, stored, anew, Answer(said=""), prepared.config, 2.0)
    with prepared.store.transaction() as s:
        assert s.scalar(select(func.count()).select_from(Superseded)) == 1
    assert ("thoughts", None, None, None) in rows_of(prepared.store)
    prepared.store.close()
    whole = b"".join(p.read_bytes() for p in tmp_path.glob("p0.db*"))
    assert b"thoughts" in whole
    assert SECRET.encode() not in whole


def test_a_text_is_one_line_of_letters_and_never_told_in_an_error(ready: Callable[..., Prepared]) -> None:
    prepared = ready()
    stored, step = at_the(prepared, "thoughts", begun(prepared))
    with pytest.raises(ExperimentError, match="thoughts: a text of 96 characters, 0 to 60 may be") as error:
        answering.answered(prepared.store, stored, step, Answer(said=SECRET * 4), prepared.config, 1.0)
    assert "Ada" not in str(error.value)
    given = Answer(said=" a\nb\x00\tc  d\u200e\u0639 ")
    answering.answered(prepared.store, stored, step, given, prepared.config, 1.0)
    assert rows_of(prepared.store)[-1] == ("thoughts", None, None, "a b c d \u0639")
    # The same once more changes nothing; another is refused.
    answering.answered(prepared.store, stored, step, given, prepared.config, 1.0)
    with pytest.raises(ExperimentError, match="thoughts was answered already") as error:
        answering.answered(prepared.store, stored, step, Answer(said=SECRET), prepared.config, 1.0)
    assert "Ada" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("voice;piano", "piano;voice"), ("guitar", "guitar"), ("none", "none"), ("piano;guitar;voice", "piano;guitar;voice"),
        ("", None), ("none;piano", None), ("drums", None), ("piano;piano", None), (None, None),
    ],
)  # fmt: skip
def test_several_options_are_kept_in_the_question_s_order(
    ready: Callable[..., Prepared], given: str | None, kept: str | None
) -> None:
    prepared = ready()
    stored, step = at_the(prepared, "plays", begun(prepared))
    if kept is None:
        with pytest.raises(ExperimentError, match="plays: these options can't be chosen together"):
            answering.answered(prepared.store, stored, step, Answer(choice=given), prepared.config, 1.0)
    else:
        answering.answered(prepared.store, stored, step, Answer(choice=given), prepared.config, 1.0)
    assert [r[2] for r in rows_of(prepared.store) if r[0] == "plays"] == ([] if kept is None else [kept])


def test_bots_answer_them_alike_here_and_by_messages(ready: Callable[..., Prepared]) -> None:
    """Each message twice, as if its answer had been lost."""
    here, there = ready(), ready()
    assert run_session(here.store, begun(here, kind="bot"), here.config, bot(here)) == "complete"

    def call(message: dict[str, Any]) -> dict[str, Any]:
        for _ in range(2):
            answer = Engine(there.store).answer(json.loads(json.dumps(message)))
        return dict(json.loads(json.dumps(answer)))

    with there.store.transaction() as s:
        ear = {c.id: c for c in s.scalars(select(Stimulus))}
    assert run_remote(call, begun(there, kind="bot"), bot(there), ear) == "complete"
    assert rows_of(here.store) == rows_of(there.store)
    assert rows_of(here.store)[-1] == ("thoughts", None, None, "simulated")


def test_many_bots_give_every_possible_answer_and_no_other(ready: Callable[..., Prepared]) -> None:
    prepared = ready()
    someone, plays = (
        bot(prepared),
        Question("plays", "multiple", "?", {o["name"]: "" for o in OPTIONS}, 1, 3, alone="none"),
    )
    trial = Trial(block="about_you")
    found = {str(someone.ask(plays, trial, (0, 1)).choice) for _ in range(300)}
    assert found == {
        "piano", "guitar", "voice", "none", "piano;guitar", "piano;voice", "guitar;voice", "piano;guitar;voice"
    }  # fmt: skip
    years = Question("years", "number", "?", low=3, high=5)
    assert {someone.ask(years, trial, (0, 1)).value for _ in range(60)} == {3.0, 4.0, 5.0}


def test_analyses_know_what_was_chosen_of_ones_own(ready: Callable[..., Prepared]) -> None:
    """Of one answer; not what is counted or written, and not several."""
    prepared = ready()
    for code in ("bot-1", "bot-2"):
        run_session(prepared.store, begun(prepared, code, kind="bot"), prepared.config, bot(prepared))
    people = load(prepared.store.engine, "s").people
    assert sorted(people.columns) == ["age", "diet", "language", "participant", "status"]
    assert set(people["diet"]) <= {"all", "plants"}
