"""Read a TensorFlow checkpoint (tensor bundle, format V2) without TensorFlow.

The index file is a LevelDB-style table without compression: blocks of prefix-shared keys, each value a small protocol
buffer with dtype, shape, offset and size; the data file holds the raw little-endian tensors. Only float32 and int32/64
are read; nothing is executed. Format: tensorflow/core/util/tensor_bundle and lib/io/table_format (documentation).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ModelError

_MAGIC = 0xDB4775248B80FB57
_DTYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 3: np.dtype("<i4"), 9: np.dtype("<i8")}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _block(data: bytes, offset: int, size: int) -> list[tuple[bytes, bytes]]:
    block = data[offset : offset + size]
    if data[offset + size] != 0:
        raise ModelError("checkpoint index is compressed; only uncompressed tables are read")
    restarts = struct.unpack_from("<I", block, len(block) - 4)[0]
    end = len(block) - 4 * (restarts + 1)
    rows, key, at = [], b"", 0
    while at < end:
        shared, at = _varint(block, at)
        unshared, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + unshared]
        at += unshared
        rows.append((key, block[at : at + length]))
        at += length
    return rows


def _fields(message: bytes) -> list[tuple[int, int | bytes]]:
    fields: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(message, at)
            fields.append((number, value))
        elif wire == 2:
            length, at = _varint(message, at)
            fields.append((number, message[at : at + length]))
            at += length
        elif wire == 5:
            at += 4
        else:
            at += 8
    return fields


def _number(entry: dict[int, int | bytes], field: int) -> int:
    """A numeric field, 0 where it is left out."""
    value = entry.get(field, 0)
    return value if isinstance(value, int) else 0


def _bytes(entry: dict[int, int | bytes], field: int) -> bytes:
    """A field of bytes, empty where it is left out."""
    value = entry.get(field, b"")
    return value if isinstance(value, bytes) else b""


def read_tensor_bundle(index: Path, data: Path) -> dict[str, np.ndarray]:
    """Return all float32 and integer tensors of a bundle by name.

    Parameters
    ----------
    index, data : Path
        The ``.index`` file and the single ``.data-00000-of-00001`` file.

    Raises
    ------
    ModelError
        If the files are not such a bundle.
    """
    raw = index.read_bytes()
    if len(raw) < 48 or struct.unpack_from("<Q", raw, len(raw) - 8)[0] != _MAGIC:
        raise ModelError(f"{index} is not a TensorFlow checkpoint index")
    footer = raw[-48:]
    _, at = _varint(footer, 0)
    _, at = _varint(footer, at)
    offset, at = _varint(footer, at)
    size, at = _varint(footer, at)
    blob = data.read_bytes()
    tensors: dict[str, np.ndarray] = {}
    for _, handle in _block(raw, offset, size):
        start, at = _varint(handle, 0)
        length, at = _varint(handle, at)
        for key, value in _block(raw, start, length):
            if not key:
                continue
            entry: dict[int, int | bytes] = dict(_fields(value))
            dtype = _DTYPES.get(_number(entry, 1))
            if dtype is None:
                continue
            shape = [
                _number(dict(_fields(v)), 1) for n, v in _fields(_bytes(entry, 2)) if n == 2 and isinstance(v, bytes)
            ]
            begin, length_bytes = _number(entry, 4), _number(entry, 5)
            array = np.frombuffer(blob[begin : begin + length_bytes], dtype=dtype)
            tensors[key.decode()] = array.reshape(shape)
    return tensors
