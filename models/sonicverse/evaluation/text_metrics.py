"""Word overlap of captions with references: BLEU-1..4, ROUGE-L, CIDEr, METEOR, sentence similarity, and BERTScore by setting.

These barely see the audio: on MusicCaps one invented caption for all clips scores what published systems do. They are here
to compare with papers, and always stand beside random, constant and shuffled captions.

Definitions: corpus BLEU of Papineni et al. (2002) on words, with brevity penalty and without smoothing (a level without any
match is zero); ROUGE-L's F with beta 1.2 and CIDEr (n-grams up to 4, tf-idf over the references, times 10) as
pycocoevalcap has them; METEOR of Banerjee & Lavie (2005) with exact and stem matches through nltk.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from models.errors import ModelError


def words(text: str) -> list[str]:
    """Lower-case words; a sharp sign stays with its note."""
    return re.findall(r"[a-z0-9#']+", text.lower())


def _ngrams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def bleu(captions: Sequence[str], references: Sequence[Sequence[str]], most: int = 4) -> list[float]:
    """Corpus BLEU-1 to BLEU-`most`; several references a caption."""
    hits, totals = np.zeros(most), np.zeros(most)
    said = wanted = 0
    for caption, refs in zip(captions, references, strict=True):
        own, others = words(caption), [words(r) for r in refs]
        said += len(own)
        wanted += min((len(r) for r in others), key=lambda length: (abs(length - len(own)), length))
        for n in range(1, most + 1):
            mine = _ngrams(own, n)
            best: Counter[tuple[str, ...]] = Counter()
            for r in others:
                best |= _ngrams(r, n)
            hits[n - 1] += sum((mine & best).values())
            totals[n - 1] += max(0, len(own) - n + 1)
    penalty = 1.0 if said > wanted else math.exp(1 - wanted / max(said, 1))
    out = []
    for n in range(1, most + 1):
        shares = hits[:n] / np.maximum(totals[:n], 1)
        out.append(float(penalty * np.exp(np.log(shares).mean())) if (shares > 0).all() else 0.0)
    return out


def rouge_l(caption: str, refs: Sequence[str], beta: float = 1.2) -> float:
    """Longest common subsequence F of one caption against its references."""
    own = words(caption)
    precision = recall = 0.0
    for ref in (words(r) for r in refs):
        common = _common(own, ref)
        precision = max(precision, common / max(len(own), 1))
        recall = max(recall, common / max(len(ref), 1))
    if precision == 0 or recall == 0:
        return 0.0
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    row = [0] * (len(b) + 1)
    for x in a:
        before = 0
        for j, y in enumerate(b):
            before, row[j + 1] = row[j + 1], before + 1 if x == y else max(row[j + 1], row[j])
    return row[-1]


def cider(captions: Sequence[str], references: Sequence[Sequence[str]], most: int = 4) -> list[float]:
    """CIDEr of each caption (Vedantam et al. 2015): mean over n of the cosine of tf-idf vectors, times 10."""
    refs = [[words(r) for r in group] for group in references]
    documents: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(most)]
    for group in refs:
        for n in range(1, most + 1):
            documents[n - 1].update({gram for r in group for gram in _ngrams(r, n)})
    log_n = math.log(max(len(refs), 2))

    def vector(tokens: Sequence[str], n: int) -> dict[tuple[str, ...], float]:
        counts = _ngrams(tokens, n)
        return {g: c * (log_n - math.log(max(documents[n - 1][g], 1))) for g, c in counts.items()}

    out = []
    for caption, group in zip(captions, refs, strict=True):
        own = words(caption)
        total = 0.0
        for n in range(1, most + 1):
            mine = vector(own, n)
            length = math.sqrt(sum(v * v for v in mine.values()))
            for r in group:
                other = vector(r, n)
                norm = length * math.sqrt(sum(v * v for v in other.values()))
                if norm > 0:
                    total += sum(v * other.get(g, 0.0) for g, v in mine.items()) / norm / len(group)
        out.append(10 * total / most)
    return out


def meteor(caption: str, refs: Sequence[str]) -> float:
    """METEOR with exact and stem matches (nltk, without WordNet's synonyms, which are a download of their own)."""
    from nltk.translate.meteor_score import meteor_score

    class NoSynonyms:
        def synsets(self, *_: object) -> list[object]:
            return []

    return float(meteor_score([words(r) for r in refs], words(caption), wordnet=NoSynonyms()))


def similarity(captions: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """Cosine of sentence vectors (all-MiniLM-L6-v2) with the nearest reference."""
    from models.minilm import shared_minilm

    known: dict[str, np.ndarray] = {}
    for text in dict.fromkeys([*captions, *(r for refs in references for r in refs)]):
        known[text] = shared_minilm().sentences([text])[0]
    return [max(float(known[c] @ known[r]) for r in refs) for c, refs in zip(captions, references, strict=True)]


class BertScore:
    """BERTScore (Zhang et al. 2020, arXiv 1904.09675): tokens matched to their nearest by cosine of a model's hidden layer.

    Precision over the caption's tokens, recall over the reference's, F of both; the best reference counts. No idf weights, no
    rescaling. Papers use roberta-large at its layer 17.

    Parameters
    ----------
    model : str
        A pulled model or a local transformers directory with safetensors.
    layer : int, optional
        Hidden layer; default: the last.
    """

    def __init__(self, model: str, layer: int | None = None):
        from transformers import AutoModel, AutoTokenizer

        from models.locating import locate

        directory = locate(model)
        if not (directory / "config.json").exists():
            raise ModelError(f"BERTScore's model {model}: no config.json in {directory}")
        self.tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        self.model = AutoModel.from_pretrained(directory, local_files_only=True, use_safetensors=True).eval()
        layers = int(self.model.config.num_hidden_layers)
        self.layer = layers if layer is None else layer
        if not 0 <= self.layer <= layers:
            raise ModelError(f"BERTScore's model has layers 0 to {layers}, not {layer}")
        self._known: dict[str, np.ndarray] = {}

    def _states(self, text: str) -> np.ndarray:
        """Unit vectors of a text's tokens, (tokens, width), without the marks at its ends."""
        import torch

        if text not in self._known:
            given = self.tokenizer(
                text, return_tensors="pt", return_special_tokens_mask=True, truncation=True, max_length=512
            )
            special = given.pop("special_tokens_mask")[0].bool()
            with torch.no_grad():
                hidden = self.model(**given, output_hidden_states=True).hidden_states[self.layer][0][~special]
            self._known[text] = torch.nn.functional.normalize(hidden, dim=-1).numpy()
        return self._known[text]

    def __call__(self, caption: str, references: Sequence[str]) -> float:
        own, best = self._states(caption), 0.0
        for reference in references:
            cosine = own @ self._states(reference).T
            if cosine.size:
                precision, recall = float(cosine.max(axis=1).mean()), float(cosine.max(axis=0).mean())
                best = max(best, 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0)
        return best


def all_metrics(
    captions: Sequence[str], references: Sequence[Sequence[str]], bert: BertScore | None = None
) -> dict[str, float]:
    """Every metric, averaged over the captions; BERTScore's F where its model is given."""
    scores = {f"bleu_{n + 1}": v for n, v in enumerate(bleu(captions, references))}
    scores["meteor"] = float(np.mean([meteor(c, r) for c, r in zip(captions, references, strict=True)]))
    scores["rouge_l"] = float(np.mean([rouge_l(c, r) for c, r in zip(captions, references, strict=True)]))
    scores["cider"] = float(np.mean(cider(captions, references)))
    scores["similarity"] = float(np.mean(similarity(captions, references)))
    if bert is not None:
        scores["bertscore_f1"] = float(np.mean([bert(c, r) for c, r in zip(captions, references, strict=True)]))
    return scores
