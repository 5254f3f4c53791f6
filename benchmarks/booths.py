"""Booths as processes on one database, with random kills and a server restart: is every acknowledged answer stored once?

Each booth runs simulated participants at full speed through the session engine, and notes on its own disk every answer
that the database acknowledged. A killed booth starts again and goes on with its participant. At the end the notes are
compared with the database, and the design's cells are counted. That the comparison would find a lost answer is tried with a
store that acknowledges one answer in 500 without writing it: all of them have to be found, and nothing else.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIE_EVERY = 500
TASTES = ("bitter", "salty", "sour", "sweet")


def prepared(url: str) -> Any:
    """The default study on clips that bots need not hear."""
    from experiment.data.store import Store
    from experiment.launch import Prepared
    from tastelab.study import load_study

    config = load_study(ROOT / "study.toml").experiment
    store = Store(url)
    study_id = store.ensure_study("booths", "Booths", {"experiment": config.model_dump(mode="json")})
    models = [(t, m, n) for t in TASTES for m in ("base", "finetuned") for n in range(5)]
    rows = [
        {"clip": f"{t}-{m}-{n}", "taste": t, "model": m, "number": n, "path": None, "sha256": "0" * 64}
        for t, m, n in models
    ]
    return Prepared(store, study_id, config, store.ensure_stimuli(study_id, rows))


def lying(store: Any, every: int, lies: Path) -> None:
    """Let a store acknowledge about one answer in `every` without writing it; what was lost so is noted in `lies`."""
    from sqlalchemy import event

    from experiment.data.tables import Response

    chance = random.Random(time.time_ns())
    honest = store.transaction

    @contextmanager
    def transaction() -> Iterator[Any]:
        with honest() as s:
            lost: list[list[Any]] = []

            def flushed(session: Any, _: Any) -> None:
                new = [x for x in session.new if isinstance(x, Response)]
                lost.extend([x.trial_id, x.item, x.value, x.choice, x.response_time] for x in new)

            event.listen(s, "after_flush", flushed)
            yield s
            s.flush()
            if lost and chance.randrange(every) == 0:
                s.rollback()
                with lies.open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps(one) + "\n" for one in lost)

    store.transaction = transaction


def booth(url: str, name: str, sessions: int, notes: Path, lie_every: int = 0) -> None:
    """Run `sessions` participants one after the other; an unfinished one first."""
    import numpy as np

    from experiment import launch
    from experiment.bots.bots import Bot
    from experiment.bots.effects import load_effects
    from experiment.data.tables import Trial
    from experiment.errors import ExperimentError
    from experiment.question import Answer, Question
    from experiment.session import run_session

    ready = prepared(url)
    if lie_every:
        lying(ready.store, lie_every, notes.with_suffix(".lies"))
    effects = load_effects()

    class Noting(Bot):
        asked: tuple[int, str, Answer] | None = None

        def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer:
            answer = super().ask(question, trial, progress)
            self.asked = (trial.id, question.item, answer)
            return answer

    with notes.open("a", buffering=1, encoding="utf-8") as file:
        for k in range(sessions):
            code = f"{name}-{k}"
            try:
                session, _ = launch.resume(ready, code)
            except ExperimentError as error:
                if "is complete" in str(error):
                    continue
                session = launch.begin(ready, code, "bot", "en", name)
            # A new person each time: what was answered before a kill must stand, not be given again.
            bot = Noting(ready.config, effects, np.random.default_rng([k, time.time_ns() % 2**32]), 0)

            def acknowledged(_: str, bot: Noting = bot) -> None:
                assert bot.asked is not None
                trial, item, answer = bot.asked
                file.write(json.dumps([trial, item, answer.value, answer.choice, answer.response_time]) + "\n")

            run_session(ready.store, session, ready.config, bot, acknowledged)
    ready.store.close()


def run(
    url: str,
    booths: int,
    sessions: int,
    kills: int,
    restart: Any = None,
    seed: int = 0,
    limit: float = 1200,
    lie_every: int = 0,
) -> dict[str, Any]:
    """Run all booths, kill some of them and restart the server, until each has finished; returns what was counted.

    Parameters
    ----------
    restart : callable, optional
        Crashes the server and starts it again.
    lie_every : int
        One answer in so many is acknowledged and not written; 0: none.
    """
    from sqlalchemy import select

    from experiment.data.tables import Response, SessionRow, Trial

    chance = random.Random(seed)
    prepared(url).store.close()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        notes = {f"booth{i}": Path(folder) / f"booth{i}.jsonl" for i in range(booths)}

        def start(name: str) -> subprocess.Popen[bytes]:
            arguments = [
                "-m",
                "benchmarks.booths",
                "--booth",
                url,
                name,
                str(sessions),
                str(notes[name]),
                str(lie_every),
            ]
            return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stderr=subprocess.PIPE)

        running = {name: start(name) for name in notes}
        todo = sorted(chance.uniform(0.15, 0.9) for _ in range(kills))
        crash = 0.4 if restart else 2.0
        total = booths * sessions
        killed = restarts = 0
        failures: list[str] = []
        counting = prepared(url)
        while running and time.monotonic() - began < limit:
            time.sleep(0.05)
            for name, process in list(running.items()):
                if process.poll() is None:
                    continue
                del running[name]
                if process.returncode == -signal.SIGKILL:
                    running[name] = start(name)
                elif process.returncode != 0:
                    assert process.stderr is not None
                    failures.append(f"{name}: {process.stderr.read().decode()[-400:]}")
            done = counting.store.patiently(lambda: _complete(counting.store)) / total
            if todo and done >= todo[0] and running:
                todo.pop(0)
                running[chance.choice(sorted(running))].kill()
                killed += 1
            if done >= crash:
                crash = 2.0
                restart()
                restarts += 1
        seconds = time.monotonic() - began
        for process in running.values():
            process.kill()
        noted, lies = _noted(list(notes.values())), _noted([p.with_suffix(".lies") for p in notes.values()])
    with counting.store.transaction() as s:
        stored = Counter((r.trial_id, r.item, r.value, r.choice, r.response_time) for r in s.scalars(select(Response)))
        expected = sum(len(items) for items in s.scalars(select(Trial.items)))
        rows = s.execute(select(SessionRow.design_row, SessionRow.status)).all()
    counting.store.close()
    lost = noted - stored
    told = (
        {}
        if not lie_every
        else {
            "lies": sum(lies.values()),
            "lies_acknowledged": sum((lies & noted).values()),
            "lies_not_found": sum(((lies & noted) - lost).values()),
            "found_but_no_lie": sum((lost - lies).values()),
        }
    )
    cells = Counter(row % 16 for row, status in rows if status == "complete")
    return {
        "booths": booths,
        "sessions": len(rows),
        "complete": sum(status == "complete" for _, status in rows),
        "kills": killed,
        "server_restarts": restarts,
        "answers_planned": expected,
        "answers_stored": sum(stored.values()),
        "acknowledged_and_noted": sum(noted.values()),
        "acknowledged_but_not_stored": sum(lost.values()),
        "stored_twice": sum(n - 1 for n in Counter((t, i) for t, i, *_ in stored.elements()).values() if n > 1),
        "design_rows_twice": len(rows) - len({row for row, _ in rows}),
        "fewest_and_most_in_a_cell": [min(cells[c] for c in range(16)), max(cells[c] for c in range(16))],
        "seconds": round(seconds, 1),
        "answers_per_second": round(sum(stored.values()) / seconds, 1),
        "failures": failures,
        **told,
    }  # fmt: skip


def _noted(paths: list[Path]) -> Counter[tuple[Any, ...]]:
    """Answers by trial, item and what was answered, as booths noted them."""
    found: Counter[tuple[Any, ...]] = Counter()
    for path in paths:
        # The last line of a killed booth may be cut off: it was acknowledged, but its note is lost.
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                found[tuple(json.loads(line))] += 1
            except json.JSONDecodeError:
                continue
    return found


def _complete(store: Any) -> int:
    from sqlalchemy import func, select

    from experiment.data.tables import SessionRow

    with store.transaction() as s:
        return int(s.scalar(select(func.count()).select_from(SessionRow).where(SessionRow.status == "complete")) or 0)


def booths() -> dict[str, Any]:
    """32 booths on a PostgreSQL that crashes once, 8 on one SQLite file; with random kills; and both on a store that lies."""
    from tests.postgres import Postgres

    server = Postgres()

    def restart() -> None:
        server.stop("immediate")
        time.sleep(2)
        server.start()

    try:
        on_postgres = run(server.database("booths"), 32, 4, 24, restart)
        lied_to = {"postgresql": run(server.database("lies"), 32, 4, 24, restart, lie_every=LIE_EVERY)}
    finally:
        server.close()
    with tempfile.TemporaryDirectory() as folder:
        on_sqlite = run(f"sqlite:///{folder}/p.db", 8, 8, 16)
        lied_to["sqlite"] = run(f"sqlite:///{folder}/lies.db", 8, 8, 16, lie_every=LIE_EVERY)
    return {"postgresql": on_postgres, "sqlite": on_sqlite, "of_a_store_that_lies": lied_to}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--booth"]:
        booth(sys.argv[2], sys.argv[3], int(sys.argv[4]), Path(sys.argv[5]), int(sys.argv[6]))
    else:
        print(json.dumps(booths(), indent=1))
