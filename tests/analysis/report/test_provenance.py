"""What a report was made of, and what a check says of every change since: seen from the files."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.errors import AnalysisError
from analysis.page.inputs import Inputs
from analysis.report import provenance
from analysis.report.provenance import check, code_digest, fingerprint, hashes, versions, written
from tests.analysis.report.study import inputs


def made(folder: Path) -> Inputs:
    """A report's files and manifest, written by hand."""
    given = inputs(folder)
    for name in ("report.html", "tables/a.csv", "figures/a.svg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    stamp = {
        "fingerprint": fingerprint(given), "data_sha256": "0" * 64, "study_sha256": "a" * 64, "tastelab": "0",
        "libraries": versions(), "files": written(folder),
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(stamp))
    return given


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda i: i, []),
        (lambda i: replace(i, data=replace(i.data, digest="1" * 64)), ["data: 000000000000 then, 111111111111 now"]),
        (lambda i: replace(i, study_sha256="b" * 64), ["study: aaaaaaaaaaaa then, bbbbbbbbbbbb now"]),
        (lambda i: replace(i, version="2.0"), ["tastelab: 0 then, 2.0 now"]),
        (lambda i: replace(i, clips=i.clips[1:]), ["analysis code, clips, or what is known about them changed"]),
    ],
    ids=["nothing", "data", "study", "version", "clips"],
)
def test_a_check_says_what_changed(tmp_path: Path, change: Callable[[Inputs], Inputs], told: list[str]) -> None:
    assert check(change(made(tmp_path))) == told


def test_a_check_names_libraries_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = made(tmp_path)
    (tmp_path / "tables" / "a.csv").write_text("by hand")
    (tmp_path / "figures" / "a.svg").unlink()
    assert sorted(check(given)) == ["figures/a.svg is missing", "tables/a.csv was changed by hand"]
    monkeypatch.setattr(provenance, "versions", lambda: {**versions(), "numpy": "99", "scipy": "98"})
    assert check(given)[0] == "libraries: scipy, numpy changed"


def test_code_is_told_by_the_content_of_python_files_and_the_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "analysis"
    for name in ("report/provenance.py", "sound/fad.py", "report/templates/report.html", "sound/notes.txt"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("1")
    monkeypatch.setattr(provenance, "__file__", str(here / "report" / "provenance.py"))
    digests = [code_digest()]
    for name in ("sound/notes.txt", "sound/fad.py", "report/templates/report.html", "report/provenance.py"):
        (here / name).write_text("2")
        digests.append(code_digest())
    assert digests[0] == digests[1]
    assert len(set(digests[1:])) == 4


def test_hashes_are_those_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "tables").mkdir()
    for name in ("report.html", "figures/b.svg", "figures/a.png", "tables/t.csv", "tables/t.txt", "other.csv"):
        (tmp_path / name).write_text(name)
    sha = {
        n: hashlib.sha256(n.encode()).hexdigest()
        for n in ("report.html", "figures/b.svg", "figures/a.png", "tables/t.csv")
    }
    assert written(tmp_path) == sha
    assert hashes([tmp_path / "report.html", tmp_path / "missing"], tmp_path) == {"report.html": sha["report.html"]}


def test_no_report_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"no report in .*run 'tastelab analysis report'"):
        check(inputs(tmp_path))


def test_versions_are_the_installed_ones() -> None:
    import numpy
    import scipy

    found = versions()
    assert found["numpy"] == numpy.__version__
    assert found["scipy"] == scipy.__version__
    assert "a library that is not there" not in found


def test_a_folder_is_the_same_however_its_path_is_spelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check from another directory, or by an absolute path, raises no alarm; another folder of clips does."""
    study = tmp_path / "study"
    study.mkdir()
    monkeypatch.chdir(tmp_path)
    spelled = inputs(Path("study"))
    absolute = replace(spelled, out=study, folder=study / ".." / "study" / "stimuli")
    assert fingerprint(spelled) == fingerprint(absolute)
    assert fingerprint(replace(absolute, folder=study / "other")) != fingerprint(spelled)
