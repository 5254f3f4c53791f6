"""Random study files: what is wrong is one line when the file is read, and whatever is read runs to its end.

``TASTELAB_EXAMPLES`` says how many that can be read are run (``python -m benchmarks.evidence anystudy``: 400).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from experiment import launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.data.store import Store
from experiment.launch import Prepared
from experiment.session import run_session, unanswered
from stimuli.names import opaque
from tastelab.check import planned_clips
from tastelab.errors import UserError
from tastelab.study import Study, load_study

EXAMPLES = int(os.environ.get("TASTELAB_EXAMPLES", "16"))
NAMES = ("ab", "wuggle", "flim", "mool", "zint", "dreck", "Quux", "x-1", "blorp")
BLOCKS = ("one", "two", "three", "four")
Table = dict[str, Any]


def words(languages: list[str], text: str) -> dict[str, str]:
    return {language: f"{text} ({language})" for language in languages}


@st.composite
def conditions(draw: st.DrawFn, names: list[str]) -> list[Table]:
    """A checkpoint, then whatever there is: another one, tracks, a blend, the wrong prompts."""
    made: list[Table] = [{"name": names[0], "checkpoint": "nano-base"}]
    for k, name in enumerate(names[1:]):
        kind = draw(st.sampled_from(["checkpoint", "tracks", "blend", "wrong"]))
        others = [c["name"] for c in made if "checkpoint" in c and "prompts_of" not in c]
        if kind == "tracks":
            made.append({"name": name, "tracks": f"folder-{k}"})
        elif kind == "wrong":
            made.append({"name": name, "checkpoint": "nano-base", "prompts_of": "other tastes"})
        elif kind == "blend" and len(others) > 1:
            made.append(
                {"name": name, "blend": {"from": others[0], "to": others[1], "share": draw(st.floats(0.1, 0.9))}}
            )
        else:
            made.append({"name": name, "checkpoint": f"some/model-{k}"})
    return made


@st.composite
def tasks(draw: st.DrawFn, block: str, named: list[str], languages: list[str]) -> Table:
    """One task of any kind with whatever it can be told."""
    kind = draw(st.sampled_from(["preference", "ratings", "identification", "questionnaire", "page"]))
    task: Table = {"kind": kind, "name": block}
    heard = {
        "clips": draw(st.integers(1, 6)),
        "conditions": draw(st.lists(st.sampled_from(named), unique=True, max_size=3)),
        "repeats": draw(st.integers(0, 2)),
        "after": draw(
            st.lists(st.sampled_from(["liking", "quality", "familiarity", "arousal"]), unique=True, max_size=2)
        ),
    }
    labels = {language: ["low", "high"] for language in languages}
    if kind == "preference":
        pairs = [[a, b] for i, a in enumerate(named) for b in named[:i]]
        task |= {
            "trials": draw(st.integers(1, 6)), "after": heard["after"], "repeats": heard["repeats"],
            "pairs": draw(st.lists(st.sampled_from(pairs or [[named[0]] * 2]), min_size=1, max_size=3)),
            "match": draw(st.sampled_from(["number", "crossed"])), "order": draw(st.sampled_from(["latin", "random"])),
            "low": draw(st.sampled_from([-5, 0, 1])), "high": draw(st.sampled_from([5, 10, 100])),
            "start": draw(st.sampled_from(["nowhere", "middle"])),
        }  # fmt: skip
    elif kind == "ratings":
        adjectives = draw(
            st.lists(st.sampled_from(["hot", "cold", "round", "loud"]), min_size=1, max_size=4, unique=True)
        )
        task |= heard | {
            "low": 1, "high": draw(st.integers(2, 11)), "labels": labels, "shuffled": draw(st.booleans()),
            "one_page": draw(st.booleans()),
            "adjectives": [{"name": a, "words": words(languages, a)} for a in adjectives],
        }  # fmt: skip
    elif kind == "identification":
        task |= heard | {"none": draw(st.booleans()), "confidence": draw(st.sampled_from([False, True, 2, 11]))}
    elif kind == "questionnaire":
        items = [{"name": f"q{k}", "words": words(languages, f"q{k}")} for k in range(draw(st.integers(1, 3)))]
        task |= {"question": words(languages, "agree?"), "labels": labels, "items": items}
    else:
        task |= {"title": words(languages, "Hello"), "text": words(languages, "Read this.")}
    return task


@st.composite
def studies(draw: st.DrawFn) -> Table:
    """A study file as a table."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=4, max_size=8, unique=True))
    split = draw(st.integers(1, min(4, len(names) - 1)))
    tastes, named = names[:split], names[split : split + 4]
    languages = draw(st.sampled_from([["en"], ["it"], ["it", "en"]]))
    blocks = BLOCKS[: draw(st.integers(1, 4))]
    declared = [draw(tasks(block, named, languages)) for block in blocks]
    asked: Table = {
        "languages": languages, "seed": draw(st.integers(0, 2**63 - 1)), "tasks": declared, "shuffle": draw(st.booleans()),
        "taste_words": {language: {t: f"{t} {language}" for t in tastes} for language in languages},
        "practice": draw(st.booleans()), "pause": draw(st.booleans()), "back": draw(st.booleans()),
        "minimum_age": draw(st.sampled_from([0, 18])), "headphones": draw(st.sampled_from(["off", "both"])),
    }  # fmt: skip
    if draw(st.booleans()):
        asked["groups"] = [
            {"name": "left", "conditions": draw(st.lists(st.sampled_from(named), min_size=1, max_size=3, unique=True))},
            {"name": "right", "tasks": draw(st.lists(st.sampled_from(blocks), min_size=1, unique=True)),
             "language": languages[-1]},
        ]  # fmt: skip
    return {
        "name": "random", "title": "A random study", "models": {"conditions": draw(conditions(named))},
        "stimuli": {
            "clips_per_taste": draw(st.integers(1, 9)), "seconds": 2, "tastes": [{"name": t} for t in tastes],
            "seed": draw(st.integers(0, 99)),
        },
        "experiment": asked,
    }  # fmt: skip


