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
    """A dialog that gives back its fields' first values, but for what `entered` says."""
    told: dict[str, Any] = {"fields": {}, "entered": {}, "ok": True}

    class Dlg:
        def __init__(self, title: str, alwaysOnTop: bool):
            told["title"] = title
            told["fields"] = {}
            self.OK = told["ok"]

        def addField(self, key: str, initial: str = "", choices: Any = (), label: str = "", tip: str = "") -> None:
            told["fields"][key] = (initial, list(choices), label)

        def show(self) -> dict[str, Any] | None:
            return {k: v[0] for k, v in told["fields"].items()} | told["entered"] if told["ok"] else None

    psychopy = ModuleType("psychopy")
    psychopy.__dict__["gui"] = SimpleNamespace(Dlg=Dlg)
    monkeypatch.setitem(sys.modules, "psychopy", psychopy)
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
    shown["entered"] = {"resume": "A", "code": "B"}
    with pytest.raises(ExperimentError, match=r"not both \(B and A\)"):
        ask("Study", ["en"], "b1", ["A"])


def test_a_group_is_chosen_where_there_are_groups(shown: dict[str, Any]) -> None:
    shown["entered"] = {"code": "P7"}
    groups = ["cooks", "musicians"]
    assert ask("Study", ["en", "it"], "b1", ["A"], groups) == Launch("P7", None, "b1", False, None)
    assert shown["fields"]["group"] == ("the emptiest", ["the emptiest", *groups], "Group")
    assert shown["fields"]["language"][:2] == ("the group's", ["the group's", "en", "it"])
    shown["entered"] = {"code": "P7", "group": "cooks", "language": "it"}
    assert ask("Study", ["en", "it"], "b1", ["A"], groups) == Launch("P7", "it", "b1", False, "cooks")
    shown["entered"] = {"resume": "A", "code": "", "group": "cooks"}
    with pytest.raises(ExperimentError, match="session of A goes on in its own group"):
        ask("Study", ["en", "it"], "b1", ["A"], groups)
    shown["entered"] = {"code": "P7"}
    ask("Study", ["en", "it"], "b1", ["A"])
    assert "group" not in shown["fields"]


def test_nothing_entered_and_cancelled(shown: dict[str, Any]) -> None:
    with pytest.raises(ExperimentError, match="no participant code"):
        ask("Study", ["en"], "b1", [])
    shown["ok"] = False
    assert ask("Study", ["en"], "b1", []) is None


def test_no_display_is_one_line(shown: dict[str, Any]) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("no Qt platform")

    sys.modules["psychopy"].__dict__["gui"].Dlg = broken
    with pytest.raises(ExperimentError, match=r"no dialog can be opened \(RuntimeError\)"):
        ask("Study", ["en"], "b1", [])
