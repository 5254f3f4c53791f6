"""Single faults: what may be drawn from a module, and what not."""

from __future__ import annotations

import pytest
from statsmodels.stats.proportion import proportion_confint

from tests.mutation.draw import mutants, parses
from tests.mutation.mutants import drawn, wilson

MODULE = '''"""A module - of < words."""

LIMIT: int = 3
NAMES = {"a": "first", "b": "second"}


def share(hits: int, n: int) -> float:
    """Hits < n."""
    if not n or hits > n:
        raise ValueError(f"{hits + 1} of {n - 1}", 7)
    found = divmod(hits, n)
    print(found)
    return -hits / n
'''


@pytest.mark.parametrize(
    "kind, old, new",
    [
        ("constant", "3", "4"),
        ("strings", '"first", "b": "second"', '"second", "b": "first"'),
        ("boolean", "not n or hits > n", "(not n and hits > n)"),
        ("boolean", "not n", "(n)"),
        ("comparison", "hits > n", "(hits >= n)"),
        ("arguments", "hits, n", "n, hits"),
        ("dropped", "print(found)", "pass"),
        ("return", "return -hits / n", "return None"),
        ("sign", "-hits / n", "(-hits * n)"),
        ("sign", "-hits", "(hits)"),
    ],
)
def test_a_fault_of_every_kind_can_be_drawn(kind: str, old: str, new: str) -> None:
    assert [m for m in mutants("m.py", MODULE) if (m.kind, m.old, m.new) == (kind, old, new)]


@pytest.mark.parametrize(("call", "found"), [("max(a, b)", 0), ("np.minimum(a, b)", 0), ("atan2(a, b)", 1)])
def test_the_larger_of_two_has_no_order(call: str, found: int) -> None:
    assert len([m for m in mutants("m.py", f"x = {call}") if m.kind == "arguments"]) == found


@pytest.mark.parametrize(
    ("call", "found"), [("zip(a, b, strict=True)", 0), ("read(a, b, strict=True)", 1), ("zip(a, b, x=True)", 1)]
)
def test_what_only_asserts_is_left_alone(call: str, found: int) -> None:
    assert len([m for m in mutants("m.py", f"x = {call}") if m.kind == "constant"]) == found


def test_words_annotations_and_messages_are_left_alone() -> None:
    found = mutants("m.py", MODULE)
    assert len(found) == 10
    assert {m.line for m in found} == {3, 4, 9, 11, 12, 13}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a", "b"}', 0),
        ('x in ("a", "b")', 0),
        ('x not in ["a", "b"]', 0),
        ('x in {"k": "a", "l": "b"}', 0),
        ('y < x in ("a", "b")', 0),
        ('x.startswith(("a", "b"))', 0),
        ('x.endswith(("a", "b"))', 0),
        ('frozenset(("a", "b"))', 0),
        ('tuple(("a", "b"))', 1),
        ('sorted(("a", "b"), key=x)', 1),
        ('("a", "b") == x', 1),
        ('x == ("a", "b")', 1),
        ('("a", "b") in x', 1),
        ('x in (f("a", "b"), ["a", "b"])', 1),
        ('{"k": "a", "l": "b"}', 1),
    ],
)
def test_texts_whose_order_means_nothing_are_not_exchanged(text: str, found: int) -> None:
    assert sum(m.kind == "strings" for m in mutants("m.py", f"z = {text}\n")) == found


def test_a_fault_changes_its_place_alone() -> None:
    for m in mutants("m.py", MODULE):
        before, after = MODULE.encode()[: m.start], MODULE.encode()[m.end :]
        assert before.decode() + m.old + after.decode() == MODULE
        assert parses(before.decode() + m.new + after.decode())


def test_the_seed_decides_which_faults_are_drawn() -> None:
    only = "experiment/design.py"
    assert drawn(8, "a", only) == drawn(8, "a", only)
    assert drawn(8, "a", only) != drawn(8, "b", only)
    assert len({(m.start, m.new) for m in drawn(8, "a", only)}) == 8


@pytest.mark.parametrize("hits, n", [(0, 7), (7, 7), (151, 200), (3, 11)])
def test_intervals_are_wilsons(hits: int, n: int) -> None:
    assert wilson(hits, n) == pytest.approx(proportion_confint(hits, n, method="wilson"), abs=1e-6)
