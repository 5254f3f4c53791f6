"""What a browser is shown of each step: words, buttons, addresses of sounds and how long they are; and the sounds that are no clips."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import soundfile

from experiment import tones
from experiment.config import ExperimentConfig
from experiment.data.tables import Stimulus, Trial
from experiment.headphones import trials
from experiment.question import Question
from experiment.steps import (
    Ask,
    Consent,
    End,
    Form,
    Headphones,
    Level,
    Listen,
    Page,
    Practice,
    SoundCheck,
    Step,
    Stored,
)
from experiment.web.showing import Addresses, around, made, shown, sounds, turn
from tests.experiment.test_own_questions import config as own_config

AT = Addresses(bytes(32), 7)
FIRST, LATER = Stimulus(id=11, clip="a"), Stimulus(id=12, clip="b")
NOW = Trial(id=1, position=0, block="x", items=["i"], first_id=11, second_id=12)
NEXT = Trial(id=2, position=1, block="x", items=["i"], first_id=13, second_id=None)
STEPS = Question("i", "steps", "How warm?", low=1, high=5, labels=("no", "yes"), word="warm")


def config(**more: Any) -> ExperimentConfig:
    return own_config(**({"replays": 2} | more))


def stored(**more: Any) -> Stored:
    return Stored(3, "abcd", "en", 5, "running", [NOW, NEXT], True, **more)


def told(step: Step, so_far: Stored | None = None, asked: ExperimentConfig | None = None) -> dict[str, Any]:
    return shown(step, so_far or stored(), asked or config(), AT, lambda clip: clip / 10)


def names(buttons: list[dict[str, Any]]) -> list[str]:
    return [b["name"] for b in buttons]


def test_every_screen_has_its_language_its_time_and_the_way_to_stop() -> None:
    """Words as experiment/texts/en.toml has them; Arabic is read from the right."""
    found = told(Page("p", "A title", "A text."), stored(gain_db=-6.0))
    assert (found["kind"], found["title"], found["text"], found["gain_db"]) == ("page", "A title", "A text.", -6.0)
    assert names(found["buttons"]) == ["next"]
    assert (found["language"], found["rtl"], found["dead_time"], found["fullscreen"]) == ("en", False, 0.3, False)
    assert (found["next"], found["stop"]["label"]) == ("Continue", "Stop")
    assert names(found["stop"]["buttons"]) == ["yes", "no"]
    assert [b["key"] for b in found["stop"]["buttons"]] == ["1", "2"]
    assert "safe on this device" in found["offline"]
    assert "again" in found["broken"]["again"]
    assert found["broken"]["over"] != found["broken"]["again"]
    assert found["broken"]["title"] not in ("", "!")
    assert names(found["broken"]["buttons"]) == ["next"]
    assert {found["loading"], found["no_sound"]}.isdisjoint({"", found["offline"]})
    arabic = around("ar", config(web={"fullscreen": True}))
    assert (arabic["rtl"], arabic["fullscreen"]) == (True, True)
    assert around("it", config())["next"] == "Continua"


def test_a_consent_says_how_long_it_takes_and_asks_for_what_is_special() -> None:
    found = told(Consent(minutes=17, special=True, more=("One more thing.",)))
    assert "17" in found["text"]
    assert "{minutes}" not in found["text"]
    assert found["text"].endswith("\n\nOne more thing.")
    assert names(found["buttons"]) == ["agree", "decline"]
    assert [(o["label"], o["key"]) for o in found["special"]["options"]] == [("Yes", "1"), ("No", "2")]
    assert found["special"]["title"] != found["special"]["text"]
    assert told(Consent(special=False))["special"] is None


def test_who_did_not_pass_is_told_so_in_a_browser_s_words() -> None:
    """A booth's text calls the experimenter, who is not there."""
    found = told(Page("page:headphones_failed", "Title", "Call somebody."))
    other = told(Page("page:else", "Title", "Call somebody."))
    assert other["text"] == "Call somebody."
    assert found["text"] != other["text"] or "headphones_failed" not in found["text"]


def test_a_sound_check_plays_left_right_and_both() -> None:
    found = told(SoundCheck())
    assert [s["sound"] for s in found["sounds"]] == [AT.of(("tone", x)) for x in ("left", "right", "both")]
    assert [s["seconds"] for s in found["sounds"]] == [0.7] * 3
    assert len({s["text"] for s in found["sounds"]}) == 3
    assert "left" in found["sounds"][0]["text"].lower()
    assert names(found["buttons"])[:2] == ["yes", "again"]
    assert names(found["play"]) == ["play"]
    assert names(found["call"]["buttons"]) == ["next"]


