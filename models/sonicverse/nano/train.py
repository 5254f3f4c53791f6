"""Train the nano captioner: heads first, then heads and projectors through the frozen language model."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from models.errors import ModelError
from models.sonicverse.llm import load_llm
from models.sonicverse.nano.encoder import LAYERS, RATE, encode
from models.sonicverse.nano.labels import HEADS, labels_of, sentence, targets
from models.sonicverse.nano.projector import Projector, ProjectorConfig
from models.sonicverse.tags import genre_tags
from models.training import (
    Clip,
    append_curve,
    cosine,
    fingerprint,
    load_state,
    read_corpus,
    read_segment,
    recipe_of,
    save_state,
)
from models.weights import load_tensors, weights_directory

HEAD_STEPS = 2000
CAPTION_STEPS = 2600
VOICE_STEPS = 1500
VOICE_HEADS = ("vocals", "gender")
HEAD_BATCH = 64
BATCH = 8
HEAD_WEIGHT = 0.1  # the paper's weight of the head losses beside the caption loss
SAVE_EVERY = 50
Report = Callable[[int, int, dict[str, float]], None]


def through_codec(audio: np.ndarray) -> np.ndarray:
    """Send audio through the nano codec and back: the captioner meets generated clips, which all sound like that."""
    from models.musicgen.nano import load_codec

    codec = load_codec()
    with torch.no_grad():
        codes, _ = codec.encode(torch.from_numpy(audio)[None, None])
        back: np.ndarray = codec.decode(codes)[0, 0, : len(audio)].numpy()
    return back


def quicker_type() -> torch.dtype:
    """The type in which this CPU trains through a language model sooner: without instructions for bfloat16 that is float32."""
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


def encode_corpus(
    clips: list[Clip],
    cache: Path,
    report: Report | None = None,
    transform: Callable[[np.ndarray], np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Layer vectors of all clips, (clips, width) per layer, from `cache` (safetensors) where it is there and of these clips."""
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    made = {"corpus": fingerprint(clips)}
    if cache.exists():
        with safe_open(cache, "np") as file:
            known = file.metadata() == made
        if known:
            return load_file(cache)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in LAYERS}
    rng = np.random.default_rng(0)
    for i, clip in enumerate(clips):
        audio = read_segment(clip.path, float(clip.row["duration"]), RATE, rng)
        for name, vector in encode(transform(audio) if transform else audio).items():
            rows[name].append(vector)
        if report and i % 20 == 0:
            report(i, len(clips), {})
    layers = {name: np.stack(values) for name, values in rows.items()}
    partial = cache.with_suffix(".partial")
    save_file(layers, partial, made)
    partial.replace(cache)
    return layers


def _tensors(layers: dict[str, np.ndarray], chosen: np.ndarray) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(rows[chosen]) for name, rows in layers.items()}


