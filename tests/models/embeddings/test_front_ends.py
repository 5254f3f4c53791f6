"""What the listening networks are given, in plain numpy from their published descriptions; and MusiCNN's layers, written out."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from models.embeddings import musicnn, vggish, yamnet

RATE = 16000


def sound(seconds: float = 1.3, seed: int = 0) -> np.ndarray:
    """A few tones over noise whose level changes."""
    t = np.arange(round(RATE * seconds)) / RATE
    noise = np.random.default_rng(seed).normal(size=len(t))
    tones = sum(np.sin(2 * np.pi * f * t) for f in (110.0, 440.0, 1234.0, 5000.0, 7400.0))
    return (0.05 * tones * (1 + np.sin(2 * np.pi * 2 * t)) + 0.01 * noise).astype(np.float32)


def magnitudes(audio: np.ndarray, window: int, hop: int, size: int) -> np.ndarray:
    """(frames, size / 2 + 1) magnitudes of whole frames by a periodic Hann window."""
    hann = np.array([0.5 - 0.5 * np.cos(2 * np.pi * i / window) for i in range(window)])
    starts = range(0, len(audio) - window + 1, hop)
    return np.array([np.abs(np.fft.rfft(audio[s : s + window].astype(np.float64) * hann, size)) for s in starts])


def htk(f: float) -> float:
    return 1127 * np.log(1 + f / 700)


def triangles(straight_in_mel: bool) -> np.ndarray:
    """(64, 257): bands between 66 points from 125 to 7500 Hz, evenly spaced in mel, with sides straight in mel or in Hz."""
    points = np.linspace(htk(125.0), htk(7500.0), 66)
    if not straight_in_mel:
        points = 700 * (np.exp(points / 1127) - 1)
    out = np.zeros((64, 257))
    for band in range(64):
        low, middle, high = points[band : band + 3]
        for k in range(257):
            x = htk(k * RATE / 512) if straight_in_mel else k * RATE / 512
            if low < x <= middle:
                out[band, k] = (x - low) / (middle - low)
            elif middle < x < high:
                out[band, k] = (high - x) / (high - middle)
    return out


def test_yamnets_log_mel_is_the_published_one() -> None:
    """params.py of tensorflow/models/research/audioset/yamnet: 16 kHz, 25 ms, 10 ms, 64 bands of 125-7500 Hz, offset 0.001.

    librosa centres the 400 samples of a window in 512, so frame n begins 56 samples later; and its bands have sides that
    are straight in Hz, TensorFlow's in mel, which moves a band's value by a few per cent.
    """
    audio = sound()
    found = yamnet.log_mel(audio)
    whole = (len(audio) - 512) // 160 + 1
    frames = magnitudes(audio[56:], 400, 160, 512)[:whole]
    assert found.shape == (*frames.shape[:1], 64)
    assert np.abs(found - np.log(frames @ triangles(False).T + 0.001)).max() < 2e-3
    assert np.abs(found - np.log(frames @ triangles(True).T + 0.001)).mean() < 0.08
    assert yamnet.log_mel(np.zeros(1000, dtype=np.float32)) == pytest.approx(np.log(0.001), abs=1e-5)


def test_yamnet_is_given_bytes_by_its_own_scale_and_zero_point(tmp_path: Path) -> None:
    """Read from the file here; a byte is mel / scale + zero point, and each patch is 96 frames, 48 after the one before."""
    import zipfile

    import onnx
    import onnxruntime

    with zipfile.ZipFile(yamnet._archive()) as archive:
        archive.extractall(tmp_path)
    (path,) = tmp_path.rglob("*.onnx")
    model = onnx.load(path)
    kept = {i.name: float(onnx.numpy_helper.to_array(i)) for i in model.graph.initializer if i.name.startswith("audio")}
    # What the network itself makes of a byte: (byte - zero point) * scale.
    (first,) = [n for n in model.graph.node if "audio" in n.input]
    assert (first.op_type, list(first.input)) == ("DequantizeLinear", ["audio", "audio_scale", "audio_zero_point"])
    pooled = "/model/GlobalAveragePool_output_0"
    model.graph.output.append(onnx.helper.make_tensor_value_info(pooled, onnx.TensorProto.FLOAT, [1, 1024, 1, 1]))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    audio = sound(2.0)
    mel = yamnet.log_mel(audio)
    expected = []
    for start in (0, 48, 96):
        bytes_ = np.round(mel[start : start + 96] / kept["audio_scale"] + kept["audio_zero_point"])
        assert 0 <= bytes_.min() < bytes_.max() <= 255
        given = np.clip(bytes_, 0, 255).astype(np.uint8)
        expected.append(session.run([pooled], {"audio": given[None, None]})[0].ravel())
    found = yamnet.embed(audio)
    assert found.shape == (3, 1024)
    assert np.abs(found - np.array(expected)).max() < 1e-3
    assert found.std() > 0.05


def test_yamnet_fills_short_audio_up_with_silence_to_one_patch() -> None:
    """96 frames want 95 hops and one window of 512 samples: 15,712; a sample less is filled, 48 frames more are two patches."""
    audio = sound(1.5)
    whole = 95 * 160 + 512
    filled = np.concatenate([audio[:9000], np.zeros(whole - 9000, dtype=np.float32)])
    assert np.array_equal(yamnet.embed(audio[:9000]), yamnet.embed(filled))
    assert len(yamnet.embed(audio[:whole])) == 1
    assert len(yamnet.embed(audio[: whole + 48 * 160 - 1])) == 1
    assert len(yamnet.embed(audio[: whole + 48 * 160])) == 2


def test_vggishs_patches_are_the_published_ones() -> None:
    """mel_features.py of tensorflow/models/research/audioset/vggish: log(mel + 0.01), bands with sides straight in mel."""
    audio = sound(2.1)
    frames = magnitudes(audio, 400, 160, 512)
    expected = np.log(frames @ triangles(True).T + 0.01)
    found = vggish.patches(audio)
    assert found.shape == (2, 96, 64)
    assert np.abs(found.reshape(192, 64) - expected[:192]).max() < 1e-4
    filled = np.concatenate([audio[:5000], np.zeros(400 + 95 * 160 - 5000)])
    assert np.array_equal(vggish.patches(audio[:5000]), vggish.patches(filled))
    assert len(vggish.patches(audio[: 400 + 191 * 160 - 1])) == 1
    assert len(vggish.patches(audio[: 400 + 191 * 160])) == 2


def slaney(f: float) -> float:
    """Slaney's auditory toolbox: 200/3 Hz a mel under 1 kHz, above it 27 steps for a factor of 6.4."""
    return f / (200 / 3) if f < 1000 else 15 + np.log(f / 1000) / (np.log(6.4) / 27)


