"""What other devices are told of a session: `[experiment.triggers]`, by the lab streaming layer or as bytes to a trigger box."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Event = Literal["begin", "screen", "onset", "end", "answer", "over"]
Byte = Annotated[int, Field(ge=1, le=255)]


class TriggerConfig(BaseModel):
    """What is sent, and where to.

    Events: ``begin`` and ``over`` of a session; ``screen``, at the flip that shows a screen's first frame; ``onset`` of a clip or
    another sound, and its ``end``; ``answer``, when one is given. Nothing tells what a clip is or what was answered.

    Attributes
    ----------
    lsl : str or None
        Name of a stream of the lab streaming layer: one string an event, a JSON object, stamped with the moment of the flip
        or, of an onset, the moment that the sound card's driver gives.
    serial : str or None
        Port of a trigger box that takes bytes (``COM3``, ``/dev/ttyUSB0``); a booth may have another (``--trigger-port``). An onset
        is sent at the moment for which the driver was asked to begin.
    baud : int
        Bits a second of the port.
    pulse : float
        Seconds after which a 0 follows a byte, for boxes that hold their lines; 0: none follows.
    codes : dict
        The byte of each event; events without one are not sent as bytes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    lsl: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    serial: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    baud: int = Field(default=115200, ge=300, le=4_000_000)
    pulse: float = Field(default=0.005, ge=0, le=1)
    codes: dict[Event, Byte] = {"begin": 1, "screen": 2, "onset": 3, "end": 4, "answer": 5, "over": 6}

    @model_validator(mode="after")
    def _somewhere(self) -> TriggerConfig:
        if self.lsl is None and self.serial is None:
            raise ValueError("triggers need a place to go: lsl, the name of a stream, or serial, a port")
        if len(set(self.codes.values())) < len(self.codes):
            raise ValueError(
                f"triggers.codes: two events have the byte {next(v for v in self.codes.values() if list(self.codes.values()).count(v) > 1)}"
            )
        return self
