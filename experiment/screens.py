"""PsychoPy's screens: one thing a screen, by mouse or by keyboard alone; a presenter of `experiment.session`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from experiment.database import Stimulus, Trial
from experiment.errors import ExperimentError
from experiment.session import Answer, Question, Stopped
from experiment.sound import open_sound, play_through
from experiment.texts import texts
from experiment.widgets import INK, MUTED, PAPER, Bar, Button, Slider, text

Marker = Callable[[dict[str, Any]], None]


class Screens:
    """A window with everything a participant sees.

    Parameters
    ----------
    fullscreen : bool
        Over the whole screen, or in a window of 1280 x 800.
    marker : callable, optional
        Told of every screen when it is first shown: its name and where its widgets are, in pixels from the top left.
    """

    def __init__(self, language: str, replays: int, fullscreen: bool = True, marker: Marker | None = None):
        self.words = texts(language)
        self.replays = replays
        self.marker = marker
        from psychopy import logging

        logging.console.setLevel(logging.ERROR)
        try:
            # Importing pyglet's window already looks for a display.
            from psychopy import event, visual
            from psychopy.hardware import keyboard

            self.window = visual.Window(
                size=(1280, 800),
                fullscr=fullscreen,
                units="height",
                color=PAPER,
                colorSpace="hex",
                checkTiming=False,
                allowGUI=not fullscreen,
                winType="pyglet",
            )
        except Exception as error:  # pyglet raises its own kinds
            raise ExperimentError(
                f"no window can be opened ({type(error).__name__}); is there a display (DISPLAY)?"
            ) from None
        self.mouse = event.Mouse(win=self.window)
        self.keys = keyboard.Keyboard(backend="ptb")
        self.stop_button = Button(self.window, "stop", self.words["stop"], -0.7, -0.455, 0.16, 0.045, quiet=True)
        self._presses: list[tuple[float, float]] = []
        # Presses are taken from the window's events: a short click between two frames is not lost.
        self.window.winHandle.push_handlers(on_mouse_press=self._on_press)
        self._stopping = False  # the question whether to stop is not asked within itself
        self._seen: set[tuple[str, float]] = set()

    def close(self) -> None:
        """Close the window."""
        self.window.close()

    # The presenter's five answers -------------------------------------------------------------------------------

    def consent(self) -> tuple[bool, bool]:
        """Ask for consent, then, apart from it, for consent to special-category questions."""
        w = self.words
        choices = [("agree", w["agree"], "1"), ("decline", w["decline"], "2")]
        if self._choose("consent", w["consent"]["title"], w["consent"]["text"], choices) == "decline":
            return False, False
        choices = [("yes", w["yes"], "1"), ("no", w["no"], "2")]
        asked = self._choose("special", w["consent"]["special_title"], w["consent"]["special_text"], choices)
        return True, asked == "yes"

    def sound_check(self) -> dict[str, Any] | None:
        """Play a 1 s tone on both sides until it is heard."""
        import numpy as np

        w = self.words["sound"]
        rate = 48000
        t = np.arange(rate) / rate
        ramp = np.minimum(1, np.minimum(t, t[::-1]) / 0.05)
        tone = (0.1 * np.sin(2 * np.pi * 440 * t) * ramp)[:, None].repeat(2, axis=1).astype(np.float32)
        plays = 0
        parts = [text(self.window, w["title"], 0.3, 0.055, bold=True), text(self.window, w["text"], 0.06, 0.032)]

        def tick(_: float) -> None:
            self._frame(parts, [])

        while True:
            record = play_through(open_sound(tone, rate), 1.0, tick)
            plays += 1
            choices = [("yes", self.words["yes"], "1"), ("again", self.words["again"], "2")]
            if self._choose("sound", w["title"], w["text"], choices) == "yes":
                return {"plays": plays, **record}

    def page(self, title: str, body: str) -> None:
        """Show a text with a button to go on."""
        self._choose("page", title, body, [("next", self.words["next"], "space")])

    def listen(self, clips: list[Stimulus], titles: list[str]) -> list[dict[str, Any]]:
        """Play each clip to its end; it can't be skipped, and may be heard again as often as the study allows."""
        records = []
        for clip, title in zip(clips, titles, strict=True):
            assert clip.path is not None
            assert clip.seconds is not None
            player = open_sound(clip.path)
            plays = 0
            while True:
                if plays == 0:
                    self._choose("listen", title, "", [("play", self.words["play"], "space")])
                bar = Bar(self.window)
                heading = text(self.window, title, 0.12, 0.045, bold=True)
                self._mark("playing", [], clip=clip.clip)

                def tick(share: float, bar: Bar = bar, heading: Any = heading) -> None:
                    bar.share = share
                    self._frame([heading, bar], [])

                record = play_through(player, float(clip.seconds), tick)
                plays += 1
                records.append({"clip": clip.clip, **record})
                if plays > self.replays:
                    break
                choices = [("next", self.words["next"], "space"), ("again", self.words["again"], "2")]
                if self._choose("heard", title, "", choices) == "next":
                    break
        return records

    def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer:
        """Ask one question."""
        count = self.words["progress"].format(done=progress[0] + 1, total=progress[1])
        corner = text(self.window, count, 0.46, 0.022, MUTED, x=0.68)
        heading = text(self.window, question.text, 0.3, 0.042)
        start = time.monotonic()
        if question.kind == "choice":
            return self._ask_choice(question, [corner, heading], start)
        if question.kind == "number":
            return self._ask_number(question, [corner, heading], start)
        if question.kind == "slider":
            return self._ask_slider(question, [corner, heading], start)
        return self._ask_steps(question, [corner, heading], start)

    # One screen each --------------------------------------------------------------------------------------------

    def _ask_choice(self, question: Question, parts: list[Any], start: float) -> Answer:
        assert question.options is not None
        n = len(question.options)
        height = min(0.075, 0.56 / n - 0.012)
        buttons = [
            Button(self.window, name, label, 0.0, 0.2 - (height + 0.014) * i, 0.75, height, key=str(i + 1))
            for i, (name, label) in enumerate(question.options.items())
        ]
        chosen = self._until("choice", parts, buttons, item=question.item)
        return Answer(choice=chosen, response_time=time.monotonic() - start)

    def _ask_number(self, question: Question, parts: list[Any], start: float) -> Answer:
        typed = ""
        field = text(self.window, "_", 0.05, 0.08, bold=True)
        button = self._next_button()
        self._mark("number", [button], item=question.item)
        while True:
            valid = typed.isdigit() and question.low <= int(typed) <= question.high
            button.enabled = valid
            field.text = typed or "_"
            clicked = self._frame([*parts, field], [button])
            for key in self._typed():
                if key in ("backspace",):
                    typed = typed[:-1]
                elif key in ("return", "num_enter") and valid:
                    clicked = "next"
                elif key.removeprefix("num_").isdigit() and len(typed) < 3:
                    typed += key.removeprefix("num_")
            if clicked == "next" and valid:
                return Answer(value=float(typed), response_time=time.monotonic() - start)

    def _ask_slider(self, question: Question, parts: list[Any], start: float) -> Answer:
        slider = Slider(self.window, question.low, question.high, question.labels)
        button = self._next_button()
        button.enabled = False
        places = {str(v): (slider.place(v), slider.y) for v in range(question.low, question.high + 1)}
        self._mark("slider", [button], places, item=question.item)
        while True:
            clicked = self._frame([*parts, slider], [button], slider)
            for key in self._typed():
                if key in ("left", "right"):
                    slider.nudge(-1 if key == "left" else 1)
                elif key in ("return", "space") and slider.value is not None:
                    clicked = "next"
            button.enabled = slider.value is not None
            if clicked == "next" and slider.value is not None:
                return Answer(value=slider.value, response_time=time.monotonic() - start)

    def _ask_steps(self, question: Question, parts: list[Any], start: float) -> Answer:
        word = text(self.window, question.word, 0.16, 0.075, bold=True)
        n = question.high - question.low + 1
        named = len(question.labels) == n
        width = min(0.24, 1.5 / n - 0.015)
        steps = [
            Button(
                self.window,
                str(question.low + i),
                question.labels[i] if named else str(question.low + i),
                (i - (n - 1) / 2) * (width + 0.015),
                -0.04,
                width,
                0.085,
                key=str(question.low + i),
            )
            for i in range(n)
        ]
        ends = []
        if not named:
            ends = [
                text(self.window, question.labels[0], -0.13, 0.028, x=steps[0].x, wrapWidth=0.35),
                text(self.window, question.labels[-1], -0.13, 0.028, x=steps[-1].x, wrapWidth=0.35),
            ]
        button = self._next_button()
        button.enabled = False
        self._mark("steps", [*steps, button], item=question.item)
        value: str | None = None
        while True:
            clicked = self._frame([*parts, word, *ends], [*steps, button])
            for key in self._typed():
                if key in {s.name for s in steps}:
                    clicked = key
                elif key in ("left", "right"):
                    at = -1 if value is None else int(value) - question.low
                    at = n // 2 if value is None else min(n - 1, max(0, at + (1 if key == "right" else -1)))
                    clicked = str(question.low + at)
                elif key in ("return", "space") and value is not None:
                    clicked = "next"
            if clicked == "next" and value is not None:
                return Answer(value=float(value), response_time=time.monotonic() - start)
            if clicked not in (None, "next"):
                value = clicked
                for s in steps:
                    s.selected = s.name == value
                button.enabled = True

    # What they are made of --------------------------------------------------------------------------------------

    def _next_button(self) -> Button:
        return Button(self.window, "next", self.words["next"], 0.0, -0.3, key="return", primary=True)

    def _choose(self, name: str, title: str, body: str, choices: list[tuple[str, str, str]]) -> str:
        parts = [text(self.window, title, 0.3, 0.055, bold=True)]
        if body:
            parts.append(text(self.window, body, 0.06, 0.032))
        width = 0.36
        buttons = [
            Button(
                self.window,
                key_name,
                label,
                (i - (len(choices) - 1) / 2) * (width + 0.06),
                -0.28,
                width,
                key=key,
                primary=i == 0,
            )
            for i, (key_name, label, key) in enumerate(choices)
        ]
        return self._until(name, parts, buttons)

    def _until(self, name: str, parts: list[Any], buttons: list[Button], **detail: Any) -> str:
        self._presses.clear()
        self._mark(name, buttons, **detail)
        while True:
            clicked = self._frame(parts, buttons)
            for key in self._typed():
                clicked = next((b.name for b in buttons if key in (b.key, f"num_{b.key}")), clicked)
                if key in ("return", "space") and len(buttons) == 1:
                    clicked = buttons[0].name
            if clicked is not None:
                return clicked

    def _frame(self, parts: list[Any], buttons: list[Button], slider: Slider | None = None) -> str | None:
        """Draw one frame and return the name of the button clicked in it."""
        stop = self.stop_button
        x, y = self.mouse.getPos()
        point = (float(x), float(y))
        for part in parts:
            part.draw()
        for button in buttons if self._stopping else [*buttons, stop]:
            button.draw(hover=button.contains(point))
        self.window.flip()
        time.sleep(0.012)  # where nothing waits for the display (no vsync), do not draw as fast as can be
        presses, self._presses = self._presses, []
        if slider is not None:
            for place in [*presses, *([point] if self.mouse.getPressed()[0] else [])]:
                slider.touch(place)
        for place in presses:
            if stop.contains(place) and not self._stopping:
                self._stop()
            clicked = next((b.name for b in buttons if b.enabled and b.contains(place)), None)
            if clicked is not None:
                return clicked
        return None

    def _on_press(self, x: int, y: int, button: int, modifiers: int) -> None:
        """Note where the left button went down, in the window's units."""
        if button == 1:
            width, height = self.window.size
            self._presses.append(((x - width / 2) / height, (y - height / 2) / height))

    def _typed(self) -> list[str]:
        # A key that went down and up between two frames counts as released, one still down does not; ask for both.
        pressed = [*self.keys.getKeys(waitRelease=True), *self.keys.getKeys(waitRelease=False)]
        names = []
        for key in pressed:
            # The release of a key that was reported before comes as the same press again.
            if (key.name, key.tDown) not in self._seen:
                self._seen.add((key.name, key.tDown))
                names.append(str(key.name))
        if "escape" in names and not self._stopping:
            self._stop()
        return names

    def _stop(self) -> None:
        """Ask once whether to end the session."""
        parts = [text(self.window, self.words["stop_question"], 0.1, 0.04, INK)]
        buttons = [
            Button(self.window, "yes", self.words["yes"], -0.2, -0.2, key="1"),
            Button(self.window, "no", self.words["no"], 0.2, -0.2, key="2", primary=True),
        ]
        self._stopping = True
        try:
            if self._until("stop", parts, buttons) == "yes":
                raise Stopped
        finally:
            self._stopping = False

    def _mark(
        self, name: str, buttons: list[Button], places: dict[str, tuple[float, float]] | None = None, **detail: Any
    ) -> None:
        if self.marker is None:
            return
        width, height = self.window.size
        points = {b.name: (b.x, b.y) for b in buttons} | (places or {})
        pixels = {n: [round(width / 2 + x * height), round(height / 2 - y * height)] for n, (x, y) in points.items()}
        self.marker({"screen": name, "widgets": pixels, **detail})
