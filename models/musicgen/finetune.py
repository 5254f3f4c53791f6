"""Fine-tune a MusicGen, nano or released, on a taste corpus: the seed paper's recipe, and its authors' open questions."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models.errors import ModelError
from models.musicgen import lora
from models.musicgen.audiocraft_format import audiocraft_configs, load_audiocraft
from models.musicgen.checkpoints import Checkpoint, find, read_parts
from models.musicgen.language import LanguageConfig
from models.musicgen.nano import described_in, save_language_model
from models.musicgen.train_language import Texts, TrainSettings, load_training_set, train_language_model
from models.training import Clip, Report
from models.weights import WEIGHTS

SEGMENT_SECONDS = 15.0
METHODS = ("full", "lora", "conditioning")
CONDITIONING = ("output_proj", "cross_attention", "norm_cross")  # the ways from the words to the music


@dataclass(frozen=True)
class Preset:
    """A recipe's numbers."""

    epochs: int
    lr: float
    method: str
    blend: float


# The seed paper's, and what nano-taste had. In a network of six million weights 1e-4 does not reach the taste words, and
# more changes the music before it does; so only the ways from the words to the music learn, and 0.75 of that is taken
# (weights between the base's and the fine-tuned: Wortsman et al. 2022, arXiv 2109.01903).
PRESETS = {"paper": Preset(30, 1e-4, "full", 1.0), "nano": Preset(80, 1e-3, "conditioning", 0.75)}


@dataclass(frozen=True)
class FinetuneSettings:
    """How a model is fine-tuned; the defaults are the seed paper's (arXiv 2503.02823 and its script).

    Parameters
    ----------
    method : {"full", "lora", "conditioning"}
        All weights, low-rank factors of `rank` beside the transformer's, or the text projection and cross-attention.
    replay : int
        Clips a step of the corpus the base was trained on (`finetune`'s `replayed`), so that it is not forgotten.
    blend : float
        Share of the change that is taken: weights lie between the base's (0) and the fine-tuned (1).
    without_taste_words : bool
        Ablation: captions lose their taste words, so that tastes can be learned from the sound's other words only.
    enrich : str or None
        Ablation: tracks with this taste in their keywords are drawn until it is as frequent as the most frequent one.
    """

    epochs: int = 30
    batch: int = 16
    lr: float = 1e-4
    warmup: int = 8
    weight_decay: float = 0.01
    method: str = "full"
    rank: int = 8
    ema: float = 0.0
    patience: int | None = None
    without_taste_words: bool = False
    enrich: str | None = None
    tracker: str = "none"
    seed: int = 0
    replay: int = 8
    blend: float = 1.0


def wordings(clips: list[Clip], without_taste_words: bool) -> Texts:
    """Captions of each clip.

    Raises
    ------
    ModelError
        If captions without taste words are asked for and the corpus has none.
    """
    if not without_taste_words:
        return [c.wordings for c in clips]
    if any("wordings_without_taste" not in c.row for c in clips):
        raise ModelError(
            "the corpus has no wordings_without_taste; build it again with 'tastelab stimuli dataset build'"
        )
    return [tuple(c.row["wordings_without_taste"]) for c in clips]


def enriched(clips: list[Clip], taste: str) -> list[int]:
    """Indices of all clips, those with `taste` repeated until it is as frequent as the most frequent taste.

    Raises
    ------
    ModelError
        If no clip has that taste among its keywords.
    """
    words = [set(str(c.row.get("keywords", "")).replace(",", " ").split()) for c in clips]
    counts = {w: sum(w in row for row in words) for w in set().union(*words)}
    own = [i for i, row in enumerate(words) if taste in row]
    if not own:
        raise ModelError(
            f"no track of the corpus has {taste!r} among its keywords; there are: {', '.join(sorted(counts))}"
        )
    missing = max(counts.values()) - len(own)
    return list(range(len(clips))) + [own[i % len(own)] for i in range(missing)]


