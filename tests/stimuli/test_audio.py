"""What a participant's file holds: level, fades, channels, length; and what is read back from files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter

from stimuli.audio import deliver, delivery, length, load_mono, load_spans, opened
from stimuli.config import StimuliConfig
from stimuli.errors import StimulusError

# ITU-R BS.1770-4, tables 1 and 2: the two stages of K-weighting at 48 kHz.
SHELF = ([1.53512485958697, -2.69169618940638, 1.19839281085285], [1, -1.69065929318241, 0.73248077421585])
HIGH_PASS = ([1, -2, 1], [1, -1.99004745483398, 0.99007225036621])


def lufs(audio: np.ndarray) -> float:
    """Integrated loudness of (samples, channels) at 48 kHz, written down from BS.1770-4, annex 1."""
    weighted = lfilter(*HIGH_PASS, lfilter(*SHELF, audio, axis=0), axis=0)
    blocks = [weighted[at : at + 19200] for at in range(0, len(audio) - 19200 + 1, 4800)]
    power = np.array([(b**2).mean(axis=0).sum() for b in blocks])

    def level(p: np.ndarray) -> np.ndarray:
        return -0.691 + 10 * np.log10(p + 1e-30)

    loud = power[level(power) > -70]
    return float(level(loud[level(loud) > level(loud.mean()) - 10].mean()))


def oversampled_peak(audio: np.ndarray) -> float:
    """Largest magnitude in dB of the band-limited curve through the samples, sixteen points a sample."""
    spectrum = np.fft.rfft(audio, axis=0)
    wide = np.zeros((8 * len(audio) + 1, audio.shape[1]), dtype=complex)
    wide[: len(spectrum)] = spectrum
    return float(20 * np.log10(np.abs(np.fft.irfft(wide, axis=0) * 16).max()))


def study(**changes: Any) -> StimuliConfig:
    given = {"tastes": [{"name": "sweet"}], "seconds": 2.0, "loudness": -23.0, "fade": 0.0, **changes}
    return StimuliConfig.model_validate(given)


def noise(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """Noise whose level rises, so that beginning and end differ."""
    n = round(seconds * rate)
    return 0.1 * np.random.default_rng(seed).normal(size=n) * np.linspace(0.5, 1, n)


def tone(frequency: float, seconds: float, rate: int) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def strongest(audio: np.ndarray, rate: int) -> float:
    """Frequency in Hz of the strongest bin."""
    return float(np.abs(np.fft.rfft(audio * np.hanning(len(audio)))).argmax() * rate / len(audio))


def delivered(audio: np.ndarray, rate: int, folder: Path, config: StimuliConfig) -> tuple[dict[str, Any], np.ndarray]:
    (folder / "clips").mkdir(exist_ok=True)
    row = deliver(audio, rate, config, folder, "clip")
    heard, found = soundfile.read(folder / row["file"], always_2d=True)
    assert found == config.rate
    return row, heard


@pytest.mark.parametrize("target", [-23.0, -30.0])
def test_a_clip_has_the_loudness_of_the_standard(tmp_path: Path, target: float) -> None:
    row, heard = delivered(noise(2.0, 48000), 48000, tmp_path, study(loudness=target))
    assert lufs(heard) == pytest.approx(target, abs=0.1)
    assert row["loudness"] == pytest.approx(lufs(heard), abs=0.06)
    before = lufs(np.repeat(noise(2.0, 48000)[:, None], 2, axis=1))
    assert row["gain"] == pytest.approx(target - before, abs=0.1)  # dB, with its sign


def bursts(cycle: int) -> np.ndarray:
    """Soft noise with ten loud bursts of a sine of `cycle` samples."""
    audio = noise(2.0, 48000) * 0.2
    burst = np.sin(2 * np.pi / cycle * np.arange(480) + np.pi / 4) * np.hanning(480)
    for at in range(4800, 90000, 9600):
        audio[at : at + 480] += burst
    return audio


def test_peaks_are_tamed_and_the_level_is_kept(tmp_path: Path) -> None:
    row, heard = delivered(bursts(48), 48000, tmp_path, study(loudness=-20.0, peak=-6.0))
    assert -8 < oversampled_peak(heard) <= -5.95
    assert row["peak"] == pytest.approx(oversampled_peak(heard), abs=0.2)
    assert lufs(heard) == pytest.approx(-20, abs=0.5)


def test_peaks_between_samples_count(tmp_path: Path) -> None:
    """At a quarter of the rate and 45 degrees the samples lie 3 dB under what a loudspeaker makes of them."""
    audio = bursts(4)
    assert 20 * np.log10(np.abs(audio).max()) < oversampled_peak(audio[:, None]) - 2.5
    _, heard = delivered(audio, 48000, tmp_path, study(loudness=-20.0, peak=-6.0))
    assert oversampled_peak(heard) <= -6
    assert lufs(heard) == pytest.approx(-20, abs=0.5)


def test_what_no_limiter_reaches_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    with pytest.raises(
        StimulusError, match=r"loudness -17\.0 LUFS cannot be reached under -8\.0 dBTP \(got -1[67]\.\d at -5"
    ):
        deliver(bursts(4), 48000, study(loudness=-17.0, peak=-8.0), tmp_path, "clip")
    assert list((tmp_path / "clips").iterdir()) == []


def test_fades_rise_and_fall_as_half_a_cosine(tmp_path: Path) -> None:
    audio = noise(2.0, 48000)
    _, plain = delivered(audio, 48000, tmp_path, study(loudness=-30))
    _, faded = delivered(audio, 48000, tmp_path, study(loudness=-30, fade=0.25))
    steady = slice(24000, 72000)
    share = (faded / np.where(np.abs(plain) < 1e-3, np.nan, plain))[:, 0]
    share /= np.nanmedian(share[steady])
    assert share[steady][~np.isnan(share[steady])] == pytest.approx(1, abs=0.01)
    for seconds, expected in ((0.0625, 0.1464), (0.125, 0.5), (0.1875, 0.8536), (0.2425, 0.998)):
        at = round(seconds * 48000)
        rising, falling = share[at - 30 : at + 30], share[::-1][at - 30 : at + 30]
        assert np.nanmean(rising) == pytest.approx(expected, abs=0.01)
        assert np.nanmean(falling) == pytest.approx(expected, abs=0.01)
    assert np.abs(faded[0]).max() == np.abs(faded[-1]).max() == 0
    assert np.abs(plain[-20:]).max() > 1e-3
    assert share[12000:12100][~np.isnan(share[12000:12100])] == pytest.approx(1, abs=0.01)  # no longer than asked


@pytest.mark.parametrize(("rate", "out"), [(16000, 48000), (44100, 48000), (48000, 22050)])
def test_pitch_and_length_outlast_another_rate(tmp_path: Path, rate: int, out: int) -> None:
    row, heard = delivered(tone(440, 2.0, rate), rate, tmp_path, study(rate=out))
    assert heard.shape == (2 * out, 2)
    assert (row["rate"], row["seconds"]) == (out, 2.0)
    assert strongest(heard[:, 0], out) == pytest.approx(440, abs=1)


def test_mono_goes_to_both_ears_and_stereo_stays(tmp_path: Path) -> None:
    _, one = delivered(tone(440, 2.0, 48000), 48000, tmp_path, study())
    assert np.array_equal(one[:, 0], one[:, 1])
    assert np.abs(one).max() > 0.01
    both = np.stack([tone(440, 2.0, 48000), tone(660, 2.0, 48000)])
    _, two = delivered(both, 48000, tmp_path, study())
    assert [round(strongest(two[:, side], 48000)) for side in (0, 1)] == [440, 660]


def test_too_short_is_filled_at_the_end_too_long_is_cut_there(tmp_path: Path) -> None:
    _, short = delivered(tone(440, 1.5, 48000), 48000, tmp_path, study())
    assert short.shape == (96000, 2)
    assert np.abs(short[:70000]).max() > 0.01
    assert np.abs(short[72100:]).max() == 0
    long = np.concatenate([tone(440, 2.0, 48000), tone(660, 2.0, 48000)])
    _, cut = delivered(long, 48000, tmp_path, study())
    assert cut.shape == (96000, 2)
    assert strongest(cut[:, 0], 48000) == pytest.approx(440, abs=1)


def test_the_row_says_what_the_file_is(tmp_path: Path) -> None:
    config = study()
    row, _ = delivered(noise(2.0, 48000), 48000, tmp_path, config)
    assert row["file"] == "clips/clip.wav"
    data = (tmp_path / row["file"]).read_bytes()
    assert row["sha256"] == hashlib.sha256(data).hexdigest()
    info = soundfile.info(tmp_path / row["file"])
    assert (info.format, info.subtype, info.channels) == ("WAV", "PCM_24", 2)
    assert [p.name for p in (tmp_path / "clips").iterdir()] == ["clip.wav"]
    assert delivery(config) == {"seconds": 2.0, "loudness": -23.0, "peak": -1.0, "rate": 48000, "fade": 0.0}


def test_silence_and_what_is_no_number_are_not_delivered(tmp_path: Path) -> None:
    """Ten samples that are none would ring through the resampler and be levelled to full scale in the ear."""
    (tmp_path / "clips").mkdir()
    with pytest.raises(StimulusError, match="silent"):
        deliver(np.zeros(32000), 16000, study(), tmp_path, "clip")
    for value in (np.nan, np.inf, -np.inf):
        audio = np.stack([tone(440, 16.0, 44100)] * 2)
        audio[1, 3 * 44100 : 3 * 44100 + 10] = value
        with pytest.raises(
            StimulusError, match=r"^clip holds samples that are not numbers, the first at 3\.00 s; mend the file$"
        ):
            deliver(audio, 44100, study(), tmp_path, "clip")
    assert list((tmp_path / "clips").iterdir()) == []


def test_a_file_with_what_is_no_number_is_not_read(tmp_path: Path) -> None:
    audio = tone(440, 2.0, 16000)
    audio[4000] = np.inf
    soundfile.write(tmp_path / "broken.wav", audio, 16000, subtype="FLOAT")
    with pytest.raises(StimulusError, match=r"broken\.wav holds samples that are not numbers, the first at 0\.25 s"):
        load_mono(tmp_path / "broken.wav", 8000)


def test_reading_gives_the_mean_of_the_channels_at_the_rate_asked(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    left, right = tone(440, 3.0, 44100), tone(1000, 3.0, 44100)
    soundfile.write(path, np.stack([left, right], axis=1), 44100, subtype="FLOAT")
    heard = load_mono(path, 44100)
    assert heard.dtype == np.float32
    assert heard == pytest.approx((left + right) / 2, abs=1e-6)
    other = load_mono(path, 16000)
    assert len(other) == 3 * 16000
    size = np.abs(np.fft.rfft(other)) / len(other) * 2
    assert [size[3 * f] for f in (440, 1000)] == pytest.approx([0.15, 0.15], abs=0.002)
    assert length(path) == 3.0


def test_spans_are_read_from_where_they_lie(tmp_path: Path) -> None:
    """Every second of the file has a pitch of its own."""
    path = tmp_path / "steps.wav"
    pitches = (300, 500, 700, 900)
    steps = np.concatenate([tone(p, 1.0, 44100) for p in pitches])
    soundfile.write(path, np.stack([steps, np.zeros_like(steps)], axis=1), 44100, subtype="FLOAT")
    spans = [(2.0, 3.0), (0.0, 1.0), (3.25, 3.75)]
    found = list(load_spans(path, 16000, spans))
    assert [len(x) for x in found] == [16000, 16000, 8000]
    assert [round(strongest(x, 16000), -1) for x in found] == [700, 300, 900]
    assert np.abs(found[0]).max() == pytest.approx(0.15, abs=0.01)
    (over,) = load_spans(path, 16000, [(3.5, 6.0)])
    assert len(over) == 8000
    assert [len(x) for x in load_spans(path, 16000, [(7.0, 8.0)])] == [0]


def test_a_span_with_what_is_no_number_is_refused_and_says_where(tmp_path: Path) -> None:
    audio = tone(440, 3.0, 16000)
    audio[40000] = np.nan
    path = tmp_path / "broken.wav"
    soundfile.write(path, audio, 16000, subtype="FLOAT")
    spans = load_spans(path, 16000, [(0.0, 1.0), (2.0, 3.0)])
    assert len(next(spans)) == 16000
    with pytest.raises(StimulusError, match=r"broken\.wav holds samples that are not numbers, the first at 2\.50 s"):
        next(spans)


def test_what_is_no_audio_is_one_line_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "words.wav").write_text("no audio at all")
    for path in (tmp_path / "words.wav", tmp_path / "nowhere.wav"):
        with pytest.raises(StimulusError, match=f"{path.name} cannot be read as audio") as told:
            length(path)
        assert "\n" not in str(told.value)
    with pytest.raises(StimulusError) as told:
        length(tmp_path / "words.wav")
    assert str(told.value) == f"{tmp_path / 'words.wav'} cannot be read as audio: Format not recognised."
    with pytest.raises(StimulusError, match="No such file or directory"):
        length(tmp_path / "nowhere.wav")


def test_tags_of_a_file_are_passed_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The same samples with any ID3v2 tag; libmpg123 wrote a line about odd ones to the terminal for every file."""
    from mutagen.id3 import ID3, TIT2, TXXX

    path, tagged = tmp_path / "plain.mp3", tmp_path / "tagged.mp3"
    sound = tone(330, 3.0, 44100)
    soundfile.write(path, np.stack([sound, 0.5 * sound], axis=1), 44100, format="MP3")
    tagged.write_bytes(path.read_bytes())
    tags = ID3()
    tags.add(TIT2(encoding=3, text="x" * 3000))
    tags.add(TXXX(encoding=1, desc="", text=""))
    tags.save(tagged)
    second = b"ID3\x04\x00\x10" + bytes([0, 0, 1, 2]) + bytes(130) + b"3DI\x04\x00\x10" + bytes([0, 0, 1, 2])
    tagged.write_bytes(second + tagged.read_bytes())  # another tag before it, with a footer
    assert length(tagged) == length(path) == pytest.approx(3, abs=0.1)
    assert np.array_equal(load_mono(tagged, 16000), load_mono(path, 16000))
    spans = [(0.5, 1.5), (2.0, 2.75)]
    for one, other in zip(load_spans(tagged, 16000, spans), load_spans(path, 16000, spans), strict=True):
        assert np.array_equal(one, other)
    assert capfd.readouterr().err == ""


def test_a_file_with_a_tag_is_sought_from_its_sound_on(tmp_path: Path) -> None:
    """The length of a tag is seven bits a byte: 130 bytes are written as 1, 2."""
    plain, tagged = tmp_path / "plain.flac", tmp_path / "tagged.flac"
    soundfile.write(plain, tone(330, 1.0, 16000), 16000)
    tagged.write_bytes(b"ID3\x04\x00\x00" + bytes([0, 0, 1, 2]) + bytes(130) + plain.read_bytes())
    with opened(tagged) as file:
        file.seek(8000)
        rest = file.read()
    assert np.array_equal(rest[:, 0], soundfile.read(plain)[0][8000:])
