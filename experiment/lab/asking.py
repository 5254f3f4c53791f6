"""How each kind of question is asked: choices, a typed number, a slider, steps."""

from __future__ import annotations

import statistics
import time
from typing import Any

from experiment.data.tables import Trial
from experiment.lab.widgets import MUTED, Slider
from experiment.lab.window import GoingBack, Window
from experiment.question import Answer, Back, Question


class Asking(Window):
    """A window that asks questions."""

    def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer | Back:
        """Ask one question; a button (and the page-up key) goes back to the answer before where that may be done."""
        count = self.words["progress"].format(done=progress[0] + 1, total=progress[1])
        if question.back:
            self.back_button = self.button(
                "back", self.words.get("back", "\u2190"), -0.52, -0.455, 0.16, 0.045, quiet=True
            )
        try:
            return self._ask(question, [self.text(count, 0.46, 0.022, MUTED, x=0.68)])
        except GoingBack:
            return Back()
        finally:
            self.back_button = None

    def _ask(self, question: Question, parts: list[Any]) -> Answer:
        focus = self.focus_losses
        parts = [*parts, self.text(question.text, 0.3, 0.042)]
        ask = {"choice": self._choice, "number": self._number, "slider": self._slider}.get(question.kind, self._steps)
        value, choice, moves = ask(question, parts)
        took = time.monotonic() - self.shown_at
        usual = statistics.median(self.flips) if self.flips else 0.0
        interaction = {
            "moves": moves,
            "focus_losses": self.focus_losses - focus,
            "frames": len(self.flips),
            "late_frames": sum(x > 2.5 * usual for x in self.flips),
        }
        return Answer(value=value, choice=choice, response_time=took, interaction=interaction)

    def _choice(self, question: Question, parts: list[Any]) -> tuple[None, str, int]:
        assert question.options is not None
        n = len(question.options)
        height = min(0.075, 0.56 / n - 0.012)
        buttons = [
            self.button(name, label, 0.0, 0.2 - (height + 0.014) * i, 0.75, height, key=str(i + 1))
            for i, (name, label) in enumerate(question.options.items())
        ]
        return None, self.until("choice", parts, buttons, item=question.item), 1

    def _number(self, question: Question, parts: list[Any]) -> tuple[float, None, int]:
        typed, keys = "", 0
        field = self.text("_", 0.05, 0.08, bold=True)
        button = self.next_button()
        self.mark("number", item=question.item)
        while True:
            valid = typed.isdigit() and question.low <= int(typed) <= question.high
            button.enabled = valid
            if field.text != (typed or "_"):
                field.text = typed or "_"
            clicked = self.frame([*parts, field], [button])
            for key in self.typed():
                if key == "backspace":
                    typed = typed[:-1]
                elif key in ("return", "num_enter") and valid:
                    clicked = "next"
                elif key.removeprefix("num_").isdigit() and len(typed) < 3:
                    typed += key.removeprefix("num_")
                keys += 1
            if clicked == "next" and valid:
                return float(typed), None, keys

    def _slider(self, question: Question, parts: list[Any]) -> tuple[float, None, int]:
        slider = Slider(self.window, self.face, question.low, question.high, question.labels, value=question.start)
        button = self.next_button()
        button.enabled = slider.value is not None
        self.mark("slider", item=question.item)
        while True:
            clicked = self.frame([*parts, slider], [button], slider)
            for key in self.typed():
                if key in ("left", "right"):
                    slider.nudge(-1 if key == "left" else 1)
                elif key in ("return", "space") and slider.value is not None:
                    clicked = "next"
            button.enabled = slider.value is not None
            if clicked == "next" and slider.value is not None:
                return slider.value, None, slider.moves

    def _steps(self, question: Question, parts: list[Any]) -> tuple[float, None, int]:
        if question.word:
            parts = [*parts, self.text(question.word, 0.16, 0.075 if len(question.word) < 20 else 0.04, bold=True)]
        n = question.high - question.low + 1
        named = len(question.labels) == n
        width = min(0.24, 1.5 / n - 0.015)
        steps = [
            self.button(
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
        if not named:
            ends = ((question.labels[0], steps[0].x), (question.labels[-1], steps[-1].x))
            # Without a word of its own the item is its two ends.
            look: dict[str, Any] = {"wrapWidth": 0.35, "bold": not question.word}
            parts += [self.text(words, -0.135, 0.028 if question.word else 0.045, x=x, **look) for words, x in ends]
        button = self.next_button()
        button.enabled = False
        self.mark("steps", item=question.item)
        value: str | None = None
        moves = 0
        while True:
            clicked = self.frame(parts, [*steps, button])
            for key in self.typed():
                digit = key.removeprefix("num_")
                if digit in {s.name for s in steps}:
                    clicked = digit
                elif key in ("left", "right"):
                    at = -1 if value is None else int(value) - question.low
                    at = n // 2 if value is None else min(n - 1, max(0, at + (1 if key == "right" else -1)))
                    clicked = str(question.low + at)
                elif key in ("return", "space") and value is not None:
                    clicked = "next"
            if clicked == "next" and value is not None:
                return float(value), None, moves
            if clicked not in (None, "next"):
                moves += clicked != value
                value = clicked
                for s in steps:
                    s.selected = s.name == value
                button.enabled = True
