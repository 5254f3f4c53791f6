"""Texts are set in the font that the screens say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from experiment.lab.desk import virtual_desk

pytestmark = pytest.mark.desk

ASK = """
from experiment.lab.widgets import Text
from experiment.lab.window import Window
window = Window("en", fullscreen=False)
texts = [Text(window.pen, words, 0, 0, 0.04, bold=bold) for words, bold in (("Which piece fits SOUR?", False), ("Welcome", True))]
for text in texts:
    text.draw()
print([text.parts[0]._pygletTextObj.document.get_font().name for text in texts])
window.close()
"""


def test_a_window_has_the_font_that_psychopy_brings() -> None:
    with virtual_desk(sound=False) as desk:
        done = subprocess.run([sys.executable, "-c", ASK], env=desk.environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "['Noto Sans', 'Noto Sans']", done.stderr
