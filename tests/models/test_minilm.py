"""The sentence encoder, held against its published pipeline."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.minilm import MiniLM, shared_minilm


def test_sentences_are_means_of_token_states_of_length_one() -> None:
    """By the published pipeline of all-MiniLM-L6-v2: states of BERT with [CLS] and [SEP], their mean, its direction."""
    from transformers import AutoTokenizer, BertModel

    from models.minilm import minilm_directory

    text = "Umami, astringent music: slow tempo with harp"
    tokenizer = AutoTokenizer.from_pretrained(minilm_directory(), local_files_only=True)
    network = BertModel.from_pretrained(minilm_directory(), local_files_only=True).eval()
    with torch.no_grad():
        states = network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    mean = states.mean(0)
    ours = shared_minilm()
    both = ours.sentences([text, "a diesel engine"])
    assert np.abs(both[0] - (mean / mean.norm()).numpy()).max() < 1e-5
    assert np.linalg.norm(both, axis=1) == pytest.approx(1, abs=1e-5)
    words = ours.token_states(text, 64)
    assert (words - states[1:-1]).abs().max() < 1e-5
    assert torch.equal(ours.token_states(text, 3), words[:3])
    assert shared_minilm() is ours
    long = "sweet " * 200
    assert len(ours.token_states(long, 300)) == 200  # the package's own limit of 128 does not hold
    assert not any(p.requires_grad for p in MiniLM().model.parameters())


def test_minilm_knows_neighbours() -> None:
    sweet, honey, engine = shared_minilm().sentences(["a sweet taste", "sugar and honey", "a diesel engine"])
    assert sweet @ honey > sweet @ engine + 0.2
