"""The conditions of a study, `[[models.conditions]]`: where the music of each comes from, in files of every version.

Version 0.1 had two checkpoints by fixed names, or tracks alone: those are read here as the conditions that they meant, and
nowhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Conditions of version 0.1 and the checkpoints that they had where a file did not name them.
EARLIER = {"base": "nano-base", "finetuned": "nano-taste"}
EARLIER_LABELS = {"finetuned": "fine-tuned"}
GIVEN = "given"
EarlierName = Literal["base", "finetuned", "given"]
EARLIER_COMPARED: Final = "finetuned"  # of the two that a high score spoke for
EARLIER_PAIRS = [(EARLIER_COMPARED, "base")]


class Blend(BaseModel):
    """Weights between those of two checkpoint conditions of one layout: `share` of the second, the rest of the first.

    Attributes
    ----------
    source : str
        The condition whose weights a share of 0 would be.
    to : str
        The condition whose weights a share of 1 would be.
    share : float
        How much of the second is in it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)

    source: str = Field(alias="from")
    to: str
    share: float = Field(gt=0, lt=1)


class Condition(BaseModel):
    """Where the music of one condition comes from: exactly one of a checkpoint, a folder of tracks, a blend.

    Attributes
    ----------
    name : str
        What stands in the data and in tables.
    label : str
        What figures and sentences say; the name where it is empty.
    checkpoint : str or None
        A MusicGen: a shipped name (``nano-base``, ``nano-taste``), a pulled one (``facebook/musicgen-small``), or a
        directory in audiocraft's or transformers' format.
    tracks : path or None
        A folder of audio files, optionally with ``tracks.csv`` (`stimuli.tracks`).
    blend : Blend or None
        A model between two others.
    prompts_of : {"other tastes"} or None
        Of a checkpoint or blend: clips that stand for a taste are made from the other tastes' prompts, evenly.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=20)
    label: str = Field(default="", max_length=40)
    checkpoint: str | None = None
    tracks: Path | None = None
    blend: Blend | None = None
    prompts_of: Literal["other tastes"] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Condition:
        kinds = [kind for kind in ("checkpoint", "tracks", "blend") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            told = " and ".join(kinds) or "none of them"
            raise ValueError(f"condition {self.name!r} has {told}; it needs exactly one of checkpoint, tracks, blend")
        if self.prompts_of is not None and self.tracks is not None:
            raise ValueError(
                f"condition {self.name!r}: tracks are not made from prompts; prompts_of needs a checkpoint"
            )
        return self

    @property
    def shown(self) -> str:
        """What figures and sentences call it."""
        return self.label or self.name

    @property
    def spoken(self) -> str:
        """What a sentence calls its music: ``fine-tuned model``, ``film tracks``."""
        return spoken(self.shown, self.tracks is not None)


def spoken(label: str, tracks: bool) -> str:
    """A condition's label as the subject of a sentence."""
    return f"{label} {'tracks' if tracks else 'model'}"


def earlier(checkpoints: dict[str, str] | None = None) -> list[Condition]:
    """The two conditions of version 0.1, with these checkpoints where they are named."""
    named = EARLIER | (checkpoints or {})
    return [Condition(name=n, label=EARLIER_LABELS.get(n, ""), checkpoint=named[n]) for n in EARLIER]


def given(folder: Path | None) -> list[Condition]:
    """The one condition that version 0.1 had for tracks."""
    return [Condition(name=GIVEN, tracks=folder or Path())]


def with_conditions(raw: dict[str, Any]) -> dict[str, Any]:
    """A `[models]` table with the checkpoints of version 0.1, ``base = `` and ``finetuned = ``, as conditions."""
    named = {name: raw[name] for name in EARLIER if name in raw}
    if not named:
        return raw
    if "conditions" in raw:
        raise ValueError(
            f"{next(iter(named))} = is version 0.1's way to declare a condition; put it into [[models.conditions]]"
        )
    for name, checkpoint in named.items():
        if not isinstance(checkpoint, str):
            raise ValueError(f"{name} = {checkpoint!r} is not the name of a checkpoint")
    return {k: v for k, v in raw.items() if k not in named} | {"conditions": earlier(named)}


def declared_in(definition: dict[str, Any]) -> list[Condition]:
    """The conditions of a study's definition as a database keeps it, of any version."""
    stimuli = definition.get("stimuli") or {}
    if stimuli.get("source") == GIVEN:
        return given(Path(stimuli["folder"]) if stimuli.get("folder") else None)
    found = with_conditions(definition.get("models") or {}).get("conditions")
    return [Condition.model_validate(c) for c in found] if found else earlier()


def default_pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Which conditions are compared where a study does not say: the second of them over the first."""
    known = list(names)
    return [(known[1], known[0])] if len(known) > 1 else []


def each_once(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs of conditions without those that are there before; of the same two in different orders the first holds."""
    found: dict[frozenset[str], tuple[str, str]] = {}
    for pair in pairs:
        found.setdefault(frozenset(pair), pair)
    return list(found.values())


def over_and_under(
    first: str, second: str, pairs: Iterable[tuple[str, str]], order: Sequence[str] = ()
) -> tuple[str, str]:
    """Two compared conditions, whichever was heard first: the one that a score over the middle speaks for, and the other.

    Of a pair that is not declared it is the later one of `order`.
    """
    known = {tuple(pair) for pair in pairs}
    if (first, second) in known or (second, first) in known:
        return (first, second) if (first, second) in known else (second, first)
    place = {name: k for k, name in enumerate(order)}
    under, over = sorted((first, second), key=lambda name: (place.get(name, len(place)), name))
    return over, under


def told_apart(conditions: Sequence[Condition]) -> None:
    """Refuse conditions that have one name, or are one music, and blends of what is no checkpoint.

    Raises
    ------
    ValueError
        One line: which condition, and what is wrong with it.
    """
    for what in ("name", "shown"):
        again = [n for n, k in Counter(getattr(c, what) for c in conditions).items() if k > 1]
        if again:
            raise ValueError(f"two conditions are {'named' if what == 'name' else 'shown as'} {again[0]!r}")
    by_name = {c.name: c for c in conditions}
    made: dict[tuple[object, ...], str] = {}
    for c in conditions:
        if c.blend is not None:
            for end in (c.blend.source, c.blend.to):
                if end not in by_name:
                    raise ValueError(
                        f"blend of {c.name!r}: there is no condition {end!r}; there are: {', '.join(by_name)}"
                    )
                if by_name[end].checkpoint is None:
                    raise ValueError(f"blend of {c.name!r}: condition {end!r} has no checkpoint of its own")
            if c.blend.source == c.blend.to:
                raise ValueError(f"blend of {c.name!r}: from and to are both {c.blend.to!r}")
        what_of = (c.checkpoint, c.tracks, c.blend and tuple(c.blend.model_dump().values()), c.prompts_of)
        if what_of in made:
            raise ValueError(f"conditions {made[what_of]!r} and {c.name!r} are the same music; leave one out")
        made[what_of] = c.name
