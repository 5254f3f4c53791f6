"""`tastelab init`: what a stranger begins with can be run, whole or not at all, asked or given, on a terminal or without one."""

from __future__ import annotations

import csv
import json
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stimuli.manifest import ClipRow, write_manifest
from tastelab.beginning import drafting, writing
from tastelab.beginning.drafting import Plan
from tastelab.commands import init
from tastelab.errors import UserError
from tastelab.shipped import studies
from tastelab.study import load_study
from tests.conftest import ROOT
from tests.tastelab.conftest import call

TASTES = "sweet,sour,salty,bitter"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    for k in range(12):
        soundfile.write(folder / f"piece-{k}.wav", np.zeros(160000), 8000)
    (folder / "notes.txt").write_text("no music")
    return folder


def wide(file: Path, items: int, answers: Sequence[int] = (1, 7, 4)) -> Path:
    """A survey of two people, three tracks and so many columns a track."""
    columns = [f"{track}_{k}" for track in ("soup", "cake", "green_tea") for k in range(1, items + 1)]
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["participant", *columns, "sex_1", "age_1", "hearing_experience_1", "eating_experience_1"])
        for person in ("a", "b"):
            values = [answers[k % len(answers)] for k in range(len(columns))]
            writer.writerow([person, *values, 1, 30, 3, 3])
    return file


def seed_paper(file: Path, *labels: str) -> Path:
    file.write_text(
        "participant,random_taste_label_1_1,rng_model_label_1_1,task1_1_1,random_number_1_1\n"
        + "".join(f"{k},sweet,{label},5,3\n" for k, label in enumerate(labels))
    )
    return file


def checked(folder: Path) -> dict[str, list[dict[str, object]]]:
    """The tables of `study check` on a folder's study file, which it passes."""
    said = call("study", "check", folder / "study.toml", "--json")
    assert said.status == 0, said.err
    found: dict[str, list[dict[str, object]]] = json.loads(said.out)["tables"]
    return found


def test_generated_music_of_the_known_tastes_has_the_default_study_s_prompts(here: Path) -> None:
    said = call("init", "My Study", "--kind", "generated")
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [
        "My Study/study.toml: My study", "Next:", "  cd 'My Study'", "  tastelab study check", "  tastelab",
    ]  # fmt: skip
    study, shipped = load_study(here / "My Study" / "study.toml"), load_study(ROOT / "study.toml")
    assert (study.name, study.title) == ("my-study", "My study")
    assert study.stimuli.tastes == shipped.stimuli.tastes
    assert [c.checkpoint for c in study.models.conditions] == [c.checkpoint for c in shipped.models.conditions]
    assert [h.taste for h in study.analysis.hypotheses] == TASTES.split(",")
    assert {p["part"] for p in checked(here / "My Study")["a_session"]} >= {"preference", "ratings"}


@pytest.mark.parametrize("tastes", ["umami", "umami,metallic", "sweet,umami,astringent", "a,b,c,d,e,f"])
def test_any_number_of_any_tastes_can_be_run(here: Path, tastes: str) -> None:
    said = call("init", "s", "--kind", "generated", "--tastes", tastes, "--languages", "en,it")
    assert said.status == 0, said.err
    checked(here / "s")
    text = (here / "s" / "study.toml").read_text()
    unknown = [t for t in tastes.split(",") if t not in (*TASTES.split(","), "umami")]
    assert [
        line.split(" =")[0]
        for line in text.splitlines()
        if line.endswith("    # translate") and " = " in line and "words" not in line
    ] == unknown
    if unknown:
        assert f"{unknown[0]} (en)" in said.out
    else:
        assert "translate" not in said.out


def test_own_tracks_in_german_on_one_to_seven(here: Path, tracks: Path) -> None:
    said = call(
        "init",
        "eigene",
        "--kind",
        "tracks",
        "--from",
        "music",
        "--languages",
        "de",
        "--tastes",
        TASTES,
        "--scale",
        "1-7",
    )
    assert said.status == 0, said.err
    assert f"To translate: {Path('eigene/texts/de.toml')}, which is English so far." in said.out
    study = load_study(here / "eigene" / "study.toml")
    (condition,) = study.models.conditions
    assert condition.tracks is not None
    assert condition.tracks.resolve() == tracks.resolve()
    assert 'tracks = "../music"' in (here / "eigene" / "study.toml").read_text()
    (task,) = study.experiment.tasks
    assert task.kind == "ratings"
    assert (task.clips, task.low, task.high, task.labels) == (10, 1, 7, {"de": ["gar nicht", "sehr stark"]})
    assert [a.words["de"] for a in task.adjectives] == ["süß", "sauer", "salzig", "bitter"]
    english = tomllib.loads((ROOT / "experiment" / "texts" / "en.toml").read_text())
    assert tomllib.loads((here / "eigene" / "texts" / "de.toml").read_text()) == english
    checked(here / "eigene")


