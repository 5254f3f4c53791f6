"""What is there of a model, part by part, and whether it does what it is for: files, a prompt, a step, a second of audio."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from models.errors import ModelError
from models.locating import models_directory
from models.musicgen.checkpoints import PULLED, read_package, t5_named
from models.published import SETS, VOCABULARIES, in_hub_cache, one_set
from models.weights import file_sha256, weights_directory

State = Literal["good", "missing", "wrong", "not tried"]
PROMPTS = ("sweet music with harp", "dark brass, low and bitter")  # two that nothing should take for one
SECONDS = 1.0
CAPTIONERS = {"nano": "sonicverse-nano"}


@dataclass(frozen=True)
class Finding:
    """One part of a model: `part`, its `state`, what was `found`."""

    part: str
    state: State
    found: str


def check_model(name: str, device: str = "auto") -> list[Finding]:
    """Look at a model as far as it goes: what is missing keeps what needs it from being tried.

    Parameters
    ----------
    name : str
        What a study may name: a MusicGen, a captioner (``nano`` or a directory), an embedding space (``clap:NAME``), or one of
        the networks that these need (a text encoder, a codec, MERT, a language model).

    Raises
    ------
    ModelError
        If there is nothing of that name.
    """
    kind, colon, where = name.partition(":")
    if name in ("yamnet", "musicnn", "codec"):
        return list(_tried("audio", lambda: _embedded(name, device)))
    if colon and kind == "vggish":
        return _vggish(name, Path(where), device)
    if colon and kind in ("clap", "encodec"):
        name = where
    if name in CAPTIONERS:
        return _captioner(weights_directory(CAPTIONERS[name]), name, device)
    from models.locating import locate

    directory = locate(name)
    described, problem = _described(directory)
    model_type = str(described.get("model_type", ""))
    if described.get("kind") == "captioner" or "dual" in described or "projector" in described:
        return _captioner(directory, name, device)
    audiocraft = [n for n in ("state_dict.bin", "compression_state_dict.bin") if (directory / n).exists()]
    if described.get("kind") == "language":
        return _music(name, _files(directory, None), device)
    if model_type == "musicgen" or (problem and not audiocraft):
        found = [problem] if problem else _files(directory, model_type)
        beside = (
            [Finding("beside", "not tried", "audiocraft's files too; transformers' are read")] if audiocraft else []
        )
        return _music(name, [*found, *beside], device)
    if audiocraft:
        return _music(name, _audiocraft_files(directory), device)
    return _part(name, directory, described, device)


def _described(directory: Path) -> tuple[dict[str, Any], Finding | None]:
    """A directory's config.json, or what is wrong with it."""
    from models.musicgen.nano import described_in

    try:
        return described_in(directory), None
    except ModelError as error:
        there = (directory / "config.json").exists()
        return {}, Finding("config.json", "wrong" if there else "missing", str(error) if there else "not there")


def _files(directory: Path, model_type: str | None) -> list[Finding]:
    """config.json, the weights in all their parts, the tokenizer where words are read, and what was pulled."""
    names = {p.name for p in directory.iterdir() if not p.is_dir()}
    there = {n for n in names if (directory / n).is_file()}
    found = [Finding("config.json", "good", model_type or "there")]
    chosen: list[str] = []
    try:
        chosen = one_set(names, str(directory))
        lost = {n for n in chosen if n not in there}
        index = [n for n in chosen if n.endswith(".json")] or [i for _, i in SETS if i in there and not chosen]
        for name in index:
            listed = json.loads((directory / name).read_text(encoding="utf-8")).get("weight_map", {}).values()
            lost |= set(listed) - there
        if lost:
            found.append(Finding("weights", "missing", ", ".join(sorted(lost))))
        elif not chosen:
            found.append(Finding("weights", "missing", "model.safetensors, its parts, or pytorch_model.bin"))
        else:
            weights = [n for n in chosen if not n.endswith(".json")]
            size = sum((directory / n).stat().st_size for n in weights)
            found.append(Finding("weights", "good", f"{_listed(weights)}, {size / 1e6:.1f} MB"))
    except ModelError as error:
        found.append(Finding("weights", "missing", str(error).partition(": ")[2]))
    except (OSError, ValueError, AttributeError) as error:
        found.append(Finding("weights", "wrong", f"index cannot be read ({error})"))
    if model_type in ("musicgen", "t5", "mistral", "llama", "gpt2", "clap"):
        found.append(_vocabulary(there))
    return [*found, *_as_pulled(directory, chosen)]


def _vocabulary(there: set[str]) -> Finding:
    own = sorted(n for n in VOCABULARIES if n in there)
    if own:
        return Finding("tokenizer", "good", ", ".join(own))
    return Finding("tokenizer", "missing", f"{VOCABULARIES[0]} or {VOCABULARIES[1]}")


