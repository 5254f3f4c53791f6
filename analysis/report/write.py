"""The report: one HTML file with figures, tables, players, and where every number came from."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.page.page import Section, Table
from analysis.page.sentences import number
from analysis.page.style import by_people

if TYPE_CHECKING:
    from analysis.page.inputs import Inputs

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
    "rank_low": "its low",
    "rank_high": "its high",
    "delta_low": "its low",
    "delta_high": "its high",
    "cliffs_delta": "Cliff's δ",
    "rank_biserial": "rank-biserial",
    "n_clips": "clips",
    "n_raters": "raters",
}


def as_html(table: Table) -> str:
    """A table as HTML, escaped."""
    if not table.rows:
        return ""
    wanted = table.columns or [c for c in table.rows[0] if c not in ("reference", "apa")]
    columns = [c for c in wanted if any(r.get(c) not in (None, "") for r in table.rows)]
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


def methods(inputs: Inputs, libraries: dict[str, str]) -> str:
    """The methods paragraph: what was done, on what, with which versions."""
    data, config = inputs.data, inputs.config
    parts = []
    if not data.preference.empty:
        declared = ", ".join(f"{h.taste} ({h.alternative})" for h in config.hypotheses) or "none"
        parts.append(
            f"Preference scores ({len(data.preference)} answers of {data.preference['participant'].nunique()} participants, over "
            f"{data.middle:g}: fine-tuned preferred) were analysed with linear mixed models with participants and clips as crossed "
            "random intercepts (REML, Satterthwaite's degrees of freedom), Holm-corrected over tastes; rank-biserial correlations "
            f"and Cliff's deltas have intervals by bootstraps of participants and of clips ({config.resamples} resamples each; "
            "Cameron, Gelbach & Miller, 2011). Beside them stand one-sample Wilcoxon signed-rank tests "
            f"({config.correction.capitalize()}), their intervals by bootstrap over participants. Directions declared before the data: {declared}."
        )
    if not data.ratings.empty:
        clips = data.ratings.groupby(["participant", "trial"]).ngroups
        parts.append(
            f"Ratings of {clips} clips on {data.ratings['adjective'].nunique()} adjectives were analysed with the same mixed models, "
            "with cumulative link mixed models, and with a type-I analysis of variance and Tukey-Kramer comparisons. Factors were "
            "extracted by maximum likelihood with oblimin rotation (gamma 0), their number taken from parallel analysis "
            f"(95 % quantile); intervals of loadings are bootstrap over participants (200 resamples)."
        )
    if inputs.clips:
        parts.append(
            f"The sound of {len(inputs.clips)} clips was compared with reference music by Fréchet Audio Distance and Kernel Audio "
            f"Distance in {len(inputs.embedders)} embedding spaces ({', '.join(inputs.embedders)})."
        )
    left = sum(len(v) for v in inputs.excluded.values())
    parts.append(
        f"{left} participants were left out by declared rules. α = {config.alpha:g}; seed {config.seed}; data "
        f"{data.digest[:12]}; tastelab {inputs.version} with "
        + ", ".join(f"{k} {v}" for k, v in libraries.items())
        + "."
    )
    return " ".join(parts)


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
    about: str,
    manifest: dict[str, Any],
) -> Path:
    """Write ``report.html`` and the tables as CSV beside it; returns the report's path.

    `summary` are sentences, each with the section that it stands on; `about` is the methods paragraph.
    """
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
                "text": section.text,
                "html": section.html,
                "how": section.how,
                "figures": [
                    {"title": f.title, "caption": f.caption, "name": f.name, "svg": _inline(f.svg)}
                    for f in section.figures
                ],
                "tables": [
                    {
                        "title": t.title,
                        "note": t.note,
                        "html": as_html(t),
                        "name": t.name,
                        "long": len(t.rows) > 14,
                        "wide": len(t.rows[0]) > 10,
                    }
                    for t in section.tables
                    if t.rows
                ],
            }
        )
    text = environment.get_template("report.html").render(
        title=title,
        label=label,
        simulated=not by_people(label),
        summary=summary,
        methods=about,
        sections=shown,
        data=str(manifest["data_sha256"])[:12],
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
