"""What the nano MusicGen does and does not: asked against measured attributes, the codec, tastes, ablations.

All prompts, seeds and pieces are ones that no training saw. Called by ``python -m benchmarks.evidence``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "outputs" / "evidence"
RATE = 16000
SECONDS = 15.0
MODELS = ("nano-base", "nano-taste")
Interval = dict[str, float]


def fresh() -> list[dict[str, Any]]:
    """Held-out clips that neither training nor the choice of sampling settings saw (rendered on the first call)."""
    from stimuli.dataset.build import build_base

    rows = []
    for name, n, seed in (("fresh", 260, 8), ("fresh-more", 180, 12)):
        folder = WORK / name
        folder.mkdir(parents=True, exist_ok=True)
        metadata = folder / "metadata.jsonl"
        if not metadata.exists():
            build_base(folder, n, SECONDS, RATE, seed, "test")
        rows += [json.loads(line) | {"folder": str(folder)} for line in metadata.read_text().splitlines()]
    return rows


def taste_set(split: str) -> list[dict[str, Any]]:
    """The fine-tuning set's tracks: 400 of 30 s of training tunes, or 120 of 15 s of held-out ones."""
    from stimuli.dataset.pulse.tasting import build_pulse_taste

    folder = WORK / f"bands-taste-{split}"
    folder.mkdir(parents=True, exist_ok=True)
    metadata = folder / "metadata.jsonl"
    if not metadata.exists():
        n, seconds, seed = (400, 30.0, 21) if split == "train" else (120, SECONDS, 23)
        build_pulse_taste(folder, n, seconds, RATE, seed, split)
    return [json.loads(line) | {"folder": str(folder)} for line in metadata.read_text().splitlines()]


def read(row: dict[str, Any]) -> np.ndarray:
    """Audio of a rendered clip."""
    from stimuli.audio import load_mono

    return load_mono(Path(row["folder"]) / row["path"], RATE)


def generated(model: str, prompts: list[str], seconds: float, seeds: list[int]) -> list[np.ndarray]:
    """Mono clips of a model, a prompt each; kept under what they depend on, the code too, so that an interrupted run goes on."""
    import hashlib
    from dataclasses import asdict

    from analysis.kept import made_by
    from models.musicgen.generate import Sampling, generator_sha256, load_generator

    out: list[np.ndarray] = []
    for start in range(0, len(prompts), 16):
        batch, own = prompts[start : start + 16], seeds[start : start + 16]
        key = json.dumps([generator_sha256(model), batch, own, seconds, asdict(Sampling()), made_by("models/musicgen")])
        path = WORK / "clips" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial.npy")
            np.save(partial, load_generator(model).generate(batch, seconds, own)[:, 0])
            partial.replace(path)
        out += list(np.load(path))
    return out


