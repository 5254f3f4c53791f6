"""Many simulated people at a link at once: is every acknowledged answer stored once, how long do they wait, what does it take.

The default study, over HTTP, each person on a connection of their own, each clip fetched whole (2 s of 24-bit stereo, about what 10 s of
the models' mono come to). At full speed nobody listens or thinks: each message follows the last one's answer. One server is killed in the
middle and started again; a message without an answer is sent again, as a browser does. At a person's pace each message comes `PACE`
seconds after the last (a session of about 65 messages takes about nine minutes); of that a window is measured, since all of it would
take as long. People and servers share one computer: what people cost is no part of `cpu`, and is in the waiting.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PACE = 8.0  # s between two messages of a person
WINDOW = 90.0  # s that are measured at a person's pace


def serve(url: str, port: int, folder: str) -> None:
    """One server, until it is ended."""
    from experiment.web.serving import serve as run
    from experiment.web.site import Site
    from tests.experiment.web.visitor import KEY

    prepared = entered(url, Path(folder))
    site = Site(prepared, KEY, "person", f"http://127.0.0.1:{port}")
    try:
        run(site, "127.0.0.1", port)
    finally:
        site.close()


def entered(url: str, folder: Path) -> Any:
    """The default study with files for its clips; they are made once."""
    from experiment.data.store import Store
    from experiment.launch import Prepared
    from tastelab.study import load_study
    from tests.experiment.web.crawling import sounding

    study = load_study(ROOT / "study.toml")
    store = Store(url)
    number = store.ensure_study("s", "S", {"experiment": study.experiment.model_dump(mode="json")})
    rows = [
        {"clip": f"{t.name}-{m}-{n}", "taste": t.name, "model": m, "number": n, "path": None, "sha256": f"{n:064d}"}
        for t in study.stimuli.tastes
        for m in study.models.names
        for n in range(5)
    ]
    if not (folder / "made").exists():
        prepared = Prepared(store, number, study.experiment, store.ensure_stimuli(number, rows))
        sounding(folder, prepared, 2.0)
        (folder / "made").touch()
        return prepared
    from sqlalchemy import select

    from experiment.data.tables import Stimulus

    with store.transaction() as s:
        there = list(s.scalars(select(Stimulus).where(Stimulus.study_id == number).order_by(Stimulus.id)))
    assert len(there) == len(rows)
    return Prepared(store, number, study.experiment, there)


def free(n: int) -> list[int]:
    """Ports that nobody listens at."""
    with ExitStack() as held:
        some = [held.enter_context(socket.socket()) for _ in range(n)]
        for one in some:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in some]


class Connection:
    """One keep-alive connection to one of some servers; a server that is away is asked again, or another one."""

    def __init__(self, ports: list[int]):
        self.ports, self.cookie = ports, ""
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, address: str, message: Any = None) -> tuple[int, bytes]:
        """Send until it is answered."""
        body = b"" if message is None else json.dumps(message).encode()
        head = f"{method} {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/json\r\n" if body else ""
        while True:
            try:
                if self.writer is None:
                    self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.ports[0])
                assert self.reader is not None
                own = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
                self.writer.write(f"{head}{own}\r\n".encode() + body)
                said = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                fields = dict(x.split(": ", 1) for x in said.split("\r\n")[1:] if ": " in x)
                found = await self.reader.readexactly(int(fields.get("content-length", 0)))
                self.cookie = fields.get("set-cookie", self.cookie).split(";")[0]
                status = int(said.split(" ", 2)[1])
                if status < 429:
                    return status, found
                await asyncio.sleep(0.5)
            except (OSError, asyncio.IncompleteReadError):
                self.writer = None
                self.ports = self.ports[1:] + self.ports[:1]
                await asyncio.sleep(0.5)


class Somebody:
    """One simulated person; `noted` holds the answers that were acknowledged, each with a time of its own."""

    def __init__(self, number: int, ports: list[int], pace: float, until: float, most: int | None):
        self.number, self.pace, self.until, self.most = number, pace, until, most
        self.random = Random(number)
        self.connection = Connection(ports)
        self.noted: list[float] = []
        self.waited: list[float] = []
        self.sounds: list[float] = []
        self.complete = False
        self._given: list[float] = []

    async def run(self) -> None:
        """A session, or as much of it as there is time for."""
        tab = secrets.token_hex(16)
        if self.pace:
            await asyncio.sleep(self.random.uniform(0, min(30.0, self.until - time.monotonic())))
        _, told = await self.connection.ask(
            "POST", "/api/open", {"tab": tab, "begin": secrets.token_hex(16), "language": "en"}
        )
        screen = json.loads(told)
        n = 0
        while "step" in screen and time.monotonic() < self.until and n != self.most:
            self._given = []
            for clip in screen.get("clips", []) if screen["kind"] == "listen" else []:
                began = time.monotonic()
                status, sound = await self.connection.ask("GET", clip["sound"])
                assert status == 200
                assert len(sound) > 1000
                self.sounds.append(time.monotonic() - began)
            if self.pace:
                await asyncio.sleep(self.pace * self.random.uniform(0.5, 1.5))
            message = {
                "tab": tab,
                "step": screen["step"],
                "turn": screen["turn"],
                "at": float(n),
                "did": self.does(screen),
            }
            began = time.monotonic()
            status, told = await self.connection.ask("POST", "/api/did", message)
            assert status == 200, told
            self.waited.append(time.monotonic() - began)
            self.noted += self._given
            screen, n = json.loads(told), n + 1
        self.complete = screen.get("kind") == "over"

    def does(self, screen: dict[str, Any]) -> dict[str, Any]:
        """What is done on a screen, from what stands on it."""
        from tests.experiment.web.visitor import played

        match screen["kind"]:
            case "consent":
                return {"takes_part": True, "special": True}
            case "soundcheck":
                return {"plays": 1}
            case "listen":
                return {"records": [played(k, c["seconds"]) for k, c in enumerate(screen["clips"])]}
            case "ask":
                return {"answer": self.answer(screen["question"])}
            case "form":
                return {"answers": [self.answer(q) for q in screen["questions"]]}
        return {}

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Anything that is offered, after a time that no other answer took."""
        took = self.number * 1000.0 + len(self.noted) + len(self._given) + 1
        self._given.append(took)
        if question["kind"] == "choice":
            return {"chosen": [self.random.randrange(len(question["options"]))], "response_time": took}
        low = max(question["low"], 30 if question["kind"] == "number" else question["low"])
        return {
            "value": float(self.random.randint(low, question["high"])),
            "response_time": took,
            "interaction": {"moves": 1},
        }


