"""A real PsychoPy session on a virtual desk: what was read and meant is stored, what sounds is what the screen says.

The hand answers by the words that were drawn and its own list of what they mean (tests/experiment/readers.py); a kill
loses nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from experiment.data.store import Store
from experiment.data.tables import Event, Response, SessionRow, Stimulus, Trial
from experiment.lab.desk import RATE, Desk, virtual_desk
from experiment.lab.hand import HESITATION, Hand, drive
from experiment.lab.hearing import compare_capture
from experiment.lab.playback import LEAD
from stimuli.audio import load_mono
from stimuli.manifest import read_manifest
from tests.desk.listening import Box, Inlet, has_terminals
from tests.experiment import readers

pytestmark = pytest.mark.desk


def command(study: Path, db: str, out: Path, *more: str) -> list[str]:
    base = [sys.executable, "-m", "tastelab.cli", "experiment", "run", "--window", "--markers", "--driven"]
    return [*base, "--study", str(study), "--db", db, "--out", str(out), *more]


Answers = list[tuple[str, str | None, float | None, str | None]]


def stored(db: str) -> Answers:
    """Item, taste where two clips were compared, value, choice."""
    store = Store(db)
    with store.transaction() as s:
        rows = s.execute(select(Response, Trial).join(Trial, Trial.id == Response.trial_id).order_by(Response.id)).all()
        found = [(r.item, t.taste if t.block == "preference" else None, r.value, r.choice) for r, t in rows]
    store.close()
    return found


def given(report: Any) -> Answers:
    """What the hand meant by what it read."""
    return [(g["item"], g.get("taste"), g.get("value"), g.get("choice")) for g in report.given]


def clips_by_title(db: str) -> list[tuple[str, str]]:
    """The clips of the stored plan, in their order, each with the title that it is to be heard under (English)."""
    store = Store(db)
    with store.transaction() as s:
        trials = [t for t in s.scalars(select(Trial).order_by(Trial.position)) if t.first is not None]
        found = []
        for t in trials:
            titles = readers.TITLES["en"][:2] if t.block == "preference" else readers.TITLES["en"][2:]
            clips = [c.clip for c in (t.first, t.second) if c is not None]
            found += list(zip(clips, titles, strict=True))
    store.close()
    return found


def glance(desk: Desk) -> np.ndarray:
    """What is on the screen, as numbers."""
    from PIL import ImageGrab

    return np.asarray(ImageGrab.grab(xdisplay=desk.environment["DISPLAY"]).convert("RGB"))


def ink(desk: Desk, marker: dict[str, Any]) -> dict[str, int]:
    """How many different colours are on the screen where each text is said to stand."""
    image = glance(desk).astype(int)
    found = {}
    for part in marker["shown"]:
        if "text" in part and any(map(str.isalpha, part["text"])):
            x, y = part["at"]
            # A line of text may fall between two; the middle of a text may be a gap between lines, or between paragraphs.
            reach = 48 if "\n\n" in part["text"] else 22
            near = image[max(0, y - reach) : y + reach, max(0, x - 60) : x + 60].reshape(-1, 3)
            found[part["text"]] = len(np.unique(near, axis=0))
    return found


def stop_and_think_again(desk: Desk, hand: Hand) -> None:
    """Esc, and 'no' once the question whether to stop stands there, however long that takes."""
    asked = glance(desk)

    def there_again() -> bool:
        return bool((glance(desk) == asked).mean() > 0.999)

    deadline = time.monotonic() + 60
    hand.press("Escape")
    while there_again():
        assert time.monotonic() < deadline, "it is not asked whether to stop"
        time.sleep(0.1)
    while not there_again():
        assert time.monotonic() < deadline, "'no' does not lead back"
        time.sleep(2 * HESITATION)  # what comes sooner answers nothing
        if not there_again():
            hand.press("2")
            time.sleep(HESITATION)
    time.sleep(HESITATION)


def tones(both: np.ndarray) -> list[np.ndarray]:
    """The loudest sample left and right of each of the first three bursts of a recording."""
    loud = np.flatnonzero(np.abs(both).max(axis=1) > 0.02)
    starts = loud[np.insert(np.diff(loud) > 0.05 * RATE, 0, True)][:3]
    return [np.abs(both[x : x + round(0.6 * RATE)]).max(axis=0) for x in starts]


def words(marker: dict[str, Any]) -> list[str]:
    """The words that stood there, from the top."""
    texts = sorted((x["at"][1], x["text"]) for x in marker["shown"] if "text" in x and not x.get("keys"))
    return [w for _, w in texts if w not in ("Stop", "Interrompi")]


def sounding(report: Any) -> list[str]:
    """What stood below the heading while tones sounded."""
    return [words(m)[-1] for m in report.markers if m["screen"] == "sounding"]


def under_titles(report: Any) -> list[tuple[str, str]]:
    """Each clip that was played and the title that stood there; what broke off, and was told so, is played again."""
    following = [*(m["screen"] for m in report.markers[1:]), None]
    shown = zip(report.markers, following, strict=True)
    return [(m["clip"], words(m)[0]) for m, then in shown if m["screen"] == "playing" and then != "broken"]


def test_a_killed_session_loses_nothing_and_goes_on(
    small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path
) -> None:
    db = f"sqlite:///{tmp_path / 'p.db'}"
    rng = np.random.default_rng(5)
    box = Box() if has_terminals() else None  # a machine in a folder has none
    inlet = Inlet(f"tastelab-desk-{os.getpid()}")
    study = tmp_path / "study.toml"
    told = f'[experiment.triggers]\nlsl = "{inlet.name}"\n' + (f'serial = "{box.port}"\n' if box else "")
    study.write_text(small_study_file.read_text(encoding="utf-8") + told, encoding="utf-8")
    asked = 0
    drawn: dict[str, int] = {}

    def pull_the_plug(count: int, marker: dict[str, Any], process: Any) -> None:
        nonlocal asked
        if marker["screen"] not in ("playing", "sounding"):
            drawn.update(ink(desk, marker))
        if marker["screen"] == "steps":
            asked += 1
            if asked == 4:
                process.send_signal(signal.SIGKILL)
                process.wait()

    with virtual_desk() as desk:
        capture = tmp_path / "capture.raw"
        reader = readers.reader("en")
        session = command(study, db, outputs, "--code", "d1")
        first = drive(desk, session, rng, reader, capture, pull_the_plug, 280)
        assert first.status == -signal.SIGKILL, first.errors
        inlet.close()
        assert stored(db) == given(first)  # every answer given before the kill is there, exactly
        assert len(given(first)) == 8 + 4 + 3
        second = drive(desk, command(small_study_file, db, outputs, "--resume", "d1"), rng, reader, None, None, 280)
        assert second.status == 0, second.errors
    assert stored(db) == given(first) + given(second)
    assert len(stored(db)) == 8 + 4 + 2 * 12
    assert "consent" not in [m["screen"] for m in second.markers]
    # All that was told to be drawn is on the real screen.
    assert len(drawn) > 40
    assert min(drawn.values()) > 3, drawn

    both = np.fromfile(capture, dtype=np.float32).reshape(-1, 2)
    left, right, middle = tones(both)
    assert left[0] > 0.05 > 0.001 > left[1]
    assert right[1] > 0.05 > 0.001 > right[0]
    assert middle[0] == pytest.approx(middle[1])
    assert sounding(first)[:3] == readers.SIDES["en"]
    assert under_titles(first) == clips_by_title(db)[: 2 * 4 + 1]
    assert under_titles(second) == clips_by_title(db)[2 * 4 :]
    heard = both.mean(axis=1)
    clips = {r.clip: r for r in read_manifest(stimuli_folder)}
    played = [clip for clip, _ in under_titles(first)]
    assert len(played) == 2 * 4 + 1
    start, places = 0, []
    for name in played:
        stimulus = load_mono(stimuli_folder / clips[name].file, RATE)
        r, at, error = compare_capture(heard, stimulus, start)
        assert r > 0.999, name
        assert error < 1e-3, name
        start = at + len(stimulus) // 2
        places.append(at / RATE)

    store = Store(db)
    with store.transaction() as s:
        session = s.scalars(select(SessionRow)).one()
        assert session.status == "complete"
        assert session.kind == "driven"
        assert session.versions["psychopy"]
        onsets = list(s.scalars(select(Event).where(Event.name == "audio_onset")))
        assert len(onsets) >= len(played)
        # Stamped by the driver, never before the moment that was asked for, and when the recording heard it: as near as a
        # scheduled sound came, which a machine that is busy with other things may begin late, and has to tell so.
        assert all(e.detail["driver"] for e in onsets)
        late = np.array([e.detail["onset_error"] for e in onsets])
        assert min(late) > -0.02
        assert [e.detail["onset_delay"] - e.detail["onset_error"] for e in onsets] == pytest.approx([LEAD] * len(late))
        began = np.array([e.at for e in onsets[: len(places)]])
        apart = (began - began[0]) - (np.array(places) - places[0])
        assert np.abs(apart).max() < 0.05 + max(late)
        heard_of = [(at, said) for at, said in inlet.came if said["event"] == "onset" and "clip" in said]
        named = {c.id: c.clip for c in s.scalars(select(Stimulus))}
        assert [named[said["clip"]] for _, said in heard_of] == played
        stamped = np.array([at for at, _ in heard_of])
        assert np.abs((stamped - stamped[0]) - (np.array(places) - places[0])).max() < 0.05 + max(late)
        times = list(s.scalars(select(Response.response_time)))
        assert all(t is not None and t > 0 for t in times)
    store.close()
    told_of(first, box, inlet)


def told_of(report: Any, box: Box | None, inlet: Inlet) -> None:
    """Every screen, sound and answer of a session that was killed is in the stream and has its byte, in one order."""
    events = [said for _, said in inlet.came]
    assert events[0]["event"] == "begin"
    assert [e["screen"] for e in events if e["event"] == "screen"] == [m["screen"] for m in report.markers]
    answered = [e["item"] for e in events if e["event"] == "answer"]
    assert answered == [g["item"] for g in report.given]
    if box is None:
        return
    kinds = {"begin": 1, "screen": 2, "onset": 3, "end": 4, "answer": 5}
    sent = [(at, b) for at, b in box.came if b]
    for kind, code in kinds.items():
        moments = [at for at, b in sent if b == code]
        stamps = [at for at, said in inlet.came if said["event"] == kind]
        assert len(moments) == len(stamps), kind
        # The layer's clock is this machine's monotonic one: a byte comes when its sample is stamped.
        assert np.median(np.abs(np.array(moments) - np.array(stamps))) < 0.02, kind


def test_a_whole_session_in_italian_by_keyboard_alone(
    small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path
) -> None:
    """No mouse at all; Esc asks once, 'no' goes on where one was."""
    db = f"sqlite:///{tmp_path / 'p.db'}"
    asked = 0
    with virtual_desk() as desk:
        reader = readers.reader("it")
        hand = Hand(desk, np.random.default_rng(0), reader)

        def doubt(count: int, marker: dict[str, Any], process: Any) -> None:
            nonlocal asked
            asked += marker["screen"] in ("choice", "slider")
            if asked == 3 and marker["screen"] in ("choice", "slider"):
                asked += 1
                stop_and_think_again(desk, hand)

        session = command(small_study_file, db, outputs, "--code", "k1", "--language", "it")
        done = drive(desk, session, np.random.default_rng(6), reader, None, doubt, 300, keyboard=True)
    assert done.status == 0, done.errors
    assert [m["screen"] for m in done.markers].count("stop") == 1
    assert stored(db) == given(done)
    assert len(stored(db)) == 8 + 4 + 2 * 12
    store = Store(db)
    with store.transaction() as s:
        session_row = s.scalars(select(SessionRow)).one()
        assert (session_row.status, session_row.language) == ("complete", "it")
    store.close()


def test_a_changed_file_is_refused_before_anything_is_shown(
    small_study_file: Path, stimuli_folder: Path, tmp_path: Path
) -> None:
    import shutil
    import subprocess

    copy = tmp_path / "small" / "stimuli"
    shutil.copytree(stimuli_folder, copy)
    row = read_manifest(copy)[0]
    data = bytearray((copy / row.file).read_bytes())
    data[9000] ^= 1
    (copy / row.file).write_bytes(data)
    db = f"sqlite:///{tmp_path / 'p.db'}"
    with virtual_desk() as desk:
        done = subprocess.run(
            command(small_study_file, db, tmp_path, "--code", "d1"),
            capture_output=True, text=True, env=desk.environment,
        )  # fmt: skip
    assert done.returncode == 2
    assert row.clip in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert stored(db) == []


def test_no_display_is_one_line(small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path) -> None:
    import os
    import subprocess

    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        command(small_study_file, f"sqlite:///{tmp_path / 'p.db'}", outputs, "--code", "x"),
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 2
    assert "display" in done.stderr