def slaney_hz(m: float) -> float:
    return m * 200 / 3 if m < 15 else 1000 * np.exp((m - 15) * np.log(6.4) / 27)


def test_musicnns_log_mel_is_the_published_one() -> None:
    """extractor.py of musicnn: librosa's 96 mel bands of power, 512 samples every 256, log10(10000 x + 1).

    librosa's bands: Slaney's scale, triangles of area one in Hz; frames centred, zeros around the sound.
    """
    audio = sound(0.7)
    padded = np.concatenate([np.zeros(256), audio, np.zeros(256)])
    power = magnitudes(padded, 512, 256, 512) ** 2
    points = [slaney_hz(m) for m in np.linspace(0, slaney(8000.0), 98)]
    bank = np.zeros((96, 257))
    for band in range(96):
        low, middle, high = points[band : band + 3]
        for k in range(257):
            f = k * RATE / 512
            bank[band, k] = max(0.0, min((f - low) / (middle - low), (high - f) / (high - middle))) * 2 / (high - low)
    found = musicnn.log_mel(audio)
    assert found.shape == (len(power), 96)
    assert np.abs(found - np.log10(10000 * power @ bank.T + 1)).max() < 1e-4


def test_musicnn_takes_three_seconds_at_a_time_and_repeats_what_is_shorter() -> None:
    audio = sound(6.5)
    mel = musicnn.log_mel(audio)
    found = musicnn.patches(audio).numpy()
    assert np.array_equal(found, np.stack([mel[:187], mel[187:374]]))
    short = sound(0.5)
    mel = musicnn.log_mel(short)
    assert np.array_equal(musicnn.patches(short)[0].numpy(), np.concatenate([mel] * 8)[:187])


