"""Who may play for whom, by General MIDI's own names, and what a varied corpus is made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stimuli.dataset import varied
from stimuli.dataset.render import Voicing
from stimuli.dataset.varied import build_varied, draw_voicing, produce, soundfonts
from stimuli.errors import StimulusError
from tests.stimuli.dataset.test_dataset import SKELETON, attributes

# Programs as General MIDI numbers them, from 1: its acoustic, bright and electric grand; its five organs of pipes, drawbars and reeds;
# nylon, steel, jazz and clean guitar; fingered, picked and fretless bass; acoustic bass and contrabass; string ensembles and synth
# strings; choir and voice; trombone and tuba; French horn and brass section; leads and synth basses; pads; pizzicato.
NAMES: dict[str, set[int]] = {
    "piano": {1, 2, 3}, "organ": {17, 18, 19, 20, 21}, "guitar": {25, 26, 27, 28}, "electric bass": {34, 35, 36},
    "double bass": {33, 44}, "strings": {49, 50, 51}, "choir": {53, 54}, "deep brass": {58, 59}, "horns": {61, 62},
    "electronic tones": {81, 82, 83, 85, 88, 39, 40}, "synth pad": {89, 90, 91, 92, 93, 95, 96}, "plucked strings": {46},
    "violin": {41}, "flute": {74},
}  # fmt: skip
FONTS = [Path("one.sf2"), Path("two.sf3")]


@pytest.mark.parametrize(("name", "programs"), NAMES.items())
def test_every_program_of_an_instrument_is_called_so(name: str, programs: set[int]) -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_voicing(attributes(instruments=(name, "flute")), FONTS, rng) for _ in range(150)]
    assert {v.programs[0] + 1 for v in drawn} == programs
    assert {v.programs[1] for v in drawn} == {73}


def test_kits_volumes_and_soundfonts() -> None:
    """Kits of the GS standard: standard, room, power, electronic, analogue, jazz. A volume for each player and one for the drums."""
    rng = np.random.default_rng(0)
    drawn = [draw_voicing(attributes(instruments=("harp", "flute")), FONTS, rng) for _ in range(600)]
    assert {v.kit for v in drawn} == {0, 8, 16, 24, 25, 32}
    assert np.mean([v.kit == 0 for v in drawn]) == pytest.approx(2 / 7, abs=0.06)
    assert {len(v.volumes) for v in drawn} == {3}
    volumes = [x for v in drawn for x in v.volumes]
    assert (min(volumes), max(volumes)) == (70, 119)
    assert np.mean([v.soundfont == FONTS[0] for v in drawn]) == pytest.approx(0.5, abs=0.07)


def test_both_soundfonts_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(varied, "find_soundfont", lambda: Path("first.sf2"))
    there = tmp_path / "second.sf3"
    monkeypatch.setattr(varied, "SECOND_FONT", (tmp_path / "absent.sf3", there))
    with pytest.raises(StimulusError, match="package musescore-general-soundfont"):
        soundfonts()
    there.touch()
    assert soundfonts() == [Path("first.sf2"), there]
    monkeypatch.setattr(varied, "find_spec", lambda name: None if name == "pedalboard" else 1)
    with pytest.raises(StimulusError, match=r"pip install \"tastelab\[training\]\""):
        build_varied(tmp_path / "c", 1, 1.0, 8000, 5)
    assert not (tmp_path / "c").exists()


def test_a_corpus_is_arranged_voiced_rendered_and_produced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chorales.json").write_text(json.dumps([SKELETON.__dict__ | {"piece": f"p{i}"} for i in range(24)]))
    played: list[Voicing] = []

    def render(notes: Any, instruments: Any, seconds: float, rate: int, room: float, voicing: Voicing) -> np.ndarray:
        assert 0.05 <= room <= 0.6
        assert seconds * rate == 800
        played.append(voicing)
        return np.full(800, 0.25, dtype=np.float32)

    monkeypatch.setattr(varied, "soundfonts", lambda: FONTS)
    monkeypatch.setattr(varied, "render", render)
    monkeypatch.setattr(varied, "produce", lambda audio, rate, rng: audio * 2)
    told: list[tuple[int, int]] = []
    metadata = build_varied(tmp_path / "c", 80, 0.1, 8000, 5, progress=lambda done, n: told.append((done, n)))
    rows = [json.loads(line) for line in metadata.read_text().splitlines()]
    assert told == [(k + 1, 80) for k in range(80)]
    assert len(played) == 80
    assert [len(v.programs) for v in played] == [len(r["attributes"]["instruments"]) for r in rows]
    assert np.mean([r["attributes"]["percussion"] for r in rows]) == pytest.approx(0.45, abs=0.17)
    first = rows[0]
    assert (first["path"], first["name"], first["duration"], first["sample_rate"]) == (
        "audio/00000.wav",
        "00000",
        0.1,
        8000,
    )
    assert (first["description"], first["keywords"], first["artist"]) == ("", "", "J. S. Bach, arranged")
    import soundfile

    assert soundfile.read(tmp_path / "c" / "audio" / "00079.wav")[0] == pytest.approx(np.full(800, 0.5), abs=1e-4)
    build_varied(tmp_path / "c", 80, 0.1, 8000, 5)
    assert len(played) == 80  # what is there is not made again
    assert (tmp_path / "c" / "metadata.jsonl").read_text().splitlines() == [json.dumps(r) for r in rows]


@pytest.mark.parametrize("level", [0.01, 0.7])
def test_produced_clips_have_their_length_and_peak_whatever_they_were(level: float) -> None:
    tone = (level * np.sin(2 * np.pi * 330 * np.arange(16000) / 16000)).astype(np.float32)
    made = [produce(tone, 16000, np.random.default_rng(k)) for k in range(25)]
    for one in made:
        assert one.dtype == np.float32
        assert one.shape == tone.shape
        assert np.abs(one).max() == pytest.approx(0.8, abs=1e-3)
        spectrum = np.abs(np.fft.rfft(one))
        if spectrum[300:361].sum() < 0.3 * spectrum.sum():  # Hz: a second long
            assert spectrum[300:361].max() > 0.5 * spectrum.max()
    kept = [np.abs(np.fft.rfft(one))[330] / np.sqrt((np.abs(np.fft.rfft(one)) ** 2).sum()) for one in made]
    assert np.median(kept) > 0.8
