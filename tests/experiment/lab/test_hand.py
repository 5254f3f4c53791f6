"""The desk's hand: it answers by what it reads."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiment.config import ExperimentConfig
from experiment.errors import ExperimentError
from experiment.lab import hand as hand_
from experiment.lab.desk import Desk
from experiment.lab.hand import Hand
from experiment.lab.reading import Page, phrases
from tests.experiment import readers

EN = readers.reader("en")


class Noted(Hand):
    """A hand that notes what it would do."""

    def __init__(self, seed: int = 0, keyboard: bool = False, language: str = "en"):
        rng = np.random.default_rng(seed)
        super().__init__(Desk({}, None), rng, readers.reader(language), keyboard)  # type: ignore[arg-type]
        self.did: list[Any] = []

    def click(self, point: tuple[float, float]) -> None:
        self.did.append(point)

    def press(self, *keys: str) -> None:
        self.did += keys


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_.time, "sleep", lambda _: None)


def words(text: str, x: int, y: int) -> dict[str, Any]:
    return {"text": text, "at": [x, y]}


def button(text: str, x: int, y: int) -> list[dict[str, Any]]:
    return [{"box": [100, 40], "at": [x, y]}, words(text, x, y)]


def slider(left: str, right: str, question: str = "Which piece fits the taste SALTY better?") -> dict[str, Any]:
    ticks = [{"line": [[100 + 10 * k, 50], [100 + 10 * k, 60]]} for k in range(11)]
    random.Random(1).shuffle(ticks)
    line = {"line": [[100, 55], [200, 55]]}
    shown = [
        words(question, 150, 10),
        words("3 of 9", 190, 5),
        line,
        *ticks,
        words(left, 100, 70),
        words(right, 200, 70),
    ]
    return {"screen": "slider", "shown": [*shown, *button("Continue", 150, 120)], "item": "whatever the code says"}


def test_a_scale_is_answered_from_the_end_that_says_so() -> None:
    """The same meaning is pointed at on the other side where the ends stand exchanged."""
    meant = set()
    for seed in range(12):
        right, turned = Noted(seed), Noted(seed)
        right.answer(slider("the first piece", "the second piece"))
        turned.answer(slider("the second piece", "the first piece"))
        assert right.given == turned.given
        (given,) = right.given
        assert (given["item"], given["taste"]) == ("preference", "salty")
        assert right.did == [(100 + 10 * given["value"], 55), (150, 120)]
        assert turned.did == [(200 - 10 * given["value"], 55), (150, 120)]
        keys = Noted(seed, keyboard=True)
        keys.answer(slider("the first piece", "the second piece"))
        way = keys.did.count("right") - keys.did.count("left")
        assert keys.given == right.given
        assert 5 + way == given["value"]
        assert keys.did[-1] == "return"
        assert len(keys.did) > 1  # the middle too has to be marked
        meant.add(given["value"])
    assert min(meant) < 3
    assert max(meant) > 7


def test_a_rating_is_the_word_on_the_button() -> None:
    """Wherever the words stand; the item is the word above them."""
    labels = readers.STEPS["en"]
    for order in (labels, labels[::-1]):
        shown = [words(readers.RECOGNISE["en"], 300, 10), words("warm", 300, 50)]
        for k, label in enumerate(order):
            shown += button(label, 100 + 110 * k, 100)
        hand = Noted(3)
        hand.answer({"screen": "steps", "shown": [*shown, *button("Continue", 300, 200), *button("Stop", 50, 300)]})
        (given,) = hand.given
        assert given["item"] == "hot"
        place = 100 + 110 * order.index(labels[int(given["value"]) - 1])
        assert hand.did == [(place, 100), (300, 200)]
        keys = Noted(3, keyboard=True)
        keys.answer({"screen": "steps", "shown": [*shown, *button("Continue", 300, 200), *button("Stop", 50, 300)]})
        assert keys.did == [str(1 + (place - 100) // 110), "return"]


def test_numbered_steps_are_answered_by_their_ends() -> None:
    shown = [
        words("How does the music feel?", 300, 10),
        words("very unpleasant", 100, 140),
        words("very pleasant", 900, 140),
    ]
    for k in range(1, 10):
        shown += button(str(k), 100 * k, 100)
    for seed in range(5):
        hand = Noted(seed)
        hand.answer({"screen": "steps", "shown": [*shown, *button("Continue", 300, 200)]})
        assert hand.did == [(100 * hand.given[0]["value"], 100), (300, 200)]
        keys = Noted(seed, keyboard=True)
        keys.answer({"screen": "steps", "shown": [*shown, *button("Continue", 300, 200)]})
        assert keys.did == [str(int(hand.given[0]["value"])), "return"]


def test_it_stops_where_it_can_not_read_what_should_stand_there() -> None:
    with pytest.raises(ExperimentError, match="no question that is known here says: Which piece fits the taste UMAMI"):
        Noted().answer(slider("the first piece", "the second piece", "Which piece fits the taste UMAMI better?"))
    with pytest.raises(ExperimentError, match="no question that is known"):
        Noted().answer(slider("the first piece", "the third piece"))
    with pytest.raises(ExperimentError, match="no button says 'I agree'; there are: 'Yes', 'Stop'"):
        Noted().answer({"screen": "consent", "shown": [*button("Stop", 5, 99), *button("Yes", 50, 50)]})
    short = slider("the first piece", "the second piece")
    short["shown"] = [x for x in short["shown"] if x.get("line", [[0, 0]])[0] != [150, 50]]
    with pytest.raises(ExperimentError, match="preference: the scale has 10 places, not 0 to 10"):
        Noted().answer(short)


def test_other_screens_are_gone_through_by_their_words() -> None:
    two = [*button("I do not agree", 20, 50), *button("I agree", 200, 50), *button("Stop", 5, 99)]
    assert did({"screen": "consent", "shown": two}) == ([(200, 50)], ["2"])
    yes = [*button("Yes", 20, 50), *button("No", 200, 50), *button("Listen again", 300, 50)]
    chosen = [*yes, *button("Continue", 90, 90)]
    assert did({"screen": "special", "shown": chosen}) == ([(20, 50), (90, 90)], ["1", "return"])
    assert did({"screen": "reading", "shown": button("Continue", 7, 8)}) == ([(7, 8)], ["space"])
    assert did({"screen": "sound", "shown": yes}) == ([(20, 50)], ["1"])
    assert did({"screen": "page", "shown": button("Continue", 7, 8)}) == ([(7, 8)], ["space"])
    assert did({"screen": "heard", "shown": [*button("Listen again", 1, 8), *button("Continue", 207, 8)]}) == (
        [(207, 8)], ["space"],
    )  # fmt: skip
    assert did({"screen": "listen", "shown": button("Play", 7, 8)}) == ([(7, 8)], ["space"])
    assert did({"screen": "level", "shown": button("Continue", 7, 8)}) == ([(7, 8)], ["return"])
    assert did({"screen": "playing", "shown": []}) == ([], [])
    three = [x for k in (1, 2, 3) for x in button(str(k), 100 * k, 50)]
    clicked, pressed = did({"screen": "headphones", "shown": three})
    assert clicked == [(100 * int(pressed[0]), 50)]


def did(marker: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    mouse, keys = Noted(), Noted(keyboard=True)
    mouse.answer(marker)
    keys.answer(marker)
    assert mouse.given == keys.given == []
    assert mouse.screens == [marker["screen"]]
    return mouse.did, keys.did


def test_ages_are_entered_and_choices_read() -> None:
    """By the digits that stand there, or typed."""
    digits = [x for k in range(10) for x in button(str(k), 100 + 40 * k, 120)]
    shown = [words("How old are you?", 300, 10), words("_", 300, 50), *digits, *button("Continue", 300, 200)]
    for keyboard in (False, True):
        hand = Noted(5, keyboard=keyboard)
        hand.answer({"screen": "number", "shown": shown})
        (given,) = hand.given
        assert given["item"] == "age"
        assert 20 <= given["value"] < 70
        typed = str(int(given["value"]))
        pressed = [(100 + 40 * int(d), 120) for d in typed]
        assert hand.did == ([*typed, "return"] if keyboard else [*pressed, (300, 200)])
    shown = [words("How do you listen now?", 300, 10)]
    for k, label in enumerate(("another way", "headphones", "loudspeakers", "hi-fi system")):
        shown += button(label, 300, 100 + 50 * k)
    shown += button("Continue", 300, 400)
    for seed in range(6):
        hand, keys = Noted(seed), Noted(seed, keyboard=True)
        for h in (hand, keys):
            h.answer({"screen": "choice", "shown": shown})
        place = ["other", "headphones", "speakers", "hifi"].index(hand.given[0]["choice"])
        assert (
            hand.given
            == keys.given
            == [{"item": "device", "choice": ["other", "headphones", "speakers", "hifi"][place]}]
        )
        assert hand.did == [(300, 100 + 50 * place), (300, 400)]
        assert keys.did == [str(place + 1), "return"]


def test_keys_and_clicks_as_xdotool_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(hand_.subprocess, "run", lambda command, **_: ran.append(command))
    hand = Hand(Desk({}, None), np.random.default_rng(0), EN)  # type: ignore[arg-type]
    hand.press("left", "right", "return", "4", "space")
    assert [r[1:] for r in ran] == [["key", k] for k in ("Left", "Right", "Return", "4", "space")]
    ran.clear()
    hand.click((12.4, 30.6))
    assert [r[1:] for r in ran] == [["mousemove", "12", "31"], ["mousedown", "1"], ["mouseup", "1"]]


def test_a_page_is_read_as_a_person_reads() -> None:
    page = Page.of(
        [*button("b", 300, 100), *button("a", 100, 100), *button("top", 500, 20), words("beside", 151, 100),
         {"line": [[9, 5], [9, 1]]}, {"line": [[3, 1], [3, 5]]}, {"line": [[0, 3], [50, 3]]}]
    )  # fmt: skip
    assert list(page.buttons) == ["top", "a", "b"]
    assert page.words == (("beside", (151.0, 100.0)),)
    assert page.ticks == ((3.0, 3.0), (9.0, 3.0))
    assert page.across("beside") == 151
    assert EN.counted("12 of 49") == (12, 49)
    assert EN.counted("12 of many") is None
    assert EN.counted("see 12 of 49") is None


@pytest.mark.parametrize("language", ["en", "it"])
def test_the_studys_own_reader_knows_what_we_do(config: ExperimentConfig, language: str) -> None:
    """Made from the study's words, it is the list that was written down by hand."""
    felt = ExperimentConfig.model_validate(config.model_dump() | {"affect": ["valence", "arousal", "familiarity"]})
    made = phrases(felt, language)
    ours = readers.reader(language)
    assert (made.agree, made.yes, made.onward, made.play) == (ours.agree, ours.yes, ours.onward, ours.play)
    assert made.progress == ours.progress
    assert made.questions == ours.questions
    assert felt.preference is not None
    paper = felt.model_copy(update={"preference": felt.preference.model_copy(update={"replicate": True})})
    assert phrases(paper, language).questions == readers.reader(language, one_page=True).questions


