"""Requests that no browser of ours makes: each is refused in one line with a status from 400 to 499, and nothing is written.

300 of them here; `make evidence` tries 20,000 (`python -m benchmarks.evidence requests`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import strategies as st

from experiment.data.tables import Base
from experiment.launch import Prepared
from experiment.web.application import COOKIE, MOST
from tests.experiment.data.malformed import EXAMPLES, _try, nasty
from tests.experiment.web.test_site import counted, home
from tests.experiment.web.visitor import Visitor, at

__all__ = ["home"]  # a fixture

TRIED = max(300, EXAMPLES)
HEX, STEP = re.compile("[0-9a-f]{32}"), re.compile("[A-Za-z0-9_-]{16}")
Request = tuple[
    str, str, dict[str, str], bytes, str | None
]  # method, address, headers, body, cookie (None: the session's own)


def number(value: Any, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= high


# What each field of a message may be, as docs/online.md has it: whatever is not is wrong.
FIELDS: dict[str, Callable[[Any], bool]] = {
    "tab": lambda v: isinstance(v, str) and bool(HEX.fullmatch(v)),
    "language": lambda v: v is None or (isinstance(v, str) and len(v) <= 10),
    "begin": lambda v: v is None or (isinstance(v, str) and bool(HEX.fullmatch(v))),
    "here": lambda v: isinstance(v, bool),
    "again": lambda v: isinstance(v, bool),
    "step": lambda v: isinstance(v, str) and bool(STEP.fullmatch(v)),
    "turn": lambda v: number(v, 10**6) and not isinstance(v, float),
    "at": lambda v: number(v, 1e7),
    "left": lambda v: v == [],
    "sure": lambda v: v is True,
    "did": lambda v: False,  # what is drawn is never an answer to what is asked
}
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), nasty, st.text(max_size=40),
    st.from_regex(r"[0-9a-f]{30,34}", fullmatch=True),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
DIDS = st.one_of(
    st.dictionaries(
        st.sampled_from(["answer", "answers", "given", "records", "back", "gain_db", "takes_part", "plays", "more"]),
        VALUES, max_size=3,
    ),
    st.fixed_dictionaries({"answer": st.dictionaries(st.sampled_from(["value", "said", "more", "interaction"]), VALUES, max_size=3)}),
    st.fixed_dictionaries({"answer": st.fixed_dictionaries({"chosen": st.lists(st.integers(4, 60), min_size=1, max_size=3)})}),
    st.lists(st.integers(0, 3), max_size=3, unique=True).filter(lambda x: len(x) != 1).map(lambda x: {"answer": {"chosen": x}}),
)  # fmt: skip
HEADERS = {"content-type": "application/json"}


# What was not refused, or not in one line, when it was first drawn.
MET: list[Request] = [
    ("GET", "/sound/%C2%80", {}, b"", None),
    ("GET", "/sound/0%2F", {}, b"", None),
    ("GET", "/lab/", {}, b"", None),
    *[
        ("GET", f"{address}%0A", {}, b"", None)
        for address in ("/", "/lab", "/static/../", "/sound/0", "/p/0", "/static/main.js")
    ],
    ("POST", "/api/withdraw%0A", HEADERS, b'{"sure": true}', None),
    ("POST", "/api/alive%0A", HEADERS, b"{}", None),
    ("POST", "/api/withdraw", HEADERS, b'{"sure": true, "\\u001e": null}', None),
]


def bytes_of(value: Any) -> bytes:
    return json.dumps(value).encode()


def kinds(good: dict[str, dict[str, Any]]) -> dict[str, st.SearchStrategy[Request]]:
    """Kinds of malformed request; `good` is a message that would be taken, by address."""
    addresses = st.sampled_from(sorted(good))

    def changed(address: str) -> st.SearchStrategy[Request]:
        fields = [
            f
            for f in FIELDS
            if f in good[address] or (address == "open" and f in ("begin", "here", "again", "language"))
        ]

        def put(field: str) -> st.SearchStrategy[bytes]:
            wrong = DIDS if field == "did" else VALUES.filter(lambda v: not FIELDS[field](v))
            return wrong.map(lambda v: bytes_of(good[address] | {field: v}))

        return st.sampled_from(fields).flatmap(put).map(lambda body: ("POST", f"/api/{address}", HEADERS, body, None))

    def lacking(address: str) -> st.SearchStrategy[Request]:
        needed = [f for f in good[address] if f not in ("language", "left")]
        return st.sampled_from(needed).map(
            lambda f: ("POST", f"/api/{address}", HEADERS, bytes_of({k: v for k, v in good[address].items() if k != f}), None)
        )  # fmt: skip

    def more(address: str) -> st.SearchStrategy[Request]:
        names = st.text(max_size=12).filter(lambda n: n not in FIELDS)
        return st.tuples(names, VALUES).map(
            lambda x: ("POST", f"/api/{address}", HEADERS, bytes_of(good[address] | {x[0]: x[1]}), None)
        )

    def cut(address: str) -> st.SearchStrategy[Request]:
        whole = bytes_of(good[address])
        return st.integers(0, len(whole) - 1).map(lambda n: ("POST", f"/api/{address}", HEADERS, whole[:n], None))

    foreign = st.sampled_from(
        [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://elsewhere.example"},
         {"origin": "null"}, {"content-type": "text/plain"}, {"content-type": "multipart/form-data"}, {"content-type": ""}]
    )  # fmt: skip
    tokens = st.from_regex(r"[A-Za-z0-9_-]{32}", fullmatch=True) | st.from_regex(r"[!-+\--:<-~]{1,60}", fullmatch=True)
    held = st.sampled_from(sorted(set(good) - {"open"}))
    names = st.text(min_size=1, max_size=30).filter(lambda t: t.strip("./")).map(lambda t: quote(t, safe=""))
    nowhere = st.sampled_from(["/sound/", "/static/", "/p/", "/api/", "/q/", "/static/../", "/static/vendor/../../"])
    ways = st.sampled_from(["GET", "PUT", "DELETE", "PATCH", "HEAD"])
    return {
        "a field": addresses.flatmap(changed),
        "what was done": st.just("did").flatmap(lambda a: DIDS.map(lambda v: ("POST", f"/api/{a}", HEADERS, bytes_of(good[a] | {"did": v}), None))),
        "lacking": addresses.flatmap(lacking),
        "more": addresses.flatmap(more),
        "cut off": addresses.flatmap(cut),
        "no JSON": st.tuples(addresses, st.binary(max_size=300)).map(lambda x: ("POST", f"/api/{x[0]}", HEADERS, x[1], None)),
        "another JSON": st.tuples(addresses, VALUES).map(lambda x: ("POST", f"/api/{x[0]}", HEADERS, bytes_of(x[1]), None)),
        "deep": st.tuples(addresses, st.integers(100, 30_000)).map(
            lambda x: ("POST", f"/api/{x[0]}", HEADERS, b"[" * x[1] + b"]" * x[1], None)
        ),
        "too long": st.tuples(addresses, st.integers(1, 3000)).map(
            lambda x: ("POST", f"/api/{x[0]}", HEADERS, bytes_of(good[x[0]]) + b" " * (MOST + x[1]), None)
        ),
        "from elsewhere": st.tuples(addresses, foreign).map(
            lambda x: ("POST", f"/api/{x[0]}", HEADERS | x[1], bytes_of(good[x[0]]), None)
        ),
        "nobody's": st.tuples(held, tokens).map(lambda x: ("POST", f"/api/{x[0]}", HEADERS, bytes_of(good[x[0]]), x[1])),
        "another way": st.tuples(addresses, ways).map(lambda x: (x[1], f"/api/{x[0]}", HEADERS, b"", None)),
        "nowhere": st.tuples(nowhere, names).map(lambda x: ("GET", x[0] + x[1], {}, b"", None)),
        "the experimenter's": st.tuples(st.sampled_from(["/lab", "/api/lab"]), tokens).map(
            lambda x: ("GET", x[0], {"authorization": f"Bearer {x[1]}"}, b"", None)
        ),
    }  # fmt: skip


def written(prepared: Prepared) -> tuple[list[int], str]:
    """How many rows each table has, and a digest of all that stands in them."""
    tables = sorted((m.class_ for m in Base.registry.mappers), key=lambda k: str(k.__name__))
    connection = prepared.store.engine.raw_connection()
    try:
        dump = "\n".join(connection.driver_connection.iterdump())  # type: ignore[union-attr]
    finally:
        connection.close()
    return counted(prepared, *tables), hashlib.sha256(dump.encode()).hexdigest()


def test_what_is_malformed_is_refused_in_one_line_and_nothing_is_written(
    home: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiment.web.application.BURST", 1e12)
    prepared = home()
    met: Counter[int] = Counter()
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        screen = visitor.did(visitor.begin(), takes_part=True, special=True)
        did = {"answer": {"chosen": [0], "response_time": 1.0}}
        good: dict[str, dict[str, Any]] = {
            "open": {"tab": visitor.tab, "language": "en"},
            "did": {
                "tab": visitor.tab,
                "step": screen["step"],
                "turn": screen["turn"],
                "at": 1.0,
                "did": did,
                "left": [],
            },
            "alive": {"tab": visitor.tab},
            "withdraw": {"sure": True},
        }
        cookie = client.cookies[COOKIE]
        before = written(prepared)
        tried = kinds(good)

        def refused(request: Request) -> str:
            method, address, headers, body, token = request
            client.cookies.clear()
            client.cookies.set(COOKIE, cookie if token is None else token)
            answer = client.request(method, address, content=body, headers=headers, follow_redirects=False)
            assert 400 <= answer.status_code < 500, (answer.status_code, request)
            if method != "HEAD" and not address.startswith("/p/"):
                said = answer.json()
                assert list(said) == ["error"]
                assert len(said["error"].splitlines()) == 1
                assert len(said["error"]) < 200
            met[answer.status_code] += 1
            return str(answer.status_code)

        for request in MET:
            refused(request)
        for strategy in tried.values():
            _try(strategy, refused, Counter(), -(-TRIED // len(tried)))
        while sum(met.values()) < TRIED:  # of some kinds there are few
            _try(tried["a field"], refused, Counter(), TRIED - sum(met.values()) + 20)
        assert written(prepared) == before
        client.cookies.clear()
        client.cookies.set(COOKIE, cookie)
        assert visitor.post("did", good["did"])["kind"] == "ask"  # what it was made of is taken
    print(json.dumps({"refused": {str(k): n for k, n in sorted(met.items())}}))  # noqa: T201 - for benchmarks
    assert set(met) == {400, 401, 403, 404, 405, 413, 415, 422}
