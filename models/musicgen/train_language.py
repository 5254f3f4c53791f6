"""Train and fine-tune the nano language model on the codes of a corpus: CPU, one GPU, or many by torchrun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch.nn import functional as F

from models.errors import ModelError
from models.loop import Loop, Task, train
from models.musicgen.whole import WholeModel
from models.processes import first_alone, shareable
from models.training import Clip, Report, cosine, digest, fingerprint, load_state, read_corpus, read_segment, save_state

if TYPE_CHECKING:
    from accelerate import Accelerator
    from audiocraft.models.encodec import CompressionModel
    from audiocraft.models.lm import LMModel

Trained = TypeVar("Trained", "LMModel", WholeModel)
Texts = Sequence[Sequence[str]]
Codes = Sequence[torch.Tensor]
# Settings that a training can't change midway; its length, what is shown and how often it is saved can.
NEW = {"ema_every": 1, "floor": 0.05, "word_dropout": 0.0}
DECIDING = ("batch", "lr", "warmup", "weight_decay", "seed", "ema", "segment", "replay")


@dataclass(frozen=True)
class TrainSettings:
    """How a language model is trained.

    Parameters
    ----------
    batch : int
        Clips a step, over all processes.
    precision : str
        ``"no"`` (float32), ``"bf16"`` (autocast), or ``"auto"``: bf16 where the machine computes in it.
    ema : float
        Decay of the moving average of the weights, which is what is evaluated and returned; 0 keeps none.
    patience : int or None
        Stop after this many evaluations without a better held-out loss, and return the best weights; None goes to the
        end and returns the last.
    segment : int
        Longest piece of a clip in code frames.
    tracker : {"none", "tensorboard", "wandb"}
        Where the curve goes beside the JSON lines.
    replay : int
        Clips a step of the corpus that the model was trained on before, beside `batch`.
    codebooks : tuple of float
        How much each codebook's loss counts, from the first; without any all count alike. Losses shown and held out are not weighted.
    ema_every : int
        Steps from one update of the average to the next.
    floor : float
        Share of the learning rate that the cosine ends at.
    word_dropout : float
        Share of the words that are left out of what is learned from, drawn anew each step (audiocraft's of T5); held-out texts are whole.
    """

    steps: int
    batch: int = 8
    lr: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.01
    seed: int = 0
    precision: str = "auto"
    ema: float = 0.0
    evaluate_every: int = 100
    report_every: int = 10
    save_every: int = 100
    patience: int | None = None
    segment: int = 100_000
    tracker: str = "none"
    replay: int = 0
    codebooks: tuple[float, ...] = ()
    ema_every: int = 1
    floor: float = 0.05
    word_dropout: float = 0.0


@torch.no_grad()
def encode_corpus(codec: CompressionModel, clips: list[Clip], cache: Path, shift: int = 0) -> list[torch.Tensor]:
    """Return the codes (n_q, frames) of each clip, from `cache` where it is there; of several processes the first makes it.

    `shift` samples are left out at the beginning, and silence stands at the end for them: within a frame of the codec the same
    music has other codes.
    """
    made = {"corpus": fingerprint(clips), "codec": digest(codec.state_dict().values())}
    made |= {"shift": str(shift)} if shift else {}
    with first_alone():
        state = load_state(cache, made)
        rows = state["codes"] if state is not None else _encoded(codec, clips, shift)
        if state is None:
            save_state(cache, {"codes": rows}, made)
    return [row.long() for row in rows]


def _encoded(codec: CompressionModel, clips: list[Clip], shift: int) -> list[torch.Tensor]:
    rng = np.random.default_rng(0)
    rows = []
    for clip in clips:
        audio = read_segment(clip.path, float(clip.row["duration"]), int(codec.sample_rate), rng)
        audio = np.pad(audio[shift:], (0, shift))
        wave = torch.from_numpy(audio)[None, None].expand(1, int(codec.channels), -1)
        rows.append(codec.encode(wave)[0][0].to(torch.int16))
    return rows


def crop(codes: torch.Tensor, frames: int, draw: int) -> torch.Tensor:
    """Return `frames` frames of codes (n_q, longer), from a place that the integer `draw` decides."""
    start = draw % (codes.shape[1] - frames + 1)
    return codes[:, start : start + frames]


def codebook_losses(lm: LMModel | WholeModel, codes: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
    """Cross-entropy of each codebook, (n_q,), in nats, for codes (batch, n_q, frames)."""
    if isinstance(lm, WholeModel):
        return lm.codebook_losses(codes, texts)
    from audiocraft.modules.conditioners import ConditioningAttributes

    conditions = [ConditioningAttributes(text={"description": text}) for text in texts]
    out = lm.compute_predictions(codes, conditions)
    losses = []
    for k in range(codes.shape[1]):
        mask = out.mask[:, k].reshape(-1)
        logits = out.logits[:, k].reshape(-1, out.logits.shape[-1])[mask].float()
        losses.append(F.cross_entropy(logits, codes[:, k].reshape(-1)[mask]))
    return torch.stack(losses)


class _Losses(torch.nn.Module):
    """`codebook_losses` as a module's forward, which is what data-parallel wrappers wrap."""

    def __init__(
        self, lm: LMModel | WholeModel, device: torch.device, half: bool, weights: torch.Tensor | None
    ) -> None:
        super().__init__()
        self.lm, self.device, self.low, self.weights = lm, device, half, weights

    def forward(
        self, codes: torch.Tensor, texts: Sequence[str], weight: float = 1.0
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.low):
            losses = codebook_losses(self.lm, codes, texts)
        mean = losses.mean()
        learned = mean if self.weights is None else (losses * self.weights.to(losses.device)).sum()
        return learned * weight, {
            "loss": mean.detach(),
            **{f"codebook_{k + 1}": v.detach() for k, v in enumerate(losses)},
        }


def resolve_precision(precision: str) -> str:
    """Return ``"bf16"`` or ``"no"`` for a setting that may be ``"auto"``."""
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "no"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() else "no"


def batch_of(step: int, n: int, batch: int, seed: int) -> np.ndarray:
    """Indices of the clips of one step: epochs are permutations seeded by (`seed`, epoch)."""
    epoch, place = divmod(step, max(1, n // batch))
    return np.random.default_rng([seed, epoch]).permutation(n)[place * batch : (place + 1) * batch]


def _draw(
    codes: Codes, texts: Texts, step: int, n: int, seed: int, stream: int, frames: int
) -> tuple[torch.Tensor, list[str]]:
    """One step's pieces (n, n_q, frames) and captions; they depend on (`seed`, `step`, `stream`) alone."""
    chosen = batch_of(step, len(codes), n, seed)
    draws = np.random.default_rng([seed, step, stream]).integers(1 << 30, size=(2, len(chosen)))
    asked = [texts[i][int(w) % len(texts[i])] for i, w in zip(chosen, draws[0], strict=True)]
    return torch.stack([crop(codes[i], frames, int(d)) for i, d in zip(chosen, draws[1], strict=True)]), asked


def without_words(text: str, share: float, draws: np.random.Generator) -> str:
    """A text without about that share of its words, as audiocraft's T5 conditioner drops them."""
    return " ".join(word for word in text.split(" ") if draws.random() >= share)


class _Language(Task):
    """A language model on codes and texts, beside those that are replayed."""

    module: _Losses

    def __init__(
        self,
        lm: LMModel | WholeModel,
        settings: TrainSettings,
        learned: tuple[Codes, Texts],
        replayed: tuple[Codes, Texts] | None,
        held_out: tuple[Codes, Sequence[str]] | None,
        accelerator: Accelerator,
    ) -> None:
        self.lm, self.settings, self.seed = lm, settings, settings.seed
        self.learned, self.replayed = learned, replayed
        self.frames = min(settings.segment, *(c.shape[1] for c in learned[0]))
        self.held_out = held_out and ([c[:, : self.frames] for c in held_out[0]], held_out[1])
        self.device, self.processes = accelerator.device, accelerator.num_processes
        self.share = slice(accelerator.process_index, None, self.processes)
        low = resolve_precision(settings.precision) == "bf16"
        self.module = _Losses(lm, self.device, low, _weights(settings.codebooks, learned[0][0].shape[0]))

    def begin(self, step: int) -> None:
        """Dropout, and the dropping of conditions (audiocraft's own generators), depend on (seed, step) alone."""
        super().begin(step)
        if not isinstance(self.lm, WholeModel):
            self.lm.cfg_dropout.rng.manual_seed(self.seed * 1_000_003 + step)

    def lots(self, step: int) -> list[tuple[torch.Tensor, list[str], float]]:
        """This process' share of the step's pieces and captions, and its weight: gradients of all count alike, whose shares may not."""
        s = self.settings
        batch, asked = _draw(*self.learned, step, s.batch, s.seed, 1, self.frames)
        if self.replayed is not None and s.replay:
            more, also = _draw(*self.replayed, step, s.replay, s.seed + 1, 2, self.frames)
            batch, asked = torch.cat([batch, more]), asked + also
        if s.word_dropout:
            draws = np.random.default_rng([s.seed, step, 3])
            asked = [without_words(text, s.word_dropout, draws) for text in asked]
        own = batch[self.share]
        return [(own.to(self.device), asked[self.share], len(own) * self.processes / len(batch))]

    def rate(self, step: int) -> float:
        """Warm-up, then a cosine."""
        return self.settings.lr * cosine(step, self.settings.steps, self.settings.warmup, self.settings.floor)

    def optimizer(self) -> torch.optim.Optimizer:
        """AdamW on what is not frozen."""
        s = self.settings
        trained = [p for p in self.lm.parameters() if p.requires_grad]
        return torch.optim.AdamW(trained, lr=s.lr, betas=(0.9, 0.95), weight_decay=s.weight_decay)

    def kept(self) -> dict[str, Any]:
        """The model's weights."""
        return {"model": self.lm.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state's weights."""
        self.lm.load_state_dict(state["model"])

    def shows(self, step: int) -> bool:
        """Every so many steps."""
        return step % self.settings.report_every == 0

    def score(self) -> float | None:
        """Loss of the held-out clips, by their first wordings."""
        if self.held_out is None:
            return None
        codes, texts = self.held_out
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.module.low):
            return evaluate(self.lm, torch.stack(list(codes)).to(self.device), texts)


def train_language_model(
    lm: Trained,
    codes: Codes,
    texts: Texts,
    state_path: Path,
    settings: TrainSettings,
    held_out: tuple[Codes, Texts] | None = None,
    report: Report | None = None,
    replay: tuple[Codes, Texts] | None = None,
) -> Trained:
    """Train; continues from `state_path` if it is there, to the same losses as without a break.

    Batches, places, wordings and dropout depend on (seed, step) alone, on one process or many. The curve is written beside the
    state as JSON lines; `held_out` codes and texts (their first wordings) are scored every `evaluate_every` steps.

    Parameters
    ----------
    codes : sequence of torch.Tensor
        Each (n_q, frames), integers; longer ones are cropped anew each time, to `segment` frames or the shortest.
    texts : sequence of sequence of str
        Wordings of each clip's caption; one is drawn a step.
    replay : tuple
        Codes and texts of which `settings.replay` clips stand beside each batch.
    """
    from accelerate import Accelerator

    s = settings
    _check_tracker(s.tracker)
    shareable(s.batch)
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        log_with=None if s.tracker == "none" else s.tracker,
        project_dir=str(state_path.parent),
    )
    if s.tracker != "none":
        shown = {k: v if isinstance(v, int | float | str) else str(v) for k, v in asdict(s).items() if v is not None}
        accelerator.init_trackers(state_path.stem, shown)
    trained = [p for p in lm.parameters() if p.requires_grad]
    others: tuple[Sequence[Any], Sequence[Any]] = replay or ((), ())
    made = {k: v for k, v in asdict(s).items() if k in DECIDING} | {
        "corpus": digest([*codes, *texts, *others[0], *others[1]]),
        "model": digest([trained[0], trained[-1], sum(p.numel() for p in trained)]),
    }
    # What earlier versions did not know stands in a state where it is not as it was then.
    made |= {
        k: v
        for k, v in (("ema_every", s.ema_every), ("floor", s.floor), ("word_dropout", s.word_dropout))
        if v != NEW[k]
    }
    if s.codebooks:
        made["codebooks"] = s.codebooks
    positions = lm.config.positional_embedding if isinstance(lm, WholeModel) else lm.transformer.positional_embedding
    if positions != "sin":
        made["positions"] = positions
    if isinstance(lm, WholeModel):
        made["whole"] = True  # other draws of what is dropped than audiocraft's
    loop = Loop(
        s.steps, ema=s.ema, ema_every=s.ema_every, evaluate_every=s.evaluate_every, save_every=s.save_every, patience=s.patience, made=made,
        state=state_path, curve=state_path.with_suffix(".jsonl"),
    )  # fmt: skip
    held: tuple[Codes, list[str]] | None = None
    if held_out is not None:
        held = held_out[0], [str(wordings[0]) for wordings in held_out[1]]
    train(_Language(lm, s, (codes, texts), replay, held, accelerator), loop, accelerator, report)
    accelerator.end_training()
    return lm.eval()


def _weights(codebooks: tuple[float, ...], n: int) -> torch.Tensor | None:
    if not codebooks:
        return None
    if len(codebooks) != n or min(codebooks) < 0 or sum(codebooks) <= 0:
        raise ModelError(
            f"{len(codebooks)} weights of losses for {n} codebooks; give one each, none under zero and not all zero"
        )
    return torch.tensor(codebooks) / sum(codebooks)


def _check_tracker(name: str) -> None:
    from importlib.util import find_spec

    if name != "none" and find_spec(name) is None:
        raise ModelError(f"tracker {name!r} is not installed; pip install {name}, or train without it")


@torch.no_grad()
def evaluate(lm: LMModel | WholeModel, codes: torch.Tensor, texts: Sequence[str], batch: int = 16) -> float:
    """Mean cross-entropy over codebooks, in nats, with conditions kept."""
    training = lm.training
    lm.eval()
    total = [
        codebook_losses(lm, codes[i : i + batch], texts[i : i + batch]).mean().item()
        for i in range(0, len(codes), batch)
    ]
    lm.train(training)
    return float(np.mean(total))


def load_training_set(
    codec: CompressionModel, corpus: Path, cache: Path, shift: int = 0
) -> tuple[Codes, Texts, list[Clip]]:
    """Return codes (see `encode_corpus`), captions (all wordings) and clips of a corpus."""
    clips = read_corpus(corpus)
    return encode_corpus(codec, clips, cache, shift), [c.wordings for c in clips], clips
