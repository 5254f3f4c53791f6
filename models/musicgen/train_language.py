"""Train and fine-tune the nano language model on the codes of a corpus: CPU, one GPU, or many by torchrun."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F

from models.errors import ModelError
from models.training import (
    Clip,
    append_curve,
    cosine,
    digest,
    fingerprint,
    load_state,
    read_corpus,
    read_segment,
    save_state,
)

if TYPE_CHECKING:
    from audiocraft.models.encodec import CompressionModel
    from audiocraft.models.lm import LMModel

Report = Callable[[int, int, dict[str, float]], None]
Texts = Sequence[Sequence[str]]
Codes = Sequence[torch.Tensor]
# Settings that a training can't change midway; its length, what is shown and how often it is saved can.
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


@torch.no_grad()
def encode_corpus(codec: CompressionModel, clips: list[Clip], cache: Path) -> list[torch.Tensor]:
    """Return the codes (n_q, frames) of each clip, from `cache` where it is there."""
    made = {"corpus": fingerprint(clips), "codec": digest(codec.state_dict().values())}
    state = load_state(cache, made)
    if state is not None:
        return [row.long() for row in state["codes"]]
    rng = np.random.default_rng(0)
    rows = []
    for clip in clips:
        audio = read_segment(clip.path, float(clip.row["duration"]), int(codec.sample_rate), rng)
        wave = torch.from_numpy(audio)[None, None].expand(1, int(codec.channels), -1)
        rows.append(codec.encode(wave)[0][0].to(torch.int16))
    save_state(cache, {"codes": rows}, made)
    return [row.long() for row in rows]


def crop(codes: torch.Tensor, frames: int, draw: int) -> torch.Tensor:
    """Return `frames` frames of codes (n_q, longer), from a place that the integer `draw` decides."""
    start = draw % (codes.shape[1] - frames + 1)
    return codes[:, start : start + frames]


def codebook_losses(lm: LMModel, codes: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
    """Cross-entropy of each codebook, (n_q,), in nats, for codes (batch, n_q, frames)."""
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

    def __init__(self, lm: LMModel) -> None:
        super().__init__()
        self.lm = lm

    def forward(self, codes: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
        return codebook_losses(self.lm, codes, texts)


class MovingAverage:
    """Exponential moving average of a model's parameters, with the usual warm-up of its decay."""

    def __init__(self, lm: torch.nn.Module, decay: float) -> None:
        self.decay = decay
        self.shadow = [p.detach().clone() for p in lm.parameters()]

    @torch.no_grad()
    def update(self, lm: torch.nn.Module, step: int) -> None:
        """Move towards the parameters as they are after `step`."""
        keep = min(self.decay, (1 + step) / (10 + step))
        for mean, p in zip(self.shadow, lm.parameters(), strict=True):
            mean.lerp_(p.detach(), 1 - keep)

    @contextmanager
    def in_place(self, lm: torch.nn.Module) -> Iterator[None]:
        """Put the average into the model for the time of the block."""
        own = [p.detach().clone() for p in lm.parameters()]
        _copy(self.shadow, lm)
        try:
            yield
        finally:
            _copy(own, lm)


@torch.no_grad()
def _copy(values: list[torch.Tensor], lm: torch.nn.Module) -> None:
    for p, value in zip(lm.parameters(), values, strict=True):
        p.copy_(value)


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


def _seed_step(lm: LMModel, seed: int, step: int) -> None:
    """Dropout, and the dropping of conditions (audiocraft's own generators), depend on (`seed`, `step`) alone."""
    torch.manual_seed(seed * 1_000_003 + step)
    lm.cfg_dropout.rng.manual_seed(seed * 1_000_003 + step)


