"""What the clips of a study sound like: captions and acoustic features, added to the manifest."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from models.config import ModelsConfig
from stimuli.audio import length, load_mono, load_spans
from stimuli.errors import StimulusError
from stimuli.manifest import ClipRow, gather, read_manifest
from stimuli.waiting import put

if TYPE_CHECKING:
    from models.sonicverse.captioner import Wording

Progress = Callable[[int, int, str], None]
CAPTIONED = 8  # clips at a time


def describe(folder: Path, what: str, models: ModelsConfig, progress: Progress | None = None) -> list[ClipRow]:
    """Add what a clip sounds like to the manifest: ``what`` is ``"captions"`` or ``"features"``. Done rows stay."""
    rows = read_manifest(folder)
    todo = undescribed(rows, what, models)
    describe_rows(folder, todo, what, models, progress)
    return gather(folder)


def undescribed(rows: list[ClipRow], what: str, models: ModelsConfig) -> list[ClipRow]:
    """The rows that lack it, or have it of another captioner or of features that have come or gone since."""
    now = found_by(what, models)
    if what == "features":
        return [r for r in rows if sorted(r.features) != now]
    return [r for r in rows if r.captioner_sha256 != now]


def found_by(what: str, models: ModelsConfig) -> str | list[str]:
    """What describes clips now: the captioner's fingerprint, or the names of the features."""
    if what == "features":
        from stimuli.features import FEATURES

        return sorted(FEATURES)
    from models.sonicverse.load import caption_sha256

    return caption_sha256(models.captioner)


def describe_rows(
    folder: Path, rows: list[ClipRow], what: str, models: ModelsConfig, progress: Progress | None = None
) -> None:
    """Find it in the sound of those clips, and leave it to be taken into the manifest; none waits for another to be done."""
    if not rows:
        return
    if what == "features":
        from stimuli.features import acoustic_features

        with ThreadPoolExecutor(2) as pool:
            found = pool.map(lambda r: acoustic_features(load_mono(folder / r.file, r.rate), r.rate), rows)
            for i, (row, features) in enumerate(zip(rows, found, strict=True)):
                put(folder, what, row.clip, {what: {k: round(v, 5) for k, v in features.items()}}, row.sha256)
                if progress:
                    progress(i + 1, len(rows), row.clip)
        return
    from models.sonicverse.load import load_captioner

    captioner = load_captioner(models.captioner, models.device)
    captioner.sampling = None  # a study's captions are the same whenever they are made
    for start in range(0, len(rows), CAPTIONED):
        batch = rows[start : start + CAPTIONED]
        layers = [captioner.encode(load_mono(folder / r.file, captioner.rate)) for r in batch]
        described = captioner.describe_layers({name: np.stack([one[name] for one in layers]) for name in layers[0]})
        for row, one, d in zip(batch, layers, described, strict=True):
            # Words are likeliest by far or not at all, but the last digits of a probability hang on how many clips are heard at a
            # time, and that on which of them were there already: each is heard alone.
            (heard,) = captioner.hear([one])
            told = {
                head: {label: round(float(x), 4) for label, x in zip(captioner.labels[head], p, strict=True)}
                for head, p in heard.items()
            }
            fields = {"caption": d.caption, "caption_features": told, "captioner_sha256": captioner.sha256}
            put(folder, what, row.clip, fields, row.sha256)
        if progress:
            progress(min(start + CAPTIONED, len(rows)), len(rows), batch[-1].clip)


