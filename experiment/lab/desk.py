"""A virtual desk: a screen without a monitor and a sound card without a speaker, whose output can be recorded."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from experiment.errors import ExperimentError

PROGRAMS = {
    "Xvfb": "xvfb",
    "xdotool": "xdotool",
    "pulseaudio": "pulseaudio",
    "parec": "pulseaudio-utils",
    "pactl": "pulseaudio-utils",
}
RATE, SIZE = 48000, (1280, 800)


def missing_programs() -> list[str]:
    """Return the Debian packages whose programs a virtual desk lacks."""
    return sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})


@dataclass
class Desk:
    """A running virtual desk: the environment for programs on it."""

    environment: dict[str, str]
    folder: Path
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def screenshot(self, path: Path) -> None:
        """Save the screen as PNG."""
        from PIL import ImageGrab

        ImageGrab.grab(xdisplay=self.environment["DISPLAY"]).save(path)

    def record(self, path: Path) -> subprocess.Popen[bytes]:
        """Start recording the sound card's output as raw float32 stereo; waits until the recorder hears."""
        command = ["parec", "--raw", "--format=float32le", f"--rate={RATE}", "--channels=2", "--latency-msec=200"]
        with path.open("wb") as out:
            process = subprocess.Popen([*command, "-d", "desk.monitor"], stdout=out, env=self.environment)
        self._processes.append(process)
        deadline = time.monotonic() + 10
        while path.stat().st_size == 0:
            if time.monotonic() > deadline:
                raise ExperimentError("the virtual sound card cannot be recorded; is pulseaudio running twice?")
            time.sleep(0.05)
        return process


@contextlib.contextmanager
def virtual_desk(
    rate: int = RATE, channels: int = 2, sound: bool = True, size: tuple[int, int] = SIZE
) -> Iterator[Desk]:
    """Start a virtual screen and sound card, and end them again.

    Parameters
    ----------
    rate, channels : int
        Of the sound card, Hz; one that is not as it should be is for trying what is said about it.
    sound : bool
        Whether there is a sound card.
    size : tuple of int
        Pixels of the screen.

    Raises
    ------
    ExperimentError
        Naming the Debian packages that are missing.
    """
    missing = missing_programs()
    if missing:
        raise ExperimentError(f"a virtual desk needs the packages {', '.join(missing)}; run 'make setup' as root")
    folder = Path(tempfile.mkdtemp(prefix="tastelab-desk-"))
    processes: list[subprocess.Popen[bytes]] = []
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "PULSE_SERVER")}
    try:
        read, write = os.pipe()
        geometry = f"{size[0]}x{size[1]}x24"
        processes.append(
            subprocess.Popen(
                ["Xvfb", "-displayfd", str(write), "-screen", "0", geometry, "-nolisten", "tcp"],
                pass_fds=[write],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        os.close(write)
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise ExperimentError("Xvfb did not start; run 'Xvfb -displayfd 1' to see why")
        socket = folder / "pulse.socket"
        (folder / ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
        script = folder / "desk.pa"
        script.write_text(
            f"load-module module-native-protocol-unix auth-anonymous=1 socket={socket}\n"
            f"load-module module-null-sink sink_name=desk rate={rate} format=float32le channels={channels}\n"
            "set-default-sink desk\n"
        )
        environment |= {
            "DISPLAY": f":{number}",
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{socket}",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "LP_NUM_THREADS": "1",
            # A virtual sound card runs on the same processor as everything else: give it some slack.
            "PULSE_LATENCY_MSEC": "80",
        }
        arguments = [
            "-n",
            "-F",
            str(script),
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--high-priority=yes",
        ]
        if not sound:
            yield Desk(environment, folder, processes)
            return
        processes.append(
            subprocess.Popen(
                ["pulseaudio", *arguments, "--disable-shm=yes"],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        deadline = time.monotonic() + 15
        while not socket.exists():
            if time.monotonic() > deadline or processes[-1].poll() is not None:
                raise ExperimentError("pulseaudio did not start; run 'pulseaudio -n --daemonize=no' to see why")
            time.sleep(0.05)
        time.sleep(0.2)
        yield Desk(environment, folder, processes)
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            if process.poll() is None:
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)
