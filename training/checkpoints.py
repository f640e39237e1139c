"""Checkpoints of a run: two generations, each written beside and renamed; the newest good one is read."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from domain.errors import BadFileError
from storage.atomic_write import TEMPORARY_PREFIX
from storage.model_file import TensorFile, read_description, read_tensor_file, write_tensor_file

_log = logging.getLogger(__name__)

_NAMES = ("checkpoint-a.safetensors", "checkpoint-b.safetensors")


class Checkpoints:
    """The two checkpoint files in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, tensors: dict[str, Any], values: dict[str, Any]) -> Path:
        """Write over the older generation; the newer one stays until this one is complete.

        Raises:
            StorageFullError: no room; both generations are as they were.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        steps = [self._step(name) for name in _NAMES]
        path = self.folder / _NAMES[steps.index(min(steps))]
        write_tensor_file(path, TensorFile("checkpoint", tensors, values))
        return path

    def load(self) -> TensorFile | None:
        """The newest checkpoint that is whole, None where there is none."""
        for name in sorted(_NAMES, key=self._step, reverse=True):
            path = self.folder / name
            if not path.exists():
                continue
            try:
                return read_tensor_file(path, kind="checkpoint")
            except BadFileError as error:
                _log.warning("%s", error)
        return None

    def remove_drafts(self) -> None:
        """What a killed process left half written; not while anything is being written here."""
        for draft in self.folder.glob(f"{TEMPORARY_PREFIX}*"):
            draft.unlink(missing_ok=True)

    def newest_step(self) -> int:
        """The step of the newest readable checkpoint, -1 where there is none."""
        return max(self._step(name) for name in _NAMES)

    def _step(self, name: str) -> int:
        path = self.folder / name
        if not path.exists():
            return -1
        try:
            return int(read_description(path, kind="checkpoint")["step"])
        except (BadFileError, KeyError, ValueError, OverflowError, TypeError):
            return -1