def describe_files(
    files: list[Path],
    captioner: str,
    writer: str,
    writer_model: str = "",
    progress: Progress | None = None,
    wording: Wording | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Caption audio files of any length; a long one by its parts, read part by part. Greedy without `wording`.

    Returns
    -------
    dict
        ``captions``: a row a file, with its description; ``segments``: a row a part (start, end, labels by head, their
        probabilities, caption); ``dropped``: what is left out, and why.

    Raises
    ------
    StimulusError
        If a file is missing, no audio, or shorter than a second. Every file is looked at before the first is captioned.
    """
    from models.errors import ModelError
    from models.sonicverse.load import load_captioner
    from models.sonicverse.pieces.windows import SHORTEST, describe_piece, windows
    from models.sonicverse.pieces.wording import contradicted, open_writer, reword, story

    seconds = []
    for path in files:
        if not path.is_file():
            raise StimulusError(f"audio file {path} does not exist")
        seconds.append(length(path))
        if seconds[-1] < SHORTEST:
            raise StimulusError(f"{path} has {seconds[-1]:.2f} s; at least {SHORTEST:g} s are needed for a caption")
    heard = load_captioner(captioner)
    heard.sampling = wording
    words = open_writer(writer, writer_model)
    tables: dict[str, list[dict[str, Any]]] = {"captions": [], "segments": [], "dropped": []}
    total, done = sum(len(windows(s)) for s in seconds), 0
    for path, long in zip(files, seconds, strict=True):
        spans = windows(long)

        def step(i: int, _: int, before: int = done, name: str = path.name) -> None:
            if progress:
                progress(before + i, total, name)

        try:
            piece = describe_piece(heard, load_spans(path, heard.rate, spans), long, step)
        except ModelError as error:
            raise StimulusError(f"{path}: {error}") from None
        done += len(spans)
        several = len(piece.segments) > 1
        sentences, taken = reword(piece, words if several else None)
        row = {"file": str(path), "seconds": round(long, 2), "caption": story(piece, sentences)}
        if len(piece.segments) == 1:
            one = piece.segments[0].description
            row |= {h: ", ".join(one.top(h)) for h in one.features}
        elif several:
            row["worded_by_writer"] = f"{taken} of {len(sentences)} parts"
        tables["captions"].append(row)
        for s in piece.segments:
            listed = {h: ", ".join(s.description.top(h)) for h in s.description.features}
            tables["segments"].append(
                {"file": str(path), "start": s.start, "end": s.end, **listed, "caption": s.description.caption,
                 "probabilities": s.description.features}
            )  # fmt: skip
            against = contradicted(s.description)
            if against:
                tables["segments"][-1]["contradicted"] = "; ".join(against)
        tables["dropped"] += [
            {"file": str(path), "start": d.start, "end": d.end, "reason": d.reason} for d in piece.dropped
        ]
    return tables


AGAINST = "caption and heads contradict each other"


def said(probabilities: dict[str, dict[str, float]]) -> list[tuple[str, float, bool]]:
    """What was heard: labels over one half, or a head's likeliest with False."""
    out: list[tuple[str, float, bool]] = []
    for head, scores in probabilities.items():
        if head == "gender" and probabilities.get("vocals", {}).get("vocals", 1.0) <= 0.5:
            continue  # nobody sings
        over = [(label, p, True) for label, p in scores.items() if p > 0.5]
        label, p = max(scores.items(), key=lambda kv: kv[1])
        out += over or [(label, p, False)]
    return out


def write_page(tables: dict[str, list[dict[str, Any]]], page: Path, captioner: str) -> Path:
    """Write what `describe_files` found as a page with players; audio is played from where it lies."""
    import os

    from jinja2 import Environment, FileSystemLoader

    from models.sonicverse.pieces.windows import clock

    files = []
    for row in tables["captions"]:
        path = Path(row["file"])
        parts = [s for s in tables["segments"] if s["file"] == row["file"]]
        gone = [d for d in tables["dropped"] if d["file"] == row["file"]]
        source = os.path.relpath(path.resolve(), page.resolve().parent)
        files.append(
            {
                "name": path.name, "clock": clock(row["seconds"]), "caption": row["caption"],
                "src": "/".join(quote(p) for p in Path(source).parts),
                "parts": [
                    {"time": f"{clock(s['start'])} to {clock(s['end'])}", "heard": said(s["probabilities"])} for s in parts
                ],
                "dropped": [f"Left out: {clock(d['start'])} to {clock(d['end'])}, {d['reason']}" for d in gone]
                + [f"{clock(s['start'])} to {clock(s['end'])}: {AGAINST} ({s['contradicted']})" for s in parts if "contradicted" in s],
            }
        )  # fmt: skip
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
    html = environment.get_template("described.html").render(files=files, captioner=captioner)
    partial = page.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(html, encoding="utf-8")
    partial.replace(page)
    return page


def described_lines(tables: dict[str, list[dict[str, Any]]]) -> list[str]:
    """What `describe_files` found, for a person: each file's description, then what was heard with its probability."""
    from models.sonicverse.pieces.windows import clock

    lines: list[str] = []
    for row in tables["captions"]:
        lines += [f"{row['file']} ({clock(row['seconds'])})", f"  {row['caption']}"]
        parts = [s for s in tables["segments"] if s["file"] == row["file"]]
        for s in parts:
            heard = [
                f"{label} {p:.2f}" if sure else f"({label} {p:.2f})" for label, p, sure in said(s["probabilities"])
            ]
            lead = f"{clock(s['start'])}-{clock(s['end'])}  " if len(parts) > 1 else ""
            lines.append(f"    {lead}{', '.join(heard)}")
            if "contradicted" in s:
                lines.append(f"    {lead}{AGAINST} ({s['contradicted']})")
        lines += [
            f"    left out {clock(d['start'])}-{clock(d['end'])}: {d['reason']}"
            for d in tables["dropped"]
            if d["file"] == row["file"]
        ]
        if "worded_by_writer" in row:
            lines.append(
                f"    worded by the language model: {row['worded_by_writer']}; it changed the facts of the others"
            )
    return lines
