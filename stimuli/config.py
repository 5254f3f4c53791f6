"""The `[stimuli]` table of a study file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from models.conditions import GIVEN
from models.tempo import tempo_class
from stimuli.candidates import SCALES, Aspect, asked


class TasteConfig(BaseModel):
    """One taste and what its prompt asks for.

    Attributes
    ----------
    bpm : int
        Quarter notes per minute.
    prompt : str
        The whole prompt, where the fields do not say enough; replaces them.
    name : str
        What stands in the data and in prompts; people read the words of ``[experiment.taste_words]``.
    pitch : str
        Register, e.g. ``high-pitched``.
    character : str
        How it is to sound, e.g. ``flowing, warm``.
    articulation : str
        E.g. ``legato, soft``.
    harmony : str
        E.g. ``consonant harmony``.
    instruments : list of str
        Named at the end of the prompt.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=40, pattern=r"^[a-z][a-z_]*$")
    pitch: str = ""
    character: str = ""
    bpm: int | None = Field(default=None, ge=20, le=300)
    articulation: str = ""
    harmony: str = ""
    instruments: list[str] = []
    prompt: str | None = None


class StimuliConfig(BaseModel):
    """What clips a study has of each condition, and how they are delivered.

    Attributes
    ----------
    source, folder
        Of version 0.1: ``source = "given"`` declares one condition, the tracks of `folder` (`models.conditions`).
    seconds : float
        Length of a clip.
    loudness : float
        Integrated loudness in LUFS (ITU-R BS.1770-4).
    peak : float
        Highest true peak in dBTP.
    rate : int
        Sampling rate of the delivered files in Hz; they are stereo.
    fade : float
        Length of the fades at both ends, seconds.
    tastes : list of TasteConfig
        The tastes, in the order of figures.
    setting : str
        What the music is for; stands in every prompt after the taste's words.
    clips_per_taste : int
        Clips of each taste and condition; the seed paper has 25.
    candidates : int
        How often a clip is drawn whose prompt (without `setting`) asks for something in `chosen_by`; the drawing that has most of it
        is kept, and the manifest says what the others had. The time is that many times as long.
    chosen_by : list of str
        What is measured in the drawings: `mode` (the prompt says major or minor), `brightness` (bright, brilliant; dark,
        muffled), `register` (high- or low-pitched, register, notes), `articulation` (staccato; legato), `harmony`
        (dissonant; consonant).
    seed : int
        Of all clips: another one makes other clips.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["generated", "given"] = "generated"
    folder: Path | None = None
    tastes: list[TasteConfig] = Field(min_length=1)
    setting: str = "background music for a fine restaurant"
    clips_per_taste: int = Field(default=5, ge=1, le=1000)
    candidates: int = Field(default=1, ge=1, le=16)
    chosen_by: list[Aspect] = Field(default=["mode"], min_length=1)
    seconds: float = Field(default=15.0, ge=1, le=120)
    loudness: float = Field(default=-23.0, ge=-60, le=-10)
    peak: float = Field(default=-1.0, ge=-20, le=0)
    rate: int = Field(default=48000, ge=8000, le=192000)
    fade: float = Field(default=0.02, ge=0, le=5)
    seed: int = Field(default=0, ge=0, le=9_000_000_000_000)  # a clip's own seed is a million times as large

    @field_validator("tastes")
    @classmethod
    def _distinct(cls, tastes: list[TasteConfig]) -> list[TasteConfig]:
        names = [t.name for t in tastes]
        if len(set(names)) != len(names):
            raise ValueError(f"tastes are named twice: {', '.join(sorted({n for n in names if names.count(n) > 1}))}")
        return tastes

    @model_validator(mode="after")
    def _can_be_made(self) -> StimuliConfig:
        if 2 * self.fade > self.seconds:
            raise ValueError(f"two fades of {self.fade:g} s do not fit into clips of {self.seconds:g} s")
        if self.source == GIVEN and self.folder is None:
            raise ValueError("source = 'given' needs folder = 'PATH' with the audio files")
        return self

    @model_validator(mode="after")
    def _can_be_chosen(self) -> StimuliConfig:
        if self.candidates == 1:
            if self.chosen_by != ["mode"]:
                raise ValueError(
                    "chosen_by says by what one of several candidates is chosen, and there is one; add candidates = 4"
                )
            return self
        if self.source == GIVEN:
            raise ValueError(f"candidates = {self.candidates}: tracks are not drawn; leave it out")
        if len(set(self.chosen_by)) < len(self.chosen_by):
            raise ValueError(f"chosen_by names one thing twice: {', '.join(self.chosen_by)}")
        for aspect in self.chosen_by:
            if not any(SCALES[aspect].feature in self.asks(t) for t in self.tastes):
                words = ", ".join((*SCALES[aspect].much, *SCALES[aspect].little))
                raise ValueError(
                    f"candidates = {self.candidates} are to be chosen by {aspect}, and no prompt has a word of it ({words}), or each has both "
                    "ends; say it in a prompt, or leave it out"
                )
        return self

    def asks(self, taste: TasteConfig) -> dict[str, int]:
        """By what candidates for a taste's prompt are chosen: 1 for much and -1 for little of a feature; nothing where there are none.

        What the music is for asks for nothing: a dark chocolate tasting wants no dark music.
        """
        return asked(render_prompt(taste, ""), self.chosen_by) if self.candidates > 1 else {}

    def taste(self, name: str) -> TasteConfig:
        """Return the taste of that name."""
        return next(t for t in self.tastes if t.name == name)


def render_prompt(taste: TasteConfig, setting: str) -> str:
    """Render a taste's fields to the text that MusicGen reads."""
    if taste.prompt:
        return taste.prompt
    lead = f"{taste.name}, {taste.character}" if taste.character else taste.name
    fields = []
    if taste.bpm:
        fields.append(f"{tempo_class(taste.bpm)} tempo, {taste.bpm} BPM")
    fields += [f for f in (taste.pitch, taste.articulation, taste.harmony) if f]
    if taste.instruments:
        *others, last = taste.instruments
        fields.append("with " + (f"{', '.join(others)} and {last}" if others else last))
    text = f"{lead} {setting}" + (": " + ", ".join(fields) if fields else "") + "."
    return text[0].upper() + text[1:]


def asked_words(config: StimuliConfig) -> dict[str, dict[str, list[str]]]:
    """What each taste's prompt asks for, as words that a caption may use: taste -> attribute -> words.

    Fields alone are read; a prompt of the study's own words (`TasteConfig.prompt`) is not understood.
    """
    asked = {}
    for taste in config.tastes:
        words: dict[str, list[str]] = {}
        if taste.bpm:
            words["tempo"] = [tempo_class(taste.bpm)]
        register = next((r for r in ("high", "mid", "low") if taste.pitch.startswith(r)), None)
        if register:
            words["register"] = [register]
        articulation = next((a for a in ("legato", "staccato") if a in taste.articulation), None)
        if articulation:
            words["articulation"] = [articulation]
        if taste.instruments:
            words["instrument"] = list(taste.instruments)
        asked[taste.name] = words
    return asked
