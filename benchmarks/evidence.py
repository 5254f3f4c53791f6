"""The long measurements that docs/evidence.md quotes: ``make evidence``. Resumable: what is of today's code and weights is not made again.

pulse      does the model keep time: of music it hears and goes on with, and of a tempo in the caption
bands      articulation, harmony, mode, players, dynamics, register as asked; steadiness, spectrum, drones, FAD
drawings   mode and harmony as a prompt asks for them, where of several drawings the one that has most of it is kept
brightness does the centroid follow what captions of bands name, beside the clips rendered for them
music      FAD (YAMNet) of generated clips to held-out music, beside shuffled codes and white noise
prompts    with the seed fixed, the prompt is swapped: do tempo, pitch height and brightness move the asked way
asked      correlation of asked with measured attributes over 400 prompts, beside the same on rendered clips
codec      the codec beside Opus, on rendered and on real music
losses     held-out cross-entropy of each codebook, with own, no, and others' prompts
precision  FAD and features in bfloat16 and int8 beside float32
taste      do clips carry the asked taste: a classifier trained on the taste set; ablations
distance   FAD to the taste set, per taste, base and fine-tuned
unseen     tastes that no caption names
booths     32 booths on PostgreSQL, 8 on SQLite, with kills and a crashing server: is every acknowledged answer stored once
withdrawals  50 withdrawals killed at random steps and run again, on SQLite and PostgreSQL: what is left of the person
exchange   20,000 generated rows of surveys, each imported as it says or listed and read back from every export; 5,000 people, timed
timing     onsets of scheduled plays against the captured signal, beside a plain PsychoPy script; drawing times
wild       three times ten minutes of people who press anything, over whole sessions on the desk: what is stored against what was shown
disturbed  sound cards that stall, are unloaded or change their rate in mid-clip, a processor that is busy: is what was not heard whole ever called so
markers    a whole session as an inlet and a trigger box hear it: order, count, how far from the flip and from the captured sound
kills      sessions on the desk killed at random moments in each block, and resumed
nulls      20 null studies through the engine beside the generator's; 1,000 through the generator
coverage   false positives of the paper's tests and of mixed models under participant and clip variance
mixed      500 random studies of ten shapes: the mixed model beside lme4 and lmerTest
calibration false positives and coverage of the joint model in simulated studies, in all and within each state
found      is the power that is printed found again: bots through sessions, database and command line, at six points
habit      people who name one taste by habit: how often each taste is found although nobody hears anything
grid       every analysis on studies of 1 to 30 people by 1 to 25 clips a taste: tracebacks, and numbers that are none
malformed  20,000 malformed inputs
requests   20,000 malformed requests to a study at a link: refused, and nothing written
leaks      60 sessions of bots over HTTP, crawled: can what a clip is be told from anything that was sent
crowd      200 people at a link at full speed and 1,000 at a person's pace, servers killed: stored once, waiting, CPU, memory
access     axe-core over every state of a session in a browser, at four widths, from the left and from the right
heard      a browser's sound at the sound card held against the clips; onsets of 100 plays, beside jsPsych's own trial
link       the first screen over slow 4G, whole sessions over 2 Mbit/s: seconds, bytes, gaps, waiting
outages    sessions in a browser: the line cut and the page loaded anew at every screen, other windows, an hour's sleep
ways       whole sessions in a browser, three languages by mouse, finger and keyboard alone; refused, too young, screened out, full, withdrawn
restarts   sessions in a browser whose server is killed and started again at 30 random moments
anystudy   400 random study files that can be read: sessions of each run to their end by bots
speed      seconds of every analysis for 111, 1,000 and 10,000 people (after `make study`, whose clips it uses)
captions   attributes, heads and word overlap of captions, beside shuffled and constant captions (220 held-out clips)
voices     vocals and gender of sung clips by speakers that no training heard; MusiCNN's tags beside
keys       the key head beside basic-pitch with Krumhansl's profiles, on rendered clips and on a second data set
second     captions of a second data set against what its makers declared
ablation   the same without feature tokens, with others' and with noise in them
pieces     20 spliced pieces with known changes: where they are found, what is heard in each part
long       memory and time of describing 1, 10 and 60 minutes
captioning clips a minute by batch and one by one
slurm      the default study on a real Slurm on loopback, nodes lost, jobs cancelled, time limits met: equal to the digit?
growth     time and memory of clips to 4,000, embeddings to 100,000, sessions to 10,000, with exponents
wordings   300 sets of true facts in SmolLM2's sentences: which are true, by checks of their own, and which the filter keeps
followup   what README says of real people: the follow-up study's published data (TASTELAB_REFERENCE_DATA) against their targets
busy       generation beside eight busy processes, by how its threads wait for each other
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import (
    access,
    bands,
    booths,
    brightness,
    busy,
    calibration,
    captions,
    cluster,
    crowd,
    desk,
    disturbed,
    drawings,
    exchange,
    followup,
    found,
    grid,
    growth,
    habit,
    leaks,
    link,
    markers,
    mixed,
    nano,
    outages,
    pulse,
    studies,
    taste,
    voices,
    ways,
    wild,
    withdrawals,
    wordings,
)
from benchmarks import analysis as speed
from benchmarks import heard as at_card
from benchmarks.freshness import minutes, older
from benchmarks.measured import measured as provenance

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "evidence"
WORK = ROOT / "outputs" / "evidence"
RATE = 16000
SECONDS = 15.0


def read(row: dict[str, Any]) -> np.ndarray:
    """Audio of a held-out clip."""
    from stimuli.audio import load_mono

    return load_mono(WORK / "test" / row["path"], RATE)


def music() -> dict[str, Any]:
    """Generate from 120 fresh captions; distances to the other 140 fresh clips."""
    import torch

    from analysis.sound.distances import level
    from analysis.sound.fad import bootstrap, frechet_distance, moments
    from models.embeddings.yamnet import embed
    from models.musicgen.nano import load_codec

    rows = nano.fresh()
    n = 120
    reference = np.concatenate([embed(level(nano.read(r))) for r in rows[n:]])
    codec = load_codec()
    prompts = [r["description"] for r in rows[:n]]
    made = [embed(level(c)) for c in nano.generated("nano-base", prompts, SECONDS, list(range(5500, 5500 + n)))]
    shuffled, resynthesised, real = [], [], []
    shuffle = torch.Generator().manual_seed(0)
    for row in rows[:n]:
        own = nano.read(row)
        real.append(embed(level(own)))
        with torch.no_grad():
            codes, _ = codec.encode(torch.from_numpy(own)[None, None])
            resynthesised.append(embed(level(codec.decode(codes)[0, 0].numpy())))
            flat = codes.flatten()
            mixed = flat[torch.randperm(len(flat), generator=shuffle)].reshape(codes.shape)
            shuffled.append(embed(level(codec.decode(mixed)[0, 0].numpy())))
    rng = np.random.default_rng(0)
    noise = [embed(level(rng.normal(size=round(SECONDS * RATE)).astype(np.float32))) for _ in range(n)]
    out: dict[str, Any] = {"embedding": "yamnet", "n": n, "n_reference": len(rows) - n, "seconds": SECONDS}
    sets = {
        "held-out music itself": real, "held-out music through the codec": resynthesised, "generated": made,
        "shuffled codes": shuffled, "white noise": noise,
    }  # fmt: skip
    for name, clips in sets.items():
        value = frechet_distance(np.concatenate(clips), reference)
        low, high = bootstrap(clips, moments(reference), 40, np.random.default_rng(1))
        out[name] = {"fad": value, "ci_low": low, "ci_high": high}
    return out


SWAPS = {
    "tempo": (
        "Rhythmic, grounded background music: fast tempo, 140 BPM, mid-range, staccato, consonant harmony, with piano.",
        "Rhythmic, grounded background music: slow tempo, 60 BPM, mid-range, staccato, consonant harmony, with piano.",
        "onset_rate",
    ),
    "pitch height": (
        "Flowing background music: moderate tempo, 90 BPM, high-pitched, legato, consonant harmony, with strings.",
        "Flowing background music: moderate tempo, 90 BPM, low-pitched, legato, consonant harmony, with strings.",
        "pitch_height",
    ),
    "brightness": (
        "Crisp, bright, sharp music: moderate tempo, 90 BPM, high register, staccato, with violin and electronic tones.",
        "Deep, reflective, heavy music: moderate tempo, 90 BPM, low register, legato, with cello and double bass.",
        "centroid",
    ),
}  # fmt: skip


def prompts() -> dict[str, Any]:
    """Paired differences of a feature over 48 seeds, per model, with bootstrap intervals."""
    from stimuli.features import acoustic_features

    n = 48
    out: dict[str, Any] = {"seeds": n, "seconds": 10}
    for model in ("nano-base", "nano-taste"):
        for name, (up, down, feature) in SWAPS.items():
            found = []
            for prompt in (up, down):
                clips = nano.generated(model, [prompt] * n, 10.0, list(range(6000, 6000 + n)))
                found.append([acoustic_features(c, RATE) for c in clips])
            # Tempo is measured twice: how often something begins, and by a beat tracker, which errs by octaves.
            for measured in (feature, "tempo") if name == "tempo" else (feature,):
                values = [np.array([f[measured] for f in side]) for side in found]
                difference = values[0] - values[1]
                low, high = nano.mean_interval(difference, draws=4000)
                key = f"{model}: {name}" + (" (beat tracker)" if measured == "tempo" else "")
                out[key] = {
                    "feature": measured, "up": float(values[0].mean()), "down": float(values[1].mean()),
                    "difference": float(difference.mean()), "ci_low": low, "ci_high": high,
                }  # fmt: skip
    return out


MEASUREMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "pulse": pulse.measurements,
    "bands": bands.measurements,
    "drawings": drawings.drawings,
    "brightness": brightness.brightness,
    "music": music,
    "prompts": prompts,
    "asked": nano.asked,
    "codec": nano.codec,
    "losses": nano.losses,
    "precision": nano.precision,
    "taste": taste.taste,
    "distance": taste.distance,
    "unseen": taste.unseen,
    "captions": captions.captions,
    "ablation": captions.ablation,
    "pieces": captions.pieces,
    "captioning": captions.speed,
    "voices": voices.voices,
    "keys": voices.keys,
    "second": voices.second,
    "long": captions.long,
    "wordings": wordings.wordings,
    "busy": busy.busy,
    "booths": booths.booths,
    "withdrawals": withdrawals.withdrawals,
    "exchange": exchange.exchange,
    "timing": desk.timing,
    "kills": desk.kills,
    "wild": wild.wild,
    "disturbed": disturbed.disturbed,
    "markers": markers.markers,
    "nulls": studies.nulls,
    "coverage": studies.coverage,
    "malformed": studies.malformed,
    "requests": studies.requests,
    "leaks": leaks.leaks,
    "crowd": crowd.crowd,
    "access": access.access,
    "heard": at_card.heard,
    "link": link.link,
    "outages": outages.outages,
    "restarts": outages.restarts,
    "ways": ways.ways,
    "anystudy": studies.anystudy,
    "speed": speed.speed,
    "mixed": mixed.lme4,
    "grid": grid.grid,
    "habit": habit.habit,
    "found": found.found,
    "calibration": calibration.calibration,
    "slurm": cluster.cluster,
    "growth": growth.growth,
    "followup": followup.followup,
}


def main(names: list[str]) -> None:
    """Make the measurements that are older than what they measure, or only those named; with ``--old`` say which these are."""
    asked = [n for n in names if n != "--old"]
    if unknown := [n for n in asked if n not in MEASUREMENTS]:
        sys.exit(f"no measurement is called {unknown[0]!r}; there are: {', '.join(MEASUREMENTS)}")
    why = {name: "asked for" if name in asked else older(name) for name in asked or MEASUREMENTS}
    todo = [name for name, reason in why.items() if reason]
    known = [m for m in map(minutes, todo) if m is not None]
    print(
        f"{len(todo)} of {len(MEASUREMENTS)} to measure; {len(known)} of them took {sum(known) / 60:.1f} h the last time",
        flush=True,
    )
    if "--old" in names:
        for name in todo:
            print(f"{name}: {why[name]}")
        return
    import torch

    torch.set_num_threads(1)
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in todo:
        path = RESULTS / f"{name}.json"
        print(f"{name}: measuring ({why[name]})", flush=True)
        started = time.monotonic()
        result = MEASUREMENTS[name]()
        result = {**result, "measured": provenance(time.monotonic() - started)}
        partial = path.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps(result, indent=1) + "\n")
        partial.replace(path)
        print(json.dumps(result, indent=1), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
