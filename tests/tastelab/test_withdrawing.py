"""Withdrawals end: whatever kills them, run again they leave nothing of the person and all of the others."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import stat
import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from analysis.data.frames import load
from analysis.data.freeze import freeze
from analysis.page.inputs import Inputs
from experiment.data.erasure import carry_out, open_ones
from experiment.data.store import Store
from experiment.data.tables import Place
from experiment.data.withdrawal import withdraw
from tastelab.report import build_report
from tastelab.study import load_study
from tastelab.withdrawing import snapshots
from tests.experiment.data.rows import sat
from tests.postgres import Postgres
from tests.tastelab.conftest import BOTS, Lived, call
from tests.tastelab.killed import CODE, World, again, steps

KILLS = 6  # on each database; `python -m benchmarks.withdrawals` makes 50


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    folder = tmp_path / "world"
    folder.mkdir()
    if request.param == "sqlite":
        return World(folder, f"sqlite:///{folder / 'participants.db'}")
    server: Postgres = request.getfixturevalue("postgres")
    return World(folder, server.database(f"t{uuid.uuid4().hex[:12]}"))


def test_killed_anywhere_and_run_again_it_leaves_nothing_of_the_person(
    world: World, request: Any, tmp_path: Path
) -> None:
    world.build()
    assert len(world.signs()) >= 10
    kept = tmp_path / "kept"
    shutil.copytree(world.folder, kept)
    server: Postgres | None = None
    master = ""
    if world.url.startswith("postgresql"):
        server = request.getfixturevalue("postgres")
        master = str(make_url(world.url).database)
    everybody = world.others()
    again(kept, world)
    rng = random.Random(len(everybody))
    moments: list[int | None] = [None]
    for k in range(KILLS + 1):
        this = world
        if server is not None:
            this = World(world.folder, server.copied(f"{master}_{k}", master))
        again(kept, world)
        if k == 0:
            total = steps(this.withdraw)
            assert total > 500
            moments = [None, *sorted(rng.sample(range(1, total), KILLS))]
        else:
            assert steps(this.withdraw, moments[k]) == 0
        assert this.withdraw() is False  # the third booth is switched off: it is not said to be done
        assert {x.split("/")[0] for x in this.signs()} <= {"booth3.off"}, moments[k]
        this.start_the_booth()
        assert this.signs() == [], moments[k]
        now = {name.replace("booth3.off", "booth3"): rows for name, rows in this.others().items()}
        assert now == {name.replace("booth3.off", "booth3"): rows for name, rows in everybody.items()}, moments[k]
        (frozen,) = (world.folder / "outputs" / "s" / "snapshots").glob("*/snapshot.json")
        assert json.loads(frozen.read_text())["sessions"] == {"complete": 2, "withdrawn": 1}
        assert json.loads((world.folder / "participants.key").read_text()) == {"contacts": {"after": "Bruno"}}
        if server is not None:
            store = Store(this.url)
            assert server.holding(store, ["UNMISTAKABLE", CODE]) == []
            store.close()


def test_what_is_not_done_is_said_and_can_be_said_to_be_gone(world: World) -> None:
    """A key file elsewhere, a booth that is no more: the list stays until somebody says so, and says what was said."""
    world.build()
    key = world.folder / "participants.key"
    elsewhere = key.rename(world.folder / "elsewhere.key")
    out = io.StringIO()
    from tastelab import withdrawing

    with contextlib.redirect_stdout(out):
        assert world.withdraw() is False
    where = ["--db", world.url, "--out", world.asked.out, "--key", key]
    said = call("experiment", "withdraw", "--pending", *where)
    assert said.status == 1
    lines = [x for x in said.out.splitlines() if x.startswith("NOT YET")]
    assert [x.split()[2] for x in lines] == ["key", "backups"]
    assert "name it with --key FILE, or say --no-key" in lines[0]
    assert f"if it is no more, say so with --gone {world.booth / 'backups'}" in lines[1]
    assert "NOT WITHDRAWN YET: 2 of" in said.out
    assert "out of tastelab's reach, for you to see to" in said.out
    assert [x for x in said.out.splitlines() if x.startswith("study s, asked on 2")]
    said = call("experiment", "withdraw", CODE, *where[:-1], elsewhere)
    assert (said.status, f"done: key {elsewhere}: the contact is deleted" in said.out) == (1, True)
    assert said.out.startswith("study s: the answers were deleted on 2")
    assert said.out.splitlines()[0].endswith("when this was asked first; it is gone on with")
    said = call("experiment", "withdraw", CODE, *where, "--gone", world.folder / "nothing")
    assert (said.status, "not among the places that are left to do" in said.err) == (2, True)
    said = call("experiment", "withdraw", CODE.upper(), *where, "--gone", world.booth / "backups")
    words = f"WITHDRAWN: every place on the list is done, 1 of them on somebody's word alone: backups {world.booth / 'backups'}"
    assert (said.status, words in said.out) == (0, True)
    said = call("experiment", "withdraw", CODE, *where)
    assert (said.status, said.err.count("has already withdrawn from s")) == (2, 1)
    assert call("experiment", "withdraw", "--pending", *where).out == "no withdrawal is pending\n"
    assert withdrawing.REPORT


@pytest.mark.parametrize(
    ("file", "text", "with_it"),
    [
        ("snapshots/person-1/snapshot.json", "{", "its folder"),
        ("snapshots/person-1/snapshot.json", "[]", "its folder"),
        ("snapshots/person-1/snapshot.json", '{"kind": "person", "frozen_at": "some day"}', "its folder"),
        ("snapshots/person-1/snapshot.json", '{"kind": "person"}', "its folder"),
        ("manifest.json", "{", "it with report.html, tables, figures, trace and sections"),
        ("manifest.json", "[]", "it with report.html, tables, figures, trace and sections"),
    ],
)
def test_what_can_not_be_read_is_named_and_keeps_no_other_place_from_being_done(
    file: str, text: str, with_it: str, tmp_path: Path
) -> None:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    sat(store, "A")
    path = tmp_path / "s" / file
    for folder in (path.parent, tmp_path / "s" / "snapshots"):
        folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    places = [
        Place(kind="snapshots", path=str(tmp_path / "s" / "snapshots")),
        Place(kind="exports", path=str(tmp_path)),
    ]
    number = withdraw(store, "A", None, places).tombstone
    first, second = carry_out(store, {"snapshots": snapshots})
    assert (first.done, first.words) == (False, f"{path} can't be read; delete {with_it} and run this again")
    assert (second.done, second.words) == (True, "nothing is there")
    path.unlink()
    (first,) = carry_out(store, {"snapshots": snapshots})
    assert (first.done, first.words) == (True, "nothing frozen before is there")
    assert number not in open_ones(store)
    store.close()


def test_snapshots_and_exports_are_for_their_owner_alone(mine: Lived) -> None:
    import os

    was = os.umask(0)
    try:
        assert call("analysis", "freeze", *mine.where).status == 0
        assert call("experiment", "export", "--format", "bids", *mine.where).status == 0
        assert call("experiment", "backup", "--db", mine.db).status == 0
    finally:
        os.umask(was)
    for folder in ("snapshots", "export"):
        top = mine.out / "small" / folder
        found = {p: stat.S_IMODE(p.stat().st_mode) for p in [top, *top.rglob("*")]}
        assert len(found) > 5
        assert {m for p, m in found.items() if p.is_dir()} == {0o700}
        assert {m for p, m in found.items() if p.is_file()} == {0o600}


def test_who_withdraws_while_the_report_is_built_is_not_in_what_is_left(
    mine: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The withdrawal finds no report to delete, and what is built from the answers of before would be one with the person in it."""
    seen: list[int] = []

    def build(given: Inputs, update: object = None) -> tuple[Path, bool]:
        seen.append(len(given.data.people))
        if len(seen) == 1:
            said = call("experiment", "withdraw", "bot-1-0003", "--db", mine.db, "--out", mine.out, "--no-key")
            assert said.status == 0, said.err
        return given.out / f"report-{len(seen)}.html", True

    monkeypatch.setattr("analysis.report.build.build", build)
    made = build_report(load_study(mine.study), mine.db, mine.out, "bot")
    assert seen == [BOTS, BOTS - 1]
    assert made == (mine.out / "small" / "report-2.html", True)


