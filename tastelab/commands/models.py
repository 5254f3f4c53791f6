"""tastelab models ..."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tastelab.context import JsonOption, QuietOption, progress, say, show
from tastelab.errors import UserError

app = typer.Typer(no_args_is_help=True)
Corpus = Annotated[Path, typer.Option(help="Corpus directory (metadata.jsonl).")]
RunFolder = Annotated[Path, typer.Option("--out", help="Where weights and training state go.")]


def _one_thread(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


@app.command()
def info(as_json: JsonOption = False) -> None:
    """List the networks that are at hand: shipped weights, packaged weights, sizes, licences."""
    from models.inventory import inventory

    show("models", "paper", None, {"models": inventory()}, as_json, None)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="e.g. facebook/musicgen-small; 'tastelab models info' lists them.")],
    source: Annotated[Path | None, typer.Option("--from", help="A mirror directory instead of the hub.")] = None,
    layout: Annotated[str, typer.Option("--format", help="transformers or audiocraft.")] = "transformers",
    revision: Annotated[str | None, typer.Option(help="Commit; default: the one pulled before, else main.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Fetch a released model, checking every file; run again to go on where it was."""
    from models.pull import RELEASES
    from models.pull import pull as run

    if layout not in ("transformers", "audiocraft"):
        raise UserError(f"--format {layout!r} is not known; there are: transformers, audiocraft")
    if name in RELEASES:
        say(f"{name}: about {RELEASES[name].megabytes} MB, licence {RELEASES[name].licence}", quiet)
    with progress(name, quiet) as update:
        directory = run(name, source, layout, revision, update)
    say(f"{name} in {directory}", quiet)


@app.command()
def convert(
    name: Annotated[str, typer.Argument(help="A pulled model, or a directory.")],
    out: Annotated[Path, typer.Argument(help="Where the converted model goes.")],
    to: Annotated[str, typer.Option(help="transformers or audiocraft.")] = "audiocraft",
) -> None:
    """Write a released MusicGen in the other format; no bit of its weights changes."""
    from models.musicgen.audiocraft_format import write_audiocraft, write_transformers
    from models.musicgen.checkpoints import find

    if to not in ("transformers", "audiocraft"):
        raise UserError(f"--to {to!r} is not known; there are: transformers, audiocraft")
    checkpoint = find(name)
    if checkpoint.format == "nano":
        raise UserError(f"{name} is a nano model, whose codec only this project has; it has no other format")
    done = (write_audiocraft if to == "audiocraft" else write_transformers)(checkpoint, out)
    say(f"{name} in {done}")


