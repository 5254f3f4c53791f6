"""Commands that a message tells somebody to run repeat the options that were given: a hint that drops --study leads elsewhere.

Messages come from every floor, and none of them knows the command line. So the front door notes what was given, and whatever it
prints has its hints, ``'tastelab ...'`` between quotation marks, completed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

# What says where one is: it holds for the next command too, if that takes it.
REPEATED = ("--study", "--db", "--out", "--kind", "--station", "--key")
HINT = re.compile(r"'tastelab ([^']*)'")
FILE = "file"  # a study file that a command takes without an option
BY_STUDY = (["models", "pull"], ["models", "check"])  # commands that take a study in the place of a name

_now: tuple[Any, dict[str, str]] = (None, {})
_words: Sequence[str] = ()
_study: str | None = None


def begin(front: Any, words: Sequence[str]) -> None:
    """Note the command line and the words that it was called with."""
    global _now, _words, _study
    _now, _words, _study = (front, given(words)), tuple(words), None


def reading(study: str) -> None:
    """Note the study file that the command reads, given or the usual one: what it names is fetched and looked at by it."""
    global _study
    _study = study


def room() -> str | None:
    """The first word that the command line was called with: a room, or a command of its own."""
    return next((word for word in _words if not word.startswith("-")), None)


def named() -> Iterator[tuple[str, str]]:
    """The words that may name a file or folder, each with its option (empty where it has none)."""
    option = ""
    for word in _words:
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            option = name
            if equals:
                yield name, value
        else:
            yield option, word
            option = ""


def given(words: Sequence[str]) -> dict[str, str]:
    """Options to be repeated, among the words of a command; a database's password is none."""
    found = {}
    for k, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in REPEATED and (equals or k + 1 < len(words)):
            found[name] = value if equals else words[k + 1]
    if "@" in found.get("--db", ""):
        from experiment.data.connect import shown

        found["--db"] = shown(found["--db"])
    return found


def repeated(text: str) -> str:
    """A message, its hints with the options that were given."""
    return HINT.sub(lambda hint: f"'tastelab {_completed(hint[1])}'", text) if _now[1] or _study else text


def _completed(hint: str) -> str:
    command, options = _now
    words = hint.split()
    if words[:2] in BY_STUDY and not any(word.startswith("-") for word in words):
        return hint if _study is None else f"{' '.join(words[:2])} --study {shlex.quote(_study)}"
    for word in words:
        commands = getattr(command, "commands", {})
        if word not in commands:
            break
        command = commands[word]
    if getattr(command, "commands", None):  # a group, or no command of ours
        return hint
    taken = {name for p in command.params for name in p.opts}
    out = hint
    for name, value in options.items():
        if name in taken and name not in words:
            out += f" {name} {shlex.quote(value)}"
        elif name == "--study" and FILE in taken and not any(word.endswith(".toml") for word in words):
            out += f" {shlex.quote(value)}"
    return out
