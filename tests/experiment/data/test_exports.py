"""What leaves the database: every answer where it belongs in four formats, and nothing that may not leave."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiment.data.copies import MARK
from experiment.data.exports.tidy import tidy
from experiment.data.exports.write import export
from experiment.data.private import write_own
from experiment.data.store import Store
from experiment.data.withdrawal import withdraw
from experiment.errors import ExperimentError
from tests.experiment.data.psychds import problems
from tests.experiment.data.rows import Asked, sat

# Two people by hand: what each was asked, heard and answered, with response times that are all different.
FIRST = [
    Asked(
        "demographics",
        {
            "sex": (None, "female", 1.5),
            "age": (33.0, None, 2.25),
            "ethnicity": (None, "latino", 0.5),
            "hearing_impairments": (None, "yes", 0.75),
            "taste_impairments": (None, "no", 0.875),
            "device": (None, "hifi", 4.5),
        },
    ),
    Asked("preference", {"preference": (2.0, None, 7.125)}, "sweet", "sweet-finetuned-003", "sweet-base-003"),
    Asked("ratings", {"cold": (1.0, None, 3.5), "happy": (4.0, None, 2.75)}, "sour", "sour-base-001"),
]
SECOND = [
    Asked("demographics", {"age": (67.0, None, None), "sex": (None, "not_said", 9.0)}),
    Asked("preference", {"preference": (8.5, None, 6.5)}, "bitter", "bitter-base-000", "bitter-finetuned-000"),
    Asked("gold_msi", {"item_1": (7.0, None, 5.5)}),
]
HEAD = ["participant", "kind", "status", "language", "block", "trial", "taste", "first_clip", "second_clip", "first_model",
        "item", "value", "choice", "response_time", "screening"]  # fmt: skip
WRITTEN = """\
1,person,complete,en,demographics,0,,,,,sex,,female,1.5,huggins: passed
1,person,complete,en,demographics,0,,,,,age,,25-34,2.25,huggins: passed
1,person,complete,en,demographics,0,,,,,device,,hifi,4.5,huggins: passed
1,person,complete,en,preference,1,sweet,sweet-finetuned-003,sweet-base-003,finetuned,preference,2.0,,7.125,huggins: passed
1,person,complete,en,ratings,2,sour,sour-base-001,,base,cold,1.0,,3.5,huggins: passed
1,person,complete,en,ratings,2,sour,sour-base-001,,base,happy,4.0,,2.75,huggins: passed
2,driven,stopped,it,demographics,0,,,,,age,,65-120,,huggins: passed
2,driven,stopped,it,demographics,0,,,,,sex,,not_said,9.0,huggins: passed
2,driven,stopped,it,preference,1,bitter,bitter-base-000,bitter-finetuned-000,base,preference,8.5,,6.5,huggins: passed
2,driven,stopped,it,gold_msi,2,,,,,item_1,7.0,,5.5,huggins: passed
"""
FORMATS = ("csv", "psychds", "bids", "psychopy")


@pytest.fixture
def db(tmp_path: Path) -> Store:
    """Two people, one of another study, and one who withdrew between them."""
    opened = Store(f"sqlite:///{tmp_path / 'p.db'}")
    sat(opened, "elsewhere", FIRST, study="t", secret="hidden")
    sat(opened, "Zoe-1", FIRST, secret="hidden")
    sat(
        opened,
        "withdrawn-9",
        [Asked("ratings", {"sad": (5.0, None, 123.0)}, "salty", "salty-base-009")],
        secret="hidden",
    )
    sat(opened, "Adam-2", SECOND, kind="driven", status="stopped", language="it", secret="hidden")
    withdraw(opened, "withdrawn-9")
    return opened


def table(path: Path, delimiter: str = ",", encoding: str = "utf-8") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding=encoding)), delimiter=delimiter))


def written() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(",".join(HEAD) + "\n" + WRITTEN)))


def everything(folder: Path) -> str:
    return "".join(f"{p.name}\n{p.read_text(encoding='utf-8-sig')}" for p in sorted(folder.rglob("*")) if p.is_file())


def test_csv_is_the_table_and_its_dictionary(db: Store, tmp_path: Path) -> None:
    folder, data = export(db, "s", "csv", tmp_path / "out")
    assert folder == tmp_path / "out" / "csv"
    assert (folder / "s.csv").read_text(encoding="utf-8") == ",".join(HEAD) + "\n" + WRITTEN
    described = json.loads((folder / "s.json").read_text())["columns"]
    assert list(described) == HEAD
    assert described["value"].endswith("preference: low = first clip, high = second clip")
    assert described["response_time"].startswith("seconds")
    assert len(data.rows) == 10
    assert {n: len(rows) for n, rows in data.people().items()} == {1: 6, 2: 4}


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_leaves_that_may_not(db: Store, tmp_path: Path, format: str) -> None:
    """No codes, no special categories or their answers, no exact ages, nobody who withdrew, no words of events."""
    folder, _ = export(db, "s", format, tmp_path / "out")
    text = everything(folder)
    for word in ("Zoe", "Adam", "withdrawn-9", "elsewhere", "ethnicity", "latino", "impairments", "hidden", "salty"):
        assert word not in text, word
    for number in ("33", "67", "123.0", "0.75", "0.875"):
        assert not re.search(rf"(?<![\d.-]){re.escape(number)}(?![\d-])", text), number
    assert "25-34" in text
    assert "65-120" in text
    withdraw(db, "Zoe-1")
    again, data = export(db, "s", format, tmp_path / "out")
    assert again == folder
    assert "7.125" not in everything(folder)
    assert len(data.people()) == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.name != MARK) == [format]


def test_bids(db: Store, tmp_path: Path) -> None:
    """BIDS 1.10: names, n/a for what is missing, a sidecar for each table, participants.tsv for every subject."""
    folder, _ = export(db, "s", "bids", tmp_path / "out")
    left_out = ("participant", "kind", "status", "language", "block")
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    blocks = {1: ("demographics", "preference", "ratings"), 2: ("demographics", "preference", "gold_msi")}
    stems = {
        f"sub-{n:03d}/beh/sub-{n:03d}_task-{block.replace('_', '')}_beh": (n, block)
        for n, b in blocks.items()
        for block in b
    }
    other = {"participants.tsv", "participants.json", "dataset_description.json", "README"}
    sidecars = {f"task-{block.replace('_', '')}_beh.json" for b in blocks.values() for block in b}
    assert found == other | {f"{s}.tsv" for s in stems} | sidecars
    for stem, (n, block) in stems.items():
        expected = [
            {k: v or "n/a" for k, v in row.items() if k not in left_out}
            for row in written()
            if row["participant"] == str(n) and row["block"] == block
        ]
        assert table(folder / f"{stem}.tsv", "\t") == expected
        # Of the table's name without the subject: it holds for every table of the block (the inheritance principle).
        sidecar = json.loads((folder / f"task-{block.replace('_', '')}_beh.json").read_text())
        assert sidecar.pop("TaskName") == block
        assert list(sidecar) == [c for c in HEAD if c not in left_out]
        assert {c: d["Units"] for c, d in sidecar.items() if "Units" in d} == {"response_time": "s"}
        assert all(d["Description"] for d in sidecar.values())
    people = [
        {"participant_id": "sub-001", "kind": "person", "status": "complete", "language": "en", "age_band": "25-34", "sex": "female"},
        {"participant_id": "sub-002", "kind": "driven", "status": "stopped", "language": "it", "age_band": "65-120", "sex": "not_said"},
    ]  # fmt: skip
    assert table(folder / "participants.tsv", "\t") == people
    assert set(json.loads((folder / "participants.json").read_text())) == set(people[0]) - {"participant_id"}
    described = json.loads((folder / "dataset_description.json").read_text())
    assert (described["Name"], described["BIDSVersion"], described["DatasetType"]) == ("S", "1.10.0", "raw")


def test_bids_keeps_tasks_apart_whose_names_come_to_the_same(tmp_path: Path) -> None:
    opened = Store(f"sqlite:///{tmp_path / 'p.db'}")
    parts = [
        Asked(block, {"sad": (value, None, 1.0)}, "salty", "salty-base-009")
        for block, value in (("part1", 5.0), ("part_1", 2.0))
    ]
    sat(opened, "A", parts)
    sat(opened, "B", parts[::-1])
    folder, _ = export(opened, "s", "bids", tmp_path / "out")
    names = {
        json.loads(p.read_text())["TaskName"]: p.name.removesuffix("_beh.json") for p in folder.glob("task-*.json")
    }
    assert set(names) == {"part1", "part_1"}
    for person in ("sub-001", "sub-002"):
        for block, value in (("part1", "5.0"), ("part_1", "2.0")):
            (row,) = table(folder / person / "beh" / f"{person}_{names[block]}_beh.tsv", "\t")
            assert row["value"] == value


def test_bids_says_n_a_of_who_was_not_asked(tmp_path: Path) -> None:
    opened = Store(f"sqlite:///{tmp_path / 'p.db'}")
    sat(opened, "A", [Asked("ratings", {"sad": (5.0, None, None)}, "salty", "salty-base-009")])
    folder, _ = export(opened, "s", "bids", tmp_path / "out")
    (row,) = table(folder / "participants.tsv", "\t")
    assert (row["age_band"], row["sex"]) == ("n/a", "n/a")
    (row,) = table(folder / "sub-001/beh/sub-001_task-ratings_beh.tsv", "\t")
    assert (row["response_time"], row["second_clip"], row["value"]) == ("n/a", "n/a", "5.0")


def test_psychds(db: Store, tmp_path: Path) -> None:
    """Rules of psych-ds.github.io's schema 1.0: required fields, file names, every column declared."""
    folder, _ = export(db, "s", "psychds", tmp_path / "out")
    described = json.loads((folder / "dataset_description.json").read_text())
    for field in ("@context", "@type", "name", "description", "variableMeasured"):
        assert described[field], field
    assert (described["@context"], described["@type"]) == ("https://schema.org", "Dataset")
    declared = {v["name"]: v for v in described["variableMeasured"]}
    assert list(declared) == HEAD
    numbers = {"participant", "trial", "value", "response_time"}
    assert {k for k, v in declared.items() if v["valueType"] == "number"} == numbers
    assert {k for k, v in declared.items() if v["valueType"] == "string"} == set(HEAD) - numbers
    assert {k: v["unitText"] for k, v in declared.items() if "unitText" in v} == {"response_time": "s"}
    for column in numbers:
        assert all(float(r[column]) >= 0 for r in written() if r[column])
    assert sorted(p.name for p in (folder / "data").iterdir()) == [
        "study-s_subject-001_data.csv",
        "study-s_subject-002_data.csv",
    ]
    rows = [r for p in sorted((folder / "data").iterdir()) for r in table(p)]
    assert rows == written()
    for path in (folder / "data").iterdir():
        assert re.fullmatch(r"([a-z]+-[a-zA-Z0-9]+)(_[a-z]+-[a-zA-Z0-9]+)*_data\.csv", path.name)
    assert {p.name for p in folder.iterdir()} == {"data", "dataset_description.json", "README.md", "CHANGES.md"}


