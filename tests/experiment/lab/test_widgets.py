"""Where things stand on a screen, by arithmetic in screen heights: what is touched is what is seen there."""

from __future__ import annotations

import pytest

from experiment.lab.typefaces import Typeface
from experiment.lab.widgets import Bar, Button, Field, Pen, Slider, Text
from experiment.looks import INK, MUTED, PAPER
from tests.experiment.lab.glass import Ruler, World


def pen(glass: World) -> Pen:
    return Pen(glass.window, Typeface(), Ruler())


def test_a_slider_has_a_tick_for_every_answer(glass: World) -> None:
    """0 to 10 over 1.1 screen heights: a tick every 0.11, from -0.55 to 0.55; the words stand under the ends.

    The words' letters are 22.4 pixels of 800 high, their line 26.88, and it begins 46.4 pixels below the slider's line.
    """
    slider = Slider(pen(glass), 0, 10, ("left words", "right words"))
    slider.draw()
    page = glass.page()
    assert [x for x, _ in page.ticks] == [200 + 88 * k for k in range(11)]
    assert {y for _, y in page.ticks} == {464}  # 0.08 below the middle
    assert page.words == (("left words", (200.0, 524.0)), ("right words", (1080.0, 524.0)))  # 464 + 46.4 + 13.44
    assert [slider.place(v) for v in (0, 5, 7.5, 10)] == pytest.approx([-0.55, 0, 0.275, 0.55])
    line = glass.window.drawn[0][1]
    assert (line["start"], line["end"]) == ((-0.55, -0.08), (0.55, -0.08))


@pytest.mark.parametrize(
    ("x", "y", "value"),
    [
        (-0.55, -0.08, -3), (0.55, -0.08, 3), (0.0, -0.08, 0), (0.1, -0.08, 1), (0.09, -0.08, 0),
        (-0.58, -0.08, -3), (0.58, -0.08, 3), (-0.59, -0.08, None), (0.59, -0.08, None),
        (0.0, -0.021, 0), (0.0, -0.139, 0), (0.0, -0.019, None), (0.0, -0.141, None),
    ],
)  # fmt: skip
def test_touching_a_slider(glass: World, x: float, y: float, value: int | None) -> None:
    """On the line, up to 0.06 above and below and 0.03 beyond the ends; the nearest tick counts."""
    slider = Slider(pen(glass), -3, 3, ("a", "b"))
    assert slider.touch((x, y)) is (value is not None)
    assert slider.value == value
    assert slider.moves == (value is not None)


def test_moves_count_changes_alone(glass: World) -> None:
    slider = Slider(pen(glass), 0, 4, ("a", "b"))
    assert slider.state() is None
    for _ in range(3):
        slider.touch((0.0, -0.08))
    assert (slider.value, slider.moves) == (2, 1)
    slider.nudge(1)
    slider.nudge(1)
    slider.nudge(1)  # it is at its end already
    assert (slider.value, slider.moves) == (4, 3)
    slider.nudge(-1)
    assert (slider.state(), slider.moves) == (3, 4)
    fresh = Slider(pen(glass), 0, 10, ("a", "b"))
    fresh.nudge(-1)
    assert fresh.value == 4
    odd = Slider(pen(glass), 1, 4, ("a", "b"))
    odd.nudge(1)
    assert odd.value == 3


def test_the_marker_is_drawn_where_the_answer_is_and_not_before(glass: World) -> None:
    slider = Slider(pen(glass), 0, 10, ("a", "b"))

    def circles() -> list[tuple[float, float]]:
        glass.window.clearBuffer()
        slider.draw()
        return [d["pos"] for s, d in glass.window.drawn if type(s).__name__ == "Circle"]

    assert circles() == []
    slider.touch((0.33, -0.08))
    assert circles() == [pytest.approx((0.33, -0.08))]
    slider.nudge(-1)
    assert circles() == [pytest.approx((0.22, -0.08))]


@pytest.mark.parametrize(
    ("point", "on"),
    [
        ((0.3, 0.2), True), ((0.169, 0.2), False), ((0.171, 0.2), True), ((0.429, 0.2), True), ((0.431, 0.2), False),
        ((0.3, 0.2374), True), ((0.3, 0.2376), False), ((0.3, 0.1626), True), ((0.3, 0.1624), False),
    ],
)  # fmt: skip
def test_a_button_is_where_its_box_is(glass: World, point: tuple[float, float], on: bool) -> None:
    assert Button(pen(glass), "a", "A", 0.3, 0.2).contains(point) is on


