"""Pulling from a hub (a small one of the tests' own, on this machine, with the hub's interface) and from mirrors."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models.errors import ModelError
from models.pull import pull
from tests.models.sonicverse.released import transformers_checkpoint

NAME = "somebody/tiny-musicgen"
COMMIT = "c0ffee" + "0" * 34


@dataclass
class Hub:
    """A model hub of one model: its files, what was asked of it, and how slowly it answers."""

    files: dict[str, bytes]
    delay: float = 0.0
    ranges: list[str] = field(default_factory=list)
    url: str = ""
    tampered: bool = False


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def _json(self, status: int, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path.startswith(f"/api/models/{NAME}"):
                siblings = [
                    {
                        "rfilename": n, "size": len(d), "blobId": "0" * 40,
                        "lfs": {"sha256": hashlib.sha256(d).hexdigest(), "size": len(d), "pointerSize": 130},
                    }
                    for n, d in hub.files.items()
                ]  # fmt: skip
                self._json(200, {"id": NAME, "sha": COMMIT, "siblings": siblings})
                return
            prefix = f"/{NAME}/resolve/{COMMIT}/"
            if not path.startswith(prefix):
                self._json(404, {"error": "Repository not found"})
                return
            data = hub.files[path.removeprefix(prefix)]
            etag = hashlib.sha256(data).hexdigest()
            start = 0
            if self.headers.get("Range"):
                start = int(self.headers["Range"].removeprefix("bytes=").split("-")[0])
                hub.ranges.append(self.headers["Range"])
            sent = (b"x" + data[1:]) if hub.tampered else data
            self.send_response(206 if self.headers.get("Range") else 200)
            self.send_header("ETag", f'"{etag}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(data) - start))
            self.send_header("Accept-Ranges", "bytes")
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if self.command == "GET":
                for at in range(start, len(data), 1 << 20):
                    try:
                        self.wfile.write(sent[at : at + (1 << 20)])
                        self.wfile.flush()
                    except OSError:
                        return
                    time.sleep(hub.delay)

    return Handler


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    folder = transformers_checkpoint(tmp_path / "published")
    found = Hub({p.name: p.read_bytes() for p in folder.iterdir()})
    # Long enough to be caught in the middle of it: the weights, and after them bytes that safetensors does not read.
    found.files["model-extra.safetensors"] = os.urandom(40 << 20)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(found))
    found.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()


def environment(hub: Hub, cache: Path) -> dict[str, str]:
    offline = {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    return {**os.environ, **offline, "HF_ENDPOINT": hub.url, "TASTELAB_CACHE": str(cache)}


def run(hub: Hub, cache: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tastelab", "models", "pull", NAME, "--quiet", *options],
        env=environment(hub, cache), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_killed_pull_goes_on_where_it_was(hub: Hub, tmp_path: Path) -> None:
    cache, target = tmp_path / "cache", tmp_path / "cache" / "models" / NAME.replace("/", "--")
    hub.delay = 0.05
    first = subprocess.Popen(
        [sys.executable, "-m", "tastelab", "models", "pull", NAME, "--quiet"], env=environment(hub, cache)
    )
    deadline = time.monotonic() + 60

    def arrived() -> int:
        partial = target / "model-extra.safetensors.partial"
        return partial.stat().st_size if partial.exists() else 0

    while arrived() < 5 << 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (target / "pulled.json").exists()
    assert not (target / "model-extra.safetensors").exists()
    hub.delay = 0
    done = run(hub, cache)
    assert done.returncode == 0, done.stderr
    assert any(int(r.removeprefix("bytes=").split("-")[0]) >= 1 << 20 for r in hub.ranges)
    record = json.loads((target / "pulled.json").read_text())
    assert record["commit"] == COMMIT
    for name, data in hub.files.items():
        assert (target / name).read_bytes() == data
        assert record["files"][name]["sha256"] == hashlib.sha256(data).hexdigest()
    assert {p.name for p in target.iterdir()} == {*hub.files, "pulled.json"}


def test_files_that_are_not_what_was_published_are_refused(hub: Hub, tmp_path: Path) -> None:
    hub.tampered = True
    done = run(hub, tmp_path / "cache")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "not what was published" in done.stderr
    assert not (tmp_path / "cache" / "models" / NAME.replace("/", "--") / "pulled.json").exists()


def test_unknown_models_and_formats_are_one_line(hub: Hub, tmp_path: Path) -> None:
    done = run(hub, tmp_path / "cache", "--format", "audiocraft")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "publishes no weights in this format" in done.stderr


def test_a_mirror_needs_no_network_and_generates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models.musicgen.checkpoints import find
    from models.musicgen.generate import load_generator

    transformers_checkpoint(tmp_path / "mirror" / NAME.replace("/", "--"))
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    target = pull(NAME, tmp_path / "mirror")
    find.cache_clear()
    audio = load_generator(NAME).generate("sweet music", 0.5, [1])
    assert audio.shape == (1, 1, 8000)
    (tmp_path / "again").mkdir()
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "again"))
    weights = target / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="not the file that was pulled"):
        pull(NAME, target)
    with pytest.raises(ModelError, match="holds no"):
        pull(NAME, tmp_path / "again")
    find.cache_clear()
    load_generator.cache_clear()
