"""Which effects simulated people follow: the file that is given, the study's, or what is shipped; and the report says which."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from analysis.report.rest import recovered
from experiment.bots.effects import DEFAULT
from tastelab.report import inputs
from tastelab.study import load_study
from tests.tastelab.conftest import BOTS, Lived, call

UNKNOWN = DEFAULT.read_text(encoding="utf-8").replace("mean.finetuned]", "mean.film]").replace(
    'name = "multimodal-symphony"', 'name = "mine"'
)  # fmt: skip


@pytest.fixture
def declaring(mine: Lived) -> Lived:
    """A study whose file names effects of its own, beside it; its bots of before followed what is shipped."""
    (mine.folder / "own").mkdir()
    (mine.folder / "own" / "mine.toml").write_text(UNKNOWN, encoding="utf-8")
    text = mine.study.read_text(encoding="utf-8")
    mine.study.write_text(text.replace("[experiment]\n", '[experiment]\neffects = "own/mine.toml"\n'), encoding="utf-8")
    return mine


def test_what_is_not_declared_is_said_in_one_line(declaring: Lived) -> None:
    said = call("experiment", "simulate", "-n", str(BOTS + 1), *declaring.where)
    assert said.status == 0, said.err
    assert said.out.splitlines() == [
        "effects 'mine' (mine.toml) declare nothing of finetuned in preference, neutral there; "
        "and film, which this study does not have",
        f"1 simulated sessions run, {BOTS} were there already",
    ]
    assert call("experiment", "simulate", "-n", "1", "--quiet", *declaring.where).out == ""
    shipped = call("experiment", "simulate", "-n", "1", "--effects", DEFAULT, *declaring.where)
    assert shipped.out.splitlines() == ["0 simulated sessions run, 1 were there already"]


def test_the_file_that_is_given_comes_first_then_the_studys(declaring: Lived, tmp_path: Path) -> None:
    for words, name in (((), "mine.toml"), (("--effects", DEFAULT), DEFAULT.name)):
        shutil.rmtree(declaring.out / "small" / "snapshots", ignore_errors=True)
        declaring.database.unlink()
        assert call("experiment", "simulate", "-n", "12", "--quiet", *words, *declaring.where).status == 0
        (header,) = set(declaring.asked("select json_extract(versions, '$.effects') from session"))
        assert header[0].endswith(f"({name})")
        given = inputs(
            load_study(declaring.study), declaring.db, declaring.out, "bot", effects=words[1] if words else None
        )
        assert given.effects is not None
        assert given.followed == []
        section = recovered(given, [])
        assert section is not None
        assert f"({name})" in section.text[0]


def test_a_report_that_was_given_other_effects_compares_nothing_with_them(declaring: Lived) -> None:
    given = inputs(load_study(declaring.study), declaring.db, declaring.out, "bot")
    assert (given.effects, given.followed) == (None, [f"'multimodal-symphony' ({DEFAULT.name})"])
    section = recovered(given, [])
    assert section is not None
    assert section.tables == []
    assert section.text == [
        f"The simulated participants followed the effects declared in 'multimodal-symphony' ({DEFAULT.name}), which this "
        "report was not given (--effects)."
    ]


def test_a_file_that_is_not_there_is_one_line(declaring: Lived) -> None:
    (declaring.folder / "own" / "mine.toml").unlink()
    said = call("experiment", "simulate", "-n", "1", *declaring.where)
    assert said.status == 2
    assert said.err == f"tastelab: effects file {declaring.folder / 'own' / 'mine.toml'} does not exist\n"
