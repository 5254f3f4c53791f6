"""The list of faults stays true to the code; `python -m tests.mutation.faults` puts them in."""

from __future__ import annotations

from tests.mutation.faults import listed
from tests.mutation.tree import ROOT


def test_every_fault_can_be_put_in_and_names_tests_that_are_there() -> None:
    faults = listed()
    assert len(faults) > 0
    for fault in faults:
        assert fault.applied(ROOT) != (ROOT / fault.file).read_text(encoding="utf-8")
        assert fault.tests
        for test in fault.tests:
            path, _, name = test.partition("::")
            assert (ROOT / path).is_file(), test
            assert not name or f"def {name.split('::')[-1].split('[')[0]}(" in (ROOT / path).read_text(), test
