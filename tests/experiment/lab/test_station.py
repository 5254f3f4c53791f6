"""What is checked before somebody sits down: each finding, its mend, and what may be overridden."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update

from experiment import launch
from experiment.config import ExperimentConfig
from experiment.data.tables import Calibration, Participant, SessionRow, utc_now
from experiment.errors import ExperimentError
from experiment.lab import station
from experiment.lab.hardware import Device
from experiment.lab.station import Check
from experiment.launch import Prepared
from stimuli.errors import StimulusError
from stimuli.manifest import ClipRow, read_manifest, write_manifest
from tests.experiment.lab.glass import World


@pytest.mark.parametrize(
    ("device", "state", "found", "mend"),
    [
        (None, "FAILED", "no audio device", "plug in"),
        (Device("Card", 48000.0, 2), "ok", "Card, 48000 Hz, 2 channels", ""),
        (Device("Card", 48000.0, 8), "ok", "Card, 48000 Hz, 8 channels", ""),
        (Device("Card", 48000.0, 1), "FAILED", "Card, 48000 Hz, 1 channels", "stereo"),
        (Device("Card", 44100.0, 2), "FAILED", "Card, 44100 Hz, 2 channels", "48000 Hz"),
        (Device("Card", 96000.0, 2), "FAILED", "Card, 96000 Hz, 2 channels", "48000 Hz"),
    ],
)
def test_the_sound_card(
    monkeypatch: pytest.MonkeyPatch, device: Device | None, state: str, found: str, mend: str
) -> None:
    monkeypatch.setattr(station, "output_device", lambda: device)
    check = station.check_sound()
    assert (check.check, check.state, check.found) == ("sound", state, found)
    assert mend in check.mend
    assert bool(check.mend) is (state != "ok")
    assert check.row() == {"check": "sound", "state": state, "found": found, "mend": check.mend}


@pytest.mark.parametrize(
    ("at", "good"), [((3, 10, 9), False), ((3, 11, 0), True), ((3, 12, 7), True), ((3, 13, 0), False)]
)
def test_the_version_of_python(monkeypatch: pytest.MonkeyPatch, at: tuple[int, int, int], good: bool) -> None:
    monkeypatch.setattr(
        station, "sys", SimpleNamespace(version_info=at, version="{}.{}.{} (main)".format(*at), platform="linux")
    )
    check = station.check_python()
    assert (check.state == "ok", check.mend == "") == (good, good)
    assert check.found == "{}.{}.{}".format(*at)


def test_free_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []

    def usage(folder: Any) -> Any:
        asked.append(str(folder))
        return SimpleNamespace(free=3_500_000_000)

    monkeypatch.setattr(station.shutil, "disk_usage", usage)
    assert station.check_disk(tmp_path, 3.5) == Check("disk", "ok", "3.5 GB free")
    check = station.check_disk(tmp_path / "none", 3.6)
    assert (check.state, check.found) == ("FAILED", "3.5 GB free")
    assert "wants 3.6 GB" in check.mend
    assert asked == [str(tmp_path), "."]


@pytest.mark.parametrize(
    ("url", "gigabytes"),
    [
        ("sqlite:///{}/stick/p.db", "0.1"),  # answers and backups are written there, clips are only read
        ("sqlite:///{}/p.db", "9.0"),
        ("sqlite:///p.db", "5.0"),
        ("sqlite:///nowhere/p.db", "9.0"),  # which the check of the database says
        ("postgresql://server/lab", "9.0"),
        ("no url", "9.0"),
    ],
)
def test_free_space_is_that_of_the_database_too(
    url: str, gigabytes: str, tmp_path: Path, config: ExperimentConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stick").mkdir()
    free = {tmp_path: 9.0, tmp_path / "stick": 0.1, Path.cwd(): 5.0}
    monkeypatch.setattr(station.shutil, "disk_usage", lambda x: SimpleNamespace(free=1e9 * free[Path(x).resolve()]))
    checks = station.station_checks(url.format(tmp_path), "s", config, tmp_path, "b1", False)
    disk = next(c for c in checks if c.check == "disk")
    assert disk.found == f"{gigabytes} GB free"
    assert disk.state == ("FAILED" if gigabytes == "0.1" else "ok")


def test_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert station.check_display().state == "FAILED"
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert station.check_display() == Check("display", "ok", "wayland-0")
    monkeypatch.setenv("DISPLAY", ":7")
    assert station.check_display() == Check("display", "ok", ":7")
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY")
    for system in ("win32", "darwin"):
        monkeypatch.setattr(station.sys, "platform", system)
        assert station.check_display() == Check("display", "ok", "native")


def test_the_clock(monkeypatch: pytest.MonkeyPatch, booth: Prepared) -> None:
    assert station.check_clock(None).state == "ok"
    assert station.check_clock(booth.store).found.endswith(" UTC")

    class Past(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime(2000, 1, 1, tzinfo=tz)

    monkeypatch.setattr(station, "datetime", Past)
    check = station.check_clock(None)
    assert (check.state, check.found) == ("FAILED", "2000-01-01 00:00")


@pytest.mark.parametrize(("off", "state"), [(0.0, "ok"), (1.9, "ok"), (2.1, "FAILED"), (-1.9, "ok"), (-2.1, "FAILED")])
def test_a_servers_clock_beside_ours(off: float, state: str) -> None:
    """Two seconds either way are too much."""
    rows = SimpleNamespace(scalar_one=lambda: datetime.now(UTC) - timedelta(seconds=off))
    connection = SimpleNamespace(execute=lambda _: rows)

    class Engine:
        dialect = SimpleNamespace(name="postgresql")

        def connect(self) -> Any:
            from contextlib import nullcontext

            return nullcontext(connection)

    check = station.check_clock(SimpleNamespace(engine=Engine()))  # type: ignore[arg-type]
    assert check.state == state
    assert float(check.found.split(" ")[0]) == pytest.approx(off, abs=0.05)
    assert bool(check.mend) is (state == "FAILED")


def test_a_database_is_written_to_and_left_as_it_was(tmp_path: Path) -> None:
    check, store = station.check_database(f"sqlite:///{tmp_path / 'p.db'}")
    assert store is not None
    assert (check.state, "written and rolled back" in check.found) == ("ok", True)
    with store.transaction() as s:
        assert s.scalars(select(Participant)).all() == []
    store.close()
    check, none = station.check_database(f"sqlite:///{tmp_path / 'no' / 'p.db'}")
    assert (check.state, none) == ("FAILED", None)
    assert len(check.found.splitlines()) == 1


def clips(folder: Path, n: int = 3) -> list[ClipRow]:
    import hashlib

    rows = []
    for k in range(n):
        path = folder / f"c{k}.wav"
        path.write_bytes(b"clip" + bytes([k]))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append(ClipRow(f"c{k}", "sour", "base", k, path.name, digest, 1.0, 32000, -23.0, -1.0, 1.0))
    write_manifest(folder, rows)
    return rows


def test_every_clip_is_held_against_its_hash(tmp_path: Path) -> None:
    assert station.check_stimuli(tmp_path / "none").state == "FAILED"
    clips(tmp_path)
    assert station.check_stimuli(tmp_path) == Check("stimuli", "ok", "3 clips, all hashes right")
    (tmp_path / "c1.wav").write_bytes(b"other")
    check = station.check_stimuli(tmp_path)
    assert (check.state, "c1" in check.found, "more" in check.found) == ("FAILED", True, False)
    (tmp_path / "c2.wav").unlink()
    assert "(and 1 more)" in station.check_stimuli(tmp_path).found
    assert "stimuli generate" in check.mend


def test_a_booth_is_told_to_copy_what_it_can_not_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # as where it is not installed
    there = f"or copy {tmp_path / 'stimuli'} from the machine that made them"
    check = station.check_stimuli(tmp_path / "stimuli")
    assert check.mend == f"run 'tastelab stimuli generate', {there}"
    with pytest.raises(StimulusError, match=re.escape(there)):
        read_manifest(tmp_path / "stimuli")


def calibrated(booth: Prepared, days: float, gain: float = -6.3, made: float = 0, where: str = "b1") -> None:
    now = utc_now()
    with booth.store.transaction() as s:
        s.add(
            Calibration(station=where, device="card", level_dba=71.3, gain_db=gain, made_at=now - timedelta(days=made),
                        expires_at=now + timedelta(days=days))
        )  # fmt: skip


@pytest.fixture
def wanted(booth: Prepared) -> ExperimentConfig:
    return ExperimentConfig.model_validate(booth.config.model_dump() | {"level": {"by": "station", "dba": 65}})


def test_a_calibration_holds_until_it_expires_for_its_station_and_device(
    booth: Prepared, wanted: ExperimentConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station, "output_device", lambda: Device("card", 48000.0, 2))

    def check(where: str = "b1") -> Check:
        return station.check_calibration(booth.store, wanted, where)

    assert station.check_calibration(booth.store, booth.config, "b1").state == "ok"  # not asked for
    assert check().state == "FAILED"
    assert check().mend.endswith("--station b1'")
    assert station.check_calibration(None, wanted, "b1").state == "FAILED"
    calibrated(booth, -0.001)
    assert check().state == "FAILED"
    calibrated(booth, 2.9)
    found = check()
    assert found.state == "warning"
    assert found.found.startswith("65.0 dB(A), -6.3 dB, until 20")
    assert found.mend.startswith("soon: ")
    calibrated(booth, 3.1)
    assert check().state == "ok"
    assert check("b2").state == "FAILED"
    # The one made last counts, not the one that holds longest.
    calibrated(booth, 20, -1.0, made=5)
    newest = station.valid_calibration(booth.store, "b1")
    assert newest is not None
    assert newest.gain_db == -6.3
    for device, words in ((Device("other", 48000.0, 2), "made with card, now other"), (None, "now none")):
        monkeypatch.setattr(station, "output_device", lambda device=device: device)
        assert check().state == "FAILED"
        assert words in check().found


def test_versions_stay_those_of_the_first_person(booth: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"tastelab": "0.1", "psychopy": "2026.2.5", "psychtoolbox": "3.0"}
    monkeypatch.setattr(station, "version", lambda name: now[name])
    words = "tastelab 0.1, psychopy 2026.2.5, psychtoolbox 3.0"
    assert station.check_versions(None, "s") == Check("versions", "ok", words)
    bot = launch.begin(booth, "bot", "bot", "en", "x")
    first = launch.begin(booth, "A", "person", "en", "x")
    second = launch.begin(booth, "B", "person", "en", "x")

    def ran_under(session: int, psychopy: str) -> None:
        with booth.store.transaction() as s:
            s.execute(
                update(SessionRow).where(SessionRow.id == session).values(versions={"psychopy": psychopy, "numpy": "1"})
            )

    ran_under(bot, "1")
    ran_under(first, "2026.2.5")
    ran_under(second, "9")
    assert station.check_versions(booth.store, "s").state == "ok"
    ran_under(first, "2025.1.0")
    check = station.check_versions(booth.store, "s")
    assert (check.state, check.mend) == ("FAILED", "pip install psychopy==2025.1.0")
    assert check.found == "psychopy 2026.2.5, but the study began with 2025.1.0"
    assert station.check_versions(booth.store, "another").state == "ok"
    from importlib.metadata import PackageNotFoundError

    def none(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(station, "version", none)
    check = station.check_versions(None, "s")
    assert (check.state, check.found) == ("FAILED", "tastelab is not installed")
    assert "tastelab[lab]" in check.mend


def test_all_checks_come_in_order(tmp_path: Path, config: ExperimentConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station, "output_device", lambda: Device("card", 48000.0, 2))
    monkeypatch.setattr(station, "check_screen", lambda: [Check("screen", "ok", "here")])
    monkeypatch.setattr(station, "check_words", lambda config, name: [Check("words", "ok", name)])
    monkeypatch.setenv("DISPLAY", ":1")
    clips(tmp_path)
    names = [
        "python",
        "disk",
        "display",
        "sound",
        "screen",
        "sleep",
        "words",
        "database",
        "clock",
        "stimuli",
        "calibration",
        "versions",
    ]
    url = f"sqlite:///{tmp_path / 'p.db'}"

    def found(screen: bool) -> dict[str, str]:
        return {c.check: c.state for c in station.station_checks(url, "s", config, tmp_path, "b1", screen)}

    assert list(found(True)) == names
    assert list(found(False)) == [n for n in names if n != "screen"]
    assert found(True)["stimuli"] == "ok"
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not {"screen", "sleep", "words"} & set(found(True))


def checks(*states: tuple[str, str]) -> Iterator[Check]:
    yield from (Check(name, state, f"{name} found", "mend it") for name, state in states)  # type: ignore[arg-type]


def test_what_failed_is_refused_unless_it_is_overridden_and_may_be() -> None:
    said: list[str] = []
    assert station.refuse(checks(("disk", "ok"), ("refresh", "warning")), [], said.append) == []
    assert said == []
    with pytest.raises(
        ExperimentError, match=r"^sound: sound found; mend it \(or --override sound, which is stored\)$"
    ):
        station.refuse(checks(("disk", "ok"), ("sound", "FAILED")), ["disk"], said.append)
    used = station.refuse(
        checks(("disk", "ok"), ("sound", "FAILED"), ("versions", "FAILED")), ["disk", "sound", "versions"], said.append
    )
    assert used == ["sound: sound found", "versions: versions found"]
    assert said == ["overridden: sound: sound found", "overridden: versions: versions found"]
    for firm in ("display", "database", "stimuli"):
        with pytest.raises(ExperimentError, match=f"^{firm}: {firm} found; mend it$"):
            station.refuse(checks((firm, "FAILED")), [firm], said.append)


def test_a_check_that_there_is_not_can_not_be_overridden() -> None:
    with pytest.raises(ExperimentError, match=r"^--override 'sount': no check is called so; did you mean 'sound'\?$"):
        station.refuse(iter(()), ["sount"], print)
    with pytest.raises(ExperimentError, match=r"called so; there are: calibration, clock, disk, .*, words$") as caught:
        station.refuse(iter(()), ["sound", "zz"], print)
    assert not {"display", "database", "stimuli"} & set(re.findall(r"\w+", str(caught.value)))  # which can't be
    assert station.refuse(iter(()), ["display", "sound"], print) == []
    sources = [p.read_text(encoding="utf-8") for p in Path(station.__file__).parent.glob("*.py")]
    assert set(station.NAMES) == {name for text in sources for name in re.findall(r'\bCheck\(\s*"(\w+)"', text)}


def test_psychopy_is_the_version_that_is_pinned() -> None:
    assert station.check_versions(None, "s").found.startswith(f"tastelab {version('tastelab')}, psychopy 2026.2.5")


@pytest.fixture
def screen(glass: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A glass window on a graphics card, and a keyboard that can be read."""
    monkeypatch.setattr(station, "time", SimpleNamespace(perf_counter=glass.clock.monotonic))
    monkeypatch.setattr(station, "software_renderer", lambda: "")
    return glass


