"""A clip that was not heard to its end is never rated: it is played again, once, and then the session ends."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from experiment import launch
from experiment.data.tables import Event, Response, SessionRow, Trial
from experiment.lab.screens import Screens, _how
from experiment.launch import Prepared
from experiment.session import SoundFailed, run_session
from tests.experiment import readers
from tests.experiment.lab.glass import GlassHand, Sound, World

INF = float("inf")
WHOLE, CUT, DRY, DEAD = (INF, 0.0), (0.2, 0.0), (INF, 1.0), (0.0, 0.0)


def listen(glass: World, booth: Prepared, *how: tuple[float, float]) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Hear one clip whose plays go so; its records, and the words of every screen."""
    seen: list[list[str]] = []
    hand = GlassHand(glass, np.random.default_rng(0), readers.reader("en"))

    def answer(marker: dict[str, Any]) -> None:
        seen.append([marker["screen"], *(w for w in glass.window.words() if w != "Stop")])
        hand.answer(marker)

    screens = Screens("en", 1, True, answer)
    Sound.to_come = deque(how)
    return screens.listen(booth.stimuli[:1], ["One"]), seen


@pytest.mark.parametrize("how", [CUT, DRY, DEAD])
def test_what_was_not_whole_is_played_again_once(glass: World, booth: Prepared, how: tuple[float, float]) -> None:
    """Told in words; the part that was heard counts as no hearing."""
    records, seen = listen(glass, booth, how, WHOLE)
    assert [s for s, *_ in seen] == ["listen", "playing", "broken", "playing", "heard"]
    assert seen[2][1:3] == ["The sound broke off", "It will now be played again from its beginning."]
    assert len(records) == 1
    (record,) = records
    assert record["whole"] is True
    (attempt,) = record["broken"]
    assert attempt["underruns"] == how[1]
    assert attempt["played"] == (None if how is DEAD else pytest.approx(0.5 if how is DRY else 0.2, abs=0.03))
    assert len(glass.sounds[0].played) == 2


@pytest.mark.parametrize(
    ("how", "words"),
    [(CUT, "a sound did not play to its end (0.2 of 0.6 s)"), (DEAD, "a sound did not begin"),
     ((INF, 2.0), "a sound had gaps (the driver ran dry 2 times)"), ((0.2, 1.0), "a sound did not play to its end (0.2 of 0.6 s)")],
)  # fmt: skip
def test_the_experimenter_is_told_what_was_wrong(glass: World, how: tuple[float, float], words: str) -> None:
    hand = GlassHand(glass, np.random.default_rng(0), readers.reader("en"))
    screens = Screens("en", 0, True, hand.answer)
    Sound.to_come = deque([how, how])
    with pytest.raises(SoundFailed):
        screens._play(np.zeros((28_800, 2), np.float32), [])
    assert screens.failed == words


def test_of_a_sound_that_was_held_up_it_is_told_for_how_long() -> None:
    assert _how({"played": 0.59, "underruns": 0, "behind": 0.23}, 0.6) == "a sound was held up for 0.23 s"
    cut = {"played": 0.3, "underruns": 0, "behind": 0.23}
    assert _how(cut, 0.6) == "a sound did not play to its end (0.3 of 0.6 s)"


@pytest.mark.parametrize("how", [CUT, DRY, DEAD])
def test_twice_broken_it_is_told_and_ends(glass: World, booth: Prepared, how: tuple[float, float]) -> None:
    with pytest.raises(SoundFailed) as failed:
        listen(glass, booth, how, how)
    assert failed.value.detail["clip"] == booth.stimuli[0].clip
    assert failed.value.detail["seconds"] == pytest.approx(0.5)
    assert len(failed.value.detail["attempts"]) == 2
    said = glass.window.words()
    assert "The sound broke off again. Please call the experimenter. Your answers so far are kept." in said


def test_no_question_follows_and_the_session_goes_on_with_that_clip(glass: World, booth: Prepared) -> None:
    hand = GlassHand(glass, np.random.default_rng(3), readers.reader("en"))
    session = launch.begin(booth, "A", "driven", "en", "x")
    screens = Screens("en", booth.config.replays, True, hand.answer)
    # Three tones, two chords, and the first trial's clips are whole; the second trial's first clip never is.
    Sound.to_come = deque([WHOLE] * 7 + [CUT, DRY])
    assert run_session(booth.store, session, booth.config, screens) == "stopped"
    assert screens.failed == "a sound had gaps (the driver ran dry 1 time)"  # all of it was played
    asked = [g for g in hand.given if g["item"] == "preference"]
    assert len(asked) == 1
    with booth.store.transaction() as s:
        trials = list(s.scalars(select(Trial).where(Trial.block == "preference").order_by(Trial.position)))
        events = s.execute(select(Event.name, Event.detail).where(Event.name == "sound_failed")).all()
        assert s.get_one(SessionRow, session).status == "stopped"
        assert trials[1].first is not None
        second = trials[1].first.clip
        ratings = s.scalar(
            select(func.count()).select_from(Response).where(Response.trial_id.in_([t.id for t in trials]))
        )
    assert ratings == 1
    ((_, detail),) = events
    assert detail["clip"] == second
    assert [a["underruns"] for a in detail["attempts"]] == [0, 1]
    Sound.made.clear()
    launch.resume(booth, "A")
    again = GlassHand(glass, np.random.default_rng(4), readers.reader("en"))
    assert run_session(booth.store, session, booth.config, Screens("en", 2, True, again.answer)) == "complete"
    path = next(c.path for c in booth.stimuli if c.clip == second)
    assert next(x.value for x in glass.sounds if isinstance(x.value, str)) == path
    assert len([g for g in again.given if g["item"] == "preference"]) == 4


def test_tones_and_chords_too(glass: World) -> None:
    screens: Screens

    def answer(marker: dict[str, Any]) -> None:
        if marker["screen"] in ("broken", "sound"):
            glass.window.todo.append(lambda: glass.window.tap("1" if marker["screen"] == "sound" else "space"))

    screens = Screens("en", 1, True, answer)
    Sound.to_come = deque([WHOLE, CUT])
    found = screens.sound_check()
    assert found is not None
    assert [len(s.played) for s in glass.sounds] == [1, 2, 1]
    Sound.to_come = deque([DEAD, DEAD])
    with pytest.raises(SoundFailed):
        screens.sound_check()
