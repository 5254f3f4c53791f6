"""Long pieces: windows that cover, changes that are found, words that are checked, audio of every kind."""

from __future__ import annotations

import http.server
import json
import threading
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ModelError
from models.sonicverse.captioner import Description
from models.sonicverse.load import load_captioner
from models.sonicverse.nano.encoder import RATE
from models.sonicverse.pieces.windows import HOP, TAIL, WINDOW, Piece, Segment, changes, clock, describe_piece, windows
from models.sonicverse.pieces.wording import (
    KEY,
    EndpointWriter,
    contradicted,
    faithful,
    open_writer,
    reword,
    said_in,
    story,
)


@given(st.floats(1, 11_000, allow_nan=False))
def test_windows_cover_the_piece(seconds: float) -> None:
    found = windows(seconds)
    assert found[0][0] == 0
    assert found[-1][1] == pytest.approx(seconds)
    assert all(b[0] <= a[1] + 1e-9 for a, b in pairwise(found))
    assert all(end - start <= WINDOW + max(TAIL, HOP) + 1e-6 for start, end in found)
    if seconds > WINDOW + TAIL:
        assert all(end - start >= WINDOW - 1e-6 for start, end in found)


def heard(kind: int) -> dict[str, np.ndarray]:
    one = np.eye(4)[kind]
    return {"instrument": one, "register": one[:3] + 1e-3, "tempo": one[:3] + 1e-3, "articulation": one[:2] + 1e-3}


def test_changes_are_where_the_music_changes() -> None:
    spans = windows(90.0)
    # A window over a change hears a little of both.
    share = [min(1.0, max(0.0, (30 - start) / (end - start))) for start, end in spans]
    later = [min(1.0, max(0.0, (end - 60) / (end - start))) for start, end in spans]
    mixed = [
        {h: x * heard(0)[h] + (1 - x - y) * heard(1)[h] + y * heard(2)[h] for h in heard(0)}
        for x, y in zip(share, later, strict=True)
    ]
    assert changes(spans, mixed) == [30.0, 60.0]
    assert changes(spans, [heard(1)] * len(spans)) == []


def rendered(instruments: tuple[str, ...], register: str, seconds: float, seed: int) -> np.ndarray:
    from stimuli.dataset.arrange import arrange
    from stimuli.dataset.render import render
    from tests.stimuli.dataset.test_dataset import SKELETON, attributes

    a = attributes(instruments=instruments, register=register, articulation="legato")
    return render(arrange(SKELETON, a, seconds, np.random.default_rng(seed)), instruments, seconds, RATE)


@pytest.fixture(scope="module")
def spliced() -> np.ndarray:
    """20 s of low brass, 20 s of silence, 20 s of high flute."""
    return np.concatenate(
        [rendered(("deep brass",), "low", 20, 0), np.zeros(20 * RATE, np.float32), rendered(("flute",), "high", 20, 1)]
    ).astype(np.float32)


def spans_of(audio: np.ndarray) -> list[np.ndarray]:
    return [audio[round(a * RATE) : round(b * RATE)] for a, b in windows(len(audio) / RATE)]


def test_a_spliced_piece_is_told_apart(spliced: np.ndarray) -> None:
    piece = describe_piece(load_captioner(), spans_of(spliced), len(spliced) / RATE)
    assert [d.reason for d in piece.dropped if d.start >= 19] == ["silence"]
    registers = [s.description.top("register")[0] for s in piece.segments]
    assert registers[0] == "low"
    assert registers[-1] == "high"
    assert all(0 <= s.start < s.end <= 60 for s in piece.segments)
    listed = piece.to_json()
    assert json.loads(json.dumps(listed)) == listed
    assert piece.prose().startswith("0:00 to ")


def test_silence_and_crumbs() -> None:
    piece = describe_piece(load_captioner(), [np.zeros(5 * RATE, np.float32)], 5.0)
    assert piece.segments == []
    assert piece.prose() == "Silence."
    with pytest.raises(ModelError, match="too short"):
        describe_piece(load_captioner(), [np.zeros(1600, np.float32)], 0.1)


SAID = "A slow piece in the low register, played by harp and strings, in D minor, legato, with consonant harmony."