def test_a_level_is_set_from_the_middle_in_steps_of_three_decibels() -> None:
    found = told(Level(-24))
    assert (found["sound"], found["seconds"]) == (AT.of(("noise",)), 3.0)
    assert (found["question"]["low"], found["question"]["high"], found["question"]["start"]) == (0, 8, 4.0)
    assert len(found["question"]["labels"]) == 2
    assert found["question"]["labels"][0] != found["question"]["labels"][1]
    assert names(found["buttons"]) == ["play"]


@pytest.mark.parametrize(("test", "n", "answers"), [("huggins", 6, 3), ("antiphase", 6, 3), ("sides", 6, 2)])
def test_headphones_have_six_sounds_and_no_right_answer(test: str, n: int, answers: int) -> None:
    """Three intervals of one second half a second apart (Milne et al. 2021; Woods et al. 2017); a side is one second of noise."""
    draw = (5, 3, 0)
    found = told(Headphones(test, draw))
    assert [t["sound"] for t in found["trials"]] == [AT.of(("test", test, draw, k)) for k in range(n)]
    assert [t["seconds"] for t in found["trials"]] == [1.0 if test == "sides" else 4.0] * n
    assert (len(found["intervals"]), found["sided"]) == (answers, test == "sides")
    assert set(found["trials"][0]) == {"sound", "seconds"}
    assert len({found["title"], found["text"], found["asked"]}) == 3
    assert names(found["buttons"]) == ["next"]


def test_practice_plays_two_chords_and_clips_are_played_by_their_address() -> None:
    found = told(Practice(Question("practice", "slider", "Which is brighter?", high=10, labels=("first", "second"))))
    assert [(c["sound"], c["seconds"]) for c in found["clips"]] == [(AT.of(("chord", k)), 2.0) for k in (0, 1)]
    assert [c["title"] for c in found["clips"]] == ["First piece", "Second piece"]
    assert (found["question"]["text"], names(found["play"])) == ("Which is brighter?", ["play"])
    assert found["corner"]
    found = told(Listen("l", NOW, (FIRST, LATER), ("One", "Two")))
    assert [(c["sound"], c["seconds"], c["title"]) for c in found["clips"]] == [
        (AT.of(("clip", 11)), 1.1, "One"),
        (AT.of(("clip", 12)), 1.2, "Two"),
    ]
    assert found["replays"] == 2
    assert names(found["heard"]) == ["next", "again"]
    assert names(found["play"]) == ["play"]


def test_a_question_is_shown_without_its_name_and_its_options_by_their_places() -> None:
    """What a study file calls things may tell what a clip is, or which answer is right."""
    choice = Question("secret", "choice", "Which?", {"hidden": "One", "other": "Two"}, back=True)
    found = told(Ask("ask", NOW, choice, (3, 9)))
    assert "secret" not in str(found)
    assert "hidden" not in str(found)
    assert found["corner"] == "4 of 9"
    assert [(o["label"], o["key"]) for o in found["question"]["options"]] == [("One", "1"), ("Two", "2")]
    assert (found["question"]["back"], found["question"]["alone"]) == ("Back", None)
    several = Question("m", "multiple", "Which?", {"a": "A", "b": "B", "none": "None"}, 1, 3, alone="none")
    assert told(Ask("ask", NOW, several, (0, 1)))["question"]["alone"] == 2
    found = told(Form("f", NOW, (STEPS, replace(STEPS, word="w" * 30)), (0, 2)))
    assert found["corner"] == "1 of 2"
    assert [(q["low"], q["high"], q["labels"], q["word"]) for q in found["questions"]] == [
        (1, 5, ["no", "yes"], "warm"),
        (1, 5, ["no", "yes"], "w" * 30),
    ]
    assert [q["long"] for q in found["questions"]] == [False, True]
    assert (found["questions"][0]["back"], found["questions"][0]["start"], found["questions"][0]["kind"]) == (
        None,
        None,
        "steps",
    )
    assert "pad" not in found["questions"][0]
    assert "options" not in found["questions"][0]


def test_a_number_is_typed_on_a_pad_and_doubted_where_it_would_end_the_session() -> None:
    found = told(Ask("ask", NOW, Question("age", "number", "How old?", low=0, high=120, doubt=18), (0, 1)))["question"]
    assert sorted(b["name"] for b in found["pad"]) == sorted([*"0123456789", "erase"])
    assert found["doubt"] == 18
    assert "{answer}" in found["sure"]["text"]
    assert [o["label"] for o in found["sure"]["options"]] == ["Yes", "No"]


