"""Sung clips: the voice sings the notes it is given, keeps its own vowels, and is not the vocoder alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from stimuli.dataset.arrange import Note
from stimuli.dataset.sung import Syllable, build_sung, sing, speakers, syllables, vocoded
from stimuli.errors import StimulusError
from tastelab.cli import app

RATE = 16000


def vowel(f0: float, formants: tuple[float, ...], seconds: float) -> np.ndarray:
    """A pulse train through resonances: a vowel, with half a tenth of noise in front of it."""
    from scipy.signal import lfilter

    n = round(seconds * RATE)
    source = np.zeros(n)
    source[:: round(RATE / f0)] = 1
    rng = np.random.default_rng(0)
    source = np.concatenate([0.02 * rng.normal(size=RATE // 20), source])
    for f in formants:
        r, w = np.exp(-np.pi * 90 / RATE), 2 * np.pi * f / RATE
        source = lfilter([1.0], [1, -2 * r * np.cos(w), r * r], source)
    return np.asarray(0.5 * source / np.abs(source).max())


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    gap = np.zeros(RATE // 10)
    for name, f0, formants in (("female-a", 200, (850, 1200, 2800)), ("male-b", 110, (300, 2200, 2900))):
        (tmp_path / "speech" / name).mkdir(parents=True)
        spoken = np.concatenate([x for _ in range(4) for x in (vowel(f0, formants, 0.25), gap)])
        soundfile.write(tmp_path / "speech" / name / "one.wav", spoken, RATE)
    return tmp_path / "speech"


def words(speech: Path, name: str) -> list[Syllable]:
    return syllables(soundfile.read(speech / name / "one.wav")[0], RATE)


def test_syllables_are_the_voiced_runs(speech: Path) -> None:
    found = words(speech, "female-a")
    assert len(found) == 4
    assert all(0.15 < s.voiced.sum() * 0.005 < 0.32 for s in found)
    assert syllables(np.zeros(RATE), RATE) == []


def test_the_melody_is_sung_in_tune(speech: Path) -> None:
    """Median pitch of every note within a quarter of a semitone, by librosa's pyin."""
    import librosa

    pitches = (60, 64, 67, 72)
    notes = [Note(0, 0.7 * k, 0.65, p, 80) for k, p in enumerate(pitches)]
    audio = sing(notes, words(speech, "female-a"), 2.8, RATE, np.random.default_rng(0))
    f0, _, _ = librosa.pyin(audio, fmin=100, fmax=900, sr=RATE, hop_length=160)
    for k, pitch in enumerate(pitches):
        here = f0[round((0.7 * k + 0.2) * 100) : round((0.7 * k + 0.55) * 100)]
        assert np.nanmedian(librosa.hz_to_midi(here)) == pytest.approx(pitch, abs=0.25)


def test_the_vowel_stays_the_speakers(speech: Path) -> None:
    """The strongest formant lies where it was, though the pitch has moved; another tract moves it."""

    def formant(audio: np.ndarray, low: float, high: float) -> float:
        spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
        freq = np.fft.rfftfreq(len(audio), 1 / RATE)
        band = (freq > low) & (freq < high)
        return float((freq[band] * spectrum[band]).sum() / spectrum[band].sum())

    notes = [Note(0, 0.0, 2.0, 57, 80)]
    own = sing(notes, words(speech, "female-a"), 2.0, RATE, np.random.default_rng(0))
    longer = sing(notes, words(speech, "female-a"), 2.0, RATE, np.random.default_rng(0), formants=1.15)
    man = sing(notes, words(speech, "male-b"), 2.0, RATE, np.random.default_rng(0))
    assert formant(own, 100, 2000) > formant(man, 100, 2000) + 200
    assert formant(longer, 100, 2000) > formant(own, 100, 2000) + 50


def test_an_instrument_through_the_vocoder_keeps_its_pitch() -> None:
    import librosa

    t = np.arange(RATE * 2) / RATE
    tone = sum(np.sin(2 * np.pi * 330 * h * t) / h for h in range(1, 8)).astype(np.float32) / 4
    again = vocoded(tone, RATE)
    f0, _, _ = librosa.pyin(again, fmin=100, fmax=900, sr=RATE)
    assert np.nanmedian(f0) == pytest.approx(330, rel=0.01)


@pytest.mark.slow
def test_a_corpus_says_who_sings_and_goes_on(speech: Path, tmp_path: Path) -> None:
    out = tmp_path / "sung"
    run = CliRunner()
    command = [
        "stimuli",
        "dataset",
        "build",
        "sung",
        str(out),
        "--speech",
        str(speech),
        "-n",
        "6",
        "--seconds",
        "3",
        "--quiet",
    ]
    assert run.invoke(app, command).exit_code == 0
    rows = [json.loads(x) for x in (out / "metadata.jsonl").read_text().splitlines()]
    assert {bool(r["voice"]) for r in rows} == {True, False}
    assert all(bool(r["voice"]) != r["vocoded"] for r in rows)
    assert all(r["voice"]["speaker"] in ("a", "b") for r in rows if r["voice"])
    before = {r["path"]: (out / r["path"]).read_bytes() for r in rows}
    (out / rows[0]["path"]).unlink()
    (out / "metadata.jsonl").unlink()
    build_sung(out, speech, 6, 3.0, RATE, 11)
    assert {p: (out / p).read_bytes() for p in before} == before
    for r in rows:
        audio = soundfile.read(out / r["path"])[0]
        assert np.abs(audio).max() <= 0.81
        assert np.sqrt((audio**2).mean()) > 0.003


def test_speech_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(StimulusError, match="has no speakers"):
        speakers(tmp_path)
    (tmp_path / "female-x").mkdir()
    with pytest.raises(StimulusError, match="holds no WAV file"):
        speakers(tmp_path)


@pytest.mark.slow
def test_singing_over_recordings(speech: Path, tmp_path: Path) -> None:
    """Every other clip is the recording as it is; of all of them nothing but the voice is known."""
    from models.sonicverse.nano.labels import labels_of, targets

    music = tmp_path / "music"
    music.mkdir()
    rng = np.random.default_rng(0)
    noise = np.cumsum(rng.normal(size=6 * RATE))
    soundfile.write(music / "band.wav", 0.2 * noise / np.abs(noise).max(), RATE)
    soundfile.write(music / "short.wav", np.zeros(RATE), RATE)
    out = tmp_path / "over"
    command = ["stimuli", "dataset", "build", "sung", str(out), "--speech", str(speech), "--music", str(music)]
    assert CliRunner().invoke(app, [*command, "-n", "4", "--seconds", "3", "--quiet"]).exit_code == 0
    rows = [json.loads(x) for x in (out / "metadata.jsonl").read_text().splitlines()]
    assert [bool(r["voice"]) for r in rows] == [False, True, False, True]
    assert {r["title"] for r in rows} == {"band"}
    plain, sung = (soundfile.read(out / rows[k]["path"])[0] for k in (0, 1))
    band = [np.abs(np.fft.rfft(x))[900:3000].sum() for x in (plain, sung)]  # 300 to 1,000 Hz: the voice
    assert band[1] > 3 * band[0]
    assert set(labels_of(rows[0])) == {"vocals"}
    known = targets(labels_of(rows[1]))
    assert known["vocals"].tolist() == [1, 0]
    assert np.isnan(known["key"]).all()
    (music / "band.wav").unlink()
    bad = CliRunner().invoke(app, [*command, "-n", "1"])
    assert "no recordings of more than 15 s" in str(bad.exception)
