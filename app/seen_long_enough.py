"""Whether what is decided about has been on the screen for a moment: no key accepts what nobody can have seen."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject

from app.widgets.image_canvas import ImageCanvas

SEEN_MS = 300
"""Nobody sees a mask and answers it faster; a key that comes before was meant for what stood there before."""


class SeenLongEnough(QObject):
    """Its time begins with the first paint after `begin`. clock_s: seconds that only grow."""

    def __init__(self, canvas: ImageCanvas, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__(canvas)
        self.seen_ms = SEEN_MS
        self._canvas = canvas
        self._clock_s = clock_s
        self._painted_at_s: float | None = None
        self._is_waiting = False
        canvas.painted.connect(self._on_painted)

    def begin(self) -> None:
        """Something else is to be decided about; call this when it is what the canvas paints next."""
        self._is_waiting, self._painted_at_s = True, None
        self._canvas.update()

    @property
    def is_enough(self) -> bool:
        """Whether a decision counts now; always where no time is asked for."""
        if not self.seen_ms:
            return True
        return self._painted_at_s is not None and 1e3 * (self._clock_s() - self._painted_at_s) >= self.seen_ms

    def _on_painted(self) -> None:
        if self._is_waiting:
            self._is_waiting, self._painted_at_s = False, self._clock_s()
