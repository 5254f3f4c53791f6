"""The `[experiment.web]` table of a study file: who may take part at a link, and where people go from there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Outcome = Literal["complete", "stopped", "refused", "too_young", "screened_out", "full"]


class WebConfig(BaseModel):
    """The study at a link.

    Attributes
    ----------
    entry : {"open", "invited", "panel"}
        Who may begin: everybody who has the study's link; who has a link of one's own (`tastelab experiment links`); who comes
        from a panel.
    panel : str or None
        The name of the parameter in which a panel sends a person's id, e.g. ``PROLIFIC_PID``; it is kept as a keyed hash.
    fullscreen : bool
        Whether the whole screen is asked for when a person begins. It may be refused or left: that is stored, and stops nobody.
    returns : dict
        Of each outcome the panel's code, or the address to which one goes back (``https://...``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    entry: Literal["open", "invited", "panel"] = "open"
    panel: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")
    fullscreen: bool = False
    returns: dict[Outcome, Annotated[str, Field(pattern=r"^(https://[^\s\"<>]{1,300}|[A-Za-z0-9_-]{1,60})$")]] = {}

    @model_validator(mode="after")
    def _from_where(self) -> WebConfig:
        if (self.entry == "panel") != (self.panel is not None):
            raise ValueError('entry = "panel" and panel, the name of its parameter, go together')
        return self
