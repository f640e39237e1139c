"""Open a tracker for a screen, and say what does not fit between the two."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np

from acquisition.host import TrackerHost
from acquisition.tracker import CAN_CALIBRATE, TrackerSettings
from calibration.geometry import ScreenPlane
from calibration.staleness import stale_reasons
from domain.calibration import CalibrationRecord, Surroundings
from domain.display import Display
from domain.errors import TrackerError
from domain.session import TrackerInfo
from storage.calibration_file import CalibrationStore
from workflows.calibrate import as_journal

SIZE_TOLERANCE = 0.05
"""Display area and screen may differ by this share; people measure with a ruler."""


def open_tracker(settings: TrackerSettings, *, python: str = "") -> TrackerHost:
    """A started tracker host; takes a second or more, so it is not for the GUI thread.

    Raises:
        TrackerError: the tracker cannot be opened.
    """
    host = TrackerHost(settings, python=python)
    host.start()
    return host


def can_calibrate(info: TrackerInfo) -> bool:
    """Whether this tracker is calibrated at all (a mouse is not)."""
    return CAN_CALIBRATE in info.capabilities


def geometry_objection(info: TrackerInfo, display: Display) -> str:
    """Why the tracker's display area is not this screen; empty if it is, or if the tracker does not say."""
    if len(info.display_area_mm) < 3:
        return ""
    plane = ScreenPlane(*info.display_area_mm[:3])
    theirs, ours = np.asarray(plane.size_mm), np.asarray(display.size_mm)
    if np.all(np.abs(theirs / ours - 1.0) <= SIZE_TOLERANCE):
        return ""
    return (
        f"The tracker was set up for a screen of {theirs[0]:.0f} × {theirs[1]:.0f} mm, this one is {ours[0]:.0f} × "
        f"{ours[1]:.0f} mm. Set the display area with the tracker's own manager, or correct the size here."
    )


def stored_calibration(store: CalibrationStore, now: Surroundings) -> tuple[CalibrationRecord | None, tuple[str, ...]]:
    """The newest calibration of this annotator and tracker, and why it must not be used now (nothing if it may)."""
    record = store.newest(now.annotator, now.tracker_serial)
    if record is None:
        return None, ()
    return record, stale_reasons(record, now, at=datetime.now(timezone.utc))


def put_in_force(host: TrackerHost, record: CalibrationRecord) -> None:
    """Give a stored calibration to the tracker, where it has another one, and note it in a running recording.

    Raises:
        TrackerError: the tracker refused it.
    """
    if record.blob and host.calibration_data() != record.blob:
        host.apply_calibration(record.blob)
        if host.calibration_data() != record.blob:
            raise TrackerError("The tracker did not take the stored calibration.", "Calibrate again.")
    note_in_recording(host, record)


def note_in_recording(host: TrackerHost, record: CalibrationRecord) -> None:
    """Write the calibration in force and its validation into the journal, if one is being written."""
    now = host.now_ns()
    host.journal("calibration", {**as_journal(record), "time_ns": now}, record.blob)
    if record.validation is not None:
        host.journal("validation", {**record.validation.as_json(), "time_ns": now})


def recording_objections(
    info: TrackerInfo | None, record: CalibrationRecord | None, now: Surroundings | None
) -> tuple[str, ...]:
    """What speaks against a recording with this tracker now; none for trackers that are not calibrated."""
    if info is None or info.is_simulated or not can_calibrate(info):
        return ()
    if record is None:
        return ("The tracker is not calibrated.",)
    found = list(stale_reasons(record, now, at=datetime.now(timezone.utc))) if now is not None else []
    if record.override_reason:
        return tuple(found)
    if record.validation is None:
        found.append("The calibration was not validated.")
    elif record.validation.grade.value in ("poor", "no data"):
        found.append(record.validation.rule)
    return tuple(found)
