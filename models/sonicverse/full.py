"""SonicVerse at full size, from a directory: MERT, the projector of a preset, a language model; and how it is trained.

The directory holds ``config.json`` (``dual``: the projector's configuration, ``labels`` of each head, ``encoder`` and ``llm``:
directories or pulled names, ``prompt``: words after the tokens) and ``model.safetensors`` (or a released state dict as
``model.pt``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.errors import ModelError
from models.sonicverse.captioner import Captioner, Description
from models.sonicverse.dual import DualConfig, DualProjector, load_released
from models.sonicverse.llm import load_llm
from models.sonicverse.mert import RATE, Mert
from models.sonicverse.train import HEAD_WEIGHT, caption_loss
from models.weights import file_sha256

NEW_TOKENS = 128  # as the release


class DualCaptioner(Captioner):
    """The full-size captioner; a clip's ``mert`` layer vectors are (layers, width): their mean over time is all it needs."""

    rate = RATE

    def __init__(self, directory: Path):
        described: dict[str, Any] = json.loads((directory / "config.json").read_text())
        config = DualConfig(**described["dual"])
        self.labels: dict[str, list[str]] = described["labels"]
        for head, n in config.heads.items():
            if len(self.labels.get(head, [])) != n:
                raise ModelError(
                    f"{directory}/config.json: head {head} has {n} outputs, not {len(self.labels.get(head, []))} labels"
                )
        weights = directory / "model.safetensors"
        weights = weights if weights.exists() else directory / "model.pt"
        self.dual = load_released(weights, config)
        self.sha256 = file_sha256(weights)
        self.mert = Mert(_beside(directory, described["encoder"]))
        if self.mert.layers != config.layers:
            raise ModelError(
                f"{directory}: the encoder has {self.mert.layers} layers, the projector wants {config.layers}"
            )
        self.llm, self.tokenizer = load_llm(str(_beside(directory, described["llm"])))
        self.prompt: str = described.get("prompt", "")

    def encode(self, clip: np.ndarray) -> dict[str, np.ndarray]:
        """Mean over time of each hidden layer of a mono float32 clip at 24 kHz."""
        hidden, _ = self.mert.encode([clip])
        return {"mert": hidden[0].mean(dim=1).numpy()}

    @torch.no_grad()
    def hear(self, layers: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """Head probabilities of clips."""
        hidden = torch.from_numpy(np.stack([row["mert"] for row in layers]))[:, :, None]
        found = {k: torch.sigmoid(v) for k, v in self.dual.head_logits(hidden).items()}
        return [{head: p[i].numpy() for head, p in found.items()} for i in range(len(layers))]

    @torch.no_grad()
    def describe_layers(
        self, layers: dict[str, np.ndarray], features: dict[str, np.ndarray] | None = None
    ) -> list[Description]:
        """Captions and head probabilities of clips from their layer vectors."""
        hidden = torch.from_numpy(layers["mert"])[:, :, None]
        other = None if features is None else {head: torch.from_numpy(v).float() for head, v in features.items()}
        tokens, logits = self.dual(hidden, None, other)
        if self.prompt:
            ids = torch.tensor([self.tokenizer(self.prompt).input_ids] * len(tokens))
            tokens = torch.cat([tokens, self.llm.get_input_embeddings()(ids).to(tokens.dtype)], dim=1)
        out = []
        for i, text in enumerate(self.write(tokens, NEW_TOKENS)):
            heard = {
                head: {
                    label: round(float(p), 4)
                    for label, p in zip(self.labels[head], torch.sigmoid(logits[head][i]), strict=True)
                }
                for head in logits
            }
            out.append(Description(" ".join(text.split()), heard))
        return out


def _beside(directory: Path, name: str) -> Path:
    """A directory named in a configuration: inside the captioner's own, absolute, or a pulled model."""
    from models.musicgen.checkpoints import locate

    return directory / name if (directory / name).is_dir() else locate(name)


def train_dual(
    model: DualProjector,
    llm: Any,
    tokenizer: Any,
    batches: Callable[[int, int], tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor], list[str]]],
    steps: tuple[int, int, int],
    lr: float = 1e-4,
    report: Callable[[int, int, dict[str, float]], None] | None = None,
) -> list[dict[str, float]]:
    """The paper's three stages: heads; heads and projectors; projectors with heads frozen.

    Parameters
    ----------
    batches : callable
        (stage, step) -> hidden layers, mask, soft labels by head, captions.
    steps : tuple of int
        Steps of each stage; AdamW, cosine with 3 % warm-up in each, caption loss + 0.1 times the head losses.
    """
    from models.training import cosine

    rows: list[dict[str, float]] = []
    for stage, total in enumerate(steps, start=1):
        model.stage(stage)
        learning: Iterable[torch.nn.Parameter] = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(learning, lr=lr)
        for step in range(total):
            hidden, mask, wanted, texts = batches(stage, step)
            model.train()
            row: dict[str, float] = {"stage": stage, "step": step}
            if stage == 1:
                loss = model.head_loss(model.head_logits(hidden, mask), wanted)
            else:
                tokens, logits = model(hidden, mask)
                caption = caption_loss(llm, tokenizer, tokens, texts)
                row["caption"] = caption.item()
                loss = caption + HEAD_WEIGHT * model.head_loss(logits, wanted)
            for group in optimizer.param_groups:
                group["lr"] = lr * cosine(step, total, max(1, round(0.03 * total)))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(list(model.parameters()), 1.0)
            optimizer.step()
            row["loss"] = loss.item()
            rows.append(row)
            if report:
                report(step + 1, total, row)
    return rows
