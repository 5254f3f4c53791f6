"""The heavy steps of a study, in the order in which they need each other; each can be shared out by its units."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tastelab.context import stimuli_folder
from tastelab.errors import UserError
from tastelab.study import Study

if TYPE_CHECKING:
    from stimuli.units import Step

BESIDE = "units"  # in a study's outputs: who is at what, what failed, jobs and their logs


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

    return Embeddings(stimuli_folder(study, out), study.models.embedders, out / study.name / "embeddings")


HEAVY: dict[str, Callable[[Study, Path], Step]] = {
    "generate": _generate,
    "distinct": _distinct,
    "captions": _captions,
    "features": _features,
    "embeddings": _embeddings,
}


def heavy(name: str, study: Study, out: Path) -> Step:
    """One step of a study.

    Raises
    ------
    UserError
        If none is called so.
    """
    if name not in HEAVY:
        raise UserError(f"no step is called {name!r}; there are: {', '.join(HEAVY)}")
    return HEAVY[name](study, out)
