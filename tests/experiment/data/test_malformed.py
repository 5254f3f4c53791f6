"""Whatever is typed, dropped in or pasted: one line of complaint or a right result; no traceback, no partial write."""

from __future__ import annotations

import json
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select

from experiment import answering
from experiment.bots.effects import DEFAULT, load_effects
from experiment.data.codes import same
from experiment.data.exports.write import export
from experiment.data.keyfile import KeyFile
from experiment.data.store import Store
from experiment.data.tables import Participant, Response, SessionRow, Trial
from experiment.data.tombstones import MARKER, entry, read_marker
from experiment.errors import ExperimentError
from experiment.launch import Prepared, check_code
from experiment.question import Answer, Question
from experiment.steps import Ask
from tastelab.errors import UserError
from tastelab.study import load_study
from tests.conftest import ROOT
from tests.experiment.data.malformed import begin, counts, each, many, nasty, one_line

STUDY = (ROOT / "study.toml").read_text(encoding="utf-8")


@many
@given(data=st.data())
def test_study_files(data: st.DataObject) -> None:
    """Lines of a good file replaced, doubled, cut, or with another value."""
    lines = STUDY.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        i = data.draw(st.integers(0, len(lines) - 1))
        how = data.draw(st.sampled_from(["replace", "double", "drop", "value", "cut"]))
        if how == "replace":
            lines[i] = data.draw(nasty)
        elif how == "double":
            lines.insert(i, lines[i])
        elif how == "drop":
            lines[i] = ""
        elif how == "cut":
            lines[i] = lines[i][: data.draw(st.integers(0, 40))]
        elif "=" in lines[i]:
            value = data.draw(
                st.one_of(
                    nasty.map(repr),
                    st.integers().map(str),
                    st.floats().map(str),
                    st.sampled_from(["true", "[]", "{}", "[[1]]"]),
                )
            )
            lines[i] = f"{lines[i].split('=')[0]}= {value}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.toml"
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        try:
            study = load_study(path)
        except UserError as error:
            one_line(error)
            return
        names = [study.name, *(t.name for t in study.stimuli.tastes)]
        assert not any(set(name) & set('/\\\\\x00:*?"<>|') or ".." in name for name in names)


def test_codes(world: Prepared) -> None:
    """What is no code is refused; what is one begins a session, unless somebody has it already."""

    def check(code: str) -> str:
        before = counts(world.store)
        try:
            check_code(code)
        except ExperimentError as error:
            one_line(error)
            return "no code"
        assert 1 <= len(code) <= 40
        assert code[0].isalnum()
        assert not set(code) & set(" /\\:;'\"%{}<>|*?\x00\n")
        try:
            begin(world, code)
        except ExperimentError as error:
            one_line(error)
            assert counts(world.store) == before
            return "taken"
        with world.store.transaction() as s:
            person = s.scalar(select(Participant).where(Participant.code == code))
            assert person is not None
            s.execute(delete(SessionRow).where(SessionRow.participant_id == person.id))
            s.execute(delete(Participant).where(Participant.id == person.id))
        assert counts(world.store) == before
        return "begun"

    likely = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,39}", fullmatch=True)
    met = each(
        {
            "any": nasty,
            "likely": likely.filter(lambda x: x != "first"),
            "long": likely.map(lambda x: x * 41),
            "marked": likely.map(lambda x: f"-{x}"),
            "there": st.just("first"),
        },
        check,
    )
    assert met["any"]["no code"] > 0
    assert set(met["likely"]) == {"begun"}
    assert set(met["long"]) == set(met["marked"]) == {"no code"}
    assert set(met["there"]) == {"taken"}


@many
@given(item=nasty, choice=st.none() | nasty, value=st.none() | st.floats(allow_nan=False))
def test_answers_are_stored_as_they_are(world: Prepared, item: str, choice: str | None, value: float | None) -> None:
    """SQL in an answer is an answer."""
    before = counts(world.store)
    with world.store.transaction() as s:
        session = s.scalars(select(Trial.session_id).limit(1)).one()
    stored = answering.read(world.store, session)
    step = Ask("ask", stored.plan[0], Question(item, "text", item), (0, 1))
    answering.answered(world.store, stored, step, Answer(value, choice), world.config, 0.0)
    with world.store.transaction() as s:
        row = s.scalars(select(Response)).one()
        assert (row.item, row.value, row.choice) == (item, value, choice)
        s.delete(row)
    assert counts(world.store) == before


