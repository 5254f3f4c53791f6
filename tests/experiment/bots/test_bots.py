"""Simulated participants do what their effects declare: means, directions, carelessness, shares, seeds."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from experiment.bots.bots import Bot, latent_mean
from experiment.bots.effects import Effects, IdentificationEffects, load_effects
from experiment.config import ExperimentConfig
from experiment.data.tables import Stimulus, Trial
from experiment.headphones import trials as headphone_trials
from experiment.items import question
from experiment.question import Question
from experiment.tasks.ratings import RatingsTask

# Answers of the seed study's 111 people (arXiv 2503.02823, data published with it), counted from its table.
PEOPLE = {
    "sex": {"male": 61, "female": 46, "other": 2, "not_said": 2},
    "hearing_experience": {"professional": 38, "amateur": 43, "none": 30},
    "eating_experience": {"professional": 1, "amateur": 44, "none": 66},
    "hearing_impairments": {"yes": 4, "no": 107},
    "taste_impairments": {"yes": 3, "no": 108},
    "device": {"headphones": 60, "speakers": 40, "hifi": 5, "other": 6},
}
SLIDER = Question("preference", "slider", "?", low=0, high=10, labels=("first", "second"))


def effects(**more: Any) -> Effects:
    preference = {"mean": {"sweet": 7.0, "salty": 3.0}, "participant_sd": 0, "clip_sd": 0, "residual_sd": 0.5}
    ratings = {"mean": {"sweet": {"hot": 4.0, "cold": 1.5}}, "participant_sd": 0, "clip_sd": 0, "spread": 1.0}
    return Effects.model_validate(
        {
            "name": "e",
            "preference": preference | more.get("preference", {}),
            "ratings": ratings | more.get("ratings", {}),
        }
    )


def compared(taste: str, first: str, n: int = 1) -> Trial:
    second = "finetuned" if first == "base" else "base"
    trial = Trial(id=n, block="preference", taste=taste)
    trial.first = Stimulus(id=2 * n, model=first, taste=taste, clip="a", number=0)
    trial.second = Stimulus(id=2 * n + 1, model=second, taste=taste, clip="b", number=0)
    trial.first_id, trial.second_id = 2 * n, 2 * n + 1
    return trial


def bot(config: ExperimentConfig, told: Effects, seed: int = 0, clip_seed: int = 0) -> Bot:
    return Bot(config, told, np.random.default_rng(seed), clip_seed)


def answers(config: ExperimentConfig, told: Effects, trial: Trial, n: int = 300, ask: Question = SLIDER) -> np.ndarray:
    return np.array([bot(config, told, k).ask(ask, trial, (0, 1)).value for k in range(n)])


def test_scores_are_the_fine_tuned_models_on_whichever_side_it_is(config: ExperimentConfig) -> None:
    """7 of 10 for the fine-tuned one: towards the second clip where the base one is first, else mirrored."""
    assert answers(config, effects(), compared("sweet", "base")).mean() == pytest.approx(7, abs=0.12)
    assert answers(config, effects(), compared("sweet", "finetuned")).mean() == pytest.approx(3, abs=0.12)
    assert answers(config, effects(), compared("salty", "base")).mean() == pytest.approx(3, abs=0.12)
    # A taste without a declared mean is a toss-up; on another scale its middle is another.
    assert answers(config, effects(), compared("umami", "base")).mean() == pytest.approx(5, abs=0.12)
    scale = Question("preference", "slider", "?", low=-3, high=3)
    assert answers(config, effects(), compared("umami", "finetuned"), ask=scale).mean() == pytest.approx(0, abs=0.12)


def test_answers_are_whole_numbers_of_the_scale(config: ExperimentConfig) -> None:
    wild = effects(preference={"residual_sd": 9.0})
    found = answers(config, wild, compared("sweet", "base"))
    assert set(found) == set(range(11))
    assert answers(config, effects(), compared("sweet", "base")).std() == pytest.approx(0.58, abs=0.1)  # 0.5, rounded


def test_people_and_clips_vary_as_declared(config: ExperimentConfig) -> None:
    """A person's liking is the same in all trials; a clip's effect is the same for everybody under one seed."""
    liking = effects(preference={"participant_sd": 1.5, "residual_sd": 0.01})
    one = bot(config, liking, 4)
    assert len({one.ask(SLIDER, compared("sweet", "base", n), (0, 1)).value for n in range(1, 9)}) == 1
    assert answers(config, liking, compared("sweet", "base")).std() == pytest.approx(1.5, abs=0.15)
    clip = effects(preference={"clip_sd": 1.5, "residual_sd": 0.01})
    found = [answers(config, clip, compared("sweet", "base", n), 4) for n in range(1, 60)]
    assert all(np.ptp(x) <= 1 for x in found)  # 0.01 may round to either side
    assert np.std([x[0] for x in found]) == pytest.approx(1.5, abs=0.4)
    # It belongs to the fine-tuned clip, on whichever side that one is.
    pair, turned = compared("sweet", "base", 3), compared("sweet", "finetuned", 3)
    turned.first, turned.second = pair.second, pair.first
    a, b = (bot(config, clip).ask(SLIDER, t, (0, 1)).value for t in (pair, turned))
    assert a is not None
    assert b is not None
    assert a + b == 10
    other = [bot(config, clip, 0, clip_seed=s).ask(SLIDER, pair, (0, 1)).value for s in range(12)]
    assert len(set(other)) > 2


def test_careless_people_answer_anything(config: ExperimentConfig) -> None:
    careless = effects(preference={"careless": 1.0})
    found = Counter(answers(config, careless, compared("sweet", "base"), 1100))
    assert set(found) == set(range(11))
    assert min(found.values()) > 60
    assert max(found.values()) < 145
    some = [bot(config, effects(preference={"careless": 0.25}), k).careless for k in range(1000)]
    assert np.mean(some) == pytest.approx(0.25, abs=0.05)
    assert not any(bot(config, effects(), k).careless for k in range(200))


def rated(n: int = 1, taste: str = "sweet") -> Trial:
    return Trial(id=n, block="ratings", taste=taste, first_id=n)


def test_ratings_have_the_declared_means_and_go_together(config: ExperimentConfig) -> None:
    """Means as declared; without one the clip's own taste gets 3, everything else 2."""

    def mean(told: Effects, item: str) -> float:
        asked = question(config, rated(), item, "en")
        return float(answers(config, told, rated(), 900, asked).mean())

    assert mean(effects(), "hot") == pytest.approx(4.0, abs=0.12)
    assert mean(effects(), "cold") == pytest.approx(1.5, abs=0.12)
    assert mean(effects(), "sweet") == pytest.approx(3.0, abs=0.12)
    assert mean(effects(), "sour") == pytest.approx(2.0, abs=0.12)
    together = {"items": ["hot", "cold"], "matrix": [[1, -0.8], [-0.8, 1]]}
    told = effects(ratings={"correlation": together, "mean": {"sweet": {"hot": 3.0, "cold": 3.0, "sour": 3.0}}})
    people = [bot(config, told, k) for k in range(500)]
    given = np.array(
        [
            [p.ask(question(config, rated(), i, "en"), rated(), (0, 1)).value for i in ("hot", "cold", "sour")]
            for p in people
        ]
    )
    r = np.corrcoef(given, rowvar=False)
    assert r[0, 1] == pytest.approx(-0.75, abs=0.1)
    assert abs(r[0, 2]) < 0.15
    assert given.min() == 1
    assert given.max() == 5


