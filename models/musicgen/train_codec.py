"""Train the nano codec on a corpus: first the auto-encoder, then its quantizer, then the decoder against a critic.

The third stage leaves encoder and codebooks alone, so codes made before it stay valid.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.musicgen.codec import CodecConfig, build_codec
from models.musicgen.losses import mel_distance, reconstruction_loss
from models.training import (
    Clip,
    Report,
    append_curve,
    cosine,
    fingerprint,
    load_state,
    read_corpus,
    read_segment,
    save_state,
)

if TYPE_CHECKING:
    from audiocraft.models.encodec import EncodecModel

SEGMENT = 1.28  # seconds
BATCH = 16
WARM = 300  # steps without quantizer
REVIVE_EVERY = 20
SAVE_EVERY = 100


def _batch(clips: list[Clip], rng: np.random.Generator, n: int, seconds: float, rate: int) -> torch.Tensor:
    chosen = rng.integers(len(clips), size=n)
    audio = np.stack([read_segment(clips[i].path, seconds, rate, rng) for i in chosen])
    gain = rng.uniform(0.5, 1.2, size=(n, 1)).astype(np.float32)
    return torch.from_numpy(audio * gain)[:, None]


@torch.no_grad()
def revive_dead_codes(codec: EncodecModel, latents: torch.Tensor, generator: torch.Generator) -> int:
    """Move codes that are hardly used onto random residuals of `latents` (batch, dimension, frames); returns how many.

    The moving averages are set along, or the next update would undo it.
    """
    revived = 0
    residual = latents.transpose(1, 2).reshape(-1, latents.shape[1])
    quantizer: Any = codec.quantizer  # its class in audiocraft is a base that does not declare `vq`
    for layer in quantizer.vq.layers:
        book = layer._codebook
        dead = book.cluster_size < 0.1 * book.cluster_size.mean()
        n = int(dead.sum())
        if n:
            rows = torch.randint(len(residual), (n,), generator=generator)
            book.embed[dead] = residual[rows]
            book.embed_avg[dead] = residual[rows]
            book.cluster_size[dead] = 1.0
            revived += n
        residual = residual - book.dequantize(book.quantize(residual))
    return revived


def code_usage(codes: torch.Tensor, bins: int) -> list[float]:
    """Perplexity of each codebook in codes (batch, n_q, frames), as a share of `bins`."""
    shares = []
    for k in range(codes.shape[1]):
        p = torch.bincount(codes[:, k].flatten(), minlength=bins).float()
        p = p[p > 0] / p.sum()
        shares.append(float(torch.exp(-(p * p.log()).sum()) / bins))
    return shares


def train_codec(
    corpus: Path,
    out: Path,
    steps: int,
    seed: int = 0,
    config: CodecConfig | None = None,
    lr: float = 6e-4,
    report: Report | None = None,
) -> EncodecModel:
    """Train for `steps` (of 16 x 1.28 s); continues from ``out/codec.pt`` if it is there.

    Returns the trained codec; the state with optimizer and random generators stays in ``out/codec.pt``, the curve in
    ``out/codec.jsonl``.
    """
    config = config or CodecConfig()
    torch.manual_seed(seed)
    codec = build_codec(config)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(codec.parameters(), lr=lr, betas=(0.8, 0.95), weight_decay=0.01)
    clips = read_corpus(corpus)
    start = 0
    made = {"seed": seed, "lr": lr, "config": config.to_dict(), "corpus": fingerprint(clips)}
    state = load_state(out / "codec.pt", made)
    if state is not None:
        codec.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["generator"])
        start = int(state["step"])
    codec.train()
    for step in range(start, steps):
        rng = np.random.default_rng([seed, step])
        for group in optimizer.param_groups:
            group["lr"] = lr * cosine(step, steps, 100)
        if step == WARM:
            with torch.no_grad():
                wide = _batch(clips, rng, 60, 2.56, config.sample_rate)
                codec.quantizer(codec.encoder(wide), config.frame_rate)
        x = _batch(clips, rng, BATCH, SEGMENT, config.sample_rate)
        latents = codec.encoder(x)
        row: dict[str, float] = {"step": step}
        if step < WARM:
            y = codec.decoder(latents)
            penalty = 1e-3 * latents.square().mean()
        else:
            quantized = codec.quantizer(latents, config.frame_rate)
            y = codec.decoder(quantized.x)
            penalty = 0.25 * quantized.penalty
            if step % REVIVE_EVERY == 0:
                row["revived"] = revive_dead_codes(codec, latents, generator)
                row["usage_first"] = code_usage(quantized.codes, config.bins)[0]
        loss = reconstruction_loss(x[:, 0], y[:, 0], config.sample_rate) + penalty
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimizer.step()
        if step % REVIVE_EVERY == 0 or step + 1 == steps:
            row["loss"] = loss.item()
            row["penalty"] = penalty.item()
            row["mel_distance"] = mel_distance(x[:, 0], y[:, 0].detach(), config.sample_rate).item()
            append_curve(out / "codec.jsonl", row)
            if report:
                report(step + 1, steps, row)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            kept = {"model": codec.state_dict(), "optimizer": optimizer.state_dict()}
            save_state(out / "codec.pt", {**kept, "generator": generator.get_state(), "step": step + 1}, made)
    return codec.eval()
