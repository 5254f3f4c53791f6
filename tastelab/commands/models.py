"""tastelab models ..."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from tastelab.context import ONLY_JSON, progress, read_study, say, show
from tastelab.errors import UserError
from tastelab.options import SEEDS, Cluster, JsonOption, QuietOption, grouped, words_of
from tastelab.recipes import FullRecipe, NanoRecipe, TasteRecipe

if TYPE_CHECKING:
    from models.musicgen.finetune import FinetuneSettings
    from tastelab.study import Study

app = typer.Typer(no_args_is_help=True)
Corpus = Annotated[Path, typer.Option(help="Corpus directory (metadata.jsonl).")]
NamesOption = Annotated[Path | None, typer.Option("--study", help="A study file: all models that it names.")]
HERE = frozenset(
    {"executor", "site", "quiet"}
)  # options that a command on a cluster has not from the one that submits it
RunFolder = Annotated[Path, typer.Option("--out", help="Where weights and training state go.")]


def _one_thread(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


@app.command()
def info(as_json: JsonOption = False) -> None:
    """List the networks that are at hand: shipped weights, packaged weights, sizes, licences."""
    from models.inventory import inventory

    show("models", "paper", None, {"models": inventory()}, as_json, None, ONLY_JSON)


@app.command()
def pull(
    name: Annotated[
        str | None, typer.Argument(help="e.g. facebook/musicgen-small; 'tastelab models info' lists them.")
    ] = None,
    study: NamesOption = None,
    source: Annotated[Path | None, typer.Option("--from", help="A mirror directory instead of the hub.")] = None,
    layout: Annotated[
        str, typer.Option("--format", help="transformers or audiocraft; auto: transformers, where it is published.")
    ] = "auto",
    revision: Annotated[str | None, typer.Option(help="Commit; default: the one pulled before, else main.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Fetch a released model, or all that a study names, checking every file; run again to go on where it was."""
    from models.named import pull_named
    from models.pull import RELEASES
    from models.pull import pull as run

    if layout not in ("auto", "transformers", "audiocraft"):
        raise UserError(f"--format {layout!r} is not known; there are: auto, transformers, audiocraft")
    if study is not None and revision is not None:
        raise UserError("--revision is of one model; pull that by its name")

    def cost(named: str) -> None:
        if named in RELEASES:
            say(f"{named}: about {RELEASES[named].megabytes} MB, licence {RELEASES[named].licence}", quiet)

    one = _one(name, study)
    if isinstance(one, str):
        cost(one)
        with progress(one, quiet) as update:
            directory = run(one, source, layout, revision, update)
        say(f"{one} in {directory}", quiet)
        return
    with progress("models", quiet) as update:

        def begin(named: str) -> Callable[[int, int, str], None]:
            cost(named)
            return lambda done, total, file: update(done, total, f"{named}, {file}")

        fetched = pull_named(one.models, source, layout, begin)
    for named, directory in fetched:
        say(f"{named} in {directory}", quiet)
    if not fetched:
        say(f"{study} names no released model: all of its models ship, or are directories", quiet)


