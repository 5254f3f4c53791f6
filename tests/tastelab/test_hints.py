"""A command that is told to be run repeats the options that were given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tastelab import hints
from tests.tastelab.conftest import Lived, call


def test_a_mistake_s_hint_repeats_what_the_hinted_command_takes(mine: Lived, tmp_path: Path) -> None:
    said = call("analysis", "fad", *mine.clips[:2], "--out", tmp_path / "else where")
    assert said.status == 2
    out = tmp_path / "else where"
    assert said.err.endswith(f"run 'tastelab stimuli generate --study {mine.study} --out '{out}''\n")
    said = call(
        "analysis", "report", "--check", f"--study={mine.study}", "--db", mine.db, "--out", tmp_path, "--kind", "bot"
    )
    assert said.err.endswith(
        f"run 'tastelab analysis report --study {mine.study} --db {mine.db} --out {tmp_path} --kind bot'\n"
    )  # fmt: skip


def test_without_options_a_hint_is_as_it_was(tmp_path: Path, mine: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mine.folder)
    said = call("analysis", "report", "--check", "--kind=bot")
    assert said.err.endswith("run 'tastelab analysis report --kind bot'\n")
    said = call("analysis", "report", "--check")
    assert said.err.endswith("run 'tastelab analysis report'\n")


@pytest.mark.parametrize(
    ("words", "hint", "told"),
    [
        (("doctor", "--station", "a b"), "'tastelab experiment calibrate'", "'tastelab experiment calibrate --station 'a b''"),
        (("doctor", "--station", "x"), "'tastelab experiment calibrate --station y'", "'tastelab experiment calibrate --station y'"),
        (("doctor", "--study", "a.toml"), "'tastelab study check'", "'tastelab study check a.toml'"),
        (("doctor", "--study", "a.toml"), "'tastelab study check b.toml'", "'tastelab study check b.toml'"),
        (("doctor", "--study", "a.toml"), "'tastelab stimuli dataset'", "'tastelab stimuli dataset'"),
        (("doctor", "--study", "a.toml"), "'tastelab models pull t5-base'", "'tastelab models pull t5-base'"),
        (("doctor", "--study", "a.toml"), "'tastelab nonsense'", "'tastelab nonsense'"),
        (("doctor", "--study"), "'tastelab doctor'", "'tastelab doctor'"),
        (("doctor", "--db", "postgresql://ada:secret@host/x"), "'tastelab doctor'", "'tastelab doctor --db 'postgresql://ada:***@host/x''"),
    ],
)  # fmt: skip
def test_what_is_repeated_and_what_is_not(words: tuple[str, ...], hint: str, told: str) -> None:
    call("--version")  # the command line is known from then on
    hints.begin(hints._now[0], words)
    assert hints.repeated(f"do {hint} now") == f"do {told} now"


def test_a_model_of_a_study_is_fetched_with_all_of_its_models(mine: Lived) -> None:
    """Where the command read the study, the usual one too; a model that was named otherwise is fetched alone."""
    hint = "'tastelab models pull t5-base'"
    call("study", "check", mine.study)
    assert hints.repeated(f"do {hint} now") == f"do 'tastelab models pull --study {mine.study}' now"
    assert hints.repeated("'tastelab models check one/small'") == f"'tastelab models check --study {mine.study}'"
    for whole in ("'tastelab models pull t5-base --from x'", "'tastelab models info'"):
        assert hints.repeated(whole) == whole
    call("models", "info", "--json")
    assert hints.repeated(hint) == hint


def test_what_is_printed_repeats_too(mine: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    """The booth's table of checks, and lines that are said."""
    said = call("doctor", "--no-screen", *mine.where, "--json")
    assert f"tastelab stimuli generate --study {mine.study} --out {mine.out}" in said.out
