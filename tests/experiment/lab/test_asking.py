"""How each kind of question is answered, by mouse and by key, on glass."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from experiment.data.tables import Trial
from experiment.lab.reading import Page
from experiment.lab.screens import Screens
from experiment.question import Answer, Back, Question
from tests.experiment import readers
from tests.experiment.lab.glass import BOOT, FRAME, World

PAUSE = 0.008  # s that the window sleeps after a flip
SLIDER = Question("preference", "slider", "Which?", low=0, high=10, labels=("this", "that"))
STEPS = Question("sweet", "steps", "How?", low=1, high=5, labels=("a", "b", "c", "d", "e"), word="sweet")
AGE = Question("age", "number", "How old?", low=1, high=110)


def ask(glass: World, question: Question, *todo: Callable[[], None], language: str = "en") -> Answer:
    screens = Screens(language, 0)
    glass.clock.sleep(300)  # what came before is no part of an answer
    glass.window.todo.extend(todo)
    return screens.ask(question, Trial(block="x"), (4, 9))


def test_response_times_are_seconds_from_the_first_frame_to_the_answer(glass: World) -> None:
    """60 frames in which nothing happens, and the time that the question whether to stop takes, count."""
    window = glass.window
    wait = [lambda: None] * 60
    answer = ask(glass, STEPS, *wait, lambda: window.tap("4"), lambda: window.tap("return"))
    assert answer.value == 4.0
    assert answer.response_time == pytest.approx(61 * (FRAME + PAUSE), abs=0.03)
    doubt = [*wait, lambda: window.tap("escape"), *wait, lambda: window.tap("2")]
    answer = ask(glass, STEPS, *doubt, *wait, lambda: window.tap("2"), lambda: window.tap("return"))
    assert answer.value == 2.0
    assert answer.response_time == pytest.approx(183 * (FRAME + PAUSE), abs=0.1)
    assert answer.interaction is not None
    assert answer.interaction["moves"] == 1


def test_a_slider_has_no_answer_before_it_is_touched(glass: World) -> None:
    window, onward = glass.window, (640.0, 640.0)
    drawn: list[int] = []

    def look() -> None:
        drawn.append(sum(type(s).__name__ == "Circle" for s, _ in window.drawn))

    # Continue and return do nothing at first; one tick right of the middle, two left of it, then on.
    answer = ask(
        glass, SLIDER, lambda: window.click(onward), lambda: window.tap("return"), look, lambda: window.tap("right"),
        lambda: None, look, *[lambda: window.tap("left")] * 3, lambda: window.tap("space"),
    )  # fmt: skip
    assert answer.value == 3.0
    assert drawn == [0, 1]
    assert answer.interaction is not None
    assert answer.interaction["moves"] == 4
    assert answer.choice is None


def test_a_slider_that_starts_in_the_middle_is_an_answer_as_it_stands(glass: World) -> None:
    """As the seed study's: whoever goes on has said 5; a key moves it from there."""
    window = glass.window
    middle = replace(SLIDER, start=5.0)
    left = ask(glass, middle, lambda: window.tap("return"))
    assert left.value == 5.0
    assert left.interaction is not None
    assert left.interaction["moves"] == 0
    assert ask(glass, middle, lambda: window.tap("left"), lambda: window.tap("return")).value == 4.0


def test_a_slider_is_answered_where_it_is_touched_and_dragged(glass: World) -> None:
    """Eleven ticks over 1.1 screen heights: 88 pixels each, from 200 to 1080; it stays within its ends."""
    window, onward = glass.window, (640.0, 640.0)

    def at(x: float, y: float = 464.0) -> Callable[[], None]:
        return lambda: window.click((x, y))

    def drag(x: float, y: float = 464.0) -> Callable[[], None]:
        return lambda: window.drag((x, y))

    take, let_go = lambda: window.take((376.0, 464.0)), lambda: window.drop((816.0, 500.0))
    go = at(*onward)
    assert ask(glass, SLIDER, at(200.0), lambda: None, go).value == 0.0
    assert ask(glass, SLIDER, at(1080.0 - 176 + 30), lambda: None, go).value == 8.0
    assert ask(glass, SLIDER, at(1100.0), lambda: None, go).value == 10.0
    assert ask(glass, SLIDER, take, drag(552.0), drag(816.0), lambda: None, let_go, go).value == 7.0
    assert ask(glass, SLIDER, take, drag(552.0), drag(1000.0, 700.0), let_go, drag(300.0), go).value == 7.0
    # What was pressed elsewhere sets nothing where it is dragged over the line.
    elsewhere = [lambda: window.take((640.0, 300.0)), drag(552.0), drag(816.0), let_go]
    assert ask(glass, SLIDER, at(376.0), lambda: None, *elsewhere, go).value == 2.0
    # Beside the line nothing is touched.
    assert ask(glass, SLIDER, at(376.0), at(800.0, 540.0), at(1130.0), lambda: None, go).value == 2.0


