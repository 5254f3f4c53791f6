"""What the filter of wordings keeps: 300 sets of true facts in sentences of SmolLM2, judged by hand-made checks against the facts.

The judge knows neither the filter (`models.sonicverse.pieces.wording.faithful`) nor the caption that the writer was given, only what is
true of the music. It reads a sentence by words that claim something of music, far more than the captioner can say, and by words that were
read one by one and found to claim nothing; a word that is neither counts as invented until somebody has read it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.nano import WORK

N = 300
BATCH = 10
ALONE = 4  # wordings that are also made one by one, as the product does

Labels = dict[str, list[str]]


def words(listed: str) -> frozenset[str]:
    """The words of a list."""
    return frozenset(listed.split())


# Words that claim something -> the only facts under which they are true.
SYNONYMS: dict[str, dict[str, str]] = {
    "tempo": {
        "slow": "slow", "slowly": "slow", "leisurely": "slow", "unhurried": "slow", "moderate": "moderate", "moderately": "moderate",
        "medium": "moderate", "steady": "", "fast": "fast", "quick": "fast", "quickly": "fast", "brisk": "fast", "rapid": "fast",
        "lively": "", "energetic": "", "upbeat": "", "relaxed": "", "speedy": "fast",
    },
    "register": {"low": "low", "lower": "low", "mid": "mid", "middle": "mid", "mid-range": "mid", "high": "high", "higher": "high"},
    "articulation": {"legato": "legato", "staccato": "staccato", "smooth": "legato", "detached": "staccato", "short": "staccato"},
    "harmony": {"consonant": "consonant", "tense": "tense", "dissonant": "dissonant", "consonance": "consonant",
                "dissonance": "dissonant", "tension": "tense", "harmonious": "consonant", "discordant": "dissonant"},
    "mood": {w: w for w in ("flowing", "warm", "crisp", "bright", "sharp", "rhythmic", "grounded", "deep", "heavy", "reflective")},
}  # fmt: skip
# Every instrument that somebody may name; the captioner's own have two words here and there, and are looked for first.
FOREIGN = words("""
    piano guitar violin viola cello bass drum drums percussion flute oboe clarinet bassoon horn horns trumpet trombone tuba saxophone sax
    organ harp harpsichord celesta marimba vibraphone xylophone glockenspiel bell bells accordion harmonica banjo ukulele mandolin lute sitar
    synth synthesizer pad keyboard keyboards strings string brass woodwind woodwinds orchestra orchestral ensemble choir band quartet trio
    cymbal cymbals snare timpani tambourine bongos congas beat beats loop sample electronic tones
""")
VOICE = words("voice voices vocal vocals singer singers singing sings sung sing song songs lyrics chorus rapper chant")
WHO = {
    "woman": "female",
    "female": "female",
    "she": "female",
    "her": "female",
    "man": "male",
    "male": "male",
    "he": "male",
}
# Read one by one among all that SmolLM2 wrote, and found to claim nothing of the music beyond that it is music.
NOTHING = words("""
    a an the this that these those it its and or with in at of by to from for as on into over throughout which while where also then both
    is are was be being has have having there music musical piece composition track passage section work sound sounds sounding played
    plays play playing performed features featuring feature includes including contains consisting consists set key register tempo pace
    pitch range harmony harmonies harmonic notes note articulation style tone instrument instruments creates creating create giving gives
    gives giving combination combines combined accompanied description sentence line lines all each together characterized characterised
    using uses used
