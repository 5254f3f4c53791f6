"""The pages beside the report that its numbers link to: one a table, one for sentences, one of clips and checkpoints, one of people."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from analysis.page.style import by_people
from analysis.report.reach import Clip, Reach
from analysis.report.trace import FOLDER, LEFT_OUT, Number, Trace
from analysis.report.write import printed

SENTENCES, CLIPS, PEOPLE = "sentences", "clips", "people"  # pages; a table's is called as the table
EACH = 500  # people on a page: ten kilobytes each, and a browser has to open it


class Pages:
    """The pages of one report's trace."""

    def __init__(self, trace: Trace, title: str):
        self.trace, self.title = trace, title
        self._said: dict[tuple[int, ...], str] = {}

    def link(self, name: str) -> str | None:
        """Where the report's link of a number, or a table, leads; None where there is nothing to follow."""
        if name in self.trace.tables:
            return f"{FOLDER}/{name}.html"
        number = self.trace.numbers.get(name)
        return None if number is None else f"{FOLDER}/{number.table or SENTENCES}.html#{name}"

    def write(self, folder: Path) -> None:
        """Write all pages; those of a report before this one that it no longer has are taken away."""
        written = set()
        for name, title, body in self._all():
            self._write(folder / FOLDER / f"{name}.html", f"{title}: where it comes from", body)
            written.add(name)
        for old in (folder / FOLDER).glob("*.html"):
            if old.stem not in written:
                old.unlink()

    def _all(self) -> Iterator[tuple[str, str, str]]:
        """Name, title and body of every page, one at a time."""
        for name, table in self.trace.tables.items():
            yield name, table["title"], self._table(name)
        yield SENTENCES, "Sentences", self._sentences()
        yield CLIPS, "Clips and checkpoints", self._clips()
        title = "People and their answers"
        pages = self._people_of_pages
        for page, people in pages.items():
            links = "" if len(pages) == 1 else f"<p class=small>People: {self._other_pages(page)}.</p>"
            yield page, title, links + "".join(map(self._person, people))

    @cached_property
    def _people_of_pages(self) -> dict[str, list[int]]:
        """Which people stand on which page, those who were left out last."""
        there = sorted({int(p) for p in self.trace.pools.data.people["participant"]})
        everybody = [*there, *sorted(self.trace.pools.left_out)]
        parts = [everybody[k : k + EACH] for k in range(0, len(everybody), EACH)] or [[]]
        return {PEOPLE if k == 0 else f"{PEOPLE}-{k + 1}": part for k, part in enumerate(parts)}

    @cached_property
    def _page_of(self) -> dict[int, str]:
        return {person: page for page, people in self._people_of_pages.items() for person in people}

    def _other_pages(self, page: str) -> str:
        return ", ".join(
            told if name == page else f'<a href="{name}.html">{told}</a>'
            for name, people in self._people_of_pages.items()
            for told in [f"{people[0]} to {people[-1]}"]
        )

    def _write(self, path: Path, title: str, body: str) -> None:
        index = self.trace.index
        label = self.trace.pools.data.label
        text = self._template.render(
            title=title, body=body, data=index["data_sha256"][:12], version=index["tastelab"],
            label="" if by_people(label) else label,
        )  # fmt: skip
        partial = path.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)

    @cached_property
    def _template(self) -> Any:
        from jinja2 import Environment, PackageLoader, select_autoescape

        loader = PackageLoader("analysis.report", "templates")
        return Environment(loader=loader, autoescape=select_autoescape(["html"]), trim_blocks=True).get_template(
            "trace.html"
        )

    def _table(self, name: str) -> str:
        trace = self.trace
        numbers = [n for n in trace.numbers.values() if n.table == name]
        found = [*dict.fromkeys(trace.all_behind[n.id] for n in numbers)]
        place = {reach: k for k, reach in enumerate(found)}
        rows: dict[int, list[str]] = {}
        for n in numbers:
            rows.setdefault(n.row, []).append(
                f'{escape(n.column.replace("_", " "))} <a id="{n.id}" href="../report.html#{n.id}">{escape(n.printed)}</a>'
                f'&nbsp;<a href="#set-{place[trace.all_behind[n.id]]}">[{place[trace.all_behind[n.id]] + 1}]</a>'
            )
        told = [[str(k + 1), escape(trace.row_words(name, k)), ", ".join(cells)] for k, cells in rows.items()]
        head = self._code(numbers[0]) if numbers else ""
        notes = dict.fromkeys(x for n in numbers if (x := trace.note(n)))
        sets = "".join(
            f'<h2 id="set-{k}">[{k + 1}] {self._counts(reach)}</h2>{self._reach(reach)}'
            for k, reach in enumerate(found)
        )
        return (
            f"{head}{''.join(f'<p class=note>{escape(x)}.</p>' for x in notes)}"
            f"{_rows(['row', 'about', 'numbers, and what they stand on'], told)}{sets}"
        )

    def _code(self, number: Number) -> str:
        return "".join(
            f"<p>Made by <code>{escape(m['function'])}</code>: {escape(m['file'])}, line {m['line']} (SHA-256 {m['sha256']}).</p>"
            for m in self.trace.made_by(number)
        )

    def _counts(self, reach: Reach) -> str:
        return (
            f"{len(reach.answers)} answers of {len(reach.people)} people, {len(reach.clips)} clips"
            if reach.answers
            else f"{len(reach.people)} people, {len(reach.clips)} clips, no answers"
        )

    def _reach(self, reach: Reach) -> str:
        clips = ", ".join(f'<a href="{CLIPS}.html#{escape(c)}">{escape(c)}</a>' for c in sorted(reach.clips))
        people = "; ".join(
            f'<a href="{self._page_of[p]}.html#person-{p}">{p}</a>'
            + (f": {', '.join(map(str, trials))}" if trials else "")
            for p, trials in self.trace.people(reach).items()
        )
        return (f"<p class=small>Clips: {clips}.</p>" if clips else "") + (
            f"<p class=small>People, and their trials: {people}.</p>" if people else ""
        )

    def _sentences(self) -> str:
        trace, out = self.trace, []
        for line in trace.sentences.values():
            numbers = [n for n in trace.numbers.values() if n.column == line.id and not n.table]
            if not numbers:
                continue
            marks = ", ".join(f'<a id="{n.id}" href="../report.html#{n.id}">{escape(n.printed)}</a>' for n in numbers)
            on = "; ".join(self._place(place) for place in line.on)
            reach = trace.all_behind[numbers[0].id]
            out.append(
                f'<h2 id="{line.id}">{escape(line.said)}</h2><p>Numbers: {marks}. Stands on {on or "nothing"}: {self._counts(reach)}.</p>'
            )
        return "".join(out)

    def _place(self, place: str) -> str:
        name, _, row = place.partition(".")
        if name not in self.trace.tables:
            return {
                "@sound": "the clips",
                "@features": "what was measured of the clips",
                "@everybody": "everybody who took part",
            }.get(name, f"the answers ({escape(name[1:])})")
        words = self.trace.row_words(name, int(row)) if row else ""
        title = escape(self.trace.tables[name]["title"])
        return f'<a href="{name}.html">{title}{": " + escape(words) if words else ""}</a>'

    def _clips(self) -> str:
        trace, out = self.trace, []
        for checkpoint in dict.fromkeys(c.checkpoint for c in trace.clips if c.checkpoint):
            made = trace.of_checkpoint(checkpoint)
            sha = ", ".join(dict.fromkeys((c.checkpoint_sha256 or "")[:12] for c in made))
            named = ", ".join(f'<a href="#{escape(c.clip)}">{escape(c.clip)}</a>' for c in made)
            out.append(
                f'<h2 id="checkpoint-{escape(checkpoint)}">Checkpoint {escape(checkpoint)} ({sha})</h2><p class=small>Made {named}.</p>'
                + self._went(trace.went([c.clip for c in made]))
            )
        for clip in trace.clips:
            out.append(
                f'<h2 id="{escape(clip.clip)}">{escape(clip.clip)}</h2>{_rows([], [[k, escape(v)] for k, v in origin(clip).items()])}'
                + self._went(trace.went([clip.clip]))
            )
        return "".join(out)

    def _person(self, person: int) -> str:
        trace = self.trace
        head, went = f'<h2 id="person-{person}">Person {person}</h2>', self._went(trace.went(person=person))
        if person in trace.pools.left_out:
            return f"{head}<p>{LEFT_OUT[0].upper()}{LEFT_OUT[1:]}.</p>{went}"
        rows = [
            [escape(_shown(row[c])) for c in ("task", "trial", "item", "clip", "against", "value")]
            for row in trace.answers(trace.of_person(person))
        ]
        told = _rows(["task", "trial", "item", "clip", "against", "answer"], rows)
        return f"{head}<details><summary>{len(rows)} answers</summary>{told}</details>{went}"

    def _went(self, went: tuple[int, ...]) -> str:
        """What something went into, table by table: all of a table's, else its rows, else columns of these."""
        if went not in self._said:  # most people went into what many others went into
            told = "; ".join(self._tables_of(self.trace.into(went))) or "no number"
            self._said[went] = f"<p class=small>Went into: {told}.</p>"
        return self._said[went]

    def _tables_of(self, numbers: list[Number]) -> list[str]:
        out = []
        for table, mine in _by(numbers, lambda n: n.table).items():
            page, title = (table, self.trace.tables[table]["title"]) if table else (SENTENCES, "sentences")
            said = f'<a href="{page}.html">{escape(title)}</a> '
            if len(mine) == self._many[table, -1]:
                out.append(f"{said}({len(mine)})")
                continue
            parts = []
            for row, cells in _by(mine, lambda n: n.row if n.table else n.column).items():
                whole = len(cells) == self._many[table, row]
                mark, words = (cells[0].id, f"row {int(row) + 1}") if table else (str(row), str(row))
                shown = f'<a href="{page}.html#{mark}">{words}</a>'
                parts.append(shown if whole else f"{shown}: {escape(', '.join(c.column for c in cells))}")
            out.append(f"{said}({len(mine)}: {', '.join(parts)})")
        return out

    @cached_property
    def _many(self) -> dict[tuple[str, Any], int]:
        """How many numbers each table has, under -1, and each of its rows."""
        found: dict[tuple[str, Any], int] = {}
        for n in self.trace.numbers.values():
            for key in ((n.table, -1), (n.table, n.row if n.table else n.column)):
                found[key] = found.get(key, 0) + 1
        return found


def origin(clip: Clip) -> dict[str, str]:
    """Where a clip comes from, in words."""
    told = {
        "condition": clip.model, "taste": clip.taste, "prompt": clip.prompt, "seed": clip.seed, "checkpoint": clip.checkpoint,
        "checkpoint SHA-256": (clip.checkpoint_sha256 or "")[:12], "SHA-256": clip.sha256,
    }  # fmt: skip
    return {k: str(v) for k, v in told.items() if v not in (None, "")}


def _by(numbers: Iterable[Number], key: Any) -> dict[Any, list[Number]]:
    out: dict[Any, list[Number]] = {}
    for n in numbers:
        out.setdefault(key(n), []).append(n)
    return out


def _shown(value: Any) -> str:
    return "" if value is None else printed(value, "clip")


def _rows(head: list[str], rows: list[list[str]]) -> str:
    """Cells, escaped before, as a table."""
    top = f"<thead><tr>{''.join(f'<th>{h}</th>' for h in head)}</tr></thead>" if head else ""
    body = "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table>{top}<tbody>{body}</tbody></table></div>'
