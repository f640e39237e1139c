"""One calibration of a Tobii tracker through tobii-research, from entering the mode to leaving it."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from acquisition.tobii_words import EyeSamples, asking, calibration_points, status


class SdkCalibration:
    """In calibration mode from the start; data of a point is mixed by the tracker unless it is discarded."""

    def __init__(self, sdk: ModuleType, tracker: Any, eyes: str) -> None:  # Any: an object of the SDK
        self._sdk = sdk
        self._is_monocular = eyes != "both"
        kind = "ScreenBasedMonocularCalibration" if self._is_monocular else "ScreenBasedCalibration"
        with asking("enter calibration mode"):
            self._calibration = getattr(sdk, kind)(tracker)
            self._calibration.enter_calibration_mode()

    def collect(self, point_norm: tuple[float, float], eyes: str) -> str:
        """Collect at a point; blocks up to 10 s."""
        with asking("collect calibration data"):
            return status(self._calibration.collect_data(*point_norm, *self._eye(eyes)))

    def discard(self, point_norm: tuple[float, float], eyes: str) -> None:
        """Forget a point; the floats must be those of `collect`."""
        with asking("discard calibration data"):
            self._calibration.discard_data(*point_norm, *self._eye(eyes))

    def compute(self) -> dict[str, Any]:
        """Compute and apply; failure comes back as a status."""
        with asking("compute a calibration"):
            try:
                result = self._calibration.compute_and_apply()
            except ValueError:
                # Older wrappers cannot build the result where a point has one eye only; the calibration is in force.
                return {"status": "success", "points": []}
        if isinstance(result, tuple):
            word, points = result
        else:
            word, points = result.status, result.calibration_points
        return {"status": status(word), "points": calibration_points(_each(points))}

    def leave(self) -> None:
        """End calibration mode."""
        with asking("leave calibration mode"):
            self._calibration.leave_calibration_mode()

    def _eye(self, eyes: str) -> tuple[str, ...]:
        return (getattr(self._sdk, f"SELECTED_EYE_{eyes.upper()}"),) if self._is_monocular else ()


def _each(points: Any) -> Iterator[tuple[tuple[float, float], EyeSamples, EyeSamples]]:  # Any: objects of the SDK
    for point in points:
        eyes = ([getattr(one, f"{side}_eye") for one in point.calibration_samples] for side in ("left", "right"))
        left, right = ([(*eye.position_on_display_area, eye.validity) for eye in side] for side in eyes)
        x, y = point.position_on_display_area
        yield (x, y), left, right
