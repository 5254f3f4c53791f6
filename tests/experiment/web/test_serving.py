"""Where a server listens, and what it says when it can't."""

from __future__ import annotations

import signal
import socket
from typing import Any

import pytest

from experiment.errors import ExperimentError
from experiment.web import serving


@pytest.mark.parametrize(
    ("host", "home"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("192.168.1.4", False),
        ("lab.example", False),
    ],
)
def test_which_addresses_are_of_this_computer_alone(host: str, home: bool) -> None:
    assert serving.at_home(host) is home


def test_a_port_that_is_taken_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        site: Any = None
        with pytest.raises(ExperimentError, match=f"--port {port}: .*choose another"):
            serving.serve(site, "127.0.0.1", port)


def test_a_server_that_is_told_to_end_ends_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    import uvicorn

    def run(self: Any, sockets: list[socket.socket]) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(uvicorn, "Config", lambda app, **options: None)
    monkeypatch.setattr(uvicorn, "Server", lambda _: type("S", (), {"run": run})())
    monkeypatch.setattr(serving, "application", lambda site, lab: None)
    site: Any = None
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        serving.serve(site, "127.0.0.1", 0)
    assert ended.value.code == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_no_address_of_anybody_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    import uvicorn

    asked: dict[str, Any] = {}
    monkeypatch.setattr(uvicorn, "Config", lambda app, **options: asked.update(options))
    monkeypatch.setattr(uvicorn, "Server", lambda _: type("S", (), {"run": lambda self, sockets: None})())
    monkeypatch.setattr(serving, "application", lambda site, lab: None)
    site: Any = None
    serving.serve(site, "127.0.0.1", 0)
    assert asked["access_log"] is False
    assert asked["proxy_headers"] is False


def test_what_is_not_installed_is_found_before_anything_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    serving.check_installed()
    assert set(serving.NEEDED) == {"starlette", "uvicorn"}
    monkeypatch.setattr(serving, "NEEDED", ("starlette", "no_such_thing"))
    with pytest.raises(ImportError, match="no_such_thing"):
        serving.check_installed()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_server_listens_where_it_is_told_to_and_lets_go(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """By the old and by the new kind of address; the same port is free again at once."""
    import uvicorn

    bound: list[Any] = []

    def run(self: Any, sockets: list[socket.socket]) -> None:
        bound.extend(x.getsockname()[:2] for x in sockets)

    monkeypatch.setattr(uvicorn, "Config", lambda app, **options: (app, options))
    monkeypatch.setattr(uvicorn, "Server", lambda config: type("S", (), {"run": run, "config": config})())
    monkeypatch.setattr(serving, "application", lambda site, lab: (site, lab))
    site: Any = None
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as free:
        try:
            free.bind((host, 0))
        except OSError:
            pytest.skip(f"this computer has no {host}")
        port = free.getsockname()[1]
    for _ in range(2):
        serving.serve(site, host, port)
    assert bound == [(host, port)] * 2
