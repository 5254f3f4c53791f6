"""Words for a tempo: one rule for prompts, captions, labels and what a report says was asked for."""

from __future__ import annotations

LIMITS = (("slow", 80.0), ("moderate", 115.0))  # each under so many quarter notes a minute
FASTEST = "fast"
TEMPI = (*(word for word, _ in LIMITS), FASTEST)


def tempo_class(bpm: float) -> str:
    """``"slow"`` under 80 BPM, ``"moderate"`` under 115, else ``"fast"``."""
    return next((word for word, limit in LIMITS if bpm < limit), FASTEST)
