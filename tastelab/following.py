"""`tastelab trace`: what a word means (a number of the report, a clip, a person, a checkpoint), and what is followed from there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from tastelab.context import WIDTH, open_store, stimuli_folder
from tastelab.errors import UserError

if TYPE_CHECKING:
    from analysis.report.trace import Number, Trace
    from stimuli.manifest import ClipRow
    from tastelab.study import Study

PERSON = re.compile(r"person-(\d+)")
Rows = list[dict[str, Any]]


@dataclass
class Found:
    """What a trace comes to: tables for programs, those of them that people are shown, and lines for people alone."""

    tables: dict[str, Rows]
    shown: list[str]
    lines: list[str] = field(default_factory=list)
    digest: str | None = None


def follow(study: Study, db: str, out: Path, what: str) -> Found:
    """Follow a word to where it came from, and to every number that it went into.

    Raises
    ------
    UserError
        If it is none of these.
    """
    from analysis.report.trace import read_trace
    from stimuli.manifest import FILE, read_manifest

    folder = stimuli_folder(study, out)
    trace = read_trace(out / study.name)
    if out.exists() and not out.is_dir():
        read_manifest(folder)  # which says what is in the way
    rows = [r for r in read_manifest(folder) if _meant(what, r)] if (folder / FILE).exists() else []
    found = _clips(study, db, trace, rows) if rows else _of_report(study, db, trace, what) if trace else None
    found = found or _heard(study, db, trace, what)
    if found is None:
        if trace is None and not (folder / FILE).exists():
            read_manifest(folder)  # which says what there is to do
        known = "" if trace else "; there is no report yet, so that no number, person or checkpoint can be followed"
        raise UserError(
            f"nothing of {study.name} is called {what!r}: no clip has that name, hash or prompt, and no number of the report, no "
            f"person and no checkpoint is called so{known}"
        )
    found.digest = trace.index["data_sha256"] if trace else None
    return found


def _of_report(study: Study, db: str, trace: Trace, what: str) -> Found | None:
    if what in trace.numbers:
        return _number(trace, trace.numbers[what])
    inside = [n for n in trace.numbers.values() if n.id.startswith(f"{what}.")]
    if inside:
        return Found({"numbers": _listed(trace, inside)}, ["numbers"])
    from analysis.report.trace import LEFT_OUT

    made = trace.of_checkpoint(what)
    if made:
        went = trace.forward([c.clip for c in made])
        return _forward(trace, {"clips": [_origin(c) for c in made]}, went)
    person = _person(study, db, trace, what)
    if person is None:
        return None
    found = _forward(trace, {"answers": trace.answers(trace.of_person(person))}, trace.forward(person=person))
    if person in trace.pools.left_out:
        found.lines.insert(0, f"Person {person} was {LEFT_OUT}.")
    return found


def _meant(what: str, row: ClipRow) -> bool:
    """Whether a clip has this name or hash, or (from six letters on) a hash that begins so or a prompt that says so."""
    if what in (row.clip, row.told, row.sha256):
        return True
    return len(what) >= 6 and (row.sha256.startswith(what) or what.lower() in (row.prompt or "").lower())


def _person(study: Study, db: str, trace: Trace, what: str) -> int | None:
    """A person's number, from what the report calls them or, where the database is, from their code."""
    from analysis.data.frames import load
    from analysis.data.numbered import number_of
    from experiment.data.connect import file_of

    there = {int(p) for p in trace.pools.data.people["participant"]} | trace.pools.left_out
    said = PERSON.fullmatch(what)
    if said:
        return int(said[1]) if int(said[1]) in there else None
    path, kind = file_of(db), str(trace.index["kind"])
    if path is not None and not path.exists():
        return None
    with open_store(db, new=False) as store:
        person = number_of(store.engine, study.name, kind, what)
        if person is None or person not in there:
            return None
        if load(store.engine, study.name, kind).digest != trace.index["data_sha256"]:
            raise UserError(
                "there are other answers than when the report was made; run 'tastelab analysis report' first"
            )
    return person


def _number(trace: Trace, number: Number) -> Found:
    reach = trace.behind(number)
    by = trace.made_by(number)
    where = trace.tables[number.table]["title"] if number.table else "a sentence of the report"
    head = {"number": number.id, "printed": number.printed, "value": number.value, "of": where}
    people = [{"person": p, "trials": ", ".join(str(t) for t in trials)} for p, trials in trace.people(reach).items()]
    clips = [_origin(c) for c in trace.clips if c.clip in reach.clips]
    known = {c["clip"] for c in clips}
    clips += [{"clip": c} for c in sorted(reach.clips - known)]
    about = trace.row_words(number.table, number.row) if number.table else ""
    lines = [
        f"{number.id}: {number.printed}",
        f"{where}{f', row {number.row + 1} ({about}), {number.column}' if number.table else ''}",
        *(f"made by {m['function']}: {m['file']}, line {m['line']} (SHA-256 {m['sha256']})" for m in by),
        f"tastelab {trace.index['tastelab']}, data {trace.index['data_sha256'][:12]}, {trace.pools.data.label}",
        trace.note(number),
        f"stands on {len(reach.answers)} answers of {len(reach.people)} people, {len(reach.clips)} clips (--json: every answer)",
    ]
    tables = {"number": [head], "made_by": by, "clips": clips, "people": people, "answers": trace.answers(reach)}
    return Found(tables, ["clips", "people"], [part for line in lines if line for part in _wrapped(line)])


