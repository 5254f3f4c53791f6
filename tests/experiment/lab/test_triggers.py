"""What other devices are told: bytes at their moments through a pseudo-terminal, a stream's samples through an inlet."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from typing import Any

import numpy as np
import pytest

from experiment.data.tables import Trial
from experiment.errors import ExperimentError
from experiment.lab.playback import play_through
from experiment.lab.screens import Screens
from experiment.lab.triggers import Triggers
from experiment.launch import Prepared
from experiment.question import Back, Question
from experiment.signals import Event, TriggerConfig
from tests.desk.listening import Box, at_home, has_terminals
from tests.experiment import readers
from tests.experiment.lab.glass import FRAME, GlassHand, Sound, World

pytest.importorskip("serial", reason="pyserial is missing: events can't be sent to a port")


@pytest.fixture
def box() -> Box:
    if not has_terminals():
        pytest.skip("no pseudo-terminal can be opened here: there is no port to write to")
    return Box()


def test_each_event_is_its_byte_and_is_taken_back(box: Box) -> None:
    triggers = Triggers(TriggerConfig(serial=box.port, pulse=0.1, codes={"begin": 9, "onset": 30, "answer": 255}))
    triggers.send("begin", session=4)
    triggers.send("screen", screen="page")  # has no byte
    time.sleep(0.2)
    triggers.send("answer", item="age")
    triggers.close()
    assert box.bytes(4) == [9, 0, 255, 0]
    gaps = [b - a for (a, _), (b, _) in zip(box.came[::2], box.came[1::2], strict=True)]
    assert all(0.05 < gap < 0.5 for gap in gaps)  # a tenth of a second, and what a busy machine adds


def test_an_onset_is_written_at_its_moment_and_not_when_it_was_asked_for(box: Box) -> None:
    triggers = Triggers(TriggerConfig(serial=box.port, pulse=0))
    due = time.monotonic() + 0.2
    triggers.due(due)
    triggers.send("screen")  # sooner, though asked for later
    triggers.close()
    assert box.bytes(2) == [2, 3]
    late = box.came[1][0] - due
    assert 0 <= late < 0.05


def test_the_stream_has_every_event_at_its_moment() -> None:
    pylsl = pytest.importorskip("pylsl", reason="pylsl is missing: there is no stream to listen to")
    at_home()
    name = f"tastelab-test-{os.getpid()}"
    triggers = Triggers(TriggerConfig(lsl=name))
    assert not triggers.awaited(0.05)
    (info,) = pylsl.resolve_byprop("name", name, timeout=10)
    assert (info.type(), info.channel_count(), info.nominal_srate()) == ("Markers", 1, 0)
    inlet = pylsl.StreamInlet(info)
    inlet.open_stream(timeout=10)
    assert triggers.awaited(10)
    before = pylsl.local_clock()
    triggers.send("begin", session=4)
    sounding = triggers.sounding(17)
    sounding.due(time.monotonic())  # a byte's moment: nothing of the stream
    sounding.began(0.75)
    sounding.over()
    after = pylsl.local_clock()
    got = [inlet.pull_sample(timeout=5) for _ in range(3)]
    triggers.close()
    assert [json.loads(sample[0]) for sample, _ in got] == [
        {"event": "begin", "session": 4}, {"event": "onset", "clip": 17}, {"event": "end", "clip": 17},
    ]  # fmt: skip
    moments = [at for _, at in got]
    assert before <= moments[0] <= moments[2] <= after
    assert before - 0.75 <= moments[1] <= after - 0.75
    assert inlet.pull_sample(timeout=0)[0] is None


def test_a_box_that_is_unplugged_ends_nothing(box: Box) -> None:
    triggers = Triggers(TriggerConfig(serial=box.port))
    os.close(box.other)
    os.close(box.end)
    for _ in range(3):
        triggers.send("screen")
        time.sleep(0.01)
    triggers.close()


def test_what_can_not_be_told_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExperimentError, match=r"trigger port /dev/nowhere can't be opened .*--trigger-port"):
        Triggers(TriggerConfig(serial="/dev/nowhere"))
    with pytest.raises(ExperimentError, match="trigger port /dev/elsewhere"):
        Triggers(TriggerConfig(serial="/dev/nowhere"), "/dev/elsewhere")
    monkeypatch.setitem(sys.modules, "pylsl", None)
    with pytest.raises(ExperimentError, match=r"needs pylsl: pip install 'tastelab\[lsl\]'"):
        Triggers(TriggerConfig(lsl="x"))
    Triggers(None).send("begin")  # a study without: nothing, and nothing is needed
    assert Triggers(None).awaited()
    Triggers(None).close()


class Told:
    def __init__(self) -> None:
        self.said: list[tuple[str, float]] = []

    def due(self, moment: float) -> None:
        self.said.append(("due", moment))

    def began(self, ago: float) -> None:
        self.said.append(("began", time.monotonic() - ago))

    def over(self) -> None:
        self.said.append(("over", time.monotonic()))


class Player:
    """A sound of a driver that says when it began: `late` seconds after it was asked to; None: that says nothing of it."""

    def __init__(self, late: float | None):
        self.late, self.track = late, self
        self.status: dict[str, float] = {}
        self.asked = 0.0

    def play(self, when: float) -> None:
        self.asked = when

    def stop(self, block_until_stopped: int = 1) -> None:
        pass

    def tell(self, share: float) -> None:
        from psychtoolbox import GetSecs

        time.sleep(0.002)
        if self.late is None:
            self.status = {}
        else:
            began = self.asked + self.late
            going = GetSecs() - began
            self.status = {
                "StartTime": began if going > 0 else 0.0, "PositionSecs": max(0.0, min(0.1, going)), "Active": float(going < 0.1),
                "XRuns": 0.0,
            }  # fmt: skip


@pytest.mark.parametrize(("late", "by"), [(0.03, 0.03), (None, 0.0)])
def test_a_sound_begins_when_the_driver_says_or_when_it_was_due(late: float | None, by: float) -> None:
    pytest.importorskip("psychtoolbox", reason="psychtoolbox is missing")
    told, player = Told(), Player(late)
    play_through(player, 0.1, player.tell, told)
    assert [what for what, _ in told.said] == ["due", "began", "over"]
    (_, due), (_, began), (_, over) = told.said
    assert began - due == pytest.approx(by, abs=0.01)
    assert over - began > 0.09


def test_a_sound_that_is_broken_off_is_over() -> None:
    pytest.importorskip("psychtoolbox", reason="psychtoolbox is missing")
    told, player = Told(), Player(0.0)

    def tick(share: float) -> None:
        player.tell(share)
        if len(told.said) > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play_through(player, 0.1, tick, told)
    assert [what for what, _ in told.said] == ["due", "began", "over"]


class Recorded(Triggers):
    """Keeps what would be sent, and when by the glass's clock."""

    def __init__(self, glass: World):
        super().__init__(None)
        self.glass, self.sent = glass, list[tuple[float, str, dict[str, Any]]]()

    def send(self, event: Event, **detail: Any) -> None:
        self.sent.append((self.glass.clock.now, event, detail))

    def began(self, ago: float, **detail: Any) -> None:
        self.sent.append((self.glass.clock.now - ago, "onset", detail))


