"""Train SonicVerse at its full size on one's own copy of MusicBench: the paper's three stages, by accelerate.

One process or many (``torchrun --nproc-per-node 4 -m tastelab models train-sonicverse ...``), on a CPU or on GPUs; it goes on
where it was. The encoder is frozen and both paths need only the mean over time of its layers, so every clip is heard once and
its 13 vectors are kept beside the run. The language model is frozen, or adapted by low-rank factors (peft).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from models.errors import ModelError
from models.sonicverse.full.mert import RATE, Mert
from models.sonicverse.full.musicbench import Row, soft_targets
from models.sonicverse.full.projector import PRESETS, DualConfig, DualProjector
from models.sonicverse.llm import LORA, adapt, load_llm
from models.sonicverse.nano.labels import GENDERS, KEYS, VOICES
from models.sonicverse.nano.train import HEAD_WEIGHT, caption_loss, with_prompt
from models.training import append_curve, cosine, digest, load_state, save_state

KNOWN = {"key": KEYS, "vocals": VOICES, "gender": GENDERS}
SECONDS = 10.0
LOT = 64
Report = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True)
class FullSettings:
    """How it is trained; the paper's values where it gives them.

    Attributes
    ----------
    epochs : tuple of int
        Of the three stages: heads; heads and projectors; projectors with heads frozen.
    batch : int
        Effective batch, over all processes and `accumulate` steps.
    lora_rank : int
        Rank of the factors in the language model's query and value projections; 0: it is frozen.
    prompt : str
        Words between the language tokens and the caption, in training and afterwards.
    task_weights : dict
        Weight of a head's loss among the heads', 1 where it is not named.
    change : dict
        Fields of `DualConfig` that differ from the preset's: tokens of each path, what feature tokens are made of ...
    """

    preset: str = "paper"
    epochs: tuple[int, int, int] = (3, 3, 3)
    batch: int = 32
    accumulate: int = 1
    lr: float = 1e-4
    head_weight: float = HEAD_WEIGHT
    lora_rank: int = 0
    prompt: str = ""
    precision: str = "auto"
    seed: int = 0
    save_every: int = 200
    task_weights: dict[str, float] = field(default_factory=dict)
    change: dict[str, Any] = field(default_factory=dict)


def label_names(rows: list[Row], preset: DualConfig) -> dict[str, list[str]]:
    """Names of each head's labels: what the rows' soft labels name, in alphabetical order (keys, vocals, gender as known)."""
    out = {}
    for head in preset.heads:
        found = sorted({name for r in rows for name in r.soft.get(head, {})})
        names = list(KNOWN.get(head, ())) or found
        strange = set(found) - set(names)
        if strange and head != "vocals":
            raise ModelError(
                f"soft labels of head {head} name {sorted(strange)[0]!r}; there are: {', '.join(names[:6])} ..."
            )
        out[head] = sorted(set(names) | set(found)) if strange else names
        if not out[head]:
            raise ModelError(f"no row has soft labels for {head}; make them with 'tastelab stimuli dataset extend'")
    return out


def encode_rows(
    rows: list[Row],
    encoder: Path,
    cache: Path,
    read: Callable[[Path, int], np.ndarray],
    report: Report | None = None,
) -> np.ndarray:
    """Mean over time of the encoder's layers of each clip's first ten seconds, (clips, layers, width); kept in `cache`.

    Clips are done in lots of 64, each a file of its own, shared out among the processes: interrupted, it goes on with the next.
    """
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())
    cache.mkdir(parents=True, exist_ok=True)
    parts = [rows[k : k + LOT] for k in range(0, len(rows), LOT)]
    lots = [(cache / f"{digest([encoder, *(r.audio for r in part)])}.npy", part) for part in parts]
    mert: Mert | None = None
    for path, lot in lots[state.process_index :: state.num_processes]:
        if path.exists():
            continue
        if mert is None:
            mert = Mert(encoder)
            mert.model.to(state.device)
        vectors = []
        for row in lot:
            hidden, _ = mert.encode([read(row.audio, RATE)[: round(SECONDS * RATE)]])
            vectors.append(hidden[0].mean(dim=1).numpy())
        partial = path.with_suffix(f".{os.getpid()}.partial.npy")
        np.save(partial, np.stack(vectors))
        partial.replace(path)
        if report:
            report(sum(p.exists() for p, _ in lots), len(lots), {})
    state.wait_for_everyone()
    return np.concatenate([np.load(path, allow_pickle=False) for path, _ in lots])


@dataclass(frozen=True)
class _Lot:
    """Clips of one backward pass of one process, and which of its captions each is taught by."""

    clips: np.ndarray
    wordings: np.ndarray


def _lots(rows: int, s: FullSettings, step: int, accelerator: Any) -> list[_Lot]:
    """This process' share of a step's clips, which all processes draw alike: as many in all whatever their number."""
    rng = np.random.default_rng([s.seed, step])
    shares = accelerator.num_processes * s.accumulate
    drawn = rng.integers(rows, size=shares * max(1, s.batch // shares))
    wordings = rng.integers(1 << 30, size=len(drawn))
    first = [part * accelerator.num_processes + accelerator.process_index for part in range(s.accumulate)]
    return [_Lot(drawn[k::shares], wordings[k::shares]) for k in first]


class _Losses(nn.Module):
    """Heads' and caption loss in one forward pass, so that processes exchange all gradients together."""

    def __init__(self, projector: DualProjector, llm: Any, tokenizer: Any, s: FullSettings):
        super().__init__()
        self.projector, self.llm, self.tokenizer, self.settings = projector, llm, tokenizer, s

    def forward(self, hidden: torch.Tensor, wanted: dict[str, torch.Tensor], texts: list[str], stage: int) -> Any:
        tasks = self.settings.task_weights
        if stage == 1:
            heads = self.projector.head_loss(self.projector.head_logits(hidden), wanted, tasks)
            return heads, heads.detach()
        tokens, logits = self.projector(hidden)
        tokens = with_prompt(self.llm, self.tokenizer, tokens, self.settings.prompt)
        caption = caption_loss(self.llm, self.tokenizer, tokens, texts)
        heads = self.projector.head_loss(logits, wanted, tasks)
        return caption + self.settings.head_weight * heads, caption.detach()


