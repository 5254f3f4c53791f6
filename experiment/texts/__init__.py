"""Texts that participants read: one TOML file a language; a study may bring further languages, or its own wording."""

from __future__ import annotations

import atexit
import difflib
import json
import shutil
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any

from experiment.errors import ExperimentError

FOLDER = Path(__file__).parent
# What came after version 0.1: a study's own texts may lack it, where the study does not ask it (`lacking`).
LATER = (
    "back",
    "erase",
    "several",
    "up_to",
    "write",
    "may_write",
    "sure",
    "sound.call",
    "declined.",
    "broken.",
    "told.",
    "parts.",
    "identification.",
    "affect.liking.",
    "affect.quality.",
    "ratings.question_all",
    "headphones.sides",
    "attention.",
    "web.",
    "keys.",
)
# What is filled in when a text is shown.
PLACEHOLDERS = {
    "progress": {"done", "total"},
    "sure": {"answer"},
    "up_to": {"most"},
    "attention.steps": {"answer"},
    "attention.slider": {"answer"},
    "keys.numbers": {"first", "last"},
    "told.controller": {"controller"},
    "told.approval": {"approval"},
    "told.retention": {"date"},
    "preference.question": {"taste"},
    "end.text": {"code"},
    "web.code": {"code"},
    "web.panel_code": {"code"},
}


# What may be filled in, and need not.
OPTIONAL = {"consent.text": {"minutes"}}
# What a study may say of its own though no text that ships does.
OWN = ("intro_title",)
_KEPT: set[Path] = set()  # folders of what databases keep: another version may have had other texts


@lru_cache(maxsize=32)
def texts(language: str, folder: Path | None = None) -> dict[str, Any]:
    """Return all texts in `language`: the study's own in `folder` over those that ship; a file may say a few alone.

    Raises
    ------
    ExperimentError
        If there are none in this language, or a file of a language that does not ship lacks one that participants would have
        to read, or a file has one that nobody would read, an empty one, or one without what is filled in.
    """
    base = FOLDER / f"{language}.toml"
    own = folder / base.name if folder is not None else base
    if not own.is_file():
        own = base
    if not own.is_file():
        known = ", ".join(sorted({q.stem for p in (folder, FOLDER) if p is not None for q in p.glob("*.toml")}))
        raise ExperimentError(f"there are no texts in language {language!r}; there are: {known}")
    found = _read(own)
    if own != base:
        if folder not in _KEPT:
            _known(found, own)
        if base.is_file():
            found = _over(_read(base), found)
        missing = sorted(k for k in _keys(_read(FOLDER / "en.toml")) - _keys(found) if not k.startswith(LATER))
        if missing:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise ExperimentError(f"{own}: {missing[0]} is missing{more}; see {FOLDER / 'en.toml'}")
    _filled(found, own)
    return found


def _known(own: dict[str, Any], path: Path) -> None:
    """Refuse texts that nobody would read, and what is no text."""
    english = _keys(_read(FOLDER / "en.toml"))
    for key in sorted(_keys(own)):
        if key not in english and key.rpartition(".")[2] not in OWN:
            near = difflib.get_close_matches(key, sorted(english), 1, 0.6)
            hint = f"; did you mean {near[0]!r}?" if near else f"; see {FOLDER / 'en.toml'}"
            raise ExperimentError(f"{path}: there is no text {key!r}{hint}")
        words = _at(own, key)
        if not isinstance(words, str) or not words.strip():
            raise ExperimentError(f"{path}: {key} = {words!r} is no text")


def _filled(found: dict[str, Any], path: Path) -> None:
    """Refuse texts that lack what is filled in, or have other braces."""
    for place, wanted in {**PLACEHOLDERS, **OPTIONAL}.items():
        if place.startswith(LATER) and place not in _keys(found):
            continue
        words = str(_at(found, place))
        try:
            there = {name for _, name, _, _ in Formatter().parse(words) if name is not None}
        except ValueError as error:
            raise ExperimentError(f"{path}: {place} = {words!r}: {error}") from None
        if there != wanted and not (place in OPTIONAL and there <= wanted):
            named = ", ".join(f"{{{name}}}" for name in sorted(wanted))
            needs = "may have" if place in OPTIONAL else "needs"
            raise ExperimentError(f"{path}: {place} {needs} {named}, and no other braces: {words!r}")


def untranslated(language: str, folder: Path | None) -> tuple[list[str], int]:
    """Texts of a study's own language that are still the English ones, and of how many; none of languages that ship."""
    if (FOLDER / f"{language}.toml").is_file():
        return [], 0
    english, own = _read(FOLDER / "en.toml"), texts(language, folder)
    there = sorted(_keys(english) & _keys(own))
    return [key for key in there if _at(own, key) == _at(english, key)], len(there)


def _at(table: dict[str, Any], place: str) -> Any:
    for key in place.split("."):
        table = table[key]
    return table


def kept(stored: dict[str, dict[str, Any]]) -> Path:
    """A folder from which `texts` reads what a database keeps of them, by language; it goes when the program ends."""
    return _folder_of(json.dumps(stored, ensure_ascii=False))


@lru_cache(maxsize=32)
def _folder_of(stored: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tastelab-texts-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _KEPT.add(folder)
    for language, words in json.loads(stored).items():
        shipped = FOLDER / f"{language}.toml"
        now = _read(shipped) if shipped.is_file() else {}
        (folder / f"{language}.toml").write_text("\n".join(_toml(_over(now, words))) + "\n", encoding="utf-8")
    return folder


def _over(under: dict[str, Any], words: dict[str, Any]) -> dict[str, Any]:
    """Some texts over others, which stand where those say nothing."""
    both = {k: _over(under[k], v) for k, v in words.items() if isinstance(v, dict) and isinstance(under.get(k), dict)}
    return under | words | both


def _toml(words: dict[str, Any], above: str = "") -> Iterator[str]:
    """Texts as TOML: a line each, tables after all lines of the one above; options keep their order."""
    for key, value in words.items():
        if not isinstance(value, dict):
            yield f"{_string(key)} = {_string(str(value))}"
    for key, value in words.items():
        if isinstance(value, dict):
            yield f"[{above}{_string(key)}]"
            yield from _toml(value, f"{above}{_string(key)}.")


def _string(text: str) -> str:
    """A JSON string is a TOML string, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def lacking(words: dict[str, Any], kinds: list[str], after: list[str], own: Iterable[str] = ()) -> str | None:
    """The first of the texts that came later which some kinds of task, questions after a clip and `own` ones need and there is not."""
    named = {"parts.first"} if any("intro_title" not in words.get(kind, {}) for kind in kinds) else set()
    wanted = named | {f"affect.{item}.question" for item in after}
    asked = tuple(f"{kind}." for kind in kinds if f"{kind}." in LATER)
    wanted |= {k for k in _keys(_read(FOLDER / "en.toml")) if k.startswith(asked)} | set(own)
    return min(wanted - _keys(words), default=None)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExperimentError(f"{path} is not valid TOML: {error}") from None


def _keys(table: dict[str, Any], above: str = "") -> set[str]:
    return {
        k
        for name, value in table.items()
        for k in (_keys(value, f"{above}{name}.") if isinstance(value, dict) else {above + name})
    }
