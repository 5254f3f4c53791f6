"""What takes long is worked out in parts, each kept as a small file under a fingerprint of all that it depends on, its code among it.

A part is written under a temporary name and renamed: nothing is half-written, and two that work out the same do no harm.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from stimuli.units import Account, Unit, attempt
from stimuli.waiting import partial

ROOT = Path(__file__).parent.parent
NUMBERS = ("numpy", "scipy")  # libraries whose version may show in a last digit, or in what a seed draws


@dataclass(frozen=True)
class Kept:
    """A folder of such parts."""

    folder: Path

    def path(self, fingerprint: str) -> Path:
        """Where a part lies."""
        return self.folder / f"{fingerprint}.json"

    def has(self, fingerprint: str) -> bool:
        """Whether it is worked out."""
        return self.path(fingerprint).exists()

    def get(self, fingerprint: str) -> Any:
        """What was worked out; None where nothing was, or its file is damaged."""
        try:
            return json.loads(self.path(fingerprint).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def put(self, fingerprint: str, value: Any) -> None:
        """Keep what was worked out; numbers come back to the last digit."""
        path = self.path(fingerprint)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = partial(path)
        unfinished.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
        os.replace(unfinished, path)


def digest_of(files: Iterable[Path]) -> str:
    """Digest of what files hold, in their order."""
    return hashlib.sha256("".join(hashlib.sha256(p.read_bytes()).hexdigest() for p in files).encode()).hexdigest()


@cache
def made_by(*places: str) -> list[str]:
    """What code works something out: a digest of packages and modules, by their place in the house, and the versions of `NUMBERS`."""
    from importlib.metadata import version

    files = [p for place in places for p in (sorted((ROOT / place).rglob("*.py")) or [ROOT / place])]
    return [digest_of(files), *(version(name) for name in NUMBERS)]


class KeptStep:
    """A step whose units are kept under their fingerprints (`stimuli.units.Step`): `_of` says which, `_made` works one out by its name."""

    name: str
    aligned = 1
    needs: tuple[str, ...] = ()
    kept: Kept
    _of: dict[str, str]

    def units(self) -> list[Unit]:
        """In the order in which they were named."""
        return [Unit(name, of) for name, of in self._of.items()]

    def done(self, units: Sequence[Unit]) -> set[str]:
        """Those that are kept."""
        return {u.name for u in units if self.kept.has(u.fingerprint)}

    def make(self, names: Sequence[str], account: Account) -> None:
        """One after the other."""
        for name in names:
            if self.kept.has(self._of[name]):
                account.made([name])
            else:
                attempt(account, [name], self._keep)

    def _keep(self, names: Sequence[str]) -> None:
        for name in names:
            self.kept.put(self._of[name], self._made(name))

    def _made(self, name: str) -> Any:
        raise NotImplementedError  # each step makes units of its own kind

    def gather(self) -> None:
        """Each lies where it is looked for."""
