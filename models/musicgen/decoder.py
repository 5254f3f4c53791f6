"""MusicGen's decoder, one token a step, on transformers' weights: exact in float32, faster in bfloat16 and int8.

The arithmetic is that of transformers' MusicgenForCausalLM (and audiocraft's LMModel); what is saved is work that every
step repeats: projections of the prompt are made once, the three projections of self-attention and all heads are one
product each, caches lie in place, and the prompt-free half of guidance has no cross-attention at all: over an empty
prompt (all zeros, no biases) it adds exactly nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from models.errors import ModelError
from models.musicgen.positions import POSITIONS, rotations, sinusoids, turned

PRECISIONS = ("float32", "bfloat16", "int8")


class Product:
    """``x @ W.T`` with weights kept in one of `PRECISIONS`; int8 has one scale a row and computes in bfloat16."""

    def __init__(self, weight: torch.Tensor, precision: str) -> None:
        self.precision = precision
        self.scale: torch.Tensor | None = None
        if precision == "int8":
            if weight.device.type not in ("cpu", "meta"):
                raise ModelError("precision 'int8' is the processor's; use 'bfloat16' on a card")
            if weight.shape[1] % 16:  # torch's kernel reads sixteen at a time, over the end
                raise ModelError(
                    f"precision 'int8' needs layers of a multiple of 16 in width, not {weight.shape[1]}; use 'bfloat16'"
                )
            scale = weight.abs().amax(1).clamp(min=1e-12) / 127
            self.weight = (weight / scale[:, None]).round().to(torch.int8).contiguous()
            self.scale = scale.bfloat16()
        else:
            self.weight = weight.to(torch.bfloat16 if precision == "bfloat16" else torch.float32).contiguous()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return float32 for (rows, width) float32."""
        if self.precision == "float32":
            return F.linear(x, self.weight)
        if self.scale is None:
            return F.linear(x.bfloat16(), self.weight).float()
        return torch._weight_int8pack_mm(x.bfloat16(), self.weight, self.scale).float()

    @property
    def bytes(self) -> int:
        """Bytes that one step reads."""
        return self.weight.numel() * self.weight.element_size()


@dataclass
class _Layer:
    norm1: tuple[torch.Tensor, torch.Tensor]
    qkv: Product
    out: Product
    norm2: tuple[torch.Tensor, torch.Tensor]
    cross_q: Product
    cross_kv: torch.Tensor
    cross_out: Product
    norm3: tuple[torch.Tensor, torch.Tensor]
    up: Product
    down: Product


