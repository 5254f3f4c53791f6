"""A browser whose server, line, page or time is taken away: is every acknowledged answer stored once, does the session end complete.

Real Chromium and the default study (a server in a process of its own, SQLite), answered with mouse and keys. The server is killed (SIGKILL) and started
again at random moments, `KILLS` of them; the line is cut at every screen and comes back; the page is loaded anew at every screen; the session is taken over
by another window at every fifth answer; an hour passes on the browser's clock, and since the server's last sign of life, at every tenth.
What was acknowledged is what the page got an answer of 200 to; each of it is looked for in the database by its time and value.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.browsing import NEW, Server, Somebody, chromium

KILLS = 30
UP = (0.1, 10.0)  # s that a server is there before it is killed: a browser asks again every 8 s at the latest


class Killer(threading.Thread):
    """Kills a server at random moments and starts it again, until it has done so often enough or is told to end."""

    def __init__(self, server: Server, most: int, random: Random):
        super().__init__(daemon=True)
        self.server, self.most, self.random = server, most, random
        self.kills, self.over = 0, threading.Event()

    def run(self) -> None:
        """From one kill to the next; a server may be killed while it starts, too."""
        while self.kills < self.most and not self.over.wait(self.random.uniform(*UP)):
            self.server.kill()
            self.kills += 1
            self.over.wait(self.random.uniform(0.0, 1.0))
            self.server.start()
            self.server.wait()


def stored(url: str) -> list[dict[str, Any]]:
    """Sessions: how each ended, how many windows it had, what answers are stored, by time and value."""
    from sqlalchemy import select

    from experiment.data.store import Store
    from experiment.data.tables import Response, SessionRow, Trial

    store = Store(url, new=False)
    found = []
    with store.transaction() as s:
        for row in s.scalars(select(SessionRow).order_by(SessionRow.id)):
            rows = s.execute(
                select(Response.response_time, Response.value, Response.trial_id, Response.item)
                .join(Trial, Trial.id == Response.trial_id)
                .where(Trial.session_id == row.id)
            ).all()
            found.append({
                "status": row.status, "sitting": row.sitting, "answers": [(t, v) for t, v, _, _ in rows],
                "twice": len(rows) - len({(trial, item) for _, _, trial, item in rows}),
            })  # fmt: skip
    store.close()
    return found


def told(url: str, people: list[Somebody]) -> dict[str, Any]:
    """Sums over sessions, each beside what its browser was told is stored."""
    rows = stored(url)
    out = Counter[str]()
    for row, who in zip(rows, people, strict=True):
        noted, there = Counter(who.answers()), Counter(row["answers"])
        out["acknowledged"] += sum(noted.values())
        out["acknowledged_but_not_stored"] += sum((noted - there).values())
        out["stored_but_not_acknowledged"] += sum((there - noted).values())
        out["stored_twice"] += row["twice"]
        out["errors_of_scripts"] += len(who.wrong)
    ended = Counter(row["status"] for row in rows)
    return {"sessions": len(rows), "complete": ended["complete"], "sittings": [row["sitting"] for row in rows], **out}


def person(context: Any, address: str, seed: int) -> Somebody:
    """Somebody on the first screen."""
    page = context.new_page()
    somebody = Somebody(page, seed)
    page.goto(address)
    return somebody


def killed(browser: Any, server: Server, kills: int) -> dict[str, Any]:
    """Sessions, one after the other, until the server was killed so often."""
    done = 0
    people: list[Somebody] = []
    while done < kills:
        server.wait()
        context = browser.new_context(viewport={"width": 900, "height": 700}, locale="en-GB")
        people.append(person(context, server.address, len(people)))
        killer = Killer(server, kills - done, Random(len(people)))
        killer.start()
        try:
            people[-1].run()
        except Exception:
            print(
                done + killer.kills, people[-1].page.inner_text("body"), people[-1].wrong, flush=True
            )  # where it stands
            raise
        finally:
            killer.over.set()
            killer.join()
        done += killer.kills
        context.close()
    return {"kills": done, **told(server.url, people)}


class Disturbed:
    """One session; what is done to it before a screen is answered, and after."""

    def __init__(self, browser: Any, server: Server, clock: bool = False):
        server.wait()
        self.server = server
        self.context = browser.new_context(viewport={"width": 900, "height": 700}, locale="en-GB")
        if clock:
            self.context.clock.install()
        self.who = person(self.context, server.address, 7)
        self.screens = self.times = 0

    def run(self) -> dict[str, Any]:
        """To its end."""
        self.who.run(self.counted, self.after)
        self.context.close()
        return {"screens": self.screens, "times": self.times, **told(self.server.url, [self.who])}

    def counted(self, seen: dict[str, Any]) -> dict[str, Any]:
        """Nothing is done to the first screen: there is no session yet."""
        self.screens += 1
        return seen if seen["kind"] == "welcome" else self.before(seen)

    def before(self, seen: dict[str, Any]) -> dict[str, Any]:
        """A screen can be answered."""
        return seen

    def after(self, seen: dict[str, Any]) -> dict[str, Any]:
        """It was answered."""
        return seen


class Cut(Disturbed):
    """The line is cut while a screen is looked at, and comes back once the answer waits, or another screen is there that needs no answer."""

    def before(self, seen: dict[str, Any]) -> dict[str, Any]:
        self.context.set_offline(True)
        return seen

    def after(self, seen: dict[str, Any]) -> dict[str, Any]:
        self.who.page.wait_for_function(f"() => !document.getElementById('line').hidden || ({NEW})()")
        self.times += int(self.who.page.evaluate("!document.getElementById('line').hidden"))
        self.context.set_offline(False)
        return seen


class Reloaded(Disturbed):
    """Every screen is loaded anew when it can be answered, while a clip plays, too; of a trial that then begins anew no screen twice."""

    seen: set[str] | None = None

    def before(self, seen: dict[str, Any]) -> dict[str, Any]:
        self.seen = self.seen or set()
        which = json.dumps([len(self.who.noted), seen], sort_keys=True)
        if which in self.seen:
            return seen
        self.seen.add(which)
        self.times += 1
        self.who.page.reload()
        return self.who.look()


class Moved(Disturbed):
    """At every fifth answer the session is opened in another window, and taken over there; the one before stays open until the next time.

    A trial that is taken over begins anew: by screens it would never end.
    """

    last: Any = None
    at = 0

    def before(self, seen: dict[str, Any]) -> dict[str, Any]:
        if len(self.who.noted) < self.at + 5:
            return seen
        self.at = len(self.who.noted)
        self.times += 1
        if self.last is not None:
            self.last.close()
        self.last = self.who.page
        self.who.sit(self.context.new_page())
        self.who.page.goto(self.server.address)
        there = self.who.look()
        assert there["kind"] == "elsewhere", there
        self.who.act(there)
        return self.who.look()


class Slept(Disturbed):
    """An hour passes at every tenth screen, on the browser's clock and since the server had a sign of life."""

    def before(self, seen: dict[str, Any]) -> dict[str, Any]:
        if self.screens % 10:
            return seen
        self.times += 1
        aged(self.server.url, 1.0)
        self.context.clock.fast_forward(3_600_000)
        return seen


