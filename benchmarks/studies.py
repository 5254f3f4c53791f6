"""Whole simulated studies: through the session engine beside the generator's, and what malformed inputs do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = 111


def nulls() -> dict[str, Any]:
    """False positives without any effect, and a declared effect: engine beside generator."""
    from scipy import stats

    from analysis.power import clip_table, generate, null, power, signed_rank_p
    from experiment.effects import load_effects
    from tastelab.study import load_study
    from tests.analysis.test_power import through_the_engine

    study = load_study(ROOT / "study.toml")
    tastes = [t.name for t in study.stimuli.tastes]
    clips = clip_table(tastes, 5)
    out: dict[str, Any] = {"participants": PEOPLE}
    for name, effects, studies in (("null", null(load_effects(), 5.0), 20), ("declared", load_effects(), 10)):
        scores, p = [], []
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(studies):
                rows = through_the_engine(Path(folder), effects, PEOPLE, seed)
                scores.append(rows[:, 1].astype(float))
                p.append(float(signed_rank_p(scores[-1], 5.0, "greater")))
        drawn = generate(study.experiment, effects, clips, PEOPLE, 400, np.random.default_rng(1))
        theirs = signed_rank_p(drawn.scores.reshape(400, -1), 5.0, "greater")
        out[f"{name}: engine"] = {
            "studies": studies,
            "significant": int(np.sum(np.array(p) < 0.05)),
            "mean_score": float(np.mean(scores)),
            "sd_of_study_means": float(np.std([s.mean() for s in scores], ddof=1)),
        }
        out[f"{name}: generator"] = {
            "studies": 400,
            "significant_share": float(np.mean(theirs < 0.05)),
            "mean_score": float(drawn.scores.mean()),
            "sd_of_study_means": float(drawn.scores.mean(axis=(1, 2)).std(ddof=1)),
        }
        same_p = stats.ks_2samp(p, theirs).pvalue
        means = stats.ks_2samp([s.mean() for s in scores], drawn.scores.mean(axis=(1, 2))).pvalue
        out[f"{name}: Kolmogorov-Smirnov p"] = {"p_values": float(same_p), "study_means": float(means)}
    rows = power(study.experiment, null(load_effects(), 5.0), clips, study.analysis, [PEOPLE], 1000, 1)
    out["1,000 null studies through the generator"] = rows
    foretold = power(study.experiment, load_effects(), clips, study.analysis, [PEOPLE], 1000, 1)
    out["power foretold"] = foretold
    return out


def malformed(total: int = 20_000) -> dict[str, Any]:
    """Run the malformed-input tests with so many examples in all."""
    test = ROOT / "tests" / "experiment" / "test_malformed.py"
    kinds = len(re.findall(r"^@many", test.read_text(), re.MULTILINE))
    each = -(-total // kinds)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(test), "--timeout", "3600"],
        cwd=ROOT, env={**os.environ, "TASTELAB_EXAMPLES": str(each)}, capture_output=True, text=True,
    )  # fmt: skip
    return {
        "kinds": kinds,
        "inputs": kinds * each,
        "passed": done.returncode == 0,
        "last_line": done.stdout.strip()[-200:],
    }