def train_projector(
    corpora: list[Path],
    out: Path,
    steps: int,
    seed: int = 0,
    report: Report | None = None,
    config: ProjectorConfig | None = None,
    head_weight: float = HEAD_WEIGHT,
    start_from: str | None = None,
) -> Projector:
    """Train on one or several corpora; continues from ``out/sonicverse.pt``.

    `config` switches parts off (ablations); `head_weight` is the weight of the head losses beside the caption loss; of the captioner
    `start_from` (a shipped name or a directory) every part that is there and has the same shape is taken over.

    Every clip is there twice, as it is and as the nano codec gives it back (once where it went through a studio: that is a channel
    of its own, and both at once blurred the instruments). The first `HEAD_STEPS` steps train the heads alone
    (no language model needed), the next `steps` the whole projector with caption cross-entropy plus 0.1 times the head losses.
    Genres are distilled from MusiCNN's tags (no rendered clip has one). A tenth of the pieces is kept for the temperatures.
    """
    clips: list[Clip] = []
    parts = []
    for corpus in corpora:
        found = read_corpus(corpus)
        views: list[tuple[str, Callable[[np.ndarray], np.ndarray] | None]] = [("sonicverse", None)]
        if not recipe_of(corpus).get("produced"):
            views.append(("sonicverse-codec", through_codec))
        for name, transform in views:
            parts.append(encode_corpus(found, corpus / f"{name}.safetensors", report, transform))
            clips += found
    layers = {name: np.concatenate([p[name] for p in parts]) for name in LAYERS}
    labels = [labels_of(clip.row) for clip in clips]
    wanted = [targets(row) for row in labels]
    for truth, vector in zip(wanted, layers["penultimate"], strict=True):
        truth["genre"] = genre_tags(vector)
    held = np.array([zlib.crc32(str(clip.row.get("title", clip.path)).encode()) % 10 == 0 for clip in clips])
    if held.all() or not held.any():  # a handful of clips, in tests
        held = np.arange(len(clips)) % 10 == 0
    free = np.flatnonzero(~held)
    worded = np.array([i for i in free if "attributes" in clips[i].row])
    torch.manual_seed(seed)
    model = Projector(config or ProjectorConfig())
    model.normalise_by(layers)
    if start_from:
        take_over(model, start_from)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    start = 0
    made = {
        "seed": seed, "config": model.config.to_dict(), "head_weight": head_weight, "head_steps": HEAD_STEPS,
        "start_from": start_from, "corpus": fingerprint(clips),
    }  # fmt: skip
    state = load_state(out / "sonicverse.pt", made)
    if state is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        start = int(state["step"])
    llm = tokenizer = None
    total = HEAD_STEPS + steps
    for step in range(start, total):
        torch.manual_seed(seed * 1_000_003 + step)
        rng = np.random.default_rng([seed, step])
        model.train()
        heads_only = step < HEAD_STEPS
        pool = free if heads_only else worded
        chosen = pool[rng.integers(len(pool), size=HEAD_BATCH if heads_only else BATCH)]
        x = _tensors(layers, chosen)
        y = {head: torch.from_numpy(np.stack([wanted[i][head] for i in chosen])) for head in HEADS}
        row: dict[str, float] = {"step": step}
        if heads_only:
            factor = cosine(step, HEAD_STEPS, 50)
            loss = model.head_loss(model.head_logits(x), y)
        else:
            factor = cosine(step - HEAD_STEPS, steps, 50)
            if llm is None:
                llm, tokenizer = load_llm(dtype=quicker_type())
            tokens, logits = model(x)
            texts = [sentence(labels[i], rng) for i in chosen]
            caption = caption_loss(llm, tokenizer, tokens, texts)
            row["caption"] = caption.item()
            loss = caption + head_weight * model.head_loss(logits, y)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * factor
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % (100 if heads_only else 10) == 0 or step + 1 == total:
            row["loss"] = loss.item()
            append_curve(out / "sonicverse.jsonl", row)
            if report:
                report(step + 1, total, row)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == total:
            kept = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            save_state(out / "sonicverse.pt", kept, made)
    tune_voices(model, layers, wanted, free, seed)
    kept_back = np.flatnonzero(held)
    with torch.no_grad():
        logits = model.head_logits(_tensors(layers, kept_back))
    model.calibrate(logits, {h: torch.from_numpy(np.stack([wanted[i][h] for i in kept_back])) for h in HEADS})
    return model


