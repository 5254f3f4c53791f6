"""Too few clips: what is said reads right of one clip too."""

from __future__ import annotations

from experiment.shortage import unheard, unpaired


def test_one_clip_is_one_clip() -> None:
    said = unpaired("sour", 1, "film", "base", {"film": {0}, "base": {0, 1, 2}})
    assert said.startswith("'film' has 1 clip of 'sour' and 'base' has 3, ")
    assert unpaired("sour", 2, "film", "base", {"film": {0, 1}, "base": {0, 1, 2}}).startswith(
        "'film' has 2 clips of 'sour'"
    )
    assert "needs 2 at least and 1 is there; " in unheard("sour", "film", 1, 2, ["clips of ratings"])
    assert "needs 3 at least and 2 are there; " in unheard("sour", "film", 2, 3, ["clips of ratings"])
