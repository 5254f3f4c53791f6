"""A study with every kind of step and of question, for measurements in a browser: clips of `SECONDS`, in a language and in English and Italian."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiment.launch import Prepared

SECONDS = 0.3
WORDS = {"en": ("warm", "cold", "left"), "it": ("caldo", "freddo", "sinistra"), "ar": ("دافئ", "بارد", "يسار")}
TASTES = {"en": ("sweet", "sour"), "it": ("dolce", "acido"), "ar": ("حلو", "حامض")}


def entered(folder: Path, language: str, **more: Any) -> Prepared:
    """The study in a database of its own in a folder, with its clips; `more` stands in its [experiment], too."""
    from experiment.data.store import Store
    from experiment.launch import Prepared
    from tests.experiment.test_own_questions import OWN, config
    from tests.experiment.web.visitor import written

    names = [language, *(x for x in ("en", "it") if x != language)]

    def spoken(value: Any) -> Any:
        # Where a study of the tests has words in English they stand for every language.
        if isinstance(value, dict):
            value = {k: spoken(v) for k, v in value.items()}
            return {**value, **({language: value["en"]} if "en" in value and language not in value else {})}
        return [spoken(x) for x in value] if isinstance(value, list) else value

    labels = {x: ["1", "2", "3", "4", "5"] for x in names}
    adjectives = [{"name": n, "words": {x: WORDS[x][k] for x in names}} for k, n in enumerate(("hot", "cold"))]
    rated = {"kind": "ratings", "clips": 1, "low": 1, "high": 5, "labels": labels, "adjectives": adjectives}
    tasks = [
        {"kind": "preference", "trials": 1, "pairs": [["b", "a"]]},
        rated | {"after": ["valence"]},
        {"kind": "identification", "clips": 1, "confidence": 5},
        OWN,
    ]
    tastes = {x: dict(zip(("sweet", "sour"), TASTES[x], strict=True)) for x in names}
    asked = config(
        **spoken({
            "tasks": tasks, "demographics": ["sex", "age", "ethnicity", "device"], "languages": names, "taste_words": tastes,
            "sides": True, "headphones": "huggins_inverted", "level": {"by": "participant"}, "replays": 1,
            "attention": {"questions": 1, "listening": 1}, "debrief": None, "completion": None, **more,
        })
    )  # fmt: skip
    store = Store(f"sqlite:///{folder}/p.db")
    number = store.ensure_study("s", "A study of two", {"experiment": asked.model_dump(mode="json")})
    rows = [
        {"clip": f"{t}-{m}-{n}", "taste": t, "model": m, "number": n, "path": None, "sha256": None}
        for t in ("sweet", "sour") for m in "ab" for n in range(4)
    ]  # fmt: skip
    prepared = Prepared(store, number, asked, store.ensure_stimuli(number, rows))
    written(folder, prepared, SECONDS)
    return prepared
