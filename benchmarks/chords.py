"""Harmony and mode of a clip by the notes that basic-pitch hears in it: a witness that does not take a codec's blur for roughness.

Roughness of a spectrum (`stimuli.features`) asks for partials a semitone apart; a codec that tells none makes consonant
and dissonant chords alike rough, though a listener and a transcriber still hear which notes sound. So the notes are taken first
(basic-pitch's own frame threshold), and their intervals judged by Huron's (1994, Music Perception 11, 289-305) aggregate dyadic
consonance, their mode by the profiles that `stimuli.dataset.estimate` has. Nothing here was fitted.
"""

from __future__ import annotations

import numpy as np

from benchmarks.nano import RATE

THRESHOLD = 0.3  # basic-pitch's default for a frame of a note
# Consonance of an interval class by semitones (Huron 1994, table 2; mean of three studies of listeners, standardised).
CONSONANCE = {1: -1.428, 2: -0.582, 3: 0.594, 4: 0.386, 5: 1.240, 6: -0.453}


def heard_notes(clip: np.ndarray) -> np.ndarray:
    """Strengths (frames, 88) of the keys of a piano from A0 that basic-pitch hears in a mono clip; 0 under its threshold."""
    import soxr

    from models.embeddings import basic_pitch

    found = basic_pitch.notes(np.asarray(soxr.resample(clip, RATE, basic_pitch.RATE), dtype=np.float32))
    return np.where(found > THRESHOLD, found, 0.0).astype(np.float64)


def dissonance(notes: np.ndarray) -> float:
    """Mean dissonance (consonance with its sign turned) of all pairs of keys that sound at a time, weighted by both strengths.

    Octaves and unisons are left out, as the table has none. 0 where no two notes ever sound together.
    """
    apart = np.abs(np.subtract.outer(np.arange(88), np.arange(88))) % 12
    classes = np.minimum(apart, 12 - apart)
    judged = np.vectorize(lambda c: -CONSONANCE.get(c, 0.0))(classes)
    together = notes.T @ notes  # strengths of each pair, summed over time
    weight = float((together * (classes > 0)).sum())
    return float((together * judged).sum() / weight) if weight else 0.0


def mode(notes: np.ndarray) -> float:
    """Fit of the best major key less that of the best minor one, by the strengths of the pitch classes."""
    from stimuli.dataset.estimate import mode_of_chroma

    chroma = np.zeros(12)
    np.add.at(chroma, (21 + np.arange(88)) % 12, notes.sum(axis=0))
    return mode_of_chroma(chroma)


MEASURES = {"dissonance heard": dissonance, "mode heard": mode}
