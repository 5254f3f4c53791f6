"""What reaches the sound card of a browser: the whole session's output is recorded and held against the clips and the times of their plays.

Real Chromium on the virtual desk (Debian's, not headless: it sounds), the real server, clips of noise and tones that no two share, at the
rates that models make (32 kHz, 48 kHz). First is each clip in the recording the file, both ears, by correlation; then, over 100 plays, how far do
onsets in the recording lie from when they were asked for, and from what is stored; the two clocks' offset and rate are taken out. In the same run a plain jsPsych page
plays the same sounds by jsPsych's own audio trial (MIT, from npm at the version and hash below; it is no part of the product).
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.browsing import Somebody, chromium
from benchmarks.npm import member

PLAYS = 100
SHORT, LONG = 0.4, 8.0  # s
RATES = (32000, 48000)
NEAR = 60 * 48000  # samples after a clip in which the next one is looked for
PLUGIN = "https://registry.npmjs.org/@jspsych/plugin-audio-keyboard-response/-/plugin-audio-keyboard-response-2.2.0.tgz"
SHA512 = "sbANnn/BJ7IDSjktRlB9iR90yvFXackgBvgWw8Or/y71UD2UD8T7vKgFrtc62ufxPj1F8jA4irjAFth0pQIlwA=="  # as npm says it
# When a sound was asked to begin, by the page's clock: of the product and of jsPsych in the same way.
NOTING = """window.asked = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when = 0, ...more) {
  const lead = Math.max(0, when - this.context.currentTime);
  window.sounding = this.context;
  window.asked.push((performance.timeOrigin + performance.now()) / 1000 + lead);
  return start.call(this, when, ...more);
};"""
PLAIN = """<!doctype html><html><head><meta charset="utf-8"><script src="/jspsych.js"></script><script src="/plugin.js"></script></head>
<body><script>
const jsPsych = initJsPsych();
const play = (k) => ({ type: jsPsychAudioKeyboardResponse, stimulus: `/sound/${k}`, choices: "NO_KEYS", trial_ends_after_audio: true, post_trial_gap: 400 });
const press = { type: class { static info = { name: "press", version: "1", parameters: {}, data: {} };
  trial(element) { element.innerHTML = "<button>Begin</button>"; element.querySelector("button").onclick = () => jsPsych.finishTrial({}); } } };
jsPsych.run([press, ...Array.from({ length: PLAYS }, (_, k) => play(k))]).then(() => { document.body.innerHTML = "<p id=over>over</p>"; });
</script></body></html>"""


def plugin() -> bytes:
    """jsPsych's audio trial."""
    return member(PLUGIN, SHA512, "package/dist/index.browser.min.js")


def sound(number: int, seconds: float, rate: int) -> np.ndarray:
    """A sound (samples, 2) that begins at once, loud in every band up to 12 kHz, of its own in each ear."""
    from scipy.signal import butter, sosfilt

    random = np.random.default_rng(number)
    noise = sosfilt(butter(6, 12000, fs=rate, output="sos"), random.normal(0, 1, (round(seconds * rate), 2)), axis=0)
    t = np.arange(len(noise)) / rate
    tone = np.cos(2 * np.pi * (200 + 40 * (number % 20)) * t)[:, None]
    return np.asarray(0.12 * noise + 0.3 * tone * np.array([1.0, 0.7]))


def entered(folder: Path, plays: int, seconds: float, rates: tuple[int, ...], mono: bool = False) -> Any:
    """A study whose people rate so many clips, each once, with files for them."""
    import soundfile

    from experiment.data.store import Store
    from experiment.launch import Prepared
    from tests.experiment.test_own_questions import config

    labels = {x: ["1", "2", "3", "4", "5"] for x in ("en", "it")}
    adjective = {"name": "hot", "words": {"en": "warm", "it": "caldo"}}
    rated = {"kind": "ratings", "clips": plays, "low": 1, "high": 5, "labels": labels, "adjectives": [adjective]}
    asked = config(
        tasks=[rated],
        demographics=["age"],
        practice=False,
        pause=False,
        debrief=None,
        completion=None,
        sound_check=False,
        dead_time=0.1,
    )
    store = Store(f"sqlite:///{folder}/p.db")
    study = store.ensure_study("s", "S", {"experiment": asked.model_dump(mode="json")})
    rows = []
    for k in range(plays):
        rate = rates[k % len(rates)]
        path = folder / f"{k}.wav"
        audio = sound(k, seconds, rate)
        soundfile.write(path, audio[:, 0] if mono else audio, rate, subtype="PCM_24")
        rows.append({
            "clip": f"c{k}", "taste": ("sweet", "sour")[k % 2], "model": "a", "number": k // 2, "path": str(path),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "seconds": seconds,
        })  # fmt: skip
    return Prepared(store, study, asked, store.ensure_stimuli(study, rows))