def train_language_model(
    lm: LMModel,
    codes: Codes,
    texts: Texts,
    state_path: Path,
    settings: TrainSettings,
    held_out: tuple[Codes, Texts] | None = None,
    report: Report | None = None,
    replay: tuple[Codes, Texts] | None = None,
) -> LMModel:
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
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        log_with=None if s.tracker == "none" else s.tracker,
        project_dir=str(state_path.parent),
    )
    if s.tracker != "none":
        accelerator.init_trackers(state_path.stem, {k: v for k, v in asdict(s).items() if v is not None})
    half = resolve_precision(s.precision) == "bf16"
    trained = [p for p in lm.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=s.lr, betas=(0.9, 0.95), weight_decay=s.weight_decay)
    others = replay or ((), ())
    made = {k: v for k, v in asdict(s).items() if k in DECIDING} | {
        "corpus": digest([*codes, *texts, *others[0], *others[1]]),
        "model": digest([trained[0], trained[-1], sum(p.numel() for p in trained)]),
    }
    if s.codebooks:
        made["codebooks"] = s.codebooks
    if lm.transformer.positional_embedding != "sin":
        made["positions"] = lm.transformer.positional_embedding
    weights = _weights(s.codebooks, codes[0].shape[0])
    state = load_state(state_path, made) or {"step": 0, "best_loss": float("inf"), "since": 0}
    if "model" in state:
        lm.load_state_dict(state["model"])
    model, optimizer = accelerator.prepare(_Losses(lm), optimizer)
    average = MovingAverage(lm, s.ema) if s.ema else None
    if "optimizer" in state:
        optimizer.load_state_dict(state["optimizer"])
    if average and "average" in state:
        average.shadow = [v.to(accelerator.device) for v in state["average"]]
    frames = min(s.segment, *(c.shape[1] for c in codes))
    if held_out is not None:
        held_out = ([c[:, :frames] for c in held_out[0]], held_out[1])
    rank, world = accelerator.process_index, accelerator.num_processes
    curve = state_path.with_suffix(".jsonl")
    lm.train()
    for step in range(int(state["step"]), s.steps):
        _seed_step(lm, s.seed, step)
        batch, asked = _draw(codes, texts, step, s.batch, s.seed, 1, frames)
        if replay is not None and s.replay:
            more, also = _draw(*replay, step, s.replay, s.seed + 1, 2, frames)
            batch, asked = torch.cat([batch, more]), asked + also
        for group in optimizer.param_groups:
            group["lr"] = s.lr * cosine(step, s.steps, s.warmup)
        with torch.autocast(accelerator.device.type, torch.bfloat16, enabled=half):
            losses = model(batch[rank::world].to(accelerator.device), asked[rank::world])
        optimizer.zero_grad(set_to_none=True)
        weighted = losses.mean() if weights is None else (losses * weights.to(losses.device)).sum()
        accelerator.backward(weighted)
        accelerator.clip_grad_norm_(lm.parameters(), 1.0)
        optimizer.step()
        if average:
            average.update(lm, step)
        last = step + 1 == s.steps
        score = None
        if held_out is not None and (step % s.evaluate_every == 0 or last):
            with torch.autocast(accelerator.device.type, torch.bfloat16, enabled=half):
                score = _evaluate_average(lm, average, held_out, accelerator.device)
            better = score < state["best_loss"]
            state["since"] = 0 if better else state["since"] + 1
            if better:
                state["best_loss"] = score
                if s.patience is not None:
                    state["best"] = [p.detach().cpu().clone() for p in (average.shadow if average else lm.parameters())]
        stop = s.patience is not None and state["since"] > s.patience
        if accelerator.is_main_process:
            if step % s.report_every == 0 or last or score is not None:
                row = {"step": step, "loss": losses.mean().item()}
                row.update({f"codebook_{k + 1}": v.item() for k, v in enumerate(losses)})
                if score is not None:
                    row["held_out"] = score
                append_curve(curve, row)
                accelerator.log(row, step=step)
            state["step"] = s.steps if stop else step + 1
            if state["step"] % s.save_every == 0 or last or stop:
                _save(state_path, state, lm, optimizer, average, made)
            if report and (step % s.report_every == 0 or last):
                report(step + 1, s.steps, {"loss": losses.mean().item()})
        if stop:
            break
    # The wrapper of several processes goes before their group: the other way round its destructor, which holds Python's
    # lock, waits for the group's threads, and one of these may wait for the lock.
    accelerator.wait_for_everyone()
    model, optimizer = accelerator.free_memory(model, optimizer)
    accelerator.end_training()
    if s.patience is not None and "best" in state:
        _copy([v.to(accelerator.device) for v in state["best"]], lm)
    elif average:
        _copy(average.shadow, lm)
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


def _save(
    path: Path,
    state: dict[str, Any],
    lm: LMModel,
    optimizer: Any,
    average: MovingAverage | None,
    made: dict[str, Any],
) -> None:
    state["model"], state["optimizer"] = lm.state_dict(), optimizer.state_dict()
    if average:
        state["average"] = average.shadow
    save_state(path, state, made)


def _evaluate_average(
    lm: LMModel, average: MovingAverage | None, held_out: tuple[Codes, Texts], device: torch.device
) -> float:
    codes, texts = held_out
    first = [t[0] for t in texts]
    with average.in_place(lm) if average else nullcontext():
        return evaluate(lm, torch.stack(list(codes)).to(device), first)


@torch.no_grad()
def evaluate(lm: LMModel, codes: torch.Tensor, texts: Sequence[str], batch: int = 16) -> float:
    """Mean cross-entropy over codebooks, in nats, with conditions kept."""
    training = lm.training
    lm.eval()
    total = [
        codebook_losses(lm, codes[i : i + batch], texts[i : i + batch]).mean().item()
        for i in range(0, len(codes), batch)
    ]
    lm.train(training)
    return float(np.mean(total))


def load_training_set(codec: CompressionModel, corpus: Path, cache: Path) -> tuple[Codes, Texts, list[Clip]]:
    """Return codes, captions (all wordings) and clips of a corpus."""
    clips = read_corpus(corpus)
    return encode_corpus(codec, clips, cache), [c.wordings for c in clips], clips
