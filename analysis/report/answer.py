"""The first screen: the question, the answer with its state, what it rests on, and what it does not show; all from rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analysis.agreement.repeats import reliability
from analysis.agreement.section import follows, nearest, word_by_word
from analysis.page import sentences
from analysis.page.inputs import Inputs
from analysis.page.page import Section
from analysis.page.sentences import WHO, Sides, confounded, many, span
from analysis.page.standing import Line, rows_on
from analysis.page.style import Drawn
from analysis.preference.pairs import pairs_in
from analysis.preference.questions import corrected_words, declared_words
from analysis.preference.section import sides_of, sides_of_row

if TYPE_CHECKING:
    import pandas as pd

Rows = list[dict[str, Any]]
CLIPS = [
    "clip_over",
    "clip_under",
]  # a pair of clips is both: where three conditions are compared one clip stands in several


@dataclass
class Answer:
    """The first screen: `said` are headings with their sentences, in order; `figure` is drawn among them."""

    said: list[tuple[str, list[str]]] = field(default_factory=list)
    figure: Drawn | None = None


def first_screen(inputs: Inputs, sections: list[Section]) -> Answer:
    """What a reader is told first, from the tables of the report's sections."""
    tables = {t.name: t.rows for s in sections for t in s.tables}
    drawn = {f.name: f for s in sections for f in s.figures}
    mixed = [row | {"effect": row.get("difference")} for row in tables.get("preference_mixed", [])]
    bounds = tables.get("preference_equivalence", [])
    sides, alpha = sides_of(inputs.data), inputs.config.alpha
    said: list[tuple[str, list[str]]] = []
    if mixed:
        within = {(b["taste"], b.get("pair")): b for b in bounds}
        family = sentences.counted(mixed, bounds)
        overall = [
            Line(
                sentences.compared(r, sides_of_row(inputs.data, r), alpha, within.get(("all", r.get("pair")))),
                *rows_on("preference_mixed", mixed, [r]),
            )
            for r in mixed
            if r["taste"] == "all"
        ]
        pairs = list(dict.fromkeys(r.get("pair") for r in mixed))
        by_taste = []
        for pair in pairs:
            own = [r for r in mixed if r["taste"] != "all" and r.get("pair") == pair]
            near = [b for b in bounds if b.get("pair") == pair]
            named = sides_of_row(inputs.data, {"pair": pair})
            line = sentences.by_taste(own, named, alpha, near, family)
            on = rows_on("preference_mixed", mixed, own) + rows_on("preference_equivalence", bounds, near)
            by_taste.append(Line(line if len(pairs) == 1 else sentences.of_pair(line, named), *on))
        asked = (
            f"Which music fits the taste asked for better, that of {sides.first} or that of {sides.second}?"
            if len(by_taste) == 1
            else "Of each pair of conditions, which one's music fits the taste asked for better?"
        )
        said = [
            ("Question", [asked]),
            ("Answer", [*overall, *by_taste]),
        ]
    elif tables.get("agreement_tests"):
        (nearer,) = [r for r in tables["agreement_tests"] if r["test"] == "permutation"]
        said = [
            ("Question", ["Do the ratings of a track follow what it is meant to call up?"]),
            (
                "Answer",
                [
                    Line(follows(nearer, alpha), "agreement_tests"),
                    Line(word_by_word(tables["agreement_correlations"]), "agreement_correlations"),
                    Line(nearest(tables["agreement_vectors"]), "agreement_vectors"),
                ],
            ),
        ]
    else:
        said = [("Question", ["What does the music call up?"])]
        if tables.get("icc"):
            said = [
                ("Question", ["Do listeners agree on what the music calls up?"]),
                ("Answer", of_ratings(inputs, tables)),
            ]
    said.append(("Is it the taste", is_it_the_taste(inputs, tables, mixed)))
    said.append(("Rests on", rests_on(inputs, tables)))
    if mixed:
        gate = inputs.config.overall == "gate"
        found = could_have_found(tables.get("preference_detectable", []), sides.points, gate)
        said.append(("Could have found", [Line(found, "preference_detectable")]))
    elif not tables.get("agreement_tests"):  # permutations have no standard error to tell it from
        said.append(("Could have found", [nothing_declared(inputs, sections)]))
    said.append(("Plan and deviations", plan_and_deviations(inputs, mixed, bounds)))
    said.append(("Generalises to", [_generalises(tables, mixed)]))
    said.append(("Does not show", does_not_show(inputs)))
    return Answer([(head, lines) for head, lines in said if any(lines)], drawn.get("intervals"))


