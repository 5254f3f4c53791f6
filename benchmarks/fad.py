"""Fréchet Audio Distance side by side with fadtk 1.1.0 and frechet-audio-distance 0.3.4, on the same embeddings in one run.

Run: python -m benchmarks.fad. The peers' own functions run, taken unchanged out of their published wheels (their packages
would bring whole networks along, which this comparison does not use). Timed is what each does from embeddings to the
number: means, covariances, distance. Then every one of 10,000 clips against the reference (fadtk's score_individual), of which the
peers do some and the time is multiplied. Then memory: one process each for 1,000, 10,000 and 100,000 clips.
"""

from __future__ import annotations

import ast
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from analysis.sound.fad import Moments, distance, each, frechet_distance, moments

ROOT = Path(__file__).resolve().parent.parent
PEERS = {
    "fadtk": ("fadtk==1.1.0", "fadtk/fad.py"),
    "frechet-audio-distance": ("frechet-audio-distance==0.3.4", "frechet_audio_distance/fad.py"),
}
CASES = ((100, 128), (100, 512), (1000, 512), (10_000, 512), (10_000, 1024))


@dataclass(frozen=True)
class Distance:
    """A peer's two functions."""

    statistics: Callable[[np.ndarray], Any]
    measure: Callable[..., Any]

    def __call__(self, a: np.ndarray, b: np.ndarray) -> float:
        return float(np.real(self.measure(*self.statistics(a), *self.statistics(b))))


class _Quiet:
    """What the peers report to while they compute."""

    def info(self, *_: object) -> None: ...

    def warning(self, *_: object) -> None: ...


def peer(name: str, folder: Path) -> Distance:
    """The peer's distance between two arrays of embeddings, by its own functions."""
    from numpy.lib.scimath import sqrt as scisqrt
    from scipy import linalg

    wanted, module = PEERS[name]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), wanted]
    subprocess.run(command, check=True)
    wheel = next(folder.glob(f"{name.replace('-', '_')}-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        tree = ast.parse(archive.read(module).decode())
    found = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.FunctionDef) and ("frechet_distance" in n.name or "embd_statistics" in n.name)
    ]
    space: dict[str, Any] = {"np": np, "linalg": linalg, "scisqrt": scisqrt, "log": _Quiet()}
    for node in found:
        node.args.args = [a for a in node.args.args if a.arg != "self"]
        node.returns = None
        for a in node.args.args:
            a.annotation = None
    exec(compile(ast.fix_missing_locations(ast.Module([*found], [])), str(wheel), "exec"), space)
    statistics = space.get("calc_embd_statistics") or space["calculate_embd_statistics"]
    measure = space.get("calc_frechet_distance") or space["calculate_frechet_distance"]
    return Distance(statistics, measure)


def best(
    function: Callable[[np.ndarray, np.ndarray], float], a: np.ndarray, b: np.ndarray, repeats: int
) -> tuple[float, float]:
    """Shortest of some runs in seconds, and the value."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        value = function(a, b)
        times.append(time.perf_counter() - start)
    return min(times), value


def individually(peers: dict[str, Distance], clips: int = 10_000, width: int = 512, some: int = 20) -> dict[str, Any]:
    """Each clip of 16 frames against a reference of 4,000 frames; the peers, whose time a clip is steady, do `some`.

    The peers' reference statistics are computed once, as fadtk does.
    """
    rng = np.random.default_rng(1)
    reference = rng.normal(size=(4000, width))
    sets = [rng.normal(0.1, 1.2, size=(16, width)) for _ in range(256)]
    start = time.perf_counter()
    values = list(each((sets[k % 256] for k in range(clips)), moments(reference)))
    mine = time.perf_counter() - start
    row: dict[str, Any] = {"clips": clips, "frames_each": 16, "width": width, "seconds": mine}
    for name, function in peers.items():
        times = []
        for k in range(some):
            start = time.perf_counter()
            value = function(sets[k], reference)
            times.append(time.perf_counter() - start)
            assert abs(value - values[k]) < 0.01 * value, (name, value, values[k])
        known = time.perf_counter()
        function.statistics(reference)
        once = time.perf_counter() - known
        each_one = float(np.mean(times)) - once
        row[name] = {"clips_done": some, "seconds_a_clip": each_one, "ratio": each_one * clips / mine}
    return row


def memory(clips: int) -> dict[str, float]:
    """In a process of its own: peak memory above the start, adding so many clips of 16 frames one by one."""
    threadpool_limits(1, user_api="blas")
    rng = np.random.default_rng(0)
    reference = Moments(512).add(rng.normal(size=(4000, 512)))
    distance(Moments(512).add(rng.normal(size=(2000, 512))), reference)  # whatever the libraries allocate once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, own = time.perf_counter(), Moments(512)
    for _ in range(clips):
        own.add(rng.normal(size=(16, 512)))
    value = distance(own, reference)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"clips": clips, "grown_megabytes": grown, "seconds": time.perf_counter() - start, "value": value}


def main() -> None:
    """Measure, print and write docs/evidence/fad.json."""
    import warnings

    warnings.filterwarnings("ignore", category=DeprecationWarning)  # the peers call scipy's sqrtm with disp=
    import scipy.linalg  # its linear algebra must be there to be limited

    scipy.linalg.sqrtm(np.eye(4))
    threadpool_limits(1, user_api="blas")  # for all alike: threads that wait for busy cores would decide the ratio
    out: dict[str, Any] = {"threads": 1, "cases": [], "memory": []}
    with tempfile.TemporaryDirectory() as folder:
        peers = {name: peer(name, Path(folder)) for name in PEERS}
    print(f"{'frames':>7} {'width':>6} {'ours':>10} " + " ".join(f"{n:>24} {'ratio':>7}" for n in peers))
    for n, width in CASES:
        rng = np.random.default_rng(n + width)
        a, b = rng.normal(size=(n, width)), rng.normal(0.1, 1.2, size=(n, width))
        frechet_distance(a[:50], b[:50])
        mine, value = best(frechet_distance, a, b, 5)
        row: dict[str, Any] = {"frames": n, "width": width, "seconds": mine, "value": value}
        line = f"{n:>7} {width:>6} {mine * 1000:>8.1f} ms "
        for name, function in peers.items():
            theirs, other = best(function, a, b, 2)
            row[name] = {
                "seconds": theirs,
                "value": other,
                "ratio": theirs / mine,
                "difference": abs(other - value) / value,
            }
            line += f"{theirs * 1000:>21.0f} ms {theirs / mine:>6.0f}x "
        out["cases"].append(row)
        print(line, flush=True)
    out["each_clip"] = individually(peers)
    print(out["each_clip"], flush=True)
    for clips in (1000, 10_000, 100_000):
        code = f"import json; from benchmarks.fad import memory; print(json.dumps(memory({clips})))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
        out["memory"].append(json.loads(done.stdout))
        print(out["memory"][-1], flush=True)
    path = ROOT / "docs" / "evidence" / "fad.json"
    path.write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
