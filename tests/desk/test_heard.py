"""A browser's sound at the sound card is the clip: Chromium on the virtual desk; onsets of a hundred plays: benchmarks.heard."""

from __future__ import annotations

import pytest

from benchmarks.browsing import chromium
from benchmarks.heard import alike, at_one_rate, ours
from experiment.lab.desk import RATE, virtual_desk
from tests.web.hand import CHROMIUM

pytestmark = [pytest.mark.desk, pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this computer")]


def test_a_clip_reaches_the_sound_card_as_it_is() -> None:
    """Both ears, at the rates that models make; each clip has another sound in it."""
    with at_one_rate(RATE), virtual_desk() as desk, chromium(desk.environment) as browser:
        found = alike(ours(desk, browser, 2, 1.0, (32000, 48000)), 1.0, (32000, 48000))
    assert (found["clips"], found["stored_whole"], found["underruns"]) == (2, 2, 0)
    assert found["r_smallest"] > 0.999
    assert found["gain_db"] == pytest.approx([0.0, 0.0], abs=0.05)
