"""Which measurements are older than the code and the weights that they measure: what ``make evidence`` has to do."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "evidence"

MUSIC = (
    "models/musicgen",
    "models/weights/nano-base",
    "models/weights/nano-taste",
    "models/weights/codec-nano",
    "benchmarks/nano.py",
)
TASTES = (*MUSIC, "stimuli/features.py", "stimuli/dataset", "benchmarks/taste.py")
CAPTIONS = (
    "models/sonicverse",
    "models/weights/sonicverse-nano",
    "models/embeddings/musicnn.py",
    "benchmarks/captions.py",
)
ROWS = (
    "experiment/data",
    "experiment/answering.py",
    "experiment/steps.py",
    "experiment/session.py",
    "experiment/launch.py",
)
DESK = ("experiment/lab", "experiment/session.py", "experiment/answering.py", "benchmarks/desk.py")
MODEL = (
    "analysis/engines",
    "analysis/preference/joint.py",
    "analysis/preference/robust.py",
    "analysis/preference/questions.py",
)
AT_A_LINK = ("experiment/web", "experiment/answering.py", "experiment/steps.py", "experiment/wire.py")

# What each measurement is about; what else changes, changes nothing of it.
MEASURES: dict[str, tuple[str, ...]] = {
    "pulse": (*MUSIC, "models/tempo.py", "benchmarks/pulse.py", "benchmarks/tempo.py"),
    "bands": (*MUSIC, "stimuli/features.py", "stimuli/dataset", "benchmarks/bands.py", "benchmarks/chords.py"),
    "drawings": (
        *MUSIC,
        "stimuli/features.py",
        "stimuli/candidates.py",
        "stimuli/dataset",
        "benchmarks/drawings.py",
        "benchmarks/bands.py",
        "benchmarks/chords.py",
    ),
    "brightness": (*MUSIC, "stimuli/features.py", "stimuli/dataset", "benchmarks/brightness.py", "benchmarks/bands.py"),
    "music": (*MUSIC, "analysis/sound/fad.py", "models/embeddings/yamnet.py"),
    "prompts": (*MUSIC, "stimuli/features.py"),
    "asked": (*MUSIC, "stimuli/features.py"),
    "codec": MUSIC,
    "losses": MUSIC,
    "precision": (*MUSIC, "analysis/sound/fad.py"),
    "taste": TASTES,
    "distance": (*TASTES, "analysis/sound/fad.py", "analysis/sound/distances.py"),
    "unseen": TASTES,
    "captions": CAPTIONS,
    "ablation": CAPTIONS,
    "pieces": CAPTIONS,
    "captioning": CAPTIONS,
    "voices": (*CAPTIONS, "benchmarks/voices.py", "benchmarks/speech.py"),
    "keys": (*CAPTIONS, "models/embeddings/basic_pitch.py"),
    "second": CAPTIONS,
    "long": CAPTIONS,
    "wordings": ("models/sonicverse/pieces/wording.py", "models/sonicverse/nano/labels.py", "benchmarks/wordings.py"),
    "busy": ("models/musicgen/decoder.py", "models/musicgen/sampling.py", "models/asleep.py", "benchmarks/busy.py"),
    "booths": (*ROWS, "benchmarks/booths.py"),
    "withdrawals": ("experiment/data", "tastelab/withdrawing.py", "benchmarks/withdrawals.py"),
    "exchange": ("experiment/data", "benchmarks/exchange.py"),
    "timing": DESK,
    "kills": (*DESK, "experiment/steps.py"),
    "wild": (*DESK, "experiment/steps.py", "benchmarks/wild.py"),
    "disturbed": (*DESK, "benchmarks/disturbed.py"),
    "markers": (*DESK, "benchmarks/markers.py"),
    "nulls": (*MODEL, "experiment/bots", "benchmarks/studies.py"),
    "coverage": (*MODEL, "analysis/preference/paper.py", "benchmarks/studies.py"),
    "malformed": ("experiment/config.py", "experiment/data/imports.py", "stimuli/config.py", "tastelab/study.py"),
    "requests": AT_A_LINK,
    "leaks": (*AT_A_LINK, "benchmarks/leaks.py"),
    "crowd": (*AT_A_LINK, "experiment/data/store.py", "benchmarks/crowd.py"),
    "access": ("experiment/web/static", "experiment/web/showing.py", "benchmarks/access.py"),
    "heard": ("experiment/web/static", "experiment/web/flac.py", "benchmarks/heard.py"),
    "link": ("experiment/web", "benchmarks/link.py"),
    "outages": (*AT_A_LINK, "experiment/data/lease.py", "benchmarks/outages.py", "benchmarks/browsing.py"),
    "restarts": (*AT_A_LINK, "experiment/data/lease.py", "benchmarks/outages.py", "benchmarks/browsing.py"),
    "ways": (*AT_A_LINK, "benchmarks/ways.py", "benchmarks/browsing.py"),
    "anystudy": (*ROWS, "experiment/config.py", "experiment/tasks", "experiment/design.py"),
    "speed": ("analysis", "benchmarks/analysis.py"),
    "mixed": (*MODEL, "benchmarks/mixed.py"),
    "grid": ("analysis", "benchmarks/grid.py"),
    "habit": ("analysis/identification", "analysis/engines", "benchmarks/habit.py"),
    "found": (*MODEL, "analysis/power", "experiment/bots", "benchmarks/found.py"),
    "calibration": (*MODEL, "benchmarks/calibration.py"),
    "slurm": (
        "tastelab/cluster",
        "stimuli/units.py",
        "stimuli/waiting.py",
        "stimuli/making.py",
        "stimuli/describe.py",
        "stimuli/sets.py",
        "stimuli/manifest.py",
        "analysis/sound/embedding.py",
        "models/loop.py",
        "models/processes.py",
        "models/musicgen/finetune.py",
        "models/musicgen/train_language.py",
        "benchmarks/cluster.py",
        "benchmarks/requeued.py",
    ),
    "growth": ("stimuli", "experiment/data", "analysis/data", "analysis/sound/fad.py", *MODEL, "benchmarks/growth.py"),
    "followup": (
        "analysis/agreement",
        "experiment/data",
        "studies/five-tastes.toml",
        "benchmarks/followup.py",
    ),
}


def changed(commit: str, paths: tuple[str, ...], root: Path = ROOT) -> list[str] | None:
    """Files under these paths that differ between a commit and the working tree; None where the commit is not known.

    What a card says of weights changes nothing that they do.
    """
    if not paths:
        return []
    command = ["git", "diff", "--name-only", commit, "--", *paths, ":(exclude,glob)**/*.md"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else None


def older(name: str, results: Path = RESULTS, root: Path = ROOT) -> str:
    """Why a measurement is to be made (anew), in words; "" where it is of today's code and weights."""
    path = results / f"{name}.json"
    if not path.exists():
        return "not measured yet"
    found = json.loads(path.read_text(encoding="utf-8"))
    commit = str((found.get("measured") or {}).get("commit", "")) if isinstance(found, dict) else ""
    if not commit:
        return "measured before files said by which code"
    if commit.endswith(", changed"):
        return "measured by code that no commit has"
    files = changed(commit, MEASURES[name], root)
    if files is None:
        return f"measured by {commit[:7]}, which is not in this history"
    if not files:
        return ""
    return f"{files[0]}{f' and {len(files) - 1} more' if len(files) > 1 else ''} changed since {commit[:7]}"


def minutes(name: str, results: Path = RESULTS) -> float | None:
    """How long a measurement took the last time; None where nobody wrote it down."""
    path = results / f"{name}.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return (found.get("measured") or {}).get("minutes") if isinstance(found, dict) else None