def test_a_slow_machine_stores_what_was_pressed(glass: World) -> None:
    """Whatever of a click or drag lies between two frames: where the button is counts, not where the pointer was."""
    window, onward = glass.window, (640.0, 640.0)
    far, line, end = (1000.0, 700.0), (376.0, 464.0), (816.0, 500.0)

    def slow(*did: Callable[[], None]) -> Callable[[], None]:
        return lambda: [what() for what in did] and None

    take, drag, let_go = lambda: window.take(line), lambda: window.drag(end), lambda: window.drop(end)
    come, stay, go = lambda: window.drag(far), lambda: window.drop(line), lambda: window.click(onward)
    assert ask(glass, SLIDER, come, slow(take), slow(stay, go)).value == 2.0
    assert ask(glass, SLIDER, come, slow(take, stay, go)).value == 2.0
    assert ask(glass, SLIDER, come, slow(take, drag), slow(let_go, go)).value == 7.0
    assert ask(glass, SLIDER, come, slow(take, drag, let_go, go)).value == 7.0
    assert ask(glass, SLIDER, slow(take, drag, let_go), slow(go), come).value == 7.0
    # Who turns to another window with the button down lets go of the line.
    away = slow(lambda: window.handlers["on_deactivate"](), lambda: window.handlers["on_activate"]())
    assert ask(glass, SLIDER, take, away, drag, let_go, lambda: None, go).value == 2.0


def test_a_number_may_be_typed_on_a_slider_of_any_length(glass: World) -> None:
    """Digits within a second make one number; one that would lead past the end, or comes later, begins another."""
    hundred = replace(SLIDER, high=100)

    def value(question: Question, *names: str) -> float | None:
        press = {"...": lambda: glass.clock.sleep(1.1)}
        return ask(glass, question, *(press.get(n, lambda n=n: glass.window.tap(n)) for n in (*names, "return"))).value

    assert value(hundred, "7") == 7
    assert value(hundred, "7", "3") == 73
    assert value(hundred, "num_1", "0", "num_0") == 100
    assert value(hundred, "7", "3", "5") == 5
    assert value(hundred, "7", "...", "3") == 3
    assert value(hundred, "0", "7") == 7
    assert value(hundred, "7", "3", "left") == 72
    assert value(hundred, "7", "left", "3") == 3
    assert value(SLIDER, "1", "0") == 10
    assert value(SLIDER, "3", "8") == 8
    assert value(replace(SLIDER, low=20, high=40), "3", "1") == 31
    assert (
        value(replace(SLIDER, low=1, high=7), "9", "right", "8") == 5
    )  # what is no number of this scale moves nothing


def test_steps_are_answered_by_click_number_or_arrows(glass: World) -> None:
    window = glass.window

    def keys(*names: str) -> list[Callable[[], None]]:
        return [lambda name=name: window.tap(name) for name in names]  # type: ignore[misc]

    assert ask(glass, STEPS, *keys("num_2", "return")).value == 2.0
    assert ask(glass, STEPS, *keys("return", "left", "space")).value == 3.0  # the first arrow takes the middle
    assert ask(glass, STEPS, *keys("right", "right", "right", "right", "return")).value == 5.0
    assert ask(glass, STEPS, *keys("left", "left", "left", "left", "return")).value == 1.0
    changed = ask(glass, STEPS, *keys("5", "5", "6", "0", "1", "return"))
    assert changed.value == 1.0
    assert changed.interaction is not None
    assert changed.interaction["moves"] == 2


def test_the_chosen_step_is_marked_and_the_way_on_opens(glass: World) -> None:
    window = glass.window
    fills: list[list[str]] = []

    def look() -> None:
        boxes = [d for s, d in window.drawn if type(s).__name__ == "Rect"]
        fills.append([d["fillColor"] for d in sorted(boxes, key=lambda d: (-d["pos"][1], d["pos"][0]))])

    ask(
        glass, STEPS, look, lambda: window.tap("2"), lambda: None, look, lambda: window.tap("4"), lambda: None, look,
        lambda: window.tap("return"),
    )  # fmt: skip
    blue, white = "#2A6F97", "#FFFFFF"
    assert [f[:6] for f in fills] == [
        [white] * 6,
        [white, blue, white, white, white, blue],
        [white, white, white, blue, white, blue],
    ]