def test_psychopy(db: Store, tmp_path: Path) -> None:
    """ExperimentHandler's wide text: one row an answer, counters from 0, UTF-8 with its mark."""
    folder, _ = export(db, "s", "psychopy", tmp_path / "out")
    assert sorted(p.name for p in folder.iterdir()) == ["001_s.csv", "002_s.csv"]
    for n in (1, 2):
        path = folder / f"{n:03d}_s.csv"
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")
        rows = table(path, encoding="utf-8-sig")
        own = [r for r in written() if r["participant"] == str(n)]
        assert [r["trials.thisN"] for r in rows] == [str(i) for i in range(len(own))]
        for row, told in zip(rows, own, strict=True):
            same = ("block", "taste", "first_clip", "second_clip", "first_model", "item", "language", "kind", "status")
            assert {k: row[k] for k in same} == {k: told[k] for k in same}
            renamed = (
                row["slider.response"],
                row["key_resp.keys"],
                row["rt"],
                row["trials.thisTrialN"],
                row["participant"],
            )
            assert renamed == (told["value"], told["choice"], told["response_time"], told["trial"], told["participant"])
            assert (row["trials.thisRepN"], row["session"], row["expName"]) == ("0", "001", "s")
        # Loop counters, what was heard, what was answered, and last what PsychoPy calls the session's info.
        assert list(rows[0]) == [
            "trials.thisN", "trials.thisTrialN", "trials.thisRepN", "block", "taste", "first_clip", "second_clip",
            "first_model", "item", "slider.response", "key_resp.keys", "rt", "screening", "participant",
            "session", "expName", "psychopyVersion", "language", "kind", "status",
        ]  # fmt: skip


