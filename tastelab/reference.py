"""Every table and key of a study file, from the classes that read it: type, default, and what their docstrings say it means."""

from __future__ import annotations

import inspect
import re
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tastelab.study import Study

PLAIN = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path"}
BOUNDS = (("ge", "at least {}"), ("gt", "over {}"), ("le", "at most {}"), ("lt", "under {}"))
SIZES = (("min_length", "at least {}"), ("max_length", "at most {}"))
REQUIRED = "has to be there"
LEFT_OUT = "left out"
ENTRY = re.compile(r"^(\w+(?:, \w+)*)(?: : .*)?$")


@dataclass(frozen=True)
class Key:
    """One key of a table; `kind` is its type in words, `default` as a file would have it."""

    name: str
    kind: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """One table: its header as a file has it, what it is about, its keys in order."""

    header: str
    about: str
    keys: tuple[Key, ...]


def tables() -> list[Table]:
    """All tables, each after the one that it stands in."""
    return list(_tables(Study, "", False))


def _tables(model: type[BaseModel], path: str, many: bool, kind: str = "") -> Iterator[Table]:
    said = meanings(model)
    inner: list[tuple[str, bool, type[BaseModel], str]] = []
    keys = []
    for name, field in model.model_fields.items():
        key = field.alias or name
        below = f"{path}.{key}" if path else key
        found = models_in(field.annotation)
        listed = _list_of(field.annotation)
        inner += [(below, listed, one, _kind_of(one) if len(found) > 1 else "") for one in found]
        keys.append(Key(key, _words(field.annotation, field, below), _default(field), said.get(name, "")))
    head = f"[[{path}]]" if many else f"[{path}]" if path else "the file itself"
    if kind:
        head += f' with kind = "{kind}"'
    yield Table(head, _about(model), tuple(keys))
    for below, listed, one, of in inner:
        yield from _tables(one, below, listed, of)


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What docstrings of a class, and of those that it is made from, say of its fields."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if cls is BaseModel or not issubclass(cls, BaseModel) or "__doc__" not in vars(cls):
            continue
        section = inspect.cleandoc(cls.__doc__ or "").partition("Attributes\n----------\n")[2]
        names: list[str] = []
        for line in section.splitlines():
            entry = ENTRY.match(line)
            if entry:
                names = entry[1].split(", ")
                found |= dict.fromkeys(names, "")
            elif line.startswith("    "):
                found |= {name: f"{found[name]} {line.strip()}".strip() for name in names}
            elif line.strip():
                break
    return {name: _read(text) for name, text in found.items()}


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The classes of tables that stand under a key."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [one for inner in get_args(annotation) for one in models_in(inner)]


def _about(model: type[BaseModel]) -> str:
    doc = inspect.cleandoc(model.__doc__ or "")
    return _read(doc.partition("\n\nAttributes\n")[0])


def _read(text: str) -> str:
    """Words of a docstring as whoever writes a study file reads them: no modules of ours, and nothing is called None there."""
    plain = re.sub(r" \(`[a-z_]+(\.[a-z_]+)+`\)", "", text.replace("``", "`"))
    return " ".join(re.sub(r"\bNone\b", "left out", plain).split())


def _kind_of(model: type[BaseModel]) -> str:
    return str(model.model_fields["kind"].default)


def _list_of(annotation: Any) -> bool:
    if get_origin(annotation) is list:
        return True
    return (
        any(_list_of(inner) for inner in get_args(annotation))
        if get_origin(annotation) in (Union, types.UnionType)
        else False
    )


def _words(annotation: Any, field: FieldInfo, path: str) -> str:
    """A type in words, with its bounds."""
    limits = _limits(field.metadata, annotation is str)
    found = models_in(annotation)
    if found:
        if get_origin(annotation) is dict:
            return f"tables [{path}.NAME]"
        return "tables, see below" if _list_of(annotation) else "table, see below"
    return _plain(annotation) + limits


def _plain(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _plain(inner[0]) + _limits(getattr(inner[1], "metadata", ()), inner[0] is str)
    if origin is Literal:
        return ("one of " if len(inner) > 1 else "") + ", ".join(_shown(x) for x in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(_plain(x) for x in inner if x is not type(None))
    if origin is list:
        return f"list of {_plural(inner[0])}"
    if origin is tuple:
        return f"list of {len(inner)}: " + ", ".join(_plain(x) for x in inner)
    if origin is dict:
        return f"table: {_plain(inner[0])} = {_plain(inner[1])}"
    return PLAIN.get(annotation, str(getattr(annotation, "__name__", annotation)))


def _plural(annotation: Any) -> str:
    plural = {"text": "texts", "whole number": "whole numbers", "number": "numbers"}
    words = _plain(annotation)
    return plural.get(words, words)


def _limits(metadata: Any, letters: bool) -> str:
    of = "letters" if letters else "of them"
    found = [
        words.format(_shown(value))
        for name, words in BOUNDS
        for m in metadata
        if (value := getattr(m, name, None)) is not None
    ]
    sizes = [
        words.format(value) for name, words in SIZES for m in metadata if (value := getattr(m, name, None)) is not None
    ]
    return "".join(f", {x}" for x in found) + (f", {' and '.join(sizes)} {of}" if sizes else "")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return REQUIRED
    value = field.get_default(call_default_factory=True)
    return "" if value is PydanticUndefined else _shown(value)


def _shown(value: Any) -> str:
    """A value as a file would have it; nothing where a key that is not there says it."""
    if value is None or value == {}:
        return LEFT_OUT
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, (list, tuple)):
        return "" if any(isinstance(v, BaseModel) for v in value) else "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, dict):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def page(found: list[Table]) -> str:
    """The reference as a page of the guides."""
    lines = [
        "# The study file",
        "",
        "Every table and key that a study file may have, made from the classes that read it",
        "(`tastelab study reference --markdown > docs/study-file.md`). A key that is not there has its default; an unknown one is refused.",
        "Paths are named from where the study file lies. How to put a study together: [designing a study](designs.md).",
    ]
    for table in found:
        lines += [
            "",
            f"## {_headline(table.header)}",
            "",
            table.about,
            "",
            "| key | what it takes | default | what it means |",
            "|---|---|---|---|",
        ]
        for key in table.keys:
            default = key.default if key.default in ("", REQUIRED, LEFT_OUT) else f"`{key.default}`"
            lines.append(f"| `{key.name}` | {key.kind} | {default} | {key.meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def _headline(header: str) -> str:
    return f"`{header}`" if header.startswith("[") else header.capitalize()


def lines(found: list[Table], width: int) -> Iterator[str]:
    """The reference as it is read on a terminal."""
    for table in found:
        yield table.header
        yield from textwrap.wrap(table.about, width, initial_indent="  ", subsequent_indent="  ")
        for key in table.keys:
            default = key.default if key.default in ("", REQUIRED) else f"default: {key.default}"
            head = "; ".join(x for x in (key.kind, default) if x)
            yield from textwrap.wrap(f"{key.name}: {head}", width, initial_indent="  ", subsequent_indent="      ")
            yield from textwrap.wrap(key.meaning, width, initial_indent="      ", subsequent_indent="      ")
        yield ""


def about(found: list[Table], word: str) -> list[Table]:
    """The tables whose header has a word, and those that have a key of this name, with that key alone."""
    named = [t for t in found if word in re.split(r'[\[\]."= ]+', t.header) or word.strip("[]") == t.header.strip("[]")]
    if named:
        return named
    return [
        replace(t, keys=tuple(k for k in t.keys if k.name == word))
        for t in found
        if any(k.name == word for k in t.keys)
    ]
