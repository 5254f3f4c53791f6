"""Files of pg_dump are known by how they begin, in every format that it writes, and a withdrawal waits until they are gone."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from experiment.data.dumps import dumps_in, is_dump
from experiment.data.erasure import carry_out, is_gone, list_of, places_here
from experiment.data.store import Store
from experiment.data.withdrawal import withdraw
from tests.experiment.data.rows import sat
from tests.postgres import Postgres


def dump(server: Postgres, url: str, form: str, to: Path) -> None:
    name = str(make_url(url).database)
    command = [str(server.bin / "pg_dump"), "-h", str(server.folder), "-U", "postgres", "-F", form, "-f", str(to), name]
    subprocess.run(command, check=True)


def test_dumps_of_every_format_are_named_and_waited_for(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = postgres.database(f"t{uuid.uuid4().hex[:12]}")
    store = Store(url)
    sat(store, "A")
    sat(store, "B")
    for form in ("c", "p", "t", "d"):
        dump(postgres, url, form, tmp_path / f"of-{form}")
    (tmp_path / "zipped").write_bytes(gzip.compress((tmp_path / "of-p").read_bytes()))
    for name, content in (
        ("a.gz", b"\x1f\x8bbroken"),
        ("empty", b""),
        ("b.gz", gzip.compress(b"a letter")),
        ("note", b"PGDM"),
    ):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    found = ["of-c", "of-d", "of-p", "of-t", "zipped"]
    assert [p.name for p in dumps_in([tmp_path, tmp_path, tmp_path / "missing"])] == found
    places = places_here(store, "s", tmp_path / "outputs", None, None, no_key=True)
    assert [p.kind for p in places] == ["database", "dumps"]
    number = withdraw(store, "A", None, places).tombstone
    told = {t.kind: t for t in carry_out(store, only=number)}
    assert told["database"].done
    assert not told["dumps"].done
    assert all(str(tmp_path / name) in told["dumps"].words for name in found)
    for name in found:
        path = tmp_path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (again,) = carry_out(store, only=number)
    assert again.done
    assert f"none lies in {tmp_path}" in again.words
    assert list_of(store) == []
    # What is of something else is said to be.
    dump(postgres, url, "c", tmp_path / "of-c")
    number = withdraw(
        store, "B", None, places_here(store, "s", tmp_path / "outputs", None, None, no_key=True)
    ).tombstone
    assert [t.kind for t in carry_out(store, only=number) if not t.done] == ["dumps"]
    is_gone(store, [number], "files of pg_dump")
    assert list_of(store) == []
    store.close()


def test_no_server_no_dumps(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    assert [p.kind for p in places_here(store, "s", tmp_path, None, None, no_key=True)] == ["database"]
    store.close()
    assert not is_dump(tmp_path)
