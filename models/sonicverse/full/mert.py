"""MERT-v1-95M read by transformers' HubertModel: the weights of the release, none of its code.

The published configuration is plain HuBERT (no constant-Q input, no deep norm); only the weight-norm parameters of the
positional convolution carry older names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.errors import ModelError

RATE = 24000
RENAMED = {
    "encoder.pos_conv_embed.conv.weight_g": "encoder.pos_conv_embed.conv.parametrizations.weight.original0",
    "encoder.pos_conv_embed.conv.weight_v": "encoder.pos_conv_embed.conv.parametrizations.weight.original1",
}


class Mert:
    """A frozen MERT: audio to its hidden layers."""

    def __init__(self, directory: Path):
        from transformers import HubertConfig, HubertModel

        from models.weights import load_pickle, load_tensors

        config = directory / "config.json"
        if not config.exists():
            raise ModelError(
                f"no MERT in {directory}: config.json is missing; run 'tastelab models pull m-a-p/MERT-v1-95M'"
            )
        described: dict[str, Any] = json.loads(config.read_text())
        if described.get("feature_extractor_cqt") or described.get("deepnorm"):
            raise ModelError(
                f"{directory} is a MERT with constant-Q input or deep norm; only plain ones (95M) can be read"
            )
        known = set(HubertConfig().to_dict())
        fields = {
            k: v for k, v in described.items() if k in known and k not in ("model_type", "architectures", "auto_map")
        }
        model = HubertModel(HubertConfig(**fields))
        safe, plain = directory / "model.safetensors", directory / "pytorch_model.bin"
        if not safe.exists() and not plain.exists():
            raise ModelError(f"no MERT in {directory}: neither model.safetensors nor pytorch_model.bin is there")
        given = load_tensors(safe) if safe.exists() else load_pickle(plain)
        state = {RENAMED.get(k, k): v for k, v in given.items()}
        wanted = model.state_dict()
        for name, tensor in wanted.items():
            if name not in state or state[name].shape != tensor.shape:
                raise ModelError(
                    f"{directory} is no MERT of its own configuration: {name} is missing or of another shape"
                )
        model.load_state_dict({k: state[k] for k in wanted})
        model.requires_grad_(False)
        self.model = model.eval()
        self.layers = int(model.config.num_hidden_layers) + 1

    @torch.no_grad()
    def encode(self, clips: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden layers (batch, layers, frames, width) of mono audio at 24 kHz, and the mask of frames (batch, frames).

        Clips of one length run together; padding is added to the hidden layers only, because the network's first
        normalisation runs over time and would hear padded audio as part of the clip.
        """
        groups: dict[int, list[int]] = {}
        for i, c in enumerate(clips):
            groups.setdefault(len(c), []).append(i)
        found: dict[int, torch.Tensor] = {}
        for indices in groups.values():
            # MERT was trained on audio of mean 0 and deviation 1 (its feature extractor's do_normalize).
            level = [(clips[i] - clips[i].mean()) / np.sqrt(clips[i].var() + 1e-7) for i in indices]
            given = torch.from_numpy(np.stack(level)).float().to(self.model.device)
            out = self.model(given, output_hidden_states=True)
            for k, i in enumerate(indices):
                found[i] = torch.stack([h[k] for h in out.hidden_states]).cpu()
        longest = max(h.shape[1] for h in found.values())
        hidden = torch.zeros(len(clips), self.layers, longest, found[0].shape[2])
        mask = torch.zeros(len(clips), longest, dtype=torch.bool)
        for i, h in found.items():
            hidden[i, :, : h.shape[1]] = h
            mask[i, : h.shape[1]] = True
        return hidden, mask
