"""The contact sheet: every clip of a set on one page, to be heard and looked at before anyone else hears it."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.conditions import Condition
from stimuli.audio import load_mono
from stimuli.candidates import OUTDONE
from stimuli.features import FEATURES
from stimuli.manifest import FILE as MANIFEST
from stimuli.manifest import ClipRow, read_manifest, write_table

RATE = 16000
FILE = "index.html"


def picture(audio: np.ndarray, rate: int = RATE) -> bytes:
    """PNG of a mel spectrogram, 96 bands up to 8 kHz by at most 480 columns, 60 dB from dark to bright."""
    from models.compiled import librosa as compiled

    librosa = compiled()
    from matplotlib import colormaps
    from PIL import Image

    hop = max(256, len(audio) // 480)
    mel = librosa.feature.melspectrogram(y=audio, sr=rate, n_fft=2048, hop_length=hop, n_mels=96, fmax=8000)
    level = librosa.power_to_db(mel, ref=max(float(mel.max()), 1e-10), top_db=60)
    pixels = colormaps["magma"]((level[::-1] + 60) / 60, bytes=True)[..., :3]
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).quantize(64).save(out, "PNG", optimize=True)
    return out.getvalue()


def write_sheet(
    folder: Path,
    title: str,
    conditions: Sequence[Condition],
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Write ``index.html`` beside the clips, and the manifest as Parquet; done anew only after the manifest changed.

    Sets stand by taste, and in it by condition in the order of `conditions`. Audio is played from the files, pictures are inside. Returns the page's path.
    """
    from jinja2 import Environment, FileSystemLoader

    path = folder / FILE
    if path.exists() and path.stat().st_mtime_ns > (folder / MANIFEST).stat().st_mtime_ns:
        return path
    place = {c.name: k for k, c in enumerate(conditions)}
    shown = {c.name: c.spoken for c in conditions}
    rows = sorted(read_manifest(folder), key=lambda r: (r.taste, place.get(r.model, len(place)), r.model, r.number))
    names = {r.clip: r.told for r in rows}
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for i, row in enumerate(rows):
        groups.setdefault((row.taste, row.model), []).append(_clip(row, folder, names))
        if progress:
            progress(i + 1, len(rows), row.clip)
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
    html = environment.get_template("sheet.html").render(
        title=title,
        count=len(rows),
        seconds=f"{rows[0].seconds:g}" if rows else "0",
        groups=[
            {
                "id": f"{taste or 'all'}-{model}",
                "name": f"{taste}, {shown.get(model, model)}".strip(", "),
                "prompt": " | ".join(
                    dict.fromkeys(r.prompt for r in rows if r.prompt and (r.taste, r.model) == (taste, model))
                ),
                "clips": clips,
            }
            for (taste, model), clips in groups.items()
        ],
    )
    write_table(folder)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(html, encoding="utf-8")
    os.replace(partial, path)
    return path


def _clip(row: ClipRow, folder: Path, names: dict[str, str]) -> dict[str, Any]:
    features = [
        (f"{name.replace('_', ' ')}", _number(value, FEATURES.get(name, "").replace("share of time", "")))
        for name, value in row.features.items()
    ]
    features.append(("loudness", f"{row.loudness:.1f} LUFS"))
    features.append(("true peak", f"{row.peak:.1f} dBTP"))
    if "nearest" in row.checks:
        features.append(
            (
                "nearest",
                f"{row.checks['nearest']:.2f} ({names.get(row.checks['nearest_clip'], row.checks['nearest_clip'])})",
            )
        )
    features += _chosen(row.checks)
    return {
        "name": row.told,
        "file": row.file,
        "picture": base64.b64encode(picture(load_mono(folder / row.file, RATE))).decode(),
        "features": features,
        "caption": row.caption,
        "again": ", ".join(why for why in row.checks.get("drawn_again", []) if why != OUTDONE),
    }


def _chosen(checks: dict[str, Any]) -> list[tuple[str, str]]:
    """What was measured in the drawing that was kept, beside the others', a line a feature."""
    drawn = checks.get("candidates", [])
    out = []
    for feature in (name for name in (drawn[0] if drawn else {}) if name != "try"):
        kept, others = (
            [_number(d[feature], "") for d in drawn if (d["try"] == checks["kept"]) is own] for own in (True, False)
        )
        out.append(
            (f"{feature.replace('_', ' ')}, of {len(drawn)} drawings", f"{kept[0]} (others {', '.join(others)})")
        )
    return out


def _number(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}".strip() if abs(value) < 1000 else f"{value:.0f} {unit}".strip()
