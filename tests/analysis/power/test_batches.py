"""Power in batches: the numbers of before, whoever simulates which of them; a batch is told by all that it depends on, and no more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import AnalysisError
from analysis.power import batches
from analysis.power.batches import Batches
from analysis.power.power import BATCH, power
from experiment.bots.effects import load_effects
from tests.analysis.power.test_power import STUDY, simulation

# Studies that found a test, of 450 by the paper's plan and of 220 by the robust one (seed 7), as `analysis power` of version 0.2 counted them.
PAPER = {
    (12, 3): {"all": 217, "bitter": 43, "salty": 0, "sour": 66, "sweet": 78, "any": 159},
    (30, 3): {"all": 351, "bitter": 158, "salty": 0, "sour": 172, "sweet": 262, "any": 365},
    (12, 5): {"all": 238, "bitter": 71, "salty": 1, "sour": 49, "sweet": 88, "any": 174},
    (30, 5): {"all": 356, "bitter": 147, "salty": 1, "sour": 195, "sweet": 251, "any": 362},
}
ROBUST = {"all": 19, "bitter": 8, "salty": 0, "sour": 4, "sweet": 18, "any": 34}
SIZES = [12, 30]
SMALL = simulation(load_effects(), 450, 7, clips=(3, 5))


class Account:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.at: list[str] = []
        self.there: list[str] = []
        self.wrong: list[str] = []

    def begins(self, names: Any) -> None:
        self.at += names

    def made(self, names: Any) -> None:
        self.there += names

    def failed(self, names: Any, error: Exception) -> None:
        self.wrong += names


def hits(rows: list[dict[str, Any]]) -> dict[tuple[int, int], dict[str, float]]:
    out: dict[tuple[int, int], dict[str, float]] = {}
    for r in rows:
        if r["alternative"] != "equivalence":
            out.setdefault((r["people"], r["clips"]), {})[r["taste"]] = r["power"] * r["simulations"]
    return out


def test_numbers_are_those_of_before(tmp_path: Path) -> None:
    assert list(hits(power(SMALL, SIZES))) == list(PAPER)  # in the same order
    assert hits(power(SMALL, SIZES)) == {size: pytest.approx(found) for size, found in PAPER.items()}
    robust = simulation(load_effects(), 220, 7, STUDY.analysis)
    assert hits(power(robust, [16])) == {(16, 5): pytest.approx(ROBUST)}
    step = Batches(SMALL, SIZES, tmp_path)
    step.make([u.name for u in step.units()], Account())
    assert step.rows() == power(SMALL, SIZES)


def test_a_batch_that_is_kept_is_not_simulated_again(tmp_path: Path) -> None:
    first, second, account = Batches(SMALL, SIZES, tmp_path), Batches(SMALL, SIZES, tmp_path), Account()
    names = [u.name for u in first.units()]
    assert [name.rpartition("-")[0] for name in names[:4]] == ["12x3-0", "12x3-1", "12x3-2", "30x3-0"]
    assert len(names) == 12
    first.make(names[:7], account)
    second.make(names[4:], account)
    assert account.at == names
    assert account.there == [*names[:7], *names[4:]]
    assert second.done(second.units()) == set(names)
    assert second.rows() == power(SMALL, SIZES)
    # More studies of a size begin with those that are there: but for the last batch, which was a part of one.
    more = Batches(replace(SMALL, studies=450 + BATCH), SIZES, tmp_path)
    assert len(more.done(more.units())) == 8
    assert more.done(more.units()) < set(names)


def test_a_batch_that_is_missing_or_damaged_is_told_and_no_power_is(tmp_path: Path) -> None:
    step = Batches(replace(SMALL, studies=20), [4], tmp_path)
    with pytest.raises(AnalysisError, match="is missing or damaged; delete it and run the same again"):
        step.rows()
    step.make([u.name for u in step.units()], Account())
    step.kept.path(step.units()[0].fingerprint).write_text('{"hits": [')
    with pytest.raises(AnalysisError, match=r"[0-9a-f]{64}\.json is missing or damaged"):
        step.rows()


def test_a_batch_is_told_by_all_that_it_depends_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = STUDY.experiment.preference.model_copy(update={"high": 100})
    preference = SMALL.effects.preference
    others = [
        replace(SMALL, seed=8), replace(SMALL, plan="robust"), replace(SMALL, tastes=SMALL.tastes[::-1]),
        replace(SMALL, analysis=SMALL.analysis.model_copy(update={"alpha": 0.01})),
        replace(SMALL, experiment=SMALL.experiment.model_copy(update={"preference": task})),
        replace(SMALL, effects=SMALL.effects.model_copy(
            update={"preference": preference.model_copy(update={"clip_sd": preference.clip_sd + 0.1})}
        )),
    ]  # fmt: skip

    def told(given: Any, sizes: list[int] = SIZES) -> dict[str, str]:
        return {u.name: u.fingerprint for u in Batches(given, sizes, tmp_path).units()}

    seen = [told(given) for given in (SMALL, *others)]
    monkeypatch.setattr(batches, "made_by", lambda *_: "other code")
    seen.append(told(SMALL))
    monkeypatch.undo()
    every = [of for one in seen for of in one.values()]
    assert len(set(every)) == len(every) == 12 * 8
    assert all(name.rpartition("-")[2] == of[:8] for one in seen for name, of in one.items())
    # Not by what else is asked for, nor by where a study's files lie.
    assert set(told(SMALL, [12])) < set(seen[0])
    elsewhere = SMALL.analysis.model_copy(update={"targets": Path("/elsewhere.csv"), "reference": "/music"})
    assert told(replace(SMALL, analysis=elsewhere)) == seen[0]
