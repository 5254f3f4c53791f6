"""Does a nano MusicGen make bands as they are asked for? Attributes, steadiness, spectrum, drones, distance; tempo is pulse.py's.

``python -m benchmarks.bands [MODEL ...]`` prints it of shipped models or directories; ``python -m benchmarks.evidence bands`` writes
docs/evidence/bands.json. Each contrast asks for the same bands twice, with one
attribute turned, and gives the standardised difference (Cohen's d) of what is measured; beside it stands the same for the clips that
are rendered for the very same bands, and for these through the codec: more than is left there no language model can make. No prompt is one that a training or a choice of settings saw.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.nano import RATE, SECONDS, WORK, interval, mean_interval, read
from benchmarks.pulse import BATCH, held_out

BANDS = 40  # a contrast
MORE = {"harmony": 100, "mode": 100}  # of what differs least
CONTRAST_SECONDS = 10.0
LEARNED_FROM = 60  # rendered clips a side, for the classifiers of instruments
SEED = 44
CONTRASTS: dict[str, tuple[str, Any, Any, str]] = {
    "staccato - legato: gaps": ("articulation", "staccato", "legato", "gaps"),
    "dissonant - consonant: roughness": ("harmony", "dissonant", "consonant", "roughness"),
    "major - minor: mode": ("mode", "major", "minor", "mode"),
    "dissonant - consonant: intervals of the notes heard": ("harmony", "dissonant", "consonant", "dissonance heard"),
    "major - minor: mode of the notes heard": ("mode", "major", "minor", "mode heard"),
    "loud - soft: level": ("dynamics", "loud", "soft", "level"),
    "high - low: pitch height": ("register", "high", "low", "pitch_height"),
    "high - low: centroid": ("register", "high", "low", "centroid"),
    "drums - none: onsets": ("percussion", "drums", "", "onset_rate"),
    "piano - violin": ("melody", "piano", "violin", "classifier"),
    "flute - guitar": ("melody", "flute", "guitar", "classifier"),
    "brass - organ": ("melody", "brass", "organ", "classifier"),
}
SWING, WINDOW = 9.0, 3.0  # dB, seconds
EDGE = 1000.0  # Hz
DRONE = 0.8  # share of a clip


def band_of(k: int, attribute: str, value: Any) -> Any:
    """Band k of the contrasts, with one attribute set; `melody` sets who plays melody and chords."""
    from stimuli.dataset.pulse.band import draw_band

    band = draw_band(np.random.default_rng([SEED, k]))
    if attribute == "melody":
        return replace(band, instruments=(value, value, band.instruments[2]), percussion="")
    return replace(band, **{attribute: value})


def prompt(band: Any, k: int) -> str:
    """A caption that names all of a band."""
    from stimuli.dataset.build import capital
    from stimuli.dataset.pulse.captions import worded

    return capital(worded(band, np.random.default_rng([SEED + 1, k]), exact=True, keep=1.0))


def rendered(k: int, attribute: str, value: Any, split: str = "test") -> np.ndarray:
    """The clip that is rendered for a band of the contrasts; kept on the disk."""
    from stimuli.audio import load_mono
    from stimuli.dataset.pulse.build import draw_voicing, heard

    wav = WORK / "contrasts" / f"{k}-{attribute}-{value or 'none'}-{split}.wav"
    if not wav.exists():
        wav.parent.mkdir(parents=True, exist_ok=True)
        rng, band = np.random.default_rng([SEED + 2, k]), band_of(k, attribute, value)
        heard(band, draw_voicing(band, rng), wav, CONTRAST_SECONDS, RATE, split, rng)
    return load_mono(wav, RATE)


def generate(model: Any, prompts: Sequence[str], seconds: float, first: int, sampling: Any = None) -> list[np.ndarray]:
    """Mono clips of a MusicGenerator, a prompt and a seed each."""
    made: list[np.ndarray] = []
    for at in range(0, len(prompts), BATCH):
        own = list(prompts[at : at + BATCH])
        made += list(model.generate(own, seconds, [first + at + i for i in range(len(own))], sampling)[:, 0])
    return made


def embedded(clip: np.ndarray) -> np.ndarray:
    """Mean of YAMNet's values over a levelled clip."""
    from analysis.sound.distances import level
    from models.embeddings.yamnet import embed

    return np.asarray(embed(level(clip)).mean(axis=0))