def test_screens_are_told_at_their_first_flip_and_answers_when_they_are_given(glass: World) -> None:
    """And neither what was answered, nor an answer that was none: going back."""
    screens = Screens("en", 0)
    screens.triggers = told = Recorded(glass)
    begun = glass.clock.now
    question = Question("age", "number", "How old?", low=1, high=110, back=True)
    glass.window.todo.extend(lambda key=key: glass.window.tap(key) for key in ("3", "7", "return"))
    answer = screens.ask(question, Trial(block="x"), (0, 2))
    assert answer.value == 37
    assert [(e, d) for _, e, d in told.sent] == [
        ("screen", {"screen": "number", "item": "age"}),
        ("answer", {"item": "age"}),
    ]
    assert told.sent[0][0] - begun == pytest.approx(FRAME, abs=0.005)
    told.sent.clear()
    glass.window.todo.append(lambda: glass.window.tap("pageup"))
    assert isinstance(screens.ask(question, Trial(block="x"), (0, 2)), Back)
    assert [e for _, e, _ in told.sent] == ["screen"]


def test_a_clip_is_told_by_its_number_alone(glass: World, booth: Prepared) -> None:
    """Each time that it sounds, the broken time too; its name says what it is."""
    hand = GlassHand(glass, np.random.default_rng(0), readers.reader("en"))
    screens = Screens("en", 0, True, hand.answer)
    screens.triggers = told = Recorded(glass)
    Sound.to_come = deque([(0.2, 0.0), (float("inf"), 0.0)])
    clip = booth.stimuli[3]
    (record,) = screens.listen([clip], ["One"])
    assert record["whole"]
    assert [(e, d) for _, e, d in told.sent if e != "screen"] == [
        ("onset", {"clip": clip.id}),
        ("end", {"clip": clip.id}),
    ] * 2
    assert [d for _, e, d in told.sent if e == "screen"] == [
        {"screen": name} for name in ("listen", "playing", "broken", "playing")
    ]
    assert clip.clip not in str(told.sent)
