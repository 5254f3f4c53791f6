"""A question as it is shown, and the answer to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

JOINED = ";"  # between the options that were chosen of several


@dataclass(frozen=True)
class Question:
    """One thing to answer.

    Attributes
    ----------
    kind : {"choice", "multiple", "number", "text", "slider", "steps"}
        ``choice`` offers `options` (key -> words), ``multiple`` too, of which `low` to `high` are chosen; ``number`` is typed;
        so is ``text``, from `low` to `high` characters; ``slider`` and ``steps`` give a value on `low`..`high` with words at
        the ends, or under every step.
    start : float or None
        Where the slider's marker stands at first; None: nowhere before it is touched.
    back : bool
        Whether one may go back to the answer before.
    doubt : int or None
        A number below this one ends the session: it is asked whether it is right.
    alone : str
        Of several options the one that excludes all others.
    """

    item: str
    kind: str
    text: str
    options: dict[str, str] | None = None
    low: int = 0
    high: int = 0
    labels: tuple[str, ...] = ()
    word: str = ""
    start: float | None = None
    back: bool = False
    doubt: int | None = None
    alone: str = ""


@dataclass(frozen=True)
class Back:
    """What is given instead of an answer by whoever wants to go back to the one before."""


@dataclass(frozen=True)
class Answer:
    """An answer and how long it took in seconds of a monotonic clock (None where time means nothing).

    `interaction` is how it came about: moves of the slider, focus lost, frames drawn late. `said` is free text: it is kept
    apart, and stands in no log and no error's words.
    """

    value: float | None = None
    choice: str | None = None
    response_time: float | None = None
    interaction: dict[str, Any] | None = None
    said: str | None = field(default=None, repr=False)
