"""All adjectives on one page, on glass: what is read and meant is stored, by mouse and by keyboard, and nothing before all of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from experiment.config import ExperimentConfig
from experiment.data.tables import Trial
from experiment.errors import ExperimentError
from experiment.lab.composing import Composer
from experiment.lab.fitting import every_screen, on_paper
from experiment.lab.form import composed
from experiment.lab.layout import FLOOR, Sheet
from experiment.lab.reading import Asked, Page, Phrases
from experiment.lab.screens import Screens
from experiment.lab.typefaces import PaperRuler, typeface
from experiment.lab.widgets import Pen
from experiment.launch import Prepared
from experiment.question import Answer, Question
from experiment.tasks.ratings import FORM
from tests.experiment import readers
from tests.experiment.lab.glass import FRAME, GlassHand, World
from tests.experiment.lab.test_asking import PAUSE
from tests.experiment.lab.test_screens import answered, meant, sit_down, words
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
    onward = (640.0, 700.0)
    answers, page = fill(
        glass, (HOT, SAD),
        lambda: window.tap("return"), lambda: window.click(onward),
        lambda: window.tap("2"), lambda: window.tap("space"), lambda: window.click(onward),
        lambda: window.tap("5"), lambda: None, lambda: window.click(onward),
    )  # fmt: skip
    assert page.button("Continue") == pytest.approx(onward, abs=40)
    assert {k: a.value for k, a in answers.items()} == {"hot": 2.0, "sad": 5.0}
    assert list(answers) == ["hot", "sad"]
    assert all(a.choice is None for a in answers.values())


def test_a_number_without_its_sign_is_no_answer(glass: World) -> None:
    """Who typed -2 in a row from -2 to 2 had 2, and the next row was set off."""
    one, two = (Question(x, "steps", "How?", low=-2, high=2, labels=("little", "much"), word=x) for x in ("one", "two"))
    taps = ("minus", "2", "left", "left", "down", "right", "right", "return")
    answers, page = fill(glass, (one, two), *(lambda k=k: glass.window.tap(k) for k in taps))  # type: ignore[misc]
    assert {item: a.value for item, a in answers.items()} == {"one": -1.0, "two": 1.0}
    assert page.keys == "Keys: arrow keys, then Enter"
    assert [len(row.places) for row in page.rows] == [5, 5]  # numbers under 0 are read as numbers


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


def test_focus_that_was_lost_while_a_form_stood_there_is_told(glass: World) -> None:
    """Not what was lost before: the second form's own once, not twice."""
    window, counted = glass.window, []
    screens = Screens("en", 0)
    for _ in range(2):
        lost = [lambda: window.handlers["on_deactivate"](), lambda: window.handlers["on_activate"](), lambda: None]
        window.todo.extend([lambda: None, *lost, *[lambda: window.tap("1")] * 2, lambda: window.tap("return")])
        given = screens.fill((HOT, SAD), Trial(block="x"), (0, 2))
        counted += [a.interaction["focus_losses"] for a in given.values() if a.interaction]
    assert counted == [1, 1, 1, 1]


def test_the_row_that_keys_answer_is_set_off(glass: World) -> None:
    window, colours = glass.window, []

    def look() -> None:
        colours.append([d["color"] for _, d in window.drawn if d.get("says") in ("warm", "sadness")])

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
        filled.append(sum(c != usual for (_, y), c in boxes if y > -0.35))

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
@pytest.mark.parametrize(("size", "enlarged"), [((1280, 800), 1.0), ((1280, 1024), 1.0), ((2560, 1080), 1.3)])
def test_nothing_lies_over_anything_else_or_over_the_edge(
    language: str, n: int, size: tuple[int, int], enlarged: float
) -> None:
    """In letters as wide as they are, on the squarest screen too; steps can be hit, and letters be read."""
    names = [*readers.ADJECTIVES[language].values(), "malinconico", "spensierato"][:n]
    five, text = tuple(readers.STEPS[language]), readers.EACH[language]
    kinds = [
        [Question(f"i{k}", "steps", text, low=1, high=5, labels=five, word=w) for k, w in enumerate(names)],
        [Question(f"i{k}", "steps", text, low=0, high=10, labels=five[::4], word=w) for k, w in enumerate(names)],
        [Question(f"i{k}", "steps", text, low=1, high=7, labels=("molto " + w, w)) for k, w in enumerate(names)],
    ]
    for asked in kinds:
        compose = Composer(Pen(None, typeface(language), PaperRuler()), Sheet.of(*size), enlarged)
        form, pen, half = composed(compose, asked, "Continua"), compose.pen, compose.sheet.half
        things = [(b.x, b.y, b.width, b.height) for row in form.rows for b in row.steps]
        steps = asked[0].high - asked[0].low + 1
        assert len(things) == n * steps
        assert min(min(w, h) for *_, w, h in things) * size[1] >= 26  # pixels
        assert form.onward is not None
        corner, (stop,) = compose.corner("49 di 49"), compose.foot(("stop", "Interrompi"))
        things += [(b.x, b.y, b.width, b.height) for b in (form.onward, stop)]
        for said in [corner, *form.above, *(w for row in form.rows for w in row.words)]:
            things.append((said.x, said.y, *pen.takes(said.words, said.size, said.room, said.bold)))
        for x, y, w, h in things:
            assert abs(x) + w / 2 <= half + 1e-6
            assert abs(y) + h / 2 <= 0.5
        for a, b in itertools.combinations(things, 2):
            apart = abs(a[0] - b[0]) >= (a[2] + b[2]) / 2 - 1e-9 or abs(a[1] - b[1]) >= (a[3] + b[3]) / 2 - 1e-9
            assert apart, (a, b)
        if enlarged == 1.0 and n <= 12:
            assert compose.smallest >= FLOOR - 1e-9
        for row in form.rows:
            assert {b.y for b in row.steps} == {w.y for w in row.words}
            assert [b.label for b in row.steps] == [str(v) for v in range(asked[0].low, asked[0].high + 1)]


def test_doctor_and_check_try_the_page_instead_of_its_questions(paper: Prepared, config: ExperimentConfig) -> None:
    compose = Composer(Pen(None, typeface("it"), PaperRuler()), Sheet.of(1280, 1024))
    names = [name for name, _ in every_screen(compose, paper.config, "it")]
    assert [n for n in names if n.endswith("on one page")] == ["ratings, salty and more on one page"]
    assert not [n for n in names if n.endswith(", sweet")]
    assert [n for n in map(str, (x for x, _ in every_screen(compose, config, "it"))) if n.endswith(", sweet")]
    assert on_paper(paper.config, "it")[1] == []
