"""Small studies through every analysis: a table or one line, never a traceback; numbers that are finite or say why they are not there."""

from __future__ import annotations

import pytest

from benchmarks.grid import FULL, looked_at, made, steps, unsaid

SIZES = [
    (1, 1, 2), (1, 25, 2), (1, 2, 3), (2, 1, 2), (2, 2, 3), (3, 1, 3), (3, 2, 3), (3, 5, 2), (4, 25, 2), (5, 1, 3), (7, 4, 3), (12, 2, 2),
    (30, 1, 3), (30, 18, 2), (30, 25, 2),
]  # fmt: skip


@pytest.mark.parametrize(("people", "clips", "conditions"), SIZES)
def test_a_size(people: int, clips: int, conditions: int) -> None:
    assert looked_at(people, clips, conditions, FULL) == []


@pytest.mark.parametrize(("people", "clips", "conditions"), [(1, 1, 2), (2, 3, 3), (6, 2, 2)])
def test_the_slow_analyses(people: int, clips: int, conditions: int) -> None:
    data = made(people, clips, conditions)
    others = [name for name in steps(data) if name not in FULL]
    assert looked_at(people, clips, conditions, others) == []


def test_what_is_looked_for() -> None:
    nan = float("nan")
    assert unsaid({"t": [{"p": 0.1, "x": None}, {"p": None, "state": "too few"}, {"p": None, "note": "why"}]}) == []
    assert unsaid({"t": [{"p": None, "state": "ok"}]}) == ["t: ['p'] empty, and nothing says why"]
    assert unsaid({"t": [{"a": nan}, {"a": float("inf")}]}) == ["t.a is nan", "t.a is inf"]
    assert unsaid({"anova": [{"term": "Residual", "p": None}]}) == []


def test_a_traceback_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    from analysis.preference import robust

    def broken(*_: object) -> None:
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr(robust, "preference", broken)
    assert looked_at(2, 2, 2, FULL) == ["robust: ZeroDivisionError: float division by zero"]