class Decoder:
    """MusicGen's transformer from a state dict in transformers' names (``model.decoder.*``, ``lm_heads.*``).

    Parameters
    ----------
    state : dict of str to torch.Tensor
        As of ``MusicgenForCausalLM``, without biases in attention and feed-forward layers (no release has any).
    heads : int
        Attention heads.
    precision : {"float32", "bfloat16", "int8"}
        Of products and caches; norms, sums and logits stay float32.
    positions : {"sin", "rope", "sin_rope"}
        Sinusoids on the inputs, as in every release; turned queries and keys; or both.
    device : torch.device, optional
        Where it computes; tokens come from and logits go to wherever the caller has them.
    """

    def __init__(
        self,
        state: dict[str, torch.Tensor],
        heads: int,
        precision: str = "float32",
        positions: str = "sin",
        device: torch.device | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise ValueError(f"precision {precision!r} is none of {', '.join(PRECISIONS)}")
        if positions not in POSITIONS:
            raise ValueError(f"positions {positions!r} are none of {', '.join(POSITIONS)}")
        self.positions = positions
        self.heads = heads
        self.precision = precision
        self.cache_type = torch.float32 if precision == "float32" else torch.bfloat16
        self.device = torch.device("cpu") if device is None else device
        state = {k.removeprefix("model.decoder."): v.detach().to(self.device).float() for k, v in state.items()}
        tables = [state[f"embed_tokens.{k}.weight"] for k in range(_count(state, "embed_tokens."))]
        self.codebooks = len(tables)
        self.card = tables[0].shape[0] - 1
        self.width = tables[0].shape[1]
        self.table = torch.cat(tables)
        self.offsets = torch.arange(self.codebooks, device=self.device) * (self.card + 1)
        self.layers = [self._layer(state, f"layers.{i}.") for i in range(_count(state, "layers."))]
        self.norm = _norm(state, "layer_norm")
        self.head = Product(torch.cat([state[f"lm_heads.{k}.weight"] for k in range(self.codebooks)]), precision)

    def _layer(self, s: dict[str, torch.Tensor], at: str) -> _Layer:
        def product(*names: str) -> Product:
            return Product(torch.cat([s[f"{at}{n}.weight"] for n in names]), self.precision)

        return _Layer(
            norm1=_norm(s, f"{at}self_attn_layer_norm"),
            qkv=product("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            out=product("self_attn.out_proj"),
            norm2=_norm(s, f"{at}encoder_attn_layer_norm"),
            cross_q=product("encoder_attn.q_proj"),
            cross_kv=torch.cat([s[f"{at}encoder_attn.k_proj.weight"], s[f"{at}encoder_attn.v_proj.weight"]]),
            cross_out=product("encoder_attn.out_proj"),
            norm3=_norm(s, f"{at}final_layer_norm"),
            up=product("fc1"),
            down=product("fc2"),
        )

    @property
    def bytes_per_step(self) -> int:
        """Bytes of weights that each step reads, which bounds its speed at small batches."""
        layers = sum(
            p.bytes for y in self.layers for p in (y.qkv, y.out, y.cross_q, y.cross_out, y.up, y.down)
        )  # fmt: skip
        return layers + self.head.bytes

    @property
    def cache_bytes(self) -> int:
        """Bytes of keys and values of one clip and step, with guidance's second half."""
        return 2 * 2 * len(self.layers) * self.width * (4 if self.cache_type == torch.float32 else 2)

    def start(self, states: torch.Tensor, mask: torch.Tensor | None, guided: bool, steps: int) -> Decoding:
        """Begin to decode clips of prompts `states` (clips, tokens, width); `mask` is True where there is a token."""
        return Decoding(self, states, mask, guided, steps)


class Decoding:
    """The state of one batch: calling it with tokens (clips, codebooks) returns the logits of the next.

    Logits are (rows, codebooks, card): the clips, and with `guided` the clips again without their prompt.
    """

    def __init__(
        self, decoder: Decoder, states: torch.Tensor, mask: torch.Tensor | None, guided: bool, steps: int
    ) -> None:
        d = self.decoder = decoder
        self.clips = len(states)
        self.rows = 2 * self.clips if guided else self.clips
        self.position = 0
        self.size = d.width // d.heads
        shape = (len(d.layers), self.rows, d.heads, steps, self.size)
        self.keys = torch.zeros(shape, dtype=d.cache_type, device=d.device)
        self.values = torch.zeros(shape, dtype=d.cache_type, device=d.device)
        places = torch.zeros(steps, d.width) if d.positions == "rope" else sinusoids(steps, d.width)
        self.places = places.to(d.device)
        self.turns = None if d.positions == "sin" else rotations(steps, self.size).to(d.device)
        self.mask = None if mask is None or bool(mask.all()) else mask[:, None, None, :].bool().to(d.device)
        states = states.to(d.device)
        self.cross = []
        for layer in d.layers:
            both = F.linear(states.float(), layer.cross_kv).to(d.cache_type)
            k, v = both.view(self.clips, states.shape[1], 2, d.heads, self.size).permute(2, 0, 3, 1, 4)
            self.cross.append((k.contiguous(), v.contiguous()))

    @torch.no_grad()
    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        d, n, t = self.decoder, self.clips, self.position
        x = d.table[tokens.to(d.device) + d.offsets].sum(1) + self.places[t]
        if self.rows > n:
            x = x.repeat(2, 1)
        for i, layer in enumerate(d.layers):
            q, k, v = self._split(layer.qkv(_normed(x, layer.norm1)), 3)
            if self.turns is not None:
                q, k = turned(q, self.turns[t]), turned(k, self.turns[t])
            self.keys[i, :, :, t] = k
            self.values[i, :, :, t] = v
            x = x + layer.out(self._attend(q, self.keys[i, :, :, : t + 1], self.values[i, :, :, : t + 1]))
            (q,) = self._split(layer.cross_q(_normed(x[:n], layer.norm2)), 1)
            x[:n] += layer.cross_out(self._attend(q, *self.cross[i], self.mask))
            x = x + layer.down(F.gelu(layer.up(_normed(x, layer.norm3))))
        self.position += 1
        return d.head(_normed(x, d.norm)).view(self.rows, d.codebooks, d.card)

    def _split(self, x: torch.Tensor, parts: int) -> tuple[torch.Tensor, ...]:
        heads = x.to(self.decoder.cache_type).view(len(x), parts, self.decoder.heads, self.size)
        return heads.unbind(1)

    def _attend(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        out = F.scaled_dot_product_attention(q[:, :, None], k, v, attn_mask=mask)
        return out.reshape(len(q), -1).float()


def _normed(x: torch.Tensor, norm: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return F.layer_norm(x, x.shape[-1:], *norm)


def _norm(state: dict[str, torch.Tensor], name: str) -> tuple[torch.Tensor, torch.Tensor]:
    return state[f"{name}.weight"].contiguous(), state[f"{name}.bias"].contiguous()


def _count(state: dict[str, torch.Tensor], prefix: str) -> int:
    return 1 + max(int(name.removeprefix(prefix).split(".")[0]) for name in state if name.startswith(prefix))
