"""Calibration of a Tobii tracker through TittaPy, which answers later: each question waits for its own answer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from acquisition.tobii_words import EyeSamples, asking, calibration_points, require_data, status
from domain.errors import TrackerError

CALIBRATION_PULL_S = 0.01
DEADLINES_S = {"enter": 5.0, "collect_data": 12.0, "discard_data": 5.0, "compute": 15.0, "exit": 5.0}


class TittaCalibration:
    """The questions of a calibration to one tracker."""

    def __init__(self, tracker: Any) -> None:  # Any: an object of TittaPy
        self._tracker = tracker

    def enter(self, eyes: str) -> None:
        """Begin a calibration; the one in force ends."""
        with asking("enter calibration mode"):
            self._tracker.enter_calibration_mode(eyes != "both")
            self._answer("enter")

    def collect(self, point_norm: tuple[float, float], eyes: str) -> str:
        """Collect at a point; blocks up to 12 s."""
        with asking("collect calibration data"):
            self._tracker.calibration_collect_data(list(point_norm), *_eye(eyes))
            answer = self._answer("collect_data")
        if int(answer.get("status", -1)) != 0:
            return "failure"
        return {"left": "success_left", "right": "success_right"}.get(eyes, "success")

    def discard(self, point_norm: tuple[float, float], eyes: str) -> None:
        """Forget a point."""
        with asking("discard calibration data"):
            self._tracker.calibration_discard_data(list(point_norm), *_eye(eyes))
            self._answer("discard_data")

    def compute(self) -> dict[str, Any]:
        """Compute and apply; failure comes back as a status."""
        with asking("compute a calibration"):
            self._tracker.calibration_compute_and_apply()
            answer = self._answer("compute")
        result = answer.get("calibration_result")
        if result is None:
            return {"status": "failure", "points": []}
        return {"status": status(result["status"]), "points": calibration_points(_each(result["points"]))}

    def leave(self) -> None:
        """End calibration mode whatever happened before."""
        with asking("leave calibration mode"):
            if self._tracker.leave_calibration_mode(True):
                with contextlib.suppress(TrackerError):  # nothing answers when the mode was not on
                    self._answer("exit")

    def data(self) -> bytes:
        """The calibration in force."""
        with asking("give its calibration"):
            if not self._tracker.is_in_calibration_mode(False):
                return b""  # TittaPy can only ask inside calibration mode, and entering that clears it
            self._tracker.calibration_get_data()
            return bytes(bytearray(int(value) for value in self._answer("get_calibration_data")["calibration_data"]))

    def apply(self, data: bytes) -> None:
        """Put an earlier calibration in force."""
        require_data(data)
        with asking("apply a calibration"):
            was_in = self._tracker.is_in_calibration_mode(False)
            if not was_in:
                self._tracker.enter_calibration_mode(False)
                self._answer("enter")
            self._tracker.calibration_apply_data(list(data))
            self._answer("apply_calibration_data")
            if not was_in:
                self.leave()

    def _answer(self, action: str) -> Mapping[str, Any]:
        """Wait for the answer to one question; older answers to others are passed over."""
        deadline = time.monotonic() + DEADLINES_S.get(action, 5.0)
        while time.monotonic() < deadline:
            result = self._tracker.calibration_retrieve_result()
            if result is None:
                time.sleep(CALIBRATION_PULL_S)
            elif str(result["work_item"]["action"]).rsplit(".", 1)[-1] == action:
                found: Mapping[str, Any] = result
                return found
        raise TrackerError(f"The tracker did not answer in time (calibration: {action}).")


def _each(points: Any) -> Iterator[tuple[tuple[float, float], EyeSamples, EyeSamples]]:  # Any: what TittaPy gives
    for point in points:
        left, right = (
            zip(
                point[f"samples_{side}_position_on_display_area_x"],
                point[f"samples_{side}_position_on_display_area_y"],
                point[f"samples_{side}_validity"],
                strict=True,
            )
            for side in ("left", "right")
        )
        yield (point["position_on_display_area_x"], point["position_on_display_area_y"]), left, right


def _eye(eyes: str) -> tuple[str, ...]:
    return () if eyes == "both" else (eyes,)
