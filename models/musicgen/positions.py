"""Where a token stands: what a MusicGen's attention knows of order and distance.

MusicGen adds sinusoids to its inputs (``"sin"``). audiocraft's transformer also knows rotary positions (Su et al. 2021, arXiv
2104.09864): each pair of numbers in a query or key is turned by an angle in proportion to its place, so that a product of the two
knows only how far apart they stand (``"rope"``), and both at once (``"sin_rope"``). A small model that has to find a period by
itself learns it sooner from distances than from places.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch

POSITIONS = ("sin", "rope", "sin_rope")
LONGEST_PERIOD = 10000.0


def sinusoids(positions: int, width: int) -> torch.Tensor:
    """Positional embeddings (positions, width): cosines, then sines, as in audiocraft and transformers."""
    half = width // 2
    inverse = torch.exp(torch.arange(half).float() * -(torch.log(torch.tensor(LONGEST_PERIOD)) / (half - 1)))
    phase = torch.arange(positions).float()[:, None] * inverse[None]
    return torch.cat([phase.cos(), phase.sin()], dim=1)


def rotations(positions: int, size: int) -> torch.Tensor:
    """Turns of the pairs of a head (positions, size / 2, 2), cosine and sine: neighbouring numbers are a pair, the first turns fastest."""
    frequencies = 1.0 / LONGEST_PERIOD ** (torch.arange(0, size, 2).float() / size)
    angles = torch.outer(torch.arange(positions).float(), frequencies)
    return torch.stack((angles.cos(), angles.sin()), dim=-1)


def turned(x: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
    """Turn queries or keys (..., size) by `rotation` (size / 2, 2), or by one for each step (steps, size / 2, 2); the type of `x` is kept."""
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    cosine, sine = rotation.unbind(-1)
    return torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1).flatten(-2).to(x.dtype)


def settle_rotary(lm: Any) -> Any:
    """Let audiocraft's language model count its steps, and keep the constants of its rotary positions out of its state.

    Step by step, audiocraft 1.3 takes the number of heads for the number of steps behind (it reads the length of its cache along
    the wrong axis): every token after the first is turned as the fifth of a model of four heads, whereas in training, where it is
    given whole clips, each stands in its own place. Returns the model.
    """
    rope = lm.transformer.rope
    if rope is not None:
        rope._non_persistent_buffers_set.add("frequencies")
        for layer in lm.transformer.layers:
            layer.self_attn._apply_rope = MethodType(_apply_rope, layer.self_attn)
    return lm


def without_constants(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state of audiocraft's without the constants of rotary positions, which audiocraft repeats in each layer."""
    return {k: v for k, v in state.items() if not k.endswith("rope.frequencies")}


def _apply_rope(attention: Any, query: torch.Tensor, key: torch.Tensor) -> Any:
    behind = attention._streaming_state.get("past_keys")
    start = 0 if behind is None else behind.shape[2]
    return attention.rope.rotate_qk(query, key, start=start, time_dim=2)
