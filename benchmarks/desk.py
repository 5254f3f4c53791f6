"""On the virtual desk: when sounds start, how long screens take to draw, and sessions that are killed at any moment."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PLAYS = 200
GAP = 0.35  # s between plays
LEAD = 0.08  # s ahead that plays are scheduled, as sessions do
BURST = 0.06  # s


def _burst(rate: int = 48000) -> np.ndarray:
    t = np.arange(round(BURST * rate)) / rate
    tone = (0.5 * np.cos(2 * np.pi * 1000 * t)).astype(np.float32)
    return np.stack([tone, tone], axis=1)


def child_plays(kind: str, plays: int) -> None:
    """Play bursts; print the scheduled times (psychtoolbox' clock) and the driver's stamps."""
    from psychtoolbox import GetSecs

    from experiment.lab import playback as ours

    ours.prepare_audio()  # without it no backend of PsychoPy plays on PulseAudio at all
    rows = []
    if kind == "ours":
        from experiment.lab.screens import Screens

        screens = Screens("en", 0, fullscreen=False)
        shown = screens.compose.playing("First piece")
        bar: Any = shown.bar

        def tick(share: float) -> None:
            bar.share = share
            screens.frame(shown.parts, [])

        player = ours.open_sound(_burst())
        for _ in range(plays):
            time.sleep(GAP - 0.1)
            asked = GetSecs()
            record = ours.play_through(player, BURST, tick)
            rows.append([asked + ours.LEAD, asked + record["onset_delay"] if record["onset_delay"] else None])
    else:
        from psychopy import sound, visual

        window = visual.Window((1280, 800), units="height", winType="pyglet", checkTiming=False)
        heading = visual.TextStim(window, "First piece", height=0.045)
        bar = visual.Rect(window, 0.7, 0.018, fillColor="blue")
        player = sound.Sound(_burst(), sampleRate=48000, stereo=True, hamming=False)
        for _ in range(plays):
            time.sleep(GAP - 0.1)
            when = GetSecs() + LEAD
            player.play(when=when)
            end = time.monotonic() + LEAD + BURST + 0.1
            while time.monotonic() < end:
                heading.draw()
                bar.draw()
                window.flip()
            rows.append([when, None])
            player.stop()
    print(json.dumps(rows))


def child_draws(frames: int) -> None:
    """Time a frame of each kind of screen beside an empty flip, alternately."""
    from experiment.lab.screens import Screens
    from experiment.question import Question

    screens = Screens("en", 0, fullscreen=False)
    window, stop, compose = screens.window, screens.stop_button, screens.compose
    count = compose.corner("14 of 41")
    labels = tuple(f"step {i}" for i in range(5))
    options = {str(i): f"option {i}" for i in range(8)}
    asked = [
        Question("choice", "choice", "Which?", options=options),
        Question("slider", "slider", "Which piece fits?", high=10, labels=("the first piece", "the second piece")),
        Question("steps", "steps", "How much do you recognise this?", low=1, high=5, labels=labels, word="sweet"),
    ]
    shown = {q.item: compose.question(q, screens.words) for q in asked}
    playing = compose.playing("First piece")
    bar = playing.bar
    assert bar is not None
    kinds: dict[str, list[Any]] = {name: [count, *x.parts, *x.buttons, stop] for name, x in shown.items()}
    kinds["playing"] = [*playing.parts, stop]
    out = {}
    for name, widgets in kinds.items():
        screens._draw(widgets)
        empty, drawn = [], []
        for k in range(frames):
            # What moves while one looks: the bar grows through a clip of 15 s at 60 frames/s.
            bar.share = k / 900
            start = time.perf_counter()
            window.flip(clearBuffer=False)
            middle = time.perf_counter()
            screens._draw(widgets)
            window.flip(clearBuffer=False)
            drawn.append(time.perf_counter() - middle)
            empty.append(middle - start)
        out[name] = {
            "empty_flip_ms": round(1000 * float(np.median(empty)), 3),
            "frame_ms": round(1000 * float(np.median(drawn)), 3),
            "ratio": round(float(np.median(np.array(drawn) / np.array(empty))), 3),
            "slowest_ms": round(1000 * float(np.max(drawn)), 2),
            "over_16.7_ms": int(np.sum(np.array(drawn) > 1 / 60)),
            "frames": frames,
        }
    print(json.dumps(out))


def _result(printed: str) -> Any:
    """The JSON line among what psychtoolbox says at its end."""
    return json.loads(next(x for x in printed.splitlines() if x.startswith(("[[", '{"'))))


def onsets(capture: np.ndarray, rate: int) -> np.ndarray:
    """Times (s) at which bursts begin in a recording."""
    loud = np.flatnonzero(np.abs(capture) > 0.1)
    first = loud[np.insert(np.diff(loud) > 0.1 * rate, 0, True)]
    return np.asarray(first / rate)


def timing(plays: int = PLAYS) -> dict[str, Any]:
    """Onsets of scheduled plays against the captured signal, ours beside a plain PsychoPy script; and drawing times."""
    from experiment.lab.desk import RATE, virtual_desk

    out: dict[str, Any] = {}
    with virtual_desk() as desk, tempfile.TemporaryDirectory() as folder:
        for kind in ("ours", "plain"):
            capture = Path(folder) / f"{kind}.raw"
            recorder = desk.record(capture)
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.desk", "--plays", kind, str(plays)],
                cwd=ROOT, env=desk.environment, capture_output=True, text=True, check=True, timeout=600,
            )  # fmt: skip
            time.sleep(0.5)
            recorder.send_signal(signal.SIGINT)
            recorder.wait(5)
            rows = _result(done.stdout)
            heard = onsets(np.fromfile(capture, dtype=np.float32).reshape(-1, 2).mean(axis=1), RATE)
            scheduled = np.array([r[0] for r in rows])
            result: dict[str, Any] = {"plays": len(rows), "heard": len(heard)}
            if len(heard) == len(scheduled):
                # The two clocks differ by an offset and a rate; both are taken out, what is left is the error.
                error = heard - np.polyval(np.polyfit(scheduled, heard, 1), scheduled)
                error = 1000 * (error - np.median(error))
                result |= {
                    "captured_error_sd_ms": round(float(error.std()), 3),
                    "captured_error_max_ms": round(float(np.abs(error).max()), 3),
                }
            stamps = [1000 * (r[1] - r[0]) for r in rows if r[1] is not None]
            if stamps:
                result |= {
                    "driver_error_median_ms": round(float(np.median(stamps)), 3),
                    "driver_error_sd_ms": round(float(np.std(stamps)), 3),
                    "driver_error_max_ms": round(float(np.max(np.abs(stamps))), 3),
                }
            out[kind] = result
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.desk", "--draws", "600"],
            cwd=ROOT, env=desk.environment, capture_output=True, text=True, check=True, timeout=600,
        )  # fmt: skip
        out["drawing"] = _result(done.stdout)
    return out


def small_study(folder: Path) -> Path:
    """The default study with clips of 2 s, four a taste, and its clips."""
    from tests.conftest import write_small_study

    path = write_small_study(folder)
    command = [sys.executable, "-m", "tastelab.cli", "stimuli", "generate", "--study", str(path), "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def kills(per_block: int = 10, seed: int = 0) -> dict[str, Any]:
    """Kill a session at random moments in each block, resume it; was an answer lost, doubled, a trial repeated?"""
    from sqlalchemy import select

    from experiment.data.store import Store
    from experiment.data.tables import Response, Trial
    from experiment.lab.desk import virtual_desk
    from experiment.lab.hand import drive
    from experiment.lab.reading import phrases
    from tastelab.study import load_study

    rng = np.random.default_rng(seed)
    blocks = {
        "demographics": ("choice", "number"), "preference": ("listen", "playing", "heard", "slider"),
        "ratings": ("listen", "playing", "heard", "steps"),
    }  # fmt: skip
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, virtual_desk() as desk:
        folder = Path(name)
        study = small_study(folder)
        reader = phrases(load_study(study).experiment, "en")
        for block, screens in blocks.items():
            counts = dict.fromkeys(("sessions", "kills", "lost", "doubled", "altered", "repeated_trials"), 0)
            while counts["kills"] < per_block:
                db = f"sqlite:///{folder}/{block}{counts['sessions']}.db"
                base = [sys.executable, "-m", "tastelab.cli", "experiment", "run", "--window", "--markers", "--driven"]
                base += ["--study", str(study), "--db", db, "--out", str(folder)]
                given: list[tuple[str, float | None, str | None]] = []
                answered: list[int] = []
                status, mode = -1, ["--code", "k1"]
                for _ in range(per_block + 2):
                    # The moment: at a random one of the block's screens, after a random part of a second.
                    state = {"seen": 0, "stop_at": int(rng.integers(1, 9)), "steps": 0}
                    again = counts["kills"] < per_block

                    def pull(
                        count: int, marker: dict[str, Any], process: Any, state: dict[str, int] = state,
                        again: bool = again, screens: tuple[str, ...] = screens, block: str = block,
                    ) -> None:  # fmt: skip
                        state["steps"] += marker["screen"] == "steps"
                        state["sliders"] = state.get("sliders", 0) + (marker.get("item") == "preference")
                        here = marker["screen"] in screens and marker.get("item") != "practice"
                        if block == "ratings":
                            here = here and (state["steps"] > 0 or marker["screen"] == "steps")
                        if not (again and here):
                            return
                        state["seen"] += 1
                        if state["seen"] == state["stop_at"]:
                            threading.Timer(float(rng.uniform(0, 0.9)), process.kill).start()

                    report = drive(desk, [*base, *mode], rng, reader, None, pull, 300)
                    status = report.status
                    given += [(g["item"], g.get("value"), g.get("choice")) for g in report.given]
                    counts["kills"] += status == -signal.SIGKILL
                    if status != -signal.SIGKILL:
                        break
                    mode = ["--resume", "k1"]
                    store = Store(db)
                    with store.transaction() as s:
                        answered.append(len(s.scalars(select(Response)).all()))
                    store.close()
                counts["sessions"] += 1
                store = Store(db)
                with store.transaction() as s:
                    stored = [
                        (r.item, r.value, r.choice, r.trial_id)
                        for r in s.scalars(select(Response).order_by(Response.id))
                    ]
                    planned = sum(len(t.items) for t in s.scalars(select(Trial)))
                store.close()
                keys = [(t, i) for i, _, _, t in stored]
                counts["doubled"] += len(keys) - len(set(keys))
                counts["lost"] += planned - len(set(keys)) if status == 0 else 0
                # What the hand gave at the moment of a kill may not have reached the program; all else must be there,
                # as it was given and in its order.
                rest = iter(given)
                counts["altered"] += sum(not any(g == (i, v, c) for g in rest) for i, v, c, _ in stored)
                order = [t for _, _, _, t in stored]
                counts["repeated_trials"] += sum(a > b for a, b in itertools.pairwise(order))
            out[block] = counts
    return out


if __name__ == "__main__":
    if sys.argv[1] == "--plays":
        child_plays(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1] == "--draws":
        child_draws(int(sys.argv[2]))
    else:
        print(json.dumps(timing() if sys.argv[1] == "timing" else kills(), indent=1))