def test_styles_and_clips_shift_ratings(config: ExperimentConfig) -> None:
    style = effects(ratings={"participant_sd": 2.0, "spread": 0.01})
    one = bot(config, style, 2)
    sour = [one.ask(question(config, rated(n), "sour", "en"), rated(n), (0, 1)).value for n in range(1, 9)]
    assert len(set(sour)) == 1
    assert (
        len(
            {
                bot(config, style, k).ask(question(config, rated(), "sour", "en"), rated(), (0, 1)).value
                for k in range(20)
            }
        )
        > 3
    )
    clip = effects(ratings={"clip_sd": 2.0, "spread": 0.01})
    by_clip = [answers(config, clip, rated(n), 3, question(config, rated(n), "sour", "en")) for n in range(1, 20)]
    assert all(np.ptp(x) <= 1 for x in by_clip)
    assert len({x[0] for x in by_clip}) > 3
    items = {
        bot(config, clip).ask(question(config, rated(), i, "en"), rated(), (0, 1)).value
        for i in ("sour", "sad", "fear", "bitter", "anger")
    }
    assert len(items) > 1


def test_people_are_shared_out_as_in_the_seed_study(config: ExperimentConfig) -> None:
    trial = Trial(block="demographics")
    for item, counts in PEOPLE.items():
        asked = question(config, trial, item, "en")
        found = Counter(bot(config, effects(), k).ask(asked, trial, (0, 1)).choice for k in range(1110))
        assert set(found) <= set(counts)
        for key, n in counts.items():
            assert found[key] / 10 == pytest.approx(n, abs=5), (item, key)
    asked = question(config, trial, "ethnicity", "en")
    found = Counter(bot(config, effects(), k).ask(asked, trial, (0, 1)).choice for k in range(600))
    assert found["white"] / 600 == pytest.approx(90 / 111, abs=0.06)
    own = Question("x", "choice", "?", options={"a": "A", "b": "B"})
    assert Counter(bot(config, effects(), k).ask(own, trial, (0, 1)).choice for k in range(300))["a"] == pytest.approx(
        150, abs=35
    )