def test_the_studys_own_reader_knows_its_questionnaires_and_two_ended_scales(config: ExperimentConfig) -> None:
    ratings = config.ratings.model_dump() if config.ratings else {}
    ratings["adjectives"] = [
        {"name": "hot", "words": {"en": "warm", "it": "caldo"}, "opposite": {"en": "cold", "it": "freddo"}}
    ]
    asked = {
        "name": "q", "low": 1, "high": 7, "question": {"en": "Agree?", "it": "Sì?"},
        "labels": {"en": ["no", "yes"], "it": ["no", "sì"]}, "items": [{"name": "q1", "words": {"en": "I sing.", "it": "Canto."}}],
    }  # fmt: skip
    own = ExperimentConfig.model_validate(config.model_dump() | {"ratings": ratings, "questionnaires": [asked]})
    known = phrases(own, "en").questions
    hot = known[frozenset(["Where between the two words is the music?", "cold", "warm"])]
    assert (hot.item, hot.ends, hot.low, hot.high) == ("hot", ("cold", "warm"), 1, 5)
    q1 = known[frozenset(["Agree?", "I sing.", "no", "yes"])]
    assert (q1.item, q1.ends, q1.low, q1.high) == ("q1", ("no", "yes"), 1, 7)


SESSION = """
import json, os, sys, time
print("a line that is no marker")
for screen in ("page", "heard"):
    print(json.dumps({"screen": screen, "shown": [{"box": [100, 40], "at": [7, 8]}, {"text": "Continue", "at": [7, 8]}]}), flush=True)
print("something went wrong", file=sys.stderr)
while len(sys.argv) > 1 and os.path.getsize(sys.argv[1]) < 2: time.sleep(0.01)  # both are answered
sys.exit(3)
"""


