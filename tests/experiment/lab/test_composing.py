"""Every kind of screen on eight shapes of displays in five languages, measured on paper: nothing overlaps, nothing leaves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.screens import HARDEST, LANGUAGES, LONG, SEVEN, SIZES, TEXTS, spoken, words_of
from experiment.choices import Choice, consenting
from experiment.config import ExperimentConfig
from experiment.lab.composing import Composed, Composer
from experiment.lab.fitting import every_screen
from experiment.lab.layout import FLOOR, Sheet
from experiment.lab.typefaces import PaperRuler, typeface
from experiment.lab.widgets import INSET, Bar, Button, Pen, Slider, Text
from experiment.looks import MUTED
from experiment.question import Question
from experiment.texts import texts
from tests.experiment.lab.glass import Ruler

Box = tuple[str, float, float, float, float]
RULER = PaperRuler()


def composer(size: tuple[int, int], language: str = "en", enlarged: float = 1.0, ruler: Any = RULER) -> Composer:
    return Composer(Pen(None, typeface(language), ruler), Sheet.of(*size), enlarged)


def said(text: Text) -> Box:
    width, height = text.pen.takes(text.words, text.size, text.room, text.bold)
    return (text.words, text.x - width / 2, text.y - height / 2, text.x + width / 2, text.y + height / 2)


def boxes(shown: Composed) -> Iterator[Box]:
    """What stands there by itself: left, lower, right, upper edge."""
    for part in [*shown.parts, *shown.buttons]:
        if isinstance(part, Text):
            yield said(part)
        elif isinstance(part, Button):
            yield (part.label, part.x - part.width / 2, part.y - part.height / 2, part.x + part.width / 2, part.y + part.height / 2)  # fmt: skip
        elif isinstance(part, Bar):
            yield "bar", -part.width / 2, part.y - 0.009, part.width / 2, part.y + 0.009
        else:
            assert isinstance(part, Slider)
            half = part.width / 2 + 0.022  # with the marker at its end
            yield "slider", -half, part.y - 0.022, half, part.y + 0.06
            for words, x in zip((part.labels[0], part.labels[-1]), (-part.width / 2, part.width / 2), strict=True):
                width, height = part.pen.takes(words, part.size, part.room)
                x = min(part.half - width / 2, max(width / 2 - part.half, x))
                yield words, x - width / 2, part.y - 0.058 - height, x + width / 2, part.y - 0.058


def held(name: str, shown: Composed, always: list[Box], half: float) -> None:
    """No two things lie over one another, none leaves the sheet, words stay in their boxes."""
    there = [*boxes(shown), *always]
    for what, left, lower, right, upper in there:
        assert left >= -half - 1e-6, (name, what)
        assert right <= half + 1e-6, (name, what)
        assert lower >= -0.5, (name, what)
        assert upper <= 0.5, (name, what)
    for a, b in itertools.combinations(there, 2):
        apart = a[3] <= b[1] + 1e-6 or b[3] <= a[1] + 1e-6 or a[4] <= b[2] + 1e-6 or b[4] <= a[2] + 1e-6
        assert apart, (name, a, b)
    for button in shown.buttons:
        width, height = button.pen.takes(button.label, button.size, button.within)
        assert width <= button.width, (name, button.label)
        assert height <= button.height, (name, button.label)


def screens(compose: Composer, config: ExperimentConfig, language: str) -> Iterator[tuple[str, Composed]]:
    """A study's, with every option; questions harder than its own; a consent of 600 words under a title of a paragraph."""
    more = {"headphones": "both", "level": config.level.model_copy(update={"by": "participant"})}
    asked = config.model_copy(update=more)
    asked = asked if language in ("en", "it") else spoken(asked, language)
    yield from every_screen(compose, asked, language)
    words = texts(language, asked.texts)
    for question in HARDEST[language]:
        yield question.item, compose.question(question, words)
    for page in compose.pages(LONG[language], words_of(language, 600), consenting(words)):
        yield "600 words", compose.choose(LONG[language], page, consenting(words))


