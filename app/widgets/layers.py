"""What is drawn over an image, in image coordinates: coloured maps, masks, outlines, scanpaths."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPen

from app.colour_maps import coloured
from domain.fixations import ImageFixations


class Layer(Protocol):
    """One thing over the image. `paint` draws in image coordinates; `zoom` is screen pixels per image pixel."""

    is_visible: bool

    def paint(self, painter: QPainter, zoom: float, opacity: float) -> None:
        """Draw the layer."""


class PictureLayer:
    """A premultiplied BGRA array of the image's size."""

    def __init__(self, bgra: NDArray[np.uint8]) -> None:
        self.is_visible = True
        self._bgra = np.ascontiguousarray(bgra)
        height, width = self._bgra.shape[:2]
        self._image = QImage(self._bgra.data, width, height, width * 4, QImage.Format.Format_ARGB32_Premultiplied)

    @classmethod
    def of_map(cls, map01: NDArray[np.float32], colour_map: str) -> PictureLayer:
        """A map in 0-1 in the colours of a perceptual map."""
        return cls(coloured(map01, colour_map))

    def paint(self, painter: QPainter, zoom: float, opacity: float) -> None:
        painter.setOpacity(opacity)
        painter.drawImage(0, 0, self._image)


class MaskLayer:
    """A mask in one colour with its outline; a stroke renews only the rectangle it touched."""

    def __init__(self, mask: NDArray[np.bool_], colour: str) -> None:
        self.is_visible = True
        self._colour = QColor(colour)
        self._bgra = np.zeros((*mask.shape, 4), np.uint8)
        height, width = mask.shape
        self._image = QImage(self._bgra.data, width, height, width * 4, QImage.Format.Format_ARGB32_Premultiplied)
        self._outline = QPainterPath()
        self.renew(mask)

    def renew(self, mask: NDArray[np.bool_], box: tuple[int, int, int, int] | None = None) -> None:
        """Take over the mask, or only its box (top, left, bottom, right)."""
        top, left, bottom, right = box if box is not None else (0, 0, *mask.shape)
        colour = (self._colour.blue(), self._colour.green(), self._colour.red(), 255)
        part = mask[top:bottom, left:right]
        self._bgra[top:bottom, left:right] = np.where(part[..., None], np.array(colour, np.uint8), np.uint8(0))
        self._outline = outline_of(mask)

    def paint(self, painter: QPainter, zoom: float, opacity: float) -> None:
        painter.setOpacity(opacity * 0.7)
        painter.drawImage(0, 0, self._image)
        painter.setOpacity(1.0)
        _stroke(painter, self._outline, self._colour, 1.6)


class OutlineLayer:
    """Only the outline of a mask."""

    def __init__(self, mask: NDArray[np.bool_], colour: str, *, width_px: float = 2.0, is_dashed: bool = False) -> None:
        self.is_visible = True
        self._path = outline_of(mask)
        self._colour = QColor(colour)
        self._width_px = width_px
        self._is_dashed = is_dashed

    def paint(self, painter: QPainter, zoom: float, opacity: float) -> None:
        painter.setOpacity(1.0)
        _stroke(painter, self._path, self._colour, self._width_px, is_dashed=self._is_dashed)


class ScanpathLayer:
    """Fixations as numbered circles sized by duration, joined in order."""

    def __init__(
        self, fixations: ImageFixations, image_size: tuple[int, int], *, until_ms: float | None = None
    ) -> None:
        self.is_visible = True
        shown = np.ones(len(fixations), bool) if until_ms is None else fixations.start_ms <= until_ms
        self._xy = fixations.xy_norm[shown] * np.asarray(image_size, float)
        self._radius_px = 4.0 + np.sqrt(np.maximum(fixations.duration_ms[shown], 0)) * 0.75

    def paint(self, painter: QPainter, zoom: float, opacity: float) -> None:
        painter.setOpacity(1.0)
        line = QPen(QColor(255, 255, 255, 130), 1.2)
        line.setCosmetic(True)
        painter.setPen(line)
        points = [QPointF(x, y) for x, y in self._xy]
        painter.drawPolyline(points)
        font = QFont(painter.font())
        for number, (point, radius_px) in enumerate(zip(points, self._radius_px, strict=True), start=1):
            radius = float(radius_px) / zoom
            edge = QPen(QColor("#FFFFFF"), 1.3)
            edge.setCosmetic(True)
            painter.setPen(edge)
            painter.setBrush(QColor(86, 180, 233, 110))
            painter.drawEllipse(point, radius, radius)
            self._number(painter, font, point, str(number), zoom)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _number(self, painter: QPainter, font: QFont, point: QPointF, text: str, zoom: float) -> None:
        transform = painter.transform()
        place = transform.map(point)
        painter.save()
        painter.resetTransform()
        font.setPixelSize(12)
        font.setBold(True)
        painter.setFont(font)
        box = QRectF(place.x() - 20, place.y() - 10, 40, 20)
        painter.setPen(QColor(0, 0, 0, 200))
        painter.drawText(box.translated(1, 1), Qt.AlignmentFlag.AlignCenter, text)
        painter.setPen(QColor("#FFFFFF"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        painter.restore()


class PointsLayer:
    """Raw gaze samples as small dots."""

    def __init__(self, image_xy: NDArray[np.float64], colour: str = "#F0E442") -> None:
        self.is_visible = True
        self._points = [QPointF(x, y) for x, y in image_xy[np.isfinite(image_xy).all(axis=-1)]]
        self._colour = QColor(colour)

    @property
    def n_points(self) -> int:
        """How many are drawn."""
        return len(self._points)

    def paint(self, painter: QPainter, zoom: float, opacity: float) -> None:
        painter.setOpacity(0.7)
        pen = QPen(self._colour, 2.0)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.drawPoints(self._points)


class PolygonLayer:
    """A polygon being drawn."""

    def __init__(self, points: list[tuple[float, float]], colour: str) -> None:
        self.is_visible = True
        self._points = [QPointF(x, y) for x, y in points]
        self._colour = QColor(colour)

    def paint(self, painter: QPainter, zoom: float, opacity: float) -> None:
        painter.setOpacity(1.0)
        path = QPainterPath()
        if self._points:
            path.moveTo(self._points[0])
            for point in self._points[1:]:
                path.lineTo(point)
        _stroke(painter, path, self._colour, 1.8)
        painter.setBrush(self._colour)
        for point in self._points:
            painter.drawEllipse(point, 3.5 / zoom, 3.5 / zoom)
        painter.setBrush(Qt.BrushStyle.NoBrush)


def outline_of(mask: NDArray[np.bool_]) -> QPainterPath:
    """The outer edge of all parts and holes of a mask, along pixel borders, in image coordinates."""
    path = QPainterPath()
    if not mask.any():
        return path
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    part = mask[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1].astype(np.uint8)
    contours, _ = cv2.findContours(part, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        points = contour[:, 0, :] + np.array([left + 0.5, top + 0.5])
        path.moveTo(QPointF(*points[0]))
        for x, y in points[1:]:
            path.lineTo(QPointF(x, y))
        path.closeSubpath()
    return path


def _stroke(painter: QPainter, path: QPainterPath, colour: QColor, width_px: float, *, is_dashed: bool = False) -> None:
    for shade, width in ((QColor(0, 0, 0, 150), width_px + 1.6), (colour, width_px)):
        pen = QPen(shade, width)
        pen.setCosmetic(True)
        if is_dashed and shade is colour:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(path)
