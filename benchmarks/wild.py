"""People who press anything: seeded clicks, keys, drags and changes of focus over whole sessions on the virtual desk.

The hand knows where buttons stand and takes no account of what they mean: it presses them and what lies between them, twice and in a
row, types digits, letters and arrows, drags across, and gives the focus to another window, where it goes on. What is stored
afterwards must be explained by what stood on the screen: no answer sooner than the dead time after its screen's first flip, none about a clip
that was not heard whole, none while another window had the focus, items in the order in which they were shown, no traceback.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MINUTES, INPUTS, RUNS = 10.0, 2000, 3
SIZE = (1280, 800)
KEYS = (
    "Return",
    "KP_Enter",
    "space",
    "Tab",
    "1",
    "2",
    "3",
    "5",
    "0",
    "9",
    "Left",
    "Right",
    "Up",
    "Down",
    "BackSpace",
    "a",
    "y",
    "F5",
)
ONWARD = ("Continue", "Play", "I agree", "Yes", "No", "Listen again")
QUESTIONS = ("choice", "multiple", "number", "text", "slider", "steps", "form")
SLACK = 0.15  # s that a change of focus, or the word of a first flip, may be under way
OTHER = (
    "import pyglet; w = pyglet.window.Window(60, 60, style='borderless'); w.set_location(1215, 400); "
    "print(w._window, flush=True); pyglet.app.run()"
)


@dataclass
class Wild:
    """A hand without sense, and what it did when."""

    desk: Any
    rng: np.random.Generator
    other: str
    shown: list[dict[str, Any]] = field(default_factory=list)
    away: list[tuple[float, float]] = field(default_factory=list)
    inputs: int = 0
    window: str = ""
    screen: str = ""

    def see(self, screen: str, shown: list[dict[str, Any]]) -> None:
        """What stands there now."""
        self.screen, self.shown = screen, shown

    def xdotool(self, *arguments: str) -> str:
        done = subprocess.run(["xdotool", *arguments], env=self.desk.environment, capture_output=True, text=True)
        return done.stdout.strip()

    def place(self) -> tuple[int, int]:
        """A button or a tick of the last screen mostly, those that lead on more often than others; else anywhere."""
        from experiment.lab.reading import Page

        page = Page.of(self.shown)
        if self.rng.random() > 0.85 or not (page.buttons or page.ticks):
            return int(self.rng.integers(SIZE[0])), int(self.rng.integers(SIZE[1]))
        there = [
            (at, 4.0 if words in ONWARD else 0.05 if words == "Stop" else 1.0) for words, at in page.buttons.items()
        ]
        there += [(at, 0.4) for at in page.ticks]
        weights = np.array([w for _, w in there])
        x, y = there[int(self.rng.choice(len(there), p=weights / weights.sum()))][0]
        return int(x + self.rng.normal(0, 4)), int(y + self.rng.normal(0, 4))

    def once(self) -> None:
        """One input."""
        kind = self.rng.choice(
            ["click", "double", "key", "drag", "focus", "stop"], p=[0.525, 0.08, 0.27, 0.07, 0.05, 0.005]
        )
        self.inputs += 1
        if kind in ("click", "double"):
            x, y = self.place()
            self.xdotool("mousemove", str(x), str(y), *(["click", "1"] * (2 if kind == "double" else 1)))
        elif kind == "key" and self.screen == "number" and self.rng.random() < 0.9:  # else most of them are too young
            self.xdotool("key", *"35", "Return")
        elif kind == "key":
            self.xdotool("key", str(self.rng.choice(KEYS)))
        elif kind == "drag":
            (x, y), (u, v) = self.place(), self.place()
            self.xdotool("mousemove", str(x), str(y), "mousedown", "1", "mousemove", str(u), str(v), "mouseup", "1")
        elif kind == "stop":
            self.xdotool("key", "Escape")
        else:
            self.elsewhere()

    def elsewhere(self) -> None:
        """Go on in another window for a moment, and come back."""
        self.xdotool("windowfocus", "--sync", self.other)
        left = time.time()
        for _ in range(int(self.rng.integers(2, 6))):
            self.inputs += 1
            self.xdotool("key", str(self.rng.choice(KEYS)))
            time.sleep(0.1)
        self.away.append((left, time.time()))
        if self.window:
            self.xdotool("windowfocus", self.window)


def run(seed: int, folder: Path, study: Path, out: Path, minutes: float, inputs: int) -> dict[str, Any]:
    """Sessions one after the other until so many minutes are over; what was found wrong, a line each."""
    from experiment.lab.desk import virtual_desk

    db = f"sqlite:///{folder / f'wild-{seed}.db'}"
    rng = np.random.default_rng([18, seed])
    told: list[dict[str, Any]] = []
    errors: list[str] = []
    with virtual_desk(size=SIZE) as desk:
        other = subprocess.Popen([sys.executable, "-c", OTHER], env=desk.environment, stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        hand = Wild(desk, rng, other.stdout.readline().strip())
        began, sessions = time.monotonic(), 0
        while time.monotonic() - began < 60 * minutes:
            sessions += 1
            command = [sys.executable, "-m", "tastelab.cli", "experiment", "run", "--window", "--markers", "--driven"]
            command += ["--study", str(study), "--db", db, "--out", str(out), "--code", f"w{seed}-{sessions}"]
            with tempfile.TemporaryFile("w+") as said:
                process = subprocess.Popen(
                    command,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    text=True,
                    env={**os.environ, **desk.environment},
                    cwd=ROOT,
                )

                def read(process: Any = process, code: int = sessions) -> None:
                    for line in process.stdout:
                        if line.startswith("{"):
                            marker = json.loads(line)
                            if marker["screen"] == "stop":  # after it stands again what stood before
                                threading.Timer(1.5, hand.see, [hand.screen, hand.shown]).start()
                            hand.see(marker["screen"], marker["shown"])
                            told.append(marker | {"session": code, "at": time.time()})

                reader = threading.Thread(target=read)
                reader.start()
                while process.poll() is None:
                    if not hand.window and told and told[-1]["session"] == sessions:
                        hand.window = hand.xdotool("search", "--name", "PsychoPy").splitlines()[-1:][0]
                    if told and told[-1]["session"] == sessions:
                        hand.once()
                    late = time.monotonic() - began - 60 * minutes * hand.inputs / inputs
                    time.sleep(max(0.02, -late) if late < 0 else 0.02)
                    if time.monotonic() - began > 60 * minutes:
                        process.terminate()
                reader.join()
                hand.window = ""
                said.seek(0)
                tail = said.read()
                if "Traceback" in tail:
                    errors.append(f"session {sessions}: {tail[-1500:]}")
        other.terminate()
    found = looked_at(db, told, hand.away)
    wrong = [*errors, *found.pop("wrong")]
    screens = len(told)
    return {
        "seed": seed,
        "inputs": hand.inputs,
        "away": len(hand.away),
        "sessions": sessions,
        "screens": screens,
        **found,
        "wrong": wrong,
    }


def looked_at(db: str, told: list[dict[str, Any]], away: list[tuple[float, float]]) -> dict[str, Any]:
    """Hold what is stored against what was on the screen."""
    from sqlalchemy import select

    from experiment.data.store import Store
    from experiment.data.tables import Event, Participant, Response, SessionRow, Superseded, Trial
    from experiment.lab.reading import Page
    from tests.experiment import readers

    reader = readers.reader("en")
    wrong: list[str] = []
    answers = soon = 0
    store = Store(db)
    with store.transaction() as s:
        for row, code in s.execute(select(SessionRow, Participant.code).join(Participant)):
            number = code.rpartition("-")[2]
            screens = [m for m in told if str(m["session"]) == number]
            asked = [
                (reader.asked(Page.of(m["shown"])).item, m["at"])
                for m in screens
                if m["screen"] in QUESTIONS and m["screen"] != "form"
            ]
            asked = [a for a in asked if a[0] != "practice"]
            of = Trial.session_id == row.id
            given = s.execute(
                select(Response, Trial).join(Trial).where(of).order_by(Response.answered_at, Response.id)
            ).all()
            anew = s.scalars(select(Superseded).join(Trial).where(of)).all()
            onsets = s.scalars(select(Event).where(Event.session_id == row.id, Event.name == "audio_onset")).all()
            again = {x.item for x in anew}
            order = [item for item in dict.fromkeys(item for item, _ in asked) if item not in again]
            stored = [r.item for r, _ in given if r.item not in again]  # what was answered anew stands after it
            if [i for i in order if i in set(stored)] != list(dict.fromkeys(stored)):
                wrong.append(f"{code}: shown {order}, stored {stored}")
            for r, t in given:
                answers += 1
                when = r.answered_at.replace(tzinfo=r.answered_at.tzinfo or UTC).timestamp()
                if r.response_time is not None and r.response_time < 0.3:
                    wrong.append(f"{code} {r.item}: answered {r.response_time:.3f} s after its screen's first flip")
                before = [at for item, at in asked if item == r.item and at <= when]
                if not before:
                    wrong.append(f"{code} {r.item}: stored, and no screen asked it before")
                elif when - before[-1] < 0.25:  # the marker comes a little after the flip
                    wrong.append(f"{code} {r.item}: stored {when - before[-1]:.3f} s after its screen was told")
                soon += when - before[-1] < 1.0 if before else 0
                # The press was so long after its screen's first flip; what is stored follows when the computer has time.
                pressed = before[-1] + float(r.response_time or 0) if before else when
                if any(left + SLACK < pressed < back for left, back in away):
                    wrong.append(f"{code} {r.item}: pressed while another window had the focus")
                clips = [c for c in (t.first_id, t.second_id) if c is not None]
                whole = [e for e in onsets if e.trial_id == t.id and e.detail.get("whole")]
                if len(whole) < len(clips):
                    wrong.append(f"{code} {r.item}: {len(whole)} of {len(clips)} clips were heard whole")
            answers += len(anew)
        ended: dict[str, int] = {}
        for (status,) in s.execute(select(SessionRow.status)):
            ended[status] = ended.get(status, 0) + 1
    store.close()
    return {"answers": answers, "within_a_second": int(soon), "ended": ended, "wrong": wrong}


def wild(minutes: float = MINUTES, inputs: int = INPUTS, runs: int = RUNS) -> dict[str, Any]:
    """Runs of so many minutes and inputs each, over sessions of the default study with clips of two seconds."""
    from tests.conftest import write_small_study

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        study = write_small_study(folder)
        out = folder / "outputs"
        command = [
            sys.executable,
            "-m",
            "tastelab.cli",
            "stimuli",
            "generate",
            "--study",
            str(study),
            "--out",
            str(out),
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        found = [run(seed, folder, study, out, minutes, inputs) for seed in range(1, runs + 1)]
    wrong = [line for r in found for line in r["wrong"]]
    return {
        "runs": found,
        "inputs": sum(r["inputs"] for r in found),
        "answers": sum(r["answers"] for r in found),
        "wrong": len(wrong),
    }