def test_how_buttons_look(glass: World) -> None:
    """Chosen and leading ones are filled with white letters, disabled and quiet ones are grey, pointing at one tints it."""
    blue, white, ink, grey, tint, edge, paper = (
        "#2A6F97",
        "#FFFFFF",
        "#1F2A33",
        "#5A656E",
        "#DDE6EA",
        "#7D8891",
        "#F6F4EF",
    )

    def look(**state: bool) -> tuple[str, str, str]:
        glass.window.clearBuffer()
        Button(pen(glass), "a", "Yes", 0.1, 0.2, **state).draw()  # type: ignore[arg-type]
        box, label = (d for _, d in glass.window.drawn)
        assert box["pos"] == label["pos"] == (0.1, 0.2)
        assert label["text"] == "Yes"
        return box["fillColor"], box["lineColor"], label["color"]

    assert look() == (white, blue, ink)
    assert look(primary=True) == (blue, blue, white)
    assert look(selected=True) == (blue, blue, white)
    assert look(primary=True, enabled=False) == (white, edge, grey)
    assert look(hover=True) == (tint, blue, ink)
    assert look(hover=True, enabled=False) == (white, edge, grey)
    assert look(quiet=True) == (paper, edge, grey)


def test_a_button_is_drawn_anew_where_its_look_changed(glass: World) -> None:
    button = Button(pen(glass), "a", "A", 0, 0)
    seen = {button.state()}
    button.selected = True
    seen.add(button.state())
    button.hover = True
    seen.add(button.state())
    button.selected = False
    seen.add(button.state())
    assert len(seen) == 4
    button.enabled = False
    state = button.state()
    button.hover = False
    assert button.state() == state  # a disabled one looks alike wherever one points


def test_words_at_the_ends_of_a_slider_stay_on_the_sheet(glass: World) -> None:
    """Of 5:4 half a sheet is 0.605: twenty letters of 0.028, 0.28 wide, can't stand in the middle below +-0.55."""
    words = "x" * 20
    slider = Slider(pen(glass), 0, 10, (words, words), half=0.605)
    slider.draw()
    low, high = (x for _, (x, _) in glass.page().words)
    assert (low, high) == (round(640 - 800 * 0.465), round(640 + 800 * 0.465))
    # Eighty letters, 1.12 wide, have 0.45: three lines of 32 letters.
    long = Slider(pen(glass), 0, 10, ("xxx " * 20, "no"), half=0.605)
    assert long.room == 0.45
    assert long.under() == pytest.approx(0.058 + 3 * 1.2 * 0.028)


@pytest.mark.parametrize(("high", "long", "short"), [(10, 11, 0), (20, 21, 0), (100, 11, 90)])
def test_where_ticks_stand_close_every_tenth_is_longer(glass: World, high: int, long: int, short: int) -> None:
    Slider(pen(glass), 0, high, ("a", "b")).draw()
    ticks = [d["end"][1] - d["start"][1] for s, d in glass.window.drawn if type(s).__name__ == "Line"][1:]
    assert [sum(t == pytest.approx(0.028) for t in ticks), sum(t == pytest.approx(0.014) for t in ticks)] == [
        long,
        short,
    ]
    assert len(glass.page().ticks) == high + 1


def test_the_bar_fills_from_the_left(glass: World) -> None:
    bar = Bar(pen(glass))
    states = []
    for share in (0.0, 0.25, 0.5, 1.0):
        bar.share = share
        bar.draw()
        (_, trough), (_, filled) = glass.window.drawn
        assert (trough["pos"], trough["width"]) == ((0, -0.05), 0.7)
        assert filled["width"] == pytest.approx(max(0.001, 0.7 * share))
        assert filled["pos"][0] - filled["width"] / 2 == pytest.approx(-0.35)
        assert filled["fillColor"] != trough["fillColor"]
        states.append(bar.state())
    assert states == [0, 140, 280, 560]  # pixels of 800


def test_text_stands_where_it_is_put(glass: World) -> None:
    """In lines as wide as there is room, which the window does not break again; it is read as a whole."""
    shown = Text(pen(glass), "Hello out there", -0.2, 0.3, 0.05, 0.25, "#123456", True)
    shown.draw()
    found = glass.window.drawn[0][1]
    assert (found["text"], found["says"]) == ("Hello out\nthere", "Hello out there")
    assert (found["pos"], found["height"], found["color"]) == ((-0.2, 0.3), 0.05, "#123456")
    assert (found["bold"], found["wrapWidth"], found["font"]) == (True, 4.0, "Noto Sans")
    assert (found["alignText"], found["anchorHoriz"]) == ("center", "center")
    plain = Text(pen(glass), "Hello", 0.0, 0.3, 0.034)
    assert (plain.bold, plain.color, plain.room) == (False, "#1F2A33", 1.15)
    plain.draw()
    before = plain.state()
    plain.words = "Bye"
    assert plain.state() != before
    plain.draw()
    assert [d["says"] for _, d in glass.window.drawn] == ["Hello out there", "Bye"]