def test_an_unknown_format_names_the_known_and_leaves_nothing(db: Store, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="csv, psychds, bids, psychopy"):
        export(db, "s", "xml", tmp_path / "out")
    with pytest.raises(ExperimentError, match=r"'u' is not in .* \(there: (s, t|t, s)\)"):
        export(db, "u", "csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_was_there_before_is_replaced_whole(db: Store, tmp_path: Path) -> None:
    for name in ("csv/old.csv", "bids/kept.txt"):
        path = tmp_path / "out" / name
        path.parent.mkdir(parents=True)
        path.write_text("made before")
    export(db, "s", "csv", tmp_path / "out")
    assert sorted(
        p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*") if p.name != MARK
    ) == [
        "bids/kept.txt",
        "csv/s.csv",
        "csv/s.json",
    ]


def test_an_export_that_breaks_leaves_the_one_before(
    db: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = export(db, "s", "csv", tmp_path / "out")
    before = everything(folder)

    def full(path: Path, *arguments: Any, **more: Any) -> None:
        if path.suffix == ".json":
            raise OSError(28, "No space left on device")
        write_own(path, *arguments, **more)

    withdraw(db, "Zoe-1")
    monkeypatch.setattr("experiment.data.exports.write.write_own", full)
    with pytest.raises(OSError, match="No space"):
        export(db, "s", "csv", tmp_path / "out")
    monkeypatch.undo()
    assert everything(folder) == before
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.name != MARK) == ["csv"]
    export(db, "s", "csv", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.name != MARK) == ["csv"]


def test_an_export_is_there_whenever_it_is_broken_off(
    db: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = export(db, "s", "csv", tmp_path / "out")
    before, real = everything(folder), os.replace

    def late(source: Path, target: Path) -> None:
        if target == folder:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr("experiment.data.exports.write.os.replace", late)
    with pytest.raises(KeyboardInterrupt):
        export(db, "s", "csv", tmp_path / "out")
    assert everything(folder) == before
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.name != MARK) == ["csv"]


def test_who_withdraws_at_the_last_moment_is_in_no_export(
    db: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, gone = os.replace, []

    def meanwhile(source: Path, target: Path) -> None:
        if not gone:
            gone.append(withdraw(db, "Zoe-1"))
        real(source, target)

    monkeypatch.setattr("experiment.data.exports.write.os.replace", meanwhile)
    folder, data = export(db, "s", "csv", tmp_path / "out")
    assert data.participants == 1
    assert {row["kind"] for row in table(folder / "s.csv")} == {"driven"}


def test_cells_that_few_people_share_are_named(tmp_path: Path) -> None:
    """Fewer than five people of one kind, in their demographics alone; bots are nobody."""
    opened = Store(f"sqlite:///{tmp_path / 'p.db'}")

    def people(n: int, kind: str, sex: str, age: float, prefix: str) -> None:
        for i in range(n):
            answers = {"sex": (None, sex, None), "age": (age, None, None), "ethnicity": (None, "white", None)}
            sat(
                opened,
                f"{prefix}{i}",
                [Asked("demographics", answers), Asked("note", {"word": (None, "rare", None)})],
                kind=kind,
            )

    people(5, "person", "female", 30, "a")
    people(4, "person", "male", 24, "b")
    people(1, "person", "other", 25, "c")
    people(4, "imported", "female", 70, "d")
    people(1, "bot", "not_said", 18, "e")
    people(1, "driven", "not_said", 18, "f")
    assert tidy(opened, "s").small_cells == [
        "age = 65-120: 4",
        "sex = female: 4",
        "age = 18-24: 4",
        "sex = male: 4",
        "sex = other: 1",
    ]
    # A second sitting of the same person makes nobody more.
    sat(opened, "b0", [Asked("demographics", {"sex": (None, "male", None)})])
    assert "sex = male: 4" in tidy(opened, "s").small_cells


def few(tmp_path: Path, whom: str) -> Store:
    """A study that nobody answered, one person, two, or one who withdrew since."""
    opened = Store(f"sqlite:///{tmp_path / 'p.db'}")
    sat(opened, "A", [] if whom == "nobody" else FIRST)
    if whom == "two":
        sat(opened, "B", SECOND)
    if whom == "withdrawn":
        withdraw(opened, "A")
    return opened


FEW = ("nobody", "one", "two", "withdrawn")


@pytest.mark.parametrize("whom", FEW)
def test_bids_s_own_validator_finds_no_error(tmp_path: Path, whom: str) -> None:
    validator = shutil.which(
        "bids-validator-deno", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if validator is None:
        pytest.skip("bids-validator-deno is not installed (pip install 'tastelab[dev]')")
    folder, _ = export(few(tmp_path, whom), "s", "bids", tmp_path / "out")
    command = [validator, str(folder), "--json"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = json.loads(said.stdout)["issues"]["issues"]
    assert [x for x in found if x["severity"] == "error"] == []
    assert said.returncode == 0
    assert any(x["code"] == "NO_AUTHORS" for x in found)  # it looked: nobody here has an author


@pytest.mark.parametrize("whom", FEW)
def test_psychds_has_no_error_by_its_schema(tmp_path: Path, whom: str) -> None:
    folder, _ = export(few(tmp_path, whom), "s", "psychds", tmp_path / "out")
    assert problems(folder) == []
    (folder / "data" / "sub-001_data.csv").write_text("participant,strange\n1\n")
    assert {x.split()[0] for x in problems(folder)} == {
        "FILENAME_UNOFFICIAL_KEYWORD", "CSV_HEADER_LENGTH_MISMATCH", "CSV_COLUMN_MISSING_FROM_METADATA",
    }  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_a_study_that_nobody_answered_yet_is_exported_empty(tmp_path: Path, format: str) -> None:
    opened = Store(f"sqlite:///{tmp_path / 'p.db'}")
    sat(opened, "A", [])
    folder, data = export(opened, "s", format, tmp_path / "out")
    assert folder.is_dir()
    assert (data.rows, data.small_cells) == ([], [])
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.name != MARK) == [format]


@pytest.mark.parametrize("format", FORMATS)
def test_no_cell_is_a_formula(tmp_path: Path, format: str) -> None:
    """What an older import took in as text leaves as text: nothing that a spreadsheet would run begins a cell."""
    opened = Store(f"sqlite:///{tmp_path / 'p.db'}")
    words = ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "plain", "a=b"]
    sat(opened, "A", [Asked("note", {f"q{k}": (-2.5, word, None) for k, word in enumerate(words)})])
    folder, _ = export(opened, "s", format, tmp_path / "out")
    apart = "\t" if format == "bids" else ","
    cells = []
    for path in [p for p in folder.rglob("*") if p.suffix in (".csv", ".tsv")]:
        with path.open(newline="", encoding="utf-8-sig") as file:
            cells += [cell for row in csv.reader(file, delimiter=apart) for cell in row]
    assert not [c for c in cells if c[:1] in ("=", "+", "@", "\t", "\r")]
    assert "-2.5" in cells  # a number is a number
    told = [w.replace("\r", " ") for w in words]  # no text breaks its line
    assert all((f"'{w}" if w[0] in "=+-@\t" else w) in cells for w in told)
