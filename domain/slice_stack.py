"""Slices that lie in files of their own, shown as one stack and read one by one when they are wanted."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadFileError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.pixels import ImagePixels

MAX_KEPT_BYTES = 1 << 30
"""Slices kept in memory; a thorax of 600 slices of 512 x 512 fits. What was not looked at longest goes first."""


class SliceStack:
    """Looks like `ImagePixels` to whoever shows it. Each slice keeps its own values, window and inversion.

    readers: one function per slice, in the order of the stack. The slice `first` is read at once, and says how large
    all are. Usable from several threads.

    Raises:
        BadFileError: a slice cannot be read, or is not of the size of the others; from all methods that read.
    """

    def __init__(self, readers: Sequence[Callable[[], ImagePixels]], *, first: int = 0) -> None:
        self._readers = tuple(readers)
        self._first = first
        self._kept: OrderedDict[int, ImagePixels] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()
        shown = self._readers[first]()
        self.size = shown.size
        self.is_colour = shown.is_colour
        self._keep(first, self._checked(first, shown))

    @property
    def n_slices(self) -> int:
        """How many slices the stack has."""
        return len(self._readers)

    def one_slice(self, slice_index: int) -> ImagePixels:
        """The pixels of one slice."""
        with self._lock:
            kept = self._kept.get(slice_index)
            if kept is not None:
                self._kept.move_to_end(slice_index)
                return kept
        read = self._checked(slice_index, self._readers[slice_index]())
        self._keep(slice_index, read)
        return read

    def default_window(self, slice_index: int = 0) -> tuple[float, float]:
        """(centre, width) that a slice begins with: its file's own, else that of the slice the stack was opened at.

        The files are not all read, so there are no percentiles of the volume; and a window of each slice alone would
        show the noise of an empty slice as bright as tissue.
        """
        return self._window_for(self.one_slice(slice_index)) or self.one_slice(slice_index).default_window()

    def display_u8(self, slice_index: int = 0, window: tuple[float, float] | None = None) -> NDArray[np.uint8]:
        """One slice as RGB, (H, W, 3) uint8, through a (centre, width) window."""
        pixels = self.one_slice(slice_index)
        return pixels.display_u8(0, window or self._window_for(pixels))

    def _window_for(self, pixels: ImagePixels) -> tuple[float, float] | None:
        """The window of the stack, for a slice that needs one; None where it says its own, or none was found."""
        if pixels.window is not None or pixels.values.dtype in (np.uint8, np.bool_):
            return None
        first = self.one_slice(self._first)
        has_window = first.window is None and first.values.dtype not in (np.uint8, np.bool_) and first.has_contrast
        return first.default_window() if has_window else None

    def load(
        self, around: int, *, reach: int, on_progress: OnProgress = no_progress, cancel: CancelToken | None = None
    ) -> None:
        """Read the slices that are at most `reach` away from one of them, the nearest first."""
        near = [index for index in range(self.n_slices) if abs(index - around) <= reach]
        for number, index in enumerate(sorted(near, key=lambda index: abs(index - around))):
            if cancel is not None:
                cancel.raise_if_cancelled()
            on_progress(Progress(number, len(near)))
            self.one_slice(index)

    @property
    def n_loaded(self) -> int:
        """How many slices are in memory."""
        return len(self._kept)

    def _checked(self, slice_index: int, pixels: ImagePixels) -> ImagePixels:
        if pixels.size != self.size or pixels.n_slices != 1 or pixels.is_colour != self.is_colour:
            raise BadFileError(
                f"Slice {slice_index + 1} of {self.n_slices} is {pixels.size[0]} x {pixels.size[1]} pixels with "
                f"{pixels.n_slices} frames, not {self.size[0]} x {self.size[1]}: the file is not of this series.",
                "Put the file back, or import the series again.",
            )
        return pixels

    def _keep(self, slice_index: int, pixels: ImagePixels) -> None:
        with self._lock:
            if slice_index not in self._kept:
                self._kept[slice_index] = pixels
                self._n_bytes += pixels.values.nbytes
            while self._n_bytes > MAX_KEPT_BYTES and len(self._kept) > 1:
                _, gone = self._kept.popitem(last=False)
                self._n_bytes -= gone.values.nbytes