def test_a_scale_without_words_on_its_steps_has_them_at_its_ends(glass: World) -> None:
    """Numbers from left to right, the low words under the first, the high ones under the last."""
    page: list[Page] = []
    numbers = Question("valence", "steps", "How?", low=1, high=9, labels=("bad", "good"))
    ask(
        glass, numbers, lambda: page.append(glass.page()), lambda: glass.window.tap("9"),
        lambda: glass.window.tap("return"),
    )  # fmt: skip
    (shown,) = page
    assert list(shown.buttons) == [*"123456789", "Continue", "Stop"]
    assert shown.across("bad") == shown.buttons["1"][0] < shown.buttons["9"][0] == shown.across("good")
    assert shown.buttons["1"][0] > 50
    assert shown.buttons["9"][0] < 1230
    below = dict(shown.words)
    assert below["bad"][1] == below["good"][1] > shown.buttons["1"][1]
    assert "5 of 9" in below


def test_only_plausible_ages_go_on(glass: World) -> None:
    window = glass.window

    def keys(*names: str) -> list[Callable[[], None]]:
        return [lambda name=name: window.tap(name) for name in names]  # type: ignore[misc]

    assert ask(glass, AGE, *keys("3", "num_4", "return")).value == 34.0
    assert ask(glass, AGE, *keys("return", "x", "9", "9", "9", "9", "return", "backspace", "return")).value == 99.0
    assert ask(glass, AGE, *keys("0", "return", "backspace", "1", "num_enter")).value == 1.0
    assert ask(glass, AGE, *keys("1", "1", "1", "return", "backspace", "0", "return")).value == 110.0
    onward = lambda: window.click(glass.page().button("Continue"))  # noqa: E731
    clicked = ask(glass, AGE, onward, *keys("5", "0"), onward)
    assert clicked.value == 50.0
    assert clicked.interaction is not None
    assert clicked.interaction["moves"] == 2


def test_what_is_typed_can_be_read(glass: World) -> None:
    window, seen = glass.window, []

    def look() -> None:
        seen.append([w for w, _ in glass.page().words if w.strip("_").isdigit() or w == "_"])

    ask(
        glass, AGE, look, lambda: window.tap("4"), lambda: None, look, lambda: window.tap("2"), lambda: None, look,
        lambda: window.tap("return"),
    )  # fmt: skip
    assert seen == [["_"], ["4"], ["42"]]


def test_an_age_is_entered_by_mouse_too(glass: World) -> None:
    """Digits in three columns as on a telephone, and one that takes the last one back; three digits at most."""
    window, pages = glass.window, list[Page]()

    def press(words: str) -> Callable[[], None]:
        return lambda: window.click(glass.page().button(words))

    given = ask(
        glass, AGE, lambda: pages.append(glass.page()), *map(press, ["4", "2", "Delete", "7", "Continue"])
    )  # fmt: skip
    assert given.value == 47.0
    assert given.interaction is not None
    assert given.interaction["moves"] == 4
    at = {words: pages[0].buttons[words] for words in "1234567890"}
    assert len({at[w][0] for w in "2580"}) == len({at[w][1] for w in "456"}) == 1
    assert at["1"][0] < at["2"][0] < at["3"][0]
    assert at["1"][1] < at["4"][1] < at["7"][1] < at["0"][1]
    assert ask(glass, AGE, *map(press, ["1", "0", "9", "9", "Continue"])).value == 109.0


def test_a_key_held_over_frames_counts_once(glass: World) -> None:
    """The keyboard reports a press while it is down and the same press when it is let go."""
    from types import SimpleNamespace

    window = glass.window
    at = 5000.0 + BOOT  # after the screen is shown
    four, again = SimpleNamespace(name="4", tDown=at), SimpleNamespace(name="4", tDown=at + 1)
    todo = [
        lambda: window.down.append(four), lambda: window.released.append(four), lambda: window.down.append(again),
        lambda: window.released.append(again), lambda: window.tap("return"),
    ]  # fmt: skip
    assert ask(glass, AGE, *todo).value == 44.0


