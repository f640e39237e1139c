"""The screen as the tracker knows it: three corners in its user coordinate system."""

from __future__ import annotations

from domain.display import Display


def display_corners(display: Display) -> tuple[tuple[float, float, float], ...]:
    """Upper left, upper right and lower left corner of a screen whose lower edge is centred on the tracker."""
    width, height = display.size_mm
    return ((-width / 2, height, 0.0), (width / 2, height, 0.0), (-width / 2, 0.0, 0.0))
