"""The experimenter's dialog before a session (PsychoPy's, in Qt): participant code, language, station."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiment.errors import ExperimentError


@dataclass(frozen=True)
class Launch:
    """What was entered; `resume` goes on with the code's unfinished session."""

    code: str
    language: str
    station: str
    resume: bool


def ask(title: str, languages: Sequence[str], station: str, unfinished: Sequence[str]) -> Launch | None:
    """Show the dialog; None where it was cancelled.

    Parameters
    ----------
    unfinished : sequence of str
        Codes whose session can go on; they are offered.

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
    new = "a new session"
    dialog.addField("code", label="Participant code", tip="Letters, digits, - _ . ; no name")
    dialog.addField("language", initial=languages[0], choices=list(languages), label="Language")
    dialog.addField("station", initial=station, label="Station")
    dialog.addField("resume", initial=new, choices=[new, *unfinished], label="Go on with")
    given = dialog.show()
    if not dialog.OK or given is None:
        return None
    resume = str(given["resume"])
    code = str(given["code"]).strip()
    if resume != new:
        if code not in ("", resume):
            raise ExperimentError(f"give either a new code or an unfinished session, not both ({code} and {resume})")
        return Launch(resume, str(given["language"]), str(given["station"]).strip(), True)
    if not code:
        raise ExperimentError("no participant code was given; nothing was started")
    return Launch(code, str(given["language"]), str(given["station"]).strip(), False)
