"""How results and progress are shown: tables for people, one JSON object for programs, CSV, lines that can be read at once."""

from __future__ import annotations

import csv
import errno
import json
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tastelab.context import open_store, progress, say, show
from tastelab.errors import UserError

TABLES = {
    "empty": [],
    "tests": [
        {"taste": "all", "n": 12, "p": 0.04321987654321, "state": None},
        {"taste": "sweet", "n": 6, "p": 0.0001, "state": "singular", "note": "few"},
    ],
    "more": [{"a": 1.0}],
}


class Full:
    """A cell at which the disk is full."""

    def __str__(self) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_csv_that_is_broken_off_leaves_the_one_before_and_nothing_else(tmp_path: Path) -> None:
    path, fresh = tmp_path / "t.csv", tmp_path / "fresh.csv"
    show("x", "paper", None, {"t": [{"a": 1}]}, True, path)
    before = path.read_bytes()
    for there in (path, fresh):
        with pytest.raises(OSError, match="No space left"):
            show("x", "paper", None, {"t": [{"a": n} for n in range(3000)] + [{"a": Full()}]}, True, there)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_a_csv_goes_where_a_link_leads_and_keeps_who_may_read_it(tmp_path: Path) -> None:
    """``--csv /dev/stdout`` is a link too."""
    file, link = tmp_path / "file.csv", tmp_path / "t.csv"
    file.touch(0o600)
    link.symlink_to(file)
    for path in (link, file):
        show("x", "paper", None, {"t": [{"a": 1}]}, True, path)
        assert link.is_symlink()
        assert file.read_text() == "a\n1\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.write_text("")


def test_json_is_one_object_of_the_declared_keys_with_full_precision(capsys: pytest.CaptureFixture[str]) -> None:
    show("preference", "robust", "abc", TABLES, True, None)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    found = json.loads(out)
    assert found.pop("version")
    assert found == {"analysis": "preference", "plan": "robust", "data_sha256": "abc", "tables": TABLES}
    assert "0.04321987654321" in out


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (float("-inf"), None),
        (np.float64("nan"), None),
        (np.float64(0.1), 0.1),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (None, None),
        ((1, np.float32(0.5)), [1, 0.5]),
        ({1: {"a": [float("nan"), 2]}}, {"1": {"a": [None, 2]}}),
    ],
)
def test_what_json_does_not_know_is_made_plain(
    value: object, plain: object, capsys: pytest.CaptureFixture[str]
) -> None:
    show("x", "paper", None, {"t": [{"value": value}]}, True, None)
    found = json.loads(capsys.readouterr().out)
    assert found["tables"]["t"] == [{"value": plain}]
    assert found["data_sha256"] is None


def test_csv_holds_the_first_table_that_has_rows_with_every_column(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    show("x", "paper", None, TABLES, True, path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"taste": "all", "n": "12", "p": "0.04321987654321", "state": "", "note": ""},
        {"taste": "sweet", "n": "6", "p": "0.0001", "state": "singular", "note": "few"},
    ]


def test_csv_into_a_folder_that_is_not_there_is_a_mistake_before_anything_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=r"--csv .*nowhere.*does not exist"):
        show("x", "paper", None, TABLES, True, tmp_path / "nowhere" / "t.csv")
    assert capsys.readouterr().out == ""