def is_it_the_taste(inputs: Inputs, tables: dict[str, Rows], mixed: Rows) -> list[str]:
    """Does music fit better that was asked for the taste than the same model's for another; is the taste named when it was asked; does it
    call up its own word: what of these the study asked."""
    alpha, known = inputs.config.alpha, inputs.data.conditions
    bounds = tables.get("preference_equivalence", [])
    near = {b.get("pair"): b for b in bounds if b["taste"] == "all"}
    out: list[str] = []
    for row in mixed:
        over, _, under = str(row.get("pair") or " - ".join(_only_pair(inputs))).partition(" - ")
        if row["taste"] != "all" or (known.wrong.get(under) != over and known.wrong.get(over) != under):
            continue
        right = over if under in known.wrong else under
        names = {right: f"music that the {known.spoken(right)} made for the taste"}
        other = "its music for other tastes"
        sides = Sides(names.get(over, other), names.get(under, other), inputs.data.ends)
        bound = near.get(row.get("pair"))
        on = rows_on("preference_mixed", mixed, [row]) + rows_on("preference_equivalence", bounds, [bound or {}])
        out.append(Line(sentences.compared(row, sides, alpha, bound), *on))
    for condition in dict.fromkeys(r["condition"] for r in tables.get("identification_tests", [])):
        if condition in known.wrong:
            continue
        tests, shares = (
            [r for r in tables.get(name, []) if r["condition"] == condition]
            for name in ("identification_tests", "identification_accuracy")
        )
        on = rows_on("identification_tests", tables["identification_tests"], tests)
        on += rows_on("identification_accuracy", tables.get("identification_accuracy", []), shares)
        out.append(Line(sentences.named_when_asked(tests, shares, known.music(str(condition)), alpha), *on))
    if tables.get("own_word"):
        whose = known.of_a_taste(set(known.own(inputs.data.ratings)["model"]))
        out.append(Line(sentences.own_words(tables["own_word"], alpha, whose), "own_word"))
    return out or ["Whether it is the taste that is heard was not asked in a way that this report tests."]


def _only_pair(inputs: Inputs) -> tuple[str, str]:
    found = pairs_in(inputs.data.preference)
    return found[0] if len(found) == 1 else ("", "")


def rests_on(inputs: Inputs, tables: dict[str, Rows]) -> list[str]:
    """People of those who began and why they are fewer, answers a taste and a pair."""
    flow = tables.get("flow", [])
    out = []
    if flow:
        begun = int(flow[0]["n"])
        lost = [f"{r['lost']} {r['why']}" for r in flow if r["lost"] and not str(r["step"]).startswith("analysed")]
        whose = "" if inputs.data.label in ("people", "imported") else f" ({inputs.data.label})"
        told = f"{len(inputs.data.people)} of {begun} sessions begun{whose}{': ' + '; '.join(lost) if lost else ''}."
        out.append(Line(told, "flow"))
    frame = inputs.data.preference.dropna(subset=["score"])
    if not frame.empty:
        answers = frame.groupby(["taste", *CLIPS]).size()
        pairs = answers.groupby("taste").size()
        told = (
            f"{many(len(frame), 'choice')} of {many(frame['participant'].nunique(), 'person', 'people')} on "
            f"{span(pairs.min(), pairs.max())} pair{'s' * int(pairs.max() > 1)} of clips a taste, "
            f"{span(answers.min(), answers.max())} answer{'s' * int(answers.max() > 1)} a pair."
        )
        out.append(Line(told, "@preference"))
    rated = inputs.data.ratings.dropna(subset=["value"])
    if not rated.empty:
        whole = rated.groupby(["participant", "trial"]).ngroups
        out.append(Line(f"{many(whole, 'rating')} of {many(rated['clip'].nunique(), 'clip')}.", "@ratings"))
    heard = reliability(inputs.data.repeats) if not inputs.data.repeats.empty else []
    again = [Line(sentences.repeated(row), "@repeats") for row in heard]
    out += again or ([Line(repeats(frame), "@preference")] if not frame.empty else [])
    return [line for line in out if line]


