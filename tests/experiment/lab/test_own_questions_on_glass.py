"""A study's own questions on the booth's screen: several options, a typed text, a logo over pages of text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiment.choices import play
from experiment.data.tables import Trial
from experiment.lab.screens import Screens
from experiment.question import Answer, Back, Question
from tests.experiment.lab.glass import World
from tests.experiment.test_own_questions import OPTIONS


def keys(glass: World, *names: str) -> list[Callable[[], None]]:
    return [lambda name=name: glass.window.tap(name) for name in names]  # type: ignore[misc]


def press(glass: World, words: str) -> Callable[[], None]:
    return lambda: glass.window.click(glass.page().button(words))


PLAYS = Question("plays", "multiple", "What do you play?", {o["name"]: o["words"]["en"] for o in OPTIONS}, 1, 2, alone="none")  # fmt: skip


def ask(glass: World, question: Question, *todo: Callable[[], None], language: str = "en") -> Answer | Back:
    screens = Screens(language, 0)
    glass.window.todo.extend(todo)
    return screens.ask(question, Trial(block="x"), (4, 9))


def choice(glass: World, *todo: Callable[[], None]) -> str | None:
    answer = ask(glass, PLAYS, *todo)
    assert isinstance(answer, Answer)
    return answer.choice


def test_several_are_taken_and_given_back(glass: World) -> None:
    """By mouse, by digit, by arrows and blank; no more than may be; one that excludes the others takes their place."""
    on = press(glass, "Continue")
    assert choice(glass, on, press(glass, "Voice"), press(glass, "Piano"), on) == "piano;voice"
    assert choice(glass, press(glass, "Piano"), press(glass, "Piano"), on, press(glass, "Guitar"), on) == "guitar"
    assert choice(glass, *keys(glass, "1", "num_2", "3", "return")) == "piano;guitar"
    assert choice(glass, *keys(glass, "1", "4", "num_enter")) == "none"
    assert choice(glass, *keys(glass, "4", "3", "return")) == "voice"
    assert choice(glass, *keys(glass, "space", "return", "down", "space", "down", "down", "space", "up", "up", "up", "space", "down", "space", "return")) == "guitar;voice"  # fmt: skip
    looks: list[list[str]] = []

    def look() -> None:
        boxes = [d for s, d in glass.window.drawn if type(s).__name__ == "Rect"]
        looks.append([str(d["fillColor"]) for d in sorted(boxes, key=lambda d: -d["pos"][1])][:5])

    choice(
        glass,
        look,
        *keys(glass, "3"),
        lambda: None,
        look,
        *keys(glass, "down"),
        lambda: None,
        look,
        *keys(glass, "return"),
    )
    white, blue = "#FFFFFF", "#2A6F97"
    assert looks[:2] == [[white] * 5, [white, white, blue, white, blue]]
    assert looks[2][:2] == [white, "None"]  # the keyboard is at the first


def said(glass: World, question: Question, *todo: Callable[[], None]) -> str | None:
    answer = ask(glass, question, *todo)
    assert isinstance(answer, Answer)
    assert (answer.value, answer.choice) == (None, None)
    return answer.said


def test_words_are_typed_taken_back_and_confirmed(glass: World) -> None:
    def types(words: str) -> Callable[[], None]:
        return lambda: glass.window.type(words)

    free = Question("thoughts", "text", "What?", low=0, high=12)
    on = press(glass, "Continue")
    assert said(glass, free, types("Città \b\b\u00e0 2"), types("\x07"), on) == "Citt\u00e0 2"
    assert said(glass, free, types("It is  all too long\r")) == "It is all t"
    assert said(glass, free, on) == ""
    assert said(glass, free, types("\b\r")) == ""
    # What has to be there is waited for.
    must = Question("thoughts", "text", "What?", low=1, high=12)
    early = [on, *keys(glass, "return"), types("  \r"), *keys(glass, "escape", "2")]
    assert said(glass, must, *early, types("b"), lambda: None, on) == "b"
    assert said(glass, must, *keys(glass, "a", "num_7", "space", "c", "num_enter")) == "a7 c"
    # Typed while it is asked whether to stop, it is for nobody.
    stop = [*keys(glass, "escape"), lambda: None, types("xyz"), *keys(glass, "2"), lambda: None]
    assert said(glass, must, types("a"), *stop, types("b\r")) == "ab"
    back = Question("thoughts", "text", "What?", low=0, high=12, back=True)
    assert isinstance(ask(glass, back, types("a"), *keys(glass, "pageup")), Back)


def test_what_came_before_the_screen_opened_writes_nothing(glass: World) -> None:
    screens = Screens("en", 0, dead_time=0.3)
    free = Question("thoughts", "text", "What?", low=0, high=12)
    early: list[Callable[[], None]] = [lambda: glass.window.type("xy\r"), *[lambda: None] * 16]
    glass.window.todo.extend([*early, lambda: glass.window.type("ab\r")])
    answer = screens.ask(free, Trial(block="x"), (0, 1))
    assert isinstance(answer, Answer)
    assert answer.said == "ab"
    assert answer.interaction is not None
    assert answer.interaction["dropped"] == 3


def test_a_box_takes_no_more_than_it_has_room_for(glass: World) -> None:
    """Five hundred letters that are wider than most: the lines stay within the box, the box on the screen."""
    found: list[tuple[float, float, int]] = []

    def look() -> None:
        box = next(d for s, d in glass.window.drawn if type(s).__name__ == "Rect" and d["height"] > 0.2)
        words = next(d for s, d in glass.window.drawn if str(d.get("says", "")).startswith("WW"))
        lines = words["text"].count("\n") + 1
        found.append((abs(box["pos"][1]) + box["height"] / 2, box["height"] / (1.2 * words["height"]), lines))

    wide = [lambda: glass.window.type("W" * 500), lambda: None, look, lambda: glass.window.type("\r")]
    answer = ask(glass, Question("t", "text", "What?", low=0, high=500), *wide)
    assert isinstance(answer, Answer)
    ((edge, room, lines),) = found
    assert edge < 0.42
    assert 2 <= lines <= room


def test_a_logo_stands_over_pages_of_text_alone(glass: World, tmp_path: Path) -> None:
    """In its own shape; nothing lies under it, long texts have as much less room."""
    from PIL import Image

    logo = tmp_path / "logo.png"
    Image.new("RGB", (300, 100), "red").save(logo)
    screens = Screens("en", 0, logo=logo)
    found: list[tuple[float, float, Any, Any]] = []

    def look() -> None:
        shapes = {type(s).__name__: d for s, d in glass.window.drawn}
        top = max(d["pos"][1] + 0.6 * d["height"] for s, d in glass.window.drawn if "text" in d)
        picture = shapes["ImageStim"]
        found.append((picture["pos"][1] - picture["size"][1] / 2, top, picture["size"], picture["image"]))

    glass.window.todo.extend([look, *keys(glass, "space")])
    screens.page("Hello", "Some words. " * 20)
    ((bottom, top, size, image),) = found
    assert bottom > top
    assert size[0] == pytest.approx(3 * size[1])
    assert image == str(logo)
    without = Screens("en", 0)
    long = "One two three four. " * 120
    assert len(screens.compose.pages("T", long, [play(screens.words)])) >= len(
        without.compose.pages("T", long, [play(screens.words)])
    )
    asked: list[bool] = []
    glass.window.todo.extend(
        [
            lambda: asked.append(any(type(s).__name__ == "ImageStim" for s, _ in glass.window.drawn)),
            *keys(glass, "space"),
        ]
    )
    screens.choose("listen", "Listen", "", [play(screens.words)])
    assert asked == [False]
