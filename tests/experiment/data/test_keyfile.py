"""The key file: for its owner alone, encrypted where asked, nothing left of a contact that was deleted."""

from __future__ import annotations

import base64
import errno
import json
import os
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from experiment.data.erasure import carry_out, key_step
from experiment.data.keyfile import KeyFile
from experiment.data.store import Store
from experiment.data.tables import Place
from experiment.data.withdrawal import withdraw
from experiment.errors import ExperimentError
from tests.conftest import ROOT
from tests.experiment.data.rows import sat

CONTACT = "Ada Lovelace, ada@example.org"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def contacts(path: Path, passphrase: str) -> dict[str, str]:
    """What an encrypted file holds, read by the description in the guide: scrypt of the passphrase, then Fernet."""
    import hashlib

    from cryptography.fernet import Fernet

    head, salt, token = path.read_bytes().split(b"\n")
    assert head == b"tastelab-key-1"
    key = hashlib.scrypt(
        passphrase.encode(), salt=base64.b64decode(salt), n=32768, r=8, p=1, dklen=32, maxmem=64 * 2**20
    )
    return json.loads(Fernet(base64.urlsafe_b64encode(key)).decrypt(token))["contacts"]


def test_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "participants.key"
    old = os.umask(0)
    try:
        KeyFile(path).add("P01", CONTACT)
        assert mode(path) == 0o600
        KeyFile(path).encrypt("correct horse")
        assert mode(path) == 0o600
    finally:
        os.umask(old)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".participants.key.lock", "participants.key"]


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o644, 0o660, 0o602, 0o610])
def test_a_file_that_others_can_reach_is_not_used(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "participants.key"
    KeyFile(path).add("P01", CONTACT)
    path.chmod(bits)
    with pytest.raises(ExperimentError, match=f"chmod 600 {path}"):
        KeyFile(path)
    path.chmod(0o600)
    assert KeyFile(path).show("P01") == CONTACT
    path.chmod(0o400)
    assert KeyFile(path).show("P01") == CONTACT


def test_contacts_are_added_shown_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "participants.key"
    keys = KeyFile(path)
    keys.add("P01", CONTACT)
    keys.add("P02", "Bruno, 055 1234")
    with pytest.raises(ExperimentError, match=r"code P01 is in .* already"):
        KeyFile(path).add("P01", "Eve")
    assert json.loads(path.read_text())["contacts"] == {"P01": CONTACT, "P02": "Bruno, 055 1234"}
    with pytest.raises(ExperimentError, match="P03 is not in"):
        keys.show("P03")
    assert not keys.remove("P03")
    assert keys.remove("P01")
    assert not keys.remove("P01")
    assert b"Ada" not in path.read_bytes()
    assert json.loads(path.read_text())["contacts"] == {"P02": "Bruno, 055 1234"}
    assert KeyFile(path).show("P02") == "Bruno, 055 1234"


def test_encrypted_it_is_what_the_guide_says(tmp_path: Path) -> None:
    path = tmp_path / "participants.key"
    KeyFile(path).add("P01", CONTACT)
    KeyFile(path).encrypt("correct horse")
    assert b"Ada" not in path.read_bytes()
    assert contacts(path, "correct horse") == {"P01": CONTACT}
    opened = KeyFile(path, "correct horse")
    assert opened.show("P01") == CONTACT
    opened.add("P02", "Bruno")
    assert contacts(path, "correct horse") == {"P01": CONTACT, "P02": "Bruno"}
    opened.encrypt("battery staple")
    assert contacts(path, "battery staple") == {"P01": CONTACT, "P02": "Bruno"}
    with pytest.raises(ExperimentError, match="passphrase is wrong"):
        KeyFile(path, "correct horse")
    with pytest.raises(ExperimentError, match="is encrypted; give its passphrase"):
        KeyFile(path)


def test_each_writing_has_a_salt_of_its_own(tmp_path: Path) -> None:
    """One salt for all would let one table of guesses open every laboratory's file."""
    salts = set()
    for name in "abc":
        keys = KeyFile(tmp_path / name, "same")
        for code in ("P01", "P02"):
            keys.add(code, CONTACT)
            salt = base64.b64decode((tmp_path / name).read_bytes().split(b"\n")[1])
            assert len(salt) >= 16
            salts.add(salt)
    assert len(salts) == 6


def test_a_new_file_is_encrypted_where_a_passphrase_is_given(tmp_path: Path) -> None:
    path = tmp_path / "participants.key"
    KeyFile(path, "x").add("P01", CONTACT)
    assert contacts(path, "x") == {"P01": CONTACT}


def test_a_file_that_was_changed_or_is_none(tmp_path: Path) -> None:
    path = tmp_path / "participants.key"
    KeyFile(path).add("P01", CONTACT)
    with pytest.raises(ExperimentError, match="is not encrypted"):
        KeyFile(path, "x")
    KeyFile(path).encrypt("x")
    data = path.read_bytes()
    path.write_bytes(data[:-5] + bytes([data[-5] ^ 1]) + data[-4:])
    with pytest.raises(ExperimentError, match="was changed"):
        KeyFile(path, "x")
    for nothing in (b"", b"{}", b"[]", b'{"contacts": 3}', b"\xff"):
        path.write_bytes(nothing)
        with pytest.raises(ExperimentError, match="is not a key file"):
            KeyFile(path)


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "participants.key"
    keys = KeyFile(path)
    keys.add("P01", CONTACT)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        keys.add("P02", "Bruno")
    monkeypatch.undo()
    assert KeyFile(path).contacts == {"P01": CONTACT}


def test_two_who_add_at_once_lose_nothing(tmp_path: Path) -> None:
    """Both read the file before either writes; codes that mean the same are one, whoever wrote it."""
    path = tmp_path / "participants.key"
    KeyFile(path).add("P0", CONTACT)
    both = [KeyFile(path) for _ in range(2)]
    both[0].add("P1", "Ada")
    both[1].add("P2", "Bruno")
    assert KeyFile(path).contacts == {"P0": CONTACT, "P1": "Ada", "P2": "Bruno"}
    for alike in ("p01", "Ｐ1"):
        with pytest.raises(ExperimentError, match=r"is in .* already \(as P1\)"):
            both[1].add(alike, "Eve")
        assert KeyFile(path).show(alike) == "Ada"
    assert both[0].remove("p002")
    assert KeyFile(path).contacts == {"P0": CONTACT, "P1": "Ada"}


def test_who_writes_is_waited_for(tmp_path: Path) -> None:
    """Eight processes add a contact each, all at once."""
    path = tmp_path / "participants.key"
    children = []
    for k in range(8):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                KeyFile(path).add(f"P{k}", f"person {k}")
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) for c in children] == [0] * 8
    assert KeyFile(path).contacts == {f"P{k}": f"person {k}" for k in range(8)}


