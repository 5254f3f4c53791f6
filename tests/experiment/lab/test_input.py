"""What does not answer: presses and keys that came too soon, for another screen, or for another window."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from experiment.choices import consenting
from experiment.data.tables import Trial
from experiment.lab.screens import Screens
from experiment.question import Answer, Question
from experiment.session import Stopped
from tests.experiment.lab.glass import BOOT, FRAME, Sound, World

PAUSE = 0.008  # s that the window sleeps after a flip
STEPS = Question("sweet", "steps", "How?", low=1, high=5, labels=("a", "b", "c", "d", "e"), word="sweet")
CHOICE = Question("colour", "choice", "Which?", options={"red": "Red", "blue": "Blue"})
SLIDER = Question("preference", "slider", "Which?", low=0, high=10, labels=("this", "that"))
AGE = Question("age", "number", "How old are you?", low=1, high=110, doubt=18)


def nothing() -> None:
    """A frame goes by."""


def frames(seconds: float) -> list[Callable[[], None]]:
    return [nothing] * round(seconds / (FRAME + PAUSE))


def key(glass: World, *names: str) -> list[Callable[[], None]]:
    return [lambda name=name: glass.window.tap(name) for name in names]  # type: ignore[misc]


def press(glass: World, words: str) -> Callable[[], None]:
    return lambda: glass.window.click(glass.page().button(words))


def ask(screens: Screens, question: Question, *todo: Callable[[], None]) -> Answer:
    screens.window.todo.extend(todo)
    answer = screens.ask(question, Trial(block="x"), (0, 9))
    assert isinstance(answer, Answer)
    return answer


def dropped(answer: Answer) -> int:
    assert answer.interaction is not None
    return int(answer.interaction["dropped"])


def test_for_300_ms_nothing_answers(glass: World) -> None:
    """Not by key and not by mouse; the first frame afterwards does."""
    screens = Screens("en", 0, dead_time=0.3)
    early = ask(screens, STEPS, *key(glass, "1", "2"), press(glass, "d"), *frames(0.3), *key(glass, "5", "return"))
    assert (early.value, dropped(early)) == (5.0, 3)
    assert early.response_time is not None
    assert early.response_time > 0.3
    just = ask(screens, STEPS, *frames(0.25), *key(glass, "1"), *frames(0.05), *key(glass, "3", "return"))
    assert (just.value, dropped(just)) == (3.0, 1)
    later = ask(screens, STEPS, *frames(0.36), press(glass, "b"), *key(glass, "return"))
    assert (later.value, dropped(later)) == (2.0, 0)


def test_a_study_says_how_long(glass: World) -> None:
    slow = Screens("en", 0, dead_time=1.0)
    assert ask(slow, STEPS, *frames(0.9), *key(glass, "1"), *frames(0.2), *key(glass, "4", "return")).value == 4.0
    usual = Screens("en", 0)
    assert usual.dead_time == 0.0  # the glass world's
    from experiment.config import ExperimentConfig

    assert ExperimentConfig.model_fields["dead_time"].default == 0.3


def test_a_double_click_on_agree_does_not_answer_what_comes_next(glass: World) -> None:
    """The optional questions stand on a screen of another kind, with nothing chosen."""
    screens: Screens
    seen: list[str] = []

    def answer(marker: dict[str, Any]) -> None:
        seen.append(marker["screen"])
        if marker["screen"] == "consent":
            agree = press(glass, "I agree")
            at = glass.page().button("I agree")
            again = lambda: glass.window.click(at)  # noqa: E731
            glass.window.todo.extend([*frames(0.35), agree, again, nothing, again, *key(glass, "1", "return")])
        else:
            assert [b.selected for b in screens_drawn(glass)] == [False] * len(screens_drawn(glass))
            on = key(glass, "return", "space")  # nothing is chosen yet
            glass.window.todo.extend([*frames(2), *on, press(glass, "No"), press(glass, "Continue")])

    screens = Screens("en", 0, True, answer, dead_time=0.3)
    assert screens.consent() == (True, False)
    assert seen == ["consent", "special"]


def screens_drawn(glass: World) -> list[SimpleNamespace]:
    """The boxes that stand there, and whether they are filled as something chosen is."""
    boxes = [d for s, d in glass.window.drawn if type(s).__name__ == "Rect"]
    return [SimpleNamespace(selected=d["fillColor"] == "#2A6F97") for d in boxes]


def test_keys_of_an_earlier_screen_answer_nothing(glass: World) -> None:
    """Four quick "1" answer one question, not four."""
    screens = Screens("en", 0, dead_time=0.3)
    quick = [lambda: [glass.window.tap("1") for _ in range(4)], *key(glass, "return", "1", "return")]
    first = ask(screens, CHOICE, *frames(0.4), *quick)
    assert first.choice == "red"
    glass.window.todo.clear()
    glass.window.tap("2")  # between two screens
    second = ask(screens, CHOICE, *frames(0.5), *key(glass, "1", "return"))
    assert (second.choice, dropped(second)) == ("red", 1)


def test_a_key_that_is_held_from_the_screen_before_answers_nothing(glass: World) -> None:
    screens = Screens("en", 0, dead_time=0.3)
    held = SimpleNamespace(name="5", tDown=glass.clock.now + BOOT)
    later = [
        *frames(0.6),
        lambda: glass.window.down.append(held),
        *frames(0.2),
        lambda: glass.window.released.append(held),
    ]
    assert ask(screens, STEPS, *later, *key(glass, "2", "return")).value == 2.0


def test_a_key_that_is_let_go_late_does_not_choose_again(glass: World) -> None:
    """Down on 5, then 2 is pressed, then 5 comes up: 2 was the last to be chosen."""
    screens = Screens("en", 0, dead_time=0.3)
    held = SimpleNamespace(name="5", tDown=glass.clock.now + BOOT + 0.6)
    later = [
        *frames(0.8),
        lambda: glass.window.down.append(held),
        *frames(0.2),
        *key(glass, "2"),
        *frames(0.2),
        lambda: glass.window.released.append(held),
        *frames(0.2),
    ]
    assert ask(screens, STEPS, *later, *key(glass, "return")).value == 2.0


def test_what_is_typed_into_another_window_answers_nothing(glass: World) -> None:
    """Esc there asks nothing; what was pressed before the focus came back does not count either."""
    screens = Screens("en", 0, dead_time=0.3)
    away, back = (lambda name=name: glass.window.handlers[name]() for name in ("on_deactivate", "on_activate"))  # type: ignore[misc]
    late = SimpleNamespace(name="4", tDown=0.0)

    def typed_there() -> None:
        late.tDown = glass.clock.now + BOOT

    todo = [*frames(0.4), away, *key(glass, "1", "escape", "return"), typed_there, nothing, back]
    reported = [lambda: glass.window.released.append(late), *key(glass, "3", "return")]
    answer = ask(screens, STEPS, *todo, *reported)
    assert answer.value == 3.0
    assert dropped(answer) == 4
    assert answer.interaction is not None
    assert answer.interaction["focus_losses"] == 1


def test_a_key_that_follows_the_focus_into_another_window_within_a_frame_answers_nothing(
    glass: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keyboard tells of it at once, of the focus the window hears with its next events: while it waits for the next frame."""
    screens = Screens("en", 0, dead_time=0.3)
    sleep, there = glass.clock.sleep, list[str]()

    def typed(seconds: float) -> None:
        sleep(seconds)
        glass.window.released += [SimpleNamespace(name=k, tDown=glass.clock.now + BOOT) for k in there]
        there.clear()

    def leaves() -> None:
        glass.window.handlers["on_deactivate"]()

    monkeypatch.setattr(glass.clock, "sleep", typed)
    back = [lambda: glass.window.handlers["on_activate"](), *frames(0.1), *key(glass, "3", "return")]
    answer = ask(screens, STEPS, *frames(0.5), lambda: there.append("4"), leaves, nothing, *back)
    assert answer.value == 3.0
    assert dropped(answer) == 1


