"""The experimenter's dialog: what is entered, what was forgotten, what contradicts itself."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from experiment.errors import ExperimentError
from experiment.lab.dialog import Launch, ask


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A dialog that gives back its fields' first values, but for what `entered` says (each time the next, where it lists)."""
    told: dict[str, Any] = {"fields": {}, "entered": {}, "ok": True, "said": []}

    class Dlg:
        def __init__(self, title: str, alwaysOnTop: bool):
            told["title"] = title
            told["fields"] = {}
            self.OK = told["ok"]

        def addField(self, key: str, initial: str = "", choices: Any = (), label: str = "", tip: str = "") -> None:
            told["fields"][key] = (initial, list(choices), label)

        def addText(self, text: str, color: str) -> None:
            told["said"].append(text)

        def show(self) -> dict[str, Any] | None:
            if not told["ok"]:
                return None
            first = {k: v[0] for k, v in told["fields"].items()}
            if isinstance(told["entered"], list):
                told.setdefault("filled", []).append(first)
                if not told["entered"]:
                    self.OK = False
                    return None
                return first | told["entered"].pop(0)
            return first | told["entered"]

    psychopy = ModuleType("psychopy")
    psychopy.__dict__["gui"] = SimpleNamespace(Dlg=Dlg)
    monkeypatch.setitem(sys.modules, "psychopy", psychopy)
    monkeypatch.setenv("DISPLAY", ":0")
    return told


def test_what_is_entered(shown: dict[str, Any]) -> None:
    shown["entered"] = {"code": " P7 ", "language": "it", "station": " b2 "}
    assert ask("Study", ["en", "it"], "b1", ["A", "B"]) == Launch("P7", "it", "b2", False)
    assert shown["title"] == "Study"
    assert shown["fields"]["language"][:2] == ("en", ["en", "it"])
    assert shown["fields"]["station"][0] == "b1"
    assert shown["fields"]["resume"][1] == ["a new session", "A", "B"]
    assert [f[2] for f in shown["fields"].values()] == ["Participant code", "Language", "Station", "Go on with"]


def test_an_unfinished_session_is_gone_on_with(shown: dict[str, Any]) -> None:
    for code in ("", "A", " A "):
        shown["entered"] = {"resume": "A", "code": code}
        assert ask("Study", ["en"], " b1", ["A"]) == Launch("A", "en", "b1", True)
    shown["entered"] = [{"resume": "A", "code": "B"}, {"code": ""}]
    assert ask("Study", ["en"], "b1", ["A"]) == Launch("A", "en", "b1", True)
    assert shown["said"] == ["give either a new code or an unfinished session, not both (B and A)"]


def test_a_group_is_chosen_where_there_are_groups(shown: dict[str, Any]) -> None:
    shown["entered"] = {"code": "P7"}
    groups = ["cooks", "musicians"]
    assert ask("Study", ["en", "it"], "b1", ["A"], groups) == Launch("P7", None, "b1", False, None)
    assert shown["fields"]["group"] == ("the emptiest", ["the emptiest", *groups], "Group")
    assert shown["fields"]["language"][:2] == ("the group's", ["the group's", "en", "it"])
    shown["entered"] = {"code": "P7", "group": "cooks", "language": "it"}
    assert ask("Study", ["en", "it"], "b1", ["A"], groups) == Launch("P7", "it", "b1", False, "cooks")
    shown["entered"] = [{"resume": "A", "code": "", "group": "cooks"}]
    assert ask("Study", ["en", "it"], "b1", ["A"], groups) is None
    assert shown["said"] == ["the session of A goes on in its own group; leave the group as it is"]
    shown["entered"] = {"code": "P7"}
    ask("Study", ["en", "it"], "b1", ["A"])
    assert "group" not in shown["fields"]


def test_nothing_entered_and_cancelled(shown: dict[str, Any]) -> None:
    shown["entered"] = [{}]
    assert ask("Study", ["en"], "b1", []) is None
    assert shown["said"] == ["give a participant code, or choose an unfinished session"]
    shown["ok"] = False
    assert ask("Study", ["en"], "b1", []) is None


def test_what_can_not_be_begun_is_told_in_the_dialog_which_keeps_what_was_entered(shown: dict[str, Any]) -> None:
    shown["entered"] = [{"code": "P1", "language": "it", "station": "b9"}, {"code": "P2"}, {"code": "P3"}]
    taken = {"P1": "P1 was here already", "P2": "P2 too"}
    found = ask("Study", ["en", "it"], "b1", [], refused=lambda launch: taken.get(launch.code))
    assert found == Launch("P3", "it", "b9", False)
    assert shown["said"] == ["P1 was here already", "P2 too"]
    assert [f["code"] for f in shown["filled"]] == ["", "P1", "P2"]
    assert [f["language"] for f in shown["filled"]] == ["en", "it", "it"]
    assert [f["station"] for f in shown["filled"]] == ["b1", "b9", "b9"]


def test_no_display_is_one_line(shown: dict[str, Any]) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("no Qt platform")

    sys.modules["psychopy"].__dict__["gui"].Dlg = broken
    with pytest.raises(ExperimentError, match=r"no dialog can be opened \(RuntimeError\)"):
        ask("Study", ["en"], "b1", [])


def test_without_a_display_it_is_said_before_qt_ends_the_process(
    shown: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(
        ExperimentError, match="no dialog can be opened: no display; run this on the booth's own screen"
    ):
        ask("Title", ["en"], "booth", [], [])


def test_where_there_are_several_screens_or_sound_cards_one_may_be_chosen(shown: dict[str, Any]) -> None:
    screens, cards = ["1: 1920 x 1080", "2: 1280 x 1024"], ["Speakers", "USB headphones"]
    shown["entered"] = {"code": "P7"}
    assert ask("S", ["en"], "b", [], devices=lambda: (screens, cards)) == Launch("P7", "en", "b", False)
    assert shown["fields"]["display"] == ("the station's", ["the station's", *screens], "Screen")
    assert shown["fields"]["sound"] == ("the station's", ["the station's", *cards], "Sound card")
    shown["entered"] = {"code": "P7", "display": screens[1], "sound": cards[0]}
    chosen = ask("S", ["en"], "b", [], devices=lambda: (screens, cards))
    assert chosen == Launch("P7", "en", "b", False, None, "2: 1280 x 1024", "Speakers")
    shown["entered"] = {"resume": "P1", "sound": cards[1]}
    chosen = ask("S", ["en"], "b", ["P1"], devices=lambda: (screens, cards))
    assert chosen == Launch("P1", "en", "b", True, None, None, "USB headphones")
    ask("S", ["en"], "b", ["P1"], devices=lambda: (screens[:1], cards[:1]))
    assert not shown["fields"].keys() & {"display", "sound"}
