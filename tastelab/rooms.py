"""The groups of commands: what each is about is known at once, its module is read when one of its commands is asked for."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import import_module
from typing import Any, cast

from typer.core import TyperGroup
from typer.main import get_group

from tastelab.hints import begin

ROOMS = {
    "study": ("tastelab.commands.sharing", "The whole way, from prompts to report."),
    "stimuli": ("tastelab.commands.stimuli", "Clips: generate, caption, measure, verify; training corpora."),
    "models": ("tastelab.commands.models", "Networks: what is there, training, fine-tuning."),
    "experiment": ("tastelab.commands.data", "Sessions with people and bots; their data."),
    "analysis": ("tastelab.commands.planning", "From answers and audio to tests, tables, figures, report."),
}


class Room(TyperGroup):
    """A group whose commands are those of a module's `app`."""

    def __init__(self, name: str, module: str, about: str):
        self.module = module
        self.read: MutableMapping[str, Any] | None = None
        super().__init__(name=name, help=about, no_args_is_help=True)

    @property
    def commands(self) -> MutableMapping[str, Any]:
        """Its commands by name."""
        if self.read is None:
            self.read = get_group(import_module(self.module).app).commands
        return self.read

    @commands.setter
    def commands(self, given: object) -> None:
        """None are given; they come from the module."""


class Front(TyperGroup):
    """The command line: its own commands, and the rooms."""

    def __init__(self, **attributes: Any):
        super().__init__(**attributes)
        for name, (module, about) in ROOMS.items():
            self.add_command(cast(Any, Room(name, module, about)))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Note what is asked, for the hints of what will be told."""
        begin(self, args)
        return super().parse_args(ctx, args)
