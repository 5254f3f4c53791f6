"""`tastelab stimuli`: what each command asks of the rooms below, what it says at the end, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tastelab.study import load_study
from tests.tastelab.conftest import Lived, call

Asked = list[tuple[Any, ...]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Asked:
    """What would have been made, measured or written; a corpus has three clips."""
    given: Asked = []
    corpus = tmp_path / "metadata.jsonl"
    corpus.write_text("{}\n{}\n{}\n")
    rows = [SimpleNamespace(clip=f"c{k}", told=f"c{k}", caption=f"Music {k}.") for k in range(5)]

    def taken(name: str, result: Any) -> Any:
        return lambda *values, **named: given.append((name, *values, *named.values())) or result

    for name, where in (
        ("base", "build.build_base"), ("varied", "varied.build_varied"), ("pulse", "pulse.build.build_pulse"), ("taste", "taste.build_taste"),
        ("sung", "sung.build_sung"), ("over", "sung.build_over"), ("generated", "generated.build_generated"), ("tamd", "tamd.build_tamd"),
    ):  # fmt: skip
        monkeypatch.setattr(f"stimuli.dataset.{where}", taken(name, corpus))
    monkeypatch.setattr("stimuli.generate.generate", taken("generate", rows))
    monkeypatch.setattr("stimuli.describe.describe", taken("describe", rows))
    monkeypatch.setattr("stimuli.sheet.write_sheet", taken("sheet", Path("sheet.html")))
    monkeypatch.setattr("models.sonicverse.extract.extend", taken("extend", 2))
    monkeypatch.setattr("models.sonicverse.full.musicbench.read_listing", taken("listing", rows))
    return given


def test_clips_are_made_by_the_study_file_and_what_differs_from_it(mine: Lived, asked: Asked) -> None:
    said = call("stimuli", "generate", *mine.clips)
    folder = mine.out / "small" / "stimuli"
    assert (said.status, said.out, said.err) == (0, f"5 clips in {folder}\n", "")
    said = call("stimuli", "generate", *mine.clips, "--clips", "7", "--seed", "99", "--quiet")
    assert (said.status, said.out) == (0, "")
    (_, plain, models, where, _), (_, changed, _, _, _) = asked
    assert (plain.clips_per_taste, where) == (4, folder)
    assert models == load_study(mine.study).models
    assert (changed.clips_per_taste, changed.seed) == (7, 99)
    assert changed.model_dump(exclude={"clips_per_taste", "seed"}) == plain.model_dump(
        exclude={"clips_per_taste", "seed"}
    )


@pytest.mark.parametrize(
    ("words", "what", "told"),
    [(["caption"], "captions", "5 clips captioned\n"), (["features"], "features", "5 clips measured\n")],
)
def test_describing_says_how_many(words: list[str], what: str, told: str, mine: Lived, asked: Asked) -> None:
    said = call("stimuli", *words, *mine.clips)
    assert (said.status, said.out, said.err) == (0, told, "")
    assert asked[0][:3] == ("describe", mine.out / "small" / "stimuli", what)
    assert call("stimuli", *words, *mine.clips, "--quiet").out == ""


def test_captions_as_json_are_one_row_a_clip(mine: Lived, asked: Asked) -> None:
    said = call("stimuli", "caption", *mine.clips, "--json")
    found = json.loads(said.out)
    assert found["analysis"] == "captions"
    assert found["tables"] == {"captions": [{"clip": f"c{k}", "caption": f"Music {k}."} for k in range(5)]}


def test_files_are_captioned_by_who_is_asked(asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {"captions": [{"file": "a.wav", "caption": "Harp."}]}
    monkeypatch.setattr("stimuli.describe.describe_files", lambda *given: asked.append(given) or tables)
    monkeypatch.setattr(
        "stimuli.describe.described_lines", lambda tables: [f"a.wav: {tables['captions'][0]['caption']}"]
    )
    monkeypatch.setattr(
        "stimuli.describe.write_page", lambda tables, page, captioner: asked.append((page, captioner)) or page
    )
    said = call("stimuli", "caption", "a.wav", "b.wav")
    assert (said.status, said.out) == (0, "a.wav: Harp.\n")
    files, captioner, writer, model, _, wording = asked.pop()
    assert (files, captioner, writer, model, wording) == ([Path("a.wav"), Path("b.wav")], "nano", "smollm2", "", None)
    page = tmp_path / "page.html"
    said = call(
        "stimuli", "caption", "a.wav", "--captioner", "x", "--writer", "http://y", "--writer-model", "m", "--temperature", "0.5", "--seed",
        "7", "--page", page,
    )  # fmt: skip
    assert said.out == f"page {page}\na.wav: Harp.\n"
    (_, captioner, writer, model, _, wording), written = asked
    assert (captioner, writer, model, wording.temperature, wording.seed) == ("x", "http://y", "m", 0.5, 7)
    assert written == (page, "x")
    said = call("stimuli", "caption", "a.wav", "--json", "--page", page)
    assert json.loads(said.out)["tables"] == tables
    assert call("stimuli", "caption", "a.wav", "--quiet", "--page", page).out == "a.wav: Harp.\n"
    asked.clear()
    nowhere = tmp_path / "nowhere" / "page.html"
    said = call("stimuli", "caption", "a.wav", "--page", nowhere)
    assert (said.status, said.out) == (2, "")
    assert f"--page {nowhere}: directory {nowhere.parent} does not exist" in said.err
    assert asked == []


def test_a_sheet_is_told_with_what_lies_beside_it(mine: Lived, asked: Asked) -> None:
    said = call("stimuli", "sheet", *mine.clips)
    assert (said.status, said.out) == (0, "sheet.html, and manifest.parquet beside it\n")
    assert asked[0][1:3] == (mine.out / "small" / "stimuli", "small")


def test_files_are_verified_one_by_one(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    said = call("stimuli", "verify", *lived.clips)
    assert said.status == 2
    assert len(said.out.splitlines()) == 32
    assert "sour-base-002" in said.out
    assert said.err == "tastelab: 32 of 32 clips are not as they were made; see above\n"
    monkeypatch.setattr("stimuli.manifest.verify", lambda folder: [])
    said = call("stimuli", "verify", *lived.clips)
    assert (said.status, said.out, said.err) == (0, "32 clips are as they were made\n", "")


@pytest.mark.parametrize("what", ["base", "varied", "pulse", "taste"])
def test_rendered_corpora(what: str, asked: Asked, tmp_path: Path) -> None:
    said = call("stimuli", "dataset", "build", what, tmp_path / "c")
    assert (said.status, said.err) == (0, "")
    assert said.out == f"3 clips listed in {tmp_path / 'metadata.jsonl'}\n"
    call(
        "stimuli", "dataset", "build", what, tmp_path / "c", "-n", "5", "--seconds", "2.5", "--rate", "32000", "--seed", "3", "--split", "test",
        "--quiet",
    )  # fmt: skip
    assert [given[:7] for given in asked] == [
        (what, tmp_path / "c", 8000, 15.0, 16000, 11, "train"),
        (what, tmp_path / "c", 5, 2.5, 32000, 3, "test"),
    ]


def test_corpora_of_ones_own_material(asked: Asked, tmp_path: Path) -> None:
    build = ["stimuli", "dataset", "build"]
    for words in (
        ["sung", "c", "--speech", "s", "--split", "test"],
        ["sung", "c", "--speech", "s", "--music", "m"],
        ["generated", "c", "--captions", "k", "--generator", "g"],
        ["tamd", "c", "--tamd", "t", "--rate", "32000", "--column", "sweet=M=1"],
    ):
        assert call(*build, *words).status == 0
    assert [given[:-1] for given in asked[:3]] == [
        ("sung", Path("c"), Path("s"), 8000, 15.0, 16000, 11, "test"),
        ("over", Path("c"), Path("s"), Path("m"), 8000, 15.0, 16000, 11),
        ("generated", Path("c"), Path("k"), "g", 8000, 15.0, 16000, 11),
    ]
    assert asked[3][:5] == ("tamd", Path("t"), Path("c"), 32000, "train")
    assert asked[3][-1] == {"sweet": "M=1"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["opera"],
            "dataset 'opera' is not known; there are: base, varied, pulse, taste, pulse-taste, sung, generated, tamd",
        ),
        (["base", "--split", "dev"], "--split 'dev' is not known; there are: train, test"),
        (["tamd"], "dataset tamd and --tamd DIRECTORY go together"),
        (["base", "--tamd", "t"], "dataset tamd and --tamd DIRECTORY go together"),
        (["sung"], "dataset sung and --speech DIRECTORY go together"),
        (["taste", "--speech", "s"], "dataset sung and --speech DIRECTORY go together"),
        (["generated"], "dataset generated and --captions CORPUS go together"),
        (["pulse", "--captions", "k"], "dataset generated and --captions CORPUS go together"),
        (
            ["base", "--column", "sweet=x"],
            "--column 'sweet=x': for dataset tamd, one of sweet, sour, salty, bitter, =, and the name of a column",
        ),
        (
            ["tamd", "--tamd", "t", "--column", "umami=x"],
            "--column 'umami=x': for dataset tamd, one of sweet, sour, salty, bitter, =, and the name of a column",
        ),
        (
            ["tamd", "--tamd", "t", "--column", "sweet"],
            "--column 'sweet': for dataset tamd, one of sweet, sour, salty, bitter, =, and the name of a column",
        ),
        (["base", "--music", "m"], "--music DIRECTORY is for dataset sung"),
        (
            ["pulse", "--seconds", "inf"],
            "Invalid value for '--seconds': Input should be less than or equal to 3600",
        ),
    ],
)
def test_material_goes_with_its_corpus(words: list[str], told: str, asked: Asked, tmp_path: Path) -> None:
    said = call("stimuli", "dataset", "build", words[0], tmp_path / "c", *words[1:])
    assert (said.status, said.out, said.err) == (2, "", f"tastelab: {told}\n")
    assert asked == []
    assert not (tmp_path / "c").exists()


def test_labels_say_how_many_are_new(asked: Asked, tmp_path: Path) -> None:
    out = tmp_path / "soft.jsonl"
    said = call("stimuli", "dataset", "extend", "list.json", "--audio", "a", "--out", out)
    assert (said.status, said.err) == (0, "")
    assert said.out == f"2 of 5 clips labelled now, the others before; labels in {out}\n"
    assert asked[0] == ("listing", Path("list.json"), Path("a"))
    assert asked[1][2] == out
    assert call("stimuli", "dataset", "extend", "list.json", "--audio", "a", "--out", out, "--quiet").out == ""
    nowhere = tmp_path / "nowhere" / "soft.jsonl"
    said = call("stimuli", "dataset", "extend", "list.json", "--audio", "a", "--out", nowhere)
    assert (said.status, said.err) == (2, f"tastelab: --out {nowhere}: directory {nowhere.parent} does not exist\n")
    assert len(asked) == 4
