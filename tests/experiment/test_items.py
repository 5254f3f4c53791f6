"""Sessions of several kinds of task: what is asked in which order, on glass and by bots."""

from __future__ import annotations

import csv
import hashlib
import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from experiment import launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.config import ExperimentConfig
from experiment.data.exports.tidy import tidy
from experiment.data.exports.write import export
from experiment.data.queries import status_rows
from experiment.data.store import Header, Store
from experiment.data.tables import Response, SessionRow, Trial
from experiment.design import plan
from experiment.errors import ExperimentError
from experiment.items import every_question
from experiment.lab.reading import phrases
from experiment.lab.screens import Screens
from experiment.launch import Prepared
from experiment.session import Stopped, run_session, unanswered
from experiment.tasks.task import Clip
from tests.experiment.lab.glass import GlassHand, World

WORDS = {"en": {"sweet": "sweet", "sour": "sour"}, "it": {"sweet": "dolce", "sour": "acido"}}
SCALES = {
    "labels": {"en": ["no", "yes"], "it": ["no", "sì"]},
    "adjectives": [{"name": "hot", "words": {"en": "hot", "it": "caldo"}}],
}
TASKS: list[dict[str, Any]] = [
    {"kind": "page", "name": "hello", "title": {"en": "Hello", "it": "Ciao"}, "text": {"en": "Read this.", "it": "Leggi."}},
    {"kind": "identification", "clips": 4, "none": True, "confidence": 7, "after": ["liking"], "repeats": 1},
    {
        "kind": "questionnaire", "name": "music", "question": {"en": "Agree?", "it": "D'accordo?"},
        "labels": {"en": ["no", "yes"], "it": ["no", "sì"]}, "items": [{"name": "plays", "words": {"en": "I play.", "it": "Suono."}}],
    },
    {"kind": "preference", "name": "fit", "pairs": [["new", "old"]], "trials": 2, "low": 0, "high": 100, "after": ["liking"]},
    {"kind": "ratings", "name": "words", "clips": 2, "conditions": ["old"], **SCALES},
    {"kind": "page", "name": "bye", "title": {"en": "Nearly", "it": "Quasi"}, "text": {"en": "Thanks.", "it": "Grazie."}},
]  # fmt: skip


def config(**more: Any) -> ExperimentConfig:
    table = {"languages": ["en", "it"], "taste_words": WORDS, "tasks": TASKS, "seed": 3, "replays": 0} | more
    return ExperimentConfig.model_validate(table)


@pytest.fixture
def ready(tmp_path: Path) -> Any:
    asked = config()
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    study = store.ensure_study("s", "S", {"experiment": asked.model_dump(mode="json")})
    rows = []
    for taste in ("sweet", "sour"):
        for model in ("old", "new"):
            for n in range(8):
                path = tmp_path / f"{taste}-{model}-{n}.wav"
                path.write_bytes(path.name.encode())
                digest = hashlib.sha256(path.name.encode()).hexdigest()
                rows.append(
                    {"clip": path.stem, "taste": taste, "model": model, "number": n, "path": str(path), "sha256": digest,
                     "seconds": 0.5}
                )  # fmt: skip
    yield Prepared(store, study, asked, store.ensure_stimuli(study, rows))
    store.close()


def reader(language: str) -> Any:
    """A hand that reads the study's words; its readings are held to the words below."""
    return phrases(config(), language)


