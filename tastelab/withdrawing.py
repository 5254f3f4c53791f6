"""A withdrawal as the command line carries it out: every place of its list, snapshots and reports among them, and what it says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tastelab.context import open_store, say
from tastelab.errors import UserError

if TYPE_CHECKING:
    from experiment.data.erasure import Step, Told
    from experiment.data.store import Store
    from experiment.data.tables import Place, Tombstone

REPORT = ("report.html", "manifest.json", "tables", "figures")  # what a report consists of, beside its clips


@dataclass(frozen=True)
class Asked:
    """Where else something of the person may lie, as the command was told."""

    out: Path
    key: Path
    passphrase: str | None = None
    no_key: bool = False
    backups: Path | None = None
    gone: tuple[str, ...] = ()


def withdraw_from(store: Store, code: str, study: str | None, asked: Asked) -> bool:
    """Withdraw a code from a study, or go on with it; says what was done, and returns whether all is."""
    from experiment.data.erasure import places_here
    from experiment.data.keyfile import KeyFile
    from experiment.data.withdrawal import studies_of, withdraw

    if asked.key.exists() and not asked.no_key:
        KeyFile(asked.key, asked.passphrase)  # before anything is deleted: it may want a passphrase
    took_part = studies_of(store, code)
    name = study or (took_part[0] if len(took_part) == 1 else None)
    places = places_here(store, name or "", asked.out, asked.key, asked.backups, asked.no_key)
    did = withdraw(store, code, study, places)
    say(
        f"study {did.study}: {did.answers} answers of {did.sessions} session(s) deleted; a tombstone stays, without the code"
    )
    for other in did.elsewhere:
        say(f"the same code took part in study {other}, which was not asked about: all of that stays")
    return _finish(store, asked, did.tombstone)


def go_on(store: Store, asked: Asked) -> bool:
    """Go on with every withdrawal that is not done."""
    from experiment.data.erasure import OVER, at_start, open_ones

    waiting = open_ones(store)
    _say(at_start(store, _steps(asked)))
    left = sorted(open_ones(store))
    for _ in waiting - set(left):
        say(OVER)
    if not left:
        say("no withdrawal is pending")
    return all([_finish(store, asked, number) for number in left])


def at_this_booth(store: Store) -> None:
    """What is pending here, before a session starts; says what was done, and when a withdrawal is over by it."""
    from experiment.data.erasure import OVER, at_start, open_ones

    waiting = open_ones(store)
    for told in at_start(store):
        say(f"of a withdrawal: {told.line()}")
    for _ in waiting - open_ones(store):
        say(f"of a withdrawal: {OVER}")


def _finish(store: Store, asked: Asked, number: int) -> bool:
    from experiment.data.erasure import BEYOND, OVER, answered_for_key, carry_out, is_gone, list_of

    answered_for_key(store, number, asked.key, asked.no_key)
    for path in asked.gone:
        is_gone(store, number, path)
    _say(carry_out(store, _steps(asked), number))
    left = [x for x in list_of(store, number) if x["state"] != "done"]
    if left:
        say(
            f"NOT WITHDRAWN YET: {len(left)} of {len(list_of(store, number))} places are left; mend what is said above and run "
        )
        say("'tastelab experiment withdraw --pending' (a booth does its own when a session starts there)")
    else:
        say(OVER)
    say(BEYOND)
    return not left


def _say(told: Sequence[Told]) -> None:
    for one in told:
        say(one.line())


def _steps(asked: Asked) -> dict[str, Step]:
    from experiment.data.erasure import key_step

    return {"key": key_step(asked.passphrase), "snapshots": snapshots}


def snapshots(store: Store, stone: Tombstone, place: Place) -> str:
    """Freeze anew what was frozen while the person was in it, under a new checksum; old snapshots and their report go."""
    from experiment.data.erasure import NotYetError, reached

    folder = reached(place)
    for path in folder.glob(".*.partial"):
        shutil.rmtree(path)
    old = [p.parent for p in sorted(folder.glob("*/snapshot.json")) if _held(p, stone)]
    words = ["the report made of them is deleted"] if _report_goes(folder.parent, stone) else []
    if not old:
        return "; ".join([*words, "nothing frozen before is there"])
    try:
        from analysis.data.frames import load
        from analysis.data.freeze import freeze
        from analysis.errors import AnalysisError
    except ImportError as error:
        raise NotYetError(f"{error}; pip install 'tastelab[analysis]' and run this again") from None
    definition = store.study(stone.study).definition
    for kind in sorted({_told(p)["kind"] for p in old}):
        try:
            data = load(store.engine, stone.study, kind)
            new = freeze(data, definition, folder)
            words.append(f"{kind}: {new.name} with {len(data.people)} people")
            old = [p for p in old if p != new]
        except AnalysisError:
            words.append(f"{kind}: nobody's answers are left")
    for path in old:
        shutil.rmtree(path)
    return "; ".join([*words, f"{len(old)} older deleted; 'tastelab analysis report' makes a report anew"])


def _told(snapshot: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((snapshot / "snapshot.json").read_text(encoding="utf-8"))
    return found


def _held(path: Path, stone: Tombstone) -> bool:
    """Whether a snapshot may hold the person: of a kind of theirs, frozen before they withdrew."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        frozen = datetime.fromisoformat(told["frozen_at"])
        at = stone.at if stone.at.tzinfo else stone.at.replace(tzinfo=UTC)
        return bool(told["kind"] in stone.kinds and frozen <= at)
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} can't be read; delete its folder and run this again") from None


def _report_goes(base: Path, stone: Tombstone) -> bool:
    """Delete a study's report, if it is on people of that kind."""
    stamp = base / "manifest.json"
    if not stamp.exists() or json.loads(stamp.read_text(encoding="utf-8")).get("kind") not in stone.kinds:
        return False
    for name in sorted(REPORT, key=lambda x: x == "manifest.json"):  # the stamp last: who is interrupted begins again
        path = base / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return True


def restore(file: Path, to: Path, folders: Sequence[Path], db: str) -> int:
    """Make a database of a backup without whoever withdrew since; returns how many were left out."""
    from experiment.data.connect import file_of, sqlite_url
    from experiment.data.private import own_file
    from experiment.data.store import Store as Opened
    from experiment.data.tombstones import all_of, read_marker
    from experiment.data.withdrawal import bury

    Opened(sqlite_url(file), new=False).close()  # it is a database of ours, or one line says why not
    entries = [e for folder in folders for e in read_marker(folder)]
    live = file_of(db)
    if live is None or live.exists():
        with open_store(db, new=False) as store, store.transaction() as s:
            entries += all_of(s)
    partial = to.with_name(f".{to.name}.partial")
    own_file(partial)
    shutil.copyfile(file, partial)
    with open_store(sqlite_url(partial)) as store:
        left_out, _ = bury(store, entries)
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    partial.replace(to)
    return left_out
