"""Names of clips: they tell nothing where people could see them, and everything where analyses are read."""

from hypothesis import given
from hypothesis import strategies as st

from stimuli.names import OPAQUE, opaque, spelled, told

names = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=12)


@given(names, names, st.integers(0, 999), st.integers(0, 2**40))
def test_a_name_is_a_places_own_and_the_same_again(condition: str, taste: str, number: int, seed: int) -> None:
    name = opaque(seed, condition, taste, number)
    assert OPAQUE.fullmatch(name)
    assert name == opaque(seed, condition, taste, number)
    others = {
        opaque(seed + 1, condition, taste, number), opaque(seed, condition + "x", taste, number),
        opaque(seed, condition, taste + "x", number), opaque(seed, condition, taste, number + 1),
        opaque(seed, taste + condition, "", number),
    }  # fmt: skip
    assert len(others | {name}) == 6
    assert told(name, condition, taste, number) == f"{taste}-{condition}-{number:03d}"


def test_the_order_of_names_is_not_the_order_of_clips() -> None:
    made = [opaque(7, "one", "sweet", n) for n in range(20)]
    assert len(set(made)) == 20
    assert sorted(made) != made
    assert sorted(made) != made[::-1]


def test_what_analyses_call_a_clip() -> None:
    hidden = opaque(1, "film", "", 3)
    assert told(hidden, "film", "", 3, "one-track") == "one-track"
    assert told(hidden, "film", "", 3) == "film-003"
    # Clips of version 0.1 and of surveys were named openly: they keep their names.
    assert told("sweet-base-003", "base", "sweet", 3) == "sweet-base-003"
    assert told("Track_7", "given", "", 6, "other") == "Track_7"


def test_a_track_is_spelled_with_letters_digits_and_dashes() -> None:
    assert spelled("One track!.flac") == "one-track"
    assert spelled("another_one.WAV") == "another-one"
    assert spelled("Ünder 07.mp3") == "ünder-07"
