"""How time and memory grow with clips, embeddings and sessions: each thing at several sizes, in processes of their own.

Processor seconds (so that a busy machine does not count) and the most memory that a process held over what it held when it
began; the exponent is the slope of a line through their logarithms, its error the line's, `last` the slope of the two largest sizes. Memory that grows by less than
`FLAT` megabytes over all sizes counts as flat. What writes thousands of small files is done three times and the least counts: what the
system takes for them differs by twice from run to run. Clips are tracks of two seconds, so that no network hides what the house does itself.

    python -m benchmarks.growth [SCALE]      SCALE 1 is the whole: 4,000 clips, 100,000 embeddings, 10,000 sessions
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CLIPS = (40, 400, 1200, 4000)
EMBEDDED = (1000, 10_000, 100_000)
SESSIONS = (100, 1000, 10_000)
RATE = 16_000
FIRST = 40  # clips or people of the small round
FLAT = 64.0  # MB
AGAIN = ("embeddings, kept",)  # measured three times
STEEP = 1.1  # an exponent over which something is to be mended


def _tracks(folder: Path, n: int) -> Any:
    """A folder of tracks of two seconds, and the study's tables of which they are the one condition."""
    import soundfile

    from models.conditions import Condition
    from tastelab.study import load_study
    from tests.conftest import write_small_study

    there, rng = folder / "tracks", np.random.default_rng(n)
    if not there.exists():
        there.mkdir()
        t = np.arange(2 * RATE + 100) / RATE
        for k in range(n):
            sound = (
                0.2 * np.sin(2 * np.pi * rng.uniform(100, 2000) * t) * (1 + np.sin(2 * np.pi * rng.uniform(1, 9) * t))
            )
            soundfile.write(there / f"track-{k:05d}.wav", sound, RATE)
        write_small_study(folder)
    study = load_study(folder / "study.toml")
    conditions = [Condition(name="film", tracks=there)]
    return study.model_copy(update={"models": study.models.model_copy(update={"conditions": conditions})})


def clips(n: int, folder: Path) -> dict[str, Callable[[], object]]:
    """What is done with the clips of a study."""
    from stimuli.describe import describe
    from stimuli.generate import generate
    from stimuli.manifest import read_manifest, verify, write_table
    from tastelab.cluster.heavy import heavy

    study, out = _tracks(folder, n), folder / "out"
    where = out / study.name / "stimuli"
    return {
        "taking clips": lambda: generate(study.stimuli, study.models, where),
        "taking them again: nothing is missing": lambda: generate(study.stimuli, study.models, where),
        "features": lambda: describe(where, "features", study.models),
        "verifying": lambda: verify(where),
        "reading the manifest": lambda: read_manifest(where),
        "the manifest as Parquet": lambda: write_table(where),
        "units that are done": lambda: (s := heavy("features", study, out)).done(s.units()),
        **_distances(where, out / study.name / "embeddings"),
    }


def _distances(where: Path, cache: Path) -> dict[str, Callable[[], object]]:
    """Of embeddings that no network made (60 frames a clip, 64 wide): kept one by one, in parts, and what a report does with them."""
    from analysis.sound.distances import analyse
    from analysis.sound.packed import keep, pack
    from stimuli.manifest import read_manifest

    def kept() -> None:
        for k, row in enumerate(read_manifest(where)):
            keep(cache / "codec", row.sha256, np.random.default_rng([2, k]).normal(size=(60, 64)).astype(np.float32))

    return {
        "embeddings, kept": kept,
        "embeddings, packed": lambda: pack(cache / "codec"),
        "distances of a report": lambda: analyse(read_manifest(where), where, ["codec"], "shipped", cache),
    }


def embedded(n: int, folder: Path) -> dict[str, Callable[[], object]]:
    """Distances of so many clips' embeddings (8 frames, 128 wide), drawn one by one and never held together."""
    from analysis.sound.fad import Moments, distance, each

    width, frames = 128, 8
    reference = Moments(width)
    for k in range(100):
        reference.add(np.random.default_rng([0, k]).normal(size=(frames, width)))

    def stream() -> float:
        found = Moments(width)
        for k in range(n):
            found.add(np.random.default_rng([1, k]).normal(0.1, 1, size=(frames, width)))
        return distance(found, reference)

    def alone() -> float:
        drawn = (np.random.default_rng([1, k]).normal(0.1, 1, size=(frames, width)) for k in range(n))
        return sum(each(drawn, reference))

    return {"FAD of all clips": stream, "FAD of every clip": alone}