def test_after_the_question_whether_to_stop_the_screen_is_a_new_one(glass: World) -> None:
    """A double click on "No" does not press what lies under it; the time of doubt counts."""
    screens = Screens("en", 0, dead_time=0.3)
    no = [press(glass, "No"), lambda: glass.window.click((640.0, 432.0)), *key(glass, "2")]
    doubt = [*frames(0.4), *key(glass, "escape"), *frames(0.4), *no]
    answer = ask(screens, STEPS, *doubt, *frames(0.4), *key(glass, "4", "return"))
    assert (answer.value, dropped(answer)) == (4.0, 2)
    assert answer.response_time is not None
    assert answer.response_time > 1.2
    # Sooner than 300 ms a "1" does not stop a session.
    answer = ask(screens, STEPS, *frames(0.4), *key(glass, "escape", "1"), *frames(0.4), *key(glass, "2"), *frames(0.4), *key(glass, "5", "return"))  # fmt: skip
    assert answer.value == 5.0
    with pytest.raises(Stopped):
        ask(screens, STEPS, *key(glass, "escape"), *frames(0.4), *key(glass, "1"))


def test_what_sounds_stops_while_it_is_asked_and_begins_anew(glass: World) -> None:
    """A tone, and a clip, of which a part is no hearing."""
    screens = Screens("en", 1, dead_time=0.0)
    sounding: list[bool] = []
    audio = np.zeros((48000, 2), np.float32)

    def doubt() -> None:
        sounding.append(Sound.made[-1].stopped == 0)
        glass.window.todo.extend([nothing, look, *key(glass, "2")])

    def look() -> None:
        sounding.append(Sound.made[-1].stopped == 0)

    glass.window.todo.extend([*frames(0.3), *key(glass, "escape"), doubt])
    record = screens._play(audio, [])
    (sound,) = glass.sounds
    assert len(sound.played) == 2
    assert sound.played[1] - sound.played[0] > 0.3
    assert sounding == [False, False]
    assert record["interrupted"] == 1
    assert record["seconds"] == pytest.approx(1.2, abs=0.15)
    assert glass.clock.now - sound.played[1] > 1.0
    glass.window.todo.extend([*frames(0.3), *key(glass, "escape"), nothing, *key(glass, "1")])
    with pytest.raises(Stopped):
        screens._play(audio, [])


