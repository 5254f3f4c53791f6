"""Spectral losses of the codec: multi-resolution STFT (Yamamoto et al. 2020) and multi-scale mel (EnCodec, eq. 3)."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch.nn import functional as F

from models.musicgen.codec import mel_filters

WINDOWS = (256, 512, 1024, 2048)
MELS = {256: 32, 512: 64, 1024: 96, 2048: 128}


@lru_cache(maxsize=16)
def _filters(n_fft: int, rate: int) -> torch.Tensor:
    return mel_filters(n_fft, MELS[n_fft], rate)


def spectrogram(audio: torch.Tensor, n_fft: int) -> torch.Tensor:
    """Magnitudes of (batch, samples) audio with a Hann window and a quarter hop: (batch, bins, frames)."""
    window = torch.hann_window(n_fft, device=audio.device)
    return torch.stft(audio, n_fft, n_fft // 4, window=window, return_complex=True).abs()


def mel_distance(a: torch.Tensor, b: torch.Tensor, rate: int) -> torch.Tensor:
    """Mean absolute difference of log10 mel magnitudes over four window lengths; audio is (batch, samples)."""
    total = torch.zeros((), device=a.device)
    for n_fft in WINDOWS:
        filters = _filters(n_fft, rate).to(a.device)
        la = torch.log10(filters @ spectrogram(a, n_fft) + 1e-4)
        lb = torch.log10(filters @ spectrogram(b, n_fft) + 1e-4)
        total = total + (la - lb).abs().mean()
    return total / len(WINDOWS)


def reconstruction_loss(x: torch.Tensor, y: torch.Tensor, rate: int) -> torch.Tensor:
    """Training loss of reconstruction `y` of `x`, both (batch, samples)."""
    loss = torch.zeros((), device=x.device)
    for n_fft in WINDOWS:
        sx, sy = spectrogram(x, n_fft), spectrogram(y, n_fft)
        filters = _filters(n_fft, rate).to(x.device)
        mx, my = filters @ sx, filters @ sy
        loss = loss + (torch.log10(mx + 1e-4) - torch.log10(my + 1e-4)).abs().mean() * 2
        loss = loss + F.mse_loss(torch.log10(mx + 1e-4), torch.log10(my + 1e-4)).sqrt()
        loss = loss + torch.linalg.vector_norm(sx - sy) / torch.linalg.vector_norm(sx).clamp(min=1e-3)
    return loss / len(WINDOWS)
