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
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from models.errors import ModelError
from models.loop import Loop, Task, train
from models.sonicverse.full.mert import RATE, Mert
from models.sonicverse.full.musicbench import Row, soft_targets
from models.sonicverse.full.presets import PRESETS
from models.sonicverse.full.released import in_file
from models.sonicverse.llm import LORA, adapt, caption_loss, load_llm, with_prompt
from models.sonicverse.nano.labels import GENDERS, KEYS, VOICES
from models.sonicverse.projector import HEAD_WEIGHT, DualProjector, ProjectorConfig
from models.training import Report, cosine, digest

if TYPE_CHECKING:
    from accelerate import Accelerator

KNOWN = {"key": KEYS, "vocals": VOICES, "gender": GENDERS}
SECONDS = 10.0
LOT = 64
LAYOUT = 2  # of the networks in a state


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
        Fields of `ProjectorConfig` that differ from the preset's: tokens of each path, what feature tokens are made of ...
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


def label_names(rows: list[Row], preset: ProjectorConfig) -> dict[str, list[str]]:
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


class _Losses(nn.Module):
    """Heads' and caption loss in one forward pass, so that processes exchange all gradients together."""

    def __init__(self, projector: DualProjector, llm: Any, tokenizer: Any, s: FullSettings, stage: int):
        super().__init__()
        self.projector, self.llm, self.tokenizer, self.settings, self.stage = projector, llm, tokenizer, s, stage

    def forward(
        self, hidden: torch.Tensor, wanted: dict[str, torch.Tensor], texts: list[str]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        tasks, stage = self.settings.task_weights, {"stage": torch.tensor(self.stage)}
        if self.stage == 1:
            heads = self.projector.head_loss(self.projector.head_logits(hidden), wanted, tasks)
            return heads, {**stage, "heads": heads.detach()}
        tokens, logits = self.projector(hidden)
        tokens = with_prompt(self.llm, self.tokenizer, tokens, self.settings.prompt)
        caption = caption_loss(self.llm, self.tokenizer, tokens, texts)
        heads = self.projector.head_loss(logits, wanted, tasks)
        return caption + self.settings.head_weight * heads, {**stage, "caption": caption.detach()}


@dataclass(frozen=True)
class Lesson:
    """Rows to learn from, the encoder's layers of each (clips, layers, width), and what the heads should say of it."""

    rows: list[Row]
    vectors: np.ndarray
    targets: list[dict[str, np.ndarray]]


class _Stage(Task):
    """One of the three stages: its number says what learns."""

    def __init__(
        self,
        number: int,
        steps: range,
        lesson: Lesson,
        projector: DualProjector,
        reader: tuple[Any, Any],
        s: FullSettings,
        accelerator: Accelerator,
    ):
        self.steps, self.lesson, self.projector, self.settings, self.seed = steps, lesson, projector, s, s.seed
        self.llm, self.accelerator = reader[0], accelerator
        self.module = _Losses(projector, *reader, s, number)
        projector.stage(number)
        for name, parameter in self.llm.named_parameters():
            parameter.requires_grad_(number > 1 and LORA in name)

    def begin(self, step: int) -> None:
        """Dropout is drawn anew by every process; the language model stays as it is read."""
        torch.manual_seed(self.seed * 1_000_003 + step * 64 + self.accelerator.process_index)
        self.projector.train()

    def lots(self, step: int) -> list[tuple[torch.Tensor, dict[str, torch.Tensor], list[str]]]:
        """This process' share of a step's clips, which all processes draw alike: as many in all whatever their number."""
        s, accelerator, lesson = self.settings, self.accelerator, self.lesson
        rng = np.random.default_rng([s.seed, step])
        shares = accelerator.num_processes * s.accumulate
        drawn = rng.integers(len(lesson.rows), size=shares * max(1, s.batch // shares))
        wordings = rng.integers(1 << 30, size=len(drawn))
        first = [part * accelerator.num_processes + accelerator.process_index for part in range(s.accumulate)]
        return [self._lot(drawn[k::shares], wordings[k::shares]) for k in first]

    def _lot(self, clips: np.ndarray, wordings: np.ndarray) -> tuple[torch.Tensor, dict[str, torch.Tensor], list[str]]:
        """Clips of one backward pass, and which of its captions each is taught by."""
        lesson, device = self.lesson, self.accelerator.device
        hidden = torch.from_numpy(lesson.vectors[clips])[:, :, None].to(device)
        wanted = {
            head: torch.from_numpy(np.stack([lesson.targets[i][head] for i in clips])).to(device)
            for head in self.projector.config.heads
        }
        captions = [lesson.rows[i].captions for i in clips]
        return hidden, wanted, [said[w % len(said)] for said, w in zip(captions, wordings, strict=True)]

    def rate(self, step: int) -> float:
        """The paper's: a warm-up of 3 %, then a cosine, in every stage."""
        length = len(self.steps)
        return self.settings.lr * cosine(step - self.steps.start, length, max(1, round(0.03 * length)))

    def optimizer(self) -> torch.optim.Optimizer:
        """AdamW on what learns in this stage."""
        trained = [p for part in (self.projector, self.llm) for p in part.parameters() if p.requires_grad]
        return torch.optim.AdamW(trained, lr=self.settings.lr)

    def kept(self) -> dict[str, Any]:
        """The projector's weights, and the language model's low-rank factors."""
        return {"projector": self.projector.state_dict(), "adapter": _adapter(self.llm)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state's weights."""
        self.projector.load_state_dict(state["projector"])
        self.llm.load_state_dict(state["adapter"], strict=False)


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
    if PRESETS[s.preset].summed:
        raise ModelError(f"preset {s.preset!r} reads every frame of a clip and is for published weights; train 'paper'")
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
    made = asdict(s) | {"save_every": None, "listing": given, "layout": LAYOUT}
    lesson = Lesson(rows, vectors, [soft_targets(r, labels) for r in rows])
    ends = np.cumsum([0, *(e * -(-len(rows) // s.batch) for e in s.epochs)]).tolist()
    for number, (begin, end) in enumerate(pairwise(ends), start=1):
        stage = _Stage(number, range(begin, end), lesson, projector, (llm, tokenizer), s, accelerator)
        loop = Loop(
            end, begin, ends[-1], save_every=s.save_every, made=made, state=out / "state.pt", curve=out / "curve.jsonl",
        )  # fmt: skip
        train(stage, loop, accelerator, report)
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
    """A captioner's directory, as `models.sonicverse.full.captioner` reads it."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    parts = {"model": {k: v.detach().cpu().clone() for k, v in in_file(projector).items()}, "adapter": adapter}
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