def _as_pulled(directory: Path, chosen: list[str]) -> Iterator[Finding]:
    """Whether files are those that were pulled, where that is written down."""
    record = directory / PULLED
    if record.is_file():
        known = json.loads(record.read_text())
        other = [
            n for n, of in known["files"].items()
            if (directory / n).is_file() and file_sha256(directory / n) != of["sha256"]
        ]  # fmt: skip
        if other:
            yield Finding("as pulled", "wrong", f"another SHA-256: {', '.join(other)}")
        else:
            yield Finding("as pulled", "good", f"commit {str(known['commit'])[:12]}")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _audiocraft_files(directory: Path) -> list[Finding]:
    """Both packages, and what they only name: the text encoder, and often the codec."""
    from models.musicgen.convert import read_config

    found: list[Finding] = []
    packages: dict[str, dict[str, Any]] = {}
    for part, name in (("language model", "state_dict.bin"), ("codec", "compression_state_dict.bin")):
        path = directory / name
        if not path.is_file():
            found.append(Finding(part, "missing", name + (", a link to nothing" if path.is_symlink() else "")))
            continue
        try:
            packages[part] = read_package(path)
        except ModelError as error:
            found.append(Finding(part, "wrong", str(error)))
            continue
        found.append(Finding(part, "good", f"{name}, {path.stat().st_size / 1e6:.1f} MB"))
    codec = packages.get("codec", {}).get("pretrained")
    if codec:
        found.append(_named("codec named", str(codec)))
    text = packages.get("language model", {}).get("xp.cfg")
    if isinstance(text, str):
        try:
            named = t5_named(read_config(text))
        except ModelError as error:
            return [*found, Finding("configuration", "wrong", str(error))]
        if named is not None:
            beside = directory / "text_encoder"
            own = Finding("text encoder", "good", "text_encoder/") if beside.is_dir() else None
            found.append(own or _named("text encoder", named))
            if found[-1].state == "good":
                at = beside if beside.is_dir() else _lies(named)
                found.append(_vocabulary({p.name for p in at.iterdir() if p.is_file()} if at else set()))
    return [*found, *_as_pulled(directory, [])]


def _lies(name: str) -> Path | None:
    pulled = models_directory() / name.replace("/", "--")
    return pulled if pulled.is_dir() else in_hub_cache(name)


def _named(part: str, name: str) -> Finding:
    """A model that another one only names: pulled, or in the hub's cache."""
    if _lies(name) is None:
        return Finding(part, "missing", f"{name}: tastelab models pull {name}")
    return Finding(part, "good", name)


def _tried(part: str, work: Callable[[], str]) -> Iterator[Finding]:
    """What a part did, or what was wrong with it in one line."""
    try:
        yield Finding(part, "good", work())
    except ModelError as error:
        yield Finding(part, "wrong", str(error))


def apart(off: float) -> str:
    """Words for how far a sound lies from another, as a share of its peak."""
    return "the same sound" if off == 0 else f"sound {off:.1e} of its peak off"


def _music(name: str, files: list[Finding], device: str) -> list[Finding]:
    """A MusicGen: read, a prompt, a step, a second beside audiocraft's own."""
    if any(f.state in ("missing", "wrong") for f in files):
        left = [Finding(part, "not tried", "the files first") for part in ("prompt", "step", "audio")]
        return [*files, *left]
    from models.musicgen.generate import MusicGenerator, load_generator
    from models.musicgen.oracle import one_second

    out = list(files)
    loaded: list[MusicGenerator] = []

    def read() -> str:
        loaded.append(load_generator(name, device=device))
        engine = loaded[0].engine
        return f"{engine.rate} Hz, {len(engine.delays)} codebooks, {engine.frame_rate:g} frames a second"

    out += _tried("network", read)
    if not loaded:
        return out
    out += _tried("prompt", lambda: _prompt(loaded[0]))
    try:
        seconds = one_second(loaded[0], PROMPTS[0], SECONDS)
    except ModelError as error:
        return [*out, Finding("audio", "wrong", str(error))]
    if seconds is None:
        return [*out, Finding("audio", "not tried", "no memory for audiocraft's copy beside it")]
    logits, second = seconds
    out.append(Finding("step", "good", f"logits {logits:.1e} off audiocraft's"))
    same = "all" if second.same == second.codes else f"{second.same} of {second.codes}"
    found = f"{SECONDS:g} s: {same} codes audiocraft's, {apart(second.audio)}"
    return [*out, Finding("audio", "good", found)]


def _prompt(generator: Any) -> str:
    """How many tokens a prompt is; two prompts must not be the same ones."""
    text = generator.engine.text
    if hasattr(text, "tokenizer"):
        return _words(text.tokenizer)
    states = [text([p])[0] for p in PROMPTS]
    if bool((states[0] == states[1]).all()):
        raise ModelError("two prompts are the same to it")
    return f"{int((states[0][0] != 0).any(-1).sum())} tokens"


def _words(tokenizer: Any) -> str:
    ids = [list(tokenizer(p).input_ids) for p in PROMPTS]
    if ids[0] == ids[1]:
        raise ModelError("two prompts are the same tokens; its tokenizer's files are not its own")
    return f"{len(ids[0])} tokens, {len(set(ids[0]))} of them different"


