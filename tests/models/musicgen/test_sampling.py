"""Going on from codes that are given."""

from __future__ import annotations

import torch

from models.musicgen.generate import load_generator
from models.musicgen.sampling import Sampling, sample_codes

CARD = 50
DELAYS = [0, 1, 2]


def count_on(tokens: torch.Tensor) -> torch.Tensor:
    """A model whose every codebook counts: after a token comes the next one; after none, 0."""
    following = torch.where(tokens == CARD, 0, (tokens + 1) % CARD)
    return torch.nn.functional.one_hot(following, CARD).float()


def test_each_codebook_goes_on_from_the_last_frame_it_was_given() -> None:
    heard = torch.tensor([[[3, 9, 20], [0, 0, 30], [7, 7, 40]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]])
    codes = sample_codes(count_on, DELAYS, CARD, 6, [0, 1], Sampling(1, guidance=1), heard=heard)
    assert codes[0].tolist() == [[3, 9, 20, 21, 22, 23], [0, 0, 30, 31, 32, 33], [7, 7, 40, 41, 42, 43]]
    assert codes[1].tolist() == [[1, 2, 3, 4, 5, 6], [4, 5, 6, 7, 8, 9], [7, 8, 9, 10, 11, 12]]
    alone = sample_codes(count_on, DELAYS, CARD, 3, [0, 1], Sampling(1, guidance=1))
    assert alone.tolist() == [[[0, 1, 2]] * 3] * 2


def test_a_model_goes_on_from_its_own_codes_as_it_did_and_from_others_otherwise() -> None:
    model = load_generator("nano-base")
    whole = model.codes(["slow"], 16, [5])
    assert torch.equal(model.codes(["slow"], 16, [5], heard=whole[..., :9]), whole)
    other = (whole[..., :9] + 100) % 512
    changed = model.codes(["slow"], 16, [5], heard=other)
    assert torch.equal(changed[..., :9], other)
    assert (changed[..., 9:] != whole[..., 9:]).any()
