"""Scripts of others that measurements use and the product does not: fetched from npm at a version, refused where the hash differs."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import urllib.request


def member(package: str, sha512: str, path: str) -> bytes:
    """A file of a package.

    Parameters
    ----------
    package : str
        Address of its archive.
    sha512 : str
        As npm says it, in base64.
    path : str
        Where the file lies in the archive.

    Raises
    ------
    SystemExit
        If the archive is not the one that is named.
    """
    with urllib.request.urlopen(package, timeout=60) as found:
        packed = found.read()
    if base64.b64encode(hashlib.sha512(packed).digest()).decode() != sha512:
        raise SystemExit(f"{package} is not what it was")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        file = archive.extractfile(path)
        assert file is not None
        return file.read()
