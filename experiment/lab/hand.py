"""A hand on the virtual desk: it answers a real PsychoPy session by what it reads there.

The session runs in a process of its own; the hand clicks and types with xdotool, and remembers what it meant, so that stored
answers can be held against given ones and captured audio against the stimulus.
"""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiment.errors import ExperimentError
from experiment.lab.desk import Desk
from experiment.lab.reading import Asked, Page, Phrases, Point
from experiment.lab.window import DEAD_TIME
from experiment.question import JOINED

ASKING = ("headphones", "level", "choice", "multiple", "number", "text", "slider", "steps", "form")
HESITATION = DEAD_TIME + 0.03  # s that the hand looks at a screen before it answers
WRITTEN = "Written by a hand."


class Hand:
    """Answers a session's screens by what it reads there, by mouse or by keyboard alone.

    Of each answer it remembers what it meant: the item and the taste that the words asked for, and the value or choice
    that the words it pointed at stand for. A question that its phrases do not know ends the session.
    """

    def __init__(self, desk: Desk, rng: np.random.Generator, phrases: Phrases, keyboard: bool = False):
        self.desk, self.rng, self.phrases, self.keyboard = desk, rng, phrases, keyboard
        self.given: list[dict[str, Any]] = []
        self.screens: list[str] = []

    def _xdotool(self, *arguments: str) -> None:
        subprocess.run(["xdotool", *arguments], env=self.desk.environment, check=True, capture_output=True)

    def click(self, point: Point) -> None:
        """Move, press for 40 ms, release."""
        self._xdotool("mousemove", str(round(point[0])), str(round(point[1])))
        time.sleep(0.03)
        self._xdotool("mousedown", "1")
        time.sleep(0.04)
        self._xdotool("mouseup", "1")
        time.sleep(0.03)

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self._xdotool("key", {"left": "Left", "right": "Right", "return": "Return"}.get(key, key))
            time.sleep(0.06)

    def write(self, words: str) -> None:
        """Type words, letter by letter."""
        self._xdotool("type", "--delay", "40", words)

    def answer(self, marker: dict[str, Any]) -> None:
        """Answer one screen by what stands there.

        Raises
        ------
        ExperimentError
            If it does not say what it should.
        """
        screen, page, w = marker["screen"], Page.of(marker["shown"]), self.phrases
        self.screens.append(screen)
        wanted = {"consent": w.agree, "special": w.yes, "sound": w.yes}
        going_on = {"page": w.onward, "reading": w.onward, "broken": w.onward, "heard": w.onward, "listen": w.play}
        if screen in wanted or screen in going_on or screen in ASKING:
            time.sleep(HESITATION)  # sooner than this nothing answers
        if screen in wanted:
            self._choose(page, wanted[screen])
            if screen == "special":
                self._onward(page)
        elif screen in going_on:
            point = page.button(going_on[screen])
            self.press("space") if self.keyboard else self.click(point)
        elif screen == "headphones":
            self._choose(page, str(self.rng.choice(("1", "2", "3"))))
        elif screen == "level":
            self._onward(page)
        elif screen == "form":
            self._fill(page)
        elif screen in ASKING[2:]:
            self._answer(page, w.asked(page))

    def _answer(self, page: Page, asked: Asked) -> None:
        meant: dict[str, Any] = {"item": asked.item} | ({"taste": asked.taste} if asked.taste else {})
        if asked.ends is not None:
            value = int(self.rng.integers(asked.low, asked.high + 1))
            meant["value"] = float(value)
            self._point(page, asked, value)
        elif asked.several is not None:
            meant["choice"] = self._several(page, asked, asked.several)
        elif asked.written:
            self.write(WRITTEN[: asked.high])
        elif asked.answers:
            words = str(self.rng.choice([x for x in page.buttons if x in asked.answers]))
            answer = asked.answers[words]
            meant["choice" if isinstance(answer, str) else "value"] = answer
            self._choose(page, words, 1 if isinstance(answer, str) else round(min(map(float, asked.answers.values()))))
        else:
            number = int(self.rng.integers(*((20, 70) if asked.item == "age" else (asked.low, asked.high + 1))))
            meant["value"] = float(number)
            if self.keyboard:
                self.press(*str(number))
            else:
                for digit in str(number):
                    self.click(page.button(digit))
            time.sleep(0.1)
        time.sleep(0.05)
        self._onward(page)
        if asked.item != "practice":
            self.given.append(meant)

    def _several(self, page: Page, asked: Asked, counts: tuple[int, int]) -> str:
        """Take some options, those of the list's end first; the answer has them in the list's order."""
        words = [x for x in page.buttons if asked.answers.get(x, asked.alone) != asked.alone]
        taken = self.rng.choice(len(words), int(self.rng.integers(max(1, counts[0]), counts[1] + 1)), replace=False)
        for i in sorted(map(int, taken), reverse=True):
            self._choose(page, words[i])
            time.sleep(0.05)
        return JOINED.join(str(asked.answers[words[i]]) for i in sorted(map(int, taken)))

    def _fill(self, page: Page) -> None:
        """Answer row by row: the step below the words that are meant, or as far from the end that says the low words."""
        for line, asked in self.phrases.rows(page):
            if asked.ends is None:
                words = str(self.rng.choice(list(asked.answers)))
                value, across = float(asked.answers[words]), page.across(words)
                place = min(range(len(line.places)), key=lambda i: abs(line.places[i][0] - across))
            else:
                step = int(self.rng.integers(asked.high - asked.low + 1))
                value, backwards = float(asked.low + step), page.across(asked.ends[0]) > page.across(asked.ends[1])
                place = len(line.places) - 1 - step if backwards else step
            if self.keyboard:
                low = asked.low if asked.ends is not None else int(min(map(float, asked.answers.values())))
                self.press(str(low + place))
            else:
                self.click(line.places[place])
            self.given.append({"item": asked.item, "value": value})
        self._onward(page)

    def _point(self, page: Page, asked: Asked, value: int) -> None:
        """Answer a scale as many steps from the end that says the low words as `value` is from `low`."""
        assert asked.ends is not None
        places = page.places()
        if len(places) != asked.high - asked.low + 1:
            raise ExperimentError(f"{asked.item}: the scale has {len(places)} places, not {asked.low} to {asked.high}")
        step = value - asked.low
        if page.across(asked.ends[0]) > page.across(asked.ends[1]):
            step = len(places) - 1 - step
        if not self.keyboard:
            self.click(places[step])
        elif not page.ticks:
            self.press(str(asked.low + step))
        else:
            way = step - (len(places) - 1) // 2
            # Where nothing is marked yet, the first arrow starts from the middle.
            self.press(*(["right"] * way if way > 0 else ["left"] * -way if way < 0 else ["right", "left"]))

    def _choose(self, page: Page, words: str, low: int = 1) -> None:
        """Take a button by its words; by keyboard, by its number among the buttons as one reads them, from `low` on."""
        point = page.button(words)
        if self.keyboard:
            self.press(str(low + list(page.buttons).index(words)))
        else:
            self.click(point)

    def _onward(self, page: Page) -> None:
        point = page.button(self.phrases.onward)
        self.press("return") if self.keyboard else self.click(point)


