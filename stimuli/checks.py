"""What may be wrong with a generated clip: silence, clipping, a stuck loop, or being all but another clip."""

from __future__ import annotations

import numpy as np

SILENT_SHARE = 0.5
STUCK_SHARE = 0.6
CLIPPED_SHARE = 0.001
NEAR_DUPLICATE = 0.95
LOOP_SECONDS = 1.0


def silent_share(audio: np.ndarray, rate: int) -> float:
    """Share of 50 ms windows under -60 dBFS of mono audio."""
    span = round(0.05 * rate)
    windows = audio[: len(audio) // span * span].reshape(-1, span)
    return float((np.sqrt((windows**2).mean(axis=1)) < 1e-3).mean())


def clipped_share(audio: np.ndarray) -> float:
    """Share of samples that lie in runs of three or more at the clip's largest magnitude: flat tops."""
    peak = np.abs(audio).max()
    if peak == 0:
        return 0.0
    top = np.abs(audio) >= peak * (1 - 1e-6)
    runs = top[:-2] & top[1:-1] & top[2:]
    return float(3 * runs.sum() / len(audio))


def stuck_share(codes: np.ndarray, frame_rate: float) -> float:
    """Largest share of frames whose codes are all those of `lag` frames before, over lags up to a second.

    A held tone repeats its first codebook; all codebooks together repeat only where sampling is caught in a loop.

    Parameters
    ----------
    codes : ndarray
        (codebooks, frames), integers.
    """
    frames = codes.shape[1]
    lags = range(1, min(frames // 2, round(LOOP_SECONDS * frame_rate)) + 1)
    return max((float((codes[:, lag:] == codes[:, :-lag]).all(axis=0).mean()) for lag in lags), default=0.0)


def fingerprint(audio: np.ndarray, rate: int) -> np.ndarray:
    """Unit vector of a clip's course: log mel spectrogram, eight frames a second, each band's mean taken out."""
    from models.compiled import librosa as compiled

    librosa = compiled()

    hop = rate // 8
    mel = librosa.feature.melspectrogram(y=audio, sr=rate, n_fft=2 * hop, hop_length=hop, n_mels=48, fmax=8000)
    course = np.log10(mel + 1e-6)
    course = course - course.mean(axis=1, keepdims=True)
    flat = course.ravel()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-12), dtype=np.float32)


def nearest(prints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For unit vectors (clips, values): the largest correlation of each with another, and whose it is."""
    similarity = prints @ prints.T
    np.fill_diagonal(similarity, -1)
    return similarity.max(axis=1), similarity.argmax(axis=1)


def faults(silent: float, stuck: float, clipped: float) -> list[str]:
    """Names of the faults that a clip has."""
    found = []
    if silent >= SILENT_SHARE:
        found.append("silent")
    if stuck >= STUCK_SHARE:
        found.append("stuck")
    if clipped >= CLIPPED_SHARE:
        found.append("clipped")
    return found
