"""Options that commands share: what a command line shows of them, and what the command gets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from tastelab import options
from tastelab.options import Answers, Booth, Clips, Keys, Place, Shown, grouped


@dataclass(frozen=True)
class Pair:
    left: Annotated[int, typer.Option("--left")] = 1
    right: Annotated[str, typer.Option("--far-right")] = "r"


def called(*words: str) -> object:
    got: list[object] = []
    app = typer.Typer()

    @app.command()
    @grouped
    def run(
        what: Annotated[str, typer.Argument()], *, pair: Pair, more: Annotated[bool, typer.Option("--more")] = False
    ) -> None:
        """Say what was got."""
        got.append((what, pair, more))

    result = CliRunner().invoke(app, list(words))
    return got[0] if got else result.output


def test_a_command_gets_its_group_with_what_was_given_and_the_rest_as_it_is_by_default() -> None:
    assert called("x") == ("x", Pair(1, "r"), False)
    assert called("x", "--left", "7", "--more") == ("x", Pair(7, "r"), True)
    assert called("x", "--far-right", "s", "--left", "2") == ("x", Pair(2, "s"), False)


def test_the_fields_are_options_in_the_place_of_the_group_and_checked_by_their_type() -> None:
    shown = str(called("--help"))
    assert 0 < shown.index("--left") < shown.index("--far-right") < shown.index("--more")
    assert "Say what was got." in shown
    assert "valid integer" in str(called("x", "--left", "many"))


@pytest.mark.parametrize(
    ("group", "words", "wanted"),
    [
        (Place, [], Place(Path("study.toml"), "sqlite:///participants.db", Path("outputs"))),
        (Place, ["--study", "a.toml", "--db", "u", "--out", "o"], Place(Path("a.toml"), "u", Path("o"))),
        (Clips, [], Clips(Path("study.toml"), Path("outputs"))),
        (Answers, [], Answers(Path("study.toml"), "sqlite:///participants.db", None, None)),
        (Answers, ["--snapshot", "s", "--kind", "bot"], Answers(snapshot=Path("s"), kind="bot")),
        (Shown, [], Shown(False, None)),
        (Shown, ["--json", "--csv", "t.csv"], Shown(True, Path("t.csv"))),
        (Keys, [], Keys(Path("participants.key"), None)),
        (Keys, ["--key", "k", "--passphrase", "p"], Keys(Path("k"), "p")),
        (Booth, ["--station", "b2"], Booth("b2", False, False, False)),
        (Booth, ["--station", "b2", "--window", "--markers", "--driven"], Booth("b2", True, True, False, True)),
        (Booth, ["--station", "b2", "--pilot"], Booth("b2", pilot=True)),
        (Booth, ["--trigger-port", "COM3"], Booth(trigger_port="COM3")),
    ],
)
def test_groups_are_what_the_guides_say(
    group: type, words: list[str], wanted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TASTELAB_KEY_PASSPHRASE", raising=False)
    got: list[object] = []
    app = typer.Typer()

    def command(given: object) -> None:
        got.append(given)

    command.__annotations__["given"] = group
    app.command()(grouped(command))
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert got == [wanted]


def test_a_passphrase_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[Keys] = []
    app = typer.Typer()

    @app.command()
    @grouped
    def run(keys: Keys) -> None:
        got.append(keys)

    monkeypatch.setenv("TASTELAB_KEY_PASSPHRASE", "from outside")
    assert CliRunner().invoke(app, []).exit_code == 0
    assert got == [Keys(passphrase="from outside")]


def test_a_booth_is_named_after_its_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    import platform

    assert platform.node() or options.STATION == "station"
