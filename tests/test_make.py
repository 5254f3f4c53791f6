"""`make test` tries everything, whatever failed before; set-up names what a bare Debian lacks."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sysconfig
import time
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> "$RECORD"
case "$(basename "$0") $*" in {patterns}) exit {status} ;; esac
"""


def run_checks(
    tmp_path: Path, failing: str = "nothing", status: int = 1, arguments: tuple[str, ...] = (), **variables: str
) -> tuple[int, list[str], str]:
    """Run scripts/test.sh where each program only notes its call; those that fit `failing` fail. Status, calls, stderr."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "test.sh", tmp_path / "scripts")
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("ruff", "mypy", "lint-imports", "python"):
        (programs / name).write_text(STUB.format(patterns=failing, status=status))
        (programs / name).chmod(0o755)
    record = tmp_path / "calls"
    command = ["sh", "scripts/test.sh", *arguments]
    done = subprocess.run(command, cwd=tmp_path, env={"RECORD": str(record), "PATH": "/usr/bin:/bin", **variables},
                          capture_output=True, text=True)  # fmt: skip
    (tmp_path / "said").write_text(done.stdout)
    return done.returncode, record.read_text().splitlines(), done.stderr


ALL = [
    "ruff check .",
    "lint-imports ",
    "python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m not desk",
    "mypy ",
    "python -m pytest -m desk tests/desk",
]
BESIDE = ["mypy ", "python -m pytest -m desk"]


def in_order(calls: list[str]) -> list[str]:
    """The calls, with those that are made beside the others at the end."""
    return sorted(calls, key=lambda call: [call.startswith(b) for b in reversed(BESIDE)])


def test_every_check_is_made_when_all_is_well(tmp_path: Path) -> None:
    status, calls, told = run_checks(tmp_path)
    assert (status, in_order(calls), told) == (0, ALL, "")


@pytest.mark.parametrize(
    ("failing", "named"),
    [
        ("ruff*", "ruff"),
        ("mypy*", "mypy"),
        ("lint-imports*", "lint-imports"),
        ('*"not desk"*', "tests"),
        ('*"-m desk"*', "sessions on the desk"),
        ('ruff*|*"-m desk"*', "ruff, sessions on the desk"),
        ("*", "ruff, lint-imports, tests, mypy, sessions on the desk"),
    ],
)
def test_what_fails_is_named_and_the_rest_is_tried(tmp_path: Path, failing: str, named: str) -> None:
    status, calls, told = run_checks(tmp_path, failing)
    assert status != 0
    assert in_order(calls) == ALL
    assert told.splitlines()[-1] == f"FAILED: {named}"


def test_every_session_on_the_desk_lies_where_it_is_looked_for() -> None:
    found = {
        p.parent
        for p in (ROOT / "tests").rglob("test_*.py")
        if "mark.desk" in p.read_text(encoding="utf-8") and p != Path(__file__)
    }
    assert found == {ROOT / "tests" / "desk"}


def test_arguments_reach_both_runs_and_may_choose_nothing_in_one_of_them(tmp_path: Path) -> None:
    status, calls, _ = run_checks(tmp_path, '*"-m desk"*', 5, ("-k", "a b"))
    assert status == 0
    assert in_order(calls)[2:] == [f"{ALL[2]} -k a b", ALL[3], f"{ALL[4].removesuffix(' tests/desk')} -k a b"]


def test_arguments_that_choose_no_test_at_all_are_no_success(tmp_path: Path) -> None:
    status, _, told = run_checks(tmp_path, "*pytest*", 5)
    assert status != 0
    assert "no test was chosen" in told


def test_what_mypy_said_is_shown(tmp_path: Path) -> None:
    status, _, _ = run_checks(tmp_path, '"mypy "*)echo "x.py:1: error"; exit 1;; nothing')
    assert status == 1
    assert "x.py:1: error" in (tmp_path / "said").read_text()


def test_what_one_process_compiled_the_next_one_reads(tmp_path: Path) -> None:
    """Hundreds of processes are started: where an environment forbids that compiled code is kept, each compiled all anew."""
    status, _, _ = run_checks(
        tmp_path, '*)echo "forbidden: ${PYTHONDONTWRITEBYTECODE-no}";; nothing', PYTHONDONTWRITEBYTECODE="1"
    )
    assert status == 0
    said = [x for x in (tmp_path / "said").read_text().splitlines() if x.startswith("forbidden")]
    assert said == ["forbidden: no"] * len(ALL)


def test_an_interruption_ends_the_desk_with_all_that_it_started(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "test.sh", tmp_path / "scripts")
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("ruff", "mypy", "lint-imports", "python"):
        # The desk, and mypy, start something that lasts; the other tests are still running when the interruption comes.
        text = (
            '#!/bin/sh\ncase "$(basename "$0") $*" in mypy*|*"-m desk"*) sleep 300 & echo $! >> "$RECORD"; wait ;; '
            '*"not desk"*) sleep 20 ;; esac\n'
        )
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    record = tmp_path / "started"
    run = subprocess.Popen(
        ["sh", "scripts/test.sh"], cwd=tmp_path, env={"RECORD": str(record), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (record.exists() and len(record.read_text().splitlines()) == 2):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGTERM)
    assert run.wait(60) == 143
    for started in map(int, record.read_text().splitlines()):
        while Path(f"/proc/{started}").exists() and "zombie" not in Path(f"/proc/{started}/status").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_what_the_desk_said_is_shown(tmp_path: Path) -> None:
    status, _, _ = run_checks(tmp_path, '*"-m desk"*)echo "1 failed on the desk"; exit 1;; nothing')
    assert status == 1
    assert "1 failed on the desk" in (tmp_path / "said").read_text()


def test_skips_and_failures_are_listed_with_their_reasons() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    listed = re.findall(r"-r(\w+)", settings["addopts"])
    assert len(listed) == 1
    assert {"f", "E", "s"} <= set(listed[0])


def outside_of_make() -> dict[str, str]:
    """The environment without what a make that runs these tests tells the makes below it."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "ARGS"))}


