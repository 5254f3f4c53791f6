"""Careless answering: who answers without listening, how many were left out and why, and whether it matters.

Four indices (Meade & Craig 2012; Curran 2016): the longest run of one answer (long string), the spread of a person's ratings
(intra-individual response variability, Dunn et al. 2018), Mahalanobis' distance of a person's mean profile, and the median
time of an answer. Nobody is left out by default: the study file declares rules before the data (`[analysis.exclude]`), and
the report shows the main result with and without the people that the indices mark.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.config import Exclude
from analysis.data.complete import unfinished

if TYPE_CHECKING:
    import pandas as pd

    from analysis.data.frames import StudyData


def indices(data: StudyData) -> pd.DataFrame:
    """One row a participant: ``long_string`` (share of the ratings in the longest run), ``spread`` (sd of the ratings),
    ``distance_p`` (of Mahalanobis' distance, chi-square), ``seconds`` (median time of an answer); missing where the
    participant has no such answers."""
    import pandas as pd

    out = pd.DataFrame(index=pd.Index(data.people["participant"], name="participant"))
    ratings = data.ratings.dropna(subset=["value"]).sort_values(["participant", "trial"], kind="stable")
    grouped = ratings.groupby("participant", sort=False)["value"]
    # One answer alone is no run: it would be the longest there can be of whoever rated once.
    out["long_string"] = grouped.agg(lambda v: _longest_run(v.to_numpy()) / len(v) if len(v) > 1 else np.nan)
    out["spread"] = grouped.std()
    out["distance_p"] = _distance(ratings)
    timed = [f[["participant", "response_time"]] for f in (data.preference, ratings, data.identification) if len(f)]
    if timed:
        out["seconds"] = pd.concat(timed).dropna().astype(float).groupby("participant")["response_time"].median()
    else:
        out["seconds"] = np.nan
    return out.reset_index()


def _longest_run(values: np.ndarray) -> int:
    if len(values) == 0:
        return 0
    ends = np.flatnonzero(np.diff(values) != 0)
    return int(np.diff(np.concatenate([[-1], ends, [len(values) - 1]])).max())


def _distance(ratings: pd.DataFrame) -> pd.Series:
    """p of the squared Mahalanobis distance of each person's mean ratings, after the prompts' own means are taken out."""
    import pandas as pd
    from scipy.stats import chi2

    if ratings.empty:
        return pd.Series(dtype=float)
    values = ratings["value"] - ratings.groupby(["prompt", "adjective"])["value"].transform("mean")
    wide = ratings.assign(value=values).pivot_table(index="participant", columns="adjective", values="value").dropna()
    if len(wide) < 3 * wide.shape[1]:
        return pd.Series(dtype=float)
    x = wide.to_numpy(float) - wide.to_numpy(float).mean(axis=0)
    covariance = np.atleast_2d(np.cov(x, rowvar=False))
    # An item that never varies, or follows from others, adds nothing: neither distance nor a degree of freedom.
    rank = int(np.linalg.matrix_rank(covariance, rtol=1e-10, hermitian=True))
    if not rank:
        return pd.Series(dtype=float)
    d = np.einsum("ij,jk,ik->i", x, np.linalg.pinv(covariance, rtol=1e-10, hermitian=True), x)
    return pd.Series(chi2.sf(d, rank), index=wide.index)


def marked(table: pd.DataFrame, rules: Exclude) -> pd.DataFrame:
    """The indices as marks: one bool column a rule, at the declared limits or, where none is declared, the usual ones."""
    limits = {**MARKS, **{k: v for k, v in rules.limits().items() if v is not None}}
    out = table[["participant"]].copy()
    out["long_string"] = table["long_string"] >= limits["long_string"]
    out["spread"] = table["spread"] < limits["spread"]
    out["distance"] = table["distance_p"] < limits["distance_p"]
    out["seconds"] = table["seconds"] < limits["seconds"]
    return out


# All answers but a few alike; hardly any spread on the whole scale; one in a thousand; faster than one can read.
MARKS = {"long_string": 0.8, "spread": 0.25, "distance_p": 0.001, "seconds": 0.6}


def excluded(data: StudyData, rules: Exclude) -> dict[str, list[int]]:
    """Participants that the declared rules leave out, by rule; a participant counts under the first rule that applies."""
    found: dict[str, list[int]] = {}
    gone: set[int] = set()

    def leave(rule: str, who: Iterable[int]) -> None:
        new = [int(p) for p in who if int(p) not in gone]
        gone.update(new)
        found[rule] = new

    if rules.incomplete:
        leave("incomplete", sorted(unfinished(data)))
    declared = [k for k, v in rules.limits().items() if v is not None]
    if declared:
        marks = marked(indices(data), rules)
        for rule in declared:
            column = "distance" if rule == "distance_p" else rule
            leave(rule, marks.loc[marks[column], "participant"])
    return found


def apply(data: StudyData, rules: Exclude) -> tuple[StudyData, dict[str, list[int]]]:
    """The study without the participants whom the declared rules leave out, and who they are."""
    found = excluded(data, rules)
    gone = {p for who in found.values() for p in who}
    return (without(data, gone) if gone else data), found


def without(data: StudyData, people: set[int]) -> StudyData:
    """The same study without some participants."""
    from dataclasses import replace

    return replace(
        data,
        **{
            name: getattr(data, name)[~getattr(data, name)["participant"].isin(people)].reset_index(drop=True)
            for name in ("people", "preference", "ratings", "affect", "identification", "repeats")
        },
    )


def flow(data: StudyData, rules: dict[str, list[int]]) -> list[dict[str, Any]]:
    """From everybody who began to everybody who is analysed, one row a step: people left, people lost."""
    sessions = data.sessions
    began = sum(sessions.values())
    rows: list[dict[str, Any]] = [{"step": "sessions begun", "n": began, "lost": 0, "why": ""}]

    def lose(step: str, n: int, why: str) -> None:
        rows.append({"step": step, "n": int(rows[-1]["n"]) - n, "lost": n, "why": why})

    lose("not withdrawn", sessions.get("withdrawn", 0), "withdrew; their answers are deleted")
    for status, step, why in (
        ("refused", "agreed", "did not agree to take part"),
        ("too_young", "old enough", "were younger than the study's minimum age"),
    ):
        if sessions.get(status):
            lose(step, sessions[status], why)
    answered = len(data.people) + sum(len(v) for v in rules.values())
    lose("with answers", int(rows[-1]["n"]) - answered, "ended before the first answer")
    for rule, who in rules.items():
        lose(f"after rule '{rule}'", len(who), "declared in the study file")
    for task, frame in (
        ("preference", data.preference),
        ("ratings", data.ratings),
        ("identification", data.identification),
    ):
        if len(frame):
            n = int(frame["participant"].nunique())
            rows.append(
                {"step": f"analysed: {task}", "n": n, "lost": len(data.people) - n, "why": "no answer to this task"}
            )
    return rows


def analyse(data: StudyData, rules: Exclude) -> dict[str, list[dict[str, Any]]]:
    """How many people each index marks: table ``careless``; and who they are: ``marked`` (numbers, not codes)."""
    table = indices(data)
    marks = marked(table, rules)
    limits = {**MARKS, **{k: v for k, v in rules.limits().items() if v is not None}}
    words = {
        "long_string": f"one answer for {limits['long_string']:.0%} of the ratings or more, in a row",
        "spread": f"sd of the ratings under {limits['spread']:g}",
        "distance": f"Mahalanobis distance, p < {limits['distance_p']:g}",
        "seconds": f"median answer under {limits['seconds']:g} s",
    }
    known = {"distance": "distance_p"}
    rows = [
        {
            "index": name,
            "rule": text,
            "n": int(table[known.get(name, name)].notna().sum()),
            "marked": int(marks[name].sum()),
        }
        for name, text in words.items()
    ]
    any_mark = marks[["long_string", "spread", "distance", "seconds"]].any(axis=1)
    rows.append({"index": "any", "rule": "at least one of these", "n": len(marks), "marked": int(any_mark.sum())})
    return {"careless": rows, "marked": [{"participant": int(p)} for p in marks.loc[any_mark, "participant"]]}
