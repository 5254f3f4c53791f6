"""What a station needs before a participant sits down: each check says what was found and, where it fails, the mend."""

from __future__ import annotations

import difflib
import itertools
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.exc import ArgumentError

from experiment.config import ExperimentConfig
from experiment.data.connect import file_of, shown
from experiment.data.store import Store
from experiment.data.tables import Calibration, Participant, SessionRow, StudyRow, utc_now
from experiment.errors import ExperimentError
from experiment.lab.finding import Check, State
from experiment.lab.hardware import awake, chosen_display, displays, output_device, sounds
from experiment.lab.legible import check_words
from experiment.lab.renderer import software_renderer
from experiment.signals import TriggerConfig

RATE = 48000
LOCKED = ("tastelab", "psychopy", "psychtoolbox")  # what a participant sees and hears depends on these
FIRM = ("display", "database", "stimuli")  # without these there is no session, or not the study's
NAMES = (
    "python", "disk", "display", "sound", "screen", "refresh", "keyboard", "sleep", "fonts", "letters", "words", "triggers",
    "database", "clock", "stimuli", "calibration", "versions", "retention",
)  # fmt: skip
WARM_UP = 5  # flips before a screen's rate is measured
SLOWEST = 0.04  # s a flip
DOCTOR_PATIENCE = 3.0  # s that the doctor waits for a lock that a running session would hold far shorter


def check_python() -> Check:
    """Python's version."""
    good = (3, 11) <= sys.version_info[:2] <= (3, 12)
    return Check("python", "ok" if good else "FAILED", sys.version.split()[0], "" if good else "install Python 3.11")


def check_disk(folder: Path, needed_gb: float, url: str = "") -> Check:
    """Free space where the clips lie, and where the database of a URL and its backups are written: the least."""
    places = [folder if folder.is_dir() else Path(), *_written(url)]
    free = min(shutil.disk_usage(place).free for place in places) / 1e9
    if free >= needed_gb:
        return Check("disk", "ok", f"{free:.1f} GB free")
    return Check("disk", "FAILED", f"{free:.1f} GB free", f"free some: this study wants {needed_gb:g} GB (disk_gb)")


def _written(url: str) -> list[Path]:
    """The folder of an SQLite file, where there is one; what is wrong with a URL, the check of the database says."""
    try:
        file = file_of(url)
    except ArgumentError:
        return []
    return [file.parent] if file is not None and file.parent.is_dir() else []


def check_sound() -> Check:
    """Name, rate and channels of the sound card."""
    device = output_device()
    if device is None:
        return Check("sound", "FAILED", "no audio device", "plug in headphones or a sound card, and log in again")
    found = f"{device.name}, {device.rate:.0f} Hz, {device.channels} channels"
    there = sounds()
    if len(there) > 1:
        found += f" (of {len(there)}: {'; '.join(there)}; --sound)"
    if device.channels < 2:
        return Check(
            "sound", "FAILED", found, "choose a stereo output: left and right are checked and stimuli need both"
        )
    if device.rate != RATE:
        return Check(
            "sound", "FAILED", found, "set the sound card to 48000 Hz in the system's sound settings: clips are 48 kHz"
        )
    return Check("sound", "ok", found)


def check_sleep() -> Check:
    """Whether screen and computer can be kept awake while a session runs."""
    with awake() as by:
        if by:
            return Check("sleep", "ok", f"held off while a session runs ({by})")
    mend = "switch off the screen's blanking and the computer's sleep in the system's settings"
    return Check("sleep", "warning", "can't be held off here: the screen may go dark while somebody listens", mend)


def _among() -> str:
    """Which of several screens it is, and how another is chosen; empty where there is one."""
    there = displays()
    if len(there) < 2:
        return ""
    return f", the {chosen_display() + 1}. of {len(there)} ({'; '.join(d.said for d in there)}; --display)"


def check_display() -> Check:
    """Whether there is a display at all."""
    native = sys.platform in ("win32", "darwin")
    if not native and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return Check("display", "FAILED", "no display", "run this on the booth's own screen, logged in to its desktop")
    return Check("display", "ok", "native" if native else os.environ.get("DISPLAY") or os.environ["WAYLAND_DISPLAY"])


