"""SonicVerse at full size, from a directory: MERT, the projector of a preset, a language model.

The directory holds ``config.json`` (``dual``: the projector's configuration, ``labels`` of each head, ``encoder`` and ``llm``:
directories or pulled names, ``prompt``: words after the tokens) and ``model.safetensors`` (or a released state dict as
``model.pt``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.errors import ModelError
from models.sonicverse.captioner import Captioner, Description
from models.sonicverse.full.mert import RATE, Mert
from models.sonicverse.full.projector import DualConfig
from models.sonicverse.full.released import load_released
from models.sonicverse.llm import adapt, load_llm
from models.sonicverse.nano.train import with_prompt
from models.weights import file_sha256, load_tensors

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
        if described.get("lora_rank"):
            adapt(self.llm, int(described["lora_rank"]))
            self.llm.load_state_dict(load_tensors(directory / "adapter.safetensors"), strict=False)
            self.llm.requires_grad_(False)
        self.prompt: str = described.get("prompt", "")

    def encode(self, clip: np.ndarray) -> dict[str, np.ndarray]:
        """Mean over time of each hidden layer of a mono float32 clip at 24 kHz."""
        hidden, _ = self.mert.encode([clip])
        return {"mert": hidden[0].mean(dim=1).numpy()}

    def layer_weights(self) -> dict[str, dict[str, float]]:
        """Weight of each of MERT's layers: in the content path, then in every head."""
        return self.dual.layer_weights()

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
        tokens = with_prompt(self.llm, self.tokenizer, tokens, self.prompt)
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
