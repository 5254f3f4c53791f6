"""Answers about which taste a clip calls up, and pairs of answers about clips that were heard a second time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

IDENTIFIED = ("participant", "trial", "asked", "condition", "clip", "answered", "confidence", "response_time")
REPEATED = ("participant", "block", "clip", "item", "first", "again")


def nothing(columns: tuple[str, ...]) -> pd.DataFrame:
    """A frame without rows."""
    import pandas as pd

    return pd.DataFrame(columns=list(columns))


def identified(rows: pd.DataFrame) -> pd.DataFrame:
    """One row an answer: participant, trial, asked (the taste the clip was made for), condition, clip, answered, confidence, response_time.

    `rows` are stored answers, with ``kind`` of their task; hidden repeats are not among them.
    """
    from experiment.tasks.identification import ITEM, KIND

    part = rows[rows["kind"] == KIND]
    named = part[part["item"] == ITEM].rename(
        columns={"taste": "asked", "first_model": "condition", "first_clip": "clip", "choice": "answered"}
    )
    if named.empty:
        return nothing(IDENTIFIED)
    sure = part[part["item"] == "confidence"].set_index(["participant", "trial"])["value"].rename("confidence")
    return named.join(sure, on=["participant", "trial"])[list(IDENTIFIED)].reset_index(drop=True)


def repeated(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of answers: participant, block, clip (the first heard), item, first, again; words or numbers as text gives them.

    `rows` are all stored answers; those with ``repeated`` are about a clip, or pair, that the same person answered for before.
    """
    again = rows["repeated"].astype(bool)
    if not again.any():
        return nothing(REPEATED)
    given = rows.assign(given=rows["choice"].where(rows["choice"].notna(), rows["value"].astype(object)))
    keys = ["participant", "block", "item", "first_id", "second_id"]
    given = given.assign(second_id=given["second_id"].fillna(-1))
    first = given[~again].drop_duplicates(keys).set_index(keys)["given"].rename("first")
    out = given[again].join(first, on=keys).rename(columns={"given": "again", "first_clip": "clip"})
    return out.dropna(subset=["first"])[list(REPEATED)].reset_index(drop=True)