def sessions(n: int, folder: Path) -> dict[str, Callable[[], object]]:
    """What is done with the answers of so many people, who come from a survey file."""
    from analysis.config import AnalysisConfig
    from analysis.data.frames import load
    from analysis.data.freeze import freeze, thaw
    from analysis.preference import paper as preference
    from analysis.preference import robust
    from analysis.ratings import paper as ratings
    from benchmarks.exchange import survey
    from experiment.config import ImportConfig
    from experiment.data.exports.write import export
    from experiment.data.imports import import_psytoolkit
    from experiment.data.queries import status_rows
    from experiment.data.store import Store
    from experiment.data.withdrawal import withdraw
    from tastelab.report import build_report
    from tastelab.study import load_study

    if not (folder / "survey.csv").exists():
        survey(folder / "survey.csv", n)
    study = load_study(ROOT / "study.toml")
    config = study.experiment.model_copy(update={"psytoolkit": ImportConfig(language="en")})
    definition = json.loads(study.model_copy(update={"experiment": config}).model_dump_json())
    url = f"sqlite:///{folder}/participants.db"
    store = Store(url)
    known = store.ensure_study(study.name, study.title, definition)
    snapshots = folder / "snapshots"

    def data() -> Any:
        return thaw(next(p for p in sorted(snapshots.iterdir()) if p.is_dir()))

    def leaves() -> object:
        code = status_rows(store, study.name)[n // 2]["participant"]
        return withdraw(store, code, study.name)

    plain: AnalysisConfig = study.analysis.model_copy(update={"resamples": 200})
    reported = study.model_copy(update={"experiment": config, "analysis": plain})
    return {
        "importing": lambda: import_psytoolkit(store, known, config, folder / "survey.csv"),
        "status": lambda: status_rows(store, study.name),
        "exporting": lambda: export(store, study.name, "csv", folder / "exported"),
        "freezing": lambda: freeze(load(store.engine, study.name, "imported"), definition, snapshots),
        "thawing": data,
        "paper's preference": lambda: preference.analyse(data().preference, data().middle, plain),
        "paper's ratings": lambda: ratings.analyse(data().ratings, data().people),
        "joint model of preference": lambda: robust.preference(data().preference, data().middle, plain),
        "the whole report": lambda: build_report(reported, url, folder / "out", "imported"),
        "a withdrawal": leaves,
    }


ROOMS: dict[str, tuple[Callable[[int, Path], dict[str, Callable[[], object]]], tuple[int, ...]]] = {
    "clips": (clips, CLIPS), "embeddings": (embedded, EMBEDDED), "sessions": (sessions, SESSIONS),
}  # fmt: skip


def peak() -> float:
    """The most memory that this process held since it was last asked for a fresh start, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def measure(room: str, n: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Everything of a room in this process, in its order; a small round before it, so that no import counts."""
    things = ROOMS[room][0]
    (folder / "first").mkdir()
    for run in things(FIRST, folder / "first").values():
        run()
    out = {}
    for what, run in things(n, folder).items():
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
        base, wall, cpu = peak(), time.monotonic(), time.process_time()
        run()
        seconds = time.process_time() - cpu
        for _ in range(2 if what in AGAIN else 0):
            cpu = time.process_time()
            run()
            seconds = min(seconds, time.process_time() - cpu)
        out[what] = {
            "n": n, "seconds": round(seconds, 3), "wall": round(time.monotonic() - wall, 3),
            "megabytes": round(max(0.0, peak() - base), 1),
        }  # fmt: skip
        print(
            f"{room:<11} {what:<38} {n:>7} {out[what]['seconds']:9.2f} s {out[what]['megabytes']:8.1f} MB",
            file=sys.stderr,
            flush=True,
        )
    return out


def exponent(sizes: list[int], values: list[float]) -> tuple[float, float] | None:
    """Slope of the logarithms and its standard error over the sizes that took long enough to be measured; None where fewer than two did."""
    long = [k for k, v in enumerate(values) if v >= 0.02]
    if len(long) < 2:
        return None
    x, y = np.log([sizes[k] for k in long]), np.log([values[k] for k in long])
    slope, level = np.polyfit(x, y, 1)
    rest = y - (level + slope * x)
    free = len(x) - 2
    error = float(np.sqrt((rest**2).sum() / free / ((x - x.mean()) ** 2).sum())) if free > 0 else float("nan")
    return float(slope), error


def growth(scale: float = 1.0) -> dict[str, Any]:
    """All of it, at sizes that are `scale` of the whole."""
    out: dict[str, Any] = {"scale": scale, "rooms": {}}
    for room, (_, whole) in ROOMS.items():
        sizes = list(dict.fromkeys(max(FIRST, round(n * scale)) for n in whole))
        found: dict[str, list[dict[str, Any]]] = {}
        for n in sizes:
            with tempfile.TemporaryDirectory(prefix=f"growth-{room}-") as folder:
                words = [sys.executable, "-m", "benchmarks.growth", "--measure", room, str(n), folder]
                done = subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, env=os.environ)
                for what, row in json.loads(done.stdout.splitlines()[-1]).items():
                    found.setdefault(what, []).append(row)
        out["rooms"][room] = {what: fitted(rows) for what, rows in found.items()}
    out["steep"] = [w for r in out["rooms"].values() for w, f in r.items() if f["time"] and f["time"]["last"] > STEEP]
    return out


def fitted(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A thing's rows with the exponents of its time and of its memory."""
    sizes = [r["n"] for r in rows]
    seconds, memory = [r["seconds"] for r in rows], [r["megabytes"] for r in rows]
    time_of, last = exponent(sizes, seconds), exponent(sizes[-2:], seconds[-2:])
    grown = exponent(sizes, [max(m, 1.0) for m in memory])
    return {
        "rows": rows,
        "time": time_of and last and {"exponent": round(time_of[0], 2), "error": round(time_of[1], 2), "last": round(last[0], 2)},
        "memory": "flat" if max(memory) - min(memory) < FLAT else {"exponent": round(grown[0], 2)} if grown else None,
    }  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))))
    else:
        print(json.dumps(growth(float(sys.argv[1]) if sys.argv[1:] else 1.0), indent=1))