def test_a_1_during_the_tones_does_not_pass_the_sound_check(glass: World) -> None:
    shown: list[str] = []

    def answer(marker: dict[str, Any]) -> None:
        shown.append(marker["screen"])
        if marker["screen"] == "sounding":
            glass.window.todo.extend(key(glass, "1"))
        else:
            glass.window.todo.extend([*frames(0.4), *key(glass, "2" if shown.count("sound") == 1 else "1")])

    found = Screens("en", 0, True, answer, dead_time=0.3).sound_check()
    assert found is not None
    assert found["plays"] == 2
    assert shown == [*["sounding"] * 3, "sound"] * 2


def test_an_age_that_ends_the_session_is_asked_for_twice(glass: World) -> None:
    """3 for 38 is a slip; who is 12 says so."""
    said: list[list[str]] = []

    def read() -> None:
        said.append(glass.window.words())

    screens = Screens("en", 0)
    answer = ask(
        screens, AGE, *key(glass, "3", "return"), nothing, read, *key(glass, "2", "return", "3", "8", "return")
    )
    assert answer.value == 38.0
    assert "You typed 3. Is that right?" in said[0]
    assert ask(screens, AGE, *key(glass, "1", "2", "return", "1", "return")).value == 12.0
    assert ask(screens, AGE, *key(glass, "1", "8", "return")).value == 18.0
    italian = Screens("it", 0)
    ask(italian, AGE, *key(glass, "9", "return"), nothing, read, *key(glass, "1", "return"))
    assert "Hai scritto 9. È giusto?" in said[1]


