"""One image, or a stack, laid into a widget: zoomed, panned, flipped and windowed, exact in physical pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRect, QRectF, Signal
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.full_screen import origin_on_screen_px
from domain.errors import UserFacingError
from domain.view import ImageView

MIN_ZOOM, MAX_ZOOM = 0.02, 64.0


class Viewable(Protocol):
    """Pixels that can be shown: what `domain.pixels.ImagePixels` offers."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""

    @property
    def n_slices(self) -> int:
        """Number of slices; 1 for a single image."""

    @property
    def is_colour(self) -> bool:
        """Whether there are three colour channels."""

    def default_window(self, slice_index: int = 0) -> tuple[float, float]:
        """Centre and width of the grey window to begin with."""

    def display_u8(self, slice_index: int = 0, window: tuple[float, float] | None = None) -> NDArray[np.uint8]:
        """One slice as (H, W, 3) for the screen."""


class ViewedImage(QWidget):
    """Holds the pixels and says how they lie on the screen; a subclass paints them."""

    view_changed = Signal(object)
    window_changed = Signal(object)
    unreadable = Signal(object)
    slice_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None, *, margin: float = 0.02) -> None:
        super().__init__(parent)
        self._margin = margin
        self._pixels: Viewable | None = None
        self._image = QImage()
        self._image_bytes: NDArray[np.uint8] | None = None
        self._view: ImageView | None = None
        self._is_fitted = True
        self._window: tuple[float, float] | None = None
        self._is_inverted = False
        self.home_slice: int | None = None

    # what is shown

    def set_pixels(self, pixels: Viewable | None, *, keep_view: bool = False, home_slice: int | None = None) -> None:
        """Show another image; its view is fitted unless it has the same size and `keep_view` is asked for.

        home_slice: the slice of a stack that layers belong to; None where they belong to all.
        """
        old = self._view
        self.home_slice = home_slice if pixels is not None and pixels.n_slices > 1 else None
        self._pixels = pixels
        if pixels is None:
            self._view = None
            self._image = QImage()
            self.update()
            return
        keeps = keep_view and old is not None and old.image_size == pixels.size
        if not keep_view:
            self._window = None
            self._is_inverted = False
        if keeps and old is not None:
            self._view = replace(old, slice_index=min(old.slice_index, pixels.n_slices - 1))
        else:
            self._view = ImageView.fitted(pixels.size, self._size_px(), margin=self._margin)
            self._is_fitted = True
        if self.home_slice is not None:
            self._view = replace(self._view, slice_index=self.home_slice)
        self._render()
        self.view_changed.emit(self._view)

    @property
    def pixels(self) -> Viewable | None:
        """The image shown."""
        return self._pixels

    @property
    def view(self) -> ImageView | None:
        """How the image lies in this widget, in physical pixels from its upper left corner."""
        return self._view

    @property
    def is_on_home_slice(self) -> bool:
        """Whether what is shown is what layers and strokes belong to."""
        return self.home_slice is None or (self._view is not None and self._view.slice_index == self.home_slice)

    def screen_view(self) -> ImageView | None:
        """How the image lies on the screen, in physical pixels of that screen: what gaze is mapped with."""
        if self._view is None:
            return None
        left, top = origin_on_screen_px(self)
        x, y = self._view.left_top_px
        return replace(self._view, left_top_px=(x + left, y + top))

    def image_rect_on_widget(self) -> QRect:
        """The part of this widget that the image covers, in logical pixels; nothing else may be drawn there."""
        if self._view is None:
            return QRect()
        scale = self.devicePixelRatioF()
        (x, y), zoom = self._view.left_top_px, self._view.zoom
        width, height = self._view.image_size
        whole = QRectF(x / scale, y / scale, width * zoom / scale, height * zoom / scale)
        return whole.toAlignedRect().intersected(self.rect())

    @property
    def grey_window(self) -> tuple[float, float] | None:
        """Centre and width in use, None for colour images."""
        if self._pixels is None or self._pixels.is_colour:
            return None
        if self._window is not None:
            return self._window
        return self._pixels.default_window(self._view.slice_index if self._view is not None else 0)

    @property
    def is_inverted(self) -> bool:
        """Whether greys are shown inverted."""
        return self._is_inverted

    # moving about

    def set_view(self, view: ImageView) -> None:
        """Lay the image elsewhere."""
        zoom = min(max(view.zoom, MIN_ZOOM), MAX_ZOOM)
        old = self._view
        self._view = replace(view, zoom=zoom)
        if old is None or view.slice_index != old.slice_index:
            try:
                self._render()
            except UserFacingError as problem:  # the file of that slice; what is on the screen stays there
                self._view = old
                self.unreadable.emit(problem)
                return
        self._is_fitted = False
        self.update()
        self.view_changed.emit(self._view)
        if old is None or view.slice_index != old.slice_index:
            self.slice_changed.emit(view.slice_index)

    def fit(self) -> None:
        """The whole image, as large as it goes; flips and slice stay."""
        if self._view is None:
            return
        fitted = ImageView.fitted(self._view.image_size, self._size_px(), margin=self._margin)
        self.set_view(replace(self._view, left_top_px=fitted.left_top_px, zoom=fitted.zoom))
        self._is_fitted = True

    def zoom_by(self, factor: float, at_px: tuple[float, float] | None = None) -> None:
        """Zoom about a point of this widget (physical pixels), else about its centre."""
        if self._view is None:
            return
        width, height = self._size_px()
        x, y = at_px if at_px is not None else (width / 2, height / 2)
        zoom = min(max(self._view.zoom * factor, MIN_ZOOM), MAX_ZOOM)
        ratio = zoom / self._view.zoom
        left, top = self._view.left_top_px
        self.set_view(self._view.moved((x - (x - left) * ratio, y - (y - top) * ratio), zoom))

    def flip(self, *, x: bool = False, y: bool = False) -> None:
        """Mirror the image."""
        if self._view is not None:
            was_fitted = self._is_fitted
            self.set_view(replace(self._view, flip_x=self._view.flip_x ^ x, flip_y=self._view.flip_y ^ y))
            self._is_fitted = was_fitted

    def go_to_slice(self, slice_index: int) -> None:
        """Show another slice of a stack."""
        if self._view is None or self._pixels is None:
            return
        index = min(max(slice_index, 0), self._pixels.n_slices - 1)
        if index != self._view.slice_index:
            was_fitted = self._is_fitted
            self.set_view(replace(self._view, slice_index=index))
            self._is_fitted = was_fitted

    def step_slice(self, step: int) -> None:
        """Scroll through a stack."""
        if self._view is not None:
            self.go_to_slice(self._view.slice_index + step)

    def set_grey_window(self, window: tuple[float, float] | None) -> None:
        """Centre and width for grey images; None takes the file's."""
        self._window = window
        self._render()
        self.window_changed.emit(self.grey_window)

    def invert(self) -> None:
        """Light becomes dark."""
        self._is_inverted = not self._is_inverted
        self._render()
        self.window_changed.emit(self.grey_window)

    # inside

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._refit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._refit()

    def _size_px(self) -> tuple[int, int]:
        scale = self.devicePixelRatioF()
        return max(1, round(self.width() * scale)), max(1, round(self.height() * scale))

    def _refit(self) -> None:
        if self._view is not None and self._is_fitted:
            self.fit()
        elif self._view is not None:
            self.view_changed.emit(self._view)

    def _render(self) -> None:
        if self._pixels is None or self._view is None:
            return
        rgb = self._pixels.display_u8(self._view.slice_index, self._window)
        self._image_bytes = np.ascontiguousarray(255 - rgb if self._is_inverted else rgb)
        height, width = self._image_bytes.shape[:2]
        self._image = QImage(self._image_bytes.data, width, height, width * 3, QImage.Format.Format_RGB888)
        self.update()
