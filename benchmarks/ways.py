"""Whole sessions in a real Chromium in each language that ships and one from the right, by mouse, by finger and by keyboard alone; and each end.

A study with every kind of step and question (`benchmarks.allkinds`), on a phone by finger and on a laptop otherwise. What was acknowledged is
held against what is stored, what was asked against what is answered; then somebody refuses, is too young, does not pass the headphone
test, comes when the study is full, and withdraws on the last page.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.browsing import Somebody, chromium

LANGUAGES = {"en": "en-GB", "it": "it-IT", "ar": "ar-EG"}
PHONE, LAPTOP = {"width": 390, "height": 844}, {"width": 1366, "height": 768}
TABS = 120  # presses of Tab, after which something can't be reached


class ByMouse(Somebody):
    """Never touches a key."""

    def says_yes(self) -> None:
        self.press(self.page.locator("dialog button").first)

    def slides(self) -> None:
        box = self.page.locator("[role=slider]").bounding_box()
        self.point(box["x"] + self.random.uniform(0.05, 0.95) * box["width"], box["y"] + box["height"] / 2)

    def counts(self, number: int) -> None:
        for digit in str(number):
            self.press(self.page.locator(".pad").get_by_role("button", name=self.digit(digit), exact=True))
        self.goes_on()

    def digit(self, digit: str) -> str:
        """What stands on a digit's button."""
        return digit

    def point(self, x: float, y: float) -> None:
        """Press somewhere."""
        self.page.mouse.click(x, y)


class ByFinger(ByMouse):
    """Taps, on a screen that is touched."""

    def press(self, node: Any) -> None:
        node.scroll_into_view_if_needed()
        node.tap()

    def point(self, x: float, y: float) -> None:
        self.page.touchscreen.tap(x, y)


class ByKeys(Somebody):
    """Has a keyboard and nothing else: what is to be pressed is gone to with Tab."""

    def press(self, node: Any) -> None:
        for _ in range(TABS):
            if node.evaluate("node => node === document.activeElement"):
                self.page.keyboard.press(" ")
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {node}")


HANDS: dict[str, type[Somebody]] = {"mouse": ByMouse, "finger": ByFinger, "keyboard": ByKeys}


class Refusing(ByMouse):
    """Does not take part."""

    chooses = ("decline", "yes", "next", "play")


class Young(ByMouse):
    """Says twelve, and that it is right."""

    def counts(self, number: int) -> None:
        super().counts(12)


class Guessing(ByMouse):
    """Goes on, whatever a headphone test says, as long as there is a way."""


class Leaving(ByMouse):
    """Withdraws once all is answered."""

    def run(self, *around: Any) -> None:
        super().run(*around)
        self.press(self.page.locator("button.withdraw"))
        self.page.locator("dialog").wait_for()
        self.page.wait_for_timeout(330)
        self.says_yes()
        self.page.wait_for_function("() => !document.querySelector('dialog[open], button.withdraw')")


def told(prepared: Any, who: Somebody) -> dict[str, Any]:
    """What is stored of the last session, beside what its browser was told is stored."""
    from collections import Counter

    from sqlalchemy import select

    from experiment import answering
    from experiment.data.tables import Participant, Response, SessionRow, Trial

    with prepared.store.transaction() as s:
        row = s.scalars(select(SessionRow).order_by(SessionRow.id.desc())).first()
        if row is None:
            return {"outcome": None, "acknowledged": len(who.answers()), "stored": 0}
        person = s.get(Participant, row.participant_id)
        stored = answering.read(prepared.store, row.id)  # who said no to special categories is not asked about them
        waiting = sum(len(stored.open(trial)) for trial in stored.plan)
        given = s.execute(
            select(Response.trial_id, Response.item, Response.response_time, Response.value)
            .join(Trial, Trial.id == Response.trial_id)
            .where(Trial.session_id == row.id)
        ).all()
        noted, there = Counter(who.answers()), Counter((t, v) for _, _, t, v in given)
        return {
            "outcome": row.status, "withdrawn": bool(person and person.withdrawn_at), "language": row.language, "windows": row.sitting,
            "acknowledged": sum(noted.values()), "stored": len(given), "asked_and_not_answered": waiting,
            "not_as_acknowledged": sum((noted - there).values()) + sum((there - noted).values()), "errors_of_scripts": len(who.wrong),
        }  # fmt: skip


@contextmanager
def served(folder: Path, language: str, **more: Any) -> Iterator[tuple[Any, str]]:
    """The study at a link."""
    from benchmarks.allkinds import entered
    from tests.web.conftest import serving

    prepared = entered(folder, language, **more)
    with serving(prepared) as (address, _):
        yield prepared, address
    prepared.store.close()


def session(
    browser: Any, language: str, kind: type[Somebody], seed: int, before: int = 0, **more: Any
) -> dict[str, Any]:
    """One session, after so many others by mouse."""
    finger = issubclass(kind, ByFinger)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), language, **more) as (prepared, address):
        for k, hand in enumerate([ByMouse] * before + [kind]):
            context = browser.new_context(
                viewport=PHONE if finger else LAPTOP, has_touch=finger, is_mobile=finger, locale=LANGUAGES[language]
            )
            who = hand(context.new_page(), seed + k)
            who.page.goto(address)
            who.run()
            shown = {
                "rtl": who.page.evaluate("document.documentElement.dir") == "rtl", "last": who.page.locator("h1").first.inner_text(),
            }  # fmt: skip
            context.close()
        return told(prepared, who) | shown


ENDS: dict[str, tuple[type[Somebody], int, dict[str, Any]]] = {
    "refused": (Refusing, 0, {}),
    "too young": (Young, 0, {}),
    "screened out": (Guessing, 0, {"headphones_required": True}),
    "full": (ByMouse, 1, {"target": 1}),
    "withdrawn": (Leaving, 0, {}),
}  # fmt: skip


def ways() -> dict[str, Any]:
    """All of it."""
    out: dict[str, Any] = {"sessions": {}, "ends": {}}
    with chromium() as browser:
        for n, language in enumerate(LANGUAGES):
            for k, (hand, kind) in enumerate(HANDS.items()):
                out["sessions"][f"{language}, {hand}"] = session(browser, language, kind, 10 * n + k)
                print(
                    language, hand, json.dumps(out["sessions"][f"{language}, {hand}"], ensure_ascii=False), flush=True
                )
        for name, (kind, before, more) in ENDS.items():
            out["ends"][name] = session(browser, "en", kind, 100, before, **more)
            print(name, json.dumps(out["ends"][name]), flush=True)
        out["chromium"] = browser.version
    rows = out["sessions"].values()
    out["complete"] = sum(r["outcome"] == "complete" for r in rows)
    for name in ("acknowledged", "not_as_acknowledged", "asked_and_not_answered", "errors_of_scripts"):
        out[name] = sum(r[name] for r in rows)
    return out


if __name__ == "__main__":
    with chromium() as browser:
        print(json.dumps(session(browser, sys.argv[1], HANDS[sys.argv[2]], 1), indent=1, ensure_ascii=False))
