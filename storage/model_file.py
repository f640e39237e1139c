"""Tensors and their description in one safetensors file: models, and the checkpoints of a training.

The description is JSON under the key `sightline` of the file's metadata, with a CRC-32 of every tensor. No pickle: such
a file from elsewhere cannot run code. Written here and not by the library's `save`, which first makes the whole file in
memory: a checkpoint of half a gigabyte then takes three times as long, and as much memory again.
"""

from __future__ import annotations

import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from domain.errors import BadFileError, NewerVersionError
from storage.atomic_write import write_atomically

VERSION = 1
_KEY = "sightline"
_ALIGNMENT = 8
_LONGEST_SUM = 0xFFFFFFFF
# Names of number types in the format; there are more, which nothing here makes.
_TYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip


@dataclass(frozen=True)
class TensorFile:
    """Named arrays and the description they were stored with. `kind` is `model` or `checkpoint`."""

    kind: str
    tensors: dict[str, NDArray[Any]]
    description: dict[str, Any]


def write_tensor_file(path: Path, content: TensorFile) -> None:
    """Write beside, flush to the disk, replace: the old file stays good until the new one is.

    Raises:
        StorageFullError: the disk has no room; the old file is untouched.
    """
    # The widest numbers first, so that each tensor begins at a multiple of its width.
    ordered = sorted(content.tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    parts = {name: _bytes(values) for name, values in ordered}
    # Sums are as long as they are: the space of the longest is kept for each, and what is over is filled with blanks.
    length = len(_header(content, parts, dict.fromkeys(parts, _LONGEST_SUM)))
    length += -length % _ALIGNMENT
    with write_atomically(path) as draft, draft.open("wb", buffering=0) as stream, ThreadPoolExecutor(1) as beside:
        # Both let other threads work: sums are ready when the last byte is on its way.
        sums = beside.map(zlib.crc32, parts.values())
        stream.write(length.to_bytes(8, "little") + b" " * length)
        for part in parts.values():
            _write_all(stream, part)
        stream.seek(8)
        _write_all(stream, memoryview(_header(content, parts, dict(zip(parts, sums, strict=True))).ljust(length)))


def read_tensor_file(path: Path, *, kind: str) -> TensorFile:
    """Read and check a file that `write_tensor_file` wrote.

    Raises:
        BadFileError: missing, truncated, foreign, of another kind, or a tensor's checksum is wrong.
        NewerVersionError: written by a newer Sightline.
    """
    _refuse_missing(path, kind)
    try:
        with safe_open(str(path), framework="numpy") as opened:
            header = json.loads((opened.metadata() or {})[_KEY])
            if int(header["version"]) > VERSION:
                raise NewerVersionError(f"{path} has version {header['version']}.", "Update Sightline.")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError, KeyError, ValueError, OverflowError, TypeError, AttributeError) as error:
        raise BadFileError(f"{path} is not a Sightline {kind}: {error}.", _hint(kind)) from error
    if header.get("kind") != kind:
        raise BadFileError(f"{path} is a {header.get('kind')}, not a {kind}.", _hint(kind))
    sums, description = header.get("crc32"), header.get("description")
    if not isinstance(sums, dict) or not isinstance(description, dict):
        raise BadFileError(f"{path} is damaged: its description is not whole.", _hint(kind))
    for name, values in tensors.items():
        if zlib.crc32(_bytes(values)) != sums.get(name):
            raise BadFileError(f"{path} is damaged at {name}.", _hint(kind))
    return TensorFile(kind, tensors, description)


def read_description(path: Path, *, kind: str) -> dict[str, Any]:
    """Only the description, without reading the tensors.

    Raises:
        BadFileError: missing, foreign or of another kind.
    """
    _refuse_missing(path, kind)
    try:
        with safe_open(str(path), framework="numpy") as opened:
            header = json.loads((opened.metadata() or {})[_KEY])
    except (OSError, SafetensorError, KeyError, ValueError, OverflowError, TypeError) as error:
        raise BadFileError(f"{path} is not a Sightline {kind}: {error}.", _hint(kind)) from error
    if not isinstance(header, dict) or header.get("kind") != kind or not isinstance(header.get("description"), dict):
        raise BadFileError(f"{path} is not a whole Sightline {kind}.", _hint(kind))
    return dict(header["description"])


def _header(content: TensorFile, parts: dict[str, memoryview], sums: dict[str, int]) -> bytes:
    """The JSON that a safetensors file begins with."""
    told = {"version": VERSION, "kind": content.kind, "description": content.description, "crc32": sums}
    header: dict[str, Any] = {"__metadata__": {_KEY: json.dumps(told)}}
    start = 0
    for name, part in parts.items():
        values = content.tensors[name]
        end = start + part.nbytes
        header[name] = {
            "dtype": _TYPES[values.dtype.name],
            "shape": list(values.shape),
            "data_offsets": [start, end],
        }
        start = end
    return json.dumps(header, separators=(",", ":")).encode()


def _write_all(stream: RawIOBase, content: memoryview) -> None:
    """A raw file may take less than it was given: at most 2 GB at once on Linux."""
    while content.nbytes:
        content = content[stream.write(content) or 0 :]


def _bytes(values: NDArray[Any]) -> memoryview:
    return memoryview(np.ascontiguousarray(values).reshape(-1).view(np.uint8))


def _refuse_missing(path: Path, kind: str) -> None:
    if not path.exists():
        raise BadFileError(f"The {kind} {path} is not there.", _hint(kind))


def _hint(kind: str) -> str:
    if kind == "checkpoint":
        return "The run goes on from the checkpoint before it."
    return "Choose a model file (.safetensors) that Sightline wrote, or import a published checkpoint."
