"""Whole simulated studies: through the session engine beside the generator's, and what malformed inputs do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cells import FOLDER, Cells

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = 111


def nulls() -> dict[str, Any]:
    """False positives without any effect, and a declared effect: engine beside generator."""
    from scipy import stats

    from analysis.engines.ranks import signed_rank
    from analysis.power.power import Simulation, clip_table, generate, power
    from experiment.bots.effects import load_effects
    from tastelab.study import load_study
    from tests.analysis.power.test_drawn import through_the_engine

    study = load_study(ROOT / "study.toml")
    tastes = [t.name for t in study.stimuli.tastes]
    clips = clip_table(tastes, 5)
    out: dict[str, Any] = {"participants": PEOPLE}
    # Rank tests take all answers for independent: without effects they are, where neither people nor clips differ.
    still = load_effects().preference.model_copy(update={"mean": {}, "participant_sd": 0.0, "clip_sd": 0.0})
    nothing = load_effects().model_copy(update={"preference": still})
    for name, effects, studies in (("null", nothing, 20), ("declared", load_effects(), 10)):
        scores, p = [], []
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(studies):
                rows = through_the_engine(Path(folder), effects, PEOPLE, seed)
                scores.append(rows[:, 1].astype(float))
                p.append(float(signed_rank(scores[-1], 5.0, "greater")[1]))
        drawn = generate(study.experiment, effects, clips, PEOPLE, 400, np.random.default_rng(1))
        theirs = signed_rank(drawn.scores.reshape(400, -1), 5.0, "greater")[1]
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
    for name, effects in (
        ("1,000 null studies through the generator", nothing), ("power foretold", load_effects())
    ):  # fmt: skip
        simulation = Simulation(study.experiment, effects, tuple(tastes), (5,), study.analysis, 1000, 1, "paper")
        out[name] = power(simulation, [PEOPLE])
    return out


VARIANCES = {
    f"people {p:g}, clips {c:g}": (p, c) for p, c in ((0.0, 0.0), (0.7, 0.0), (0.0, 0.4), (0.7, 0.4), (1.2, 0.8))
}  # standard deviations


def coverage(studies: int = 600, folder: Path = FOLDER) -> dict[str, Any]:
    """False positives at 5 % of the tests and bootstraps, with and without variance of participants and clips; coverage."""
    cells = coverage_cells(studies, folder)
    rows = [row for name in VARIANCES for row in cells.found(name)]
    return {"participants": PEOPLE, "clips_per_taste": 5, "studies": studies, "rows": rows}


def coverage_cells(studies: int = 600, folder: Path = FOLDER) -> Cells:
    """Its variances, a cell each."""
    return Cells(
        "coverage", [*VARIANCES], partial(of_variances, studies=studies), [studies], "benchmarks/studies.py", folder
    )


def of_variances(cell: str, studies: int) -> list[dict[str, Any]]:
    """The rows of one pair of variances."""
    from analysis.engines.crossed import crossed_intervals
    from analysis.engines.mixed import fit
    from analysis.engines.ranks import cluster_interval, signed_rank
    from analysis.power.power import clip_table, generate
    from experiment.bots.effects import load_effects
    from tastelab.study import load_study

    study = load_study(ROOT / "study.toml")
    clips = clip_table([t.name for t in study.stimuli.tastes], 5)
    base = load_effects()
    rows: list[dict[str, Any]] = []
    participant_sd, clip_sd = VARIANCES[cell]
    update = {"mean": {}, "participant_sd": participant_sd, "clip_sd": clip_sd, "careless": 0.0}
    effects = base.model_copy(update={"preference": base.preference.model_copy(update=update)})
    drawn = generate(study.experiment, effects, clips, PEOPLE, studies, np.random.default_rng([3, round(10 * clip_sd)]))
    people = np.repeat(np.arange(PEOPLE), drawn.tastes.shape[1])
    heard = _clips_heard(study.experiment, clips)
    taste = drawn.tastes.ravel()
    sums = np.eye(4)[taste][:, :3] - np.eye(4)[taste][:, 3:]
    x = np.column_stack([np.ones(len(taste)), sums])
    found: dict[str, list[float]] = {"paper: Wilcoxon of all answers": [], "Wilcoxon of participants' means": []}
    bootstraps = ("bootstrap of people and clips", "the same, one taste")
    found |= {name: [] for name in ("mixed model", "mixed model, one taste", "bootstrap of people", *bootstraps)}
    found |= {f"{name} (Cliff's delta)": [] for name in bootstraps}
    rng = np.random.default_rng([4, round(10 * participant_sd), round(10 * clip_sd)])
    covered = 0
    for scores in drawn.scores:
        y = scores.ravel() - 5.0
        found["paper: Wilcoxon of all answers"].append(float(signed_rank(y, 0.0, "greater")[1]))
        means = np.array([s.mean() for s in scores]) - 5.0
        found["Wilcoxon of participants' means"].append(float(signed_rank(means, 0.0, "greater")[1]))
        test = fit(y, x, [people, heard]).test(np.array([1.0, 0, 0, 0]), "greater")
        found["mixed model"].append(test.p)
        covered += test.ci_low <= 0 <= test.ci_high
        one = taste == 0
        single = fit(y[one], np.ones((int(one.sum()), 1)), [people[one], heard[one]])
        found["mixed model, one taste"].append(single.test(np.ones(1), "greater").p)
        # A one-sided test at 5 % is the lower end of a 90 % interval over zero.
        low = cluster_interval(y, people, 0.0, 1000, rng, 0.9)[0]
        found["bootstrap of people"].append(float(low <= 0))
        for name, some in zip(bootstraps, (np.full(len(y), True), one), strict=True):
            ends = crossed_intervals(y[some], people[some], heard[some], taste[some], 0.0, 1000, rng, 0.9)
            found[name].append(float(ends["rank_biserial"].low <= 0))
            found[f"{name} (Cliff's delta)"].append(float(ends["cliffs_delta"].low <= 0))
    from scipy.stats import binomtest

    for name, p_values in found.items():
        k = sum(p < 0.05 for p in p_values)
        interval = binomtest(k, studies).proportion_ci(method="wilson")
        rows.append(
            {
                "participant_sd": participant_sd, "clip_sd": clip_sd, "test": name, "false_positives": k / studies,
                "ci_low": float(interval.low), "ci_high": float(interval.high),
            }
        )  # fmt: skip
    rows.append(
        {
            "participant_sd": participant_sd,
            "clip_sd": clip_sd,
            "test": "mixed model: 95 % interval covers",
            "share": covered / studies,
        }
    )
    return rows


def _clips_heard(config: Any, clips: Any) -> np.ndarray:
    """Fine-tuned clip of every preference trial, in the generator's order."""
    from experiment.design import plan

    tuned = {c.id for c in clips if c.model == "finetuned"}
    trials = [t for row in range(PEOPLE) for t in plan(config, clips, row) if t.block == "preference"]
    return np.array([t.second if t.second in tuned else t.first for t in trials])


