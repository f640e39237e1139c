"""Tobii Pro trackers through tobii-research 2.x (Python 3.10, or the tracker host under another interpreter).

SDK rules that shape this file: callbacks run on an SDK thread with the wrapper's lock held, so they pack and return and
never raise; entering calibration mode clears the calibration in force; data of a point is mixed unless discarded.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from acquisition.openness import OpennessMerger
from acquisition.sample_row import SampleRow
from acquisition.tracker import (
    CAN_CALIBRATE,
    CAN_CALIBRATE_ONE_EYE,
    CAN_SET_DISPLAY_AREA,
    EXTERNAL_SIGNAL,
    HAS_EXTERNAL_SIGNAL,
    HAS_OPENNESS,
    HAS_POSITION_GUIDE,
    HAS_TIME_PROBES,
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
_CAPABILITIES = {
    "capability_can_do_screen_based_calibration": CAN_CALIBRATE,
    "capability_can_do_monocular_calibration": CAN_CALIBRATE_ONE_EYE,
    "capability_can_set_display_area": CAN_SET_DISPLAY_AREA,
    "capability_has_eye_openness_data": HAS_OPENNESS,
    "capability_has_external_signal": HAS_EXTERNAL_SIGNAL,
}
_STATUSES = {
    "calibration_status_success": "success",
    "calibration_status_success_left_eye": "success_left",
    "calibration_status_success_right_eye": "success_right",
}
_VALIDITIES = {"validity_invalid_and_not_used": -1, "validity_valid_but_not_used": 0, "validity_valid_and_used": 1}


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


def clock_offset_ns(system_us: Callable[[], int]) -> int:
    """Host clock minus the SDK's system clock, from the quickest of several bracketed readings."""
    best = (1 << 62, 0)
    for _ in range(16):
        before = time.perf_counter_ns()
        reading = system_us()
        after = time.perf_counter_ns()
        best = min(best, (after - before, (before + after) // 2 - reading * 1000))
    return best[1]


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
        self._subscriptions: list[tuple[str, Callable[[Any], None]]] = []
        self._stream_names: set[str] = set()
        self._row = SampleRow()
        self._merger: OpennessMerger | None = None
        self._guide: dict[str, Any] = {}
        self._is_guiding = False
        self._calibration: Any = None  # Any: an object of the SDK
        self._is_monocular = False
        self._n_callback_errors = 0
        with self._asking("be opened"):
            self._tracker = self._find(settings.address)
            self._apply_licences()
            self._leave_stale_calibration()
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
        return [_describe(tracker, sdk, with_rates=False) for tracker in sdk.find_all_eyetrackers()]

    @property
    def info(self) -> TrackerInfo:
        """What the tracker says about itself now."""
        with self._asking("be asked about itself"):
            return _describe(self._tracker, self._sdk, with_rates=True)

    # Opening ----------------------------------------------------------------------------------------------------

    def _find(self, address: str) -> Any:  # Any: an object of the SDK
        if address:
            return self._sdk.EyeTracker(address)
        found = sorted(self._sdk.find_all_eyetrackers(), key=lambda tracker: tracker.serial_number)
        if not found:
            raise TrackerError(
                "No Tobii eye tracker was found.",
                "Is it plugged in, and does Tobii's Eye Tracker Manager see it? Its runtime must be installed.",
            )
        return found[0]

    def _apply_licences(self) -> None:
        files = [Path(name) for name in self.settings.options.get("licenses", ())]
        if not files:
            return
        keys = [path.read_bytes() for path in files]
        failed = self._tracker.apply_licenses(keys)
        if failed:
            reasons = ", ".join(str(getattr(one, "validation_result", one)) for one in failed)
            raise TrackerError(f"The tracker refused a licence: {reasons}.", "Ask Tobii for a licence for this serial.")

    def _leave_stale_calibration(self) -> None:
        """A crash may have left the tracker in calibration mode, in which it would calibrate for nobody else."""
        if "capability_can_do_screen_based_calibration" not in self._tracker.device_capabilities:
            return
        with contextlib.suppress(Exception):
            self._sdk.ScreenBasedCalibration(self._tracker).leave_calibration_mode()

    def _set_rate(self, rate_hz: float) -> None:
        known = tuple(self._tracker.get_all_gaze_output_frequencies())
        if rate_hz not in known:
            raise TrackerError(
                f"{self._tracker.model} cannot run at {rate_hz:g} Hz.",
                f"It knows {', '.join(f'{rate:g}' for rate in known)} Hz.",
            )
        self._tracker.set_gaze_output_frequency(rate_hz)

    def _subscribe_notifications(self) -> None:
        """To all of them, each separately, from the moment the tracker is open."""
        for name in dir(self._sdk):
            if name.startswith("EYETRACKER_NOTIFICATION_"):
                stream = getattr(self._sdk, name)
                kind = str(stream).removeprefix(NOTIFICATION_PREFIX)
                # Some trackers do not have all of them.
                with contextlib.suppress(Exception):
                    self._subscribe(stream, partial(self._tell, kind))
        self._subscribe(self._sdk.EYETRACKER_STREAM_ERRORS, self._on_stream_error)

    def _subscribe(self, stream: str, callback: Callable[[Any], None], *, is_guarded: bool = False) -> None:
        def never_raising(data: Any) -> None:  # Any: what the SDK sends
            try:
                callback(data)
            except Exception as error:  # noqa: BLE001 - raised here it turns into a NameError in the SDK's C layer
                self._note_callback_error(stream, error)

        taking = callback if is_guarded else never_raising
        self._tracker.subscribe_to(stream, taking, as_dictionary=True)
        self._subscriptions.append((stream, taking))

    # Streaming --------------------------------------------------------------------------------------------------

    def start(self, sink: SampleSink) -> None:
        """Subscribe to everything this tracker has."""
        self._sink = sink
        early, self._early = self._early, []
        for kind, payload in early:
            sink.notify(kind, payload)
        capabilities = self._tracker.device_capabilities
        with self._asking("start its streams"):
            if "capability_has_eye_openness_data" in capabilities:
                self._merger = OpennessMerger(sink)
                self._stream(self._sdk.EYETRACKER_EYE_OPENNESS_DATA, self._on_openness)
            if "capability_has_external_signal" in capabilities:
                self._stream(self._sdk.EYETRACKER_EXTERNAL_SIGNAL, self._on_external_signal)
            self._stream(self._sdk.EYETRACKER_TIME_SYNCHRONIZATION_DATA, self._on_time_sync)
            self._stream(self._sdk.EYETRACKER_GAZE_DATA, self._on_gaze, is_guarded=True)
            if self._is_guiding:
                self._stream(self._sdk.EYETRACKER_USER_POSITION_GUIDE, self._on_position)

    def _stream(self, stream: str, callback: Callable[[Any], None], *, is_guarded: bool = False) -> None:
        self._subscribe(stream, callback, is_guarded=is_guarded)
        self._stream_names.add(stream)

    def stop(self) -> None:
        """Unsubscribe the streams; notifications stay until `close`."""
        self._unsubscribe(lambda stream: stream in self._stream_names)
        self._stream_names.clear()
        if self._merger is not None:
            self._merger.flush()
            self._merger = None
        self._sink = None

    def close(self) -> None:
        """Unsubscribe everything: subscriptions keep the tracker alive in the SDK."""
        self.stop()
        self._unsubscribe(lambda stream: True)

    def _unsubscribe(self, wanted: Callable[[str], bool]) -> None:
        kept = []
        for stream, callback in self._subscriptions:
            if wanted(stream):
                with contextlib.suppress(Exception):  # a lost tracker cannot be unsubscribed from
                    self._tracker.unsubscribe_from(stream, callback)
            else:
                kept.append((stream, callback))
        self._subscriptions = kept

    def reconnect(self) -> None:
        """Open the same tracker by its address again."""
        address = self._tracker.address
        with self._asking("be opened again"):
            again = self._sdk.EyeTracker(address)
            self._unsubscribe(lambda stream: True)
            self._tracker = again
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
        except Exception as error:  # noqa: BLE001 - as in `_subscribe`, without one more call for each sample
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
        payload = {key: _plain(value) for key, value in dict(data).items()}
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
                    self._stream(self._sdk.EYETRACKER_USER_POSITION_GUIDE, self._on_position)
        return self._guide

    def set_display_area(self, corners_mm: tuple[tuple[float, float, float], ...]) -> None:
        """Tell the tracker where the screen is."""
        upper_left, upper_right, lower_left = corners_mm
        corners = {"top_left": upper_left, "top_right": upper_right, "bottom_left": lower_left}
        with self._asking("be told where the screen is"):
            self._tracker.set_display_area(self._sdk.DisplayArea(corners))

    # Calibration ------------------------------------------------------------------------------------------------

    def enter_calibration(self, eyes: str = "both") -> None:
        """Begin a calibration; the one in force ends."""
        with self._asking("enter calibration mode"):
            self._is_monocular = eyes != "both"
            kind = "ScreenBasedMonocularCalibration" if self._is_monocular else "ScreenBasedCalibration"
            self._calibration = getattr(self._sdk, kind)(self._tracker)
            self._calibration.enter_calibration_mode()

    def collect(self, point_norm: tuple[float, float], eyes: str = "both") -> str:
        """Collect at a point; blocks up to 10 s."""
        calibration = self._in_calibration()
        with self._asking("collect calibration data"):
            status = calibration.collect_data(*point_norm, *self._eye(eyes))
        return _STATUSES.get(str(status), "failure")

    def discard(self, point_norm: tuple[float, float], eyes: str = "both") -> None:
        """Forget a point; the floats must be those of `collect`."""
        calibration = self._in_calibration()
        with self._asking("discard calibration data"):
            calibration.discard_data(*point_norm, *self._eye(eyes))

    def compute_calibration(self) -> dict[str, Any]:
        """Compute and apply; failure comes back as a status."""
        calibration = self._in_calibration()
        with self._asking("compute a calibration"):
            try:
                result = calibration.compute_and_apply()
            except ValueError:
                # Older wrappers cannot build the result where a point has one eye only; the calibration is in force.
                return {"status": "success", "points": []}
        if isinstance(result, tuple):
            status, points = result
        else:
            status, points = result.status, result.calibration_points
        return {"status": _STATUSES.get(str(status), "failure"), "points": _points(points)}

    def leave_calibration(self) -> None:
        """End calibration mode whatever happened before."""
        calibration, self._calibration = self._calibration, None
        if calibration is None:
            self._leave_stale_calibration()
            return
        with self._asking("leave calibration mode"):
            calibration.leave_calibration_mode()

    def calibration_data(self) -> bytes:
        """The calibration in force."""
        with self._asking("give its calibration"):
            return bytes(self._tracker.retrieve_calibration_data() or b"")

    def apply_calibration(self, data: bytes) -> None:
        """Put an earlier calibration in force."""
        if not data:
            raise TrackerError("An empty calibration cannot be applied.")
        with self._asking("apply a calibration"):
            self._tracker.apply_calibration_data(data)

    def _in_calibration(self) -> Any:  # Any: an object of the SDK
        if self._calibration is None:
            raise TrackerError("Calibration was not begun.", "Enter calibration mode first.")
        return self._calibration

    def _eye(self, eyes: str) -> tuple[str, ...]:
        if not self._is_monocular:
            return ()
        return (getattr(self._sdk, f"SELECTED_EYE_{eyes.upper()}"),)

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Turn the SDK's exceptions, which have no common base, into ours."""
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
            hint = "Check its cable and power." if kind == "EyeTrackerConnectionFailedError" else ""
            raise TrackerError(f"The tracker could not {what}: {kind}: {error}.", hint) from error


def _describe(tracker: Any, sdk: ModuleType, *, with_rates: bool) -> TrackerInfo:  # Any: an object of the SDK
    area = tracker.get_display_area()
    corners = tuple((float(x), float(y), float(z)) for x, y, z in (area.top_left, area.top_right, area.bottom_left))
    capabilities = [ours for theirs, ours in _CAPABILITIES.items() if theirs in tracker.device_capabilities]
    return TrackerInfo(
        driver="tobii",
        model=tracker.model,
        serial=tracker.serial_number,
        firmware=tracker.firmware_version,
        software=f"tobii-research {sdk.__version__}, runtime {getattr(tracker, 'runtime_version', '')}".rstrip(", "),
        address=tracker.address,
        rate_hz=float(tracker.get_gaze_output_frequency()),
        rates_hz=tuple(float(rate) for rate in tracker.get_all_gaze_output_frequencies()) if with_rates else (),
        capabilities=(*capabilities, HAS_POSITION_GUIDE, HAS_TIME_PROBES),
        display_area_mm=corners,
    )


def _points(points: Any) -> list[dict[str, Any]]:  # Any: objects of the SDK
    """One entry per position: the wrapper groups consecutive samples only, so a repeated point may come twice."""
    merged: dict[tuple[float, float], dict[str, Any]] = {}
    for point in points:
        x, y = (float(value) for value in point.position_on_display_area)
        entry = merged.setdefault((x, y), {"point": [x, y], "left": [], "right": []})
        for sample in point.calibration_samples:
            for side in ("left", "right"):
                eye = getattr(sample, f"{side}_eye")
                at = [float(value) for value in eye.position_on_display_area]
                entry[side].append([*at, _VALIDITIES.get(str(eye.validity), -1)])
    return list(merged.values())


def _plain(value: Any) -> Any:  # Any: what the SDK sends
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value)
