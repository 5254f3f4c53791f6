"""Clips that are disturbed on a virtual desk: what did not sound as it is was never whole."""

from __future__ import annotations

import pytest

from benchmarks.disturbed import plays

pytestmark = pytest.mark.desk


def test_a_card_that_stalls_for_a_moment() -> None:
    """Suspended for .1 to .8 s in mid-clip: PulseAudio lets go what it holds, and no driver counts that.

    At .05 s what is lost lies at the limit of what can be told (`python -m benchmarks.evidence disturbed` says how often it is).
    """
    found = plays("stalled", 4, (0.1, 0.2, 0.4, 0.8))
    assert (found["plays"], found["whole"], found["heard_otherwise"]) == (4, 0, 4)


@pytest.mark.parametrize("how", ["moved", "starved"])
def test_a_card_of_another_rate_and_a_processor_that_others_have(how: str) -> None:
    """Eight busy processes, or a stream that goes on at 44.1 kHz: what is said to be whole is."""
    found = plays(how, 3)
    assert found["plays"] == 3
    assert found["whole_and_heard_otherwise"] == 0
