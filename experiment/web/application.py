"""The site over HTTP: addresses, one cookie, what a request may be, and what every answer says of itself."""

from __future__ import annotations

import gzip
import logging
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiment.errors import ExperimentError
from experiment.looks import (
    ACCENT,
    ASKED,
    BODY,
    CORNER,
    EDGE,
    FOOT,
    INK,
    LABEL,
    LONG_WORD,
    MUTED,
    PAPER,
    SOFT,
    TITLE,
    WHITE,
    WORD,
)
from experiment.web.links import TOKEN
from experiment.web.messages import Alive, Done, MessageError, Opened, Strict, Withdrawal, read
from experiment.web.site import NOTHING, Refused, Site

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger("tastelab.web")
STATIC = Path(__file__).parent / "static"
COOKIE = "tastelab"
CODE = re.compile(r"(participant|--resume|\(as) [^\s:)']+")  # as errors name people
MOST = 64 * 1024  # bytes of a message
RATE, BURST = 10.0, 60.0  # messages a second of one link, and how many at once
ENTRIES = 20.0, 100.0  # sessions that begin a second, and at once
SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".txt": "text/plain"}


def looks() -> str:
    """The booth's colours and sizes as a style sheet."""
    colours = {"paper": PAPER, "ink": INK, "muted": MUTED, "accent": ACCENT, "soft": SOFT, "edge": EDGE, "white": WHITE}
    sizes = {
        "title": TITLE, "asked": ASKED, "body": BODY, "label": LABEL, "corner": CORNER, "foot": FOOT, "word": WORD, "long-word": LONG_WORD,
    }  # fmt: skip
    said = [f"--{k}: {v};" for k, v in colours.items()] + [f"--{k}: {v};" for k, v in sizes.items()]
    return ":root { " + " ".join(said) + " }\n"


def unpacks(accepted: str) -> bool:
    """Whether a browser that accepts these encodings takes gzip."""
    words = [x.replace(" ", "").lower().split(";") for x in accepted.split(",")]
    return any(x[0] == "gzip" and not any(re.fullmatch(r"q=0(\.0*)?", q) for q in x[1:]) for x in words)


class Bucket:
    """How many requests may come: so many at once, and so many a second after that."""

    def __init__(self, rate: float, burst: float):
        self.rate, self.burst = rate, burst
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, who: str, now: float) -> bool:
        """Whether one more may come at a moment."""
        left, at = self._left.get(who, (self.burst, now))
        left = min(self.burst, left + (now - at) * self.rate)
        if len(self._left) > 20_000:  # who has all left need not be known
            self._left = {k: (n, t) for k, (n, t) in self._left.items() if n + (now - t) * self.rate < self.burst}
        self._left[who] = (max(0.0, left - 1), now)
        return left >= 1