class Servers:
    """Processes on one database, and what they take."""

    def __init__(self, url: str, ports: list[int], folder: Path):
        self.url, self.ports, self.folder = url, ports, folder
        entered(url, folder).store.close()
        self.running = {port: self.start(port) for port in ports}
        self.spent = 0.0
        self.largest = 0

    def start(self, port: int) -> subprocess.Popen[bytes]:
        """Start one."""
        command = [sys.executable, "-m", "benchmarks.crowd", "--serve", self.url, str(port), str(self.folder)]
        return subprocess.Popen(command, cwd=ROOT)

    async def look(self, kill_after: float | None, people: list[Somebody]) -> None:
        """Watch memory, and kill one server when so much of all was done."""
        import psutil

        while True:
            await asyncio.sleep(0.5)
            for process in self.running.values():
                if process.poll() is None:
                    self.largest = max(self.largest, psutil.Process(process.pid).memory_info().rss)
            if kill_after is not None and sum(len(p.noted) for p in people) > kill_after * 49 * len(people):
                kill_after, port = None, self.ports[0]
                self.spent += sum(psutil.Process(self.running[port].pid).cpu_times()[:2])
                self.running[port].kill()
                self.running[port].wait()
                self.running[port] = self.start(port)

    def close(self) -> None:
        """End them."""
        import psutil

        for process in self.running.values():
            if process.poll() is None:
                self.spent += sum(psutil.Process(process.pid).cpu_times()[:2])
            process.terminate()
            process.wait()


def run(
    url: str, people: int, servers: int = 1, pace: float = 0.0, window: float = 3600.0, kill: bool = False, most: int | None = None
) -> dict[str, Any]:  # fmt: skip
    """So many people at so many servers; what was acknowledged is looked for in the database."""
    with tempfile.TemporaryDirectory() as folder:
        ports = free(servers)
        them = Servers(url, ports, Path(folder))
        try:
            crowd, seconds = asyncio.run(_all(them, people, ports, pace, window, 0.4 if kill else None, most))
        finally:
            them.close()
        return _found(url, crowd, seconds, them) | {"servers": servers, "killed": int(kill)}


async def _all(
    them: Servers, people: int, ports: list[int], pace: float, window: float, kill_after: float | None, most: int | None
) -> tuple[list[Somebody], float]:
    import psutil

    first = Connection(ports)
    for port in ports:
        first.ports, first.writer = [port], None
        await first.ask("GET", "/")
    before = {p: sum(psutil.Process(x.pid).cpu_times()[:2]) for p, x in them.running.items()}
    them.spent -= sum(before.values())
    began = time.monotonic()
    crowd = [
        Somebody(k, ports[k % len(ports) :] + ports[: k % len(ports)], pace, began + window, most)
        for k in range(people)
    ]
    watching = asyncio.create_task(them.look(kill_after, crowd))
    await asyncio.gather(*(p.run() for p in crowd))
    watching.cancel()
    return crowd, time.monotonic() - began


