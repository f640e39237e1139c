"""Over the image while a reviewer edits a mask: the tools of the correct screen, save and drop."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QWidget

from app.actions import ActionRegistry
from app.texts import tr
from app.widgets.image_canvas import ImageCanvas
from app.widgets.plain import button, label
from app.widgets.stroke_tools import Tool
from app.widgets.tool_strip import ToolStrip
from workflows.mask_editing import Mask
from workflows.review_edit import ReviewEdit


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
        self._strip = ToolStrip(
            owner,
            canvas,
            actions,
            direction=QBoxLayout.Direction.LeftToRight,
            button_px=34,
            undo=self.undo,
            redo=self.redo,
            accept=self.save,
            step_back=self.step_back,
        )
        self.tools = self._strip.tools
        self.tools.changed.connect(self._on_changed)
        line = QHBoxLayout(self)
        line.setContentsMargins(12, 6, 12, 6)
        line.setSpacing(6)
        self._words = label("", "muted")
        line.addWidget(self._words)
        line.addSpacing(8)
        line.addWidget(self._strip)
        line.addStretch(1)
        drop = button(tr("Drop"), self.drop, icon_name="close")
        drop.setToolTip(tr("Leave the mask as it was"))
        self._save = button(tr("Save version"), self.save, role="primary", icon_name="check")
        self._save.setToolTip(tr("Save as a new version  ({keys})").format(keys=actions.shown_keys("correct.accept")))
        line.addWidget(drop)
        line.addWidget(self._save)
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
        self.tools.drop()
        self._canvas.set_brush(None)
        self._set_active(False)

    def _set_active(self, is_active: bool) -> None:
        self.setVisible(is_active)
        self._strip.set_active(is_active)

    def _on_changed(self, after: Mask, _tool: str) -> None:
        if self.edit is not None:
            self.edit.change(after)
            self._show()

    def _show(self) -> None:
        if self.edit is not None:
            self._strip.show_mask(self.edit.mask, self._colour)
            self._strip.show_steps(can_undo=self.edit.can_undo, can_redo=self.edit.can_redo)
