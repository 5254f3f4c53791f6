"""Captions of bands: true words, the tempo said in many ways."""

from __future__ import annotations

import numpy as np

from models.tempo import tempo_class
from stimuli.dataset.build import capital
from stimuli.dataset.captions import ARTICULATION_WORDS, DYNAMICS_WORDS, HARMONY_WORDS, REGISTER_WORDS, SETTINGS
from stimuli.dataset.pulse.band import Band
from stimuli.dataset.pulse.styles import STYLES
from stimuli.dataset.scores import key_name

TEMPO_WORDS = (
    "{word} tempo, {bpm} BPM", "{word}, {bpm} BPM", "{bpm} BPM", "{bpm} bpm", "at {bpm} beats per minute", "tempo {bpm} BPM",
    "a tempo of {bpm} BPM", "{word} tempo ({bpm} BPM)", "{bpm} beats per minute", "{word} tempo", "{word}",
)  # fmt: skip
METRES = {2: "in two", 3: "in three", 4: "in four"}
PERCUSSION_WORDS = {
    "drums": ("drums", "a drum kit", "steady drums"),
    "hand percussion": ("hand percussion", "percussion", "shaker and tambourine"),
    "": ("", "no drums"),
}
KEEP = 0.8  # chance that an attribute is named


def wordings(band: Band, n: int, rng: np.random.Generator) -> list[str]:
    """Word `n` captions of a band; the first says its tempo in figures."""
    return [capital(worded(band, rng, exact=i == 0)) for i in range(n)]


def worded(band: Band, rng: np.random.Generator, exact: bool, keep: float = KEEP) -> str:
    """Word one caption, without a capital; each attribute is named with probability `keep`, the tempo in figures where `exact`."""

    def pick(words: tuple[str, ...]) -> str:
        return str(rng.choice(words))

    tempi = tuple(w for w in TEMPO_WORDS if "{bpm}" in w) if exact else TEMPO_WORDS
    tempo = pick(tempi).format(word=tempo_class(band.bpm), bpm=band.bpm)
    style = STYLES[band.style]
    drums = pick(PERCUSSION_WORDS[band.percussion])
    players = [*dict.fromkeys(band.instruments), *([drums] if drums and drums != "no drums" else [])]
    played = f"{', '.join(players[:-1])} and {players[-1]}"
    others = [
        pick(style.says), pick(REGISTER_WORDS[band.register]), pick(ARTICULATION_WORDS[band.articulation]),
        pick(HARMONY_WORDS[band.harmony]), pick(DYNAMICS_WORDS[band.dynamics]), ("with " if rng.random() < 0.7 else "played by ") + played,
        drums if drums == "no drums" else "", f"in {key_name(band.tonic, band.mode)}" if rng.random() < 0.4 else f"{band.mode} key",
        METRES[style.beats] if rng.random() < 0.3 else "",
    ]  # fmt: skip
    kept = [tempo] if exact or rng.random() < keep else []
    kept += [w for w in others if w and rng.random() < keep]
    order = rng.permutation(len(kept))
    return f"{pick(SETTINGS)}: " + ", ".join(kept[i] for i in order) + "." if kept else f"{pick(SETTINGS)}."
