"""Every state of a session in a browser by axe-core, at four widths: what keeps somebody from using it.

axe-core (MPL-2.0) is fetched from npm for this alone, at the version and hash below, and is no part of the product. Screens are what the
server really sends: a session of all kinds of step is gone through over HTTP, what stands around a session is asked of the site; a real
Chromium shows each of them. ``python -m benchmarks.access FOLDER`` writes a picture of each too.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.npm import member

ROOT = Path(__file__).resolve().parent.parent
AXE = "https://registry.npmjs.org/axe-core/-/axe-core-4.14.1.tgz"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="  # as npm says it
WIDTHS = {360: 740, 768: 1024, 1366: 768, 1920: 1080}
BAD = ("serious", "critical")


def axe() -> str:
    """The script."""
    return member(AXE, SHA512, "package/axe.min.js").decode()


def states(language: str) -> dict[str, dict[str, Any]]:
    """What a browser is sent, by what it is."""
    from benchmarks.allkinds import entered
    from tests.experiment.web.test_site import Person
    from tests.experiment.web.visitor import Visitor, at

    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        prepared = entered(Path(folder), language)
        with at(prepared, "person") as client:
            visitor = Visitor(client, prepared, language)
            person: Any = Person()
            found["over"] = visitor.run(person)
            for screen in visitor.screens:
                kind = screen["kind"] + (f", {screen['question']['kind']}" if screen["kind"] == "ask" else "")
                name = kind if kind not in found or kind.startswith("ask") else f"{kind} {len(found)}"
                found.setdefault(name if screen["kind"] != "page" else f"page, {screen['title']}", screen)
            client.cookies.clear()
            other = Visitor(client, prepared, language)
            first = other.begin()
            found["elsewhere"] = Visitor(client, prepared, language).open()
            found["stopped"] = other.did(first, stopped=True)
            found["withdrawn"] = other.post("withdraw", {"sure": True})
        from experiment.web.site import Site
        from tests.experiment.web.visitor import HOME, KEY

        site = Site(prepared, KEY, "person", HOME)
        try:
            for name in ("full", "closed", "taken"):
                found[name] = site._notice(name, language)
            found["late"] = site._notice("late", language) | site._own("x" * 32, "abcd234", language, over=True)
            declined = _words(language)["declined"]
            found["refused"] = site._said("over", language, declined["title"], declined["text"], "refused")
        finally:
            site.close()
        prepared.store.close()
    return found


def _words(language: str) -> dict[str, Any]:
    from experiment.texts import texts

    return texts(language)


def _sound() -> bytes:
    from experiment.tones import tone
    from experiment.web.flac import encode

    return encode(tone("both", 3.0), 48000, "PCM_16")


class Looking:
    """A page that is given one state after the other."""

    def __init__(self, context: Any, here: str, script: str, pictures: Path | None):
        self.context, self.here, self.script, self.pictures = context, here, script, pictures
        self.found: list[dict[str, Any]] = []

    def look(self, page: Any, name: str, width: int) -> None:
        """Ask axe, and take a picture."""
        page.wait_for_timeout(120)
        told = page.evaluate("async () => (await axe.run(document, { resultTypes: ['violations'] })).violations")
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth + 1")
        for x in told:
            nodes = [n["html"][:160] for n in x["nodes"][:3]]
            self.found.append({"state": name, "width": width, "rule": x["id"], "impact": x["impact"], "nodes": nodes})
        if wide:
            self.found.append(
                {"state": name, "width": width, "rule": "scrolls sideways", "impact": "serious", "nodes": []}
            )
        if self.pictures is not None:
            page.screenshot(
                path=self.pictures / f"{name.replace(', ', '-').replace(' ', '_').replace('/', '')}-{width}.png"
            )

    def show(self, name: str, screen: dict[str, Any], width: int, sound: bytes) -> None:
        """One state, and what follows of it without the server: a sound that plays or is broken, the question whether to stop."""
        page = self.context.new_page()
        page.set_viewport_size({"width": width, "height": WIDTHS[width]})
        broken = name.endswith("broken")
        page.route("**/api/open", lambda route: route.fulfill(json=screen))
        page.route("**/api/did", lambda route: route.abort())
        page.route(
            "**/sound/*", lambda route: route.fulfill(body=b"none" if broken else sound, content_type="audio/flac")
        )
        page.goto(self.here)
        page.wait_for_selector("[data-open]")
        page.evaluate(self.script)
        if not broken:
            self.look(page, name, width)
        if screen["kind"] in ("listen", "practice", "soundcheck", "headphones"):
            page.keyboard.press("End")
            page.locator(".row button").first.click()
            page.wait_for_timeout(700)
            self.look(page, name if broken else f"{name}, playing", width)
        elif "step" in screen:
            page.locator(".stop").click()
            page.wait_for_selector("dialog[open]")
            if screen["kind"] == "consent":
                self.look(page, f"{name}, stopping", width)
        elif screen.get("withdraw"):
            page.locator(".withdraw").click()
            page.wait_for_selector("dialog[open]")
            self.look(page, f"{name}, withdrawing", width)
        page.close()


def access(pictures: Path | None = None, languages: tuple[str, ...] = ("en", "ar")) -> dict[str, Any]:
    """All states at all widths."""
    import threading
    import time

    import uvicorn
    from playwright.sync_api import sync_playwright
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    from benchmarks.crowd import free
    from experiment.web.application import STATIC, TYPES, looks

    def served(request: Any) -> Any:
        name = request.path_params.get("name") or "index.html"
        if name == "looks.css":
            return Response(looks(), media_type="text/css")
        path = STATIC / name
        return Response(path.read_bytes(), media_type=TYPES.get(path.suffix, "text/plain"))

    app = Starlette(routes=[Route("/", served), Route("/static/{name:path}", served)])
    (port,) = free(1)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    script, sound = axe(), _sound()
    counted: Counter[str] = Counter()
    bad: list[dict[str, Any]] = []
    looked = 0
    moderate: set[str] = set()
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for language in languages:
            there = states(language)
            there["listen, broken"] = next(x for x in there.values() if x["kind"] == "listen")
            for width in WIDTHS:
                looking = Looking(browser.new_context(locale=language), f"http://localhost:{port}", script, pictures)
                for name, screen in there.items():
                    looking.show(f"{language}, {name}", screen, width, sound)
                    looked += 1
                counted.update(x["impact"] for x in looking.found)
                moderate |= {
                    f"{x['rule']}: {x['state'].partition(', ')[2]}" for x in looking.found if x["impact"] not in BAD
                }
                bad += [x for x in looking.found if x["impact"] in BAD]
                looking.context.close()
        browser.close()
    server.should_exit = True
    return {
        "states": looked,
        "widths": list(WIDTHS),
        "languages": list(languages),
        "findings": dict(counted),
        "serious": bad[:40],
        "moderate": sorted(moderate),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    print(json.dumps(access(folder), indent=1, ensure_ascii=False))
