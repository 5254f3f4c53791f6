"""What rendered bands go through: overtones where low music has none, and a level that stays."""

from __future__ import annotations

import numpy as np

EDGE = 1000.0  # Hz
SHARES = (0.05, 0.3)  # energy over `EDGE`, whatever the register
MOST = 24.0  # dB that a shelf may give or take
LEVELS = {"soft": -32.0, "moderate": -26.0, "loud": -20.0}  # dB under full scale, root mean square
WINDOW = 1.5  # seconds over which a level is taken
STEADIED = 10.0  # dB by which a passage may be lifted or lowered


def high_share(audio: np.ndarray, rate: int) -> float:
    """Share of the energy of mono audio that lies over `EDGE`."""
    power = np.abs(np.fft.rfft(audio)) ** 2
    return float(power[np.fft.rfftfreq(len(audio), 1 / rate) >= EDGE].sum() / max(float(power.sum()), 1e-12))


def opened(audio: np.ndarray, rate: int, share: float) -> np.ndarray:
    """Give mono float32 audio a spectrum of which `share` lies over `EDGE`, as far as a shelf of `MOST` dB can.

    Low notes of soft instruments have next to nothing there, and a shelf lifts what there is: they are driven first, which adds
    overtones in tune, the more the less there is.
    """
    missing = np.clip(-np.log10(max(high_share(audio, rate), 1e-6) / share), 0, 4)
    peak = max(float(np.abs(audio).max()), 1e-9)
    drive = 1 + missing
    driven = np.tanh(audio / peak * drive) if missing > 0 else audio / peak
    there = min(max(high_share(driven, rate), 1e-9), 1 - 1e-9)
    gain = 10 * np.log10(share / (1 - share) * (1 - there) / there)
    frequencies = np.fft.rfftfreq(len(audio), 1 / rate)
    # A shelf an octave wide about the edge: what it rings before an onset stays under two milliseconds.
    slope = np.clip(np.log2(np.maximum(frequencies, 1.0) / EDGE) + 0.5, 0, 1)
    curve = 10 ** (np.clip(gain, -MOST, MOST) * slope / 20)
    return np.asarray(np.fft.irfft(np.fft.rfft(driven) * curve, len(audio)), dtype=np.float32)


def steadied(audio: np.ndarray, rate: int, level: float) -> np.ndarray:
    """Bring mono audio to `level` (dB under full scale, RMS) throughout, and what still sticks out under full scale."""
    n = round(WINDOW * rate)
    window = np.hanning(n) / np.hanning(n).sum()
    # Mirrored at both ends: the level at an end is that of the music beside it.
    square = np.pad(np.asarray(audio, dtype=np.float64) ** 2, n, mode="symmetric")
    spectrum = np.fft.rfft(square) * np.fft.rfft(window, len(square))
    power = np.roll(np.fft.irfft(spectrum, len(square)), -(n // 2))[n:-n]
    local = 10 * np.log10(np.maximum(power, 1e-12))
    whole = 10 * np.log10(max(float(np.mean(audio.astype(np.float64) ** 2)), 1e-12))
    out = audio * 10 ** (np.clip(whole - local, -STEADIED, STEADIED) / 20)
    now = 10 * np.log10(max(float(np.mean(out**2)), 1e-12))
    out = out * 10 ** ((level - now) / 20)
    knee = 0.7
    over = np.maximum(np.abs(out) - knee, 0)
    return np.asarray(np.sign(out) * (np.minimum(np.abs(out), knee) + 0.25 * np.tanh(over / 0.25)), dtype=np.float32)
