"""Whole sessions on glass: a reader answers by the words that stand there, and what is stored is what was meant."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from experiment import launch
from experiment.config import ExperimentConfig
from experiment.data.tables import Consent, Event, Response, Screening, SessionRow, Trial
from experiment.headphones import trials as headphone_trials
from experiment.lab.reading import Page
from experiment.lab.screens import Screens
from experiment.launch import Prepared
from experiment.question import Answer, Back, Question
from experiment.session import Stopped, run_session
from tests.experiment import readers
from tests.experiment.lab.glass import BOOT, FRAME, LATE, GlassHand, Sound, World

PAUSE = 0.008  # s that the window sleeps after a flip


def words(page: Page) -> list[str]:
    """What stands there but for buttons, from top to bottom."""
    return [w for w, _ in sorted(page.words, key=lambda x: x[1][1])]


def sit_down(
    glass: World, booth: Prepared, code: str, language: str = "en", keyboard: bool = False, **more: Any
) -> tuple[GlassHand, str, int]:
    """Run a driven session from its beginning."""
    hand = GlassHand(glass, np.random.default_rng(3), readers.reader(language), keyboard)
    screens = Screens(language, booth.config.replays, True, hand.answer)
    session = launch.begin(booth, code, "driven", language, "x", **more)
    return hand, run_session(booth.store, session, booth.config, screens), session


def answered(booth: Prepared, session: int) -> list[tuple[str, str | None, float | None, str | None]]:
    query = select(Response.item, Trial.block, Trial.taste, Response.value, Response.choice).join(Trial)
    with booth.store.transaction() as s:
        rows = s.execute(query.where(Trial.session_id == session).order_by(Response.id)).all()
    return [(i, taste if block == "preference" else None, v, c) for i, block, taste, v, c in rows]


def meant(hand: GlassHand) -> list[tuple[str, str | None, float | None, str | None]]:
    return [(g["item"], g.get("taste"), g.get("value"), g.get("choice")) for g in hand.given]


@pytest.mark.parametrize(("language", "keyboard"), [("en", False), ("it", True), ("it", False), ("en", True)])
def test_what_was_read_and_meant_is_what_is_stored(
    glass: World, booth: Prepared, language: str, keyboard: bool
) -> None:
    hand, status, session = sit_down(glass, booth, "P7", language, keyboard)
    assert status == "complete"
    assert answered(booth, session) == meant(hand)
    assert len(hand.given) == 8 + 5 + 3 * 12
    given = {g["value"] for g in hand.given if g["item"] == "preference"}
    assert given - {5.0}  # not the middle alone, which says nothing about the ends
    # Every screen in its place, with all its words.
    pages, buttons = readers.PAGES[language], readers.BUTTONS[language]
    first, second, listen = readers.TITLES[language]
    shown = [(s, p) for s, p in hand.pages if s not in ("playing", "sounding")]
    order = [s for s, _ in shown]
    part = ["listen", "heard"]
    assert order == [
        "consent", "special", "choice", "number", *["choice"] * 6, "sound", "page", "listen", "listen", "slider", "page",
        *([*part, *part, "slider"] * 5), "page", "page", *([*part, *["steps"] * 12] * 3), "page",
    ]  # fmt: skip
    read = [words(p) for _, p in shown]
    assert read[0] == list(pages["consent"])
    assert read[1] == list(pages["special"])
    assert list(shown[0][1].buttons) == [buttons["agree"], buttons["decline"], buttons["stop"]]
    assert list(shown[1][1].buttons) == [buttons["yes"], buttons["no"], buttons["onward"], buttons["stop"]]
    assert read[10] == list(pages["sound"])
    assert list(shown[10][1].buttons) == [buttons["yes"], buttons["again"], buttons["stop"]]
    texts = [r for s, r in zip(order, read, strict=True) if s == "page"]
    ending = [pages["end"][0], pages["end"][1].format("P7")]
    assert texts == [*(list(pages[k]) for k in ("practice", "preference", "pause", "ratings")), ending]
    titles = [r for s, r in zip(order, read, strict=True) if s == "listen"]
    assert titles == [[first], [second], *[[first], [second]] * 5, *[[listen]] * 3]
    for screen, page in shown:
        if screen == "heard":
            assert list(page.buttons) == [buttons["onward"], buttons["again"], buttons["stop"]]
        if screen in ("steps", "slider", "choice", "number"):
            # Back to the answer before, within a clip (or what one is asked about oneself) alone.
            count = next(c[0] for w in words(page) if (c := hand.phrases.counted(w))) if screen != "slider" else 0
            rated = count - 13 - 1 if count > 13 else None
            back = [buttons["back"]] if (1 < count <= 8 or (rated is not None and rated % 12)) else []
            assert list(page.buttons)[-1 - len(back) :] == [buttons["stop"], *back], count
        if screen == "steps":
            assert list(page.buttons)[:-1] == [
                *readers.STEPS[language],
                buttons["onward"],
                *([buttons["stop"]] if back else []),
            ]
    # One item after the other is counted, to the last.
    counts = [c for p in read for w in p if (c := hand.phrases.counted(w))]
    assert counts == [(k, 49) for k in range(1, 50)]


def test_the_clip_that_sounds_is_the_one_that_its_title_says(glass: World, booth: Prepared) -> None:
    _, _, session = sit_down(glass, booth, "A")
    with booth.store.transaction() as s:
        plan = [
            (t.block, [c.path for c in (t.first, t.second) if c is not None])
            for t in s.scalars(select(Trial).where(Trial.session_id == session).order_by(Trial.position))
            if t.first is not None
        ]
        onsets = [
            (e.trial_id, e.detail["clip"])
            for e in s.scalars(select(Event).where(Event.name == "audio_onset").order_by(Event.id))
        ]
        trials = {t.id: t for t in s.scalars(select(Trial))}
        for trial_id, clip in onsets:
            assert clip in [c.clip for c in (trials[trial_id].first, trials[trial_id].second) if c]
    expected = []
    for block, paths in plan:
        titles = ["First piece", "Second piece"] if block == "preference" else ["Listen"]
        expected += list(zip(paths, titles, strict=True))
    heard = [(s.value, title) for s in glass.sounds for w in s.words for title in w if title != "Stop"]
    files = [(path, title) for path, title in heard if isinstance(path, str)]
    assert files == expected
    assert len(onsets) == 13


def test_tones_sound_on_the_side_that_is_written(glass: World, booth: Prepared) -> None:
    """Left, right, both: at -20 dBFS, 440 Hz, and while each sounds its name stands there."""
    for language, names in readers.SIDES.items():
        world = GlassHand(glass, np.random.default_rng(0), readers.reader(language))
        Sound.made.clear()
        record = Screens(language, 2, True, world.answer).sound_check()
        assert [w[1] for s in glass.sounds for w in s.words] == names
        loud = [np.abs(s.value).max(axis=0) for s in glass.sounds]
        assert np.allclose(loud, [(0.1, 0), (0, 0.1), (0.1, 0.1)], atol=0.002)
        tone = glass.sounds[0].value[:, 0]
        assert len(tone) == 33600  # 0.7 s at 48 kHz
        assert np.argmax(np.abs(np.fft.rfft(tone))) / 0.7 == pytest.approx(440, abs=1.5)
        assert np.abs(tone[:5]).max() < 0.001  # no click at the onset or at the end
        assert np.abs(tone[-5:]).max() < 0.001
        assert record is not None
        assert record["plays"] == 1
        assert {s.options["sampleRate"] for s in glass.sounds} == {48000}


def test_sound_is_checked_again_as_often_as_is_asked_for(glass: World) -> None:
    again = iter(["Listen again", "Listen again", "Yes"])
    screens: Screens

    def answer(marker: dict[str, Any]) -> None:
        if marker["screen"] == "sound":
            point = glass.page().button(next(again))
            glass.window.todo.append(lambda: glass.window.click(point))

    screens = Screens("en", 2, True, answer)
    found = screens.sound_check()
    assert found is not None
    assert found["plays"] == 3
    assert len(glass.sounds) == 9


def test_consent_is_the_button_that_says_so(glass: World) -> None:
    """All four ways through the two questions; who declines is not asked the second one."""

    def consent(language: str, *pressed: str) -> tuple[tuple[bool, bool], list[str]]:
        ways, shown = iter(pressed), list[str]()

        def answer(marker: dict[str, Any]) -> None:
            shown.append(marker["screen"])
            for words in next(ways).split(", "):
                point = glass.page().button(words)
                glass.window.todo.append(lambda point=point: glass.window.click(point))

        return Screens(language, 0, True, answer).consent(), shown

    both = ["consent", "special"]
    assert consent("en", "I agree", "Yes, Continue") == ((True, True), both)
    assert consent("en", "I agree", "No, Continue") == ((True, False), both)
    assert consent("en", "I agree", "Yes, No, Continue") == ((True, False), both)
    assert consent("en", "I agree", "Continue, No, Continue") == ((True, False), both)  # nothing is chosen at first
    assert consent("en", "I do not agree", "Continue") == ((False, False), ["consent", "page"])
    assert consent("it", "Acconsento", "No, Continua") == ((True, False), both)
    assert consent("it", "Non acconsento", "Continua") == ((False, False), ["consent", "page"])


def test_clips_are_heard_again_as_often_as_the_study_allows(glass: World, booth: Prepared) -> None:
    """Two replays: after the third time there is no button left, and the session goes on by itself."""
    clips = booth.stimuli[:2]
    for replays, plays in ((2, 3), (0, 1), (1, 2)):
        Sound.made.clear()
        asked: list[list[str]] = []

        def answer(marker: dict[str, Any], asked: list[list[str]] = asked) -> None:
            if marker["screen"] in ("listen", "heard"):
                page = glass.page()
                asked.append([marker["screen"], *words(page)])
                point = page.button("Play" if marker["screen"] == "listen" else "Listen again")
                glass.window.todo.append(lambda: glass.window.click(point))

        records = Screens("en", replays, True, answer).listen(clips, ["One", "Two"])
        assert [r["clip"] for r in records] == [clips[0].clip] * plays + [clips[1].clip] * plays
        one = [["listen", "One"], *[["heard", "One"]] * replays]
        assert asked == one + [[s, "Two"] for s, _ in one]
        assert [len(s.played) for s in glass.sounds] == [plays, plays]


def test_a_clip_is_played_to_its_end_and_cannot_be_skipped(glass: World, booth: Prepared) -> None:
    """Keys and clicks while it plays do nothing then or later; the bar grows to its full width."""
    shares: list[float] = []
    asked_at = 0

    def answer(marker: dict[str, Any]) -> None:
        nonlocal asked_at
        window, asked_at = glass.window, glass.window.flips
        if marker["screen"] == "playing":

            def impatient() -> None:
                shares.extend(d["width"] for s, d in window.drawn[-1:] if type(s).__name__ == "Rect")
                window.tap("space")
                window.click((640.0, 624.0))

            window.todo.extend([impatient] * 20)
        else:
            point = glass.page().button("Play" if marker["screen"] == "listen" else "Continue")
            window.todo.extend([*[lambda: None] * 30, lambda: window.click(point)])

    began = glass.clock.now
    screens = Screens("en", 1, True, answer)
    screens.gain_db = -6.0
    (record,) = screens.listen(booth.stimuli[:1], ["One"])
    (sound,) = glass.sounds
    assert sound.options["volume"] == pytest.approx(0.501, abs=0.001)  # -6 dB
    assert sound.options["hamming"] is False
    assert sound.options["stereo"] is True
    assert 0.6 <= record["seconds"] - 0.08 < 0.7
    assert record["onset_error"] == pytest.approx(LATE, abs=1e-5)
    assert record["onset_delay"] == pytest.approx(0.08 + LATE, abs=1e-5)
    assert record["driver"] is True
    assert began + 30 * FRAME < record["began"] == pytest.approx(sound.played[0] + LATE)
    assert sound.stopped == 1
    assert shares == sorted(shares)
    assert shares[0] < 0.05
    assert glass.window.flips - asked_at >= 30  # whether to hear it again was not answered by those keys


@pytest.mark.parametrize("key", ["space", "return"])
def test_a_page_goes_on_with_space_or_return(glass: World, key: str) -> None:
    seen: list[list[str]] = []

    def answer(marker: dict[str, Any]) -> None:
        seen.append([*words(glass.page()), *glass.page().buttons])
        glass.window.todo.append(lambda: glass.window.tap(key))

    Screens("it", 0, True, answer).page("Uno", "Due")
    assert seen == [["Uno", "Due", "Continua", "Interrompi"]]


def ask(glass: World, question: Question, *todo: Callable[[], None], language: str = "en") -> Answer:
    screens = Screens(language, 0)
    glass.clock.sleep(300)  # what came before is no part of an answer
    glass.window.todo.extend(todo)
    return screens.ask(question, Trial(block="x"), (4, 9))


SLIDER = Question("preference", "slider", "Which?", low=0, high=10, labels=("this", "that"))
STEPS = Question("sweet", "steps", "How?", low=1, high=5, labels=("a", "b", "c", "d", "e"), word="sweet")
AGE = Question("age", "number", "How old?", low=1, high=110)


def test_response_times_are_seconds_from_the_first_frame_to_the_answer(glass: World) -> None:
    """60 frames in which nothing happens, and the time that the question whether to stop takes, count."""
    window = glass.window
    wait = [lambda: None] * 60
    answer = ask(glass, STEPS, *wait, lambda: window.tap("4"), lambda: window.tap("return"))
    assert answer.value == 4.0
    assert answer.response_time == pytest.approx(61 * (FRAME + PAUSE), abs=0.03)
    doubt = [*wait, lambda: window.tap("escape"), *wait, lambda: window.tap("2")]
    answer = ask(glass, STEPS, *doubt, *wait, lambda: window.tap("2"), lambda: window.tap("return"))
    assert answer.value == 2.0
    assert answer.response_time == pytest.approx(183 * (FRAME + PAUSE), abs=0.1)
    assert answer.interaction is not None
    assert answer.interaction["moves"] == 1


def test_a_slider_has_no_answer_before_it_is_touched(glass: World) -> None:
    window, onward = glass.window, (640.0, 640.0)
    drawn: list[int] = []

    def look() -> None:
        drawn.append(sum(type(s).__name__ == "Circle" for s, _ in window.drawn))

    # Continue and return do nothing at first; one tick right of the middle, two left of it, then on.
    answer = ask(
        glass, SLIDER, lambda: window.click(onward), lambda: window.tap("return"), look, lambda: window.tap("right"),
        lambda: None, look, *[lambda: window.tap("left")] * 3, lambda: window.tap("space"),
    )  # fmt: skip
    assert answer.value == 3.0
    assert drawn == [0, 1]
    assert answer.interaction is not None
    assert answer.interaction["moves"] == 4
    assert answer.choice is None


def test_a_slider_that_starts_in_the_middle_is_an_answer_as_it_stands(glass: World) -> None:
    """As the seed study's: whoever goes on has said 5; a key moves it from there."""
    window = glass.window
    middle = replace(SLIDER, start=5.0)
    left = ask(glass, middle, lambda: window.tap("return"))
    assert left.value == 5.0
    assert left.interaction is not None
    assert left.interaction["moves"] == 0
    assert ask(glass, middle, lambda: window.tap("left"), lambda: window.tap("return")).value == 4.0


