"""docs/images/session.webp: a whole session on the virtual desk, filmed: ``python -m benchmarks.recording``.

The hand answers what it reads, as in `tastelab study run`; four pictures a second are taken from beside. Of each kind of screen the
first times stay, each picture as long as it stood there but for waiting, which is cut to a second.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "images" / "session.webp"
SIZE, SHOWN = (1280, 800), (640, 400)
RATE = 4.0  # pictures a second
TIMES = 2  # how often screens of one kind are kept; more is more of the same
LONGEST, SHORTEST = 1.0, 0.2  # s


def film(folder: Path) -> list[tuple[float, str, Any]]:
    """Pictures of a session with when they were taken and what kind of screen stood there, and how often before."""
    from PIL import ImageGrab

    from experiment.lab.desk import virtual_desk
    from experiment.lab.hand import drive
    from experiment.lab.reading import phrases
    from tastelab.study import load_study
    from tests.conftest import write_small_study

    study = write_small_study(folder)
    cli = [sys.executable, "-m", "tastelab.cli"]
    given = ["--study", str(study), "--out", str(folder / "outputs")]
    subprocess.run([*cli, "stimuli", "generate", *given], check=True, capture_output=True, cwd=ROOT)
    config = load_study(study).experiment
    taken: list[tuple[float, str, Any]] = []
    kinds: dict[str, int] = {}
    now, over = [""], threading.Event()

    with virtual_desk(size=SIZE) as desk:

        def look() -> None:
            while not over.wait(1 / RATE):
                kind = now[0]
                if kind and kinds[kind] <= TIMES:
                    taken.append((time.monotonic(), kind, ImageGrab.grab(xdisplay=desk.environment["DISPLAY"])))

        def seen(_: int, marker: dict[str, Any], __: Any) -> None:
            now[0] = str(marker["screen"])
            kinds[now[0]] = kinds.get(now[0], 0) + 1
            time.sleep(2 / RATE)  # so that it is in the film before it is answered

        camera = threading.Thread(target=look)
        camera.start()
        command = [
            *cli,
            "experiment",
            "run",
            "--window",
            "--markers",
            "--driven",
            "--db",
            f"sqlite:///{folder / 'p.db'}",
            *given,
        ]
        told = drive(
            desk, [*command, "--code", "film"], np.random.default_rng(5), phrases(config, "en"), on_marker=seen
        )
        over.set()
        camera.join()
    if told.status:
        raise RuntimeError(told.errors)
    return taken


def main() -> None:
    """Film a session and write it."""
    from PIL import Image, ImageChops

    with tempfile.TemporaryDirectory() as folder:
        taken = film(Path(folder))
    frames: list[Any] = []
    lasted: list[float] = []
    for k, (when, _, picture) in enumerate(taken):
        until = taken[k + 1][0] if k + 1 < len(taken) else when + 2 * LONGEST
        small = picture.convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS)
        if frames and not ImageChops.difference(frames[-1], small).getbbox():
            lasted[-1] = min(LONGEST, lasted[-1] + until - when)
            continue
        frames.append(small)
        lasted.append(min(LONGEST, max(SHORTEST, until - when)))
    durations = [round(1000 * s) for s in lasted]
    frames[0].save(
        TARGET,
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        quality=60,
        method=6,
        minimize_size=True,
    )
    print(f"{len(frames)} pictures, {sum(lasted):.0f} s, {TARGET.stat().st_size / 1e3:.0f} kB in {TARGET}")


if __name__ == "__main__":
    main()
