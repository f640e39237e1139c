"""Checkpoints written beside the training: no step waits for the disk unless it is through before the disk is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.checkpoints import Checkpoints


class CheckpointWriter:
    """Writes one checkpoint at a time in a thread. What it was given must not change before `wait` has returned."""

    def __init__(self, checkpoints: Checkpoints, on_written: Callable[[int, Path], None]) -> None:
        self.step = 0
        """The step that is on the disk or on its way there. 0 needs no file: a new run begins so."""
        self._checkpoints = checkpoints
        self._on_written = on_written
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a checkpoint is being written."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self, tensors: dict[str, Any], values: dict[str, Any]) -> None:
        """Write these, once what was begun before is written.

        Raises:
            UserFacingError: the one before could not be written.
        """
        self.wait()
        self.step = int(values["step"])
        self._thread = threading.Thread(target=self._write, args=(tensors, values), name="checkpoint")
        self._thread.start()

    def wait(self) -> None:
        """Until what was begun is whole on the disk.

        Raises:
            UserFacingError: it could not be written, for example because the disk is full.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _write(self, tensors: dict[str, Any], values: dict[str, Any]) -> None:
        try:
            path = self._checkpoints.save(tensors, values)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._error = error
            return
        self._on_written(int(values["step"]), path)
