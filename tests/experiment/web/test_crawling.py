"""Nothing that a browser receives tells what a clip is: a classifier on sizes, headers, addresses and order is at chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.data.store import Store
from experiment.launch import Prepared
from tests.experiment.test_own_questions import config
from tests.experiment.web.crawling import Crawler, sounding, told
from tests.experiment.web.visitor import at

SESSIONS = 6


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    """Two conditions and four tastes in eight clips a person, each rated on one word."""
    tastes = ("bitter", "salty", "sour", "sweet")
    scale = {"low": 1, "high": 5, "labels": {"en": ["1", "2", "3", "4", "5"]}}
    rated = {"kind": "ratings", "clips": 8, **scale, "adjectives": [{"name": "hot", "words": {"en": "hot"}}]}
    asked = config(tasks=[rated], demographics=[], minimum_age=0, sound_check=False, languages=["en"], pause=False)
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    number = store.ensure_study("s", "S", {"experiment": asked.model_dump(mode="json")})
    rows = [
        {"clip": f"{t}-{m}-{n}", "taste": t, "model": m, "number": n, "path": None, "sha256": None}
        for t in tastes for m in "ab" for n in range(3)
    ]  # fmt: skip
    found = Prepared(store, number, asked, store.ensure_stimuli(number, rows))
    sounding(tmp_path, found)
    return found


def crawled(prepared: Prepared) -> list[Any]:
    received = []
    with at(prepared) as client:
        for k in range(SESSIONS):
            client.cookies.clear()
            crawler = Crawler(client, prepared, k)
            bot = Bot(prepared.config, load_effects(None), np.random.default_rng([k]), 0)
            assert crawler.run(bot)["kind"] == "over"
            received += crawler.received
    assert len(received) == 8 * SESSIONS
    return received


def test_what_a_clip_is_can_not_be_told_from_what_is_sent(prepared: Prepared) -> None:
    """48 clips; three standard errors of a share of a half are .22, of a quarter .19. Sizes that
    are not filled up would tell.
    """
    received = crawled(prepared)
    assert told(received, "condition")[0] < 0.5 + 0.22
    assert told(received, "taste")[0] < 0.25 + 0.19
    assert told(received, "condition", unfilled=True)[0] > 0.9
    assert len({r.features[0] for r in received}) == 1
    assert len({r.bare for r in received}) > 10
    prepared.store.close()
