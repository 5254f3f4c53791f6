"""VGGish (Hershey et al. 2017), the space that Fréchet Audio Distance was first measured in, from a checkpoint file.

The file is the published PyTorch conversion (torchvggish, vggish-10086976.pth: ``features.*`` and ``embeddings.*``), as .pth
or .safetensors. Front end of tensorflow/models/research/audioset/vggish: 16 kHz, 25 ms Hann windows every 10 ms, 64 mel
bands from 125 to 7500 Hz, log(mel + 0.01), patches of 0.96 s. As usual for FAD the last rectifier is left out and there is no
principal component step.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.errors import ModelError

if TYPE_CHECKING:
    import torch

RATE = 16000
WIDTH = 128
PATCH = 96
CHANNELS = (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool")


def build() -> torch.nn.Module:
    """The network with fresh weights; parameters are named as in the published file."""
    from torch import nn

    layers: list[nn.Module] = []
    width = 1
    for c in CHANNELS:
        if isinstance(c, str):
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(width, c, 3, padding=1), nn.ReLU(inplace=True)]
            width = c

    class VGGish(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(*layers)
            self.embeddings = nn.Sequential(
                nn.Linear(512 * 4 * 6, 4096),
                nn.ReLU(True),
                nn.Linear(4096, 4096),
                nn.ReLU(True),
                nn.Linear(4096, WIDTH),
            )

        def forward(self, patches: torch.Tensor) -> torch.Tensor:
            """Patches (batch, 1, 96, 64) -> (batch, 128)."""
            found = self.features(patches)
            # The first network was written channels last: its dense layer wants time, band, channel.
            out: torch.Tensor = self.embeddings(found.permute(0, 2, 3, 1).flatten(1))
            return out

    return VGGish()


def load(path: Path) -> torch.nn.Module:
    """Read a checkpoint.

    Raises
    ------
    ModelError
        In one line, if the file is missing, broken, or of another network.
    """
    from models.weights import load_pickle, load_tensors

    if not path.is_file():
        raise ModelError(f"VGGish's weights {path} do not exist; give the path of vggish-10086976.pth")
    tensors = load_tensors(path) if path.suffix == ".safetensors" else load_pickle(path)
    network = build()
    wanted = network.state_dict()
    tensors = {k: v for k, v in tensors.items() if not k.startswith("pproc.")}  # the principal component step, not used
    for name, tensor in wanted.items():
        if name not in tensors or tensors[name].shape != tensor.shape:
            found = tuple(tensors[name].shape) if name in tensors else "missing"
            raise ModelError(f"{path} is no VGGish: {name} is {found}, not {tuple(tensor.shape)}")
    network.load_state_dict({k: tensors[k] for k in wanted})
    network.eval()
    return network


def patches(audio: np.ndarray) -> np.ndarray:
    """Log-mel patches (patches, 96, 64) of 16 kHz mono audio; shorter audio is filled up with silence to one patch."""
    window, hop, size = 400, 160, 512
    audio = np.asarray(audio, dtype=np.float64)
    audio = np.pad(audio, (0, max(0, window + (PATCH - 1) * hop - len(audio))))
    frames = np.lib.stride_tricks.sliding_window_view(audio, window)[::hop]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    mel = np.log(np.abs(np.fft.rfft(frames * hann, size)) @ _mel_matrix(size) + 0.01)
    n = len(mel) // PATCH
    return np.asarray(mel[: n * PATCH].reshape(n, PATCH, 64), dtype=np.float32)


def _mel_matrix(size: int) -> np.ndarray:
    """(bins, 64) triangles that are straight on the mel scale; the lowest bin (no frequency) counts nowhere."""

    def to_mel(f: np.ndarray) -> np.ndarray:
        return np.asarray(1127.0 * np.log(1 + f / 700.0))

    bins = to_mel(np.linspace(0, RATE / 2, size // 2 + 1))[:, None]
    lowest, highest = (float(v) for v in to_mel(np.array([125.0, 7500.0])))
    edges = np.linspace(lowest, highest, 66)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    out = np.maximum(0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))
    out[0] = 0
    return np.asarray(out)
