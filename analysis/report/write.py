"""The report: one HTML file with figures, tables, players, and where every number came from."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.page.page import Section, Table
from analysis.page.sentences import fits, number
from analysis.page.standing import Line, numbers_of
from analysis.page.style import by_people

if TYPE_CHECKING:
    from analysis.page.inputs import Inputs
    from analysis.report.answer import Answer

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
    "icc_21": "ICC(2,1)",
    "icc_2k": "ICC(2,k)",
    "r_squared": "R²",
    "chi_square": "χ²",
    "cfi": "CFI",
    "cfi_fall": "fall of CFI",
    "rmsea": "RMSEA",
    "p_permutation": "p (permutation)",
    "p_bonferroni": "p (Bonferroni)",
    "log_odds": "log odds",
    "omega_h": "ω hierarchical",
    "omega_total": "ω total",
    "sd_participant": "sd people",
    "sd_clip": "sd clips",
    "sd_residual": "sd residual",
    "rank_low": "r low",
    "rank_high": "r high",
    "delta_low": "δ low",
    "delta_high": "δ high",
    "cliffs_delta": "Cliff's δ",
    "rank_biserial": "rank-biserial r",
    "n_clips": "clips",
    "n_raters": "raters",
    "interval_level": "interval's level",
}


INTERVAL = {"ci_low": "low", "ci_high": "high"}


def label_of(column: str, rows: list[dict[str, Any]]) -> str:
    """How a column is headed: the ends of intervals by how sure these are, which rows say (`interval_level`) that are not 95 %."""
    levels = {row.get("interval_level", 0.95) for row in rows}
    if column not in INTERVAL or levels == {0.95}:
        return LABELS.get(column, column.replace("_", " "))
    return f"{100 * levels.pop():g} % {INTERVAL[column]}" if len(levels) == 1 else f"interval {INTERVAL[column]}"


Link = Callable[[str], str | None]  # where a number's identity leads; None where it leads nowhere


def columns_of(table: Table) -> list[str]:
    """The columns of a table that the report prints."""
    wanted = table.columns or [c for c in table.rows[0] if c not in ("reference", "apa")]
    return [c for c in wanted if any(r.get(c) not in (None, "") for r in table.rows)]


def linked(shown: str, name: str, link: Link, tabbed: bool = True) -> str:
    """A number, escaped, under its identity and as a link to where it comes from.

    Cells of tables are no stops of the tab key, of which there would be thousands: the table's own link is one.
    """
    where, text = link(name), html.escape(shown)
    return f'<a id="{name}" href="{where}"{"" if tabbed else " tabindex=-1"}>{text}</a>' if where else text


def line_as_html(line: str, name: str, link: Link) -> str:
    """A sentence, escaped, its numbers as links."""
    out, before = [], 0
    for k, (start, end) in enumerate(numbers_of(line)):
        out += [html.escape(line[before:start]), linked(line[start:end], f"{name}.{k}", link)]
        before = end
    return "".join([*out, html.escape(line[before:])])


def as_html(table: Table, link: Link = lambda name: None) -> str:
    """A table as HTML, escaped."""
    if not table.rows:
        return ""
    columns = columns_of(table)
    numeric = {
        c for c in columns if any(isinstance(r.get(c), (int, float)) and r.get(c) is not True for r in table.rows)
    }
    head = "".join(
        f"<th{' class=n' if c in numeric else ''}>{html.escape(label_of(c, table.rows))}</th>" for c in columns
    )
    body = []
    for k, row in enumerate(table.rows):
        cells = []
        for c in columns:
            value = row.get(c)
            kind = ' class="n"' if c in numeric else ""
            cells.append(f"<td{kind}>{linked(printed(value, c), f'{table.name}.{k}.{c}', link, False)}</td>")
        body.append("<tr>" + "".join(cells) + "</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


# Places of sentences in the report.
FIRST, FIGURE, SUMMARY, TEXT, CAPTION, METHODS = "first", "first-figure", "summary", "text", "caption", "methods"

WORDS = {"lmm": "mixed model", "clmm": "ordinal mixed model", "tost": "equivalence", "participant": "people"}


def printed(value: Any, column: str) -> str:
    """A cell as people read it: no name of a column or a method of the code's."""
    if isinstance(value, str):
        words = WORDS.get(value, value)
        if re.fullmatch(r"[a-z]+(?:[_:][a-z]+)+", words) and column not in ("clip", "file"):
            words = words.replace("_", " ").replace(":", " × ")
        return words
    return number(value, column)


