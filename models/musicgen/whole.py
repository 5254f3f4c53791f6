"""A nano MusicGen over whole clips, in plain torch: what a training computes, on the processor or on a card.

Parameters are those of audiocraft's `LMModel`, by name and shape: a state of one is a state of the other, and their losses agree to
within rounding. It computes without audiocraft, and on a card takes torch's causal kernel where audiocraft builds a mask as large as the
square of the clip; on a processor a step takes as long as audiocraft's. Where a clip's text is dropped for guidance it is dropped clip by clip, not
for all of a step at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from models.minilm import WIDTH
from models.musicgen.language import LanguageConfig, text_states
from models.musicgen.positions import rotations, sinusoids, turned

Rotation = torch.Tensor | None


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.out_proj = nn.Linear(width, width, bias=False)


class _Layer(nn.Module):
    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        width = config.width
        self.self_attn = _Attention(width)
        self.linear1 = nn.Linear(width, config.hidden_scale * width, bias=False)
        self.linear2 = nn.Linear(config.hidden_scale * width, width, bias=False)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.cross_attention = _Attention(width)
        self.norm_cross = nn.LayerNorm(width)
        self.heads, self.dropout = config.heads, config.dropout

    def forward(self, x: torch.Tensor, text: torch.Tensor, rotation: Rotation) -> torch.Tensor:
        """(clips, steps, width) from itself, projected text (clips, tokens, width), and the turns of its places."""
        width = x.shape[-1]
        q, k, v = self._heads(F.linear(self.norm1(x), self.self_attn.in_proj_weight), 3)
        if rotation is not None:
            q, k = turned(q, rotation), turned(k, rotation)
        x = x + self._kept(self.self_attn.out_proj(_joined(F.scaled_dot_product_attention(q, k, v, is_causal=True))))
        weight = self.cross_attention.in_proj_weight
        (q,) = self._heads(F.linear(self.norm_cross(x), weight[:width]), 1)
        k, v = self._heads(F.linear(text, weight[width:]), 2)
        x = x + self._kept(self.cross_attention.out_proj(_joined(F.scaled_dot_product_attention(q, k, v))))
        return x + self._kept(self.linear2(self._kept(F.gelu(self.linear1(self.norm2(x))))))

    def _heads(self, x: torch.Tensor, parts: int) -> tuple[torch.Tensor, ...]:
        return x.view(*x.shape[:2], parts, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)

    def _kept(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x, self.dropout, self.training)


def _joined(x: torch.Tensor) -> torch.Tensor:
    return x.transpose(1, 2).flatten(2)


class WholeModel(nn.Module):
    """A nano language model that reads whole clips; see the module for what it shares with audiocraft's."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.config = config
        provider: Any = nn.Module()
        provider.conditioners = nn.ModuleDict({"description": nn.Module()})
        provider.conditioners["description"].output_proj = nn.Linear(WIDTH, config.width)
        self.condition_provider = provider
        self.emb = nn.ModuleList([nn.Embedding(config.bins + 1, config.width) for _ in range(config.n_q)])
        stack: Any = nn.Module()
        stack.layers = nn.ModuleList([_Layer(config) for _ in range(config.layers)])
        self.transformer = stack
        self.out_norm = nn.LayerNorm(config.width)
        self.linears = nn.ModuleList([nn.Linear(config.width, config.bins, bias=False) for _ in range(config.n_q)])
        self._texts: dict[str, torch.Tensor] = {}
        self._tables: dict[tuple[int, torch.device], tuple[torch.Tensor | None, Rotation]] = {}

    @classmethod
    def of(cls, lm: Any, config: LanguageConfig) -> WholeModel:
        """The same model as audiocraft's `lm`, with its weights and which of them learn; the device is the processor."""
        model = cls(config)
        model.load_state_dict(lm.state_dict())
        learns = {name: p.requires_grad for name, p in lm.named_parameters()}
        for name, p in model.named_parameters():
            p.requires_grad_(learns[name])
        return model

    def codebook_losses(self, codes: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
        """Cross-entropy of each codebook (n_q,), in nats, for codes (clips, n_q, frames); in training some texts are dropped.

        States of texts are kept once they were read: 60 kB each, 4 GB for the eight captions of 8,640 clips.
        """
        states, mask = text_states(texts, self._texts, codes.device)
        if self.training and self.config.cfg_dropout:
            kept = torch.rand(len(codes), 1, device=codes.device) >= self.config.cfg_dropout
            mask = mask * kept
        projected = self.condition_provider.conditioners["description"].output_proj(states) * mask[..., None]
        frames = codes.shape[-1]
        tokens = self._delayed(codes)
        x = torch.stack([table(tokens[:, k]) for k, table in enumerate(self.emb)]).sum(0)
        places, rotation = self._positions(frames + 1, codes.device)
        if places is not None:
            x = x + places
        for layer in self.transformer.layers:
            x = layer(x, projected, rotation)
        x = self.out_norm(x)
        losses = []
        for k, head in enumerate(self.linears):
            # What step k + i says of codebook k is its frame i.
            logits = head(x[:, k:frames]).float().flatten(0, 1)
            losses.append(F.cross_entropy(logits, codes[:, k, : frames - k].flatten()))
        return torch.stack(losses)

    def _delayed(self, codes: torch.Tensor) -> torch.Tensor:
        """Inputs (clips, n_q, frames + 1): each codebook a step after the one before, the special code where there is none."""
        frames = codes.shape[-1]
        out = codes.new_full((*codes.shape[:2], frames + 1), self.config.bins)
        for k in range(codes.shape[1]):
            out[:, k, 1 + k :] = codes[:, k, : frames - k]
        return out

    def _positions(self, steps: int, device: torch.device) -> tuple[torch.Tensor | None, Rotation]:
        if (steps, device) not in self._tables:
            kind, width = self.config.positional_embedding, self.config.width
            places = None if kind == "rope" else sinusoids(steps, width).to(device)
            rotation = None if kind == "sin" else rotations(steps, width // self.config.heads).to(device)
            self._tables = {(steps, device): (places, rotation)}
        return self._tables[steps, device]
