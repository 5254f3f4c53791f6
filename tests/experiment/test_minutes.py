"""How long a session takes, counted by hand, and where its half is."""

from __future__ import annotations

import pytest

from experiment.config import ExperimentConfig
from experiment.data.tables import Stimulus, Trial
from experiment.minutes import answering, ears, half, of_session, reading
from experiment.texts import texts

CLIP = Stimulus(clip="a", seconds=15.0)


def plan(*trials: tuple[str, int, int]) -> list[Trial]:
    """Trials of a block with so many items and clips."""
    return [
        Trial(position=k, block=block, items=[f"i{i}" for i in range(items)], first=CLIP if clips else None,
              second=CLIP if clips > 1 else None)
        for k, (block, items, clips) in enumerate(trials)
    ]  # fmt: skip


WHOLE = [("demographics", 1, 0)] * 8 + [("preference", 1, 2)] * 5 + [("ratings", 12, 1)] * 3


def test_answers_and_texts_take_what_they_are_known_to_take() -> None:
    assert [answering(k, 2) for k in ("preference", "ratings", "identification", "affect", "demographics")] == [
        12.0, 6.0, 10.0, 8.0, 10.0
    ]  # fmt: skip
    assert reading({"a": "one two three four", "b": "five"}, ["a", "b", "c"]) == pytest.approx(5 / 200)


def test_a_session_of_the_default_study_takes_ten_minutes(config: ExperimentConfig) -> None:
    """8 x 5 + 5 x (6 + 30) + 3 x (36 + 15) = 373 s; tones and practice 22 s; about 130 words read: 7.3 minutes, told as 8."""
    assert of_session(plan(*WHOLE), config, texts("en")) == 8
    # Ten clips more, with twelve ratings each, are 8.5 minutes more: 15.8, told in fives.
    assert of_session(plan(*WHOLE, *[("ratings", 12, 1)] * 10), config, texts("en")) == 20
    bare = config.model_copy(update={"sound_check": False, "practice": False})
    assert ears(bare, texts("en"), False) == 0.0
    screened = config.model_copy(update={"headphones": "both"})
    assert ears(screened, texts("en"), True) - ears(config, texts("en"), True) == pytest.approx(1.5)
    assert of_session(plan(("demographics", 1, 0)), bare, {"consent": {}, "sound": {}, "practice": {}}) == 1


def test_the_half_is_counted_in_music_and_its_questions(config: ExperimentConfig) -> None:
    """Comparisons are 180 of 333 s: the break is between the parts. Questions about oneself do not count."""
    parts = ["preference", "ratings"]
    assert half(plan(*WHOLE), config, parts) == 13
    assert half(plan(*WHOLE[8:]), config, parts) == 5
    assert half(plan(*WHOLE), config, ["preference"]) is None
    # Ten comparisons are 360 of 513 s: the seventh ends at .49.
    assert half(plan(*[("preference", 1, 2)] * 10, *WHOLE[13:]), config, parts) == 7
    # What is asked after a clip belongs to it: no break comes between.
    felt = [x for _ in range(5) for x in (("preference", 1, 2), ("affect", 3, 0))]
    assert half(plan(*felt, *WHOLE[13:]), config, parts) in (6, 8, 10)