def methods(inputs: Inputs, libraries: dict[str, str], sections: list[Section]) -> list[str]:
    """Sentences of the methods paragraph: what was done in these sections, on what, with which versions.

    Counts stand on the answers that they count; settings, versions and years of publication on nothing.
    """
    ran, tables = {s.name for s in sections}, {t.name for s in sections for t in s.tables if t.rows}
    data, config = inputs.data, inputs.config
    parts: list[str] = []
    if "preference" in ran:
        over = {f"the {data.conditions.spoken(name)}" for name in data.preference["over"]}
        pairs = {*zip(data.preference["over"], data.preference["under"], strict=True)}
        better = fits(over.pop()) if len(pairs) == 1 else "the first condition of a pair fits better"
        declared = ", ".join(f"{h.taste} ({h.alternative})" for h in config.hypotheses) or "none"
        people = data.preference["participant"].nunique()
        level = f"{100 * (1 - 2 * config.alpha):g} %"
        near = f" ({level} beside equivalence tests)" if "preference_equivalence" in tables else ""
        parts += [
            Line(f"{len(data.preference)} preferences were given by {people} participants.", "@preference"),
            Line(
                f"Their scores (over {data.middle:g}: {better}) were analysed with linear mixed models with participants and "
                "clips as crossed random intercepts (REML, Satterthwaite's degrees of freedom); intervals are two-sided, 95 %, also "
                f"beside one-sided tests{near}; rank-biserial correlations and Cliff's deltas have intervals by bootstraps of participants and of "
                f"clips ({config.resamples} resamples each; Cameron, Gelbach & Miller, 2011). Directions declared before the data: {declared}."
            ),
        ]
    if "ratings" in ran:
        own = data.conditions.own(data.ratings)
        tested = own["prompt"].nunique() > 1
        used = own if tested else data.ratings
        rated, whole = (frame.groupby(["participant", "trial"]).ngroups for frame in (used, data.ratings))
        models = (
            f"{'the same' if 'preference' in ran else 'linear'} mixed models"
            f"{' and with cumulative link mixed models' if 'own_word_ordinal' in tables else ''}"
            if tested
            else "means"
        )
        words, clips = used["adjective"].nunique(), used["clip"].nunique()
        pool = "@ratings" if rated == whole else "@ratings_own"
        parts.append(Line(f"{rated} ratings of {clips} clips on {words} adjectives were analysed with {models}.", pool))
        if rated < whole:
            parts.append(Line(f"{whole - rated} ratings of music of wrong prompts were left out of these.", "@ratings"))
    bootstrapped = "; intervals of loadings are bootstrap over participants (200 resamples)"
    if "factors" in ran and "factors_loadings" in tables:
        parts.append(
            Line(
                "Factors were extracted by maximum likelihood with oblimin rotation (gamma 0), their number "
                + (
                    "taken from parallel analysis (95 % quantile)"
                    if config.factors == "parallel"
                    else "as the study file asks"
                )
                + (bootstrapped if "factors_loading_intervals" in tables else "")
                + "."
            )
        )
    if "seed-paper" in ran:
        parts.append(
            "As in the seed paper, one-sample Wilcoxon signed-rank tests, a type-I analysis of variance and Tukey-Kramer comparisons "
            "stand beside them where their chapter shows them."
        )
    if inputs.clips:
        parts += [
            Line(f"The sound of {len(inputs.clips)} clips was compared with reference music", "@sound"),
            Line(
                "by Fréchet Audio Distance and Kernel Audio Distance in "
                f"{len(inputs.embedders)} embedding spaces ({', '.join(inputs.embedders)})."
            ),
        ]
    left = sum(len(v) for v in inputs.excluded.values())
    parts += [
        Line(f"{left} participants were left out by declared rules.", "@everybody"),
        Line(
            f"α = {config.alpha:g}; seed {config.seed}; data {data.digest[:12]}; tastelab {inputs.version} with "
            + ", ".join(f"{k} {v}" for k, v in libraries.items())
            + "."
        ),
    ]
    return parts


