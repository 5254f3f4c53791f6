"""Fonts: which a language has, which package brings it, how wide letters are."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from experiment.lab.typefaces import PaperRuler, ScreenRuler, Typeface, package, shipped, typeface


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


def test_the_package_that_brings_a_font() -> None:
    """Debian: ideographs have a package of their own, everything else of Noto is in fonts-noto-core."""
    assert package("Noto Sans CJK JP") == "fonts-noto-cjk"
    assert package("Noto Sans Arabic") == "fonts-noto-core"
    assert package("Mine") is None


def test_a_screen_is_measured_by_the_letters_that_it_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.04 of 800 pixels are 32, which are 24 points; glyphs' advances add up, a sign over a letter is a glyph too."""
    asked: list[tuple[str, int, bool]] = []
    advances = {"i": [8], "W": [30], "é": [19], " ": [8]}

    def load(name: str, points: int, bold: bool) -> SimpleNamespace:
        asked.append((name, points, bold))
        glyphs = lambda letter: [SimpleNamespace(advance=a + bold) for a in advances[letter]]  # noqa: E731
        return SimpleNamespace(ascent=35, descent=-10, get_glyphs=glyphs)

    font = ModuleType("pyglet.font")
    font.__dict__["load"] = load
    pyglet = ModuleType("pyglet")
    pyglet.__dict__["font"] = font
    monkeypatch.setitem(sys.modules, "pyglet", pyglet)
    monkeypatch.setitem(sys.modules, "pyglet.font", font)
    ruler = ScreenRuler(Typeface("Mine"), 800)
    assert ruler.wide("Wi i", 0.04) == (30 + 8 + 8 + 8) / 800
    assert ruler.wide("Wi", 0.04, True) == (31 + 9) / 800
    assert ruler.line(0.04) == 45 / 800
    assert ruler.wide("é", 0.041) == 19 / 800  # 32.8 pixels are 24 points too
    assert asked == [("Mine", 24, False), ("Mine", 24, True)]


def test_paper_is_measured_by_the_font_that_ships() -> None:
    """Noto Sans's advances at 1,000 units an em: i 258, W 930, space 260; bold W 968; other scripts count as squares."""
    assert set(shipped()) == {"Regular", "Bold"}
    ruler = PaperRuler()
    assert ruler.wide("Wi ", 1.0) == pytest.approx(0.930 + 0.258 + 0.260, abs=0.01)
    assert ruler.wide("W", 0.5, True) == pytest.approx(0.484, abs=0.005)
    assert ruler.wide("字م", 0.1) == pytest.approx(0.2)
    assert ruler.line(0.04) >= 0.04 * (1.069 + 0.293)  # its ascent and descent


def test_on_paper_without_the_font_a_letter_counts_as_two_thirds_of_its_height(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiment.lab.typefaces.shipped", dict)
    assert PaperRuler().wide("Wi", 1.0) == pytest.approx(1.3)
    assert PaperRuler().wide("W字", 0.1, True) == pytest.approx(0.165)
