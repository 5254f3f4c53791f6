"""tastelab init: how a study of one's own begins."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tastelab.context import say
from tastelab.errors import UserError

FolderArgument = Annotated[Path | None, typer.Argument(help="The folder to make.")]
TASTE = re.compile(r"[a-z][a-z_]*")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*")


def init(
    folder: FolderArgument = None,
    kind: Annotated[str | None, typer.Option("--kind", help="generated, tracks, import or copy.")] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="Folder of tracks, survey file, or shipped study.", metavar="WHAT")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="As people read it.")] = None,
    tastes: Annotated[
        str | None, typer.Option("--tastes", help="With commas; of a survey: what _1, _2 ... of a column mean.")
    ] = None,
    languages: Annotated[str | None, typer.Option("--languages", help="With commas, e.g. en,de.")] = None,
    scale: Annotated[str | None, typer.Option("--scale", help="Steps of ratings, e.g. 1-7.")] = None,
) -> None:
    """Begin a study: a study file with remarks in a new folder. Asks what was not given, where it can ask."""
    from tastelab.beginning.drafting import (
        KINDS,
        Plan,
        known_tastes,
        of_seed_paper,
        shipped_languages,
        slug,
        untranslated,
    )
    from tastelab.beginning.writing import FILE, refuse, write
    from tastelab.shipped import studies

    said = {
        "--kind": kind,
        "--from": source,
        "--title": title,
        "--tastes": tastes,
        "--languages": languages,
        "--scale": scale,
    }
    take = partial(_given, example=partial(_example, folder=folder, given=said))
    asked = can_ask() and None in (kind, folder)
    if asked and kind is None:
        for name, about in KINDS.items():
            say(f"  {name:<10} {about}")
    kind = take("kind of study", "--kind", kind, "generated", asked, lambda x: _one_of("--kind", x, KINDS))
    shipped = list(studies())
    if kind in ("copy", "tracks", "import"):
        words = {
            "copy": f"which study ({', '.join(shipped)})",
            "tracks": "folder of tracks",
            "import": "survey file (CSV)",
        }
        source = take(
            words[kind], "--from", source, shipped[0] if kind == "copy" else None, asked, _source(kind, shipped)
        )
    elif source is not None:
        raise UserError(f"--from {source}: a study of kind {kind!r} is made from nothing; leave it out")
    usual = {"copy": source, "import": "survey"}.get(kind) or "my-study"
    given = take("folder to make", "FOLDER", None if folder is None else str(folder), usual, asked, _new)
    folder = Path(given)
    name = slug(folder.name)
    refuse(folder)
    if kind == "copy":
        for option, value in (("--tastes", tastes), ("--languages", languages), ("--scale", scale), ("--title", title)):
            if value is not None:
                raise UserError(f"{option}: a copy has those of the study that is copied; change them in its file")
        study = write(Plan(kind, name, "", source=source or ""), folder)
        say(f"{folder / FILE}: {study.title}")
        _next(kind, folder, source, [])
        return
    plain = name.replace("-", " ").replace("_", " ").capitalize()
    fixed = kind == "import" and of_seed_paper(Path(str(source)))
    if fixed and (tastes or scale):
        raise UserError(
            f"{source} has the seed paper's columns, whose tastes and scales are known; leave --tastes and --scale out"
        )
    if kind == "generated":
        title = take("title, as people read it", "--title", title, plain, asked, _text)
    if not fixed:
        usual_tastes = ",".join(known_tastes()) if kind != "import" else None
        what = "what _1, _2 ... of a column stand for" if kind == "import" else "tastes"
        tastes = take(f"{what}, with commas", "--tastes", tastes, usual_tastes, asked, _tastes)
    languages = take("languages, with commas", "--languages", languages, "en", asked, _languages)
    chosen = tuple(x.strip() for x in languages.split(","))
    if kind == "import" and len(chosen) > 1:
        raise UserError(f"--languages {languages}: a survey is imported in the one language that it was asked in")
    plan = Plan(
        kind, name, title or plain, chosen,
        () if fixed else tuple(x.strip() for x in str(tastes).split(",")),
        source or "", None if fixed else _scale(scale, kind, source, tastes),
    )  # fmt: skip
    study = write(plan, folder)
    say(f"{folder / FILE}: {study.title}")
    _next(
        kind, folder, source, [] if fixed else untranslated(plan), [x for x in chosen if x not in shipped_languages()]
    )


def can_ask() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _given(
    words: str,
    option: str,
    value: str | None,
    usual: str | None,
    asked: bool,
    check: Callable[[str], str],
    *,
    example: Callable[[str], str],
) -> str:
    """What an option says, else what somebody answers, else what is usual; what can't be is asked again, or refused."""
    if value is not None:
        return check(value)
    if not asked:
        if usual is not None and option not in ("--kind", "FOLDER", "--from"):
            return usual
        raise UserError(
            f"{option} is missing ({words}), and nobody is at a terminal to be asked; e.g. {example(option)}"
        )

    def again(answer: str) -> str:
        try:
            return check(answer)
        except UserError as error:
            raise typer.BadParameter(str(error)) from None

    return str(typer.prompt(words, default=usual, value_proc=again))


