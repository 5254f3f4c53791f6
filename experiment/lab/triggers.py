"""Events of a session, sent to other devices as they happen: lab streaming layer, serial port."""

from __future__ import annotations

import heapq
import json
import threading
import time
from dataclasses import dataclass
from typing import Any

from experiment.errors import ExperimentError
from experiment.signals import Event, TriggerConfig

NEAR = 0.002  # s before a moment from which on it is waited for without sleeping
LISTENING = 5.0  # s that a session waits for who records its stream
CALM = 0.5  # s that a stream stays open after its last event, so that who listens has it


class Triggers:
    """What a declared study sends; of one that declares nothing, nothing.

    Parameters
    ----------
    config : TriggerConfig or None
        What the study declares.
    port : str, optional
        This booth's port, in place of the study's.

    Raises
    ------
    ExperimentError
        If the port can't be opened, or a package is missing.
    """

    def __init__(self, config: TriggerConfig | None, port: str | None = None):
        self.config = config
        name = port or (config.serial if config else None)
        self._port: Any = _open_port(name, config.baud) if config and name else None
        self._stream: Any = _open_stream(config.lsl) if config and config.lsl else None
        self._queue: list[tuple[float, int]] = []
        self._wake = threading.Condition()
        self._closed = False
        self._writer = threading.Thread(target=self._write, daemon=True)
        if self._port is not None:
            self._writer.start()

    def awaited(self, seconds: float = LISTENING) -> bool:
        """Wait until somebody listens to the stream; whether somebody does (or there is none, and nobody has to)."""
        return self._stream is None or bool(self._stream.wait_for_consumers(seconds))

    def send(self, event: Event, **detail: Any) -> None:
        """Tell of something that happens now."""
        self._byte(event, time.monotonic())
        self._push(event, detail, 0.0)

    def sounding(self, clip: int | None) -> Sounding:
        """Who tells of a sound: of a clip by its number in the database."""
        return Sounding(self, {} if clip is None else {"clip": clip})

    def due(self, moment: float) -> None:
        """A sound will begin at a moment of the monotonic clock: the byte is written then."""
        self._byte("onset", moment)

    def began(self, ago: float, **detail: Any) -> None:
        """A sound began so many seconds ago: the stream's sample is stamped with that."""
        self._push("onset", detail, ago)

    def close(self) -> None:
        """Write what is left, and give port and stream back."""
        if self._port is not None:
            with self._wake:
                self._closed = True
                self._wake.notify()
            self._writer.join(5)
            self._port.close()
        if self._stream is not None:
            if self._stream.have_consumers():
                time.sleep(CALM)
            self._stream = None

    def _push(self, event: Event, detail: dict[str, Any], ago: float) -> None:
        if self._stream is not None:
            from pylsl import local_clock

            self._stream.push_sample([json.dumps({"event": event, **detail})], local_clock() - ago)

    def _byte(self, event: Event, moment: float) -> None:
        code = self.config.codes.get(event) if self.config else None
        if self._port is None or code is None:
            return
        assert self.config is not None
        with self._wake:
            heapq.heappush(self._queue, (moment, code))
            if self.config.pulse:
                heapq.heappush(self._queue, (moment + self.config.pulse, 0))
            self._wake.notify()

    def _write(self) -> None:
        """Write bytes at their moments, from a thread of its own: a screen's flips wait for the display."""
        while True:
            with self._wake:
                if not self._queue:
                    if self._closed:
                        return
                    self._wake.wait()
                    continue
                wait = self._queue[0][0] - time.monotonic()
                if wait > NEAR:
                    self._wake.wait(wait - NEAR)
                    continue
                moment, code = heapq.heappop(self._queue)
            while time.monotonic() < moment:
                pass
            try:
                self._port.write(bytes([code]))
                self._port.flush()
            except OSError:  # a box that was unplugged ends no session; its recording says that nothing came
                return


@dataclass(frozen=True)
class Sounding:
    """Tells of one sound, as `playback.Heard`."""

    triggers: Triggers
    detail: dict[str, int]

    def due(self, moment: float) -> None:
        """It will begin then."""
        self.triggers.due(moment)

    def began(self, ago: float) -> None:
        """It began so many seconds ago."""
        self.triggers.began(ago, **self.detail)

    def over(self) -> None:
        """It is over."""
        self.triggers.send("end", **self.detail)


def _open_port(name: str, baud: int) -> Any:
    try:
        import serial
    except ImportError:
        raise ExperimentError("triggers.serial needs pyserial: pip install 'tastelab[lab]'") from None
    try:
        return serial.Serial(name, baud, timeout=0, write_timeout=1)
    except (OSError, ValueError) as error:
        raise ExperimentError(
            f"trigger port {name} can't be opened ({type(error).__name__}); is the box plugged in? Name this booth's port "
            "with --trigger-port"
        ) from None


def _open_stream(name: str) -> Any:
    try:
        from pylsl import IRREGULAR_RATE, StreamInfo, StreamOutlet, cf_string
    except (ImportError, RuntimeError):  # the package, or its library
        raise ExperimentError("triggers.lsl needs pylsl: pip install 'tastelab[lsl]'") from None
    # Markers, as the lab streaming layer calls strings at irregular moments; the same source after a restart.
    return StreamOutlet(StreamInfo(name, "Markers", 1, IRREGULAR_RATE, cf_string, f"tastelab-{name}"))
