"""Do captions hear the music: the measurements of `make evidence` on the captioner."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.nano import RATE, WORK, interval, read

ROOT = Path(__file__).resolve().parent.parent
TRAINED = ROOT / "outputs" / "training"
N = 220


def held_out() -> list[dict[str, Any]]:
    """The held-out corpus: 220 clips of pieces that no training saw (rendered on the first call)."""
    from stimuli.dataset.build import build_base

    folder = WORK / "test"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "metadata.jsonl").exists():
        build_base(folder, N, 15.0, RATE, 7, "test")
    return [json.loads(x) | {"folder": str(folder)} for x in (folder / "metadata.jsonl").read_text().splitlines()]


def held_out_varied(n: int = 120) -> Path:
    """A corpus of held-out pieces in many sounds (rendered on the first call)."""
    from stimuli.dataset.varied import build_varied

    folder = WORK / "varied"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "metadata.jsonl").exists():
        build_varied(folder, n, 15.0, RATE, 41, "test")
    return folder


def held_out_bands(n: int = 160) -> Path:
    """A corpus of bands that play what no training heard (rendered on the first call)."""
    from stimuli.dataset.pulse.build import build_pulse

    folder = WORK / "bands-captions"
    if not (folder / "metadata.jsonl").exists():
        build_pulse(folder, n, 15.0, RATE, 61, "test")
    return folder


def through(captioner: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Attributes and heads of clips that the codec gave back, as generated ones sound."""
    from models.sonicverse.evaluation.assess import captions_of
    from models.sonicverse.evaluation.attributes import evaluate, head_scores
    from models.sonicverse.nano.labels import labels_of
    from models.sonicverse.nano.train import through_codec
    from stimuli.audio import load_mono

    labels = [labels_of(r) for r in rows]
    vectors = [captioner.encode(through_codec(load_mono(Path(r["folder"]) / r["path"], RATE))) for r in rows]
    found, _ = captions_of(captioner, {k: np.stack([v[k] for v in vectors]) for k in vectors[0]}, labels)
    return {
        "attributes": evaluate([d.caption for d in found], labels),
        "heads": head_scores([d.features for d in found], labels),
        "examples": [d.caption for d in found[:3]],
    }


def captions() -> dict[str, Any]:
    """Attributes, heads and word overlap, of the clips as they are and through the codec; of bands; and of clips in many sounds."""
    from models.sonicverse.evaluation.assess import assess
    from models.sonicverse.load import load_captioner

    rows = held_out()
    captioner = load_captioner()
    out: dict[str, Any] = {"rendered": assess(captioner, WORK / "test"), "through the codec": through(captioner, rows)}
    bands = held_out_bands()
    out["bands"] = assess(captioner, bands)
    listed = (bands / "metadata.jsonl").read_text().splitlines()
    out["bands through the codec"] = through(captioner, [json.loads(x) | {"folder": str(bands)} for x in listed])
    out["many sounds"] = assess(captioner, held_out_varied())
    out["instruments by MusiCNN's tags"] = beside_tags(captioner, rows)
    return out


# Instruments that both have: ours, and MusiCNN's tag.
SHARED = {
    "guitar": "guitar", "piano": "piano", "violin": "violin", "cello": "cello", "harp": "harp", "flute": "flute",
    "strings": "strings", "percussion": "drums",
}  # fmt: skip


