"""Embedding spaces by checkpoint: small networks in the published layouts, made here, and files that are no such networks."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.embeddings import vggish
from models.embeddings.spaces import check_name, open_space
from models.errors import ModelError


def tone(rate: int, seconds: float = 2.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def test_vggish_has_the_published_parameters() -> None:
    """torchvggish's vggish-10086976.pth: 18 tensors by these names; 72,141,184 weights (Hershey et al.: 62 M + dense)."""
    with torch.device("meta"):
        state = vggish.build().state_dict()
    assert {k.split(".")[0] for k in state} == {"features", "embeddings"}
    assert sorted({int(k.split(".")[1]) for k in state if k.startswith("features")}) == [0, 3, 6, 8, 11, 13]
    assert state["features.13.weight"].shape == (512, 512, 3, 3)
    assert state["embeddings.0.weight"].shape == (4096, 12288)
    assert state["embeddings.4.weight"].shape == (128, 4096)
    assert sum(t.numel() for t in state.values()) == 72_141_184


def test_vggish_front_end() -> None:
    """96 frames a patch, 0.96 s each; a tone's energy lies in the mel band around it (1127 ln(1 + f / 700))."""
    patches = vggish.patches(tone(16000, 3.0))
    assert patches.shape == (3, 96, 64)
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    band = int(patches.mean(axis=(0, 1)).argmax())
    assert edges[band] < 1127 * np.log(1 + 440 / 700) < edges[band + 2]
    assert vggish.patches(np.zeros(100)).shape == (1, 96, 64)


def test_vggish_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The dense layers hold 98 % of the weights; narrower ones keep the layout and the test small.
    real = vggish.build

    def narrow() -> torch.nn.Module:
        network = real.__wrapped__() if hasattr(real, "__wrapped__") else real()
        network.embeddings[0] = torch.nn.Linear(12288, 16)
        network.embeddings[2] = torch.nn.Linear(16, 16)
        network.embeddings[4] = torch.nn.Linear(16, 128)
        return network

    monkeypatch.setattr(vggish, "build", narrow)
    torch.manual_seed(0)
    state = narrow().state_dict()
    path = tmp_path / "vggish.pth"
    torch.save({**state, "pproc.pca_means": torch.zeros(128, 1)}, path)
    open_space.cache_clear()
    space = open_space(f"vggish:{path}")
    assert space.rate == 16000
    vectors = space.embed(tone(16000, 3.0))
    assert vectors.shape == (3, 128)
    assert np.isfinite(vectors).all()
    assert (vectors < 0).any()  # without the last rectifier
    torch.save({k: v for k, v in state.items() if k != "features.6.weight"}, path)
    open_space.cache_clear()
    with pytest.raises(ModelError, match=r"no VGGish: features\.6\.weight is missing"):
        open_space(f"vggish:{path}")


def test_encodec_from_a_directory(tmp_path: Path) -> None:
    from transformers import EncodecConfig, EncodecModel

    config = EncodecConfig(
        sampling_rate=24000, num_filters=4, hidden_size=8, codebook_size=16, codebook_dim=8, upsampling_ratios=[4, 4],
        num_lstm_layers=1,
    )  # fmt: skip
    torch.manual_seed(0)
    EncodecModel(config).save_pretrained(tmp_path / "encodec")
    space = open_space(f"encodec:{tmp_path / 'encodec'}")
    vectors = space.embed(tone(24000, 1.0))
    assert space.rate == 24000
    assert vectors.shape == (24000 // 16, 8)


def test_clap_from_a_directory(tmp_path: Path) -> None:
    from transformers import ClapAudioConfig, ClapConfig, ClapFeatureExtractor, ClapModel, ClapTextConfig

    audio = ClapAudioConfig(
        hidden_size=8, patch_embeds_hidden_size=4, depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 1, 1], num_hidden_layers=4,
        projection_dim=16,
    )  # fmt: skip
    text = ClapTextConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=50, projection_dim=16
    )
    torch.manual_seed(0)
    config = ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=16)

    config.audio_config.hidden_size = 32  # patch width times 8
    ClapModel(config).save_pretrained(tmp_path / "clap")
    ClapFeatureExtractor().save_pretrained(tmp_path / "clap")
    space = open_space(f"clap:{tmp_path / 'clap'}")
    vectors = space.embed(tone(48000, 12.0))
    assert space.rate == 48000
    assert vectors.shape == (3, 16)  # windows of 10 s from second 0, 1 and 2
    assert space.embed(tone(48000, 2.0)).shape == (1, 16)


@pytest.mark.parametrize("name", ["yamnett", "vggish", "encodec:", "foo:bar"])
def test_unknown_names(name: str) -> None:
    assert check_name(name)
    with pytest.raises(ModelError, match="no embedding space"):
        open_space(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vggish:/nowhere/v.pth", "do not exist"),
        ("encodec:/nowhere", "nowhere"),
        ("clap:nobody/nothing", "nothing"),
    ],
)
def test_missing_checkpoints_are_one_line(name: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as error:
        open_space(name)
    assert "\n" not in str(error.value)


def test_broken_checkpoint_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "encodec"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "encodec"}')
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="cannot be read") as error:
        open_space(f"encodec:{folder}")
    assert "\n" not in str(error.value)
