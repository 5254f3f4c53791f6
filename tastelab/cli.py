"""The command line: stands beside the library and only calls it. Heavy imports wait inside the commands."""

from __future__ import annotations

import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import typer

from tastelab.clash import clash
from tastelab.commands import init, top
from tastelab.context import say, tastelab_version
from tastelab.errors import UserError
from tastelab.extras import missing
from tastelab.hints import repeated, room
from tastelab.refusals import refusal
from tastelab.rooms import Front

INTERRUPTED = 130  # the status that shells give to what Ctrl-C ended
FOLLOWING = 5.0  # s in which torchrun ends the other processes of a command whose first has failed

app = typer.Typer(
    name="tastelab",
    help="Psychophysics of music and taste: make stimuli, run sessions, draw conclusions. Alone: where you are, what is next.",
    cls=Front,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.command("doctor")(top.doctor)
app.command("trace")(top.trace)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"tastelab {tastelab_version()}")
        raise typer.Exit


@app.callback()
def _main(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    """Psychophysics of music and taste. Alone it says where you are, and what comes next."""
    if context.invoked_subcommand is None:
        from tastelab.whereabouts import told, whereabouts

        for line in told(whereabouts(Path.cwd())):
            say(line)
        say("\nAll commands: tastelab --help")


def user_errors() -> tuple[type[BaseException], ...]:
    """The error classes of all floors that mean a user's mistake; importing them costs nothing."""
    from analysis.errors import AnalysisError
    from experiment.errors import ExperimentError
    from models.errors import ModelError
    from stimuli.errors import StimulusError

    return UserError, AnalysisError, ExperimentError, StimulusError, ModelError


def main() -> None:
    """Run the command line; a user's mistake is one line and exit status 2, Ctrl-C is 130."""
    hidden = clash()
    if hidden:
        sys.stderr.write(f"tastelab: {hidden}\n")
        sys.exit(2)
    from models.asleep import wait_asleep  # not before: somebody's own models.py would be run
    from models.processes import first

    # xformers says at import that it was built for another torch; it is imported by audiocraft and never used here.
    os.environ.setdefault("XFORMERS_IGNORE_FLASH_VERSION_CHECK", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")  # progress is shown by tastelab itself
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    wait_asleep(os.environ)
    quiet_libraries()
    try:
        status = _called(first())
    except typer.Exit as leaving:
        status = leaving.exit_code
    except (typer.Abort, KeyboardInterrupt):
        status = INTERRUPTED
    except user_errors() as error:
        sys.stderr.write(f"tastelab: {repeated(str(error))}\n")
        sys.exit(2)
    except ModuleNotFoundError as error:
        told = missing(error.name or "", room())
        if told is None:
            raise
        sys.stderr.write(f"tastelab: {told}\n")
        sys.exit(2)
    except OSError as error:
        refused = refusal(error)
        if refused is None:
            raise
        sys.stderr.write(f"tastelab: {refused}\n")
        sys.exit(2)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's own usage errors
            told = error.format_message()
            if told:  # without a command the help was shown, which says it all
                sys.stderr.write(f"tastelab: {told}\n")
            sys.exit(2)
        raise
    # Commands return nothing: a number is the status of an `Exit`, which typer also makes of Ctrl-C.
    if status == INTERRUPTED and first():
        sys.stderr.write("stopped; run the same command again to go on\n")
    if status:
        sys.exit(status)


def _called(first: bool) -> Any:
    """The command; where torchrun has made several processes of it and all fail alike, the first alone is heard.

    The others give it time to say why; then it ends, and torchrun ends them. One that fails alone is heard after that time.
    """
    try:
        return app(standalone_mode=False)
    except Exception:
        if not first:
            time.sleep(FOLLOWING)
        raise


def quiet_libraries() -> None:
    """Mute notices of libraries that a user can do nothing about, each by its own message."""
    import logging

    logging.getLogger("xformers").setLevel(logging.ERROR)
    for message in (
        "xFormers can't load",
        ".*torch.nn.utils.weight_norm.*",
        ".*Flash attention.*",
        ".*pkg_resources.*",
    ):
        warnings.filterwarnings("ignore", message=message)


if __name__ == "__main__":
    main()
