"""How released models lie on the hub, in its cache, in clones and mirrors: which of their files are one set of weights, and what lacks."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from models.errors import ModelError

# Sets of weights in transformers' format, the best first: musicgen-stereo-small has one in half and one in single precision,
# musicgen-large only pickled shards.
SETS = (
    (r"model\.fp32(-\d+-of-\d+)?\.safetensors", "model.safetensors.index.fp32.json"),
    (r"model\.safetensors", ""),
    (r"model-\d+-of-\d+\.safetensors", "model.safetensors.index.json"),
    (r"pytorch_model\.bin", ""),
    (r"pytorch_model-\d+-of-\d+\.bin", "pytorch_model.bin.index.json"),
)
VOCABULARIES = ("tokenizer.json", "spiece.model", "vocab.json", "tokenizer.model")
READERS = ("musicgen", "t5", "mistral", "llama", "gpt2", "clap")  # model types that read words


def one_set(names: Collection[str], where: str) -> list[str]:
    """The files of one set of weights among those of a directory, in order; empty where there is none.

    Raises
    ------
    ModelError
        If shards of the best set are missing.
    """
    for pattern, index in SETS:
        found = sorted(n for n in names if re.fullmatch(pattern, n))
        if not found:
            continue
        shards = [re.search(r"-(\d+)-of-(\d+)\.", n) for n in found]
        if all(shards):
            there = {int(m[1]) for m in shards if m}
            missing = sorted(set(range(1, max(int(m[2]) for m in shards if m) + 1)) - there)
            if missing:
                raise ModelError(
                    f"{where}: part {missing[0]} of the weights is missing beside {found[0]}; fetch it anew"
                )
        return [*found, *([index] if index in names else [])]
    return []


def check_index(directory: Path, names: Iterable[str]) -> None:
    """Refuse a set whose index names parts that are not there.

    Raises
    ------
    ModelError
        Naming the first.
    """
    for name in names:
        if name.endswith(".json"):
            listed = set(json.loads((directory / name).read_text(encoding="utf-8")).get("weight_map", {}).values())
            lost = sorted(n for n in listed if not (directory / n).is_file())
            if lost:
                raise ModelError(f"{directory / name} names {lost[0]}, which is not there; fetch it anew")


def check_vocabulary(names: Collection[str], model_type: str | None, where: str) -> None:
    """Refuse a model that reads words without the files of its tokenizer.

    transformers makes a tokenizer out of nothing then, to which all words are the same.

    Raises
    ------
    ModelError
        Naming what is wanted.
    """
    if model_type in READERS and not any(n in names for n in VOCABULARIES):
        raise ModelError(
            f"{where} has no tokenizer ({', '.join(VOCABULARIES[:2])} ...), so that all words would be the same to it; "
            "fetch those files too"
        )


def snapshot(directory: Path) -> Path:
    """The files of a directory of the hub's cache (``snapshots/COMMIT``: the one that ``main`` is, or the only one); any other as it is.

    Raises
    ------
    ModelError
        If there are several commits and none is ``main``.
    """
    commits = directory / "snapshots"
    if not commits.is_dir():
        return directory
    main = directory / "refs" / "main"
    if main.is_file() and (commits / main.read_text(encoding="utf-8").strip()).is_dir():
        return commits / main.read_text(encoding="utf-8").strip()
    there = sorted(p for p in commits.iterdir() if p.is_dir())
    if len(there) != 1:
        raise ModelError(f"{directory} holds {len(there)} commits and none is main; name one: {commits}/COMMIT")
    return there[0]


def in_hub_cache(name: str) -> Path | None:
    """A model in the hub's own cache on this machine, as HF_HUB_CACHE or HF_HOME say where that is."""
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    directory = Path(os.environ.get("HF_HUB_CACHE", home / "hub")) / f"models--{name.replace('/', '--')}"
    return snapshot(directory) if (directory / "snapshots").is_dir() else None