def test_a_slider_is_answered_where_it_is_touched_and_dragged(glass: World) -> None:
    """Eleven ticks over 1.1 screen heights: 88 pixels each, from 200 to 1080; it stays within its ends."""
    window, onward = glass.window, (640.0, 640.0)

    def at(x: float, y: float = 464.0) -> Callable[[], None]:
        return lambda: window.click((x, y))

    def hold(x: float) -> Callable[[], None]:
        def drag() -> None:
            window.pointer, window.held = ((x - 640) / 800, -0.08), True

        return drag

    def take(x: float) -> Callable[[], None]:
        def press() -> None:
            window.click((x, 464.0))
            window.held = True

        return press

    def let_go() -> None:
        window.held = False

    go = at(*onward)
    assert ask(glass, SLIDER, at(200.0), lambda: None, go).value == 0.0
    assert ask(glass, SLIDER, at(1080.0 - 176 + 30), lambda: None, go).value == 8.0
    assert ask(glass, SLIDER, at(1100.0), lambda: None, go).value == 10.0
    assert ask(glass, SLIDER, take(376.0), hold(552.0), hold(816.0), lambda: None, let_go, go).value == 7.0
    # What was pressed elsewhere sets nothing where it is dragged over the line.
    elsewhere = [at(640.0, 300.0), hold(552.0), hold(816.0), let_go]
    assert ask(glass, SLIDER, at(376.0), lambda: None, *elsewhere, go).value == 2.0
    # Beside the line nothing is touched.
    assert ask(glass, SLIDER, at(376.0), at(800.0, 540.0), at(1130.0), lambda: None, go).value == 2.0