def interval(values: Callable[[np.ndarray], float], n: int, seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """Percentile bootstrap interval (95 %) of a function of resampled indices."""
    rng = np.random.default_rng(seed)
    found = [values(rng.integers(n, size=n)) for _ in range(draws)]
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def mean_interval(values: np.ndarray, draws: int = 2000) -> tuple[float, float]:
    """Bootstrap interval of the mean of values (..., clips), resampled over clips."""
    return interval(lambda i: float(values[..., i].mean()), values.shape[-1], draws=draws)


def correlation(asked: np.ndarray, measured: np.ndarray) -> Interval:
    """Pearson correlation with its bootstrap interval over clips."""
    low, high = interval(lambda i: float(np.corrcoef(asked[i], measured[i])[0, 1]), len(asked))
    return {"r": float(np.corrcoef(asked, measured)[0, 1]), "ci_low": low, "ci_high": high}


def _features(clips: list[np.ndarray]) -> list[dict[str, float]]:
    from stimuli.features import acoustic_features

    return [acoustic_features(c, RATE) for c in clips]


def _design(rows: list[dict[str, Any]]) -> np.ndarray:
    """Indicators of register, articulation, dynamics, harmony and instruments: what a caption says of brightness."""
    from stimuli.dataset.arrange import ARTICULATIONS, DYNAMICS, HARMONIES, INSTRUMENTS, REGISTERS

    columns = []
    for row in rows:
        a = row["attributes"]
        own = [float(a[k] == v) for k, vs in (("register", REGISTERS), ("articulation", ARTICULATIONS)) for v in vs]
        own += [float(a[k] == v) for k, vs in (("dynamics", tuple(DYNAMICS)), ("harmony", HARMONIES)) for v in vs]
        columns.append([1.0, *own, *[float(i in a["instruments"]) for i in INSTRUMENTS]])
    return np.array(columns)


def asked(n: int = 400, seconds: float = 10.0) -> dict[str, Any]:
    """Correlation of asked with measured tempo, pitch height and brightness over `n` prompts, per model.

    Tempo: BPM of the prompt against a regression on rhythm (`benchmarks.tempo`), against librosa's beat tracker and
    against onsets a second. Pitch height: the register's centre
    (MIDI). Brightness: log centroid that register, articulation, dynamics, harmony and instruments predict, by least
    squares on the rendered clips (their own half, so that the ceiling is not fitted). The ceiling is the same
    correlation on the clips that were rendered for the very same prompts.
    """
    from benchmarks.tempo import tempi
    from stimuli.dataset.arrange import LEAD_CENTRE

    rows = fresh()[:n]

    def features(clips: list[np.ndarray]) -> list[dict[str, float]]:
        return [f | {"rhythm": float(t)} for f, t in zip(_features(clips), tempi(clips, seconds), strict=True)]

    rendered = features([read(r)[: round(seconds * RATE)] for r in rows])
    half = n // 2
    design, centroid = _design(rows), np.log2([f["centroid"] for f in rendered])
    predicted = np.empty(n)
    for fit, use in ((slice(0, half), slice(half, n)), (slice(half, n), slice(0, half))):
        predicted[use] = design[use] @ np.linalg.lstsq(design[fit], centroid[fit], rcond=1e-6)[0]
    wanted = {
        "tempo": (np.array([r["attributes"]["bpm"] for r in rows], float), "rhythm"),
        "beat tracker": (np.array([r["attributes"]["bpm"] for r in rows], float), "tempo"),
        "onsets": (np.array([r["attributes"]["bpm"] for r in rows], float), "onset_rate"),
        "pitch height": (
            np.array([LEAD_CENTRE[r["attributes"]["register"]] for r in rows], float), "pitch_height",
        ),
        "brightness": (predicted, "centroid"),
    }  # fmt: skip

    def measured(found: list[dict[str, float]], feature: str) -> np.ndarray:
        values = np.array([f[feature] for f in found])
        return np.log2(values) if feature == "centroid" else values

    out: dict[str, Any] = {"prompts": n, "seconds": seconds}
    for name, (target, feature) in wanted.items():
        out[f"ceiling: {name}"] = correlation(target, measured(rendered, feature))
    for model in MODELS:
        found = features(generated(model, [r["description"] for r in rows], seconds, list(range(7000, 7000 + n))))
        for name, (target, feature) in wanted.items():
            value = correlation(target, measured(found, feature))
            out[f"{model}: {name}"] = {**value, "of_ceiling": value["r"] / out[f"ceiling: {name}"]["r"]}
    return out


def si_sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019)."""
    n = min(len(reference), len(estimate))
    reference, estimate = reference[:n], estimate[:n]
    target = (estimate @ reference) / (reference @ reference + 1e-12) * reference
    return float(10 * np.log10((target @ target + 1e-12) / (((estimate - target) ** 2).sum() + 1e-12)))


def opus(audio: np.ndarray, bit_rate: int) -> tuple[np.ndarray, float]:
    """Through Opus at 16 kHz; returns audio and the bits a second that it took."""
    import io

    import av

    stored = io.BytesIO()
    with av.open(stored, "w", format="ogg") as out:
        stream: Any = out.add_stream(
            "libopus", rate=RATE, layout="mono", options={"vbr": "off", "frame_duration": "60"}
        )
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray((audio[None] * 32767).astype(np.int16), format="s16", layout="mono")
        frame.sample_rate = RATE
        size = 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            size += packet.size
            out.mux(packet)
    stored.seek(0)
    with av.open(stored) as back:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        parts = [r.to_ndarray()[0] for f in back.decode(audio=0) for r in resampler.resample(f)]
        parts += [r.to_ndarray()[0] for r in resampler.resample(None)]
    return np.concatenate(parts), 8 * size / (len(audio) / RATE)


def _real() -> list[np.ndarray]:
    """Three pieces of 5 s of each real track of the reference data, where it is at hand."""
    import os

    from stimuli.audio import load_mono

    folder = Path(os.environ.get("TASTELAB_REFERENCE_DATA", "/nowhere")) / "followup-study" / "audio"
    out = []
    for path in sorted(folder.glob("*.mp3")):
        audio = load_mono(path, RATE)
        for place in (0.2, 0.5, 0.8):
            start = int(place * max(0, len(audio) - 5 * RATE))
            piece = audio[start : start + 5 * RATE]
            if np.sqrt((piece**2).mean()) > 1e-3:
                out.append(piece)
    return out


def codec() -> dict[str, Any]:
    """The codec on held-out rendered and on real music beside Opus: mel distance, SI-SDR, FAD (YAMNet) to the original."""
    import torch

    from analysis.sound.distances import level
    from analysis.sound.fad import bootstrap, frechet_distance, moments
    from models.embeddings.yamnet import embed
    from models.musicgen.losses import mel_distance
    from models.musicgen.nano import load_codec

    network = load_codec()
    bits = network.frame_rate * 6 * 9

    def through(x: np.ndarray) -> tuple[np.ndarray, float]:
        with torch.no_grad():
            codes, _ = network.encode(torch.from_numpy(x)[None, None])
            return network.decode(codes)[0, 0, : len(x)].numpy(), float(bits)

    ways: dict[str, Callable[[np.ndarray], tuple[np.ndarray, float]]] = {
        "codec-nano": through,
        "Opus at its least": lambda x: opus(x, 500),
        "Opus 6 kbit/s": lambda x: opus(x, 6000),
    }
    out: dict[str, Any] = {}
    sources = {"held-out rendered": [read(r)[: 5 * RATE] for r in fresh()[:60]], "real": _real()}
    for kind, clips in sources.items():
        if not clips:
            continue
        reference = [embed(level(c)) for c in clips]
        for name, way in ways.items():
            done = [way(c) for c in clips]
            mel = [
                float(mel_distance(torch.from_numpy(a)[None], torch.from_numpy(b[: len(a)].copy())[None], RATE))
                for a, (b, _) in zip(clips, done, strict=True)
            ]
            embedded = [embed(level(b)) for b, _ in done]
            low, high = bootstrap(embedded, moments(np.concatenate(reference)), 40, np.random.default_rng(0))
            out[f"{kind}: {name}"] = {
                "n": len(clips),
                "bits_per_second": float(np.mean([b for _, b in done])),
                "mel_distance": float(np.mean(mel)),
                "si_sdr_db": float(np.mean([si_sdr(a, b) for a, (b, _) in zip(clips, done, strict=True)])),
                "fad_yamnet": frechet_distance(np.concatenate(embedded), np.concatenate(reference)),
                "ci_low": low,
                "ci_high": high,
            }
    return out


def losses() -> dict[str, Any]:
    """Held-out cross-entropy of each codebook (nats) with prompts, without, and with others' prompts."""
    import torch

    from models.musicgen.nano import load_codec, load_language_model
    from models.musicgen.train_language import codebook_losses
    from models.weights import weights_directory

    network = load_codec()
    out: dict[str, Any] = {"clips": 96}
    rows = fresh()[:96]
    with torch.no_grad():
        codes = torch.cat([network.encode(torch.from_numpy(read(r))[None, None])[0] for r in rows])
        texts = [r["description"] for r in rows]
        for model in MODELS:
            lm = load_language_model(weights_directory(model))
            for kind, words in (("own prompt", texts), ("no prompt", [""] * 96), ("another's", texts[1:] + texts[:1])):
                parts = [codebook_losses(lm, codes[i : i + 16], words[i : i + 16]) for i in range(0, 96, 16)]
                mean = torch.stack(parts).mean(0)
                out[f"{model}: {kind}"] = {"mean": float(mean.mean()), "codebooks": [float(x) for x in mean]}
    return out