def _example(option: str, folder: Path | None, given: dict[str, str | None]) -> str:
    """The command as it was given, with what is missing."""
    kind = given["--kind"] or "generated"
    usual = {"--from": {"tracks": "music", "import": "survey.csv"}.get(kind, "five-tastes"), "--tastes": "sweet,sour"}
    options = given | {"--kind": kind} | {k: v for k, v in usual.items() if k == option}
    words = [word for name, value in options.items() if value is not None for word in (name, value)]
    return shlex.join(["tastelab", "init", str(folder or "my-study"), *words])


def _one_of(option: str, answer: str, known: dict[str, str] | list[str]) -> str:
    if answer not in known:
        raise UserError(f"{option} {answer!r} is not known; there are: {', '.join(known)}")
    return answer


def _source(kind: str, shipped: list[str]) -> Callable[[str], str]:
    from tastelab.beginning.drafting import audio_in, columns_of, of_seed_paper

    def check(answer: str) -> str:
        if kind == "copy":
            return _one_of("--from", answer, shipped)
        path = Path(answer).expanduser()
        if kind == "tracks":
            audio_in(path)
        elif not of_seed_paper(path):
            columns_of(path)
        return str(path)

    return check


def _new(answer: str) -> str:
    from tastelab.beginning.drafting import slug
    from tastelab.beginning.writing import refuse

    slug(Path(answer).name)
    refuse(Path(answer).expanduser())
    return str(Path(answer).expanduser())


def _text(answer: str) -> str:
    if not answer.strip():
        raise UserError("--title is empty")
    return answer.strip()


def _tastes(answer: str) -> str:
    found = [x.strip() for x in answer.split(",")]
    for name in found:
        if not TASTE.fullmatch(name):
            raise UserError(
                f"--tastes {name!r}: a name has small letters from a to z and '_'; words for people come in the study file"
            )
    if len(set(found)) < len(found):
        raise UserError(f"--tastes {answer}: a name stands there twice")
    return ",".join(found)


def _languages(answer: str) -> str:
    found = [x.strip() for x in answer.split(",")]
    for code in found:
        if not LANGUAGE.fullmatch(code):
            raise UserError(f"--languages {code!r}: give codes with commas, e.g. en,de")
    if len(set(found)) < len(found):
        raise UserError(f"--languages {answer}: a language stands there twice")
    return ",".join(found)


def _scale(scale: str | None, kind: str, source: str | None, tastes: str | None) -> tuple[int, int] | None:
    """Ends of the scale of ratings; a survey's are those of its answers, if none are given."""
    from tastelab.beginning.drafting import columns_of, ends_of

    if scale is not None:
        found = re.fullmatch(r"(\d+)-(\d+)", scale)
        if found is None:
            raise UserError(f"--scale {scale!r}: give the lowest and the highest step, e.g. 1-7")
        return int(found[1]), int(found[2])
    if kind != "import":
        return None
    file = Path(str(source))
    return ends_of(file, columns_of(file, len(str(tastes).split(","))))


def _next(kind: str, folder: Path, source: str | None, strange: list[str], own: list[str] | None = None) -> None:
    """What there is to do now, as commands."""
    from tastelab.beginning.drafting import labels_to_say, of_seed_paper

    if strange:
        say(f"To translate in it (marked there): {', '.join(strange)}.")
    for language in own or []:
        say(f"To translate: {folder / 'texts' / f'{language}.toml'}, which is English so far.")
    if kind == "import" and of_seed_paper(Path(str(source))) and (labels := labels_to_say(Path(str(source)))):
        named = ", ".join(labels)
        say(
            f"To say in it, in [experiment.psytoolkit] labels: which model the survey means by {named}. Rows are left out until then."
        )
    say("Next:")
    commands = ["tastelab study check"]
    if kind == "import":
        file = shlex.quote(str(Path(str(source)).resolve()))
        commands = [f"tastelab experiment import psytoolkit {file}", "tastelab analysis report"]
    for command in (f"cd {shlex.quote(str(folder))}", *commands, *(["tastelab"] if kind != "import" else [])):
        say(f"  {command}")
