"""Several processes on a machine where nothing is compiled yet: none is killed, then or later."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models import compiled
from models.errors import ModelError
from tests.conftest import ROOT

USE = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from stimuli.features import acoustic_features
sounds = [np.random.default_rng(i).standard_normal(32000).astype("f") for i in range(4)]
with ThreadPoolExecutor(2) as pool:
    print([round(f["onset_rate"], 3) for f in pool.map(lambda y: acoustic_features(y, 32000), sounds)])
"""


def environment(folder: Path) -> dict[str, str]:
    kept = {"NUMBA_CACHE_DIR": str(folder / "numba"), "TASTELAB_CACHE": str(folder / "ours"), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **kept, "PYTHONPATH": str(ROOT)}


@pytest.mark.slow
def test_two_processes_at_once_on_a_fresh_machine(tmp_path: Path) -> None:
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", USE],
            env=environment(tmp_path),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    said = [(p.communicate(), p.returncode) for p in begun]
    assert [status for _, status in said] == [0, 0], [err for (_, err), _ in said]
    assert len({out for (out, _), _ in said}) == 1
    later = subprocess.run([sys.executable, "-c", USE], env=environment(tmp_path), text=True, capture_output=True)
    assert (later.returncode, later.stdout) == (0, said[0][0][0])


def test_it_is_compiled_once_and_mended_where_it_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    broken = tmp_path / "numba" / "deep" / "guf-utils.x.nbi"
    broken.parent.mkdir(parents=True)
    broken.touch()
    other = broken.with_name("notes.txt")
    other.touch()
    ran: list[int] = []

    def called() -> int:
        ran.append(-11 if broken.exists() else 0)
        return ran[-1]

    monkeypatch.setattr(compiled, "_called", called)
    compiled.librosa.cache_clear()
    try:
        assert compiled.librosa().__name__ == "librosa"
        compiled.librosa.cache_clear()
        compiled.librosa()  # another process
    finally:
        compiled.librosa.cache_clear()
    assert ran == [-11, 0]
    assert other.exists()
    # What somebody else compiled meanwhile is tried before it is used, and goes where it is broken.
    broken.touch()
    try:
        compiled.librosa()
    finally:
        compiled.librosa.cache_clear()
    assert ran == [-11, 0, -11, 0]
    assert not broken.exists()
    monkeypatch.setattr(compiled, "_called", lambda: 1)
    with pytest.raises(ModelError, match=r"can't be compiled by numba \(status 1\)"):
        compiled.prepare(tmp_path)


def test_they_are_compiled_once_for_all_caches_that_share_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people, or two copies of the product, with one installation of librosa: one lock, where the functions are kept."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    ran: list[str] = []

    def called() -> int:
        (lock,) = (tmp_path / "numba").glob("*.lock")
        ran.append(lock.name)
        return 0

    monkeypatch.setattr(compiled, "_called", called)
    for cache in ("one", "two"):
        monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / cache))
        compiled.librosa.cache_clear()
        try:
            compiled.librosa()
        finally:
            compiled.librosa.cache_clear()
    assert len(ran) == 1


def test_where_numba_may_not_write_beside_the_code_it_is_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compiled._kept(tmp_path) == tmp_path
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert compiled._kept(tmp_path / "package") == tmp_path / "numba"


def test_all_of_our_code_takes_it_from_there() -> None:
    own = [
        p
        for name in ("models", "stimuli", "analysis", "experiment", "tastelab", "benchmarks")
        for p in (ROOT / name).rglob("*.py")
    ]
    found = [
        str(p.relative_to(ROOT))
        for p in own
        if "import librosa" in p.read_text(encoding="utf-8").replace("import librosa as compiled", "")
    ]
    assert found == ["models/compiled.py"]
