"""Numbers as people read them, and rows of results as sentences: made from the rows alone, so that they never say more.

A condition "fits better", it is never "preferred"; a test by a classifier says what was "classified as" what. A claim stands on a
declared test's corrected p; what did not converge, or has too few answers, says nothing but that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
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
        if abs(value) < 1e-12 and column not in PROBABILITIES:
            return "0"  # what is left of zero after arithmetic
        if math.isinf(value):
            return "∞" if value > 0 else "-∞"
        if column in PROBABILITIES:
            return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")
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


@dataclass(frozen=True)
class Sides:
    """What is compared: over the middle of the slider `first` fits better, under it `second`; `ends` are the slider's."""

    first: str
    second: str
    ends: tuple[float, float] = (0.0, 10.0)

    @property
    def points(self) -> float:
        """The slider's range."""
        return self.ends[1] - self.ends[0]


UNKNOWN = "can't be told"
WHO = {"participant": "people", "participants": "people", "clip": "clips", "clips": "clips", "pair": "pairs"}


def state_of(row: dict[str, Any]) -> str:
    """The state of a row's fit: ok, singular (which), confounded (which), not converged, too few."""
    if row.get("state"):
        return str(row["state"])
    return "not converged" if row.get("converged") is False else "ok"


def state_words(state: str) -> str:
    """A fit's state as a reader is told it; empty where all is well."""
    said = []
    for part in state.split(";"):
        kind, _, which = part.strip().partition(":")
        names = " and ".join(dict.fromkeys(WHO.get(w.strip(), w.strip()) for w in which.split(",") if w.strip()))
        if kind == "singular":
            said.append(f"the variance of {names or 'a random effect'} was estimated as zero")
        elif kind == "confounded":
            said.append(
                f"{names or 'clips'} can't be told apart from what is compared: it is about these {names or 'clips'} only"
            )
        elif kind == "too few":
            said.append("too few answers that differ")
        elif kind == "unequal":
            said.append(
                f"the {names or 'clips'} of some tastes vary more than those of others: a taste with three or more is judged by its own variance where that is wider"
            )
        elif kind == "not connected":
            said.append("no chain of comparisons connects all conditions")
        elif kind == "not converged":
            said.append("the fit did not converge")
        elif kind == "separated":
            said.append(
                "the taste was named always or never, when it was asked for or when not, so that the odds have no bound"
            )
        elif kind == "one answer":
            said.append("the taste was named always or never")
        elif kind not in ("ok", ""):
            said.append(part.strip())
    return "; ".join(said)


def confounded(state: str) -> list[str]:
    """What a fit could not tell apart from what is compared, by the names of the model's factors."""
    parts = (part.strip().partition(":") for part in state.split(";"))
    return [name.strip() for kind, _, which in parts if kind == "confounded" for name in which.split(",")]


def finite(*values: Any) -> bool:
    """Whether all of these are numbers, none missing, none infinite."""
    return all(isinstance(v, (int, float)) and math.isfinite(v) for v in values)


def _told(row: dict[str, Any]) -> bool:
    """Whether a row's numbers may be printed as a result."""
    if state_of(row).startswith(("not converged", "too few")):
        return False
    return finite(row.get("p"), row.get("effect"), row.get("ci_low", 0.0), row.get("ci_high", 0.0))


def declared(row: dict[str, Any]) -> bool:
    """Whether a test was declared before the data."""
    return str(row.get("status", row.get("role", "declared"))) not in ("exploratory",)


def verdict(row: dict[str, Any], alpha: float, equivalence: dict[str, Any] | None = None) -> str:
    """What a declared test came to: supported, not supported, equivalent within a bound, undecided, or can't be told.

    "Supported" is a corrected p under alpha; "not supported" an interval that lies wholly on the side against the declared one.
    A large p alone decides nothing. `equivalence` is the row of the taste's equivalence test.
    """
    if not _told(row) or not finite(row.get("p_adjusted")):
        return UNKNOWN
    if row["p_adjusted"] < alpha:
        return "supported"
    against = {"greater": row["ci_high"] < 0, "less": row["ci_low"] > 0}.get(row["alternative"], False)
    if against:
        return "not supported"
    return (
        f"equivalent within ±{equivalence['bound']:g}" if equivalence and _within(equivalence, alpha) else "undecided"
    )


def _within(equivalence: dict[str, Any], alpha: float) -> bool:
    p = equivalence.get("p_adjusted", equivalence.get("p"))
    return finite(p) and float(p or 0) < alpha


