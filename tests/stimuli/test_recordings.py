"""Odd sound files, made here: each becomes the right clip, no sample of it over the limit, or one line that says why not.

What a file holds is told by tones: 440 Hz on the left, 660 Hz on the right, 880 Hz in the centre, 1100 and 1320 Hz in the surrounds, 60 Hz
in the low-frequency channel.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from stimuli import recordings
from stimuli.audio import deliver, length, load_mono
from stimuli.config import StimuliConfig
from stimuli.errors import StimulusError
from stimuli.names import spelled
from stimuli.recordings import mono, settled, sounds, two_sided
from stimuli.sources import Tracks
from stimuli.tracks import left_out, tracks_in

RATE = 32000
L, R, C, LS, RS, LFE = 440, 660, 880, 1100, 1320, 60
STUDY = StimuliConfig.model_validate(
    {"tastes": [{"name": "sweet"}], "seconds": 1.0, "loudness": -23.0, "peak": -1.0, "fade": 0.0, "rate": 48000}
)


def tones(*frequencies: int, seconds: float = 1.6, rate: int = RATE) -> np.ndarray:
    """(samples, channels)."""
    t = np.arange(round(seconds * rate))[:, None] / rate
    return 0.2 * np.sin(2 * np.pi * np.array(frequencies) * t)


Made = Callable[[Path], Any]


def by_soundfile(audio: np.ndarray, how: str = "", subtype: str | None = None, rate: int = RATE) -> Made:
    return lambda path: soundfile.write(path, audio, rate, format=how or None, subtype=subtype)


def by_pyav(codec: str, container: str, rate: int = 48000) -> Made:
    def write(path: Path) -> None:
        import av

        audio = tones(L, R, rate=rate).T.astype(np.float32)
        with av.open(str(path), "w", format=container) as file:
            stream = file.add_stream(codec, rate=rate, layout="stereo")
            stream.bit_rate = 128000
            fit = av.AudioResampler(
                stream.codec_context.format or "fltp", "stereo", rate, stream.codec_context.frame_size or 1024
            )
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio), format="fltp", layout="stereo")
            frame.rate = rate
            for part in [*fit.resample(frame), *fit.resample(None)]:
                file.mux(stream.encode(part))
            file.mux(stream.encode(None))

    return write


def tagged(path: Path) -> None:
    """An MP3 with a tag of 3,000 bytes before it."""
    soundfile.write(path, tones(L, R), RATE, format="MP3")
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x17\x38" + bytes(3000) + path.read_bytes())


def cut(how: str, seconds: float, share: float) -> Made:
    def write(path: Path) -> None:
        soundfile.write(path, tones(L, R, seconds=seconds), RATE, format=how)
        data = path.read_bytes()
        path.write_bytes(data[: round(share * len(data))])

    return write


def spoiled(value: float, at: float, subtype: str = "FLOAT") -> Made:
    audio = tones(L, R)
    audio[round(at * RATE) : round(at * RATE) + 10, 1] = value
    return by_soundfile(audio, subtype=subtype)


def text(words: bytes) -> Made:
    return lambda path: path.write_bytes(words)


def concatenated(path: Path) -> None:
    """A list that names another file, which is music."""
    soundfile.write(path.parent / ".kept.wav", STEREO, RATE)
    path.write_bytes(b"ffconcat version 1.0\nfile .kept.wav\n")


def silent_video(path: Path) -> None:
    import av

    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        for _ in range(2):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        file.mux(stream.encode(None))


STEREO = tones(L, R)
FIVE, SIX = tones(L, R, C, LS, RS), tones(L, R, C, LFE, LS, RS)
XIPH6 = tones(L, C, R, LS, RS, LFE)
BOTH = ((L,), (R,))
# name of the file, how it is made, the tones of the left and the right ear
HEARD: list[tuple[str, Made, tuple[tuple[int, ...], tuple[int, ...]]]] = [
    ("16 bits.wav", by_soundfile(STEREO), BOTH),
    ("24 bits.wav", by_soundfile(STEREO, subtype="PCM_24"), BOTH),
    ("float.wav", by_soundfile(STEREO, subtype="FLOAT"), BOTH),
    ("double.WAV", by_soundfile(STEREO, subtype="DOUBLE"), BOTH),
    ("8 bits.wav", by_soundfile(STEREO, subtype="PCM_U8"), BOTH),
    ("mu-law.wav", by_soundfile(STEREO, subtype="ULAW"), BOTH),
    ("adpcm.wav", by_soundfile(STEREO, subtype="IMA_ADPCM"), BOTH),
    ("lossless.flac", by_soundfile(STEREO), BOTH),
    ("layer three.mp3", by_soundfile(STEREO), BOTH),
    ("tagged.mp3", tagged, BOTH),
    ("vorbis.ogg", by_soundfile(STEREO), BOTH),
    ("opus.opus", by_soundfile(tones(L, R, rate=48000), "OGG", "OPUS", 48000), BOTH),
    ("apple.aiff", by_soundfile(STEREO), BOTH),
    ("apple.aif", by_soundfile(STEREO, "AIFF", "PCM_24"), BOTH),
    ("sun.au", by_soundfile(STEREO), BOTH),
    ("sixty-four.w64", by_soundfile(STEREO), BOTH),
    ("rf64.rf64", by_soundfile(STEREO, "RF64"), BOTH),
    ("core.caf", by_soundfile(STEREO), BOTH),
    ("creative.voc", by_soundfile(STEREO), BOTH),
    ("aac.m4a", by_pyav("aac", "ipod"), BOTH),
    ("alac.m4a", by_pyav("alac", "ipod"), BOTH),
    ("opus.webm", by_pyav("libopus", "webm"), BOTH),
    ("wave pack.wv", by_pyav("wavpack", "wv"), BOTH),
    ("windows.wma", by_pyav("wmav2", "asf"), BOTH),
    ("raw.aac", by_pyav("aac", "adts"), BOTH),
    ("dolby.ac3", by_pyav("ac3", "ac3"), BOTH),
    ("one.wav", by_soundfile(tones(L)), ((L,), (L,))),
    ("three.wav", by_soundfile(tones(L, R, C)), ((L, C), (R, C))),
    ("three.ogg", by_soundfile(tones(L, C, R)), ((L, C), (R, C))),
    ("four.flac", by_soundfile(tones(L, R, LS, RS)), ((L, LS), (R, RS))),
    ("five.wav", by_soundfile(FIVE), ((L, C, LS), (R, C, RS))),
    ("six.wav", by_soundfile(SIX), ((L, C, LS), (R, C, RS))),
    ("six.ogg", by_soundfile(XIPH6), ((L, C, LS), (R, C, RS))),
    ("inverted.wav", by_soundfile(tones(L) * [1, -1]), ((L,), (L,))),
    ("offset.wav", by_soundfile(STEREO + 0.3), BOTH),
    ("slow.wav", by_soundfile(tones(L, R, rate=8000), rate=8000), BOTH),
    ("fast.wav", by_soundfile(tones(L, R, rate=192000), rate=192000), BOTH),
    ("loud.wav", by_soundfile(STEREO * 1e6, subtype="FLOAT"), BOTH),
    ("soft.wav", by_soundfile(STEREO * 0.02, subtype="FLOAT"), BOTH),
    ("cut.mp3", cut("MP3", 6.0, 0.5), BOTH),
    ("cut.wav", cut("WAV", 3.0, 0.6), BOTH),
    ("!!!.wav", by_soundfile(STEREO), BOTH),
    ("ça è già più.wav", by_soundfile(STEREO), BOTH),
    ("n" * 250 + ".wav", by_soundfile(STEREO), BOTH),
]  # fmt: skip
REFUSED: list[tuple[str, Made, str]] = [
    ("nan.wav", spoiled(np.nan, 0.7), r"holds samples that are not numbers, the first at 0\.70 s"),
    ("infinite.wav", spoiled(np.inf, 1.0, "DOUBLE"), r"not numbers, the first at 1\.00 s"),
    ("seven.wav", by_soundfile(tones(L, R, C, LS, RS, LFE, 99)), "has 7 channels; files of one to six can be read"),
    ("nothing but an offset.wav", by_soundfile(np.full((51200, 2), 0.25)), "is silent"),
    ("silence.flac", by_soundfile(np.zeros((51200, 2))), "is silent"),
    ("short.wav", by_soundfile(tones(L, R, seconds=0.9)), "is shorter than seconds = 1"),
    ("cut short.mp3", cut("MP3", 1.8, 0.4), "is shorter than seconds = 1"),
    ("cut.flac", cut("FLAC", 3.0, 0.4), "cannot be read as audio: (it is cut or damaged|Error : flac)"),
    ("empty.wav", text(b""), "cannot be read as audio"),
    ("page.mp3", text(b"<html><body>404 not found</body></html>"), "cannot be read as audio"),
    ("words.wav", text(b"these are words, no music\n" * 50), "cannot be read as audio"),
    ("list.m4a", concatenated, "cannot be read as audio"),
    ("web.aac", text(b"#EXTM3U\n#EXTINF:1,\nhttp://localhost:9/a.aac\n#EXT-X-ENDLIST\n"), "cannot be read as audio"),
    ("film without sound.mp4", silent_video, "holds no sound"),
    ("gone.wav", lambda path: path.symlink_to("nowhere.wav"), "is a link to nothing; put the file there"),
]  # fmt: skip


def heard(audio: np.ndarray, rate: int) -> set[int]:
    """Which of the tones are over a hundredth of the strongest's power."""
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
    power = {f: float(spectrum[round(f * len(audio) / rate) + np.arange(-2, 3)].sum()) for f in (L, R, C, LS, RS, LFE)}
    return {f for f, p in power.items() if p > max(power.values()) / 100}