def test_a_wide_survey_has_its_tracks_words_and_scale_from_its_columns(here: Path) -> None:
    wide(here / "s.csv", 5, (2, 6, 4))
    said = call("init", "s", "--kind", "import", "--from", "s.csv", "--tastes", f"{TASTES},spicy", "--languages", "it")
    assert said.status == 0, said.err
    study = load_study(here / "s" / "study.toml")
    (task,) = study.experiment.tasks
    assert task.kind == "ratings"
    assert (task.clips, task.low, task.high) == (3, 2, 6)
    checked(here / "s")
    command = next(line for line in said.out.splitlines() if " import " in line).split()[1:]
    told = call(*command, "--study", here / "s" / "study.toml", "--db", f"sqlite:///{here / 's.db'}")
    assert told.out == "2 people imported with 38 answers, 0 were there already\n"


def test_a_survey_s_columns_have_to_be_as_many_as_its_words(here: Path) -> None:
    wide(here / "s.csv", 3)
    said = call("init", "s", "--kind", "import", "--from", "s.csv", "--tastes", TASTES)
    assert (said.status, said.err) == (
        2,
        "tastelab: s.csv has neither the seed paper's columns nor any <track>_1 .. <track>_4: one row a person, one column a track and "
        "word (docs/designs.md: a long file)\n",
    )
    wide(here / "s.csv", 5)
    said = call("init", "s", "--kind", "import", "--from", "s.csv", "--tastes", TASTES)
    assert (said.status, said.err) == (
        2, "tastelab: s.csv has columns _1 to _5 of a track, and --tastes names 4; say what each of them stands for\n"
    )  # fmt: skip
    wide(here / "s.csv", 4, (3,))
    said = call("init", "s", "--kind", "import", "--from", "s.csv", "--tastes", TASTES)
    assert (said.status, said.err) == (
        2,
        "tastelab: s.csv: the answers do not tell the scale; give --scale, e.g. --scale 1-7\n",
    )
    assert not (here / "s").exists()


def test_what_is_missing_is_asked_for_with_what_was_given(here: Path) -> None:
    """The example can be run: what was given, and what is missing."""
    wide(here / "s 1.csv", 2)
    said = call("init", "s", "--kind", "import", "--from", "s 1.csv", "--languages", "it")
    told, _, example = said.err.rstrip("\n").partition("; e.g. ")
    assert (said.status, told.split(" (")[0]) == (2, "tastelab: --tastes is missing")
    assert example == "tastelab init s --kind import --from 's 1.csv' --tastes sweet,sour --languages it"
    assert call(*shlex.split(example)[1:], "--scale", "1-7").status == 0
    said = call("init", "--kind", "tracks")
    assert said.err.endswith("; e.g. tastelab init my-study --kind tracks --from music\n")


def test_the_seed_paper_s_survey_is_known_and_its_labels_are_not_guessed(here: Path) -> None:
    seed_paper(here / "s.csv", "Tasty MusicGen", "base", "B")
    said = call("init", "s", "--kind", "import", "--from", "s.csv")
    assert said.status == 0, said.err
    assert "which model the survey means by B, Tasty MusicGen." in said.out
    text = (here / "s" / "study.toml").read_text()
    assert '# labels = { "B" = "", "Tasty MusicGen" = "" }' in text
    checked(here / "s")
    (here / "s" / "study.toml").write_text(
        text.replace(
            '# labels = { "B" = "", "Tasty MusicGen" = "" }',
            'labels = { "B" = "base", "Tasty MusicGen" = "finetuned" }',
        )
    )
    told = call(
        "experiment", "import", "psytoolkit", "s.csv", "--study", "s/study.toml", "--db", f"sqlite:///{here / 's.db'}"
    )
    assert told.out == "3 people imported with 3 answers, 0 were there already\n"