def _wrapped(line: str) -> list[str]:
    return wrap(line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _clips(study: Study, db: str, trace: Trace | None, rows: list[ClipRow]) -> Found:
    made = [
        {
            "clip": r.clip, "condition": r.model, "taste": r.taste, "number": r.number, "prompt": r.prompt, "checkpoint": r.checkpoint,
            "checkpoint_sha256": (r.checkpoint_sha256 or "")[:12], "seed": r.seed, "sha256": r.sha256[:12],
            "loudness": r.loudness, "caption": r.caption,
        }
        for r in rows
    ]  # fmt: skip
    answers = _answers(study, db, [r.told for r in rows])
    tables: dict[str, Rows] = {"clips": made, "answers": answers}
    found = _forward(trace, tables, trace.forward([r.told for r in rows])) if trace else Found(tables, [*tables])
    if not answers:
        found.lines.append("No session has heard it yet.")
    return found


def _heard(study: Study, db: str, trace: Trace | None, clip: str) -> Found | None:
    """A clip that answers name and no manifest does, as an import's: what is known of it are these."""
    answers = _answers(study, db, [clip])
    if not answers:
        return None
    tables: dict[str, Rows] = {"clips": [{"clip": clip}], "answers": answers}
    found = _forward(trace, tables, trace.forward([clip])) if trace else Found(tables, [*tables])
    found.lines.append("Answers name it, and no manifest does (as of a survey's tracks): nothing else is known of it.")
    return found


def _answers(study: Study, db: str, clips: list[str]) -> Rows:
    """Answers about clips as analyses see them, of every kind of session: how many, and their mean (of pairs, of scores)."""
    from analysis.data.frames import kinds_present, load
    from analysis.errors import AnalysisError
    from analysis.report.reach import Pools
    from experiment.data.connect import file_of

    path = file_of(db)
    out: Rows = []
    if path is not None and not path.exists():
        return out
    with open_store(db, new=False) as store:
        for kind in sorted(kinds_present(store.engine, study.name)):
            try:
                whole = Pools(load(store.engine, study.name, kind), set(), []).answers
            except AnalysisError:  # begun, and not answered
                continue
            for clip in clips:
                mine = whole[(whole["clip"] == clip) | (whole["against"] == clip)].fillna({"pair": ""})
                for (task, item, pair), part in mine.groupby(["task", "item", "pair"], sort=True):
                    mean = float(part["value"].mean()) if _numeric(part["value"]) else None
                    row = {"clip": clip, "kind": kind, "task": task, "item": item, "answers": len(part), "mean": mean}
                    out.append(row | {"pair": pair})
    return out


def _numeric(values: Any) -> bool:
    return all(isinstance(v, (int, float)) for v in values)


def _origin(clip: Any) -> dict[str, Any]:
    return {
        "clip": clip.clip, "condition": clip.model, "taste": clip.taste, "prompt": clip.prompt, "checkpoint": clip.checkpoint,
        "checkpoint_sha256": (clip.checkpoint_sha256 or "")[:12], "seed": clip.seed, "sha256": clip.sha256[:12],
    }  # fmt: skip


def _listed(trace: Trace, numbers: list[Number]) -> Rows:
    return [
        {
            "number": n.id, "printed": n.printed, "row": trace.row_words(n.table, n.row) if n.table else trace.sentences[n.column].said,
            "value": n.value,
        }
        for n in numbers
    ]  # fmt: skip


def _forward(trace: Trace, tables: dict[str, Rows], numbers: list[Number]) -> Found:
    """Beside other tables all numbers that something went into, and of which tables they are."""
    counts: dict[str, int] = {}
    for n in numbers:
        counts[n.table] = counts.get(n.table, 0) + 1
    whole: dict[str, int] = {}
    for n in trace.numbers.values():
        whole[n.table] = whole.get(n.table, 0) + 1
    went = [
        {
            "table": t or "sentences",
            "title": trace.tables[t]["title"] if t else "sentences",
            "numbers": k,
            "of": whole[t],
        }
        for t, k in counts.items()
    ]
    shown = [*tables, "went_into"]
    line = f"It went into {len(numbers)} of the report's {len(trace.numbers)} numbers (data {trace.index['data_sha256'][:12]})."
    return Found(tables | {"went_into": went, "numbers": _listed(trace, numbers)}, shown, [line])
