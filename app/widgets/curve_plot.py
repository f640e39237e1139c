"""A live curve plot in the colours of the reading room, cheap enough to be painted beside a training at full load."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import COLOURS
from app.widgets.curve_axis import Axis, count_axis, value_axis
from app.widgets.curve_points import CurvePoints, Points, thinned

CURVE_COLOURS = ("#56B4E9", "#E69F00", "#3CC59B", "#CC79A7", "#F0E442", "#F28A5B")

_FEW = 30  # points that are marked by dots as well
_DOT_PX = 2.5
_WIDTH_PX = 1.6
_GAP = 8
_TICK_PX = 90  # room for one tick of the x axis


class CurvePlot(QWidget):
    """Named curves over one x axis; points are added as they come. is_share: y goes from 0 to 1, high is good.

    Everything is drawn once into a picture; a new point adds its piece of line to it. Only a new size or range, which
    grows in steps, draws the whole picture again.
    """

    def __init__(self, x_name: str, y_name: str, parent: QWidget | None = None, *, is_share: bool = False) -> None:
        super().__init__(parent)
        self._x_name, self._y_name = x_name, y_name
        self._is_share = is_share
        self._curves: dict[str, CurvePoints] = {}
        self._drawn: dict[str, int] = {}
        """How many points of each curve are in the picture."""
        self._x_axis, self._y_axis = Axis(0.0, 1.0), Axis(0.0, 1.0)
        self._area = QRectF()
        self._picture: QPixmap | None = None
        self._legend: QPixmap | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 110)
        self.setAccessibleName(y_name)

    def sizeHint(self) -> QSize:
        return QSize(480, 280)

    def clear_curves(self) -> None:
        """Begin again."""
        self._curves.clear()
        self._drawn.clear()
        self._legend = None
        self._draw_again()

    def add(self, name: str, x: float, y: float) -> None:
        """One more point of a curve; not a number is passed over."""
        if not (math.isfinite(x) and math.isfinite(y)):
            return
        if name not in self._curves:
            self._curves[name] = CurvePoints()
            self._drawn[name] = 0
            self._legend = None
        if self._curves[name].add(x, y):
            self._picture = None  # the points that are left have other numbers

    def refresh(self) -> None:
        """Draw what came since; called a few times a second, not for each point."""
        new = [name for name, points in self._curves.items() if len(points) > self._drawn[name]]
        if self._picture is None or not self._is_in_range() or any(self._loses_dots(name) for name in new):
            self._draw_again()
        elif new:
            painter = self._painter(self._picture)
            for name in new:
                self._draw_curve(painter, name)
            painter.end()
            self.update()

    def n_points(self, name: str) -> int:
        """How many points a curve was given."""
        return self._curves[name].n_added if name in self._curves else 0

    def paintEvent(self, _event: QPaintEvent) -> None:
        scale = self.devicePixelRatioF()
        picture = self._picture
        if picture is None or picture.deviceIndependentSize().toSize() != self.size():
            picture = self._picture = self._drawn_picture(scale)
        if self._legend is None:
            self._legend = self._drawn_legend(scale)
        painter = QPainter(self)
        painter.drawPixmap(0, 0, picture)
        size = self._legend.deviceIndependentSize()
        # Where the curves rarely are: losses fall, shares rise.
        top = self._area.bottom() - size.height() - _GAP if self._is_share else self._area.top() + _GAP
        painter.drawPixmap(QPointF(self._area.right() - size.width() - _GAP, top), self._legend)
        painter.end()

    # ranges

    def _draw_again(self) -> None:
        self._picture = None
        self.update()

    def _extremes(self) -> tuple[float, float, float]:
        curves = self._curves.values()
        low, high = min((c.low for c in curves), default=math.inf), max((c.high for c in curves), default=-math.inf)
        return max((c.last_x for c in curves), default=0.0), low, high

    def _is_in_range(self) -> bool:
        last, low, high = self._extremes()
        return self._x_axis.holds(0, last) and (self._is_share or low > high or self._y_axis.holds(low, high))

    def _loses_dots(self, name: str) -> bool:
        return self._drawn[name] < _FEW <= len(self._curves[name])

    # drawing

    def _drawn_picture(self, scale: float) -> QPixmap:
        last, low, high = self._extremes()
        self._x_axis = count_axis(last)
        self._y_axis = Axis(0.0, 1.0) if self._is_share else value_axis(low, high)
        picture = QPixmap(self.size() * scale)
        picture.setDevicePixelRatio(scale)
        picture.fill(QColor(COLOURS.panel))
        self._draw_axes(picture)
        painter = self._painter(picture)
        for name in self._curves:
            self._drawn[name] = 0
            self._draw_curve(painter, name)
        painter.end()
        return picture

    def _painter(self, picture: QPixmap) -> QPainter:
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRect(self._area.adjusted(0, -_DOT_PX, _DOT_PX, _DOT_PX))
        return painter

    def _draw_curve(self, painter: QPainter, name: str) -> None:
        """The piece from the last point that is drawn already."""
        points, done = self._curves[name], self._drawn[name]
        xs, ys = self._placed(*points.arrays(max(0, done - 1)))
        self._drawn[name] = len(points)
        columns = (xs * self.devicePixelRatioF()).astype(np.int64)
        if len(xs) > 4 * (int(columns[-1]) - int(columns[0]) + 1):
            xs, ys = thinned(xs, ys, columns)
        colour = QColor(self._colour(name))
        places = [QPointF(x, y) for x, y in zip(xs.tolist(), ys.tolist(), strict=True)]
        line = QPolygonF(places)
        # Flat ends: pieces that meet must not overlap, where a line would be brighter.
        pen = QPen(colour, 1, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap)
        pen.setCosmetic(True)
        painter.setPen(pen)
        # Qt draws a line of one pixel fifty times as fast as a wider one, so a wider one is made of several.
        scale = self.devicePixelRatioF()
        n_lines = math.ceil((_WIDTH_PX - 1) * scale) + 1
        for shift in np.linspace(-0.5, 0.5, n_lines) * (_WIDTH_PX - 1):
            painter.drawPolyline(line.translated(shift, shift))
        if len(points) < _FEW:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            for place in places:
                painter.drawEllipse(place, _DOT_PX, _DOT_PX)

    def _placed(self, xs: Points, ys: Points) -> tuple[Points, Points]:
        area, x_axis, y_axis = self._area, self._x_axis, self._y_axis
        return (
            area.left() + (xs - x_axis.low) * (area.width() / (x_axis.high - x_axis.low)),
            area.bottom() - (ys - y_axis.low) * (area.height() / (y_axis.high - y_axis.low)),
        )

    def _draw_axes(self, picture: QPixmap) -> None:
        font = self._small_font()
        metrics = QFontMetrics(font)
        line = metrics.height()
        y_ticks = self._y_axis.ticks(max(2, min(7, round(self.height() / (2.8 * line)))))
        widest = max(metrics.horizontalAdvance(text) for text in ("0.00", *(text for _, text in y_ticks)))
        left, right = line + widest + 2 * _GAP, metrics.horizontalAdvance("00\u202f000") // 2 + _GAP
        # Whole pixels, so that the lines of the grid are sharp.
        area = QRect(QPoint(left, line), QPoint(self.width() - right, self.height() - 2 * line - _GAP - 4))
        self._area = QRectF(area)
        x_ticks = self._x_axis.ticks(max(2, area.width() // _TICK_PX))
        painter = QPainter(picture)
        painter.setFont(font)
        grid, ink = QColor(COLOURS.line), QColor(COLOURS.muted)
        grid.setAlphaF(0.7)
        middle = Qt.AlignmentFlag.AlignCenter
        for value, text in x_ticks:
            x = round(float(self._placed(np.array([value]), np.zeros(1))[0][0]))
            painter.setPen(grid)
            painter.drawLine(x, area.top(), x, area.bottom())
            painter.setPen(ink)
            painter.drawText(QRect(x - _TICK_PX, area.bottom() + 4, 2 * _TICK_PX, line), middle, text)
        for value, text in y_ticks:
            y = round(float(self._placed(np.zeros(1), np.array([value]))[1][0]))
            painter.setPen(grid)
            painter.drawLine(area.left(), y, area.right(), y)
            painter.setPen(ink)
            place = QRect(0, y - line, left - _GAP, 2 * line)
            painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        painter.drawText(QRect(area.left(), self.height() - line - 2, area.width(), line), middle, self._x_name)
        painter.translate(0, self.height())
        painter.rotate(-90)
        beside = QRect(0, 2, self.height(), line)
        if metrics.horizontalAdvance(self._y_name) < area.height():
            beside = QRect(self.height() - area.bottom(), 2, area.height(), line)
        words = metrics.elidedText(self._y_name, Qt.TextElideMode.ElideRight, beside.width())
        painter.drawText(beside, middle, words)
        painter.end()

    def _drawn_legend(self, scale: float) -> QPixmap:
        font = self._small_font()
        metrics = QFontMetrics(font)
        line = metrics.height() + 3
        width = 26 + max((metrics.horizontalAdvance(name) for name in self._curves), default=0) + _GAP
        picture = QPixmap(QSize(width, line * max(1, len(self._curves)) + 4) * scale)
        picture.setDevicePixelRatio(scale)
        ground = QColor(COLOURS.panel)
        ground.setAlphaF(0.75)
        picture.fill(ground if self._curves else Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setFont(font)
        for number, name in enumerate(self._curves):
            top = 2 + number * line
            painter.fillRect(QRect(_GAP // 2, top + line // 2 - 1, 16, 2), QColor(self._colour(name)))
            painter.setPen(QColor(COLOURS.muted))
            painter.drawText(QRect(26, top, width - 26, line), Qt.AlignmentFlag.AlignVCenter, name)
        painter.end()
        return picture

    def _small_font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(max(9, round(self.fontInfo().pixelSize() * 0.9)))
        return font

    def _colour(self, name: str) -> str:
        return CURVE_COLOURS[list(self._curves).index(name) % len(CURVE_COLOURS)]