def test_steps_are_answered_by_click_number_or_arrows(glass: World) -> None:
    window = glass.window

    def keys(*names: str) -> list[Callable[[], None]]:
        return [lambda name=name: window.tap(name) for name in names]  # type: ignore[misc]

    assert ask(glass, STEPS, *keys("num_2", "return")).value == 2.0
    assert ask(glass, STEPS, *keys("return", "left", "space")).value == 3.0  # the first arrow takes the middle
    assert ask(glass, STEPS, *keys("right", "right", "right", "right", "return")).value == 5.0
    assert ask(glass, STEPS, *keys("left", "left", "left", "left", "return")).value == 1.0
    changed = ask(glass, STEPS, *keys("5", "5", "6", "0", "1", "return"))
    assert changed.value == 1.0
    assert changed.interaction is not None
    assert changed.interaction["moves"] == 2


def test_the_chosen_step_is_marked_and_the_way_on_opens(glass: World) -> None:
    window = glass.window
    fills: list[list[str]] = []

    def look() -> None:
        boxes = [d for s, d in window.drawn if type(s).__name__ == "Rect"]
        fills.append([d["fillColor"] for d in sorted(boxes, key=lambda d: (-d["pos"][1], d["pos"][0]))])

    ask(
        glass, STEPS, look, lambda: window.tap("2"), lambda: None, look, lambda: window.tap("4"), lambda: None, look,
        lambda: window.tap("return"),
    )  # fmt: skip
    blue, white = "#2A6F97", "#FFFFFF"
    assert [f[:6] for f in fills] == [
        [white] * 6,
        [white, blue, white, white, white, blue],
        [white, white, white, blue, white, blue],
    ]