def precision(n: int = 60) -> dict[str, Any]:
    """What lower precision changes: FAD (YAMNet) to held-out music and mean features, float32 beside bfloat16 and int8.

    The same prompts and seeds; intervals of the paired differences in features over clips.
    """
    from analysis.sound.distances import level
    from analysis.sound.fad import bootstrap, frechet_distance, moments
    from models.embeddings.yamnet import embed
    from models.musicgen.generate import load_generator

    rows = fresh()
    reference = np.concatenate([embed(level(read(r))) for r in rows[n:]])
    prompts = [r["description"] for r in rows[:n]]
    out: dict[str, Any] = {"clips": n, "n_reference": len(rows) - n}
    first: dict[str, np.ndarray] = {}
    for kind in ("float32", "bfloat16", "int8"):
        generator = load_generator("nano-base", "transformers", kind)
        clips = [
            c[0]
            for start in range(0, n, 12)
            for c in generator.generate(prompts[start : start + 12], 10.0, list(range(5000 + start, 5012 + start)))
        ]
        embedded = [embed(level(c)) for c in clips]
        low, high = bootstrap(embedded, moments(reference), 40, np.random.default_rng(1))
        row: dict[str, Any] = {
            "fad": frechet_distance(np.concatenate(embedded), reference), "ci_low": low, "ci_high": high,
        }  # fmt: skip
        features = _features(clips)
        for name in ("onset_rate", "pitch_height", "centroid"):
            values = np.array([f[name] for f in features])
            first.setdefault(name, values)
            difference = values - first[name]
            low, high = mean_interval(difference)
            row[name] = {
                "mean": float(values.mean()),
                "change": float(difference.mean()),
                "ci_low": low,
                "ci_high": high,
            }
        out[kind] = row
    return out