def clip_of(folder: Path) -> np.ndarray:
    """The one track of a folder as a participant hears it, (samples, 2)."""
    out = folder / "out"
    (out / "clips").mkdir(parents=True)
    track = Tracks(tuple(tracks_in(folder, ["sweet"])))
    sound = track.clips([""], 1.0, [0])
    row = deliver(sound.audio[0], sound.rate, STUDY, out, "clip")
    audio, rate = soundfile.read(out / row["file"], always_2d=True)
    assert (rate, audio.shape) == (48000, (48000, 2))
    assert row["peak"] <= -1.0
    return np.asarray(audio)


@pytest.mark.parametrize(("name", "made", "ears"), HEARD, ids=[name[:20] for name, _, _ in HEARD])
def test_what_can_be_read_becomes_the_right_clip(
    name: str, made: Made, ears: tuple[tuple[int, ...], tuple[int, ...]], tmp_path: Path
) -> None:
    made(tmp_path / name)
    audio = clip_of(tmp_path)
    assert np.abs(audio).max() <= 10 ** (-1 / 20)
    assert np.abs(audio.mean(axis=0)).max() < 3e-3  # eight bits lie half a step off the middle
    assert [heard(audio[:, ear], 48000) for ear in (0, 1)] == [set(ears[0]), set(ears[1])]
    # What captions and features are made of: all that either ear hears.
    one = load_mono(tmp_path / name, 16000)
    assert abs(one.mean()) < 5e-3 * max(1, np.abs(one).max())
    assert heard(one, 16000) == set(ears[0]) | set(ears[1])
    assert len(one) / 16000 == pytest.approx(length(tmp_path / name), abs=0.001)


