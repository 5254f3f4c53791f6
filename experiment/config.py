"""The `[experiment]` table of a study file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from experiment.consent import ConsentConfig
from experiment.entrance import WebConfig
from experiment.signals import TriggerConfig
from experiment.stations import LevelConfig, Seat
from experiment.tasks.after import Felt
from experiment.tasks.attention import AttentionConfig, scaled
from experiment.tasks.identification import IdentificationTask
from experiment.tasks.own import QuestionsTask
from experiment.tasks.pages import Notice, PageTask
from experiment.tasks.preference import PreferenceConfig, PreferenceTask
from experiment.tasks.questionnaire import Questionnaire, QuestionnaireTask
from experiment.tasks.ratings import RatingsConfig, RatingsTask
from experiment.tasks.task import DEMOGRAPHICS, RESERVED, Language, Personal, Task, twice
from models.conditions import EARLIER, EARLIER_PAIRS

SEED = 2**63 - 1  # the largest that databases and generators keep
TAKEN = (*RESERVED, "preference", "ratings")  # blocks of version 0.1

AnyTask = Annotated[
    PreferenceTask | RatingsTask | IdentificationTask | QuestionnaireTask | QuestionsTask | PageTask,
    Field(discriminator="kind"),
]
Name = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[a-z][a-z0-9_-]*$")]
T = TypeVar("T", bound=Task)


class ImportConfig(BaseModel):
    """How a survey CSV is read.

    Attributes
    ----------
    items : list of str
        Of a wide file: the adjectives that the column suffixes _1, _2 ... stand for.
    labels : dict
        What else the seed survey's file calls the models, e.g. ``{ "b" = "base", "tasty musicgen" = "finetuned" }``.
    language : str or None
        In which the survey was asked.
    other : list of str
        Of a wide file: questions whose columns end as a track's do and that are no tracks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: list[str] = Field(default=[], min_length=1)
    labels: dict[str, str] = {}
    language: Language | None = None
    other: list[str] = []

    @model_validator(mode="after")
    def _something(self) -> ImportConfig:
        if not (self.items or self.labels or self.language):
            raise ValueError("psytoolkit needs items, labels or language")
        if set(self.labels.values()) - set(EARLIER):
            raise ValueError(f"psytoolkit.labels say which of {', '.join(EARLIER)} a label of the survey means")
        return self


