"""A screen of Qt as the display that gaze refers to: physical pixels, millimetres, distance."""

from __future__ import annotations

from PySide6.QtGui import QScreen

from domain.display import Display
from workflows.user_settings import UserSettings

DEFAULT_DISTANCE_MM = 650.0


def display_of(screen: QScreen, settings: UserSettings) -> Display:
    """The display; its size in millimetres is what the user measured, else what the screen says of itself."""
    scale = screen.devicePixelRatio()
    area = screen.geometry()
    size_px = (round(area.width() * scale), round(area.height() * scale))
    measured = settings.screens_mm.get(screen.name(), [])
    said = screen.physicalSize()
    width_mm, height_mm = (said.width(), said.height()) if len(measured) < 2 else (measured[0], measured[1])
    if min(width_mm, height_mm) <= 0:
        width_mm, height_mm = size_px[0] * 25.4 / 96, size_px[1] * 25.4 / 96
    return Display(
        size_px=size_px,
        size_mm=(float(width_mm), float(height_mm)),
        distance_mm=float(measured[2]) if len(measured) > 2 else DEFAULT_DISTANCE_MM,
        name=screen.name(),
        serial=screen.serialNumber(),
        origin_px=(round(area.x() * scale), round(area.y() * scale)),
        scale=scale,
    )
