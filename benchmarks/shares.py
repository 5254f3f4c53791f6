"""Long measurements in shares: ``python -m benchmarks.shares coverage --jobs 16`` or ``--executor slurm``, or by hand with ``--todo``, ``--units``.

What is made is kept in outputs/evidence under a fingerprint of the code that it measures; ``python -m benchmarks.evidence coverage`` takes it
from there, makes what is missing, and writes the figures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.calibration import calibration_cells
from benchmarks.cells import FOLDER, Cells
from benchmarks.studies import coverage_cells

MEASUREMENTS: dict[str, Callable[[], Cells]] = {"coverage": coverage_cells, "calibration": calibration_cells}


def main(words: list[str]) -> int:
    """Make the cells of a measurement, all or a share, or list them; returns the status."""
    from tastelab.cluster.heavy import Work
    from tastelab.cluster.here import made_here
    from tastelab.cluster.settings import settings_for
    from tastelab.cluster.submit import run_all, told_of
    from tastelab.context import progress
    from tastelab.errors import UserError
    from tastelab.options import listed

    parser = argparse.ArgumentParser(prog="python -m benchmarks.shares", description=__doc__)
    parser.add_argument("measurement", choices=[*MEASUREMENTS])
    parser.add_argument(
        "--todo", action="store_true", help="list the cells that are not made, one a line, and make none"
    )
    parser.add_argument("--units", type=Path, help="a file of cells, one a line, which alone are made")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--executor", default="local", help="local, or slurm")
    parser.add_argument("--site", type=Path, help="what jobs ask of the cluster (TOML)")
    given = parser.parse_args(words)
    opened = MEASUREMENTS[given.measurement]
    step = opened()
    if given.todo:
        done = step.done(step.units())
        for unit in step.units():
            if unit.name not in done:
                print(unit.name)
        return 0
    work = Work(step.name, FOLDER / "units", opened)
    try:
        settings = settings_for(given.executor, given.site)
        share = None if given.units is None else listed(given.units)
        if settings is not None:
            run_all([work], settings)
            return 0
        with progress(step.name) as update:
            told = made_here(work, share, given.jobs, update)
        told_of(told.problems)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    print(f"{told.made} of {told.units} cells are made")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