class Group(BaseModel):
    """People of a study who are asked otherwise than others.

    Attributes
    ----------
    conditions : list of str or None
        Whose clips they hear; None: all.
    tasks : list of str or None
        Names of the tasks that they do; None: all.
    language : str or None
        The language of their screens, unless another is asked for.
    quota : int or None
        How many complete sessions are wanted; who comes without being sent to a group goes where the smallest share of it
        is filled.
    name : str
        What stands in the data.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    conditions: list[str] | None = Field(default=None, min_length=1)
    tasks: list[str] | None = Field(default=None, min_length=1)
    language: Language | None = None
    quota: int | None = Field(default=None, ge=1)


class ExperimentConfig(BaseModel):
    """Sessions of a study.

    Attributes
    ----------
    tasks : list
        What is done in a session, in this order; or, as in version 0.1, `preference`, `ratings`, `affect` and
        `questionnaires`: questionnaires first, then comparisons, then ratings.
    shuffle : bool
        Tasks in which clips are heard change places from person to person, in every order equally often.
    target : int or None
        How many complete sessions are wanted; then the study is full.
    groups : list
        Groups of people; without any all are alike.
    design : {"0.2", "0.1"}
        How clips are dealt to people. Studies that began under version 0.1 keep its design.
    demographics : list of str
        Which of the questions that ship about a person are asked, in this order; others are tasks of kind ``questions``.
    consent : ConsentConfig
        What stands under the text of the consent.
    debrief : Notice or None
        What is told when all is answered, e.g. what the study was about.
    completion : Notice or None
        The last page, in place of the one that ships.
    logo : path or None
        A PNG or JPEG over the consent and other pages of text.
    taste_words : dict
        How each taste is shown to people, per language.
    replays : int
        How often a clip may be heard again.
    resume_hours : float
        How long after its last answer an interrupted session may go on; later its place in the design is given away.
    headphones : {"off", "huggins", "huggins_inverted", "antiphase", "both"}
        Headphone screening; where `headphones_required`, a session ends kindly when it is not passed. ``huggins_inverted`` has the
        sound as Milne et al. (2021) published it; ``both`` is ``huggins``, then ``antiphase``.
    sides : bool
        Whether it is asked six times from which side a sound comes, before the headphone tests and scored as they are.
    affect : list
        Asked after each rated clip on 1 to 9: valence, arousal, familiarity.
    texts : path or None
        Folder with TOML files of further languages (``ja.toml``), or of the study's own wording.
    font : str or None
        A font of this computer for languages that Noto Sans has no letters for.
    back : bool
        Whether a person may go back to the answer before, among those about one clip (or about oneself); both answers are kept.
    dead_time : float
        Seconds after a screen's first frame in which no press and no key answers: what comes so soon was meant for the one before.
    text_size : float
        How much larger than usual letters are set, where there is room.
    stations : dict
        By a station's name its screen, sound card and seat, so that `doctor` says what is too small to be read.
    disk_gb : float
        Free space that `doctor` wants to see.
    effects : path or None
        What simulated people are told about this study's music; None: what is shipped for the default study.
    triggers : TriggerConfig or None
        What other devices (EEG, eye trackers) are told of a session's events.
    languages : list of str
        In which sessions may be held; the first is usual.
    preference : PreferenceConfig or None
        Version 0.1's way to declare a comparison of ``finetuned`` with ``base``.
    ratings : RatingsConfig or None
        Version 0.1's way to declare ratings.
    questionnaires : list of Questionnaire
        Version 0.1's way to declare questionnaires, which come first.
    minimum_age : int
        In years; whoever is younger is told so kindly, and nothing else is kept.
    sound_check : bool
        Whether three tones are played (left, right, both) before the first clip.
    psytoolkit : ImportConfig or None
        How a survey file is read.
    seed : int
        Of who hears what.
    level : LevelConfig
        How loud it is.
    headphones_required : bool
        Whether who does not pass the screening may go on.
    attention : AttentionConfig
        Questions with one right answer, tones to count, answers that are marked as too fast.
    practice : bool
        Whether a comparison is practised first, on a taste that the study does not have.
    pause : bool
        Whether there is a break between the parts in which music is heard.
    web : WebConfig
        Who may take part at a link, and where people go from there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    languages: list[Language] = Field(default=["en"], min_length=1)
    tasks: list[AnyTask] = []
    shuffle: bool = False
    preference: PreferenceConfig | None = None
    ratings: RatingsConfig | None = None
    demographics: list[Personal] = list(DEMOGRAPHICS)
    consent: ConsentConfig = ConsentConfig()
    debrief: Notice | None = None
    completion: Notice | None = None
    logo: Path | None = None
    taste_words: dict[Language, dict[str, str]] = {}
    replays: int = Field(default=2, ge=0)
    minimum_age: int = Field(default=18, ge=0, le=110)
    resume_hours: float = Field(default=24.0, gt=0, le=24 * 366)
    sound_check: bool = True
    psytoolkit: ImportConfig | None = None
    seed: int = Field(default=0, ge=0, le=SEED)
    level: LevelConfig = LevelConfig()
    headphones: Literal["off", "huggins", "huggins_inverted", "antiphase", "both"] = "off"
    sides: bool = False
    headphones_required: bool = False
    attention: AttentionConfig = AttentionConfig()
    practice: bool = True
    pause: bool = True
    affect: list[Felt] = []
    questionnaires: list[Questionnaire] = []
    font: str | None = None
    texts: Path | None = None
    back: bool = True
    dead_time: float = Field(default=0.3, ge=0.1, le=2.0)
    text_size: float = Field(default=1.0, ge=1.0, le=2.0)
    stations: dict[str, Seat] = {}
    disk_gb: float = Field(default=2.0, ge=0)
    effects: Path | None = None
    triggers: TriggerConfig | None = None
    web: WebConfig = WebConfig()
    target: int | None = Field(default=None, ge=1)
    groups: list[Group] = []
    design: Literal["0.2", "0.1"] = "0.2"

    @model_validator(mode="after")
    def _something_to_do(self) -> ExperimentConfig:
        if self.tasks and (self.preference or self.ratings or self.affect or self.questionnaires):
            raise ValueError(
                "[[experiment.tasks]] stand beside preference, ratings, affect or questionnaires; declare them as tasks"
            )
        if not any(task.heard for task in self.sequence()):
            raise ValueError(
                "a session needs [experiment.preference] or [experiment.ratings], "
                "or one of the [[experiment.tasks]] in which clips are heard"
            )
        for names in (self.languages, self.affect, self.demographics):
            if twice(names):
                raise ValueError(f"named twice: {twice(names)}")
        if "age" not in self.demographics and self.minimum_age > 0:
            raise ValueError(
                f"demographics leave out the age, and minimum_age = {self.minimum_age}: nobody would be held to it; ask the "
                "age, or set minimum_age = 0 and see to it otherwise"
            )
        preference, ratings = self.task(PreferenceTask), self.task(RatingsTask)
        if preference and preference.replicate and ratings and ratings.clips > 3:
            raise ValueError("replicate = true rates the clips after trials 1, 3 and 4: ratings.clips can be 3 at most")
        if preference and preference.replicate and self.task(IdentificationTask):
            raise ValueError("replicate = true is the paper's design, which has no identification")
        if self.psytoolkit is not None:
            known = {a.name for a in ratings.adjectives} if ratings else set()
            strange = [i for i in self.psytoolkit.items if i not in known]
            if strange or twice(self.psytoolkit.items):
                wrong = strange[0] if strange else twice(self.psytoolkit.items)
                raise ValueError(f"psytoolkit.items: {wrong!r} is not one of the adjectives, or stands there twice")
        if self.attention.questions and scaled(self.sequence()) is None:
            raise ValueError(
                "attention.questions are asked on the scale of ratings or comparisons, and there is neither"
            )
        if self.consent.music == "debriefed" and self.debrief is None:
            raise ValueError("consent.music = 'debriefed', and there is no [experiment.debrief] that tells it")
        for language in self.languages:
            unsaid = self.consent.lacking(language)
            if unsaid:
                raise ValueError(f"consent.{unsaid} has no words in {language!r}")
            for task in self.sequence():
                lacking = task.lacking(language)
                if lacking:
                    raise ValueError(lacking)
            for name, notice in (("debrief", self.debrief), ("completion", self.completion)):
                if notice is not None and notice.lacking(language):
                    raise ValueError(f"{name} has no title or text in {language!r}")
        self._names()
        self._groups()
        if self.design == "0.1" and (self.tasks or self.groups or self.target or self.shuffle):
            raise ValueError("design = '0.1' deals the clips of [experiment.preference] and [experiment.ratings] alone")
        return self

    def _names(self) -> None:
        """Refuse tasks that can't be told apart in the data."""
        names = [q.name for q in self.questionnaires]
        if len(set(names)) < len(names) or set(names) & set(TAKEN):
            raise ValueError("questionnaires need names of their own")
        blocks = [task.block for task in self.tasks]
        if twice(blocks):
            raise ValueError(f"tasks are named twice: {twice(blocks)}; give each a name of its own")
        if set(blocks) & set(RESERVED):
            raise ValueError(f"a task can't be named {min(set(blocks) & set(RESERVED))!r}; every session has that part")
        items = [item.name for task in self.tasks if isinstance(task, QuestionsTask) for item in task.items]
        if twice(items):
            raise ValueError(f"questions are named twice: {twice(items)}")
        for task in self.tasks:
            if task.block in TAKEN and task.block != task.kind:
                raise ValueError(f"a task of kind {task.kind!r} can't be named {task.block!r}, after another kind")

    def _groups(self) -> None:
        """Refuse groups that have nothing to do, or whose tasks or language there are not."""
        if twice(g.name for g in self.groups):
            raise ValueError(f"groups are named twice: {twice(g.name for g in self.groups)}")
        blocks = [task.block for task in self.sequence()]
        for group in self.groups:
            for name in group.tasks or []:
                if name not in blocks:
                    raise ValueError(f"group {group.name!r}: there is no task {name!r}; there are: {', '.join(blocks)}")
            if group.language is not None and group.language not in self.languages:
                raise ValueError(
                    f"group {group.name!r}: language {group.language!r} is not among the study's languages"
                )
            if not any(task.heard for task in self.sequence(group.name)):
                raise ValueError(f"group {group.name!r} hears no clips: none of its tasks has any")

    def group(self, name: str | None) -> Group | None:
        """A group by its name; None where there are no groups.

        Raises
        ------
        KeyError
            If there is none of this name.
        """
        if name is None:
            return None
        return {g.name: g for g in self.groups}[name]

    def sequence(self, group: str | None = None) -> list[Task]:
        """What a session (of a group) consists of, in order, however it was declared."""
        tasks: list[Task] = list(self.tasks) or self._first_tasks()
        if any(isinstance(t, PreferenceTask) and t.replicate for t in tasks) and self.design != "0.1":
            as_there = {"shuffled": False, "one_page": True}
            tasks = [t.model_copy(update=as_there) if isinstance(t, RatingsTask) else t for t in tasks]
        wanted = self.group(group)
        if wanted is not None and wanted.tasks is not None:
            tasks = [t for t in tasks if t.block in wanted.tasks]
        return tasks

    def _first_tasks(self) -> list[Task]:
        """The tables of version 0.1 as tasks."""
        tasks: list[Task] = [QuestionnaireTask.model_validate(q.model_dump()) for q in self.questionnaires]
        if self.preference:
            tasks.append(PreferenceTask(pairs=EARLIER_PAIRS, **self.preference.model_dump()))
        if self.ratings:
            said: dict[str, Any] = self.ratings.model_dump()
            conditions = said.pop("models")
            tasks.append(RatingsTask.model_validate({**said, "conditions": conditions, "after": self.affect}))
        return tasks

    def task(self, kind: type[T]) -> T | None:
        """The first task of a kind, or None."""
        return next((t for t in self.sequence() if isinstance(t, kind)), None)

    def named(self, block: str) -> Task:
        """The task whose trials stand in a block.

        Raises
        ------
        KeyError
            If there is none.
        """
        return {t.block: t for t in self.sequence()}[block]


def stored_config(definition: dict[str, Any]) -> ExperimentConfig:
    """The sessions that a database's definition of a study declares; what version 0.1 stored has its design.

    Raises
    ------
    pydantic.ValidationError
        If it declares none that can be read.
    """
    return ExperimentConfig.model_validate({"design": "0.1"} | (definition.get("experiment") or {}))
