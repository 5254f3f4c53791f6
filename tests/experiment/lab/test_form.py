"""All adjectives on one page, on glass: what is read and meant is stored, by mouse and by keyboard, and nothing before all of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from experiment.data.tables import Trial
from experiment.errors import ExperimentError
from experiment.lab.reading import Asked, Page, Phrases
from experiment.lab.screens import Screens
from experiment.launch import Prepared
from experiment.question import Answer, Question
from experiment.tasks.ratings import FORM
from tests.experiment import readers
from tests.experiment.lab.glass import FRAME, GlassHand, World
from tests.experiment.lab.test_screens import PAUSE, answered, meant, sit_down, words
from tests.experiment.test_forms import IN_ORDER

LABELS = ("not at all", "a little", "quite", "a lot", "very much")
HOT, SAD, NEW = (
    Question(item, "steps", "How much?", low=1, high=5, labels=LABELS, word=word)
    for item, word in (("hot", "warm"), ("sad", "sadness"), ("new", "new"))
)


@pytest.fixture
def paper(booth: Prepared) -> Prepared:
    """The seed study's own way."""
    assert booth.config.preference is not None
    asked = booth.config.preference.model_copy(update={"replicate": True})
    booth.config = booth.config.model_copy(update={"preference": asked})
    return booth


def fill(glass: World, questions: tuple[Question, ...], *acts: Callable[[], None]) -> tuple[dict[str, Answer], Page]:
    """Do things, one a frame from the second frame on; what was answered, and what stood there."""
    seen: list[dict[str, object]] = []
    screens = Screens("en", 0, marker=seen.append)
    glass.window.todo.extend([lambda: None, *acts])
    given = screens.fill(questions, Trial(block="x"), (3, 9))
    screens.close()
    glass.window.open = True
    assert seen[0]["screen"] == "form"
    return given, Page.of(seen[0]["shown"])  # type: ignore[arg-type]


@pytest.mark.parametrize(("language", "keyboard"), [("en", False), ("it", True), ("it", False), ("en", True)])
def test_what_was_read_and_meant_is_what_is_stored(
    glass: World, paper: Prepared, language: str, keyboard: bool
) -> None:
    hand, status, session = sit_down(glass, paper, "P7", language, keyboard)
    assert status == "complete"
    assert answered(paper, session) == meant(hand)
    forms = [p for s, p in hand.pages if s == "form"]
    assert len(forms) == 3
    assert [g["item"] for g in hand.given[-36:]] == IN_ORDER * 3
    assert {g["value"] for g in hand.given[-36:]} == {1.0, 2.0, 3.0, 4.0, 5.0}
    for n, page in enumerate(forms):
        count = readers.PROGRESS[language].format(done=14 + 12 * n, total=49)
        adjectives = list(readers.ADJECTIVES[language].values())
        # From top to bottom: progress, question, the steps' words from left to right, the adjectives.
        assert words(page) == [count, readers.EACH[language], *readers.STEPS[language], *adjectives]
        assert [row.words for row in page.rows] == [(word,) for word in adjectives]
        assert all(len(row.places) == 5 for row in page.rows)
        for k, label in enumerate(readers.STEPS[language]):
            assert {row.places[k][0] for row in page.rows} == {page.across(label)}


def test_nothing_goes_on_before_every_row_is_answered(glass: World) -> None:
    window = glass.window
    onward = (640.0, 400 + 0.42 * 800)
    answers, page = fill(
        glass, (HOT, SAD),
        lambda: window.tap("return"), lambda: window.click(onward),
        lambda: window.tap("2"), lambda: window.tap("space"), lambda: window.click(onward),
        lambda: window.tap("5"), lambda: None, lambda: window.click(onward),
    )  # fmt: skip
    assert page.button("Continue") == pytest.approx(onward, abs=1)
    assert {k: a.value for k, a in answers.items()} == {"hot": 2.0, "sad": 5.0}
    assert list(answers) == ["hot", "sad"]
    assert all(a.choice is None for a in answers.values())