def malformed(total: int = 20_000) -> dict[str, Any]:
    """Run the malformed-input tests with so many examples in all."""
    tests = sorted((ROOT / "tests" / "experiment" / "data").glob("test_malformed*.py"))
    kinds = sum(len(re.findall(r"^def test_", test.read_text(), re.MULTILINE)) for test in tests)
    each = -(-total // kinds)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *map(str, tests), "--timeout", "3600"],
        cwd=ROOT, env={**os.environ, "TASTELAB_EXAMPLES": str(each)}, capture_output=True, text=True,
    )  # fmt: skip
    return {
        "kinds": kinds,
        "inputs": kinds * each,
        "passed": done.returncode == 0,
        "last_line": done.stdout.strip()[-200:],
    }


def requests(total: int = 20_000) -> dict[str, Any]:
    """Send so many malformed requests to a site: how many were refused with which status, and that nothing was written."""
    test = ROOT / "tests" / "experiment" / "web" / "test_malformed_requests.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", str(test), "--timeout", "36000"],
        cwd=ROOT, env={**os.environ, "TASTELAB_EXAMPLES": str(total)}, capture_output=True, text=True,
    )  # fmt: skip
    told = re.search(r'\{"refused": .*\}', done.stdout)
    refused = json.loads(told[0])["refused"] if told else {}
    return {
        "requests": sum(refused.values()),
        "refused": refused,
        "passed": done.returncode == 0,
        "last_line": done.stdout.strip()[-200:],
    }


def anystudy(total: int = 400) -> dict[str, Any]:
    """Run so many random study files that can be read to their end, by bots."""
    test = ROOT / "tests" / "tastelab" / "test_any_study.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(test), "--timeout", "36000", "--hypothesis-show-statistics"],
        cwd=ROOT, env={**os.environ, "TASTELAB_EXAMPLES": str(total)}, capture_output=True, text=True,
    )  # fmt: skip
    counts = re.search(r"(\d+) passing, (\d+) failing,(?: and)? (\d+) invalid", done.stdout)
    passing, failing, refused = map(int, counts.groups()) if counts else (None, None, None)
    return {
        "wanted": total, "run to their end": passing, "failed": failing, "refused in one line": refused,
        "passed": done.returncode == 0, "last_line": done.stdout.strip()[-200:],
    }  # fmt: skip