def repeats(frame: pd.DataFrame) -> str:
    """How far apart two answers of one person to one pair of clips are, where a study without hidden repeats asked for a pair again."""
    again = frame.groupby(["participant", "taste", *CLIPS])["score"].agg(["size", "first", "last"])
    again = again[again["size"] > 1]
    if again.empty:
        return "How alike people answer when a pair comes again was not measured: no pair was repeated."
    apart = float((again["first"] - again["last"]).abs().mean())
    were = "1 pair was" if len(again) == 1 else f"{len(again)} pairs were"
    return f"{were} judged again by the same person: on average {apart:.2f} points apart."


def could_have_found(rows: Rows, points: float, gate: bool = False) -> str:
    """The smallest differences that the tests find with the power they were asked for; `gate`: tastes are tested behind that over all."""
    known = [r for r in rows if sentences.finite(r.get("detectable"))]
    if not known:
        return "What the study could have found can't be told: no test of which fits better has a standard error."
    # A mean lies at most half the scale from its middle: what is over that can't be found, and is no number to plan by.
    within = [r for r in known if r["detectable"] <= points / 2]
    beyond = [r for r in known if r not in within]
    several = len({r.get("pair") for r in known}) > 1
    power, scale = f"With {100 * known[0]['power']:.0f} % power", f"(of {points:g} points)"
    lost = f"would be found{':' if several else ''} {_by_pair(beyond, several, numbers=False)}."
    if not within:
        return f"{power} no difference that the scale holds {scale} {lost}"
    behind = "; those of single tastes where the test over all tastes was passed"
    if not gate or {r["taste"] for r in within} <= {"all"} or all(r["taste"] != "all" for r in rows):
        behind = ""
    said = f"{power} a difference of {_by_pair(within, several)} {scale}{behind}; smaller ones may have been missed."
    return f"{said} None that the scale holds {lost}" if beyond else said


def _by_pair(rows: Rows, several: bool, numbers: bool = True) -> str:
    """Tastes, each with its smallest difference before it, pair by pair where there are several."""
    named: dict[str, list[str]] = {}
    for r in rows:
        of = "over all tastes" if r["taste"] == "all" else f"for {r['taste']}"
        named.setdefault(str(r.get("pair")), []).append(f"{r['detectable']:.2f} {of}" if numbers else of)
    return "; ".join((f"{pair}: " if several else "") + ", ".join(words) for pair, words in named.items())


TESTS = ("own_word", "own_word_ordinal", "prompts_mixed", "identification_tests")


def nothing_declared(inputs: Inputs, sections: list[Section]) -> str:
    """Why no smallest difference is told of a study in which nothing was compared, and where its other tests stand."""
    titles = [
        f"“{t.title}”"
        for name in TESTS
        for s in sections
        for t in s.tables
        if t.name == name and any(sentences.finite(r.get("p")) for r in t.rows)
    ]
    declared = bool(inputs.config.hypotheses or inputs.config.equivalence)
    why = "None of the declared tests could be made" if declared else "The study file declares no test before the data"
    said = f"{why}, so that no smallest difference is told"
    return (
        f"{said}; other tests stand below, under {', '.join(titles)}."
        if titles
        else f"{said}; nothing else was tested."
    )


