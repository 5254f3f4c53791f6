"""tastelab stimuli ..."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tastelab.context import progress, read_study, say, show, stimuli_folder
from tastelab.errors import UserError
from tastelab.options import OUT, SEEDS, STUDY, JsonOption, OutOption, QuietOption, SeedOption, StudyOption

app = typer.Typer(no_args_is_help=True)
dataset = typer.Typer(no_args_is_help=True)
app.add_typer(dataset, name="dataset", help="Training corpora.")


@app.command()
def generate(
    study: StudyOption = STUDY,
    out: OutOption = OUT,
    clips: Annotated[int | None, typer.Option("--clips", min=1, help="Clips per taste and condition.")] = None,
    seed: SeedOption = None,
    quiet: QuietOption = False,
) -> None:
    """Generate the clips of a study; finished ones are kept."""
    from stimuli.generate import generate as run
    from stimuli.tracks import left_out

    loaded = read_study(study)
    changes = {k: v for k, v in (("clips_per_taste", clips), ("seed", seed)) if v is not None}
    config = loaded.stimuli.model_copy(update=changes)
    folder = stimuli_folder(loaded, out)
    with progress("clips", quiet) as update:
        rows = run(config, loaded.models, folder, update)
    for condition in loaded.models.conditions:
        for name, reason in left_out(condition.tracks) if condition.tracks is not None else ():
            say(f"{condition.tracks}: {name} is left out ({reason})", quiet)
    say(f"{len(rows)} clips in {folder}", quiet)


@app.command()
def caption(
    files: Annotated[list[Path] | None, typer.Argument(help="Audio files; none: the study's clips.")] = None,
    captioner: Annotated[str, typer.Option(help="nano, or a directory (files only).")] = "nano",
    writer: Annotated[
        str, typer.Option(help="Words the parts of a long file: smollm2, none, a directory, an endpoint's address.")
    ] = "smollm2",
    writer_model: Annotated[str, typer.Option(help="The endpoint's model; its key is in TASTELAB_LLM_KEY.")] = "",
    page: Annotated[Path | None, typer.Option(help="Write a page with players, captions and features.")] = None,
    temperature: Annotated[float, typer.Option(min=0, help="Of drawn words (files only); 0: the likeliest.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", min=0, max=SEEDS, help="Of drawn words.")] = 0,
    study: StudyOption = STUDY,
    out: OutOption = OUT,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Caption audio files, or all clips of a study."""
    if files:
        if page is not None and not page.parent.is_dir():
            raise UserError(f"--page {page}: directory {page.parent} does not exist")
        from models.sonicverse.captioner import Wording
        from stimuli.describe import describe_files, described_lines, write_page

        wording = Wording(temperature=temperature, seed=seed) if temperature > 0 else None
        with progress("captions", quiet or as_json) as update:
            tables = describe_files(files, captioner, writer, writer_model, update, wording)
        if page is not None:
            say(f"page {write_page(tables, page, captioner)}", quiet or as_json)
        if as_json:
            show("captions", "paper", None, tables, True, None)
        else:
            for line in described_lines(tables):
                say(line)
        return
    from stimuli.describe import describe

    loaded = read_study(study)
    with progress("captions", quiet) as update:
        found = describe(stimuli_folder(loaded, out), "captions", loaded.models, update)
    table = [{"clip": r.told, "caption": r.caption} for r in found]
    if as_json:
        show("captions", "paper", None, {"captions": table}, True, None)
    else:
        say(f"{len(found)} clips captioned", quiet)


@app.command()
def features(study: StudyOption = STUDY, out: OutOption = OUT, quiet: QuietOption = False) -> None:
    """Measure tempo, pitch height, brightness, roughness and more of a study's clips."""
    from stimuli.describe import describe

    loaded = read_study(study)
    with progress("features", quiet) as update:
        found = describe(stimuli_folder(loaded, out), "features", loaded.models, update)
    say(f"{len(found)} clips measured", quiet)


@app.command()
def sheet(study: StudyOption = STUDY, out: OutOption = OUT, quiet: QuietOption = False) -> None:
    """Write a page with every clip's player, spectrogram, features and caption, and the manifest as Parquet."""
    from stimuli.sheet import write_sheet

    loaded = read_study(study)
    folder = stimuli_folder(loaded, out)
    with progress("contact sheet", quiet) as update:
        path = write_sheet(folder, loaded.name, loaded.models.conditions, update)
    say(f"{path}, and manifest.parquet beside it", quiet)


@app.command()
def verify(study: StudyOption = STUDY, out: OutOption = OUT) -> None:
    """Check every file of a study against its hash."""
    from stimuli.manifest import read_manifest
    from stimuli.manifest import verify as check

    folder = stimuli_folder(read_study(study), out)
    problems = check(folder)
    for line in problems:
        say(line)
    if problems:
        raise UserError(f"{len(problems)} of {len(read_manifest(folder))} clips are not as they were made; see above")
    say(f"{len(read_manifest(folder))} clips are as they were made")