def test_ages_are_adults(config: ExperimentConfig) -> None:
    asked = question(config, Trial(block="demographics"), "age", "en")
    ages = answers(config, effects(), Trial(block="demographics"), 600, asked)
    assert ages.min() >= 19
    assert ages.max() <= 75
    assert ages.mean() == pytest.approx(31.7, abs=1)  # gamma(6, 2.2) + 18.5
    assert set(ages) == set(ages.round())
    older = config.model_copy(update={"minimum_age": 40})
    assert answers(older, effects(), Trial(block="demographics"), 50, asked).min() >= 40


def test_other_scales_are_answered_about_the_middle(config: ExperimentConfig) -> None:
    asked = Question("valence", "steps", "?", low=1, high=9)
    given = answers(config, effects(), Trial(block="affect"), 500, asked)
    assert given.mean() == pytest.approx(5, abs=0.3)
    assert given.std() == pytest.approx(1.6, abs=0.2)
    assert given.min() >= 1
    assert given.max() <= 9


def test_bots_hear_nothing_and_take_their_time(config: ExperimentConfig) -> None:
    who = bot(config, effects())
    assert who.consent() == (True, True)
    assert who.sound_check() is None
    assert who.adjust_level(-24) is None
    assert who.screen_headphones("huggins", headphone_trials("antiphase", np.random.default_rng(0))) is None
    assert who.listen([], []) == []
    times = [bot(config, effects(), k).ask(SLIDER, compared("sweet", "base"), (0, 1)).response_time for k in range(400)]
    assert np.median([t for t in times if t]) == pytest.approx(np.exp(0.8), abs=0.2)  # 2.2 s
    assert min(t for t in times if t) > 0.3


def test_one_seed_one_person(config: ExperimentConfig) -> None:
    def everything(seed: int) -> list[float | None]:
        who = bot(config, load_effects(), seed)
        return [who.ask(SLIDER, compared("sweet", "base", n), (0, 1)).value for n in range(1, 20)]

    assert everything(3) == everything(3)
    assert everything(3) != everything(4)


@pytest.mark.parametrize(("mean", "low", "high"), [(1.3, 1, 5), (4.4, 1, 5), (6.1, 0, 10), (3.0, 1, 7)])
def test_latent_mean_gives_the_wanted_mean(mean: float, low: int, high: int) -> None:
    z = latent_mean(mean, 1.25, low, high) + 1.25 * np.random.default_rng(0).standard_normal(200_000)
    assert float(np.clip(np.round(z), low, high).mean()) == pytest.approx(mean, abs=0.02)


# Six simulated people of version 0.1 under the shipped effects: sweet, salty, bitter and sour compared, then a sour clip rated
# as sweet, sour, sad and hot.
FIRST = [
    9, 6, 8, 3, 3, 2, 1, 3, 8, 6, 9, 2, 1, 3, 1, 2, 9, 2, 7, 3, 1, 2, 1, 3, 1, 9, 2, 6, 3, 4, 4, 3, 7, 6, 6, 5, 1, 3, 2, 1,
    4, 9, 6, 0, 1, 4, 1, 3,
]  # fmt: skip