def of_ratings(inputs: Inputs, tables: dict[str, Rows]) -> list[str]:
    """The answer of a study in which music was rated and neither compared nor held against targets."""
    out: list[str] = [agreed(tables["icc"])]
    if tables.get("prompts_mixed"):
        out.append(told_apart(tables["prompts_mixed"], inputs.config.alpha))
    if inputs.config.targets is None:
        own = bool(tables.get("own_word"))
        out.append(
            f"Whether music is rated as its maker meant it was {'asked of its own word alone, see below' if own else 'not asked'}: with "
            f"""targets = "FILE" under [analysis] in the study file the report answers {"it over all words" if own else "that, too"}."""
        )
    return out


def agreed(rows: Rows) -> Line:
    """How far listeners agree on the clips, from the word with the least agreement to that with the most."""
    known = sorted((r for r in rows if sentences.finite(r.get("icc_2k"))), key=lambda r: float(r["icc_2k"]))
    lost = ", ".join(str(r["item"]) for r in rows if r not in known)
    if not known:
        return Line(
            f"How far listeners agree on the clips {sentences.UNKNOWN} of any word: answers are too few or do not differ, or no fit converged.",
            "icc",
        )
    ends = [known[0], known[-1]] if len(known) > 1 else known
    told = " to ".join(
        f"{r['icc_2k']:.2f} {sentences.interval(r.get('ci_low'), r.get('ci_high'))} for {r['item']}" for r in ends
    )
    said = f"How far the listeners of a clip agree, as ICC(2,k) of their mean with 95 % intervals: {told}"
    said += f"; it {sentences.UNKNOWN} for {lost}" if lost else ""
    return Line(f"{said}.", *rows_on("icc", rows, ends))


def told_apart(rows: Rows, alpha: float) -> Line:
    """Of which words some music is rated otherwise than the other music."""
    words = list(dict.fromkeys(str(r["adjective"]) for r in rows))
    known = [r for r in rows if sentences.finite(r.get("p_adjusted"))]
    found = [w for w in words if any(r["adjective"] == w and r["p_adjusted"] < alpha for r in known)]
    lost = [w for w in words if all(r["adjective"] != w for r in known)]
    if not known:  # no test was made, which found none
        return Line(
            f"Exploratory: whether some music is rated otherwise than the rest {sentences.UNKNOWN} for {', '.join(lost)}.",
            "prompts_mixed",
        )
    n = len(words) if found else len(words) - len(lost)
    said = f"Exploratory: some music is shown to be rated otherwise than the rest on {', '.join(found) or 'none'} of {n} word{'s' * (n != 1)}"
    said += " (mixed models, two-sided, corrected)"
    return Line(f"{said}; it {sentences.UNKNOWN} for {', '.join(lost)}." if lost else f"{said}.", "prompts_mixed")


def plan_and_deviations(inputs: Inputs, mixed: Rows, bounds: Rows) -> list[str]:
    """Which plan is the study's, what was declared, and who was left out by rules."""
    config = inputs.config
    declared = declared_words(config, len({r.get("pair") for r in mixed}))
    plan = (
        "mixed models with people and clips as random effects" if config.plan == "robust" else "the seed paper's tests"
    )
    out = [
        f"The study file's plan is {plan}; α = {config.alpha:g}, {corrected_words(sentences.counted(mixed, bounds), config)}"
        f"; declared before the data: {', '.join(declared) or 'nothing'}."
        if mixed
        else f"The study file's plan is {plan}; α = {config.alpha:g}; declared before the data: {', '.join(declared) or 'nothing'}."
    ]
    if config.plan == "paper" and mixed:
        out.append("Deviation: the answer above is by mixed models; the paper's tests stand in their own chapter.")
    lost = {rule: who for rule, who in inputs.excluded.items() if who}
    if lost:
        rules = ", ".join(f"{len(who)} by '{rule}'" for rule, who in lost.items())
        out.append(Line(f"Left out by declared rules: {rules}.", "flow"))
    declared_of = {h.taste for h in config.hypotheses} | {e.taste for e in config.equivalence}
    missing = sorted(declared_of - {"all"} - {r["taste"] for r in mixed}) if mixed else []
    if missing:
        was, it = ("was", "it") if len(missing) == 1 else ("were", "them")
        out.append(f"Deviation: {', '.join(missing)} {was} declared, but there are no answers to {it}.")
    return out + [line for amendment in inputs.amendments for line in amended(amendment)]


