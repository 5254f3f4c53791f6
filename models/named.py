"""The networks that a study's `[models]` names, and those that they only name themselves: what is to be pulled, and looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from models.checkup import Finding, check_model
from models.config import ModelsConfig
from models.errors import ModelError
from models.locating import locate, models_directory, of_hub
from models.musicgen.checkpoints import read_package, t5_named
from models.musicgen.convert import read_config
from models.published import in_hub_cache, one_set
from models.pull import AUDIOCRAFT, RELEASES, Progress, pull

FROM_HUB = ("encodec", "clap")  # kinds of spaces whose checkpoint may be a released model


def named_in(models: ModelsConfig) -> list[str]:
    """What a study names, each once: checkpoints in the order of conditions, the captioner, spaces; as `check_model` takes them."""
    checkpoints = [c.checkpoint for c in models.conditions if c.checkpoint is not None]
    return list(dict.fromkeys([*checkpoints, models.captioner, *models.embedders]))


def checked(models: ModelsConfig, device: str = "auto") -> Iterator[tuple[str, list[Finding]]]:
    """Look at each model that a study names (`check_model`); one that is not there is a finding too."""
    for name in named_in(models):
        try:
            yield name, check_model(name, device)
        except ModelError as error:
            yield name, [Finding("model", "missing", str(error))]


def pull_named(
    models: ModelsConfig,
    source: Path | None = None,
    layout: str = "auto",
    begin: Callable[[str], Progress | None] | None = None,
) -> list[tuple[str, Path]]:
    """Pull all released models of a study, and the networks that these, and its own directories, only name.

    What lies in the hub's cache on this machine is not fetched again. `begin` is told each name before it is fetched.

    Returns
    -------
    list of (str, Path)
        Each model's name and directory, in the order in which they were needed.

    Raises
    ------
    ModelError
        As `pull`, at the first that cannot be had; run again, it goes on there.
    """
    if source is not None and (source / "config.json").is_file():
        raise ModelError(f"{source} is one model; a study's mirror holds a folder for each that the study names")
    own = {c.checkpoint for c in models.conditions}
    waiting = [name.partition(":")[2] if name.partition(":")[0] in FROM_HUB else name for name in named_in(models)]
    done: dict[str, Path] = {}
    for name in waiting:  # which grows
        if name in done:
            continue
        if Path(name).is_dir():
            waiting += only_named(Path(name))
            continue
        if not _released(name):
            continue
        there = in_hub_cache(name) if not (models_directory() / name.replace("/", "--")).is_dir() else None
        published = layout if name in own else "auto"  # codecs, encoders and language models have one format
        done[name] = there or pull(name, source, published, progress=begin(name) if begin else None)
        waiting += only_named(locate(name))
    return list(done.items())


def _released(name: str) -> bool:
    """Whether a name is the hub's ``OWNER/NAME``, or a model that has no owner there and is only named by others."""
    return name in RELEASES or of_hub(name)


def only_named(directory: Path) -> list[str]:
    """Networks that a model's files name without holding them: codec and text encoder, or encoder and language model.

    Names of directories beside it, or on this machine, and of what ships are none.
    """
    config = directory / "config.json"
    described = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    if "dual" in described:
        parts = [str(described.get(part, "")) for part in ("encoder", "llm")]
        return [p for p in parts if _released(p) and not (directory / p).is_dir() and not Path(p).is_dir()]
    states = [directory / name for name in AUDIOCRAFT]
    if one_set([p.name for p in directory.iterdir()], str(directory)) or not all(p.is_file() for p in states):
        return []  # transformers' format holds all of it
    language, codec = (read_package(p) for p in states)
    named = [str(codec["pretrained"])] if "pretrained" in codec else []
    text = t5_named(read_config(language["xp.cfg"]))
    return [*named, *([text] if text and not (directory / "text_encoder").is_dir() else [])]
