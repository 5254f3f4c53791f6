"""How fast clips are generated, side by side in one run: ``python -m benchmarks.generate [--steps N] [--batches 1,4,16]``.

At the size of musicgen-small (420 million weights in the decoder, random) on this machine: our decoder in float32,
bfloat16 and int8, audiocraft's own ``LMModel.generate`` and transformers' default ``generate``, milliseconds per step of
a batch with classifier-free guidance, and how far that is from the time it takes to read the weights once. Then nano:
200 clips of 15 s. Results go to docs/evidence/generate.json.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "evidence"
TOKENS = 16  # of the prompt


def bandwidth() -> float:
    """Bytes a second that a sum over one gigabyte reads, best of three."""
    block = torch.ones(256 << 20)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        block.sum()
        best = min(best, time.perf_counter() - started)
    return block.numel() * 4 / best


def small() -> Any:
    """transformers' MusicGen of musicgen-small's shape with random weights."""
    from transformers import (
        EncodecConfig,
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
        T5Config,
    )

    torch.manual_seed(0)
    return MusicgenForConditionalGeneration(
        MusicgenConfig(
            text_encoder=T5Config(vocab_size=64, d_model=768, d_kv=64, d_ff=128, num_layers=1, num_heads=2),
            audio_encoder=EncodecConfig(
                target_bandwidths=[2.2], sampling_rate=32000, num_filters=4, upsampling_ratios=[8, 5, 4, 4],
                codebook_size=2048, hidden_size=16, codebook_dim=16, num_lstm_layers=1,
            ),
            decoder=MusicgenDecoderConfig(vocab_size=2048, num_codebooks=4),
        )
    ).eval()  # fmt: skip


def ours(model: Any, precision: str, batch: int, steps: int) -> tuple[float, int]:
    """Seconds for `steps` steps with our decoder; and the bytes of weights it reads in each."""
    from models.musicgen.decoder import Decoder
    from models.musicgen.sampling import Sampling, sample_codes

    decoder = Decoder(model.decoder.state_dict(), 16, precision)
    states = torch.randn(batch, TOKENS, 1024)
    best = float("inf")
    for length in (3, steps):
        started = time.perf_counter()
        step = decoder.start(states, None, True, length + 3)
        sample_codes(step, [0, 1, 2, 3], 2048, length, list(range(batch)), Sampling(250, 1.0, 3.0))
        best = time.perf_counter() - started
    return best * steps / (steps + 3), decoder.bytes_per_step


def audiocrafts(model: Any, batch: int, steps: int) -> float:
    """Seconds for `steps` steps of audiocraft's own generate."""
    from audiocraft.models.builders import get_lm_model
    from audiocraft.modules.conditioners import ConditioningAttributes, TextConditioner
    from omegaconf import OmegaConf

    from models.musicgen.audiocraft_format import audiocraft_configs, joined
    from models.musicgen.checkpoints import Parts, split_parts
    from models.musicgen.convert import language_to_audiocraft

    state, projection = split_parts(model.state_dict())
    parts = Parts(state, model.config.decoder, [0, 1, 2, 3], projection, model.audio_encoder, model.text_encoder, None)
    config, _ = audiocraft_configs(parts)
    lm = get_lm_model(OmegaConf.create({**config, "conditioners": {}}))

    class States(TextConditioner):
        def __init__(self) -> None:
            super().__init__(dim=768, output_dim=1024)
            self.states = torch.randn(TOKENS, 768)

        def tokenize(self, x: list[str | None]) -> Any:
            return torch.tensor([float(bool(t)) for t in x])

        def forward(self, inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
            mask = inputs[:, None].expand(-1, TOKENS)
            return self.output_proj(self.states.expand(len(inputs), -1, -1)) * mask[..., None], mask

    lm.condition_provider.conditioners["description"] = States()
    lm.load_state_dict(language_to_audiocraft(joined(parts)))
    lm.eval()
    conditions = [ConditioningAttributes(text={"description": "music"})] * batch
    best = 0.0
    for length in (3, steps):
        started = time.perf_counter()
        lm.generate(None, conditions, max_gen_len=length, use_sampling=True, temp=1.0, top_k=250, cfg_coef=3.0)
        best = time.perf_counter() - started
    return best * steps / (steps + 4)


def transformers_default(model: Any, batch: int, steps: int) -> float:
    """Seconds for `steps` steps of transformers' own generate."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    inputs = {"input_ids": torch.ones(batch, TOKENS, dtype=torch.long)}
    model.generation_config.decoder_start_token_id = 2048
    model.generation_config.pad_token_id = 2048
    model.generation_config.bos_token_id = 2048
    best = 0.0
    for length in (8, steps):
        started = time.perf_counter()
        with torch.no_grad():
            model.generate(**inputs, max_new_tokens=length, do_sample=True, top_k=250, guidance_scale=3.0)
        best = time.perf_counter() - started
    return best


def nano(clips: int = 200, seconds: float = 15.0) -> dict[str, float]:
    """Wall time of `clips` clips of nano, generated and decoded."""
    from models.musicgen.generate import BATCH, load_generator

    generator = load_generator("nano-base")
    generator.generate(["warm up"], 1.0, [0])
    started = time.perf_counter()
    for first in range(0, clips, BATCH):
        generator.generate(["Slow music with strings."] * BATCH, seconds, list(range(first, first + BATCH)))
    return {"clips": clips, "seconds_each": seconds, "wall_seconds": time.perf_counter() - started}


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batches", default="1,4,16")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    speed = bandwidth()
    model = small()
    out: dict[str, Any] = {
        "torch": torch.__version__, "threads": options.threads, "steps": options.steps,
        "bandwidth_gb_s": speed / 1e9, "rows": [],
    }  # fmt: skip
    for batch in map(int, options.batches.split(",")):
        row: dict[str, Any] = {"batch": batch}
        row["audiocraft"] = audiocrafts(model, batch, options.steps) / options.steps * 1e3
        gc.collect()
        row["transformers"] = transformers_default(model, batch, options.steps) / options.steps * 1e3
        for precision in ("float32", "bfloat16", "int8"):
            seconds, read = ours(model, precision, batch, options.steps)
            row[precision] = seconds / options.steps * 1e3
            row[f"{precision}_bound"] = read / speed * 1e3
            row[f"{precision}_over_audiocraft"] = row["audiocraft"] / row[precision]
            gc.collect()
        row["float32_over_transformers"] = row["transformers"] / row["float32"]
        out["rows"].append(row)
        print({k: round(v, 2) for k, v in row.items()}, flush=True)
    del model
    gc.collect()
    out["nano"] = nano()
    print(out["nano"])
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "generate.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
