"""What a report is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.config import AnalysisConfig
from analysis.data.frames import StudyData

if TYPE_CHECKING:
    from experiment.bots.effects import Effects
    from stimuli.manifest import ClipRow


@dataclass
class Inputs:
    """Everything a report is made of.

    `data` are without the people that the study file's rules leave out, `excluded` names them by rule.
    `asked` maps taste -> attribute -> words that a caption of its clips should hold; `desk` is the record of a driven
    session; `timings` are seconds per stage. `effects` are those that simulated people followed; where they followed others
    than the report was given, `followed` says which. `amendments` are what was amended of the study in its course
    (`experiment.data.queries.amendments`).
    """

    title: str
    data: StudyData
    config: AnalysisConfig
    embedders: list[str]
    clips: list[ClipRow]
    folder: Path
    out: Path
    version: str
    study_sha256: str
    asked: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    effects: Effects | None = None
    followed: list[str] = field(default_factory=list)
    desk: dict[str, Any] | None = None
    timings: dict[str, float] = field(default_factory=dict)
    excluded: dict[str, list[int]] = field(default_factory=dict)
    amendments: list[dict[str, Any]] = field(default_factory=list)
