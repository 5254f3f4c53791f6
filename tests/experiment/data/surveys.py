"""Rows of survey files as PsyToolkit wrote them, and what each says, worked out from the survey's description alone.

The seed study's survey: five times two clips of one taste, the fine-tuned model's and the base model's, of which the left one
is named; a slider from left (0) to right (10). Clip numbers go round 25: `random_number_1_1` and on. Then three clips of the
fine-tuned model, of the tastes of the first, third and fourth of the five, numbered by the random numbers 4, 5 and 1, with
twelve ratings each in the order in which the study's description names the adjectives.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

TASTES = ("sweet", "sour", "salty", "bitter")
ADJECTIVES = (
    "salty", "sweet", "bitter", "sour", "happy", "sad", "anger", "disgust", "fear", "surprise", "hot", "cold"
)  # fmt: skip
# Column, code, what the code means.
ANSWERS = {
    "sex": ("anagrafica_1", {"1": "male", "2": "female", "3": "other", "4": "not_said"}),
    "hearing_experience": ("hearing_experience_1", {"1": "professional", "2": "amateur", "3": "none"}),
    "eating_experience": ("eating_experience_1", {"1": "professional", "2": "amateur", "3": "none"}),
    "hearing_impairments": ("hearing_impairments_1", {"1": "yes", "2": "no"}),
    "taste_impairments": ("taste_impairments_1", {"1": "yes", "2": "no"}),
    "device": ("device_1", {"1": "headphones", "2": "speakers", "3": "hifi", "4": "other"}),
}
Stored = tuple[
    str, str | None, str | None, str | None, str, float | None, str | None
]  # block, taste, clips, item, answer


@dataclass
class Seen:
    """One person's way through the survey."""

    start: int = 24
    fourth: int = 3
    fifth: int = 4
    tastes: list[str] = field(default_factory=lambda: ["bitter", "salty", "sour", "sweet", "bitter"])
    tuned_left: list[bool] = field(default_factory=lambda: [True, False, True, False, True])
    slider: list[int] = field(default_factory=lambda: [0, 2, 4, 6, 8])
    ratings: list[list[int | None]] = field(
        default_factory=lambda: [[1 + (i + j) % 5 for i in range(1, 13)] for j in range(1, 4)]
    )
    age: int = 33
    codes: dict[str, str] = field(
        default_factory=lambda: {"sex": "2", "hearing_experience": "1", "eating_experience": "3"}
    )

    def row(self, name: str) -> dict[str, str]:
        """The survey's wide row."""
        out = {
            "participant": name,
            "random_number_1_1": str(self.start),
            "random_number_4_1": str(self.fourth),
            "random_number_5_1": str(self.fifth),
        }
        for k in range(5):
            out[f"random_taste_label_{k + 1}_1"] = self.tastes[k]
            out[f"rng_model_label_{k + 1}_1"] = "finetuned" if self.tuned_left[k] else "base"
            out[f"task1_{k + 1}_1"] = str(self.slider[k])
        for j, given in enumerate(self.ratings, start=1):
            for i, value in enumerate(given, start=1):
                out[f"task_2_{j}_{i}"] = "" if value is None else str(value)
        for item, (column, _) in ANSWERS.items():
            out[column] = self.codes.get(item, "")
        return out | {"age_1": str(self.age)}

    def pairs(self) -> list[tuple[str, str, str, bool, int]]:
        """Taste, the base model's clip, the fine-tuned model's, whether that one was left, and the slider."""
        out = []
        for k, (taste, left, value) in enumerate(zip(self.tastes, self.tuned_left, self.slider, strict=True)):
            number = (self.start + k) % 25
            out.append((taste, f"{taste}-base-{number:03d}", f"{taste}-finetuned-{number:03d}", left, value))
        return out

    def rated(self) -> list[tuple[str, str, dict[str, int]]]:
        """Taste, clip and ratings by adjective of each clip that has any."""
        out = []
        drawn = [(self.tastes[0], self.fourth), (self.tastes[2], self.fifth), (self.tastes[3], self.start)]
        for (taste, number), given in zip(drawn, self.ratings, strict=True):
            values = {a: v for a, v in zip(ADJECTIVES, given, strict=True) if v is not None}
            if values:
                out.append((taste, f"{taste}-finetuned-{number % 25:03d}", values))
        return out

    def stored(self) -> list[Stored]:
        """Every answer as it is to lie in the database, in the order of the session."""
        out: list[Stored] = []
        meant = {item: meanings[self.codes[item]] for item, (_, meanings) in ANSWERS.items() if item in self.codes}
        order = (
            "sex",
            "age",
            "hearing_experience",
            "eating_experience",
            "hearing_impairments",
            "taste_impairments",
            "device",
        )
        for item in order:
            if item == "age":
                out.append(("demographics", None, None, None, "age", float(self.age), None))
            elif item in meant:
                out.append(("demographics", None, None, None, item, None, meant[item]))
        for taste, base, tuned, left, value in self.pairs():
            first, second = (tuned, base) if left else (base, tuned)
            out.append(("preference", taste, first, second, "preference", float(value), None))
        for taste, clip, values in self.rated():
            out += [("ratings", taste, clip, None, item, float(v), None) for item, v in values.items()]
        return out


@st.composite
def seen(draw: st.DrawFn) -> Seen:
    """People of the survey, each with everything answered but some ratings and some questions about oneself."""
    number = st.integers(0, 10_000)
    rating = st.one_of(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.none())
    return Seen(
        draw(number),
        draw(number),
        draw(number),
        draw(st.lists(st.sampled_from(TASTES), min_size=5, max_size=5)),
        draw(st.lists(st.booleans(), min_size=5, max_size=5)),
        draw(st.lists(st.integers(0, 10), min_size=5, max_size=5)),
        draw(st.lists(st.lists(rating, min_size=12, max_size=12), min_size=3, max_size=3)),
        draw(st.integers(18, 110)),
        {item: draw(st.sampled_from(sorted(meant))) for item, (_, meant) in ANSWERS.items() if draw(st.booleans())},
    )