def test_steps_are_answered_by_click_digit_or_arrows(glass: World) -> None:
    window = glass.window

    def keys(*names: str) -> dict[str, float | None]:
        given, _ = fill(glass, (HOT, SAD, NEW), *(lambda k=k: window.tap(k) for k in names))  # type: ignore[misc]
        return {item: a.value for item, a in given.items()}

    assert keys("1", "num_2", "3", "return") == {"hot": 1, "sad": 2, "new": 3}
    # A digit goes on to the next row without an answer; arrows stay, and start from the middle.
    assert keys("down", "4", "2", "5", "num_enter") == {"hot": 5, "sad": 4, "new": 2}
    assert keys("right", "right", "down", "left", "down", "left", "left", "left", "left", "space") == {
        "hot": 4, "sad": 3, "new": 1,
    }  # fmt: skip
    assert keys("up", "right", *["right"] * 4, "down", "down", "down", "1", "2", "return") == {
        "hot": 5,
        "sad": 2,
        "new": 1,
    }
    # What is not on the scale answers nothing; what was answered can be answered anew.
    assert keys("6", "0", "x", "1", "1", "1", "up", "up", "9", "4", "return") == {"hot": 4, "sad": 1, "new": 1}
    _, page = fill(glass, (HOT, SAD), *(lambda k=k: window.tap(k) for k in ("1", "1", "return")))  # type: ignore[misc]
    second, first = page.rows[1].places, page.rows[0].places
    given, _ = fill(
        glass, (HOT, SAD), lambda: window.click(second[4]), lambda: window.click(first[1]),
        lambda: window.click(second[2]), lambda: window.tap("return"),
    )  # fmt: skip
    assert {k: a.value for k, a in given.items()} == {"hot": 2.0, "sad": 3.0}
    assert [a.interaction["moves"] for a in given.values() if a.interaction] == [1, 2]


def test_after_a_click_keys_answer_the_next_open_row(glass: World) -> None:
    window = glass.window
    _, page = fill(glass, (HOT, SAD, NEW), *(lambda: window.tap("1") for _ in range(3)), lambda: window.tap("return"))
    given, _ = fill(
        glass, (HOT, SAD, NEW), lambda: window.click(page.rows[1].places[0]), lambda: window.tap("4"),
        lambda: window.tap("5"), lambda: window.tap("return"),
    )  # fmt: skip
    assert {k: a.value for k, a in given.items()} == {"hot": 5.0, "sad": 1.0, "new": 4.0}


def test_response_times_are_from_the_first_frame_to_the_last_change(glass: World) -> None:
    window = glass.window
    wait = [lambda: None] * 60
    given, _ = fill(
        glass, (HOT, SAD), lambda: window.tap("1"), *wait, lambda: window.tap("2"), *wait, lambda: window.tap("up"),
        lambda: window.tap("3"), *wait, lambda: window.tap("return"),
    )  # fmt: skip
    assert given["sad"].response_time == pytest.approx(62 * (FRAME + PAUSE), abs=0.05)
    assert given["hot"].response_time == pytest.approx(124 * (FRAME + PAUSE), abs=0.08)
    told = given["hot"].interaction
    assert told is not None
    assert told["moves"] == 2
    assert (told["focus_losses"], told["dropped"], told["late_frames"]) == (0, 0, 0)
    assert told["frames"] > 180


def test_the_row_that_keys_answer_is_set_off(glass: World) -> None:
    window, colours = glass.window, []

    def look() -> None:
        colours.append([d["color"] for _, d in window.drawn if d.get("text") in ("warm", "sadness")])

    fill(
        glass, (HOT, SAD), look, lambda: window.tap("1"), lambda: None, look, lambda: window.tap("1"),
        lambda: window.tap("return"),
    )  # fmt: skip
    (first, second), (then, now) = colours
    assert first != second
    assert (then, now) == (second, first)


def test_the_chosen_step_is_filled_in(glass: World) -> None:
    window, filled = glass.window, []

    def look() -> None:
        boxes = [(d["pos"], d["fillColor"]) for _, d in window.drawn if "fillColor" in d and d["height"] < 0.06]
        usual = max({c for _, c in boxes}, key=[c for _, c in boxes].count)
        filled.append(sum(c != usual for (x, y), c in boxes if x > -0.28 and y > -0.4))

    fill(
        glass, (HOT, SAD), look, lambda: window.tap("1"), lambda: None, look, lambda: window.tap("2"), lambda: None, look,
        lambda: window.tap("return"),
    )  # fmt: skip
    assert filled == [0, 1, 2]


