"""librosa, whose compiled functions are made by one process before any other uses them.

numba keeps what it compiled beside librosa, or in the user's cache, without a lock. Where two processes compile at the same
moment, one's functions come to call the other's by names that are not there, and from then on every process that loads them
is killed by a segmentation fault: a fresh machine on which two commands are begun at once stays broken.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from models.errors import ModelError

# Everything that our code calls of librosa and that is compiled, on both widths of numbers.
CALLS = """
import librosa, numpy as np
for kind in (np.float32, np.float64):
    y = np.random.default_rng(0).standard_normal(22050).astype(kind)
    strength = librosa.onset.onset_strength(y=y, sr=22050)
    librosa.feature.tempo(onset_envelope=strength, sr=22050)
    librosa.onset.onset_detect(onset_envelope=strength, sr=22050)
    librosa.cqt(y, sr=22050, n_bins=84)
    librosa.feature.chroma_cqt(y=y, sr=22050, bins_per_octave=36)
    librosa.feature.chroma_stft(y=y, sr=22050)
    librosa.feature.spectral_centroid(y=y, sr=22050)
    librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=22050))
    librosa.resample(y, orig_sr=22050, target_sr=16000)
"""


@lru_cache(maxsize=1)
def librosa() -> Any:
    """The module, ready to be used by many processes and threads; all of our code takes it from here.

    Raises
    ------
    ModelError
        If its functions can't be compiled.
    """
    import librosa as module

    package = Path(module.__file__).parent
    # Lock and stamp lie where the functions are kept: whoever uses the same functions, whatever cache is theirs, meets them.
    place = _kept(package)
    place.mkdir(parents=True, exist_ok=True)
    stamp = place / f"tastelab-compiled-{_installation(Path(module.__file__))}"
    if not _tried(stamp, package):
        from filelock import FileLock

        with FileLock(f"{stamp}.lock"):
            if not _tried(stamp, package):
                prepare(package)
                stamp.write_text(_state(package), encoding="utf-8")
    return module


def _tried(stamp: Path, package: Path) -> bool:
    """Whether what is kept now is what was tried: others may have compiled meanwhile without asking."""
    return stamp.exists() and stamp.read_text(encoding="utf-8") == _state(package)


def _state(package: Path) -> str:
    """Names and times of all kept functions."""
    files = sorted(_kept(package).rglob("*.nb[ic]"))
    return "\n".join(f"{p} {p.stat().st_mtime_ns}" for p in files if p.exists())


def prepare(package: Path) -> None:
    """Compile in a process of its own; functions that an earlier mishap left unusable are made anew.

    Raises
    ------
    ModelError
        If it fails even so.
    """
    if _called() == 0:
        return
    for kept in list(_kept(package).rglob("*.nb[ic]")):
        kept.unlink(missing_ok=True)
    status = _called()
    if status != 0:
        raise ModelError(
            f"librosa's functions can't be compiled by numba (status {status}); try: python -c 'import librosa'"
        )


def _called() -> int:
    # -P: what lies in the user's directory is not librosa.
    return subprocess.run([sys.executable, "-P", "-c", CALLS], capture_output=True, check=False).returncode


def _kept(package: Path) -> Path:
    """The one place where numba keeps what it compiled, as it looks for it itself.

    Where it is told to; else beside the code; else, where nobody may write there, in the user's cache.
    """
    told = os.environ.get("NUMBA_CACHE_DIR")
    if told:
        return Path(told)
    if os.access(package, os.W_OK):
        return package
    from numba.misc.appdirs import AppDirs

    return Path(AppDirs(appname="numba", appauthor=False).user_cache_dir)


def _installation(file: Path) -> str:
    """What compiled functions are good for: this installation of librosa, this numba, this processor."""
    from importlib.metadata import version

    what = (
        str(file),
        file.stat().st_ctime_ns,
        version("numba"),
        platform.processor(),
        os.environ.get("NUMBA_CACHE_DIR"),
    )
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]