def train_full(
    rows: list[Row],
    vectors: np.ndarray,
    encoder: str,
    llm_name: str,
    out: Path,
    settings: FullSettings | None = None,
    report: Report | None = None,
) -> Path:
    """Train on encoded rows and write a captioner's directory, ``out/captioner``; the state lies in ``out/state.pt``.

    Parameters
    ----------
    vectors : ndarray
        `encode_rows` of the same rows.
    encoder, llm_name : str
        As the configuration names them: pulled names or directories.

    Raises
    ------
    ModelError
        If the preset is not known, or the rows lack labels.
    """
    from accelerate import Accelerator

    s = settings or FullSettings()
    if s.preset not in PRESETS:
        raise ModelError(f"preset {s.preset!r} is not known; there are: {', '.join(PRESETS)}")
    labels = label_names(rows, PRESETS[s.preset])
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), gradient_accumulation_steps=s.accumulate)
    half = s.precision == "bf16" or (s.precision == "auto" and torch.cuda.is_available())
    llm, tokenizer = load_llm(llm_name, torch.bfloat16 if half else torch.float32)
    config = replace(
        PRESETS[s.preset], heads={h: len(names) for h, names in labels.items()}, layers=vectors.shape[1],
        width=vectors.shape[2], llm_width=int(llm.config.hidden_size), **s.change,
    )  # fmt: skip
    torch.manual_seed(s.seed)
    projector = DualProjector(config)
    if s.lora_rank:
        adapt(llm, s.lora_rank)
    llm.to(accelerator.device)
    given = digest([encoder, llm_name, labels, *((r.audio, r.captions, r.soft) for r in rows)])
    made = asdict(s) | {"save_every": None, "listing": given}
    state = load_state(out / "state.pt", made)
    if state is not None:
        projector.load_state_dict(state["projector"])
        llm.load_state_dict(state["adapter"], strict=False)
    targets = [soft_targets(r, labels) for r in rows]
    steps = [e * -(-len(rows) // s.batch) for e in s.epochs]
    done, total = int(state["step"]) if state else 0, sum(steps)
    first = 0
    for stage, length in enumerate(steps, start=1):
        begin, first = first, first + length
        if done >= first:
            continue
        projector.stage(stage)
        for name, parameter in llm.named_parameters():
            parameter.requires_grad_(stage > 1 and LORA in name)
        trained = [p for part in (projector, llm) for p in part.parameters() if p.requires_grad]
        optimizer: Any = torch.optim.AdamW(trained, lr=s.lr)
        losses: Any = _Losses(projector, llm, tokenizer, s)
        prepared, optimizer = accelerator.prepare(losses, optimizer)
        if state is not None and state["step"] > begin:
            optimizer.load_state_dict(state["optimizer"])
        state = None
        for step in range(max(done, begin), first):
            torch.manual_seed(s.seed * 1_000_003 + step * 64 + accelerator.process_index)
            for group in optimizer.param_groups:
                group["lr"] = s.lr * cosine(step - begin, length, max(1, round(0.03 * length)))
            row: dict[str, float] = {"stage": stage, "step": step}
            projector.train()
            for lot in _lots(len(rows), s, step, accelerator):
                with accelerator.accumulate(prepared):
                    hidden = torch.from_numpy(vectors[lot.clips])[:, :, None].to(accelerator.device)
                    wanted = {
                        h: torch.from_numpy(np.stack([targets[i][h] for i in lot.clips])).to(accelerator.device)
                        for h in labels
                    }
                    texts = [
                        rows[i].captions[w % len(rows[i].captions)]
                        for i, w in zip(lot.clips, lot.wordings, strict=True)
                    ]
                    loss, caption = prepared(hidden, wanted, texts, stage)
                    accelerator.backward(loss)
                    if accelerator.sync_gradients:
                        accelerator.clip_grad_norm_(trained, 1.0)
                    optimizer.step()
                    optimizer.zero_grad(set_to_none=True)
            row |= {"loss": float(loss.detach()), "heads" if stage == 1 else "caption": float(caption)}
            if accelerator.is_main_process:
                append_curve(out / "curve.jsonl", row)
                if report:
                    report(step + 1, total, row)
                if (step + 1) % s.save_every == 0 or step + 1 == first:
                    kept = {"projector": projector.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
                    save_state(out / "state.pt", kept | {"adapter": _adapter(llm)}, made)
            accelerator.wait_for_everyone()
        # DDP's wrapper goes before anything ends the process group: its destructor waits for the group's threads.
        del prepared, losses
        accelerator.free_memory()
    if accelerator.is_main_process:
        named = {"encoder": encoder, "llm": llm_name, "labels": labels, "lora_rank": s.lora_rank, "prompt": s.prompt}
        _write(projector, _adapter(llm), named | {"training": asdict(s) | {"clips": len(rows)}}, out / "captioner")
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return out / "captioner"


def _adapter(llm: nn.Module) -> dict[str, torch.Tensor]:
    """The low-rank factors in a language model; none where it is frozen."""
    return {k: v.detach().cpu().clone() for k, v in llm.state_dict().items() if LORA in k}


def _write(projector: DualProjector, adapter: dict[str, torch.Tensor], named: dict[str, Any], folder: Path) -> None:
    """A captioner's directory, as `models.sonicverse.full` reads it."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    parts = {"model": {k: v.detach().cpu().contiguous() for k, v in projector.state_dict().items()}, "adapter": adapter}
    for name, tensors in parts.items():
        if tensors:
            partial = folder / f"{name}.{os.getpid()}.partial"
            save_file(tensors, partial)
            partial.chmod(0o644)
            partial.replace(folder / f"{name}.safetensors")
    described = {"kind": "captioner", "dual": asdict(projector.config), **named}
    partial = folder / f"config.{os.getpid()}.partial"
    partial.write_text(json.dumps(described, indent=1) + "\n")
    partial.replace(folder / "config.json")
