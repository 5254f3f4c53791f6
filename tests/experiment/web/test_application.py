"""The site over HTTP: what is served tells nothing, what is malformed is refused in one line, and nothing of it is written."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
import soundfile
from sqlalchemy import select
from starlette.testclient import TestClient

from experiment.data.tables import Base, Participant
from experiment.errors import ExperimentError
from experiment.launch import Prepared
from experiment.looks import ACCENT, PAPER
from experiment.web.application import COOKIE, MOST, STATIC, Bucket, application, looks
from experiment.web.site import Site
from tests.experiment.web.test_site import SECRET, Person, counted, home, to
from tests.experiment.web.visitor import HOME, KEY, Visitor, at

__all__ = ["home"]  # a fixture


def rows(prepared: Prepared) -> list[int]:
    """How many rows each table has."""
    kinds = [m.class_ for m in Base.registry.mappers]
    return counted(prepared, *sorted(kinds, key=lambda k: k.__name__))


def test_nothing_that_is_served_tells_what_a_clip_is(home: Callable[..., Prepared]) -> None:
    """All that a browser receives in a whole session, crawled: neither the condition nor a file, an item's or a taste's name."""
    prepared = home(headphones="huggins", sound_check=True)
    with at(prepared, "person") as client:
        answers: dict[str, Any] = {}

        class Crawler(Visitor):
            def did(self, screen: dict[str, Any], **did: Any) -> dict[str, Any]:
                for address in re.findall(r"/sound/[A-Za-z0-9_-]+", json.dumps(screen)):
                    answers[address] = answers.get(address) or client.get(address)
                return super().did(screen, **did)

        visitor = Crawler(client, prepared)
        assert visitor.run(Person())["kind"] == "over"
        crawled = "\n".join(json.dumps(x) for x in visitor.screens)
        for word in (
            SECRET,
            ".wav",
            "thoughts",
            '"hot":',
            "first_id",
            "seed",
            '"draw"',
        ):
            assert word not in crawled, word
        listens = [x for x in visitor.screens if x["kind"] == "listen"]
    assert len(listens) == 3
    clips = [answers[c["sound"]] for x in listens for c in x["clips"]]
    # The right answer of a test can't be told from the size of its sound, nor a clip from that or from its headers.
    tests = [answers[t["sound"]] for x in visitor.screens if x["kind"] == "headphones" for t in x["trials"]]
    assert len(tests) == 6
    for some in (clips, tests):
        assert {a.status_code for a in some} == {200}
        assert len({len(a.content) for a in some}) == 1
        assert len({a.content for a in some}) == len(some)
        assert len({json.dumps(sorted(a.headers.items())) for a in some}) == 1
    assert not re.search("right|last-modified|etag", json.dumps([dict(a.headers) for a in clips]), re.IGNORECASE)


def test_a_clip_is_served_without_loss_and_to_its_session_alone(home: Callable[..., Prepared]) -> None:
    prepared = home()
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        screen = to(visitor, "listen")
        (clip,) = screen["clips"]
        step = visitor.step()
        served, rate = soundfile.read(io.BytesIO(client.get(clip["sound"]).content), dtype="int32")
        made, made_rate = soundfile.read(step.clips[0].path, dtype="int32")
        assert rate == made_rate
        assert (served == made).all()
        assert clip["seconds"] == len(made) / rate
        cookie = client.cookies[COOKIE]
        client.cookies.clear()
        assert client.get(clip["sound"]).status_code == 404
        Visitor(client, prepared).begin()
        assert client.get(clip["sound"]).status_code == 404
        client.cookies.set(COOKIE, cookie)
        assert client.get(clip["sound"][:-1] + "~").status_code == 404


def malformed(seed: int, good: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """A request that is nearly a message: headers and a body."""
    r = random.Random(seed)
    odd: list[Any] = [None, -1, 1e400, "x", [], {}, True, "a" * 300, [[1]], {"a": 1}, 10**30, "\u0000", "0" * 33]
    message = json.loads(json.dumps(good))
    where = message if r.random() < 0.5 else message["did"]
    key = r.choice([*where, "more", "back ", "answers", "records", "given"])
    if r.random() < 0.25 and key in where:
        del where[key]
    else:
        where[key] = r.choice(odd)
    body = json.dumps(message).encode()
    how = r.randrange(6)
    if how == 0:
        body = body[: r.randrange(len(body))]
    if how == 1:
        body = bytes(r.randrange(256) for _ in range(r.randrange(80)))
    return ({"content-type": "text/plain"} if how == 2 else {"content-type": "application/json"}), body


def test_malformed_messages_are_refused_and_nothing_is_written(
    home: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiment.web.application.BURST", 1e9)
    prepared = home()
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        screen = visitor.did(visitor.begin(), takes_part=True, special=True)
        good = {"tab": visitor.tab, "step": screen["step"], "turn": screen["turn"], "at": 1.0,
                "did": {"answer": {"chosen": [0], "response_time": 1.0}}}  # fmt: skip
        before = rows(prepared)
        for seed in range(150):
            headers, body = malformed(seed, good)
            if body == json.dumps(good).encode():
                continue
            answer = client.post("/api/did", content=body, headers=headers)
            said = answer.json()
            fine = answer.status_code == 200 and said.get("step") == screen["step"]  # an older turn: done already
            assert fine or (400 <= answer.status_code < 500 and list(said) == ["error"]), (answer.text, body)
            assert "\n" not in said.get("error", "")
        for wrong in (
            {"chosen": []},
            {"chosen": [9]},
            {"chosen": [0, 1]},
            {"value": 1.0},
            {"said": "x"},
            {"chosen": [0], "said": "x"},
        ):
            visitor.post(
                "did", good | {"did": {"answer": wrong}}, 422 if wrong in ({"chosen": []}, {"chosen": [0, 1]}) else 400
            )
        assert rows(prepared) == before
        assert visitor.post("did", good)["kind"] == "ask"


@pytest.mark.parametrize(
    ("headers", "size", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 10, 403),
        ({"origin": "https://elsewhere.example"}, 10, 403),
        ({"content-type": "application/x-www-form-urlencoded"}, 10, 415),
        ({}, MOST + 1, 413),
    ],
)
def test_what_comes_from_elsewhere_or_is_too_long_is_not_read(
    home: Callable[..., Prepared], headers: dict[str, str], size: int, status: int
) -> None:
    prepared = home()
    with at(prepared, "person") as client:
        sent = {"content-type": "application/json", **headers}
        assert client.post("/api/open", content=b" " * size, headers=sent).status_code == status
        for place in ("/api/open", "/api/withdraw"):
            assert client.get(place).status_code == 405
    assert rows(prepared) == rows(home())


def test_every_answer_says_what_a_browser_may_do_with_it(home: Callable[..., Prepared]) -> None:
    prepared = home()
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        visitor.begin()
        opened = client.post("/api/open", json={"tab": "0" * 32, "begin": "1" * 32})
        for answer in (opened, client.get("/"), client.get("/nowhere"), client.get("/static/looks.css")):
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self';")
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
    cookies = opened.headers.get_list("set-cookie")
    assert len(cookies) == 1
    assert re.search("HttpOnly", cookies[0])
    assert re.search("SameSite=strict", cookies[0])
    secure = Site(prepared, KEY, "person", "https://study.example")
    try:
        client = TestClient(application(secure), base_url="https://study.example")
        assert "Secure" in client.post("/api/open", json={"tab": "0" * 32, "begin": "1" * 32}).headers["set-cookie"]
    finally:
        secure.close()


def test_a_bucket_gives_so_many_at_once_and_so_many_a_second() -> None:
    bucket = Bucket(2.0, 3.0)
    assert [bucket.take("a", 10.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take("b", 10.0)
    assert [bucket.take("a", 11.0) for _ in range(3)] == [True, True, False]


def test_too_many_messages_of_one_link_wait(home: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiment.web.application.BURST", 3.0)
    monkeypatch.setattr("experiment.web.application.RATE", 0.0)
    prepared = home()
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        visitor.begin()
        for _ in range(3):
            visitor.post("alive", {"tab": visitor.tab})
        visitor.post("alive", {"tab": visitor.tab}, 429)


def test_the_experimenter_s_page_is_off_unless_asked_for_and_wants_its_key(home: Callable[..., Prepared]) -> None:
    prepared = home()
    with at(prepared, "person") as client:
        assert client.get("/lab").status_code == 404
        assert client.get("/api/lab").status_code == 404
    site = Site(prepared, KEY, "person", HOME)
    try:
        client = TestClient(application(site, lambda key: {"title": "A"} if key == "k" else None), base_url=HOME)
        assert client.get("/lab").status_code == 200
        assert client.get("/api/lab").status_code == 401
        assert client.get("/api/lab", headers={"authorization": "Bearer no"}).status_code == 401
        assert client.get("/api/lab", headers={"authorization": "Bearer k"}).json() == {"title": "A"}
    finally:
        site.close()


@pytest.mark.parametrize(
    ("words", "logged"),
    [
        ("the session of participant {}: the database is away", "the session of participant: the database is away"),
        (
            "participant {} already has a session (as {}); 'tastelab experiment run --resume {}' goes on with it",
            "participant already has a session (as); 'tastelab experiment run --resume' goes on with it",
        ),
    ],
)
def test_the_server_s_log_names_nobody(
    home: Callable[..., Prepared],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    words: str,
    logged: str,
) -> None:
    prepared = home()
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        visitor.did(visitor.begin(), stopped=True)
        with prepared.store.transaction() as s:
            code = s.scalars(select(Participant.code)).one()

        def away(*given: object, **more: object) -> None:
            raise ExperimentError(words.replace("{}", code))

        monkeypatch.setattr("experiment.launch.resume", away)
        told = visitor.post("open", {"tab": visitor.tab, "language": "en", "again": True}, 503)
    assert told == {"error": "this can't be done now; try again"}
    assert caplog.messages == [logged]
    assert code not in caplog.text


def test_a_bucket_forgets_who_has_all_left_and_nobody_else() -> None:
    """What it knows does not grow with everybody who ever came; who has used it up is known still."""
    bucket = Bucket(1.0, 2.0)
    for k in range(20_001):
        assert bucket.take(str(k), 0.0)
    assert [bucket.take("a", 9.5) for _ in range(3)] == [True, True, False]
    assert bucket.take("b", 9.5)
    assert len(bucket._left) == 2
    assert not bucket.take("a", 10.0)


def test_the_style_sheet_has_the_booth_s_colours() -> None:
    assert f"--paper: {PAPER};" in looks()
    assert f"--accent: {ACCENT};" in looks()


def test_what_is_not_ours_is_as_it_was_published_and_nothing_is_loaded_from_elsewhere() -> None:
    """SHA-256 of jspsych 8.3.0's dist/index.browser.min.js as npm has it; all files are ours, or in that list."""
    vendor = STATIC / "vendor"
    lines = (vendor / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (x.split() for x in lines)}
    assert listed["jspsych.js"] == "b58c69e607f2ddbd282f2daec43d882cac18d9e3efdad816215b818d1406d6ce"
    for name, digest in listed.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest
    others = {p.name for p in vendor.iterdir()} - set(listed)
    assert others == {"SHA256SUMS"}
    for path in STATIC.rglob("*"):
        if path.is_file() and path.parent.name != "vendor":
            assert not re.search(r"https?://(?!www\.w3\.org)", path.read_text(encoding="utf-8")), path