@pytest.mark.parametrize("name", list(studies()))
def test_a_copy_of_a_shipped_study_is_that_study_under_another_name(here: Path, name: str) -> None:
    said = call("init", "mine", "--kind", "copy", "--from", name)
    assert said.status == 0, said.err
    mine, theirs = load_study(here / "mine" / "study.toml"), load_study(studies()[name])
    assert mine.name == "mine"
    assert (mine.title, mine.stimuli, mine.analysis) == (theirs.title, theirs.stimuli, theirs.analysis)
    assert [c.name for c in mine.models.conditions] == [c.name for c in theirs.models.conditions]
    assert all(c.tracks is None or c.tracks.resolve().is_relative_to(here / "mine") for c in mine.models.conditions)
    if theirs.experiment.effects is not None:
        assert mine.experiment.effects is not None
        assert mine.experiment.effects.is_relative_to(here / "mine")
        assert mine.experiment.effects.read_bytes() == theirs.experiment.effects.read_bytes()
    checked(here / "mine")


def test_simulated_people_go_through_what_was_begun_to_a_result(here: Path) -> None:
    said = call("init", "s", "--kind", "generated", "--tastes", "umami,metallic")
    assert said.status == 0, said.err
    study = load_study(here / "s" / "study.toml")
    rows = [
        ClipRow(
            clip=f"{taste}-{c.name}-{k:03d}", taste=taste, model=c.name, number=k, file=f"clips/{i}{j}{k}.wav", sha256=f"{i}{j}{k:062d}",
            seconds=10.0, rate=48000, loudness=-23.0, peak=-3.0, gain=1.0, prompt="", seed=k, checkpoint=str(c.checkpoint),
        )
        for i, taste in enumerate(("umami", "metallic")) for j, c in enumerate(study.models.conditions) for k in range(8)
    ]  # fmt: skip
    clips = here / "outputs" / "s" / "stimuli"
    clips.mkdir(parents=True)
    write_manifest(clips, rows)
    assert call("experiment", "simulate", "-n", "12", "--study", "s/study.toml", "--quiet").status == 0
    told = call("analysis", "preference", "--study", "s/study.toml", "--json")
    assert told.status == 0, told.err
    tests = json.loads(told.out)["tables"]["tests"]
    assert [(t["taste"], t["alternative"], t["n"]) for t in tests] == [
        ("all", "greater", 48), ("metallic", "greater", 24), ("umami", "greater", 24),
    ]  # fmt: skip


def test_nothing_is_overwritten_and_nothing_is_left_half_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "s").mkdir()
    (here / "s" / "thesis.txt").write_text("years of work")
    said = call("init", "s", "--kind", "generated")
    assert (said.status, said.err) == (2, "tastelab: s is there already and not empty; name a new folder\n")
    assert [p.name for p in (here / "s").iterdir()] == ["thesis.txt"]
    (here / "file").write_text("")
    assert call("init", "file", "--kind", "generated").status == 2
    assert call("init", ".", "--kind", "generated").status == 2

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_texts", full)
    said = call("init", "t", "--kind", "generated", "--languages", "de")
    assert (said.status, said.err) == (2, "tastelab: t can't be made: No space left on device\n")
    assert sorted(p.name for p in here.iterdir()) == ["file", "s"]


def test_what_could_not_be_run_is_refused_by_the_name_that_it_would_have(here: Path) -> None:
    said = call("init", "s", "--kind", "generated", "--scale", "7-1")
    assert said.status == 2
    assert said.err.startswith(f"tastelab: {Path('s/study.toml')}: ")
    assert "low = 7 is not under high = 1" in said.err
    assert list(here.iterdir()) == []


def test_a_track_in_the_place_of_its_folder_is_told(here: Path, tracks: Path) -> None:
    said = call("init", "s", "--kind", "tracks", "--from", tracks / "piece-0.wav")
    assert (said.status, said.out) == (2, "")
    assert said.err == f"tastelab: {tracks / 'piece-0.wav'} is a file; name the folder that it lies in, {tracks}\n"


