"""Fixtures: a home of its own, one small set of real stimuli, a study file of two-second clips."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from experiment.config import ExperimentConfig
from experiment.data.store import Store
from experiment.launch import Prepared
from models.cache import cache_directory
from tastelab.study import load_study
from tests.postgres import Postgres

# How long an example takes says how busy the machine is. Whoever only asks whether a test fails needs no smaller example.
UNSHRUNK = [x for x in Phase if x not in (Phase.shrink, Phase.explain)]
settings.register_profile("tastelab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("unshrunk", settings.get_profile("tastelab"), phases=UNSHRUNK)
settings.load_profile("unshrunk" if os.environ.get("TASTELAB_SHRINK") == "no" else "tastelab")
ROOT = Path(__file__).resolve().parent.parent
TASTES = ("bitter", "salty", "sour", "sweet")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with tests that take long come first: at the end no process is left alone with one of them."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Torch threads beside other busy processes collapse; one is enough for two-second clips."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory of the tests' own; the cache stays between runs of one checkout, and begins with what set-up made."""
    folder = tmp_path_factory.mktemp("home")
    made = cache_directory()
    os.environ["HOME"] = str(folder)
    os.environ.setdefault("TASTELAB_CACHE", str(ROOT / ".pytest_cache" / "tastelab"))
    own = cache_directory()
    own.mkdir(parents=True, exist_ok=True)
    for there in (
        [*(p for p in made.glob("smollm2-*") if not p.suffix), *made.glob("chorales-*.json")] if made != own else []
    ):
        with contextlib.suppress(FileExistsError):  # another process did
            (own / there.name).symlink_to(there)
    os.environ["HF_HUB_OFFLINE"] = "1"
    return folder


def write_small_study(folder: Path) -> Path:
    """The default study with clips of two seconds, four a taste, and a short session."""
    text = (ROOT / "study.toml").read_text()
    for old, new in (
        ('name = "multimodal-symphony"', 'name = "small"'),
        ("seconds = 15", "seconds = 2"),
        ("clips_per_taste = 5", "clips_per_taste = 4"),
        ("trials = 5", "trials = 4"),
        ("clips = 3", "clips = 2"),
        ("resamples = 2000", "resamples = 200"),
        ('embedders = ["yamnet", "musicnn", "codec"]', 'embedders = ["musicnn", "codec"]'),
    ):
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "study.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="session")
def small_study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outputs")


def shared(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that is filled once for all processes of a run: the workers, and those of the desk beside them."""
    from filelock import FileLock

    own = tmp_path_factory.getbasetemp()
    told = os.environ.get("TASTELAB_TESTS_SHARED")
    place = Path(told) if told else own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own
    with FileLock(place / f"{name}.lock"):
        (place / name).mkdir(exist_ok=True)
        make(place / name)
    return place / name


@pytest.fixture(scope="session")
def stimuli_folder(small_study_file: Path, outputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real clips of the small study, made by the shipped nano models; a copy of one's own."""
    from stimuli.generate import generate

    study = load_study(small_study_file)

    def make(folder: Path) -> None:
        generate(study.stimuli, study.models, folder)

    folder = outputs / study.name / "stimuli"
    shutil.copytree(shared(tmp_path_factory, "clips-of-the-small-study", make), folder)
    return folder


@pytest.fixture(scope="session")
def described_folder(small_study_file: Path, stimuli_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same clips with their captions and features; a copy of one's own."""
    from stimuli.describe import describe

    study = load_study(small_study_file)

    def make(folder: Path) -> None:
        shutil.copytree(stimuli_folder, folder, dirs_exist_ok=True)
        for what in ("captions", "features"):
            describe(folder, what, study.models)

    folder = tmp_path_factory.mktemp("described") / "stimuli"
    shutil.copytree(shared(tmp_path_factory, "described-clips-of-the-small-study", make), folder)
    return folder


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The reference data, or a visible skip."""
    where = os.environ.get("TASTELAB_REFERENCE_DATA")
    if not where or not Path(where).is_dir():
        pytest.skip("TASTELAB_REFERENCE_DATA does not name a directory with the reference data")
    return Path(where)


@pytest.fixture(scope="session")
def config() -> ExperimentConfig:
    return load_study(ROOT / "study.toml").experiment


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file as a store leaves it that has just made it: the way there takes longer than most tests."""
    path = tmp_path_factory.mktemp("laid-out") / "participants.db"
    Store(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def laid_out_there(postgres: Postgres) -> str:
    """Name of a database of the server that a store has made."""
    Store(postgres.database("laid_out")).close()
    return "laid_out"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of either kind: empty, or laid out where a test asks for a `store`."""
    asked = "store" in request.fixturenames
    if request.param == "sqlite":
        path = tmp_path / "participants.db"
        if asked:
            shutil.copy(request.getfixturevalue("laid_out"), path)
        return f"sqlite:///{path}"
    server, name = request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex[:12]}"
    return server.copied(name, request.getfixturevalue("laid_out_there")) if asked else server.database(name)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store(url)
    yield opened
    opened.close()


@pytest.fixture
def prepared(store: Store, config: ExperimentConfig) -> Prepared:
    """A study with five clips a taste and model (rows only: bots hear nothing)."""
    study_id = store.ensure_study("s", "S", {"experiment": config.model_dump(mode="json")})
    rows = [
        {"clip": f"{t}-{m}-{n}", "taste": t, "model": m, "number": n, "path": None, "sha256": "0" * 64}
        for t in TASTES
        for m in ("base", "finetuned")
        for n in range(5)
    ]
    return Prepared(store, study_id, config, store.ensure_stimuli(study_id, rows))