""")


def facts(n: int = N, seed: int = 29) -> list[Labels]:
    """Sets of facts as a clip may have them, in every head that captions name."""
    from models.sonicverse.nano.labels import ARTICULATIONS, GENDERS, HARMONIES, INSTRUMENTS, KEYS, MOODS, REGISTERS
    from models.tempo import TEMPI

    rng = np.random.default_rng(seed)

    def some(names: tuple[str, ...], least: int, most: int) -> list[str]:
        return [str(x) for x in rng.choice(names, int(rng.integers(least, most + 1)), replace=False)]

    out = []
    for _ in range(n):
        one = {
            "instrument": some(INSTRUMENTS, 1, 4), "mood": some(MOODS, 0, 3), "tempo": some(TEMPI, 1, 1), "key": some(KEYS, 1, 1),
            "register": some(REGISTERS, 1, 1), "articulation": some(ARTICULATIONS, 1, 1), "harmony": some(HARMONIES, 1, 1),
        }  # fmt: skip
        out.append(one | ({"gender": some(GENDERS, 1, 1)} if rng.random() < 0.15 else {}))
    return out


def judged(text: str, true: Labels) -> tuple[list[str], list[str]]:
    """What a sentence says that is not among the facts, and which of them it leaves out (moods and voices may be left out)."""
    invented, lost = [], []
    rest = text.replace("\u2019", "'")
    said_keys = re.findall(r"\b([A-G](?:#|b|-sharp|-flat)?) (major|minor)\b", rest)
    key = true["key"][0]
    invented += [f"{t} {m}" for t, m in said_keys if f"{t} {m}" != key]
    lost += [] if (key.split()[0], key.split()[1]) in said_keys else ["key"]
    rest = re.sub(r"\b[A-G](?:#|b|-sharp|-flat)? (?:major|minor)\b", " ", rest)
    names = [w for w in re.findall(r"(?<![.!?] )(?<!^)\b[A-Z][a-z]+", rest) if w.lower() not in NOTHING]
    invented += [w for w in names if not any(w.lower() in i.split() for i in true["instrument"])]
    rest = rest.lower()
    for instrument in sorted(true["instrument"], key=len, reverse=True):
        rest, found = re.subn(rf"\b{re.escape(instrument)}s?\b", " ", rest)
        lost += [] if found else [instrument]
    for part, known in SYNONYMS.items():
        said = {known[w] for w in re.findall(r"[a-z-]+", rest) if w in known}
        lost += [part] if part != "mood" and not said & set(true[part]) else []
    for word in re.findall(r"[a-z][a-z'-]*|\d+", rest):
        about = next((p for p, known in SYNONYMS.items() if word in known), None)
        if about is not None:
            fine = SYNONYMS[about][word] in true[about]
        elif word in WHO or word in VOICE:
            fine = "gender" in true and WHO.get(word, true["gender"][0]) == true["gender"][0]
        else:
            fine = word in NOTHING
        if not fine and not (word in FOREIGN and any(word in i.split() for i in true["instrument"])):
            invented.append(word)
    return list(dict.fromkeys(invented)), list(dict.fromkeys(lost))


def written(writer: Any, prompts: list[str], kept: Path) -> list[str]:
    """What a `LocalWriter` answers to each prompt, in batches: the same likeliest words as one by one, but for rounding.

    Answers are kept in a file as they come, and not asked for again.
    """
    import torch

    known: dict[str, str] = {}
    if kept.exists():
        known = {row["prompt"]: row["text"] for row in map(json.loads, kept.read_text(encoding="utf-8").splitlines())}
    tokenizer = writer.tokenizer
    tokenizer.padding_side = "left"
    left = [p for p in prompts if p not in known]
    for start in range(0, len(left), BATCH):
        part = left[start : start + BATCH]
        asked = [[{"role": "user", "content": p}] for p in part]
        ids = tokenizer.apply_chat_template(
            asked, add_generation_prompt=True, return_tensors="pt", return_dict=True, padding=True
        )
        with torch.no_grad():
            made = writer.model.generate(**ids, max_new_tokens=96, do_sample=False, pad_token_id=tokenizer.eos_token_id)
        texts = tokenizer.batch_decode(made[:, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        known |= {p: " ".join(str(t).split()) for p, t in zip(part, texts, strict=True)}
        with kept.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps({"prompt": p, "text": known[p]}) + "\n" for p in part)
        print(f"{len(known)} of {len(prompts)} worded", flush=True)
    return [known[p] for p in prompts]


def share(k: int, n: int) -> dict[str, float]:
    """k of n with Wilson's interval."""
    from scipy.stats import binomtest

    low, high = binomtest(k, n).proportion_ci(method="wilson") if n else (float("nan"), float("nan"))
    return {"kept": k, "of": n, "share": k / n if n else float("nan"), "ci_low": float(low), "ci_high": float(high)}