def points(value: float, sides: Sides) -> str:
    """A difference with its sign, and of how many points; zero has none."""
    shown = f"{value:+.2f}"
    return f"{'0.00' if float(shown) == 0 else shown} of {sides.points:g} points"


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """An interval in brackets; a missing one is said."""
    if not finite(low, high):
        return "no interval"
    ends = (f"{v:.{digits}f}" for v in (low, high) if v is not None)
    return f"[{', '.join('0.' + '0' * digits if float(e) == 0 else e for e in ends)}]"


def sidedness(row: dict[str, Any]) -> str:
    """Whether a test is one-sided or two-sided."""
    return "two-sided" if row["alternative"] == "two-sided" else "one-sided"


def where(row: dict[str, Any]) -> str:
    """Of which taste a row is."""
    return "Over all tastes" if row["taste"] == "all" else f"For {row['taste']}"


def fits(name: str) -> str:
    """That a condition fits better; several tracks do."""
    return f"{name} fit{'' if name.endswith('tracks') else 's'} better"


def over_the_middle(sides: Sides) -> str:
    """Which way scores are counted: whom one over the slider's middle speaks for, and whom one under it."""
    middle = sum(sides.ends) / 2
    return f"over the middle ({middle:g}) {fits(sides.first)}, under it {fits(sides.second)}."


def compared(row: dict[str, Any], sides: Sides, alpha: float, equivalence: dict[str, Any] | None = None) -> str:
    """A comparison of two conditions by a mixed model, as a sentence."""
    place, state = where(row), state_words(state_of(row))
    if not _told(row):
        return f"{place}, which fits better {UNKNOWN}: {state or 'there is no finite result'}."
    lower, higher = f"{fits(sides.second)} than {sides.first}", f"{fits(sides.first)} than {sides.second}"
    open_words = f"it is undecided whether {sides.first} or {sides.second} fits better"
    if not declared(row):
        p = row["p_adjusted"] if finite(row.get("p_adjusted")) else row["p"]
        shown = p < alpha and row["effect"] != 0
        leaning = sides.first if row["effect"] > 0 else sides.second
        said = f"{place} (exploratory), " + (f"the answers lean to {leaning}" if shown else open_words)
        if equivalence:
            said += f" (declared: {near(equivalence, alpha)} points)"
    else:
        word = verdict(row, alpha, equivalence)
        if word == "supported":
            said = f"{place}, {higher if row['effect'] > 0 else lower}, as supported by the declared test"
        elif word == "not supported":
            said = f"{place}, the declared direction is not supported: the answers lie on the other side"
        elif word.startswith("equivalent"):
            said = f"{place}, {sides.first} and {sides.second} are {word} points of each other"
        elif word == UNKNOWN:
            said = f"{place}, there is an uncorrected result alone, on which no claim stands"
        else:
            said = f"{place}, {open_words}"
        if word in ("supported", "not supported") and equivalence and _within(equivalence, alpha):
            said += f" (and the difference lies within ±{equivalence['bound']:g})"
    return f"{said}: {_numbers(row, sides)}; {state or 'the fit is ok'}."


def _numbers(row: dict[str, Any], sides: Sides) -> str:
    """Difference, interval, test and p, each with the side that it is of."""
    # Intervals are two-sided whatever the test is: beside a one-sided p that is said.
    sided = "" if row["alternative"] == "two-sided" else "two-sided "
    out = f"difference {points(row['effect'], sides)}, {sided}95 % CI {interval(row['ci_low'], row['ci_high'])}"
    if finite(row.get("statistic"), row.get("df")):
        out += f", t({row['df']:.1f}) = {row['statistic']:.2f}"
    out += f", {sidedness(row)} {p_value(row['p'])}"
    adjusted = row.get("p_adjusted")
    return (
        f"{out}, corrected {p_value(adjusted)}" if finite(adjusted) and adjusted is not None else f"{out}, uncorrected"
    )


def counted(rows: Iterable[dict[str, Any]], equivalence: Iterable[dict[str, Any]] = ()) -> str:
    """How many tests were declared, those of equivalence among them: the family that p-values are corrected over."""
    kinds = [sidedness(r) for r in rows if declared(r)] + ["of equivalence" for _ in equivalence]
    each = ", ".join(f"{kinds.count(k)} {k}" for k in ("one-sided", "two-sided", "of equivalence") if k in kinds)
    return f"{len(kinds)} declared test{'s' * (len(kinds) != 1)}: {each}" if kinds else "no declared test"