KILLED = """
import os
from pathlib import Path
from experiment.data import keyfile
keyfile.os.replace = lambda *_: os._exit(9)
keyfile.KeyFile(Path("participants.key")).add("P002", "Ada Lovelace, ada@example.org")
"""


def hold(folder: Path) -> list[str]:
    """Files in which the contact can be read."""
    return [p.name for p in folder.iterdir() if CONTACT.encode() in p.read_bytes()]


@pytest.mark.parametrize("what", ["remove", "encrypt", "withdraw"])
def test_what_a_killed_one_left_goes_with_the_contact(tmp_path: Path, what: str) -> None:
    path = tmp_path / "participants.key"
    KeyFile(path).add("P001", "Bruno")
    there = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(ROOT)}}
    assert subprocess.run([sys.executable, "-c", KILLED], check=False, **there).returncode == 9
    assert len(hold(tmp_path)) == 1
    if what == "remove":
        assert not KeyFile(path).remove("P002")
    elif what == "encrypt":
        KeyFile(path).encrypt("horse")
    else:
        with closing(Store(f"sqlite:///{tmp_path / 'p.db'}")) as store:
            sat(store, "P002")
            place = Place(kind="key", path=str(path), machine=None)
            number = withdraw(store, "P002", None, [place]).tombstone
            assert [told.done for told in carry_out(store, {"key": key_step(None)}, number)] == [True]
    assert hold(tmp_path) == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_who_can_not_write_it_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "participants.key"
    KeyFile(path).add("P001", "Bruno")

    def broken(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("experiment.data.keyfile.os.fsync", broken)
        with pytest.raises(type(error)):
            KeyFile(path).add("P002", CONTACT)
    assert hold(tmp_path) == []
    assert KeyFile(path).contacts == {"P001": "Bruno"}


def test_where_nothing_was_left_a_look_takes_no_lock(tmp_path: Path) -> None:
    """A key file on a medium that can only be read is looked into."""
    path = tmp_path / "k"
    KeyFile(path).add("a", "Ada")
    before = {p.name for p in tmp_path.iterdir()}
    for p in tmp_path.glob("*lock*"):
        p.unlink()
    left = {p.name for p in tmp_path.iterdir()}
    KeyFile(path).sweep()
    assert {p.name for p in tmp_path.iterdir()} == left
    (tmp_path / ".k.7.partial").write_text("Ada")
    KeyFile(path).sweep()
    assert {p.name for p in tmp_path.iterdir()} <= before
