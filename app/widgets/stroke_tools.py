"""The tools of the correct screen: what pointer and keys do to the working mask."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal

from app.widgets.image_canvas import ImageCanvas, Pointer
from app.widgets.layers import MaskLayer, PolygonLayer
from workflows.mask_editing import Mask, holes_filled, painted, smart_fill, with_polygon

ADD_COLOUR, TAKE_COLOUR = "#56B4E9", "#F28A5B"


class Tool(str, Enum):
    """What a click does."""

    BRUSH = "brush"
    ERASER = "eraser"
    POLYGON = "polygon"
    SMART_FILL = "smart fill"


class StrokeTools(QObject):
    """Turns pointer events into whole changes of the mask: one per stroke, polygon or fill."""

    changed = Signal(object, str)
    tool_changed = Signal(object)
    radius_changed = Signal(float)

    def __init__(self, canvas: ImageCanvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self.tool = Tool.BRUSH
        self.radius = 14.0
        self.tolerance = 14.0
        self.is_enabled = False
        self._mask: Mask | None = None
        self._image: NDArray[np.uint8] | None = None
        self._layer: MaskLayer | None = None
        self._stroke: list[tuple[float, float]] = []
        self._adds = True
        self._working: Mask | None = None
        self._corners: list[tuple[float, float]] = []
        canvas.pressed.connect(self._on_pressed)
        canvas.dragged.connect(self._on_dragged)
        canvas.released.connect(self._on_released)
        canvas.hovered.connect(self._on_hovered)

    def take(self, mask: Mask, image_u8: NDArray[np.uint8], layer: MaskLayer) -> None:
        """Work on this mask from now on."""
        self._mask, self._image, self._layer = mask, image_u8, layer
        self._stroke, self._working = [], None
        self.drop_polygon()
        self.is_enabled = True

    def drop(self) -> None:
        """Work on nothing until another mask is taken: also a stroke that was begun comes to nothing."""
        self._mask, self._image, self._layer = None, None, None
        self._stroke, self._working = [], None
        self.drop_polygon()
        self.is_enabled = False

    def choose(self, tool: Tool) -> None:
        """Take another tool."""
        self.drop_polygon()
        self.tool = tool
        self._show_brush()
        self.tool_changed.emit(tool)

    def set_radius(self, radius: float) -> None:
        """Size of brush and eraser, image pixels."""
        self.radius = min(max(radius, 1.0), 400.0)
        self._show_brush()
        self.radius_changed.emit(self.radius)

    def fill_holes(self) -> None:
        """Fill all holes of the mask."""
        if self._mask is not None:
            self.changed.emit(holes_filled(self._mask), "fill holes")

    def close_polygon(self, *, adds: bool = True) -> bool:
        """Finish the polygon; False where there is none."""
        if self._mask is None or len(self._corners) < 3:
            return False
        corners = self._corners
        self.drop_polygon()
        self.changed.emit(with_polygon(self._mask, corners, adds=adds), "polygon")
        return True

    @property
    def has_polygon(self) -> bool:
        """Whether a polygon is being drawn."""
        return bool(self._corners)

    def drop_polygon(self) -> None:
        """Forget the polygon being drawn."""
        self._corners = []
        self._canvas.set_layer("polygon", None)

    def _show_brush(self) -> None:
        self._canvas.set_brush(self.radius if self.tool in (Tool.BRUSH, Tool.ERASER) else None)

    def _on_pressed(self, pointer: Pointer) -> None:
        if not self.is_enabled or self._mask is None or self._image is None:
            return
        if pointer.button != Qt.MouseButton.LeftButton or not self._canvas.is_on_home_slice:
            return
        takes = bool(pointer.modifiers & Qt.KeyboardModifier.ControlModifier)
        if self.tool in (Tool.BRUSH, Tool.ERASER):
            self._adds = self.tool is Tool.BRUSH and not takes
            self._stroke = [(pointer.x, pointer.y)]
            self._working = self._mask
            self._extend()
        elif self.tool is Tool.POLYGON:
            self._add_corner(pointer, adds=not takes)
        else:
            after = smart_fill(
                self._mask, self._image, (pointer.x, pointer.y), tolerance=self.tolerance, adds=not takes
            )
            self.changed.emit(after, "smart fill")

    def _on_dragged(self, pointer: Pointer) -> None:
        if self._working is None:
            return
        last = self._stroke[-1]
        if abs(pointer.x - last[0]) + abs(pointer.y - last[1]) >= 0.5:
            self._stroke.append((pointer.x, pointer.y))
            self._extend()

    def _on_released(self, _pointer: Pointer) -> None:
        if self._working is None or self._mask is None:
            return
        after, self._working, self._stroke = self._working, None, []
        self.changed.emit(after, "brush" if self._adds else "eraser")

    def _on_hovered(self, pointer: Pointer) -> None:
        if self._corners:
            self._canvas.set_layer("polygon", PolygonLayer([*self._corners, (pointer.x, pointer.y)], ADD_COLOUR))

    def _extend(self) -> None:
        if self._working is None or self._layer is None:
            return
        self._working, box = painted(self._working, self._stroke[-2:], self.radius, adds=self._adds)
        if box != (0, 0, 0, 0):
            self._layer.renew(self._working, box)
        self._canvas.update()

    def _add_corner(self, pointer: Pointer, *, adds: bool) -> None:
        view = self._canvas.view
        if len(self._corners) >= 3 and view is not None:
            first = self._corners[0]
            if np.hypot(first[0] - pointer.x, first[1] - pointer.y) * view.zoom < 10:
                self.close_polygon(adds=adds)
                return
        self._corners.append((pointer.x, pointer.y))
        self._canvas.set_layer("polygon", PolygonLayer(self._corners, ADD_COLOUR if adds else TAKE_COLOUR))
