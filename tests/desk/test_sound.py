"""A sound card that is suspended and that vanishes in mid-clip: told, played again, or the session stops; never rated."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from experiment.data.store import Store
from experiment.data.tables import Event, Response, SessionRow, Trial
from experiment.lab.desk import virtual_desk
from experiment.lab.hand import drive
from tests.desk.test_session import command, words
from tests.experiment import readers

pytestmark = pytest.mark.desk


def test_a_card_that_is_suspended_and_one_that_vanishes(
    small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path
) -> None:
    """The first clip stalls until it is played again; with the second the card goes for good."""
    db = f"sqlite:///{tmp_path / 'p.db'}"
    told: list[str] = []

    with virtual_desk() as desk:

        def pactl(*arguments: str) -> None:
            subprocess.run(["pactl", *arguments], env=desk.environment, check=True, capture_output=True)

        def disturb(count: int, marker: dict[str, Any], process: Any) -> None:
            screen = marker["screen"]
            if screen == "playing":
                told.append("playing")
                time.sleep(0.6)
                if told == ["playing"]:
                    pactl("suspend-sink", "desk", "1")
                elif told.count("playing") == 3:
                    pactl("unload-module", "module-null-sink")
            elif screen == "broken" and told:  # before, a practice tone may be held up on a busy machine
                told.append(words(marker)[1])
                if told.count("playing") == 1:
                    pactl("suspend-sink", "desk", "0")
            elif screen in ("slider", "steps") and told:
                told.append("asked")

        start = command(small_study_file, db, outputs, "--code", "s1")
        done = drive(desk, start, np.random.default_rng(5), readers.reader("en"), None, disturb, 200)
    again = "It will now be played again from its beginning."
    call = "The sound broke off again. Please call the experimenter. Your answers so far are kept."
    assert told == ["playing", again, "playing", "playing", again, "playing", call]
    assert done.status == 0, done.errors
    assert "Traceback" not in done.errors
    store = Store(db)
    with store.transaction() as s:
        assert s.scalars(select(SessionRow)).one().status == "stopped"
        rated = s.scalars(select(Response).join(Trial).where(Trial.block != "demographics")).all()
        (failed,) = s.scalars(select(Event).where(Event.name == "sound_failed"))
        heard = list(s.scalars(select(Event).where(Event.name == "audio_onset")))
    store.close()
    assert rated == []
    # Cut short, or held up: how far it came by then depends on how busy the computer is.
    attempts = failed.detail["attempts"]
    assert [(a["played"] or 0.0) < 1.9 or a["behind"] > 0.05 for a in attempts] == [True, True], attempts
    assert heard == []  # the trial has two clips; neither is told as heard before both were
