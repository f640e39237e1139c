"""When the annotator is to rest and when the gaze is to be checked: images and minutes since the last time."""

from __future__ import annotations

import time
from collections.abc import Callable

from calibration.drift import DriftSchedule
from domain.study import Protocol


class Breaks:
    """Counts images and time. clock_s: seconds that only grow."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self.n_since_rest = 0
        self._n_since_check = 0
        self._rested_at_s = self._checked_at_s = clock_s()
        self._away_s = self._paused_at_s = 0.0

    def count_image(self) -> None:
        """One more image is decided."""
        self.n_since_rest += 1
        self._n_since_check += 1

    def is_rest_due(self, protocol: Protocol) -> bool:
        """Whether the protocol asks for a rest before the next image."""
        return (
            self.n_since_rest >= protocol.rest_after_images
            or self._clock_s() - self._rested_at_s >= protocol.rest_after_min * 60
        )

    def begin(self) -> None:
        """The annotator looks away from now on."""
        self._paused_at_s = self._clock_s()

    def end(self) -> None:
        """The annotator is back."""
        self._away_s += self._clock_s() - self._paused_at_s

    def end_rest(self) -> None:
        """The annotator is back from a rest."""
        self.n_since_rest = 0
        self._rested_at_s = self._clock_s()
        self.end()

    def why_check(self, protocol: Protocol) -> str:
        """Why a drift check is due before the next image; empty if none is. Asking forgets the absence."""
        every, away_s, self._away_s = protocol.drift_check_every, self._away_s, 0.0
        if not every:
            return ""
        return DriftSchedule(every_images=every).why_due(
            n_images=self._n_since_check, since_check_s=self._clock_s() - self._checked_at_s, away_s=away_s
        )

    def count_check(self) -> None:
        """A check is being made now."""
        self._n_since_check, self._checked_at_s = 0, self._clock_s()
