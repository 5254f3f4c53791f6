"""What a screen says of the keyboard, small in its corner: it stands where something can be pressed, and what it says is so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from experiment.choices import consenting, onward
from experiment.data.tables import Trial
from experiment.lab.screens import Screens
from experiment.question import Question
from tests.experiment.lab.glass import World
from tests.experiment.lab.test_asking import ask

SIDES = ("little", "much")
TEN = {f"o{i}": f"option {i}" for i in range(1, 11)}
THREE = {"a": "one", "b": "two", "c": "three"}
# A question, what is said of it, and keys that say nothing else.
TOLD = [
    (Question("x", "choice", "Which?", options=THREE), "Keys: 1 to 3, then Enter", ("3", "return"), "c"),
    (Question("x", "choice", "Which?", options=TEN), "Keys: arrow keys, then Enter", ("down", "down", "return"), "o2"),
    (Question("x", "multiple", "Which?", low=1, high=2, options=THREE), "Keys: 1 to 3, then Enter", ("1", "3", "return"), "a;c"),
    (Question("x", "multiple", "Which?", low=1, high=9, options=TEN), "Keys: Tab, then space bar", ("tab", "tab", "space", *["tab"] * 9, "space"), "o2"),
    (Question("x", "number", "How many?", low=1, high=99), "Keys: digits, then Enter", ("4", "2", "return"), 42.0),
    (Question("x", "slider", "Where?", low=0, high=10, labels=SIDES), "Keys: arrow keys, then Enter", ("right", "return"), 6.0),
    (Question("x", "steps", "How?", low=0, high=9, labels=SIDES), "Keys: 0 to 9, then Enter", ("9", "return"), 9.0),
    (Question("x", "steps", "How?", low=0, high=10, labels=SIDES), "Keys: arrow keys, then Enter", ("right", "right", "return"), 6.0),
    # Who typed -3 had 3.
    (Question("x", "steps", "How?", low=-3, high=3, labels=SIDES), "Keys: arrow keys, then Enter", ("minus", "3", "right", "return"), 0.0),
    (Question("x", "slider", "Where?", low=-5, high=5, labels=SIDES), "Keys: arrow keys, then Enter", ("minus", "3", "right", "return"), 1.0),
]  # fmt: skip


@pytest.mark.parametrize(("question", "words", "keys", "meant"), TOLD)
def test_each_kind_of_question_says_the_keys_that_answer_it(
    glass: World, question: Question, words: str, keys: tuple[str, ...], meant: str | float
) -> None:
    said: list[str] = []
    taps: list[Callable[[], None]] = [lambda k=k: glass.window.tap(k) for k in keys]  # type: ignore[misc]
    answer = ask(glass, question, lambda: None, lambda: said.append(glass.page().keys), *taps)
    assert said == [words]
    assert (answer.value if answer.choice is None else answer.choice) == meant


def test_words_are_typed(glass: World) -> None:
    said: list[str] = []
    question = Question("x", "text", "What?", low=1, high=20)
    answer = ask(
        glass, question, lambda: None, lambda: said.append(glass.page().keys), lambda: glass.window.type("tea"),
        lambda: glass.window.tap("return"),
    )  # fmt: skip
    assert (said, answer.said) == (["Keys: letters, then Enter"], "tea")


def test_buttons_are_pressed_by_the_keys_that_are_told(glass: World) -> None:
    """One button alone by the space bar, several by Tab first; in the language of the rest."""
    window, said = glass.window, []

    def look() -> None:
        said.append(glass.page().keys)

    for language in ("en", "it"):
        screens = Screens(language, 0)
        window.todo.extend([lambda: None, look, lambda: window.tap("space")])
        assert screens.choose("page", "A", "B", [onward(screens.words)]) == "next"
        window.todo.extend([lambda: None, look, *[lambda: window.tap("tab")] * 2, lambda: window.tap("space")])
        assert screens.choose("consent", "A", "B", consenting(screens.words)) == "decline"
    assert said == [
        "Keys: space bar", "Keys: Tab, then space bar", "Tasti: barra spaziatrice",
        "Tasti: Tab, poi barra spaziatrice",
    ]  # fmt: skip


def test_a_screen_that_was_interrupted_says_its_own_keys_again(glass: World) -> None:
    window, said = glass.window, []

    def look() -> None:
        said.append(glass.page().keys)

    screens = Screens("en", 0)
    tap = lambda key: lambda: window.tap(key)  # noqa: E731
    window.todo.extend([tap("escape"), lambda: None, look, tap("2"), lambda: None, look, tap("7"), tap("return")])
    question = Question("x", "steps", "How?", low=1, high=9, labels=SIDES)
    assert screens.ask(question, Trial(block="x"), (0, 1)).value == 7.0  # type: ignore[union-attr]
    assert said == ["Keys: Tab, then space bar", "Keys: 1 to 9, then Enter"]


def test_nothing_is_said_while_a_sound_plays_and_where_texts_say_nothing(glass: World) -> None:
    said: list[str] = []
    screens = Screens("en", 0)
    screens.mark("page", "Keys: space bar")  # what stood there before says nothing of what plays
    glass.window.todo.extend([lambda: None, lambda: said.append(glass.page().keys)])
    import numpy as np

    screens._play(np.zeros((4800, 2), np.float32), screens.compose.sounding("Listen").parts)
    screens.words = {k: v for k, v in screens.words.items() if k != "keys"}
    glass.window.todo.extend([lambda: None, lambda: said.append(glass.page().keys), lambda: glass.window.tap("space")])
    screens.page("A", "B")
    assert said == ["", ""]


def test_where_there_is_no_room_beside_stop_and_back_it_is_left_out(glass: World) -> None:
    compose = Screens("en", 0).compose
    foot = compose.foot(("stop", "Stop"), ("back", "Back"))
    room = compose.sheet.half - (foot[1].x + foot[1].width / 2)
    letters = int(
        room / (0.5 * 0.0245)
    )  # of glass: half as wide as high; less a gap of .02, which is between one letter and two
    fits = compose.keys("x" * (letters - 2), foot)
    assert fits is not None
    assert fits.x + (letters - 2) * 0.5 * 0.0245 / 2 == pytest.approx(compose.sheet.half)
    assert compose.keys("x" * letters, foot) is None
    assert compose.keys("", foot) is None
