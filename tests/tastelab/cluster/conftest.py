"""A study of tracks: its heavy steps need no network, so that what is tried is how they are shared out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.conditions import Condition
from tastelab.study import Study, load_study
from tests.conftest import write_small_study

TRACKS = 7


@pytest.fixture
def film(tmp_path: Path) -> Study:
    """Seven tracks of three seconds, each of its own pitch."""
    folder = tmp_path / "tracks"
    folder.mkdir()
    t = np.arange(3 * 8000) / 8000
    for n in range(TRACKS):
        soundfile.write(
            folder / f"track{n}.wav", 0.3 * np.sin(2 * np.pi * (300 + 60 * n) * t) * (1 + np.sin(9 * t)), 8000
        )
    study = load_study(write_small_study(tmp_path))
    conditions = [Condition(name="film", tracks=folder)]
    return study.model_copy(update={"models": study.models.model_copy(update={"conditions": conditions})})
