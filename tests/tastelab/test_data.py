"""tastelab experiment import, export, withdraw, key, backup, restore, replay: what a person sees of them."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

from tests.tastelab.conftest import Lived, call

GONE = "bot-1-0003"


def exports(mine: Lived) -> str:
    """Everything that lies in the folder of exports."""
    return "".join(
        p.read_text(encoding="utf-8") for p in sorted((mine.out / "small" / "export").rglob("*")) if p.is_file()
    )


def participants(mine: Lived) -> set[str]:
    with (mine.out / "small" / "export" / "csv" / "small.csv").open(newline="") as file:
        return {row["participant"] for row in csv.DictReader(file)}


def test_a_withdrawal_reaches_every_place_and_says_so(mine: Lived) -> None:
    """Database, key file, backups, exports; and what it can't reach is named."""
    key, backups = mine.folder / "participants.key", mine.folder / "backups"
    for code, contact in ((GONE, "Ada, ada@example.org"), ("bot-1-0004", "Bruno")):
        assert call("experiment", "key", "add", code, "--contact", contact, "--key", key).status == 0
    assert call("experiment", "backup", "--db", mine.db).status == 0
    for format in ("csv", "bids"):
        assert call("experiment", "export", "--format", format, *mine.where).status == 0
    assert len(participants(mine)) == 24
    assert call("analysis", "freeze", *mine.where).status == 0
    rows = mine.asked("SELECT r.value FROM response r JOIN trial t ON t.id = r.trial_id")
    said = call("experiment", "withdraw", GONE, "--db", mine.db, "--out", mine.out, "--key", key)
    assert said.status == 0
    assert "36 answers of 1 session(s) deleted; a tombstone stays" in said.out
    assert f"{key}: the contact is deleted" in said.out
    assert "deleted from 1 of 1 backups" in said.out
    assert [
        x
        for x in ("csv", "psychds", "bids", "psychopy")
        if f"exported anew: {mine.out / 'small' / 'export' / x}" in said.out
    ] == ["csv", "bids"]
    assert "to be deleted by you" in said.out
    assert str(mine.out / "small" / "snapshots") in said.out
    assert len(mine.asked("SELECT r.value FROM response r JOIN trial t ON t.id = r.trial_id")) == len(rows) - 36
    assert mine.asked(
        "SELECT status FROM session s JOIN participant p ON p.id = s.participant_id WHERE p.code = ?", [GONE]
    ) == [("withdrawn",)]
    assert json.loads(key.read_text())["contacts"] == {"bot-1-0004": "Bruno"}
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    (saved,) = backups.glob("*.db")
    assert (
        call("experiment", "replay", GONE, "--study", mine.study, "--db", f"sqlite:///{saved}").err.count(
            "has withdrawn"
        )
        == 1
    )
    assert len(participants(mine)) == 23
    again = call("experiment", "withdraw", GONE, "--db", mine.db, "--out", mine.out, "--key", key)
    assert (again.status, again.err.count("already withdrawn")) == (2, 1)


def test_an_encrypted_key_file_is_asked_for_before_anything_is_deleted(mine: Lived) -> None:
    key = mine.folder / "participants.key"
    call("experiment", "key", "add", GONE, "--contact", "Ada", "--key", key)
    assert call("experiment", "key", "encrypt", "--new", "horse", "--key", key).status == 0
    before = mine.asked("SELECT count(*) FROM response")
    words = ["experiment", "withdraw", GONE, "--db", mine.db, "--out", mine.out, "--key", key]
    said = call(*words)
    assert (said.status, said.err.count("is encrypted")) == (2, 1)
    assert mine.asked("SELECT count(*) FROM response") == before
    assert call(*words, "--passphrase", "horse").status == 0
    shown = call("experiment", "key", "show", GONE, "--key", key, "--passphrase", "horse")
    assert (shown.status, shown.out) == (2, "")


