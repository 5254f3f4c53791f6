"""Sample codes by MusicGen's delay pattern, from a generator of its own for each clip, whatever engine computes logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

Progress = Callable[[int, int], None]
# One step: tokens (clips, codebooks) -> logits (rows, codebooks, card); rows are the clips, and with guidance the clips
# again without their prompt.
Step = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn: from the `top_k` likeliest, at `temperature`, with classifier-free `guidance`.

    ``top_k = 1`` is greedy; ``guidance = 1`` leaves the unconditional half out. The defaults are the nano models' (asked
    and measured tempo correlate .39 at guidance 5, .27 at 3; 8 gains no more); MusicGen's own are 250, 1.0, 3.0.
    """

    top_k: int = 120
    temperature: float = 0.9
    guidance: float = 5.0


@torch.no_grad()
def sample_codes(
    step: Step,
    delays: list[int],
    special: int,
    frames: int,
    seeds: Sequence[int | torch.Generator],
    sampling: Sampling,
    progress: Progress | None = None,
    heard: torch.Tensor | None = None,
) -> torch.Tensor:
    """Sample codes (clips, codebooks, frames), int64.

    audiocraft and transformers draw from one global generator; here clip i draws from a generator seeded with
    ``seeds[i]``, so that a clip does not depend on what else is generated beside it.

    Parameters
    ----------
    delays : list of int
        Codebook k lags `delays[k]` frames behind (Copet et al. 2023, arXiv 2306.05284, section 2.1).
    seeds : list of int or torch.Generator
        A generator goes on from where it is: clips of more than one window draw on.
    special : int
        The token that stands where a codebook has no frame.
    heard : torch.Tensor, optional
        Codes (clips, codebooks, fewer frames) that clips begin with: what is sampled goes on from there.
    """
    n = len(seeds)
    generators = [s if isinstance(s, torch.Generator) else torch.Generator().manual_seed(s) for s in seeds]
    lags = torch.tensor(delays)
    books = torch.arange(len(delays))
    codes = torch.full((n, len(delays), frames), special, dtype=torch.long)
    tokens = torch.full((n, len(delays)), special, dtype=torch.long)
    total = frames + max(delays)
    for position in range(total):
        logits = step(tokens).float().cpu()
        if sampling.guidance != 1:
            conditional, free = logits.chunk(2)
            logits = free + sampling.guidance * (conditional - free)
        drawn = draw(logits, sampling, generators)
        places = position - lags
        valid = (places >= 0) & (places < frames)
        if heard is not None:
            given = valid & (places < heard.shape[-1])
            drawn[:, given] = heard[:, books[given], places[given]]
        codes[:, books[valid], places[valid]] = drawn[:, valid]
        tokens = torch.where(valid, drawn, special)
        if progress:
            progress(position + 1, total)
    return codes


def draw(logits: torch.Tensor, sampling: Sampling, generators: list[torch.Generator]) -> torch.Tensor:
    """Draw one token per clip and codebook from logits (clips, codebooks, card)."""
    if sampling.top_k == 1:
        return logits.argmax(-1)
    k = min(sampling.top_k, logits.shape[-1])
    values, places = torch.topk(logits / sampling.temperature, k, dim=-1)
    weights = torch.softmax(values, dim=-1)
    chosen = [torch.multinomial(w, 1, generator=g) for w, g in zip(weights, generators, strict=True)]
    return torch.gather(places, -1, torch.stack(chosen))[..., 0]