@pytest.mark.parametrize("keyboard", [False, True])
@pytest.mark.parametrize("language", ["en", "it"])
def test_what_was_read_and_meant_is_what_is_stored(
    glass: World, ready: Prepared, language: str, keyboard: bool
) -> None:
    hand = GlassHand(glass, np.random.default_rng(3), reader(language), keyboard)
    screens = Screens(language, 0, True, hand.answer)
    session = launch.begin(ready, "A", "driven", language, "x")
    assert run_session(ready.store, session, ready.config, screens) == "complete"
    with ready.store.transaction() as s:
        query = select(Response, Trial).join(Trial, Trial.id == Response.trial_id).order_by(Response.id)
        stored = [
            (t.block, r.item, t.taste if t.block == "fit" else None, r.value, r.choice, t.repeated)
            for r, t in s.execute(query)
        ]
    meant = [(g["item"], g.get("taste"), g.get("value"), g.get("choice")) for g in hand.given]
    assert [(i, taste, v, c) for _, i, taste, v, c, _ in stored] == meant
    assert [b for b, *_ in stored] == [
        *["demographics"] * 8, *["identification", "identification", "affect"] * 5, "music", *["fit", "affect", "affect"] * 2, "words", "words"
    ]  # fmt: skip
    assert [i for b, i, *_ in stored if b in ("identification", "affect")] == [
        *["identification", "confidence", "liking"] * 5, *["liking"] * 4
    ]  # fmt: skip
    # After a comparison it is said of which piece: the first, then the second, as they were heard.
    first, second = {"en": ("First piece", "Second piece"), "it": ("Primo brano", "Secondo brano")}[language]
    liked = {"en": "How much do you like this music?", "it": "Quanto ti piace questa musica?"}[language]
    said = [{w for w, _ in p.words} & {first, second} for s, p in hand.pages if s == "steps" and liked in dict(p.words)]
    assert said == [*[set()] * 5, *[{first}, {second}] * 2]
    with ready.store.transaction() as s:
        trials = list(s.scalars(select(Trial).order_by(Trial.position)))
        for at, t in enumerate(trials):
            if t.block == "fit":
                assert [x.first_id for x in trials[at + 1 : at + 3]] == [t.first_id, t.second_id]
    chosen = {c for b, i, _, _, c, _ in stored if i == "identification"}
    assert chosen <= {"sweet", "sour", "none"}
    assert len(chosen) > 1
    assert sum(again for b, i, *_, again in stored if i == "identification") == 1
    # In order: the study's page, three parts with their introductions, a break at half of the music, practice before the comparisons.
    told = {
        "en": [
            "Hello",
            "First part",
            "About half of the music is over",
            "Practice",
            "Second part",
            "Third part",
            "Nearly",
            "Thank you",
        ],
        "it": [
            "Ciao",
            "Prima parte",
            "Circa metà della musica è passata",
            "Prova",
            "Seconda parte",
            "Terza parte",
            "Quasi",
            "Grazie",
        ],
    }[language]
    found = [next(w for w, _ in p.words if w in told) for s, p in hand.pages if s == "page"]
    assert found == told
    offered = next(list(p.buttons) for s, p in hand.pages if s == "choice" and {"dolce", "sweet"} & set(p.buttons))
    assert (
        offered[:3]
        == {"en": ["sweet", "sour", "none of these"], "it": ["dolce", "acido", "nessuno di questi"]}[language]
    )


def test_every_question_can_be_told_from_every_other() -> None:
    for language in ("en", "it"):
        asked = every_question(config(), language)
        assert len(phrases(config(), language).questions) == len(asked)
        assert [q.item for _, q in asked] == [
            "sex", "age", "hearing_experience", "eating_experience", "ethnicity", "hearing_impairments",
            "taste_impairments", "device", "practice", "identification", "confidence", "plays", "preference", "preference",
            "hot", "liking", "liking", "liking",
        ]  # fmt: skip


