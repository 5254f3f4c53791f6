"""A small language model for tests of ways through a captioner, where nothing that SmolLM2 has learned is asked of it; one chance for each test."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def one_chance() -> None:
    """Weights by chance are the same whichever tests ran before: of very small networks one in sixty has a dead part."""
    import torch

    torch.manual_seed(0)


@pytest.fixture(scope="session")
def small_llm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2's tokenizer, files and layout with two layers of 64 and weights by chance: the directory of a language model."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from models.sonicverse.llm import converted_smollm2

    folder = tmp_path_factory.mktemp("llm")
    tokenizer = AutoTokenizer.from_pretrained(converted_smollm2(), local_files_only=True)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, eos_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.bos_token_id, tie_word_embeddings=True,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder
