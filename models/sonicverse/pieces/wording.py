"""A language model words what the heads and captions say, and may say nothing else.

Every sentence that it returns is held against the segment: any word that is neither the caption's nor one of a closed list that
claims nothing sends the sentence back, and so does an instrument, a tempo or the like that it leaves out; the caption stays as it was. Times are put in by this code. The model never
sees a file name or a title, so it cannot recall a song.
"""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from typing import Any, Protocol

from models.errors import ModelError
from models.sonicverse.captioner import Description
from models.sonicverse.evaluation.attributes import named
from models.sonicverse.nano.labels import HEADS
from models.sonicverse.pieces.windows import Piece, clock

KEY = "TASTELAB_LLM_KEY"
ASK = (
    "Rewrite this description of music as one fluent English sentence. Keep every fact, add none. "
    "Answer with the sentence alone.\n\n"
)
# Asked where the first answer is not believed: SmolLM2 now and then repeats the task in place of doing it, or loses a fact.
AGAIN = "Correct the grammar of this description of music. Answer with the description alone.\n\n"


class Writer(Protocol):
    """Anything that answers a prompt with text."""

    def write(self, prompt: str) -> str:
        """Answer a prompt."""
        ...


class LocalWriter:
    """A transformers model on this machine: ``smollm2`` (shipped) or a directory; greedy, so without randomness."""

    def __init__(self, name: str = "smollm2"):
        from models.sonicverse.llm import load_llm

        self.model, self.tokenizer = load_llm(name)

    def write(self, prompt: str) -> str:
        """Answer a prompt with at most 96 tokens."""
        import torch

        asked = [{"role": "user", "content": prompt}]
        ids: Any = self.tokenizer.apply_chat_template(
            asked, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        generate: Any = self.model.generate
        with torch.no_grad():
            out = generate(**ids, max_new_tokens=96, do_sample=False, pad_token_id=self.tokenizer.eos_token_id)
        return str(self.tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


class EndpointWriter:
    """An OpenAI-compatible chat endpoint; the key comes from the environment (`KEY`) and is never logged."""

    def __init__(self, url: str, model: str, timeout: float = 60.0):
        if not url.startswith(("https://", "http://localhost", "http://127.0.0.1")):
            raise ModelError(f"writer {url.split('?')[0]!r}: give an https:// address, or one of this machine")
        self.url, self.model, self.timeout = url.rstrip("/") + "/chat/completions", model, timeout

    def write(self, prompt: str) -> str:
        """Ask once.

        Raises
        ------
        ModelError
            In one line, without the key, if the endpoint does not answer as it should.
        """
        body = {"model": self.model, "messages": [{"role": "user", "content": prompt}], "temperature": 0}
        headers = {"Content-Type": "application/json"}
        if os.environ.get(KEY):
            headers["Authorization"] = f"Bearer {os.environ[KEY]}"
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                return str(json.load(answer)["choices"][0]["message"]["content"]).strip()
        except urllib.error.HTTPError as error:
            raise ModelError(f"writer {self.url} answers {error.code} {error.reason}; is {KEY} set?") from None
        except (urllib.error.URLError, TimeoutError, ValueError, KeyError, IndexError, TypeError) as error:
            reason = getattr(error, "reason", type(error).__name__)
            raise ModelError(f"writer {self.url} gave no answer ({reason})") from None


def open_writer(name: str, model: str = "") -> Writer | None:
    """A writer by name: ``none``, ``smollm2``, a local directory, or the address of an endpoint (with `model`)."""
    if name == "none":
        return None
    if "://" in name:
        if not model:
            raise ModelError("an endpoint needs the name of its model; give --writer-model")
        return EndpointWriter(name, model)
    return LocalWriter(name)


# What a sentence may say beside the words of its caption: joining words, and words of any description of music, which claim nothing.
# The list is closed. No negation, no words for a voice ("song"), for who made it or where: those have to be in the caption.
GENERAL = """
    a an the this that these those it its and or with in at of by to from for as on into over through throughout within along alongside
    together both all each while where which there also then is are be being been has have having
    music musical piece track passage section composition sound sounding play played player feature featuring include including
    contain consist consists describe described present presented set made make create creating give giving heard hear use uses used using carry carried
    provide add adds added adding combine combined combination blend mix mixes mixed mixing join accompany accompanied
    instrument register pitch key tempo pace speed harmony harmonic articulation mood character quality style manner way note
    overall main mainly primarily performed written
"""
ENDINGS = ("ness", "ies", "ing", "ly", "ed", "es", "ic", "y", "s", "e")


def _root(word: str) -> str:
    """A word without one of its endings, so that ``flowing`` and ``flows`` are one; short ones are whole: a note is no ``not``."""
    found = next((e for e in ENDINGS if word.endswith(e) and len(word) - len(e) >= 4), "")
    return word[: len(word) - len(found)]


def _roots(text: str) -> set[str]:
    return {_root(word) for word in re.findall(r"[^\W\d_]+", text.lower().replace("'s", ""))}


JOINING = frozenset(_root(word) for word in GENERAL.split())


def faithful(sentence: str, caption: str) -> bool:
    """Whether a sentence says what its caption says: every word of it stands there too, or is one of the closed list `GENERAL`.

    Of instruments, tempo, register, key, articulation and harmony it says no less either. A number may stand in it only if it stands in
    the caption.
    """
    if not _roots(sentence) <= _roots(caption) | JOINING:
        return False
    if not 3 <= len(sentence.split()) <= 80 or "\n" in sentence:
        return False
    for head in ("instrument", "tempo", "register", "key", "articulation", "harmony"):
        if named(sentence, HEADS[head][0]) != named(caption, HEADS[head][0]):
            return False
    return set(re.findall(r"\d+", sentence)) <= set(re.findall(r"\d+", caption))


COMPARED = ("instrument", "tempo", "register", "key", "articulation", "harmony")  # heads whose labels captions name


def contradicted(description: Description) -> list[str]:
    """What a caption names that its heads do not hear, a head at a time; the two are trained beside each other and may differ."""
    out = []
    for head in COMPARED:
        if head in description.features:
            said, heard = named(description.caption, tuple(description.features[head])), description.top(head)
            strange = sorted(said - set(heard))
            if strange:
                out.append(f"{head}: {', '.join(strange)} said, {', '.join(heard) or 'nothing'} heard")
    return out


def said_in(answer: str) -> str:
    """The sentence of an answer: what it puts between quotation marks, announced or not, else all of it."""
    flat = " ".join(answer.split())
    quoted = re.fullmatch(r'(?:[^"]*:\s*)?"([^"]+)"', flat)
    return quoted[1] if quoted else flat


def believed(writer: Writer, caption: str) -> str | None:
    """A writer's sentence for a caption, asked for twice at most; None where neither says what the caption says."""
    for ask in (ASK, AGAIN):
        found = said_in(writer.write(ask + caption))
        if faithful(found, caption):
            return found if found.endswith((".", "!")) else found + "."
    return None


def reword(piece: Piece, writer: Writer | None) -> tuple[list[str], int]:
    """A sentence for every segment, and how many of them are the writer's: the others it got wrong."""
    captions = [segment.description.caption for segment in piece.segments]
    found = [believed(writer, caption) if writer else None for caption in captions]
    return [f or c for f, c in zip(found, captions, strict=True)], sum(f is not None for f in found)


def story(piece: Piece, sentences: list[str]) -> str:
    """The piece in prose: sentences with their times, which are the segments' own and lie within the piece."""
    if len(sentences) < 2:
        return sentences[0] if sentences else piece.prose()
    parts = []
    for k, (segment, sentence) in enumerate(zip(piece.segments, sentences, strict=True)):
        assert 0 <= segment.start < segment.end <= piece.seconds + 0.01
        lead = "It begins (0:00)" if k == 0 and segment.start == 0 else f"From {clock(segment.start)}"
        parts.append(f"{lead}: {sentence}")
    return " ".join(parts)