@pytest.mark.parametrize(
    ("sentence", "good"),
    [
        ("Harp and strings play slow, legato music in D minor, in the low register with consonant harmony.", True),
        (
            "A slow low piece for harp, strings and piano in D minor, legato with consonant harmony.",
            False,
        ),  # invented piano
        ("A slow low piece for harp in D minor, legato with consonant harmony.", False),  # strings lost
        ("A fast piece in the low register, played by harp and strings, in D minor, legato, consonant.", False),
        ("A slow piece in the low register, played by harp and strings, in E minor, legato, consonant harmony.", False),
        ("At 2:31 harp and strings play slow, low, legato music in D minor with consonant harmony.", False),  # a time
        ("Sure!", False),
        ("", False),
    ],
)
def test_only_faithful_sentences_pass(sentence: str, good: bool) -> None:
    assert faithful(sentence, SAID) == good


INVENTIONS = json.loads((Path(__file__).parent / "inventions.json").read_text(encoding="utf-8"))


KINDS = sorted({row["kind"] for row in INVENTIONS["invented"]})


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_invented_is_let_through(kind: str) -> None:
    """Thirty inventions of each of ten kinds, by somebody who knew neither the closed list nor how it is used: as they were written,
    and, where nothing else differs, in two places of the true caption."""
    rows = [row for row in INVENTIONS["invented"] if row["kind"] == kind]
    assert (len(KINDS), len({row["text"] for row in rows})) == (10, 30)
    through = set()
    for row in rows:
        caption, what = INVENTIONS["captions"][row["caption"]], row["what"]
        assert what in row["text"]
        first, _, rest = caption.partition(".")
        assert faithful(caption, caption)
        assert not faithful(row["text"], caption), row["text"]
        through |= {what for s in (f"{caption[:-1]}, {what}.", f"{first}, {what}.{rest}") if faithful(s, caption)}
    assert through <= {"the players"}  # of 300


# Wordings of one caption that claim nothing else, by hand.
TRUE = [
    "Harp and strings play a slow legato piece in D minor, in the low register and with consonant harmony.",
    "This is a slow piece in D minor, in which harp and strings play legato in the low register with consonant harmony.",
    "The music is slow and legato, in the low register, with harp and strings and a consonant harmony in D minor.",
    "In the key of D minor, a slow legato piece features harp and strings in a low register with consonant harmonies.",
    "Played legato by harp and strings, the piece has a slow tempo, a low register and consonant harmony, and is in D minor.",
    "The piece is slow, its register low, its harmony consonant; harp and strings play it legato in D minor.",
    "A composition in D minor with harp and strings: slow, legato, low in register, consonant in harmony.",
    "Slow, legato and in the low register, this track combines harp with strings in D minor and consonant harmony.",
    "Both harp and strings are heard in this slow, legato passage in the low register, in D minor, with consonant harmony.",
    "It has a slow pace, a low register and consonant harmony, and is played legato by harp and strings in D minor.",
]


@pytest.mark.parametrize("sentence", TRUE)
def test_true_wordings_are_kept(sentence: str) -> None:
    assert faithful(sentence, SAID)


def test_a_true_word_is_not_believed_of_another_caption() -> None:
    assert not faithful(TRUE[0], SAID.replace("legato, ", ""))
    assert not faithful(TRUE[0].replace("consonant", "not consonant"), SAID)


def test_what_the_heads_do_not_hear_is_marked() -> None:
    heard = {
        "instrument": {"harp": 0.9, "strings": 0.6, "piano": 0.5, "flute": 0.1}, "tempo": {"slow": 0.8, "fast": 0.2},
        "key": {"C# major": 0.4, "D minor": 0.6}, "register": {"low": 1.0, "high": 0.0}, "mood": {"calm": 0.1, "dark": 0.9},
    }  # fmt: skip
    assert (
        contradicted(Description("A slow piece for harp in the low register, in D minor. It sounds calm.", heard)) == []
    )
    assert contradicted(Description("A fast piece for harp, piano and flute in C# major and D minor.", heard)) == [
        "instrument: flute, piano said, harp, strings heard",
        "tempo: fast said, slow heard",
        "key: C# major said, D minor heard",
    ]
    nothing = {"instrument": {"harp": 0.5}}
    assert contradicted(Description("Harp.", nothing)) == ["instrument: harp said, nothing heard"]