def test_a_scale_without_words_on_its_steps_has_them_at_its_ends(glass: World) -> None:
    """Numbers from left to right, the low words under the first, the high ones under the last."""
    page: list[Page] = []
    numbers = Question("valence", "steps", "How?", low=1, high=9, labels=("bad", "good"))
    ask(
        glass, numbers, lambda: page.append(glass.page()), lambda: glass.window.tap("9"),
        lambda: glass.window.tap("return"),
    )  # fmt: skip
    (shown,) = page
    assert list(shown.buttons) == [*"123456789", "Continue", "Stop"]
    assert shown.across("bad") == shown.buttons["1"][0] < shown.buttons["9"][0] == shown.across("good")
    assert shown.buttons["1"][0] > 50
    assert shown.buttons["9"][0] < 1230
    below = dict(shown.words)
    assert below["bad"][1] == below["good"][1] > shown.buttons["1"][1]
    assert "5 of 9" in below


def test_only_plausible_ages_go_on(glass: World) -> None:
    window = glass.window

    def keys(*names: str) -> list[Callable[[], None]]:
        return [lambda name=name: window.tap(name) for name in names]  # type: ignore[misc]

    assert ask(glass, AGE, *keys("3", "num_4", "return")).value == 34.0
    assert ask(glass, AGE, *keys("return", "x", "9", "9", "9", "9", "return", "backspace", "return")).value == 99.0
    assert ask(glass, AGE, *keys("0", "return", "backspace", "1", "num_enter")).value == 1.0
    assert ask(glass, AGE, *keys("1", "1", "1", "return", "backspace", "0", "return")).value == 110.0
    clicked = ask(
        glass, AGE, lambda: window.click((640.0, 640.0)), *keys("5", "0"), lambda: window.click((640.0, 640.0))
    )
    assert clicked.value == 50.0
    assert clicked.interaction is not None
    assert clicked.interaction["moves"] == 2


def test_what_is_typed_can_be_read(glass: World) -> None:
    window, seen = glass.window, []

    def look() -> None:
        seen.append([w for w in window.words() if w.strip("_").isdigit() or w == "_"])

    ask(
        glass, AGE, look, lambda: window.tap("4"), lambda: None, look, lambda: window.tap("2"), lambda: None, look,
        lambda: window.tap("return"),
    )  # fmt: skip
    assert seen == [["_"], ["4"], ["42"]]