def test_a_screen_that_waits_for_the_display(screen: World) -> None:
    shown, refresh, keys = station.check_screen()
    assert shown == Check("screen", "ok", "1280 x 800 window")
    assert (refresh.check, refresh.state, refresh.mend) == ("refresh", "ok", "")
    hz, _, dropped = refresh.found.partition(" Hz, ")
    assert float(hz) == pytest.approx(60, abs=0.1)
    assert dropped.startswith("0 of ")
    assert keys == Check("keyboard", "ok", "read by psychtoolbox")
    assert not screen.window.open


def test_dropped_frames_are_counted(screen: World) -> None:
    screen.window.todo.extend(
        [*[lambda: None] * 20, lambda: screen.clock.sleep(0.012), lambda: screen.clock.sleep(0.004)]
    )
    refresh = station.check_screen()[1]
    assert refresh.state == "warning"
    assert ", 1 of " in refresh.found  # 1.5 times the usual gap is too late, a quarter more is not
    assert refresh.mend == "close other programs"


@pytest.mark.parametrize("frame", [0.15, 0.4, 2.0])
def test_drawing_that_is_slow_is_measured_too(screen: World, monkeypatch: pytest.MonkeyPatch, frame: float) -> None:
    """Fewer than two flips in the time given are no reason to give up; so slow a screen is told."""
    monkeypatch.setattr("tests.experiment.lab.glass.FRAME", frame)
    refresh = station.check_screen()[1]
    assert (refresh.check, refresh.state) == ("refresh", "warning")
    assert refresh.found.startswith(f"{1 / frame:.1f} Hz")
    assert "slow" in refresh.found
    assert refresh.mend == "close other programs, or install the graphics card's driver"