def aged(url: str, hours: float) -> None:
    """What the server knows of windows is older by so much."""
    from datetime import timedelta

    from sqlalchemy import select

    from experiment.data.store import Store
    from experiment.data.tables import SessionRow

    store = Store(url, new=False)
    with store.transaction() as s:
        for row in s.scalars(select(SessionRow)):
            if row.alive_at is not None:
                row.alive_at -= timedelta(hours=hours)
    store.close()


WAYS: dict[str, type[Disturbed]] = {
    "the line cut at every screen": Cut, "every screen loaded anew": Reloaded, "taken over by another window": Moved, "an hour's sleep": Slept,
}  # fmt: skip


def restarts(kills: int = KILLS) -> dict[str, Any]:
    """The server killed and started again at random moments."""
    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            return {**killed(browser, server, kills), "chromium": browser.version}
        finally:
            server.close()


def outages(ways: tuple[str, ...] = tuple(WAYS)) -> dict[str, Any]:
    """Everything else that is taken away from a browser, one session each."""
    out: dict[str, Any] = {}
    with chromium() as browser:
        for name in ways:
            with tempfile.TemporaryDirectory() as folder:
                server = Server(Path(folder))
                try:
                    out[name] = WAYS[name](browser, server, clock=WAYS[name] is Slept).run()
                finally:
                    server.close()
            print(name, json.dumps(out[name]), flush=True)
        out["chromium"] = browser.version
    return out


if __name__ == "__main__":
    print(json.dumps(restarts(int(sys.argv[1])) if sys.argv[1].isdigit() else outages(tuple(sys.argv[1:])), indent=1))