@app.command()
def check(
    name: Annotated[str | None, typer.Argument(help="What a study may name, or a directory.")] = None,
    study: NamesOption = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """What is there of a model, what is missing, and a prompt, a step, a second of audio beside audiocraft's own."""
    from dataclasses import asdict

    from models.checkup import check_model
    from models.named import checked

    one = _one(name, study)
    if isinstance(one, str):
        found = {one: check_model(one, device)}
        tables = {"parts": [asdict(f) for f in found[one]]}
    else:
        found = dict(checked(one.models, device))
        of_each = {model: [asdict(f) for f in parts] for model, parts in found.items()}
        # A page has a table a model; a program reads one.
        tables = {"parts": [{"model": m} | row for m, rows in of_each.items() for row in rows]} if as_json else of_each
    show("check", name or str(study), None, tables, as_json, None, ONLY_JSON)
    bad = [(model, f) for model, parts in found.items() for f in parts if f.state in ("missing", "wrong")]
    if bad:
        (model, first), more = bad[0], f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        state = "is missing" if first.state == "missing" else "is wrong"
        raise UserError(f"{model}: {first.part} {state} ({first.found}){more}")


def _one(name: str | None, study: Path | None) -> str | Study:
    """A model's name, or the study that names several: exactly one of both."""
    if (name is None) == (study is None):
        raise UserError("either the NAME of a model, or --study FILE, is needed")
    return name if name is not None else read_study(cast(Path, study))


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


@dataclass(frozen=True)
class Run:
    """How a training runs, whatever it trains."""

    threads: Annotated[int, typer.Option(min=1)] = 1
    seed: Annotated[int, typer.Option("--seed", min=0, max=SEEDS)] = 0
    quiet: QuietOption = False


@dataclass(frozen=True)
class Music:
    """What a captioner is evaluated on: a corpus, or a listing of captioned music."""

    corpus: Annotated[Path | None, typer.Option(help="Corpus with exact attributes (stimuli dataset build base).")] = (
        None
    )
    listing: Annotated[Path | None, typer.Option(help="Or one's own copy of MusicBench or MusicCaps.")] = None
    audio: Annotated[Path | None, typer.Option(help="The listing's audio; its evaluation rows are used.")] = None

    def check(self) -> None:
        """Refuse both, neither, and a corpus that is none."""
        if (self.corpus is None) == (self.listing is None) or (self.listing is None) != (self.audio is None):
            raise UserError("either --corpus DIRECTORY, or --listing FILE with --audio DIRECTORY, is needed")
        if self.corpus is not None and not (self.corpus / "metadata.jsonl").exists():
            raise UserError(
                f"no corpus in {self.corpus}: metadata.jsonl is missing; run 'tastelab stimuli dataset build base {self.corpus}'"
            )


@dataclass(frozen=True)
class Bert:
    """BERTScore's model and layer."""

    bertscore: Annotated[str | None, typer.Option(help="Model of BERTScore: a pulled name or a directory.")] = None
    bert_layer: Annotated[int | None, typer.Option(min=0, help="Its hidden layer; default: the last.")] = None


@app.command("train-nano")
@grouped
def train_nano(
    *,
    what: Annotated[str, typer.Argument(help="codec, decoder, base or captioner.")],
    corpus: Corpus,
    out: RunFolder = Path("outputs/training"),
    held_out: Annotated[Path | None, typer.Option(help="Held-out corpus (base).")] = None,
    also: Annotated[list[Path] | None, typer.Option(help="Further corpora (base, captioner), e.g. a sung one.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Captioner to go on from: nano or a directory.")] = None,
    recipe: NanoRecipe,
    how: Run,
) -> None:
    """Train a nano network by its recipe; run again to go on where it was."""
    _one_thread(how.threads)
    with progress(what, how.quiet) as update:

        def report(step: int, total: int, row: dict[str, float]) -> None:
            update(step, total, f"{what} loss {row.get('loss', row.get('reconstruction', 0.0)):.3f}")

        if what == "codec":
            from models.musicgen.recipe import CODEC_STEPS, train_nano_codec

            done = train_nano_codec(corpus, out, recipe.steps or CODEC_STEPS, how.seed, report)
        elif what == "decoder":
            from models.musicgen.recipe import DECODER_STEPS, train_nano_decoder

            done = train_nano_decoder(corpus, out, recipe.steps or DECODER_STEPS, report=report)
        elif what == "base":
            from models.musicgen.recipe import BASE, CONFIG, train_nano_base

            if held_out is None:
                raise UserError("train-nano base needs --held-out CORPUS for its validation loss")
            if recipe.width % 64:
                raise UserError(f"--width {recipe.width} is no multiple of 64, the width of a head")
            config = replace(
                CONFIG, width=recipe.width, layers=recipe.layers, heads=recipe.width // 64, positional_embedding=recipe.positions,
            )  # fmt: skip
            settings = replace(
                BASE, steps=recipe.steps or BASE.steps, batch=recipe.batch or BASE.batch, seed=how.seed,
                codebooks=recipe.codebook_weights() or BASE.codebooks,
            )  # fmt: skip
            corpora = [corpus, *(also or [])]
            done = train_nano_base(corpora, held_out, out, out / "codec-nano", config, settings, report)
        elif what == "captioner":
            from models.sonicverse.nano.train import CAPTION_STEPS, train_nano_captioner

            done = train_nano_captioner(
                [corpus, *(also or [])], out, recipe.steps or CAPTION_STEPS, how.seed, report, start
            )
        else:
            raise UserError(f"train-nano {what!r} is not known; there are: codec, decoder, base, captioner")
    say(f"weights in {done}", how.quiet)


def _checkpoint(study: Study, condition: str) -> str:
    """The checkpoint of a study's condition."""
    checkpoints = {c.name: c.checkpoint for c in study.models.conditions if c.checkpoint is not None}
    if condition not in checkpoints:
        raise UserError(
            f"--base {condition!r} is no condition with a checkpoint; there are: {', '.join(checkpoints) or 'none'}"
        )
    return checkpoints[condition]


@app.command()
@grouped
def finetune(
    *,
    corpus: Corpus,
    base: Annotated[
        str, typer.Option(help="Shipped or pulled name, or a directory; with --study a condition's name.")
    ] = "nano-base",
    study: Annotated[Path | None, typer.Option("--study", help="A study file, whose condition --base is.")] = None,
    out: RunFolder = Path("outputs/training"),
    name: Annotated[str, typer.Option(help="Name of the fine-tuned model.")] = "taste",
    held_out: Annotated[Path | None, typer.Option(help="Held-out corpus.")] = None,
    recipe: TasteRecipe,
    how: Run,
    cluster: Cluster,
    context: typer.Context,
) -> None:
    """Fine-tune a MusicGen by the seed paper's recipe; torchrun shares it out, run again to go on where it was."""
    recipe.check()
    if study is not None:
        base = _checkpoint(read_study(study), base)
    if recipe.patience is not None and held_out is None:
        raise UserError("--patience needs --held-out CORPUS")
    settings = recipe.settings(how.seed)
    if settings.best and held_out is None:
        raise UserError(
            f"--preset {recipe.preset} takes the best weights by held-out loss: --held-out CORPUS is needed"
        )
    if cluster.slurm:
        words, corpora = words_of(context, HERE), [corpus, held_out, recipe.replay]
        _on_cluster(words, base, corpora, out, name, settings, cluster.site, how.quiet)
        return
    _one_thread(how.threads)
    from models.musicgen.finetune import finetune as run

    with progress(name, how.quiet) as update:

        def report(step: int, total: int, row: dict[str, float]) -> None:
            update(step, total, f"{name} loss {row['loss']:.3f}")

        done = run(base, corpus, out, name, held_out, settings, report, recipe.replay)
    say(f"weights in {done}", how.quiet)


def _on_cluster(
    words: tuple[str, ...], base: str, corpora: list[Path | None], out: Path, name: str, settings: FinetuneSettings, site: Path | None,
    quiet: bool,
) -> None:  # fmt: skip
    """Fine-tune in a job of a cluster, by the same words."""
    from models.musicgen.checkpoints import find
    from models.musicgen.finetune import length
    from models.training import fingerprint, read_corpus
    from tastelab.cluster.heavy import HEAVY
    from tastelab.cluster.settings import read_settings
    from tastelab.cluster.tuning import run_tuning

    asked = read_settings(site, tuple(HEAVY))
    clips = [[] if corpus is None else read_corpus(corpus) for corpus in corpora]
    total = length(settings, clips[0])
    files = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in find(base).files]
    made_from = [[fingerprint(own) for own in clips], files]
    done = run_tuning(words, out, name, made_from, total, asked, quiet)
    say(f"weights in {done}", quiet)


