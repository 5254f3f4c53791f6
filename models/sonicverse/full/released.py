"""Projectors in files: under our files' names, or another's; the public SonicVerse checkpoint names its modules otherwise.

The public names could not be seen when this was written, so they are not relied on. Tensors that share a module (all of a name but its
last two parts) stay together; a module is known by its shapes, which the sizes of the heads tell apart; modules of one kind
(tokens of one path) are taken in the order of their numbers; a vector of layer weights belongs to the module whose name it shares
most of. So neither the order of parts in the file nor that of the heads matters. Where names tell nothing, a pickled state dict
still has the order in which its modules were made.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch

from models.errors import ModelError
from models.sonicverse.full.presets import PRESETS
from models.sonicverse.projector import DualProjector, ProjectorConfig

Shape = tuple[int, ...]
Modules = dict[str, dict[str, torch.Tensor]]  # by name, their tensors by name, in the order of their layers


def weights_file(directory: Path) -> Path:
    """A captioner's trained weights: ``model.safetensors``, or a released state dict as ``model.pt``.

    Raises
    ------
    ModelError
        If neither is there.
    """
    for name in ("model.safetensors", "model.pt"):
        if (directory / name).exists():
            return directory / name
    raise ModelError(f"no captioner in {directory}: model.safetensors (or model.pt) is missing")


def load_released(path: Path, config: ProjectorConfig | None = None) -> DualProjector:
    """Read a projector, ``released`` if no other configuration is given; every tensor and every place must find the other.

    Raises
    ------
    ModelError
        In one line, if the file is broken, or shapes do not fit.
    """
    from models.weights import load_pickle, load_tensors

    if not path.is_file():
        raise ModelError(f"projector {path} does not exist")
    ordered = path.suffix != ".safetensors"
    given = load_pickle(path) if ordered else load_tensors(path)
    with torch.device("meta"):
        model = DualProjector(config or PRESETS["released"])
    wanted = in_file(model)
    if set(given) == set(wanted):
        matched: dict[str, torch.Tensor] = given
    else:
        if not all(isinstance(tensor, torch.Tensor) for tensor in given.values()):
            raise ModelError(f"{path} holds more than tensors; it is no projector's state dict")
        found = _by_module(given, wanted, model.config)
        if found is None and not ordered:
            raise ModelError(
                f"{path} is no SonicVerse projector of this shape: its modules have other shapes or numbers"
            )
        matched = _by_order(given, wanted, path) if found is None else found
    for name, tensor in wanted.items():
        if matched[name].numel() != tensor.numel():
            raise ModelError(f"{path}: {name} has shape {tuple(matched[name].shape)}, not {tuple(tensor.shape)}")
    # The repository's own command saves bfloat16; all is computed in single precision.
    placed = {k: matched[k].reshape(wanted[k].shape).float() for k in wanted}
    beta = torch.stack([placed.pop(f"heads.{head}.beta") for head in model.config.heads])
    own = {name: placed[_filed(name)] for name in model.state_dict() if name != "beta"}
    model.load_state_dict({**own, "beta": beta}, assign=True)
    model.temperature = torch.ones(len(model.config.heads))  # not of the file: probabilities are read as they are
    return model.eval()


def in_file(model: DualProjector) -> dict[str, torch.Tensor]:
    """A projector's tensors under the names that files have: the layer weights of each head stand beside its classifier."""
    state = model.state_dict()
    beta = state.pop("beta")
    rows = {f"heads.{head}.beta": row for head, row in zip(model.config.heads, beta, strict=True)}
    return {_filed(name): tensor for name, tensor in state.items()} | rows


def _filed(name: str) -> str:
    """The name of a tensor of ours (but ``beta``) in a file."""
    path, _, rest = name.partition(".")
    if path == "heads":
        head, _, rest = rest.partition(".")
        return f"heads.{head}.classify.{rest}"
    return {"alpha": "content.alpha", "content": f"content.tokens.{rest}", "feature": f"features.{rest}"}.get(
        path, name
    )


def _shape(tensor: torch.Tensor) -> Shape:
    """A tensor's shape without dimensions of size one."""
    return tuple(n for n in tensor.shape if n != 1) or (1,)


def _numbered(name: str) -> list[tuple[int, str]]:
    """A name as a key to sort by: numbers by their value."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"[._]", name)]


def _modules(state: dict[str, torch.Tensor], layers: int) -> tuple[Modules, dict[str, torch.Tensor]]:
    """The modules of a state dict, and its vectors of layer weights."""
    modules: Modules = {}
    vectors: dict[str, torch.Tensor] = {}
    for name in sorted(state, key=_numbered):
        if _shape(state[name]) == (layers,) and not name.endswith("bias"):
            vectors[name] = state[name]
        else:
            modules.setdefault(".".join(name.split(".")[:-2]), {})[name] = state[name]
    # A layer's weight is a matrix, its bias goes with it.
    return {
        name: dict(sorted(own.items(), key=lambda kv: (_numbered(kv[0].rpartition(".")[0]), kv[1].dim() < 2)))
        for name, own in modules.items()
    }, vectors


def _by_module(
    given: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], config: ProjectorConfig
) -> dict[str, torch.Tensor] | None:
    """Match module by module; None where the modules cannot be told from the names."""
    layers = len(config.layer_names)
    ours, our_vectors = _modules(wanted, layers)
    theirs, their_vectors = _modules(given, layers)
    if len(ours) != len(theirs) or len(our_vectors) != len(their_vectors):
        return None
    waiting: dict[tuple[Shape, ...], list[str]] = {}
    for name, own in theirs.items():
        waiting.setdefault(tuple(_shape(t) for t in own.values()), []).append(name)
    out: dict[str, torch.Tensor] = {}
    at: dict[str, str] = {}  # our module -> theirs
    for name, own in ours.items():
        fitting = waiting.get(tuple(_shape(t) for t in own.values()), [])
        if not fitting:
            return None
        # Heads of one size (vocals and gender of the paper) are told by their names, where those say so.
        head = next((h for h in config.heads if h in name.split(".")), None)
        at[name] = next((f for f in fitting if head and head in f), fitting[0])
        fitting.remove(at[name])
        out |= dict(zip(own, theirs[at[name]].values(), strict=True))
    for name in our_vectors:
        module = "content.tokens.0" if name.startswith("content.") else f"{name.rpartition('.')[0]}.classify"
        nearest = max(their_vectors, key=lambda v: _shared(v, at[module]))
        out[name] = their_vectors.pop(nearest)
    return out


def _shared(a: str, b: str) -> int:
    """How many parts two names begin with alike."""
    parts = [x == y for x, y in zip(a.split("."), b.split("."), strict=False)]
    return parts.index(False) if False in parts else len(parts)


def _by_order(given: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
    """Match tensors in order within each shape."""
    waiting: dict[Shape, list[torch.Tensor]] = {}
    for tensor in given.values():
        waiting.setdefault(_shape(tensor), []).append(tensor)
    out = {}
    for name, tensor in wanted.items():
        there = waiting.get(_shape(tensor), [])
        if not there:
            raise ModelError(
                f"{path} is no SonicVerse projector of this shape: nothing is left for {name} {tuple(tensor.shape)}"
            )
        out[name] = there.pop(0)
    left = sum(len(t) for t in waiting.values())
    if left:
        raise ModelError(f"{path} is no SonicVerse projector of this shape: {left} tensors are left over")
    return out
