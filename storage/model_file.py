"""Tensors and their description in one safetensors file: models, and the checkpoints of a training.

The description is JSON under the key `sightline` of the file's metadata, with a CRC-32 of every tensor. No pickle: such
a file from elsewhere cannot run code.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from domain.errors import BadFileError, NewerVersionError
from storage.atomic_write import write_bytes_atomically

VERSION = 1
_KEY = "sightline"


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
    tensors = {name: np.ascontiguousarray(values) for name, values in content.tensors.items()}
    header = {
        "version": VERSION,
        "kind": content.kind,
        "description": content.description,
        "crc32": {name: zlib.crc32(_bytes(values)) for name, values in tensors.items()},
    }
    write_bytes_atomically(path, save(tensors, metadata={_KEY: json.dumps(header)}))


def read_tensor_file(path: Path, *, kind: str) -> TensorFile:
    """Read and check a file that `write_tensor_file` wrote.

    Raises:
        BadFileError: missing, truncated, foreign, of another kind, or a tensor's checksum is wrong.
        NewerVersionError: written by a newer Sightline.
    """
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
    try:
        with safe_open(str(path), framework="numpy") as opened:
            header = json.loads((opened.metadata() or {})[_KEY])
    except (OSError, SafetensorError, KeyError, ValueError, OverflowError, TypeError) as error:
        raise BadFileError(f"{path} is not a Sightline {kind}: {error}.", _hint(kind)) from error
    if not isinstance(header, dict) or header.get("kind") != kind or not isinstance(header.get("description"), dict):
        raise BadFileError(f"{path} is not a whole Sightline {kind}.", _hint(kind))
    return dict(header["description"])


def _bytes(values: NDArray[Any]) -> memoryview:
    return memoryview(np.ascontiguousarray(values).reshape(-1).view(np.uint8))


def _hint(kind: str) -> str:
    if kind == "checkpoint":
        return "The run goes on from the checkpoint before it."
    return "Choose a model file (.safetensors) that Sightline wrote, or import a published checkpoint."