def test_a_session_is_answered_screen_by_screen_and_its_end_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clicked: list[tuple[float, float]] = []
    pressed: list[str] = []
    answered = tmp_path / "answered"

    def does(done: list[Any], what: Any) -> None:
        done.append(what)
        answered.write_text("." * len(done))

    monkeypatch.setattr(Hand, "click", lambda self, point: does(clicked, point))
    monkeypatch.setattr(Hand, "press", lambda self, *keys: does(pressed, *keys))
    booth = Desk(dict(os.environ), None)  # type: ignore[arg-type]
    seen: list[tuple[int, str, int]] = []

    def on_marker(count: int, marker: dict[str, Any], process: Any) -> None:
        seen.append((count, marker["screen"], len(clicked)))

    command = [sys.executable, "-c", SESSION, str(answered)]
    answered.touch()
    report = hand_.drive(booth, command, np.random.default_rng(0), EN, on_marker=on_marker, timeout=20)
    assert (report.status, report.capture, report.given) == (3, None, [])
    assert [m["screen"] for m in report.markers] == ["page", "heard"]
    assert seen == [(1, "page", 0), (2, "heard", 1)]  # before each is answered
    assert clicked == [(7, 8), (7, 8)]
    assert report.errors == "something went wrong\n"
    answered.write_text("")
    hand_.drive(booth, command, np.random.default_rng(0), EN, timeout=20, keyboard=True)
    assert pressed == ["space", "space"]
    assert len(clicked) == 2


def test_a_session_that_can_not_be_read_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    was = hand_.subprocess.Popen
    monkeypatch.setattr(hand_.subprocess, "Popen", lambda *a, **k: started.append(was(*a, **k)) or started[-1])
    endless = SESSION.replace("Continue", "Weiter").replace("sys.exit(3)", "time.sleep(60)")
    booth = Desk(dict(os.environ), None)  # type: ignore[arg-type]
    with pytest.raises(ExperimentError, match="no button says 'Continue'"):
        hand_.drive(booth, [sys.executable, "-c", endless], np.random.default_rng(0), EN)
    assert started[0].wait(5) < 0


def test_a_session_that_does_not_end_is_ended_and_it_is_said_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it says nothing more, and nothing is left to be read of it."""
    monkeypatch.setattr(Hand, "click", lambda self, point: None)
    silent = SESSION.replace("sys.exit(3)", "time.sleep(60)")
    booth = Desk(dict(os.environ), None)  # type: ignore[arg-type]
    report = hand_.drive(booth, [sys.executable, "-c", silent], np.random.default_rng(0), EN, timeout=3)
    assert report.status == -signal.SIGKILL
    assert report.errors == "something went wrong\n\nit had not ended after 3 s; the last that was shown is: heard"