def finetune(
    base: Path | str,
    corpus: Path,
    out: Path,
    name: str = "nano-taste",
    held_out: Path | None = None,
    settings: FinetuneSettings | None = None,
    report: Report | None = None,
    replayed: Path | None = None,
) -> Path:
    """Fine-tune; goes on where it was. Writes ``out/NAME``: a nano model in its format, others in audiocraft's.

    Raises
    ------
    ModelError
        If the corpus has fewer clips than one batch, or an ablation does not fit it.
    """
    s = settings or FinetuneSettings()
    if s.method not in METHODS:
        raise ModelError(f"method {s.method!r} is not known; there are: {', '.join(METHODS)}")
    checkpoint = find(str(base))
    lm, codec = load_audiocraft(checkpoint)
    state = out / "state"
    codes, _, clips = load_training_set(codec, corpus, state / f"codes-{_tag(corpus)}.pt")
    texts = wordings(clips, s.without_taste_words)
    if s.enrich:
        order = enriched(clips, s.enrich)
        codes, texts = [codes[i] for i in order], [texts[i] for i in order]
    if len(codes) < s.batch:
        raise ModelError(
            f"{corpus} has {len(codes)} clips, fewer than one batch of {s.batch}; add clips or lower --batch"
        )
    held: Any = None
    if held_out is not None:
        held_codes, _, held_clips = load_training_set(codec, held_out, state / f"codes-{_tag(held_out)}.pt")
        held = (held_codes, wordings(held_clips, s.without_taste_words))
    again: Any = None
    if replayed is not None:
        old_codes, old_texts, _ = load_training_set(codec, replayed, state / f"codes-{_tag(replayed)}.pt")
        again = (old_codes, old_texts)
    before = {name: p.detach().clone() for name, p in lm.named_parameters()} if s.blend != 1.0 else {}
    if s.method == "lora":
        lora.add(lm, s.rank, seed=s.seed)
    elif s.method == "conditioning":
        for name_, p in lm.named_parameters():
            p.requires_grad_(any(part in name_ for part in CONDITIONING))
    per_epoch = max(1, len(codes) // s.batch)
    training = TrainSettings(
        s.epochs * per_epoch,
        batch=s.batch,
        lr=s.lr,
        warmup=s.warmup,
        weight_decay=s.weight_decay,
        seed=s.seed,
        ema=s.ema,
        evaluate_every=per_epoch,
        save_every=min(100, per_epoch),
        patience=s.patience,
        segment=round(SEGMENT_SECONDS * float(codec.frame_rate)),
        tracker=s.tracker,
        replay=s.replay if again is not None else 0,
    )
    train_language_model(lm, codes, texts, state / f"{name}.pt", training, held, report, again)
    if s.method == "lora":
        lora.merge(lm)
    with torch.no_grad():
        for name_, p in lm.named_parameters():
            if name_ in before:
                p.copy_(torch.lerp(before[name_], p.to(before[name_].device), s.blend))
    return _write(lm, checkpoint, out / name)


def _tag(corpus: Path) -> str:
    return f"{corpus.resolve().parent.name}-{corpus.name}"


def _write(lm: Any, checkpoint: Checkpoint, out: Path) -> Path:
    """Write a fine-tuned model in the format that its base can be read in."""
    if checkpoint.format == "nano":
        language = LanguageConfig(**described_in(checkpoint.directory)["language"])
        shipped = checkpoint.directory.parent == WEIGHTS
        save_language_model(lm, language, out, over=checkpoint.directory.name if shipped else None)
        return out
    import yaml

    parts = read_parts(checkpoint)
    config, codec_config = audiocraft_configs(parts)
    out.mkdir(parents=True, exist_ok=True)
    package = {"best_state": lm.state_dict(), "xp.cfg": yaml.safe_dump(config), "version": "1.3.0", "exported": True}
    torch.save(package, out / "state_dict.partial")
    if checkpoint.format == "audiocraft":
        shutil.copyfile(checkpoint.files[1], out / "compression_state_dict.bin")
    else:
        from models.musicgen.audiocraft_format import codec_state

        compression = {"best_state": codec_state(parts.codec), "xp.cfg": yaml.safe_dump(codec_config)}
        torch.save({**compression, "version": "1.3.0", "exported": True}, out / "compression_state_dict.bin")
    parts.text_encoder.save_pretrained(out / "text_encoder")
    parts.tokenizer.save_pretrained(out / "text_encoder")
    (out / "state_dict.partial").replace(out / "state_dict.bin")
    return out