def musicnn_by_hand(tensors: dict[str, np.ndarray], mel: np.ndarray) -> dict[str, np.ndarray]:
    """models.py of musicnn for one patch (frames, 96), in numpy: the layers in the order in which they were made."""
    t = {k: v.astype(np.float64) for k, v in tensors.items()}

    def norm(x: np.ndarray, i: int) -> np.ndarray:
        n = "batch_normalization" + (f"_{i}" if i else "")
        return (x - t[f"{n}/moving_mean"]) / np.sqrt(t[f"{n}/moving_variance"] + 1e-3) * t[f"{n}/gamma"] + t[
            f"{n}/beta"
        ]

    def convolved(x: np.ndarray, i: int) -> np.ndarray:
        n = "conv2d" + (f"_{i}" if i else "")
        kernel = t[f"{n}/kernel"]  # height, width, 1, filters
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2])
        return np.maximum(0, np.einsum("abhw,hwf->abf", windows, kernel[:, :, 0], optimize=True) + t[f"{n}/bias"])

    def padded(x: np.ndarray, before: int, after: int) -> np.ndarray:
        return np.pad(x, ((before, after), (0, 0)))

    x = norm(mel[..., None].astype(np.float64), 0)[..., 0]
    front = []
    # Two timbral blocks (7 frames high), three temporal ones (128, 64 and 32 frames; TensorFlow's "same" adds more after).
    for i, (before, after) in enumerate(((3, 3), (3, 3), (63, 64), (31, 32), (15, 16))):
        front.append(norm(convolved(padded(x, before, after), i), i + 1).max(axis=1))
    features = np.concatenate(front, axis=1)
    layers, h = [features], features
    for i in (5, 6, 7):
        out = norm(convolved(padded(h, 3, 3), i)[:, 0], i + 1)
        h = out if i == 5 else out + h
        layers.append(h)
    everything = np.concatenate(layers, axis=1)
    pooled = np.stack([everything.max(axis=0), everything.mean(axis=0)], axis=1).ravel()
    dense = np.maximum(0, norm(pooled, 9) @ t["dense/kernel"] + t["dense/bias"])
    penultimate = norm(dense, 10)
    logits = penultimate @ t["dense_1/kernel"] + t["dense_1/bias"]
    names = ("front", "cnn1", "cnn2", "cnn3")
    return {**dict(zip(names, layers, strict=True)), "penultimate": penultimate, "tags": 1 / (1 + np.exp(-logits))}


@pytest.mark.parametrize("trained_on", ["MTT", "MSD"])
def test_musicnns_layers_are_the_published_ones(trained_on: str) -> None:
    from models.embeddings.tensor_bundle import read_tensor_bundle

    spec = find_spec("musicnn")
    assert spec is not None
    folder = Path(str(spec.origin)).parent / f"{trained_on}_musicnn"
    tensors = read_tensor_bundle(folder / ".index", folder / ".data-00000-of-00001")
    mel = musicnn.log_mel(sound(0.6))
    found = musicnn.load_musicnn(trained_on)(torch.from_numpy(mel)[None])
    for name, value in musicnn_by_hand(tensors, mel).items():
        assert np.abs(found[name][0].numpy() - value).max() < 1e-3 * max(1.0, np.abs(value).max()), name
        assert value.std() > 0


def test_a_musicnn_vector_is_of_its_own_three_seconds() -> None:
    audio = sound(6.5)
    both = musicnn.embed(audio)
    assert both.shape == (2, 200)
    again = musicnn.load_musicnn().forward(musicnn.patches(audio)[1:])["penultimate"].numpy()
    assert np.abs(both[1] - again[0]).max() < 1e-4
    assert np.abs(both[0] - both[1]).max() > 1e-2


def test_tags_stand_in_the_order_of_the_network() -> None:
    """configuration.py inside the pinned package; read as text, because the package imports TensorFlow."""
    import ast

    spec = find_spec("musicnn")
    assert spec is not None
    text = (Path(str(spec.origin)).parent / "configuration.py").read_text()
    listed = {
        node.targets[0].id: ast.literal_eval(node.value)  # type: ignore[attr-defined]
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
    }
    assert list(musicnn.MTT_TAGS) == listed["MTT_LABELS"]
