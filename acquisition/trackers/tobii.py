"""Tobii Pro trackers through tobii-research 2.x (Python 3.10, or the tracker host under another interpreter).

SDK rules that shape this file: callbacks run on an SDK thread with the wrapper's lock held, so they pack and return and
never raise; entering calibration mode clears the calibration in force; data of a point is mixed unless discarded.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from acquisition.openness import OpennessMerger
from acquisition.sample_row import SampleRow
from acquisition.tobii_calibration import SdkCalibration
from acquisition.tobii_device import apply_licences, describe, leave_stale_calibration
from acquisition.tobii_subscriptions import SdkSubscriptions
from acquisition.tobii_words import (
    asking,
    clock_offset_ns,
    no_tracker_found,
    plain,
    require_data,
    require_rate,
)
from acquisition.tracker import (
    EXTERNAL_SIGNAL,
    STREAM_ERROR,
    Clock,
    SampleSink,
    Tracker,
    TrackerSettings,
    trackers,
)
from domain.errors import MissingPackageError, TrackerError
from domain.session import TrackerInfo

NAN2, NAN3 = (np.nan,) * 2, (np.nan,) * 3
NOTIFICATION_PREFIX = "eyetracker_notification_"


def load_sdk() -> ModuleType:
    """The tobii_research package.

    Raises:
        MissingPackageError: it is not installed for this interpreter.
    """
    try:
        return importlib.import_module("tobii_research")
    except ImportError as error:
        raise MissingPackageError(
            f"Tobii's Python SDK is not installed for this interpreter ({error}).",
            "Install it with `pip install tobii-research` (Python 3.10 only), name such an interpreter as the tracker "
            "host's Python in the settings, or use the driver tobii_titta.",
        ) from error


@trackers.register("tobii")
class TobiiTracker(Tracker):
    """Options: `licenses`, a list of files with licences to apply; `mode`, the eye tracking mode."""

    name = "tobii"
    label = "Tobii Pro (tobii-research)"
    needs = "tobii_research"
    install_hint = "pip install tobii-research"

    def __init__(self, settings: TrackerSettings, clock: Clock) -> None:
        super().__init__(settings, clock)
        self._sdk = load_sdk()
        self._sink: SampleSink | None = None
        self._early: list[tuple[str, dict[str, Any]]] = []
        self._row = SampleRow()
        self._merger: OpennessMerger | None = None
        self._guide: dict[str, Any] = {}
        self._is_guiding = False
        self._calibration: SdkCalibration | None = None
        self._n_callback_errors = 0
        with asking("be opened"):
            self._tracker = self._find(settings.address)
            self._subscriptions = SdkSubscriptions(self._tracker, self._note_callback_error)
            apply_licences(self._tracker, settings.options.get("licenses", ()))
            leave_stale_calibration(self._sdk, self._tracker)
            if settings.options.get("mode"):
                self._tracker.set_eye_tracking_mode(settings.options["mode"])
            if settings.rate_hz:
                self._set_rate(settings.rate_hz)
        self.system_offset_ns = clock_offset_ns(self._sdk.get_system_time_stamp)
        self._subscribe_notifications()

    @classmethod
    def discover(cls) -> list[TrackerInfo]:
        """All reachable Tobii trackers; blocks for about 2 s."""
        sdk = load_sdk()
        return [describe(tracker, sdk, with_rates=False) for tracker in sdk.find_all_eyetrackers()]

    @property
    def info(self) -> TrackerInfo:
        """What the tracker says about itself now."""
        with asking("be asked about itself"):
            return describe(self._tracker, self._sdk, with_rates=True)

    # Opening ----------------------------------------------------------------------------------------------------

    def _find(self, address: str) -> Any:  # Any: an object of the SDK
        if address:
            return self._sdk.EyeTracker(address)
        found = sorted(self._sdk.find_all_eyetrackers(), key=lambda tracker: tracker.serial_number)
        if not found:
            raise no_tracker_found()
        return found[0]

    def _set_rate(self, rate_hz: float) -> None:
        known = tuple(self._tracker.get_all_gaze_output_frequencies())
        require_rate(rate_hz, known, self._tracker.model)
        self._tracker.set_gaze_output_frequency(rate_hz)

    def _subscribe_notifications(self) -> None:
        """To all of them, each separately, from the moment the tracker is open."""
        for name in dir(self._sdk):
            if name.startswith("EYETRACKER_NOTIFICATION_"):
                stream = getattr(self._sdk, name)
                kind = str(stream).removeprefix(NOTIFICATION_PREFIX)
                # Some trackers do not have all of them.
                with contextlib.suppress(Exception):
                    self._subscriptions.add(stream, partial(self._tell, kind))
        self._subscriptions.add(self._sdk.EYETRACKER_STREAM_ERRORS, self._on_stream_error)

    # Streaming --------------------------------------------------------------------------------------------------

    def start(self, sink: SampleSink) -> None:
        """Subscribe to everything this tracker has."""
        self._sink = sink
        early, self._early = self._early, []
        for kind, payload in early:
            sink.notify(kind, payload)
        with asking("start its streams"):
            capabilities = self._tracker.device_capabilities
            if "capability_has_eye_openness_data" in capabilities:
                self._merger = OpennessMerger(sink)
                self._subscriptions.add_stream(self._sdk.EYETRACKER_EYE_OPENNESS_DATA, self._on_openness)
            if "capability_has_external_signal" in capabilities:
                self._subscriptions.add_stream(self._sdk.EYETRACKER_EXTERNAL_SIGNAL, self._on_external_signal)
            self._subscriptions.add_stream(self._sdk.EYETRACKER_TIME_SYNCHRONIZATION_DATA, self._on_time_sync)
            self._subscriptions.add_stream(self._sdk.EYETRACKER_GAZE_DATA, self._on_gaze, is_guarded=True)
            if self._is_guiding:
                self._subscriptions.add_stream(self._sdk.EYETRACKER_USER_POSITION_GUIDE, self._on_position)

    def stop(self) -> None:
        """Unsubscribe the streams; notifications stay until `close`."""
        self._subscriptions.end_streams()
        if self._merger is not None:
            self._merger.flush()
            self._merger = None
        self._sink = None

    def close(self) -> None:
        """Unsubscribe everything: subscriptions keep the tracker alive in the SDK."""
        self.stop()
        self._subscriptions.end_all()

    def reconnect(self) -> None:
        """Open the same tracker by its address again."""
        address = self._tracker.address
        with asking("be opened again"):
            again = self._sdk.EyeTracker(address)
            self._subscriptions.end_all()
            self._tracker = again
            self._subscriptions = SdkSubscriptions(again, self._note_callback_error)
            self._subscribe_notifications()

    # Callbacks: on an SDK thread, with the SDK's lock held; pack and return ----------------------------------------

    def _on_gaze(self, data: Mapping[str, Any]) -> None:
        try:
            row = self._row
            device_us, system_us = data["device_time_stamp"], data["system_time_stamp"]
            row.pack(
                device_us,
                system_us,
                data["left_gaze_point_on_display_area"],
                data["right_gaze_point_on_display_area"],
                data["left_gaze_point_in_user_coordinate_system"],
                data["right_gaze_point_in_user_coordinate_system"],
                data["left_gaze_origin_in_user_coordinate_system"],
                data["right_gaze_origin_in_user_coordinate_system"],
                data["left_pupil_diameter"],
                data["right_pupil_diameter"],
                data["left_gaze_point_validity"],
                data["right_gaze_point_validity"],
                data["left_gaze_origin_validity"],
                data["right_gaze_origin_validity"],
                data["left_pupil_validity"],
                data["right_pupil_validity"],
            )
            if self._merger is not None:
                self._merger.gaze(device_us, system_us, row.packed)
            elif self._sink is not None:
                self._sink.packed_sample(device_us, system_us, row.packed)
        except Exception as error:  # noqa: BLE001 - as in `SdkSubscriptions.add`, without one more call for each sample
            self._note_callback_error(self._sdk.EYETRACKER_GAZE_DATA, error)

    def _on_openness(self, data: Mapping[str, Any]) -> None:
        if self._merger is not None:
            self._merger.openness(
                data["device_time_stamp"],
                (data["left_eye_openness_value"], data["right_eye_openness_value"]),
                (data["left_eye_validity"], data["right_eye_validity"]),
            )

    def _on_time_sync(self, data: Mapping[str, Any]) -> None:
        if self._sink is not None:
            self._sink.time_probe(
                data["system_request_time_stamp"], data["device_time_stamp"], data["system_response_time_stamp"]
            )

    def _on_external_signal(self, data: Mapping[str, Any]) -> None:
        self._tell(EXTERNAL_SIGNAL, data)

    def _on_stream_error(self, data: Mapping[str, Any]) -> None:
        self._tell(STREAM_ERROR, data)

    def _on_position(self, data: Mapping[str, Any]) -> None:
        self._guide = {
            side: list(data[f"{side}_user_position"]) if data[f"{side}_user_position_validity"] else None
            for side in ("left", "right")
        }

    def _tell(self, kind: str, data: Mapping[str, Any]) -> None:
        payload = {key: plain(value) for key, value in dict(data).items()}
        if self._sink is not None:
            self._sink.notify(kind, payload)
        else:
            self._early.append((kind, payload))

    def _note_callback_error(self, where: str, error: Exception) -> None:
        self._n_callback_errors += 1
        if self._n_callback_errors == 1 and self._sink is not None:
            self._sink.notify("driver_error", {"where": where, "error": repr(error)})

    # Device -----------------------------------------------------------------------------------------------------

    def position_guide(self) -> dict[str, Any]:
        """Where the eyes are in the track box; the stream starts with the first question."""
        if not self._is_guiding:
            self._is_guiding = True
            if self._sink is not None:
                with contextlib.suppress(Exception):  # trackers without the stream have no guide
                    self._subscriptions.add_stream(self._sdk.EYETRACKER_USER_POSITION_GUIDE, self._on_position)
        return self._guide

    def set_display_area(self, corners_mm: tuple[tuple[float, float, float], ...]) -> None:
        """Tell the tracker where the screen is."""
        upper_left, upper_right, lower_left = corners_mm
        corners = {"top_left": upper_left, "top_right": upper_right, "bottom_left": lower_left}
        with asking("be told where the screen is"):
            self._tracker.set_display_area(self._sdk.DisplayArea(corners))

    # Calibration ------------------------------------------------------------------------------------------------

    def enter_calibration(self, eyes: str = "both") -> None:
        """Begin a calibration; the one in force ends."""
        self._calibration = SdkCalibration(self._sdk, self._tracker, eyes)

    def collect(self, point_norm: tuple[float, float], eyes: str = "both") -> str:
        """Collect at a point; blocks up to 10 s."""
        return self._in_calibration().collect(point_norm, eyes)

    def discard(self, point_norm: tuple[float, float], eyes: str = "both") -> None:
        """Forget a point; the floats must be those of `collect`."""
        self._in_calibration().discard(point_norm, eyes)

    def compute_calibration(self) -> dict[str, Any]:
        """Compute and apply; failure comes back as a status."""
        return self._in_calibration().compute()

    def leave_calibration(self) -> None:
        """End calibration mode whatever happened before."""
        calibration, self._calibration = self._calibration, None
        if calibration is None:
            leave_stale_calibration(self._sdk, self._tracker)
        else:
            calibration.leave()

    def calibration_data(self) -> bytes:
        """The calibration in force."""
        with asking("give its calibration"):
            return bytes(self._tracker.retrieve_calibration_data() or b"")

    def apply_calibration(self, data: bytes) -> None:
        """Put an earlier calibration in force."""
        require_data(data)
        with asking("apply a calibration"):
            self._tracker.apply_calibration_data(data)

    def _in_calibration(self) -> SdkCalibration:
        if self._calibration is None:
            raise TrackerError("Calibration was not begun.", "Enter calibration mode first.")
        return self._calibration
