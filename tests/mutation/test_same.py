"""Faults that are said to change nothing: each is one that can be drawn, once, and says why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.mutation.draw import mutants
from tests.mutation.mutants import key, rates
from tests.mutation.same import Same, judged
from tests.mutation.tree import ROOT

FILE = "tests/mutation/draw.py"


@pytest.mark.parametrize("entry", judged(), ids=lambda e: f"{e.file}: {e.at[:40]}")
def test_what_is_judged_still_stands_there(entry: Same) -> None:
    assert entry.places(), "its line has changed: judge it again"
    assert len(entry.why.split()) >= 4


def test_no_fault_is_judged_twice() -> None:
    assert len({(e.file, e.at, e.old, e.new) for e in judged()}) == len(judged())


def test_rates_are_told_with_and_without_what_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = mutants(FILE, (ROOT / FILE).read_text(encoding="utf-8"))[:10]
    one, other = made[3], made[6]
    at = (ROOT / FILE).read_text(encoding="utf-8").splitlines()[one.line - 1].strip()
    known = {key(m): "a test" for m in made} | {key(one): None, key(other): None}
    entry = Same(FILE, at, one.old, one.new, "a reason of so many words")
    for listed, expected in [
        ((), None),
        ((entry,), (1, round(8 / 9, 3))),
        ((replace(entry, at="something else"), replace(entry, new="x"), replace(entry, file="a.py")), None),
        ((replace(entry, old="x"),), None),
    ]:
        monkeypatch.setattr("tests.mutation.same.judged", lambda listed=listed: listed)
        (row,) = [r for r in rates(made, known, lambda m: m.file) if r["of"] == "all"]
        assert (row["faults"], row["noticed"], row["rate"]) == (10, 8, 0.8)
        assert ((row["same"], row["of_others"]["rate"]) if "same" in row else None) == expected