class Leaves(Bot):
    """A bot that leaves after so many answers, and notes what it read."""

    def __init__(self, asked: ExperimentConfig, after: int):
        super().__init__(asked, load_effects(), np.random.default_rng(1), 0)
        self.left, self.pages = after, []  # type: ignore[var-annotated]

    def page(self, title: str, text: str) -> None:
        self.pages.append(title)

    def ask(self, *arguments: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise Stopped
        return super().ask(*arguments)


def test_pages_that_lie_behind_do_not_come_again(ready: Prepared) -> None:
    session = launch.begin(ready, "b", "bot", "en", "x")
    first = Leaves(ready.config, 8 + 4)
    assert run_session(ready.store, session, ready.config, first) == "stopped"
    assert first.pages == ["Hello", "First part"]
    launch.resume(ready, "b")
    rest = Leaves(ready.config, 100)
    assert run_session(ready.store, session, ready.config, rest) == "complete"
    assert rest.pages == [
        "First part",
        "About half of the music is over",
        "Practice",
        "Second part",
        "Third part",
        "Nearly",
        "Thank you",
    ]


def test_groups_stand_in_status_and_exports_and_speak_their_language(ready: Prepared) -> None:
    groups = [
        {"name": "here", "tasks": ["words", "bye"], "language": "it"},
        {"name": "there", "conditions": ["old", "new"]},
    ]
    asked = config(groups=groups)
    grouped = replace(ready, config=asked)
    for k in range(4):
        session = launch.begin(grouped, f"b{k}", "bot", None, "x")
        run_session(ready.store, session, asked, Leaves(asked, 100))
    chosen = launch.begin(grouped, "c", "bot", "en", "x", group="here")
    with ready.store.transaction() as s:
        found = [
            (r.group_name, r.language, r.design_row, len(r.trials))
            for r in s.scalars(select(SessionRow).order_by(SessionRow.id))
        ]
    # Questions about the person and two clips; or the page, 5 + 5 of identification, and so on.
    assert found == [
        ("here", "it", 0, 4),
        ("there", "en", 0, 22),
        ("here", "it", 1, 4),
        ("there", "en", 1, 22),
        ("here", "en", 2, 4),
    ]
    assert chosen == 5
    assert [r["group"] for r in status_rows(ready.store, "s")] == ["here", "there", "here", "there", "here"]
    data = tidy(ready.store, "s")
    assert data.columns[-2:] == ("group", "repeated")
    assert {r["group"] for r in data.rows} == {"here", "there"}
    assert [r["block"] for r in data.rows if r["repeated"]] == ["identification", "identification", "affect"] * 2
    with pytest.raises(ExperimentError, match="--group 'x': this study has here, there"):
        launch.begin(grouped, "d", "bot", None, "x", group="x")
    with pytest.raises(ExperimentError, match="this study has no groups"):
        launch.begin(ready, "d", "bot", None, "x", group="here")


def test_every_format_tells_group_and_repeats(ready: Prepared, tmp_path: Path) -> None:
    asked = config(groups=[{"name": "here"}, {"name": "there"}])
    for k in range(2):
        session = launch.begin(replace(ready, config=asked), f"b{k}", "bot", None, "x")
        run_session(ready.store, session, asked, Leaves(asked, 100))
    wanted = [("here", ""), ("here", "yes"), ("there", ""), ("there", "yes")]
    for name, pattern, delimiter in (
        ("csv", "s.csv", ","), ("psychds", "data/*.csv", ","), ("psychopy", "*.csv", ","), ("bids", "sub-*/beh/*_beh.tsv", "\t"),
    ):  # fmt: skip
        folder, _ = export(ready.store, "s", name, tmp_path / "out")
        found = set()
        for path in folder.glob(pattern):
            with path.open(newline="", encoding="utf-8-sig") as file:
                found |= {
                    (r["group"], r["repeated"].replace("n/a", "")) for r in csv.DictReader(file, delimiter=delimiter)
                }
        assert sorted(found) == wanted, name
    told = json.loads((tmp_path / "out" / "psychds" / "dataset_description.json").read_text())
    assert [v["name"] for v in told["variableMeasured"]][-2:] == ["group", "repeated"]
    assert all(v["description"] for v in told["variableMeasured"])
    assert "group" in json.loads((tmp_path / "out" / "csv" / "s.json").read_text())["columns"]
    sidecar = next((tmp_path / "out" / "bids").glob("task-*identification*_beh.json"))
    assert json.loads(sidecar.read_text())["repeated"]["Description"].startswith("yes: the clip or pair was heard")


def test_the_analysis_finds_tasks_by_their_kind(ready: Prepared) -> None:
    """Comparisons are called "fit" here, ratings "words"; what was heard again stays out."""
    from analysis.data.frames import load

    for k in range(3):
        run_session(
            ready.store, launch.begin(ready, f"b{k}", "bot", None, "x"), ready.config, Leaves(ready.config, 100)
        )
    data = load(ready.store.engine, "s")
    assert len(data.preference) == 3 * 2
    assert len(data.ratings) == 3 * 2
    assert data.middle == 50.0
    assert len(data.affect) == 3 * (4 + 4)
    assert set(data.affect["item"]) == {"liking"}


def test_a_study_with_no_comparisons_has_nothing_to_practise() -> None:
    from experiment.items import practice_question

    with pytest.raises(ValueError, match="nothing to practise"):
        practice_question(config(tasks=TASKS[:2]), "en")


def declared() -> st.SearchStrategy[dict[str, Any]]:
    """Any study of one to four tasks, in any order, with whatever they can be told."""
    alone = {"conditions": st.sampled_from([[], ["old"], ["new", "old"]]), "repeats": st.integers(0, 2)}
    after = st.lists(st.sampled_from(["liking", "quality", "valence"]), unique=True, max_size=2)
    name = st.sampled_from(["one", "two", "three", "four", "five"])
    kinds = [
        st.fixed_dictionaries(
            {"kind": st.just("identification"), "name": name, "clips": st.integers(2, 6), "none": st.booleans(),
             "confidence": st.sampled_from([False, True, 2, 11]), "after": after, **alone}
        ),
        st.fixed_dictionaries(
            {"kind": st.just("preference"), "name": name, "trials": st.integers(2, 5), "pairs": st.just([["new", "old"]]),
             "match": st.sampled_from(["number", "crossed"]), "order": st.sampled_from(["latin", "random"]),
             "repeats": st.integers(0, 2), "after": after, "high": st.sampled_from([1, 10, 100])}
        ),
        st.fixed_dictionaries(
            {"kind": st.just("ratings"), "name": name, "clips": st.integers(2, 5), "after": after, "shuffled": st.booleans(),
             "one_page": st.booleans(),
             **alone, **{k: st.just(v) for k, v in SCALES.items()}}
        ),
        st.fixed_dictionaries({"kind": st.just("page"), "name": name, "title": st.just({"en": "a", "it": "b"}), "text": st.just({"en": "c", "it": "d"})}),
    ]  # fmt: skip
    return st.fixed_dictionaries(
        {
            "tasks": st.lists(st.one_of(kinds), min_size=1, max_size=4, unique_by=lambda task: task["name"]),
            "shuffle": st.booleans(),
            "practice": st.booleans(),
            "pause": st.booleans(),
            "seed": st.integers(0, 9),
        }
    )


@given(table=declared(), row=st.integers(0, 60))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_study_that_is_accepted_runs_to_its_end(ready: Prepared, table: dict[str, Any], row: int) -> None:
    """Where the clips do not do, that is said before; else a bot finds the way from consent to the end."""
    if not any(task["kind"] != "page" for task in table["tasks"]):
        return
    asked = config(**table)
    study = f"s{uuid.uuid4().hex}"
    number = ready.store.ensure_study(study, "S", {"experiment": asked.model_dump(mode="json")})
    clips = [Clip(x.id, x.taste, x.model, x.number) for x in ready.stimuli]
    try:
        planned = plan(asked, clips, row)
    except ExperimentError:
        return  # too few clips, which is said when the file is read
    heard = [c for t in planned if not t.repeated and t.block != "affect" for c in (t.first, t.second) if c is not None]
    assert len(heard) == len(set(heard))
    session = ready.store.begin(number, study, Header("bot", "x", "it", 0, {}), lambda _: planned)
    assert run_session(ready.store, session, asked, Leaves(asked, 1000)) == "complete"
    given_answers, wanted = unanswered(ready.store, session)
    assert given_answers == wanted == sum(len(t.items) for t in planned)
