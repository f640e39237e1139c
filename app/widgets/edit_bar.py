"""Over the image while a reviewer edits a mask: the tools of the correct screen, save and drop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from app.actions import ActionRegistry
from app.texts import tr
from app.theme import icon
from app.widgets.image_canvas import ImageCanvas
from app.widgets.layers import MaskLayer
from app.widgets.plain import button, label
from app.widgets.stroke_tools import StrokeTools, Tool
from workflows.mask_editing import Mask
from workflows.review_edit import ReviewEdit

TOOLS = (
    (Tool.BRUSH, "correct.brush"),
    (Tool.ERASER, "correct.eraser"),
    (Tool.POLYGON, "correct.polygon"),
    (Tool.SMART_FILL, "correct.smart_fill"),
)


class EditBar(QFrame):
    """Begins with `start`, ends with `saved` or `dropped`; its keys work only in between."""

    saved = Signal()
    dropped = Signal()

    def __init__(self, owner: QWidget, canvas: ImageCanvas, actions: ActionRegistry) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.setFixedHeight(52)
        self._canvas = canvas
        self._colour = ""
        self.edit: ReviewEdit | None = None
        self.tools = StrokeTools(canvas)
        self.tools.changed.connect(self._on_changed)
        self.tools.tool_changed.connect(self._show_tool)
        line = QHBoxLayout(self)
        line.setContentsMargins(12, 6, 12, 6)
        line.setSpacing(6)
        self._words = label("", "muted")
        line.addWidget(self._words)
        line.addSpacing(8)
        self._tool_buttons: dict[Tool, QToolButton] = {}
        for tool, action_id in TOOLS:
            made = self._strip_button(actions, action_id, partial(self.tools.choose, tool))
            made.setCheckable(True)
            self._tool_buttons[tool] = made
            line.addWidget(made)
        line.addWidget(self._strip_button(actions, "correct.fill_holes", self.tools.fill_holes))
        line.addSpacing(8)
        self._undo = self._strip_button(actions, "correct.undo", self.undo)
        self._redo = self._strip_button(actions, "correct.redo", self.redo)
        line.addWidget(self._undo)
        line.addWidget(self._redo)
        line.addStretch(1)
        drop = button(tr("Drop"), self.drop, icon_name="close")
        drop.setToolTip(tr("Leave the mask as it was"))
        self._save = button(tr("Save version"), self.save, role="primary", icon_name="check")
        self._save.setToolTip(tr("Save as a new version  ({keys})").format(keys=actions.shown_keys("correct.accept")))
        line.addWidget(drop)
        line.addWidget(self._save)
        self._keys = self._bind(owner, actions)
        self._set_active(False)

    @property
    def is_active(self) -> bool:
        """Whether a mask is being edited."""
        return self.edit is not None

    def start(self, edit: ReviewEdit, words: str, colour: str) -> None:
        """Edit this mask from now on."""
        self.edit, self._colour = edit, colour
        self._words.setText(words)
        self._set_active(True)
        self.tools.choose(Tool.BRUSH)
        self._show()

    def undo(self) -> None:
        """Take the last stroke back."""
        if self.edit is not None and self.edit.undo():
            self._show()

    def redo(self) -> None:
        """Make the last undone stroke again."""
        if self.edit is not None and self.edit.redo():
            self._show()

    def save(self) -> None:
        """Hand the edit over; where nothing was changed, nothing is stored."""
        if self.edit is not None:
            (self.saved if self.edit.is_changed else self.dropped).emit()

    def drop(self) -> None:
        """Forget the whole edit; the version it began from stays as it was."""
        self.dropped.emit()

    def step_back(self) -> None:
        """Forget the polygon being drawn; leave where nothing was changed. A key alone never drops work."""
        if self.tools.has_polygon:
            self.tools.drop_polygon()
        elif self.edit is not None and not self.edit.is_changed:
            self.dropped.emit()

    def stop(self) -> None:
        """No more editing."""
        self.edit = None
        self.tools.drop_polygon()
        self.tools.is_enabled = False
        self._canvas.set_brush(None)
        self._set_active(False)

    def _bind(self, owner: QWidget, actions: ActionRegistry) -> list[QAction]:
        bound = [actions.bind(owner, action_id, partial(self.tools.choose, tool)) for tool, action_id in TOOLS]
        slots: dict[str, Callable[[], object]] = {
            "correct.fill_holes": self.tools.fill_holes,
            "correct.smaller": lambda: self.tools.set_radius(self.tools.radius / 1.2),
            "correct.larger": lambda: self.tools.set_radius(self.tools.radius * 1.2),
            "correct.close_polygon": self.tools.close_polygon,
            "correct.drop_polygon": self.step_back,
            "correct.undo": self.undo,
            "correct.redo": self.redo,
            "correct.accept": self.save,
        }
        return bound + [actions.bind(owner, action_id, slot) for action_id, slot in slots.items()]

    def _strip_button(self, actions: ActionRegistry, action_id: str, slot: Callable[[], object]) -> QToolButton:
        made = QToolButton()
        made.setIcon(icon(actions.get(action_id).icon))
        made.setIconSize(QSize(20, 20))
        made.setFixedSize(34, 34)
        made.clicked.connect(lambda _checked=False: slot())
        actions.decorate(made, action_id)
        return made

    def _set_active(self, is_active: bool) -> None:
        self.setVisible(is_active)
        for key in self._keys:
            key.setEnabled(is_active)

    def _on_changed(self, after: Mask, _tool: str) -> None:
        if self.edit is not None:
            self.edit.change(after)
            self._show()

    def _show(self) -> None:
        pixels, view = self._canvas.pixels, self._canvas.view
        if self.edit is None or pixels is None or view is None:
            return
        layer = MaskLayer(self.edit.mask, self._colour)
        self._canvas.set_layers({"mask": layer})
        self.tools.take(self.edit.mask, pixels.display_u8(view.slice_index), layer)
        self._undo.setEnabled(self.edit.can_undo)
        self._redo.setEnabled(self.edit.can_redo)

    def _show_tool(self, tool: Tool) -> None:
        for which, made in self._tool_buttons.items():
            made.setChecked(which is tool)
