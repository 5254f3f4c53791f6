"""From a study's database and clips to its report: what goes into it, building it, holding it against what it was made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tastelab.context import definition_of, effects_of, open_store, stimuli_folder, tastelab_version, told_clips
from tastelab.study import Study, study_digest

if TYPE_CHECKING:
    from analysis.data.frames import StudyData
    from analysis.page.inputs import Inputs

DRIVEN = "desk.json"  # in a study's outputs: the record of the session that a hand drove on a virtual desk


def build_report(
    study: Study,
    db: str,
    out: Path,
    kind: str | None,
    update: Callable[..., None] | None = None,
    timings: dict[str, float] | None = None,
    effects: Path | None = None,
) -> tuple[Path, bool]:
    """Freeze the data of one kind of session and build the report from the snapshot; its path, and whether it was built.

    Whoever withdraws while it is built is not in what is left: then it is built anew from answers frozen anew.
    """
    from analysis.report.build import build

    before, made = -1, None
    while made is None or before != _withdrawn(db):
        before = _withdrawn(db)
        made = build(inputs(study, db, out, kind, timings, effects=effects), update)
    return made


def _withdrawn(db: str) -> int:
    """How many withdrawals a database knows of."""
    from experiment.data.tombstones import number_of

    with open_store(db, new=False) as store:
        return store.do(number_of)


def frozen(study: Study, db: str, out: Path, kind: str | None) -> tuple[StudyData, Path]:
    """Freeze the answers of one kind of session now; the data and the snapshot's folder, which the database is told of."""
    from analysis.data.frames import load
    from analysis.data.freeze import freeze
    from experiment.data.copies import register
    from experiment.data.tombstones import number_of

    folder = out / study.name / "snapshots"
    with open_store(db, new=False) as store:
        before = -1
        while before != (before := store.do(number_of)):  # who withdraws meanwhile is not in what is kept
            data = load(store.engine, study.name, kind)
            register(store, "snapshots", folder, study.name)
            made = freeze(data, definition_of(study), folder)
    return data, made


def check_report(study: Study, db: str, out: Path, kind: str | None, effects: Path | None = None) -> list[str]:
    """What of a report no longer matches data, code, study or its own files; empty where all is current."""
    from analysis.report.provenance import check

    return check(inputs(study, db, out, kind, keep=False, effects=effects))


def inputs(
    study: Study,
    db: str,
    out: Path,
    kind: str | None,
    timings: dict[str, float] | None = None,
    keep: bool = True,
    effects: Path | None = None,
) -> Inputs:
    """Everything that a report on one kind of session is made of.

    What simulated people followed is the file `effects`, else the study's own, else what is shipped; if they followed another,
    the report says so and compares nothing with it.
    The answers come from a snapshot frozen now; where nothing is to be kept (a check), from the database, and nothing is written.
    """
    from analysis.data import careless
    from analysis.data.frames import load
    from analysis.data.freeze import thaw
    from analysis.page.inputs import Inputs
    from experiment.data.queries import amendments, effects_followed
    from stimuli.config import asked_words
    from stimuli.manifest import FILE

    base = out / study.name
    data = thaw(frozen(study, db, out, kind)[1]) if keep else None
    with open_store(db, new=False) as store:
        data = data or load(store.engine, study.name, kind)
        followed = effects_followed(store, study.name) if data.kind == "bot" else {}
        amended = amendments(store, study.name, data.kind)
    kept, excluded = careless.apply(data, study.analysis.exclude)
    folder = stimuli_folder(study, out)
    record = base / DRIVEN
    told = effects_of(study, effects) if data.kind == "bot" else None
    others = [shown for sha256, shown in followed.items() if told is not None and sha256 != told.sha256]
    return Inputs(
        title=study.title,
        data=kept,
        config=study.analysis,
        embedders=list(study.models.embedders),
        clips=told_clips(folder) if (folder / FILE).exists() else [],
        folder=folder,
        out=base,
        version=tastelab_version(),
        study_sha256=study_digest(study),
        asked=asked_words(study.stimuli),
        effects=None if others else told,
        followed=others,
        desk=json.loads(record.read_text(encoding="utf-8")) if record.exists() else None,
        timings=timings or {},
        excluded=excluded,
        amendments=amended,
    )
