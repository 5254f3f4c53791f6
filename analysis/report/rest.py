"""The sections around the main questions: recovered effects, captions, the driven session, players."""

from __future__ import annotations

from pathlib import Path

from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.page.sentences import many
from analysis.page.standing import Line
from analysis.report import recovery, write
from analysis.sound import words


def recovered(inputs: Inputs, summary: list[str]) -> Section | None:
    """For simulated sessions: declared against recovered effects."""
    data, effects = inputs.data, inputs.effects
    if data.kind == "bot" and inputs.followed:
        told = " and ".join(inputs.followed)
        text = f"The simulated participants followed the effects declared in {told}, which this report was not given (--effects)."
        return Section("recovery", "Declared and recovered effects", [text])
    if data.kind != "bot" or effects is None:
        return None
    tables = recovery.analyse(data, effects)
    section = Section(
        "recovery",
        "Declared and recovered effects",
        [
            f"The simulated participants followed the effects declared in {effects.shown}. Clip effects are random and shared "
            "by all participants, so a taste's mean may lie off its declared value by about their size.",
            *recovery.undeclared(data, effects),
        ],
    )
    section.tables = [
        Table("recovery_preference", "Mean preference", tables["preference"]),
        Table(
            "recovery_ratings",
            "Mean ratings",
            tables["ratings"],
            "Correlation and differences over prompt x adjective cells"
            + (", of each condition." if effects.ratings.conditions else "."),
        ),
        Table("recovery_identification", "Tastes named right", tables["identification"]),
    ]
    return section


def captions(inputs: Inputs, summary: list[str]) -> Section | None:
    """Do captions say what prompts asked for, and what does a word in a caption say about the ratings?"""
    rows = words.caption_check(inputs.clips, inputs.asked, inputs.data.conditions)
    if not rows:
        return None
    text = [
        "Captions are written from the sound alone. A share far above that of the other tastes' clips means that the attribute is audible."
    ]
    return Section(
        "captions",
        "Do captions say what prompts asked for",
        text,
        tables=[
            Table("captions", "Manipulation check", rows),
            Table(
                "caption_words",
                "Words of captions against ratings (exploratory)",
                words.words_against_ratings(inputs.clips, inputs.data.ratings),
                "Clips whose caption has the word against those without it: mean ratings of an adjective, Mann-Whitney U over "
                "clips, Holm over all; the twenty smallest p.",
            ),
        ],
    )


def desk(inputs: Inputs, summary: list[str]) -> Section | None:
    """A driven session."""
    if not inputs.desk:
        return None
    d = inputs.desk
    section = Section(
        "session",
        "A real session on a virtual desk",
        [
            f"One PsychoPy session ran on a virtual screen and sound card, answered by mouse: {d['answers']} answers given, "
            f"{d['matching']} stored exactly as given. The sound card's output was recorded and held against the files."
        ],
    )
    section.tables.append(
        Table(
            "desk_audio",
            "Captured audio against stimulus",
            d["audio"],
            "r: correlation at the best lag; error: largest absolute difference (full scale 1).",
        )
    )
    return section


def clips(inputs: Inputs, summary: list[str]) -> Section | None:
    """Players for every clip."""
    if not inputs.clips:
        return None
    cards, known = [], inputs.data.conditions
    place = {name: k for k, name in enumerate(known.order(c.model for c in inputs.clips))}
    for c in sorted(inputs.clips, key=lambda c: (c.taste, c.number, place[c.model])):
        relative = Path("stimuli") / c.file
        title = f"{c.taste} {c.number + 1}, {known.label(c.model)}" if c.taste else c.clip
        cards.append({"title": title, "caption": c.caption, "src": relative.as_posix()})
    written = "; the text is the captioner's" if any(c.caption for c in inputs.clips) else ""
    long = _ends([c.seconds for c in inputs.clips], "g")
    loud = _ends([c.loudness for c in inputs.clips], ".1f")
    said = f"{many(len(inputs.clips), 'clip')}, {long} s, {loud} LUFS{written}."
    return Section("clips", "Listen", [Line(said, "@sound")], html=write.players(cards))


def _ends(values: list[float], digits: str) -> str:
    """A range of values as it is written: one where both ends look the same."""
    low, high = f"{min(values):{digits}}", f"{max(values):{digits}}"
    return low if low == high else f"{low} to {high}"