def test_people_read_titles_and_rounded_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    show("x", "paper", None, {**TABLES, "two_words": [{"a long name": None}]}, False, None)
    lines = capsys.readouterr().out.splitlines()
    assert [x.strip() for x in lines if x and x[0].isalpha()] == [
        "tests",
        "more",
        "two words",
    ]  # nothing of an empty one
    cells = [[c.strip() for c in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert cells[0] == ["all", "12", ".043", "–", "–"]
    assert cells[1] == ["sweet", "6", "< .001", "singular", "few"]
    numbers = next(x for x in lines if x.startswith("│ sweet"))
    assert "│  6 │" in numbers  # numbers stand at the right


def test_a_line_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    words = "go on with: [bold]tastelab experiment run[/bold] --code P001 " + "long " * 40
    say(words)
    say("not this", quiet=True)
    assert capsys.readouterr().out == words + "\n"


def test_a_database_is_closed_again_even_after_an_error(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    closed: list[bool] = []

    def fail() -> None:
        with open_store(url) as store:
            original = store.close
            store.close = lambda: (closed.append(True), original())[1]  # type: ignore[method-assign]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert closed == [True]


def test_brackets_stand_in_tables_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """As in the mend of an installation that lacks its lab: pip install "tastelab[lab]"."""
    show(
        "doctor", "paper", None, {"checks": [{"check": "versions", "mend": 'pip install "tastelab[lab]"'}]}, False, None
    )
    assert 'pip install "tastelab[lab]"' in capsys.readouterr().out


def test_where_nobody_looks_no_progress_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("clips") as update:
        update(1, 2, "one")
    said = capsys.readouterr()
    assert said.out == said.err == ""


def test_in_a_log_progress_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("tastelab.context.time.perf_counter", lambda: now[0])
    with progress("clips") as update:
        for k in range(1, 41):
            now[0] += 1.0
            update(k + 0.3, 40, f"clip {k}")  # shares of a batch count too
    with progress("clips", quiet=True) as update:
        now[0] += 100.0
        update(1, 2)
    assert capsys.readouterr().err == "clips 15 of 40: clip 15\nclips 30 of 40: clip 30\n"


def test_progress_names_the_work_how_much_is_done_and_what(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for quiet, wanted in ((False, True), (True, False)):
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "120")
        with progress("clips", quiet) as update:
            update(3, 8, "sweet-001")
            time.sleep(0.25)  # the bar is drawn ten times a second
        assert ("clips: sweet-001" in screen.getvalue()) == wanted
        assert ("3/8" in screen.getvalue()) == wanted


STAGED = """
import sys, time
from pathlib import Path
from tastelab import stages
from tastelab.cli import main

def first(run, update):
    return "told at once"

def second(run, update):
    while not Path("go").exists():
        time.sleep(0.05)
    run.report = Path("report.html")
    return "told later"

stages.STAGES = (("one", first), ("two", second))
sys.argv = ["tastelab", "study", "run"]
main()
"""


def test_a_stage_stands_in_a_log_as_soon_as_it_ends(tmp_path: Path) -> None:
    """`tastelab study run > log`, read while the second stage is still at work."""
    from tests.conftest import write_small_study

    write_small_study(tmp_path)
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen([sys.executable, "-c", STAGED], cwd=tmp_path, stdout=file, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while not (seen := log.read_text()) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.poll() is None, "it ended before it was told to"
        assert seen.startswith("one ")
        assert seen.endswith("told at once\n")
        (tmp_path / "go").touch()
        assert process.wait(30) == 0
    finally:
        process.kill()
    lines = log.read_text().splitlines()
    assert lines[1].endswith("told later")
    assert any(line.startswith("Report: report.html") for line in lines)


def test_tables_fit_eighty_columns_with_whole_headers(capsys: pytest.CaptureFixture[str]) -> None:
    """What a reader needs first is shown, p and state among it; what has no room is named."""
    row = {
        "taste": "sweet", "test": "mixed model", "alternative": "two-sided", "n": 111, "mean": 5.5, "statistic": 2.5, "df": 17.25,
        "effect": 0.5, "ci_low": 0.1, "ci_high": 0.9, "p": 0.0004, "p_adjusted": 0.0016, "state": "singular: clip", "median": 6.0,
    }  # fmt: skip
    show("x", "robust", None, {"tests": [row]}, False, None)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    heads = [[c.strip() for c in line.strip("┃").split("┃")] for line in lines if line.startswith("┃")]
    assert all("taste" in head for head in heads)
    assert {"effect", "p", "p_adjusted", "state"} <= set(heads[0])
    assert {"mean", "statistic", "median", "ci_low", "ci_high"} <= {key for head in heads for key in head}
    assert any("< .001" in line and "singular:" in line for line in lines)
    left = [key for line in lines if "also in --csv" in line for key in line.split(": ", 1)[1].split(", ")]
    assert sorted({key for head in heads for key in head} | set(left)) == sorted(row)
    assert sum(map(len, heads)) + len(left) == len(row) + len(heads) - 1  # but for the taste, each once


def test_what_has_no_room_is_named_within_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"another_column_{k}" for k in range(12)]
    row = {
        "taste": "sweet",
        "effect": 0.5,
        "p": 0.01,
        "state": "ok",
        **dict.fromkeys(names, "a long word in every cell"),
    }
    show("x", "robust", None, {"tests": [row]}, False, None)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    told = " ".join(lines[next(k for k, line in enumerate(lines) if "also in" in line) :])
    assert sum(name in told for name in names) > 8


def test_csv_holds_the_table_that_the_file_is_called_after(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = {"first": [{"a": 1}], "anova": [{"term": "prompt"}], "empty": []}
    for name, wanted in (("anova", "anova"), ("other", "first"), ("empty", "first")):
        path = tmp_path / f"{name}.csv"
        show("x", "paper", None, tables, False, path)
        assert path.read_text().splitlines()[0] == ("term" if wanted == "anova" else "a")
        assert f"table '{wanted}' is written" in capsys.readouterr().out
