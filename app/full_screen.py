"""Filling a chosen screen with one window, and saying truthfully where it came to lie."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication, QScreen
from PySide6.QtWidgets import QWidget


def screen_named(name: str) -> QScreen:
    """The screen of that name, else the primary one."""
    for screen in QGuiApplication.screens():
        if screen.name() == name:
            return screen
    return QGuiApplication.primaryScreen()


def fill_screen(window: QWidget, screen: QScreen) -> None:
    """Show a top-level window over the whole of one screen.

    The geometry is set first: without a window manager `showFullScreen` alone leaves the window small.
    """
    window.setWindowFlag(Qt.WindowType.FramelessWindowHint, True)
    window.setScreen(screen)
    window.setGeometry(screen.geometry())
    window.showFullScreen()
    window.setGeometry(screen.geometry())
    window.raise_()
    window.activateWindow()


def covers(window: QWidget, screen: QScreen) -> bool:
    """Whether the window really covers the screen; gaze is mapped by the real rectangle, never by the wish."""
    return window.geometry() == screen.geometry()


def origin_on_screen_px(widget: QWidget) -> tuple[float, float]:
    """Upper left corner of a widget in physical pixels of the screen it is on.

    Windows lie on whole physical pixels, also at a scale of 1.25; only the floating-point way through Qt says which.
    """
    screen = widget.screen()
    corner = widget.mapToGlobal(QPointF(0, 0)) - QPointF(screen.geometry().topLeft())
    scale = screen.devicePixelRatio()
    return corner.x() * scale, corner.y() * scale