def test_digits_arrows_and_both_enter_keys_answer_a_slider(glass: World) -> None:
    screens = Screens("en", 0)
    for keys, value in (
        (("7", "return"), 7.0), (("num_3", "num_enter"), 3.0), (("0", "right", "space"), 1.0), (("return", "9", "return"), 9.0),
    ):  # fmt: skip
        assert ask(screens, SLIDER, *key(glass, *keys)).value == value


def test_a_long_text_is_read_to_its_end_before_one_can_agree(glass: World) -> None:
    """Page by page, forwards and backwards; the buttons that agree stand on the last page alone."""
    pages: list[tuple[str, list[str]]] = []
    read: list[str] = []

    def answer(marker: dict[str, Any]) -> None:
        page = glass.page()
        pages.append((marker["screen"], list(page.buttons)))
        body = [w for w, _ in page.words if w != "Welcome"]
        read.extend(body)
        way = {"reading": "Back" if len(pages) == 3 else "Continue"}.get(marker["screen"], "I do not agree")
        glass.window.todo.extend([press(glass, way)])

    screens = Screens("en", 0, True, answer)
    long = " ".join(f"Sentence number {i} tells what is done with your data." for i in range(120))
    assert screens.choose("consent", "Welcome", long, consenting(screens.words)) == "decline"
    first, *middle, last = pages
    assert first == ("reading", ["Continue", "Stop"])
    assert middle[0] == ("reading", ["Back", "Continue", "Stop"])
    assert last == ("consent", ["I agree", "I do not agree", "Stop"])
    forwards = [*read[:1], *read[1:2], *read[4:]]  # one page back from the third, and on again
    assert read[3] == read[1]
    assert read[4] == read[2]
    assert " ".join([*forwards[:2], *read[4:]]).split() == long.split()


def at_once(*todo: Callable[[], None]) -> Callable[[], None]:
    """Several things within one frame."""

    def all_of_it() -> None:
        for what in todo:
            what()

    return all_of_it


def test_what_comes_within_one_frame_counts_in_its_order(glass: World) -> None:
    """Choose and confirm, by key or mouse or one and the other; two digits of a number; two arrows."""
    screens = Screens("en", 0)

    def later(what: Callable[[], None]) -> Callable[[], None]:
        def after() -> None:
            glass.clock.sleep(0.002)
            what()

        return after

    one, on = key(glass, "2")[0], later(key(glass, "return")[0])
    assert ask(screens, CHOICE, nothing, at_once(one, on)).choice == "blue"
    assert ask(screens, STEPS, nothing, at_once(one, on)).value == 2.0
    pressed, go = press(glass, "Blue"), later(press(glass, "Continue"))
    assert ask(screens, CHOICE, nothing, at_once(pressed, go)).choice == "blue"
    assert ask(screens, CHOICE, nothing, at_once(one, go)).choice == "blue"
    assert ask(screens, CHOICE, nothing, at_once(pressed, on)).choice == "blue"
    # What was first is first: a choice that is confirmed is not changed by what follows.
    assert ask(screens, CHOICE, nothing, at_once(one, on, later(key(glass, "1")[0]))).choice == "blue"
    digits = [later(k) for k in key(glass, "4", "7", "return")]
    assert ask(screens, AGE, nothing, at_once(*digits)).value == 47.0
    arrows = [later(k) for k in key(glass, "right", "right", "right", "return")]
    assert ask(screens, SLIDER, nothing, at_once(*arrows)).value == 8.0
    both = at_once(key(glass, "1")[0], later(key(glass, "2")[0]))
    glass.window.todo.extend([nothing, both])
    assert screens.choose("x", "Title", "", consenting(screens.words)) == "agree"
    screens.close()