@pytest.mark.parametrize("enlarged", [1.0, 1.5])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [SIZES[0], SIZES[1], SIZES[2], SIZES[6]])
def test_nothing_overlaps_and_nothing_leaves(
    config: ExperimentConfig, size: tuple[int, int], language: str, enlarged: float
) -> None:
    """Of the eight shapes the four that differ: sheets end at 16:10, so that 16:9, 21:9 and 32:9 are alike."""
    assert {Sheet.of(*s) for s in SIZES} == {Sheet.of(*SIZES[k]) for k in (0, 1, 2)} | {Sheet.of(*SIZES[6])}
    compose = composer(size, language, enlarged)
    told = texts(language, TEXTS if language not in ("en", "it") else None)
    foot = compose.foot(("stop", told["stop"]), ("back", told["back"]))
    corners = [compose.keys(words.format(first=1, last=9), foot) for words in told["keys"].values()]
    keys = [x for x in corners if x is not None]
    assert len(keys) == 6  # there is room for all of them
    assert {x.color for x in keys} == {MUTED}  # 4.5 : 1 on paper, test_widgets says
    assert min(x.size for x in keys) >= FLOOR
    always = [*boxes(Composed(buttons=foot)), min(map(said, keys), key=lambda box: box[1])]
    always.append(said(compose.corner("49 von 49")))
    for name, shown in screens(compose, config, language):
        held(name, shown, always, Sheet.of(*size).half)
        scale = [b for b in shown.buttons if b is not shown.onward]
        assert len({b.size for b in scale}) <= 1, name  # one size a scale
        assert len({(b.width, b.height) for b in scale}) <= 1, name
        assert shown.onward is None or shown.onward is shown.buttons[-1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_letters_have_16_minutes_of_arc_on_a_small_laptop(config: ExperimentConfig, language: str) -> None:
    """Capitals of .0245 of 16.2 cm (13 inches, 16:9), .714 of their size, at 60 cm: 2 atan(.1417 / 60) = 16.2'.

    Only a list of thirty long options is set smaller than that, on the narrowest display.
    """
    compose = composer(SIZES[1], language)
    compose.foot(("stop", "Stop"))
    compose.corner("1 of 2")
    small = set()
    for name, _ in screens(compose, config, language):
        if compose.smallest < FLOOR:
            small.add(name)
        compose.smallest = 1.0
    assert small <= {"thirty"}


def test_a_consent_of_600_words_is_read_on_pages(config: ExperimentConfig) -> None:
    """All of it, in letters of the usual size, between its title and its buttons."""
    for language in LANGUAGES:
        compose = composer((1280, 1024), language)
        whole = words_of(language, 600)
        words = texts("en")
        pages = compose.pages("Welcome", whole, consenting(words))
        assert 3 <= len(pages) <= 12
        assert "".join("".join(pages).split()) == "".join(whole.split())
        for page in pages:
            title, body = compose.choose("Welcome", page, consenting(words)).parts
            assert (title.size, body.size) == (0.055, 0.032)


def test_short_screens_stand_as_they_always_did() -> None:
    """A question at .3, a word at .16, steps at -.04 of .24 with .015 between, the way on at -.3: as drawn by version 0.1."""
    compose = composer((1280, 800), ruler=Ruler())
    labels = ("a", "b", "c", "d", "e")
    asked = Question("sweet", "steps", "How?", low=1, high=5, labels=labels, word="sweet")
    shown = compose.steps(asked, "Continue")
    text, word = shown.parts
    assert (text.y, text.size, word.y, word.size, word.bold) == (0.3, 0.042, 0.16, 0.075, True)
    assert [b.x for b in shown.buttons[:5]] == pytest.approx([-0.51, -0.255, 0, 0.255, 0.51])
    assert {(b.y, b.width, b.height, b.size) for b in shown.buttons[:5]} == {(-0.04, 0.24, 0.085, 0.03)}
    assert [b.label for b in shown.buttons] == [*labels, "Continue"]
    assert [b.key for b in shown.buttons] == ["1", "2", "3", "4", "5", "return"]
    onward = shown.onward
    assert onward is not None
    assert (onward.x, onward.y, onward.width, onward.height, onward.primary) == (0.0, -0.3, 0.26, 0.075, True)
    (stop,) = compose.foot(("stop", "Stop"))
    assert (stop.x, stop.y, stop.width, stop.height, stop.quiet) == pytest.approx((-0.7, -0.455, 0.16, 0.045, True))
    agree, _ = compose.choose("Title", "Body", [Choice("a", "A", "1"), Choice("b", "B", "2")]).buttons
    assert (agree.y, agree.width, agree.height) == (-0.28, 0.36, 0.075)
    corner = compose.corner("3 of 49")
    assert corner.x + 7 * 0.5 * 0.0245 / 2 == pytest.approx(0.78)


def test_steps_that_have_no_room_beside_each_other_stand_below_each_other() -> None:
    """Eleven of twenty letters that are one word each: 11 x .3 are more than 1.21; numbered from the top as from the left."""
    compose = composer((1280, 1024), ruler=Ruler())
    labels = tuple(f"{'x' * 18}{i:02}" for i in range(11))
    shown = compose.steps(Question("x", "steps", "How?", low=0, high=10, labels=labels), "Continue")
    steps = shown.buttons[:-1]
    assert [b.name for b in steps] == [str(i) for i in range(11)]
    assert [b.y for b in steps] == sorted((b.y for b in steps), reverse=True)
    assert {b.x for b in steps} == {0.0}
    assert min(b.size for b in steps) >= FLOOR


def test_many_choices_stand_in_columns_read_line_by_line() -> None:
    compose = composer((1280, 800), ruler=Ruler())
    shown = compose.pick("", "Which?", [Choice(f"o{i}", f"Option {i}", str(i + 1)) for i in range(30)], "Continue")
    options = shown.buttons[:-1]
    assert len({b.x for b in options}) > 1
    assert options == sorted(options, key=lambda b: (-b.y, b.x))
    assert min(b.size for b in options) >= FLOOR


def test_words_wrap_before_they_shrink_and_letters_shrink_before_they_are_cut() -> None:
    """Two labels of three words of ten letters: at .03 one line of 32 letters is .48 wide; five have 1.56 together."""
    compose = composer((1280, 800), ruler=Ruler())
    one = compose.steps(Question("x", "steps", "?", low=1, high=3, labels=("a", "b", " ".join(["x" * 10] * 3))), "on")
    assert {b.size for b in one.buttons[:-1]} == {0.03}
    assert one.buttons[0].width == pytest.approx(0.48 + 2 * INSET)
    five = compose.steps(Question("x", "steps", "?", low=1, high=5, labels=(" ".join(["x" * 10] * 3),) * 5), "on")
    assert {b.size for b in five.buttons[:-1]} == {0.03}
    assert five.buttons[0].width == pytest.approx((1.56 - 4 * 0.015) / 5)
    assert five.buttons[0].height == pytest.approx(3 * 0.036 + 0.011)
    wide = compose.steps(Question("x", "steps", "?", low=1, high=7, labels=("x" * 14,) * 7), "on")
    assert [b.size for b in wide.buttons[:-1]] == pytest.approx([0.03 * 0.88] * 7)  # 14 x .5 x size has .186 of .210


def test_the_largest_of_two_ends_has_its_side(config: ExperimentConfig) -> None:
    """Without a word of its own the item is its two ends, large, in the middle below the first and the last step."""
    compose = composer((1280, 800), ruler=Ruler())
    shown = compose.steps(Question("x", "steps", "?", low=1, high=5, labels=("cold", "hot")), "on")
    low, high = shown.parts[1:]
    assert (low.words, low.x, low.size, low.bold) == ("cold", shown.buttons[0].x, 0.045, True)
    assert (high.words, high.x) == ("hot", shown.buttons[4].x)
    numbered = compose.steps(Question("x", "steps", "?", low=1, high=9, labels=("very cold", "hot"), word="w"), "on")
    assert [(p.size, p.bold) for p in numbered.parts[2:]] == [(0.028, False)] * 2
    assert numbered.parts[2].x == pytest.approx(numbered.buttons[0].x)
    narrow = composer((1280, 1024), ruler=Ruler())
    long = narrow.steps(Question("x", "steps", "?", low=1, high=9, labels=("x" * 25, "hot"), word="w"), "on")
    assert long.parts[2].x == pytest.approx(-0.605 + 25 * 0.5 * 0.028 / 2)  # else it would leave the sheet


def test_sevens_are_in_every_language() -> None:
    assert {len(x) for x in SEVEN.values()} == {7}


def test_every_screen_of_a_session_is_among_them(config: ExperimentConfig) -> None:
    """Counted by hand from what a person meets in the default study: asked to agree, told, asked what sounds, and so on to the end."""
    found = {name.split(", page")[0] for name, _ in screens(composer(SIZES[2], "en", 1.0), config, "en")}
    assert found >= {
        "consent", "special", "declined", "too young", "sure", "sound", "sound, call", "tone, left", "tone, right", "tone, both", "level",
        "practice", "preference, introduction", "ratings, introduction", "pause", "stop", "broken, again", "broken, call",
        "huggins", "huggins, question", "antiphase", "antiphase, question", "headphones failed", "end",
    }  # fmt: skip
    assert sum(name.startswith("question ") for name in found) > 20


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [(1080, 1920), (1200, 1920), (1280, 1024)])
def test_eleven_steps_have_their_numbers_whole_on_a_screen_that_stands_on_end(
    size: tuple[int, int], language: str
) -> None:
    """Their boxes are narrow there: "10" would stand as 1 over 0 with the room that words have in wide ones."""
    compose = composer(size, language)
    asked = Question("liking", "scale", "How much do you like it?", word="", high=10, labels=("not", "much"), low=0)
    shown = compose.question(asked, texts(language, TEXTS if language not in ("en", "it") else None))
    steps = [b for b in shown.buttons if b is not shown.onward]
    assert [b.label for b in steps] == [str(i) for i in range(11)]
    for b in steps:
        assert b.pen.lines(b.label, b.size, b.within, False) == [b.label]
        assert b.pen.ruler.wide(b.label, b.size) <= b.width - 0.004
        assert b.size >= FLOOR
    held("eleven", shown, [], Sheet.of(*size).half)
