"""Where the annotator is with an image."""

from __future__ import annotations

from enum import Enum


class Phase(str, Enum):
    """Where the annotator is with an image."""

    OPENING = "opening"
    CARD = "card"
    START_TARGET = "start target"
    RECALLING = "recalling"
    LOOKING = "looking"
    WORKING = "working"
    RESULT = "result"
    PAUSED = "paused"
    REST = "rest"
    SKIP = "skip"
    LOST = "tracker lost"
    DONE = "done"

    @property
    def shows_the_image(self) -> bool:
        """Whether the image is on the screen."""
        return self in (Phase.LOOKING, Phase.WORKING, Phase.RESULT)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is written around the middle of the screen."""
        return self in (Phase.START_TARGET, Phase.RECALLING, Phase.LOOKING, Phase.OPENING, Phase.DONE)
