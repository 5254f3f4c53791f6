"""Targets that are mended after a report was made are in the next one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.config import AnalysisConfig
from analysis.report import build
from tests.analysis.agreement.test_section import TARGETS, rated
from tests.analysis.report.study import inputs, sketched


def test_mended_targets_are_in_the_next_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "STEPS", tuple(s for s in build.STEPS if s[0] == "agreement"))
    file = tmp_path / "targets.csv"
    given = inputs(tmp_path / "out", config=AnalysisConfig(targets=file))
    given.data = replace(given.data, ratings=rated(TARGETS))

    def written(names: list[str]) -> str:
        lines = [f"{name},{','.join(map(str, row))}" for name, row in zip(names, TARGETS.values(), strict=True)]
        file.write_text("\n".join(["track,sweet,sour,salty", *lines]) + "\n")
        with sketched():
            path, built = build.build(given)
        assert built
        return path.read_text(encoding="utf-8")

    names = list(TARGETS)
    assert "On average the ratings of a track lie nearer to its own target" in written(names)
    turned = written([*names[3:], *names[:3]])
    assert "It is not shown that on average the ratings of a track lie nearer" in turned
    assert "On average the ratings of a track lie nearer" not in turned