@pytest.mark.parametrize(("name", "made", "why"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_what_cannot_be_is_one_line(name: str, made: Made, why: str, tmp_path: Path) -> None:
    made(tmp_path / name)
    with pytest.raises(StimulusError, match=why) as told:
        clip_of(tmp_path)
    assert "\n" not in str(told.value)
    if "silent" not in why:
        assert name in str(told.value)
    assert not list((tmp_path / "out" / "clips").iterdir())


def test_a_track_that_can_not_be_levelled_is_named(tmp_path: Path) -> None:
    from models.conditions import Condition
    from models.config import ModelsConfig
    from stimuli.generate import generate

    (tmp_path / "music").mkdir()
    soundfile.write(tmp_path / "music" / "silence.wav", np.zeros((51200, 2)), RATE)
    models = ModelsConfig(conditions=[Condition(name="given", tracks=tmp_path / "music")])
    with pytest.raises(StimulusError, match=r"music/silence\.wav: the clip is silent"):
        generate(STUDY, models, tmp_path / "out")


def test_a_cut_file_has_the_length_that_is_there(tmp_path: Path) -> None:
    """Its head still tells the whole."""
    cut("MP3", 6.0, 0.5)(tmp_path / "a.mp3")
    with soundfile.SoundFile(tmp_path / "a.mp3") as file:
        assert file.frames == 6 * RATE
    assert length(tmp_path / "a.mp3") == pytest.approx(3, abs=0.2)
    soundfile.write(tmp_path / "a.mp3", STEREO, RATE)
    assert length(tmp_path / "a.mp3") == 1.6  # another file of the same name


def test_what_is_left_out_of_a_folder_is_listed_with_its_reason(tmp_path: Path) -> None:
    for name in ("b.wav", "a.Opus", "._b.wav", ".DS_Store", "cover.jpg", "notes", "tracks.csv"):
        (tmp_path / name).touch()
    (tmp_path / "album.wav").mkdir()
    (tmp_path / "album.wav" / "inside.flac").touch()
    (tmp_path / "plain").mkdir()
    (tmp_path / "tracks.csv").write_text("file\na.Opus\nb.wav\n")
    assert [t.path.name for t in tracks_in(tmp_path, [])] == ["a.Opus", "b.wav"]
    assert left_out(tmp_path) == [
        (".DS_Store", "hidden"),
        ("._b.wav", "hidden"),
        ("album.wav", "a folder"),
        ("cover.jpg", ".jpg: no sound file by its name"),
        ("notes", "without an ending: no sound file by its name"),
    ]
    assert [str(p.relative_to(tmp_path)) for p in sounds(tmp_path, deep=True)[0]] == [
        "a.Opus", "album.wav/inside.flac", "b.wav",
    ]  # fmt: skip


def test_names_without_letters_and_long_ones_are_names() -> None:
    assert spelled("!!!.wav") == "u0021-u0021-u0021"
    assert spelled("???.wav") != spelled("!!!.wav")
    assert spelled("A b, c!.wav") == "a-b--c"
    long = [spelled(f"{'n' * 200}{k}.wav") for k in range(2)]
    assert [len(name) for name in long] == [80, 80]
    assert long[0] != long[1]
    assert spelled("n" * 80 + ".wav") == "n" * 80


def test_a_file_after_its_tags_is_read_as_if_it_began_there() -> None:
    whole = io.BytesIO(bytes(range(100)))
    after = recordings._From(whole, 10)
    assert after.tell() == 0
    assert after.read(2) == bytes([10, 11])
    assert after.seek(5) == after.tell() == 5
    assert after.read(1) == bytes([15])
    assert after.seek(4, os.SEEK_CUR) == after.tell() == 10
    assert after.read(1) == bytes([20])
    assert after.seek(-1, os.SEEK_END) == 89
    assert after.read() == bytes([99])


def test_one_channel_is_the_mean_unless_it_cancels() -> None:
    left, right = tones(L)[:, 0], tones(R)[:, 0]
    assert mono(np.stack([left, right], axis=1)) == pytest.approx((left + right) / 2)
    assert mono(np.stack([0.5 * left, -left], axis=1)) == pytest.approx(-left / 4)  # a fourth of the loudest is left
    assert mono(np.stack([0.9 * left, -left], axis=1)) == pytest.approx(-left)
    assert mono(np.zeros((100, 2))) == pytest.approx(np.zeros(100))


def test_an_offset_is_taken_away_where_it_is_no_music() -> None:
    audio = tones(L, R)
    louder = audio + np.array([0.9, 0.02])  # over the sound's own deviation, and far under it
    assert settled(louder) == pytest.approx(audio + np.array([0, 0.02]), abs=1e-3)
    assert settled(np.full(100, 0.004)) == pytest.approx(np.zeros(100))
    assert settled(audio[:0]).shape == (0, 2)


def test_more_channels_are_brought_to_two_by_the_standard() -> None:
    """BS.775-3: 1, .7071 of centre and of the own side's surround; divided by their sum, so that nothing is over the loudest channel."""
    given = np.array([[0.1, 0.2, 0.4, 0.8, 0.3, 0.5]])
    assert two_sided(given)[0] == pytest.approx(
        [(0.1 + 0.7071 * 0.7) / 2.4142, (0.2 + 0.7071 * 0.9) / 2.4142], rel=1e-4
    )
    assert two_sided(given[:, :3])[0] == pytest.approx(
        [(0.1 + 0.7071 * 0.4) / 1.7071, (0.2 + 0.7071 * 0.4) / 1.7071], rel=1e-4
    )
    assert np.abs(two_sided(np.ones((1, 5)))).max() <= 1 + 1e-12
    assert two_sided(given[:, :2]) is not None
    assert (two_sided(given[:, :1]) == given[:, :1]).all()