def _found(url: str, crowd: list[Somebody], seconds: float, them: Servers) -> dict[str, Any]:
    from sqlalchemy import select

    from experiment.data.store import Store
    from experiment.data.tables import Response, SessionRow, Trial

    store = Store(url, new=False)
    with store.transaction() as s:
        stored: Counter[Any] = Counter(s.scalars(select(Response.response_time)))
        pairs = [tuple(x) for x in s.execute(select(Response.trial_id, Response.item))]
        rows = s.execute(select(SessionRow.design_row, SessionRow.status)).all()
        whole = select(SessionRow.id).where(SessionRow.status == "complete")
        heard = Counter(
            i
            for pair in s.execute(select(Trial.first_id, Trial.second_id).where(Trial.session_id.in_(whole)))
            for i in pair
            if i
        )
    store.close()
    noted: Counter[Any] = Counter(x for p in crowd for x in p.noted)
    waited = np.array([x for p in crowd for x in p.waited])
    sounds = np.array([x for p in crowd for x in p.sounds] or [0.0])
    return {
        "people": len(crowd),
        "complete": sum(p.complete for p in crowd),
        "messages": len(waited),
        "acknowledged": sum(noted.values()),
        "acknowledged_but_not_stored": sum((noted - stored).values()),
        "stored_twice": sum(n - 1 for n in Counter(pairs).values()) + sum(n - 1 for n in stored.values()),
        "design_rows_twice": len(rows) - len({row for row, _ in rows}),
        "a_clip_heard_fewest_and_most": [min(heard.values()), max(heard.values())] if heard else None,
        "seconds": round(seconds, 1),
        "messages_per_second": round(len(waited) / seconds, 1),
        "wait_s": {f"p{q}": round(float(np.percentile(waited, q)), 4) for q in (50, 90, 99)} | {"most": round(float(waited.max()), 3)},
        "sound_s": {f"p{q}": round(float(np.percentile(sounds, q)), 4) for q in (50, 99)},
        "cpu_ms_per_message": round(1000 * them.spent / len(waited), 2),
        "memory_mb": round(them.largest / 1e6),
    }  # fmt: skip


def growth(make: Any) -> dict[str, Any]:
    """How the waiting grows with people at full speed: each sends fifteen messages; a line through the medians."""
    some = {n: run(make(f"growth{n}"), n, most=15) for n in (25, 50, 100, 200)}
    slope, base = np.polyfit(list(some), [x["wait_s"]["p50"] for x in some.values()], 1)
    return {
        "p50_s": {str(n): x["wait_s"]["p50"] for n, x in some.items()},
        "messages_per_second": {str(n): x["messages_per_second"] for n, x in some.items()},
        "s_per_person": round(float(slope), 5),
        "s_at_none": round(float(base), 4),
    }


def in_an_hour(found: dict[str, Any], people: int = 10_000) -> dict[str, Any]:
    """What so many sessions in an hour need, by arithmetic from what one message took; clips of half a megabyte."""
    a_person = found["messages"] / max(1, found["people"])
    each = people * a_person / 3600
    return {
        "messages_per_second": round(each, 1),
        "cores": round(each * found["cpu_ms_per_message"] / 1000, 2),
        "clips_per_second": round(people * 13 / 3600, 1),
        "megabytes_per_second": round(people * 13 / 3600 * 0.5, 1),
    }


def crowd(people: int = 200, at_pace: int = 1000) -> dict[str, Any]:
    """SQLite under one server, PostgreSQL under four where it is installed."""
    with tempfile.TemporaryDirectory() as folder:

        def sqlite(name: str) -> str:
            return f"sqlite:///{folder}/{name}.db"

        found: dict[str, Any] = {"sqlite, full speed, a server killed": run(sqlite("full"), people, kill=True)}
        found["sqlite, a person's pace"] = run(sqlite("pace"), at_pace, pace=PACE, window=WINDOW)
        found["growth, sqlite"] = growth(sqlite)
    try:
        from tests.postgres import Postgres

        server = Postgres()
    except RuntimeError:
        server = None
    if server is not None:
        try:
            found["postgresql, four servers, full speed, one killed"] = run(
                server.database("full"), people, 4, kill=True
            )
        finally:
            server.close()
    found["10,000 in an hour"] = in_an_hour(found["sqlite, full speed, a server killed"])
    found["pace_s"], found["window_s"] = PACE, WINDOW
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        print(json.dumps(crowd(*map(int, sys.argv[1:])), indent=1))
