"""The recipes that made the shipped nano weights: codec, base model, fine-tuned model. All continue where they were."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.musicgen.codec import CodecConfig
from models.musicgen.critic import train_decoder
from models.musicgen.language import LanguageConfig, build_language_model
from models.musicgen.nano import load_codec, save_codec, save_language_model
from models.musicgen.train_codec import train_codec
from models.musicgen.train_language import TrainSettings, load_training_set, train_language_model
from models.musicgen.whole import WholeModel
from models.training import Report

CODEC_STEPS = 1900
DECODER_STEPS = 1800
CONFIG = LanguageConfig(layers=10, dropout=0.08, cfg_dropout=0.12, positional_embedding="rope")
# The first codebooks carry the pulse and count for most; the best average by held-out loss is taken, which is the last but seldom.
BASE = TrainSettings(
    11_500, batch=64, lr=1.5e-3, warmup=300, weight_decay=0.1, ema=0.999, floor=0.03, codebooks=(3.0, 2.0, 1.5, 1.0, 0.5, 0.25),
    evaluate_every=500, patience=1000,
)  # fmt: skip
SHIFTS = (0, 320)  # samples; half a frame of codec-nano later the same music has other codes


def train_nano_codec(
    corpus: Path, out: Path, steps: int = CODEC_STEPS, seed: int = 0, report: Report | None = None
) -> Path:
    """Train a codec and write it to ``out/codec-nano``; the training state lies in ``out/state``."""
    config = CodecConfig()
    codec = train_codec(corpus, out / "state", steps, seed, config, report=report)
    save_codec(codec, config, out / "codec-nano")
    return out / "codec-nano"


def train_nano_decoder(
    corpus: Path, out: Path, steps: int = DECODER_STEPS, seed: int = 1, report: Report | None = None
) -> Path:
    """Train the decoder of ``out/codec-nano`` against critics and write it back; its codes stay the same."""
    directory = out / "codec-nano"
    codec = train_decoder(corpus, directory, out / "state", steps, seed, report)
    save_codec(codec, CodecConfig(), directory)
    return directory


def train_nano_base(
    corpora: Sequence[Path],
    held_out: Path,
    out: Path,
    codec_directory: Path | None = None,
    config: LanguageConfig | None = None,
    settings: TrainSettings | None = None,
    report: Report | None = None,
) -> Path:
    """Train a base language model on corpora without taste words; writes ``out/nano-base``.

    Without `config` and `settings` it is the shipped model's recipe.
    """
    import torch

    config, settings = config or CONFIG, settings or BASE
    codec = load_codec(codec_directory)
    state = out / "state"
    codes: list[torch.Tensor] = []
    texts: list[Sequence[str]] = []
    for i, corpus in enumerate(corpora):
        name = "codes-train" if i == 0 else f"codes-train-{i}"
        for shift in SHIFTS:
            cache = state / (f"{name}-{shift}.pt" if shift else f"{name}.pt")
            own, said, _ = load_training_set(codec, corpus, cache, shift)
            codes += own
            texts += said
    held_codes, held_texts, _ = load_training_set(codec, held_out, state / "codes-test.pt")
    torch.manual_seed(settings.seed)
    lm = WholeModel.of(build_language_model(config), config)
    held = (held_codes[:48], held_texts[:48])
    train_language_model(lm, codes, texts, state / "base.pt", settings, held_out=held, report=report)
    save_language_model(lm, config, out / "nano-base")
    return out / "nano-base"