def test_a_key_held_over_frames_counts_once(glass: World) -> None:
    """The keyboard reports a press while it is down and the same press when it is let go."""
    from types import SimpleNamespace

    window = glass.window
    at = 5000.0 + BOOT  # after the screen is shown
    four, again = SimpleNamespace(name="4", tDown=at), SimpleNamespace(name="4", tDown=at + 1)
    todo = [
        lambda: window.down.append(four), lambda: window.released.append(four), lambda: window.down.append(again),
        lambda: window.released.append(again), lambda: window.tap("return"),
    ]  # fmt: skip
    assert ask(glass, AGE, *todo).value == 44.0


def test_choices_are_numbered_from_the_top(glass: World) -> None:
    def keys(*names: str) -> list[Callable[[], None]]:
        return [lambda name=name: glass.window.tap(name) for name in names]  # type: ignore[misc]

    options = {"red": "Red", "green": "Green", "blue": "Blue"}
    question = Question("colour", "choice", "Which colour?", options=options)
    for key, name in (("1", "red"), ("num_2", "green"), ("3", "blue")):
        answer = ask(glass, question, lambda key=key: glass.window.tap(key), lambda: glass.window.tap("return"))  # type: ignore[misc]
        assert (answer.choice, answer.value) == (name, None)
    page: list[Page] = []
    ask(glass, question, lambda: page.append(glass.page()), *keys("1", "return"))
    assert list(page[0].buttons) == ["Red", "Green", "Blue", "Continue", "Stop"]


def test_a_choice_is_confirmed_and_can_be_changed_before(glass: World) -> None:
    """Nothing goes on before something is chosen; arrows begin at the top and stay within the list."""
    window = glass.window
    options = {"red": "Red", "green": "Green", "blue": "Blue"}
    question = Question("colour", "choice", "Which colour?", options=options)

    def keys(*names: str) -> list[Callable[[], None]]:
        return [lambda name=name: window.tap(name) for name in names]  # type: ignore[misc]

    def press(words: str) -> Callable[[], None]:
        return lambda: window.click(glass.page().button(words))

    def given(*todo: Callable[[], None]) -> tuple[str | None, int]:
        answer = ask(glass, question, *todo)
        assert answer.interaction is not None
        return answer.choice, answer.interaction["moves"]

    assert given(*keys("return", "space", "2", "1", "1", "return")) == ("red", 2)
    assert given(press("Continue"), press("Blue"), press("Green"), press("Continue")) == ("green", 2)
    assert given(*keys("down", "down", "num_enter")) == ("green", 2)
    assert given(*keys("up", "up", "return")) == ("red", 1)
    assert given(*keys("down", "down", "down", "down", "down", "space")) == ("blue", 3)
    looks: list[list[str]] = []

    def look() -> None:
        boxes = [d for s, d in window.drawn if type(s).__name__ == "Rect"]
        looks.append([d["fillColor"] for d in sorted(boxes, key=lambda d: -d["pos"][1])][:4])

    given(look, *keys("2"), lambda: None, look, *keys("return"))
    blue, white = "#2A6F97", "#FFFFFF"
    assert looks == [[white] * 4, [white, blue, white, blue]]


def test_nine_choices_stand_one_below_the_other_without_touching(glass: World) -> None:
    """The longest list of the study, and one of 14: no two boxes overlap, none lies over the edge or the question."""
    for n in (9, 14):
        options = {f"o{i}": f"Option {i}" for i in range(n)}
        question = Question("x", "choice", "Which?", options=options)
        boxes: list[tuple[float, float]] = []

        def look(boxes: list[tuple[float, float]] = boxes) -> None:
            boxes += [(d["pos"][1], d["height"]) for s, d in glass.window.drawn if type(s).__name__ == "Rect"]

        ask(glass, question, look, lambda: glass.window.tap("1"), lambda: glass.window.tap("return"))
        places = boxes[: n + 1]  # with the button that goes on
        assert all(a[0] - a[1] / 2 > b[0] + b[1] / 2 for a, b in itertools.pairwise(places))
        assert places[0][0] + places[0][1] / 2 < 0.3 - 0.042 / 2
        assert places[-1][0] - places[-1][1] / 2 > -0.455 + 0.045 / 2


def test_esc_and_the_stop_button_ask_once_and_no_goes_on(glass: World) -> None:
    window, asked = glass.window, []

    def look() -> None:
        asked.append(([w for w, _ in glass.page().words], list(glass.page().buttons)))

    stop = lambda: window.click(glass.page().button("Stop"))  # noqa: E731
    no = lambda: window.click(glass.page().button("No"))  # noqa: E731
    answer = ask(
        glass, STEPS, lambda: window.tap("3"), lambda: window.tap("escape"), lambda: None, look,
        lambda: window.tap("escape"), look, no, lambda: None, stop, lambda: None, look, lambda: window.tap("2"),
        lambda: window.tap("return"),
    )  # fmt: skip
    assert answer.value == 3.0
    question = readers.PAGES["en"]["stop"][0]
    assert asked == [([question], ["Yes", "No"])] * 3
    for way in (lambda: window.tap("1"), lambda: window.click(glass.page().button("Yes"))):
        with pytest.raises(Stopped):
            ask(glass, STEPS, lambda: window.tap("escape"), lambda: None, way)
    words_of_it: list[str] = []
    ask(
        glass, STEPS, lambda: window.tap("escape"), lambda: None, lambda: words_of_it.extend(window.words()),
        lambda: window.tap("2"), lambda: window.tap("1"), lambda: window.tap("return"), language="it",
    )  # fmt: skip
    assert words_of_it == [readers.PAGES["it"]["stop"][0], "Sì", "No"]


