"""A session whose engine is in another process: a presenter here, lines of JSON between, and nothing lost when that process dies.

The other side is `experiment.wire`. What a simulated person knows of a clip that it hears comes from `ear`, the database's rows by
number: the messages themselves do not tell what a clip is.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from experiment.data.tables import Stimulus, Trial
from experiment.errors import ExperimentError
from experiment.headphones import trials
from experiment.question import Back, Question
from experiment.session import Presenter, Stopped

Message = dict[str, Any]
TRIES = 20


class EngineProcess:
    """The engine of a database in a process of its own; started anew when it died, and asked again."""

    def __init__(self, url: str):
        self._command = [sys.executable, "-m", "experiment.wire", "--db", url]
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, message: Message) -> Message:
        """Send a message until it is answered."""
        line = json.dumps(message) + "\n"
        for _ in range(TRIES):
            if self.process is None or self.process.poll() is not None:
                self.process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            try:
                self.process.stdin.write(line)
                self.process.stdin.flush()
                answer = self.process.stdout.readline()
            except BrokenPipeError:
                answer = ""
            if answer.endswith("\n"):
                return dict(json.loads(answer))
            self.close()
        raise ExperimentError(f"the engine's process ended {TRIES} times at one message; run it by hand to see why")

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def run_remote(
    call: Callable[[Message], Message], session: int, presenter: Presenter, ear: Mapping[int, Stimulus]
) -> str:
    """Run, or go on with, a session by messages; returns its status.

    Raises
    ------
    ExperimentError
        What the engine says no to.
    """
    token, began = uuid.uuid4().hex, time.monotonic()

    def sent(message: Message) -> Message:
        step = call({"token": token, **message})
        if "error" in step:
            raise ExperimentError(step["error"])
        return step

    step = sent({"open": session})
    while step["kind"] != "end":
        if step["gain_db"] is not None:
            presenter.gain_db = float(step["gain_db"])
        try:
            did = _did(step, presenter, ear, began)
        except Stopped:
            did = {"stopped": True}
        step = sent({"session": session, "step": step["id"], "at": time.monotonic() - began, "did": did})
    return str(step["status"])


def _did(step: Message, presenter: Presenter, ear: Mapping[int, Stimulus], began: float) -> Message:
    """Let the presenter do a step; what it did, as the engine wants it."""

    def begun(record: dict[str, Any]) -> list[Any]:
        rest = {k: v for k, v in record.items() if k != "began"}
        return [float(record.get("began", time.monotonic())) - began, rest]

    match step["kind"]:
        case "consent":
            presenter.minutes, presenter.asks_special = int(step["minutes"]), bool(step["special"])
            presenter.more = tuple(step["more"])
            takes_part, special = presenter.consent()
            return {"takes_part": takes_part, "special": special}
        case "page":
            presenter.page(step["title"], step["text"])
        case "soundcheck":
            found = presenter.sound_check()
            return {"record": None if found is None else begun(found)}
        case "level":
            return {"gain_db": presenter.adjust_level(step["softest"])}
        case "headphones":
            sounds = trials(step["test"], np.random.default_rng(step["draw"]))
            return {"given": presenter.screen_headphones(step["test"], sounds)}
        case "practice":
            presenter.practice(_question(step["question"]))
        case "listen":
            heard = [ear[c["id"]] for c in step["clips"]]
            return {"records": [begun(r) for r in presenter.listen(heard, step["titles"])]}
        case "ask":
            answer = presenter.ask(_question(step["question"]), _trial(step, ear), tuple(step["progress"]))
            if isinstance(answer, Back):
                return {"back": True}
            return vars(answer)
        case "form":
            asked = [_question(q) for q in step["questions"]]
            given = presenter.fill(asked, _trial(step, ear), tuple(step["progress"]))
            return {"answers": {item: vars(answer) for item, answer in given.items()}}
    return {}


def _question(asked: Message) -> Question:
    return Question(**{**asked, "labels": tuple(asked["labels"])})


def _trial(step: Message, ear: Mapping[int, Stimulus]) -> Trial:
    """The trial as whoever heard its clips knows it."""
    clips = [ear[i] for i in step["clips"]]
    first, second = (*clips, None, None)[:2]
    return Trial(
        id=step["trial"],
        block=step["block"],
        position=step["position"],
        taste=first.taste if first else None,
        first_id=first.id if first else None,
        second_id=second.id if second else None,
        first=first,
        second=second,
    )