def told_apart(one: str, other: str) -> Callable[[np.ndarray], float]:
    """Log odds of `one` against `other`, by a regression on rendered clips of training tunes."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    ks = range(1000, 1000 + LEARNED_FROM)
    x = np.stack([embedded(rendered(k, "melody", who, "train")) for who in (one, other) for k in ks])
    judge = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    judge.fit(x, np.repeat([1, 0], LEARNED_FROM))
    return lambda clip: float(judge.decision_function(embedded(clip)[None])[0])


def standardised(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Cohen's d of two samples of one size, with its bootstrap interval over pairs."""

    def d(i: np.ndarray) -> float:
        a, b = one[i], other[i]
        return float((a.mean() - b.mean()) / max(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2), 1e-9))

    low, high = interval(d, len(one))
    return {"d": d(np.arange(len(one))), "ci_low": low, "ci_high": high, "n": len(one)}


def through_codec(clips: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Mono clips as codec-nano's codes have them."""
    import torch

    from benchmarks.pulse import codes_of
    from models.musicgen.nano import load_codec

    codec = load_codec()
    with torch.no_grad():
        return [codec.decode(codes[None])[0, 0].numpy() for codes in codes_of(clips)]


def contrasts(
    model: Any, bands: int | None = None, sampling: Any = None, kinds: Sequence[str] = tuple(CONTRASTS)
) -> dict[str, Any]:
    """Standardised differences of what is measured where one attribute is asked for and where its opposite is.

    Of `bands` bands each, or of `BANDS` and where little differs `MORE`.
    """
    from benchmarks import chords
    from stimuli.features import acoustic_features

    out: dict[str, Any] = {}
    known: dict[tuple[str, Any], dict[str, list[np.ndarray]]] = {}
    for name in kinds:
        attribute, one, other, feature = CONTRASTS[name]
        n = bands or MORE.get(attribute, BANDS)
        for value in (one, other):
            if (attribute, value) not in known:
                prompts = [prompt(band_of(k, attribute, value), k) for k in range(n)]
                clips = generate(model, prompts, CONTRAST_SECONDS, 6000, sampling)
                played = [rendered(k, attribute, value) for k in range(n)]
                known[attribute, value] = {
                    "generated": clips,
                    "rendered": played,
                    "through the codec": through_codec(played),
                }
        if feature == "classifier":
            measure = told_apart(one, other)
        elif feature in chords.MEASURES:

            def measure(clip: np.ndarray, feature: str = feature) -> float:
                return chords.MEASURES[feature](chords.heard_notes(clip))
        elif feature == "level":

            def measure(clip: np.ndarray) -> float:
                return float(10 * np.log10(np.mean(clip.astype(np.float64) ** 2) + 1e-12))
        else:

            def measure(clip: np.ndarray, feature: str = feature) -> float:
                return acoustic_features(clip, RATE)[feature]

        out[name] = {
            whose: standardised(*(np.array([measure(c) for c in known[attribute, v][whose]]) for v in (one, other)))
            for whose in known[attribute, one]
        }
    return out


def swing(clip: np.ndarray) -> float:
    """Range of the level (dB) of a mono clip over windows of `WINDOW` seconds."""
    size = round(WINDOW * RATE)
    parts = clip[: len(clip) // size * size].reshape(-1, size).astype(np.float64)
    level = 10 * np.log10((parts**2).mean(axis=1) + 1e-9)
    return float(level.max() - level.min())


def high_level(clip: np.ndarray) -> float:
    """Share of the energy over `EDGE`, in dB."""
    from stimuli.dataset.pulse.sound import high_share

    return float(10 * np.log10(high_share(clip, RATE) + 1e-9))


def longest_chord(clip: np.ndarray) -> float:
    """Share of a clip in which the chord (of 24 triads, by chroma, second by second) is its most frequent one."""
    from models.compiled import librosa as compiled

    librosa = compiled()
    chroma = librosa.feature.chroma_cqt(y=clip, sr=RATE, hop_length=512)
    width = round(RATE / 512)
    seconds = chroma[:, : chroma.shape[1] // width * width].reshape(12, -1, width).mean(axis=2)
    triads = np.stack([np.roll(np.isin(np.arange(12), (0, third, 7)), root) for third in (3, 4) for root in range(12)])
    unit = triads / np.sqrt(3)
    found = (unit @ (seconds / np.maximum(np.linalg.norm(seconds, axis=0), 1e-9))).argmax(axis=0)
    return float(np.bincount(found).max() / len(found))


def share(values: Sequence[bool]) -> dict[str, float]:
    """A share with its bootstrap interval."""
    found = np.array(values, dtype=float)
    low, high = mean_interval(found)
    return {"share": float(found.mean()), "ci_low": low, "ci_high": high, "n": len(found)}


def sound(model: Any, rows: Sequence[dict[str, Any]], sampling: Any = None) -> dict[str, Any]:
    """Steadiness, spectrum, drones and distance of clips for the captions of rendered ones, beside those."""
    from analysis.sound.distances import level
    from analysis.sound.fad import bootstrap, frechet_distance, moments
    from models.embeddings.yamnet import embed

    real = [read(row)[: round(SECONDS * RATE)] for row in rows]
    made = generate(model, [row["description"] for row in rows], SECONDS, 6500, sampling)
    low = [i for i, row in enumerate(rows) if row["attributes"]["register"] == "low"]
    out: dict[str, Any] = {}
    for name, clips in (("generated", made), ("rendered", real)):
        out[f"{name}: level swings over {SWING:.0f} dB"] = share([swing(c) > SWING for c in clips])
        out[f"{name}: one chord over {100 * DRONE:.0f} % of the clip"] = share(
            [longest_chord(c) > DRONE for c in clips]
        )
    apart = np.array([high_level(made[i]) - high_level(real[i]) for i in low])
    least, most = mean_interval(apart)
    out["low clips: energy over 1 kHz beside rendered, dB"] = {
        "mean": float(apart.mean()),
        "ci_low": least,
        "ci_high": most,
        "n": len(low),
    }
    reference = np.concatenate([embed(level(c)) for c in real])
    own = [embed(level(c)) for c in made]
    least, most = bootstrap(own, moments(reference), 40, np.random.default_rng(0))
    out["FAD (YAMNet) to the rendered clips"] = {
        "fad": frechet_distance(np.concatenate(own), reference),
        "ci_low": least,
        "ci_high": most,
        "n": len(own),
    }
    return out


def measurements(names: Sequence[str] = ("nano-base",), say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Contrasts, and the sound of clips for 200 captions, of models."""
    from models.musicgen.generate import load_generator

    tables: dict[str, Any] = {}
    for name in names:
        model = load_generator(name)
        tables[name] = {"contrasts": contrasts(model), "sound": sound(model, held_out(200))}
        for what, found in tables[name]["contrasts"].items():
            told = ", ".join(f"{whose} {d['d']:+.2f}" for whose, d in found.items())
            say(f"{name}, {what:34s} d: {told}")
        for what, found in tables[name]["sound"].items():
            say(f"{name}, {what}: {next(iter(found.values())):.3g}")
    return {"bands": BANDS, "seconds": CONTRAST_SECONDS, "models": tables}


if __name__ == "__main__":
    measurements(sys.argv[1:] or ["nano-base"], lambda text: print(text, flush=True))
