"""A study is the same study whatever its conditions and tastes are called, and whichever of a pair is named first."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from stimuli.manifest import ClipRow, write_manifest
from stimuli.names import opaque
from tastelab.study import load_study
from tests.conftest import ROOT
from tests.tastelab.conftest import Lived, call

PEOPLE = 14
# In another order of the alphabet than the names that they stand for.
NONSENSE = {
    "nano-base": "wuggle", "nano-taste": "ap", "rendered": "flim", "bitter": "mool", "salty": "zint", "sour": "blorp",
    "sweet": "dreck",
}  # fmt: skip
Row = dict[str, Any]


def renamed(text: str, names: dict[str, str]) -> str:
    """A study or effects file with other names; checkpoints, and words that people read, stay."""
    for old, new in names.items():
        text = re.sub(rf'(?<=name = "){old}(?=")|(?<=\.mean\.){old}(?=\])|(?<=\.hits\.){old}(?=\])', new, text)
        text = re.sub(rf"(?<=\.conditions\.){old}(?=\])|(?<=\{{ ){old}(?= = )", new, text)
        text = re.sub(rf"^{old}(?= = )", new, text, flags=re.M)
        for line in re.findall(r"^(?:pairs|conditions) = .*$", text, flags=re.M):
            text = text.replace(line, line.replace(f'"{old}"', f'"{new}"'))
    return text


def turned(text: str) -> str:
    """A study file whose pairs are named the other way round."""
    (line,) = re.findall(r"^pairs = .*$", text, flags=re.M)
    return text.replace(line, re.sub(r'\[("[^"]+"), ("[^"]+")\]', r"[\2, \1]", line))


def lived(folder: Path, text: str, names: dict[str, str]) -> Lived:
    """Three conditions, rows only, answered by simulated people as a user has them answer."""
    found = Lived(folder)
    (folder / "effects").mkdir(parents=True)
    found.study.write_text(text.replace("seed = 7", "seed = 7\nresamples = 100"))
    effects = (ROOT / "studies" / "effects" / "three-conditions.toml").read_text()
    (folder / "effects" / "three-conditions.toml").write_text(renamed(effects, names))
    study = load_study(found.study)
    clips = found.out / study.name / "stimuli"
    clips.mkdir(parents=True)
    places = [(t.name, m, n) for t in study.stimuli.tastes for m in study.models.names for n in range(8)]
    write_manifest(clips, [clip(*place) for place in places])
    said = call("experiment", "simulate", "-n", str(PEOPLE), "--quiet", *found.where)
    assert (said.status, said.err) == (0, "")
    return found


def clip(taste: str, condition: str, number: int) -> ClipRow:
    name = opaque(1, condition, taste, number)
    return ClipRow(
        clip=name, taste=taste, model=condition, number=number, file=f"clips/{name}.wav", sha256=f"{number:064d}",
        seconds=2.0, rate=48000, loudness=-23.0, peak=-3.0, gain=1.0, prompt="p", seed=number,
    )  # fmt: skip


def tables(of: Lived, analysis: str, plan: str) -> dict[str, list[Row]]:
    said = call("analysis", analysis, *of.answers, *(["--plan", plan] if plan else []), "--json")
    assert said.status == 0, said.err
    found: dict[str, list[Row]] = json.loads(said.out)["tables"]
    return found


STUDY = (ROOT / "studies" / "three-conditions.toml").read_text()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return lived(tmp_path_factory.mktemp("plain"), STUDY, {})


@pytest.fixture(scope="module")
def nonsense(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return lived(tmp_path_factory.mktemp("nonsense"), renamed(STUDY, NONSENSE), NONSENSE)


def plainly(value: Any) -> Any:
    """A value of a table with nonsense turned back."""
    if isinstance(value, str):
        for old, new in NONSENSE.items():
            value = re.sub(rf"\b{new}\b", old, value)
    return value


def test_nonsense_names_change_no_answer(plain: Lived, nonsense: Lived) -> None:
    query = (
        "select session_id, position, block, taste, f.model, f.taste, f.number, s.model, s.number, item, value, choice, "
        "response.response_time from response join trial on trial.id = trial_id "
        "left join stimulus f on f.id = first_id left join stimulus s on s.id = second_id order by response.id"
    ).replace("block, taste", "block, trial.taste")
    mine = plain.asked(query)
    assert len(mine) == PEOPLE * (8 + 12 + 12 + 18)
    assert [tuple(map(plainly, row)) for row in nonsense.asked(query)] == mine


TWO = (("group1", "group2"), ("item1", "item2"), ("taste_a", "taste_b"))


def known(row: Row) -> tuple[tuple[Any, ...], Row]:
    """What a row is about, with nonsense turned back, and its numbers; two names that it is about in the alphabet's order."""
    row = {name: plainly(value) for name, value in row.items() if name not in ("note", "state")}
    for one, other in TWO:
        if one in row and row[one] > row[other]:
            row[one], row[other] = row[other], row[one]
            if "diff" in row:
                row |= {"diff": -row["diff"], "ci_low": -row["ci_high"], "ci_high": -row["ci_low"]}
    words = tuple(sorted((name, value) for name, value in row.items() if isinstance(value, str)))
    return words, {name: value for name, value in row.items() if not isinstance(value, str)}


