"""The report: one HTML file with figures, tables, players, and where every number came from."""

from __future__ import annotations

import html
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.figures import Drawn

LABELS = {
    "p_adjusted": "p adjusted",
    "ci_low": "95 % low",
    "ci_high": "95 % high",
    "sum_sq": "SS",
    "mean_sq": "MS",
    "n_participants": "people",
    "effect": "rank-biserial",
    "partial_eta_sq": "partial η²",
    "bf10": "BF₁₀",
    "cohen_d": "Cohen's d",
    "n_reference": "n reference",
    "n_frames": "frames",
    "icc_2k": "ICC(2,k)",
}


@dataclass
class Table:
    """A table of the report: title, rows, what it says, how it was made."""

    name: str
    title: str
    rows: list[dict[str, Any]]
    note: str = ""
    columns: list[str] | None = None


@dataclass
class Section:
    """A part of the report."""

    name: str
    title: str
    text: list[str] = field(default_factory=list)
    figures: list[Drawn] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    html: str = ""


def number(value: Any, column: str = "") -> str:
    """A number as people read it: p to three digits, counts whole, the rest to three significant places."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if column in ("p", "p_adjusted"):
            return "< .001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1) if value < 1 else "1"
        if value == int(value) and abs(value) < 1e6:
            return f"{int(value):,}"
        return f"{value:.3g}" if abs(value) < 0.1 or abs(value) >= 1e5 else f"{value:.2f}"
    return str(value)


def p_value(p: float) -> str:
    """A p-value as APA writes it."""
    shown = number(p, "p")
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def apa(row: dict[str, Any]) -> str:
    """A Wilcoxon row as a sentence part in APA style."""
    p = number(row["p_adjusted"] if row.get("p_adjusted") is not None else row["p"], "p")
    sign = "" if p.startswith("<") else "= "
    kind = "adjusted " if row.get("p_adjusted") is not None else ""
    return (
        f"V = {number(row['statistic'])}, n = {row['n']}, {kind}p {sign}{p}, r = {row['effect']:.2f} "
        f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
    )


def as_html(table: Table) -> str:
    """A table as HTML, escaped."""
    if not table.rows:
        return ""
    columns = table.columns or [c for c in table.rows[0] if c != "reference"]
    numeric = {
        c for c in columns if any(isinstance(r.get(c), (int, float)) and r.get(c) is not True for r in table.rows)
    }
    head = "".join(
        f"<th{' class=n' if c in numeric else ''}>{html.escape(LABELS.get(c, c.replace('_', ' ')))}</th>"
        for c in columns
    )
    body = []
    for row in table.rows:
        cells = []
        for c in columns:
            value = row.get(c)
            kind = ' class="n"' if c in numeric else ""
            cells.append(f"<td{kind}>{html.escape(number(value, c))}</td>")
        body.append("<tr>" + "".join(cells) + "</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    """Write rows at full precision; columns are the union of the rows' keys."""
    import pandas as pd

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    pd.DataFrame(rows).to_csv(partial, index=False)
    os.replace(partial, path)


def write_report(
    path: Path, title: str, label: str, summary: list[str], sections: list[Section], manifest: dict[str, Any]
) -> Path:
    """Write ``report.html`` and the tables as CSV beside it; returns the report's path."""
    from jinja2 import Environment, PackageLoader, select_autoescape

    environment = Environment(
        loader=PackageLoader("analysis", "templates"), autoescape=select_autoescape(["html"]), trim_blocks=True
    )
    shown = []
    for section in sections:
        for table in section.tables:
            if table.rows:
                write_csv(table.rows, path.parent / "tables" / f"{table.name}.csv")
        shown.append(
            {
                "name": section.name,
                "title": section.title,
                "text": section.text,
                "html": section.html,
                "figures": [
                    {"title": f.title, "caption": f.caption, "name": f.name, "svg": _inline(f.svg)}
                    for f in section.figures
                ],
                "tables": [
                    {"title": t.title, "note": t.note, "html": as_html(t), "name": t.name, "long": len(t.rows) > 14}
                    for t in section.tables
                    if t.rows
                ],
            }
        )
    text = environment.get_template("report.html").render(
        title=title,
        label=label,
        simulated=label not in ("people", "imported"),
        summary=summary,
        sections=shown,
        manifest=json.dumps(manifest, indent=1, ensure_ascii=False),
    )
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
    return path


def _inline(svg: Path) -> str:
    """The SVG element of a file, with ids made its own, so that several can stand in one page."""
    text = svg.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    mark = svg.stem
    for old in ('id="', 'xlink:href="#', "url(#"):
        text = text.replace(old, f"{old}{mark}-")
    return text


def players(clips: list[dict[str, Any]], columns: int = 2) -> str:
    """Audio players: one row a pair, base beside fine-tuned, with captions."""
    out = ['<div class="clips">']
    for clip in clips:
        caption = html.escape(clip["caption"] or "")
        out.append(
            f'<figure class="clip"><figcaption><b>{html.escape(clip["title"])}</b>'
            f"<span>{caption}</span></figcaption>"
            f'<audio controls preload="metadata" src="{html.escape(clip["src"])}"></audio></figure>'
        )
    return "".join(out) + "</div>"
