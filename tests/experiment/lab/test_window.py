"""What every screen does: it takes presses and keys, asks before it stops, and draws what changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiment.choices import Choice
from experiment.data.tables import Trial
from experiment.lab.reading import Page
from experiment.lab.screens import Screens
from experiment.question import Answer, Back, Question
from experiment.session import Stopped
from tests.experiment import readers
from tests.experiment.lab.glass import World
from tests.experiment.lab.test_asking import ask

STEPS = Question("sweet", "steps", "How?", low=1, high=5, labels=("a", "b", "c", "d", "e"), word="sweet")


def words(page: Page) -> list[str]:
    """What stands there but for buttons, from top to bottom."""
    return [w for w, _ in sorted(page.words, key=lambda x: x[1][1])]


def test_esc_and_the_stop_button_ask_once_and_no_goes_on(glass: World) -> None:
    window, asked = glass.window, []

    def look() -> None:
        asked.append(([w for w, _ in glass.page().words], list(glass.page().buttons)))

    stop = lambda: window.click(glass.page().button("Stop"))  # noqa: E731
    no = lambda: window.click(glass.page().button("No"))  # noqa: E731
    answer = ask(
        glass, STEPS, lambda: window.tap("3"), lambda: window.tap("escape"), lambda: None, look,
        lambda: window.tap("escape"), look, no, lambda: None, stop, lambda: None, look, lambda: window.tap("2"),
        lambda: window.tap("return"),
    )  # fmt: skip
    assert answer.value == 3.0
    question = readers.PAGES["en"]["stop"][0]
    assert asked == [([question], ["Yes", "No"])] * 3
    for way in (lambda: window.tap("1"), lambda: window.click(glass.page().button("Yes"))):
        with pytest.raises(Stopped):
            ask(glass, STEPS, lambda: window.tap("escape"), lambda: None, way)
    words_of_it: list[str] = []
    ask(
        glass, STEPS, lambda: window.tap("escape"), lambda: None, lambda: words_of_it.extend(window.words()),
        lambda: window.tap("2"), lambda: window.tap("1"), lambda: window.tap("return"), language="it",
    )  # fmt: skip
    assert words_of_it == [readers.PAGES["it"]["stop"][0], "Sì", "No"]


def test_other_mouse_buttons_and_lost_focus(glass: World) -> None:
    """The right mouse button presses nothing; focus that was lost while a question stood there is told with its answer."""
    window = glass.window
    screens = Screens("en", 0)
    place = (640.0, 432.0)
    window.todo.extend(
        [lambda: window.click(place, 4), lambda: None, lambda: window.handlers["on_deactivate"](),
         lambda: window.click((440.0, 432.0)), lambda: window.tap("2"), lambda: window.handlers["on_activate"](),
         lambda: window.click(place), lambda: window.tap("return")]
    )  # fmt: skip
    answer = screens.ask(STEPS, Trial(block="x"), (0, 1))
    assert answer.value == 3.0
    assert answer.interaction is not None
    assert answer.interaction["focus_losses"] == 1
    assert answer.interaction["dropped"] == 2  # a press and a key while another window had the focus
    assert answer.interaction["moves"] == 1
    assert answer.interaction["late_frames"] == 0
    window.todo.extend([lambda: None] * 10)
    window.todo.extend([lambda: window.tap("1"), lambda: glass.clock.sleep(0.2), lambda: window.tap("return")])
    late = screens.ask(STEPS, Trial(block="x"), (0, 1)).interaction
    assert late is not None
    assert (late["focus_losses"], late["late_frames"], late["moves"]) == (0, 1, 1)
    screens.close()
    assert not window.open


def test_what_does_not_change_is_not_drawn_again(glass: World) -> None:
    """Forty frames of a page are drawn once; where a button is pointed at, it alone is drawn anew, and tinted."""
    window = glass.window
    draws: list[int] = []
    fills: list[str] = []

    def look() -> None:
        draws.append(window.draws)
        fills.append(next(d["fillColor"] for s, d in window.drawn if type(s).__name__ == "Rect" and d["pos"][0] > 0))

    def point() -> None:
        window.pointer = (0.21, -0.28)

    todo = [
        lambda: None,
        look,
        *[lambda: None] * 40,
        look,
        point,
        lambda: None,
        lambda: None,
        look,
        lambda: window.tap("1"),
    ]
    window.todo.extend(todo)
    assert Screens("en", 0).choose("x", "Title", "Body", [Choice("a", "A", "1"), Choice("b", "B", "2")]) == "a"
    assert draws[0] == 2 + 3 * 2 + 1  # two texts, three buttons of a box and a word, what is said of the keys
    assert draws[1] == draws[0]
    assert draws[2] == draws[1] + 2
    assert fills == ["#FFFFFF", "#FFFFFF", "#DDE6EA"]


def test_the_window_fills_the_screen_or_is_1280_by_800(glass: World) -> None:
    Screens("en", 0, True)
    assert glass.window.options["fullscr"] is True
    assert glass.window.options["allowGUI"] is False
    Screens("en", 0, False)
    assert glass.window.options["fullscr"] is False
    assert glass.window.options["allowGUI"] is True
    assert glass.window.options["size"] == (1280, 800)
    assert glass.window.options["units"] == "height"
    assert glass.window.options["color"] == "#F6F4EF"
    assert glass.window.options["useFBO"] is True


def test_a_click_before_a_screen_stands_does_not_answer_it(glass: World) -> None:
    """Somebody who clicks on while a sound plays has not answered what comes after it."""
    screens = Screens("en", 0)
    glass.window.click((640.0, 624.0))
    glass.window.todo.extend([*[lambda: None] * 10, lambda: glass.window.tap("space")])
    before = glass.window.flips
    screens.page("a", "b")
    assert glass.window.flips - before > 10


@pytest.mark.parametrize("key", ["space", "return"])
def test_a_page_goes_on_with_space_or_return(glass: World, key: str) -> None:
    seen: list[list[str]] = []

    def answer(marker: dict[str, Any]) -> None:
        seen.append([*words(glass.page()), *glass.page().buttons, glass.page().keys])
        glass.window.todo.append(lambda: glass.window.tap(key))

    Screens("it", 0, True, answer).page("Uno", "Due")
    assert seen == [["Uno", "Due", "Continua", "Interrompi", "Tasti: barra spaziatrice"]]


def test_own_wording_is_shown(glass: World, tmp_path: Path) -> None:
    from experiment.texts import FOLDER

    english = (FOLDER / "en.toml").read_text(encoding="utf-8")
    (tmp_path / "en.toml").write_text(english.replace('next = "Continue"', 'next = "Go on"'), encoding="utf-8")
    seen: list[str] = []

    def answer(_: dict[str, Any]) -> None:
        seen.extend(glass.page().buttons)
        glass.window.todo.append(lambda: glass.window.tap("space"))

    Screens("en", 0, True, answer, None, tmp_path).page("a", "b")
    assert seen == ["Go on", "Stop"]


def test_shift_turns_tab_round_for_as_long_as_it_is_held(glass: World) -> None:
    """On to the first of three, back round to the last of all (Stop), and on again once shift was let go."""
    window, at = glass.window, []
    screens = Screens("en", 0)

    def look() -> None:
        at.append(screens.focus.name if screens.focus else None)

    tab = lambda: window.tap("tab")  # noqa: E731
    window.todo.extend(
        [lambda: None, look, tab, lambda: None, look, lambda: window.hold("lshift"), tab, lambda: None, look, tab, lambda: None,
         look, lambda: window.let_go("lshift"), tab, lambda: None, look, tab, tab, lambda: window.tap("return")]
    )  # fmt: skip
    three = [Choice("a", "A", "1"), Choice("b", "B", "2"), Choice("c", "C", "3")]
    assert screens.choose("x", "T", "B", three) == "b"
    assert at == [None, "a", "stop", "c", "stop"]


def test_a_held_arrow_counts_again_after_a_while_until_it_is_let_go(glass: World) -> None:
    """After .4 s ten times a second; not before, not twice, not in another window."""
    screens, window, clock = Screens("en", 0), glass.window, glass.clock
    screens.mark("x")
    screens.frame([], [])
    window.hold("right")
    counted = []
    for seconds in (0.35, 0.3, 0.0, 0.2):  # .35, .65, .85 s
        clock.sleep(seconds)
        counted.append(screens.held(10.0))
    assert counted == [[], ["right"] * 2, [], ["right"] * 2]
    window.handlers["on_key_release"](0xFF51, 0)  # another arrow than the one that is held
    clock.sleep(0.1)
    assert screens.held(10.0) == ["right"]
    window.let_go("right")
    clock.sleep(0.2)
    assert screens.held(10.0) == []
    window.hold("left")
    clock.sleep(0.65)
    window.handlers["on_deactivate"]()
    assert screens.held(10.0) == []
    window.handlers["on_activate"]()
    assert screens.held(10.0) == []  # what was held before the focus went is held no more


def test_in_software_what_did_not_change_is_not_shown_again(glass: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiment.lab.window.software_renderer", lambda: "llvmpipe")
    window, flips = glass.window, []

    def look() -> None:
        flips.append(window.flips)

    def point() -> None:
        window.pointer = (0.21, -0.28)

    todo = [lambda: None, look, *[lambda: None] * 3, look, point, lambda: None, lambda: None, look]
    window.todo.extend([*todo, lambda: window.tap("1")])
    Screens("en", 0).choose("x", "Title", "Body", [Choice("a", "A", "1"), Choice("b", "B", "2")])
    assert (flips[1] - flips[0], flips[2] - flips[1]) == (0, 1)


def test_a_press_on_back_and_page_up_go_back_and_not_while_it_is_asked_whether_to_stop(glass: World) -> None:
    window = glass.window
    question = Question(
        "sweet", "steps", "How?", low=1, high=5, labels=("a", "b", "c", "d", "e"), word="sweet", back=True
    )
    for way in (lambda: window.tap("pageup"), lambda: window.click(glass.page().button("Back"))):
        screens = Screens("en", 0)
        window.todo.extend([lambda: None, way])
        assert isinstance(screens.ask(question, Trial(block="x"), (1, 9)), Back)
        assert screens.back_button is None
    screens = Screens("en", 0)
    todo = [
        lambda: window.tap("escape"),
        lambda: None,
        lambda: window.tap("pageup"),
        lambda: None,
        lambda: window.tap("2"),
    ]
    window.todo.extend([*todo, lambda: None, lambda: window.tap("4"), lambda: window.tap("return")])
    answer = screens.ask(question, Trial(block="x"), (1, 9))
    assert isinstance(answer, Answer)
    assert answer.value == 4.0


def test_two_presses_within_a_frame_meet_one_screen_after_the_other(glass: World) -> None:
    """The first chooses, the second confirms what it chose."""

    def both() -> None:
        page = glass.page()
        glass.window.click(page.button("Blue"))
        glass.window.click(page.button("Continue"))

    question = Question("colour", "choice", "Which?", options={"red": "Red", "blue": "Blue"})
    assert ask(glass, question, both).choice == "blue"


def test_the_marker_is_told_each_screen_by_its_name(glass: World) -> None:
    told: list[dict[str, Any]] = []

    def answer(marker: dict[str, Any]) -> None:
        told.append({k: x for k, x in marker.items() if k != "shown"})
        glass.window.todo.extend([lambda: glass.window.tap("1"), lambda: glass.window.tap("return")])

    screens = Screens("en", 0, True, answer)
    screens.ask(STEPS, Trial(block="x"), (0, 1))
    screens.choose("page", "a", "b", [Choice("next", "Continue", "1")], clip="c-1")
    assert told == [{"screen": "steps", "item": "sweet"}, {"screen": "page", "clip": "c-1"}]
