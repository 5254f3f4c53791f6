"""Train the nano captioner: heads first, then heads and projectors through the frozen language model."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from models.errors import ModelError
from models.loop import Loop, Task, train
from models.sonicverse.llm import caption_loss, load_llm
from models.sonicverse.nano.captioner import NANO
from models.sonicverse.nano.encoder import LAYERS, RATE, encode
from models.sonicverse.nano.labels import labels_of, sentence, targets
from models.sonicverse.projector import HEAD_WEIGHT, DualProjector, ProjectorConfig
from models.sonicverse.tags import genre_tags
from models.training import Clip, Report, cosine, fingerprint, read_corpus, read_segment, recipe_of
from models.weights import load_tensors, weights_directory

HEAD_STEPS = 2000
CAPTION_STEPS = 2600
VOICE_STEPS = 1500
VOICE_HEADS = ("vocals", "gender")
HEAD_BATCH = 64
BATCH = 8
SAVE_EVERY = 50


def through_codec(audio: np.ndarray) -> np.ndarray:
    """Send audio through the nano codec and back: the captioner meets generated clips, which all sound like that."""
    from models.musicgen.nano import load_codec

    codec = load_codec()
    with torch.no_grad():
        codes, _ = codec.encode(torch.from_numpy(audio)[None, None])
        back: np.ndarray = codec.decode(codes)[0, 0, : len(audio)].numpy()
    return back


def quicker_type() -> torch.dtype:
    """The type in which this CPU trains through a language model sooner: without instructions for bfloat16 that is float32."""
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


def encode_corpus(
    clips: list[Clip],
    cache: Path,
    report: Report | None = None,
    transform: Callable[[np.ndarray], np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Layer vectors of all clips, (clips, width) per layer, from `cache` (safetensors) where it is there and of these clips."""
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    made = {"corpus": fingerprint(clips)}
    if cache.exists():
        with safe_open(cache, "np") as file:
            known = file.metadata() == made
        if known:
            return load_file(cache)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in LAYERS}
    rng = np.random.default_rng(0)
    for i, clip in enumerate(clips):
        audio = read_segment(clip.path, float(clip.row["duration"]), RATE, rng)
        for name, vector in encode(transform(audio) if transform else audio).items():
            rows[name].append(vector)
        if report and i % 20 == 0:
            report(i, len(clips), {})
    layers = {name: np.stack(values) for name, values in rows.items()}
    partial = cache.with_suffix(".partial")
    save_file(layers, partial, made)
    partial.replace(cache)
    return layers


def _tensors(layers: dict[str, np.ndarray], chosen: np.ndarray) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(rows[chosen]) for name, rows in layers.items()}


Heard = dict[str, torch.Tensor]  # layer vectors by layer, or targets by head


@dataclass(frozen=True)
class Lesson:
    """Clips to learn from: layer vectors (clips, width) by layer, targets and labels of each clip, and the clips that may be drawn."""

    layers: dict[str, np.ndarray]
    wanted: list[dict[str, np.ndarray]]
    labels: list[dict[str, list[str]]]
    free: np.ndarray
    worded: np.ndarray

    def drawn(self, chosen: np.ndarray, heads: Iterable[str]) -> tuple[Heard, Heard]:
        """Layer vectors of some clips, and what those heads should say of them."""
        y = {head: torch.from_numpy(np.stack([self.wanted[i][head] for i in chosen])) for head in heads}
        return _tensors(self.layers, chosen), y


class _Losses(nn.Module):
    """Loss of the heads alone, or of captions and heads where there are texts."""

    def __init__(self, projector: DualProjector, head_weight: float) -> None:
        super().__init__()
        self.projector, self.head_weight = projector, head_weight
        self.reader: tuple[Any, ...] = ()  # language model and tokenizer: frozen, loaded where first needed

    def forward(self, x: Heard, y: Heard, texts: list[str] | None) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        model = self.projector
        if texts is None:
            return model.head_loss(model.head_logits(x), y), {}
        if not self.reader:
            # In a tuple, so that it is no part of this module.
            self.reader = tuple(load_llm(dtype=quicker_type()))
        tokens, logits = model(x)
        llm, tokenizer = self.reader
        caption = caption_loss(llm, tokenizer, tokens, texts)
        return caption + self.head_weight * model.head_loss(logits, y), {"caption": caption.detach()}


