"""Where the eyes are in front of the tracker: a front view, a distance scale, and what to do in words."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.texts import tr
from app.theme import COLOURS
from calibration.position import HeadPosition, PositionLimits

SHOWN_MM = 150.0
"""The front view reaches this far to each side of the ideal place."""
SHOWN_DEPTH_MM = 220.0


class PositionGuide(QWidget):
    """Painted anew whenever a head position arrives; it asks nothing of a tracker itself."""

    def __init__(self, limits: PositionLimits | None = None) -> None:
        super().__init__()
        self._limits = limits or PositionLimits()
        self._head: HeadPosition | None = None
        self._note = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(QSize(380, 240))

    def show_head(self, head: HeadPosition | None, note: str = "") -> None:
        """Show this position; without one, the note alone."""
        self._head, self._note = head, note
        self.setAccessibleDescription(self.words)
        self.update()

    @property
    def words(self) -> str:
        """What the guide says."""
        if self._head is None:
            return self._note
        if self._head.is_good:
            return self._note or tr("Good position.")
        return " ".join(self._head.advice[:2])

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        words_height = 44
        scale_width = 110
        front = QRectF(8, 8, self.width() - scale_width - 24, self.height() - words_height - 16)
        scale = QRectF(front.right() + 24, 8, scale_width - 16, front.height())
        self._paint_front(painter, front)
        self._paint_distance(painter, scale)
        self._paint_words(painter, QRectF(8, self.height() - words_height, self.width() - 16, words_height))
        painter.end()

    def _paint_front(self, painter: QPainter, box: QRectF) -> None:
        painter.setPen(QPen(QColor(COLOURS.line), 1))
        painter.setBrush(QColor(COLOURS.ground))
        painter.drawRoundedRect(box, 8, 8)
        per_mm = min(box.width(), box.height() * 1.6) / (2 * SHOWN_MM)
        centre = box.center()
        # Both eyes lie 31.5 mm beside the head's middle, so the zone for eyes is wider by that.
        zone = QRectF(0, 0, 2 * (self._limits.sideways_mm + 31.5) * per_mm, 2 * self._limits.height_mm * per_mm)
        zone.moveCenter(centre)
        good = self._head is not None and self._head.is_good
        painter.setPen(QPen(QColor(COLOURS.good if good else COLOURS.muted), 1.5, Qt.PenStyle.DashLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(zone.intersected(box.adjusted(2, 2, -2, -2)), 10, 10)
        if self._head is None:
            return
        places: list[QPointF] = []
        painter.setClipRect(box)
        for number, eye in enumerate(self._head.eyes_mm):
            if eye is None:
                self._paint_missing(painter, box, number)
                continue
            right, up, away = eye
            at = QPointF(centre.x() + right * per_mm, centre.y() - up * per_mm)
            # Nearer eyes look larger, as in a mirror.
            radius = max(6.0, 13.0 * per_mm * 650.0 / max(650.0 + 2.0 * away, 200.0))
            painter.setPen(QPen(QColor(COLOURS.good if good else COLOURS.warn), 2.5))
            painter.setBrush(QColor(COLOURS.raised))
            painter.drawEllipse(at, radius, radius)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(COLOURS.text))
            painter.drawEllipse(at, radius * 0.4, radius * 0.4)
            places.append(at)
        if len(places) == 2 and math.isfinite(self._head.roll_deg):
            painter.setPen(QPen(QColor(COLOURS.muted), 1))
            painter.drawLine(places[0], places[1])
        painter.setClipping(False)

    def _paint_missing(self, painter: QPainter, box: QRectF, number: int) -> None:
        words = tr("left eye not seen") if number == 0 else tr("right eye not seen")
        side = Qt.AlignmentFlag.AlignLeft if number == 0 else Qt.AlignmentFlag.AlignRight
        painter.setPen(QColor(COLOURS.warn))
        painter.drawText(box.adjusted(14, 10, -14, -10), side | Qt.AlignmentFlag.AlignTop, words)

    def _paint_distance(self, painter: QPainter, box: QRectF) -> None:
        bar = QRectF(box.left(), box.top() + 22, 14, box.height() - 44)
        painter.setPen(QPen(QColor(COLOURS.line), 1))
        painter.setBrush(QColor(COLOURS.ground))
        painter.drawRoundedRect(bar, 7, 7)
        per_mm = bar.height() / (2 * SHOWN_DEPTH_MM)
        zone = QRectF(
            bar.left(), bar.center().y() - self._limits.depth_mm * per_mm, 14, 2 * self._limits.depth_mm * per_mm
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(COLOURS.hover))
        painter.drawRoundedRect(zone, 5, 5)
        painter.setPen(QColor(COLOURS.muted))
        painter.drawText(QRectF(box.left(), box.top(), box.width(), 18), tr("far"))
        painter.drawText(QRectF(box.left(), box.bottom() - 18, box.width(), 18), tr("near"))
        head = self._head
        if head is None or not math.isfinite(head.depth_mm):
            return
        inside = abs(head.depth_mm) <= self._limits.depth_mm
        y = bar.center().y() - max(-SHOWN_DEPTH_MM, min(SHOWN_DEPTH_MM, head.depth_mm)) * per_mm
        painter.setPen(QPen(QColor(COLOURS.good if inside else COLOURS.warn), 3))
        painter.drawLine(QPointF(bar.left() - 3, y), QPointF(bar.right() + 3, y))
        painter.setPen(QColor(COLOURS.text))
        painter.drawText(
            QRectF(bar.right() + 10, y - 10, 64, 20), Qt.AlignmentFlag.AlignVCenter, f"{head.distance_mm / 10:.0f} cm"
        )

    def _paint_words(self, painter: QPainter, box: QRectF) -> None:
        font = QFont(self.font())
        font.setPixelSize(18)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        good = self._head is not None and self._head.is_good
        colour = COLOURS.muted if self._head is None else COLOURS.good if good else COLOURS.warn
        painter.setPen(QColor(colour))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(box, flags, self.words)
