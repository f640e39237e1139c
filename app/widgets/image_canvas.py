"""One image, or a stack, that can be zoomed, panned, windowed, flipped and drawn over, exact in physical pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from app.full_screen import origin_on_screen_px
from app.widgets.layers import Layer
from domain.errors import UserFacingError
from domain.view import ImageView

MIN_ZOOM, MAX_ZOOM = 0.02, 64.0
_SHARP_FROM_ZOOM = 3.0


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


@dataclass(frozen=True)
class Pointer:
    """Where the pointer is on the image, with which button and keys."""

    x: float
    y: float
    button: Qt.MouseButton
    modifiers: Qt.KeyboardModifier


class ImageCanvas(QWidget):
    """Shows one image with layers over it and says how it lies on the screen."""

    view_changed = Signal(object)
    window_changed = Signal(object)
    pressed = Signal(object)
    dragged = Signal(object)
    released = Signal(object)
    hovered = Signal(object)
    painted = Signal()
    unreadable = Signal(object)

    def __init__(self, parent: QWidget | None = None, *, margin: float = 0.02) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(120, 90)
        self._margin = margin
        self._pixels: Viewable | None = None
        self._image = QImage()
        self._image_bytes: NDArray[np.uint8] | None = None
        self._view: ImageView | None = None
        self._is_fitted = True
        self._window: tuple[float, float] | None = None
        self._is_inverted = False
        self._layers: dict[str, Layer] = {}
        self._opacity = 0.45
        self._overlays_on = True
        self._is_peeking = False
        self._drag_from: tuple[QPointF, ImageView, tuple[float, float]] | None = None
        self._brush_radius: float | None = None
        self._cursor_xy: tuple[float, float] | None = None
        self.home_slice: int | None = None
        self.is_locked = False
        self.is_drawing = False

    # what is shown

    def set_pixels(self, pixels: Viewable | None, *, keep_view: bool = False, home_slice: int | None = None) -> None:
        """Show another image; its view is fitted unless it has the same size and `keep_view` is asked for.

        home_slice: the slice of a stack that layers belong to; None where they belong to all.
        """
        old = self._view
        self.home_slice = home_slice if pixels is not None and pixels.n_slices > 1 else None
        self._pixels = pixels
        self._layers.clear()
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

    # layers

    def set_layers(self, layers: Mapping[str, Layer]) -> None:
        """Replace everything over the image; drawn in the order given."""
        self._layers = dict(layers)
        self.update()

    def layer(self, name: str) -> Layer | None:
        """The layer of that name."""
        return self._layers.get(name)

    def set_layer(self, name: str, layer: Layer | None) -> None:
        """Add or replace one layer, or take it away."""
        if layer is None:
            self._layers.pop(name, None)
        else:
            self._layers[name] = layer
        self.update()

    def set_opacity(self, opacity: float) -> None:
        """How opaque maps and masks are, 0-1."""
        self._opacity = min(max(opacity, 0.05), 1.0)
        self.update()

    @property
    def opacity(self) -> float:
        """How opaque maps and masks are, 0-1."""
        return self._opacity

    @property
    def overlays_on(self) -> bool:
        """Whether layers are drawn."""
        return self._overlays_on

    def toggle_overlays(self) -> None:
        """All overlays on or off; what is stored does not depend on it."""
        self._overlays_on = not self._overlays_on
        self.update()

    def set_peeking(self, is_peeking: bool) -> None:
        """Hide the overlays while a key is held."""
        self._is_peeking = is_peeking
        self.update()

    def set_brush(self, radius: float | None) -> None:
        """Show a circle of this radius (image pixels) at the pointer, or none."""
        self._brush_radius = radius
        self.setCursor(Qt.CursorShape.BlankCursor if radius is not None else Qt.CursorShape.ArrowCursor)
        self.update()

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

    # Qt

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(0, 0, 0))
        if self._view is not None and not self._image.isNull():
            scale = self.devicePixelRatioF()
            painter.scale(1 / scale, 1 / scale)
            self._to_image_coordinates(painter, self._view)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._view.zoom < _SHARP_FROM_ZOOM)
            painter.drawImage(0, 0, self._image)
            if self._overlays_on and not self._is_peeking and self.is_on_home_slice:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                for layer in self._layers.values():
                    if layer.is_visible:
                        layer.paint(painter, self._view.zoom, self._opacity)
            self._paint_brush(painter)
        painter.end()
        self.painted.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._refit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._refit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._pixels is None or self.is_locked:
            return
        steps = event.angleDelta().y() / 120.0
        is_zoom = self._pixels.n_slices == 1 or bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if is_zoom:
            scale = self.devicePixelRatioF()
            at = event.position()
            self.zoom_by(1.2**steps, (at.x() * scale, at.y() * scale))
        else:
            self.step_slice(-round(steps) if abs(steps) >= 1 else (-1 if steps > 0 else 1))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._view is None:
            return
        if event.button() in (Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton) and not self.is_locked:
            self._drag_from = (event.position(), self._view, self.grey_window or (0.0, 0.0))
            return
        self.pressed.emit(self._pointer(event, event.button()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._view is None:
            return
        pointer = self._pointer(event, Qt.MouseButton.NoButton)
        self._cursor_xy = (pointer.x, pointer.y)
        if self._drag_from is not None:
            self._drag(event)
        elif event.buttons() & Qt.MouseButton.LeftButton:
            self.dragged.emit(self._pointer(event, Qt.MouseButton.LeftButton))
        else:
            self.hovered.emit(pointer)
        if self._brush_radius is not None:
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() in (Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton):
            self._drag_from = None
            return
        if self._view is not None:
            self.released.emit(self._pointer(event, event.button()))

    def leaveEvent(self, event: QEvent) -> None:
        self._cursor_xy = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()

    # inside

    def _size_px(self) -> tuple[int, int]:
        scale = self.devicePixelRatioF()
        return max(1, round(self.width() * scale)), max(1, round(self.height() * scale))

    def _refit(self) -> None:
        if self._view is not None and self._is_fitted:
            self.fit()
        elif self._view is not None:
            self.view_changed.emit(self._view)

    def _pointer(self, event: QMouseEvent, button: Qt.MouseButton) -> Pointer:
        if self._view is None:
            raise RuntimeError("no image is shown")
        scale = self.devicePixelRatioF()
        x, y = self._view.image_xy_from_screen((event.position().x() * scale, event.position().y() * scale))
        return Pointer(float(x), float(y), button, event.modifiers())

    def _drag(self, event: QMouseEvent) -> None:
        if self._drag_from is None:
            return
        start, view, (centre, width) = self._drag_from
        scale = self.devicePixelRatioF()
        delta = event.position() - start
        if event.buttons() & Qt.MouseButton.MiddleButton:
            left, top = view.left_top_px
            current = self._view or view
            self.set_view(current.moved((left + delta.x() * scale, top + delta.y() * scale), view.zoom))
        elif self.grey_window is not None:
            step = max(width, 1.0) / 300.0
            self.set_grey_window((centre + delta.y() * step, max(width + delta.x() * step, width / 100.0, 1e-6)))

    def _render(self) -> None:
        if self._pixels is None or self._view is None:
            return
        rgb = self._pixels.display_u8(self._view.slice_index, self._window)
        self._image_bytes = np.ascontiguousarray(255 - rgb if self._is_inverted else rgb)
        height, width = self._image_bytes.shape[:2]
        self._image = QImage(self._image_bytes.data, width, height, width * 3, QImage.Format.Format_RGB888)
        self.update()

    @staticmethod
    def _to_image_coordinates(painter: QPainter, view: ImageView) -> None:
        width, height = view.image_size
        painter.translate(*view.left_top_px)
        painter.scale(view.zoom, view.zoom)
        if view.flip_x:
            painter.translate(width, 0)
            painter.scale(-1, 1)
        if view.flip_y:
            painter.translate(0, height)
            painter.scale(1, -1)

    def _paint_brush(self, painter: QPainter) -> None:
        if self._brush_radius is None or self._cursor_xy is None:
            return
        painter.setOpacity(1.0)
        for colour, width in ((QColor(0, 0, 0, 160), 3.0), (QColor("#FFFFFF"), 1.3)):
            pen = QPen(colour, width)
            pen.setCosmetic(True)
            painter.setPen(pen)
            painter.drawEllipse(QPointF(*self._cursor_xy), self._brush_radius, self._brush_radius)
