"""When two definitions of a study declare the same sessions."""

from __future__ import annotations

from typing import Any

from experiment.config import ExperimentConfig, stored_config


def same_design(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether two definitions declare the same sessions, however they say it; options that came later have their defaults.

    Where texts and effects lie, fonts and disk space differ from booth to booth, how many people are wanted may be amended, and how
    clips are dealt stays as it began: none of these is compared, but a study that began does not go back to an older way.
    """
    from pydantic import ValidationError

    aside = {"texts", "font", "disk_gb", "target", "groups", "design", "effects"}
    tables = {"tasks", "preference", "ratings", "affect", "questionnaires"}
    try:
        then, now = stored_config(old), stored_config(new)
    except ValidationError:
        return old.get("experiment") == new.get("experiment")
    if now.design != then.design and now.design == "0.1":
        return False

    def meant(config: ExperimentConfig) -> dict[str, Any]:
        asked = [task.model_dump() for task in config.model_copy(update={"design": then.design}).sequence()]
        groups = [g.model_dump(exclude={"quota"}) for g in config.groups]
        return config.model_dump(exclude=aside | tables) | {"tasks": asked, "groups": groups}

    return meant(then) == meant(now)