def test_other_mouse_buttons_and_lost_focus(glass: World) -> None:
    """The right mouse button presses nothing; focus that was lost while a question stood there is told with its answer."""
    window = glass.window
    screens = Screens("en", 0)
    place = (640.0, 432.0)
    window.todo.extend(
        [lambda: window.click(place, 4), lambda: None, lambda: window.handlers["on_deactivate"](),
         lambda: window.click((440.0, 432.0)), lambda: window.tap("2"), lambda: window.handlers["on_activate"](),
         lambda: window.click(place), lambda: window.tap("return")]
    )  # fmt: skip
    answer = screens.ask(STEPS, Trial(block="x"), (0, 1))
    assert answer.value == 3.0
    assert answer.interaction is not None
    assert answer.interaction["focus_losses"] == 1
    assert answer.interaction["dropped"] == 2  # a press and a key while another window had the focus
    assert answer.interaction["moves"] == 1
    assert answer.interaction["late_frames"] == 0
    window.todo.extend([lambda: None] * 10)
    window.todo.extend([lambda: window.tap("1"), lambda: glass.clock.sleep(0.2), lambda: window.tap("return")])
    late = screens.ask(STEPS, Trial(block="x"), (0, 1)).interaction
    assert late is not None
    assert (late["focus_losses"], late["late_frames"], late["moves"]) == (0, 1, 1)
    screens.close()
    assert not window.open


def test_a_level_is_chosen_in_steps_of_3_db_and_is_never_over_0(glass: World) -> None:
    """-24 to 0 dB: the louder end is 0, each key is 3 dB, and the noise that plays follows at once."""
    for language, ends in readers.LOUDNESS.items():
        every = [([], -12.0), (["right"] * 9, 0.0), (["left"] * 9, -24.0), (["left"], -15.0)]
        for keys, gain in every if language == "en" else every[-1:]:
            Sound.made.clear()
            page: list[Page] = []

            def level(marker: dict[str, Any], keys: list[str] = keys, page: list[Page] = page) -> None:
                page.append(glass.page())
                for key in [*keys, "return"]:
                    glass.window.todo.extend([lambda: None, lambda key=key: glass.window.tap(key)])  # type: ignore[misc]

            assert Screens(language, 0, True, level).adjust_level(-24) == gain
            assert words(page[0])[:2] == list(readers.PAGES[language]["level"])
            assert page[0].across(ends[0]) < 640 < page[0].across(ends[1])
            assert len(page[0].ticks) == 9
            volumes = [20 * np.log10(s.options["volume"]) for s in glass.sounds]
            assert volumes[0] == pytest.approx(-12)
            assert volumes[-1] == pytest.approx(gain)
            assert len(glass.sounds[0].value) == 3 * 48000
    page.clear()
    assert (
        Screens("en", 0, True, lambda _: glass.window.todo.append(lambda: glass.window.tap("space"))).adjust_level(-60)
        == -30
    )


def test_headphones_are_screened_with_the_words_of_their_test(glass: World) -> None:
    for language in ("en", "it"):
        for test in ("huggins", "antiphase"):
            Sound.made.clear()
            read: list[list[str]] = []
            chosen: list[int] = []

            def answer(marker: dict[str, Any], read: list[list[str]] = read, chosen: list[int] = chosen) -> None:
                page = glass.page()
                read.append(words(page))
                if marker["screen"] == "headphones":
                    assert list(page.buttons)[:3] == ["1", "2", "3"]
                    chosen.append(len(chosen) % 3 + 1)
                    point = page.button(str(chosen[-1]))
                    glass.window.todo.append(lambda: glass.window.click(point))
                elif marker["screen"] == "page":
                    glass.window.todo.append(lambda: glass.window.tap("space"))

            drawn = headphone_trials(test, np.random.default_rng(1))
            given = Screens(language, 0, True, answer).screen_headphones(test, drawn)
            assert given == chosen == [1, 2, 3, 1, 2, 3]
            assert read[0] == list(readers.PAGES[language][test])
            title = readers.PAGES[language][test][0]
            assert read[1::2] == [[f"{title} {k}/6"] for k in range(1, 7)]
            assert read[2::2] == [[readers.HEADPHONES[language][test]]] * 6
            assert [s.value is t.audio for s, t in zip(glass.sounds, drawn, strict=True)] == [True] * 6


def test_practice_plays_the_high_chord_first(glass: World) -> None:
    """The words ask which is higher; each chord sounds under its own title, and nothing is stored."""
    hand = GlassHand(glass, np.random.default_rng(0), readers.reader("en"))
    from experiment.items import practice_question
    from tastelab.study import load_study
    from tests.conftest import ROOT

    config = load_study(ROOT / "study.toml").experiment
    Screens("en", 0, True, hand.answer).practice(practice_question(config, "en"))
    assert [s for s in hand.screens if s != "sounding"] == ["listen", "listen", "slider"]
    assert [w[0] for s in glass.sounds for w in s.words] == ["First piece", "Second piece"]
    high, low = (s.value[:, 0] for s in glass.sounds)

    def lowest(x: np.ndarray) -> float:
        loud = np.abs(np.fft.rfft(x))
        return float(np.flatnonzero(loud > 0.3 * loud.max())[0] * 48000 / len(x))

    assert lowest(high) == pytest.approx(523.25, abs=3)  # C5
    assert lowest(low) == pytest.approx(130.81, abs=3)  # C3
    assert hand.given == []