@pytest.mark.parametrize(
    ("analysis", "plan"),
    [
        ("preference", "robust"),
        ("preference", "paper"),
        ("ratings", "robust"),
        ("ratings", "paper"),
        ("identification", ""),
    ],
)
def test_nonsense_names_change_no_number(plain: Lived, nonsense: Lived, analysis: str, plan: str) -> None:
    mine, theirs = tables(plain, analysis, plan), tables(nonsense, analysis, plan)
    assert mine.keys() == theirs.keys()
    assert sum(map(len, mine.values())) > 30
    for table in mine:
        wanted, found = dict(map(known, mine[table])), dict(map(known, theirs[table]))
        assert len(wanted) == len(mine[table])
        assert found.keys() == wanted.keys(), table
        for about, numbers in wanted.items():
            for name in numbers:
                # Fits stop where the last step is small: their last digits depend on the order of columns.
                value = numbers[name]
                same = None if value is None else pytest.approx(value, rel=1e-4, abs=1e-7)
                assert found[about][name] == same, (about, name)


def test_a_pair_named_the_other_way_round_turns_the_sign_and_not_the_winner(plain: Lived, tmp_path: Path) -> None:
    """The same answers, read under a study file that names each pair the other way round."""
    other = Lived(tmp_path)
    other.study.write_text(turned(plain.study.read_text()))
    (tmp_path / "effects").mkdir()
    (tmp_path / "effects" / "three-conditions.toml").write_text("")
    other.database.write_bytes(plain.database.read_bytes())
    with sqlite3.connect(other.database) as connection:
        (definition,) = connection.execute("select definition from study").fetchone()
        said = json.loads(definition)
        (task,) = [t for t in said["experiment"]["tasks"] if t["kind"] == "preference"]
        task["pairs"] = [pair[::-1] for pair in task["pairs"]]
        connection.execute("update study set definition = ?", [json.dumps(said)])
    there = {(r["pair"], r["taste"]): r for r in tables(plain, "preference", "robust")["tests"]}
    rows = tables(other, "preference", "robust")["tests"]
    assert {r["pair"] for r in rows} == {"nano-base - nano-taste", "nano-base - rendered", "nano-taste - rendered"}
    assert len(rows) == len(there) == 15
    for row in rows:
        over, under = row["pair"].split(" - ")
        mine = there[f"{under} - {over}", row["taste"]]
        assert row["effect"] == pytest.approx(-mine["effect"], abs=1e-6)
        assert row["alternative"] == mine["alternative"] in ("two-sided", "greater")
        same = mine["p"] if row["alternative"] == "two-sided" else 1 - mine["p"]  # greater, of the other one
        assert row["p"] == pytest.approx(same, rel=1e-4)
        assert (over if row["effect"] > 0 else under) == (under if mine["effect"] > 0 else over)


def test_checkpoints_exchanged_change_the_stimuli_and_not_the_conditions(tmp_path: Path) -> None:
    """What a condition is called is its name's, or its label's: which checkpoint it has is told of its clips alone."""
    text = STUDY.replace('checkpoint = "nano-base"', 'checkpoint = "nano-x"')
    text = text.replace('checkpoint = "nano-taste"', 'checkpoint = "nano-base"').replace("nano-x", "nano-taste")
    pages = []
    for name, written in (("there", STUDY), ("other", text)):
        of = lived(tmp_path / name, written, {})
        next(of.out.rglob("manifest.json")).unlink()  # without its sounds
        said = call("analysis", "report", *of.where, "--quiet")
        assert said.status == 0, said.err
        (page,) = of.out.rglob("report.html")
        pages.append(re.sub(r"[0-9a-f]{12,}", "", page.read_text()))
    assert pages[0] == pages[1]
    assert "fine-tuned" not in pages[0] + pages[1]
