"""What measurements in a real browser share: Chromium, a server that can be killed, and somebody who goes through a session."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
Step = Callable[[dict[str, Any]], dict[str, Any]]
ENDS = (
    "over",
    "stopped",
    "full",
    "withdrawn",
    "late",
    "closed",
)  # kinds of pages at which a session ends, if nothing can be pressed
WAIT = 300_000  # ms that something may take before it counts as broken
NEW = """() => {
  if (document.querySelector("dialog[open]")) return true;
  return document.querySelector("[data-open]") !== null && document.querySelector(".screen") !== window.looked;
}"""
LOOK = """() => {
  const stage = document.getElementById("stage");
  if (document.querySelector("dialog[open]")) return { kind: "dialog" };
  const kind = stage.getAttribute("data-open");
  if (!kind) return null;
  const has = (x) => stage.querySelector(x) !== null;
  window.looked = stage.querySelector(".screen");
  const buttons = [...stage.querySelectorAll(".row button")].map((x) => x.dataset.name);
  return {
    kind, buttons, rows: stage.querySelectorAll("table.form tbody tr").length, options: stage.querySelectorAll("[role=radio]").length,
    boxes: stage.querySelectorAll("[role=checkbox]").length, slider: has("[role=slider]"), number: has(".number"), words: has("textarea"),
    title: stage.querySelector("h1")?.innerText ?? "", ready: has("[data-name=next]:enabled"),
  };
}"""


@contextmanager
def chromium(environment: dict[str, str] | None = None) -> Iterator[Any]:
    """Debian's Chromium: without a screen, or on the desk whose environment it is given, where it sounds."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    arguments = ["--no-sandbox", "--disable-gpu"]
    with sync_playwright() as playwright:
        more: dict[str, Any] = (
            {} if environment is None else {"env": environment, "ignore_default_args": ["--mute-audio"]}
        )
        browser = playwright.chromium.launch(
            executable_path=program, headless=environment is None, args=arguments, **more
        )
        yield browser
        browser.close()


class Server:
    """The default study at a link, in a process of its own (`benchmarks.crowd`), which can be killed and started again."""

    def __init__(self, folder: Path):
        from benchmarks.crowd import entered, free

        (self.port,) = free(1)
        self.folder, self.url = folder, f"sqlite:///{folder / 'p.db'}"
        entered(self.url, folder).store.close()
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start it; it is there a moment later."""
        command = [sys.executable, "-m", "benchmarks.crowd", "--serve", self.url, str(self.port), str(self.folder)]
        self.process = subprocess.Popen(command, cwd=ROOT)

    def wait(self) -> None:
        """Until it answers."""
        import socket

        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("the server did not start")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()


class Somebody:
    """Goes through a session with mouse and keys, whatever is asked; `noted` is what was acknowledged, by its message."""

    def __init__(self, page: Any, seed: int):
        self.random = Random(seed)
        self.noted: dict[tuple[str, int], dict[str, Any]] = {}
        self.wrong: list[str] = []
        self.sit(page)

    def sit(self, page: Any) -> None:
        """Go on in this window."""
        self.page = page
        page.set_default_timeout(WAIT)
        page.on("response", self._answered)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))

    def _answered(self, response: Any) -> None:
        if response.url.endswith("/api/did") and response.status == 200:
            message = json.loads(response.request.post_data)
            self.noted[message["step"], message["turn"]] = message

    def look(self) -> dict[str, Any]:
        """The next screen, once it can be answered."""
        while True:
            self.page.wait_for_function(NEW)
            found = self.page.evaluate(LOOK)
            if found:  # else it has gone on meanwhile
                return dict(found)

    def act(self, seen: dict[str, Any]) -> None:
        """Do what a screen asks for, if anything."""
        page = self.page
        if seen["kind"] == "dialog":
            page.wait_for_timeout(330)
            self.says_yes()
        elif seen["rows"]:
            each = seen["options"] // seen["rows"]
            for k in range(seen["rows"]):
                self.press(
                    page.locator("table.form tbody tr").nth(k).locator("[role=radio]").nth(self.random.randrange(each))
                )
            self.goes_on()
        elif seen["options"]:
            self.press(page.locator("[role=radio]").nth(self.random.randrange(seen["options"])))
            self.goes_on()
        elif seen["boxes"]:
            self.press(page.locator("[role=checkbox]").nth(self.random.randrange(seen["boxes"])))
            self.goes_on()
        elif seen["slider"]:
            self.slides()
            self.goes_on()
        elif seen["number"]:
            self.counts(self.random.randint(20, 70))
        elif seen["words"]:
            page.locator("textarea").fill("What I heard.")
            self.goes_on()
        elif seen["buttons"]:
            name = next((x for x in self.chooses if x in seen["buttons"]), seen["buttons"][0])
            self.press(page.locator(f'.row [data-name="{name}"]'))

    # How it is done: by the mouse, and by keys where that is shorter.
    chooses = ("agree", "yes", "next", "play")

    def press(self, node: Any) -> None:
        """Press a button."""
        node.scroll_into_view_if_needed()
        node.click()

    def goes_on(self) -> None:
        """Press what confirms an answer."""
        self.press(self.page.locator("[data-name=next]:enabled"))

    def says_yes(self) -> None:
        """Answer a question that stands over the screen."""
        self.page.keyboard.press("1")

    def slides(self) -> None:
        """Put the slider anywhere."""
        for _ in range(self.random.randint(1, 4)):
            self.page.keyboard.press(self.random.choice(["ArrowLeft", "ArrowRight"]))

    def counts(self, number: int) -> None:
        """Answer with a number."""
        self.page.keyboard.type(str(number))
        self.page.keyboard.press("Enter")

    def run(self, before: Step = lambda seen: seen, after: Step = lambda seen: seen) -> None:
        """To the session's end; `before` is called at every screen, and says which one is there now; `after` when it was answered."""
        while True:
            seen = self.look()
            if seen["kind"] in ENDS and not seen["buttons"]:
                return
            seen = before(seen)
            self.act(seen)
            after(seen)

    def answers(self) -> list[tuple[float, float | None]]:
        """What was acknowledged: each answer's time and value."""
        given = [m["did"] for m in self.noted.values()]
        some = [
            x
            for did in given
            for x in (did.get("answers") or [did["answer"]] if "answer" in did or "answers" in did else [])
        ]
        return [(x["response_time"], x.get("value")) for x in some]