def test_a_held_arrow_moves_the_marker_on(glass: World) -> None:
    """Once at first, after .4 s eight ticks a second; on long scales a third of them a second; not once it is let go."""
    screens = Screens("en", 0)
    window = glass.window
    hold, let_go = (lambda: window.hold("right")), (lambda: window.let_go("right"))
    on = key(glass, "return")
    short = [hold, *frames(0.3), let_go, *frames(1.0)]
    assert ask(screens, SLIDER, *short, *on).value == 6.0
    longer = [hold, *frames(0.4 + 3 / 8 + 0.03), let_go, *frames(1.0)]
    assert ask(screens, SLIDER, *longer, *on).value == 9.0
    wide = Question("preference", "slider", "Which?", low=0, high=300, labels=("this", "that"))
    moved = ask(screens, wide, hold, *frames(1.4), let_go, *frames(1.0), *on).value
    assert moved == pytest.approx(150 + 1 + 100, abs=4)
    # Where the system repeats a held key as presses, or as releases and presses, it is one hold all the same.
    again = [
        lambda: window.handlers["on_key_press"](0xFF53, 0),
        nothing,
        lambda: (let_go(), window.handlers["on_key_press"](0xFF53, 0)),
    ]
    repeated = [hold, *frames(0.3), *again * 12, *frames(0.2), let_go, *frames(1.0)]
    assert ask(screens, wide, *repeated, *on).value == pytest.approx(
        150 + 1 + (0.1 + 36 * (FRAME + PAUSE)) * 100, abs=12
    )
    # What was held before the screen came, or while another window has the focus, moves nothing.
    glass.window.todo.append(hold)
    screens.frame([], [])
    assert ask(screens, SLIDER, *frames(1.5), *key(glass, "left", "return")).value == 4.0
    closed = Screens("en", 0, dead_time=0.3)
    assert ask(closed, SLIDER, *frames(0.1), hold, *frames(1.5), *key(glass, "left", "return")).value == 4.0
    away = [
        hold,
        lambda: window.handlers["on_deactivate"](),
        *frames(1.5),
        lambda: window.handlers["on_activate"](),
        *frames(0.1),
    ]
    assert ask(screens, SLIDER, *away, *on).value == 6.0
    screens.close()


def test_tab_goes_from_button_to_button(glass: World) -> None:
    """Forwards and, with shift, backwards, round; a line shows where; blank and return press what it is at."""
    screens = Screens("en", 0)
    window, rings = glass.window, list[list[str]]()

    def look() -> None:
        found = []
        for s, d in window.drawn:  # what is drawn later covers what was there before
            if type(s).__name__ == "Rect":
                found = [x for x in found if x != d["pos"]] + ([d["pos"]] if d["fillColor"] is None else [])
        rings.append([d["says"] for _, d in window.drawn if "says" in d and d["pos"] in found])

    seen = [nothing, look]
    given = ask(screens, CHOICE, *seen, *key(glass, "tab"), *seen, *key(glass, "space"), *seen, *key(glass, "tab", "tab"), *seen, *key(glass, "return"))  # fmt: skip
    assert given.choice == "red"
    assert rings == [[], ["Red"], ["Red"], ["Continue"]]
    # What can't be pressed yet is passed over; from the first button backwards comes the last.
    shift = [lambda: window.hold("lshift"), *key(glass, "tab")]
    rings.clear()
    with pytest.raises(Stopped):
        ask(screens, CHOICE, *shift, *seen, *key(glass, "space"), nothing, nothing, *key(glass, "1"))
    assert rings == [["Stop"]]
    window.let_go("lshift")
    # It goes back as long as shift is held, whatever else is let go, and forwards again afterwards.
    others = [lambda: window.hold("left"), lambda: window.let_go("left"), lambda: window.hold("lshift")]
    rings.clear()
    back = [
        *key(glass, "1"),
        nothing,
        *others,
        lambda: window.hold("left"),
        lambda: window.let_go("left"),
        *key(glass, "tab"),
        *seen,
    ]
    ahead = [lambda: window.let_go("lshift"), *key(glass, "tab"), *seen, *key(glass, "space")]
    with pytest.raises(Stopped):
        ask(screens, CHOICE, *back, *key(glass, "tab"), *seen, *ahead, nothing, nothing, *key(glass, "1"))
    assert rings == [["Stop"], ["Continue"], ["Stop"]]
    # A new screen has it nowhere.
    rings.clear()
    assert ask(screens, CHOICE, *seen, *key(glass, "1", "space")).choice == "red"
    assert rings == [[]]
    screens.close()