def test_the_shipped_effects_give_the_answers_that_they_gave(config: ExperimentConfig) -> None:
    found = []
    for k in range(6):
        one = Bot(config, load_effects(), np.random.default_rng([1, k]), 1)
        pairs = (("sweet", "base"), ("salty", "finetuned"), ("bitter", "base"), ("sour", "finetuned"))
        for n, (taste, first) in enumerate(pairs):
            trial = compared(taste, first, n)
            for place, clip in enumerate((trial.first, trial.second), start=1):
                clip.id = 2 * n + place
            trial.first_id, trial.second_id = 2 * n + 1, 2 * n + 2
            found.append(one.ask(SLIDER, trial, (0, 1)).value)
        rated = Trial(id=9, block="ratings", taste="sour", first_id=4)
        rated.first = Stimulus(id=4, model="finetuned", taste="sour", clip="a", number=0)
        for item in ("sweet", "sour", "sad", "hot"):
            found.append(one.ask(Question(item, "steps", "?", low=1, high=5), rated, (0, 1)).value)
    assert found == FIRST


def test_effects_are_shares_of_whatever_scale_a_study_has(config: ExperimentConfig) -> None:
    """7 of 10 is 70 of 100, and so are people's, clips' and the answers' spread."""
    hundred = Question("preference", "slider", "?", low=0, high=100)
    noisy = effects(preference={"participant_sd": 1.0, "clip_sd": 0.5, "residual_sd": 1.0})
    trial = compared("sweet", "base")
    ten, many = answers(config, noisy, trial), answers(config, noisy, trial, ask=hundred)
    assert many.mean() == pytest.approx(10 * ten.mean(), abs=1)
    assert many.std() == pytest.approx(10 * ten.std(), rel=0.1)
    shares = effects(
        preference={"low": 0, "high": 1, "mean": {"finetuned": {"sweet": 0.7}}, "residual_sd": 0.05, "clip_sd": 0}
    )
    assert answers(config, shares, trial, ask=hundred).mean() == pytest.approx(70, abs=1)
    seven = Question("hot", "steps", "?", low=1, high=7)
    rated = Trial(id=1, block="ratings", taste="sweet", first_id=1)
    rated.first = Stimulus(id=1, model="finetuned", taste="sweet", clip="a", number=0)
    # 4 of 1 to 5 stands three quarters up: 5.5 of 1 to 7.
    assert answers(config, effects(), rated, ask=seven).mean() == pytest.approx(5.5, abs=0.25)


def test_the_rivals_effect_counts_as_much_as_ones_own(config: ExperimentConfig) -> None:
    both = effects(preference={"mean": {"finetuned": {"sweet": 7.0, "sour": 7.0}, "base": {"sweet": 6.0, "sour": 9.0}}})
    assert answers(config, both, compared("sweet", "base")).mean() == pytest.approx(6, abs=0.12)
    assert answers(config, both, compared("sour", "base")).mean() == pytest.approx(3, abs=0.12)
    assert answers(config, both, compared("sour", "finetuned")).mean() == pytest.approx(7, abs=0.12)


def test_a_conditions_own_ratings_stand_over_everybodys(config: ExperimentConfig) -> None:
    told = effects(ratings={"conditions": {"film": {"sweet": {"hot": 1.5}}}})
    hot = Question("hot", "steps", "?", low=1, high=5)
    means = {}
    for model in ("film", "finetuned"):
        rated = Trial(id=1, block="ratings", taste="sweet", first_id=1)
        rated.first = Stimulus(id=1, model=model, taste="sweet", clip="a", number=0)
        means[model] = answers(config, told, rated, ask=hot).mean()
    assert means == {"film": pytest.approx(1.5, abs=0.15), "finetuned": pytest.approx(4, abs=0.2)}


def test_people_lean_by_taste_and_pairs_have_effects_of_their_own(config: ExperimentConfig) -> None:
    still = {"mean": {}, "residual_sd": 0.01}
    slopes = effects(preference=still | {"taste_sd": 2.0})
    one = bot(config, slopes, 3)
    first = [
        one.ask(SLIDER, compared(t, "base", n), (0, 1)).value for n, t in enumerate(("sweet", "sour", "sweet", "sour"))
    ]
    assert first[:2] == first[2:]  # the same in every trial of a taste
    assert first[0] != first[1]
    found = np.array([bot(config, slopes, k).ask(SLIDER, compared("sweet", "base"), (0, 1)).value for k in range(300)])
    assert found.std() == pytest.approx(2.0, rel=0.15)
    pairs = effects(preference=still | {"pair_sd": 2.0})
    met = [bot(config, pairs, 1, 7).ask(SLIDER, compared("sweet", "base", n), (0, 1)).value for n in range(200)]
    assert np.std(met) == pytest.approx(2.0, rel=0.15)
    others = [bot(config, pairs, 2, 7).ask(SLIDER, compared("sweet", "base", n), (0, 1)).value for n in range(200)]
    assert np.mean(np.array(met) != others) < 0.05  # but for rounding the same for everybody


