from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.embeddings import musicnn, yamnet
from models.embeddings.tensor_bundle import read_tensor_bundle
from models.errors import ModelError
from models.minilm import shared_minilm


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


def test_musicnn_shapes() -> None:
    out = musicnn.load_musicnn("MSD")(musicnn.patches(render("piano")))
    assert out["front"].shape == (2, 187, 561)
    assert out["cnn3"].shape == (2, 187, 64)
    assert out["penultimate"].shape == (2, 200)


def test_yamnet_tells_music_from_noise() -> None:
    rng = np.random.default_rng(0)
    noise = yamnet.embed((0.1 * rng.normal(size=96000)).astype(np.float32))
    piano, harp = yamnet.embed(render("piano")), yamnet.embed(render("harp"))
    assert piano.shape[1] == 1024
    near = float(np.linalg.norm(piano.mean(0) - harp.mean(0)))
    assert near < float(np.linalg.norm(piano.mean(0) - noise.mean(0)))


def test_short_audio_is_padded() -> None:
    assert yamnet.embed(np.zeros(100, dtype=np.float32)).shape == (1, 1024)
    assert musicnn.embed(render("piano")[:16000]).shape == (1, 200)


def test_minilm_knows_neighbours() -> None:
    sweet, honey, engine = shared_minilm().sentences(["a sweet taste", "sugar and honey", "a diesel engine"])
    assert sweet @ honey > sweet @ engine + 0.2
    assert shared_minilm().token_states("umami and astringent", 64).shape[1] == 384


def test_not_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "x.index").write_bytes(b"x" * 100)
    with pytest.raises(ModelError, match="not a TensorFlow checkpoint"):
        read_tensor_bundle(tmp_path / "x.index", tmp_path / "x.data")
