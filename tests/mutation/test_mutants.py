"""A fault counts as noticed where a test failed, crashed or ran on for ever; where the tests were not run, nothing counts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import pytest

from analysis.kept import Kept
from tests.mutation import mutants
from tests.mutation.draw import Mutant
from tests.mutation.mutants import beside_others, drawn, judged, key, listed, named, noticed, results
from tests.mutation.tree import ROOT, Runner


class Told(Runner):
    """Answers as pytest did."""

    def __init__(self, *answers: tuple[int, str]):
        self.answers, self.asked = list(answers), list[list[str]]()

    def run(self, tests: Sequence[str], seconds: float, options: Sequence[str] = ()) -> tuple[int, str]:
        self.asked.append(list(tests))
        return self.answers.pop(0)


@cache
def _one() -> Mutant:
    (mutant,) = drawn(1, "a seed", "experiment/design.py")
    return mutant


def put_in(folder: Path, *answers: tuple[int, str]) -> tuple[str | None, int]:
    """What is said of a fault where the tests of two groups answer so, and how many of them were run."""
    mutant = _one()
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
    assert put_in(tmp_path, (0, ""), (124, ""), (0, "1 passed")) == ("out of time (9 s)", 3)
    assert put_in(tmp_path, (-11, "Fatal Python error")) == ("crashed with signal 11", 1)


def test_what_breaks_every_import_is_noticed(tmp_path: Path) -> None:
    said = "ImportError while loading conftest 'tests/experiment/data/conftest.py'.\nE   KeyError: 'x'\n"
    assert put_in(tmp_path, (4, said)) == ("nothing can be imported any more", 1)


def test_tests_that_are_late_without_the_fault_too_are_given_more_time(tmp_path: Path) -> None:
    """On a busy machine a limit says nothing of the fault."""
    late = (124, "")
    assert put_in(tmp_path, late, late, (0, "1 passed"), (0, "1 passed")) == (None, 4)
    assert put_in(tmp_path, late, late, (1, "FAILED tests/test_x.py::test_y")) == ("FAILED tests/test_x.py::test_y", 3)
    assert put_in(tmp_path, late, late, late) == ("out of time (72 s)", 3)


@pytest.mark.parametrize("status", [-9, -15, 70, 1, 3, 4])
def test_tests_that_were_killed_or_never_begun_notice_nothing(tmp_path: Path, status: int) -> None:
    with pytest.raises(RuntimeError, match=f"status {status} and names no test: 'no space left'"):
        put_in(tmp_path, (status, "no space left"))


def test_what_is_known_of_a_part_stands_beside_what_is_known_of_all_code() -> None:
    whole = beside_others({}, {"commit": "a"}, [])
    assert whole == {"commit": "a"}
    one = beside_others(whole, {"commit": "b"}, ["x/*"])
    two = beside_others(one, {"commit": "c"}, ["y.py", "z.py"])
    assert two == {"commit": "a", "parts": [{"of": ["x/*"], "commit": "b"}, {"of": ["y.py", "z.py"], "commit": "c"}]}
    assert beside_others(two, {"commit": "d"}, ["x/*"])["parts"] == [
        {"of": ["x/*"], "commit": "d"}, {"of": ["y.py", "z.py"], "commit": "c"},
    ]  # fmt: skip
    assert beside_others(two, {"commit": "e"}, []) == two | {"commit": "e"}


def test_rates_are_told_by_file_or_package_with_every_survivor() -> None:
    made = [Mutant(f, k, "sign", k, k + 1, "a", "b") for k, f in enumerate(("p/x.py", "p/x.py", "p/y.py", "q/z.py"))]
    known = {key(m): "a test" if m.line != 1 else None for m in made}
    found = results(made, known, by_file=True)
    assert [(r["of"], r["faults"], r["noticed"]) for r in found["by_file"]] == [
        ("p/x.py", 2, 1), ("p/y.py", 1, 1), ("q/z.py", 1, 1), ("all", 4, 3),
    ]  # fmt: skip
    assert [(s["file"], s["line"]) for s in found["survivors"]] == [("p/x.py", 1)]
    packages = results(made, known, by_file=False)["by_package"]
    assert [(r["of"], r["faults"], r["noticed"]) for r in packages] == [("p", 3, 2), ("q", 1, 1), ("all", 4, 3)]


def test_faults_are_drawn_in_files_that_match_one_of_the_patterns() -> None:
    files = {m.file for m in drawn(60, "a", "experiment/tasks/p*", "experiment/steps.py")}
    assert files == {"experiment/tasks/pages.py", "experiment/tasks/preference.py", "experiment/steps.py"}


def test_a_share_is_judged_by_its_list_and_what_one_judged_is_known_to_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = drawn(4, "a seed", "experiment/design.py")
    lines = [listed(m) for m in chosen]
    share = named(chosen, [lines[2], "", lines[0]])
    assert share == [chosen[0], chosen[2]]
    with pytest.raises(ValueError, match="no fault that is drawn here is called 0123"):
        named(chosen, [lines[1], "0123 experiment/design.py:1 sign"])
    seen: list[Mutant] = []

    def said(mutant: Mutant, *_: object) -> str | None:
        seen.append(mutant)
        return "a test" if mutant == chosen[0] else None

    monkeypatch.setattr(mutants, "noticed", said)
    monkeypatch.setattr(mutants, "copied", lambda path: nullcontext(path))
    monkeypatch.setattr(mutants, "Runner", lambda copy: nullcontext(Told()))
    mutants.run(share, lambda m: [], 1, {}, Kept(tmp_path))
    known = judged(chosen, Kept(tmp_path))
    assert known == {key(chosen[0]): "a test", key(chosen[2]): None}
    mutants.run(chosen, lambda m: [], 1, known, Kept(tmp_path))
    assert seen == [*share, chosen[1], chosen[3]]
