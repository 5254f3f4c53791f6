"""Long measurements in shares: whoever made which cell, the figures are those of one run; what a cell comes to stands still here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import calibration, cells, shares, studies


@pytest.fixture
def coverage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A coverage that tells which cells it worked out, in a folder of its own."""
    worked: list[str] = []

    def rows(cell: str, studies: int) -> list[dict[str, Any]]:
        if cell == "people 0.7, clips 0" and not worked:
            raise ValueError("no fit")
        worked.append(cell)
        return [{"test": cell, "share": studies / 7}]

    monkeypatch.setattr(studies, "of_variances", rows)
    monkeypatch.setattr(shares, "FOLDER", tmp_path)
    monkeypatch.setattr(shares, "MEASUREMENTS", {"coverage": lambda: studies.coverage_cells(600, tmp_path)})
    return worked


def test_cells_of_shares_are_the_whole(coverage: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shares.main(["coverage", "--todo"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed == [*studies.VARIANCES]
    (tmp_path / "share").write_text("\n".join(listed[2:4]))
    assert shares.main(["coverage", "--units", str(tmp_path / "share")]) == 0
    assert capsys.readouterr().out == "2 of 2 cells are made\n"
    shares.main(["coverage", "--units", str(tmp_path / "share"), "--jobs", "2"])
    assert capsys.readouterr().out == "2 of 2 cells are made\n"
    assert coverage == listed[2:4]
    shares.main(["coverage", "--todo"])
    assert capsys.readouterr().out.splitlines() == [*listed[:2], listed[4]]
    whole = studies.coverage(600, tmp_path)
    assert coverage == [*listed[2:4], *listed[:2], listed[4]]
    assert whole["rows"] == [{"test": name, "share": 600 / 7} for name in studies.VARIANCES]
    assert studies.coverage(600, tmp_path) == whole
    assert len(coverage) == 5
    studies.coverage(100, tmp_path)  # another number of studies is another cell
    assert len(coverage) == 10


def test_a_cell_that_fails_is_told_and_the_rest_is_made(
    coverage: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "share").write_text("people 0.7, clips 0\npeople 0, clips 0\nnobody\n")
    assert shares.main(["coverage", "--units", str(tmp_path / "share")]) == 2
    said = capsys.readouterr()
    assert "coverage: people 0.7, clips 0: ValueError: no fit" in said.out
    assert "step coverage has no unit 'nobody'" in said.out
    assert said.err.endswith("2 units were not made; what was is kept, and the same command makes the rest\n")
    assert coverage == ["people 0, clips 0"]
    assert shares.main(["coverage", "--executor", "pbs"]) == 2
    assert "--executor 'pbs' is not known" in capsys.readouterr().err


def test_batches_that_were_made_in_shares_are_counted_and_of_other_code_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: list[str] = []

    def counts(unit: str) -> dict[str, dict[str, int]]:
        worked.append(unit)
        return {"all": {"studies": calibration.AT_ONCE, "overall_found": 1 + int(unit.rpartition(": ")[2])}}

    monkeypatch.setattr(calibration, "simulated", counts)
    monkeypatch.setattr(calibration, "FEW", 1)
    cell, path = "people 0, clips 0.8", tmp_path / "counts.json"
    # What stands there was counted by nobody knows which code.
    path.write_text(json.dumps({cell: {"batches": 4, "states": {"all": {"studies": 1000, "overall_found": 999}}}}))
    step = calibration.calibration_cells(1000, tmp_path)
    own = [u.name for u in step.units() if u.name.startswith(f"{cell}: ")]
    assert own == [f"{cell}: {n}" for n in (0, 1, 2, 3)]
    assert len([u for u in step.units() if u.name.startswith("people 0, clips 0.4: ")]) == 4 * calibration.MORE
    assert step.found(own[2])["all"]["overall_found"] == 3
    (row,) = calibration.calibration(1000, path, [cell], tmp_path)["rows"]
    assert worked == [own[2], own[0], own[1], own[3]]
    assert (row["studies"], row["share"]) == (1000, pytest.approx((1 + 2 + 3 + 4) / 1000))
    assert json.loads(path.read_text())[cell]["states"]["all"] == {"studies": 1000, "overall_found": 10}
    monkeypatch.setattr(cells, "made_by", lambda *_: ["other code"])
    calibration.calibration(1000, path, [cell], tmp_path)
    assert worked[4:] == own