def test_restoring_leaves_out_who_withdrew_since(mine: Lived, tmp_path: Path) -> None:
    """The copy lay elsewhere when the person withdrew; the folder's marker names the code."""
    far = tmp_path / "far"
    assert call("experiment", "backup", "--db", mine.db, "--folder", far).status == 0
    (saved,) = far.glob("*.db")
    bytes_then = saved.read_bytes()
    assert call("experiment", "backup", "--db", mine.db).status == 0
    call("experiment", "withdraw", GONE, "--db", mine.db, "--out", mine.out, "--key", mine.folder / "none")
    new = tmp_path / "restored.db"
    said = call("experiment", "restore", saved, new, "--marker", mine.folder / "backups")
    assert said.out == f"{new} made; 1 withdrawn since and left out\n"
    there = Lived(tmp_path)
    (tmp_path / "restored.db").rename(there.database)
    codes = {c for (c,) in there.asked("SELECT code FROM participant WHERE withdrawn_at IS NULL")}
    assert GONE not in codes
    assert len(codes) == 23
    assert there.asked("SELECT count(*) FROM response") == mine.asked("SELECT count(*) FROM response")
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name] == []
    assert len(saved.read_bytes()) == len(bytes_then)
    # Nothing is written over, and what is no database of ours is no backup.
    there.database.rename(new)
    said = call("experiment", "restore", saved, new)
    assert (said.status, "exists; name a new file" in said.err) == (2, True)
    said = call("experiment", "restore", tmp_path / "nothing.db", tmp_path / "x.db")
    assert (said.status, "does not exist" in said.err) == (2, True)


def test_an_export_says_how_much_and_warns_of_few(mine: Lived) -> None:
    said = call("experiment", "export", "--format", "psychds", *mine.where)
    # 24 people; of 36 answers each, 3 of special categories stay behind.
    assert f"{24 * 33} answers of 24 participants in {mine.out / 'small' / 'export' / 'psychds'}" in said.out
    assert "before publishing" not in said.out  # they are bots
    assert "bot-1-" not in exports(mine)
    said = call("experiment", "export", "--format", "xml", *mine.where)
    assert (said.status, "csv, psychds, bids, psychopy" in said.err) == (2, True)


def test_an_import_says_what_became_of_each_row(mine: Lived, tmp_path: Path) -> None:
    from tests.experiment.data.surveys import Seen

    rows = [Seen().row("a"), Seen().row("b") | {"age_1": "old"}]
    file = tmp_path / "survey.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    said = call("experiment", "import", "psytoolkit", file, *mine.answers)
    assert (
        said.out
        == "1 people imported with 45 answers, 0 were there already\nline 3 not imported: age is not a number\n"
    )
    said = call("experiment", "import", "psytoolkit", file, *mine.answers)
    assert said.out.startswith("0 people imported with 0 answers, 1 were there already\n")
    said = call("experiment", "import", "qualtrics", file, *mine.answers)
    assert (said.status, "there is: psytoolkit" in said.err) == (2, True)


def test_the_key_file_s_commands(tmp_path: Path) -> None:
    key = tmp_path / "participants.key"
    assert (
        call("experiment", "key", "add", "P01", "--contact", "Ada Byron", "--key", key).out
        == f"code P01 entered in {key}\n"
    )
    assert call("experiment", "key", "show", "P01", "--key", key).out == "Ada Byron\n"
    said = call("experiment", "key", "add", "Ada Lovelace", "--contact", "Ada Byron", "--key", key)
    assert (said.status, "no names, no spaces" in said.err) == (2, True)
    said = call("experiment", "key", "encrypt", "--new", "", "--key", key)
    assert said.status == 2
    assert key.read_bytes().count(b"Ada Byron") == 1
    assert call("experiment", "key", "encrypt", "--new", "horse", "--key", key).status == 0
    assert b"Ada Byron" not in key.read_bytes()
    assert call("experiment", "key", "show", "P01", "--key", key, "--passphrase", "horse").out == "Ada Byron\n"


def test_a_replay_writes_nothing(mine: Lived) -> None:
    before = mine.asked("SELECT count(*), max(id) FROM event") + mine.asked("SELECT count(*), max(id) FROM response")
    said = call("experiment", "replay", GONE, *mine.answers, "--json")
    rows = json.loads(said.out)["tables"]["timeline"]
    given = mine.asked(
        "SELECT r.item FROM response r JOIN trial t ON t.id = r.trial_id JOIN session s ON s.id = t.session_id "
        "JOIN participant p ON p.id = s.participant_id WHERE p.code = ? ORDER BY r.id",
        [GONE],
    )
    assert [(r["what"],) for r in rows if r["time"] is not None] == given
    assert (
        mine.asked("SELECT count(*), max(id) FROM event") + mine.asked("SELECT count(*), max(id) FROM response")
        == before
    )
    assert len(given) == 36
