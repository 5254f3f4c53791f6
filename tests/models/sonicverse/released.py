"""Small random checkpoints in the released formats, made where a test needs one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

PROMPT = "sweet flowing music with harp"


def tokenizer() -> Any:
    """A word tokenizer that ends each text like T5's, with </s>."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "</s>", "<unk>", *PROMPT.split(), "bitter", "low", "dark", "brass", "and"]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )


def transformers_checkpoint(folder: Path, channels: int = 1, seed: int = 0) -> Path:
    """A random MusicGen in transformers' format, about 100,000 weights; `channels` 2 is a stereo model."""
    from transformers import (
        EncodecConfig,
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
        T5Config,
    )

    torch.manual_seed(seed)
    books = 4 * channels
    config = MusicgenConfig(
        text_encoder=T5Config(vocab_size=32, d_model=24, d_kv=8, d_ff=48, num_layers=2, num_heads=3),
        audio_encoder=EncodecConfig(
            target_bandwidths=[0.5],
            sampling_rate=16000,
            audio_channels=1,
            hidden_size=16,
            num_filters=4,
            upsampling_ratios=[8, 5, 4, 4],
            use_causal_conv=False,
            pad_mode="constant",
            num_lstm_layers=2,
            codebook_size=32,
            codebook_dim=16,
            use_conv_shortcut=False,
        ),
        decoder=MusicgenDecoderConfig(
            vocab_size=32,
            num_hidden_layers=3,
            ffn_dim=128,
            num_attention_heads=4,
            hidden_size=32,
            num_codebooks=books,
            audio_channels=channels,
            pad_token_id=32,
            bos_token_id=32,
        ),
    )
    model = MusicgenForConditionalGeneration(config)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() > 1 and "original" not in name:
                p.normal_(std=0.3)
        for layer in model.audio_encoder.quantizer.layers:
            layer.codebook.embed.normal_()
            layer.codebook.inited.fill_(1)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