def test_database_urls(tmp_path: Path) -> None:
    """Text that is no URL, other databases, folders and servers that are not there: each is refused in one line."""
    (tmp_path / "text.db").write_text("no database" * 50)
    reasons = (
        "is not a database URL",
        "keeps its data in SQLite",
        "does not exist",
        "not a database",
        "did not come back",
    )

    def check(url: str) -> str:
        with pytest.raises(ExperimentError) as told:
            Store(url, wait=0.01)
        one_line(told.value)
        assert "hidden" not in str(told.value)
        return next((x for x in reasons if x in str(told.value)), str(told.value))

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]  # bound, and nobody listens
        name = st.text("abcXYZ019_-", min_size=1, max_size=12)
        met = each(
            {
                "any": nasty.filter(lambda x: not x.startswith(("sqlite", "postgresql"))),
                "other": st.tuples(st.sampled_from(["mysql", "oracle", "mssql", "mariadb"]), name).map(
                    lambda x: f"{x[0]}://u:hidden@h/{x[1]}"
                ),
                "folder": name.map(lambda x: f"sqlite:///{tmp_path}/{x}/p.db"),
                "text": st.just(f"sqlite:///{tmp_path}/text.db"),
                "server": name.map(lambda x: f"postgresql://u:hidden@127.0.0.1:{closed}/{x}"),
            },
            check,
        )
    assert "is not a database URL" in met.pop("any")
    assert [set(x) for x in met.values()] == [{x} for x in reasons[1:]]


