"""The target that is looked at while calibrating: a bull's-eye with a cross, sized in degrees."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from calibration.animation import TargetLook

DISC, CROSS, CENTRE = "#D6DCE2", "#000000", "#FFFFFF"
RINGS = ("#56B4E9", "#F0E442", "#E69F00", "#CC79A7")
"""Colours of a child's target."""


def paint_target(
    painter: QPainter,
    look: TargetLook,
    *,
    size: tuple[float, float],
    px_per_deg: tuple[float, float],
    is_playful: bool = False,
) -> None:
    """Draw the target on an area of `size`; all in the painter's pixels.

    Disc, cross and dot: the shape that holds fixation best (Thaler et al. 2013, "ABC").
    """
    if not look.is_visible:
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    centre = QPointF(look.xy_norm[0] * size[0], look.xy_norm[1] * size[1])
    outer = QPointF(look.outer_deg * px_per_deg[0] / 2, look.outer_deg * px_per_deg[1] / 2)
    inner = QPointF(max(look.inner_deg * px_per_deg[0] / 2, 1.2), max(look.inner_deg * px_per_deg[1] / 2, 1.2))
    painter.setPen(Qt.PenStyle.NoPen)
    if is_playful:
        for number, colour in enumerate(RINGS):
            share = 1.0 - number / len(RINGS)
            painter.setBrush(QColor(colour))
            painter.drawEllipse(centre, outer.x() * share, outer.y() * share)
    else:
        painter.setBrush(QColor(DISC))
        painter.drawEllipse(centre, outer.x(), outer.y())
    painter.setPen(QPen(QColor(CROSS), max(2 * inner.x(), 1.5)))
    box = QRectF(centre.x() - outer.x(), centre.y() - outer.y(), 2 * outer.x(), 2 * outer.y())
    painter.drawLine(QPointF(box.left(), centre.y()), QPointF(box.right(), centre.y()))
    painter.drawLine(QPointF(centre.x(), box.top()), QPointF(centre.x(), box.bottom()))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(CENTRE))
    painter.drawEllipse(centre, inner.x(), inner.y())
    painter.restore()
