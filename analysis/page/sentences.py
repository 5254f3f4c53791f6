"""Numbers as people read them, and rows of results as parts of sentences in APA style."""

from __future__ import annotations

import math
from typing import Any

PROBABILITIES = ("p", "p_adjusted", "p_bonferroni", "p_permutation", "spearman_p")


def number(value: Any, column: str = "") -> str:
    """A number as people read it: p to three digits, counts whole, the rest to three significant places."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if math.isinf(value):
            return "∞" if value > 0 else "-∞"
        if column in PROBABILITIES:
            return "< .001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1) if value < 1 else "1"
        if value == int(value) and abs(value) < 1e6:
            return f"{int(value):,}"
        if abs(value) >= 1e5 or abs(value) < 0.0005:
            return f"{value:.2e}"
        return f"{value:.3f}" if abs(value) < 0.1 else f"{value:,.2f}"
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


def apa_mixed(row: dict[str, Any], what: str = "difference") -> str:
    """A row of a mixed model in APA style."""
    if row["p"] is None:
        return ""
    return (
        f"{what} = {row['effect']:.2f}, 95 % CI [{row['ci_low']:.2f}, {row['ci_high']:.2f}], "
        f"t({row['df']:.1f}) = {row['statistic']:.2f}, {p_value(row['p'])}"
    )


def apa_anova(row: dict[str, Any], residual_df: float) -> str:
    """A term of an analysis of variance in APA style."""
    if row["p"] is None:
        return ""
    eta = f"{row['partial_eta_sq']:.3f}".replace("0.", ".", 1)
    return f"F({row['df']:.0f}, {residual_df:.0f}) = {row['F']:.2f}, {p_value(row['p'])}, partial η² = {eta}"
