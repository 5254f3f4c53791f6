"""Captions and features: each clip gets its own, once, and again only by another captioner; words and page of what was heard."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from models.config import ModelsConfig
from stimuli.describe import describe, describe_files, described_lines, said, write_page
from stimuli.errors import StimulusError
from stimuli.manifest import ClipRow, read_manifest, write_manifest

CLIPS = 10


def tone(frequency: float, rate: int) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * frequency * np.arange(rate) / rate)


def strongest(audio: np.ndarray) -> int:
    """Frequency in Hz of a second of sound, to 100."""
    return int(round(np.abs(np.fft.rfft(audio)).argmax(), -2))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Clip n is a second of a tone of 200 + 100 n Hz."""
    (tmp_path / "clips").mkdir()
    rows = []
    for n in range(CLIPS):
        name = f"sweet-base-{n:03d}"
        soundfile.write(tmp_path / "clips" / f"{name}.wav", np.stack([tone(200 + 100 * n, 48000)] * 2, axis=1), 48000)
        rows.append(
            ClipRow(name, "sweet", "base", n, f"clips/{name}.wav", "0" * 64, 1.0, 48000, loudness=-23, peak=-1, gain=0)
        )
    write_manifest(tmp_path, rows)
    return tmp_path


@pytest.fixture
def captioner(monkeypatch: pytest.MonkeyPatch) -> Any:
    from models.sonicverse import load

    heard: list[list[int]] = []

    def encode(clip: np.ndarray) -> dict[str, np.ndarray]:
        assert len(clip) == 16000
        return {"pitch": np.array([strongest(clip)])}

    def describe_layers(layers: dict[str, np.ndarray]) -> list[Any]:
        pitches = layers["pitch"][:, 0].tolist()
        heard.append(pitches)
        return [SimpleNamespace(caption=f"A tone of {p} Hz.", features=None) for p in pitches]

    def hear(layers: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """Last digits that hang on how many are heard at a time, as those of matrix products do."""
        return [{"pitch": row["pitch"] / 1000 + 0.00004 * len(layers)} for row in layers]

    made = SimpleNamespace(
        rate=16000, sha256="a" * 64, sampling="at random", encode=encode, describe_layers=describe_layers, hear=hear,
        labels={"pitch": ("kHz",)}, heard=heard,
    )  # fmt: skip
    monkeypatch.setattr(load, "caption_sha256", lambda name: made.sha256)
    monkeypatch.setattr(load, "load_captioner", lambda name, device="auto": made)
    return made


def test_every_clip_gets_the_caption_of_its_own_sound(folder: Path, captioner: Any) -> None:
    told: list[tuple[int, int, str]] = []
    rows = describe(folder, "captions", ModelsConfig(), lambda *x: told.append(x))
    assert rows == read_manifest(folder)
    for row in rows:
        hertz = 200 + 100 * row.number
        assert row.caption == f"A tone of {hertz} Hz."
        assert row.caption_features == {"pitch": {"kHz": hertz / 1000}}
        assert row.captioner_sha256 == "a" * 64
    assert [len(x) for x in captioner.heard] == [8, 2]
    assert told == [(8, 10, "sweet-base-007"), (10, 10, "sweet-base-009")]
    assert captioner.sampling is None


def test_what_is_captioned_stays_until_another_captioner_comes(folder: Path, captioner: Any) -> None:
    describe(folder, "captions", ModelsConfig())
    rows = read_manifest(folder)
    rows[3].captioner_sha256 = rows[3].caption = None
    write_manifest(folder, rows)
    captioner.heard.clear()
    describe(folder, "captions", ModelsConfig())
    assert captioner.heard == [[500]]
    describe(folder, "captions", ModelsConfig())
    assert captioner.heard == [[500]]
    captioner.sha256 = "b" * 64
    describe(folder, "captions", ModelsConfig())
    assert len(captioner.heard) == 3
    assert {r.captioner_sha256 for r in read_manifest(folder)} == {"b" * 64}


def test_what_is_heard_in_a_clip_hangs_on_no_other(folder: Path, captioner: Any) -> None:
    """Made all at once, or those that were missing later: the same rows."""
    described = describe(folder, "captions", ModelsConfig())
    rows = read_manifest(folder)
    for row in rows[2:5]:
        row.captioner_sha256, row.caption_features = None, {}
    write_manifest(folder, rows)
    assert describe(folder, "captions", ModelsConfig()) == described


def test_the_captioner_hears_alone_what_it_hears_beside_others() -> None:
    """The shipped one: the same heads and labels, to the digits that are kept, in a caption's row and by itself."""
    from models.sonicverse.load import load_captioner

    made = load_captioner("nano", "cpu")
    layers = [made.encode(tone(hertz, made.rate)) for hertz in (220, 440, 880)]
    together = made.describe_layers({name: np.stack([one[name] for one in layers]) for name in layers[0]})
    for one, d in zip(layers, together, strict=True):
        (heard,) = made.hear([one])
        for head, p in heard.items():
            assert list(d.features[head]) == list(made.labels[head])
            assert [*d.features[head].values()] == pytest.approx(p.tolist(), abs=1.1e-4)


def test_every_clip_gets_the_features_of_its_own_sound(folder: Path) -> None:
    told: list[tuple[int, int, str]] = []
    rows = describe(folder, "features", ModelsConfig(), lambda *x: told.append(x))
    for row in rows:
        assert row.features["pitch_height"] == pytest.approx(69 + 12 * np.log2((200 + 100 * row.number) / 440), abs=0.6)
        assert all(v == round(v, 5) for v in row.features.values())
    assert told == [(n + 1, CLIPS, f"sweet-base-{n:03d}") for n in range(CLIPS)]
    kept = read_manifest(folder)
    assert kept == rows
    kept[0].features |= {"tempo": 1.0}
    write_manifest(folder, kept)
    told.clear()
    assert describe(folder, "features", ModelsConfig(), lambda *x: told.append(x))[0].features["tempo"] == 1.0
    assert told == []


def test_what_was_heard_is_over_one_half_else_the_likeliest_unsure() -> None:
    heard = {
        "mood": {"calm": 0.9, "sad": 0.51, "happy": 0.5},
        "genre": {"jazz": 0.3, "rock": 0.4},
    }
    assert said(heard) == [("calm", 0.9, True), ("sad", 0.51, True), ("rock", 0.4, False)]


def test_who_sings_is_said_only_where_somebody_does() -> None:
    for vocals, named in ((0.51, True), (0.5, False)):
        found = said({"vocals": {"vocals": vocals}, "gender": {"female": 0.8}})
        assert ("female" in {label for label, _, _ in found}) == named
    assert said({"gender": {"female": 0.8}}) == [("female", 0.8, True)]


TABLES: dict[str, list[dict[str, Any]]] = {
    "captions": [
        {"file": "music/long one.mp3", "seconds": 75.0, "caption": "First calm, then <loud>.", "worded_by_writer": "1 of 2 parts"},
        {"file": "music/short.wav", "seconds": 4.0, "caption": "A tone."},
    ],
    "segments": [
        {"file": "music/long one.mp3", "start": 0.0, "end": 40.0, "probabilities": {"mood": {"calm": 0.9, "sad": 0.2}}},
        {"file": "music/long one.mp3", "start": 45.0, "end": 75.0, "probabilities": {"mood": {"calm": 0.1, "sad": 0.4}}, "contradicted": "key: C major said, D minor heard"},
        {"file": "music/short.wav", "start": 0.0, "end": 4.0, "probabilities": {"mood": {"sad": 0.75}}},
    ],
    "dropped": [{"file": "music/long one.mp3", "start": 40.0, "end": 45.0, "reason": "silence"}],
}  # fmt: skip


def test_lines_for_a_person() -> None:
    assert described_lines(TABLES) == [
        "music/long one.mp3 (1:15)",
        "  First calm, then <loud>.",
        "    0:00-0:40  calm 0.90",
        "    0:45-1:15  (sad 0.40)",
        "    0:45-1:15  caption and heads contradict each other (key: C major said, D minor heard)",
        "    left out 0:40-0:45: silence",
        "    worded by the language model: 1 of 2 parts; it changed the facts of the others",
        "music/short.wav (0:04)",
        "  A tone.",
        "    sad 0.75",
    ]


def test_the_page_plays_each_file_from_where_it_lies(tmp_path: Path) -> None:
    import re

    (tmp_path / "pages").mkdir()
    tables = {name: [{**r, "file": str(tmp_path / r["file"])} for r in rows] for name, rows in TABLES.items()}
    page = write_page(tables, tmp_path / "pages" / "described.html", "nano")
    text = page.read_text(encoding="utf-8")
    assert "2 files, captioner nano" in text
    articles = text.split("<article>")[1:]
    assert [re.findall(r'src="([^"]*)"', a) for a in articles] == [["../music/long%20one.mp3"], ["../music/short.wav"]]
    long, short = articles
    assert "First calm, then &lt;loud&gt;." in long
    assert re.findall(r'class="time">([^<]*)<', long) == ["0:00 to 0:40", "0:45 to 1:15"]
    assert re.findall(r"<span>([^<]*)</span><meter", long) == ["calm", "(sad)"]
    assert "Left out: 0:40 to 0:45, silence" in long
    assert "0:45 to 1:15: caption and heads contradict each other (key: C major said, D minor heard)" in long
    assert "contradict" not in short
    assert re.findall(r"<span>([^<]*)</span><meter", short) == ["sad"]
    assert 'class="time"' not in short
    assert [p.name for p in (tmp_path / "pages").iterdir()] == ["described.html"]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A captioner that hears low sounds in the first half of a long file and high ones in the second."""
    from models.sonicverse import load
    from models.sonicverse.captioner import Description
    from models.sonicverse.pieces import windows, wording
    from models.sonicverse.pieces.windows import Dropped, Piece, Segment

    made = SimpleNamespace(rate=8000, sampling="as before", spans=[], asked=[])

    def part(start: float, end: float, register: str) -> Segment:
        features = {"register": {"low": 0.9, "high": 0.1} if register == "low" else {"low": 0.2, "high": 0.8}}
        word = "low and high" if end == 25 else register
        return Segment(start, end, Description(f"It is {word}.", features))

    def describe_piece(captioner: Any, sounds: Any, seconds: float, progress: Any) -> Piece:
        assert captioner is made
        lengths = [len(x) for x in sounds]
        made.spans.append(lengths)
        for i in range(len(lengths)):
            progress(i + 1, len(lengths))
        if len(lengths) == 1:
            return Piece(seconds, [part(0, seconds, "low")])
        return Piece(
            seconds, [part(0, 10, "low"), part(15, seconds, "high")], [Dropped(10, 15, "silence")]
        )  # fmt: skip

    def reword(piece: Piece, writer: Any) -> tuple[list[str], int]:
        made.asked.append(writer)
        return [s.description.caption.replace("It is", "So") for s in piece.segments], 1

    monkeypatch.setattr(load, "load_captioner", lambda name, device="auto": made)
    monkeypatch.setattr(windows, "describe_piece", describe_piece)
    monkeypatch.setattr(wording, "open_writer", lambda name, model: f"{name} with {model}")
    monkeypatch.setattr(wording, "reword", reword)
    return made


def test_files_are_described_each_by_itself_and_long_ones_by_their_parts(heard: Any, tmp_path: Path) -> None:
    """Windows of 10 s that overlap by half: 25 s have four. One part is listed with its file, several with their times."""
    short, long = tmp_path / "short.wav", tmp_path / "long.wav"
    soundfile.write(short, np.tile(tone(300, 8000), 4)[: 8000 * 4], 8000)
    soundfile.write(long, np.tile(tone(300, 8000), 25), 8000)
    told: list[tuple[int, int, str]] = []
    tables = describe_files([short, long], "mine", "writer", "its model", lambda *x: told.append(x), "by chance")  # type: ignore[arg-type]
    assert heard.sampling == "by chance"
    assert heard.spans == [[32000], [80000] * 4]
    assert heard.asked == [None, "writer with its model"]  # one part alone is not worded anew
    assert told == [(1, 5, "short.wav"), *((k, 5, "long.wav") for k in (2, 3, 4, 5))]
    assert tables["captions"] == [
        {"file": str(short), "seconds": 4.0, "caption": "So low.", "register": "low"},
        {
            "file": str(long), "seconds": 25.0, "caption": "It begins (0:00): So low. From 0:15: So low and high.",
            "worded_by_writer": "1 of 2 parts",
        },
    ]  # fmt: skip
    assert [(Path(s["file"]).name, s["start"], s["end"], s["register"], s["caption"]) for s in tables["segments"]] == [
        ("short.wav", 0, 4.0, "low", "It is low."),
        ("long.wav", 0, 10, "low", "It is low."),
        ("long.wav", 15, 25.0, "high", "It is low and high."),
    ]
    against = [s.get("contradicted") for s in tables["segments"]]
    assert against == [None, None, "register: low said, high heard"]
    assert tables["segments"][2]["probabilities"] == {"register": {"low": 0.2, "high": 0.8}}
    assert tables["dropped"] == [{"file": str(long), "start": 10, "end": 15, "reason": "silence"}]
    describe_files([short], "mine", "none")
    assert heard.sampling is None


def test_every_file_is_looked_at_before_the_first_is_captioned(heard: Any, tmp_path: Path) -> None:
    good, brief = tmp_path / "good.wav", tmp_path / "brief.wav"
    soundfile.write(good, tone(300, 8000), 8000)
    soundfile.write(brief, tone(300, 8000)[:7999], 8000)
    with pytest.raises(StimulusError, match=r"brief\.wav has 1\.00 s; at least 1 s are needed"):
        describe_files([good, brief], "mine", "none")
    with pytest.raises(StimulusError, match=r"audio file .*nowhere\.wav does not exist"):
        describe_files([good, tmp_path / "nowhere.wav"], "mine", "none")
    assert heard.spans == []
    describe_files([good], "mine", "none")
    assert heard.spans == [[8000]]
