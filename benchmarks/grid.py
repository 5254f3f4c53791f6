"""Every analysis on studies of 1 to 30 people by 1 to 25 clips a taste: no traceback, and what is printed is finite or says why not.

Answers are random, or people agree (`MINDS`); what is looked at is whether small studies end in a table or in one line. Every
second size has three conditions. Run: python -m benchmarks.evidence grid.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from analysis.data.frames import StudyData

ROOT = Path(__file__).resolve().parent.parent
PEOPLE, CLIPS = range(1, 31), range(1, 26)
TASTES = ("bitter", "salty", "sour", "sweet")
WORDS = (*TASTES, "happy", "sad", "hot", "cold")
NOTHING = ("p", "value", "icc_21", "detectable")  # empty only where a row says why
DESCRIBED = ("Residual", "KMO")  # rows of tables of tests that are no test
FULL = ("structure", "mediation")  # take seconds: on the sparse grid alone
MINDS = ("at random", "all agree about one taste", "each person says one thing", "all say one thing")


def made(people: int, clips: int, conditions: int, seed: int = 0, minds: str = MINDS[0]) -> StudyData:
    """A study of comparisons, ratings, feelings, and named tastes, with demographics and hidden repeats.

    Where people agree (`minds`) nothing is left of what tests hold their effects against.
    """
    import pandas as pd

    from analysis.data.compared import Conditions
    from analysis.data.frames import StudyData

    rng = np.random.default_rng([seed, people, clips, conditions])
    names = ("base", "finetuned", "film")[:conditions]
    pairs = [(b, a) for i, a in enumerate(names) for b in names[i + 1 :]]
    compared, rated, felt, named, again = [], [], [], [], []

    def said(person: int, taste: str, value: float, top: int) -> float:
        """What is answered in place of a value from 1 to `top`."""
        if minds == MINDS[1]:
            return top if taste == "sweet" else value
        return value if minds == MINDS[0] else 1 + person % top if minds == MINDS[2] else top

    for p in range(1, people + 1):
        for k in range(5):
            taste, (over, under) = TASTES[(p + k) % 4], pairs[(p + k) % len(pairs)]
            number, other = int(rng.integers(clips)), int(rng.integers(clips))
            score = float(said(p, taste, float(rng.integers(0, 11)), 10))
            sides = (f"{taste}-{under}-{other if conditions > 2 else number}", f"{taste}-{over}-{number}")
            compared.append((p, k, taste, over, under, (over, under)[(p + k) % 2], *sides, score, score, 2.0))
        for k in range(3):
            taste, model = TASTES[(p + k) % 4], names[(p + k) % conditions]
            clip = f"{taste}-{model}-{rng.integers(clips)}"
            rated += [(p, 5 + k, taste, model, clip, w, said(p, w, float(rng.integers(1, 6)), 5), 2.0) for w in WORDS]
            felt += [
                (p, 5 + k, taste, model, clip, w, said(p, taste, float(rng.integers(1, 10)), 9), 2.0)
                for w in ("valence", "arousal")
            ]
            name = TASTES[int(said(p, taste, float(rng.integers(1, 5)), 4)) - 1]  # the last of them is sweet
            named.append((p, 8 + k, taste, model, clip, name, 3.0, 2.0))
        again.append((p, "fit", "c", "preference", float(rng.integers(0, 11)), float(rng.integers(0, 11))))
    head = ["participant", "trial"]
    heard = [*head, "prompt", "model", "clip"]
    who = pd.DataFrame(
        {
            "participant": range(1, people + 1), "status": "complete", "language": "en", "age": rng.integers(18, 70, people),
            "sex": rng.choice(["female", "male"], people), "hearing_experience": rng.choice(["none", "amateur"], people),
            "eating_experience": rng.choice(["none", "amateur"], people),
        }
    )  # fmt: skip
    sides_ = ["taste", "over", "under", "first_model", "clip_under", "clip_over", "answer", "score", "response_time"]
    return StudyData(
        "grid", "bot", who, pd.DataFrame(compared, columns=[*head, *sides_]),
        pd.DataFrame(rated, columns=[*heard, "adjective", "value", "response_time"]),
        pd.DataFrame(felt, columns=[*heard, "item", "value", "response_time"]), 5.0, {"complete": people}, "0" * 64,
        identification=pd.DataFrame(
            named, columns=[*head, "asked", "condition", "clip", "answered", "confidence", "response_time"]
        ),
        repeats=pd.DataFrame(again, columns=["participant", "block", "clip", "item", "first", "again"]),
        conditions=Conditions(names, {}, pairs=tuple(pairs)),
    )  # fmt: skip


def steps(data: StudyData) -> dict[str, Callable[[], Any]]:
    """Name -> analysis, each giving tables."""
    from analysis.agreement.repeats import reliability
    from analysis.config import AnalysisConfig, Equivalence, Hypothesis
    from analysis.data import careless
    from analysis.data.complete import paper_rows
    from analysis.data.frames import demographics
    from analysis.factors import paper as factors
    from analysis.factors import trust
    from analysis.identification.analyse import analyse as identify
    from analysis.preference import moderators, paper, robust, sensitivity
    from analysis.preference.pairs import by_pair
    from analysis.ratings import mediation
    from analysis.ratings import paper as ratings

    config = AnalysisConfig(
        resamples=100,
        hypotheses=[Hypothesis(taste=t) for t in TASTES],
        equivalence=[Equivalence(taste="salty", bound=1.0)],
    )
    rows = paper_rows(data)
    return {
        "robust": lambda: robust.preference(data.preference, data.middle, config),
        "detectable": lambda: {
            "detectable": sensitivity.detectable(robust.rows_of_tests(data.preference, data.middle, config), 0.05, 6)
        },
        "moderators": lambda: {
            "moderators": moderators.moderators(data.preference, data.people, data.middle, config)
        },
        "bias": lambda: {"bias": sensitivity.order_and_side(data.preference, data.middle)},
        "paper": lambda: by_pair(rows.choices, lambda part: paper.analyse(part, data.middle, config)),
        "ratings": lambda: robust.ratings(data.ratings, config),
        "paper's ratings": lambda: ratings.analyse(rows.rated, data.people),
        "described": lambda: ratings.described(data.ratings),
        "identification": lambda: identify(data.identification, data.repeats, config),
        "people": lambda: {"demographics": demographics(data.people), "flow": careless.flow(data, {})},
        "careless": lambda: careless.analyse(data, config.exclude),
        "repeats": lambda: {"repeats": reliability(data.repeats)},
        "factors": lambda: factors.analyse(data.ratings, 2, 0),
        "mediation": lambda: {"mediation": mediation.analyse(data.ratings, data.affect, None, 100, 0)},
        "structure": lambda: trust.analyse(data, 2, ["sex", "age"], 0),
    }  # fmt: skip


def looked_at(
    people: int, clips: int, conditions: int = 2, leave: Iterable[str] = (), minds: str = MINDS[0]
) -> list[str]:
    """What is wrong with a study of this size, a line each: a traceback, a number that is none, a gap without a word."""
    from analysis.engines.threads import one_thread
    from analysis.errors import AnalysisError

    out = []
    for name, run in steps(made(people, clips, conditions, minds=minds)).items():
        if name in leave:
            continue
        try:
            with one_thread(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tables = run()
        except AnalysisError as error:
            if "\n" in str(error) or not str(error):
                out.append(f"{name}: no single line: {error!r}")
            continue
        except Exception as error:  # what a person would see as a traceback is what is counted here
            out.append(f"{name}: {type(error).__name__}: {error}")
            continue
        out += [f"{name}: {line}" for line in unsaid(tables)]
    return out


def unsaid(tables: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Numbers that are not finite, and results that are missing without a word."""
    out = []
    for table, rows in tables.items():
        for row in rows if isinstance(rows, list) else []:
            out += [f"{table}.{k} is {v}" for k, v in row.items() if isinstance(v, float) and not math.isfinite(v)]
            empty = [k for k in NOTHING if k in row and row[k] is None]
            if {row.get("term"), row.get("measure")} & {*DESCRIBED}:
                continue
            if empty and row.get("state", "ok") == "ok" and not row.get("note"):
                out.append(f"{table}: {empty} empty, and nothing says why")
    return out


def grid() -> dict[str, Any]:
    """All sizes, the slow analyses on every fifth; what went wrong in which of them."""
    wrong: list[dict[str, Any]] = []
    for people in PEOPLE:
        for clips in CLIPS:
            sparse = people % 5 == 0 and clips % 5 == 0
            minds = MINDS[(people + 3 * clips) // 2 % len(MINDS)]
            lines = looked_at(people, clips, 2 + (people + clips) % 2, () if sparse else FULL, minds)
            wrong += [{"people": people, "clips": clips, "answers": minds, "said": line} for line in lines]
        print(f"{people} people: {len(wrong)} wrong so far", flush=True)
    return {"sizes": len(PEOPLE) * len(CLIPS), "wrong": len(wrong), "lines": wrong[:50]}
