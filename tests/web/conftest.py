"""No test here runs a network: torch, which takes seconds to load, is left alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from experiment.data.store import Store
from experiment.launch import Prepared
from experiment.web.application import application
from experiment.web.site import Site
from tests.experiment.test_own_questions import config as own_config
from tests.experiment.web.visitor import KEY, written
from tests.web.hand import CHROMIUM


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Instead of the one that sets torch's threads."""


@contextmanager
def serving(prepared: Prepared, port: int = 0) -> Iterator[tuple[str, int]]:
    """A server at a port of this process: its address and port."""
    import uvicorn

    site = Site(prepared, KEY, "person", "http://localhost")
    options = uvicorn.Config(
        application(site), port=port, log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    found = int(server.servers[0].sockets[0].getsockname()[1])
    site.url = f"http://127.0.0.1:{found}"
    try:
        yield site.url, found
    finally:
        server.should_exit = True
        thread.join()
        site.close()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """One pair compared, one clip rated, of half a second; all else of a session."""
    folder = tmp_path_factory.mktemp("web")
    scales = {"low": 1, "high": 5, "labels": {x: ["1", "2", "3", "4", "5"] for x in ("en", "it")}}
    ratings = {
        "kind": "ratings",
        "clips": 1,
        **scales,
        "adjectives": [{"name": "hot", "words": {"en": "warm", "it": "caldo"}}],
    }
    tasks = [{"kind": "preference", "trials": 1, "pairs": [["b", "a"]]}, ratings]
    asked = own_config(
        tasks=tasks,
        demographics=["sex", "age"],
        practice=False,
        pause=False,
        replays=1,
        debrief=None,
        web={"fullscreen": True},
    )
    store = Store(f"sqlite:///{folder / 'p.db'}")
    study = store.ensure_study("s", "A study of two", {"experiment": asked.model_dump(mode="json")})
    rows = [
        {"clip": f"{taste}-{m}-{n}", "taste": taste, "model": m, "number": n, "path": None, "sha256": None}
        for taste in ("sweet", "sour")
        for m in "ab"
        for n in range(3)
    ]
    found = Prepared(store, study, asked, store.ensure_stimuli(study, rows))
    written(folder, found, 0.5)
    yield found
    store.close()


@pytest.fixture(scope="module")
def address(prepared: Prepared) -> Iterator[str]:
    with serving(prepared) as (address, _):
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