def test_answers_pile_up_at_the_ends_as_declared(config: ExperimentConfig) -> None:
    hundred = Question("preference", "slider", "?", low=0, high=100)
    piled = effects(preference={"mean": {"sweet": 5.5}, "residual_sd": 1.0, "ends": 0.4})
    found = answers(config, piled, compared("sweet", "base"), n=600, ask=hundred)
    assert np.mean((found == 0) | (found == 100)) == pytest.approx(0.4, abs=0.06)
    assert np.mean(found == 100) > 1.5 * np.mean(found == 0)  # each to the end on its own side
    assert len(set(found)) > 25  # the others anywhere


def named(condition: str, taste: str, n: int = 1) -> Trial:
    trial = Trial(id=n, block="identification", taste=taste, first_id=n)
    trial.first = Stimulus(id=n, model=condition, taste=taste, clip="a", number=0)
    return trial


CALLED = Question("identification", "choice", "?", options={t: t for t in ("sweet", "sour", "salty", "bitter", "none")})


def test_tastes_are_named_right_as_often_as_declared_and_else_by_chance(config: ExperimentConfig) -> None:
    hits = {"nano": {"sweet": 0.6, "sour": 1.0}, "film": {"sweet": 0.0}}
    told = effects().model_copy(update={"identification": IdentificationEffects(hits=hits)})

    def counted(condition: str, taste: str) -> Counter[str | None]:
        return Counter(bot(config, told, k).ask(CALLED, named(condition, taste), (0, 1)).choice for k in range(1000))

    sweet = counted("nano", "sweet")
    assert sweet["sweet"] / 1000 == pytest.approx(0.6, abs=0.05)
    assert all(sweet[t] / 1000 == pytest.approx(0.1, abs=0.03) for t in ("sour", "salty", "bitter", "none"))
    assert counted("nano", "sour") == {"sour": 1000}
    assert counted("film", "sweet")["sweet"] == 0
    for condition, taste in (("nano", "bitter"), ("other", "sweet"), ("nano", "")):
        assert all(n / 1000 == pytest.approx(0.2, abs=0.045) for n in counted(condition, taste).values()), taste


def test_people_and_clips_name_tastes_better_or_worse_as_declared(config: ExperimentConfig) -> None:
    """In log odds: at a share of a half and a deviation of 1.7 the mean of p(1 - p) falls from .25 to .166 (by quadrature)."""

    def told(**sds: float) -> Effects:
        given = IdentificationEffects(hits={"nano": {"sweet": 0.5}}, **sds)
        return effects().model_copy(update={"identification": given})

    def hits(who: Bot, n: int) -> list[bool]:
        return [who.ask(CALLED, named("nano", "sweet", n), (0, 1)).choice == "sweet" for _ in range(20)]

    def spread(shares: list[list[bool]]) -> float:
        # Of pairs of answers that share what varies: half the mean squared difference is the mean of p(1 - p).
        found = np.array(shares, float)
        return float(found.var(axis=1, ddof=1).mean())

    people = told(participant_sd=1.7)
    assert spread([hits(bot(config, people, k), 1) for k in range(300)]) == pytest.approx(0.166, abs=0.012)
    clips = told(clip_sd=1.7)
    assert spread([hits(bot(config, clips, n), n) for n in range(300)]) == pytest.approx(0.166, abs=0.012)
    assert spread([hits(bot(config, told(), k), 1) for k in range(300)]) == pytest.approx(0.25, abs=0.012)


def test_what_things_are_called_moves_no_answer(config: ExperimentConfig) -> None:
    """The same question in the same place of a study with other words: the same answer."""
    asked = config.named("ratings")
    assert isinstance(asked, RatingsTask)
    other = asked.model_copy(
        update={"adjectives": [a.model_copy(update={"name": f"x{k}"}) for k, a in enumerate(asked.adjectives)]}
    )
    told = effects(ratings={"clip_sd": 1.0})
    for k in range(8):
        one, two = bot(config, told, k), bot(config, told, k)
        answers = [
            who._rating(Question(task.items[place], "steps", "?", low=1, high=5), rated(3, "umami"), task.items)
            for who, task in ((one, asked), (two, other))
            for place in (0, 5, 11)
        ]
        assert answers[:3] == answers[3:]
