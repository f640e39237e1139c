"""What the chosen tool is called, how large it is, and how it is used."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSlider, QVBoxLayout, QWidget

from app.texts import tr
from app.widgets.plain import label
from app.widgets.stroke_tools import StrokeTools, Tool

_LARGEST_PX, _LARGEST_TOLERANCE = 120, 40


class ToolSettings(QWidget):
    """Follows the tools, and changes their size or tolerance."""

    def __init__(self, tools: StrokeTools) -> None:
        super().__init__()
        self._tools = tools
        self._title, self._words = label("", "heading"), label("", "small", wraps=True)
        self._size = QSlider(Qt.Orientation.Horizontal)
        self._size.setRange(1, _LARGEST_PX)
        self._size.valueChanged.connect(self._on_size_moved)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(9)
        for widget in (self._title, self._size, self._words):
            column.addWidget(widget)
        tools.tool_changed.connect(lambda _tool: self._show())
        tools.radius_changed.connect(lambda _radius: self._show())

    def _show(self) -> None:
        tool = self._tools.tool
        self._title.setText(tr(tool.value.capitalize()))
        is_round = tool in (Tool.BRUSH, Tool.ERASER)
        self._size.setVisible(tool is not Tool.POLYGON)
        self._size.blockSignals(True)
        self._size.setRange(1, _LARGEST_PX if is_round else _LARGEST_TOLERANCE)
        self._size.setValue(round(self._tools.radius if is_round else self._tools.tolerance))
        self._size.blockSignals(False)
        self._size.setAccessibleName(tr("Brush size") if is_round else tr("Colour tolerance"))
        words = {
            Tool.BRUSH: tr("Radius {n} px. Hold Ctrl to erase."),
            Tool.ERASER: tr("Radius {n} px."),
            Tool.POLYGON: tr("Click corners; Enter closes it. Hold Ctrl on the last to cut out."),
            Tool.SMART_FILL: tr("Click into a region of like colour. Tolerance {n}. Hold Ctrl to take away."),
        }[tool]
        self._words.setText(words.format(n=self._size.value()))

    def _on_size_moved(self, value: int) -> None:
        if self._tools.tool in (Tool.BRUSH, Tool.ERASER):
            self._tools.set_radius(float(value))
        else:
            self._tools.tolerance = float(value)
            self._show()
