"""Acoustic features of a clip: tempo, pitch height, brightness, roughness, articulation, loudness range.

Definitions: tempo by librosa's dynamic-programming beat tracker (Ellis 2007); pitch height as the energy-weighted mean
pitch of the spectral peaks of a constant-Q transform, MIDI; centroid in Hz; roughness after Vassilakis (2001) on the
strongest partials; onset rate in 1/s; articulation as the share of time with low level between onsets; mode as the fit of
the best major key less that of the best minor one (profiles of Albrecht & Shanahan 2013).
"""

from __future__ import annotations

import numpy as np

from stimuli.dataset.estimate import mode_of_chroma

RATE = 22050
FEATURES = {
    "tempo": "BPM",
    "onset_rate": "1/s",
    "pitch_height": "MIDI",
    "centroid": "Hz",
    "roughness": "",
    "gaps": "share of time",
    "level_range": "dB",
    "mode": "r major - r minor",
}


def acoustic_features(audio: np.ndarray, rate: int) -> dict[str, float]:
    """Return the features of mono audio, as floats; keys as in `FEATURES`."""
    from models.compiled import librosa as compiled

    librosa = compiled()
    import soxr

    y = np.asarray(soxr.resample(audio, rate, RATE), dtype=np.float32)
    hop = 512
    envelope = librosa.onset.onset_strength(y=y, sr=RATE, hop_length=hop)
    tempo = float(np.atleast_1d(librosa.feature.tempo(onset_envelope=envelope, sr=RATE, hop_length=hop))[0])
    onsets = librosa.onset.onset_detect(onset_envelope=envelope, sr=RATE, hop_length=hop)
    cqt = np.abs(librosa.cqt(y, sr=RATE, hop_length=hop, fmin=librosa.midi_to_hz(28), n_bins=84))
    power = (cqt**2).mean(axis=1)
    pitches = 28 + np.arange(84)
    rms = librosa.feature.rms(y=y, hop_length=hop)[0]
    level = 20 * np.log10(np.maximum(rms, 1e-5))
    spectrum = np.abs(librosa.stft(y, n_fft=4096, hop_length=2048))
    return {
        "tempo": tempo,
        "onset_rate": len(onsets) / (len(y) / RATE),
        "pitch_height": float((pitches * power).sum() / max(power.sum(), 1e-12)),
        "centroid": float(librosa.feature.spectral_centroid(y=y, sr=RATE, hop_length=hop).mean()),
        "roughness": roughness(spectrum, RATE),
        "gaps": float((level < np.percentile(level, 95) - 20).mean()),
        "level_range": float(np.percentile(level, 95) - np.percentile(level, 10)),
        "mode": mode_of_chroma(librosa.feature.chroma_cqt(y=y, sr=RATE, bins_per_octave=36).mean(axis=1)),
    }


def roughness(spectrum: np.ndarray, rate: int, partials: int = 12) -> float:
    """Mean roughness over frames of a magnitude spectrogram (bins, frames), by Vassilakis' (2001) formula.

    For each pair of the strongest partials: ``(a1 a2)^0.1 / 2 * (2 a_min / (a1 + a2))^3.11 * (exp(-3.5 s df) -
    exp(-5.75 s df))`` with ``s = 0.24 / (0.0207 f_min + 18.96)``; amplitudes relative to the frame's strongest.
    """
    freqs = np.linspace(0, rate / 2, spectrum.shape[0])
    total = []
    for frame in spectrum.T:
        peaks = np.flatnonzero((frame[1:-1] > frame[:-2]) & (frame[1:-1] >= frame[2:])) + 1
        if len(peaks) < 2 or frame.max() <= 1e-6:
            continue
        peaks = peaks[np.argsort(frame[peaks])[-partials:]]
        a, f = frame[peaks] / frame.max(), freqs[peaks]
        i, j = np.triu_indices(len(peaks), 1)
        low, df = np.minimum(f[i], f[j]), np.abs(f[i] - f[j])
        s = 0.24 / (0.0207 * low + 18.96)
        beat = np.exp(-3.5 * s * df) - np.exp(-5.75 * s * df)
        depth = (2 * np.minimum(a[i], a[j]) / (a[i] + a[j])) ** 3.11
        total.append(float(((a[i] * a[j]) ** 0.1 * 0.5 * depth * beat).sum()))
    return float(np.mean(total)) if total else 0.0
