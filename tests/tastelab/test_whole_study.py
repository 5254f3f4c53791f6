"""The whole way on two-second clips: every fixed package is executed in it, a second run reuses everything."""

from __future__ import annotations

import csv
import json
import pkgutil
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from stimuli.manifest import read_manifest, update_manifest
from tastelab.stages import Run, run_study
from tastelab.study import load_study

pytestmark = pytest.mark.slow

# What of each fixed package does the work; each is counted, on whatever thread it is called.
WORK = [
    "torch.nn.functional.linear",
    "audiocraft.quantization.ResidualVectorQuantizer.decode",
    "pandas.DataFrame.groupby",
    "pingouin.mwu",
    "pingouin.qqplot",
    "factor_analyzer.FactorAnalyzer.fit",
    "statsmodels.regression.linear_model.OLS.fit",
    "seaborn.heatmap",
    "sqlalchemy.engine.Connection.execute",
]


def counted(name: str, functions: set[str], patch: pytest.MonkeyPatch) -> None:
    """Let a function, or a method, say that it was called."""
    owner, _, last = name.rpartition(".")
    place = pkgutil.resolve_name(owner)
    function = getattr(place, last)

    def call(*given: Any, **more: Any) -> Any:
        functions.add(name)
        return function(*given, **more)

    patch.setattr(place, last, call)


