"""Checkpoints written beside the training: no step waits for the disk unless it is through before the disk is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.checkpoints import Checkpoints

# A GPU is through hundreds of steps while a large checkpoint is written: at most a tenth of the time goes into it.
_LARGE_BYTES = 64 << 20
_SHARE = 0.1


class CheckpointWriter:
    """Writes one checkpoint at a time in a thread. What it was given must not change before `wait` has returned."""

    def __init__(self, checkpoints: Checkpoints, on_written: Callable[[int, Path], None]) -> None:
        self.step = 0
        """The step that is on the disk or on its way there. 0 needs no file: a new run begins so."""
        self._checkpoints = checkpoints
        self._on_written = on_written
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._took_s = 0.0
        self._n_bytes = 0

    @property
    def is_busy(self) -> bool:
        """Whether a checkpoint is being written."""
        return self._thread is not None and self._thread.is_alive()

    def is_burden(self, since_s: float) -> bool:
        """Whether one more now, `since_s` after the last was begun, would keep the disk busy much of the time."""
        return self.is_busy or (self._n_bytes > _LARGE_BYTES and since_s < self._took_s / _SHARE)

    def begin(self, tensors: dict[str, Any], values: dict[str, Any]) -> None:
        """Write these, once what was begun before is written.

        Raises:
            UserFacingError: the one before could not be written.
        """
        self.wait()
        self.step = int(values["step"])
        self._n_bytes = sum(int(tensor.nbytes) for tensor in tensors.values())
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
        began = time.monotonic()
        try:
            path = self._checkpoints.save(tensors, values)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._error = error
            return
        self._took_s = time.monotonic() - began
        self._on_written(int(values["step"]), path)