def test_what_a_text_takes_is_measured(glass: World) -> None:
    """Letters are half as wide as high here, lines a fifth higher: nine letters, two lines."""
    assert pen(glass).takes("Hello out there", 0.05, 0.25) == pytest.approx((0.225, 0.12))
    assert pen(glass).takes("Hello out there", 0.05, 1.0) == pytest.approx((0.375, 0.06))
    assert pen(glass).longest("Hello out there", 0.05) == pytest.approx(0.125)


def luminance(colour: str) -> float:
    """WCAG 2.1, relative luminance of an sRGB colour."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("enabled", [False, True])
@pytest.mark.parametrize("selected", [False, True])
@pytest.mark.parametrize("hover", [False, True])
@pytest.mark.parametrize("primary", [False, True])
def test_every_button_can_be_read_and_seen(
    glass: World, quiet: bool, enabled: bool, selected: bool, hover: bool, primary: bool
) -> None:
    """WCAG 2.1 AA: words 4.5 to 1 on what they stand on, edges 3 to 1 on the screen."""
    look = {"quiet": quiet, "enabled": enabled, "selected": selected, "hover": hover, "primary": primary}
    Button(pen(glass), "n", "words", 0, 0, **look).draw()
    box, label = (d for _, d in glass.window.drawn)
    assert contrast(label["color"], box["fillColor"]) >= 4.5
    assert contrast(box["lineColor"], PAPER) >= 3


def test_the_bar_and_the_words_on_the_screen_can_be_seen(glass: World) -> None:
    Bar(pen(glass)).draw()
    trough, filled = (d for _, d in glass.window.drawn)
    assert contrast(trough["lineColor"], PAPER) >= 3
    assert contrast(filled["fillColor"], trough["fillColor"]) >= 3
    for colour in (INK, MUTED):
        assert contrast(colour, PAPER) >= 4.5
    assert contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)  # the lightest grey on white that passes


def test_a_field_is_a_box_with_what_was_typed_and_where_one_writes_on(glass: World) -> None:
    """It takes what has room: of glass a letter is half as wide as high, here .02 of .3 less .024, so 13 and the caret in a line."""
    field = Field(pen(glass), 0.1, 0.2, 0.3, 0.05, 0.04)
    seen = []
    for words in ("", "tea"):
        field.words = words
        glass.window.clearBuffer()
        field.draw()
        (box, drawn), (text, said) = glass.window.drawn
        assert (type(box).__name__, type(text).__name__) == ("Rect", "TextStim")
        assert drawn["pos"] == said["pos"] == (0.1, 0.2)
        assert (drawn["width"], drawn["height"], drawn["fillColor"]) == (0.3, 0.05, "#FFFFFF")
        seen.append((said["text"], field.state()))
    assert seen == [("_", ""), ("tea_", "tea")]
    assert field.takes("x" * 12)
    assert not field.takes("x" * 6 + " " + "x" * 6)  # 14 with the caret: two lines, and there is room for one


def test_a_bar_is_as_long_as_has_sounded(glass: World) -> None:
    bar = Bar(pen(glass))
    lengths = []
    for share in (0.0, 0.25, 1.0):
        bar.share = share
        glass.window.clearBuffer()
        bar.draw()
        (_, trough), (_, filled) = glass.window.drawn
        assert trough["pos"] == (0, -0.05)
        assert filled["pos"][0] - filled["width"] / 2 == pytest.approx(-0.35)  # from the trough's left end
        lengths.append((filled["width"], bar.state()))
    assert lengths == [(0.001, 0), (pytest.approx(0.175), 140), (pytest.approx(0.7), 560)]  # of 800 pixels


def test_what_the_keyboard_is_at_has_a_line_within_its_edge(glass: World) -> None:
    """.006 from the edge all round; white on what is filled, dark elsewhere."""
    for state, color in (({}, "#1F2A33"), ({"primary": True}, "#FFFFFF"), ({"selected": True}, "#FFFFFF")):
        glass.window.clearBuffer()
        Button(pen(glass), "a", "A", 0.1, 0.2, 0.26, 0.075, focus=True, **state).draw()  # type: ignore[arg-type]
        _, _, (shape, ring) = glass.window.drawn
        assert type(shape).__name__ == "Rect"
        assert (ring["width"], ring["height"]) == pytest.approx((0.248, 0.063))
        assert (ring["pos"], ring["fillColor"], ring["lineColor"]) == ((0.1, 0.2), None, color)