def write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    """Write rows at full precision; columns are the union of the rows' keys."""
    import pandas as pd

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    pd.DataFrame(rows).to_csv(partial, index=False)
    os.replace(partial, path)


def write_report(
    path: Path,
    title: str,
    label: str,
    summary: list[tuple[str, str]],
    sections: list[Section],
    about: list[str],
    manifest: dict[str, Any],
    first: Answer | None = None,
    link: Link = lambda name: None,
) -> Path:
    """Write ``report.html`` and the tables as CSV beside it; returns the report's path.

    `summary` are sentences, each with the section that it stands on; `about` are those of the methods; `link` says where the
    numbers come from.
    """
    _clear_tables(path.parent / "tables", {t.name for s in sections for t in s.tables if t.rows})
    from jinja2 import Environment, PackageLoader, select_autoescape

    environment = Environment(
        loader=PackageLoader("analysis.report", "templates"), autoescape=select_autoescape(["html"]), trim_blocks=True
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
                "text": [line_as_html(x, f"{TEXT}-{section.name}.{k}", link) for k, x in enumerate(section.text)],
                "html": section.html,
                "how": section.how,
                "figures": [
                    {
                        "title": f.title,
                        "caption": line_as_html(f.caption, f"{CAPTION}-{section.name}.{k}", link),
                        "name": f.name,
                        "svg": _inline(f.svg),
                    }
                    for k, f in enumerate(section.figures)
                ],
                "tables": [
                    {
                        "title": t.title,
                        "note": t.note,
                        "html": as_html(t, link),
                        "trace": link(t.name),
                        "name": t.name,
                        "long": len(t.rows) > 14,
                        "wide": len(t.rows[0]) > 10,
                    }
                    for t in section.tables
                    if t.rows
                ],
            }
        )
    at = count()
    said = [
        (head, [line_as_html(x, f"{FIRST}.{next(at)}", link) for x in lines])
        for head, lines in (first.said if first else [])
    ]
    text = environment.get_template("report.html").render(
        title=title,
        label=label,
        simulated=not by_people(label),
        summary=[(line_as_html(x, f"{SUMMARY}.{k}", link), where) for k, (x, where) in enumerate(summary)],
        first=said,
        interval=_inline(first.figure.svg, "first-") if first and first.figure else "",
        interval_caption=line_as_html(first.figure.caption, f"{FIGURE}.0", link) if first and first.figure else "",
        methods=" ".join(line_as_html(x, f"{METHODS}.{k}", link) for k, x in enumerate(about)),
        sections=shown,
        data=str(manifest["data_sha256"])[:12],
        manifest=json.dumps(manifest, indent=1, ensure_ascii=False),
    )
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
    return path


def _clear_tables(folder: Path, kept: set[str]) -> None:
    """Take away the tables of a report before this one that it no longer has."""
    for old in folder.glob("*.csv"):
        if old.stem not in kept:
            old.unlink()


def _inline(svg: Path, before: str = "") -> str:
    """The SVG element of a file, with ids made its own, so that several can stand in one page."""
    text = svg.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    mark = before + svg.stem
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
