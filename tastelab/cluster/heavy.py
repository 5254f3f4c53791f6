"""The heavy steps of a study, in the order in which they need each other; each can be shared out by its units.

Where one is made, it is opened anew: `Work` says how, in a form that can be shipped. A step of the study is opened by its name, the study
and where its outputs lie; what is asked besides (how large a study should be) brings along all that was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tastelab.context import definition_of, stimuli_folder
from tastelab.errors import UserError
from tastelab.study import Study

if TYPE_CHECKING:
    from stimuli.units import Step

BESIDE = "units"  # in a study's outputs: who is at what, what failed, jobs and their logs


POWER = "power"  # a step that no study file asks for, but a command; its units are those that were asked for last


@dataclass(frozen=True)
class Work:
    """A heavy step before it is opened: its name, the folder of its account (`beside`), and what opens it, wherever that is called."""

    name: str
    folder: Path
    opened: Callable[[], Step]


def beside(study: Study, out: Path) -> Path:
    """Where that is kept."""
    return out / study.name / BESIDE


def _generate(study: Study, out: Path) -> Step:
    from stimuli.units import Clips

    return Clips(study.stimuli, study.models, stimuli_folder(study, out))


def _distinct(study: Study, out: Path) -> Step:
    from stimuli.units import Distinct

    return Distinct(study.stimuli, study.models, stimuli_folder(study, out))


def _captions(study: Study, out: Path) -> Step:
    from stimuli.units import Described

    return Described("captions", study.models, stimuli_folder(study, out))


def _features(study: Study, out: Path) -> Step:
    from stimuli.units import Described

    return Described("features", study.models, stimuli_folder(study, out))


def _embeddings(study: Study, out: Path) -> Step:
    from analysis.sound.embedding import Embeddings
    from analysis.sound.intervals import CACHE

    return Embeddings(stimuli_folder(study, out), study.models.embedders, out / study.name / CACHE)


def _distances(study: Study, out: Path) -> Step:
    from analysis.data.compared import Conditions
    from analysis.sound.intervals import Distances

    conditions = Conditions.declared(definition_of(study))
    return Distances(
        stimuli_folder(study, out),
        study.models.embedders,
        study.analysis.reference,
        out / study.name,
        study.analysis.seed,
        conditions,
    )


HEAVY: dict[str, Callable[[Study, Path], Step]] = {
    "generate": _generate,
    "distinct": _distinct,
    "captions": _captions,
    "features": _features,
    "embeddings": _embeddings,
    "distances": _distances,
}
STEPS = (*HEAVY, POWER)  # all that a cluster's settings may be about


def work_of(name: str, study: Study, out: Path) -> Work:
    """One step of a study, to be opened anywhere.

    Raises
    ------
    UserError
        If none is called so.
    """
    if name == POWER:
        raise UserError(
            "power is asked for by 'tastelab analysis power', whose --todo lists its units and whose --units makes a share"
        )
    if name not in HEAVY:
        raise UserError(f"no step is called {name!r}; there are: {', '.join(HEAVY)}")
    return Work(name, beside(study, out), partial(HEAVY[name], study, out))


def heavy(name: str, study: Study, out: Path) -> Step:
    """One step of a study, opened here; raises as `work_of` does."""
    return work_of(name, study, out).opened()
