"""Fetch released models: from the hub by pinned revision, or from a mirror directory on machines without network."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.locating import models_directory
from models.musicgen.checkpoints import PULLED
from models.published import check_index, check_vocabulary, one_set, snapshot
from models.weights import file_sha256

Progress = Callable[[int, int, str], None]
TRIES = 5

TOKENIZER = (
    "tokenizer*.json",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
)
TRANSFORMERS = ("config.json", "generation_config.json", "preprocessor_config.json", *TOKENIZER)  # beside the weights
AUDIOCRAFT = ("state_dict.bin", "compression_state_dict.bin")
NON_COMMERCIAL = "CC-BY-NC-4.0 (weights: not for commercial use)"


@dataclass(frozen=True)
class Release:
    """A model that can be pulled: where it is published, what for, its weights' licence, its size in megabytes."""

    repository: str
    purpose: str
    licence: str
    megabytes: int


RELEASES = {
    r.repository: r
    for r in (
        Release("facebook/musicgen-small", "music", NON_COMMERCIAL, 2365),
        Release("facebook/musicgen-medium", "music", NON_COMMERCIAL, 8041),
        Release("facebook/musicgen-large", "music", NON_COMMERCIAL, 13740),
        Release("facebook/musicgen-stereo-small", "music, stereo", NON_COMMERCIAL, 2397),
        Release("facebook/musicgen-stereo-medium", "music, stereo", NON_COMMERCIAL, 8100),
        Release("facebook/musicgen-stereo-large", "music, stereo", NON_COMMERCIAL, 13840),
        Release("csc-unipd/tasty-musicgen-small", "music, fine-tuned for taste", "CC-BY-NC-4.0 (from MusicGen)", 2365),
        Release("t5-base", "text encoder of checkpoints in audiocraft's format", "Apache-2.0", 892),
        Release("facebook/encodec_32khz", "codec", NON_COMMERCIAL, 236),
        Release("facebook/encodec_24khz", "codec, FAD", "MIT (see its card)", 93),
        Release("laion/clap-htsat-unfused", "FAD", "Apache-2.0", 615),
        Release("m-a-p/MERT-v1-95M", "captions (audio encoder of SonicVerse)", "CC-BY-NC-4.0", 378),
        Release("mistralai/Mistral-7B-Instruct-v0.1", "captions (language model of SonicVerse)", "Apache-2.0", 14484),
    )
}  # fmt: skip