@dataset.command()
def build(
    what: Annotated[
        str,
        typer.Argument(
            help="base (no taste word), varied (of many sounds), pulse (bands that keep time), taste (graded ratings), pulse-taste (bands, graded "
            "ratings), sung (with --speech), generated (with --captions) or tamd (with --tamd)."
        ),
    ],
    folder: Annotated[Path, typer.Argument(help="Where the corpus goes.")],
    tamd: Annotated[Path | None, typer.Option(help="The Taste & Affect Music Database, unpacked.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="TASTE=NAME of a column of means that is called otherwise (tamd).")
    ] = None,
    speech: Annotated[
        Path | None, typer.Option(help="Recorded speakers: folders female-NAME and male-NAME of WAV files.")
    ] = None,
    music: Annotated[
        Path | None,
        typer.Option(help="Recordings without a voice, to sing over (sung): every other clip stays as it is."),
    ] = None,
    captions: Annotated[
        Path | None,
        typer.Option(help="Corpus whose captions a generator is given (generated); those with a voice are not."),
    ] = None,
    generator: Annotated[
        str, typer.Option(help="Shipped or pulled name, or directory, of a MusicGen (generated).")
    ] = "nano-base",
    n: Annotated[int, typer.Option("-n", min=1, help="Clips (not tamd).")] = 8000,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Length of the clips (not tamd).")] = 15.0,
    rate: Annotated[int, typer.Option(help="Hz: the rate of the codec, 16000 for nano, 32000 for MusicGen.")] = 16000,
    seed: Annotated[int, typer.Option("--seed", min=0, max=SEEDS)] = 11,
    split: Annotated[str, typer.Option(help="train or test: pieces of one split only.")] = "train",
    quiet: QuietOption = False,
) -> None:
    """Make a training corpus: rendered from public-domain scores, generated, or one's own copy of the study's database."""
    from stimuli.dataset.build import build_base
    from stimuli.dataset.generated import build_generated
    from stimuli.dataset.pulse.build import build_pulse
    from stimuli.dataset.pulse.tasting import build_pulse_taste
    from stimuli.dataset.sung import build_over, build_sung
    from stimuli.dataset.tamd import build_tamd
    from stimuli.dataset.taste import TASTES, build_taste
    from stimuli.dataset.varied import build_varied

    rendered = {
        "base": build_base, "varied": build_varied, "pulse": build_pulse, "taste": build_taste, "pulse-taste": build_pulse_taste,
    }  # fmt: skip
    if what not in (*rendered, "sung", "generated", "tamd"):
        raise UserError(f"dataset {what!r} is not known; there are: {', '.join(rendered)}, sung, generated, tamd")
    if split not in ("train", "test"):
        raise UserError(f"--split {split!r} is not known; there are: train, test")
    if (what == "tamd") != (tamd is not None):
        raise UserError("dataset tamd and --tamd DIRECTORY go together")
    columns: dict[str, str] = {}
    for pair in column or []:
        taste, equals, name = pair.partition("=")
        if what != "tamd" or not equals or taste not in TASTES or not name:
            raise UserError(
                f"--column {pair!r}: for dataset tamd, one of {', '.join(TASTES)}, =, and the name of a column"
            )
        columns[taste] = name
    if (what == "sung") != (speech is not None):
        raise UserError("dataset sung and --speech DIRECTORY go together")
    if (what == "generated") != (captions is not None):
        raise UserError("dataset generated and --captions CORPUS go together")
    if music is not None and what != "sung":
        raise UserError("--music DIRECTORY is for dataset sung")
    with progress(what, quiet) as update:
        if tamd is not None:
            path = build_tamd(tamd, folder, rate, split, update, columns)
        elif speech is not None and music is not None:
            path = build_over(folder, speech, music, n, seconds, rate, seed, update)
        elif speech is not None:
            path = build_sung(folder, speech, n, seconds, rate, seed, split, update)
        elif captions is not None:
            path = build_generated(folder, captions, generator, n, seconds, rate, seed, update)
        else:
            path = rendered[what](folder, n, seconds, rate, seed, split, update)
    say(f"{sum(1 for _ in path.open())} clips listed in {path}", quiet)


@dataset.command()
def extend(
    listing: Annotated[Path, typer.Argument(help="One's own copy of MusicBench's or MusicCaps' listing.")],
    audio: Annotated[Path, typer.Option(help="Directory that its locations are relative to.")],
    out: Annotated[Path, typer.Option(help="Soft labels, JSON lines; there already: it goes on.")],
    quiet: QuietOption = False,
) -> None:
    """Add soft labels (key, instruments, mood, genre, vocals, gender, tempo) to a listing of captioned music."""
    from models.sonicverse.extract import extend as run
    from models.sonicverse.full.musicbench import read_listing
    from stimuli.audio import load_mono

    if not out.parent.is_dir():
        raise UserError(f"--out {out}: directory {out.parent} does not exist")
    rows = read_listing(listing, audio)
    with progress("labels", quiet) as update:
        done = run(rows, out, load_mono, update)
    say(f"{done} of {len(rows)} clips labelled now, the others before; labels in {out}", quiet)
