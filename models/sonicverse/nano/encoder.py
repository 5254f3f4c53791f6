"""The nano audio encoder: frozen MusiCNN layers, and two descriptors that MusiCNN blurs (pulse and pitch class).

SonicVerse reads 13 hidden layers of MERT; MERT needs a download. The nano encoder gives six "layers" of one clip, each a
vector of time averages, to the same kind of learned layer weighting.
"""

from __future__ import annotations

import numpy as np
import torch

from models.embeddings import musicnn

RATE = 16000
TEMPI = np.geomspace(40, 240, 64)
LAYERS = {"front": 1122, "cnn1": 128, "cnn2": 128, "cnn3": 128, "penultimate": 250, "pulse_pitch": 184}


def pulse_strength(mel: np.ndarray, frame_rate: float) -> np.ndarray:
    """Autocorrelation of the onset strength at 64 tempi from 40 to 240 BPM; mel is (frames, bands) in log units."""
    flux = np.maximum(0, np.diff(mel, axis=0)).mean(axis=1)
    flux = flux - flux.mean()
    n = len(flux)
    spectrum = np.fft.rfft(flux, 2 * n)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:n]
    correlation = correlation / max(correlation[0], 1e-9) * n / np.arange(n, 0, -1)
    lags = frame_rate * 60 / TEMPI
    return np.interp(lags, np.arange(n), correlation).astype(np.float32)


def encode(audio: np.ndarray) -> dict[str, np.ndarray]:
    """Encode 16 kHz mono audio of at least a second into the six layer vectors.

    Returns
    -------
    dict of str to ndarray
        ``front`` (1122: mean and deviation over time), ``cnn1..3`` (128 each), ``penultimate`` (250: 200 features and
        50 tag probabilities), ``pulse_pitch`` (184: 64 pulse strengths, 12 + 12 chroma, 96 mel levels), float32.
    """
    from models.compiled import librosa as compiled

    librosa = compiled()

    mel = musicnn.log_mel(audio)
    with torch.no_grad():
        out = musicnn.load_musicnn()(musicnn.patches(audio))
    layers = {}
    for name in ("front", "cnn1", "cnn2", "cnn3"):
        frames = out[name].flatten(0, 1)
        layers[name] = torch.cat([frames.mean(0), frames.std(0)]).numpy()
    layers["penultimate"] = torch.cat([out["penultimate"].mean(0), out["tags"].mean(0)]).numpy()
    chroma = librosa.feature.chroma_stft(y=audio, sr=RATE, n_fft=4096, hop_length=1024, tuning=0.0)
    parts = [pulse_strength(mel, RATE / 256), chroma.mean(1), chroma.std(1), mel.mean(0)]
    layers["pulse_pitch"] = np.concatenate(parts).astype(np.float32)
    return layers
