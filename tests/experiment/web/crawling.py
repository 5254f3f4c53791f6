"""What a browser receives of each clip that it plays, as numbers, and how well what the clip is can be told from them.

A person hears a clip; whoever only looks at what was sent has sizes, headers, addresses, the words and the order of all that
came before. Each of them is a feature here; the sound itself is not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from experiment.launch import Prepared
from experiment.web.flac import encode
from tests.experiment.web.visitor import Visitor

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass
class Received:
    """One clip of one session: what came with it, and what it is, which did not come; `bare` is its size if it were not filled up."""

    session: int
    features: list[float]
    condition: str
    taste: str
    compared: bool
    bare: int


@dataclass
class Crawler(Visitor):
    """A visitor that fetches every sound, and notes what it received."""

    client: TestClient
    prepared: Prepared
    session: int = 0
    language: str = "en"
    received: list[Received] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.client, self.prepared, self.language)
        self.sizes: list[int] = []

    def does(self, screen: dict[str, Any], who: Any) -> dict[str, Any]:
        """As whoever answers; a clip's features are taken on the way."""
        said = json.dumps(screen)
        self.sizes.append(len(said))
        if screen["kind"] == "listen":
            for place, (shown, clip) in enumerate(zip(screen["clips"], self.step().clips, strict=True)):
                answer = self.client.get(shown["sound"])
                assert answer.status_code == 200
                heads = sorted((k, v) for k, v in answer.headers.items())
                told = [
                    len(answer.content), len(json.dumps(heads)), sum(map(len, dict(heads))), len(said), shown["seconds"],
                    place, len(screen["clips"]), len(self.screens), screen["turn"], len(screen["ahead"]),
                    screen["ahead"].index(shown["sound"]) if shown["sound"] in screen["ahead"] else -1,
                    len(shown["title"]), *self.sizes[-3:],
                    *(LETTERS.index(c) for c in shown["sound"].removeprefix("/sound/")),
                ]  # fmt: skip
                self.received.append(
                    Received(
                        self.session,
                        [float(x) for x in told],
                        clip.model,
                        clip.taste,
                        len(screen["clips"]) > 1,
                        bare(str(clip.path)),
                    )
                )
        return super().does(screen, who)


def sounding(folder: Path, prepared: Prepared, seconds: float = 0.3) -> None:
    """Files of one length that compress very differently by condition, and by taste."""
    import hashlib

    import soundfile

    conditions = sorted({c.model for c in prepared.stimuli})
    tastes = sorted({c.taste for c in prepared.stimuli})
    t = np.arange(round(seconds * 48000)) / 48000
    with prepared.store.transaction() as s:
        for k, clip in enumerate(prepared.stimuli):
            loud = 2.0 ** (len(tastes) * conditions.index(clip.model) + tastes.index(clip.taste))
            noise = np.random.default_rng(k).normal(0, 1e-4 * loud, (len(t), 2))
            tone = 0.1 * np.sin(2 * np.pi * 110 * t)[:, None]
            path = folder / f"{clip.id}.wav"
            soundfile.write(path, noise + tone, 48000, subtype="PCM_24")
            clip.path, clip.seconds = str(path), seconds
            clip.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            s.merge(clip)


@lru_cache
def bare(path: str) -> int:
    """Bytes of a clip as it compresses."""
    import soundfile

    return len(encode(*soundfile.read(path, always_2d=True, dtype="int32")))


def told(received: list[Received], what: str, unfilled: bool = False) -> tuple[float, float, int]:
    """How often a forest of trees that learned other sessions tells `what` a clip is; chance by the commonest; clips.

    That it would tell anything is seen where a clip's size is `unfilled`. Of tastes only clips that are heard alone count: of two that are compared the taste is asked about in words.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GroupKFold

    some = [r for r in received if what == "condition" or not r.compared]
    names = np.array([getattr(r, what) for r in some])
    features = np.array([r.features + [float(r.bare)] * unfilled for r in some])
    right = 0
    for learn, try_ in GroupKFold(4).split(features, names, [r.session for r in some]):
        trees = RandomForestClassifier(100, max_features=None, random_state=0).fit(features[learn], names[learn])
        right += int((trees.predict(features[try_]) == names[try_]).sum())
    return right / len(some), float(max(np.mean(names == n) for n in set(names))), len(some)
