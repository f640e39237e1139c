"""What is asked of and told to a Tobii tracker when it is opened through tobii-research."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from acquisition.tobii_words import capabilities
from domain.errors import TrackerError
from domain.session import TrackerInfo


def apply_licences(tracker: Any, files: Sequence[str]) -> None:  # Any: an object of the SDK
    """Give the tracker its licences.

    Raises:
        TrackerError: it refused one.
    """
    if not files:
        return
    failed = tracker.apply_licenses([Path(name).read_bytes() for name in files])
    if failed:
        reasons = ", ".join(str(getattr(one, "validation_result", one)) for one in failed)
        raise TrackerError(f"The tracker refused a licence: {reasons}.", "Ask Tobii for a licence for this serial.")


def leave_stale_calibration(sdk: ModuleType, tracker: Any) -> None:  # Any: an object of the SDK
    """A crash may have left the tracker in calibration mode, in which it would calibrate for nobody else."""
    if "capability_can_do_screen_based_calibration" not in tracker.device_capabilities:
        return
    with contextlib.suppress(Exception):
        sdk.ScreenBasedCalibration(tracker).leave_calibration_mode()


def describe(tracker: Any, sdk: ModuleType, *, with_rates: bool) -> TrackerInfo:  # Any: an object of the SDK
    """What the tracker says about itself; its rates cost a question more."""
    area = tracker.get_display_area()
    corners = tuple((float(x), float(y), float(z)) for x, y, z in (area.top_left, area.top_right, area.bottom_left))
    return TrackerInfo(
        driver="tobii",
        model=tracker.model,
        serial=tracker.serial_number,
        firmware=tracker.firmware_version,
        software=f"tobii-research {sdk.__version__}, runtime {getattr(tracker, 'runtime_version', '')}".rstrip(", "),
        address=tracker.address,
        rate_hz=float(tracker.get_gaze_output_frequency()),
        rates_hz=tuple(float(rate) for rate in tracker.get_all_gaze_output_frequencies()) if with_rates else (),
        capabilities=capabilities(tracker.device_capabilities),
        display_area_mm=corners,
    )
