"""Who finished which part of the study, and the rows that the seed paper analysed.

The paper (arXiv 2503.02823) drops people part by part: its tests of task 1 are on people with all choices and demographics (111
people, 555 choices), correlations and factors on all complete ratings (112 people, 336 clips), Tukey's comparisons on those of
them with demographics (111, 333), the analysis of variance on men and women among these without the one professional eater
(106, 318). A person counts in a part by what was answered there, whatever the session's end is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.data.frames import StudyData

# What the paper knows of a person; an item that nobody was asked is not waited for.
DEMOGRAPHICS = ("sex", "age", "hearing_experience", "eating_experience")
MODEL = ("hearing_experience", "eating_experience", "sex")  # the terms of its analysis of variance about people


def with_demographics(people: pd.DataFrame) -> set[int]:
    """Participants who said all that the paper knows of a person, as far as anyone was asked."""
    asked = [c for c in DEMOGRAPHICS if c in people]
    return {int(p) for p in people.loc[people[asked].notna().all(axis=1), "participant"]}


def with_all_choices(data: StudyData) -> set[int]:
    """Participants who made every choice of task 1."""
    counts = data.preference.dropna(subset=["score"]).groupby("participant").size()
    return _reached(data, counts, data.planned.choices)


def with_all_ratings(data: StudyData) -> set[int]:
    """Participants who rated every clip of task 2 on every item."""
    per_clip = data.ratings.dropna(subset=["value"]).groupby(["participant", "trial"]).size()
    if per_clip.empty:
        return set()
    items = data.ratings["adjective"].nunique() if data.planned.items is None else data.planned.items
    whole = per_clip[per_clip >= items]
    return _reached(data, whole.groupby("participant").size(), data.planned.clips)


def _reached(data: StudyData, counts: pd.Series, wanted: int | None) -> set[int]:
    """Those with as many as were planned, or the most that anyone has; a survey's own end says nothing of its parts."""
    if counts.empty:
        return set()
    enough = {int(p) for p in counts.index[counts >= (counts.max() if wanted is None else wanted)]}
    if data.kind != "imported":
        # A session that the engine calls complete has all that was asked of its own group.
        finished = set(data.people.loc[data.people["status"] == "complete", "participant"])
        enough |= {int(p) for p in counts.index if p in finished}
    return enough


def unfinished(data: StudyData) -> set[int]:
    """Participants who did not finish: by their session's end or, of a survey file, by a part that lacks answers."""
    out = {int(p) for p in data.people.loc[data.people["status"] != "complete", "participant"]}
    if data.kind != "imported":
        return out
    done = with_demographics(data.people)
    if not data.preference.empty:
        done &= with_all_choices(data)
    if not data.ratings.empty:
        done &= with_all_ratings(data)
    return out | ({int(p) for p in data.people["participant"]} - done)


@dataclass(frozen=True)
class PaperRows:
    """What each of the paper's analyses is made on.

    Attributes
    ----------
    choices : DataFrame
        Rows of `StudyData.preference`.
    rated, described, modelled : DataFrame
        Rows of `StudyData.ratings`: of complete ratings; of those by people with demographics, without music of wrong prompts; of the
        men and women among these, without a level of eating experience that one person stands for. The last two have the
        demographics beside them.
    flow : list of dict
        One row an analysis: people and rows (choices or clips) that it is made on, how many people are lost, and why.
    """

    choices: pd.DataFrame
    rated: pd.DataFrame
    described: pd.DataFrame
    modelled: pd.DataFrame
    flow: list[dict[str, Any]]


def paper_rows(data: StudyData) -> PaperRows:
    """The rows that the seed paper's plan is made on."""
    known, chose, rated_all = with_demographics(data.people), with_all_choices(data), with_all_ratings(data)

    def of(frame: pd.DataFrame, column: str, who: set[int]) -> pd.DataFrame:
        return frame[frame["participant"].isin(who) & frame[column].notna()].reset_index(drop=True)

    choices, rated = of(data.preference, "score", chose & known), of(data.ratings, "value", rated_all)
    # What wrong prompts stand for is not what they ask for: in comparisons of prompts their music would count as another's.
    compared = data.conditions.own(rated)
    described = describe(compared, data.people)
    modelled, dropped = men_and_women(described)
    flow: list[dict[str, Any]] = []

    def step(name: str, frame: pd.DataFrame, everyone: set[int], why: list[tuple[str, int]]) -> None:
        people = int(frame["participant"].nunique())
        # Choices are counted one by one, ratings by the clip.
        rows = len(frame) if name == "task 1" else frame.groupby(["participant", "trial"]).ngroups if people else 0
        reasons = "; ".join(f"{n} {text}" for text, n in why if n)
        flow.append({"analysis": name, "people": people, "rows": rows, "lost": len(everyone) - people, "why": reasons})

    who = {int(p) for p in data.people["participant"]}
    if not data.preference.empty:
        lost = [("without all choices", len(who - chose)), ("without demographics", len(chose - known))]
        step("task 1", choices, who, lost)
    if not data.ratings.empty:
        lost = [("without all ratings", len(who - rated_all))]
        step("correlations and factors", rated, who, lost)
        lost.append(("without demographics", len(rated_all - known)))
        alone = known & (set(rated["participant"]) - set(compared["participant"]))
        lost.append(("with music of wrong prompts alone", len(alone)))
        step("Tukey", described, who, lost)
        step("ANOVA", modelled, who, lost + dropped)
    return PaperRows(choices, rated, described, modelled, flow)


def describe(ratings: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Ratings by people with demographics, with what the analysis of variance takes from these beside them."""
    if any(c in people for c in DEMOGRAPHICS):
        ratings = ratings[ratings["participant"].isin(with_demographics(people))]
    columns = [c for c in MODEL if c in people]
    return ratings.merge(people[["participant", *columns]], on="participant", how="left").reset_index(drop=True)


def men_and_women(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, int]]]:
    """Men and women only, without a level of eating experience of one person, and how many that leaves out by reason."""
    lost = []
    before = frame["participant"].nunique()
    if "sex" in frame:
        frame = frame[frame["sex"].isin(["male", "female"])]
        lost.append(("neither men nor women", int(before - frame["participant"].nunique())))
    if "eating_experience" in frame:
        # A level with a single person cannot be told from that person.
        counts = frame.groupby("eating_experience")["participant"].nunique()
        before = frame["participant"].nunique()
        frame = frame[frame["eating_experience"].isin(counts[counts > 1].index)]
        lost.append(("alone with their eating experience", int(before - frame["participant"].nunique())))
    return frame.reset_index(drop=True), lost


def some(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """The rows, or one clear line where there are none.

    Raises
    ------
    AnalysisError
        If nobody is left for the paper's plan.
    """
    if frame.empty:
        raise AnalysisError(
            f"nobody has {what}; the seed paper's plan is made on such people alone (--plan robust: on all answers)"
        )
    return frame


def flow_of(rows: PaperRows, *names: str) -> list[dict[str, Any]]:
    """The rows of the flow that tell of these analyses."""
    return [row for row in rows.flow if row["analysis"] in names]