def beside_tags(captioner: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Area under the precision-recall curve for instruments that MusiCNN tags too: its tags, and our head."""
    from sklearn.metrics import average_precision_score

    from models.embeddings.musicnn import MTT_TAGS
    from models.sonicverse.nano.labels import INSTRUMENTS, labels_of

    vectors = [captioner.encode(read(r)) for r in rows]
    heard = captioner.hear(vectors)
    played = [labels_of(r)["instrument"] for r in rows]
    out: dict[str, Any] = {}
    for name, tag in SHARED.items():
        y = np.array([name in p for p in played])
        own = np.array([h["instrument"][INSTRUMENTS.index(name)] for h in heard])
        theirs = np.array([v["penultimate"][-len(MTT_TAGS) + MTT_TAGS.index(tag)] for v in vectors])
        out[name] = {
            "share_of_clips": float(y.mean()), "head": float(average_precision_score(y, own)),
            "tag": float(average_precision_score(y, theirs)),
        }  # fmt: skip
    out["mean"] = {k: float(np.mean([v[k] for v in out.values()])) for k in ("share_of_clips", "head", "tag")}
    return out


STEPS = 700  # through the language model, each


def captioner_of(name: str, seed: int, **switches: Any) -> Path:
    """Directory of a captioner trained for the ablation: on 1,600 clips, by the recipe of nano but shorter; goes on where it was.

    Kept by the code of the captioner: of other code it is trained anew.
    """
    from analysis.kept import made_by
    from models.sonicverse.nano.captioner import NANO
    from models.sonicverse.nano.train import save_projector, train_projector
    from stimuli.dataset.build import build_base

    code = made_by("models/sonicverse/nano", "models/sonicverse/projector.py", "models/loop.py")[0][:12]
    folder = TRAINED / f"captioner-{name}-s{seed}-{code}"
    if (folder / "model.safetensors").exists():
        return folder
    corpus = WORK / "train"
    corpus.mkdir(parents=True, exist_ok=True)
    if not (corpus / "metadata.jsonl").exists():
        build_base(corpus, 1600, 15.0, RATE, 11, "train")
    model = train_projector(
        [corpus], folder / "state", STEPS, seed, lambda k, n, row: print(name, k, n, row, flush=True) if k % 100 == 0 else None,
        replace(NANO, **switches),
    )  # fmt: skip
    save_projector(model, folder)
    return folder


def ablation(seed: int = 0) -> dict[str, Any]:
    """The paper's question: do feature tokens help? Full against content tokens alone (same content tokens; as many tokens in
    all), trained alike on the same corpus with one seed; and what is lost as feature tokens turn into noise."""
    from models.sonicverse.evaluation.assess import captions_of
    from models.sonicverse.evaluation.attributes import family_f1, instrument_f1, key_right, register_right, tempo_right
    from models.sonicverse.nano.captioner import NANO, NanoCaptioner
    from models.sonicverse.nano.labels import labels_of
    from models.sonicverse.nano.train import encode_corpus
    from models.training import read_corpus

    labels = [labels_of(r) for r in held_out()]
    corpus = WORK / "test"
    encoded = encode_corpus(read_corpus(corpus), corpus / "sonicverse.safetensors")
    measures = {
        "instrument": instrument_f1, "family": family_f1, "tempo": tempo_right, "register": register_right, "key": key_right,
    }  # fmt: skip

    content, every = NANO.content_tokens, NANO.tokens
    trained = {
        "full": captioner_of("full", seed), "alone": captioner_of(f"content-{content}", seed, features="off"),
        "as many": captioner_of(f"content-{every}", seed, features="off", content_tokens=every),
    }  # fmt: skip

    def scores(name: str, features: str = "own", noise: float = 1.0) -> dict[str, np.ndarray]:
        found, _ = captions_of(NanoCaptioner(trained[name]), encoded, labels, features, noise)
        out = {}
        for key, score in measures.items():
            head = "instrument" if key in ("instrument", "family") else key
            truth = [t[head] if head == "instrument" else t[head][0] for t in labels]
            out[key] = np.array([score(d.caption, t) for d, t in zip(found, truth, strict=True)])
        return out | {"mean": np.mean(list(out.values()), axis=0)}

    runs = {
        "full": scores("full"), "content alone, same content tokens (A\')": scores("alone"),
        "content alone, as many tokens (A)": scores("as many"), "full, oracle features": scores("full", "oracle"),
        "full, others' features": scores("full", "shuffled"),
        **{f"full, noise {share:.0%}": scores("full", "noise", share) for share in (0.25, 0.5, 0.75, 1.0)},
    }  # fmt: skip
    full = runs["full"]
    out: dict[str, Any] = {"n": len(labels), "seed": seed, "steps": STEPS, "tokens": [content, every]}
    for name, values in runs.items():
        row: dict[str, Any] = {k: float(v.mean()) for k, v in values.items()}
        if name != "full":
            for k in values:
                difference = full[k] - values[k]
                low, high = interval(lambda i, d=difference: float(d[i].mean()), len(difference))
                row[f"full minus this: {k}"] = {"difference": float(difference.mean()), "ci_low": low, "ci_high": high}
        out[name] = row
    return out


def spliced(
    rng: np.random.Generator, rows: list[dict[str, Any]]
) -> tuple[np.ndarray, list[float], list[dict[str, Any]]]:
    """Two to four parts of 15 to 30 s, neighbours of other instruments: audio, times of changes, rows of the parts."""
    parts: list[dict[str, Any]] = []
    while len(parts) < int(rng.integers(2, 5)) or len(parts) < 2:
        row = rows[int(rng.integers(len(rows)))]
        if parts and set(row["attributes"]["instruments"]) & set(parts[-1]["attributes"]["instruments"]):
            continue
        parts.append(row)
    audio, times, at = [], [], 0.0
    for row in parts:
        clip = read(row)
        whole = np.concatenate([clip, clip])[: int(rng.integers(15, 31)) * RATE]
        audio.append(whole)
        at += len(whole) / RATE
        times.append(at)
    return np.concatenate(audio), times[:-1], parts


def pieces(count: int = 20) -> dict[str, Any]:
    """Spliced pieces: changes found within 10 s, spurious ones, instruments heard in each true part; and SmolLM2's wording."""
    from models.sonicverse.evaluation.attributes import named
    from models.sonicverse.load import load_captioner
    from models.sonicverse.nano.labels import FAMILY_OF, INSTRUMENTS
    from models.sonicverse.pieces.windows import describe_piece, windows
    from models.sonicverse.pieces.wording import faithful, open_writer, reword, story

    captioner, writer = load_captioner(), open_writer("smollm2")
    rng = np.random.default_rng(17)
    rows = held_out()
    hits = wanted = spurious = worded = sentences_n = unfaithful = 0
    errors, f1, family = [], [], []
    for _ in range(count):
        audio, truth, parts = spliced(rng, rows)
        seconds = len(audio) / RATE
        spans = [audio[round(a * RATE) : round(b * RATE)] for a, b in windows(seconds)]
        piece = describe_piece(captioner, spans, seconds)
        found = [s.start for s in piece.segments[1:]]
        wanted += len(truth)
        for t in truth:
            near = min((abs(t - x) for x in found), default=np.inf)
            hits += near <= 10
            errors += [near] if near <= 10 else []
        spurious += sum(min((abs(t - x) for t in truth), default=np.inf) > 10 for x in found)
        edges = [0.0, *truth, seconds]
        for k, row in enumerate(parts):
            middle = (edges[k] + edges[k + 1]) / 2
            here = next((s for s in piece.segments if s.start <= middle < s.end), piece.segments[-1])
            said, played = set(here.description.top("instrument")), set(row["attributes"]["instruments"])
            said, played = said - {"percussion"}, played - {"percussion"}
            f1.append(2 * len(said & played) / max(1, len(said) + len(played)))
            families = {FAMILY_OF[i] for i in said}, {FAMILY_OF[i] for i in played}
            family.append(2 * len(families[0] & families[1]) / max(1, len(families[0]) + len(families[1])))
        told, taken = reword(piece, writer)
        worded += taken
        sentences_n += len(told)
        text = story(piece, told)
        every = {i for s in piece.segments for i in named(s.description.caption, INSTRUMENTS)}
        unfaithful += not named(text, INSTRUMENTS) <= every
        unfaithful += sum(
            not (s == p.description.caption or faithful(s, p.description.caption))
            for s, p in zip(told, piece.segments, strict=True)
        )

    def ci(values: list[float]) -> dict[str, float]:
        low, high = interval(lambda i: float(np.array(values)[i].mean()), len(values))
        return {"mean": float(np.mean(values)), "ci_low": low, "ci_high": high}

    return {
        "pieces": count, "changes": wanted, "found_within_10_s": hits, "median_error_seconds": float(np.median(errors)),
        "spurious": spurious, "parts": len(f1), "instrument_f1": ci(f1), "family_f1": ci(family),
        "sentences": sentences_n, "worded_by_smollm2": worded, "invented": int(unfaithful),
    }  # fmt: skip