def check_screen(seconds: float = 0.7) -> list[Check]:
    """Open a window: refresh rate, dropped frames, keyboard."""
    from experiment.lab.opening import open_window

    try:
        window = open_window(fullscreen=False)
    except ExperimentError as error:
        return [Check("screen", "FAILED", str(error), "run this on the booth's own screen")]
    try:
        moments: list[float] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(moments) < WARM_UP + 6:
            window.flip()
            moments.append(time.perf_counter())
        gaps = sorted(b - a for a, b in itertools.pairwise(moments[WARM_UP:]))
        usual = gaps[len(gaps) // 2]
        size = f"{window.size[0]:.0f} x {window.size[1]:.0f} window"
        screen = Check("screen", "ok", f"{size}{_among()}")
        software = software_renderer()
        if software or usual < 0.004:
            why = f"drawn in software ({software})" if software else f"{1 / usual:.0f} flips/s"
            found = f"not measurable: {why}, so nothing waits for the display"
            mend = (
                "install the graphics card's driver" if software else "switch vertical sync on in the graphics driver"
            )
            refresh = Check("refresh", "warning", found, mend)
        else:
            dropped = sum(g > 1.5 * usual for g in gaps)
            state: State = "ok" if dropped == 0 else "warning"
            mend = "" if dropped == 0 else "close other programs"
            found = f"{1 / usual:.1f} Hz, {dropped} of {len(gaps)} frames dropped"
            if usual > SLOWEST:
                state, mend = "warning", "close other programs, or install the graphics card's driver"
                found += ": too slow for screens that answer at once"
            refresh = Check("refresh", state, found, mend)
        return [screen, refresh, _keyboard()]
    finally:
        window.close()


def _keyboard() -> Check:
    try:
        from psychopy.hardware import keyboard

        keyboard.Keyboard(backend="ptb").getKeys()
    except Exception as error:  # psychtoolbox raises bare Exceptions
        return Check(
            "keyboard",
            "FAILED",
            f"cannot be read ({type(error).__name__})",
            "plug in a keyboard; on macOS allow input monitoring",
        )
    return Check("keyboard", "ok", "read by psychtoolbox")


def check_clock(store: Store | None) -> Check:
    """This computer's clock beside the database server's; stored times are UTC."""
    if datetime.now(UTC).year < 2026:
        return Check("clock", "FAILED", f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "set the computer's date")
    if store is not None and store.engine.dialect.name == "postgresql":
        with store.engine.connect() as connection:
            server = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        off = (datetime.now(UTC) - server).total_seconds()
        state: State = "ok" if abs(off) < 2 else "FAILED"
        return Check(
            "clock", state, f"{off:+.2f} s from the server's", "" if state == "ok" else "switch network time on"
        )
    return Check("clock", "ok", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")


def check_database(url: str) -> tuple[Check, Store | None]:
    """Write and roll back."""
    from sqlalchemy import insert

    try:
        store = Store(url, wait=DOCTOR_PATIENCE)
        with store.engine.connect() as connection, connection.begin() as transaction:
            connection.execute(insert(Participant).values(code="doctor", created_at=utc_now()))
            transaction.rollback()
    except ExperimentError as error:
        mend = "close what holds it, or give booths a PostgreSQL" if "locked" in str(error) else "see --db"
        return Check("database", "FAILED", str(error), mend), None
    except Exception as error:  # drivers' own
        return Check("database", "FAILED", f"{type(error).__name__}: {str(error).splitlines()[0]}", "see --db"), None
    return Check("database", "ok", f"{shown(url)}: written and rolled back"), store


def check_stimuli(folder: Path) -> Check:
    """Every clip against its hash in the manifest."""
    from stimuli.errors import StimulusError
    from stimuli.manifest import mend, read_manifest, verify

    try:
        problems = verify(folder)
        n = len(read_manifest(folder))
    except StimulusError as error:
        return Check("stimuli", "FAILED", str(error).removesuffix(f"; {mend(folder)}"), mend(folder))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return Check("stimuli", "FAILED", problems[0] + more, mend(folder))
    return Check("stimuli", "ok", f"{n} clips, all hashes right")


def valid_calibration(store: Store, station: str) -> Calibration | None:
    """The station's last calibration that has not expired."""
    with store.transaction() as s:
        return s.scalar(
            select(Calibration)
            .where(Calibration.station == station, Calibration.expires_at > utc_now())
            .order_by(Calibration.made_at.desc())
        )


def station_level(store: Store, config: ExperimentConfig, station: str) -> dict[str, Any] | None:
    """The gain of a calibrated station, as a session's header keeps it."""
    found = valid_calibration(store, station) if config.level.by == "station" else None
    if found is None:
        return None
    return {"by": "station", "gain_db": found.gain_db, "dba": config.level.dba, "device": found.device}


def check_calibration(store: Store | None, config: ExperimentConfig, station: str) -> Check:
    """The station's calibration, its device and its expiry."""
    if config.level.by != "station":
        return Check("calibration", "ok", "not asked for by this study (level.by)")
    found = valid_calibration(store, station) if store is not None else None
    mend = f"run 'tastelab experiment calibrate --station {station}'"
    if found is None:
        return Check("calibration", "FAILED", f"station {station} has none that is valid", mend)
    device = output_device()
    if device is None or device.name != found.device:
        return Check(
            "calibration", "FAILED", f"made with {found.device}, now {device.name if device else 'none'}", mend
        )
    expires = found.expires_at.replace(tzinfo=found.expires_at.tzinfo or UTC)
    left = expires - datetime.now(UTC)
    words = f"{found.level_dba + found.gain_db:.1f} dB(A), {found.gain_db:+.1f} dB, until {expires:%Y-%m-%d}"
    if left < timedelta(days=3):
        return Check("calibration", "warning", words, f"soon: {mend}")
    return Check("calibration", "ok", words)


def check_versions(store: Store | None, study: str) -> Check:
    """Versions that participants' screens depend on, beside those of the study's first session."""
    now = {}
    for name in LOCKED:
        try:
            now[name] = version(name)
        except PackageNotFoundError:
            return Check("versions", "FAILED", f"{name} is not installed", 'pip install "tastelab[lab]"')
    first: dict[str, Any] = {}
    if store is not None:
        with store.transaction() as s:
            began = s.scalar(
                select(SessionRow.versions)
                .join(StudyRow)
                .where(StudyRow.name == study, SessionRow.kind == "person")
                .order_by(SessionRow.id)
            )
            first = began or {}
    words = ", ".join(f"{k} {v}" for k, v in now.items())
    for name in LOCKED:
        if first.get(name, now[name]) != now[name]:
            found = f"{name} {now[name]}, but the study began with {first[name]}"
            return Check("versions", "FAILED", found, f"pip install {name}=={first[name]}")
    return Check("versions", "ok", words)


def check_triggers(config: TriggerConfig, port: str | None) -> Check:
    """Whether events can be sent to where the study, or this booth, sends them."""
    from experiment.lab.triggers import Triggers

    try:
        Triggers(config, port).close()
    except ExperimentError as error:
        found, _, mend = str(error).partition("; ")
        return Check("triggers", "FAILED", found, mend or "see docs/lab.md")
    places = [f"stream {config.lsl!r}"] if config.lsl else []
    return Check(
        "triggers", "ok", ", ".join([*places, *([f"port {port or config.serial}"] if port or config.serial else [])])
    )


def check_retention(config: ExperimentConfig) -> Check:
    """Whether answers may still be kept, by the date that people were told."""
    past = config.consent.over(utc_now().date())
    if past is None:
        return Check("retention", "ok", f"until {config.consent.retention}")
    found, _, mend = past.partition(": ")
    return Check("retention", "warning", found, mend)


def station_checks(
    url: str,
    study: str,
    config: ExperimentConfig,
    stimuli: Path,
    station: str,
    screen: bool = True,
    port: str | None = None,
) -> Iterator[Check]:
    """All checks, in the order in which they are quickest to mend.

    Parameters
    ----------
    screen : bool
        Whether to open a window for a moment.
    port : str, optional
        This booth's port of a trigger box, in place of the study's.
    """
    yield check_python()
    yield check_disk(stimuli, config.disk_gb, url)
    display = check_display()
    yield display
    yield check_sound()
    if screen and display.state == "ok":
        yield from check_screen()
    if display.state == "ok":
        yield check_sleep()
        yield from check_words(config, station)
    if config.triggers is not None:
        yield check_triggers(config.triggers, port)
    database, store = check_database(url)
    yield database
    try:
        yield check_clock(store)
        yield check_stimuli(stimuli)
        yield check_calibration(store, config, station)
        yield check_versions(store, study)
        if config.consent.retention is not None:
            yield check_retention(config)
    finally:
        if store is not None:
            store.close()


def refuse(checks: Iterator[Check], overrides: list[str], say: Callable[[str], None]) -> list[str]:
    """Raise at the first failed check that is not overridden, or at a name that no check has; returns the overrides that were needed.

    Raises
    ------
    ExperimentError
        Names the check, what was found and the mend.
    """
    may = sorted(set(NAMES) - set(FIRM))
    for name in overrides:
        if name not in NAMES:
            near = difflib.get_close_matches(name, may, 1, 0.6)
            known = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(may)}"
            raise ExperimentError(f"--override {name!r}: no check is called so; {known}")
    used = []
    for check in checks:
        if check.state == "FAILED" and (check.check in FIRM or check.check not in overrides):
            way = "" if check.check in FIRM else f" (or --override {check.check}, which is stored)"
            raise ExperimentError(f"{check.check}: {check.found}; {check.mend}{way}")
        if check.state == "FAILED":
            used.append(f"{check.check}: {check.found}")
            say(f"overridden: {check.check}: {check.found}")
    return used
