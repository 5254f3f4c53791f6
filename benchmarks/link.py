"""A study at a link over a slow line (Chromium's own throttle): how soon is the first screen there, how much of it is sent, does a clip ever stall.

The first screen, nothing known before, over what Lighthouse calls slow 4G (1.6 Mbit/s, 150 ms); "there" is the first frame after its words stand
in the page. Then whole sessions over 2 Mbit/s (80 ms) with clips as the models make them (15 s, 32 kHz, 24 bit, mono; noise, so that they
compress least), by somebody who needs `PACE` seconds for a screen: gaps and broken plays, and how long nothing could be done but wait.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.browsing import Somebody, chromium
from benchmarks.heard import entered, served

TRIES, CLIPS, SECONDS, PACE = 10, 8, 15.0, 1.5
SLOW_4G = (1.6e6, 150)  # bit/s, ms
TWO = (2e6, 80)
BYTES, MOST = 300_000, 1.0  # what a first screen may send, and how long it may take, s
FIRST = """new MutationObserver((_, me) => {
  if (!document.querySelector(".screen h1")) return;
  me.disconnect();
  requestAnimationFrame(() => { window.there = performance.now() / 1000; });
}).observe(document, { childList: true, subtree: true });"""
# How long a screen says that a sound is on its way.
WAITING = """window.waited = [];
let since = null;
new MutationObserver(() => {
  const shown = document.querySelector(".middle > p.hint[role=status]") !== null;
  if (shown && since === null) since = performance.now();
  if (!shown && since !== null) { window.waited.push((performance.now() - since) / 1000); since = null; }
}).observe(document, { childList: true, subtree: true });"""


def slowed(page: Any, line: tuple[float, int]) -> list[float]:
    """A page's line is slow from now on; bytes of what arrives over it are added to the list."""
    arrived: list[float] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    rate = line[0] / 8
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": line[1], "downloadThroughput": rate, "uploadThroughput": rate / 2},
    )
    session.on("Network.loadingFinished", lambda told: arrived.append(told["encodedDataLength"]))
    return arrived


def first(browser: Any, address: str, line: tuple[float, int]) -> tuple[float, float, int]:
    """Seconds until the first screen is there, bytes that were sent for it, requests."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-GB")
    page = context.new_page()
    page.add_init_script(FIRST)
    arrived = slowed(page, line)
    page.goto(address)
    page.wait_for_function("() => window.there !== undefined", timeout=60_000)
    seconds = float(page.evaluate("window.there"))
    page.wait_for_load_state("networkidle")
    context.close()
    return seconds, sum(arrived), len(arrived)


def session(browser: Any, address: str, seed: int) -> dict[str, Any]:
    """One session over 2 Mbit/s."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-GB")
    page = context.new_page()
    page.add_init_script(WAITING)
    arrived = slowed(page, TWO)
    somebody = Somebody(page, seed)
    page.goto(address)

    def looks(seen: dict[str, Any]) -> dict[str, Any]:
        page.wait_for_timeout(1000 * PACE)
        return seen

    somebody.run(after=looks)
    waited = page.evaluate("window.waited")
    context.close()
    played = [x for m in somebody.noted.values() for x in m["did"].get("records") or []]
    return {"played": played, "waited": waited, "bytes": arrived}


def link(sessions: int = 2) -> dict[str, Any]:
    """The first screen, and sessions."""
    from experiment.web.application import application
    from experiment.web.site import Site
    from tests.experiment.web.visitor import KEY

    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        prepared = entered(Path(name), 2 * CLIPS, SECONDS, (32000,), mono=True)
        site = Site(prepared, KEY, "person", "http://localhost")
        with served(application(site)) as address:
            site.url = address
            tries = [first(browser, address, SLOW_4G) for _ in range(TRIES)]
            some = [session(browser, address, k) for k in range(sessions)]
        prepared.store.close()
        size = site.clips.size
        site.close()
    seconds = np.array([t[0] for t in tries])
    played = [x for one in some for x in one["played"]]
    waited = [x for one in some for x in one["waited"]]
    return {
        "first screen": {
            "bits_per_second": SLOW_4G[0], "latency_ms": SLOW_4G[1], "tries": TRIES, "bytes": max(t[1] for t in tries),
            "requests": max(t[2] for t in tries), "seconds_median": round(float(np.median(seconds)), 3), "seconds_most": round(float(seconds.max()), 3),
            "within": bool(seconds.max() < MOST and max(t[1] for t in tries) < BYTES),
        },
        "sessions": {
            "bits_per_second": TWO[0], "latency_ms": TWO[1], "sessions": sessions, "clip_seconds": SECONDS, "clip_bytes": size,
            "pace_s": PACE, "plays": len(played), "gaps": sum(x["underruns"] for x in played), "broken": sum(not x["whole"] for x in played),
            "waits": len(waited), "waited_s_each": [round(x, 2) for x in waited],
        },
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(link(), indent=1))
