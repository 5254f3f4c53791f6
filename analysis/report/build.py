"""From a frozen snapshot and a stimulus folder to report.html: every analysis that the data allow, in order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from analysis.agreement import section as agreement
from analysis.engines.threads import one_thread
from analysis.factors import section as factors
from analysis.identification import section as identification
from analysis.page import standing, style
from analysis.page.inputs import Inputs
from analysis.page.page import Section
from analysis.page.standing import Line
from analysis.preference import section as preference
from analysis.ratings import section as ratings
from analysis.report import answer, people, rest, seedpaper, tracepages, write
from analysis.report.origins import DRAWN
from analysis.report.provenance import fingerprint, hashes, parts, versions, written
from analysis.report.trace import Sentence, Trace, index_of, placed, write_index
from analysis.sound import section as sound

Step = Callable[[Inputs, list[str]], Section | None]

# What a section depends on, apart from code and settings: it is made anew when one of these has changed.
STEPS: tuple[tuple[str, Step, tuple[str, ...]], ...] = (
    ("people", people.section, ("data",)),
    ("preference", preference.section, ("data",)),
    ("ratings", ratings.section, ("data",)),
    ("mediation", ratings.mediation_section, ("data", "features")),
    ("identification", identification.section, ("data",)),
    ("agreement", agreement.section, ("data", "targets")),
    ("factors", factors.section, ("data",)),
    ("recovery", rest.recovered, ("data", "effects")),
    ("sound", sound.section, ("data", "audio", "features", "reference")),
    ("captions", rest.captions, ("data", "captions", "asked")),
    ("seed-paper", seedpaper.section, ("data",)),
    ("session", rest.desk, ("desk",)),
    ("clips", rest.clips, ("audio", "captions")),
)


def build(inputs: Inputs, progress: Callable[[int, int, str], None] | None = None) -> tuple[Path, bool]:
    """Build the report, or leave it where nothing has changed; returns its path and whether it was built.

    A report whose files are no longer as they were written is built again, too. Sections whose data, settings and code are
    as before are taken from the last report.
    """
    path = inputs.out / "report.html"
    stamp = inputs.out / "manifest.json"
    now = fingerprint(inputs)
    if path.exists() and stamp.exists():
        last = json.loads(stamp.read_text(encoding="utf-8"))
        if last.get("fingerprint") == now and last.get("files") == written(inputs.out):
            return path, False
    style.style()
    sections: list[Section] = []
    summary: list[tuple[str, str]] = []
    known = parts(inputs)
    for i, (name, step, needs) in enumerate(STEPS):
        key = hashlib.sha256("".join([known["always"], *(known[n] for n in needs)]).encode()).hexdigest()
        section, said = _kept(inputs.out, name, key, partial(_made, step, inputs))
        summary += [(line, section.name if section else "manifest") for line in said]
        if section is not None:
            sections.append(section)
        if progress:
            progress(i + 1, len(STEPS), section.title if section else "")
    manifest = {
        "fingerprint": now,
        "study_sha256": inputs.study_sha256,
        "data_sha256": inputs.data.digest,
        "kind": inputs.data.kind,
        "tastelab": inputs.version,
        "libraries": versions(),
        "analysis": json.loads(inputs.config.model_dump_json()),
        "seconds_per_stage": inputs.timings,
        "clips": [
            {
                "clip": c.clip,
                "sha256": c.sha256,
                "prompt": c.prompt,
                "seed": c.seed,
                "checkpoint": c.checkpoint,
                "checkpoint_sha256": c.checkpoint_sha256,
            }
            for c in inputs.clips
        ],
    }
    methods = write.methods(inputs, versions(), sections)
    first = answer.first_screen(inputs, sections)
    index = index_of(inputs, sections, _sentences(first, summary, sections, methods))
    write_index(index, inputs.out)
    pages = tracepages.Pages(Trace(index, inputs.data), inputs.title)
    pages.write(inputs.out)
    write.write_report(path, inputs.title, inputs.data.label, summary, sections, methods, manifest, first, pages.link)
    manifest["files"] = written(inputs.out)
    stamp.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path, True


def _sentences(
    first: answer.Answer, summary: list[tuple[str, str]], sections: list[Section], methods: list[str]
) -> list[Sentence]:
    """All sentences of the report with what they stand on: what does not say it stands on the tables of its section."""
    tables = {s.name: [t.name for t in s.tables if t.rows] for s in sections}
    out = placed(write.FIRST, (line for _, said in first.said for line in said), [])
    if first.figure:
        out += placed(write.FIGURE, [_caption(first.figure)], [])
    for k, (line, where) in enumerate(summary):
        (one,) = placed(write.SUMMARY, [line], tables.get(where, []))
        out.append(Sentence(f"{write.SUMMARY}.{k}", one.said, one.on))
    for s in sections:
        out += placed(f"{write.TEXT}-{s.name}", s.text, tables[s.name])
        out += placed(f"{write.CAPTION}-{s.name}", map(_caption, s.figures), [])
    return out + placed(write.METHODS, methods, [])


def _caption(drawn: style.Drawn) -> Line:
    return Line(drawn.caption, *DRAWN.get(drawn.name, ()))


def _made(step: Step, inputs: Inputs) -> tuple[Section | None, list[str]]:
    summary: list[str] = []
    with one_thread():
        return step(inputs, summary), summary


def _kept(
    folder: Path, name: str, key: str, make: Callable[[], tuple[Section | None, list[str]]]
) -> tuple[Section | None, list[str]]:
    """A section from the last report where its key is the same and its figures are as they were drawn, else made anew."""
    path = folder / "sections" / f"{name}.json"
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            found = {}
        if found.get("key") == key:
            section = Section.from_json(found["section"], folder) if found["section"] else None
            if _drawn(section, folder) == found["files"]:
                return section, [standing.read(line) for line in found["summary"]]
    section, summary = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = section.to_json(folder) if section else None
    said = [standing.kept(line) for line in summary]
    text = json.dumps({"key": key, "summary": said, "files": _drawn(section, folder), "section": plain})
    unfinished = path.with_suffix(".partial")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
    # Read back, so that a kept section and a fresh one are the same to the last digit.
    return (Section.from_json(json.loads(text)["section"], folder) if section else None), summary


def _drawn(section: Section | None, folder: Path) -> dict[str, str]:
    """What the files of a section's figures hold."""
    figures = section.figures if section else []
    return hashes([f.svg.with_suffix(s) for f in figures for s in (".svg", ".png", ".pdf")], folder)
