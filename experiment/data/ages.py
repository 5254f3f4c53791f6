"""Ages leave the database in bands alone: one division of them, for exports and for reports."""

from __future__ import annotations

AGE_BANDS = ((0, 17), (18, 24), (25, 34), (35, 44), (45, 54), (55, 64), (65, 120))  # years, first and last of each


def age_band(age: float) -> str:
    """The band of an age in years, e.g. ``"25-34"``; the years count that are full, so that 17.5 is 17."""
    return next((name for name, (_, last) in zip(BANDS, AGE_BANDS, strict=True) if age < last + 1), BANDS[-1])


def coarse_age(age: float) -> float:
    """The year that stands for an age's band: its middle; of the open ones the year next to the others, or as if it had ten."""
    middles = [last if first == 0 else (first + min(last, first + 9)) / 2 for first, last in AGE_BANDS]
    return float(middles[BANDS.index(age_band(age))])


BANDS = tuple(f"{first}-{last}" for first, last in AGE_BANDS)