@contextmanager
def served(app: Any) -> Iterator[str]:
    """An application on a port of this process."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def at_one_rate(rate: int) -> Iterator[None]:
    """Programs that ask the sound server for its rate (a browser does) hear that of the card: nothing is resampled between the two."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "daemon.conf"
        path.write_text(f"default-sample-rate = {rate}\n", encoding="utf-8")
        os.environ["PULSE_CONFIG"] = str(path)
        try:
            yield
        finally:
            del os.environ["PULSE_CONFIG"]


@contextmanager
def recorded(desk: Any) -> Iterator[list[np.ndarray]]:
    """What the sound card plays meanwhile: (samples, 2) at the desk's rate, as the one item of a list, when it is over."""
    found: list[np.ndarray] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "heard.raw"
        recorder = desk.record(path)
        yield found
        time.sleep(0.7)
        recorder.send_signal(signal.SIGINT)
        recorder.wait(5)
        found.append(np.fromfile(path, dtype=np.float32).reshape(-1, 2).astype(float))


def ours(desk: Any, browser: Any, plays: int, seconds: float, rates: tuple[int, ...]) -> dict[str, Any]:
    """A session of the product: the recording, the clips in the order in which they were stored as heard, when each was asked for, what is stored."""
    from sqlalchemy import select

    from experiment.data.tables import Event, SessionRow
    from experiment.web.application import application
    from experiment.web.site import Site
    from tests.experiment.web.visitor import KEY

    with tempfile.TemporaryDirectory() as name:
        prepared = entered(Path(name), plays, seconds, rates)
        site = Site(prepared, KEY, "person", "http://localhost")
        with served(application(site)) as address, recorded(desk) as found:
            site.url = address
            page = browser.new_page(viewport={"width": 900, "height": 700}, locale="en-GB")
            page.add_init_script(NOTING)
            somebody = Somebody(page, 1)
            page.goto(address)
            somebody.run()
            asked = page.evaluate("window.asked")
            # What Chromium says of gaps between it and the card; the product goes by the sound clock, which runs on over short ones.
            dropouts = page.evaluate("window.sounding.playbackStats?.toJSON() ?? null")
            page.close()
        with prepared.store.transaction() as s:
            assert s.scalars(select(SessionRow)).one().status == "complete"
            stored = [
                (float(e.at or 0), e.detail)
                for e in s.scalars(select(Event).where(Event.name == "audio_onset").order_by(Event.id))
            ]
        prepared.store.close()
        site.close()
    return {"heard": found[0], "asked": asked, "stored": stored, "dropouts": dropouts, "wrong": somebody.wrong}


def plain(desk: Any, browser: Any, plays: int) -> dict[str, Any]:
    """The same sounds by jsPsych's own trial, on a page with nothing else."""
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    from experiment.web.application import STATIC
    from experiment.web.flac import encode

    audio = plugin()

    def one(request: Any) -> Any:
        name = request.url.path
        if name.startswith("/sound/"):
            k = int(name.removeprefix("/sound/"))
            return Response(encode(sound(k, SHORT, 48000), 48000), media_type="audio/flac")
        if name == "/":
            return Response(PLAIN.replace("PLAYS", str(plays)), media_type="text/html")
        return Response(
            audio if name == "/plugin.js" else (STATIC / "vendor" / "jspsych.js").read_bytes(),
            media_type="text/javascript",
        )

    with served(Starlette(routes=[Route("/{name:path}", one)])) as address, recorded(desk) as found:
        page = browser.new_page(viewport={"width": 900, "height": 700})
        page.add_init_script(NOTING)
        page.goto(address)
        page.get_by_role("button", name="Begin").click()
        page.locator("#over").wait_for(timeout=600_000)
        asked = page.evaluate("window.asked")
        page.close()
    return {"heard": found[0], "asked": asked}


