"""Clips that are disturbed on a virtual desk: what did not sound as it is was never whole."""

from __future__ import annotations

import pytest

from benchmarks.disturbed import plays

pytestmark = pytest.mark.desk


def test_a_card_that_stalls_for_a_moment() -> None:
    """Suspended for .05 to .4 s in mid-clip: PulseAudio lets go what it holds, and no driver counts that."""
    found = plays("stalled", 4)
    assert (found["plays"], found["whole"], found["heard_otherwise"]) == (4, 0, 4)


@pytest.mark.parametrize("how", ["moved", "starved"])
def test_a_card_of_another_rate_and_a_processor_that_others_have(how: str) -> None:
    """Eight busy processes, or a stream that goes on at 44.1 kHz: what is said to be whole is."""
    found = plays(how, 3)
    assert found["plays"] == 3
    assert found["whole_and_heard_otherwise"] == 0