def piece_of(*captions: str) -> Piece:
    segments = [Segment(30.0 * i, 30.0 * i + 30, Description(c, {})) for i, c in enumerate(captions)]
    return Piece(30.0 * len(captions), segments)


class Parrot:
    """Answers with given sentences in turn."""

    def __init__(self, *answers: str):
        self.answers, self.asked = list(answers), []

    def write(self, prompt: str) -> str:
        self.asked.append(prompt)
        return self.answers.pop(0)


GOOD = "Harp and strings play slow, legato music in D minor, in the low register with consonant harmony"
BAD = "A lovely song by a famous band, with vocals and piano."


def test_a_writer_that_invents_is_not_believed() -> None:
    writer = Parrot(GOOD, BAD, BAD)
    sentences, taken = reword(piece_of(SAID, SAID), writer)
    assert taken == 1
    assert sentences == [GOOD + ".", SAID]
    assert all(prompt.endswith(SAID) for prompt in writer.asked)
    assert story(piece_of(SAID, SAID), sentences) == f"It begins (0:00): {GOOD}. From 0:30: {SAID}"
    assert reword(piece_of(SAID), None) == ([SAID], 0)


def test_it_is_asked_once_more_in_other_words() -> None:
    """Where the first answer is believed it is not."""
    writer = Parrot("Rewrite this description of music as one sentence.", GOOD, GOOD + "!")
    assert reword(piece_of(SAID, SAID), writer) == ([GOOD + ".", GOOD + "!"], 2)
    first, second, other = writer.asked
    assert first == other
    assert first != second


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (f'The description of music is: "{GOOD}."', f"{GOOD}."),
        (f'Sure:\n"{GOOD}"', GOOD),
        (f"{GOOD}.", f"{GOOD}."),
        (f'"{GOOD}."', f"{GOOD}."),
        (f'It is: "{GOOD}" or "{BAD}"', f'It is: "{GOOD}" or "{BAD}"'),
        (f'A famous song: "{GOOD}", by Bach', f'A famous song: "{GOOD}", by Bach'),
    ],
)
def test_what_an_answer_announces_and_quotes_is_its_sentence(answer: str, found: str) -> None:
    """And nothing of the announcement is told."""
    assert said_in(answer) == found
    told, taken = reword(piece_of(SAID), Parrot(answer, BAD))
    assert '"' not in told[0]
    assert "famous" not in told[0]
    assert (taken == 1) == (told[0] != SAID)


def test_smollm2_says_nothing_that_is_not_there() -> None:
    sentences, _ = reword(piece_of(SAID, SAID.replace("harp", "organ")), open_writer("smollm2"))
    assert faithful(sentences[0], SAID) or sentences[0] == SAID
    assert "organ" in sentences[1]


class Endpoint(http.server.BaseHTTPRequestHandler):
    seen: ClassVar[list[dict]] = []
    answer: ClassVar[dict] = {"choices": [{"message": {"content": "Fine."}}]}
    status = 200

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Endpoint.seen.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
        self.send_response(Endpoint.status)
        self.end_headers()
        self.wfile.write(json.dumps(Endpoint.answer).encode())

    def log_message(self, *args: object) -> None: ...


def test_an_endpoint_is_asked_as_openai_does(monkeypatch: pytest.MonkeyPatch) -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    monkeypatch.setenv(KEY, "secret-key")
    assert EndpointWriter(url, "some-model").write("Hello") == "Fine."
    asked = Endpoint.seen[-1]
    assert (asked["path"], asked["key"], asked["model"]) == ("/v1/chat/completions", "Bearer secret-key", "some-model")
    Endpoint.status = 401
    with pytest.raises(ModelError, match="answers 401") as error:
        EndpointWriter(url, "m").write("Hello")
    assert "secret" not in str(error.value)
    Endpoint.status, Endpoint.answer = 200, {"unexpected": True}
    with pytest.raises(ModelError, match="no answer"):
        EndpointWriter(url, "m").write("Hello")
    server.shutdown()
    server.server_close()
    with pytest.raises(ModelError, match="no answer"):
        EndpointWriter(url, "m", timeout=2).write("Hello")
    with pytest.raises(ModelError, match="https"):
        EndpointWriter("http://example.org/v1", "m")
    with pytest.raises(ModelError, match="name of its model"):
        open_writer("https://example.org/v1")
    assert isinstance(open_writer("https://example.org/v1", "m"), EndpointWriter)
    assert open_writer("none") is None