def place(heard: np.ndarray, wanted: np.ndarray, after: int) -> tuple[int, list[float], float]:
    """Where a sound is in the `NEAR` samples of a recording after one, how alike both ears are (r), how loud it is beside the file (dB)."""
    from scipy.signal import oaconvolve

    near = heard[after : after + len(wanted) + NEAR]
    match = sum(oaconvolve(near[:, c], wanted[::-1, c], mode="valid") for c in (0, 1))
    at = after + int(np.argmax(match))
    there = heard[at : at + len(wanted)]
    r = [float(np.corrcoef(there[:, c], wanted[:, c])[0, 1]) for c in (0, 1)]
    gain = float((there * wanted).sum() / (wanted**2).sum())
    return at, r, 20 * float(np.log10(max(gain, 1e-9)))


def alike(found: dict[str, Any], seconds: float, rates: tuple[int, ...]) -> dict[str, Any]:
    """Every clip that is stored as heard, in the recording."""
    from scipy.signal import resample_poly

    from experiment.lab.desk import RATE

    r, gain = [], []
    lag = [0]
    for _, detail in found["stored"]:
        k = int(detail["clip"].removeprefix("c"))
        rate = rates[k % len(rates)]
        wanted = resample_poly(sound(k, seconds, rate), RATE // 1000, rate // 1000, axis=0)
        at, both, db = place(found["heard"], wanted, lag[-1])
        r += both
        gain.append(db)
        lag.append(at + len(wanted) // 2)
    return {
        "clips": len(gain), "seconds": seconds, "rates": list(rates), "r_smallest": min(r), "r_median": float(np.median(r)),
        "over_.999": sum(min(r[i : i + 2]) > 0.999 for i in range(0, len(r), 2)), "dropouts_of_the_card": found["dropouts"],
        "gain_db": [round(min(gain), 4), round(max(gain), 4)],
        "stored_whole": sum(bool(d["whole"]) for _, d in found["stored"]), "underruns": sum(d["underruns"] for _, d in found["stored"]),
    }  # fmt: skip


def jitter(told: list[float], heard: list[float]) -> dict[str, float]:
    """How far onsets lie from what was told of them, ms: clocks' offset and rate are taken out."""
    a, b = np.array(told) - told[0], np.array(heard) - heard[0]
    error = b - np.polyval(np.polyfit(a, b, 1), a)
    error = 1000 * (error - np.median(error))
    low, high = np.percentile(error, [2.5, 97.5])
    return {
        "sd_ms": round(float(error.std()), 3), "most_ms": round(float(np.abs(error).max()), 3), "spread_95_ms": round(float(high - low), 3)
    }  # fmt: skip


def heard(plays: int = PLAYS) -> dict[str, Any]:
    """Clips of a whole session in the recording; onsets of so many plays, beside jsPsych's own."""
    from benchmarks.desk import LEAD, onsets
    from experiment.lab.desk import RATE, virtual_desk

    with at_one_rate(RATE), virtual_desk() as desk, chromium(desk.environment) as browser:
        whole = ours(desk, browser, 8, LONG, RATES)
        some = ours(desk, browser, plays, SHORT, (48000,))
        beside = plain(desk, browser, plays)
        version = browser.version
    out: dict[str, Any] = {
        "chromium": version,
        "clips": alike(whole, LONG, RATES),
        "short_clips": alike(some, SHORT, (48000,)),
    }
    for name, found in (("product", some), ("plain jsPsych", beside)):
        at = onsets(found["heard"].mean(axis=1), RATE)
        out[name] = {"plays": len(found["asked"]), "heard": len(at)}
        if len(at) == len(found["asked"]):
            out[name]["from when it was asked for"] = jitter(found["asked"], list(at))
            if "stored" in found:
                out[name]["from what is stored"] = jitter(
                    [a + d["onset_delay"] - LEAD for a, d in found["stored"]], list(at)
                )
    return out


if __name__ == "__main__":
    import sys

    print(json.dumps(heard(*map(int, sys.argv[1:])), indent=1))
