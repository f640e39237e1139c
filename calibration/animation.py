"""Where a calibration target is and how large, at any moment: travel, shrink, pulse, blink."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from domain.calibration import Point


class TargetPhase(str, Enum):
    """What the target does."""

    HIDDEN = "hidden"
    TRAVEL = "travel"
    SHRINK = "shrink"
    PULSE = "pulse"


@dataclass(frozen=True)
class TargetLook:
    """One frame of a target: centre on the display area (0-1), outer and inner diameter in degrees."""

    xy_norm: Point
    outer_deg: float
    inner_deg: float
    is_visible: bool = True


TRAVEL_SIZE = 2.0
"""A target on its way is twice as large: easy to follow."""
PULSE_PERIOD_S = 1.5
BLINK_S = 0.3
"""A target that is shown again blinks twice, so that the annotator sees that the same point is asked again."""


def target_look(
    phase: TargetPhase,
    elapsed_s: float,
    *,
    start: Point,
    end: Point,
    travel_s: float,
    shrink_s: float,
    outer_deg: float,
    inner_deg: float,
    is_retry: bool = False,
) -> TargetLook:
    """The target `elapsed_s` after its phase began.

    Travel follows a minimum-jerk path (Flash and Hogan 1985); shrinking ends at the resting size.
    """
    if phase is TargetPhase.HIDDEN:
        return TargetLook(end, outer_deg, inner_deg, False)
    if phase is TargetPhase.TRAVEL:
        share = min(max(elapsed_s / travel_s, 0.0), 1.0) if travel_s > 0 else 1.0
        eased = share**3 * (10.0 - 15.0 * share + 6.0 * share**2)
        xy = (start[0] + eased * (end[0] - start[0]), start[1] + eased * (end[1] - start[1]))
        is_visible = not (is_retry and elapsed_s < 2 * BLINK_S and (elapsed_s % BLINK_S) < BLINK_S / 2)
        return TargetLook(xy, outer_deg * TRAVEL_SIZE, inner_deg, is_visible)
    if phase is TargetPhase.SHRINK:
        share = min(max(elapsed_s / shrink_s, 0.0), 1.0) if shrink_s > 0 else 1.0
        return TargetLook(end, outer_deg * (TRAVEL_SIZE + (1.0 - TRAVEL_SIZE) * share), inner_deg)
    swing = 0.5 - 0.5 * math.cos(2 * math.pi * elapsed_s / PULSE_PERIOD_S)
    return TargetLook(end, outer_deg * (1.0 - 0.35 * swing), inner_deg)