def test_what_is_no_screen_is_not_shown() -> None:
    with pytest.raises(LookupError, match="over"):
        told(End("complete"))


def test_sounds_are_fetched_one_trial_ahead() -> None:
    """Before the first clip those of the sound check and of the level; then the next open trial's that is heard."""
    page, by_hand = Page("p", "", ""), config(level={"by": "participant"}, sound_check=True)
    tone = [AT.of(("tone", x)) for x in ("left", "right", "both")]
    assert told(page, asked=by_hand)["ahead"] == [*tone, AT.of(("noise",))]
    assert told(page, asked=config(sound_check=True))["ahead"] == tone
    first = [AT.of(("clip", 11)), AT.of(("clip", 12))]
    assert told(page, stored(seen=frozenset({"level"})), by_hand)["ahead"] == first
    assert told(page, stored(seen=frozenset({"heard:0"})), by_hand)["ahead"] == first
    assert told(page, asked=config(sound_check=False))["ahead"] == first
    quiet = config(sound_check=False)
    assert told(Ask("ask", NOW, STEPS, (0, 1)), asked=quiet)["ahead"] == [AT.of(("clip", 13))]
    assert told(Ask("ask", NEXT, STEPS, (0, 1)), asked=quiet)["ahead"] == []
    assert told(page, stored(answered=frozenset({(1, "i")})), quiet)["ahead"] == [AT.of(("clip", 13))]


def test_a_turn_grows_with_everything_that_is_stored() -> None:
    none = replace(stored(), special=None)
    assert turn(none) == 0
    for more in (
        {"special": False},
        {"answered": frozenset({(1, "i")})},
        {"seen": frozenset({"sound"})},
        {"screenings": 1},
        {"superseded": {(1, "i"): 1}},
    ):
        assert turn(replace(none, **more)) == 1  # type: ignore[arg-type]


def test_addresses_are_of_one_session_and_one_key() -> None:
    every = sounds([11, 12], (5, 3, 0))
    assert every[:2] == [("clip", 11), ("clip", 12)]
    assert {x[1] for x in every if x[0] == "test"} == {"huggins", "huggins_inverted", "antiphase", "sides", "tones"}
    assert sum(x[0] == "test" for x in every) == 30
    found = {a.of(x) for a in (AT, Addresses(bytes(32), 8), Addresses(bytes([1] * 32), 7)) for x in every}
    assert len(found) == 3 * len(every) == 3 * (2 + 3 + 1 + 2 + 30)
    assert len(AT.step(Page("a", "", ""))) == 16
    assert AT.step(Page("a", "", "")) != AT.step(Page("b", "", ""))


def test_sounds_that_are_no_clips_are_what_they_are_called_and_of_one_size_each() -> None:
    """Left and right by where they are silent; six trials of a test alike in size; tones to count by one size, however many."""

    def heard(*sound: Any) -> tuple[np.ndarray, int]:
        return soundfile.read(io.BytesIO(made(sound)), always_2d=True)

    left, rate = heard("tone", "left")
    assert (rate, len(left)) == (48000, round(0.7 * 48000))
    assert [bool(np.abs(left[:, c]).max() > 0.01) for c in (0, 1)] == [True, False]
    right, _ = heard("tone", "right")
    assert [bool(np.abs(right[:, c]).max() > 0.01) for c in (0, 1)] == [False, True]
    both, _ = heard("tone", "both")
    assert np.abs(both).max(axis=0).min() > 0.01
    noise, _ = heard("noise")
    assert noise[:, 0] == pytest.approx(tones.reference_noise(3.0)[:, 0], abs=1e-4)
    chords = [heard("chord", k)[0] for k in (0, 1)]
    assert not np.allclose(chords[0], chords[1])
    assert chords[1] == pytest.approx(tones.two_chords()[1], abs=1e-4)
    draw = (5, 3, 0)
    drawn = trials("sides", np.random.default_rng(draw))
    for k in range(6):
        assert heard("test", "sides", draw, k)[0] == pytest.approx(drawn[k].audio, abs=1e-4)
    for some in (("tone", "left"), ("tone", "both")), (("chord", 0), ("chord", 1)):
        assert len({len(made(x)) for x in some}) == 1
    assert len({len(made(("test", "antiphase", draw, k))) for k in range(6)}) == 1
    assert {len(made(("test", "tones", (k,), 0))) for k in range(8)} == {96 * 1024}
    with pytest.raises(LookupError, match="no such sound"):
        made(("clip", 11))
