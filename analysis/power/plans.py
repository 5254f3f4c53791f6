"""Which simulated studies find what, by the functions of the plan that the study itself is analysed by.

`robust`: the joint mixed model of `analysis.preference.joint`, its contrasts and equivalence tests, corrected as the declared family
by `analysis.preference.questions.family`; all studies of a design are fitted together. `paper`: the seed paper's Wilcoxon
tests, the overall one by itself and the tastes corrected for each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.config import AnalysisConfig
from analysis.engines.ranks import signed_rank
from analysis.engines.tails import adjust
from analysis.engines.threads import one_thread
from analysis.preference import joint
from analysis.preference.pairs import named_pair
from analysis.preference.questions import DECLARED, family, questions
from analysis.preference.robust import asked_of_design

ANY = "any"


@dataclass(frozen=True)
class Answers:
    """Preference answers of many simulated studies.

    Attributes
    ----------
    scores : ndarray
        (studies, participants, trials); of the fine-tuned model, on the slider's whole numbers.
    tastes : ndarray of int
        (participants, trials); index into `names`. The design is the same in every study.
    heard : ndarray of int
        (participants, trials); the clip that a high score speaks for, or which matched pair.
    other : ndarray of int or None
        (participants, trials); the clip that it was compared with, numbered with `heard`; None where two clips always meet.
    pairs : tuple of (str, str)
        Pairs of conditions, over and under; empty where there is one.
    compared : ndarray of int or None
        (participants, trials); index into `pairs`.
    """

    scores: np.ndarray
    tastes: np.ndarray
    names: tuple[str, ...]
    heard: np.ndarray
    other: np.ndarray | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    compared: np.ndarray | None = None


@dataclass(frozen=True)
class Detected:
    """One test in many studies: taste, test, alternative, whether it was found (studies,), how many fits gave no result, of which pair."""

    taste: str
    test: str
    alternative: str
    hits: np.ndarray
    none: int = 0
    pair: str = ""


def detected(answers: Answers, middle: float, config: AnalysisConfig, plan: str | None = None) -> list[Detected]:
    """Which studies find each test: a declared one after its correction, an exploratory one without, and any declared one at all."""
    chosen = plan or config.plan
    if chosen == "robust":
        with one_thread():
            return _robust(answers, middle, config)
    return _paper(answers, middle, config)


def _robust(answers: Answers, middle: float, config: AnalysisConfig) -> list[Detected]:
    people, trials = answers.tastes.shape
    taste, heard = answers.tastes.ravel(), answers.heard.ravel()
    under = [f"under {k}" for k in heard] if answers.other is None else [f"clip {k}" for k in answers.other.ravel()]
    frame = pd.DataFrame(
        {
            "participant": np.repeat(np.arange(people), trials), "taste": np.array(answers.names)[taste],
            "clip_over": [f"clip {k}" for k in heard], "clip_under": under, "score": 0.0,
        }
    )  # fmt: skip
    if answers.compared is not None:
        frame[["over", "under"]] = np.array(answers.pairs)[answers.compared.ravel()]
    design = joint.comparison(joint.sides(frame))
    y = answers.scores.reshape(len(answers.scores), -1).T - middle
    fits = joint.fitted(design, y)
    asked = asked_of_design(design, config)
    p = joint.answers(fits, design, y, asked).p.T
    corrected = family(asked, p, config)
    none = int((~(fits.usable & fits.converged)).sum())
    out = []
    hits = []
    for k, q in enumerate(asked):
        decided = corrected[k] if q.role == DECLARED else p[k]
        found = np.nan_to_num(decided, nan=1.0) < config.alpha
        test = "mixed model" if q.bound is None else f"tost {q.bound:g}"
        out.append(Detected(q.taste, test, q.alternative, found, none, q.pair))
        if q.role == DECLARED:
            hits.append(found)
    return [*out, Detected(ANY, "any declared", "corrected", np.any(hits, axis=0), none)]


def _paper(answers: Answers, middle: float, config: AnalysisConfig) -> list[Detected]:
    flat, tastes = answers.scores.reshape(len(answers.scores), -1), answers.tastes.ravel()
    if answers.compared is None or len(answers.pairs) < 2:
        return _of_pair(flat, tastes, answers.names, middle, config, "")
    out: list[Detected] = []
    for k, pair in enumerate(answers.pairs):
        own = answers.compared.ravel() == k
        out += _of_pair(flat[:, own], tastes[own], answers.names, middle, config, named_pair(*pair))
    return out


def _of_pair(
    flat: np.ndarray, tastes: np.ndarray, names: tuple[str, ...], middle: float, config: AnalysisConfig, pair: str
) -> list[Detected]:
    """The paper's tests of one pair of conditions, corrected within it."""
    there = [name for k, name in enumerate(names) if (tastes == k).any()]
    overall, *per_taste = questions(there, config)
    first = signed_rank(flat, middle, overall.alternative)[1] < config.alpha
    p = np.stack([signed_rank(flat[:, tastes == names.index(q.taste)], middle, q.alternative)[1] for q in per_taste])
    adjusted = adjust(np.nan_to_num(p, nan=1.0), config.correction)
    return [
        Detected(overall.taste, "wilcoxon", overall.alternative, first, pair=pair),
        *(
            Detected(q.taste, "wilcoxon", q.alternative, adjusted[k] < config.alpha, pair=pair)
            for k, q in enumerate(per_taste)
        ),
        Detected(ANY, "any taste", "corrected", np.asarray((adjusted < config.alpha).any(axis=0)), pair=pair),
    ]
