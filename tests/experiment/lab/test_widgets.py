"""Where things stand on a screen, by arithmetic in screen heights: what is touched is what is seen there."""

from __future__ import annotations

import pytest

from experiment.lab.widgets import INK, MUTED, PAPER, Bar, Button, Slider, Typeface, laid_out, text, typeface
from tests.experiment.lab.glass import World

FACE = Typeface()


def test_a_slider_has_a_tick_for_every_answer(glass: World) -> None:
    """0 to 10 over 1.1 screen heights: a tick every 0.11, from -0.55 to 0.55; the words stand under the ends."""
    slider = Slider(glass.window, FACE, 0, 10, ("left words", "right words"))
    slider.draw()
    page = glass.page()
    assert [x for x, _ in page.ticks] == [200 + 88 * k for k in range(11)]
    assert {y for _, y in page.ticks} == {464}  # 0.08 below the middle
    assert page.words == (("left words", (200.0, 524.0)), ("right words", (1080.0, 524.0)))
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
    slider = Slider(glass.window, FACE, -3, 3, ("a", "b"))
    assert slider.touch((x, y)) is (value is not None)
    assert slider.value == value
    assert slider.moves == (value is not None)


def test_moves_count_changes_alone(glass: World) -> None:
    slider = Slider(glass.window, FACE, 0, 4, ("a", "b"))
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
    fresh = Slider(glass.window, FACE, 0, 10, ("a", "b"))
    fresh.nudge(-1)
    assert fresh.value == 4
    odd = Slider(glass.window, FACE, 1, 4, ("a", "b"))
    odd.nudge(1)
    assert odd.value == 3


def test_the_marker_is_drawn_where_the_answer_is_and_not_before(glass: World) -> None:
    slider = Slider(glass.window, FACE, 0, 10, ("a", "b"))

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
    assert Button(glass.window, FACE, "a", "A", 0.3, 0.2).contains(point) is on


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
        Button(glass.window, FACE, "a", "Yes", 0.1, 0.2, **state).draw()  # type: ignore[arg-type]
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
    button = Button(glass.window, FACE, "a", "A", 0, 0)
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


def test_long_labels_are_set_smaller(glass: World) -> None:
    """Letters are about 0.62 of their height wide: 30 of them fit into 0.36 only below 0.02."""

    def size(label: str) -> float:
        glass.window.clearBuffer()
        Button(glass.window, FACE, "a", label, 0, 0, 0.36).draw()
        return float(glass.window.drawn[1][1]["height"])

    assert size("Yes") == size("Continue") == 0.03
    assert size("x" * 30) == pytest.approx(0.36 / 18.6)
    for n in (12, 20, 40, 60):
        assert n * 0.6 * size("x" * n) <= 0.36


def test_the_bar_fills_from_the_left(glass: World) -> None:
    bar = Bar(glass.window)
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
    shown = text(glass.window, FACE, "Hello", 0.3, 0.05, "#123456", x=-0.2, bold=True, wrapWidth=0.4)
    shown.draw()
    found = glass.window.drawn[0][1]
    assert (found["text"], found["pos"], found["height"], found["color"]) == ("Hello", (-0.2, 0.3), 0.05, "#123456")
    assert (found["bold"], found["wrapWidth"], found["font"]) == (True, 0.4, "Noto Sans")
    assert (found["alignText"], found["anchorHoriz"]) == ("center", "center")
    plain = text(glass.window, FACE, "Hello", 0.3)
    assert (plain.pos, plain.bold, plain.color, plain.wrapWidth) == ((0.0, 0.3), False, "#1F2A33", 1.15)


def test_lines_of_letters_without_spaces_are_as_long_as_there_is_room() -> None:
    """Ten wide letters of a tenth fill a width of one exactly; narrow ones are 0.6 of that; no line begins with a full stop."""
    face = typeface("ja")
    assert laid_out(face, "字" * 10, 0.1, 1.0) == "字" * 10
    assert laid_out(face, "字" * 11, 0.1, 1.0) == "字" * 10 + "\n字"
    assert laid_out(face, "字" * 10 + "。字", 0.1, 1.0) == "字" * 10 + "。\n字"
    assert laid_out(face, "字" * 4 + "x" * 12, 0.1, 1.0) == "字" * 4 + "x" * 10 + "\nxx"
    assert laid_out(face, "字" * 6 + "\n" + "字" * 6, 0.1, 0.5) == "字字字字字\n字\n字字字字字\n字"
    for first, last in (("\u2e80", "\u9fff"), ("\uac00", "\ud7a3"), ("\uff00", "\uffef")):
        assert laid_out(face, (first + last) * 3, 0.1, 0.4) == f"{first}{last}{first}{last}\n{first}{last}"
    words = "Words with spaces are left to the window, however long they are."
    assert laid_out(face, words, 0.1, 0.5) == words


def test_right_to_left_lines_are_broken_before_they_are_turned() -> None:
    """Two Hebrew words of four letters: on one line of ten the first stands at the right; on lines of eight it stands on top."""
    assert laid_out(typeface("he"), "שלום עולם", 0.1, 0.5) == "םלוע םולש"
    assert laid_out(typeface("he"), "שלום עולם", 0.1, 0.4) == "םולש\nםלוע"
    assert laid_out(typeface("he"), "שלום עולם", 0.1, 0.01) == "םולש\nםלוע"  # never less than eight
    assert laid_out(typeface("he"), "שלום\n\nעולם", 0.1, 0.5) == "םולש\n\nםלוע"
    # Arabic letters are joined too: beh, alef, beh have other shapes in a word than alone.
    assert laid_out(typeface("ar"), "\u0628\u0627\u0628", 0.1, 0.5) == "\ufe8f\ufe8e\ufe91"


@pytest.mark.parametrize(
    ("language", "font", "style"),
    [
        ("en", "Noto Sans", "LTR"), ("it", "Noto Sans", "LTR"), ("ja", "Noto Sans CJK JP", "LTR"),
        ("zh-CN", "Noto Sans CJK SC", "LTR"), ("ko_KR", "Noto Sans CJK KR", "LTR"), ("he", "Noto Sans Hebrew", "RTL"),
        ("ar", "Noto Sans Arabic", "Arabic"), ("fa-IR", "Noto Sans Arabic", "Arabic"), ("ur", "Noto Sans Arabic", "Arabic"),
    ],
)  # fmt: skip
def test_typefaces(language: str, font: str, style: str) -> None:
    assert typeface(language) == Typeface(font, style)
    assert typeface(language, "Mine") == Typeface("Mine", style)


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
    Button(glass.window, FACE, "n", "words", 0, 0, **look).draw()
    box, label = (d for _, d in glass.window.drawn)
    assert contrast(label["color"], box["fillColor"]) >= 4.5
    assert contrast(box["lineColor"], PAPER) >= 3


def test_the_bar_and_the_words_on_the_screen_can_be_seen(glass: World) -> None:
    Bar(glass.window).draw()
    trough, filled = (d for _, d in glass.window.drawn)
    assert contrast(trough["lineColor"], PAPER) >= 3
    assert contrast(filled["fillColor"], trough["fillColor"]) >= 3
    for colour in (INK, MUTED):
        assert contrast(colour, PAPER) >= 4.5
    assert contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)  # the lightest grey on white that passes
