"""Tempi of WAV files by TempoCNN (Schreiber & Müller 2018), a witness of another make than librosa: for evidence alone.

``python benchmarks/witness.py FOLDER`` in an environment of its own (``pip install tempocnn tensorflow-cpu``: AGPL-3, and pins that the
product's do not meet) writes FOLDER/tempocnn.json, BPM by file name; `benchmarks.pulse` reads it where it is.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

MODEL = "cnn"


def main(folder: Path) -> None:
    """Listen to all WAV files of a folder."""
    from tempocnn.classifier import TempoClassifier
    from tempocnn.feature import read_features

    judge = TempoClassifier(MODEL)
    found = {
        path.name: float(judge.estimate_tempo(read_features(path), interpolate=False))
        for path in sorted(folder.glob("*.wav"))
    }
    (folder / "tempocnn.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
