"""The codec's third stage: the decoder against spectrogram critics, with encoder and codebooks frozen.

Multi-resolution spectrogram discriminators with hinge loss and feature matching, as in Vocos (Siuzdak 2023) and the
Descript codec (Kumar et al. 2023), in a size that a CPU can train.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from models.musicgen.codec import CodecConfig
from models.musicgen.losses import mel_distance, reconstruction_loss
from models.musicgen.nano import load_codec
from models.musicgen.train_codec import BATCH, SAVE_EVERY, SEGMENT, _batch
from models.training import Report, append_curve, cosine, digest, fingerprint, load_state, read_corpus, save_state

if TYPE_CHECKING:
    from audiocraft.models.encodec import EncodecModel

RESOLUTIONS = ((2048, 512), (1024, 256), (512, 128))


class SpectrogramCritic(nn.Module):
    """Convolutions over a compressed complex spectrogram of one resolution; returns layer outputs, the score last."""

    window: torch.Tensor

    def __init__(self, n_fft: int, hop: int, channels: int = 16):
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        norm = nn.utils.parametrizations.weight_norm
        widths = [2, channels, channels, 2 * channels, 2 * channels]
        self.layers = nn.ModuleList(
            norm(nn.Conv2d(a, b, (9, 3), stride=(2, 1), padding=(4, 1))) for a, b in itertools.pairwise(widths)
        )
        self.score = norm(nn.Conv2d(widths[-1], 1, (3, 3), padding=1))

    def forward(self, audio: torch.Tensor) -> list[torch.Tensor]:
        """(batch, samples) -> feature maps, the last one the score map."""
        spectrum = torch.stft(audio, self.n_fft, self.hop, window=self.window, return_complex=True)
        magnitude = spectrum.abs().clamp(min=1e-5)
        x = torch.view_as_real(spectrum / magnitude * magnitude.pow(0.3)).permute(0, 3, 1, 2)
        maps = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            maps.append(x)
        return [*maps, self.score(x)]


def train_decoder(
    corpus: Path, codec_directory: Path, out: Path, steps: int, seed: int = 1, report: Report | None = None
) -> EncodecModel:
    """Train the decoder for `steps`; codes stay valid. Continues from ``out/decoder.pt``."""
    codec = load_codec(codec_directory)
    config = CodecConfig()
    rate = config.sample_rate
    torch.manual_seed(seed)
    critics = nn.ModuleList(SpectrogramCritic(n, hop) for n, hop in RESOLUTIONS)
    for part in (codec.encoder, codec.quantizer):
        for p in part.parameters():
            p.requires_grad_(False)
    codec.eval()
    generator = torch.optim.AdamW(codec.decoder.parameters(), lr=2e-4, betas=(0.8, 0.99))
    judge = torch.optim.AdamW(critics.parameters(), lr=3e-4, betas=(0.8, 0.99))
    start = 0
    clips = read_corpus(corpus)
    codes_of = digest(codec.quantizer.state_dict().values())
    made = {"seed": seed, "corpus": fingerprint(clips), "codec": codes_of}
    state = load_state(out / "decoder.pt", made)
    if state is not None:
        codec.decoder.load_state_dict(state["decoder"])
        critics.load_state_dict(state["critics"])
        generator.load_state_dict(state["generator"])
        judge.load_state_dict(state["judge"])
        start = int(state["step"])
    for step in range(start, steps):
        rng = np.random.default_rng([seed, step])
        x = _batch(clips, rng, BATCH // 2, SEGMENT, rate)
        with torch.no_grad():
            codes, _ = codec.encode(x)
            latents = codec.quantizer.decode(codes)
        y = codec.decoder(latents)[:, 0]
        x = x[:, 0]
        judged = torch.zeros(())
        for critic in critics:
            judged = judged + F.relu(1 - critic(x)[-1]).mean() + F.relu(1 + critic(y.detach())[-1]).mean()
        judge.zero_grad(set_to_none=True)
        judged.backward()
        torch.nn.utils.clip_grad_norm_(critics.parameters(), 1.0)
        judge.step()
        fooled, matched = torch.zeros(()), torch.zeros(())
        for critic in critics:
            with torch.no_grad():
                real = critic(x)
            fake = critic(y)
            fooled = fooled - fake[-1].mean()
            pairs = zip(real[:-1], fake[:-1], strict=True)
            matched = matched + sum(
                (F.l1_loss(b, a) / a.abs().mean().clamp(min=1e-3) for a, b in pairs), torch.zeros(())
            )
        warm = min(1.0, step / 200)
        rebuilt = reconstruction_loss(x, y, rate)
        loss = 3 * rebuilt + warm * (fooled / len(critics) + matched / len(critics))
        for group in generator.param_groups:
            group["lr"] = 2e-4 * cosine(step, steps, 50)
        generator.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.decoder.parameters(), 5.0)
        generator.step()
        if step % 20 == 0 or step + 1 == steps:
            row = {"step": step, "reconstruction": rebuilt.item(), "critic": judged.item(), "matching": matched.item()}
            row["mel_distance"] = mel_distance(x, y.detach(), rate).item()
            append_curve(out / "decoder.jsonl", row)
            if report:
                report(step + 1, steps, row)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            kept = {"decoder": codec.decoder.state_dict(), "critics": critics.state_dict(), "step": step + 1}
            kept |= {"generator": generator.state_dict(), "judge": judge.state_dict()}
            save_state(out / "decoder.pt", kept, made)
    return codec
