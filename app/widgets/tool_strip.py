"""The drawing tools as a row or column of buttons, with their keys; the correct screen and the review edit with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QBoxLayout, QToolButton, QWidget

from app.actions import ActionRegistry
from app.theme import icon
from app.widgets.image_canvas import ImageCanvas
from app.widgets.layers import MaskLayer
from app.widgets.plain import line
from app.widgets.stroke_tools import StrokeTools, Tool
from workflows.mask_editing import Mask

TOOLS = (
    (Tool.BRUSH, "correct.brush"),
    (Tool.ERASER, "correct.eraser"),
    (Tool.POLYGON, "correct.polygon"),
    (Tool.SMART_FILL, "correct.smart_fill"),
)
_STEP = 1.2


class ToolStrip(QWidget):
    """Its keys work anywhere in `owner` while it is enabled; undo, redo, accept and step back are the owner's."""

    def __init__(
        self,
        owner: QWidget,
        canvas: ImageCanvas,
        actions: ActionRegistry,
        *,
        direction: QBoxLayout.Direction,
        button_px: int,
        undo: Callable[[], object],
        redo: Callable[[], object],
        accept: Callable[[], object],
        step_back: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        self._canvas = canvas
        self._actions = actions
        self._button_px = button_px
        self.tools = tools = StrokeTools(canvas)
        tools.tool_changed.connect(self._show_tool)
        self._layout = QBoxLayout(direction, self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        self._buttons = {tool: self._add(action_id, partial(tools.choose, tool)) for tool, action_id in TOOLS}
        for made in self._buttons.values():
            made.setCheckable(True)
        self._add("correct.fill_holes", tools.fill_holes)
        if direction is QBoxLayout.Direction.TopToBottom:
            self._layout.addSpacing(6)
            self._layout.addWidget(line())
        self._layout.addSpacing(6)
        self._undo = self._add("correct.undo", undo)
        self._redo = self._add("correct.redo", redo)
        slots: dict[str, Callable[[], object]] = {
            **{action_id: partial(tools.choose, tool) for tool, action_id in TOOLS},
            "correct.fill_holes": tools.fill_holes,
            "correct.smaller": lambda: tools.set_radius(tools.radius / _STEP),
            "correct.larger": lambda: tools.set_radius(tools.radius * _STEP),
            "correct.close_polygon": tools.close_polygon,
            "correct.drop_polygon": step_back or tools.drop_polygon,
            "correct.undo": undo,
            "correct.redo": redo,
            "correct.accept": accept,
        }
        self._keys: list[QAction] = [actions.bind(owner, action_id, slot) for action_id, slot in slots.items()]

    def set_active(self, is_active: bool) -> None:
        """Whether the keys mean these tools now."""
        for key in self._keys:
            key.setEnabled(is_active)

    def show_mask(self, mask: Mask, colour: str) -> MaskLayer | None:
        """Put a mask on the image and draw on it from now on; None where no image is."""
        pixels, view = self._canvas.pixels, self._canvas.view
        if pixels is None or view is None:
            return None
        layer = MaskLayer(mask, colour)
        self._canvas.set_layers({"mask": layer})
        home_slice = self._canvas.home_slice
        self.tools.take(mask, pixels.display_u8(view.slice_index if home_slice is None else home_slice), layer)
        return layer

    def show_steps(self, *, can_undo: bool, can_redo: bool) -> None:
        """Whether there is something to take back or to make again."""
        self._undo.setEnabled(can_undo)
        self._redo.setEnabled(can_redo)

    def _add(self, action_id: str, slot: Callable[[], object]) -> QToolButton:
        made = QToolButton()
        made.setIcon(icon(self._actions.get(action_id).icon))
        made.setIconSize(QSize(self._button_px - 15, self._button_px - 15))
        made.setFixedSize(self._button_px, self._button_px)
        made.clicked.connect(lambda _checked=False: slot())
        self._actions.decorate(made, action_id)
        self._layout.addWidget(made)
        return made

    def _show_tool(self, tool: Tool) -> None:
        for which, made in self._buttons.items():
            made.setChecked(which is tool)
