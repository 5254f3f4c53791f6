"""A fault counts as noticed where a test failed, crashed or ran on for ever; where the tests were not run, nothing counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mutation.mutants import drawn, noticed
from tests.mutation.tree import ROOT, Runner


class Told(Runner):
    """Answers as pytest did."""

    def __init__(self, *answers: tuple[int, str]):
        self.answers, self.asked = list(answers), list[list[str]]()

    def run(self, tests: Sequence[str], seconds: float, options: Sequence[str] = ()) -> tuple[int, str]:
        self.asked.append(list(tests))
        return self.answers.pop(0)


def put_in(folder: Path, *answers: tuple[int, str]) -> tuple[str | None, int]:
    """What is said of a fault where the tests of two groups answer so, and how many of them were run."""
    (mutant,) = drawn(1, "a seed")
    (folder / mutant.file).parent.mkdir(parents=True, exist_ok=True)
    (folder / mutant.file).write_bytes((ROOT / mutant.file).read_bytes())
    runner = Told(*answers)
    said = noticed(mutant, folder, runner, [(["one"], 9, "x"), ([], 9, "x"), (["two"], 9, "x")])
    assert (folder / mutant.file).read_bytes() == (ROOT / mutant.file).read_bytes()
    return said, len(runner.asked)


def test_the_first_test_that_fails_ends_it(tmp_path: Path) -> None:
    failed = "....F\nFAILED tests/test_x.py::test_y - assert 1 == 2\n"
    assert put_in(tmp_path, (1, failed)) == ("FAILED tests/test_x.py::test_y - assert 1 == 2", 1)
    assert put_in(tmp_path, (0, "1 passed"), (2, "\nERROR tests/test_z.py\n")) == ("ERROR tests/test_z.py", 2)
    assert put_in(tmp_path, (0, "1 passed"), (5, "no tests ran")) == (None, 2)
    assert put_in(tmp_path, (0, ""), (124, "")) == ("out of time (9 s)", 2)
    assert put_in(tmp_path, (-11, "Fatal Python error")) == ("crashed with signal 11", 1)


@pytest.mark.parametrize("status", [-9, -15, 70, 1, 3, 4])
def test_tests_that_were_killed_or_never_begun_notice_nothing(tmp_path: Path, status: int) -> None:
    with pytest.raises(RuntimeError, match=f"status {status} and names no test: 'no space left'"):
        put_in(tmp_path, (status, "no space left"))
