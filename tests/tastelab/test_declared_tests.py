"""Which tests a study declares, how many and how corrected, is told before there are data, as the report tells it after."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tastelab.cli import app
from tests.conftest import ROOT

THREE = (
    (ROOT / "studies" / "three-conditions.toml")
    .read_text(encoding="utf-8")
    .replace('"effects/', f'"{(ROOT / "studies" / "effects").as_posix()}/')
)
DEFAULT = (ROOT / "study.toml").read_text(encoding="utf-8")
DECLARED = '[[analysis.hypotheses]]\ntaste = "sweet"\nalternative = "greater"\n[[analysis.hypotheses]]\ntaste = "bitter"\nalternative = "less"\n'


def without_hypotheses(text: str) -> str:
    """A study file as if nobody had declared anything: its tables of that kind are the last ones."""
    return text.split("[[analysis.hypotheses]]")[0]


def checked(tmp_path: Path, text: str, *options: str) -> str:
    file = tmp_path / "study.toml"
    file.write_text(text, encoding="utf-8")
    found = CliRunner().invoke(app, ["study", "check", str(file), *options])
    assert found.exit_code == 0, found.output
    return found.output


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            without_hypotheses(THREE) + DECLARED,
            "all tastes together (two-sided), sweet (greater), bitter (less), each of them of 3 pairs of conditions; "
            "Bonferroni over the 9 declared tests: 6 one-sided, 3 two-sided.",
        ),
        (
            without_hypotheses(DEFAULT) + DECLARED + '[[analysis.equivalence]]\ntaste = "all"\nbound = 0.5\n',
            "all tastes together (two-sided), sweet (greater), bitter (less), all within ±0.5; "
            "Bonferroni over the 4 declared tests: 2 one-sided, 1 two-sided, 1 of equivalence.",
        ),
        (
            without_hypotheses(DEFAULT),
            "all tastes together (two-sided); Bonferroni over the 1 declared test: 1 two-sided.",
        ),
    ],
)
def test_declared_tests_are_told(tmp_path: Path, text: str, line: str) -> None:
    assert f"Declared before the data: {line}\n" in checked(tmp_path, text)
    assert "Declared before the data" not in checked(tmp_path, text, "--json")
