"""The commands that give a study to people with a browser: what is said, what is refused, who may see the day."""

from __future__ import annotations

import csv
import errno
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiment.errors import ExperimentError
from experiment.web import links, serving
from experiment.web.messages import Opened
from experiment.web.site import Site
from tastelab.context import open_store
from tastelab.withdrawing import Afterwards
from tests.tastelab.conftest import Lived, call

SERVE = serving.serve


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A server that ends at once; what it was given. Clips' files, which are nowhere, are not looked at."""
    found: list[dict[str, Any]] = []

    def serve(site: Site, host: str, port: int, lab: Any, begun: Callable[[], None]) -> None:
        begun()
        day = lab and {key: lab(key) for key in ("wrong", links.keyed(site.key, "lab"))}
        found.append({"url": site.url, "kind": site.kind, "host": host, "port": port, "day": day})

    class Nothing:
        def __init__(self, _: Any):
            self.seconds: dict[int, float] = {}

        def close(self) -> None:
            found.append({"closed": True})

    monkeypatch.setattr("experiment.web.serving.serve", serve)
    monkeypatch.setattr("experiment.web.site.Clips", Nothing)
    monkeypatch.setattr("experiment.session.check_files", lambda clips: None)
    return found


def test_a_study_is_served_on_this_computer_with_its_day(
    mine: Lived, served: list[dict[str, Any]], tmp_path: Path
) -> None:
    said = call("experiment", "serve", "--port", "8321", "--server-key", tmp_path / "k", *mine.where)
    assert (said.status, said.err) == (0, "")
    assert "people begin at http://127.0.0.1:8321" in said.out
    told, closed = served
    assert closed == {"closed": True}
    assert (told["url"], told["kind"], told["host"]) == ("http://127.0.0.1:8321", "person", "127.0.0.1")
    assert told["day"]["wrong"] is None
    right = next(v for k, v in told["day"].items() if k != "wrong")
    assert right["title"] == "Music generated for four tastes"
    key = (tmp_path / "k").read_text().strip()
    assert links.keyed(bytes.fromhex(key), "lab") in said.out
    assert key not in said.out


def test_nobody_is_sent_to_a_port_that_is_another_s(
    mine: Lived, served: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiment.web.serving.serve", SERVE)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = call("experiment", "serve", "--port", str(port), "--server-key", tmp_path / "k", *mine.where)
    assert (said.status, said.out) == (2, "")
    assert f"--port {port}: " in said.err


@pytest.mark.parametrize(
    ("options", "there"),
    [
        (["--url", "https://study.example"], False),
        (["--host", "0.0.0.0"], False),
        (["--url", "https://study.example", "--lab"], True),
        (["--no-lab"], False),
    ],
)
def test_the_day_is_shown_elsewhere_where_that_is_asked_for(
    mine: Lived, served: list[dict[str, Any]], tmp_path: Path, options: list[str], there: bool
) -> None:
    said = call("experiment", "serve", "--pilot", "--server-key", tmp_path / "k", *options, *mine.where)
    assert said.status == 0, said.err
    assert (served[0]["day"] is not None) is there
    assert ("/lab" in said.out) is there
    assert served[0]["kind"] == "pilot"


def test_what_can_not_be_served_is_one_line(mine: Lived, tmp_path: Path) -> None:
    said = call("experiment", "serve", "--server-key", tmp_path / "k", *mine.where)
    assert (said.status, said.out.count("\n")) == (2, 0)
    assert "is missing; run 'tastelab stimuli generate" in said.err.replace("\n", " ")
    said = call("experiment", "serve", "--url", "study.example/x", "--server-key", tmp_path / "k", *mine.where)
    assert said.status == 2
    assert "is no address such as" in said.err.replace("\n", " ")


@pytest.mark.parametrize(("entry", "key", "left"), [("open", False, 0), ("open", True, 1), ("invited", False, 1)])
def test_who_withdraws_at_a_link_withdraws_from_every_place(
    mine: Lived, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, served: list[Any], entry: str, key: bool, left: int
) -> None:
    """As by the command: the database's own files, backups and exports at once; a key file where there is or may be one, by the command."""
    if entry == "invited":
        mine.study.write_text(mine.study.read_text() + f'\n[experiment.web]\nentry = "{entry}"\n')
    assert call("experiment", "links", "-n", "1", "--csv", tmp_path / "links.csv", *mine.where).status == 0
    (made,) = csv.DictReader((tmp_path / "links.csv").open())
    code, token = made["code"], made["link"].rpartition("/")[2]
    if key:
        assert call("experiment", "key", "add", code, "--contact", "Ada").status == 0

    def serve(site: Site, *_: Any) -> None:
        site.open(token, Opened(tab="a" * 32, begin="b" * 32))
        assert call("experiment", "backup", "--db", mine.db).status == 0
        assert call("experiment", "export", *mine.where).status == 0
        assert site.withdraw(token)["kind"] == "withdrawn"

    monkeypatch.setattr("experiment.web.serving.serve", serve)
    said = call("experiment", "serve", "--server-key", tmp_path / "k", *mine.where)
    assert (said.status, said.err) == (0, "")
    for kind in ("database", "backups", "exports"):
        assert f"of a withdrawal: done: {kind} " in said.out
    assert mine.asked("SELECT kind FROM place WHERE done_at IS NULL") == [("key",)] * left
    assert said.out.count("tastelab experiment withdraw --pending") == left
    assert said.out.count("WITHDRAWN: every place on the list is done") == 1 - left
    if key:
        assert call("experiment", "withdraw", "--pending", "--db", mine.db, "--out", mine.out).status == 0
        assert call("experiment", "key", "show", code).status == 2


def test_links_are_written_once_for_their_owner_alone(mine: Lived, tmp_path: Path) -> None:
    file = tmp_path / "links.csv"
    asked = ("experiment", "links", "-n", "3", "--url", "https://study.example/", "--csv", file, *mine.where)
    assert call(*asked).status == 0
    assert file.stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(file.open()))
    assert len({row["code"] for row in rows}) == 3
    assert {row["link"].rpartition("/")[0] for row in rows} == {"https://study.example/p"}
    assert mine.asked("SELECT count(*), count(DISTINCT digest) FROM link WHERE entry = 'invited'") == [(3, 3)]
    again = call(*asked)
    assert again.status == 2
    assert "is there already" in again.err
    assert call(*asked[:-6], tmp_path / "b.csv", "--group", "x", *mine.where).status == 2