def test_clock() -> None:
    assert [clock(s) for s in (0, 65, 3599.6, 3725)] == ["0:00", "1:05", "1:00:00", "1:02:05"]


@pytest.mark.parametrize(
    "kind", ["8 kHz", "6 channels", "mp3", "silence", "0.1 s", "text", "cut", "empty", "nan", "directory", "missing"]
)
def test_files_of_every_kind(kind: str, tmp_path: Path) -> None:
    """A caption, or one line that names the file: never a traceback, and nothing captioned before all are looked at."""
    from stimuli.describe import describe_files
    from stimuli.errors import StimulusError

    rate = 8000 if kind == "8 kHz" else 44100
    tone = 0.2 * np.sin(2 * np.pi * 330 * np.arange(2 * rate) / rate)
    path = tmp_path / f"a.{'mp3' if kind == 'mp3' else 'wav'}"
    words = {
        "0.1 s": "at least 1 s", "text": "cannot be read", "cut": "", "empty": "cannot be read", "nan": "not numbers",
        "directory": "does not exist", "missing": "does not exist",
    }.get(kind)  # fmt: skip
    match kind:
        case "6 channels":
            soundfile.write(path, np.stack([tone] * 6, 1), rate)
        case "silence":
            soundfile.write(path, np.zeros(2 * rate), rate)
        case "0.1 s":
            soundfile.write(path, tone[: rate // 10], rate)
        case "text":
            path.write_text("no audio")
        case "empty":
            path.touch()
        case "nan":
            soundfile.write(path, np.where(np.arange(len(tone)) == 99, np.nan, tone), rate, subtype="FLOAT")
        case "directory":
            path.mkdir()
        case "missing":
            pass
        case _:
            soundfile.write(path, tone, rate)
            if kind == "cut":
                path.write_bytes(path.read_bytes()[:120_000])
    if words:
        with pytest.raises(StimulusError, match=words) as error:
            describe_files([path], "nano", "none")
        assert "\n" not in str(error.value)
        assert "a.wav" in str(error.value)
        return
    tables = describe_files([path], "nano", "none")
    caption = tables["captions"][0]["caption"]
    assert caption == "Silence." if kind == "silence" else len(caption) > 20


def test_memory_does_not_grow_with_the_piece(tmp_path: Path) -> None:
    """Windows are read one by one: 10 minutes at 48 kHz stereo (230 MB as floats) take a few megabytes to read."""
    import tracemalloc

    from stimuli.audio import length, load_spans

    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 48000, 2) as file:
        block = (0.1 * np.random.default_rng(0).normal(size=(48000 * 10, 2))).astype(np.float32)
        for _ in range(60):
            file.write(block)
    tracemalloc.start()
    count = sum(1 for _ in load_spans(path, RATE, windows(length(path))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == len(windows(600.0)) == 119
    assert peak < 30e6


def test_a_page_of_described_files(tmp_path: Path) -> None:
    """Players beside captions; what is not ASCII in a name is quoted, what is HTML in it escaped."""
    from stimuli.describe import describe_files, write_page

    path = tmp_path / "música <b> & 1.wav"
    soundfile.write(path, 0.2 * np.sin(2 * np.pi * 330 * np.arange(2 * RATE) / RATE), RATE)
    (tmp_path / "pages").mkdir()
    page = write_page(describe_files([path], "nano", "none"), tmp_path / "pages" / "page.html", "nano")
    text = page.read_text(encoding="utf-8")
    assert 'src="../m%C3%BAsica%20%3Cb%3E%20%26%201.wav"' in text
    assert "<b>" not in text
    assert text.count("<article>") == 1
    assert "<meter" in text
