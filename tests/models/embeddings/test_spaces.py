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


def vggish_by_hand(state: dict[str, np.ndarray], patches: np.ndarray) -> np.ndarray:
    """vggish_slim.py in numpy: 3 x 3 convolutions with rectifiers, maxima of 2 x 2, then dense layers over time, band, channel."""
    h = patches[:, :, :, None].astype(np.float64)
    for layer in (0, "max", 3, "max", 6, 8, "max", 11, 13, "max"):
        if layer == "max":
            n, time, bands, width = h.shape
            h = h.reshape(n, time // 2, 2, bands // 2, 2, width).max(axis=(2, 4))
            continue
        kernel, bias = state[f"features.{layer}.weight"], state[f"features.{layer}.bias"]
        padded = np.pad(h, ((0, 0), (1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
        h = np.maximum(0, np.einsum("ntbchw,kchw->ntbk", windows, kernel, optimize=True) + bias)
    h = h.reshape(len(h), -1)
    for layer in (0, 2, 4):
        h = h @ state[f"embeddings.{layer}.weight"].T + state[f"embeddings.{layer}.bias"]
        if layer < 4:
            h = np.maximum(0, h)
    return h


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
    audio = tone(16000, 3.0) * np.linspace(0, 1, 48000, dtype=np.float32)
    vectors = space.embed(audio)
    assert (
        np.abs(vectors - vggish_by_hand({k: v.numpy() for k, v in state.items()}, vggish.patches(audio))).max() < 1e-5
    )
    assert vectors.shape == (3, 128)
    assert vectors.std(axis=0).max() > 1e-4
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
    theirs = EncodecModel(config).eval()
    theirs.save_pretrained(tmp_path / "encodec")
    space = open_space(f"encodec:{tmp_path / 'encodec'}")
    audio = (0.3 * np.random.default_rng(0).normal(size=4800)).astype(np.float32)
    vectors = space.embed(audio)
    assert space.rate == 24000
    theirs.quantizer.layers[0].codebook.embed.copy_(torch.from_numpy(vectors[5::19][:16]))
    # A frame's nearest codes, by distance, are those that transformers' model itself encodes it to.
    with torch.no_grad():
        codes = theirs.encode(torch.from_numpy(audio)[None, None], bandwidth=config.target_bandwidths[0]).audio_codes
    book = theirs.quantizer.layers[0].codebook.embed.numpy()
    assert vectors.shape == (300, 8)
    nearest = ((vectors[:, None] - book[None]) ** 2).sum(-1).argmin(1)
    assert nearest.tolist() == codes[0, 0, 0].tolist()
    assert len(set(nearest)) > 1


def test_stereo_encodec_is_refused(tmp_path: Path) -> None:
    from transformers import EncodecConfig, EncodecModel

    config = EncodecConfig(
        sampling_rate=24000, audio_channels=2, num_filters=4, hidden_size=8, codebook_size=16, codebook_dim=8,
        upsampling_ratios=[4, 4], num_lstm_layers=1,
    )  # fmt: skip
    EncodecModel(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="is an EnCodec for 2 channels; a mono one is needed"):
        open_space(f"encodec:{tmp_path}")


def test_the_codecs_latents_are_what_its_codes_are_nearest_to() -> None:
    """The first code of a frame is the nearest entry of the first book, as audiocraft's codec itself encodes."""
    from models.musicgen.nano import load_codec

    space = open_space("codec")
    assert space.rate == 16000
    audio = tone(16000, 1.0) * np.linspace(0, 1, 16000, dtype=np.float32)
    vectors = space.embed(audio)
    assert vectors.shape == (25, 64)
    codec = load_codec()
    codes, _ = codec.encode(torch.from_numpy(audio)[None, None])
    book = codec.quantizer.vq.layers[0]._codebook.embed.numpy()
    assert ((vectors[:, None] - book[None]) ** 2).sum(-1).argmin(1).tolist() == codes[0, 0].tolist()


def test_shipped_spaces_are_themselves() -> None:
    from models.embeddings import musicnn, yamnet

    audio = tone(16000, 3.5) * np.linspace(0, 1, 56000, dtype=np.float32)
    for name, embed in (("yamnet", yamnet.embed), ("musicnn", musicnn.embed)):
        space = open_space(name)
        assert (space.name, space.rate) == (name, 16000)
        assert np.array_equal(space.embed(audio), embed(audio))


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
    theirs = ClapModel(config).eval()
    theirs.save_pretrained(tmp_path / "clap")
    extractor = ClapFeatureExtractor()
    extractor.save_pretrained(tmp_path / "clap")
    space = open_space(f"clap:{tmp_path / 'clap'}")
    audio = tone(48000, 12.5) * np.linspace(0, 1, 600000, dtype=np.float32)
    vectors = space.embed(audio)
    assert space.rate == 48000
    assert vectors.shape == (3, 16)
    # Windows of 10 s from second 0, 1 and 2; each as transformers' own model embeds it alone.
    for second, vector in enumerate(vectors):
        window = audio[second * 48000 : (second + 10) * 48000]
        given = extractor(
            window, sampling_rate=48000, return_tensors="pt", truncation="rand_trunc", padding="repeatpad"
        )
        with torch.no_grad():
            states = theirs.audio_model(given["input_features"], given["is_longer"]).pooler_output
            expected = theirs.audio_projection(states)[0]
        expected = expected / expected.norm()
        assert np.abs(vector / np.linalg.norm(vector) - expected.numpy()).max() < 1e-4
    assert np.abs(vectors[0] - vectors[2]).max() > 1e-4
    assert space.embed(tone(48000, 2.0)).shape == (1, 16)


@pytest.mark.parametrize("name", ["yamnett", "vggish", "encodec:", "foo:bar"])
def test_unknown_names(name: str) -> None:
    assert check_name(name) == f"{name!r} is no embedding space"
    with pytest.raises(ModelError) as told:
        open_space(name)
    assert str(told.value) == (
        f"{name!r} is no embedding space; there are: yamnet, musicnn, codec, vggish:FILE, encodec:NAME, clap:NAME"
    )


@pytest.mark.parametrize("name", ["yamnet", "musicnn", "codec", "vggish:x", "encodec:x", "clap:x/y"])
def test_names_of_spaces(name: str) -> None:
    assert check_name(name) is None


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
