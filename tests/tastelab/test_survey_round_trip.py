"""Sessions of given tracks, exported, written in a survey's layout and imported anew, have the same results to the digit."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stimuli.manifest import ClipRow, write_manifest
from stimuli.names import opaque
from tests.conftest import ROOT
from tests.tastelab.conftest import Lived, call

PEOPLE = 24
TRACKS = [f"piece_{k:02d}" for k in range(20)]
ITEMS = ["salty", "sweet", "sour", "bitter", "spicy"]
# How PsyToolkit numbers the options of a question (docs of the seed study's file).
CODES = {
    "sex": ["male", "female", "other", "not_said"],
    "hearing_experience": ["professional", "amateur", "none"],
    "eating_experience": ["professional", "amateur", "none"],
    "device": ["headphones", "speakers", "hifi", "other"],
}


def study(folder: Path) -> Lived:
    found = Lived(folder)
    folder.mkdir()
    found.study.write_text((ROOT / "studies" / "five-tastes.toml").read_text())
    return found


def exported(of: Lived) -> list[dict[str, str]]:
    (path,) = of.out.rglob("export/csv/five-tastes.csv")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def as_survey(of: Lived, file: Path, tracks: list[str]) -> Path:
    """The exported answers as a survey has them: a row a person, a column a track and item, empty where it was not heard."""
    people: dict[str, dict[str, str]] = {}
    for row in exported(of):
        person = people.setdefault(row["participant"], {"participant": row["participant"]})
        if row["block"] == "ratings":
            track = row.get("first") or row["first_clip"]
            person[f"{track.replace('-', '_')}_{ITEMS.index(row['item']) + 1}"] = row["value"]
        elif row["item"] in CODES:
            person[f"{row['item']}_1"] = str(CODES[row["item"]].index(row["choice"]) + 1)
    columns = ["participant", *(f"{item}_1" for item in CODES), *(f"{t}_{k}" for t in tracks for k in range(1, 6))]
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, columns, restval="")
        writer.writeheader()
        writer.writerows(people.values())
    return file


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Simulated people who heard ten of twenty tracks each."""
    found = study(tmp_path_factory.mktemp("survey") / "heard")
    clips = found.out / "five-tastes" / "stimuli"
    clips.mkdir(parents=True)
    rows = []
    for k, track in enumerate(TRACKS):
        name = opaque(0, "given", "", k)
        rows.append(
            ClipRow(
                clip=name, taste="", model="given", number=k, file=f"clips/{name}.wav", sha256=f"{k:064d}", seconds=15.0,
                rate=48000, loudness=-23.0, peak=-3.0, gain=1.0, checkpoint=f"{track}.mp3",
            )
        )  # fmt: skip
    write_manifest(clips, rows)
    for words in (
        ("experiment", "simulate", "-n", str(PEOPLE), "--quiet"),
        ("experiment", "export", "--format", "csv"),
    ):
        said = call(*words, *found.where)
        assert (said.status, said.err) == (0, "")
    return found


