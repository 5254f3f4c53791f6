"""How each kind of question is asked: choices, a typed number, a slider, steps."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from experiment.choices import ERASE, keyboard, listed, numbered
from experiment.choices import typed as by_digits
from experiment.data.tables import Trial
from experiment.lab.widgets import Text
from experiment.lab.window import ERASED, GoingBack, Window
from experiment.question import JOINED, Answer, Back, Question

GO_ON = ("return", "num_enter", "space")
SLOW, ACROSS = 8.0, 3.0  # ticks a second that a held arrow goes at least; s from end to end of long scales
TYPING = 1.0  # s in which the next digit belongs to the number before it
ONWARD = "\n"  # the button that confirms a choice: no option is named so


def written(before: str, digit: str, high: float) -> str:
    """A number that is being typed, with its next digit: where that leads over `high`, or the number is 0, it begins anew."""
    longer = before + digit
    if before not in ("", "0") and int(longer) <= high:
        return longer
    return digit if int(digit) <= high else ""


class Asking(Window):
    """A window that asks questions."""

    def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer | Back:
        """Ask one question; a button (and the page-up key) goes back to the answer before where that may be done."""
        count = self.words["progress"].format(done=progress[0] + 1, total=progress[1])
        if question.back:
            named = ("stop", self.words["stop"]), ("back", self.words.get("back", "\u2190"))
            self.back_button = self.compose.foot(*named)[1]
        try:
            answer = self._ask(question, count)
        except GoingBack:
            return Back()
        finally:
            self.back_button = None
        self.triggers.send("answer", item=question.item)
        return answer

    def _ask(self, question: Question, corner: str) -> Answer:
        focus = self.focus_losses
        parts = [self.compose.corner(corner)]
        kinds = {"choice": self._choice, "multiple": self._multiple, "number": self._number, "slider": self._slider}
        said = None
        if question.kind == "text":
            value, choice, (said, moves) = None, None, self._text(question, parts)
        else:
            value, choice, moves = kinds.get(question.kind, self._steps)(question, parts)
        took = time.monotonic() - self.shown_at
        usual = statistics.median(self.flips) if self.flips else 0.0
        interaction = {
            "moves": moves,
            "focus_losses": self.focus_losses - focus,
            "frames": len(self.flips),
            "late_frames": sum(x > 2.5 * usual for x in self.flips),
            "dropped": self.dropped,
        }
        return Answer(value, choice, took, interaction, said)

    def _choice(self, question: Question, corner: list[Text]) -> tuple[None, str, int]:
        assert question.options is not None
        chosen, moves = self.pick("choice", "", question.text, question.options, corner, item=question.item)
        return None, chosen, moves

    def pick(
        self, screen: str, title: str, text: str, options: dict[str, str], corner: Sequence[Text] = (), **detail: Any
    ) -> tuple[str, int]:
        """Let one of several be chosen, below each other, and then confirmed; returns it, and how often the choice moved."""
        names = list(options)
        shown = self.compose.pick(title, text, listed(options), self.words["next"])
        *buttons, onward = shown.buttons
        onward.name, onward.enabled = ONWARD, False
        self.mark(screen, numbered(self.words, 1, len(names), "arrows"), **detail)
        chosen: str | None = None
        moves = 0
        while True:
            clicked = self.frame([*corner, *shown.parts], shown.buttons)
            for key in self.typed():
                clicked = next((b.name for b in buttons if key in (b.key, f"num_{b.key}")), clicked)
                if key in ("up", "down"):
                    at = 0 if chosen is None else names.index(chosen) + (1 if key == "down" else -1)
                    clicked = names[min(len(names) - 1, max(0, at))]
                elif key in GO_ON and chosen is not None:
                    clicked = ONWARD
            if clicked == ONWARD and chosen is not None:
                return chosen, moves
            if clicked in options:
                moves += clicked != chosen
                chosen = clicked
                for b in buttons:
                    b.selected = b.name == chosen
                onward.enabled = True

    def _multiple(self, question: Question, corner: list[Text]) -> tuple[None, str, int]:
        """Options that are taken and given back, one by one; one that excludes the others takes their place."""
        assert question.options is not None
        names, chosen, moves = list(question.options), set[str](), 0
        shown = self.compose.question(question, self.words)
        *buttons, onward = shown.buttons
        onward.name = ONWARD
        self.mark("multiple", numbered(self.words, 1, len(names), "buttons"), item=question.item)
        while True:
            onward.enabled = (
                chosen == {question.alone} or question.low <= len(chosen - {question.alone}) <= question.high
            )
            for b in buttons:
                b.selected = b.name in chosen
            clicked = self.frame([*corner, *shown.parts], shown.buttons)
            pressed = [clicked] if clicked is not None else []
            for key in self.typed():
                if key in ("up", "down"):
                    way = 1 if key == "down" else -1
                    at = buttons.index(self.focus) + way if self.focus in buttons else 0
                    self.focus = buttons[min(len(buttons) - 1, max(0, at))]
                elif key in GO_ON[:2]:
                    pressed.append(ONWARD)
                else:
                    pressed += [b.name for b in buttons if key in (b.key, f"num_{b.key}")]
            for name in pressed:
                if name == ONWARD:
                    if chosen == {question.alone} or question.low <= len(chosen - {question.alone}) <= question.high:
                        return None, JOINED.join(n for n in names if n in chosen), moves
                elif name in chosen:
                    chosen, moves = chosen - {name}, moves + 1
                elif name == question.alone:
                    chosen, moves = {name}, moves + 1
                elif len(chosen - {question.alone}) < question.high:
                    chosen, moves = chosen - {question.alone} | {name}, moves + 1

    def _text(self, question: Question, corner: list[Text]) -> tuple[str, int]:
        """Words of one's own, as the system's keyboard layout has its letters; return goes on."""
        shown = self.compose.question(question, self.words)
        field, button = shown.field, shown.onward
        assert field is not None
        assert button is not None
        moves = 0
        self.mark("text", keyboard(self.words, "write"), item=question.item)
        while True:
            long = len(" ".join(field.words.split()))
            button.enabled = long >= question.low
            clicked = self.frame([*corner, *shown.parts], shown.buttons)
            self.typed()  # Esc asks, page up goes back
            for letter in self.letters():
                moves += 1
                if letter == ERASED:
                    field.words = field.words[:-1]
                elif self.focus is not None and letter in " \r\n":
                    continue  # for the button that the keyboard is at
                elif letter in "\r\n":
                    clicked = button.name if len(" ".join(field.words.split())) >= question.low else clicked
                elif letter.isprintable() and len(field.words) < question.high and field.takes(field.words + letter):
                    field.words, self.focus = field.words + letter, None
            if clicked == button.name and button.enabled:
                return " ".join(field.words.split()), moves

    def _number(self, question: Question, corner: list[Text]) -> tuple[float, None, int]:
        typed, keys, digits = "", 0, len(str(question.high))
        shown = self.compose.question(question, self.words)
        field, button = shown.entry, shown.onward
        assert field is not None
        assert button is not None
        self.mark("number", keyboard(self.words, "digits"), item=question.item)
        while True:
            valid = typed.isdigit() and question.low <= int(typed) <= question.high
            button.enabled = valid
            field.words = typed or "_"
            clicked = self.frame([*corner, *shown.parts], shown.buttons)
            pressed = self.typed()
            if clicked is not None and clicked != button.name:
                pressed.append("backspace" if clicked == ERASE else clicked)
            for key in pressed:
                if key == "backspace":
                    typed = typed[:-1]
                elif key in GO_ON[:2] and valid:
                    clicked = "next"
                elif key.removeprefix("num_").isdigit() and len(typed) < digits:
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
            return self.pick("sure", "", asked, {k: self.words[k] for k in ("yes", "no")})[0] == "yes"

    def _slider(self, question: Question, corner: list[Text]) -> tuple[float, None, int]:
        shown = self.compose.question(question, self.words)
        slider, button = shown.slider, shown.onward
        assert slider is not None
        assert button is not None
        button.enabled = slider.value is not None
        rate = max(SLOW, (slider.high - slider.low) / ACROSS)
        typed, typed_at = "", 0.0
        self.mark("slider", keyboard(self.words, "arrows"), item=question.item)
        while True:
            clicked = self.frame([*corner, *shown.parts], shown.buttons, slider)
            for key in [*self.typed(), *self.held(rate)]:
                if key in ("left", "right"):
                    typed = ""
                    slider.nudge(-1 if key == "left" else 1)
                elif key.removeprefix("num_").isdigit() and by_digits(question):
                    now = time.monotonic()
                    typed = written(typed if now - typed_at < TYPING else "", key.removeprefix("num_"), slider.high)
                    typed_at = now
                    if typed and int(typed) >= slider.low:
                        slider.put(float(typed))
                elif key in GO_ON and slider.value is not None:
                    clicked = "next"
            button.enabled = slider.value is not None
            if clicked == "next" and slider.value is not None:
                return slider.value, None, slider.moves

    def _steps(self, question: Question, corner: list[Text]) -> tuple[float, None, int]:
        shown = self.compose.question(question, self.words)
        *steps, button = shown.buttons
        n = len(steps)
        button.enabled = False
        self.mark("steps", numbered(self.words, question.low, question.high, "arrows"), item=question.item)
        value: str | None = None
        moves = 0
        while True:
            clicked = self.frame([*corner, *shown.parts], shown.buttons)
            for key in self.typed():
                digit = key.removeprefix("num_")
                if digit in {s.name for s in steps} and by_digits(question):
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