def test_choices_are_numbered_from_the_top(glass: World) -> None:
    def keys(*names: str) -> list[Callable[[], None]]:
        return [lambda name=name: glass.window.tap(name) for name in names]  # type: ignore[misc]

    options = {"red": "Red", "green": "Green", "blue": "Blue"}
    question = Question("colour", "choice", "Which colour?", options=options)
    for key, name in (("1", "red"), ("num_2", "green"), ("3", "blue")):
        answer = ask(glass, question, lambda key=key: glass.window.tap(key), lambda: glass.window.tap("return"))  # type: ignore[misc]
        assert (answer.choice, answer.value) == (name, None)
    page: list[Page] = []
    ask(glass, question, lambda: page.append(glass.page()), *keys("1", "return"))
    assert list(page[0].buttons) == ["Red", "Green", "Blue", "Continue", "Stop"]


def test_a_choice_is_confirmed_and_can_be_changed_before(glass: World) -> None:
    """Nothing goes on before something is chosen; arrows begin at the top and stay within the list."""
    window = glass.window
    options = {"red": "Red", "green": "Green", "blue": "Blue"}
    question = Question("colour", "choice", "Which colour?", options=options)

    def keys(*names: str) -> list[Callable[[], None]]:
        return [lambda name=name: window.tap(name) for name in names]  # type: ignore[misc]

    def press(words: str) -> Callable[[], None]:
        return lambda: window.click(glass.page().button(words))

    def given(*todo: Callable[[], None]) -> tuple[str | None, int]:
        answer = ask(glass, question, *todo)
        assert answer.interaction is not None
        return answer.choice, answer.interaction["moves"]

    assert given(*keys("return", "space", "2", "1", "1", "return")) == ("red", 2)
    assert given(press("Continue"), press("Blue"), press("Green"), press("Continue")) == ("green", 2)
    assert given(*keys("down", "down", "num_enter")) == ("green", 2)
    assert given(*keys("up", "up", "return")) == ("red", 1)
    assert given(*keys("down", "down", "down", "down", "down", "space")) == ("blue", 3)
    looks: list[list[str]] = []

    def look() -> None:
        boxes = [d for s, d in window.drawn if type(s).__name__ == "Rect"]
        looks.append([d["fillColor"] for d in sorted(boxes, key=lambda d: -d["pos"][1])][:4])

    given(look, *keys("2"), lambda: None, look, *keys("return"))
    blue, white = "#2A6F97", "#FFFFFF"
    assert looks == [[white] * 4, [white, blue, white, blue]]


def test_nine_choices_stand_one_below_the_other_without_touching(glass: World) -> None:
    """The longest list of the study, and one of 14: no two boxes overlap, none lies over the edge or the question."""
    for n in (9, 14):
        options = {f"o{i}": f"Option {i}" for i in range(n)}
        question = Question("x", "choice", "Which?", options=options)
        found: list[tuple[str, float, float]] = []

        def look(found: list[tuple[str, float, float]] = found) -> None:
            for s, d in glass.window.drawn:
                if type(s).__name__ == "Rect":
                    found.append(("box", d["pos"][1], d["height"]))
                elif d.get("says") == "Which?":
                    found.append(("asked", d["pos"][1], 1.2 * d["height"]))

        ask(glass, question, look, lambda: glass.window.tap("1"), lambda: glass.window.tap("return"))
        boxes = [(y, h) for kind, y, h in found if kind == "box"]
        places = boxes[: n + 1]  # with the button that goes on
        assert all(a[0] - a[1] / 2 > b[0] + b[1] / 2 for a, b in itertools.pairwise(places))
        ((_, y, height),) = [x for x in found if x[0] == "asked"]
        assert places[0][0] + places[0][1] / 2 < y - height / 2
        assert places[-1][0] - places[-1][1] / 2 > -0.455 + 0.045 / 2


