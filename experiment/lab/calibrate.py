"""Set a station's level: noise of the clips' loudness plays, the level meter's reading is entered, the gain follows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from experiment.data.store import Store
from experiment.data.tables import Calibration, utc_now
from experiment.errors import ExperimentError
from experiment.lab.hardware import Device, output_device
from experiment.lab.playback import open_sound, play_through, release
from experiment.stations import LevelConfig
from experiment.tones import reference_noise

SECONDS = 8.0
TOLERANCE = 0.5  # dB that the check reading may be off


def gain_for(reading: float, target: float) -> float:
    """Gain in dB that brings a reading at 0 dB to the target.

    Raises
    ------
    ExperimentError
        If the station is too soft (clips can only be made softer), or the reading is no level of a booth.
    """
    if not 30 <= reading <= 110:
        raise ExperimentError(f"a reading of {reading:g} dB(A) is not plausible; measure at the headphone or seat")
    gain = target - reading
    if gain > 0:
        raise ExperimentError(
            f"the station gives {reading:.1f} dB(A) and the study wants {target:.1f}; turn the amplifier up by at least "
            f"{gain:.1f} dB and calibrate again"
        )
    if gain < -40:
        raise ExperimentError(f"the station is {-gain:.0f} dB too loud; turn the amplifier down and calibrate again")
    return gain


def play_reference(gain_db: float = 0.0) -> None:
    """Play 8 s of pink noise at the clips' loudness."""
    import time

    def wait(_: float) -> None:
        time.sleep(0.02)

    player = open_sound(reference_noise(SECONDS), gain_db=gain_db)
    play_through(player, SECONDS, wait)
    release(player)


def measurable(level: LevelConfig) -> tuple[float, Device]:
    """The level that a study wants, in dB(A), and the sound card that is to give it.

    Raises
    ------
    ExperimentError
        If the study has no target level, or there is no sound card.
    """
    if level.dba is None:
        raise ExperimentError("this study declares no level; add [experiment.level] by = 'station', dba = 65")
    device = output_device()
    if device is None:
        raise ExperimentError("no audio device; plug in headphones and run 'tastelab doctor'")
    return level.dba, device


def calibrate(
    store: Store, station: str, level: LevelConfig, read: Callable[[str], float], play: Callable[[float], None]
) -> Calibration:
    """Calibrate a station; the level is locked until it expires.

    Parameters
    ----------
    read : callable
        Asks for the level meter's reading in dB(A).
    play : callable
        Plays the reference at a gain in dB.

    Raises
    ------
    ExperimentError
        If the study has no target level, there is no sound card, or the check reading is off.
    """
    wanted, device = measurable(level)
    play(0.0)
    reading = read("Level meter, dB(A)")
    gain = gain_for(reading, wanted)
    play(gain)
    check = read(f"Again, now at {gain:+.1f} dB; it should be {wanted:.1f}")
    if not abs(check - wanted) <= TOLERANCE:  # a reading that is no number is off, too
        raise ExperimentError(
            f"the check reading is {check:.1f} dB(A), {check - wanted:+.1f} dB off; keep the microphone still and "
            "calibrate again"
        )
    now = utc_now()
    row = Calibration(
        station=station,
        device=device.name,
        level_dba=reading,
        gain_db=gain,
        made_at=now,
        expires_at=now + timedelta(days=level.days),
    )
    with store.transaction() as s:
        s.add(row)
    return row
