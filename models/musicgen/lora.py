"""Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685) of an audiocraft language model, by torch's parametrizations.

peft adapts nn.Linear layers; audiocraft stacks the projections of its attention in bare parameters, which a
parametrization reaches as well. While training, only the low-rank factors learn; `merge` adds them into the weights.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

PLACES = ("in_proj_weight", "weight")


class LowRank(nn.Module):
    """``W + scale * B A`` with A (rank, in) random and B (out, rank) zero at the start."""

    def __init__(self, weight: torch.Tensor, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.a = nn.Parameter(torch.randn(rank, columns, generator=generator) / columns**0.5)
        self.b = nn.Parameter(torch.zeros(rows, rank))
        self.scale = alpha / rank

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + self.scale * self.b @ self.a


def _adapted(lm: nn.Module) -> list[tuple[nn.Module, str]]:
    """Matrices of the transformer: attention (self and cross), their outputs, feed-forward."""
    found = []
    transformer: Any = lm.transformer
    for module in transformer.modules():
        for name in PLACES:
            weight = getattr(module, name, None)
            if isinstance(weight, nn.Parameter) and weight.dim() == 2:
                found.append((module, name))
    return found


def add(lm: nn.Module, rank: int = 8, alpha: float = 16.0, seed: int = 0) -> int:
    """Freeze everything and add low-rank factors to the transformer's matrices; returns how many weights learn."""
    for p in lm.parameters():
        p.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    learning = 0
    for module, name in _adapted(lm):
        factor = LowRank(getattr(module, name), rank, alpha, generator)
        parametrize.register_parametrization(module, name, factor)
        learning += sum(p.numel() for p in factor.parameters())
    return learning


def merge(lm: nn.Module) -> None:
    """Add the factors into the weights, so that the model is an ordinary one again."""
    for module in list(lm.modules()):
        if parametrize.is_parametrized(module):
            parametrized: Any = module
            for name in list(parametrized.parametrizations):
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    for p in lm.parameters():
        p.requires_grad_(True)
