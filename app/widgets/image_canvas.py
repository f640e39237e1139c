"""The image of every screen: what is drawn over it, what the pointer does on it, and words where none is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QWidget

from app.texts import tr
from app.theme import COLOURS
from app.widgets.layers import Layer
from app.widgets.viewed_image import Viewable, ViewedImage
from domain.view import ImageView

_SHARP_FROM_ZOOM = 3.0


@dataclass(frozen=True)
class Pointer:
    """Where the pointer is on the image, with which button and keys."""

    x: float
    y: float
    button: Qt.MouseButton
    modifiers: Qt.KeyboardModifier


class ImageCanvas(ViewedImage):
    """Shows one image with layers over it, and hands on what the pointer does in image pixels."""

    pressed = Signal(object)
    dragged = Signal(object)
    released = Signal(object)
    hovered = Signal(object)
    painted = Signal()

    def __init__(self, parent: QWidget | None = None, *, margin: float = 0.02) -> None:
        super().__init__(parent, margin=margin)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(120, 90)
        self._words = ""
        self._layers: dict[str, Layer] = {}
        self._slice_layer: Layer | None = None
        self._opacity = 0.45
        self._overlays_on = True
        self._is_peeking = False
        self._drag_from: tuple[QPointF, ImageView, tuple[float, float]] | None = None
        self._brush_radius: float | None = None
        self._cursor_xy: tuple[float, float] | None = None
        self.is_locked = False
        self.tells_slice = False

    def set_pixels(self, pixels: Viewable | None, *, keep_view: bool = False, home_slice: int | None = None) -> None:
        self._layers.clear()
        self._slice_layer = None
        self._words = ""
        super().set_pixels(pixels, keep_view=keep_view, home_slice=home_slice)

    def say_instead(self, words: str) -> None:
        """No image: black, and a quiet word in its middle about why."""
        self.set_pixels(None)
        self._words = words

    @property
    def words(self) -> str:
        """What stands where no image is."""
        return self._words

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

    def set_slice_layer(self, layer: Layer | None) -> None:
        """What belongs to the slice that is shown, whichever that is; its owner renews it when the slice changes."""
        self._slice_layer = layer
        self.update()

    @property
    def slice_layer(self) -> Layer | None:
        """What belongs to the slice that is shown."""
        return self._slice_layer

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
            if self._overlays_on and not self._is_peeking:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                layers = [*self._layers.values()] if self.is_on_home_slice else []
                for layer in [*layers, *([self._slice_layer] if self._slice_layer is not None else [])]:
                    if layer.is_visible:
                        layer.paint(painter, self._view.zoom, self._opacity)
            self._paint_brush(painter)
            if self.tells_slice and self._pixels is not None and self._pixels.n_slices > 1:
                painter.resetTransform()
                self._paint_slice(painter, self._view.slice_index, self._pixels.n_slices)
        elif self._words:
            painter.setPen(QColor(COLOURS.muted))
            inside = self.rect().adjusted(24, 24, -24, -24)
            painter.drawText(inside, int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), self._words)
        painter.end()
        self.painted.emit()

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

    def _paint_slice(self, painter: QPainter, slice_index: int, n_slices: int) -> None:
        words = tr("Slice {n} of {total}").format(n=slice_index + 1, total=n_slices)
        if not self.is_on_home_slice and self.home_slice is not None:
            words += " · " + tr("the mask is on slice {home}").format(home=self.home_slice + 1)
        box = painter.fontMetrics().boundingRect(words).toRectF()
        box.moveBottomLeft(QPointF(12, self.height() - 12))
        painter.setOpacity(1.0)
        painter.fillRect(box.adjusted(-6, -3, 6, 3), QColor(0, 0, 0, 170))
        painter.setPen(QColor("#E8E8E8"))
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, words)

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
