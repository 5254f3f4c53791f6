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
        "and film, which this study does not have: that counts for nothing",
        f"1 simulated sessions run, {BOTS} were there already",
    ]
    assert call("experiment", "simulate", "-n", "1", "--quiet", *declaring.where).out == ""
    shipped = call("experiment", "simulate", "-n", "1", "--effects", DEFAULT, *declaring.where)
    assert shipped.out.splitlines() == ["0 simulated sessions run, 1 were there already"]


def test_what_follows_where_no_ratings_are_declared_is_said_and_stands_in_the_report(mine: Lived) -> None:
    """A clip's own word is above the others then, which the report would find as if somebody had declared it."""
    text = DEFAULT.read_text(encoding="utf-8")
    first, last = text.index("[ratings.mean.sour]"), text.index("[ratings.correlation]")
    own = mine.folder / "own.toml"  # of bitter and salty alone
    own.write_text(text[:first] + text[last:], encoding="utf-8")
    said = call("experiment", "simulate", "-n", str(BOTS + 1), "--effects", own, *mine.where)
    assert said.out.splitlines()[0] == (
        "effects 'multimodal-symphony' (own.toml) declare no ratings of sweet, sour in ratings: a clip's own word is rated at half "
        "the scale there, any other at a quarter"
    )
    mine.database.unlink()
    assert call("experiment", "simulate", "-n", "12", "--quiet", "--effects", own, *mine.where).status == 0
    given = inputs(load_study(mine.study), mine.db, mine.out, "bot", effects=own)
    section = recovered(given, [])
    assert section is not None
    assert section.text[1:] == [
        "No ratings were declared of sour, sweet: of their clips the own word was rated at half the scale and any other at a "
        "quarter, which is not neutral, and the analyses may find it."
    ]
    whole = recovered(inputs(load_study(mine.study), mine.db, mine.out, "bot", effects=DEFAULT), [])
    assert whole is not None
    assert whole.text[1:] == []


def test_the_report_names_what_was_neutral(declaring: Lived) -> None:
    declaring.database.unlink()
    assert call("experiment", "simulate", "-n", "12", "--quiet", *declaring.where).status == 0
    section = recovered(inputs(load_study(declaring.study), declaring.db, declaring.out, "bot"), [])
    assert section is not None
    assert section.text[1:] == ["Nothing was declared of finetuned in comparisons: neutral there."]


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