def test_what_nothing_waits_for_can_not_be_measured(screen: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.experiment.lab.glass.FRAME", 1 / 300)
    refresh = station.check_screen(0.1)[1]
    assert (refresh.state, "vertical sync" in refresh.mend) == ("warning", True)
    assert refresh.found.startswith("not measurable: 300 flips/s")
    monkeypatch.setattr("tests.experiment.lab.glass.FRAME", 1 / 60)
    monkeypatch.setattr(station, "software_renderer", lambda: "llvmpipe")
    refresh = station.check_screen(0.2)[1]
    assert refresh.found == "not measurable: drawn in software (llvmpipe), so nothing waits for the display"
    assert (refresh.state, "driver" in refresh.mend) == ("warning", True)


def test_no_window_and_no_keyboard(screen: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("none")

    monkeypatch.setattr(sys.modules["psychopy.hardware.keyboard"], "Keyboard", broken, raising=False)
    keys = station.check_screen()[2]
    assert (keys.check, keys.state, keys.found) == ("keyboard", "FAILED", "cannot be read (RuntimeError)")
    monkeypatch.setattr(sys.modules["psychopy.visual"], "Window", broken, raising=False)
    (found,) = station.check_screen()
    assert (found.check, found.state, "no window can be opened" in found.found) == ("screen", "FAILED", True)


def test_a_stations_level_is_asked_for_where_the_study_wants_it(booth: Prepared) -> None:
    now = utc_now()
    with booth.store.transaction() as s:
        s.add(Calibration(station="b1", device="card", level_dba=71.0, gain_db=-6.0, made_at=now,
                          expires_at=now + timedelta(days=1)))  # fmt: skip
    wanted = ExperimentConfig.model_validate(booth.config.model_dump() | {"level": {"by": "station", "dba": 65}})
    found = station.station_level(booth.store, wanted, "b1")
    assert found == {"by": "station", "gain_db": -6.0, "dba": 65.0, "device": "card"}
    assert station.station_level(booth.store, wanted, "b2") is None
    assert station.station_level(booth.store, booth.config, "b1") is None