def toml(value: Any) -> str:
    """A value in TOML: JSON's, but for tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def entered(store: Store, study: Study) -> Prepared:
    """The study with the clips that it will have by what its check counted on; rows only.

    A folder of tracks that is not there yet has as many as are heard of it; where it comes to hold fewer, the session says so.
    """
    number = store.ensure_study(study.name, study.title, json.loads(study.model_dump_json()))
    rows = [
        {"clip": opaque(1, c.model, c.taste, c.number), "taste": c.taste, "model": c.model, "number": c.number, "path": None,
         "sha256": f"{c.number:064d}"}
        for c in planned_clips(study.stimuli, study.experiment, study.models.conditions)
    ]  # fmt: skip
    return Prepared(store, number, study.experiment, store.ensure_stimuli(number, rows))


@given(table=studies())
@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
)  # fmt: skip
@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_study_file_is_refused_in_one_line_or_its_sessions_come_to_their_end(tmp_path: Path, table: Table) -> None:
    file = tmp_path / "study.toml"
    file.write_text("\n".join(f"{name} = {toml(value)}" for name, value in table.items()) + "\n", encoding="utf-8")
    said = ""
    try:
        study = load_study(file)
    except UserError as error:
        said = str(error)
    assert len(said.splitlines()) <= 1
    assert said.startswith(str(file)) or not said
    assume(not said)
    asked = study.experiment
    (tmp_path / "p.db").unlink(missing_ok=True)
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    try:
        ready = entered(store, study)
        for k, group in enumerate([*(g.name for g in asked.groups), None, None]):
            session = launch.begin(ready, f"b{k}", "bot", None, "x", group=group if asked.groups else None)
            assert (
                run_session(store, session, asked, Bot(asked, load_effects(), np.random.default_rng(k), 0))
                == "complete"
            )
            given_answers, wanted = unanswered(store, session)
            assert given_answers == wanted > 0
    finally:
        store.close()
