"""What `study check` says of a study that can be run and is not ready: English texts, tracks that are not there, tracks in pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from experiment.texts import texts
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


def test_tracks_that_are_not_there_are_told(begun: Path) -> None:
    assert "are not there yet" not in checked(begun).out
    (begun.parent / "music").rename(begun.parent / "elsewhere")
    said = checked(begun)
    assert said.status == 0
    assert "are not there yet: folder " in said.out
    assert said.out.rstrip().endswith("more.")
