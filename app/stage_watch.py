"""What goes on while images are looked at: whether the tracker lives, whether eyes are seen, whether somebody works."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from domain.errors import UserFacingError
from workflows.annotate_images import AWAY_AFTER_S, AnnotationSession

POLL_MS = 40
_ACTIONS = (
    QEvent.Type.KeyPress,
    QEvent.Type.MouseButtonPress,
    QEvent.Type.MouseMove,
    QEvent.Type.Wheel,
)


class StageWatch(QObject):
    """Takes the samples in while its window is open. is_looking: asked whether an image is being looked at.

    tracker_lost: its process is gone; it is started again in the background. tracker_back: it runs again.
    tracker_unusable: it runs again, but the recording cannot go on, and why.
    nobody_seen: no eyes for a while; True where the tracker sends nothing at all.
    """

    tracker_lost = Signal()
    tracker_back = Signal()
    nobody_seen = Signal(bool)
    tracker_unusable = Signal(object)

    def __init__(
        self, window: QWidget, canvas: QWidget, session: AnnotationSession, is_looking: Callable[[], bool]
    ) -> None:
        super().__init__(window)
        self._window = window
        self._session = session
        self._is_looking = is_looking
        self._was_alive = True
        self._problem: UserFacingError | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._on_tick)
        for watched in (window, canvas):
            watched.installEventFilter(self)

    def start(self) -> None:
        """Watch from now on."""
        self._was_alive = True
        self._timer.start()

    def stop(self) -> None:
        """Watch no more."""
        self._timer.stop()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ActivationChange and watched is self._window and self._session.is_open:
            self._session.set_in_front(is_in_front=self._window.isActiveWindow())
        elif event.type() in _ACTIONS and self._is_looking():
            self._session.note_action()
        return False

    def _on_tick(self) -> None:
        if not self._session.is_open:
            return
        self._session.poll()
        is_alive = self._session.is_alive
        if is_alive != self._was_alive:
            self._was_alive = is_alive
            (self.tracker_back if is_alive else self.tracker_lost).emit()
        if self._session.problem is not self._problem:
            self._problem = self._session.problem
            if self._problem is not None:
                self.tracker_unusable.emit(self._problem)
        if is_alive and self._is_looking() and self._session.seconds_without_eyes() >= AWAY_AFTER_S:
            self.nobody_seen.emit(self._session.is_silent)