@app.command("train-nano")
def train_nano(
    what: Annotated[str, typer.Argument(help="codec, decoder, base or captioner.")],
    corpus: Corpus,
    out: RunFolder = Path("outputs/training"),
    held_out: Annotated[Path | None, typer.Option(help="Held-out corpus (base).")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps; default: the recipe's.")] = None,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    quiet: QuietOption = False,
) -> None:
    """Train a nano network by its recipe; run again to go on where it was."""
    _one_thread(threads)
    with progress(what, quiet) as update:

        def report(step: int, total: int, row: dict[str, float]) -> None:
            update(step, total, f"{what} loss {row.get('loss', row.get('reconstruction', 0.0)):.3f}")

        if what == "codec":
            from models.musicgen.recipe import CODEC_STEPS, train_nano_codec

            done = train_nano_codec(corpus, out, steps or CODEC_STEPS, seed, report)
        elif what == "decoder":
            from models.musicgen.recipe import DECODER_STEPS, train_nano_decoder

            done = train_nano_decoder(corpus, out, steps or DECODER_STEPS, report=report)
        elif what == "base":
            from models.musicgen.recipe import BASE_STEPS, train_nano_base

            if held_out is None:
                raise UserError("train-nano base needs --held-out CORPUS for its validation loss")
            done = train_nano_base(corpus, held_out, out, out / "codec-nano", steps or BASE_STEPS, seed, report)
        elif what == "captioner":
            from models.sonicverse.train import CAPTION_STEPS, train_nano_captioner

            done = train_nano_captioner([corpus], out, steps or CAPTION_STEPS, seed, report)
        else:
            raise UserError(f"train-nano {what!r} is not known; there are: codec, decoder, base, captioner")
    say(f"weights in {done}", quiet)


@app.command()
def finetune(
    corpus: Corpus,
    base: Annotated[str, typer.Option(help="Shipped or pulled name, or a directory.")] = "nano-base",
    out: RunFolder = Path("outputs/training"),
    name: Annotated[str, typer.Option(help="Name of the fine-tuned model.")] = "taste",
    held_out: Annotated[Path | None, typer.Option(help="Held-out corpus.")] = None,
    preset: Annotated[str, typer.Option(help="paper (all weights) or nano (ways from the words alone).")] = "paper",
    method: Annotated[str | None, typer.Option(help="full, lora or conditioning; default: the preset's.")] = None,
    replay: Annotated[
        Path | None, typer.Option(help="The base's own corpus: half as many of its clips a step.")
    ] = None,
    blend: Annotated[float | None, typer.Option(min=0, max=1, help="Share of the change taken.")] = None,
    rank: Annotated[int, typer.Option(min=1, help="Of the low-rank factors.")] = 8,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the preset's.")] = None,
    batch: Annotated[int, typer.Option(min=1)] = 16,
    lr: Annotated[float | None, typer.Option(min=0, help="Default: the preset's.")] = None,
    ema: Annotated[float, typer.Option(min=0, max=1, help="Decay of the weights' moving average; 0: none.")] = 0.0,
    patience: Annotated[int | None, typer.Option(min=1, help="Epochs without a better held-out loss.")] = None,
    without_taste_words: Annotated[bool, typer.Option(help="Ablation: captions lose their taste words.")] = False,
    enrich: Annotated[str | None, typer.Option(help="Ablation: draw tracks of this taste more often.")] = None,
    tracker: Annotated[str, typer.Option(help="none, tensorboard or wandb.")] = "none",
    threads: Annotated[int, typer.Option(min=1)] = 1,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    quiet: QuietOption = False,
) -> None:
    """Fine-tune a MusicGen by the seed paper's recipe; run again to go on where it was."""
    if preset not in ("paper", "nano"):
        raise UserError(f"--preset {preset!r} is not known; there are: paper, nano")
    if tracker not in ("none", "tensorboard", "wandb"):
        raise UserError(f"--tracker {tracker!r} is not known; there are: none, tensorboard, wandb")
    if patience is not None and held_out is None:
        raise UserError("--patience needs --held-out CORPUS")
    _one_thread(threads)
    from models.musicgen.finetune import PRESETS, FinetuneSettings
    from models.musicgen.finetune import finetune as run

    own = PRESETS[preset]
    settings = FinetuneSettings(
        epochs=epochs or own.epochs, batch=batch, lr=own.lr if lr is None else lr, method=method or own.method,
        rank=rank, ema=ema,
        patience=patience, without_taste_words=without_taste_words, enrich=enrich, tracker=tracker, seed=seed,
        replay=max(1, batch // 2), blend=own.blend if blend is None else blend,
    )  # fmt: skip
    with progress(name, quiet) as update:

        def report(step: int, total: int, row: dict[str, float]) -> None:
            update(step, total, f"{name} loss {row['loss']:.3f}")

        done = run(base, corpus, out, name, held_out, settings, report, replay)
    say(f"weights in {done}", quiet)


@app.command()
def evaluate(
    what: Annotated[str, typer.Argument(help="sonicverse.")],
    corpus: Annotated[Path, typer.Option(help="Corpus with exact attributes (stimuli dataset build base).")],
    captioner: Annotated[str, typer.Option(help="nano, or a directory.")] = "nano",
    most: Annotated[int | None, typer.Option("-n", min=8, help="Clips; default: all.")] = None,
    features: Annotated[str, typer.Option(help="Feature tokens from: own, oracle, shuffled or noise.")] = "own",
    noise: Annotated[float, typer.Option(min=0, max=1, help="Share of clips whose features are noise.")] = 1.0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Do captions hear the music: attributes, heads and word overlap, beside shuffled and constant captions."""
    if what != "sonicverse":
        raise UserError(f"{what!r} cannot be evaluated here; there is: sonicverse")
    if not (corpus / "metadata.jsonl").exists():
        raise UserError(
            f"no corpus in {corpus}: metadata.jsonl is missing; run 'tastelab stimuli dataset build base {corpus}'"
        )
    from models.sonicverse.assess import assess
    from models.sonicverse.captioner import load_captioner

    with progress("evaluating", quiet or as_json) as update:
        tables = assess(load_captioner(captioner), corpus, most, features, noise, update)
    show("sonicverse", features, None, tables, as_json, None)
