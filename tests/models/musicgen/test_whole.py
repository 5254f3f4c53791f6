"""A nano model over whole clips beside audiocraft's own: equal losses, equal gradients, and what training alone does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.musicgen.language import LanguageConfig, build_language_model
from models.musicgen.positions import POSITIONS
from models.musicgen.train_language import codebook_losses
from models.musicgen.whole import WholeModel

CONFIG = LanguageConfig(width=48, layers=3, heads=3, cfg_dropout=0.0)
TEXTS = ["Slow waltz with piano, 70 BPM.", "", "Rock beat, 120 bpm, low-pitched."]


def pair(positions: str) -> tuple[object, WholeModel]:
    """audiocraft's model with attention far from even, and the same for whole clips."""
    config = replace(CONFIG, positional_embedding=positions)
    torch.manual_seed(3)
    lm = build_language_model(config)
    with torch.no_grad():
        for p in lm.parameters():
            p.add_(torch.randn_like(p) * 0.15)
    return lm, WholeModel.of(lm, config)


@pytest.mark.parametrize("positions", POSITIONS)
def test_losses_and_gradients_are_audiocrafts(positions: str) -> None:
    lm, whole = pair(positions)
    codes = torch.randint(512, (3, 6, 40), generator=torch.Generator().manual_seed(1))
    theirs, own = codebook_losses(lm, codes, TEXTS), codebook_losses(whole, codes, TEXTS)
    assert theirs.std() > 1e-3
    assert torch.allclose(own, theirs, atol=2e-5)
    theirs.sum().backward()
    own.sum().backward()
    found = {name: p.grad for name, p in whole.named_parameters()}
    for name, p in lm.named_parameters():
        assert p.grad is not None, name
        assert torch.allclose(found[name], p.grad, atol=1e-4 * float(p.grad.abs().max()) + 1e-6), name


def test_what_is_frozen_stays_frozen_and_a_state_goes_back() -> None:
    lm, _ = pair("rope")
    for name, p in lm.named_parameters():
        p.requires_grad_("cross_attention" in name)
    whole = WholeModel.of(lm, replace(CONFIG, positional_embedding="rope"))
    assert {n for n, p in whole.named_parameters() if p.requires_grad} == {
        n for n, p in lm.named_parameters() if p.requires_grad
    }
    lm.load_state_dict({k: v + 1 for k, v in whole.state_dict().items()})


def test_texts_are_dropped_clip_by_clip_in_training_alone() -> None:
    _, whole = pair("rope")
    whole.config = replace(whole.config, cfg_dropout=0.5)
    codes = torch.randint(512, (1, 6, 12)).expand(400, 6, 12)
    states: list[torch.Tensor] = []
    whole.transformer.layers[0].register_forward_pre_hook(lambda _, given: states.append(given[1]))
    whole.train()
    whole.codebook_losses(codes, ["Slow waltz."] * 400)
    whole.eval()
    whole.codebook_losses(codes, ["Slow waltz."] * 400)
    learned, held = ((s.abs().sum(dim=(1, 2)) > 0).float().mean() for s in states)
    assert 0.4 < learned < 0.6
    assert held == 1


def test_dropout_is_of_training_alone() -> None:
    config = replace(CONFIG, dropout=0.3)
    whole = WholeModel.of(build_language_model(CONFIG), config)
    codes = torch.randint(512, (2, 6, 12))
    whole.train()
    assert not torch.equal(whole.codebook_losses(codes, ["", ""]), whole.codebook_losses(codes, ["", ""]))
    whole.eval()
    assert torch.equal(whole.codebook_losses(codes, ["", ""]), whole.codebook_losses(codes, ["", ""]))
