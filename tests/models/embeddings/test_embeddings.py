"""What the listening networks hear in rendered music."""

from __future__ import annotations

import numpy as np
import pytest

from models.embeddings import musicnn, yamnet


def render(instrument: str) -> np.ndarray:
    from stimuli.dataset.arrange import arrange
    from stimuli.dataset.render import render as play
    from tests.stimuli.dataset.test_dataset import SKELETON, attributes

    a = attributes(instruments=(instrument,), articulation="legato", texture="sustained chords")
    return play(arrange(SKELETON, a, 6.0, np.random.default_rng(0)), a.instruments, 6.0, 16000)


@pytest.mark.parametrize(
    ("instrument", "tags"), [("choir", {"choir", "choral"}), ("piano", {"piano"}), ("harp", {"harp", "guitar"})]
)
def test_musicnn_hears_instruments(instrument: str, tags: set[str]) -> None:
    out = musicnn.load_musicnn()(musicnn.patches(render(instrument)))
    top = {musicnn.MTT_TAGS[i] for i in out["tags"].mean(0).topk(6).indices}
    assert top & tags


def test_yamnet_tells_music_from_noise() -> None:
    rng = np.random.default_rng(0)
    noise = yamnet.embed((0.1 * rng.normal(size=96000)).astype(np.float32))
    piano, harp = yamnet.embed(render("piano")), yamnet.embed(render("harp"))
    near = float(np.linalg.norm(piano.mean(0) - harp.mean(0)))
    assert near < float(np.linalg.norm(piano.mean(0) - noise.mean(0)))