def test_the_first_screen_is_small() -> None:
    """All that is fetched before the first screen stands: the page, style sheets, jsPsych, our scripts."""
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert 'href="/static/site.css"' in page
    assert "http" not in page
    sizes = [p.stat().st_size for p in STATIC.rglob("*") if p.suffix in (".html", ".css", ".js")]
    assert 80_000 < sum(sizes) < 300_000


def test_every_file_says_what_it_is(home: Callable[..., Prepared]) -> None:
    """A browser that is told not to guess (nosniff) runs no script, and takes no style sheet, that is called something else."""
    kinds = {
        "": "text/html",
        "static/main.js": "text/javascript",
        "static/site.css": "text/css",
        "static/looks.css": "text/css",
    }
    kinds |= {"static/lab.html": "text/html", "static/vendor/LICENSE-jspsych.txt": "text/plain"}
    kinds["static/vendor/SHA256SUMS"] = "application/octet-stream"
    with at(home()) as client:
        found = {name: client.get(f"/{name}").headers["content-type"].split(";")[0] for name in kinds}
    assert found == kinds


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5, *", True),
        ("gzip;q=0", False),
        ("gzip; q=0.00", False),
        ("br", False),
        ("", False),
    ],
)
def test_scripts_and_styles_are_packed_for_whom_it_is_something(
    home: Callable[..., Prepared], accepted: str, packed: bool
) -> None:
    """RFC 9110, 12.5.3: an encoding of weight 0 is not taken. Sounds and what a session is told are never packed."""
    with at(home()) as client:
        visitor = Visitor(client, home())
        for name in ("", "static/main.js", "static/looks.css", "static/vendor/jspsych.js"):
            with client.stream("GET", f"/{name}", headers={"accept-encoding": accepted}) as answer:
                body = b"".join(answer.iter_raw())
            assert answer.headers["vary"] == "Accept-Encoding"
            assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
            said = (
                (STATIC / (name.removeprefix("static/") or "index.html")).read_bytes()
                if "looks" not in name
                else looks().encode()
            )
            assert (gzip.decompress(body) if packed else body) == said
            assert not packed or len(body) < len(said)
        assert (
            "content-encoding"
            not in client.post("/api/open", json={"tab": visitor.tab}, headers={"accept-encoding": accepted}).headers
        )