@app.command("train-sonicverse")
@grouped
def train_sonicverse(
    *,
    listing: Annotated[Path, typer.Argument(help="One's own copy of MusicBench's listing (JSON lines).")],
    audio: Annotated[Path, typer.Option(help="Directory that its locations are relative to.")],
    labels: Annotated[Path, typer.Option(help="Soft labels: 'tastelab stimuli dataset extend' makes them.")],
    encoder: Annotated[str, typer.Option(help="MERT: pulled name or directory.")] = "m-a-p/MERT-v1-95M",
    llm: Annotated[str, typer.Option(help="Pulled name or directory.")] = "mistralai/Mistral-7B-Instruct-v0.1",
    preset: Annotated[str, typer.Option(help="paper or paper-35-25.")] = "paper",
    out: RunFolder = Path("outputs/training/sonicverse"),
    recipe: FullRecipe,
    quiet: QuietOption = False,
) -> None:
    """Train SonicVerse at full size by the paper's three stages; torchrun shares it out, run again to go on."""
    from models.locating import locate
    from models.sonicverse.full.musicbench import read_listing, split
    from models.sonicverse.full.train import encode_rows, train_full
    from stimuli.audio import load_mono

    settings = recipe.settings(preset)
    rows, held = split(read_listing(listing, audio, labels))
    missing = [r for r in rows if not r.audio.is_file()]
    if missing:
        raise UserError(f"{len(missing)} of {len(rows)} audio files are missing, the first is {missing[0].audio}")
    say(f"{len(rows)} clips to train on; {len(held)} of the evaluation and their siblings are kept out", quiet)
    with progress("sonicverse", quiet) as update:
        vectors = encode_rows(
            rows, locate(encoder), out / "encoded", load_mono, lambda i, n, _: update(i, n, "listening")
        )
        done = train_full(
            rows, vectors, encoder, llm, out, settings,
            lambda i, n, row: update(i, n, f"stage {row['stage']:.0f} loss {row['loss']:.3f}"),
        )  # fmt: skip
    say(f"captioner in {done}", quiet)