def test_options_of_a_study_are_shown_and_stored(glass: World, booth: Prepared) -> None:
    """Valence and arousal by their ends, a level, headphones, no practice: what was meant is stored."""
    more = {
        "affect": ["valence", "arousal", "familiarity"], "level": {"by": "participant", "softest": -18},
        "headphones": "both", "practice": False, "pause": False, "sound_check": False,
    }  # fmt: skip
    config = ExperimentConfig.model_validate(booth.config.model_dump() | more)
    asked = Prepared(booth.store, booth.study_id, config, booth.stimuli)
    for code, keyboard in (("A", False), ("B", True)):
        hand, status, session = sit_down(glass, asked, code, "en", keyboard)
        assert status == "complete"
        assert answered(asked, session) == meant(hand)
        assert sum(g["item"] == "valence" for g in hand.given) == 3
        with asked.store.transaction() as s:
            row = s.get_one(SessionRow, session)
            assert row.calibration == {"by": "participant", "gain_db": -9.0}
            kept = s.scalars(select(Screening).where(Screening.session_id == session)).all()
            assert [len(x.detail["given"]) for x in kept] == [6, 6]
        clips = [s.options["volume"] for s in glass.sounds if isinstance(s.value, str)]
        assert np.allclose(20 * np.log10(clips), -9.0)


def test_a_window_that_can_not_be_opened_is_one_line(monkeypatch: pytest.MonkeyPatch, glass: World) -> None:
    import sys

    from experiment.errors import ExperimentError
    from experiment.lab.window import open_window

    def broken(**_: Any) -> None:
        raise OSError("no screen")

    monkeypatch.setattr(sys.modules["psychopy.visual"], "Window", broken, raising=False)
    with pytest.raises(ExperimentError, match=r"no window can be opened \(OSError\)"):
        open_window(True)


def test_own_wording_is_shown(glass: World, tmp_path: Path) -> None:
    from experiment.texts import FOLDER

    english = (FOLDER / "en.toml").read_text(encoding="utf-8")
    (tmp_path / "en.toml").write_text(english.replace('next = "Continue"', 'next = "Go on"'), encoding="utf-8")
    seen: list[str] = []

    def answer(_: dict[str, Any]) -> None:
        seen.extend(glass.page().buttons)
        glass.window.todo.append(lambda: glass.window.tap("space"))

    Screens("en", 0, True, answer, None, tmp_path).page("a", "b")
    assert seen == ["Go on", "Stop"]


def test_consent_is_stored_as_given(glass: World, booth: Prepared) -> None:
    """Who says no to the optional questions is not asked them; who declines leaves nothing."""

    class Private(GlassHand):
        declines = False

        def answer(self, marker: dict[str, Any]) -> None:
            if marker["screen"] == "special" or (marker["screen"] == "consent" and self.declines):
                word = "No" if marker["screen"] == "special" else "I do not agree"
                self.click(self.world.page().button(word))
                if word == "No":
                    self.click(self.world.page().button("Continue"))
            else:
                super().answer(marker)

    for code, declines in (("A", False), ("B", True)):
        hand = Private(glass, np.random.default_rng(1), readers.reader("en"))
        hand.declines = declines
        session = launch.begin(booth, code, "driven", "en", "x")
        status = run_session(booth.store, session, booth.config, Screens("en", 0, True, hand.answer))
        with booth.store.transaction() as s:
            person = s.get_one(SessionRow, session).participant_id
            consents = [
                c.special_categories for c in s.scalars(select(Consent).where(Consent.participant_id == person))
            ]
        items = {i for i, *_ in answered(booth, session)}
        if declines:
            assert (status, consents, items) == ("refused", [], set())
        else:
            assert (status, consents) == ("complete", [False])
            assert not items & {"ethnicity", "hearing_impairments", "taste_impairments"}
            assert {"sex", "age", "device"} <= items


def test_what_does_not_change_is_not_drawn_again(glass: World) -> None:
    """Forty frames of a page are drawn once; where a button is pointed at, it alone is drawn anew, and tinted."""
    window = glass.window
    draws: list[int] = []
    fills: list[str] = []

    def look() -> None:
        draws.append(window.draws)
        fills.append(next(d["fillColor"] for s, d in window.drawn if type(s).__name__ == "Rect" and d["pos"][0] > 0))

    def point() -> None:
        window.pointer = (0.21, -0.28)

    todo = [
        lambda: None,
        look,
        *[lambda: None] * 40,
        look,
        point,
        lambda: None,
        lambda: None,
        look,
        lambda: window.tap("1"),
    ]
    window.todo.extend(todo)
    assert Screens("en", 0).choose("x", "Title", "Body", [("a", "A", "1"), ("b", "B", "2")]) == "a"
    assert draws[0] == 2 + 3 * 2  # two texts, three buttons of a box and a word
    assert draws[1] == draws[0]
    assert draws[2] == draws[1] + 2
    assert fills == ["#FFFFFF", "#FFFFFF", "#DDE6EA"]


