"""How long the analyses take, for a study of 111 people and for one of 10,000.

Run: python -m benchmarks.evidence speed. People are drawn with replacement from simulated ones, one answer in five moved by a
step, so that a large study has the shape of a small one.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from analysis.data.frames import StudyData

ROOT = Path(__file__).resolve().parent.parent
SIZES = (111, 1000, 10_000)


def simulated(folder: Path) -> tuple[StudyData, Any]:
    """111 simulated participants of the default study, through the session engine; and the study."""
    from analysis.data.frames import load
    from experiment import launch
    from experiment.bots.effects import load_effects
    from tastelab.commands.experiment import prepared
    from tastelab.context import open_store
    from tastelab.study import load_study

    study = load_study(ROOT / "study.toml")
    with open_store(f"sqlite:///{folder}/speed.db") as store:
        out = ROOT / "outputs"
        launch.simulate(prepared(store, study, out), load_effects(), 111, 1, lambda *_: None)
        return load(store.engine, study.name, "bot"), study


def enlarged(data: StudyData, n: int, rng: np.random.Generator) -> StudyData:
    """`n` people drawn from those of `data`."""
    import pandas as pd

    drawn = rng.choice(data.people["participant"].to_numpy(), n)
    frames = {}
    for name in ("people", "preference", "ratings", "affect"):
        frame = getattr(data, name)
        rows = frame.groupby("participant").indices
        picked = [rows.get(p, np.array([], dtype=int)) for p in drawn]
        new = frame.iloc[np.concatenate(picked).astype(int)].reset_index(drop=True)
        new["participant"] = np.repeat(np.arange(1, n + 1), [len(p) for p in picked])
        for column, low, high in (("score", 0, 10), ("value", 1, 5)):
            if column in new and len(new):
                moved = rng.random(len(new)) < 0.2
                step = rng.choice([-1, 1], len(new)) * moved
                new[column] = np.clip(new[column] + step, low, high)
        frames[name] = new
    people: pd.DataFrame = frames["people"]
    return replace(data, **frames, sessions={"complete": len(people)})


def steps(data: StudyData, study: Any) -> dict[str, tuple[str, Callable[[], object]]]:
    """Name -> plan and the analysis."""
    from analysis.data import careless
    from analysis.factors import paper as factors
    from analysis.factors import trust as structure
    from analysis.preference import paper as preference
    from analysis.preference import robust
    from analysis.ratings import mediation
    from analysis.ratings import paper as ratings

    c = study.analysis
    return {
        "preference": ("paper", lambda: preference.analyse(data.preference, data.middle, c)),
        "ratings": ("paper", lambda: ratings.analyse(data.ratings, data.people)),
        "factors": ("paper", lambda: factors.analyse(data.ratings, c.factors, c.seed)),
        "mixed models of preference": ("participants", lambda: robust.preference(data.preference, data.middle, c)),
        "mixed and ordinal models of ratings": ("robust", lambda: robust.ratings(data.ratings, c)),
        "careless answering": ("robust", lambda: careless.analyse(data, c.exclude)),
        "mediation": ("robust", lambda: mediation.analyse(data.ratings, data.affect, None, 1000, c.seed)),
        "polychoric factors": ("robust", lambda: factors.analyse(data.ratings, c.factors, c.seed, ordinal=True)),
        "structure": ("robust", lambda: structure.analyse(data, 4, c.groups, c.seed)),
    }


def speed() -> dict[str, Any]:
    """Seconds of each analysis at each size, and the sum per plan."""
    with tempfile.TemporaryDirectory() as folder:
        data, study = simulated(Path(folder))
    out: dict[str, Any] = {"rows": [], "sums": []}
    for n in SIZES:
        large = enlarged(data, n, np.random.default_rng(n))
        sums: dict[str, float] = {}
        for name, (plan, run) in steps(large, study).items():
            start = time.perf_counter()
            run()
            took = time.perf_counter() - start
            sums[plan] = sums.get(plan, 0.0) + took
            out["rows"].append({"people": n, "plan": plan, "analysis": name, "seconds": took})
            print(f"{n:>6} {plan:>13} {name:<38} {took:8.2f} s", flush=True)
        row = {"people": n, **sums, "all": sum(sums.values())}
        row["milliseconds_per_person"] = 1000 * (sums["paper"] + sums["participants"]) / n
        row["peak_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        out["sums"].append(row)
        print(row, flush=True)
    return out
