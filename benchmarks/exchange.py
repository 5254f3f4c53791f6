"""What goes in and out of the database: 20,000 generated rows of surveys, each read back from every export; and 5,000 sessions, timed.

The rows are made with what each has to come to (`tests.experiment.data.generated`): half of them are good, the others bent in
one of nineteen ways. A row reaches the database or is listed; what reached it is compared answer by answer, and so is every export.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ROWS = 20_000
SESSIONS = 5_000


def imported(store: Any, folder: Path, rows: int = ROWS, each: int = 500, seed: int = 0) -> dict[str, Any]:
    """Import generated files; `wrong` names rows that came to something else than they had to."""
    from experiment.config import ImportConfig
    from experiment.data.exports.write import export, formats
    from experiment.data.imports import import_psytoolkit
    from tastelab.study import load_study
    from tests.experiment.data.generated import LABELS, Made, file_of, leaves, lines, read_back

    rng = random.Random(seed)
    config = load_study(ROOT / "study.toml").experiment
    config = config.model_copy(update={"psytoolkit": ImportConfig(labels=LABELS, language="en")})
    study_id = store.ensure_study("generated", "Generated", {"experiment": config.model_dump(mode="json")})
    made: list[Made] = []
    wrong: list[str] = []
    listed = 0
    ways: Counter[str] = Counter()
    path = folder / "survey.csv"
    began = time.monotonic()
    for first in range(0, rows, each):
        part = list(lines(rng, min(each, rows - first), first))
        ways.update(m.how for m in part)
        path.write_text(file_of(rng, part), encoding="utf-8", newline="")
        report = import_psytoolkit(store, study_id, config, path)
        told = dict(report.skipped)
        listed += len(told)
        for line, m in enumerate(part, start=2):
            if (m.stored is None) != (line in told):
                wrong.append(f"{m.how}: {told.get(line, 'imported')}")
        made += part
    seconds = time.monotonic() - began
    good = [m.stored for m in made if m.stored is not None]
    there = _stored(store, study_id)
    wrong += [f"{a} != {b}" for a, b in zip(good, there, strict=False) if a != b]
    if len(good) != len(there):
        wrong.append(f"{len(there)} people for {len(good)} rows")
    equal = {}
    for kind in formats():
        out, _ = export(store, "generated", kind, folder / "export")
        back = read_back(out, kind, "generated")
        # BIDS has a file a block: their order within a person is not told.
        in_order = sorted if kind == "bids" else list
        equal[kind] = sum(in_order(leaves(g)) == in_order(back.get(k, [])) for k, g in enumerate(good, start=1))
    return {
        "rows": len(made),
        "reached": len(good),
        "listed": listed,
        "share_that_reached": round(len(good) / len(made), 3),
        "wrong": wrong[:20],
        "ways": dict(sorted(ways.items())),
        "exports_equal": equal,
        "import_seconds": round(seconds, 1),
    }


def _stored(store: Any, study_id: int) -> list[list[Any]]:
    """Every answer by session, past all code of ours but the tables."""
    from sqlalchemy import select

    from experiment.data.tables import Response, SessionRow, Stimulus, Trial

    with store.engine.connect() as c:
        clips = {i: name for i, name in c.execute(select(Stimulus.id, Stimulus.clip))}
        query = (
            select(
                Trial.session_id, Trial.block, Trial.taste, Trial.first_id, Trial.second_id, Response.item, Response.value,
                Response.choice,
            )
            .join(SessionRow, SessionRow.id == Trial.session_id)
            .join(Response, Response.trial_id == Trial.id)
            .where(SessionRow.study_id == study_id)
            .order_by(SessionRow.id, Trial.position, Response.id)
        )  # fmt: skip
        out: dict[int, list[Any]] = {}
        for session, block, taste, first, second, item, value, choice in c.execute(query):
            row = (block, taste, clips.get(first), clips.get(second), item, value, choice)
            out.setdefault(session, []).append(row)
    return list(out.values())


def survey(path: Path, people: int) -> None:
    """A good survey file of so many people."""
    from tests.experiment.data.generated import Made, file_of, lines

    rng = random.Random(7)
    good: list[Made] = []
    while len(good) < people:
        good += [m for m in lines(rng, people, len(good) * 10) if m.stored is not None and m.how == "as it is"]
    path.write_text(file_of(rng, good[:people]), encoding="utf-8", newline="")


def measure(what: str, folder: Path) -> dict[str, Any]:
    """One thing done to 5,000 people in this process: wall and processor seconds, peak memory over the start, size."""
    from experiment.config import ImportConfig
    from experiment.data.exports.write import export
    from experiment.data.imports import import_psytoolkit
    from experiment.data.queries import status_rows
    from experiment.data.store import Store
    from tastelab.study import load_study

    store = Store(f"sqlite:///{folder}/p.db")
    config = load_study(ROOT / "study.toml").experiment
    config = config.model_copy(update={"psytoolkit": ImportConfig(language="en")})
    study_id = store.ensure_study("many", "Many", {"experiment": config.model_dump(mode="json")})
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.monotonic(), time.process_time()
    size = 0
    if what == "import":
        n = import_psytoolkit(store, study_id, config, folder / "survey.csv").imported
    elif what == "status":
        n = len(status_rows(store, "many"))
    else:
        out, data = export(store, "many", what, folder / "out")
        n, size = data.answers, sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
    store.close()
    return {
        "n": n,
        "wall_seconds": round(time.monotonic() - wall, 1),
        "processor_seconds": round(time.process_time() - cpu, 1),
        "peak_mb_over_start": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) / 1024, 1),
        **({"megabytes": round(size / 1e6, 1)} if size else {}),
    }


def sizes(folder: Path, people: int = SESSIONS) -> dict[str, Any]:
    """Each thing in a process of its own."""
    survey(folder / "survey.csv", people)
    found = {}
    for what in ("import", "status", "csv", "psychds", "bids", "psychopy"):
        command = [sys.executable, "-m", "benchmarks.exchange", "--measure", what, str(folder)]
        found[what] = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    return found


def exchange() -> dict[str, Any]:
    """Both."""
    from experiment.data.store import Store

    with tempfile.TemporaryDirectory() as folder:
        timed = sizes(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/p.db")
        rows = imported(store, Path(folder))
        store.close()
    return {"of_5000_people": timed, "generated_rows": rows}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
    else:
        print(json.dumps(exchange(), indent=1))
