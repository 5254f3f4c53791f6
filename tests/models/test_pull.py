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
from types import SimpleNamespace

import pytest

from models.errors import ModelError
from models.pull import _is_published, pull
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
    commit: str = COMMIT
    plain: tuple[str, ...] = ()  # small files: git's blob hash, no LFS
    asked: list[str] = field(default_factory=list)
    error: tuple[int, str] | None = None  # status and X-Error-Code of every answer
    breaks: dict[str, int] = field(default_factory=dict)  # how often a file's connection breaks in its middle


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def _json(self, status: int, value: object, code: str = "RepoNotFound") -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if status >= 400:
                self.send_header("X-Error-Code", code)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            hub.asked.append(path)
            if hub.error:
                self._json(hub.error[0], {"error": "no"}, hub.error[1])
                return
            if path.startswith(f"/api/models/{NAME}"):
                revision = path.removeprefix(f"/api/models/{NAME}").removeprefix("/revision/")
                if revision not in ("", "main", hub.commit):
                    self._json(404, {"error": "no such revision"}, "RevisionNotFound")
                    return
                siblings = [
                    {
                        "rfilename": n, "size": len(d),
                        "blobId": hashlib.sha1(b"blob %d\0" % len(d) + d, usedforsecurity=False).hexdigest(),
                        "lfs": None if n in hub.plain
                        else {"sha256": hashlib.sha256(d).hexdigest(), "size": len(d), "pointerSize": 130},
                    }
                    for n, d in hub.files.items()
                ]  # fmt: skip
                self._json(200, {"id": NAME, "sha": hub.commit, "siblings": siblings})
                return
            prefix = f"/{NAME}/resolve/{hub.commit}/"
            if not path.startswith(prefix):
                self._json(404, {"error": "Repository not found"})
                return
            name = path.removeprefix(prefix)
            data = hub.files[name]
            etag = hashlib.sha256(data).hexdigest()
            start = 0
            if self.headers.get("Range") and start >= 0:
                start = int(self.headers["Range"].removeprefix("bytes=").split("-")[0])
                hub.ranges.append(self.headers["Range"])
            if start >= len(data) > 0:
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            sent = (b"x" + data[1:]) if hub.tampered else data
            if hub.breaks.get(name, 0) > 0:
                hub.breaks[name] -= 1
                sent = sent[: (start + len(data)) // 2]  # the rest never comes
            self.send_response(206 if self.headers.get("Range") else 200)
            self.send_header("ETag", f'"{etag}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(data) - start))
            self.send_header("Accept-Ranges", "bytes")
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if self.command == "GET":
                for at in range(start, len(sent), 1 << 20):
                    try:
                        self.wfile.write(sent[at : at + (1 << 20)])
                        self.wfile.flush()
                    except OSError:
                        return
                    time.sleep(hub.delay)
                if len(sent) < len(data):
                    self.connection.close()

    return Handler


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    folder = transformers_checkpoint(tmp_path / "published")
    found = Hub({p.name: p.read_bytes() for p in folder.iterdir()})
    # Long enough to be caught in the middle of it: the weights, and after them bytes that safetensors does not read.
    found.files["tokenizer_extra.json"] = os.urandom(40 << 20)
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
        partial = target / "tokenizer_extra.json.partial"
        return partial.stat().st_size if partial.exists() else 0

    while arrived() < 5 << 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (target / "pulled.json").exists()
    assert not (target / "tokenizer_extra.json").exists()
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


SMALL = {
    "config.json": b'{"model_type": "musicgen"}', "model.safetensors": b"weights" * 100_000, "tokenizer.json": b"{}",
    "pytorch_model.bin": b"pickled" * 10, "README.md": b"words", "state_dict.bin": b"audiocraft", "model.fp16.onnx": b"other",
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub of small files that this very process pulls from, into a cache of its own."""
    from huggingface_hub import constants

    found = Hub(dict(SMALL), plain=("config.json", "tokenizer.json"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(found))
    found.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", found.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", found.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    yield found
    server.shutdown()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def resolved(hub: Hub) -> list[str]:
    """Files that were fetched since the last look, in order."""
    names = [p.rsplit("/", 1)[1] for p in hub.asked if "/resolve/" in p]
    hub.asked.clear()
    return names


def test_what_is_published_in_a_format_is_pulled_and_recorded(here: Hub) -> None:
    told: list[tuple[int, int, str]] = []
    target = pull(NAME, progress=lambda *x: told.append(x))
    wanted = ["config.json", "model.safetensors", "tokenizer.json"]  # one format, no pickle where there is better
    assert sorted(p.name for p in target.iterdir()) == sorted([*wanted, "pulled.json"])
    record = json.loads((target / "pulled.json").read_text())
    assert (record["name"], record["commit"], record["licence"]) == (NAME, COMMIT, "see its page")
    assert record["files"] == {n: {"sha256": sha(SMALL[n]), "bytes": len(SMALL[n])} for n in wanted}
    total = sum(len(SMALL[n]) for n in wanted)
    assert {t for _, t, _ in told} == {total}
    assert told[-1] == (total, total, "tokenizer.json")
    assert [d for d, _, _ in told] == sorted(d for d, _, _ in told)
    assert resolved(here) == wanted
    again = pull(NAME)
    assert again == target
    assert resolved(here) == []  # what is there is not fetched again
    (target / "tokenizer.json").write_bytes(b"changed")
    pull(NAME)
    assert resolved(here) == ["tokenizer.json"]
    assert (target / "tokenizer.json").read_bytes() == SMALL["tokenizer.json"]


def test_a_later_pull_asks_for_the_commit_that_is_there(here: Hub) -> None:
    pull(NAME)
    here.asked.clear()
    pull(NAME)
    assert [p for p in here.asked if p.startswith("/api/")] == [f"/api/models/{NAME}/revision/{COMMIT}"]
    here.commit = "d" * 40
    with pytest.raises(ModelError, match=f"{NAME} has no revision '{COMMIT}'"):
        pull(NAME)
    here.files["model.safetensors"] = b"newer" * 1000
    target = pull(NAME, revision="main")
    record = json.loads((target / "pulled.json").read_text())
    assert record["commit"] == "d" * 40
    assert record["files"]["model.safetensors"]["sha256"] == sha(b"newer" * 1000)
    assert (target / "model.safetensors").read_bytes() == b"newer" * 1000


def test_another_format_of_the_same_commit_stands_beside(here: Hub) -> None:
    del here.files["state_dict.bin"]
    with pytest.raises(
        ModelError, match=r"publishes no weights in this format \(state_dict\.bin, compression_state_dict\.bin"
    ):
        pull(NAME, layout="audiocraft")
    here.files |= {"state_dict.bin": b"one", "compression_state_dict.bin": b"two"}
    pull(NAME, layout="audiocraft")
    target = pull(NAME)
    record = json.loads((target / "pulled.json").read_text())
    names = {"state_dict.bin", "compression_state_dict.bin", "config.json", "model.safetensors", "tokenizer.json"}
    assert set(record["files"]) == names
    assert {p.name for p in target.iterdir()} == {*names, "pulled.json"}


def test_pickles_are_taken_where_nothing_else_is_published(here: Hub) -> None:
    del here.files["model.safetensors"]
    assert (pull(NAME) / "pytorch_model.bin").read_bytes() == SMALL["pytorch_model.bin"]
    del here.files["pytorch_model.bin"]
    with pytest.raises(ModelError, match="publishes no weights"):
        pull(NAME)
    # Where audiocraft's format alone is whole, that one is taken unless the other is asked for.
    here.files |= {"state_dict.bin": b"one", "compression_state_dict.bin": b"two"}
    with pytest.raises(ModelError, match="publishes no weights"):
        pull(NAME, layout="transformers")
    assert (pull(NAME) / "compression_state_dict.bin").read_bytes() == b"two"


def test_a_broken_connection_is_taken_up_again(here: Hub) -> None:
    here.breaks = {"model.safetensors": 3}
    target = pull(NAME)
    assert (target / "model.safetensors").read_bytes() == SMALL["model.safetensors"]
    starts = [int(r.removeprefix("bytes=").split("-")[0]) for r in here.ranges]
    assert starts == sorted(starts)
    assert len(starts) == 3
    assert 250_000 < starts[0] <= 350_000  # half of it was there


def test_connections_that_always_break_end_in_one_line_and_keep_what_came(here: Hub, tmp_path: Path) -> None:
    here.breaks = {"model.safetensors": 100}
    with pytest.raises(
        ModelError, match=r"cannot be pulled \(.*\); run again to go on, or take it from a mirror"
    ) as told:
        pull(NAME)
    assert "\n" not in str(told.value)
    target = tmp_path / "cache" / "models" / NAME.replace("/", "--")
    assert (target / "model.safetensors.partial").stat().st_size > 350_000
    assert not (target / "model.safetensors").exists()
    assert not (target / "pulled.json").exists()
    here.breaks = {}
    pull(NAME)
    assert (target / "model.safetensors").read_bytes() == SMALL["model.safetensors"]


def test_a_whole_partial_file_is_only_checked(here: Hub, tmp_path: Path) -> None:
    target = tmp_path / "cache" / "models" / NAME.replace("/", "--")
    target.mkdir(parents=True)
    (target / "model.safetensors.partial").write_bytes(SMALL["model.safetensors"])
    pull(NAME)
    assert (target / "model.safetensors").read_bytes() == SMALL["model.safetensors"]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_small_and_large_files_are_both_checked(here: Hub, tmp_path: Path, name: str) -> None:
    """git's blob hash of small files, SHA-256 of large ones."""
    here.files = {name: SMALL[name], "model.safetensors": SMALL["model.safetensors"]}
    here.tampered = True
    with pytest.raises(ModelError, match=f"{name} is not what was published"):
        pull(NAME)
    target = tmp_path / "cache" / "models" / NAME.replace("/", "--")
    assert not target.exists()  # an empty directory would be taken for the model


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ((404, "RepoNotFound"), f"the hub has no model '{NAME}'; there are: facebook/musicgen-small"),
        ((403, "GatedRepo"), "asks to accept its terms: .*HF_TOKEN"),
        ((500, ""), "cannot be pulled"),
    ],
)
def test_what_the_hub_refuses_is_one_line(
    here: Hub, error: tuple[int, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.error = error
    with pytest.raises(ModelError, match=told) as caught:
        pull(NAME)
    assert "\n" not in str(caught.value)


def test_a_stopped_copy_goes_on_and_a_later_pull_keeps_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = tmp_path / "mirror" / NAME.replace("/", "--")
    mirror.mkdir(parents=True)
    names = ("config.json", "model.safetensors", "tokenizer.json")
    for n in names:
        (mirror / n).write_bytes(SMALL[n])
    record = {"commit": "e" * 40, "files": {"model.safetensors": {"sha256": sha(SMALL["model.safetensors"])}}}
    (mirror / "pulled.json").write_text(json.dumps(record))
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    target = tmp_path / "cache" / "models" / NAME.replace("/", "--")
    target.mkdir(parents=True)
    (target / "model.safetensors.partial").write_bytes(SMALL["model.safetensors"][:1234])
    told: list[tuple[int, int, str]] = []
    assert pull(NAME, tmp_path / "mirror", progress=lambda *x: told.append(x)) == target
    assert (target / "model.safetensors").read_bytes() == SMALL["model.safetensors"]
    kept = json.loads((target / "pulled.json").read_text())
    assert kept["commit"] == "e" * 40
    assert kept["files"] == {n: {"sha256": sha(SMALL[n]), "bytes": len(SMALL[n])} for n in names}
    total = sum(len(SMALL[n]) for n in names)
    assert told[-1] == (total, total, "tokenizer.json")
    assert {p.name for p in target.iterdir()} == {*names, "pulled.json"}


@pytest.mark.parametrize(
    "folder",
    [NAME, NAME.replace("/", "--"), NAME.split("/")[1], ".", f"models--{NAME.replace('/', '--')}/snapshots/{COMMIT}"],
)
def test_a_mirror_may_lie_by_any_of_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    (tmp_path / "mirror" / folder).mkdir(parents=True)
    for n in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / "mirror" / folder / n).write_bytes(SMALL[n])
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    target = pull(NAME, tmp_path / "mirror")
    assert (target / "model.safetensors").read_bytes() == SMALL["model.safetensors"]
    assert json.loads((target / "pulled.json").read_text())["commit"] == "unknown"


def test_releases_say_what_for_and_under_which_licence() -> None:
    """facts of the models' cards: MusicGen is CC-BY-NC, T5 and Mistral Apache-2.0."""
    from models.pull import RELEASES

    assert all(name == r.repository for name, r in RELEASES.items())
    for name, r in RELEASES.items():
        assert ("BY-NC" in r.licence) == any(w in name for w in ("musicgen", "encodec_32khz", "MERT")), name
        assert r.megabytes > 50


@pytest.mark.parametrize(("size", "whole"), [(None, True), (5, True), (4, False), (6, False)])
def test_a_file_of_which_the_hub_tells_no_hash_is_known_by_its_size(
    tmp_path: Path, size: int | None, whole: bool
) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"12345")
    assert _is_published(path, SimpleNamespace(lfs=None, blob_id=None, size=size)) is whole


@pytest.mark.parametrize(("said", "whole"), [("9dc5bb1e0e1dd3f2d4f5d2a1a1f4d2bb11a6c6ac", False), (None, True)])
def test_a_small_file_is_known_by_gits_hash(tmp_path: Path, said: str | None, whole: bool) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"12345")
    own = subprocess.run(["git", "hash-object", str(path)], capture_output=True, text=True, check=True).stdout.strip()
    assert _is_published(path, SimpleNamespace(lfs=None, blob_id=said or own, size=None)) is whole
