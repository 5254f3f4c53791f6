"""The nano codec: audiocraft's EncodecModel and residual quantizer around a frame-rate encoder and decoder.

EnCodec (Défossez et al. 2022, arXiv 2210.13438) encodes waveforms with strided convolutions. On a CPU, blocks at frame
rate with an inverse-STFT head (Vocos, Siuzdak 2023, arXiv 2306.00814) learn several times faster for the same bit
rate, so the nano codec has those, behind the same interface: ``encode(wav) -> codes``, ``decode(codes) -> wav``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from audiocraft.models.encodec import EncodecModel


@dataclass(frozen=True)
class CodecConfig:
    """Shape of a nano codec; `frame_rate` must divide ``sample_rate / hop``.

    The analysis and synthesis frames lie `hop` samples apart; `n_fft` is the synthesis window in samples.
    """

    sample_rate: int = 16000
    hop: int = 160
    n_fft: int = 640
    n_mels: int = 128
    frame_rate: int = 25
    width: int = 256
    encoder_width: int = 192
    encoder_blocks: int = 2
    latent_blocks: int = 2
    decoder_blocks: int = 6
    dimension: int = 64
    n_q: int = 6
    bins: int = 512

    @property
    def stride(self) -> int:
        """Analysis frames per code frame."""
        return self.sample_rate // self.hop // self.frame_rate

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dictionary for a JSON file."""
        return asdict(self)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, layer norm, pointwise MLP, residual; (batch, channels, frames) in and out."""

    def __init__(self, width: int, kernel: int = 7, expansion: int = 3, scale: float = 0.2):
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, expansion * width)
        self.down = nn.Linear(expansion * width, width)
        self.gamma = nn.Parameter(torch.full((width,), scale))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.depthwise(x).transpose(1, 2)
        h = self.down(F.gelu(self.up(self.norm(h))))
        return x + (self.gamma * h).transpose(1, 2)


def mel_filters(n_fft: int, n_mels: int, sample_rate: int) -> torch.Tensor:
    """Slaney-style mel filter bank, (n_mels, n_fft // 2 + 1)."""
    from models.compiled import librosa as compiled

    librosa = compiled()

    return torch.from_numpy(librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels))


class FrameEncoder(nn.Module):
    """Waveform (batch, 1, samples) -> latents (batch, dimension, code frames)."""

    window: torch.Tensor
    filters: torch.Tensor

    def __init__(self, c: CodecConfig):
        super().__init__()
        self.c = c
        self.n_fft = 1024
        self.register_buffer("window", torch.hann_window(self.n_fft), persistent=False)
        self.register_buffer("filters", mel_filters(self.n_fft, c.n_mels, c.sample_rate), persistent=False)
        self.stem = nn.Conv1d(c.n_mels, c.encoder_width, 5, padding=2)
        self.fast = nn.Sequential(*[ConvNeXtBlock(c.encoder_width) for _ in range(c.encoder_blocks)])
        self.down = nn.Conv1d(c.encoder_width, c.width, 2 * c.stride, stride=c.stride, padding=c.stride // 2)
        self.slow = nn.Sequential(*[ConvNeXtBlock(c.width) for _ in range(c.latent_blocks)])
        self.out = nn.Conv1d(c.width, c.dimension, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        step = self.c.hop * self.c.stride
        x = F.pad(x, (0, -x.shape[-1] % step))
        frames = x.shape[-1] // self.c.hop
        spectrum = torch.stft(
            F.pad(x[:, 0], ((self.n_fft - self.c.hop) // 2,) * 2),
            self.n_fft,
            self.c.hop,
            window=self.window,
            center=False,
            return_complex=True,
        ).abs()[..., :frames]
        mel = torch.log10(self.filters @ spectrum + 1e-4)
        return self.out(self.slow(self.down(self.fast(self.stem(mel)))))


class SpectralDecoder(nn.Module):
    """Latents (batch, dimension, code frames) -> waveform (batch, 1, samples) through an inverse STFT."""

    window: torch.Tensor

    def __init__(self, c: CodecConfig):
        super().__init__()
        self.c = c
        self.stem = nn.Conv1d(c.dimension, c.width, 3, padding=1)
        self.slow = nn.Sequential(*[ConvNeXtBlock(c.width) for _ in range(c.latent_blocks)])
        self.up = nn.ConvTranspose1d(c.width, c.width, 2 * c.stride, stride=c.stride, padding=c.stride // 2)
        self.fast = nn.Sequential(*[ConvNeXtBlock(c.width) for _ in range(c.decoder_blocks)])
        self.norm = nn.LayerNorm(c.width)
        self.head = nn.Linear(c.width, c.n_fft + 2)
        self.register_buffer("window", torch.hann_window(c.n_fft), persistent=False)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        h = self.fast(self.up(self.slow(self.stem(z))))
        out = self.head(self.norm(h.transpose(1, 2))).transpose(1, 2).float()
        log_magnitude, phase = out.chunk(2, dim=1)
        magnitude = log_magnitude.clamp(max=5.0).exp()
        spectrum = torch.polar(magnitude, phase)
        return self._overlap_add(spectrum)[:, None]

    def _overlap_add(self, spectrum: torch.Tensor) -> torch.Tensor:
        n_fft, hop = self.c.n_fft, self.c.hop
        frames = torch.fft.irfft(spectrum, n_fft, dim=1) * self.window[None, :, None]
        n = spectrum.shape[-1]
        size = (1, (n - 1) * hop + n_fft)
        fold = {"kernel_size": (1, n_fft), "stride": (1, hop)}
        audio = F.fold(frames, size, **fold)[:, 0, 0]
        weight = self.window.square()[None, :, None].expand(1, n_fft, n)
        norm = F.fold(weight, size, **fold)[:, 0, 0]
        # Frame k is centred on sample k * hop + hop / 2, as in the analysis after its half-window padding.
        start = (n_fft - hop) // 2
        return audio[:, start : start + n * hop] / norm[:, start : start + n * hop].clamp(min=1e-3)


def build_codec(config: CodecConfig) -> EncodecModel:
    """Build an untrained codec as audiocraft's EncodecModel, so that audiocraft's MusicGen can use it."""
    from audiocraft.models.encodec import EncodecModel
    from audiocraft.quantization import ResidualVectorQuantizer

    quantizer = ResidualVectorQuantizer(
        dimension=config.dimension,
        n_q=config.n_q,
        bins=config.bins,
        decay=0.97,
        kmeans_init=True,
        kmeans_iters=30,
        # audiocraft's revival is undone by its own moving average; the training loop revives dead codes itself.
        threshold_ema_dead_code=0,
    )
    return EncodecModel(
        encoder=FrameEncoder(config),
        decoder=SpectralDecoder(config),
        quantizer=quantizer,
        frame_rate=config.frame_rate,
        sample_rate=config.sample_rate,
        channels=1,
    )