@pytest.fixture(scope="module")
def surveyed(heard: Lived, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """The exported answers as a survey file, and that file in a database of its own."""
    found = study(tmp_path_factory.mktemp("survey") / "surveyed")
    file = as_survey(heard, found.folder / "survey.csv", TRACKS)
    said = call("experiment", "import", "psytoolkit", file, *found.answers)
    assert said.status == 0, said.err
    assert said.out.startswith(f"{PEOPLE} people imported with ")
    return found


def tables(of: Lived, *words: str | Path) -> dict[str, list[dict[str, Any]]]:
    said = call("analysis", *words, *of.answers, "--json")
    assert said.status == 0, said.err
    found: dict[str, list[dict[str, Any]]] = json.loads(said.out)["tables"]
    return found


def plainly(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with tracks as they are spelled in clips' names, in the order of what they are about."""
    out = [{k: v.replace("_", "-") if isinstance(v, str) else v for k, v in row.items()} for row in rows]
    return sorted(out, key=lambda row: [v for v in row.values() if isinstance(v, str)])


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a model wanted each track to call up, as the follow-up's authors had it: a row a track, a column a taste."""
    path, rng = tmp_path_factory.mktemp("targets") / "targets.csv", np.random.default_rng(4)
    rows = [",".join([track, *(f"{x:.3f}" for x in rng.random(5))]) for track in TRACKS]
    path.write_text("\n".join([",".join(["track", *ITEMS]), *rows]) + "\n")
    return path


ANALYSES = [("ratings", "--plan", "paper"), ("ratings", "--plan", "robust"), ("factors",), ("agreement",)]


@pytest.mark.parametrize("words", ANALYSES, ids=" ".join)
def test_every_table_is_the_same_to_the_digit(
    heard: Lived, surveyed: Lived, targets: Path, words: tuple[str, ...]
) -> None:
    """To the last digit of double precision: the file tells tracks in another order than they were heard in."""
    words = (*words, "--targets", str(targets)) if words == ("agreement",) else words
    mine, theirs = tables(heard, *words), tables(surveyed, *words)
    assert mine.keys() == theirs.keys()
    assert sum(map(len, mine.values())) > 20
    for name in mine:
        wanted, found = plainly(mine[name]), plainly(theirs[name])
        assert len(found) == len(wanted), name
        for one, other in zip(wanted, found, strict=True):
            assert other == one, name


# A survey's file tells no times, and of people what PsyToolkit's file has.
UNTOLD = {"careless", "demographics"}


@pytest.mark.slow
def test_the_reports_tables_are_the_same_to_the_byte(heard: Lived, surveyed: Lived) -> None:
    next(heard.out.rglob("manifest.json")).unlink()  # without its sounds
    made = []
    for of in (heard, surveyed):
        said = call("analysis", "report", "--quiet", *of.where)
        assert (said.status, said.err) == (0, "")
        made.append({p.stem: p.read_text().replace("_", "-") for p in of.out.rglob("tables/*.csv")})
    mine, theirs = made
    assert mine.keys() == theirs.keys()
    assert len(mine) > 15
    assert {name for name in mine if mine[name] != theirs[name]} == UNTOLD
    # From the survey's tracks and its own names of people on: of 100 means each is of one track, and each person heard ten tracks.
    number, track = next((r["number"], r["row"]) for r in traced(surveyed, "means")["numbers"] if "mean" in r["number"])
    (name,) = (t for t in TRACKS if t in track)
    assert [c["clip"] for c in traced(surveyed, number)["clips"]] == [name]
    went = traced(surveyed, name)["numbers"]
    assert number in {r["number"] for r in went}
    assert len({r["number"] for r in went if r["number"].startswith("means.") and r["number"].endswith(".mean")}) == 5
    first = exported(heard)[0]["participant"]
    assert traced(surveyed, first) == traced(surveyed, "person-1")
    assert len(traced(surveyed, first)["answers"]) == 10 * len(ITEMS)


def traced(of: Lived, what: str) -> dict[str, list[dict[str, Any]]]:
    said = call("trace", what, *of.where, "--json")
    assert said.status == 0, said.err
    found: dict[str, list[dict[str, Any]]] = json.loads(said.out)["tables"]
    return found


@pytest.mark.reference
def test_the_followups_file_comes_back_as_it_was(reference_data: Path, tmp_path: Path) -> None:
    """Imported, exported, written in its layout, imported anew, exported: the published cells, at their rows and columns."""
    published = reference_data / "followup-study" / "data.csv"
    with published.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    asked = [c for c in rows[0] if c[:-1].endswith("_") and c[-1] in "12345"]
    tracks = [c[:-2] for c in asked if c.endswith("_1")]
    # As its authors describe it: 49 people, 20 tracks, five tastes of each, ten tracks a person.
    assert (len(rows), len(tracks), asked) == (49, 20, [f"{t}_{k}" for t in tracks for k in range(1, 6)])
    wanted = {(str(n), c, float(row[c])) for n, row in enumerate(rows, start=1) for c in asked if row[c]}
    assert len(wanted) == 49 * 10 * 5
    files, found = [published], []
    for name, about in (("once", 8), ("anew", len(CODES))):  # what of oneself the file tells
        of = study(tmp_path / name)
        said = call("experiment", "import", "psytoolkit", files[-1], *of.answers)
        assert said.status == 0, said.err
        assert said.out.startswith(f"49 people imported with {49 * (10 * 5 + about)} answers")
        said = call("experiment", "export", "--format", "csv", *of.where)
        assert said.status == 0, said.err
        files.append(as_survey(of, of.folder / "survey.csv", tracks))
        found.append(exported(of))
    for file in files[1:]:
        with file.open(newline="", encoding="utf-8") as opened:
            again = list(csv.DictReader(opened))
        assert {(row["participant"], c, float(row[c])) for row in again for c in asked if row[c]} == wanted
    assert files[1].read_bytes() == files[2].read_bytes()
    first, second = ([r for r in rows if r["block"] == "ratings"] for rows in found)
    assert first == second
    keys = {(r["taste"], r["item"]) for r in first}
    assert keys == {(track, item) for track in tracks for item in ITEMS}