def test_two_words_stand_at_the_ends_and_each_row_between_its_own(glass: World) -> None:
    """As far from the words of the low end as the value says, wherever these stand."""
    window = glass.window
    ends = [Question(i, "steps", "How much?", low=0, high=6, labels=("none", "all"), word=i) for i in ("aa", "bb")]
    done = [lambda: window.tap("3"), lambda: window.tap("0"), lambda: window.tap("return")]
    given, page = fill(glass, tuple(ends), *done)
    assert {k: a.value for k, a in given.items()} == {"aa": 3.0, "bb": 0.0}
    assert page.across("none") == page.rows[0].places[0][0]
    assert page.across("all") == page.rows[0].places[6][0]
    poles = [Question(i, "steps", "Where?", low=1, high=5, labels=(i, i + "x")) for i in ("cold", "sad")]
    given, page = fill(glass, tuple(poles), *done[:1], lambda: window.tap("1"), *done[2:])
    assert {k: a.value for k, a in given.items()} == {"cold": 3.0, "sad": 1.0}
    assert [row.words for row in page.rows] == [("cold", "coldx"), ("sad", "sadx")]
    for row in page.rows:
        low, high = row.words
        assert page.across(low) < row.places[0][0] < row.places[-1][0] < page.across(high)
    known = {frozenset(["Where?", i, i + "x"]): Asked(i, ends=(i, i + "x"), low=1, high=5) for i in ("cold", "sad")}
    reader = Phrases("", "", "Continue", "", "{done} of {total}", known)
    assert [asked.item for _, asked in reader.rows(page)] == ["cold", "sad"]
    for keyboard in (False, True):
        hand = GlassHand(glass, np.random.default_rng(4), reader, keyboard)
        screens = Screens("en", 0, marker=hand.answer)
        stored = screens.fill(poles, Trial(block="x"), (0, 2))
        assert [(i, a.value) for i, a in stored.items()] == [(g["item"], g["value"]) for g in hand.given]
        assert len({g["value"] for g in hand.given}) == 2
        screens.close()
        glass.window.open = True
    with pytest.raises(ExperimentError, match=r"asked by sad \| sadx"):
        Phrases("", "", "", "", "", dict(list(known.items())[:1])).rows(page)


@pytest.mark.parametrize("language", ["en", "it"])
@pytest.mark.parametrize("n", [1, 5, 12, FORM])
def test_nothing_lies_over_anything_else_or_over_the_edge(glass: World, language: str, n: int) -> None:
    names = [*readers.ADJECTIVES[language].values(), "malinconico", "spensierato"]
    asked = tuple(
        Question(f"i{k}", "steps", readers.EACH[language], low=1, high=5, labels=tuple(readers.STEPS[language]), word=w)
        for k, w in enumerate(names[:n])
    )
    seen: list[dict[str, object]] = []
    window = glass.window
    screens = Screens(language, 0, marker=seen.append)
    window.todo.extend([lambda: None, *[lambda: window.tap("1")] * n, lambda: window.tap("return")])
    screens.fill(asked, Trial(block="x"), (0, n))
    shown: list[dict[str, list[int]]] = seen[0]["shown"]  # type: ignore[assignment]
    boxes = [(*x["at"], *x["box"]) for x in shown if "box" in x]
    assert len(boxes) == 5 * n + 2
    for x, y, w, h in boxes:
        assert w / 2 <= x <= 1280 - w / 2
        assert h / 2 <= y <= 800 - h / 2
        assert min(w, h) >= 24  # pixels: what is smaller is hard to hit
    for a, b in itertools.combinations(boxes, 2):
        assert abs(a[0] - b[0]) >= (a[2] + b[2]) / 2 or abs(a[1] - b[1]) >= (a[3] + b[3]) / 2
    # Letters are about .6 as wide as high: an adjective ends left of its steps and begins on the screen.
    for shape, d in window.drawn:
        if d.get("text") in names:
            assert d["anchorHoriz"] == "right"
            assert d["pos"][0] < -0.28
            assert d["pos"][0] - 0.6 * d["height"] * len(d["text"]) > -0.8, (shape, d["text"])
            assert d["height"] >= 0.02
        if str(d.get("text")).isdigit():
            assert d["height"] >= 0.02
        if d.get("text") in readers.STEPS[language]:
            assert 0.6 * d["height"] * max(map(len, d["text"].split())) <= d["wrapWidth"]
            assert d["height"] >= 0.018
