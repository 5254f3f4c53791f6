"""Inputs that nobody should make, how often each kind is tried, and what may come of them.

`TASTELAB_EXAMPLES` sets how many inputs each test tries; `make evidence` tries 20,000 in all.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from experiment.data.store import Header, Store
from experiment.data.tables import Participant, Response, SessionRow, Trial
from experiment.design import plan
from experiment.launch import Prepared

EXAMPLES = int(os.environ.get("TASTELAB_EXAMPLES", "150"))
many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
SQL = st.sampled_from(
    ["'; DROP TABLE response; --", '" OR 1=1 --', "Robert'); DELETE FROM trial; --", "%s", "{0}", "../../etc/passwd",
     "..\\\\..\\\\boot.ini", "C:\\\\CON", "\x00", "\u202eexe.bat", "\ud7ff\ufeff", "𝕿𝖆𝖘𝖙𝖊", "a" * 5000, "-1", "1e400", "nan"]
)  # fmt: skip
nasty = st.one_of(st.text(max_size=60), SQL)


def one_line(error: BaseException) -> None:
    assert len(str(error).splitlines()) == 1, str(error)


def begin(world: Prepared, code: str) -> int:
    return world.store.begin(
        world.study_id, code, Header("bot", "x", "en", 0, {}), lambda row: plan(world.config, world.clips, row),
    )  # fmt: skip


def counts(store: Store) -> tuple[int, ...]:
    with store.transaction() as s:
        return tuple(
            int(s.scalar(select(func.count()).select_from(t)) or 0) for t in (Participant, SessionRow, Trial, Response)
        )


def each(kinds: Mapping[str, st.SearchStrategy[Any]], check: Callable[[Any], str]) -> dict[str, Counter[str]]:
    """Try each kind of input for its share of the examples.

    Returns by kind how often `check`, which raises where something is wrong, came to which end: a test can then say that
    every check of the code was reached.
    """
    met: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    for kind, strategy in kinds.items():
        _try(strategy, check, met[kind], max(8, EXAMPLES // len(kinds)))
    return met


def _try(strategy: st.SearchStrategy[Any], check: Callable[[Any], str], ends: Counter[str], share: int) -> None:
    @settings(many, max_examples=share)
    @given(value=strategy)
    def attempt(value: Any) -> None:
        ends[check(value)] += 1

    attempt()