@pytest.fixture(scope="module")
def run(small_study_file: Path, described_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    functions: set[str] = set()
    outputs = tmp_path_factory.mktemp("whole")
    db = f"sqlite:///{outputs / 'participants.db'}"
    study = load_study(small_study_file)
    folder = outputs / study.name / "stimuli"
    shutil.copytree(described_folder, folder)
    # Two clips are taken away, and all that is said of four, so that this run generates, captions and measures too.
    for row in [r for r in read_manifest(folder) if r.number == 0][:2]:
        (folder / row.file).unlink()
    silent = [r for r in read_manifest(folder) if r.number == 3][:4]
    for row in silent:
        row.caption, row.caption_features, row.captioner_sha256, row.features = None, None, None, {}
    update_manifest(folder, silent)
    with pytest.MonkeyPatch.context() as patch:
        for name in WORK:
            counted(name, functions, patch)
        report = run_study(Run(study, small_study_file, db, outputs, 40, quiet=True))
    return {"report": report, "functions": functions, "db": db, "study": study, "out": outputs}


def test_every_fixed_package_is_executed_on_the_way(run: dict[str, Any]) -> None:
    assert run["functions"] == set(WORK)


def test_what_was_missing_was_made(run: dict[str, Any]) -> None:
    rows = read_manifest(run["out"] / "small" / "stimuli")
    assert len(rows) == 32
    assert [r.clip for r in rows if not r.caption or not r.features] == []


def test_psychopy_ran_a_real_session(run: dict[str, Any]) -> None:
    desk = json.loads((run["out"] / "small" / "desk.json").read_text())
    assert desk["answers"] == desk["stored"] == desk["matching"] == 8 + 4 + 2 * 12
    assert len(desk["audio"]) == 2 * 4 + 2
    assert all(a["r"] > 0.999 for a in desk["audio"])


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.audio: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.captions = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "audio":
            self.audio.append(str(found["src"]))
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "a":
            self.links.append(str(found["href"]))
        self.captions += tag == "figcaption"


def test_the_report_is_whole(run: dict[str, Any]) -> None:
    text = run["report"].read_text()
    reader = Reader()
    reader.feed(text)
    folder = run["report"].parent
    assert len(reader.audio) == 32
    assert all((folder / src).is_file() for src in reader.audio)
    assert len(set(reader.ids)) == len(reader.ids)
    pages = {"": set(reader.ids)}
    for link in reader.links:
        page, _, place = link.partition("#")
        assert not page or (folder / page).is_file(), link
        if place:
            if page not in pages:
                other = Reader()
                other.feed((folder / page).read_text())
                pages[page] = set(other.ids)
            assert place in pages[page], link
    assert "SIMULATED" in text
    for figure in ("preference", "qq", "heatmap", "correlations", "scree", "loadings", "fad", "features"):
        assert f"figure-{figure}" in reader.ids
        svg = (folder / "figures" / f"{figure}.svg").read_text()
        assert "<path" in svg
        assert (folder / "figures" / f"{figure}.png").stat().st_size > 5000
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["libraries"]["pingouin"] == "0.7.0"
    assert len(manifest["clips"]) == 32


def test_a_second_run_reuses_everything(run: dict[str, Any], small_study_file: Path) -> None:
    before = {
        p: p.stat().st_mtime_ns for p in run["report"].parent.rglob("*") if p.is_file() and p.name != "manifest.json"
    }
    again = run_study(Run(run["study"], small_study_file, run["db"], run["out"], 40, quiet=True))
    assert again == run["report"]
    changed = [p.name for p, t in before.items() if p.exists() and p.stat().st_mtime_ns != t]
    assert changed == []


def test_check_says_what_no_longer_matches(run: dict[str, Any]) -> None:
    from tastelab.report import check_report

    study, db, out = run["study"], run["db"], run["out"]
    assert check_report(study, db, out, "bot") == []
    table = next((out / "small" / "tables").glob("preference_tests.csv"))
    own = table.read_bytes()
    table.write_bytes(own.replace(b"0", b"1", 1))
    assert check_report(study, db, out, "bot") == ["tables/preference_tests.csv was changed by hand"]
    table.write_bytes(own)
    other = study.model_copy(update={"analysis": study.analysis.model_copy(update={"alpha": 0.01})})
    assert any(p.startswith("study:") for p in check_report(other, db, out, "bot"))


def _rows(run: dict[str, Any], table: str) -> list[dict[str, str]]:
    with (run["out"] / "small" / "tables" / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_clip_can_be_followed_to_its_tests(run: dict[str, Any], small_study_file: Path) -> None:
    from typer.testing import CliRunner

    from tastelab.cli import app

    arguments = [
        "trace",
        "sweet-base-001",
        "--study",
        str(small_study_file),
        "--db",
        run["db"],
        "--out",
        str(run["out"]),
        "--json",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    tables = json.loads(result.output)["tables"]
    assert tables["clips"][0]["prompt"].startswith("Sweet")
    assert {a["task"] for a in tables["answers"]} == {"preference"}
    # One model of all tastes: the clip went into every estimate, but is counted under its own taste and under all.
    went = {n["number"] for n in tables["numbers"]}
    rows = {k: r["taste"] for k, r in enumerate(_rows(run, "preference_mixed"))}
    assert {f"preference_mixed.{k}.p" for k in rows} <= went
    assert {k for k in rows if f"preference_mixed.{k}.n" in went} == {
        k for k, t in rows.items() if t in ("all", "sweet")
    }


def test_json_is_the_declared_object(run: dict[str, Any], small_study_file: Path) -> None:
    from typer.testing import CliRunner

    from tastelab.cli import app

    keys = {
        "preference": {"tests": {"taste", "test", "alternative", "n", "statistic", "p", "p_adjusted", "effect", "ci_low", "ci_high"}},
        "ratings": {"anova": {"term", "df", "sum_sq", "mean_sq", "F", "p"}, "tukey": {"factor", "group1", "group2", "diff", "ci_low", "ci_high", "p"},
                    "means": {"prompt", "item", "mean", "n"}},
        "factors": {"retention": {"method", "n_factors"}, "eigenvalues": {"index", "actual", "threshold"}, "loadings": {"item", "F1"},
                    "variance": {"factor", "ss_loadings", "proportion", "cumulative"}, "scores_by_prompt": {"prompt", "F1"}},
    }  # fmt: skip
    for name, tables in keys.items():
        arguments = [
            "analysis",
            name,
            "--plan",
            "paper",
            "--study",
            str(small_study_file),
            "--db",
            run["db"],
            "--kind",
            "bot",
            "--json",
        ]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        answer = json.loads(result.output)
        assert set(answer) == {"analysis", "plan", "data_sha256", "version", "tables"}
        for table, wanted in tables.items():
            assert wanted <= set(answer["tables"][table][0]), (name, table)


def test_a_withdrawn_bot_is_in_no_later_snapshot(run: dict[str, Any], tmp_path: Path) -> None:
    from analysis.data.frames import load
    from experiment.data.store import Store
    from experiment.data.withdrawal import withdraw

    source = Path(run["db"].removeprefix("sqlite:///"))
    store = Store(run["db"])
    store.close()
    shutil.copy(source, tmp_path / "p.db")
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    before = load(store.engine, "small", "bot")
    withdraw(store, "bot-1-0003")
    after = load(store.engine, "small", "bot")
    store.close()
    assert len(after.people) == len(before.people) - 1
    assert len(after.ratings) == len(before.ratings) - 24
    assert after.digest != before.digest
