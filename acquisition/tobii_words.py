"""What both ways to a Tobii tracker share: their words in ours, their refusals, and the offset of their clock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from acquisition.tracker import (
    CAN_CALIBRATE,
    CAN_CALIBRATE_ONE_EYE,
    CAN_SET_DISPLAY_AREA,
    HAS_EXTERNAL_SIGNAL,
    HAS_OPENNESS,
    HAS_POSITION_GUIDE,
    HAS_TIME_PROBES,
)
from domain.errors import MissingPackageError, TrackerError

_CAPABILITIES = {
    "can_do_screen_based_calibration": CAN_CALIBRATE,
    "can_do_monocular_calibration": CAN_CALIBRATE_ONE_EYE,
    "can_set_display_area": CAN_SET_DISPLAY_AREA,
    "has_eye_openness_data": HAS_OPENNESS,
    "has_external_signal": HAS_EXTERNAL_SIGNAL,
}
_STATUSES = {"success": "success", "success_left_eye": "success_left", "success_right_eye": "success_right"}
_VALIDITIES = {"invalid_and_not_used": -1, "valid_but_not_used": 0, "valid_and_used": 1}

EyeSamples = Iterable[tuple[float, float, object]]


def _bare(word: object, prefix: str) -> str:
    """A word without the name of its enumeration (TittaPy) or its prefix (tobii-research)."""
    return str(word).rsplit(".", 1)[-1].removeprefix(prefix)


def capabilities(words: Iterable[object]) -> tuple[str, ...]:
    """Ours for theirs; every Tobii tracker has a position guide and tells its time."""
    known = {_bare(word, "capability_") for word in words}
    return (*(ours for theirs, ours in _CAPABILITIES.items() if theirs in known), HAS_POSITION_GUIDE, HAS_TIME_PROBES)


def status(word: object) -> str:
    """Of a calibration or one of its points: "success", "success_left", "success_right" or "failure"."""
    return _STATUSES.get(_bare(word, "calibration_status_"), "failure")


def calibration_points(
    found: Iterable[tuple[tuple[float, float], EyeSamples, EyeSamples]],
) -> list[dict[str, Any]]:  # Any: JSON values
    """(point, left samples, right samples) as `Tracker.compute_calibration` gives them, one entry per position.

    The SDK groups consecutive samples only, so a point that was collected twice may come twice.
    """
    merged: dict[tuple[float, float], dict[str, Any]] = {}
    for (x, y), left, right in found:
        entry = merged.setdefault((float(x), float(y)), {"point": [float(x), float(y)], "left": [], "right": []})
        for side, samples in (("left", left), ("right", right)):
            entry[side] += [
                [float(sx), float(sy), _VALIDITIES.get(_bare(word, "validity_"), -1)] for sx, sy, word in samples
            ]
    return list(merged.values())


def no_tracker_found() -> TrackerError:
    """Nothing answers in the network or on the bus."""
    return TrackerError(
        "No Tobii eye tracker was found.",
        "Is it plugged in, and does Tobii's Eye Tracker Manager see it? Its runtime must be installed.",
    )


def require_rate(rate_hz: float, known: Collection[float], model: str) -> None:
    """Refuse a rate that the tracker does not have."""
    if rate_hz not in known:
        raise TrackerError(
            f"{model} cannot run at {rate_hz:g} Hz.", f"It knows {', '.join(f'{rate:g}' for rate in known)} Hz."
        )


def require_data(calibration: bytes) -> bytes:
    """Refuse an empty calibration, which the SDK answers with an internal error."""
    if not calibration:
        raise TrackerError("An empty calibration cannot be applied.")
    return calibration


@contextlib.contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn the SDK's exceptions, which have no common base, into ours; `what` completes "The tracker could not ..."."""
    try:
        yield
    except (TrackerError, MissingPackageError, OSError):
        raise
    except Exception as error:
        kind = type(error).__name__
        if kind == "EyeTrackerLicenseError":
            raise TrackerError(
                f"The tracker's licence does not allow it to {what}: {error}.", "Tobii sells licences per tracker."
            ) from error
        named = f"{kind}: " if kind.startswith("EyeTracker") else ""
        is_gone = kind in ("EyeTrackerConnectionFailedError", "RuntimeError")
        hint = "Check its cable and power." if is_gone else ""
        raise TrackerError(f"The tracker could not {what}: {named}{error}.", hint) from error


def clock_offset_ns(system_us: Callable[[], int]) -> int:
    """Host clock minus the SDK's system clock, from the quickest of several bracketed readings."""
    best = (1 << 62, 0)
    for _ in range(16):
        before = time.perf_counter_ns()
        reading = system_us()
        after = time.perf_counter_ns()
        best = min(best, (after - before, (before + after) // 2 - reading * 1000))
    return best[1]


def plain(value: Any) -> Any:  # Any: what an SDK sends
    """JSON values of whatever a notification holds."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value)
