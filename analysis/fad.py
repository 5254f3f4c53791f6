"""Fréchet Audio Distance between clips and a reference set, in several embedding spaces.

FAD (Kilgour et al. 2019) = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). With centred, sqrt(n - 1)-scaled embeddings A
and B (rows), tr (C1 C2)^(1/2) is the nuclear norm of A B^T: exact, fast, and no matrix square root. Intervals are
bootstrap over clips, not frames. Size, embedding and reference change the value (Gui et al. 2023, arXiv
2311.01616), so all three stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import AnalysisError

if TYPE_CHECKING:
    from stimuli.manifest import ClipRow

SHIPPED = Path(__file__).parent / "reference"
RATE = 16000
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Reference:
    """Embeddings of a reference set, one (frames, width) array a clip."""

    name: str
    clips: list[np.ndarray]


def _factor(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean, and a factor F with F.T @ F the covariance, of embeddings (frames, width)."""
    if len(x) < 2:
        raise AnalysisError("a Fréchet distance needs at least two frames on each side")
    x = np.asarray(x, dtype=np.float64)
    mean = x.mean(axis=0)
    factor = (x - mean) / np.sqrt(len(x) - 1)
    # Fewer dimensions than frames: the triangular factor has the same product and is smaller.
    return mean, np.asarray(np.linalg.qr(factor, mode="r")) if len(x) > x.shape[1] else factor


def _distance(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    cross = float(np.linalg.svd(a[1] @ b[1].T, compute_uv=False).sum())
    value = float(((a[0] - b[0]) ** 2).sum() + (a[1] ** 2).sum() + (b[1] ** 2).sum() - 2 * cross)
    return max(0.0, value)


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance of two sets of embeddings, (frames, width) each, at least two frames.

    Negative rounding is cut to zero.
    """
    return _distance(_factor(a), _factor(b))


def embedder(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from 16 kHz mono audio to embeddings (frames, width)."""
    if name == "yamnet":
        from models.embeddings.yamnet import embed

        return embed
    if name == "musicnn":
        from models.embeddings.musicnn import embed as embed_musicnn

        return embed_musicnn
    import torch

    from models.musicgen.nano import load_codec

    codec = load_codec()

    def latents(audio: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            out: np.ndarray = codec.encoder(torch.from_numpy(audio)[None, None])[0].T.numpy()
        return out

    return latents


def level(audio: np.ndarray) -> np.ndarray:
    """Bring audio to one RMS (-23 dBFS): loudness is matched on purpose and must not count as distance."""
    return np.asarray(audio * (10 ** (-23 / 20) / max(float(np.sqrt((audio**2).mean())), 1e-6)), dtype=np.float32)


def embed_clips(
    rows: list[ClipRow], folder: Path, names: list[str], cache: Path, progress: Progress | None = None
) -> dict[str, dict[str, np.ndarray]]:
    """Embed clips: embedder -> clip hash -> (frames, width); each kept in `cache` under the clip's hash."""
    from stimuli.audio import load_mono

    out: dict[str, dict[str, np.ndarray]] = {name: {} for name in names}
    functions: dict[str, Callable[[np.ndarray], np.ndarray]] = {}
    for i, row in enumerate(rows):
        audio: np.ndarray | None = None
        for name in names:
            path = cache / name / f"{row.sha256}.npy"
            if path.exists():
                out[name][row.sha256] = np.load(path, allow_pickle=False)
                continue
            if audio is None:
                audio = level(load_mono(folder / row.file, RATE))
            functions.setdefault(name, embedder(name))
            vectors = functions[name](audio).astype(np.float32)
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.partial.npy")
            np.save(partial, vectors)
            partial.replace(path)
            out[name][row.sha256] = vectors
        if progress:
            progress(i + 1, len(rows), row.clip)
    return out


def load_reference(where: str, name: str) -> Reference:
    """Load the reference embeddings: ``"shipped"`` (40 held-out rendered tracks), or a directory of audio files.

    Raises
    ------
    AnalysisError
        If the directory has no audio.
    """
    if where == "shipped":
        from safetensors.numpy import load_file

        path = SHIPPED / f"{name}.safetensors"
        packed = load_file(path)
        bounds = np.cumsum(packed["lengths"])[:-1]
        clips = np.split(packed["embeddings"].astype(np.float32), bounds)
        return Reference("40 held-out rendered tracks of the taste set", clips)
    from stimuli.audio import AUDIO_SUFFIXES, load_mono

    folder = Path(where)
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES) if folder.is_dir() else []
    if len(files) < 2:
        raise AnalysisError(f"[analysis] reference {where}: no directory with at least two audio files")
    function = embedder(name)
    return Reference(folder.name, [function(level(load_mono(p, RATE))) for p in files])


def bootstrap(
    clips: list[np.ndarray], reference: np.ndarray, resamples: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Centred bootstrap 95 % interval of the distance over clips.

    Resampled sets repeat clips, which lifts a Fréchet distance: the spread of the resamples is put around the value
    itself, and cut at zero.
    """
    wanted = _factor(reference)  # once: it is the larger set
    value = _distance(_factor(np.concatenate(clips)), wanted)
    draws = rng.integers(len(clips), size=(resamples, len(clips)))
    values = np.array([_distance(_factor(np.concatenate([clips[i] for i in draw])), wanted) for draw in draws])
    low, high = value + np.quantile(values - values.mean(), [0.025, 0.975])
    return max(0.0, float(low)), float(high)


def analyse(
    rows: list[ClipRow],
    folder: Path,
    names: list[str],
    where: str,
    cache: Path,
    resamples: int = 60,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Distances of every model, overall and per taste, in every embedding: table ``distances``.

    `resamples` is smaller than elsewhere: each costs a singular value decomposition.
    """
    vectors = embed_clips(rows, folder, names, cache, progress)
    out: list[dict[str, Any]] = []
    for name in names:
        reference = load_reference(where, name)
        frames = np.concatenate(reference.clips)
        if len(frames) > 2500:
            frames = frames[np.linspace(0, len(frames) - 1, 2500).astype(int)]
        for model in sorted({r.model for r in rows}):
            for taste in ["all", *sorted({r.taste for r in rows if r.taste})]:
                chosen = [r for r in rows if r.model == model and taste in ("all", r.taste)]
                clips = [_thin(vectors[name][r.sha256]) for r in chosen]
                rng = np.random.default_rng([seed, len(out)])
                value = frechet_distance(np.concatenate(clips), frames)
                low, high = bootstrap(clips, frames, resamples, rng) if len(clips) > 1 else (None, None)
                n_frames = int(sum(len(c) for c in clips))
                out.append(
                    {
                        "model": model,
                        "taste": taste,
                        "embedding": name,
                        "reference": reference.name,
                        "n": len(clips),
                        "n_reference": len(reference.clips),
                        "n_frames": n_frames,
                        "width": int(frames.shape[1]),
                        "rank_deficient": n_frames <= frames.shape[1],
                        "metric": "FAD",
                        "value": value,
                        "ci_low": low,
                        "ci_high": high,
                    }
                )
    return {"distances": out}


def _thin(frames: np.ndarray, most: int = 60) -> np.ndarray:
    """At most `most` evenly spaced frames a clip: neighbours at 25 Hz tell nothing new."""
    if len(frames) <= most:
        return frames
    return frames[np.linspace(0, len(frames) - 1, most).astype(int)]
