"""The reference of the study file: complete, true to the classes, and what docs/study-file.md says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tastelab.reference import LEFT_OUT, REQUIRED, Key, Table, page, tables
from tests.conftest import ROOT
from tests.tastelab.conftest import call

FILES = [ROOT / "study.toml", *sorted((ROOT / "studies").glob("*.toml"))]


@pytest.fixture(scope="module")
def found() -> list[Table]:
    return tables()


def key(found: list[Table], header: str, name: str) -> Key:
    (table,) = (t for t in found if t.header == header)
    return next(k for k in table.keys if k.name == name)


def test_every_table_and_key_is_explained(found: list[Table]) -> None:
    silent = [f"{t.header} {k.name}" for t in found for k in t.keys if not k.meaning]
    assert silent == []
    assert [t.header for t in found if not t.about] == []
    assert not any("None" in k.meaning or "``" in k.meaning for t in found for k in t.keys)


def test_the_page_of_the_guides_is_today_s(found: list[Table]) -> None:
    """Made by `tastelab study reference --markdown > docs/study-file.md`."""
    assert (ROOT / "docs" / "study-file.md").read_text(encoding="utf-8") == page(found)


def test_types_bounds_and_defaults_are_the_classes_own(found: list[Table]) -> None:
    """Read off `stimuli/config.py` and its neighbours by hand."""
    assert key(found, "[stimuli]", "clips_per_taste").kind == "whole number, at least 1, at most 1000"
    assert key(found, "[stimuli]", "clips_per_taste").default == "5"
    assert key(found, "[stimuli]", "loudness") == Key(
        "loudness", "number, at least -60, at most -10", "-23", "Integrated loudness in LUFS (ITU-R BS.1770-4)."
    )  # fmt: skip
    assert key(found, "[models.conditions.blend]", "from").default == REQUIRED
    assert key(found, "[models.conditions.blend]", "share").kind == "number, over 0, under 1"
    assert key(found, "[[models.conditions]]", "tracks") == Key(
        "tracks", "path", LEFT_OUT, "A folder of audio files, optionally with `tracks.csv`."
    )  # fmt: skip
    screened = 'one of "off", "huggins", "huggins_inverted", "antiphase", "both"'
    assert key(found, "[experiment]", "headphones").kind == screened
    assert key(found, "[experiment]", "shuffle").default == "false"
    assert key(found, "[experiment]", "languages").default == '["en"]'
    assert key(found, "[analysis]", "factors").kind == 'whole number, at least 1 or "parallel"'
    pairs = key(found, '[[experiment.tasks]] with kind = "preference"', "pairs")
    assert (pairs.kind.split(":")[0], pairs.default) == ("list of list of 2", REQUIRED)
    assert key(found, '[[experiment.tasks.items]] with kind = "text"', "most").default == "200"


def used(raw: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in raw.items():
        yield path, name
        for inner in [value] if isinstance(value, dict) else value if isinstance(value, list) else ():
            if isinstance(inner, dict):
                yield from used(inner, f"{path}.{name}" if path else name)


@pytest.mark.parametrize("file", FILES, ids=lambda p: p.stem)
def test_whatever_a_shipped_study_says_is_in_the_reference(found: list[Table], file: Path) -> None:
    known: dict[str, set[str]] = {}
    for table in found:
        path = table.header.split(" with ")[0].strip("[]") if table.header.startswith("[") else ""
        known.setdefault(path, set()).update(k.name for k in table.keys)
    earlier = {("models", "base"), ("models", "finetuned")}  # version 0.1's
    for path, name in used(tomllib.loads(file.read_text())):
        assert path not in known or name in known[path] or (path, name) in earlier, (path, name)


@pytest.mark.parametrize(
    ("word", "headers"),
    [
        ("bpm", ["[[stimuli.tastes]]"]),
        ("blend", ["[models.conditions.blend]"]),
        ("stimuli", ["[stimuli]", "[[stimuli.tastes]]"]),
        ("identification", ['[[experiment.tasks]] with kind = "identification"']),
        ("analysis.exclude", ["[analysis.exclude]"]),
    ],
)
def test_one_table_or_key_is_shown_within_80_columns(word: str, headers: list[str]) -> None:
    said = call("study", "reference", word)
    assert said.status == 0
    assert [line for line in said.out.splitlines() if line.startswith("[")] == headers
    assert max(map(len, said.out.splitlines())) <= 80


def test_a_word_that_is_none_is_a_mistake_with_the_nearest() -> None:
    said = call("study", "reference", "bmp")
    assert (said.status, said.out) == (2, "")
    assert said.err == "tastelab: no table or key of a study file is called 'bmp'; did you mean 'bpm'?\n"
