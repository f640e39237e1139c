"""One dot per image in columns: pairs or people side by side, the median as a line, outliers as triangles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.theme import COLOURS
from app.widgets.curve_plot import CURVE_COLOURS

JITTER = 0.22


@dataclass(frozen=True)
class Dot:
    """One measured value: which column, what it belongs to, and whether it lies apart from the others."""

    column: str
    image_id: str
    value: float
    is_outlier: bool = False


class DotPlot(pyqtgraph.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Columns of dots; a click on one says which image it is."""

    picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=COLOURS.panel)
        self.dots: list[Dot] = []
        item = self.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        item.showGrid(x=False, y=True, alpha=0.12)
        for side in ("bottom", "left"):
            axis = item.getAxis(side)
            axis.setPen(COLOURS.line)
            axis.setTextPen(COLOURS.muted)
            axis.setTicks([[]])  # nothing is measured yet
        self.setMouseEnabled(x=False, y=False)
        self._points = pyqtgraph.ScatterPlotItem(hoverable=True, hoverSize=13, tip=_tip, pxMode=True)
        self._points.sigClicked.connect(self._on_clicked)
        self.addItem(self._points)
        self._medians: list[pyqtgraph.PlotDataItem] = []

    def show_dots(self, dots: Sequence[Dot], unit: str, *, top: float | None = None) -> None:
        """Draw these; `top` is the highest value there can be, where there is one. What is not finite is left out."""
        self.dots = [dot for dot in dots if math.isfinite(dot.value)]
        for median in self._medians:
            self.removeItem(median)
        self._medians = []
        columns = list(dict.fromkeys(dot.column for dot in self.dots))
        # The same image always lies at the same place in its column, so that a second look finds it again.
        spots = [
            {
                "pos": (columns.index(dot.column) + _jitter(dot.image_id), dot.value),
                "data": dot,
                "symbol": "t1" if dot.is_outlier else "o",
                "size": 12 if dot.is_outlier else 8,
                "brush": pyqtgraph.mkBrush(
                    COLOURS.warn if dot.is_outlier else CURVE_COLOURS[columns.index(dot.column) % len(CURVE_COLOURS)]
                ),
                "pen": pyqtgraph.mkPen(COLOURS.panel),
            }
            for dot in self.dots
        ]
        self._points.setData(spots)
        for place, column in enumerate(columns):
            median = float(np.median([dot.value for dot in self.dots if dot.column == column]))
            self._medians.append(
                self.plot([place - 0.34, place + 0.34], [median, median], pen=pyqtgraph.mkPen(COLOURS.text, width=2))
            )
        item = self.getPlotItem()
        item.getAxis("bottom").setTicks([list(enumerate(columns))])
        item.getAxis("left").setTicks(None)
        item.getAxis("left").setLabel(unit, color=COLOURS.muted)
        self.setXRange(-0.6, max(len(columns) - 0.4, 0.6), padding=0)
        values = [dot.value for dot in self.dots] or [0.0, 1.0]
        low, high = min(0.0, *values), max(values) if top is None else top
        self.setYRange(low, high if high > low else low + 1, padding=0.04)

    def _on_clicked(self, _item: object, points: Sequence[pyqtgraph.SpotItem], *_event: object) -> None:
        if len(points):
            self.picked.emit(points[0].data().image_id)


def _tip(x: float, y: float, data: Dot) -> str:
    return f"{data.image_id}\n{data.column}: {data.value:.3g}"


def _jitter(image_id: str) -> float:
    number = int.from_bytes(image_id.encode()[-4:], "little") * 2654435761 % 2**32
    return (number / 2**32 - 0.5) * 2 * JITTER