def amended(amendment: dict[str, Any]) -> list[str]:
    """What was amended of the study in its course: why, when, and how many sessions there were before and since."""
    before, since = amendment["before"], amendment["since"]
    when = f"on {amendment['at']:%Y-%m-%d}, after {before} session{'' if before == 1 else 's'} ({since} since)"
    changes = amendment["changes"]
    asked = [c.line() for c in changes if c.weight == "wording"]
    others = [c.line() for c in changes if c.weight != "wording"]
    out = []
    if asked:
        out.append(
            f"Deviation: what people are asked was reworded {when}, because {amendment['wording']!r}: {'; '.join(asked)}."
        )
    if others:
        out.append(f"Amended {when}, because {amendment['note']!r}: {'; '.join(others)}.")
    return out


def _generalises(tables: dict[str, Rows], mixed: Rows) -> str:
    """By the models that give the answer: of preference, else of naming or of a taste's own word, else of words over prompts or clips."""
    named = ("identification_tests", "own_word", "prompts_mixed", "icc")
    asked = [tables[name] for name in named if tables.get(name)]
    rows = mixed or next((rows for rows in asked if _tested(rows)), asked[0] if asked else [])
    if not rows and tables.get("agreement_tests"):
        return "These tracks as these people rate them: targets were dealt to the tracks anew, people were not."
    return generalises_to(rows) if rows else "Nothing: what was rated is described, and nothing tested."


UNTESTED = ("too few", "not converged", "one answer", "not connected")


def generalises_to(rows: Rows) -> str:
    """To other people and clips, or to these clips or people only, and why."""
    told = _tested(rows)
    if not told:
        return "Nothing: no model could be fitted."
    # Of a taste that was named always or never p counts the ways to deal the clips: people are taken as they are.
    dealt = [r for r in told if sentences.state_of(r) == "separated"]
    if len(dealt) == len(told):
        return "Other clips, but these people only: the clips were dealt anew, people were not."
    said = _by_states([sentences.state_of(r) for r in told])
    if not dealt:
        return said
    several = len({r.get("condition") for r in told}) > 1
    of = ", ".join(f"{r['taste']}{' (' + str(r['condition']) + ')' if several else ''}" for r in dealt)
    return f"{said} For {of}: other clips, but these people only, for the clips were dealt anew, people were not."


def _tested(rows: Rows) -> Rows:
    """The rows that something was told in."""
    return [r for r in rows if not sentences.state_of(r).startswith(UNTESTED)]


def _by_states(states: list[str]) -> str:
    """To whom fitted models generalise."""
    alone = {WHO.get(name, name).startswith("people") for s in states for name in confounded(s)}
    if alone == {True}:
        return "Other clips, but these people only: people can't be told apart from what is compared."
    if True in alone:
        return "Nothing beyond these people and these clips: neither can be told apart from what is compared."
    if alone:
        return "Other people, but these clips only: a mean has one clip or pair, so that clips can't be told apart from what is compared."
    if any("singular" in s for s in states):
        return "Other people and other clips of these conditions, with care: a variance was estimated as zero, which may be too little to tell."
    return "Other people like these, and other clips made in the same way."


def does_not_show(inputs: Inputs) -> list[str]:
    """What these data can't say."""
    out = ["It does not show that music changes what anything tastes of: words were judged, nothing was tasted."]
    out.append(
        "It says nothing of other prompts, models or languages, and an undecided result is no proof of no difference."
    )
    if inputs.data.kind in ("bot", "driven"):
        out.insert(
            0,
            "It shows nothing about people: the answers were simulated."
            if inputs.data.kind == "bot"
            else "The answers are a test's.",
        )
    return out
