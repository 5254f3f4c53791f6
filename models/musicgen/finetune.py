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
from models.musicgen.whole import WholeModel
from models.processes import first, shareable
from models.training import Clip, Report
from models.weights import WEIGHTS

METHODS = ("full", "lora", "conditioning")
CONDITIONING = ("output_proj", "cross_attention", "norm_cross")  # the ways from the words to the music


@dataclass(frozen=True)
class FinetuneSettings:
    """How a model is fine-tuned; `PRESETS` has whole recipes.

    Parameters
    ----------
    updates : int or None
        Steps of an epoch; None: one pass over the clips.
    ema, ema_every : float, int
        Decay of the weights' moving average (0: none), and steps from one update of it to the next.
    floor : float
        Share of the learning rate that the cosine ends at.
    word_dropout : float
        Share of a caption's words left out each time it is learned from.
    segment : float
        Longest piece of a clip in seconds.
    best : bool
        Whether the weights of the least held-out loss are taken, and not the last.
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
    updates: int | None = None
    ema_every: int = 1
    floor: float = 0.05
    word_dropout: float = 0.0
    segment: float = 15.0
    best: bool = False


# paper: what the text of the seed study says (arXiv 2503.02823); of the length of pieces it says nothing, which is MusicGen's own.
# script: its training script and composed configuration, which differ from it in every line below.
# nano: what nano-taste had. In a network of six million weights 1e-4 does not reach the taste words, and more changes the music
# before it does; so only the ways from the words to the music learn, and 0.75 of that is taken (weights between the base's and the
# fine-tuned: Wortsman et al. 2022, arXiv 2109.01903).
PRESETS = {
    "paper": FinetuneSettings(epochs=30, batch=16, lr=1e-4, floor=0.0, segment=30.0),
    "script": FinetuneSettings(
        epochs=30,
        updates=2000,
        batch=4,
        lr=1e-4,
        floor=0.0,
        segment=30.0,
        ema=0.99,
        ema_every=10,
        word_dropout=0.3,
        best=True,
    ),
    "nano": FinetuneSettings(epochs=80, lr=1e-3, method="conditioning", blend=0.75),
}


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

    Of several processes (torchrun) the first alone writes; all return when the training is over.

    Raises
    ------
    ModelError
        If the corpus has fewer clips than one batch, or a batch fewer than there are processes, an ablation does not fit it, or nothing is held out to tell the best weights by.
    """
    s = settings or FinetuneSettings()
    if s.best and held_out is None:
        raise ModelError("the best weights are those of the least held-out loss: a held-out corpus is needed")
    if s.method not in METHODS:
        raise ModelError(f"method {s.method!r} is not known; there are: {', '.join(METHODS)}")
    shareable(s.batch)
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
    if checkpoint.format == "nano" and s.method != "lora":
        lm = WholeModel.of(lm, LanguageConfig(**described_in(checkpoint.directory)["language"]))
    per_epoch = epoch_of(s, len(codes))
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
        # As many evaluations as there are: never reached, but the best weights are kept.
        patience=s.epochs if s.best and s.patience is None else s.patience,
        segment=round(s.segment * float(codec.frame_rate)),
        ema_every=s.ema_every,
        floor=s.floor,
        word_dropout=s.word_dropout,
        tracker=s.tracker,
        replay=s.replay if again is not None else 0,
    )
    train_language_model(lm, codes, texts, state / f"{name}.pt", training, held, report, again)
    if not first():
        return out / name
    if s.method == "lora":
        lora.merge(lm)
    with torch.no_grad():
        for name_, p in lm.named_parameters():
            if name_ in before:
                p.copy_(torch.lerp(before[name_], p.to(before[name_].device), s.blend))
    return _write(lm, checkpoint, out / name)


def epoch_of(settings: FinetuneSettings, clips: int) -> int:
    """Steps of an epoch on a corpus of so many clips."""
    return settings.updates or max(1, clips // settings.batch)


def length(settings: FinetuneSettings, clips: list[Clip]) -> int:
    """Steps of a whole fine-tuning on these clips, for who watches it from elsewhere."""
    n = len(enriched(clips, settings.enrich)) if settings.enrich else len(clips)
    return settings.epochs * epoch_of(settings, n)


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