def _captioner(directory: Path, name: str, device: str) -> list[Finding]:
    """A captioner: its own files, the networks that it names, and a second of noise as far as the first word."""
    described, problem = _described(directory)
    if problem:
        return [problem]
    found = [Finding("config.json", "good", "captioner")]
    there = next((n for n in ("model.safetensors", "model.pt") if (directory / n).is_file()), None)
    found.append(
        Finding("projector", "good" if there else "missing", there or "model.safetensors or model.pt"),
    )
    if described.get("lora_rank"):
        lora = (directory / "adapter.safetensors").is_file()
        found.append(Finding("factors", "good" if lora else "missing", "adapter.safetensors"))
    if "dual" in described:
        for part in ("encoder", "llm"):
            named = described.get(part)
            if not isinstance(named, str):
                found.append(Finding(part, "missing", f"{part} = in config.json"))
                continue
            at = next((p for p in (directory / named, Path(named)) if p.is_dir()), None) or _lies(named)
            if at is None and not (part == "llm" and named == "smollm2"):
                found.append(_named(part, named))
            elif at is not None:
                lost = [f for f in _files(at, _described(at)[0].get("model_type")) if f.state != "good"]
                found += [Finding(part, f.state, f"{named}: {f.found}") for f in lost] or [Finding(part, "good", named)]
    if any(f.state == "missing" for f in found):
        return [*found, *[Finding(part, "not tried", "the files first") for part in ("prompt", "audio")]]
    from models.sonicverse.load import load_captioner

    loaded: list[Any] = []

    def read() -> str:
        loaded.append(load_captioner(name if name in CAPTIONERS else str(directory), device))
        return ", ".join(f"{head} {len(names)}" for head, names in loaded[0].labels.items())

    found += _tried("heads", read)
    if loaded:
        found += _tried("prompt", lambda: _words(loaded[0].tokenizer))
        found += _tried("audio", lambda: _first_word(loaded[0]))
    return found


def _first_word(captioner: Any) -> str:
    """The language tokens of a second of noise, and the word that the language model would begin with."""
    import torch

    from models.sonicverse.llm import with_prompt

    layers = captioner.encode(_noise(captioner.rate))
    with torch.no_grad():
        tokens, _ = captioner.projector(captioner.given({k: v[None] for k, v in layers.items()}))
        given = with_prompt(captioner.llm, captioner.tokenizer, tokens, captioner.prompt).to(captioner.llm.dtype)
        logits = captioner.llm(inputs_embeds=given).logits[0, -1].float()
    if not bool(torch.isfinite(tokens).all() and torch.isfinite(logits).all()):
        raise ModelError("tokens of a second of noise are not finite")
    word = captioner.tokenizer.decode([int(logits.argmax())]).strip()
    return f"{SECONDS:g} s of noise: {tokens.shape[1]} tokens, first word {word!r}"


def _noise(rate: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(round(SECONDS * rate))).astype(np.float32)


def _vggish(name: str, path: Path, device: str) -> list[Finding]:
    if not path.is_file():
        return [Finding("weights", "missing", str(path)), Finding("audio", "not tried", "the files first")]
    return [Finding("weights", "good", path.name), *_tried("audio", lambda: _embedded(name, device))]


def _embedded(space: str, device: str) -> str:
    """A second of noise in a space."""
    from models.embeddings.spaces import open_space

    opened = open_space(space, device)
    rows = opened.embed(_noise(opened.rate))
    if not np.isfinite(rows).all():
        raise ModelError("what it makes of a second of noise is not finite")
    return f"{SECONDS:g} s of noise: {rows.shape[0]} x {rows.shape[1]}, finite"


def _part(name: str, directory: Path, described: dict[str, Any], device: str) -> list[Finding]:
    """A network that others need: a codec, CLAP, MERT, a text encoder, a language model."""
    model_type = str(described.get("model_type") or described.get("kind") or "something else")
    found = _files(directory, model_type)
    if any(f.state in ("missing", "wrong") for f in found):
        return [*found, Finding("audio", "not tried", "the files first")]
    if model_type in ("encodec", "clap"):
        return [*found, *_tried("audio", lambda: _embedded(f"{model_type}:{name}", device))]
    if model_type == "codec":
        return found
    if model_type in ("hubert", "mert_model", "mert"):
        return [*found, *_tried("audio", lambda: _heard(directory))]
    if model_type in ("t5", "mistral", "llama", "gpt2"):
        from transformers import AutoTokenizer

        return [
            *found,
            *_tried("prompt", lambda: _words(AutoTokenizer.from_pretrained(directory, local_files_only=True))),
        ]
    raise ModelError(f"{directory} holds a {model_type}, which no part of a study reads")


def _heard(directory: Path) -> str:
    from models.sonicverse.full.mert import RATE, Mert

    hidden, _ = Mert(directory).encode([_noise(RATE)])
    if not bool(hidden.isfinite().all()):
        raise ModelError("what it makes of a second of noise is not finite")
    return f"{SECONDS:g} s of noise: {hidden.shape[1]} layers of {hidden.shape[2]} frames"
