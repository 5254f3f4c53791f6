"""What a report was made of, and whether it still is: fingerprints, versions, hashes of what was written."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.errors import AnalysisError
from analysis.kept import digest_of

if TYPE_CHECKING:
    from analysis.page.inputs import Inputs

LIBRARIES = (
    "torch",
    "audiocraft",
    "transformers",
    "psychopy",
    "pandas",
    "pingouin",
    "factor_analyzer",
    "statsmodels",
    "scipy",
    "seaborn",
    "SQLAlchemy",
    "numpy",
    "librosa",
)


def fingerprint(inputs: Inputs) -> str:
    """Digest of what determines the report."""
    return _digest([inputs.title, parts(inputs)])


def parts(inputs: Inputs) -> dict[str, str]:
    """Digests of all that sections are made of, by name; ``always`` is what every one of them depends on.

    Of a directory of reference music only names and sizes count: it may be as large as it likes.
    """
    clips = inputs.clips
    reference, targets = Path(inputs.config.reference), inputs.config.targets
    heard = sorted(p for p in reference.rglob("*") if p.is_file()) if reference.is_dir() else []
    return {
        "always": _digest(
            [
                code_digest(), inputs.study_sha256, inputs.config.model_dump_json(), inputs.version, versions(),
                os.path.relpath(inputs.folder.resolve(), inputs.out.resolve()),  # however its path was spelled
            ]
        ),
        "data": _digest(
            [inputs.data.digest, inputs.data.kind, inputs.data.sessions, inputs.excluded, *inputs.amendments]
        ),
        "audio": _digest([(c.clip, c.model, c.taste, c.number, c.file, c.sha256, c.seconds, c.loudness) for c in clips]),
        "features": _digest([(c.clip, c.model, c.taste, c.features) for c in clips]),
        "captions": _digest([(c.clip, c.model, c.taste, c.caption) for c in clips]),
        "asked": _digest(inputs.asked),
        "reference": _digest([inputs.embedders, [(str(p), p.stat().st_size) for p in heard]]),
        "effects": _digest([inputs.effects.model_dump_json() if inputs.effects else None, inputs.followed]),
        "desk": _digest(inputs.desk),
        "targets": _digest(hashlib.sha256(targets.read_bytes()).hexdigest() if targets and targets.is_file() else None),
    }  # fmt: skip


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def code_digest() -> str:
    """Digest of the analysis code and the report's template."""
    here = Path(__file__).parent.parent
    files = [*sorted(here.rglob("*.py")), *sorted(here.rglob("templates/*.html"))]
    return digest_of(files)


def written(folder: Path) -> dict[str, str]:
    """SHA-256 of the report and of every table, figure and page of its trace beside it, by relative path."""
    beside = [*(folder / "tables").glob("*.csv"), *(folder / "figures").glob("*.*"), *(folder / "trace").glob("*.*")]
    return hashes([folder / "report.html", *beside], folder)


def hashes(files: list[Path], folder: Path) -> dict[str, str]:
    """SHA-256 of those files that are there, by path relative to the folder."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(files)
        if p.is_file()
    }


def check(inputs: Inputs) -> list[str]:
    """What no longer matches: data, code, study or clips since the report was made, or a file that was changed.

    Raises
    ------
    AnalysisError
        If there is no report yet.
    """
    stamp = inputs.out / "manifest.json"
    if not stamp.exists():
        raise AnalysisError(f"there is no report in {inputs.out}; run 'tastelab analysis report'")
    made = json.loads(stamp.read_text(encoding="utf-8"))
    problems = []
    for key, now in (
        ("data_sha256", inputs.data.digest),
        ("study_sha256", inputs.study_sha256),
        ("tastelab", inputs.version),
    ):
        if made.get(key) != now:
            problems.append(f"{key.removesuffix('_sha256')}: {str(made.get(key))[:12]} then, {now[:12]} now")
    if made.get("libraries") != versions():
        changed = [k for k, v in versions().items() if made.get("libraries", {}).get(k) != v]
        problems.append(f"libraries: {', '.join(changed)} changed")
    if not problems and made.get("fingerprint") != fingerprint(inputs):
        problems.append("analysis code, clips, or what is known about them changed")
    there = written(inputs.out)
    for name, digest in made.get("files", {}).items():
        if name not in there:
            problems.append(f"{name} is missing")
        elif there[name] != digest:
            problems.append(f"{name} was changed by hand")
    return problems


def versions() -> dict[str, str]:
    """Versions of the libraries that results depend on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