def application(site: Site, lab: Callable[[str], dict[str, Any] | None] | None = None) -> Starlette:
    """The site as an ASGI application; `lab` is what the experimenter's page shows whoever has its key (None: the key is wrong)."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse, RedirectResponse
    from starlette.responses import Response as Plain
    from starlette.routing import Route

    secure = site.url.startswith("https://")
    links, entries = Bucket(RATE, BURST), Bucket(*ENTRIES)
    files = {p.relative_to(STATIC).as_posix(): p.read_bytes() for p in STATIC.rglob("*") if p.is_file()}
    files["looks.css"] = looks().encode()
    # Over a slow line that is how long the first screen takes.
    small = {name: gzip.compress(said, 9, mtime=0) for name, said in files.items()}

    def line(status: int, words: str) -> Response:
        return JSONResponse({"error": words}, status)

    def token_of(request: Request) -> str | None:
        found = request.cookies.get(COOKIE)
        return found if found is not None and TOKEN.fullmatch(found) else None

    def keep(response: Response, token: str) -> None:
        age = round(site.config.resume_hours * 3600) + 30 * 24 * 3600
        response.set_cookie(COOKIE, token, max_age=age, path="/", httponly=True, samesite="strict", secure=secure)

    async def body_of(request: Request) -> bytes:
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            raise Refused(415, "a message is application/json")
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refused(403, "this comes from another site")
        origin = request.headers.get("origin")
        if origin is not None and origin not in (site.url, f"{request.url.scheme}://{request.headers.get('host')}"):
            raise Refused(403, "this comes from another site")
        said = b""
        async for part in request.stream():
            said += part
            if len(said) > MOST:
                raise Refused(413, "a message is shorter")
        return said

    def asked(kind: type[Strict], answer: Callable[[str | None, Any], Any]) -> Callable[[Request], Awaitable[Response]]:
        """An address to which messages of a kind are sent."""

        async def handle(request: Request) -> Response:
            try:
                token = token_of(request)
                message = read(kind, await body_of(request))
                if not links.take(token or "", time.monotonic()) and token is not None:
                    raise Refused(429, "too many messages; wait a moment")
                if getattr(message, "begin", None) and not entries.take("", time.monotonic()):
                    raise Refused(429, "too many begin at once; wait a moment")
                found = await run_in_threadpool(answer, token, message)
            except MessageError as error:
                return line(400, str(error))
            except Refused as no:
                return line(no.status, str(no))
            shown, given = found if isinstance(found, tuple) else (found, None)
            response = JSONResponse(shown)
            if given is not None:
                keep(response, given)
            return response

        return handle

    async def page(request: Request) -> Response:
        panel = site.config.web.panel
        if panel is not None and panel in request.query_params:
            try:
                token = await run_in_threadpool(site.panel_token, request.query_params[panel])
            except Refused as no:
                return line(no.status, str(no))
            response: Response = RedirectResponse("/", 303)
            keep(response, token)
            return response
        return served(request, "index.html")

    async def own(request: Request) -> Response:
        token = request.path_params["token"]
        if not TOKEN.fullmatch(token) or not await run_in_threadpool(site.knows, token):
            return Plain("This link leads nowhere; is it whole?\n", 404, media_type="text/plain")
        response = RedirectResponse("/", 303)
        keep(response, token)
        return response

    def served(request: Request, name: str) -> Response:
        if name not in files:
            return line(404, NOTHING)
        kind = TYPES.get(Path(name).suffix, "application/octet-stream")
        if not unpacks(request.headers.get("accept-encoding", "")):
            return Plain(files[name], media_type=kind, headers={"Vary": "Accept-Encoding"})
        return Plain(small[name], media_type=kind, headers={"Vary": "Accept-Encoding", "Content-Encoding": "gzip"})

    async def static(request: Request) -> Response:
        return served(request, request.path_params["name"])

    async def sound(request: Request) -> Response:
        try:
            found = await run_in_threadpool(site.sound, token_of(request), request.url.path)
        except Refused as no:
            return line(no.status, str(no))
        return Plain(found, media_type="audio/flac")

    async def lab_page(request: Request) -> Response:
        return served(request, "lab.html") if lab is not None else line(404, NOTHING)

    async def lab_data(request: Request) -> Response:
        given = re.fullmatch(r"Bearer (\S{1,200})", request.headers.get("authorization", ""))
        if lab is None or not links.take("lab", time.monotonic()):
            return line(404, NOTHING)
        found = await run_in_threadpool(lab, given[1] if given else "")
        return line(401, "this is not the key") if found is None else JSONResponse(found)

    routes = [
        Route("/", page),
        Route("/p/{token}", own),
        Route("/api/open", asked(Opened, site.open), methods=["POST"]),
        Route("/api/did", asked(Done, site.done), methods=["POST"]),
        Route("/api/alive", asked(Alive, lambda token, m: site.alive(token, m.tab)), methods=["POST"]),
        Route("/api/withdraw", asked(Withdrawal, lambda token, m: site.withdraw(token)), methods=["POST"]),
        Route("/sound/{name}", sound),
        Route("/static/{name:path}", static),
        Route("/lab", lab_page),
        Route("/api/lab", lab_data),
    ]

    async def not_there(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 500)
        return line(status, NOTHING if status == 404 else "not in this way")

    async def not_now(request: Request, error: Exception) -> Response:
        log.error("%s", CODE.sub(r"\1", str(error)))  # for whoever runs the server; it names nobody
        return line(503, "this can't be done now; try again")

    handlers: dict[Any, Any] = {404: not_there, 405: not_there, ExperimentError: not_now}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False  # what is not there is not somewhere else either
    app.add_middleware(_Safe)
    return app


class _Safe:
    """Says of every answer what a browser may do with it."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def safely(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [(k, v) for k, v in message["headers"] if k.lower() != b"server"]
                message["headers"] = headers + [(k.lower().encode(), v.encode()) for k, v in SAFE.items()]
            await send(message)

        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif any(letter < " " for letter in scope["path"]):
            # Routes take an address with a line's end for the one without.
            from starlette.responses import JSONResponse

            await JSONResponse({"error": NOTHING}, 404)(scope, receive, safely)
        else:
            await self.app(scope, receive, safely)