def test_make_test_is_what_continuous_integration_runs() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"
    done = subprocess.run(
        ["make", "-n", "--no-print-directory", "test"],
        cwd=ROOT,
        env=outside_of_make(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [x.split() for x in done.stdout.splitlines()] == [
        ["sh", "scripts/setup.sh", "test"],
        ["sh", "scripts/test.sh"],
    ]


def test_files_that_the_makefile_names_are_there() -> None:
    text = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"\b(?:tests|scripts|benchmarks)/[\w/]+\.\w+", text))
    named |= {f"{m.replace('.', '/')}.py" for m in re.findall(r"-m (benchmarks\.\w+)", text)}
    assert len(named) >= 5
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


COMPILED = ("pedalboard", "psychtoolbox", "_soundfile_data", "pyworld", "soxr", "onnxruntime", "psycopg_binary")


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="no Debian: its packages can't be asked what they bring")
def test_set_up_installs_what_the_compiled_packages_want_of_the_system() -> None:
    """Every system library that a wheel's own libraries load belongs to what set-up installs, or to what that needs."""
    site = Path(sysconfig.get_paths()["platlib"])
    files = [str(p) for name in COMPILED for p in [*site.glob(f"{name}*.so"), *(site / name).rglob("*.so*")]]
    assert any("pedalboard" in f for f in files)
    linked = subprocess.run(["ldd", *files], capture_output=True, text=True).stdout
    wanted = {Path(x).resolve() for x in re.findall(r"=> (/\S+)", linked)}
    wanted = {p for p in wanted if not p.is_relative_to(site.resolve())}
    assert "not found" not in "".join(x for x in linked.splitlines(True) if "libpython" not in x)

    text = (ROOT / "scripts" / "setup.sh").read_text()
    always = re.search(r'PACKAGES="([^"]*)"', text)
    assert always is not None
    shown = "${Package}\t${Depends}, ${Pre-Depends}\t${Provides}\n"
    installed = subprocess.run(["dpkg-query", "-W", "-f", shown], capture_output=True, text=True, check=True).stdout
    depends, provided = {}, {}
    for line in installed.splitlines():
        package, needs, provides = line.split("\t")
        depends[package] = set(re.findall(r"([a-z0-9][a-z0-9+.-]+)(?::\w+)?(?: \([^)]*\))?(?=[,|]| |$)", needs))
        for name in re.findall(r"[a-z0-9][a-z0-9+.-]+", provides):
            provided.setdefault(name, package)
    reached: set[str] = set()
    waiting = [*always[1].split(), "python3", "python3-venv", "make", "git", "ca-certificates"]
    while waiting:
        name = waiting.pop()
        name = name if name in depends else provided.get(name, name)
        if name in depends and name not in reached:
            reached.add(name)
            waiting += depends[name]
    # dpkg knows some libraries by their place before /usr.
    places = [place for p in wanted for place in (str(p), str(p).removeprefix("/usr"))]
    owners = subprocess.run(["dpkg-query", "-S", *places], capture_output=True, text=True).stdout
    owned = [line.split(": ") for line in owners.splitlines()]
    assert len(owned) >= len(wanted) > 5
    assert {path: owner for owner, path in owned if owner.partition(":")[0] not in reached} == {}
