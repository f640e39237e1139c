"""A black window over the whole screen that shows a target, frame by frame, and notices when the screen changes."""

from __future__ import annotations

import contextlib

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QColor, QCursor, QKeyEvent, QPainter, QPaintEvent, QScreen
from PySide6.QtWidgets import QWidget

from app.full_screen import covers, fill_screen, screen_named
from app.widgets.gaze_target import paint_target
from calibration.animation import TargetLook
from domain.display import Display
from domain.errors import TrackerError
from workflows.calibration_target import HostTarget

FRAME_MS = 16
SETTLE_FRAMES = 30
"""A window manager may need so many frames before the window lies where it was put."""
SCREEN_EVERY_FRAMES = 15


class GazeStage(QWidget):
    """Ticks what runs in front of the tracker. `finished` comes once, when it is over."""

    finished = Signal()

    def __init__(self, source: HostTarget, display: Display, *, is_playful: bool = False) -> None:
        super().__init__()
        self.source = source
        self.display = display
        self._is_playful = is_playful
        self._is_finished = False
        self._n_frames = 0
        self._screen_name = ""
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._on_frame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.BlankCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    # what a subclass says

    def tick(self) -> None:
        """A frame passes."""

    def look(self) -> TargetLook | None:
        """The target now, or none."""
        return None

    def on_screen_changed(self) -> None:
        """The screen is not the one from the start any more."""

    def on_escape(self) -> None:
        """Esc was pressed."""

    # life

    def open_on(self, screen: QScreen) -> None:
        """Fill the screen and begin."""
        self._screen_name = screen.name()
        fill_screen(self, screen)
        self.setFocus()
        self._timer.start()

    def finish(self) -> None:
        """Stop ticking and say so."""
        if not self._is_finished:
            self._is_finished = True
            self._timer.stop()
            self.finished.emit()

    def abandon(self) -> None:
        """Stop what runs, without telling anybody."""
        self._is_finished = True
        self._timer.stop()
        self.on_escape()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # The action's shortcut works in an active window only; Esc must work from the first frame on.
        if event.key() == Qt.Key.Key_Escape:
            self.on_escape()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._timer.stop()
        super().closeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.DevicePixelRatioChange and self._n_frames > SETTLE_FRAMES:
            self.on_screen_changed()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(0, 0, 0))
        look = self.look()
        if look is not None:
            x, y = self.display.px_per_deg()
            scale = self.display.scale
            paint_target(
                painter,
                look,
                size=(self.width(), self.height()),
                px_per_deg=(x / scale, y / scale),
                is_playful=self._is_playful,
            )
        painter.end()

    def _on_frame(self) -> None:
        self._n_frames += 1
        if self._n_frames > SETTLE_FRAMES and self._n_frames % SCREEN_EVERY_FRAMES == 0:
            self._check_screen()
        if self.source.host.info.driver == "mouse" and self.isVisible():
            at = self.mapFromGlobal(QCursor.pos())
            with contextlib.suppress(TrackerError):  # a host that is gone is noticed by the tick
                self.source.host.point_at(at.x() / max(self.width(), 1), at.y() / max(self.height(), 1))
        self.tick()
        self.update()

    def _check_screen(self) -> None:
        # Asked anew by name each time: a kept QScreen would outlive a screen that was unplugged.
        screen = screen_named(self._screen_name)
        is_same = screen.name() == self._screen_name and screen.devicePixelRatio() == self.display.scale
        if not is_same or not covers(self, screen):
            self.on_screen_changed()