@app.command()
@grouped
def evaluate(
    *,
    what: Annotated[str, typer.Argument(help="sonicverse.")],
    music: Music,
    captioner: Annotated[str, typer.Option(help="nano, or a directory.")] = "nano",
    most: Annotated[int | None, typer.Option("-n", min=8, help="Clips; default: all.")] = None,
    features: Annotated[str, typer.Option(help="Feature tokens from: own, oracle, shuffled or noise.")] = "own",
    noise: Annotated[float, typer.Option(min=0, max=1, help="Share of clips whose features are noise.")] = 1.0,
    bert: Bert,
    figure: Annotated[Path | None, typer.Option(help="Draw the layer weights: a file .svg, .png or .pdf.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Do captions hear the music: attributes, heads and word overlap, beside shuffled and constant captions."""
    if what != "sonicverse":
        raise UserError(f"{what!r} cannot be evaluated here; there is: sonicverse")
    music.check()
    if figure is not None and (figure.suffix not in (".svg", ".png", ".pdf") or not figure.parent.is_dir()):
        raise UserError(f"--figure {figure}: an ending .svg, .png or .pdf and a directory that exists are needed")
    from models.sonicverse.evaluation.assess import assess, assess_listing, draw_layers
    from models.sonicverse.evaluation.text_metrics import BertScore
    from models.sonicverse.full.musicbench import read_listing
    from models.sonicverse.load import load_captioner
    from stimuli.audio import load_mono

    score = BertScore(bert.bertscore, bert.bert_layer) if bert.bertscore else None
    with progress("evaluating", quiet or as_json) as update:
        if music.corpus is not None:
            tables = assess(load_captioner(captioner), music.corpus, most, features, noise, update, score)
        elif music.listing is not None and music.audio is not None:
            rows = [r for r in read_listing(music.listing, music.audio) if r.evaluation]
            there = [r for r in rows if r.audio.is_file()][:most]
            say(f"{len(there)} of {len(rows)} evaluation rows have their audio", quiet or as_json)
            tables = assess_listing(load_captioner(captioner), there, load_mono, update, score)
    if figure is not None:
        draw_layers(tables["layers"], figure)
    show("sonicverse", features, None, tables, as_json, None, ONLY_JSON)
