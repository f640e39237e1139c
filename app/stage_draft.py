"""What stands in for a mask that is slow: shown some time after the key, unless the mask was there first."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

from domain.labels import LabelMaps

DRAFT_AFTER_MS = 350
"""A mask that takes longer than this after the key is preceded by the levels of the heatmap."""


class DraftSoon(QObject):
    """Waits from `begin` to `end`. seconds: from the key to the draft, 0.0 where none was shown."""

    def __init__(self, show: Callable[[LabelMaps], None], parent: QObject) -> None:
        super().__init__(parent)
        self.seconds = 0.0
        self._show = show
        self._maps: LabelMaps | None = None
        self._began_s = 0.0
        self._is_waiting = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DRAFT_AFTER_MS)
        self._timer.timeout.connect(self._show_if_due)

    def begin(self) -> None:
        """The key was pressed."""
        self.seconds, self._maps, self._is_waiting = 0.0, None, True
        self._began_s = time.perf_counter()
        self._timer.start()

    def offer(self, maps: LabelMaps) -> None:
        """The draft is there."""
        self._maps = maps
        self._show_if_due()

    def end(self) -> None:
        """The mask is there, or will never be."""
        self._is_waiting = False
        self._timer.stop()

    def _show_if_due(self) -> None:
        if self._is_waiting and self._maps is not None and not self._timer.isActive():
            self._is_waiting = False
            self._show(self._maps)
            self.seconds = time.perf_counter() - self._began_s
