"""A live curve plot in the colours of the reading room."""

from __future__ import annotations

import math

import pyqtgraph
from PySide6.QtWidgets import QWidget

from app.theme import COLOURS

CURVE_COLOURS = ("#56B4E9", "#E69F00", "#3CC59B", "#CC79A7", "#F0E442", "#F28A5B")


class CurvePlot(pyqtgraph.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Named curves over one x axis; points are added as they come. is_share: y goes from 0 to 1, high is good."""

    def __init__(self, x_name: str, y_name: str, parent: QWidget | None = None, *, is_share: bool = False) -> None:
        super().__init__(parent, background=COLOURS.panel)
        self._points: dict[str, tuple[list[float], list[float]]] = {}
        self._curves: dict[str, pyqtgraph.PlotDataItem] = {}
        item = self.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        item.showGrid(x=True, y=True, alpha=0.12)
        # Where the curves rarely are: losses fall, shares rise.
        self._legend = item.addLegend(offset=(-10, -10) if is_share else (-10, 10), labelTextColor=COLOURS.muted)
        if is_share:
            self.setYRange(0, 1)
        for side, text in (("bottom", x_name), ("left", y_name)):
            axis = item.getAxis(side)
            axis.setPen(COLOURS.line)
            axis.setTextPen(COLOURS.muted)
            axis.setLabel(text, color=COLOURS.muted)
        self.setMouseEnabled(x=False, y=False)

    def clear_curves(self) -> None:
        """Begin again."""
        for name in list(self._curves):
            self.removeItem(self._curves.pop(name))
        self._points.clear()
        self._legend.clear()

    def add(self, name: str, x: float, y: float) -> None:
        """One more point of a curve; not a number is passed over."""
        if not (math.isfinite(x) and math.isfinite(y)):
            return
        if name not in self._curves:
            colour = CURVE_COLOURS[len(self._curves) % len(CURVE_COLOURS)]
            self._curves[name] = self.plot([], [], name=name, pen=pyqtgraph.mkPen(colour, width=2))
            self._points[name] = ([], [])
        xs, ys = self._points[name]
        xs.append(x)
        ys.append(y)

    def refresh(self) -> None:
        """Draw what came since; called a few times a second, not for each point."""
        for name, (xs, ys) in self._points.items():
            symbol = "o" if len(xs) < 30 else None
            self._curves[name].setData(
                xs, ys, symbol=symbol, symbolSize=5, symbolBrush=self._curves[name].opts["pen"].color()
            )

    def n_points(self, name: str) -> int:
        """How many points a curve has."""
        return len(self._points.get(name, ([], []))[0])
