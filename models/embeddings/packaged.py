"""ONNX networks inside pinned packages, opened without the packages' own code."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import package_missing

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def open_packaged(module: str, file: str, package: str) -> InferenceSession:
    """Open a network on one thread.

    Parameters
    ----------
    module, file : str
        Import name of the package, and the file's path inside it.
    package : str
        What pip calls it, for the error.

    Raises
    ------
    ModelError
        If the package is not there.
    """
    import onnxruntime

    spec = find_spec(module)
    path = Path(spec.origin).parent / file if spec and spec.origin else None
    if path is None or not path.exists():
        raise package_missing(package)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
