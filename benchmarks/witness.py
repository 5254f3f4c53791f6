"""Tempi of WAV files by TempoCNN (Schreiber & Müller 2018), a witness of another make than librosa: for evidence alone.

``python benchmarks/witness.py FOLDER`` in an environment of its own (``pip install tempocnn tensorflow-cpu``: AGPL-3, and pins that the
product's do not meet) writes FOLDER/tempocnn.json: of each file its BPM, and of which bytes that was heard (SHA-256), by which
`benchmarks.pulse` knows that it is of its clips.
"""

from __future__ import annotations

import hashlib
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
        path.name: {
            "bpm": float(judge.estimate_tempo(read_features(path), interpolate=False)),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.glob("*.wav"))
    }
    (folder / "tempocnn.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
