"""Is the power that is printed found again: bots through sessions, database and the command line, at six points.

Every simulated study is a database of its own with clips of its own; what counts is what `tastelab analysis preference --json`
says of it. Run: python -m benchmarks.evidence found.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STUDIES, SIMULATED = 60, 2000


@dataclass(frozen=True)
class Point:
    """A size, a shift of every declared mean (points), a slider's end, the plan, and the test that is looked at."""

    people: int
    shift: float
    taste: str
    plan: str = "robust"
    high: int = 10


POINTS = (
    Point(16, 0.6, "all"), Point(24, 0.0, "all"), Point(24, 1.2, "sweet"), Point(20, 0.8, "any", high=100), Point(24, 0.3, "all", "paper"),
    Point(20, 0.9, "sweet", "paper"),
)  # fmt: skip


def written(folder: Path, point: Point) -> tuple[Path, Path]:
    """The default study without its other tasks, on the point's slider, and the effects that bots get."""
    text = (ROOT / "study.toml").read_text(encoding="utf-8")
    parts = re.split(r"(?m)^(?=\[)", text)
    kept = "".join(p for p in parts if not re.match(r"\[+experiment\.ratings", p))
    kept = re.sub(r"(?m)^high = 10\b", f"high = {point.high}", kept)
    study = folder / "study.toml"
    study.write_text(kept, encoding="utf-8")
    told = (ROOT / "experiment" / "bots" / "effects" / "multimodal-symphony.toml").read_text(encoding="utf-8")
    lines = []
    for line in told.splitlines():
        mean = re.match(r"(sweet|sour|salty|bitter) = ([\d.]+)$", line)
        lines.append(f"{mean[1]} = {float(mean[2]) + point.shift}" if mean and "[ratings]" not in lines else line)
    effects = folder / "effects.toml"
    effects.write_text("\n".join(lines), encoding="utf-8")
    return study, effects


def printed(*words: str) -> dict[str, Any]:
    """The one object that a command prints."""
    from tastelab.cli import app

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        app([*words, "--json"], standalone_mode=False)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def found_in(study: Path, effects: Path, point: Point, seed: int) -> dict[str, bool]:
    """Which tests one study of bots finds: name of the taste -> found; ``any``: any of the declared ones after correction."""
    from analysis.power.power import clip_table
    from experiment import launch
    from experiment.bots.effects import load_effects
    from experiment.launch import Prepared
    from stimuli.names import places
    from tastelab.context import definition_of, open_store
    from tastelab.study import load_study

    loaded = load_study(study)
    names = [t.name for t in loaded.stimuli.tastes]
    rows: list[dict[str, Any]] = [
        {"clip": f"{c.taste}-{c.model}-{c.number}", "taste": c.taste, "model": c.model, "number": c.number, "path": None, "sha256": "0" * 64}
        for c in sorted(clip_table(names, loaded.stimuli.clips_per_taste), key=lambda c: places(names)[c.taste])
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/found.db"
        with open_store(url) as store:
            study_id = store.ensure_study(loaded.name, loaded.title, definition_of(loaded))
            prepared = Prepared(store, study_id, loaded.experiment, store.ensure_stimuli(study_id, rows))
            launch.simulate(prepared, load_effects(effects), point.people, seed)
        said = printed(
            "analysis", "preference", "--study", str(study), "--db", url, "--kind", "bot", "--plan", point.plan
        )
    tests = [r for r in said["tables"]["tests"] if r["role"] == "declared"]
    tests += [r | {"taste": f"{r['taste']} within"} for r in said["tables"].get("equivalence", [])]
    out = {}
    for row in tests:
        p = row["p"] if point.plan == "paper" and row["taste"] == "all" else row["p_adjusted"]
        out[row["taste"]] = p is not None and p < loaded.analysis.alpha
    counted = [hit for name, hit in out.items() if point.plan == "robust" or name != "all"]
    return out | {"any": any(counted)}


def beside(point: Point, studies: int = STUDIES, simulated: int = SIMULATED, first: int = 1) -> dict[str, Any]:
    """Power as printed, and as found by bots with Wilson's 95 % interval."""
    from scipy.stats import binomtest

    with tempfile.TemporaryDirectory() as folder:
        study, effects = written(Path(folder), point)
        rows = printed(
            "analysis", "power", "--study", str(study), "--effects", str(effects), "--n", str(point.people), "--plan", point.plan,
            "--simulations", str(simulated), "--jobs", "1", "--out", folder, "--quiet",
        )["tables"]["power"]  # fmt: skip
        told = next(r for r in rows if r["taste"] == point.taste and not str(r["test"]).startswith("tost"))
        hits = sum(found_in(study, effects, point, first + k)[point.taste] for k in range(studies))
    ends = binomtest(hits, studies).proportion_ci(method="wilson")
    return {
        "people": point.people, "clips": told["clips"], "slider": point.high, "plan": told["plan"], "taste": point.taste, "shift": point.shift,
        "printed": told["power"], "studies": studies, "found": hits / studies, "ci_low": float(ends.low), "ci_high": float(ends.high),
        "within": bool(ends.low <= told["power"] <= ends.high),
    }  # fmt: skip


def found() -> dict[str, Any]:
    """All points."""
    rows = []
    for point in POINTS:
        rows.append(beside(point))
        print(rows[-1], flush=True)
    return {"rows": rows, "within": sum(r["within"] for r in rows)}
