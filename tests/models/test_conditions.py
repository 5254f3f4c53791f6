"""Conditions of a study file: exactly one kind each, told apart, and files of version 0.1 as what they meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.conditions import default_pairs
from models.config import ModelsConfig

A = {"name": "a", "checkpoint": "nano-base"}
B = {"name": "b", "checkpoint": "nano-taste"}
MIX = {"name": "mix", "blend": {"from": "a", "to": "b", "share": 0.5}}
FILM = {"name": "film", "tracks": "film"}


def read(*conditions: dict[str, Any], **more: Any) -> ModelsConfig:
    return ModelsConfig.model_validate({"conditions": list(conditions), **more})


def test_any_number_in_the_files_order() -> None:
    found = read(FILM, B, MIX, A, {"name": "wrong", "checkpoint": "nano-base", "prompts_of": "other tastes"})
    assert found.names == ["film", "b", "mix", "a", "wrong"]
    assert found.condition("film").tracks == Path("film")
    blend = found.condition("mix").blend
    assert blend is not None
    assert (blend.source, blend.to, blend.share) == ("a", "b", 0.5)
    assert ModelsConfig.model_validate_json(found.model_dump_json()) == found  # as databases keep it


def test_version_0_1_meant_two_checkpoints() -> None:
    old = ModelsConfig.model_validate({"base": "one", "finetuned": "two", "top_k": 9})
    assert [(c.name, c.shown, c.checkpoint) for c in old.conditions] == [
        ("base", "base", "one"), ("finetuned", "fine-tuned", "two"),
    ]  # fmt: skip
    assert old.top_k == 9
    assert [c.checkpoint for c in ModelsConfig.model_validate({"base": "one"}).conditions] == ["one", "nano-taste"]
    assert ModelsConfig() == ModelsConfig.model_validate({"base": "nano-base", "finetuned": "nano-taste"})


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        ([A, B | {"name": "a"}], "two conditions are named 'a'"),
        ([A, B | {"label": "a"}], "two conditions are shown as 'a'"),
        ([{"name": "a"}], "condition 'a' has none of them; it needs exactly one of checkpoint, tracks, blend"),
        ([A | {"tracks": "x"}], "condition 'a' has checkpoint and tracks"),
        ([A, B, MIX | {"tracks": "x"}], "condition 'mix' has tracks and blend"),
        ([A, MIX], "blend of 'mix': there is no condition 'b'; there are: a, mix"),
        ([A, FILM | {"name": "b"}, MIX], "condition 'b' has no checkpoint of its own"),
        ([A, B, MIX, {"name": "m2", "blend": {"from": "mix", "to": "a", "share": 0.5}}], "'mix' has no checkpoint"),
        ([A, B, {"name": "m", "blend": {"from": "a", "to": "a", "share": 0.5}}], "from and to are both 'a'"),
        *[([A, B, {"name": "m", "blend": {"from": "a", "to": "b", "share": s}}], "share") for s in (0, 1, -0.1, 1.5, "x")],
        ([A, B, {"name": "m", "blend": {"from": "a", "to": "b"}}], "share"),
        ([A, B, {"name": "m", "blend": {"from": "a", "to": "b", "share": 0.5, "of": "a"}}], "of"),
        ([A, A | {"name": "a2"}], "conditions 'a' and 'a2' are the same music"),
        ([FILM, FILM | {"name": "f2"}], "conditions 'film' and 'f2' are the same music"),
        ([A, B, MIX, MIX | {"name": "m2"}], "conditions 'mix' and 'm2' are the same music"),
        ([FILM | {"prompts_of": "other tastes"}], "tracks are not made from prompts"),
        ([A | {"prompts_of": "mine"}], "other tastes"),
        ([A | {"name": "1a"}], "name"),
        ([A | {"name": "a" * 21}], "20 characters"),
        ([A | {"label": "a" * 41}], "40 characters"),
        ([A | {"adaptor": "x"}], "adaptor"),
        ([], "conditions"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused(conditions: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(ValidationError) as said:
        read(*conditions)
    assert told in str(said.value)


def test_the_two_versions_are_not_mixed_and_blends_need_their_engine() -> None:
    with pytest.raises(ValidationError, match=r"base = is version 0\.1's way"):
        read(A, base="nano-base")
    with pytest.raises(ValidationError, match="finetuned = 3 is not the name"):
        ModelsConfig.model_validate({"finetuned": 3})
    with pytest.raises(ValidationError, match="condition 'mix': blends need engine = 'transformers'"):
        read(A, B, MIX, engine="audiocraft")


def test_the_second_is_compared_with_the_first_where_nothing_is_said() -> None:
    assert default_pairs(["x", "y", "z"]) == [("y", "x")]
    assert default_pairs(["x"]) == default_pairs([]) == []
