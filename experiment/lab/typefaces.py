"""Fonts: which one a language is set in, whether this computer has it, and how wide its letters are."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Protocol

from experiment.looks import right_to_left

FONT = "Noto Sans"  # ships with PsychoPy
# Scripts that Noto Sans has no letters for, and the fonts that systems commonly have for them.
OTHER_FONTS = {
    "ja": "Noto Sans CJK JP",
    "ko": "Noto Sans CJK KR",
    "zh": "Noto Sans CJK SC",
    "ar": "Noto Sans Arabic",
    "fa": "Noto Sans Arabic",
    "ur": "Noto Sans Arabic",
    "he": "Noto Sans Hebrew",
}
PACKAGES = {"Noto Sans CJK": "fonts-noto-cjk", "Noto Sans": "fonts-noto-core"}  # Debian's, by how a font's name begins
CAPITAL = 0.714  # height of Noto Sans's capitals, in sizes of the letters


@dataclass(frozen=True)
class Typeface:
    """Font and direction of a language."""

    font: str = FONT
    style: str = "LTR"


def typeface(language: str, font: str | None = None) -> Typeface:
    """The typeface of a language; `font` (the study's) comes first."""
    code = language.split("-")[0].split("_")[0]
    style = "Arabic" if code in ("ar", "fa", "ur") else "RTL" if right_to_left(code) else "LTR"
    return Typeface(font or OTHER_FONTS.get(code, FONT), style)


def package(font: str) -> str | None:
    """Debian's package of a font, where it is one of Noto's."""
    return next((name for begins, name in PACKAGES.items() if font.startswith(begins)), None)


def is_there(font: str) -> bool:
    """Whether this computer has a font; the one that PsychoPy brings has to be brought first (`bring_fonts`)."""
    import pyglet.font

    return bool(pyglet.font.have_font(font))


def shipped() -> dict[str, Path]:
    """Files of the font that PsychoPy brings, by face; empty where there is no PsychoPy."""
    try:
        there = distribution("psychopy")
    except PackageNotFoundError:
        return {}
    found = {f: Path(str(there.locate_file(f"psychopy/assets/fonts/NotoSans-{f}.ttf"))) for f in ("Regular", "Bold")}
    return {face: path for face, path in found.items() if path.is_file()}


def bring_fonts() -> None:
    """Let the window's texts be set in the font that PsychoPy brings: without being told pyglet takes another one."""
    import pyglet.font

    for path in shipped().values():
        pyglet.font.add_file(str(path))


class Ruler(Protocol):
    """Measures letters before they are drawn; lengths in shares of the screen's height."""

    def wide(self, words: str, size: float, bold: bool = False) -> float:
        """How wide a line is, set in letters of a size."""

    def line(self, size: float, bold: bool = False) -> float:
        """How high a line is."""


class ScreenRuler:
    """Measures with the letters that the window will draw: pyglet's, whose widths add up to their line's."""

    def __init__(self, face: Typeface, pixels: int):
        self.face, self.pixels = face, pixels
        self._fonts: dict[tuple[int, bool], Any] = {}
        self._letters: dict[tuple[int, bool, str], int] = {}

    def _font(self, size: float, bold: bool) -> tuple[tuple[int, bool], Any]:
        points = int(size * self.pixels * 0.75)  # as PsychoPy rounds them
        key = (points, bold)
        if key not in self._fonts:
            import pyglet.font

            self._fonts[key] = pyglet.font.load(self.face.font, points, bold=bold)
        return key, self._fonts[key]

    def wide(self, words: str, size: float, bold: bool = False) -> float:
        """How wide a line is, set in letters of a size."""
        key, font = self._font(size, bold)
        for letter in set(words):
            if (*key, letter) not in self._letters:
                self._letters[*key, letter] = sum(int(glyph.advance) for glyph in font.get_glyphs(letter))
        return sum(self._letters[*key, letter] for letter in words) / self.pixels

    def line(self, size: float, bold: bool = False) -> float:
        """How high a line is."""
        _, font = self._font(size, bold)
        return float(font.ascent - font.descent) / self.pixels


class PaperRuler:
    """Measures without a window, for whoever checks a study on a computer with no screen.

    Letters of the font that PsychoPy brings are measured in its file; of every other script a letter counts as wide as high,
    which none exceeds.
    """

    UNITS = 200  # pixels that letters are measured at

    def __init__(self) -> None:
        self._fonts: dict[bool, Any] = {}
        self._letters: dict[tuple[bool, str], float] = {}

    def _letter(self, letter: str, bold: bool) -> float:
        if (bold, letter) not in self._letters:
            self._letters[bold, letter] = self._measured(letter, bold)
        return self._letters[bold, letter]

    def _measured(self, letter: str, bold: bool) -> float:
        if ord(letter) > 0x52F:  # behind Latin, Greek and Cyrillic
            return 1.0
        if bold not in self._fonts:
            from PIL import ImageFont

            path = shipped().get("Bold" if bold else "Regular")
            self._fonts[bold] = None if path is None else ImageFont.truetype(str(path), self.UNITS)
        font = self._fonts[bold]
        return 0.65 if font is None else float(font.getlength(letter)) / self.UNITS

    def wide(self, words: str, size: float, bold: bool = False) -> float:
        """How wide a line is, set in letters of a size."""
        return size * sum(self._letter(letter, bold) for letter in words)

    def line(self, size: float, bold: bool = False) -> float:
        """How high a line is."""
        return 1.5 * size
