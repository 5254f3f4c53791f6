"""Faults that users would suffer from, each with the tests that must notice it: ``python -m tests.mutation.faults [KIND ...]``.

``faults/KIND.toml`` lists them: what it does to a user (`says`), the file, the text that stands there once (`old`), what is
put in its place (`new`), and the tests that must then fail. Each fault is put into a copy of the tree; its tests are run
there with it and, all together, without any. Exit status 1 where one passes with its fault in, or fails without.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.tree import Runner, broken, copied

FOLDER = Path(__file__).parent / "faults"
FAILED = 1  # pytest's status where a test failed; others mean that it could not be run


@dataclass(frozen=True)
class Fault:
    """One fault: `old` stands exactly once in `file`."""

    kind: str
    says: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, root: Path) -> str:
        """The file's text with the fault in it.

        Raises
        ------
        ValueError
            If `old` does not stand in the file exactly once: the list is out of date.
        """
        text = (root / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.kind}: {self.says}: {self.old!r} stands {text.count(self.old)} times in {self.file}"
            )
        return text.replace(self.old, self.new)


def listed(kinds: list[str] | None = None) -> list[Fault]:
    """All faults, or those of some kinds."""
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        if not kinds or path.stem in kinds:
            for row in tomllib.loads(path.read_text(encoding="utf-8"))["fault"]:
                found.append(Fault(path.stem, row["says"], row["file"], row["old"], row["new"], tuple(row["tests"])))
    return found


def main() -> int:
    """Put every fault in, one after the other, and say whether its tests noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", help="names of files in tests/mutation/faults; all where none is given")
    parser.add_argument("--seconds", type=float, default=600, help="limit of one run of tests")
    given = parser.parse_args()
    faults = listed(given.kinds)
    missed = 0
    with tempfile.TemporaryDirectory() as folder, copied(Path(folder) / "tree") as copy, Runner(copy) as runner:
        sound = sorted({t for f in faults for t in f.tests})
        status, output = runner.run(sound, 4 * given.seconds)
        if status != 0:
            sys.stderr.write(f"without any fault these tests do not pass:\n{output[-3000:]}\n")
            return 1
        for fault in faults:
            with broken(copy / fault.file, fault.applied(copy)):
                status, output = runner.run(fault.tests, given.seconds)
            noticed = status in (FAILED, 124)
            missed += not noticed
            last = next((x for x in reversed(output.splitlines()) if x.startswith(("FAILED", "ERROR"))), "")
            sys.stdout.write(f"{'noticed' if noticed else 'MISSED '}  {fault.kind}: {fault.says}  {last[:120]}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(faults) - missed} of {len(faults)} faults noticed\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