def pull(
    name: str,
    source: Path | None = None,
    layout: str = "auto",
    revision: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Fetch a model into the cache directory; goes on where it was, checks every file. Returns its directory.

    The commit and the SHA-256 of every file are written to ``pulled.json``; a later pull without `revision` takes the
    same commit again.

    Parameters
    ----------
    source : Path, optional
        A mirror: a directory that holds ``NAME`` (or ``OWNER--NAME``) as it was pulled elsewhere, or its files.
    layout : {"auto", "transformers", "audiocraft"}
        Which of the published formats; ``auto`` is transformers', which is the complete one, where that is published.

    Raises
    ------
    ModelError
        In one line: no such model, no network, a file that is not what was published.
    """
    target = models_directory() / name.replace("/", "--")
    target.mkdir(parents=True, exist_ok=True)
    known = json.loads((target / PULLED).read_text()) if (target / PULLED).exists() else {}
    try:
        if source is not None:
            files, commit = _from_mirror(_mirrored(source, name), target, layout, progress)
        else:
            files, commit = _from_hub(name, target, layout, revision or known.get("commit"), progress)
    except BaseException:
        if not any(target.iterdir()):
            target.rmdir()  # an empty directory would be taken for the model
        raise
    record = {
        "name": name,
        "commit": commit,
        "licence": RELEASES[name].licence if name in RELEASES else "see its page",
        "files": {**known.get("files", {}), **files} if known.get("commit") == commit else files,
    }
    partial = target / f"{PULLED}.partial"
    partial.write_text(json.dumps(record, indent=1) + "\n")
    os.replace(partial, target / PULLED)
    return target


def _wanted(names: list[str], layout: str, where: str) -> list[str]:
    own = [] if layout == "audiocraft" else one_set(names, where)
    theirs = layout == "audiocraft" or (layout == "auto" and not own and set(AUDIOCRAFT) <= set(names))
    patterns = AUDIOCRAFT if theirs else TRANSFORMERS
    # Pickles where nothing else is published (MERT, musicgen-large); they are read with weights_only.
    wanted = [n for n in names if any(fnmatch.fnmatch(n, p) for p in patterns)] + own
    if not any(n.endswith((".safetensors", ".bin")) for n in wanted):
        raise ModelError(
            f"{where} publishes no weights in this format ({', '.join((*patterns, 'model.safetensors')[:3])} ...)"
        )
    return sorted(wanted)


def _from_hub(
    name: str, target: Path, layout: str, revision: str | None, progress: Progress | None
) -> tuple[dict[str, dict[str, Any]], str]:
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    _, http_error = _http_errors()
    try:
        info = HfApi().model_info(name, revision=revision, files_metadata=True)
    except GatedRepoError:
        raise ModelError(_gated(name)) from None
    except RepositoryNotFoundError:
        raise ModelError(f"the hub has no model {name!r}; there are: {', '.join(RELEASES)}") from None
    except RevisionNotFoundError:
        raise ModelError(f"{name} has no revision {revision!r}") from None
    except (OSError, HfHubHTTPError, http_error, RuntimeError) as error:
        raise ModelError(_no_network(name, error)) from None
    published = {s.rfilename: s for s in info.siblings or []}
    wanted = _wanted(list(published), layout, name)
    commit = str(info.sha)
    sizes = {n: int(published[n].size or 0) for n in wanted}
    files: dict[str, dict[str, Any]] = {}
    before = 0
    for n in wanted:
        path, partial = target / n, target / f"{n}.partial"
        if not (path.exists() and _is_published(path, published[n])):
            try:
                _download(hf_hub_url(name, n, revision=commit), partial, n, before, sum(sizes.values()), progress)
            except GatedRepoError:
                raise ModelError(_gated(name)) from None
            except (OSError, HfHubHTTPError, http_error) as error:
                raise ModelError(_no_network(name, error)) from None
            if not _is_published(partial, published[n]):
                partial.unlink()
                raise ModelError(f"{name}: {n} is not what was published (its hash differs); pull again")
            os.replace(partial, path)
        files[n] = {"sha256": file_sha256(path), "bytes": path.stat().st_size}
        before += sizes[n]
        if progress:
            progress(before, sum(sizes.values()), n)
    return files, commit


def _http_errors() -> tuple[type[Exception], type[Exception]]:
    """TransportError and HTTPError of the client that huggingface_hub really uses: httpx, in later versions httpx2."""
    import importlib

    from huggingface_hub.utils import get_session

    client = importlib.import_module(type(get_session()).__module__.partition(".")[0])
    return client.TransportError, client.HTTPError


def _gated(name: str) -> str:
    return (
        f"{name} asks to accept its terms: do so on its page at the hub, then set HF_TOKEN to your token and pull again"
    )


def _no_network(name: str, error: Exception) -> str:
    first = " ".join(str(error).split())[:120] or type(error).__name__
    return f"{name} cannot be pulled ({first}); run again to go on, or take it from a mirror: --from DIRECTORY"


def _is_published(path: Path, sibling: Any) -> bool:
    """Compare a file with what the hub says: SHA-256 of large files, git's blob hash of small ones."""
    if sibling.lfs is not None:
        return file_sha256(path) == sibling.lfs.sha256
    if sibling.blob_id is None:
        return sibling.size is None or path.stat().st_size == sibling.size
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() == str(sibling.blob_id)


def _download(url: str, partial: Path, name: str, before: int, total: int, progress: Progress | None) -> None:
    """Fetch into `partial`, going on at its end; a broken connection is taken up again.

    huggingface_hub's own download starts a file anew in each process, which gigabytes do not bear.
    """
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    transport_error, _ = _http_errors()
    for attempt in range(TRIES):
        done = partial.stat().st_size if partial.exists() else 0
        headers = build_hf_headers() | ({"Range": f"bytes={done}-"} if done else {})
        try:
            with get_session().stream("GET", url, headers=headers, follow_redirects=True, timeout=30) as answer:
                if answer.status_code == 416:  # nothing is left: all of it is here
                    return
                hf_raise_for_status(answer)
                whole = answer.status_code != 206
                with partial.open("wb" if whole else "ab") as file:
                    done = 0 if whole else done
                    for block in answer.iter_bytes(1 << 16):  # what is not a whole block is lost where the line breaks
                        file.write(block)
                        done += len(block)
                        if progress:
                            progress(before + done, total, name)
            return
        except transport_error:
            if attempt + 1 == TRIES:
                raise


def _mirrored(source: Path, name: str) -> Path:
    flat = name.replace("/", "--")
    for given in (source / name, source / flat, source / f"models--{flat}", source / name.split("/")[-1], source):
        candidate = snapshot(given)
        if (candidate / "config.json").exists() or (candidate / AUDIOCRAFT[0]).exists():
            return candidate
    raise ModelError(f"{source} holds no {name}: neither {name.replace('/', '--')}/ nor its files are there")


def _from_mirror(
    mirror: Path, target: Path, layout: str, progress: Progress | None
) -> tuple[dict[str, dict[str, Any]], str]:
    names = [p.name for p in mirror.iterdir() if p.is_file() or p.is_symlink()]
    wanted = _wanted(names, layout, str(mirror))
    lost = [n for n in wanted if not (mirror / n).is_file()]
    if lost:
        raise ModelError(f"{mirror / lost[0]} is a link to nothing; mirror it again")
    check_index(mirror, [n for n in wanted if ".index." in n])
    if "config.json" in wanted:
        described = json.loads((mirror / "config.json").read_text(encoding="utf-8"))
        check_vocabulary(names, described.get("model_type"), str(mirror))
    record = json.loads((mirror / PULLED).read_text()) if (mirror / PULLED).exists() else {}
    total = sum((mirror / n).stat().st_size for n in wanted)
    files: dict[str, dict[str, Any]] = {}
    before = 0
    for n in wanted:
        path, size = target / n, (mirror / n).stat().st_size
        published = record.get("files", {}).get(n, {}).get("sha256")
        expected = published or file_sha256(mirror / n)
        if not (path.exists() and file_sha256(path) == expected):
            partial = target / f"{n}.partial"
            _copy(mirror / n, partial, before, total, progress)
            if file_sha256(partial) != expected:
                partial.unlink()
                raise ModelError(f"{mirror / n} is not the file that was pulled (SHA-256 differs); mirror it again")
            os.replace(partial, path)
        files[n] = {"sha256": expected, "bytes": size}
        before += size
    return files, str(record.get("commit", "unknown"))


def _copy(source: Path, partial: Path, before: int, total: int, progress: Progress | None) -> None:
    """Copy, going on at the end of what a stopped copy has left."""
    with source.open("rb") as read, partial.open("ab") as write:
        done = write.tell()
        read.seek(done)
        while block := read.read(1 << 22):
            write.write(block)
            done += len(block)
            if progress:
                progress(before + done, total, source.name)
