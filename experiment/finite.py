"""Numbers that are none: what TOML and JSON call ``inf`` and ``nan``."""

from __future__ import annotations

import math
from typing import Any


def endless(value: Any, where: str = "") -> tuple[str, float] | None:
    """The first number among nested tables and lists that is infinite, or none at all, with where it stands; None where all are.

    No setting, time or answer means such a number, and what keeps one as JSON can't be read again.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return where, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    return next((x for key, part in inner if (x := endless(part, f"{where}.{key}" if where else str(key)))), None)
