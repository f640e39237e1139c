"""A live curve plot in the colours of the reading room, cheap enough to be painted beside a training at full load."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph
from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QFont, QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QGraphicsItem, QSizePolicy, QWidget

from app.theme import COLOURS
from app.widgets.curve_axis import Axis, count_axis, value_axis
from app.widgets.curve_points import CurvePoints, thinned

CURVE_COLOURS = ("#56B4E9", "#E69F00", "#3CC59B", "#CC79A7", "#F0E442", "#F28A5B")

_FEW = 30  # points that are marked by dots as well
_DOT_PX = 5
_GAP = 8
_FIRST_STEPS = 50  # the x axis shows at least these: a run that begins would change it with every other point
_TICK_PX = 90  # room for one tick of the x axis
_GRID = 0.7
_COLUMN_PX = 2  # points are thinned for columns of this width
_IN_A_LINE = 3  # names in the legend


class CurvePlot(pyqtgraph.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Named curves over one x axis; points are added as they come. is_share: y goes from 0 to 1, high is good.

    What stands still (axes, grid, legend) is kept as pictures, and ranges grow in steps, so that a new point costs
    little more than its curve.
    """

    def __init__(self, x_name: str, y_name: str, parent: QWidget | None = None, *, is_share: bool = False) -> None:
        self._curves: dict[str, _Curve] = {}
        self._is_share = is_share
        self._is_first_range = True
        self._length = 0
        self._x_axis, self._y_axis = count_axis(_FIRST_STEPS), Axis(0.0, 1.0)
        axes = {side: _AxisItem(side) for side in ("bottom", "left")}
        super().__init__(parent, background=COLOURS.panel, axisItems=axes)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 110)
        self.setAccessibleName(y_name)
        self.setMouseEnabled(x=False, y=False)
        self.setInteractive(False)  # nothing here is dragged or clicked, so nothing is searched for under the mouse
        item = self.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        item.disableAutoRange()
        item.showGrid(x=True, y=True, alpha=_GRID)
        ground = QColor(COLOURS.panel)
        ground.setAlphaF(0.75)
        # Where the curves rarely are: losses fall; above a share of 1 there is nothing, so a line is left for it there.
        self._legend = item.addLegend(
            offset=(-_GAP, 1) if is_share else (-_GAP, _GAP),
            pen=None,
            brush=ground,
            labelTextColor=COLOURS.muted,
            labelTextSize=f"{self._small_font().pixelSize()}px",
            verSpacing=-6,
        )
        font = self._small_font()
        for side, text in (("bottom", x_name), ("left", y_name)):
            axis = item.getAxis(side)
            axis.setZValue(-1)  # the grid lies below the curves
            axis.setPen(COLOURS.line)
            axis.setTickPen(COLOURS.line)
            axis.setTextPen(COLOURS.muted)
            axis.enableAutoSIPrefix(False)
            axis.setStyle(tickFont=font, tickLength=0)
            axis.setLabel(text, color=COLOURS.muted, **{"font-size": f"{font.pixelSize()}px"})
            _keep_as_picture(axis)
            _keep_as_picture(axis.label)
        metrics = QFontMetrics(font)
        # Room for half of the last number on the right, and half of the highest on top.
        right = metrics.horizontalAdvance("00\u202f000") // 2 + _GAP
        item.layout.setContentsMargins(2, metrics.height() // 2 + 2, right, 2)
        self._show_x_range()
        self._show_y_range()

    def sizeHint(self) -> QSize:
        return QSize(480, 280)

    def clear_curves(self) -> None:
        """Begin again."""
        for curve in self._curves.values():
            self.removeItem(curve.line)
            self.removeItem(curve.dots)
        self._curves.clear()
        self._legend.clear()
        self._length = 0
        self._follow()

    def set_length(self, n_steps: int) -> None:
        """How long the run will be: the x axis shows all of it from the beginning."""
        if n_steps > 0 and n_steps != self._length:
            self._length = n_steps
            self._x_axis = Axis(0.0, float(n_steps))
            self._show_x_range()
            for curve in self._curves.values():
                curve.n_drawn = 0

    def add(self, name: str, x: float, y: float, *, colour: str = "") -> None:
        """One more point of a curve, which may have a colour of its own; not a number is passed over."""
        if not (math.isfinite(x) and math.isfinite(y)):
            return
        if name not in self._curves:
            curve = self._curves[name] = _Curve(colour or CURVE_COLOURS[len(self._curves) % len(CURVE_COLOURS)])
            self.addItem(curve.line)
            self.addItem(curve.dots)
            self._legend.addItem(curve.sample, name)
            if self._is_share:
                self._legend.setColumnCount(min(len(self._curves), _IN_A_LINE))
                self._show_y_range()
            for sample, label in self._legend.items[-1:]:
                _keep_as_picture(sample)
                _keep_as_picture(label.item)
        self._curves[name].points.add(x, y)

    def has_news(self) -> bool:
        """Whether points came since the last refresh."""
        return any(curve.has_news for curve in self._curves.values())

    def refresh(self) -> None:
        """Draw what came since; called a few times a second, not for each point."""
        news = [curve for curve in self._curves.values() if curve.has_news]
        if news:
            self._follow()
        for curve in news:
            curve.draw(self._x_axis, self.getViewBox().width() * self.devicePixelRatioF())

    def n_points(self, name: str) -> int:
        """How many points a curve was given."""
        return self._curves[name].points.n_added if name in self._curves else 0

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # A view is given a size while it is made, and another one while it is taken apart.
        if hasattr(self, "_legend") and self.getPlotItem() is not None:
            self._show_x_range()
            self._show_y_range()
            for curve in self._curves.values():
                curve.n_drawn = 0  # the pixels that points were thinned for are others now
            self.refresh()

    # ranges

    def _follow(self) -> None:
        """Other ranges where the points have left those that are shown."""
        curves = [curve.points for curve in self._curves.values()]
        last = max((points.last_x for points in curves), default=0.0)
        if not (curves and self._x_axis.holds(0, last)):
            is_known = self._length > 0 and last <= self._length
            self._x_axis = Axis(0.0, float(self._length)) if is_known else count_axis(max(last, _FIRST_STEPS))
            self._show_x_range()
        # From zero, so that a loss that falls stays in its range.
        low, high = min((c.low for c in curves), default=0.0), max((c.high for c in curves), default=-math.inf)
        low = min(low, 0.0)
        if not self._is_share and (self._is_first_range or not self._y_axis.holds(low, high)):
            self._y_axis = value_axis(low, high)
            self._show_y_range()
        self._is_first_range = not curves

    def _show_x_range(self) -> None:
        axis, x_axis = self.getPlotItem().getAxis("bottom"), self._x_axis
        axis.setHeight(2 * QFontMetrics(self._small_font()).height() + _GAP)
        axis.setTicks([x_axis.ticks(max(2, self.width() // _TICK_PX))])
        self.getViewBox().setXRange(x_axis.low, x_axis.high, padding=0)

    def _show_y_range(self) -> None:
        axis, y_axis = self.getPlotItem().getAxis("left"), self._y_axis
        metrics = QFontMetrics(self._small_font())
        ticks = y_axis.ticks(max(2, min(7, round(self.height() / (2.8 * metrics.height())))))
        widest = max(metrics.horizontalAdvance(text) for text in ("0.00", *(text for _, text in ticks)))
        axis.setWidth(widest + metrics.height() + 2 * _GAP)
        axis.setTicks([ticks])
        above = 0.0
        if self._is_share and self._curves:
            room = self._legend.boundingRect().height() + _GAP / 2
            above = room / max(room, self.getViewBox().height() - room)
        self.getViewBox().setYRange(y_axis.low, y_axis.high + above * (y_axis.high - y_axis.low), padding=0)

    def _small_font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(max(9, round(self.fontInfo().pixelSize() * 0.9)))
        return font


class _Curve:
    """Points, and what shows them: a line, and dots while they are few."""

    def __init__(self, colour: str) -> None:
        self.points = CurvePoints()
        self.n_drawn = 0
        """How many points had been given when it was drawn."""
        # Qt draws a line of one pixel many times as fast as a wider one, so it is drawn twice to be as bright.
        self._pen = pyqtgraph.mkPen(colour, width=1)
        self.line = pyqtgraph.PlotCurveItem(pen=self._pen, shadowPen=self._pen, antialias=True, skipFiniteCheck=True)
        self.sample = pyqtgraph.PlotCurveItem(pen=pyqtgraph.mkPen(colour, width=2))
        """What the legend shows."""
        self.dots = pyqtgraph.ScatterPlotItem(size=_DOT_PX, pen=None, brush=QColor(colour))

    @property
    def has_news(self) -> bool:
        return self.n_drawn != self.points.n_added

    def draw(self, x_axis: Axis, width_px: float) -> None:
        """All points, at most four in each two columns of pixels."""
        self.n_drawn = self.points.n_added
        xs, ys = self.points.arrays()
        n_columns = max(width_px / _COLUMN_PX, 1)
        columns = ((xs - x_axis.low) * (n_columns / (x_axis.high - x_axis.low))).astype(np.int64)
        is_dense = len(xs) > 4 * (int(columns[-1]) - int(columns[0]) + 1)
        if is_dense:
            xs, ys = thinned(xs, ys, columns)
        # Where strokes lie side by side they are bright enough without being drawn twice.
        self.line.setData(xs, ys, skipFiniteCheck=True, shadowPen=None if is_dense else self._pen)
        if len(self.points) < _FEW:
            self.dots.setData(xs, ys)
        self.dots.setVisible(len(self.points) < _FEW)


class _AxisItem(pyqtgraph.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """An axis with a grid whose first and last numbers are written as well, although they stand out at its ends."""

    def boundingRect(self) -> QRectF:
        rect: QRectF = super().boundingRect()
        return (
            rect.adjusted(0, -_TICK_PX / 4, 0, _TICK_PX / 4)
            if self.orientation == "left"
            else rect.adjusted(-_TICK_PX / 2, 0, _TICK_PX / 2, 0)
        )


def _keep_as_picture(item: QGraphicsItem) -> None:
    item.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
