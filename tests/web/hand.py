"""Somebody at a browser."""

from __future__ import annotations

import shutil
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SHOWN = "[data-open]"


class Hand:
    """Somebody at the browser."""

    def __init__(self, page: Any):
        self.page = page
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)

    def at(self, words: str) -> None:
        """Wait until a screen that says this can be answered."""
        self.page.wait_for_function(
            "words => document.querySelector('[data-open]') && document.querySelector('.middle')?.innerText.includes(words)",
            arg=words,
        )

    def press(self, words: str) -> None:
        self.page.get_by_role("button", name=words, exact=True).click()

    def take(self, words: str) -> None:
        self.page.get_by_role("radio", name=words, exact=True).click()
        self.press("Continue")

    def hear(self, title: str) -> None:
        """Play a clip to its end."""
        self.at(title)
        self.press("Play")
        self.page.get_by_role("button", name="Listen again").wait_for()
        self.at(title)
        self.press("Continue")