def test_while_the_database_is_away_every_address_says_so(
    home: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A sound and a link are asked for as well: one line, and no traceback, in the server's log."""
    prepared = home()
    with at(prepared) as client:
        Visitor(client, prepared).begin()

        def away(*given: object, **more: object) -> None:
            raise ExperimentError("the database did not come back")

        monkeypatch.setattr(prepared.store, "patiently", away)
        for path in ("/sound/AAAAAAAAAAAAAAAA", f"/p/{client.cookies[COOKIE]}"):
            answer = client.get(path, follow_redirects=False)
            assert (answer.status_code, answer.json()) == (503, {"error": "this can't be done now; try again"})
    assert [r.getMessage() for r in caplog.records if r.name == "tastelab.web"] == [
        "the database did not come back"
    ] * 2


def test_what_a_browser_may_do_is_said_of_every_answer(home: Callable[..., Prepared]) -> None:
    """OWASP's secure headers, each with its own value."""
    with at(home()) as client:
        for address in ("/", "/nowhere", "/%0A"):
            told = client.get(address).headers
            assert told["referrer-policy"] == "no-referrer"
            assert told["x-content-type-options"] == "nosniff"
            assert told["cross-origin-opener-policy"] == "same-origin"
            assert told["permissions-policy"].startswith("camera=(), microphone=()")
