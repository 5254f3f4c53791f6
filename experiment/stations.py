"""What a study file says of the places where people sit: how loud clips are played there, how far the screen is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class LevelConfig(BaseModel):
    """How loud clips are played.

    Attributes
    ----------
    by : {"free", "station", "participant"}
        As the computer is set; by the station's calibration (a session is refused without a valid one); or adjusted by
        the participant on noise of the clips' loudness, within `softest`..0 dB, and stored.
    dba : float or None
        Level in dB(A) that noise of the clips' loudness is to have (station).
    days : int
        How long a calibration is valid.
    softest : int
        How far a participant may turn it down, dB.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["free", "station", "participant"] = "free"
    dba: float | None = Field(default=None, ge=40, le=85)
    days: int = Field(default=30, ge=1, le=3660)
    softest: int = Field(default=-24, ge=-60, le=-3)

    @model_validator(mode="after")
    def _target(self) -> LevelConfig:
        if self.by == "station" and self.dba is None:
            raise ValueError("by = 'station' needs dba, the level in dB(A) that stations are set to")
        return self


class Seat(BaseModel):
    """A station: how far from the screen one sits and how high that is, in cm (how large letters look), and which devices are used.

    Attributes
    ----------
    distance : float, optional
        From the eyes to the screen.
    height : float, optional
        Of what the screen shows.
    display : str, optional
        The screen of the session, where there are several: its number from 1 (``tastelab doctor`` lists them), or a part of its name.
    sound : str, optional
        The sound card of the session, by a part of its name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    distance: float | None = Field(default=None, ge=20, le=500)
    height: float | None = Field(default=None, ge=5, le=300)
    display: str | None = Field(default=None, min_length=1, max_length=200)
    sound: str | None = Field(default=None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _whole(self) -> Seat:
        if (self.distance is None) != (self.height is None):
            raise ValueError("distance and height belong together: give both, or neither")
        return self