def tune_voices(
    model: Projector,
    layers: dict[str, np.ndarray],
    wanted: list[dict[str, np.ndarray]],
    free: np.ndarray,
    seed: int = 0,
) -> None:
    """Train the heads of vocals and gender alone for `VOICE_STEPS` more, where there are clips other than rendered ones.

    Each batch has as many rendered clips as others (recorded, generated), and of both as many sung as not, so that a corpus of one
    kind in which nobody sings doesn't make the head deaf. Everything else stays as it is: captions keep what they learned.
    """
    other = np.array([bool(np.isnan(wanted[i]["instrument"]).any()) for i in free])
    voice = np.array([bool(wanted[i]["vocals"][0] == 1) for i in free])
    pools = [free[mask] for mask in (other & voice, other & ~voice, ~other & voice, ~other & ~voice) if mask.any()]
    if not other.any():
        model.eval()
        return
    trained = [model.beta, *(p for name in VOICE_HEADS for p in model.heads[name].parameters())]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.0)
    model.train()
    for step in range(VOICE_STEPS):
        torch.manual_seed(seed * 1_000_003 + step)
        rng = np.random.default_rng([seed, 5, step])
        chosen = np.concatenate([p[rng.integers(len(p), size=HEAD_BATCH // len(pools))] for p in pools])
        with torch.no_grad():
            stacked = model.stack(_tensors(layers, chosen))
        logits = {name: model.head_of(name, stacked) for name in VOICE_HEADS}
        y = {head: torch.from_numpy(np.stack([wanted[i][head] for i in chosen])) for head in VOICE_HEADS}
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * cosine(step, VOICE_STEPS, 50)
        optimizer.zero_grad(set_to_none=True)
        model.head_loss(logits, y).backward()
        optimizer.step()
    model.eval()


def take_over(model: Projector, name: str) -> list[str]:
    """Copy from another captioner what has the same name and shape, layer weights by head; returns what was new here."""
    directory = weights_directory("sonicverse-nano") if name == "nano" else Path(name)
    described = directory / "config.json"
    if not described.exists():
        raise ModelError(f"no captioner in {directory}: config.json is missing")
    given = {k: v.float() for k, v in load_tensors(directory / "model.safetensors").items()}
    own = model.state_dict()
    heads = json.loads(described.read_text())["projector"]["heads"]
    for i, head in enumerate(model.config.heads):
        if head in heads and given["beta"].shape[1] == own["beta"].shape[1]:
            own["beta"][i] = given["beta"][heads.index(head)]
    taken = {k for k, v in given.items() if k in own and own[k].shape == v.shape and k != "beta"}
    for key in taken:
        own[key] = given[key]
    model.load_state_dict(own)
    return sorted(set(own) - taken - {"beta"})


def save_projector(model: Projector, directory: Path, llm: str = "smollm2") -> None:
    """Write a projector as safetensors (float16) beside a JSON config that names its language model."""
    from safetensors.torch import save_file

    directory.mkdir(parents=True, exist_ok=True)
    state = {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in model.state_dict().items()}
    # Deviations of dead features are tiny; their inverse would not fit half precision.
    state = {k: v.clamp(-60000, 60000) if v.is_floating_point() else v for k, v in state.items()}
    partial = directory / "model.partial"
    save_file(state, partial)
    partial.chmod(0o644)
    partial.replace(directory / "model.safetensors")
    described = {
        "kind": "captioner",
        "projector": model.config.to_dict(),
        "llm": llm,
        "encoder": "musicnn + pulse/pitch",
    }
    (directory / "config.json").write_text(json.dumps(described, indent=2) + "\n")


def train_nano_captioner(
    corpora: list[Path],
    out: Path,
    steps: int = CAPTION_STEPS,
    seed: int = 0,
    report: Report | None = None,
    start_from: str | None = None,
) -> Path:
    """Train the captioner and write ``out/sonicverse-nano``; the training state lies in ``out/state``."""
    model = train_projector(corpora, out / "state", steps, seed, report, start_from=start_from)
    save_projector(model, out / "sonicverse-nano")
    return out / "sonicverse-nano"


def caption_loss(llm: Any, tokenizer: Any, tokens: torch.Tensor, texts: list[str]) -> torch.Tensor:
    """Cross-entropy per token of `texts` (and the end mark) after the language tokens (batch, n, width)."""
    ids = [[*tokenizer(text, add_special_tokens=False).input_ids, tokenizer.eos_token_id] for text in texts]
    longest = max(len(i) for i in ids)
    padded = torch.full((len(ids), longest), tokenizer.eos_token_id, device=tokens.device)
    mask = torch.zeros(len(ids), longest, dtype=torch.long, device=tokens.device)
    for k, row in enumerate(ids):
        padded[k, : len(row)] = torch.tensor(row, device=tokens.device)
        mask[k, : len(row)] = 1
    words = llm.get_input_embeddings()(padded)
    prefix = tokens.to(words.dtype)
    n = prefix.shape[1]
    attention = torch.cat([torch.ones(len(ids), n, dtype=torch.long, device=tokens.device), mask], dim=1)
    hidden = llm.model(inputs_embeds=torch.cat([prefix, words], dim=1), attention_mask=attention).last_hidden_state
    logits = llm.lm_head(hidden[:, n - 1 : -1][mask.bool()]).float()
    return F.cross_entropy(logits, padded[mask.bool()])


def with_prompt(llm: Any, tokenizer: Any, tokens: torch.Tensor, prompt: str) -> torch.Tensor:
    """Language tokens (batch, n, width) with the embedded words of a prompt after them."""
    if not prompt:
        return tokens
    ids = torch.tensor([tokenizer(prompt, add_special_tokens=False).input_ids] * len(tokens), device=tokens.device)
    return torch.cat([tokens, llm.get_input_embeddings()(ids).to(tokens.dtype)], dim=1)
