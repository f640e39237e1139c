"""Is this the screen that was meant, and does the tracker know it? Gaze on the wrong screen looks right and is not."""

from __future__ import annotations

import math
from collections.abc import Sequence

from domain.display import Display
from domain.errors import UserFacingError

SIZE_TOLERANCE = 0.03
"""Share by which the tracker's display area may differ from the measured screen; 3 % is about 0.4 deg at the edge."""

SIZE_TOLERANCE_MM = 5.0


class WrongScreenError(UserFacingError):
    """The screen, its scaling or the tracker's display area is not what it was."""


def screen_problems(expected: Display, present: Display) -> list[str]:
    """Why a screen is not the expected one, in words; empty where it is."""
    problems = []
    if expected.serial and present.serial and expected.serial != present.serial:
        problems.append(f"the screen's serial number is {present.serial}, not {expected.serial}")
    elif expected.name != present.name:
        problems.append(f"the screen is {present.name or 'unnamed'}, not {expected.name or 'unnamed'}")
    if expected.size_px != present.size_px:
        problems.append(
            f"it has {present.size_px[0]} x {present.size_px[1]} pixels, not "
            f"{expected.size_px[0]} x {expected.size_px[1]}"
        )
    if not math.isclose(expected.scale, present.scale, rel_tol=1e-3):
        problems.append(f"its scaling is {present.scale:.0%}, not {expected.scale:.0%}")
    if not _is_close(expected.size_mm, present.size_mm):
        problems.append(f"it measures {_mm(present.size_mm)}, not {_mm(expected.size_mm)}")
    if expected.origin_px != present.origin_px:
        problems.append("it lies elsewhere on the desktop")
    return problems


def display_area_problems(display: Display, corners_mm: Sequence[Sequence[float]]) -> list[str]:
    """Why the tracker's display area does not fit the screen, in words; empty where it fits or is not known."""
    if not corners_mm:
        return []
    upper_left, upper_right, lower_left = corners_mm
    width, height = math.dist(upper_left, upper_right), math.dist(upper_left, lower_left)
    if min(width, height) <= 0:
        return ["the tracker has no display area"]
    problems = []
    if not _is_close(display.size_mm, (width, height)):
        problems.append(f"the tracker takes the screen for {_mm((width, height))}, it measures {_mm(display.size_mm)}")
    across = [b - a for a, b in zip(upper_left, upper_right, strict=True)]
    down = [b - a for a, b in zip(upper_left, lower_left, strict=True)]
    cosine = sum(a * d for a, d in zip(across, down, strict=True)) / (width * height)
    if abs(cosine) > 0.02:
        problems.append("the tracker's display area is not a rectangle")
    return problems


def require_screen(expected: Display, present: Display) -> None:
    """Go on only on the screen that was meant.

    Raises:
        WrongScreenError: with every reason.
    """
    _refuse(
        "This is not the screen that was set up",
        screen_problems(expected, present),
        "Move the window to that screen, or set this one up and calibrate again.",
    )


def require_display_area(display: Display, corners_mm: Sequence[Sequence[float]]) -> None:
    """Go on only where the tracker knows the screen as it is.

    Raises:
        WrongScreenError: with every reason.
    """
    _refuse(
        "The tracker is set up for another screen",
        display_area_problems(display, corners_mm),
        "Measure the screen again, or set the display area in the tracker's own program, and calibrate again.",
    )


def _refuse(what: str, problems: list[str], hint: str) -> None:
    if problems:
        raise WrongScreenError(f"{what}: {'; '.join(problems)}.", hint)


def _is_close(first: tuple[float, float], second: tuple[float, float]) -> bool:
    return all(abs(a - b) <= max(SIZE_TOLERANCE * a, SIZE_TOLERANCE_MM) for a, b in zip(first, second, strict=True))


def _mm(size: tuple[float, float]) -> str:
    return f"{size[0]:.0f} x {size[1]:.0f} mm"
