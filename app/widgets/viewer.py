"""A canvas with the keys that every image has, and the words that it says while there is none."""

from __future__ import annotations

import logging
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.actions import ActionRegistry
from app.texts import tr
from app.widgets.image_canvas import ImageCanvas
from domain.errors import UserFacingError

_log = logging.getLogger(__name__)

# Width and level in Hounsfield units. Source: OHIF's default presets.
WINDOW_PRESETS = {
    "view.window_1": (40.0, 400.0),
    "view.window_2": (-600.0, 1500.0),
    "view.window_3": (90.0, 150.0),
    "view.window_4": (480.0, 2500.0),
    "view.window_5": (40.0, 80.0),
}


class PeekFilter(QObject):
    """Hides a canvas's overlays while the peek key is held anywhere in a widget."""

    def __init__(self, owner: QWidget, canvas: ImageCanvas, actions: ActionRegistry) -> None:
        super().__init__(owner)
        self._owner = owner
        self._canvas = canvas
        self._actions = actions
        QApplication.instance().installEventFilter(self)  # type: ignore[union-attr]  # widgets exist only with one

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() not in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease) or not isinstance(event, QKeyEvent):
            return False
        if not self._owner.isVisible() or not isinstance(watched, QWidget) or not self._is_ours(watched):
            return False
        if not self._actions.matches("view.peek", event):
            return False
        if not event.isAutoRepeat():
            self._canvas.set_peeking(event.type() == QEvent.Type.KeyPress)
        return True

    def _is_ours(self, widget: QWidget) -> bool:
        return widget is self._owner or self._owner.isAncestorOf(widget)


def bind_view_actions(owner: QWidget, canvas: ImageCanvas, actions: ActionRegistry) -> None:
    """Make the keys of the image work inside `owner`."""
    bind = partial(actions.bind, owner)
    bind("view.zoom_in", lambda: canvas.zoom_by(1.25))
    bind("view.zoom_out", lambda: canvas.zoom_by(0.8))
    bind("view.fit", canvas.fit)
    bind("view.flip_x", lambda: canvas.flip(x=True))
    bind("view.flip_y", lambda: canvas.flip(y=True))
    bind("view.invert", canvas.invert)
    bind("view.next_slice", lambda: canvas.step_slice(1))
    bind("view.previous_slice", lambda: canvas.step_slice(-1))
    bind("view.window_reset", lambda: canvas.set_grey_window(None))
    for action_id, window in WINDOW_PRESETS.items():
        bind(action_id, partial(_set_window, canvas, window))
    bind("view.overlay", canvas.toggle_overlays)
    bind("view.more_opaque", lambda: canvas.set_opacity(canvas.opacity + 0.1))
    bind("view.less_opaque", lambda: canvas.set_opacity(canvas.opacity - 0.1))
    canvas.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)


def say_reading(canvas: ImageCanvas) -> None:
    """It takes longer than one would not notice: black instead of the image before, and a quiet word."""
    canvas.say_instead(tr("Reading the image…"))


def say_unreadable(canvas: ImageCanvas, name: str, error: BaseException) -> None:
    """The image cannot be read, and why, where it would be; the others can still be paged to."""
    if not isinstance(error, UserFacingError):
        _log.error("%s cannot be read", name, exc_info=error)
    why = str(error) if isinstance(error, UserFacingError) else tr("An unexpected error; the log has its trace.")
    canvas.say_instead(tr("This image cannot be shown.") + "\n\n" + why)


def _set_window(canvas: ImageCanvas, window: tuple[float, float]) -> None:
    if canvas.grey_window is not None:
        canvas.set_grey_window(window)
