"""The experimenter's dialog before a session (PsychoPy's, in Qt): participant code, language, group, station."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiment.errors import ExperimentError


@dataclass(frozen=True)
class Launch:
    """What was entered; `resume` goes on with the code's unfinished session, `group` is None where the balance chooses.

    `language` is None where it was left to the group.
    """

    code: str
    language: str | None
    station: str
    resume: bool
    group: str | None = None


def ask(
    title: str, languages: Sequence[str], station: str, unfinished: Sequence[str], groups: Sequence[str] = ()
) -> Launch | None:
    """Show the dialog; None where it was cancelled.

    Parameters
    ----------
    unfinished : sequence of str
        Codes whose session can go on; they are offered.
    groups : sequence of str
        Groups of the study: one is chosen, or the emptiest is left to be; and the language may be the group's own.

    Raises
    ------
    ExperimentError
        If there is no display for it.
    """
    try:
        from psychopy import gui

        dialog = gui.Dlg(title=title, alwaysOnTop=True)
    except Exception as error:  # Qt's plugins fail in their own ways
        raise ExperimentError(
            f"no dialog can be opened ({type(error).__name__}); use 'tastelab experiment run'"
        ) from None
    new, emptiest, own = "a new session", "the emptiest", "the group's"
    dialog.addField("code", label="Participant code", tip="Letters, digits, - _ . ; no name")
    spoken = [own, *languages] if groups else list(languages)
    dialog.addField("language", initial=spoken[0], choices=spoken, label="Language")
    if groups:
        dialog.addField("group", initial=emptiest, choices=[emptiest, *groups], label="Group")
    dialog.addField("station", initial=station, label="Station")
    dialog.addField("resume", initial=new, choices=[new, *unfinished], label="Go on with")
    given = dialog.show()
    if not dialog.OK or given is None:
        return None
    resume = str(given["resume"])
    code, station = str(given["code"]).strip(), str(given["station"]).strip()
    language = None if given["language"] == own else str(given["language"])
    group = None if given.get("group", emptiest) == emptiest else str(given["group"])
    if resume != new:
        if code not in ("", resume):
            raise ExperimentError(f"give either a new code or an unfinished session, not both ({code} and {resume})")
        if group is not None:
            raise ExperimentError(f"the session of {resume} goes on in its own group; leave the group as it is")
        return Launch(resume, language, station, True)
    if not code:
        raise ExperimentError("no participant code was given; nothing was started")
    return Launch(code, language, station, False, group)
