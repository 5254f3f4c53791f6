"""What a check of a station found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

State = Literal["ok", "warning", "FAILED"]


@dataclass(frozen=True)
class Check:
    """One finding."""

    check: str
    state: State
    found: str
    mend: str = ""

    def row(self) -> dict[str, Any]:
        """As a table shows it."""
        return {"check": self.check, "state": self.state, "found": self.found, "mend": self.mend}
