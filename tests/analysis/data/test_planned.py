"""How much a study asks of a person, from its definition in either form."""

from analysis.data.planned import Planned, planned


def test_a_study_says_how_many_choices_clips_and_items() -> None:
    tables = {"preference": {"trials": 6}, "ratings": {"clips": 4, "adjectives": [{"name": "a"}, {"name": "b"}]}}
    assert planned({"experiment": tables}) == Planned(6, 4, 2)
    tasks = [{"kind": "ratings", "clips": 4, "adjectives": [{"name": "a"}]}, {"kind": "preference", "trials": 5}]
    assert planned({"experiment": {"tasks": tasks}}) == Planned(5, 4, 1)
    tasks[0] |= {"low": 0, "high": 6}
    assert planned({"experiment": {"tasks": tasks}}) == Planned(5, 4, 1, (0.0, 6.0))


def test_what_it_does_not_say_is_not_known() -> None:
    assert planned({}) == planned({"experiment": None}) == Planned(None, None, None)
    for end in ({"low": 1}, {"high": 7}):
        assert planned({"experiment": {"ratings": {"clips": 3, **end}}}).scale is None
    assert planned({"experiment": {"preference": None, "ratings": {"clips": 3}}}) == Planned(None, 3, None)


def test_several_tasks_of_a_kind_are_one_plan() -> None:
    """Whoever made 8 of 16 choices has not made all."""
    rated = {"kind": "ratings", "clips": 3, "adjectives": [{"name": "a"}, {"name": "b"}], "low": 1, "high": 5}
    tasks = [
        {"kind": "preference", "trials": 8}, {"kind": "preference", "name": "tracks", "trials": 8},
        rated, rated | {"name": "more", "clips": 4, "adjectives": [{"name": "c"}]},
    ]  # fmt: skip
    assert planned({"experiment": {"tasks": tasks}}) == Planned(16, 7, 1, (1.0, 5.0))
    del tasks[0]["trials"]
    assert planned({"experiment": {"tasks": tasks}}).choices is None
