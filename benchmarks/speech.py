"""Speakers for sung corpora, out of Debian's packages: `python -m benchmarks.speech DIRECTORY` makes DIRECTORY/train and /test.

train: flite's voices of Carnegie Mellon University (three men, one woman; free to use, copy and distribute): what the shipped
captioner learned from. test: people recorded for telephone prompts (asterisk-core-sounds, asterisk-prompt-it-menardi;
CC-BY-SA 3.0) and men's diphones joined by festival (festvox-kdlpc16k, festvox-itapc16k, festvox-suopuhe-mv); none of them is
heard in training.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
FLITE = (("awb", "male"), ("rms", "male"), ("kal16", "male"), ("slt", "female"))
PROMPTS = Path("/usr/share/asterisk/sounds")
RECORDED = {
    "female-allison": "en_US_f_Allison", "female-june": "fr_CA_f_June", "female-ivrvoice": "ru_RU_f_IvrvoiceRU",
    "male-carlo": "it_IT_m_Carlo", "female-menardi": "it_IT_f_Menardi",
}  # fmt: skip
DIPHONES = {"male-ked": "ked_diphone", "male-pc": "pc_diphone", "male-mv": "hy_fi_mv_diphone"}
NO_SPEECH = ("tone", "monkey", "weasel")
LONGEST = 45  # recordings of each speaker, the longest
PHRASES = (
    "Signore e signori, benvenuti al concerto di questa sera", "la musica comincia quando le parole finiscono",
    "cantiamo insieme una canzone molto antica", "Il mare era calmo e la luna splendeva sopra le case",
    "domani partiremo per una lunga avventura", "Talo on vanha ja kaunis, mutta ovi on auki",
    "Minna kuuntelee musiikkia illalla rannalla", "The music began when the evening was almost over",
    "Nobody knew who had been singing in the garden",
)  # fmt: skip


def sentences() -> list[str]:
    """Forty sentences of the licence: long, dull and free to read out."""
    text = re.sub(r"\s+", " ", (ROOT / "LICENSE").read_text())
    return [s for s in re.split(r"(?<=[.;]) ", text) if 40 < len(s) < 250][:40]


def recorded(source: Path, folder: Path) -> None:
    """The longest prompts of a speaker as WAV."""
    import av
    import soundfile

    files = [p for p in source.iterdir() if p.suffix in (".g722", ".wav") and not any(w in p.name for w in NO_SPEECH)]
    for path in sorted(files, key=lambda p: -p.stat().st_size)[:LONGEST]:
        if path.suffix == ".wav":
            shutil.copy(path, folder / path.name)
            continue
        with av.open(str(path), format="g722") as sound:
            parts = [frame.to_ndarray().ravel() for frame in sound.decode(audio=0)]
        soundfile.write(folder / f"{path.stem}.wav", np.concatenate(parts), 16000)


def main(out: Path) -> None:
    """Make what is not there yet."""
    for voice, gender in FLITE:
        folder = out / "train" / f"{gender}-{voice}"
        folder.mkdir(parents=True, exist_ok=True)
        for i, text in enumerate(sentences()):
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(folder / f"{i:03d}.wav")], check=True)
    for name, source in RECORDED.items():
        folder = out / "test" / name
        folder.mkdir(parents=True, exist_ok=True)
        recorded(PROMPTS / source, folder)
    for name, voice in DIPHONES.items():
        folder = out / "test" / name
        folder.mkdir(parents=True, exist_ok=True)
        for i, text in enumerate([*PHRASES, *(f"{a} {b}" for a, b in pairwise(PHRASES))]):
            command = ["text2wave", "-eval", f"(voice_{voice})", "-o", str(folder / f"{i:02d}.wav")]
            subprocess.run(command, input=text.encode(), capture_output=True, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