def by_taste(
    rows: list[dict[str, Any]],
    sides: Sides,
    alpha: float,
    equivalence: Iterable[dict[str, Any]] = (),
    family: str | None = None,
) -> str:
    """What the declared tests came to, taste by taste, and how many there are; `family` is `counted` of all of the study's."""
    bounds = {e["taste"]: e for e in equivalence}
    told = [r for r in rows if declared(r) or r["taste"] in bounds]
    if not told:
        if family in (None, counted([])):
            return "No test was declared before the data; what follows is exploratory."
        return "By taste: no test was declared before the data; what is said of single tastes is exploratory."
    found: dict[str, list[str]] = {}
    for row in told:
        word = verdict(row, alpha, bounds.get(row["taste"]))
        if not declared(row):
            word = near(bounds[row["taste"]], alpha)
        elif word == "supported":
            word = fits(sides.first if row["effect"] > 0 else sides.second)
        found.setdefault(word, []).append("all tastes together" if row["taste"] == "all" else str(row["taste"]))
    order = sorted(
        found, key=lambda w: (not w.endswith((" fits better", " fit better")), w == UNKNOWN, w == "undecided", w)
    )
    said = "; ".join(f"{word} for {', '.join(found[word])}" for word in order)
    return f"By taste: {said} ({family or counted(told, bounds.values())})."


def of_pair(said: str, sides: Sides) -> str:
    """A sentence of `by_taste` with the two that it is about in front, where a study compares several pairs."""
    both = f"{sides.first} or {sides.second}"
    return f"{both[0].upper()}{both[1:]}, b{said[1:]}" if said.startswith("By taste") else said


def near(equivalence: dict[str, Any], alpha: float) -> str:
    """What an equivalence test came to where it was declared without a test of a difference."""
    if state_of(equivalence).startswith(("not converged", "too few")) or not finite(equivalence.get("p")):
        return UNKNOWN
    bound = f"within ±{equivalence['bound']:g}"
    return f"equivalent {bound}" if _within(equivalence, alpha) else f"undecided whether {bound}"


def worths(rows: list[dict[str, Any]], range_: float, called: dict[str, str]) -> str:
    """What conditions are worth by one taste's rows of the signed graded model, the highest first; a leader is named as `called`."""
    state = state_words(state_of(rows[0]))
    if not all(finite(r.get("value"), r.get("ci_low"), r.get("ci_high")) for r in rows):
        return f"{where(rows[0])}, what each condition is worth {UNKNOWN}: {state or 'there is no finite result'}."
    order = sorted(rows, key=lambda r: -r["value"])
    told = ", ".join(
        f"{called.get(r['condition'], r['condition'])} {r['value']:+.2f} {interval(r['ci_low'], r['ci_high'])}"
        for r in order
    )
    return (
        f"{where(rows[0])}, what each condition is worth on one scale, in points (of {range_:g}) from the mean of the conditions, with "
        f"95 % intervals: {told}; exploratory; {state or 'the fit is ok'}."
    )


def ranked(row: dict[str, Any], sides: Sides, alpha: float) -> str:
    """A Wilcoxon test of the seed paper's plan, as a sentence: answers lean to a side where p, corrected where it is, carries it."""
    place = where(row) + ("" if declared(row) else f" (exploratory, {row['alternative']})")
    if not finite(row.get("p"), row.get("statistic")):
        return f"{place}, the rank test {UNKNOWN}: no answer lies off the middle."
    p = row["p_adjusted"] if finite(row.get("p_adjusted")) else row["p"]
    if p < alpha and row["effect"] != 0:
        said = f"lean to {sides.first if row['effect'] > 0 else sides.second}"
    else:
        asked = {"greater": sides.first, "less": sides.second}.get(row["alternative"], "either side")
        said = f"are not shown to lean to {asked}"
    return f"{place}, the answers {said}: {apa(row)} ({sidedness(row)})."