class Recorded:
    """A writer whose answers are known; to a prompt that it was not asked it says nothing."""

    def __init__(self, answers: dict[str, str]):
        self.answers = answers

    def write(self, prompt: str) -> str:
        """The answer to a prompt."""
        return self.answers.get(prompt, "")


def wordings(n: int = N) -> dict[str, Any]:
    """Wordings of 300 sets: how many are true, how many of these are kept, what is kept that is invented, and for how many sets one is."""
    from analysis.kept import made_by
    from models.sonicverse.pieces.wording import AGAIN, ASK, faithful, open_writer, said_in

    captions = [caption for caption, _ in told(n)]
    writer = open_writer("smollm2")
    assert writer is not None
    WORK.mkdir(parents=True, exist_ok=True)
    code = made_by("models/sonicverse/llm.py", "models/sonicverse/pieces/wording.py", "benchmarks/wordings.py")
    kept = WORK / f"wordings-{code[0][:12]}.jsonl"
    first = written(writer, [ASK + c for c in captions], kept)
    failed = [c for c, t in zip(captions, first, strict=True) if not faithful(said_in(t), c)]
    second = dict(zip(failed, written(writer, [AGAIN + c for c in failed], kept), strict=True))
    answers = {ASK + c: t for c, t in zip(captions, first, strict=True)} | {AGAIN + c: t for c, t in second.items()}
    same = sum(" ".join(writer.write(ASK + c).split()) == t for c, t in zip(captions[:ALONE], first, strict=False))
    return of_answers(n, answers) | {"same_one_by_one": same, "one_by_one": ALONE}


def told(n: int) -> list[tuple[str, Labels]]:
    """Captions of sets of facts, and the facts."""
    from models.sonicverse.nano.labels import sentence

    rng = np.random.default_rng(30)
    return [(sentence(one, rng), one) for one in facts()][:n]


def of_answers(n: int, answers: dict[str, str]) -> dict[str, Any]:
    """Tables of the answers to the prompts of the first `n` sets."""
    from models.sonicverse.pieces.wording import AGAIN, ASK, believed, faithful, said_in

    rows, sentences, first, again = [], 0, 0, 0
    for caption, one in told(n):
        sentences += believed(Recorded(answers), caption) is not None
        first += faithful(answers[ASK + caption], caption)
        again += AGAIN + caption in answers
        for ask in (ASK, AGAIN):
            if ask + caption in answers:
                text = said_in(answers[ask + caption])
                invented, lost = judged(text, one)
                rows.append(
                    {"caption": caption, "text": text, "asked": 1 if ask == ASK else 2, "kept": faithful(text, caption),
                     "invented": invented, "lost": lost}
                )  # fmt: skip
    return {
        "sets": n, "asked again": again, "first answers, as they were": share(first, n), "sets with a sentence": share(sentences, n),
        **counted(rows), "rows": rows,
    }  # fmt: skip


def counted(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares of judged wordings."""
    whole = [r for r in rows if not r["invented"] and not r["lost"]]
    own = [r for r in whole if r["text"].rstrip(".") != r["caption"].rstrip(".")]
    less = [r for r in rows if r["lost"] and not r["invented"]]
    wrong = [r for r in rows if r["invented"]]
    parts = {
        "true and whole": whole, "of these, worded otherwise than the caption": own, "true, but a fact is lost": less,
        "something is invented": wrong,
    }  # fmt: skip
    return {
        **{name: share(sum(r["kept"] for r in part), len(part)) for name, part in parts.items()},
        "words that count as invented": dict(Counter(w for r in rows for w in r["invented"]).most_common()),
    }
