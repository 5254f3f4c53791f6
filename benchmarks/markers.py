"""Markers of a whole session, as those who record them hear them: their order and count, and how far from the flip and from the sound.

A session runs on the virtual desk to its end, told by the lab streaming layer and by bytes on a pseudo-terminal. Beside it stand the
moments at which its window's buffers were exchanged (pyglet's own call, beneath PsychoPy's) and a recording of the sound card.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
LOG = "TASTELAB_FLIPS"
CODES = {1: "begin", 2: "screen", 3: "onset", 4: "end", 5: "answer", 6: "over"}


def child_session(arguments: list[str]) -> None:
    """A session by the command line, with the moments of its flips noted."""
    from experiment.lab import window as window_
    from tastelab.cli import main

    opened = window_.open_window

    def noted(fullscreen: bool) -> Any:
        window = opened(fullscreen)
        flip = window.winHandle.flip
        log = Path(os.environ[LOG]).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115  # as long as the session

        def flipped(*given: Any, **named: Any) -> Any:
            found = flip(*given, **named)
            log.write(f"{time.monotonic():.6f}\n")
            return found

        window.winHandle.flip = flipped
        return window

    window_.open_window = noted
    sys.argv = ["tastelab", *arguments]
    main()


def spread(seconds: np.ndarray) -> dict[str, Any]:
    """How far, in ms: the median, the largest, of how many."""
    ms = 1000 * np.abs(np.asarray(seconds, dtype=float))
    return {"n": len(ms), "median_ms": round(float(np.median(ms)), 3), "max_ms": round(float(ms.max()), 3)}


def apart(stamps: np.ndarray, places: np.ndarray) -> dict[str, Any]:
    """How far two clocks' moments of the same events lie from each other: of an offset alone, which no one knows, nothing is said."""
    difference = np.asarray(stamps) - np.asarray(places)
    return spread(difference - np.median(difference))


def markers() -> dict[str, Any]:
    """One whole session."""
    from benchmarks.desk import small_study
    from experiment.data.store import Store
    from experiment.data.tables import SessionRow
    from experiment.lab.desk import RATE, virtual_desk
    from experiment.lab.hand import drive
    from experiment.lab.hearing import compare_capture
    from stimuli.audio import load_mono
    from stimuli.manifest import read_manifest
    from tests.desk.listening import Box, Inlet
    from tests.experiment import readers

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        study, db = small_study(folder), f"sqlite:///{folder / 'p.db'}"
        box, inlet = Box(), Inlet(f"tastelab-markers-{os.getpid()}")
        told = f'[experiment.triggers]\nlsl = "{inlet.name}"\nserial = "{box.port}"\n'
        study.write_text(study.read_text(encoding="utf-8") + told, encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "benchmarks.markers",
            "--session",
            "experiment",
            "run",
            "--window",
            "--markers",
        ]
        command += ["--driven", "--study", str(study), "--db", db, "--out", str(folder), "--code", "m1"]
        flips = folder / "flips"
        capture = folder / "capture.raw"
        with virtual_desk() as desk:
            desk.environment[LOG] = str(flips)
            desk.environment["PYTHONPATH"] = str(ROOT)
            report = drive(desk, command, np.random.default_rng(18), readers.reader("en"), capture)
        time.sleep(0.5)
        inlet.close()
        if report.status != 0:
            raise RuntimeError(report.errors)
        with Store(db).transaction() as s:
            assert [row.status for row in s.query(SessionRow)] == ["complete"]
        stream = [(at, said["event"], said) for at, said in inlet.came]
        port = [(at, CODES[code]) for at, code in box.came if code]
        flipped = np.array([float(line) for line in flips.read_text(encoding="utf-8").split()])
        heard = np.fromfile(capture, dtype=np.float32).reshape(-1, 2).mean(axis=1)
        clips = {row.clip: row.file for row in read_manifest(next(folder.glob("*/stimuli")))}
        following = [*(m["screen"] for m in report.markers[1:]), None]
        played = [
            m["clip"]
            for m, then in zip(report.markers, following, strict=True)
            if m["screen"] == "playing" and then != "broken"
        ]
        places, start = [], 0
        least = 1.0
        for name in played:
            stimulus = load_mono(next(folder.glob("*/stimuli")) / clips[name], RATE)
            r, at, _ = compare_capture(heard, stimulus, start)
            least, start = min(least, r), at + len(stimulus) // 2
            places.append(at / RATE)
        of_clips = [k for k, (_, event, said) in enumerate(stream) if event == "onset" and "clip" in said]
        onsets_of_port = [at for at, event in port if event == "onset"]
        ordinal = {k: n for n, k in enumerate(k for k, x in enumerate(stream) if x[1] == "onset")}
        screens = np.array([at for at, event, _ in stream if event == "screen"])
        by_port = np.array([at for at, event in port if event == "screen"])

        def after_flip(moments: np.ndarray) -> np.ndarray:
            return moments - flipped[np.searchsorted(flipped, moments) - 1]

        same = {
            event: (sum(x[1] == event for x in stream), sum(x[1] == event for x in port)) for event in CODES.values()
        }
        answered = [said["item"] for _, event, said in stream if event == "answer"]
        return {
            "events": {event: {"stream": a, "port": b} for event, (a, b) in same.items()},
            "missing_in_one": sum(abs(a - b) for a, b in same.values()),
            "screens_in_order": [x["screen"] for _, e, x in stream if e == "screen"]
            == [m["screen"] for m in report.markers],
            "answers_in_order": answered == [g["item"] for g in report.given],
            "port_in_the_streams_order": _order([e for _, e, _ in stream]) == _order([e for _, e in port]),
            "clips": len(played),
            "clips_told": len(of_clips),
            "least_r": round(least, 5),
            "screen_after_flip_stream": spread(after_flip(screens)),
            "screen_after_flip_port": spread(after_flip(by_port)),
            "onset_against_captured_stream": apart(np.array([stream[k][0] for k in of_clips]), np.array(places)),
            "onset_against_captured_port": apart(
                np.array([onsets_of_port[ordinal[k]] for k in of_clips]), np.array(places)
            ),
            "sound_ends": dict(Counter(event for _, event in port))["end"],
        }


def _order(events: list[str]) -> list[str]:
    """Events of screens and answers: a sound's are stamped by the driver, before or after what is drawn meanwhile."""
    return [event for event in events if event in ("screen", "answer", "begin", "over")]


if __name__ == "__main__":
    if sys.argv[1] == "--session":
        child_session(sys.argv[2:])
    else:
        print(json.dumps(markers(), indent=1))