def own_words(rows: list[dict[str, Any]], alpha: float, whose: str = "music prompted with a taste") -> str:
    """For which tastes music (`whose`: how it came to its taste) calls up its own word more than other music does."""
    known = [
        r for r in rows if not state_of(r).startswith(("not converged", "too few")) and finite(r.get("p_adjusted"))
    ]
    found = sorted(str(r["prompt"]) for r in known if r["p_adjusted"] < alpha)
    lost = sorted(str(r["prompt"]) for r in rows if r not in known)
    if not known:  # no test was made, which found none
        return f"Whether {whose} calls up its own word more than other music {UNKNOWN} for {', '.join(lost)}."
    n = len(rows) if found else len(known)
    named = ", ".join(found) or "none"
    said = f"{whose[0].upper()}{whose[1:]} is shown to call up its own word more than other music for {named} of {n} taste{'s' * (n != 1)}"
    said += " (mixed models, one-sided, corrected)"
    return f"{said}; it {UNKNOWN} for {', '.join(lost)}." if lost else f"{said}."


def named_when_asked(tests: list[dict[str, Any]], shares: list[dict[str, Any]], whose: str, alpha: float) -> str:
    """How often tastes were named for their own music and for other music, over tastes, and for which of them that is shown."""
    both = [r for r in shares if finite(r.get("share"), r.get("chance"))]
    if not both:
        return f"Of {whose} it {UNKNOWN} whether a taste is named more when it was asked for: no other music was heard."
    own, other = (100 * sum(r[k] for r in both) / len(both) for k in ("share", "chance"))
    lost = sorted(str(r["taste"]) for r in tests if not finite(r.get("p_adjusted")))
    found = sorted(str(r["taste"]) for r in tests if str(r["taste"]) not in lost and r["p_adjusted"] < alpha)
    said = (
        f"Of {whose} a taste was named in {own:.0f} % of the answers when it was asked for and in {other:.0f} % when it was not "
        f"({own - other:+.0f} points, mean of {many(len(both), 'taste')})"
    )
    if len(lost) < len(tests):
        n = len(tests) if found else len(tests) - len(lost)
        said += (
            f"; shown to be more when asked for {', '.join(found) or 'none'} of {n} (mixed logit, one-sided, corrected)"
        )
    states: dict[str, list[str]] = {}
    for row in tests:
        if str(row["taste"]) not in lost:
            states.setdefault(state_words(state_of(row)), []).append(str(row["taste"]))
    said += f"; it {UNKNOWN} for {', '.join(lost)}" if lost else ""
    known = [f"{', '.join(whose)}: {words}" for words, whose in states.items() if words]
    return f"{'; '.join([said, *known])}."


def repeated(row: dict[str, Any]) -> str:
    """How alike people answer when they hear the same again without being told, from a row of `analysis.agreement.repeats`."""
    counts = f"{many(row['pairs'], 'pair', 'pairs')} of answers of {many(row['people'], 'person', 'people')}"
    head = f"Heard again without being told ({str(row['item']).replace('_', ' ')}, {counts}): "
    if row["state"] == "too few":
        return f"{head}too few to say how alike people answer."
    if row["state"] == "constant":
        return f"{head}everybody gave one answer throughout."
    if finite(row.get("icc")):
        return f"{head}ICC {row['icc']:.2f}, the second answer {row['shift']:+.2f} points from the first."
    kappa = f", Cohen's kappa {row['kappa']:.2f}" if finite(row.get("kappa")) else ""
    return f"{head}{100 * row['same']:.0f} % the same (by chance {100 * row['chance']:.0f} %{kappa})."


def many(n: int, one: str, more: str = "") -> str:
    """A count with its word in the right number; `more` where an s does not make it several."""
    return f"{n} {one if n == 1 else more or one + 's'}"


def span(low: Any, high: Any) -> str:
    """A range of counts: one number where both ends are the same."""
    return str(int(low)) if low == high else f"{int(low)} to {int(high)}"


def classified(row: dict[str, Any]) -> str:
    """How often a classifier names what a clip was prompted with."""
    return (
        f"Of {row['n']} clips of {row['condition']} asked for {row['taste']}, {100 * row['share']:.0f} % were classified as "
        f"{row['taste']} (chance {100 * row['chance']:.0f} %, one-sided {p_value(row['p'])})."
    )


def apa(row: dict[str, Any]) -> str:
    """A Wilcoxon row as a sentence part in APA style."""
    adjusted = row.get("p_adjusted") is not None
    p = p_value(row["p_adjusted"] if adjusted else row["p"])
    off = row.get("n_ranked", row["n"])  # V ranks these: answers in the middle are dropped
    n = row["n"] if off == row["n"] else f"{off} of {row['n']}"
    return (
        f"V = {number(row['statistic'])}, n = {n}, {'adjusted ' if adjusted else ''}{p}, r = {row['effect']:.2f} "
        f"{interval(row['ci_low'], row['ci_high'])}"
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
