"""MusiCNN (Pons & Serra 2019, arXiv 1909.06654) in torch, weights from the pinned package musicnn (ISC), no TensorFlow.

Two checkpoints are inside: MagnaTagATune (``MTT``, tags such as instruments, tempo words, vocals) and Million Song
Dataset (``MSD``, genres, moods). Input: 16 kHz mono.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from models.embeddings.tensor_bundle import read_tensor_bundle
from models.errors import package_missing

RATE = 16000
PATCH = 187  # frames of 256 samples: 3 s
# fmt: off
MTT_TAGS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
    "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
    "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man",
    "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello",
    "no voice", "weird", "country", "metal", "female voice", "choral",
)
# fmt: on


def _norm(tensors: dict[str, np.ndarray], index: int) -> nn.BatchNorm1d:
    name = "batch_normalization" + (f"_{index}" if index else "")
    gamma = torch.from_numpy(tensors[f"{name}/gamma"].copy())
    norm = nn.BatchNorm1d(len(gamma), eps=1e-3)
    norm.weight.data = gamma
    norm.bias.data = torch.from_numpy(tensors[f"{name}/beta"].copy())
    norm.running_mean = torch.from_numpy(tensors[f"{name}/moving_mean"].copy())
    norm.running_var = torch.from_numpy(tensors[f"{name}/moving_variance"].copy())
    return norm


def _conv(tensors: dict[str, np.ndarray], index: int) -> tuple[torch.Tensor, torch.Tensor]:
    name = "conv2d" + (f"_{index}" if index else "")
    kernel = torch.from_numpy(tensors[f"{name}/kernel"].copy()).permute(3, 2, 0, 1)
    return kernel.contiguous(), torch.from_numpy(tensors[f"{name}/bias"].copy())


class MusiCNN(nn.Module):
    """The published network in inference mode."""

    def __init__(self, tensors: dict[str, np.ndarray]):
        super().__init__()
        self.norms = nn.ModuleList([_norm(tensors, i) for i in range(11)])
        for i in range(8):
            kernel, bias = _conv(tensors, i)
            self.register_buffer(f"kernel{i}", kernel)
            self.register_buffer(f"bias{i}", bias)
        for i, name in enumerate(("dense", "dense_1")):
            self.register_buffer(f"dense{i}", torch.from_numpy(tensors[f"{name}/kernel"].copy()))
            self.register_buffer(f"dense_bias{i}", torch.from_numpy(tensors[f"{name}/bias"].copy()))
        self.eval()

    def _apply_conv(self, x: torch.Tensor, i: int) -> torch.Tensor:
        return F.relu(F.conv2d(x, getattr(self, f"kernel{i}"), getattr(self, f"bias{i}")))

    @torch.no_grad()
    def forward(self, log_mel: torch.Tensor) -> dict[str, torch.Tensor]:
        """(batch, frames, 96) -> front (batch, frames, 561), cnn1..3 (batch, frames, 64), penultimate, tags."""
        x = self.norms[0](log_mel.reshape(len(log_mel), 1, -1)).reshape(log_mel.shape)[:, None]
        front = []
        for i in range(5):
            if i < 2:
                padded = F.pad(x, (0, 0, 3, 3))
            else:
                k = getattr(self, f"kernel{i}").shape[2]
                padded = F.pad(x, (0, 0, (k - 1) // 2, k // 2))
            h = self._apply_conv(padded, i)
            # Batch norm stands before the maximum: a negative scale would swap maximum and minimum.
            h = self.norms[i + 1](h.flatten(2)).reshape(h.shape)
            front.append(h.amax(dim=3))
        features = torch.cat(front, dim=1)
        layers = []
        h = features
        for i in (5, 6, 7):
            padded = F.pad(h.transpose(1, 2)[:, None], (0, 0, 3, 3))
            out = self.norms[i + 1](self._apply_conv(padded, i)[..., 0])
            h = out if i == 5 else out + h
            layers.append(h)
        everything = torch.cat([features, *layers], dim=1)
        pooled = torch.stack([everything.amax(dim=2), everything.mean(dim=2)], dim=2).flatten(1)
        dense = F.relu(self.norms[9](pooled) @ self.dense0 + self.dense_bias0)
        penultimate = self.norms[10](dense)
        tags = torch.sigmoid(penultimate @ self.dense1 + self.dense_bias1)
        names = ("cnn1", "cnn2", "cnn3")
        return {
            "front": features.transpose(1, 2),
            **{n: layer.transpose(1, 2) for n, layer in zip(names, layers, strict=True)},
            "penultimate": penultimate,
            "tags": tags,
        }


@lru_cache(maxsize=2)
def load_musicnn(training_set: str = "MTT") -> MusiCNN:
    """Load the packaged checkpoint ``"MTT"`` or ``"MSD"``."""
    spec = find_spec("musicnn")
    if spec is None or spec.origin is None:
        raise package_missing("musicnn")
    folder = Path(spec.origin).parent / f"{training_set}_musicnn"
    return MusiCNN(read_tensor_bundle(folder / ".index", folder / ".data-00000-of-00001"))


def log_mel(audio: np.ndarray) -> np.ndarray:
    """Return the network's input of 16 kHz mono audio: log10(10000 mel + 1), (frames, 96)."""
    from models.compiled import librosa as compiled

    librosa = compiled()

    mel = librosa.feature.melspectrogram(y=audio, sr=RATE, hop_length=256, n_fft=512, n_mels=96).T
    return np.log10(10000 * mel + 1).astype(np.float32)


def patches(audio: np.ndarray) -> torch.Tensor:
    """Split into 3 s patches, (patches, 187, 96); shorter audio is repeated as in the training of the network."""
    mel = log_mel(audio)
    while len(mel) < PATCH:
        mel = np.concatenate([mel, mel])
    n = len(mel) // PATCH
    return torch.from_numpy(np.stack([mel[i * PATCH : (i + 1) * PATCH] for i in range(n)]))


def embed(audio: np.ndarray) -> np.ndarray:
    """Return one 200-d penultimate vector per 3 s of 16 kHz mono audio: (patches, 200), float32."""
    return load_musicnn().forward(patches(audio))["penultimate"].numpy()
