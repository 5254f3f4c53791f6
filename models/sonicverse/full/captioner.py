"""SonicVerse at full size, from a directory: MERT, the projector of a preset, a language model.

The directory holds ``config.json`` (``dual``: the projector's configuration, ``labels`` of each head, ``encoder`` and ``llm``:
directories or pulled names, ``prompt``: words after the tokens, or around ``<sound>``, which is where they stand) and ``model.safetensors`` (or a released state dict as
``model.pt``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.errors import ModelError
from models.sonicverse.captioner import Captioner
from models.sonicverse.full.mert import RATE, Mert
from models.sonicverse.full.presets import described_config
from models.sonicverse.full.released import load_released, weights_file
from models.sonicverse.llm import adapt, load_llm
from models.sonicverse.projector import Layers
from models.weights import file_sha256, load_tensors

SECONDS = 10  # the release captions pieces of ten seconds


class FullCaptioner(Captioner):
    """The full-size captioner.

    Of a clip it keeps ``mert``, the layers' means over time (layers, width), which is all the paper's projector needs; the
    release's reads every frame: ``means`` and ``pooled`` of `DualProjector.summary`, of the clip's first ten seconds.
    """

    rate = RATE
    new_tokens = 128  # as the release

    def __init__(self, directory: Path, device: torch.device | None = None):
        described: dict[str, Any] = json.loads((directory / "config.json").read_text())
        config = described_config(described["dual"])
        self.labels = {head: tuple(names) for head, names in described["labels"].items()}
        for head, n in config.heads.items():
            if len(self.labels.get(head, ())) != n:
                raise ModelError(
                    f"{directory}/config.json: head {head} has {n} outputs, not {len(self.labels.get(head, ()))} labels"
                )
        weights = weights_file(directory)
        self.projector = load_released(weights, config)
        self.sha256 = file_sha256(weights)
        self.mert = Mert(_beside(directory, described["encoder"]))
        if self.mert.layers != len(config.layer_names):
            raise ModelError(
                f"{directory}: the encoder has {self.mert.layers} layers, the projector wants {len(config.layer_names)}"
            )
        # On a card the language model is half as large from the start: 7 B parameters are 28 GB in float32.
        half = device is not None and device.type == "cuda"
        llm = str(_beside(directory, described["llm"]))
        self.llm, self.tokenizer = load_llm(llm, torch.bfloat16 if half else torch.float32)
        if described.get("lora_rank"):
            adapt(self.llm, int(described["lora_rank"]))
            self.llm.load_state_dict(load_tensors(directory / "adapter.safetensors"), strict=False)
            self.llm.requires_grad_(False)
        self.prompt = described.get("prompt", "")
        if device is not None:
            self.to(device)

    def to(self, device: torch.device) -> Captioner:
        """Move the networks to a device; returns the captioner."""
        self.mert.model.to(device)
        return super().to(device)

    def encode(self, clip: np.ndarray) -> dict[str, np.ndarray]:
        """What the projector needs of a mono float32 clip at 24 kHz."""
        if self.projector.config.summed:
            hidden, _ = self.mert.encode([clip[: SECONDS * RATE]])
            summary = self.projector.summary(hidden.to(self.device))
            return {name: rows[0].detach().cpu().numpy() for name, rows in summary.items()}
        hidden, _ = self.mert.encode([clip])
        return {"mert": hidden[0].mean(dim=1).numpy()}

    def given(self, layers: dict[str, np.ndarray]) -> Layers:
        """Means over time as hidden layers of one frame, (clips, layers, 1, width), or the release's summary."""
        if self.projector.config.summed:
            return super().given(layers)
        return torch.from_numpy(layers["mert"]).to(self.device)[:, :, None]


def _beside(directory: Path, name: str) -> Path:
    """A directory named in a configuration: inside the captioner's own, absolute, or a pulled model."""
    from models.locating import locate

    return directory / name if (directory / name).is_dir() else locate(name)
