"""The pixels of one image as they come out of its file, and how they are shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

_ENOUGH_VALUES = 1_000_000
"""Of a large volume so many values, evenly spread, say what its window is."""


@dataclass(frozen=True)
class ImagePixels:
    """One image or stack of slices, never reduced to 8 bits on reading.

    values: (S, H, W) grey or (S, H, W, 3) RGB, any real type; rescale slope and intercept are already applied.
    window: (centre, width) that the file asks for, or None. is_inverted: low values are bright (MONOCHROME1).
    spacing_mm: (slice, row, column) distances where the file gives them. meta: facts without identifiers.
    """

    values: NDArray[np.generic]
    window: tuple[float, float] | None = None
    is_inverted: bool = False
    spacing_mm: tuple[float, float, float] | None = None
    meta: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values.ndim not in (3, 4) or (self.values.ndim == 4 and self.values.shape[3] != 3):
            raise ValueError(f"pixels need shape (S, H, W) or (S, H, W, 3), got {self.values.shape}")
        if min(self.values.shape) < 1:
            raise ValueError(f"an image needs at least one pixel, got {self.values.shape}")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return int(self.values.shape[2]), int(self.values.shape[1])

    @property
    def n_slices(self) -> int:
        """How many slices the stack has; 1 for a single image."""
        return int(self.values.shape[0])

    @property
    def is_colour(self) -> bool:
        """Whether there are three colour channels."""
        return self.values.ndim == 4

    def one_slice(self, slice_index: int) -> ImagePixels:
        """The same image with one slice only."""
        chosen = self.values[slice_index : slice_index + 1]
        return ImagePixels(chosen, self.window, self.is_inverted, self.spacing_mm, self.meta)

    def default_window(self, slice_index: int = 0) -> tuple[float, float]:
        """(centre, width) to begin with: the file's own, the full range of 8 bits, or the 0.1 % percentiles.

        The percentiles are those of all slices together: a window of each slice alone would show the noise of an empty
        slice as bright as tissue. What has one value only is black.
        Source of the percentiles: 3D Slicer's automatic window/level.
        """
        if self.window is not None:
            return self.window
        if self.values.dtype == np.uint8:
            return 127.5, 255.0
        if self.values.dtype == np.bool_:
            return 0.5, 1.0
        return self._window_of_values

    @property
    def has_contrast(self) -> bool:
        """Whether the automatic window found more than one value."""
        low, high = self._range_of_values
        return high > low

    @cached_property
    def _window_of_values(self) -> tuple[float, float]:
        low, high = self._range_of_values
        if high <= low:  # black: all of it lies at the dark end of a window
            return (low - 0.5, 1.0) if self.is_inverted else (low + 0.5, 1.0)
        return float((low + high) / 2), float(max(high - low, 1e-6))

    @cached_property
    def _range_of_values(self) -> tuple[float, float]:
        sample = self.values.reshape(-1)
        step = max(1, sample.size // _ENOUGH_VALUES) if self.n_slices > 1 else 1
        while step > 1 and math.gcd(step, self.values.shape[2]) > 1:
            step += 1  # a step that shares a factor with the rows would look at some columns only
        sample = sample[::step]
        finite = np.asarray(sample[np.isfinite(sample)], np.float64)
        if finite.size == 0:
            return 0.0, 0.0
        low, high = (float(value) for value in np.percentile(finite, (0.1, 99.9)))
        if high <= low:
            low, high = float(finite.min()), float(finite.max())
        return low, high

    def display_u8(self, slice_index: int = 0, window: tuple[float, float] | None = None) -> NDArray[np.uint8]:
        """One slice as RGB, (H, W, 3) uint8, through a (centre, width) window."""
        plane = self.values[slice_index]
        if plane.dtype == np.uint8 and window is None and self.window is None:
            grey = plane
        else:
            centre, width = window or self.default_window(slice_index)
            low = centre - width / 2
            scaled = (np.asarray(plane, np.float32) - np.float32(low)) * np.float32(255.0 / max(width, 1e-9))
            grey = np.rint(np.clip(np.nan_to_num(scaled, nan=0.0), 0, 255)).astype(np.uint8)
        if self.is_inverted:
            grey = np.asarray(255 - np.asarray(grey, np.int16), np.uint8)
        if not self.is_colour:
            grey = np.repeat(grey[:, :, None], 3, axis=2)
        return np.ascontiguousarray(grey, np.uint8)

    def minmax_u8(self, slice_index: int = 0) -> NDArray[np.uint8]:
        """One slice scaled from its smallest to its largest value, (H, W, 3) uint8.

        Source: the published prostate notebook (med-air/GazeMedSeg) prepares slices for its CRF like this.
        """
        plane = np.asarray(self.values[slice_index], np.float64)
        low, high = float(np.nanmin(plane)), float(np.nanmax(plane))
        return self.display_u8(slice_index, ((low + high) / 2, max(high - low, 1e-9)))
