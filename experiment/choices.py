"""What can be pressed on each screen: its words, and the keys that press it too."""

from __future__ import annotations

from typing import Any, NamedTuple

from experiment.headphones import PLACES, SIDES
from experiment.question import Question

ERASE = "erase"  # takes back what was typed last
LAST_DIGIT = 9
Words = dict[str, Any]


class Choice(NamedTuple):
    """One of several buttons: its name, its words, the key that answers it."""

    name: str
    label: str
    key: str | None = None
    primary: bool = False


def onward(words: Words) -> Choice:
    """Go on."""
    return Choice("next", words["next"], "space", True)


def play(words: Words) -> Choice:
    """Begin a sound."""
    return Choice("play", words["play"], "space", True)


def reading(words: Words, first: bool) -> list[Choice]:
    """One page of a text back, and one forth."""
    return [*([] if first else [Choice("earlier", words.get("back", "\u2190"), "pageup")]), onward(words)]


def consenting(words: Words) -> list[Choice]:
    """Two answers alike."""
    return [Choice("agree", words["agree"], "1"), Choice("decline", words["decline"], "2")]


def sound_heard(words: Words) -> list[Choice]:
    """Whether the tones came as they should; who says no is told whom to call, where the texts say it."""
    no = [Choice("no", words["no"], "3")] if "call" in words["sound"] else []
    return [Choice("yes", words["yes"], "1", True), Choice("again", words["again"], "2"), *no]


def clip_heard(words: Words) -> list[Choice]:
    """On, or once more."""
    return [onward(words), Choice("again", words["again"], "2")]


def stopping(words: Words) -> list[Choice]:
    """Whether to stop."""
    return [Choice("yes", words["yes"], "1"), Choice("no", words["no"], "2", True)]


def intervals(test: str, words: Words) -> list[Choice]:
    """Which of three sounds, or which side."""
    if test == SIDES:
        return [Choice(str(i), words["sound"][side], str(i)) for i, side in enumerate(("left", "right"), 1)]
    return [Choice(str(i), str(i), str(i)) for i in range(1, PLACES.get(test, 3) + 1)]


def listed(options: dict[str, str]) -> list[Choice]:
    """Options, numbered from the top."""
    return [Choice(name, label, str(i + 1)) for i, (name, label) in enumerate(options.items())]


def hint(question: Question, words: Words) -> str:
    """What is said under a question of how it is answered; empty where that can be seen."""
    if question.kind == "multiple":
        every = len(question.options or {}) - bool(question.alone)
        return str(
            words.get("several", "") if question.high >= every else words.get("up_to", "").format(most=question.high)
        )
    if question.kind == "text":
        return str(words.get("write", "") if question.low else words.get("may_write", ""))
    return ""


def keyboard(words: Words, kind: str, first: int = 0, last: int = 0) -> str:
    """What is said in a corner of how the keyboard answers a screen of a kind; empty where the texts say nothing."""
    return str(words.get("keys", {}).get(kind, "")).format(first=first, last=last)


def numbered(words: Words, first: int, last: int, otherwise: str) -> str:
    """The same where a number answers; where a number has more than one digit, or a sign, as of another kind."""
    return keyboard(words, "numbers", first, last) if first >= 0 and last <= LAST_DIGIT else keyboard(words, otherwise)


def typed(question: Question) -> bool:
    """Whether digits answer a scale: on one that goes under 0, whoever typed -3 would have 3."""
    return question.low >= 0


def number_pad(words: Words) -> list[Choice]:
    """Digits, and one that takes the last one back."""
    return [*(Choice(d, d) for d in "123456789"), Choice(ERASE, words.get(ERASE, "<")), Choice("0", "0")]