def test_what_was_frozen_before_goes_though_a_clock_went_back(tmp_path: Path) -> None:
    """A computer's clock was a day ahead when it froze, and right when the person withdrew."""
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    for code in "ABC":
        sat(store, code)
    folder = tmp_path / "s" / "snapshots"
    withdraw(store, "B", None, [])
    held = freeze(load(store.engine, "s", "person"), {}, folder)
    written = held / "snapshot.json"
    told = json.loads(written.read_text())
    written.write_text(json.dumps(told | {"frozen_at": "2100-01-01T00:00:00+00:00"}))
    withdraw(store, "A", None, [Place(kind="snapshots", path=str(folder))])
    (did,) = [x for x in carry_out(store, {"snapshots": snapshots}) if x.kind == "snapshots"]
    assert (did.done, "1 older deleted" in did.words) == (True, True), did.words
    (left,) = folder.glob("*/snapshot.json")
    assert json.loads(left.read_text())["sessions"] == {"complete": 1, "withdrawn": 2}
    store.close()


def test_what_was_frozen_after_somebody_withdrew_stays_as_it_is(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    for code in "ABC":
        sat(store, code)
    folder = tmp_path / "s" / "snapshots"
    withdraw(store, "A", None, [Place(kind="snapshots", path=str(folder))])
    written = freeze(load(store.engine, "s", "person"), {}, folder) / "snapshot.json"
    told = json.loads(written.read_text())
    later = json.dumps(told | {"frozen_at": "2100-01-01T00:00:00+00:00"})
    written.write_text(later)
    (did,) = [x for x in carry_out(store, {"snapshots": snapshots}) if x.kind == "snapshots"]
    assert (did.done, did.words) == (True, "nothing frozen before is there")
    assert written.read_text() == later
    store.close()
