"""A live view of all stations for the experimenter outside."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from experiment.data.store import Store

SILENT = 300  # s without an answer, after which a running session is shown as a problem


def problem(row: dict[str, Any], now: datetime) -> str:
    """What the experimenter should look at, if anything."""
    if row["status"] == "stopped":
        return "stopped: can go on with --resume"
    if row["status"] != "running":
        return "complete without answers" if row["status"] == "complete" and not row["answers"] else ""
    last = row["last_answer"] or row["started_at"]
    silent = (now - datetime.strptime(last, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)).total_seconds()
    return f"no answer for {silent / 60:.0f} min" if silent > SILENT else ""


def so_far_there(db: str, study: str) -> list[dict[str, Any]]:
    """The sessions of a study; none where there is no database yet, and none is made."""
    from experiment.data.queries import status_rows
    from experiment.data.store import Store as Opened
    from experiment.errors import NoDatabaseError

    try:
        store = Opened(db, new=False)
    except NoDatabaseError:
        return []
    with closing(store):
        return status_rows(store, study)


def none_of(store: Store, study: str) -> str:
    """That there is no session of a study, and where it was looked for: the file or the folder may be the wrong one."""
    from experiment.data.connect import shown
    from experiment.data.queries import study_names

    there = study_names(store)
    return f"no sessions of {study!r} in {shown(store.url)}" + (f" (there: {', '.join(there)})" if there else "")


OVER = {  # of which nothing is kept but that
    "refused": "the person did not agree to take part; nothing is kept but that",
    "too_young": "the person is younger than the study's minimum age; nothing is kept but that",
    "withdrawn": "the participant withdrew while it ran; nothing of it is kept",
}
OUTCOMES = ("complete", "running", "stopped", "refused", "too_young", "withdrawn")


def so_far(rows: list[dict[str, Any]], wanted: int | None) -> list[dict[str, Any]]:
    """The day in numbers: a row a booth and one for all, sessions by what became of them; pilots are counted apart.

    `wanted` complete sessions are the study's target; where it has none, nothing is said of it.
    """
    earnest = [r for r in rows if r["kind"] != "pilot"]
    there = [o for o in OUTCOMES if any(r["status"] == o for r in earnest)]
    groups = sorted({str(r["group"]) for r in rows if r.get("group") is not None})
    cells = [("booth " + b, [r for r in earnest if r["station"] == b]) for b in sorted({r["station"] for r in earnest})]
    cells += [("group " + g, [r for r in earnest if r.get("group") == g]) for g in groups]
    out = []
    for name, some in [*cells, ("all", earnest)]:
        row: dict[str, Any] = {"where": name, **{o: sum(r["status"] == o for r in some) for o in there}}
        if wanted is not None:
            row["wanted"] = wanted if name == "all" else None
        out.append(row)
    pilots = len(rows) - len(earnest)
    return out + ([{"where": "pilots", "complete": pilots}] if pilots else [])


def to_look_at(rows: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Sessions that want somebody, with what for."""
    return [
        {"participant": r["participant"], "station": r["station"], "look_at": said}
        for r in rows
        if (said := problem(r, now))
    ]


def table(rows: list[dict[str, Any]], now: datetime) -> Table:
    """The present state, one line a session, the newest first."""
    from rich.table import Table

    shown = Table(title=f"{now:%H:%M:%S} UTC", title_justify="left")
    for name in ("station", "participant", "study", "status"):
        shown.add_column(name)
    for name in ("answers", "expected"):
        shown.add_column(name, justify="right")
    shown.add_column("last answer (UTC)")
    shown.add_column("look at", style="bold")
    for row in reversed(rows):
        values = [row[k] for k in ("station", "participant", "study", "status", "answers", "expected")]
        shown.add_row(*map(str, values), row["last_answer"] or "", problem(row, now))
    return shown


def watch(store: Store, study: str | None, bots: bool, every: float) -> None:
    """Show all sessions until Ctrl-C."""
    from rich.console import Console
    from rich.live import Live

    from experiment.data.queries import status_rows

    def present() -> Table:
        rows = store.patiently(lambda: status_rows(store, study))
        return table([r for r in rows if bots or r["kind"] != "bot"][-40:], datetime.now(UTC))

    with Live(present(), console=Console(), auto_refresh=False) as live:
        try:
            while True:
                time.sleep(every)
                live.update(present(), refresh=True)
        except KeyboardInterrupt:
            return
