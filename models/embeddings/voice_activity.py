"""Voice activity by silero-vad (MIT), from the ONNX file inside its pinned package: trained on speech, not on singing."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from models.embeddings.packaged import open_packaged

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

RATE = 16000
FRAME, CONTEXT = 512, 64  # samples


@lru_cache(maxsize=1)
def _session() -> InferenceSession:
    return open_packaged("silero_vad", "data/silero_vad.onnx", "silero-vad")


def voice_activity(audio: np.ndarray) -> np.ndarray:
    """Probability of a voice in every 32 ms of mono float32 audio at 16 kHz."""
    state = np.zeros((2, 1, 128), dtype=np.float32)
    context = np.zeros(CONTEXT, dtype=np.float32)
    out = []
    for start in range(0, len(audio) - FRAME + 1, FRAME):
        frame = audio[start : start + FRAME].astype(np.float32)
        given = {"input": np.concatenate([context, frame])[None], "state": state, "sr": np.array(RATE, dtype=np.int64)}
        found, new = _session().run(None, given)
        state, context = np.asarray(new), frame[-CONTEXT:]
        out.append(float(np.asarray(found)[0, 0]))
    return np.array(out)