def test_the_window_fills_the_screen_or_is_1280_by_800(glass: World) -> None:
    Screens("en", 0, True)
    assert glass.window.options["fullscr"] is True
    assert glass.window.options["allowGUI"] is False
    Screens("en", 0, False)
    assert glass.window.options["fullscr"] is False
    assert glass.window.options["allowGUI"] is True
    assert glass.window.options["size"] == (1280, 800)
    assert glass.window.options["units"] == "height"
    assert glass.window.options["color"] == "#F6F4EF"
    assert glass.window.options["useFBO"] is True


def test_a_click_before_a_screen_stands_does_not_answer_it(glass: World) -> None:
    """Somebody who clicks on while a sound plays has not answered what comes after it."""
    screens = Screens("en", 0)
    glass.window.click((640.0, 624.0))
    glass.window.todo.extend([*[lambda: None] * 10, lambda: glass.window.tap("space")])
    before = glass.window.flips
    screens.page("a", "b")
    assert glass.window.flips - before > 10


@pytest.mark.parametrize("language", ["en", "it"])
def test_nothing_lies_over_anything_else_or_over_the_edge(glass: World, booth: Prepared, language: str) -> None:
    """On every screen of a session: boxes apart and inside, rows of buttons centred, the way to stop small in its corner."""
    told: list[dict[str, Any]] = []
    hand = GlassHand(glass, np.random.default_rng(3), readers.reader(language))

    def answer(marker: dict[str, Any]) -> None:
        told.append(marker)
        hand.answer(marker)

    session = launch.begin(booth, "A", "driven", language, "x")
    run_session(booth.store, session, booth.config, Screens(language, 2, True, answer))
    for marker in told:
        boxes = [(*x["at"], *x["box"]) for x in marker["shown"] if "box" in x]
        if marker["screen"] == "playing":
            boxes = [b for b in boxes if b[3] > 20]  # the bar's trough and its filled part lie on each other
        for x, y, w, h in boxes:
            assert w / 2 <= x <= 1280 - w / 2
            assert h / 2 <= y <= 800 - h / 2
        for a, b in itertools.combinations(boxes, 2):
            assert abs(a[0] - b[0]) >= (a[2] + b[2]) / 2 or abs(a[1] - b[1]) >= (a[3] + b[3]) / 2, marker["screen"]
        *others, stop = sorted(boxes, key=lambda b: (b[1], -b[0]))
        assert stop[0] < 160
        assert stop[1] > 740
        others = [
            b for b in others if not (b[1] == stop[1] and 160 < b[0] < 320 and b[2:] == stop[2:])
        ]  # back, beside it
        assert all(b[2] * b[3] > stop[2] * stop[3] for b in others)
        by_row: dict[int, list[tuple[int, ...]]] = {}
        for b in others:
            by_row.setdefault(b[1], []).append(b)
        for row in by_row.values():
            assert np.mean([b[0] for b in row]) == pytest.approx(640, abs=1)
            assert len({b[2:] for b in row}) == 1
        texts = [(x["text"], *x["at"]) for x in marker["shown"] if "text" in x]
        for words_there, x, y in texts:
            if hand.phrases.counted(words_there):
                assert x > 1000
                assert y < 60
            else:
                assert y > 60 or x > 1000
            inside = [b for b in boxes if abs(x - b[0]) < b[2] / 2 and abs(y - b[1]) < b[3] / 2]
            assert all((x, y) == b[:2] for b in inside)  # words on a button stand in its middle


@pytest.mark.parametrize("kind", ["choice", "number", "slider", "steps"])
def test_a_button_and_a_key_go_back_where_that_may_be_done(glass: World, kind: str) -> None:
    """And only there; what stands there says so in words, and Esc still asks whether to stop."""
    window, seen = glass.window, []
    screens = Screens("it", 0, marker=seen.append)
    asked = Question(
        "x", kind, "?", options={"a": "uno", "b": "due"}, low=1, high=3, labels=("poco", "molto"), back=True
    )
    window.todo.extend([lambda: None, lambda: window.tap("pageup")])
    assert screens.ask(asked, Trial(block="x"), (1, 3)) == Back()
    page = Page.of(seen[-1]["shown"])
    assert {"Indietro", readers.BUTTONS["it"]["stop"]} <= set(page.buttons)
    window.todo.extend([lambda: None, lambda: window.click(page.button("Indietro"))])
    assert screens.ask(asked, Trial(block="x"), (1, 3)) == Back()
    # While it is asked whether to stop, nothing goes back.
    window.todo.extend(
        [lambda: window.tap("escape"), lambda: None, lambda: window.tap("pageup"), lambda: window.click(page.button("Indietro")),
         lambda: window.tap("2"), lambda: None, lambda: window.tap("pageup")]
    )  # fmt: skip
    assert screens.ask(asked, Trial(block="x"), (1, 3)) == Back()
    keys = {"choice": ["pageup", "1", "return"], "number": ["pageup", "2", "return"], "slider": ["pageup", "right", "return"], "steps": ["pageup", "2", "return"]}[kind]  # fmt: skip
    for key in keys:
        window.todo.extend([lambda: None, lambda key=key: window.tap(key)])
    given = screens.ask(replace(asked, back=False), Trial(block="x"), (0, 3))
    assert isinstance(given, Answer)
    assert "Indietro" not in Page.of(seen[-1]["shown"]).buttons
    screens.close()
