"""The held key of clutch mode: gaze counts while it is down, and no longer when the window loses it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from app.actions import ActionRegistry
from workflows.annotate_images import CLUTCH_DOWN, CLUTCH_UP, AnnotationSession


class ClutchKeys(QObject):
    """Watches the window that it is made for."""

    def __init__(self, window: QWidget, actions: ActionRegistry, session: AnnotationSession) -> None:
        super().__init__(window)
        self._window = window
        self._actions = actions
        self._session = session
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ActivationChange and not self._window.isActiveWindow():
            self._session.shut(CLUTCH_UP)
        is_key = event.type() in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease)
        if not is_key or not isinstance(event, QKeyEvent) or event.isAutoRepeat():
            return False
        if not self._actions.matches("annotate.clutch", event):
            return False
        if event.type() == QEvent.Type.KeyPress:
            self._session.reopen(CLUTCH_DOWN)
        else:
            self._session.shut(CLUTCH_UP)
        return True
