"""What a browser receives tells nothing of what a clip is: whole sessions of bots over HTTP, crawled, and a classifier on all of it.

Of each clip that is heard: sizes of bodies, headers, addresses letter by letter, order and place, lengths of the words before it; not
the sound, which a person hears. A forest of trees learns three quarters of the sessions and names the condition (or, of clips that are
heard alone, the taste) of the others'. Beside it the same with the size that a clip would have if it were not filled up: what is found
then shows that the classifier would find it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SESSIONS = 60


def leaks(sessions: int = SESSIONS) -> dict[str, Any]:
    """So many sessions of the default study, each of thirteen clips."""
    from scipy.stats import binomtest

    from experiment.bots.bots import Bot
    from experiment.bots.effects import load_effects
    from tests.experiment.bots.test_remote import entered
    from tests.experiment.web.crawling import Crawler, sounding, told
    from tests.experiment.web.visitor import at

    with tempfile.TemporaryDirectory() as folder:
        prepared = entered(Path(folder) / "study", ROOT / "study.toml")
        sounding(Path(folder), prepared)
        received = []
        with at(prepared) as client:
            for k in range(sessions):
                client.cookies.clear()
                crawler = Crawler(client, prepared, k)
                bot = Bot(prepared.config, load_effects(prepared.config.effects), np.random.default_rng([k]), 0)
                assert crawler.run(bot)["kind"] == "over"
                received += crawler.received
        prepared.store.close()
    found: dict[str, Any] = {"sessions": sessions, "clips": len(received), "features": len(received[0].features)}
    for what in ("condition", "taste"):
        for unfilled in (False, True):
            share, chance, n = told(received, what, unfilled)
            interval = binomtest(round(share * n), n).proportion_ci(method="wilson")
            found[what + (", sizes not filled up" if unfilled else "")] = {
                "share": share, "ci_low": interval.low, "ci_high": interval.high, "commonest": chance, "n": n,
            }  # fmt: skip
    return found
