"""Sung clips: the voice sings the notes it is given, keeps its own vowels, and is not the vocoder alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from stimuli.dataset import sung
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


def test_speech_is_read_as_one_channel_at_the_rate_asked(tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 200 * np.arange(8000) / 8000)
    soundfile.write(tmp_path / "x.wav", np.stack([0.6 * tone, 0.2 * tone], axis=1), 8000, subtype="FLOAT")
    found = sung.read_speech(tmp_path / "x.wav", RATE)
    assert (found.dtype, found.shape) == (np.float64, (RATE,))
    expected = 0.4 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    assert np.abs(found - expected)[500:-500].max() < 0.005


def test_a_melody_lies_so_many_decibels_over_the_music() -> None:
    """By root mean squares: 0.1 of music, 6 dB over it 0.1995; what would pass 0.8 is brought down as a whole."""
    t = np.arange(RATE) / RATE
    music, lead = 0.1 * np.sqrt(2) * np.sin(2 * np.pi * 200 * t), np.sin(2 * np.pi * 500 * t)
    mixed = sung._over(lead, music, 6.0)
    assert mixed.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(mixed)) / (RATE / 2)
    assert (spectrum[200], spectrum[500]) == pytest.approx((0.1414, 0.2822), abs=1e-3)
    loud = sung._over(lead, 8 * music, 0.0)
    spectrum = np.abs(np.fft.rfft(loud))
    assert np.abs(loud).max() == pytest.approx(0.8, abs=1e-4)
    assert spectrum[500] == pytest.approx(spectrum[200], rel=1e-3)
    alone = sung._over(lead, np.zeros(RATE), 0.0)  # over silence as over a tenth
    assert np.sqrt(np.mean(alone**2)) == pytest.approx(0.1, rel=1e-3)
    assert not sung._over(np.zeros(RATE), np.zeros(RATE), 0.0).any()


def test_rooms_ring_on_after_a_sound_and_fall_by_60_decibels() -> None:
    dry = np.zeros(3 * RATE)
    dry[RATE] = 0.5
    amounts, times = [], []
    for seed in range(40):
        wet = sung._in_room(dry, RATE, np.random.default_rng(seed))
        assert (wet.dtype, wet.shape) == (np.float32, dry.shape)
        assert np.abs(wet[:RATE]).max() < 1e-6
        tail = wet - dry
        amounts.append(np.sqrt(np.sum(tail**2)) / 0.5)
        times.append(np.flatnonzero(np.abs(tail) > 1e-6).max() / RATE - 1)
        # Half-way through its time the tail has fallen by 30 dB.
        half = RATE + round(times[-1] * RATE / 2)
        begun, later = (np.sqrt(np.mean(tail[i : i + 400] ** 2)) for i in (RATE, half))
        assert 20 * np.log10(begun / later) == pytest.approx(30, abs=5)
    assert 0.1 <= min(amounts) < 0.15
    assert 0.35 < max(amounts) <= 0.4
    assert 0.3 <= min(times) + 0.01 < 0.4
    assert 1.05 < max(times) <= 1.2


def test_a_speaker_is_read_once_and_until_there_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def speech(path: Path, rate: int) -> np.ndarray:
        read.append(path.name)
        return np.zeros(1)

    monkeypatch.setattr(sung, "read_speech", speech)
    monkeypatch.setattr(sung, "syllables", lambda *_: ["syllable"] * 150)
    known: dict[str, list[Syllable]] = {}
    files = [Path(f"{k}.wav") for k in range(9)]
    assert len(sung._words(files, "female-a", known, RATE)) == 450
    sung._words(files, "female-a", known, RATE)
    assert read == ["0.wav", "1.wav", "2.wav"]
    sung._words(files[5:6], "male-b", known, RATE)
    assert read[3:] == ["5.wav"]
    monkeypatch.setattr(sung, "syllables", lambda *_: [])
    with pytest.raises(StimulusError, match="recordings of female-c"):
        sung._words(files, "female-c", known, RATE)


def test_speakers_by_their_folders(tmp_path: Path) -> None:
    for name in ("male-b", "female-c", "female-a-1", "child-d", "notes"):
        (tmp_path / name).mkdir()
        for k in (2, 1):
            (tmp_path / name / f"{k}.wav").touch()
    (tmp_path / "female-file").touch()
    found = speakers(tmp_path)
    assert [(gender, name) for gender, name, _ in found] == [("female", "a-1"), ("female", "c"), ("male", "b")]
    assert [p.name for p in found[0][2]] == ["1.wav", "2.wav"]


def test_a_syllable_needs_80_milliseconds_of_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of 15, 16 and 30 frames of 5 ms: the first is too short; the others have up to 12 frames in front, never another's."""
    import pyworld

    f0 = np.zeros(120)
    for start, end in ((2, 17), (30, 46), (50, 80)):
        f0[start:end] = 150.0
    frames = np.arange(120, dtype=float)[:, None]
    monkeypatch.setattr(pyworld, "dio", lambda *_, **__: (f0, np.arange(120) * 0.005))
    monkeypatch.setattr(pyworld, "stonemask", lambda speech, f0, at, rate: f0)
    monkeypatch.setattr(pyworld, "cheaptrick", lambda *_: frames)
    monkeypatch.setattr(pyworld, "d4c", lambda *_: 2 * frames)
    found = syllables(np.zeros(RATE), RATE)
    assert [(s.envelope[0, 0], s.envelope[-1, 0]) for s in found] == [(18, 45), (46, 79)]
    assert [int(s.voiced.sum()) for s in found] == [16, 30]
    assert found[1].voiced.tolist() == [False] * 4 + [True] * 30
    assert np.array_equal(found[0].aperiodicity, 2 * found[0].envelope)
    assert syllables(np.zeros(RATE // 5 - 1), RATE) == []
    assert len(syllables(np.zeros(RATE // 5), RATE)) == 2


def test_notes_sing_syllables_in_turn_and_end_at_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the synthesiser is given, frame by frame of 5 ms: pitch, whose envelope, and nothing where nothing is sung."""
    import pyworld

    given: dict[str, np.ndarray] = {}

    def synthesize(
        f0: np.ndarray, envelope: np.ndarray, aperiodicity: np.ndarray, rate: int, period: float
    ) -> np.ndarray:
        assert (rate, period) == (RATE, 5.0)
        given.update(f0=f0, envelope=envelope, aperiodicity=aperiodicity)
        return np.zeros(5 * rate)

    monkeypatch.setattr(pyworld, "synthesize", synthesize)
    voiced = np.array([False] * 10 + [True] * 40)
    three = [Syllable(voiced, np.full((50, 3), float(k)), np.full((50, 3), k / 10)) for k in (1, 2, 3)]
    notes = [
        Note(0, 2.0, 1.0, 81, 80),
        Note(0, 0.0, 1.0, 69, 80),
        Note(0, 0.5, 1.0, 69, 80),
        Note(0, 3.5, 0.03, 90, 80),
    ]
    audio = sing(notes, three, 4.0, RATE, np.random.default_rng(0))
    assert (audio.dtype, audio.shape) == (np.float32, (4 * RATE,))
    level = given["envelope"][:, 0]
    assert len(level) == 801
    first = level[50]
    assert first in (1, 2, 3)
    # The second note begins at 0.5 s, though the first would last a second; the third syllable is sung at 2 s.
    assert level[89] == first
    assert level[150] == level[189] == first % 3 + 1
    assert level[450] == (first + 1) % 3 + 1
    assert given["aperiodicity"][450, 0] == pytest.approx(level[450] / 10)
    silent = np.r_[301:399, 601:800]
    assert (level[silent] < 1e-9).all()
    assert not given["f0"][silent].any()
    assert (given["aperiodicity"][silent] == 1).all()
    # Ten frames of consonant have no pitch, and keep their time; the vowel is the note's, 440 Hz and 880 Hz.
    assert not given["f0"][:9].any()
    assert given["f0"][12:40] == pytest.approx(440, rel=0.012)
    assert given["f0"][420:445] == pytest.approx(880, rel=0.012)
    # Vibrato of 35 cents, 5.5 times a second, comes after a quarter of a second.
    cents = 1200 * np.log2(given["f0"][500:580] / 880)
    assert np.ptp(cents) == pytest.approx(70, abs=12)
    crossings = np.flatnonzero(np.diff(np.sign(cents - cents.mean())))
    assert len(crossings) == pytest.approx(2 * 5.5 * 0.4, abs=1)
    # A note fades over its last eight frames, by squares.
    assert level[592:600] / level[590] == pytest.approx([(k / 8) ** 2 for k in range(8, 0, -1)])
    with pytest.raises(StimulusError, match="no syllable could be sung"):
        sing(notes[3:], three, 4.0, RATE, np.random.default_rng(0))


def test_formants_move_the_envelope_along_its_axis(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyworld

    given: list[np.ndarray] = []
    monkeypatch.setattr(
        pyworld, "synthesize", lambda f0, envelope, *_: given.append(envelope) or np.zeros(RATE)  # type: ignore[func-returns-value]
    )  # fmt: skip
    ramp = Syllable(np.ones(50, dtype=bool), np.tile(np.arange(101.0), (50, 1)), np.zeros((50, 101)))
    sing([Note(0, 0.0, 1.0, 60, 80)], [ramp], 1.0, RATE, np.random.default_rng(0), formants=1.25)
    sing([Note(0, 0.0, 1.0, 60, 80)], [ramp], 1.0, RATE, np.random.default_rng(0), formants=0.8)
    assert given[0][50] == pytest.approx(np.arange(101) / 1.25)
    assert given[1][50] == pytest.approx(np.minimum(np.arange(101) / 0.8, 100))


def test_what_a_sung_corpus_over_recordings_is_made_of(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other clip is sung over its recording, about the singer's own height; where a clip begins differs; sounds left out."""
    rows = [
        {
            "piece": f"p{i}", "tonic": 0, "mode": "major", "melody": [[float(k), 1.0, 72] for k in range(40)],
            "chords": [[48, 55, 60, 64]] * 40,
        }
        for i in range(3)
    ]  # fmt: skip
    (tmp_path / "chorales.json").write_text(json.dumps(rows))
    music = tmp_path / "music"
    (music / "deep").mkdir(parents=True)
    ramp = np.arange(20 * RATE) / (20 * RATE)  # how far the sound swings says where it was taken from
    ramp[1::2] *= -1
    soundfile.write(music / "deep" / "band.wav", ramp, RATE)
    soundfile.write(music / "exact.wav", np.zeros(2 * RATE), RATE)
    (music / "notes.txt").touch()
    sang: list[tuple[list[Note], float, float]] = []

    def sing(notes: list[Note], words: Any, seconds: float, rate: int, rng: Any, formants: float) -> np.ndarray:
        sang.append((notes, seconds, formants))
        return np.full(round(seconds * rate), 0.1, dtype=np.float32)

    over: list[float] = []
    monkeypatch.setattr(sung, "sing", sing)
    monkeypatch.setattr(sung, "_words", lambda files, speaker, *_: [speaker])
    monkeypatch.setattr(sung, "_in_room", lambda dry, rate, rng: dry)
    monkeypatch.setattr(sung, "_over", lambda lead, music, decibels: over.append(decibels) or music)
    told: list[tuple[int, int]] = []
    made = sung.build_over(tmp_path / "o", speech, music, 30, 2.0, RATE, 5, lambda k, n: told.append((k, n)))
    found = [json.loads(line) for line in made.read_text().splitlines()]
    assert told == [(k + 1, 30) for k in range(30)]
    assert [r["voice"] is not None for r in found] == [False, True] * 15
    assert len(sang) == len(over) == 15
    assert -4 <= min(over) < -1 < 3 < max(over) <= 6
    assert all(0.92 <= formants <= 1.1 for _, _, formants in sang)
    for row, (notes, seconds, _) in zip([r for r in found if r["voice"]], sang, strict=True):
        assert seconds == 2.0
        assert len(notes) >= 4
        assert np.mean([n.pitch for n in notes]) == pytest.approx(
            {"female": 67, "male": 54}[row["voice"]["gender"]], abs=7
        )
    assert {(r["voice"] or {}).get("gender") for r in found} == {None, "female", "male"}
    assert {(r["title"], r["artist"], r["duration"], r["sample_rate"], r["vocoded"]) for r in found} == {
        ("band", "", 2.0, RATE, False)
    }
    begins = [abs(soundfile.read(tmp_path / "o" / r["path"])[0][0]) * 20 for r in found]
    assert 0 <= min(begins) < 4 < 14 < max(begins) <= 18
    ends = [abs(soundfile.read(tmp_path / "o" / r["path"])[0][-1]) * 20 for r in found]
    assert np.subtract(ends, begins) == pytest.approx(np.full(30, 2.0), abs=0.01)
    sung.build_over(tmp_path / "o", speech, music, 30, 2.0, RATE, 5)
    assert len(sang) == 15  # what is there is not sung again
    assert made.read_text().splitlines() == [json.dumps(r) for r in found]
    soundfile.write(music / "more.wav", ramp, RATE)
    with pytest.raises(StimulusError, match="begun with another music"):
        sung.build_over(tmp_path / "o", speech, music, 30, 2.0, RATE, 5)
    with pytest.raises(StimulusError, match="no recordings of more than 2 s"):
        sung.build_over(tmp_path / "o", speech, tmp_path / "nowhere", 30, 2.0, RATE, 5)


@pytest.mark.parametrize("build", ["build_sung", "build_over"])
def test_singing_wants_its_package(build: str, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sung, "find_spec", lambda name: None if name == "pyworld" else 1)
    given: list[Any] = [tmp_path / "o", speech, *([tmp_path] if build == "build_over" else []), 1, 1.0, RATE, 5]
    with pytest.raises(StimulusError, match=r"pip install \"tastelab\[training\]\""):
        getattr(sung, build)(*given)
    assert not (tmp_path / "o").exists()