class _Projector(Task):
    """`HEAD_STEPS` steps of the heads alone, then `steps` of the whole projector through the language model."""

    def __init__(self, model: DualProjector, lesson: Lesson, steps: int, seed: int, head_weight: float) -> None:
        self.model, self.lesson, self.steps, self.seed = model, lesson, steps, seed
        self.module = _Losses(model, head_weight)

    def lots(self, step: int) -> Sequence[tuple[Any, ...]]:
        """A batch of clips, with a sentence each where captions are learned."""
        rng, lesson = np.random.default_rng([self.seed, step]), self.lesson
        heads_only = step < HEAD_STEPS
        pool = lesson.free if heads_only else lesson.worded
        chosen = pool[rng.integers(len(pool), size=HEAD_BATCH if heads_only else BATCH)]
        texts = None if heads_only else [sentence(lesson.labels[i], rng) for i in chosen]
        return [(*lesson.drawn(chosen, self.model.config.heads), texts)]

    def rate(self, step: int) -> float:
        """Warm-up and a cosine, once for the heads and once for captions."""
        heads_only = step < HEAD_STEPS
        return 1e-3 * (cosine(step, HEAD_STEPS, 50) if heads_only else cosine(step - HEAD_STEPS, self.steps, 50))

    def optimizer(self) -> torch.optim.Optimizer:
        """AdamW on the whole projector."""
        return torch.optim.AdamW(self.model.parameters(), lr=1e-3, weight_decay=0.05)

    def kept(self) -> dict[str, Any]:
        """The projector's weights."""
        return {"model": self.model.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state's weights."""
        self.model.load_state_dict(state["model"])

    def shows(self, step: int) -> bool:
        """Captions oftener than heads."""
        return step % (100 if step < HEAD_STEPS else 10) == 0


class _Voices(_Projector):
    """The heads of vocals and gender alone, on as many clips of each of `pools`."""

    def __init__(self, model: DualProjector, lesson: Lesson, pools: list[np.ndarray], seed: int) -> None:
        super().__init__(model, lesson, VOICE_STEPS, seed, 0.0)
        self.pools = pools
        self.module = _VoiceLoss(model)

    def lots(self, step: int) -> Sequence[tuple[Any, ...]]:
        """As many clips of every pool."""
        rng = np.random.default_rng([self.seed, 5, step])
        chosen = [p[rng.integers(len(p), size=HEAD_BATCH // len(self.pools))] for p in self.pools]
        return [self.lesson.drawn(np.concatenate(chosen), VOICE_HEADS)]

    def rate(self, step: int) -> float:
        """Warm-up, then a cosine."""
        return 1e-3 * cosine(step, self.steps, 50)

    def optimizer(self) -> torch.optim.Optimizer:
        """AdamW on the two heads and what they listen to, without decay: what does not learn stays as it is."""
        own = [p for name in VOICE_HEADS for p in self.model.heads[name].parameters()]
        return torch.optim.AdamW([self.model.beta, *own], lr=1e-3, weight_decay=0.0)


class _VoiceLoss(nn.Module):
    """Loss of the heads of vocals and gender; what comes before them does not learn."""

    def __init__(self, projector: DualProjector) -> None:
        super().__init__()
        self.projector = projector

    def forward(self, x: Heard, y: Heard) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        with torch.no_grad():
            stacked = self.projector.stack(x)
        return self.projector.head_loss({name: self.projector.head_of(name, stacked) for name in VOICE_HEADS}, y), {}


def train_projector(
    corpora: list[Path],
    out: Path,
    steps: int,
    seed: int = 0,
    report: Report | None = None,
    config: ProjectorConfig | None = None,
    head_weight: float = HEAD_WEIGHT,
    start_from: str | None = None,
) -> DualProjector:
    """Train on one or several corpora; continues from ``out/sonicverse.pt``.

    `config` switches parts off (ablations); `head_weight` is the weight of the head losses beside the caption loss; of the captioner
    `start_from` (a shipped name or a directory) every part that is there and has the same shape is taken over.

    Every clip is there twice, as it is and as the nano codec gives it back (once where it went through a studio: that is a channel
    of its own, and both at once blurred the instruments). The first `HEAD_STEPS` steps train the heads alone
    (no language model needed), the next `steps` the whole projector with caption cross-entropy plus 0.1 times the head losses.
    Genres are distilled from MusiCNN's tags (no rendered clip has one). A tenth of the pieces is kept for the temperatures.
    """
    from accelerate import Accelerator

    clips, layers = _views(corpora, report)
    labels = [labels_of(clip.row) for clip in clips]
    wanted = [targets(row) for row in labels]
    for truth, vector in zip(wanted, layers["penultimate"], strict=True):
        truth["genre"] = genre_tags(vector)
    held = kept_back(clips)
    free = np.flatnonzero(~held)
    lesson = Lesson(layers, wanted, labels, free, np.array([i for i in free if "attributes" in clips[i].row]))
    torch.manual_seed(seed)
    model = DualProjector(config or NANO)
    model.normalise_by(layers)
    if start_from:
        take_over(model, start_from)
    made = {
        "seed": seed, "config": asdict(model.config), "head_weight": head_weight, "head_steps": HEAD_STEPS,
        "start_from": start_from, "corpus": fingerprint(clips),
    }  # fmt: skip
    state = out / "sonicverse.pt"
    loop = Loop(HEAD_STEPS + steps, save_every=SAVE_EVERY, made=made, state=state, curve=state.with_suffix(".jsonl"))
    # On the processor whatever else there is: what is read and what reads it are small.
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), device_placement=False)
    train(_Projector(model, lesson, steps, seed, head_weight), loop, accelerator, report)
    tune_voices(model, lesson, seed)
    rest = np.flatnonzero(held)
    x, y = lesson.drawn(rest, model.config.heads)
    with torch.no_grad():
        logits = model.head_logits(x)
    model.calibrate(logits, y)
    return model


def _views(corpora: list[Path], report: Report | None) -> tuple[list[Clip], dict[str, np.ndarray]]:
    """Clips of corpora, in every way that they are heard, and their layer vectors."""
    clips: list[Clip] = []
    parts = []
    for corpus in corpora:
        found = read_corpus(corpus)
        views: list[tuple[str, Callable[[np.ndarray], np.ndarray] | None]] = [("sonicverse", None)]
        if not recipe_of(corpus).get("produced"):
            views.append(("sonicverse-codec", through_codec))
        for name, transform in views:
            parts.append(encode_corpus(found, corpus / f"{name}.safetensors", report, transform))
            clips += found
    return clips, {name: np.concatenate([p[name] for p in parts]) for name in LAYERS}


def kept_back(clips: list[Clip]) -> np.ndarray:
    """Which clips are kept for the temperatures: about a tenth of the pieces, with all their clips."""
    held = np.array([zlib.crc32(str(clip.row.get("title", clip.path)).encode()) % 10 == 0 for clip in clips])
    if held.all() or not held.any():  # a handful of clips, in tests
        held = np.arange(len(clips)) % 10 == 0
    return held


def tune_voices(model: DualProjector, lesson: Lesson, seed: int = 0) -> None:
    """Train the heads of vocals and gender alone for `VOICE_STEPS` more, where there are clips other than rendered ones.

    Each batch has as many rendered clips as others (recorded, generated), and of both as many sung as not, so that a corpus of one
    kind in which nobody sings doesn't make the head deaf. Everything else stays as it is: captions keep what they learned.
    """
    from accelerate import Accelerator

    free, wanted = lesson.free, lesson.wanted
    other = np.array([bool(np.isnan(wanted[i]["instrument"]).any()) for i in free])
    voice = np.array([bool(wanted[i]["vocals"][0] == 1) for i in free])
    pools = [free[mask] for mask in (other & voice, other & ~voice, ~other & voice, ~other & ~voice) if mask.any()]
    if other.any():
        accelerator = Accelerator(cpu=not torch.cuda.is_available(), device_placement=False)
        train(_Voices(model, lesson, pools, seed), Loop(VOICE_STEPS, clip=None), accelerator)
    model.eval()


def take_over(model: DualProjector, name: str) -> list[str]:
    """Copy from another captioner what has the same name and shape, layer weights by head; returns what was new here.

    Of a head with fewer labels (they come first) its units are taken, and what was made of their values; the others begin anew.
    """
    directory = weights_directory("sonicverse-nano") if name == "nano" else Path(name)
    described = directory / "config.json"
    if not described.exists():
        raise ModelError(f"no captioner in {directory}: config.json is missing")
    given = {k: v.float() for k, v in load_tensors(directory / "model.safetensors").items()}
    own = model.state_dict()
    heads = list(json.loads(described.read_text())["projector"]["heads"])  # names alone, or names and how many labels
    for i, head in enumerate(model.config.heads):
        if head in heads and given["beta"].shape[1] == own["beta"].shape[1]:
            own["beta"][i] = given["beta"][heads.index(head)]
    taken = {k for k, v in given.items() if k in own and own[k].shape == v.shape and k != "beta"}
    for key in taken:
        own[key] = given[key]
    for head in set(heads) & set(model.config.heads):
        _first_units(own, given, head)
    model.load_state_dict(own)
    return sorted(set(own) - taken - {"beta"})


def _first_units(own: dict[str, torch.Tensor], given: dict[str, torch.Tensor], head: str) -> None:
    """Take over the units of a head that has more labels here than there: its last layer's rows, its tokens' first columns."""
    for key, there in given.items():
        here = own.get(key)
        if key.startswith((f"heads.{head}.", f"feature.{head}.")) and here is not None and here.shape != there.shape:
            part = tuple(slice(min(a, b)) for a, b in zip(here.shape, there.shape, strict=True))
            if all(a >= b for a, b in zip(here.shape, there.shape, strict=True)):
                here[part] = there[part]


def save_projector(model: DualProjector, directory: Path, llm: str = "smollm2") -> None:
    """Write a projector as safetensors (float16) beside a JSON config that names its language model."""
    from safetensors.torch import save_file

    directory.mkdir(parents=True, exist_ok=True)
    state = {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in model.state_dict().items()}
    # Deviations of dead features are tiny; their inverse would not fit half precision.
    state = {k: v.clamp(-60000, 60000) if v.is_floating_point() else v for k, v in state.items()}
    partial = directory / "model.partial"
    save_file(state, partial)
    partial.chmod(0o644)
    partial.replace(directory / "model.safetensors")
    described = {
        "kind": "captioner",
        "projector": asdict(model.config),
        "llm": llm,
        "encoder": "musicnn + pulse/pitch",
    }
    (directory / "config.json").write_text(json.dumps(described, indent=2) + "\n")


def train_nano_captioner(
    corpora: list[Path],
    out: Path,
    steps: int = CAPTION_STEPS,
    seed: int = 0,
    report: Report | None = None,
    start_from: str | None = None,
) -> Path:
    """Train the captioner and write ``out/sonicverse-nano``; the training state lies in ``out/state``."""
    model = train_projector(corpora, out / "state", steps, seed, report, start_from=start_from)
    save_projector(model, out / "sonicverse-nano")
    return out / "sonicverse-nano"
