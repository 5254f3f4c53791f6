"""Train and fine-tune the nano language model on the codes of a corpus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from models.training import Clip, append_curve, cosine, load_state, read_corpus, read_segment, save_state

if TYPE_CHECKING:
    from audiocraft.models.encodec import EncodecModel
    from audiocraft.models.lm import LMModel

SAVE_EVERY = 50
REPORT_EVERY = 10
Report = Callable[[int, int, dict[str, float]], None]


@torch.no_grad()
def encode_corpus(codec: EncodecModel, clips: list[Clip], cache: Path) -> torch.Tensor:
    """Return the codes (clips, n_q, frames) of all clips, from `cache` where it is there."""
    state = load_state(cache)
    if state is not None and len(state["codes"]) == len(clips):
        return state["codes"].long()
    rng = np.random.default_rng(0)
    rows = []
    for clip in clips:
        audio = read_segment(clip.path, float(clip.row["duration"]), codec.sample_rate, rng)
        codes, _ = codec.encode(torch.from_numpy(audio)[None, None])
        rows.append(codes[0].to(torch.int16))
    codes = torch.stack(rows)
    save_state(cache, {"codes": codes})
    return codes.long()


def codebook_losses(lm: LMModel, codes: torch.Tensor, texts: list[str]) -> torch.Tensor:
    """Cross-entropy of each codebook, (n_q,), in nats, for codes (batch, n_q, frames)."""
    from audiocraft.modules.conditioners import ConditioningAttributes

    conditions = [ConditioningAttributes(text={"description": text}) for text in texts]
    out = lm.compute_predictions(codes, conditions)
    losses = []
    for k in range(codes.shape[1]):
        mask = out.mask[:, k].reshape(-1)
        logits = out.logits[:, k].reshape(-1, out.logits.shape[-1])[mask]
        losses.append(F.cross_entropy(logits, codes[:, k].reshape(-1)[mask]))
    return torch.stack(losses)


def train_language_model(
    lm: LMModel,
    codes: torch.Tensor,
    texts: list[str],
    state_path: Path,
    steps: int,
    batch: int = 8,
    lr: float = 1e-3,
    warmup: int = 100,
    seed: int = 0,
    held_out: tuple[torch.Tensor, list[str]] | None = None,
    report: Report | None = None,
) -> LMModel:
    """Train for `steps`; continues from `state_path` if it is there, to the same losses as without a break.

    Batches depend on (`seed`, step) alone: epochs are seeded permutations of the clips. The curve is written beside
    the state as JSON lines; `held_out` codes and texts are scored every 100 steps.
    """
    optimizer = torch.optim.AdamW(lm.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.01)
    start = 0
    state = load_state(state_path)
    if state is not None:
        lm.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        start = int(state["step"])
    n = len(codes)
    per_epoch = max(1, n // batch)
    curve = state_path.with_suffix(".jsonl")
    lm.train()
    for step in range(start, steps):
        torch.manual_seed(seed * 1_000_003 + step)  # dropout and condition dropout
        epoch, place = divmod(step, per_epoch)
        order = np.random.default_rng([seed, epoch]).permutation(n)
        chosen = order[place * batch : (place + 1) * batch]
        for group in optimizer.param_groups:
            group["lr"] = lr * cosine(step, steps, warmup)
        losses = codebook_losses(lm, codes[chosen], [texts[i] for i in chosen])
        optimizer.zero_grad(set_to_none=True)
        losses.mean().backward()
        torch.nn.utils.clip_grad_norm_(lm.parameters(), 1.0)
        optimizer.step()
        if step % REPORT_EVERY == 0 or step + 1 == steps:
            row = {"step": step, "loss": losses.mean().item()}
            row.update({f"codebook_{k + 1}": v.item() for k, v in enumerate(losses)})
            if held_out is not None and (step % 100 == 0 or step + 1 == steps):
                row["held_out"] = evaluate(lm, *held_out)
            append_curve(curve, row)
            if report:
                report(step + 1, steps, row)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            save_state(state_path, {"model": lm.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1})
    return lm.eval()


@torch.no_grad()
def evaluate(lm: LMModel, codes: torch.Tensor, texts: list[str], batch: int = 16) -> float:
    """Mean cross-entropy over codebooks, in nats, with conditions kept."""
    training = lm.training
    lm.eval()
    total = [
        codebook_losses(lm, codes[i : i + batch], texts[i : i + batch]).mean().item()
        for i in range(0, len(codes), batch)
    ]
    lm.train(training)
    return float(np.mean(total))


def load_training_set(codec: EncodecModel, corpus: Path, cache: Path) -> tuple[torch.Tensor, list[str], list[Clip]]:
    """Return codes, captions and clips of a corpus."""
    clips = read_corpus(corpus)
    return encode_corpus(codec, clips, cache), [c.description for c in clips], clips
