"""Scripts of others come from the archive that is named, or not at all."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from benchmarks.npm import member


def test_a_file_of_the_archive_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.tgz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("package/x.js")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"a = 1"))
    told = f"openssl dgst -sha512 -binary {path} | openssl base64 -A"
    sha512 = subprocess.run(["sh", "-c", told], check=True, capture_output=True, text=True).stdout
    assert member(path.as_uri(), sha512, "package/x.js") == b"a = 1"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(SystemExit, match="is not what it was"):
        member(path.as_uri(), sha512, "package/x.js")