@many
@given(format=nasty.filter(lambda x: x not in ("csv", "psychds", "bids", "psychopy")))
def test_export_formats(world: Prepared, format: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with pytest.raises(ExperimentError):
            export(world.store, "s", format, Path(folder) / "export")
        assert list(Path(folder).iterdir()) == []


def test_key_files() -> None:
    """Bytes, JSON of other shapes, encrypted files cut and bent: refused in one line, or read as they are."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "participants.key"
        KeyFile(path, "x").add("P01", "Ada")
        good = path.read_bytes()
    reasons = ("is not a key file", "is encrypted; give", "the passphrase is wrong", "is not encrypted")

    def check(given: tuple[bytes, str | None]) -> str:
        raw, passphrase = given
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "participants.key"
            path.write_bytes(raw)
            path.chmod(0o600)
            try:
                found = KeyFile(path, passphrase).contacts
            except ExperimentError as error:
                one_line(error)
                return next(x for x in reasons if x in str(error))
            finally:
                assert path.read_bytes() == raw
        assert found == ({"P01": "Ada"} if passphrase else {k: str(v) for k, v in json.loads(raw)["contacts"].items()})
        return "read"

    def under(passphrase: str | None, raw: st.SearchStrategy[bytes]) -> st.SearchStrategy[tuple[bytes, str | None]]:
        return raw.map(lambda x: (x, passphrase))

    values = st.recursive(
        st.none() | st.integers() | nasty, lambda x: st.lists(x, max_size=3) | st.dictionaries(nasty, x, max_size=3)
    )
    contacts = st.dictionaries(nasty, nasty, max_size=4).map(lambda x: json.dumps({"contacts": x}).encode())
    shapes = st.one_of(values, st.builds(lambda x: {"contacts": x}, values.filter(lambda x: not isinstance(x, dict))))
    bent = st.tuples(st.integers(15, len(good) - 1), st.integers(1, 127)).map(
        lambda x: good[: x[0]] + bytes([good[x[0]] ^ x[1]]) + good[x[0] + 1 :]
    )
    plain = st.binary(max_size=300).filter(lambda x: not x.startswith(b"tastelab-key-1"))
    met = each(
        {
            "plain": under(None, plain),
            "shapes": under(None, shapes.map(lambda x: json.dumps(x).encode())),
            "contacts": under(None, contacts),
            "unasked": under("x", plain),
            "untold": under(None, st.just(good)),
            "good": under("x", st.just(good)),
            "other": under("y", st.just(good)),
            "cut": under("x", st.integers(15, len(good) - 2).map(lambda n: good[:n])),
            "bent": under("x", bent),
        },
        check,
    )
    wrong, refused, encrypted = {"the passphrase is wrong"}, {"is not a key file"}, {"is encrypted; give"}
    assert set(met["plain"]) == set(met["shapes"]) == refused
    assert set(met["contacts"]) == set(met["good"]) == {"read"}
    assert set(met["unasked"]) == {"is not encrypted"}
    assert set(met["untold"]) == encrypted
    assert set(met["other"]) == set(met["cut"]) == wrong
    assert "the passphrase is wrong" in met["bent"]


def test_effects_files(tmp_path: Path) -> None:
    """Lines of the shipped file with other values, replaced, cut: read, or refused in one line."""
    good = DEFAULT.read_text(encoding="utf-8").splitlines()
    path = tmp_path / "effects.toml"

    def check(lines: list[str]) -> str:
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        try:
            found = load_effects(path)
        except ExperimentError as error:
            one_line(error)
            return "refused"
        assert found.preference.residual_sd > 0
        assert 0 <= found.preference.careless <= 1
        return "read"

    def changed(values: st.SearchStrategy[str], whole: bool = False) -> st.SearchStrategy[list[str]]:
        ends = ("low = ", "high = ")  # of a scale: whole numbers, one over the other
        places = [
            i
            for i, line in enumerate(good)
            if whole or (line.split(" = ")[-1].replace(".", "").isdigit() and not line.startswith(ends))
        ]
        return st.tuples(st.sampled_from(places), values).map(
            lambda x: [*good[: x[0]], x[1] if whole else f"{good[x[0]].split('=')[0]}= {x[1]}", *good[x[0] + 1 :]]
        )

    met = each(
        {
            "numbers": changed(st.floats(0.01, 1).map(str)),
            "negative": changed(st.floats(-100, -0.01).map(str)),
            "words": changed(st.sampled_from(['"x"', "[]", "{}", "[[1]]", "2026-01-01"])),
            "lines": changed(nasty, whole=True),
            "any": st.lists(nasty, max_size=5),
        },
        check,
    )
    assert set(met["numbers"]) == {"read"}
    assert "refused" in met["negative"]
    assert set(met["words"]) == {"refused"}
    assert "refused" in met["lines"]
    assert set(met["any"]) == {"refused"}


def test_withdrawal_markers(tmp_path: Path) -> None:
    """Whatever stands between them, the lines of people who are there are found, hashed too, and nobody else is meant."""
    hashed = entry("s", "C")
    named = {
        "2026-01-01 A": "A",
        "2026-01-01 B": "B",
        "2026-01-01  C ": "C",
        "2026-01-01 a": "A",
        f"2026-01-01 s {hashed.key} {hashed.digest}": "C",
        f"2026-01-01 other {hashed.key} {hashed.digest}": "",
        "A": "",
        "2026-01-01A": "",
    }
    other = nasty.filter(lambda x: not any(same(w) in ("a", "b", "c") for line in x.splitlines() for w in line.split()))

    def check(lines: list[str]) -> str:
        (tmp_path / MARKER).write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        expected = {named[line] for line in lines if named.get(line)}
        for _ in range(2):  # as it was found, and as it was written anew
            entries = read_marker(tmp_path)
            assert {code for code in ("A", "B", "C") if any(e.means("s", code) for e in entries)} == expected
        return str(len(expected))

    marked = st.sampled_from(sorted(named))
    met = each(
        {
            "others": st.lists(other, max_size=5),
            "one": st.lists(other, max_size=3).map(lambda x: [*x, "2026-01-01 B", *x]),
            "several": st.lists(other | marked, max_size=8).map(lambda x: ["2026-01-01 A", *x, "2026-01-01  C "]),
        },
        check,
    )
    assert (set(met["others"]), set(met["one"])) == ({"0"}, {"1"})
    assert set(met["several"]) <= {"2", "3"}