@dataclass(frozen=True)
class DeskReport:
    """What a driven session showed: exit status, the hand's answers, markers with times, the capture's file."""

    status: int
    given: list[dict[str, Any]]
    markers: list[dict[str, Any]]
    capture: Path | None
    errors: str


def drive(
    desk: Desk,
    command: list[str],
    rng: np.random.Generator,
    phrases: Phrases,
    capture: Path | None = None,
    on_marker: Callable[[int, dict[str, Any], subprocess.Popen[str]], None] | None = None,
    timeout: float = 1800,
    keyboard: bool = False,
) -> DeskReport:
    """Run a session's command on the desk and answer it to its end.

    Parameters
    ----------
    command : list of str
        Prints one JSON object a screen on standard output (`tastelab experiment run --markers`).
    phrases : Phrases
        What the hand knows of the words on the screens; it answers by what it reads.
    capture : Path, optional
        Raw float32 stereo file at 48 kHz to record into.
    on_marker : callable, optional
        Called with (count, marker, process) before a screen is answered, e.g. to take a picture or to pull the plug.
    timeout : float
        Seconds after which a session that does not end is ended; the report's errors say at which screen.
    keyboard : bool
        Answer by keyboard alone.
    """
    recorder = desk.record(capture) if capture else None
    hand = Hand(desk, rng, phrases, keyboard)
    markers: list[dict[str, Any]] = []
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=desk.environment)
        late = False

        def end() -> None:
            nonlocal late
            late = True
            process.kill()

        # Of a session that waits for ever nothing is heard: it is ended from beside.
        watchdog = threading.Timer(timeout, end)
        watchdog.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if not line.startswith("{"):
                    continue
                marker = json.loads(line)
                markers.append(marker)
                time.sleep(0.05)
                if on_marker:
                    on_marker(len(markers), marker, process)
                if process.poll() is not None:
                    break
                hand.answer(marker)
            status = process.wait()
        finally:
            watchdog.cancel()
            if process.poll() is None:
                process.kill()
            if recorder is not None:
                time.sleep(0.3)
                recorder.send_signal(signal.SIGINT)
                recorder.wait(5)
        errors.seek(0)
        tail = errors.read()[-4000:]
        if late:
            where = markers[-1]["screen"] if markers else "no screen"
            tail += f"\nit had not ended after {timeout:g} s; the last that was shown is: {where}"
    return DeskReport(status, hand.given, markers, capture, tail)