def speed(n: int = 200) -> dict[str, Any]:
    """Clips of 15 s a minute, encoder and language model, one by one and by batch; and what the language model's cache saves."""
    import resource

    from models.sonicverse.load import load_captioner

    captioner = load_captioner()
    rows = held_out()
    clips = [read(rows[i % len(rows)]) for i in range(n)]
    captioner.describe(clips[:2])
    out: dict[str, Any] = {"clips": n, "seconds_each": 15, "batches": {}}
    for batch, count in ((1, 24), (4, 48), (8, n), (16, 96), (32, 96)):
        start = time.perf_counter()
        captioner.describe(clips[:count], batch)
        took = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        out["batches"][batch] = {
            "clips": count,
            "seconds": took,
            "clips_per_minute": 60 * count / took,
            "peak_megabytes": peak,
        }
        print(batch, out["batches"][batch], flush=True)
    out["cache"] = cache(captioner, clips[:8])
    return out


def cache(captioner: Any, clips: list[np.ndarray]) -> dict[str, Any]:
    """The language model's part alone, with its cache of keys and values and without, one by one and as a batch."""
    import torch

    vectors = [captioner.encode(c) for c in clips]
    x = {k: torch.from_numpy(np.stack([v[k] for v in vectors])) for k in vectors[0]}
    with torch.no_grad():
        tokens = captioner.projector(x)[0]

    def anew(prefix: torch.Tensor) -> list[str]:
        """Greedy choice with the whole text read again for every token."""
        words: Any = captioner.llm.get_input_embeddings()
        end = captioner.tokenizer.eos_token_id
        ids = torch.zeros(len(prefix), 0, dtype=torch.long)
        done = torch.zeros(len(prefix), dtype=torch.bool)
        with torch.no_grad():
            for _ in range(captioner.new_tokens):
                logits = captioner.llm(inputs_embeds=torch.cat([prefix, words(ids)], dim=1), use_cache=False).logits[
                    :, -1
                ]
                chosen = torch.where(done, torch.tensor(end), logits.argmax(dim=-1))
                ids = torch.cat([ids, chosen[:, None]], dim=1)
                done |= chosen == end
                if done.all():
                    break
        return [str(t) for t in captioner.tokenizer.batch_decode(ids, skip_special_tokens=True)]

    ways = {
        "with cache, a batch of 8": lambda: captioner.write(tokens),
        "with cache, one by one": lambda: [captioner.write(t[None])[0] for t in tokens],
        "without cache, a batch of 8": lambda: anew(tokens),
        "without cache, one by one": lambda: [anew(t[None])[0] for t in tokens],
    }
    out: dict[str, Any] = {"clips": len(clips)}
    texts: dict[str, list[str]] = {}
    for name, way in ways.items():
        times = []
        for _ in range(2):
            start = time.perf_counter()
            texts[name] = way()
            times.append(time.perf_counter() - start)
        out[name] = {"seconds": min(times)}
    slowest = out["without cache, one by one"]["seconds"]
    for name in ways:
        out[name] |= {
            "times_as_fast": slowest / out[name]["seconds"],
            "same_texts": texts[name] == texts["without cache, one by one"],
        }
    print(out, flush=True)
    return out


def _described(minutes: int) -> dict[str, float]:
    """In a process of its own: peak memory of describing a piece of so many minutes."""
    import resource
    import tempfile

    import soundfile

    from stimuli.describe import describe_files

    rows = held_out()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "piece.wav"
        with soundfile.SoundFile(path, "w", RATE, 1) as file:
            for i in range(4 * minutes):
                file.write(read(rows[i % 8 if i % 2 else 3])[: 15 * RATE])
        start = time.perf_counter()
        tables = describe_files([path], "nano", "none")
        took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"minutes": minutes, "seconds": took, "peak_megabytes": peak, "parts": len(tables["segments"])}


def long() -> dict[str, Any]:
    """Peak memory and time of describing 1, 10 and 60 minutes, each in a process of its own."""
    import subprocess
    import sys

    out: dict[str, Any] = {}
    for minutes in (1, 10, 60):
        code = f"import json; from benchmarks.captions import _described; print(json.dumps(_described({minutes})))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
        out[f"{minutes} minutes"] = json.loads(done.stdout.strip().splitlines()[-1])
    return out