@pytest.mark.parametrize("how", ["no folder", "full disk", "ctrl-c"])
def test_links_that_can_not_be_written_are_not_made(
    mine: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    file = tmp_path / "nowhere" / "links.csv" if how == "no folder" else tmp_path / "links.csv"
    errors = {"full disk": OSError(errno.ENOSPC, "No space left on device"), "ctrl-c": KeyboardInterrupt()}

    def broken(path: Path, text: str) -> None:
        path.write_text(text[:40])
        raise errors[how]

    with monkeypatch.context() as patched:
        if how in errors:
            patched.setattr("experiment.web.links.write_own", broken)
        said = call("experiment", "links", "-n", "3", "--csv", file, *mine.where)
    assert said.status == (130 if how == "ctrl-c" else 2)
    assert mine.asked("SELECT count(*) FROM link") == [(0,)]
    assert not file.exists()


def test_what_follows_a_withdrawal_keeps_nobody_waiting_and_is_done_to_its_end() -> None:
    """Three calls while the first runs are one more run; closing waits for it, and runs nothing that nobody wanted."""
    going, gate, ran = threading.Event(), threading.Event(), []

    def work() -> None:
        ran.append(threading.current_thread() is threading.main_thread())
        going.set()
        assert gate.wait(10)
        if len(ran) == 1:
            raise OSError("Ada's file")

    after = Afterwards(work)
    after()
    assert going.wait(10)
    for _ in range(3):
        after()  # comes back at once, though the gate is shut
    gate.set()
    after.close()
    assert ran == [False, False]
    idle = Afterwards(work)
    idle.close()
    assert len(ran) == 2


def test_links_are_never_written_over_somebody_elses(mine: Lived, tmp_path: Path) -> None:
    """A second command that began at the same time and fails takes nothing of the first's away."""
    file = tmp_path / "links.csv"
    file.write_text("the first's")
    with open_store(mine.db) as store:
        study = int(mine.asked("SELECT id FROM study")[0][0])
        with pytest.raises(ExperimentError, match="is there already"):
            links.written(store, study, 2, None, "https://study.example", file)
    assert file.read_text() == "the first's"
    assert mine.asked("SELECT count(*) FROM link") == [(0,)]
