"""Two engines behind one interface: transformers' weights in our decoder (default), and audiocraft itself (the oracle)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from models.devices import chosen
from models.errors import ModelError
from models.musicgen.checkpoints import Checkpoint, Parts, read_parts, split_parts
from models.musicgen.convert import language_to_transformers
from models.musicgen.decoder import Decoder
from models.musicgen.language import LanguageConfig
from models.musicgen.nano import CODEC, NanoSound, described_in, language_state
from models.musicgen.sampling import Step
from models.weights import weights_directory

ENGINES = ("transformers", "audiocraft")


class Engine(Protocol):
    """What generates: codes step by step, and their sound.

    `delays` is the delay of each codebook in frames, `special` the token of no frame, `rate` in Hz, `frame_rate` in
    code frames a second, `cache_bytes` what one clip with guidance keeps in memory for each step.
    """

    rate: int
    frame_rate: float
    delays: list[int]
    special: int
    cache_bytes: int
    device: torch.device

    def start(self, prompts: list[str], guided: bool, steps: int) -> AbstractContextManager[Step]:
        """Begin a batch of one clip a prompt, at most `steps` long."""

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Return audio (clips, channels, samples) of codes (clips, codebooks, frames)."""


class NanoText:
    """Frozen MiniLM token states, projected, always 64 long; tokens that are not there are zeros and attended to."""

    def __init__(self, projection: dict[str, torch.Tensor]) -> None:
        self.projection = {k: v.float() for k, v in projection.items()}

    def __call__(self, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return states (prompts, 64, width) and no mask."""
        from models.minilm import shared_minilm
        from models.musicgen.language import TEXT_TOKENS

        width = self.projection["weight"].shape[0]
        out = torch.zeros(len(prompts), TEXT_TOKENS, width)
        known: dict[str, torch.Tensor] = {}
        for i, text in enumerate(prompts):
            if text and text not in known:
                states = shared_minilm().token_states(text, TEXT_TOKENS)
                known[text] = torch.nn.functional.linear(states, self.projection["weight"], self.projection["bias"])
            if text:
                out[i, : len(known[text])] = known[text]
        return out, None


class T5Text:
    """T5 token states, projected; what is padding is masked, so that a prompt means the same in any batch."""

    def __init__(self, parts: Parts, device: torch.device | None = None) -> None:
        self.device = torch.device("cpu") if device is None else device
        self.encoder, self.tokenizer = parts.text_encoder.to(self.device), parts.tokenizer
        self.projection = {k: v.float().to(self.device) for k, v in parts.projection.items()}

    @torch.no_grad()
    def __call__(self, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return states (prompts, tokens, width) and the mask of tokens (prompts, tokens)."""
        read = self.tokenizer(prompts, return_tensors="pt", padding=True)
        mask = read["attention_mask"]
        states = self.encoder(
            input_ids=read["input_ids"].to(self.device), attention_mask=mask.to(self.device)
        ).last_hidden_state
        if self.projection:
            states = torch.nn.functional.linear(states, self.projection["weight"], self.projection["bias"])
        # No prompt is nothing, as audiocraft has it; T5 would read an end mark.
        there = mask * torch.tensor([bool(text) for text in prompts])[:, None]
        return states * there[..., None].to(self.device), mask.bool()


class EncodecSound:
    """transformers' EnCodec; stereo models interleave the codebooks of left and right."""

    def __init__(self, codec: Any, channels: int, device: torch.device | None = None) -> None:
        self.device = torch.device("cpu") if device is None else device
        self.codec, self.channels = codec.to(self.device), channels

    @torch.no_grad()
    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Return audio (clips, channels, samples) of codes (clips, codebooks, frames)."""
        codes = codes.to(self.device)
        sides = [codes[:, side :: self.channels] for side in range(self.channels)]
        return torch.cat([self.codec.decode(side[None], [None]).audio_values for side in sides], dim=1)


@dataclass
class Language:
    """What of a checkpoint turns a prompt into codes, in transformers' names, and what turns those into sound.

    `state` and `projection` (of the text encoder's states) are weights by name; `positions` as in
    `models.musicgen.positions`; `parts` is None for nano models, whose text encoder and codec are shipped.
    """

    state: dict[str, torch.Tensor]
    projection: dict[str, torch.Tensor]
    heads: int
    delays: list[int]
    positions: str
    parts: Parts | None = None


def read_language(checkpoint: Checkpoint) -> Language:
    """Read a checkpoint of any format."""
    if checkpoint.format == "nano":
        language = LanguageConfig(**described_in(checkpoint.directory)["language"])
        state, projection = split_parts(language_to_transformers(language_state(checkpoint.directory)))
        delays = list(range(language.n_q))
        return Language(state, projection, language.heads, delays, language.positional_embedding)
    parts = read_parts(checkpoint)
    heads = parts.config.num_attention_heads
    return Language(parts.decoder, parts.projection, heads, parts.delays, parts.positions, parts)


def between(one: Language, other: Language, share: float, names: tuple[str, str]) -> Language:
    """The model whose weights are ``(1 - share)`` of one and `share` of the other's.

    Raises
    ------
    ModelError
        If they do not have one layout: the same tensors, heads, codebooks, positions and codec.
    """

    def layout(of: Language) -> tuple[object, ...]:
        shapes = [{k: tuple(v.shape) for k, v in tensors.items()} for tensors in (of.state, of.projection)]
        return *shapes, of.heads, of.delays, of.positions, of.parts is None

    same = layout(one) == layout(other)
    if same and one.parts is not None and other.parts is not None:
        mine, theirs = one.parts.codec.state_dict(), other.parts.codec.state_dict()
        same = mine.keys() == theirs.keys() and all(torch.equal(v, theirs[k]) for k, v in mine.items())
    if not same:
        raise ModelError(f"{names[0]} and {names[1]} are not of one layout; only such models can be blended")

    def mixed(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {k: torch.lerp(v.float(), b[k].float(), share) for k, v in a.items()}

    projection = mixed(one.projection, other.projection)
    parts = None if one.parts is None else replace(one.parts, projection=projection)
    return replace(one, state=mixed(one.state, other.state), projection=projection, parts=parts)


class TransformersEngine:
    """A MusicGen in transformers' names, nano or released, decoded by `models.musicgen.decoder`.

    With `toward` (another checkpoint and a share) its weights lie between the two's. Text encoder, decoder and codec are on one
    `device`.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        precision: str = "float32",
        toward: tuple[Checkpoint, float] | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.device = torch.device("cpu") if device is None else device
        self.text: NanoText | T5Text
        self.sound: NanoSound | EncodecSound
        language = read_language(checkpoint)
        if toward is not None:
            other, share = toward
            language = between(language, read_language(other), share, (checkpoint.name, other.name))
        parts = language.parts
        if parts is None:
            self.text, self.sound = NanoText(language.projection), NanoSound(weights_directory(CODEC), device)
            self.rate, self.frame_rate = self.sound.config.sample_rate, float(self.sound.config.frame_rate)
        else:
            self.text = T5Text(parts, device)
            self.sound = EncodecSound(parts.codec, parts.config.audio_channels, device)
            self.rate, self.frame_rate = parts.codec.config.sampling_rate, float(parts.codec.config.frame_rate)
        self.delays = language.delays
        self.decoder = Decoder(language.state, language.heads, precision, language.positions, device)
        self.special = self.decoder.card
        self.cache_bytes = self.decoder.cache_bytes

    @contextmanager
    def start(self, prompts: list[str], guided: bool, steps: int) -> Iterator[Step]:
        """Begin a batch; see `Engine`."""
        yield self.decoder.start(*self.text(prompts), guided, steps)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Return audio (clips, channels, samples)."""
        return self.sound.decode(codes)


class AudiocraftEngine:
    """audiocraft's own language model and codec, step by step."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device | None = None) -> None:
        from audiocraft.modules.codebooks_patterns import DelayedPatternProvider

        from models.musicgen.audiocraft_format import load_audiocraft

        self.device = torch.device("cpu") if device is None else device
        self.lm, self.codec = (network.to(self.device) for network in load_audiocraft(checkpoint))
        pattern = self.lm.pattern_provider
        if not isinstance(pattern, DelayedPatternProvider) or pattern.flatten_first or pattern.empty_initial:
            raise ModelError(f"{checkpoint.directory}: its codebook pattern is neither delay nor parallel")
        self.delays = list(pattern.delays)
        self.special = int(self.lm.special_token_id)
        self.cache_bytes = 2 * 2 * 4 * len(self.lm.transformer.layers) * int(self.lm.dim)
        self.rate, self.frame_rate = int(self.codec.sample_rate), float(self.codec.frame_rate)

    @contextmanager
    def start(self, prompts: list[str], guided: bool, steps: int) -> Iterator[Step]:
        """Begin a batch; see `Engine`. audiocraft grows its caches, so `steps` does not matter."""
        from audiocraft.modules.conditioners import ClassifierFreeGuidanceDropout, ConditioningAttributes

        lm = self.lm
        conditions = [ConditioningAttributes(text={"description": text}) for text in prompts]
        if guided:
            conditions = conditions + ClassifierFreeGuidanceDropout(p=1.0)(conditions)
        tensors = lm.condition_provider(lm.condition_provider.tokenize(conditions))
        copies = 2 if guided else 1
        with lm.streaming(), torch.no_grad():

            def step(tokens: torch.Tensor) -> torch.Tensor:
                now = tokens[..., None].repeat(copies, 1, 1).to(self.device)
                logits: torch.Tensor = lm(now, conditions=[], condition_tensors=tensors)[:, :, -1]
                return logits

            yield step

    @torch.no_grad()
    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Return audio (clips, channels, samples)."""
        audio: torch.Tensor = self.codec.decode(codes.to(self.device), None)
        return audio


def load_engine(
    checkpoint: Checkpoint, engine: str = "transformers", precision: str = "float32", device: str = "cpu"
) -> Engine:
    """Load a checkpoint of any format into an engine, on a device (`models.devices`).

    Raises
    ------
    ModelError
        If the engine is not known or does not offer the precision, or the device is not there.
    """
    where = chosen(device)
    if engine == "transformers":
        return TransformersEngine(checkpoint, precision, device=where)
    if engine != "audiocraft":
        raise ModelError(f"engine {engine!r} is not known; there are: {', '.join(ENGINES)}")
    if precision != "float32":
        raise ModelError(f"precision {precision!r} needs engine = 'transformers'; audiocraft runs in float32 here")
    return AudiocraftEngine(checkpoint, where)
