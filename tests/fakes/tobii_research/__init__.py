"""A faithful fake of tobii_research 2.1: dictionary keys, statuses, errors, locks and traps as read from its source.

Faithful in what bites: callbacks run on another thread with the tracker's lock held; an exception in a callback is
turned into another one and lost; the same callback twice is an error; `collect_data` blocks (10 s if nobody looks) and
mixes old and new data of a point; entering calibration mode clears the calibration in force; a duck-typed tracker is
refused; `find_all_eyetrackers` blocks. What a test may change lies in `devices`.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time

__version__ = "2.1.0.1"

CAPABILITY_CAN_DO_SCREEN_BASED_CALIBRATION = "capability_can_do_screen_based_calibration"
CAPABILITY_CAN_DO_MONOCULAR_CALIBRATION = "capability_can_do_monocular_calibration"
CAPABILITY_CAN_SET_DISPLAY_AREA = "capability_can_set_display_area"
CAPABILITY_HAS_EXTERNAL_SIGNAL = "capability_has_external_signal"
CAPABILITY_HAS_EYE_IMAGES = "capability_has_eye_images"
CAPABILITY_HAS_EYE_OPENNESS_DATA = "capability_has_eye_openness_data"
CAPABILITY_HAS_GAZE_DATA = "capability_has_gaze_data"

EYETRACKER_GAZE_DATA = "eyetracker_gaze_data"
EYETRACKER_EXTERNAL_SIGNAL = "eyetracker_external_signal"
EYETRACKER_TIME_SYNCHRONIZATION_DATA = "eyetracker_time_synchronization_data"
EYETRACKER_STREAM_ERRORS = "eyetracker_stream_errors"
EYETRACKER_EYE_IMAGES = "eyetracker_eye_images"
EYETRACKER_USER_POSITION_GUIDE = "eyetracker_user_position_guide"
EYETRACKER_EYE_OPENNESS_DATA = "eyetracker_eye_openness_data"
for _name in (
    "connection_lost",
    "connection_restored",
    "calibration_mode_entered",
    "calibration_mode_left",
    "calibration_changed",
    "display_area_changed",
    "gaze_output_frequency_changed",
    "eye_tracking_mode_changed",
    "device_faults",
    "device_warnings",
    "stream_buffer_overflow",
):
    globals()[f"EYETRACKER_NOTIFICATION_{_name.upper()}"] = f"eyetracker_notification_{_name}"
_STREAMS = {value for name, value in list(globals().items()) if name.startswith("EYETRACKER_")}

CALIBRATION_STATUS_FAILURE = "calibration_status_failure"
CALIBRATION_STATUS_SUCCESS = "calibration_status_success"
CALIBRATION_STATUS_SUCCESS_LEFT_EYE = "calibration_status_success_left_eye"
CALIBRATION_STATUS_SUCCESS_RIGHT_EYE = "calibration_status_success_right_eye"
VALIDITY_INVALID_AND_NOT_USED = "validity_invalid_and_not_used"
VALIDITY_VALID_BUT_NOT_USED = "validity_valid_but_not_used"
VALIDITY_VALID_AND_USED = "validity_valid_and_used"
SELECTED_EYE_LEFT = "selected_eye_left"
SELECTED_EYE_RIGHT = "selected_eye_right"
SELECTED_EYE_BOTH = "selected_eye_both"
EXTERNAL_SIGNAL_CHANGE_TYPE_VALUE_CHANGED = "external_signal_change_type_value_changed"


def _error(name: str) -> type[Exception]:
    def start(self: Exception, value: object) -> None:
        Exception.__init__(self, value)
        self.value = value  # type: ignore[attr-defined]

    return type(name, (Exception,), {"__init__": start})


EyeTrackerConnectionFailedError = _error("EyeTrackerConnectionFailedError")
EyeTrackerFeatureNotSupportedError = _error("EyeTrackerFeatureNotSupportedError")
EyeTrackerInternalError = _error("EyeTrackerInternalError")
EyeTrackerInvalidOperationError = _error("EyeTrackerInvalidOperationError")
EyeTrackerLicenseError = _error("EyeTrackerLicenseError")
EyeTrackerOperationFailedError = _error("EyeTrackerOperationFailedError")
EyeTrackerUnavailableError = _error("EyeTrackerUnavailableError")
EyeTrackerDisplayAreaNotValidError = _error("EyeTrackerDisplayAreaNotValidError")


class DisplayArea:
    def __init__(self, corners: dict) -> None:
        if not isinstance(corners, dict) or set(corners) != {"bottom_left", "top_left", "top_right"}:
            raise ValueError("a dict with bottom_left, top_left and top_right is needed")
        self.top_left, self.top_right = tuple(corners["top_left"]), tuple(corners["top_right"])
        self.bottom_left = tuple(corners["bottom_left"])
        steps = zip(self.bottom_left, self.top_left, self.top_right, strict=True)
        self.bottom_right = tuple(below + right - left for below, left, right in steps)
        self.width = math.dist(self.top_left, self.top_right)
        self.height = math.dist(self.top_left, self.bottom_left)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DisplayArea) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.top_left, self.top_right, self.bottom_left))


class FailedLicense:
    def __init__(self, key: bytes, validation_result: str) -> None:
        self.key, self.validation_result = key, validation_result


class Device:
    """The hardware that the fake trackers speak to."""

    def __init__(self, address: str = "tobii-prp://FAKE-1", serial: str = "FAKE-1", rate_hz: float = 120.0) -> None:
        self.address, self.serial, self.rate_hz = address, serial, rate_hz
        self.model, self.name, self.firmware = "Fake Pro Spectrum", "fake", "2.6.1"
        self.rates = (60.0, 120.0, 150.0, 300.0, 600.0, 1200.0)
        self.modes, self.mode = ("human", "monkey"), "human"
        self.capabilities = (
            CAPABILITY_CAN_DO_SCREEN_BASED_CALIBRATION,
            CAPABILITY_CAN_DO_MONOCULAR_CALIBRATION,
            CAPABILITY_CAN_SET_DISPLAY_AREA,
            CAPABILITY_HAS_EXTERNAL_SIGNAL,
            CAPABILITY_HAS_EYE_OPENNESS_DATA,
            CAPABILITY_HAS_GAZE_DATA,
        )
        self.area = DisplayArea(
            {"top_left": (-263.5, 306.0, 0.0), "top_right": (263.5, 306.0, 0.0), "bottom_left": (-263.5, 10.0, 0.0)}
        )
        self.clock_shift_us = -123_456_789
        self.is_connected = True
        self.is_licensed = True
        self.calibration: bytes | None = b"factory"
        self.in_calibration_by: object | None = None
        self.points: dict[tuple[float, float, str], list[tuple[float, float]]] = {}
        self.looks_at: tuple[float, float] | None = (0.5, 0.5)
        self.sees_left, self.sees_right = True, True
        self.collect_s = 0.05
        self.fails_collect = 0
        self.fails_compute = False
        self.probe_every_s = 0.05
        self.paused = threading.Event()
        self.trackers: list[EyeTracker] = []
        self.callback_errors: list[BaseException] = []
        self.n_sent = 0

    def send(self, stream: str, data: dict) -> None:
        for tracker in list(self.trackers):
            tracker._deliver(stream, data)

    def notify(self, kind: str, **values: object) -> None:
        data = {"notification_type": kind, "system_time_stamp": get_system_time_stamp(), **values}
        self.send(f"eyetracker_notification_{kind}", data)

    def unplug(self) -> None:
        self.is_connected = False
        self.notify("connection_lost")

    def plug_in(self) -> None:
        self.is_connected = True
        self.notify("connection_restored")


devices: list[Device] = [Device()]
search_s = 0.02
if "SIGHTLINE_FAKE_TOBII" in os.environ:
    for _key, _value in json.loads(os.environ["SIGHTLINE_FAKE_TOBII"]).items():
        setattr(devices[0], _key, _value)


def get_system_time_stamp() -> int:
    return time.monotonic_ns() // 1000


def find_all_eyetrackers() -> tuple[EyeTracker, ...]:
    time.sleep(search_s)
    return tuple(EyeTracker(device.address) for device in devices if device.is_connected)


class EyeTracker:
    def __init__(self, address: str) -> None:
        found = [device for device in devices if device.address == address and device.is_connected]
        if not found:
            raise EyeTrackerConnectionFailedError("Could not connect")
        self._device = found[0]
        self._lock = threading.RLock()
        self._callbacks: dict[str, dict[object, bool]] = {}
        self._threads: dict[str, threading.Event] = {}

    address = property(lambda self: self._device.address)
    device_name = property(lambda self: self._device.name)
    serial_number = property(lambda self: self._device.serial)
    model = property(lambda self: self._device.model)
    firmware_version = property(lambda self: self._device.firmware)
    runtime_version = property(lambda self: "1.2.3")
    device_capabilities = property(lambda self: self._device.capabilities)

    def _reach(self) -> Device:
        if not self._device.is_connected:
            raise EyeTrackerConnectionFailedError("The tracker is not reachable")
        return self._device

    def get_all_gaze_output_frequencies(self) -> tuple[float, ...]:
        return self._reach().rates

    def get_gaze_output_frequency(self) -> float:
        return self._reach().rate_hz

    def set_gaze_output_frequency(self, frequency: float) -> None:
        if frequency not in self._reach().rates:
            raise ValueError(f"{frequency} is out of bounds")
        self._device.rate_hz = frequency
        self._device.notify("gaze_output_frequency_changed", gaze_output_frequency=frequency)

    def get_all_eye_tracking_modes(self) -> tuple[str, ...]:
        return self._reach().modes

    def get_eye_tracking_mode(self) -> str:
        return self._reach().mode

    def set_eye_tracking_mode(self, mode: str) -> None:
        if mode not in self._reach().modes:
            raise ValueError(mode)
        self._device.mode = mode

    def get_display_area(self) -> DisplayArea:
        return self._reach().area

    def set_display_area(self, area: DisplayArea) -> None:
        if not isinstance(area, DisplayArea):
            raise ValueError("a DisplayArea is needed")
        if area.width <= 0 or area.height <= 0:
            raise EyeTrackerDisplayAreaNotValidError("the display area is not valid")
        self._reach().area = area
        self._device.notify("display_area_changed", display_area={"top_left": area.top_left})

    def retrieve_calibration_data(self) -> bytes | None:
        return self._reach().calibration

    def apply_calibration_data(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise ValueError("bytes are needed")
        if not data:
            raise EyeTrackerInternalError("empty calibration")
        self._reach().calibration = data
        self._device.notify("calibration_changed")

    def apply_licenses(self, keys: object) -> tuple[FailedLicense, ...]:
        given = keys if isinstance(keys, list) else [keys]
        failed = tuple(FailedLicense(key, "license_expired") for key in given if key != b"good")
        self._device.is_licensed = self._device.is_licensed or not failed
        return failed

    def clear_applied_licenses(self) -> None:
        self._device.is_licensed = False

    def subscribe_to(self, subscription_type: str, callback: object, as_dictionary: bool = False) -> None:
        if subscription_type not in _STREAMS or not callable(callback):
            raise ValueError("unknown subscription type or no callback")
        self._reach()
        if subscription_type == EYETRACKER_GAZE_DATA and not self._device.is_licensed:
            raise EyeTrackerLicenseError("insufficient licence")
        with self._lock:
            known = self._callbacks.setdefault(subscription_type, {})
            if callback in known:
                raise EyeTrackerInvalidOperationError("this callback is subscribed already")
            known[callback] = as_dictionary
            if self not in self._device.trackers:
                self._device.trackers.append(self)
            if len(known) == 1 and subscription_type in _PUMPS:
                stop = threading.Event()
                self._threads[subscription_type] = stop
                pump = threading.Thread(target=_PUMPS[subscription_type], args=(self, stop), daemon=True)
                pump.start()

    def unsubscribe_from(self, subscription_type: str, callback: object = None) -> None:
        with self._lock:  # waits for a running callback
            known = self._callbacks.get(subscription_type, {})
            if callback is None:
                known.clear()
            else:
                known.pop(callback, None)
            if not known and subscription_type in self._threads:
                self._threads.pop(subscription_type).set()

    def _deliver(self, stream: str, data: dict) -> None:
        with self._lock:
            for callback, as_dictionary in list(self._callbacks.get(stream, {}).items()):
                if not as_dictionary:
                    raise TypeError("this fake gives dictionaries only")
                try:
                    callback(data)  # type: ignore[operator]
                except BaseException as error:  # noqa: BLE001 - as the wrapper does: swallowed, turned into another
                    self._device.callback_errors.append(error)


def _gaze_pump(tracker: EyeTracker, stop: threading.Event) -> None:
    device = tracker._device
    began, n = time.monotonic_ns(), 0
    while not stop.is_set():
        due = int((time.monotonic_ns() - began) * device.rate_hz / 1e9) + 1
        while n < due and not stop.is_set():
            system_us = (began + int(n * 1e9 / device.rate_hz)) // 1000
            n += 1
            if not device.is_connected or device.paused.is_set():
                continue
            device.n_sent += 1
            stamps = {"device_time_stamp": system_us + device.clock_shift_us, "system_time_stamp": system_us}
            tracker._deliver(EYETRACKER_GAZE_DATA, {**stamps, **_eyes(device)})
            openness = {"left_eye_validity": 1, "left_eye_openness_value": 9.5}
            openness.update(right_eye_validity=1, right_eye_openness_value=9.25)
            tracker._deliver(EYETRACKER_EYE_OPENNESS_DATA, {**stamps, **openness})
        stop.wait(min(0.004, 1.0 / device.rate_hz))


def _eyes(device: Device) -> dict:
    data: dict = {}
    at = device.looks_at
    for side, sees, sign in (("left", device.sees_left, -1), ("right", device.sees_right, 1)):
        seen = sees and at is not None
        x, y = at if at is not None else (math.nan, math.nan)
        area = device.area
        point = tuple(
            tl + x * (tr - tl) + y * (bl - tl)
            for tl, tr, bl in zip(area.top_left, area.top_right, area.bottom_left, strict=True)
        )
        nan3 = (math.nan,) * 3
        data[f"{side}_gaze_point_on_display_area"] = (x, y) if seen else (math.nan, math.nan)
        data[f"{side}_gaze_point_in_user_coordinate_system"] = point if seen else nan3
        data[f"{side}_gaze_point_validity"] = int(seen)
        data[f"{side}_pupil_diameter"] = 3.25 if seen else math.nan
        data[f"{side}_pupil_validity"] = int(seen)
        data[f"{side}_gaze_origin_in_user_coordinate_system"] = (sign * 31.5, 150.0, 640.0) if seen else nan3
        data[f"{side}_gaze_origin_validity"] = int(seen)
    return data


def _sync_pump(tracker: EyeTracker, stop: threading.Event) -> None:
    device = tracker._device
    while not stop.wait(device.probe_every_s):
        if device.is_connected:
            request = get_system_time_stamp()
            stamp = get_system_time_stamp() + device.clock_shift_us
            data = {"system_request_time_stamp": request, "device_time_stamp": stamp}
            tracker._deliver(
                EYETRACKER_TIME_SYNCHRONIZATION_DATA, {**data, "system_response_time_stamp": get_system_time_stamp()}
            )


def _position_pump(tracker: EyeTracker, stop: threading.Event) -> None:
    while not stop.wait(0.02):
        data = {"left_user_position": (0.55, 0.5, 0.45), "left_user_position_validity": 1}
        data.update(right_user_position=(0.45, 0.5, 0.45), right_user_position_validity=1)
        tracker._deliver(EYETRACKER_USER_POSITION_GUIDE, data)


_PUMPS = {
    EYETRACKER_GAZE_DATA: _gaze_pump,
    EYETRACKER_TIME_SYNCHRONIZATION_DATA: _sync_pump,
    EYETRACKER_USER_POSITION_GUIDE: _position_pump,
}


class CalibrationEyeData:
    def __init__(self, position: tuple[float, float], validity: str) -> None:
        self.position_on_display_area, self.validity = position, validity


class CalibrationSample:
    def __init__(self, left: CalibrationEyeData, right: CalibrationEyeData) -> None:
        self.left_eye, self.right_eye = left, right


class CalibrationPoint:
    def __init__(self, position: tuple[float, float], samples: tuple[CalibrationSample, ...]) -> None:
        self.position_on_display_area, self.calibration_samples = position, samples


class CalibrationResult:
    def __init__(self, status: str, points: tuple[CalibrationPoint, ...]) -> None:
        self.status, self.calibration_points = status, points


class ScreenBasedCalibration:
    _needs = (CAPABILITY_CAN_DO_SCREEN_BASED_CALIBRATION,)

    def __init__(self, eyetracker: EyeTracker) -> None:
        if not isinstance(eyetracker, EyeTracker):
            raise ValueError("not a real EyeTracker")
        if any(capability not in eyetracker.device_capabilities for capability in self._needs):
            raise ValueError("the tracker lacks the capability")
        self._tracker, self._device = eyetracker, eyetracker._device

    def enter_calibration_mode(self) -> None:
        device = self._tracker._reach()
        if device.in_calibration_by is not None:
            raise EyeTrackerInvalidOperationError("calibration already started")
        device.in_calibration_by = self
        device.points = {}
        device.calibration = None  # the calibration in force ends here
        device.notify("calibration_mode_entered")

    def leave_calibration_mode(self) -> None:
        device = self._tracker._reach()
        if device.in_calibration_by is None:
            raise EyeTrackerInvalidOperationError("calibration not started")
        device.in_calibration_by = None
        device.notify("calibration_mode_left")

    def _need_mode(self) -> Device:
        device = self._tracker._reach()
        if device.in_calibration_by is None:
            raise EyeTrackerInvalidOperationError("calibration not started")
        return device

    def collect_data(self, x: float, y: float) -> str:
        return self._collect(x, y, "both")

    def _collect(self, x: float, y: float, eye: str) -> str:
        device = self._need_mode()
        if device.looks_at is None:
            deadline = time.monotonic() + 10.0  # nobody looks: the real one blocks so long
            while time.monotonic() < deadline and device.looks_at is None and device.is_connected:
                time.sleep(0.01)
        else:
            time.sleep(device.collect_s)
        if not device.is_connected:
            return CALIBRATION_STATUS_FAILURE
        if device.fails_collect > 0 or device.looks_at is None:
            device.fails_collect -= 1
            return CALIBRATION_STATUS_FAILURE
        device.points.setdefault((x, y, eye), []).extend([device.looks_at] * 5)
        if eye == "left":
            return CALIBRATION_STATUS_SUCCESS_LEFT_EYE
        return CALIBRATION_STATUS_SUCCESS_RIGHT_EYE if eye == "right" else CALIBRATION_STATUS_SUCCESS

    def discard_data(self, x: float, y: float) -> None:
        self._discard(x, y, "both")

    def _discard(self, x: float, y: float, eye: str) -> None:
        device = self._need_mode()
        if (x, y, eye) not in device.points:
            raise EyeTrackerInvalidOperationError("no data at this point")
        del device.points[(x, y, eye)]

    def compute_and_apply(self) -> CalibrationResult | tuple[str, tuple[()]]:
        device = self._need_mode()
        if device.fails_compute or not device.points:
            return (CALIBRATION_STATUS_FAILURE, ())
        points = []
        for (x, y, _eye), seen in device.points.items():
            left = VALIDITY_VALID_AND_USED if device.sees_left else VALIDITY_INVALID_AND_NOT_USED
            right = VALIDITY_VALID_AND_USED if device.sees_right else VALIDITY_INVALID_AND_NOT_USED
            eyes = [(CalibrationEyeData(at, left), CalibrationEyeData(at, right)) for at in seen]
            samples = tuple(CalibrationSample(*pair) for pair in eyes)
            half = len(samples) // 2  # the wrapper groups consecutive samples only: a point may come twice
            points += [CalibrationPoint((x, y), samples[:half]), CalibrationPoint((x, y), samples[half:])]
        device.calibration = json.dumps(sorted((x, y, len(s)) for (x, y, _), s in device.points.items())).encode()
        device.notify("calibration_changed")
        return CalibrationResult(CALIBRATION_STATUS_SUCCESS, tuple(points))


class ScreenBasedMonocularCalibration(ScreenBasedCalibration):
    _needs = (CAPABILITY_CAN_DO_SCREEN_BASED_CALIBRATION, CAPABILITY_CAN_DO_MONOCULAR_CALIBRATION)

    def collect_data(self, x: float, y: float, eye_to_calibrate: str) -> str:  # type: ignore[override]
        return self._collect(x, y, eye_to_calibrate.removeprefix("selected_eye_"))

    def discard_data(self, x: float, y: float, eye_to_calibrate: str) -> None:  # type: ignore[override]
        self._discard(x, y, eye_to_calibrate.removeprefix("selected_eye_"))
