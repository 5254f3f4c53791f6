"""The key file: which code is whom. Apart from the database, for its owner's eyes only, optionally encrypted.

Encrypted with a passphrase it is a Fernet token (AES-128-CBC with HMAC-SHA-256, the package ``cryptography``) under a key
that scrypt derives from the passphrase (n = 2**15, r = 8, p = 1, a new salt at each writing).
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiment.data.codes import same
from experiment.data.private import locked
from experiment.errors import ExperimentError

DEFAULT = Path("participants.key")
MAGIC = b"tastelab-key-1\n"


class KeyFile:
    """Contacts by code, written anew at each change.

    Parameters
    ----------
    passphrase : str or None
        Needed where the file is encrypted; a new file is encrypted where one is given.
    """

    def __init__(self, path: Path = DEFAULT, passphrase: str | None = None):
        self.path, self.passphrase = path, passphrase
        self.contacts: dict[str, str] = self._read() if path.exists() else {}

    @contextmanager
    def _anew(self) -> Iterator[None]:
        """Nobody else writes meanwhile, and what others wrote since is read; what was changed is written at the end."""
        with locked(self.path):
            self._sweep()
            self.contacts = self._read() if self.path.exists() else {}
            before = dict(self.contacts)
            yield
            if self.contacts != before:
                self._write()

    def _written(self, code: str) -> str | None:
        """How a code stands in the file; none where it does not."""
        if code in self.contacts:
            return code
        return next((c for c in self.contacts if same(c) == same(code)), None)

    def _read(self) -> dict[str, str]:
        if os.name == "posix" and stat.S_IMODE(self.path.stat().st_mode) & 0o077:
            raise ExperimentError(
                f"key file {self.path} can be read by others; run 'chmod 600 {self.path}' and ask who did"
            )
        data = self.path.read_bytes()
        if data.startswith(MAGIC):
            if self.passphrase is None:
                raise ExperimentError(f"key file {self.path} is encrypted; give its passphrase (--passphrase)")
            from cryptography.fernet import Fernet, InvalidToken

            salt, _, token = data[len(MAGIC) :].partition(b"\n")
            try:
                data = Fernet(_derive(self.passphrase, base64.b64decode(salt, validate=True))).decrypt(token)
            except (InvalidToken, ValueError):
                raise ExperimentError(
                    f"key file {self.path}: the passphrase is wrong, or the file was changed"
                ) from None
        elif self.passphrase is not None:
            raise ExperimentError(
                f"key file {self.path} is not encrypted; leave the passphrase out, or encrypt it first"
            )
        try:
            found = json.loads(data)
            return {str(k): str(v) for k, v in found["contacts"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ExperimentError(f"{self.path} is not a key file of tastelab") from None

    def _write(self) -> None:
        data = json.dumps({"contacts": self.contacts}, ensure_ascii=False, indent=1).encode()
        if self.passphrase is not None:
            from cryptography.fernet import Fernet

            salt = os.urandom(16)
            data = MAGIC + base64.b64encode(salt) + b"\n" + Fernet(_derive(self.passphrase, salt)).encrypt(data)
        partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        except BaseException:  # a full disk, Ctrl-C: contacts lie nowhere else
            partial.unlink(missing_ok=True)
            raise

    def _sweep(self) -> None:
        """Delete what whoever was killed while writing left: it holds contacts too. Only who holds the lock writes."""
        for path in self._left():
            path.unlink(missing_ok=True)

    def _left(self) -> list[Path]:
        name = re.compile(rf"\.{re.escape(self.path.name)}\.\d+\.partial")
        return [path for path in self.path.parent.iterdir() if name.fullmatch(path.name)]

    def sweep(self) -> None:
        """Delete what whoever was killed while writing the file left beside it."""
        if self._left():  # a medium that can only be read takes no lock either
            with locked(self.path):
                self._sweep()

    def add(self, code: str, contact: str) -> None:
        """Enter a contact; a code that is there already, however it is written, is refused."""
        with self._anew():
            there = self._written(code)
            if there is not None:
                alike = "" if there == code else f" (as {there})"
                raise ExperimentError(f"code {code} is in {self.path} already{alike}; choose another code")
            self.contacts[code] = contact

    def show(self, code: str) -> str:
        """The contact of a code."""
        there = self._written(code)
        if there is None:
            raise ExperimentError(f"code {code} is not in {self.path}")
        return self.contacts[there]

    def remove(self, code: str) -> bool:
        """Delete a contact; returns whether there was one."""
        with self._anew():
            there = self._written(code)
            if there is not None:
                del self.contacts[there]
        return there is not None

    def encrypt(self, passphrase: str) -> None:
        """Write the file anew under a (new) passphrase."""
        with locked(self.path):
            self._sweep()
            self.contacts = self._read() if self.path.exists() else {}
            self.passphrase = passphrase
            self._write()


def _derive(passphrase: str, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return base64.urlsafe_b64encode(Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode()))