@pytest.mark.parametrize("kind", ["choice", "number", "slider", "steps"])
def test_a_button_and_a_key_go_back_where_that_may_be_done(glass: World, kind: str) -> None:
    """And only there; what stands there says so in words, and Esc still asks whether to stop."""
    window, seen = glass.window, []
    screens = Screens("it", 0, marker=seen.append)
    asked = Question(
        "x", kind, "?", options={"a": "uno", "b": "due"}, low=1, high=3, labels=("poco", "molto"), back=True
    )
    window.todo.extend([lambda: None, lambda: window.tap("pageup")])
    assert screens.ask(asked, Trial(block="x"), (1, 3)) == Back()
    page = Page.of(seen[-1]["shown"])
    assert {"Indietro", readers.BUTTONS["it"]["stop"]} <= set(page.buttons)
    window.todo.extend([lambda: None, lambda: window.click(page.button("Indietro"))])
    assert screens.ask(asked, Trial(block="x"), (1, 3)) == Back()
    # While it is asked whether to stop, nothing goes back.
    window.todo.extend(
        [lambda: window.tap("escape"), lambda: None, lambda: window.tap("pageup"), lambda: window.click(page.button("Indietro")),
         lambda: window.tap("2"), lambda: None, lambda: window.tap("pageup")]
    )  # fmt: skip
    assert screens.ask(asked, Trial(block="x"), (1, 3)) == Back()
    keys = {"choice": ["pageup", "1", "return"], "number": ["pageup", "2", "return"], "slider": ["pageup", "right", "return"], "steps": ["pageup", "2", "return"]}[kind]  # fmt: skip
    for key in keys:
        window.todo.extend([lambda: None, lambda key=key: window.tap(key)])
    given = screens.ask(replace(asked, back=False), Trial(block="x"), (0, 3))
    assert isinstance(given, Answer)
    assert "Indietro" not in Page.of(seen[-1]["shown"]).buttons
    screens.close()


SEVERAL = Question("plays", "multiple", "What?", low=1, high=2, options={"a": "A", "b": "B", "c": "C", "none": "None"}, alone="none")  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "meant", "moves"),
    [
        # None is no answer, and a third is one too many; in the list's order; one that stands alone takes the others' place.
        ("return 1 2 3 return", "a;b", 2), ("2 1 return", "a;b", 2), ("1 2 1 num_3 num_enter", "b;c", 4), ("1 4 return", "none", 2),
        ("4 2 return", "b", 2), ("4 4 return 3 return", "c", 3),
        # Return goes on; only what Tab came to is pressed by it.
        ("down return down space return", "b", 1), ("down space down down space up up up return", "a;c", 2),
    ],
)  # fmt: skip
def test_several_options_are_taken_and_given_back(glass: World, keys: str, meant: str, moves: int) -> None:
    answer = ask(glass, SEVERAL, *[lambda k=k: glass.window.tap(k) for k in keys.split()])  # type: ignore[misc]
    assert (answer.choice, answer.value) == (meant, None)
    assert answer.interaction is not None
    assert answer.interaction["moves"] == moves


def test_several_by_mouse_and_the_way_on_is_open_where_that_is_an_answer(glass: World) -> None:
    window, screens, opened = glass.window, Screens("en", 0), []

    def look() -> None:
        opened.append("\n" in [b.name for b in screens._live])

    def press(words: str) -> Callable[[], None]:
        return lambda: window.click(glass.page().button(words))

    todo = [press("Continue"), lambda: None, look]
    for words in ("B", "None", "None", "A"):
        todo += [press(words), lambda: None, lambda: None, look]
    window.todo.extend([*todo, press("Continue")])
    answer = screens.ask(SEVERAL, Trial(block="x"), (0, 1))
    assert isinstance(answer, Answer)
    assert answer.choice == "a"
    assert opened == [False, True, True, False, True]


def test_words_of_two_to_five_letters_are_typed(glass: World) -> None:
    """One is too few to go on with, a sixth is not taken, blanks at the ends do not count; what was taken back is gone."""
    window, seen = glass.window, []
    question = Question("why", "text", "Why?", low=2, high=5)
    answer = ask(
        glass, question, lambda: window.type(" a"), lambda: window.tap("return"), lambda: window.type("b\b c"),
        lambda: window.type("defg"), lambda: None, lambda: seen.append(window.words()), lambda: window.tap("return"),
    )  # fmt: skip
    assert (answer.said, answer.value, answer.choice) == ("a cd", None, None)
    assert seen[0][0] == "5 of 9"
    assert " a cd_" in seen[0]


@pytest.mark.parametrize(("key", "value"), [("right", 5.0), ("left", 1.0)])
def test_arrows_go_as_far_as_the_last_step_and_no_farther(glass: World, key: str, value: float) -> None:
    """From the middle one of five; seven times are more than there are."""
    answer = ask(glass, STEPS, *[lambda: glass.window.tap(key)] * 7, lambda: glass.window.tap("return"))
    assert answer.value == value
