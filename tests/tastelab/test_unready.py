"""What `study check` says beside the study file: what is not ready yet is told, what can never be made is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from experiment.texts import texts
from stimuli.manifest import ClipRow, write_manifest
from tests.conftest import ROOT
from tests.tastelab.conftest import Said, call


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A study of four tracks in German, as `init` makes it."""
    music = tmp_path / "music"
    music.mkdir()
    for k in range(4):
        tone = 0.1 * np.sin(2 * np.pi * 220 * (k + 1) * np.arange(16000) / 16000)
        soundfile.write(music / f"piece {k}.wav", tone, 16000)
    options = ("--kind", "tracks", "--from", music, "--languages", "de", "--tastes", "sweet,sour")
    said = call("init", tmp_path / "mine", *options)
    assert said.status == 0, said.err
    return tmp_path / "mine"


def checked(folder: Path) -> Said:
    return call("study", "check", folder / "study.toml")


def test_texts_that_nobody_translated_are_told_until_they_are(begun: Path) -> None:
    said = checked(begun)
    assert said.status == 0
    assert "texts in 'de' are the English ones (affect.arousal.high, " in said.out
    path = begun / "texts" / "de.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(x.replace(' = "', ' = "Auf Deutsch: ') for x in lines), encoding="utf-8")
    texts.cache_clear()
    assert "Not translated" not in checked(begun).out
    (begun / "study.toml").write_text(
        (begun / "study.toml").read_text(encoding="utf-8").replace('["de"]', '["it"]'), encoding="utf-8"
    )
    assert "Not translated" not in checked(begun).out


def test_nobody_is_asked_whether_machines_made_ones_own_tracks(begun: Path, tmp_path: Path) -> None:
    assert "The consent does not say" in checked(begun).out
    assert "machines made" not in checked(begun).out
    assert call("init", tmp_path / "s", "--kind", "generated").status == 0
    text = (tmp_path / "s" / "study.toml").read_text(encoding="utf-8")
    (tmp_path / "s" / "study.toml").write_text(text.replace('music = "told"', "#"), encoding="utf-8")
    assert "machines made" in checked(tmp_path / "s").out


def test_tracks_that_are_not_there_are_told(begun: Path) -> None:
    assert "are not there yet" not in checked(begun).out
    (begun.parent / "music").rename(begun.parent / "elsewhere")
    said = checked(begun)
    assert said.status == 0
    assert "are not there yet: folder " in said.out
    assert said.out.rstrip().endswith("more.")


def test_tracks_shorter_than_the_clips_are_refused_with_their_length(begun: Path) -> None:
    file = begun / "study.toml"
    assert "seconds = 1 " in file.read_text(encoding="utf-8")  # as long as the tracks are
    file.write_text(file.read_text(encoding="utf-8").replace("seconds = 1 ", "seconds = 1.5 "), encoding="utf-8")
    told = f"{Path('music') / 'piece 0.wav'} is shorter than seconds = 1.5 in [stimuli]: it lasts 1 s"
    said = checked(begun)
    assert (said.status, said.out) == (2, "")
    assert told in said.err
    assert "(and 3 more)" in said.err
    said = call("stimuli", "generate", "--study", file)
    assert said.status == 2
    assert told in said.err


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[experiment]\n", '[experiment]\neffects = "mine.toml"\n', "experiment.effects: there is no file {folder}mine.toml"),
        ("[analysis]\n", '[analysis]\ntargets = "t.csv"\n', "analysis.targets: there is no file {folder}t.csv"),
        ('finetuned = "nano-taste"', 'finetuned = "nano-tatse"', "models.conditions: checkpoint 'nano-tatse' of 'finetuned' is no network that ships with tastelab, none that was pulled and no folder here; did you mean 'nano-taste'?"),
    ],
)  # fmt: skip
def test_what_the_file_names_and_nobody_has_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = (ROOT / "study.toml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "study.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    said = checked(tmp_path)
    assert (said.status, said.out) == (2, "")
    assert said.err == f"tastelab: {tmp_path / 'study.toml'}: {told.format(folder=f'{tmp_path}/')}\n"


def test_weights_that_are_to_be_pulled_are_told_and_so_is_a_condition_that_nobody_hears(tmp_path: Path) -> None:
    assert call("init", tmp_path / "s", "--kind", "generated").status == 0
    file = tmp_path / "s" / "study.toml"
    odd = '[[models.conditions]]\nname = "odd"\ncheckpoint = "somebody/music"\n'
    file.write_text(file.read_text(encoding="utf-8").replace("[stimuli]\n", f"{odd}\n[stimuli]\n", 1), encoding="utf-8")
    said = checked(tmp_path / "s")
    assert said.status == 0, said.err
    assert "The weights of 'odd' are not there yet: 'tastelab models pull " in said.out
    assert "No task has condition 'odd': its clips are made, and nobody hears them." in said.out
    assert "condition 'base'" not in said.out
    assert said.out.rstrip().endswith("more.")


def test_clips_that_were_copied_here_need_neither_tracks_nor_weights(begun: Path, tmp_path: Path) -> None:
    (begun.parent / "music").rename(begun.parent / "elsewhere")
    clips = tmp_path / "outputs" / "mine" / "stimuli"
    clips.mkdir(parents=True)
    rows = [
        ClipRow(
            clip=f"c{k}", taste="", model="given", number=k, file=f"clips/{k}.wav", sha256=f"{k:064d}",
            seconds=1.0, rate=48000, loudness=-23.0, peak=-3.0, gain=1.0,
        )
        for k in range(4)
    ]  # fmt: skip
    write_manifest(clips, rows)
    said = call("study", "check", begun / "study.toml", "--out", tmp_path / "outputs")
    assert said.status == 0, said.err
    assert "not there yet" not in said.out
