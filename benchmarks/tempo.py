"""An estimator of tempo for rendered and generated clips: ridge regression of log BPM on the rhythm of onsets.

Beat trackers err by octaves on short clips of background music, and onsets a second depend on texture as much as on tempo.
This one learns from 500 rendered clips of training pieces what the autocorrelation of their onsets says about the tempo
that they were rendered at; how good it is, is measured on clips of held-out pieces.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.nano import RATE, SECONDS, WORK, read

CLIPS = 500
BPM = np.geomspace(40, 320, 72)  # where the tempogram is read
ALPHAS = np.geomspace(0.1, 1e4, 16)


def rhythm(audio: np.ndarray) -> np.ndarray:
    """Mean autocorrelation of onset strength at the lags of `BPM`, and onsets a second, of mono audio at 16 kHz."""
    from models.compiled import librosa as compiled

    librosa = compiled()

    hop = 128
    strength = librosa.onset.onset_strength(y=audio, sr=RATE, hop_length=hop)
    strength = strength - strength.mean()
    n = len(strength)
    spectrum = np.fft.rfft(strength, 2 * n)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:n] / np.arange(n, 0, -1)
    correlation = correlation / max(correlation[0], 1e-9)
    lags = 60 / BPM * RATE / hop
    onsets = len(librosa.onset.onset_detect(onset_envelope=strength, sr=RATE, hop_length=hop)) / (len(audio) / RATE)
    return np.concatenate([np.interp(lags, np.arange(n), correlation), [np.log(onsets + 0.2)]])


@lru_cache(maxsize=2)
def estimator(seconds: float, kind: str = "base") -> Any:
    """The regression, fitted on the first `seconds` of clips that no evaluation uses: of pieces (``"base"``), or bands (``"pulse"``)."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from stimuli.dataset.build import build_base
    from stimuli.dataset.pulse.build import build_pulse

    folder = WORK / ("tempo" if kind == "base" else f"tempo-{kind}")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "metadata.jsonl").exists():
        (build_base if kind == "base" else build_pulse)(folder, CLIPS, SECONDS, RATE, 31, "train")
    rows = [json.loads(x) | {"folder": str(folder)} for x in (folder / "metadata.jsonl").read_text().splitlines()]
    x = np.stack([rhythm(read(r)[: round(seconds * RATE)]) for r in rows])
    return make_pipeline(StandardScaler(), RidgeCV(ALPHAS)).fit(x, np.log([r["attributes"]["bpm"] for r in rows]))


def tempi(clips: list[np.ndarray], seconds: float, kind: str = "base") -> np.ndarray:
    """Estimated BPM of clips."""
    return np.exp(estimator(seconds, kind).predict(np.stack([rhythm(c) for c in clips])))
