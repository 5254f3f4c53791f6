"""What is said where there are too few clips for a design: how many there are, how many it takes, and what may be changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping


def unpaired(taste: str, number: int, lacking: str, other: str, numbers: Mapping[str, Collection[int]]) -> str:
    """A clip of one condition has no partner in another, with which it is compared; `numbers` are those of each one's clips."""
    there, others = len(numbers[lacking]), len(numbers[other])
    if there < others and number > max(numbers[lacking], default=-1):
        return (
            f"{lacking!r} has {there} clip{'s' * (there != 1)} of {taste!r} and {other!r} has {others}, and they are compared one by one: have as many of "
            f"both (of own tracks: more tracks, or clips_per_taste = {there} in [stimuli]), then run 'tastelab stimuli generate'"
        )
    return (
        f"clip {number} of {taste!r} is missing from {lacking!r}, with which {other!r} is compared; run 'tastelab stimuli generate' (of "
        "own tracks: give it that number in tracks.csv)"
    )


def unheard(taste: str, condition: str, there: int, needed: int, asked: Iterable[str]) -> str:
    """Too few clips of a taste to be heard once by one person; `asked` is what takes them."""
    return (
        f"too few clips of {taste!r} in {condition!r}: a person's session needs {needed} at least and {there} {'is' if there == 1 else 'are'} there; have more "
        f"(clips_per_taste; of own tracks: more tracks) or ask for fewer ({', '.join(asked)})"
    )
