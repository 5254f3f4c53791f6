"""How each kind of question is asked: choices, a typed number, a slider, steps."""

from __future__ import annotations

import statistics
import time
from typing import Any

from experiment.data.tables import Trial
from experiment.lab.widgets import MUTED, Slider
from experiment.lab.window import GoingBack, Window
from experiment.question import Answer, Back, Question

GO_ON = ("return", "num_enter", "space")


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
            "dropped": self.dropped,
        }
        return Answer(value=value, choice=choice, response_time=took, interaction=interaction)

    def _choice(self, question: Question, parts: list[Any]) -> tuple[None, str, int]:
        assert question.options is not None
        chosen, moves = self.pick("choice", parts, question.options, item=question.item)
        return None, chosen, moves

    def pick(self, screen: str, parts: list[Any], options: dict[str, str], **detail: Any) -> tuple[str, int]:
        """Let one of several be chosen, below each other, and then confirmed; returns it, and how often the choice moved."""
        n = len(options)
        height = min(0.075, 0.55 / n - 0.012)
        names = list(options)
        buttons = [
            self.button(name, label, 0.0, 0.2 - (height + 0.012) * i, 0.75, height, key=str(i + 1))
            for i, (name, label) in enumerate(options.items())
        ]
        onward = self.button("\n", self.words["next"], 0.0, -0.395, 0.26, 0.055, primary=True)
        onward.enabled = False
        self.mark(screen, **detail)
        chosen: str | None = None
        moves = 0
        while True:
            clicked = self.frame(parts, [*buttons, onward])
            for key in self.typed():
                clicked = next((b.name for b in buttons if key in (b.key, f"num_{b.key}")), clicked)
                if key in ("up", "down"):
                    at = 0 if chosen is None else names.index(chosen) + (1 if key == "down" else -1)
                    clicked = names[min(n - 1, max(0, at))]
                elif key in GO_ON and chosen is not None:
                    clicked = onward.name
            if clicked == onward.name and chosen is not None:
                return chosen, moves
            if clicked in options:
                moves += clicked != chosen
                chosen = clicked
                for b in buttons:
                    b.selected = b.name == chosen
                onward.enabled = True

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
                elif key in GO_ON[:2] and valid:
                    clicked = "next"
                elif key.removeprefix("num_").isdigit() and len(typed) < 3:
                    typed += key.removeprefix("num_")
                keys += 1
            if clicked == "next" and valid:
                if question.doubt is None or int(typed) >= question.doubt or self._sure(typed):
                    return float(typed), None, keys
                typed = ""

    def _sure(self, typed: str) -> bool:
        """Ask whether what was typed is right; the time of it counts as part of the answer."""
        with self.aside():
            asked = self.words.get("sure", "{answer}?").format(answer=typed)
            return (
                self.pick("sure", [self.text(asked, 0.3, 0.042)], {k: self.words[k] for k in ("yes", "no")})[0] == "yes"
            )

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
                elif (
                    key.removeprefix("num_").isdigit()
                    and slider.low <= int(key.removeprefix("num_")) <= slider.high <= 10
                ):
                    slider.put(float(key.removeprefix("num_")))
                elif key in GO_ON and slider.value is not None:
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
                elif key in GO_ON and value is not None:
                    clicked = "next"
            if clicked == "next" and value is not None:
                return float(value), None, moves
            if clicked not in (None, "next"):
                moves += clicked != value
                value = clicked
                for s in steps:
                    s.selected = s.name == value
                button.enabled = True
