"""How screens look, in a booth and in a browser: colours, and sizes of letters as shares of the screen's height."""

from __future__ import annotations

PAPER = "#F6F4EF"
INK = "#1F2A33"
MUTED = "#5A656E"
ACCENT = "#2A6F97"
SOFT = "#DDE6EA"
EDGE = "#7D8891"  # of what is quiet or not open yet
WHITE = "#FFFFFF"
TITLE, ASKED, BODY, LABEL = 0.055, 0.042, 0.032, 0.03
CORNER, FOOT = 0.0245, 0.0267  # letters of the progress, and of the ways to stop and back
WORD, LONG_WORD = 0.075, 0.04  # of the word that is rated
MANY = 20  # letters from which on a word is a long one
RIGHT_TO_LEFT = ("ar", "fa", "he", "ur")


def right_to_left(language: str) -> bool:
    """Whether a language (``ar``, ``ar-EG``) is read from the right."""
    return language.replace("_", "-").split("-")[0] in RIGHT_TO_LEFT
