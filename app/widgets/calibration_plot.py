"""The screen in small with every calibration and validation point: offsets as arrows, numbers on hover."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.texts import tr
from app.theme import COLOURS
from calibration.target import PointSamples
from domain.calibration import Point, PointQuality
from workflows.calibrate import ReviewedAttempt

LEFT_COLOUR, RIGHT_COLOUR = "#56B4E9", "#E69F00"
"""Wong's palette; the left eye is also a disc and the right eye a square."""
MAGNIFY = 3.0
HOVER_PX = 26.0


@dataclass(frozen=True)
class _Spot:
    at: QPointF
    point: Point
    words: str
    index: int


class CalibrationPlot(QWidget):
    """Shows one attempt. `point_chosen` says which calibration point was clicked."""

    point_chosen = Signal(int)

    def __init__(self, *, aspect: float, norm_per_deg: tuple[float, float]) -> None:
        super().__init__()
        self._aspect = aspect
        self._norm_per_deg = norm_per_deg
        self._reviewed: ReviewedAttempt | None = None
        self._shows_validation = True
        self._chosen = -1
        self._spots: list[_Spot] = []
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(QSize(420, 260))

    def show_attempt(self, reviewed: ReviewedAttempt, *, validation: bool) -> None:
        """Show this attempt's validation, or what the tracker used of its calibration points."""
        self._reviewed = reviewed
        self._shows_validation = validation
        self._spots = []
        self.update()

    def choose(self, index: int) -> None:
        """Mark a calibration point as the one to repeat."""
        self._chosen = index
        self.update()

    @property
    def spots(self) -> list[tuple[Point, str]]:
        """Each point with what its hover says."""
        return [(spot.point, spot.words) for spot in self._spots]

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = self._box()
        painter.fillRect(self.rect(), QColor(COLOURS.ground))
        painter.setPen(QPen(QColor(COLOURS.line), 1))
        painter.setBrush(QColor("#000000"))
        painter.drawRect(box)
        self._spots = []
        painter.setClipRect(box.adjusted(1, 1, -1, -1))
        if self._reviewed is not None:
            if self._shows_validation:
                self._paint_validation(painter, box)
            else:
                self._paint_calibration(painter, box)
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        spot = self._near(event.position())
        if spot is not None:
            QToolTip.showText(event.globalPosition().toPoint(), spot.words, self)
        else:
            QToolTip.hideText()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        spot = self._near(event.position())
        if spot is not None and spot.index >= 0:
            self.point_chosen.emit(spot.index)

    # painting

    def _box(self) -> QRectF:
        width = min(self.width() - 2.0, (self.height() - 2.0) * self._aspect)
        box = QRectF(0, 0, width, width / self._aspect)
        box.moveCenter(QPointF(self.width() / 2, self.height() / 2))
        return box

    def _place(self, box: QRectF, point: Point) -> QPointF:
        return QPointF(box.left() + point[0] * box.width(), box.top() + point[1] * box.height())

    def _paint_validation(self, painter: QPainter, box: QRectF) -> None:
        validation = self._reviewed.validation if self._reviewed else None
        if validation is None:
            painter.setPen(QColor(COLOURS.muted))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, tr("This attempt was not validated."))
            return
        degree = self._norm_per_deg[0] * box.width() * MAGNIFY
        for number, target in enumerate(dict.fromkeys(point.target_norm for point in validation.points), start=1):
            at = self._place(box, target)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(COLOURS.line), 1, Qt.PenStyle.DashLine))
            painter.drawEllipse(at, degree, degree)
            self._paint_bull(painter, at)
            found = [validation.point(target, eye) for eye in ("left", "right")]
            for quality in found:
                self._paint_offset(painter, at, quality, degree)
            words = "\n".join([tr("Validation point {n}").format(n=number), *(quality_words(q) for q in found)])
            self._spots.append(_Spot(at, target, words, -1))
        self._paint_legend(painter, box, tr("dashed ring: 1°, offsets drawn {n:g} times").format(n=MAGNIFY))

    def _paint_calibration(self, painter: QPainter, box: QRectF) -> None:
        reviewed = self._reviewed
        if reviewed is None:
            return
        for index, verdict in enumerate(reviewed.attempt.verdicts):
            at = self._place(box, verdict.point)
            if index == self._chosen:
                painter.setPen(QPen(QColor(COLOURS.accent), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(at, 24, 24)
            samples = reviewed.attempt.result.at(verdict.point)
            words = [tr("Calibration point {n}").format(n=index + 1)]
            if samples is not None:
                self._paint_samples(painter, box, verdict.point, samples)
                (used_l, used_r), (un_l, un_r) = samples.n_used(), samples.n_unused()
                words.append(tr("left eye: {used} samples used, {unused} not").format(used=used_l, unused=un_l))
                words.append(tr("right eye: {used} samples used, {unused} not").format(used=used_r, unused=un_r))
            self._paint_bull(painter, at, is_bad=not verdict.is_ok)
            if not verdict.is_ok:
                words.append(tr("failed: {why}").format(why=verdict.reason or tr("no data")))
                painter.setPen(QColor(COLOURS.bad))
                painter.drawText(QRectF(at.x() - 90, at.y() + 12, 180, 18), Qt.AlignmentFlag.AlignCenter, tr("failed"))
            if verdict.n_tries > 1:
                words.append(tr("shown {n} times").format(n=verdict.n_tries))
            self._spots.append(_Spot(at, verdict.point, "\n".join(words), index))
        self._paint_legend(
            painter,
            box,
            tr("filled: used, hollow: not used, drawn {n:g} times as far; click a point to repeat it").format(
                n=MAGNIFY
            ),
        )

    def _paint_bull(self, painter: QPainter, at: QPointF, *, is_bad: bool = False) -> None:
        colour = QColor(COLOURS.bad if is_bad else COLOURS.text)
        painter.setPen(QPen(colour, 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if is_bad:
            painter.drawLine(at + QPointF(-6, -6), at + QPointF(6, 6))
            painter.drawLine(at + QPointF(-6, 6), at + QPointF(6, -6))
        else:
            painter.drawEllipse(at, 6, 6)

    def _paint_offset(self, painter: QPainter, at: QPointF, quality: PointQuality, degree: float) -> None:
        is_left = quality.eye == "left"
        colour = QColor(LEFT_COLOUR if is_left else RIGHT_COLOUR)
        if not quality.has_data:
            painter.setPen(colour)
            words = tr("no left eye") if is_left else tr("no right eye")
            side = -1 if is_left else 1
            painter.drawText(QRectF(at.x() - 50 + 52 * side, at.y() + 10, 100, 18), Qt.AlignmentFlag.AlignCenter, words)
            return
        end = at + QPointF(quality.offset_x_deg * degree, quality.offset_y_deg * degree)
        painter.setPen(QPen(colour, 2.5))
        painter.drawLine(at, end)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        if is_left:
            painter.drawEllipse(end, 4.5, 4.5)
        else:
            painter.drawPolygon(QPolygonF([end + QPointF(x, y) for x, y in ((-4, -4), (4, -4), (4, 4), (-4, 4))]))

    def _paint_samples(self, painter: QPainter, box: QRectF, point: Point, samples: PointSamples) -> None:
        """Samples around their target, magnified as offsets are, and a line to the mean of those used."""
        at = self._place(box, point)
        for eye, name in ((0, LEFT_COLOUR), (1, RIGHT_COLOUR)):
            colour = QColor(name)
            for xy, state in zip(samples.gaze_norm[:, eye], samples.validity[:, eye], strict=True):
                if math.isfinite(xy[0]) and math.isfinite(xy[1]):
                    painter.setPen(QPen(colour, 1))
                    painter.setBrush(colour if state == 1 else Qt.BrushStyle.NoBrush)
                    away = (float(xy[0]) - point[0], float(xy[1]) - point[1])
                    painter.drawEllipse(self._away(at, box, away), 2.2, 2.2)
            mean = samples.offset_norm(eye)
            if mean is not None:
                painter.setPen(QPen(colour, 2.5))
                painter.drawLine(at, self._away(at, box, mean))

    @staticmethod
    def _away(at: QPointF, box: QRectF, offset_norm: tuple[float, float]) -> QPointF:
        return at + QPointF(offset_norm[0] * box.width() * MAGNIFY, offset_norm[1] * box.height() * MAGNIFY)

    def _paint_legend(self, painter: QPainter, box: QRectF, words: str) -> None:
        painter.setPen(QColor(COLOURS.muted))
        line = QRectF(box.left() + 10, box.bottom() - 26, box.width() - 20, 20)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, words)
        painter.setPen(Qt.PenStyle.NoPen)
        middle = line.center().y()
        painter.setBrush(QColor(LEFT_COLOUR))
        painter.drawEllipse(QPointF(line.right() - 172, middle), 4.5, 4.5)
        painter.setBrush(QColor(RIGHT_COLOUR))
        painter.drawRect(QRectF(line.right() - 82, middle - 4, 8, 8))
        painter.setPen(QColor(COLOURS.muted))
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(line.right() - 162, line.top(), 80, 20), flags, tr("left eye"))
        painter.drawText(QRectF(line.right() - 68, line.top(), 80, 20), flags, tr("right eye"))

    def _near(self, at: QPointF) -> _Spot | None:
        near = [spot for spot in self._spots if math.hypot(spot.at.x() - at.x(), spot.at.y() - at.y()) < HOVER_PX]
        return near[0] if near else None


def quality_words(quality: PointQuality) -> str:
    """One eye's figures at one point, as a line."""
    eye = {"left": tr("left eye"), "right": tr("right eye")}.get(quality.eye, tr("both eyes"))
    if not quality.has_data:
        return tr("{eye}: no data").format(eye=eye)
    return tr(
        "{eye}: {accuracy:.2f}° off ({x:+.2f}°, {y:+.2f}°), median {median:.2f}°, SD {sd:.2f}°, RMS {rms:.2f}°,"
        " {loss:.0%} lost, {n} samples"
    ).format(
        eye=eye,
        accuracy=quality.accuracy_mean_deg,
        x=quality.offset_x_deg,
        y=quality.offset_y_deg,
        median=quality.accuracy_median_deg,
        sd=quality.sd_deg,
        rms=quality.rms_s2s_deg,
        loss=quality.loss,
        n=quality.n,
    )
