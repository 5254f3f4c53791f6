"""A station's level: the gain is what brings the reading to the target, and a doubtful reading is refused."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from experiment.data.tables import Calibration, utc_now
from experiment.errors import ExperimentError
from experiment.lab import calibrate
from experiment.lab.hardware import Device
from experiment.launch import Prepared
from experiment.stations import LevelConfig
from tests.experiment.lab.glass import World

TARGET = LevelConfig(by="station", dba=65, days=10)


@pytest.mark.parametrize(("reading", "target", "gain"), [(71.3, 65, -6.3), (65, 65, 0), (105, 65, -40), (110, 75, -35)])
def test_the_gain_is_target_less_reading(reading: float, target: float, gain: float) -> None:
    assert calibrate.gain_for(reading, target) == pytest.approx(gain)


@pytest.mark.parametrize(
    ("reading", "says"),
    [
        (29.9, "29.9 dB.A. is not plausible"), (110.5, "not plausible"), (64.9, "up by at least 0.1 dB"),
        (58, "gives 58.0 dB.A. and the study wants 65.0; turn the amplifier up by at least 7.0 dB"),
        (30, "up by at least 35.0 dB"), (105.2, "40 dB too loud"), (110, "45 dB too loud"),
    ],
)  # fmt: skip
def test_readings_that_are_refused(reading: float, says: str) -> None:
    with pytest.raises(ExperimentError, match=says):
        calibrate.gain_for(reading, 65)


def run(
    booth: Prepared, readings: list[float], level: LevelConfig = TARGET
) -> tuple[Calibration, list[float], list[str]]:
    played: list[float] = []
    asked: list[str] = []

    def read(words: str) -> float:
        asked.append(words)
        return readings[len(asked) - 1]

    return calibrate.calibrate(booth.store, "b7", level, read, played.append), played, asked


def test_a_calibration_is_kept_with_its_device_and_its_end(booth: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "output_device", lambda: Device("the card", 48000.0, 2))
    made, played, asked = run(booth, [71.3, 65.4])
    assert played == [0.0, pytest.approx(-6.3)]  # full level first, then at the gain
    assert asked == ["Level meter, dB(A)", "Again, now at -6.3 dB; it should be 65.0"]
    with booth.store.transaction() as s:
        row = s.scalars(select(Calibration)).one()
        assert (row.station, row.device, row.level_dba) == ("b7", "the card", 71.3)
        assert row.gain_db == pytest.approx(-6.3)
        assert row.expires_at - row.made_at == timedelta(days=10)
    assert made.id == row.id
    assert abs((made.made_at - utc_now()).total_seconds()) < 60
    for off in (65.6, 64.4):
        with pytest.raises(ExperimentError, match=rf"check reading is {off} dB\(A\), \{off - 65:+.1f} dB off"):
            run(booth, [71.3, off])
    with pytest.raises(ExperimentError, match="check reading is nan"):  # that is what Python makes of the word
        run(booth, [71.3, math.nan])
    for near in (64.5, 65.5):
        run(booth, [71.3, near])
    with booth.store.transaction() as s:
        assert len(s.scalars(select(Calibration)).all()) == 3


def test_what_can_not_be_calibrated(booth: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "output_device", lambda: None)
    with pytest.raises(ExperimentError, match="no audio device"):
        run(booth, [71, 65])
    with pytest.raises(ExperimentError, match="declares no level"):
        run(booth, [71, 65], LevelConfig())


def test_the_reference_is_8_s_of_noise_at_the_gain(glass: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", glass.clock.sleep)
    calibrate.play_reference(-6.0)
    (sound,) = glass.sounds
    assert sound.value.shape == (8 * 48000, 2)
    assert sound.options["volume"] == pytest.approx(0.501, abs=0.001)
    assert np.array_equal(sound.value[:, 0], sound.value[:, 1])
    assert sound.stopped == 1