def test_an_empty_folder_is_taken(here: Path) -> None:
    (here / "s").mkdir()
    assert call("init", "s", "--kind", "generated").status == 0
    assert [p.name for p in (here / "s").iterdir()] == ["study.toml"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            (),
            "--kind is missing (kind of study), and nobody is at a terminal to be asked; e.g. tastelab init my-study --kind generated",
        ),
        (("--kind", "generated"), "FOLDER is missing (folder to make), and nobody"),
        (("s", "--kind", "genrated"), "--kind 'genrated' is not known; there are: generated, tracks, import, copy"),
        (("s", "--kind", "tracks"), "--from is missing (folder of tracks), and nobody"),
        (("s", "--kind", "tracks", "--from", "nowhere"), "folder of tracks nowhere does not exist"),
        (("s", "--kind", "tracks", "--from", "."), "there are no audio files in ."),
        (("s", "--kind", "import", "--from", "nowhere.csv"), "survey file nowhere.csv does not exist"),
        (
            ("s", "--kind", "copy", "--from", "seven-tastes"),
            "--from 'seven-tastes' is not known; there are: multimodal-symphony",
        ),
        (("s", "--kind", "copy", "--from", "five-tastes", "--scale", "1-5"), "--scale: a copy has those of the study"),
        (("s", "--kind", "generated", "--from", "x"), "--from x: a study of kind 'generated' is made from nothing"),
        (
            ("s", "--kind", "generated", "--tastes", "Sweet"),
            "--tastes 'Sweet': a name has small letters from a to z and '_'",
        ),
        (("s", "--kind", "generated", "--tastes", "a,a"), "--tastes a,a: a name stands there twice"),
        (("s", "--kind", "generated", "--languages", "english"), "--languages 'english': give codes with commas"),
        (("s", "--kind", "generated", "--languages", "en,en"), "--languages en,en: a language stands there twice"),
        (("s", "--kind", "generated", "--scale", "seven"), "--scale 'seven': give the lowest and the highest step"),
        (("s", "--kind", "generated", "--title", " "), "--title is empty"),
        (("!!", "--kind", "generated"), "--name: nothing in '!!' can name a study"),
    ],
)
def test_what_is_missing_or_wrong_is_one_line(here: Path, words: tuple[str, ...], told: str) -> None:
    said = call("init", *words)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"tastelab: {told}")
    assert said.err.count("\n") == 1
    assert list(here.iterdir()) == []


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Somebody at a terminal, who answers so; what is asked stands in order in `asked`."""
    import io
    import sys

    answers: list[str] = []

    class Typed(io.StringIO):
        def readline(self, size: int | None = -1, /) -> str:
            if not answers:
                raise AssertionError("asked more than was answered")
            return answers.pop(0) + "\n"

    monkeypatch.setattr(init, "can_ask", lambda: True)
    monkeypatch.setattr(sys, "stdin", Typed())
    monkeypatch.setattr("builtins.input", lambda *_: answers.pop(0))
    yield answers
    assert answers == []


def test_five_questions_on_a_terminal(here: Path, answering: list[str], tracks: Path) -> None:
    answering += ["tracks", "nowhere", "music", "", "sweet,spicy", "it"]  # what can't be is asked again
    said = call("init")
    assert said.status == 0, said.err
    study = load_study(here / "my-study" / "study.toml")
    assert [t.name for t in study.stimuli.tastes] == ["sweet", "spicy"]
    assert study.experiment.languages == ["it"]
    assert "folder of tracks nowhere does not exist" in said.out + said.err


def test_what_is_given_is_not_asked(here: Path, answering: list[str]) -> None:
    answering += ["s", "", "", ""]
    assert call("init", "--kind", "generated").status == 0
    assert load_study(here / "s" / "study.toml").title == "S"
    answering += ["five-tastes", ""]
    assert call("init", "--kind", "copy").status == 0
    assert (here / "five-tastes" / "study.toml").is_file()
    assert call("init", "t", "--kind", "generated").status == 0  # enough was given: the rest is as usual


def test_a_folder_s_name_names_the_study() -> None:
    assert drafting.slug("Süße Töne 2") == "susse-tone-2"
    with pytest.raises(UserError, match="can name a study"):
        drafting.slug("__")


def test_a_title_may_hold_whatever_a_file_holds(here: Path) -> None:
    title = 'What "$sweet" {means}: süß \\ €'
    writing.write(Plan("generated", "s", title, tastes=("sweet",)), here / "s")
    assert load_study(here / "s" / "study.toml").title == title


def test_questions_about_people_are_no_tracks(here: Path) -> None:
    file = wide(here / "s.csv", 2)
    file.write_text(file.read_text().replace("sex_1,age_1", "sex_1,sex_2").replace("hearing_experience_1,", "etnia_1,"))
    assert drafting.columns_of(file) == {"soup": 2, "cake": 2, "green_tea": 2}
    assert drafting.ends_of(file, ["cake"]) == (1, 4)  # the third and the fourth answer
