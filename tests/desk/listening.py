"""The other ends of a session's triggers: a trigger box on a pseudo-terminal, an inlet of the lab streaming layer."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
import tty
from pathlib import Path
from typing import Any


def at_home() -> None:
    """Streams of this process, and of those that it begins, are looked for on this machine alone: networks may pass no multicast.

    Before the first of them: the layer reads its settings once.
    """
    if "LSLAPICFG" not in os.environ:
        settings = Path(tempfile.mkdtemp(prefix="tastelab-lsl-")) / "lsl_api.cfg"
        settings.write_text("[multicast]\nResolveScope = machine\n[lab]\nKnownPeers = {127.0.0.1}\n", encoding="utf-8")
        os.environ["LSLAPICFG"] = str(settings)


def has_terminals() -> bool:
    """Whether a pseudo-terminal can be opened here."""
    try:
        for end in os.openpty():
            os.close(end)
    except OSError:
        return False
    return True


class Box:
    """The other end of a port: every byte, and when it came (monotonic clock)."""

    def __init__(self) -> None:
        self.end, self.other = os.openpty()
        tty.setraw(self.end)
        self.port = os.ttyname(self.other)
        self.came: list[tuple[float, int]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                got = os.read(self.end, 1)
            except OSError:
                return
            self.came.append((time.monotonic(), got[0]))

    def bytes(self, n: int) -> list[int]:
        """All bytes, once there are so many, or five seconds have passed."""
        deadline = time.monotonic() + 5
        while len(self.came) < n and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.02)
        return [b for _, b in self.came]


class Inlet:
    """Hears a stream from when it is there on: every event, and the moment that it was stamped with."""

    def __init__(self, name: str) -> None:
        at_home()
        self.name = name
        self.came: list[tuple[float, dict[str, Any]]] = []
        self._ended = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        import pylsl
        from pylsl.util import LostError

        found: list[Any] = []
        while not found and not self._ended:
            found = pylsl.resolve_byprop("name", self.name, timeout=0.5)
        if not found:
            return
        inlet = pylsl.StreamInlet(found[0], recover=False)
        while not self._ended:
            try:
                sample, at = inlet.pull_sample(timeout=0.5)
            except LostError:
                return
            if sample is not None:
                self.came.append((at, json.loads(sample[0])))

    def close(self) -> None:
        """Hear what is under way, and no more."""
        time.sleep(0.3)
        self._ended = True
        self._thread.join(10)
