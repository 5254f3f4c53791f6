"""The experimenter's dialog before a session (PsychoPy's, in Qt): participant code, language, group, station."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiment.errors import ExperimentError
from experiment.lab.station import check_display

NEW, EMPTIEST, OWN, USUAL = "a new session", "the emptiest", "the group's", "the station's"


@dataclass(frozen=True)
class Launch:
    """What was entered; `resume` goes on with the code's unfinished session, `group` is None where the balance chooses.

    `language` is None where it was left to the group, `display` and `sound` where they are the station's.
    """

    code: str
    language: str | None
    station: str
    resume: bool
    group: str | None = None
    display: str | None = None
    sound: str | None = None


def ask(
    title: str,
    languages: Sequence[str],
    station: str,
    unfinished: Sequence[str],
    groups: Sequence[str] = (),
    refused: Callable[[Launch], str | None] = lambda _: None,
    devices: Callable[[], tuple[Sequence[str], Sequence[str]]] = lambda: ((), ()),
) -> Launch | None:
    """Show the dialog until what is entered can be begun; None where it was cancelled.

    Parameters
    ----------
    unfinished : sequence of str
        Codes whose session can go on; they are offered.
    groups : sequence of str
        Groups of the study: one is chosen, or the emptiest is left to be; and the language may be the group's own.
    refused : callable
        Why a session can't be begun so, or None. The reason stands in the dialog, which comes again with what was entered.
    devices : callable
        Screens and sound cards of this computer; where there are several, one is chosen, or left as the station has it.

    Raises
    ------
    ExperimentError
        If there is no display for it.
    """
    entered: dict[str, str] = {"station": station}
    reason: str | None = None
    while True:
        given = _shown(title, languages, unfinished, groups, entered, reason, devices)
        if given is None:
            return None
        entered = {key: str(value).strip() for key, value in given.items()}
        try:
            launch = _read(entered)
            reason = refused(launch)
        except ExperimentError as error:
            reason = str(error)
        if reason is None:
            return launch


def _shown(
    title: str,
    languages: Sequence[str],
    unfinished: Sequence[str],
    groups: Sequence[str],
    entered: dict[str, str],
    reason: str | None,
    devices: Callable[[], tuple[Sequence[str], Sequence[str]]],
) -> dict[str, str] | None:
    """Show it once, filled in as before."""
    display = check_display()
    if display.state != "ok":  # without one Qt does not say so: it ends the process
        raise ExperimentError(f"no dialog can be opened: {display.found}; {display.mend}")
    try:
        from psychopy import gui

        dialog = gui.Dlg(title=title, alwaysOnTop=True)
    except Exception as error:  # Qt's plugins fail in their own ways
        raise ExperimentError(
            f"no dialog can be opened ({type(error).__name__}); use 'tastelab experiment run'"
        ) from None
    if reason is not None:
        dialog.addText(reason, color="#A32A2A")
    spoken = [OWN, *languages] if groups else list(languages)
    dialog.addField(
        "code", initial=entered.get("code", ""), label="Participant code", tip="Letters, digits, - _ . ; no name"
    )
    dialog.addField("language", initial=entered.get("language", spoken[0]), choices=spoken, label="Language")
    if groups:
        dialog.addField("group", initial=entered.get("group", EMPTIEST), choices=[EMPTIEST, *groups], label="Group")
    dialog.addField("station", initial=entered["station"], label="Station")
    displays, sounds = devices()
    for key, label, there in (("display", "Screen", displays), ("sound", "Sound card", sounds)):
        if len(there) > 1:
            dialog.addField(key, initial=entered.get(key, USUAL), choices=[USUAL, *there], label=label)
    dialog.addField("resume", initial=entered.get("resume", NEW), choices=[NEW, *unfinished], label="Go on with")
    given = dialog.show()
    return dict(given) if dialog.OK and given is not None else None


def _read(entered: dict[str, str]) -> Launch:
    """What was meant.

    Raises
    ------
    ExperimentError
        If it contradicts itself, or lacks a code.
    """
    code, station, resume = entered["code"], entered["station"], entered["resume"]
    language = None if entered["language"] == OWN else entered["language"]
    group = None if entered.get("group", EMPTIEST) == EMPTIEST else entered["group"]
    display, sound = (None if (x := entered.get(key, USUAL)) == USUAL else x for key in ("display", "sound"))
    if resume != NEW:
        if code not in ("", resume):
            raise ExperimentError(f"give either a new code or an unfinished session, not both ({code} and {resume})")
        if group is not None:
            raise ExperimentError(f"the session of {resume} goes on in its own group; leave the group as it is")
        return Launch(resume, language, station, True, None, display, sound)
    if not code:
        raise ExperimentError("give a participant code, or choose an unfinished session")
    return Launch(code, language, station, False, group, display, sound)
