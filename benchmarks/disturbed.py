"""Sound cards that fail in mid-clip: is what was not heard as it is ever said to be whole?

Clips are played as sessions play them, on the virtual desk, with a screen that is drawn meanwhile. Each is disturbed 0.6 s after it was
asked for: the card is suspended for some hundredths of a second to one and a half, the stream is moved to a card of another rate, eight busy
processes take the processor, the card is unloaded. What the card was sent is recorded and held against the clip. What is not whole is
played again by sessions, once, and never rated (tests/experiment/lab/test_sound_fails.py, tests/desk/test_sound.py).
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PLAYS = 12
SECONDS = 2.0
AFTER = 0.6  # s from a play's beginning to its disturbance
GAP = 0.4  # s of silence between plays
BUSY = 8
ALIKE = 0.99
THIRD = 3
STALLS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5)  # s that a card is suspended


def clip(number: int, rate: int = 48000) -> np.ndarray:
    """A clip like no other: noise under 6 kHz, so that another rate changes nothing of it."""
    n = round(SECONDS * rate)
    spectrum = np.fft.rfft(np.random.default_rng([18, number]).normal(size=n))
    spectrum[np.fft.rfftfreq(n, 1 / rate) > 6000] = 0
    audio = np.fft.irfft(spectrum, n)
    return (0.4 * audio / np.abs(audio).max()).astype(np.float32)


def child_plays(plays: int) -> None:
    """Play clips one after the other; print when each begins, and what is said of it."""
    from experiment.lab import playback
    from experiment.lab.screens import Screens

    screens = Screens("en", 0, fullscreen=False)
    shown = screens.compose.playing("First piece")
    bar = shown.bar
    assert bar is not None

    def tick(share: float) -> None:
        bar.share = share
        screens.frame(shown.parts, [])

    for k in range(plays):
        audio = clip(k)
        player = playback.open_sound(np.stack([audio, audio], axis=1))
        print(json.dumps({"began": k}), flush=True)
        record = playback.play_through(player, SECONDS, tick)
        playback.release(player)
        print(json.dumps({"play": k, **record}), flush=True)
        time.sleep(GAP)


def _burn() -> None:
    while True:
        pass


def plays(how: str, count: int = PLAYS, stalls: tuple[float, ...] = STALLS) -> dict[str, Any]:
    """So many clips that are disturbed in one way: what was said of them, and how alike what sounded was."""
    from experiment.lab.desk import virtual_desk
    from experiment.lab.hearing import compare_capture

    busy = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(BUSY if how == "starved" else 0)]
    with virtual_desk() as desk, tempfile.TemporaryDirectory() as folder:

        def pactl(*arguments: str) -> str:
            done = subprocess.run(
                ["pactl", *arguments], env=desk.environment, check=True, capture_output=True, text=True
            )
            return done.stdout.strip()

        def stall(k: int) -> None:
            pactl("suspend-sink", "desk", "1")
            time.sleep(stalls[k % len(stalls)])
            pactl("suspend-sink", "desk", "0")

        def move(k: int) -> None:
            streams = pactl("list", "short", "sink-inputs").splitlines()
            pactl("move-sink-input", streams[-1].split()[0], "other" if k % 2 == 0 else "desk")

        def unload(k: int) -> None:
            pactl("unload-module", "module-null-sink")

        disturb: Callable[[int], None] | None = {"stalled": stall, "moved": move, "unloaded": unload}.get(how)
        if how == "moved":
            pactl("load-module", "module-null-sink", "sink_name=other", "rate=44100")
        files = {sink: Path(folder) / f"{sink}.raw" for sink in ("desk", *(["other"] if how == "moved" else []))}
        recorders = []
        for sink, path in files.items():
            command = ["parec", "--raw", "--format=float32le", "--rate=48000", "--channels=2", "--latency-msec=200"]
            recorders.append(
                subprocess.Popen([*command, "-d", f"{sink}.monitor"], stdout=path.open("wb"), env=desk.environment)
            )
        time.sleep(1.0)
        for process in busy:
            process.start()
        command = [sys.executable, "-m", "benchmarks.disturbed", "--plays", str(count)]
        player = subprocess.Popen(command, cwd=ROOT, env=desk.environment, stdout=subprocess.PIPE, text=True)
        said: list[dict[str, Any]] = []
        assert player.stdout is not None
        for line in player.stdout:
            if not line.startswith('{"'):
                continue
            told = json.loads(line)
            if "play" in told:
                said.append(told)
            elif disturb is not None:
                time.sleep(AFTER)
                disturb(int(told["began"]))
                if how == "unloaded":
                    disturb = None
        player.wait()
        for process in busy:
            process.kill()
        time.sleep(0.5)
        for recorder in recorders:
            recorder.terminate()
            recorder.wait(5)
        heard = {sink: np.fromfile(path, dtype=np.float32).reshape(-1, 2).mean(axis=1) for sink, path in files.items()}
    rows = []
    for told in said:
        audio = clip(int(told["play"]))
        # Of one that was moved its last three tenths of a second, on the card where it ended.
        part = audio if how != "moved" else audio[-round(0.3 * 48000) :]
        # All of it lies under 6 kHz: every third sample says the same.
        alike = max(
            compare_capture(found[k::THIRD], part[::THIRD])[0] for found in heard.values() for k in range(THIRD)
        )
        rows.append({"whole": bool(told["whole"]), "alike": round(alike, 4), "behind": told["behind"]})
    whole = [row["alike"] for row in rows if row["whole"]]
    return {
        "plays": len(rows),
        "whole": len(whole),
        "whole_and_heard_otherwise": sum(r < ALIKE for r in whole),
        "least_r_of_whole": min(whole, default=None),
        "least_s_behind": min((row["behind"] for row in rows), default=None),
        "most_s_behind": max((row["behind"] for row in rows), default=None),
        "heard_otherwise": sum(row["alike"] < ALIKE for row in rows),
    }


def disturbed(count: int = PLAYS) -> dict[str, Any]:
    """All ways."""
    return {
        how: plays(how, count if how != "unloaded" else 2)
        for how in ("undisturbed", "stalled", "moved", "starved", "unloaded")
    }


if __name__ == "__main__":
    if sys.argv[1] == "--plays":
        child_plays(int(sys.argv[2]))
    else:
        print(json.dumps(plays(sys.argv[1], int(sys.argv[2]))))
