"""A site on a port: no access log, no address of anybody in any other, and an orderly end."""

from __future__ import annotations

import ipaddress
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from experiment.errors import ExperimentError
from experiment.web.application import application
from experiment.web.site import Site

NEEDED = ("starlette", "uvicorn")


def check_installed() -> None:
    """Look whether the extra is there before anything is begun; the command line says how it is installed."""
    for name in NEEDED:
        import_module(name)


def at_home(host: str) -> bool:
    """Whether a host can be reached from this computer alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(
    site: Site,
    host: str,
    port: int,
    lab: Callable[[str], dict[str, Any] | None] | None = None,
    begun: Callable[[], None] | None = None,
) -> None:
    """Serve until Ctrl-C, or until the process is told to end; `begun` is called when the port is ours.

    Raises
    ------
    ExperimentError
        If the port is taken.
    """
    import socket

    import uvicorn

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        place = socket.socket(family)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind((host, port))
    except OSError as error:
        raise ExperimentError(f"--host {host} --port {port}: {error.strerror}; choose another --port") from None
    options = uvicorn.Config(
        application(site, lab),
        log_level="error",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    if begun is not None:
        begun()
    # Told to end (by a service manager), it ends as by Ctrl-C: what was made for it is deleted.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with place:
            uvicorn.Server(options).run([place])
    finally:
        signal.signal(signal.SIGTERM, before)
