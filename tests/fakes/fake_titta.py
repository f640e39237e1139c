"""A fake of TittaPy_v2: streams are emptied by `consume_N`, calibration answers later; keys as in TittaPy's source."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from enum import Enum
from types import ModuleType

import numpy as np


class Word(Enum):
    enter = 1
    collect_data = 2
    discard_data = 3
    compute = 4
    get_calibration_data = 5
    apply_calibration_data = 6
    exit = 7
    success = 10
    failure = 11
    valid_and_used = 20
    can_do_screen_based_calibration = 30
    can_set_display_area = 31
    has_eye_openness_data = 32
    connection_lost = 40


class TittaDevice:
    def __init__(self) -> None:
        self.rate_hz = 120.0
        self.looks_at: tuple[float, float] | None = (0.5, 0.5)
        self.is_connected = True
        self.notifications: deque[dict] = deque()
        self.calibration = b"factory"
        self.in_calibration = False
        self.points: dict[tuple[float, float], int] = {}
        self.shift_us = -77_000_000
        self.area = {
            "top_left": [-263.5, 306.0, 0.0],
            "top_right": [263.5, 306.0, 0.0],
            "bottom_left": [-263.5, 10.0, 0.0],
        }

    def unplug(self) -> None:
        self.is_connected = False
        self.notifications.append(
            {
                "system_time_stamp": time.monotonic_ns() // 1000,
                "notification_type": Word.connection_lost,
                "output_frequency": None,
                "display_area": None,
                "errors_or_warnings": None,
            }
        )


class EyeTracker:
    device = TittaDevice()

    def __init__(self, address: str) -> None:
        if not self.device.is_connected:
            raise RuntimeError("could not connect")
        self.address = address
        self.model, self.serial_number = "Fake Pro Nano", "TITTA-1"
        self.firmware_version, self.runtime_version = "1.0", "2.0"
        self.supported_frequencies = [60.0, 120.0, 1200.0]
        self.supported_modes = ["human"]
        self.tracking_mode = "human"
        self.capabilities = [
            Word.can_do_screen_based_calibration,
            Word.can_set_display_area,
            Word.has_eye_openness_data,
        ]
        self._streams: dict[str, int] = {}
        self._answers: deque[dict] = deque()
        self._lock = threading.Lock()

    @property
    def frequency(self) -> float:
        return self.device.rate_hz

    @frequency.setter
    def frequency(self, rate_hz: float) -> None:
        self.device.rate_hz = rate_hz

    @property
    def display_area(self) -> dict:
        return self.device.area

    @display_area.setter
    def display_area(self, area: dict) -> None:
        self.device.area = area

    def has_stream(self, stream: str) -> bool:
        return stream != "external_signal"

    def set_include_eye_openness_in_gaze(self, include: bool) -> bool:
        return include

    def start(self, stream: str) -> bool:
        self._streams[stream] = time.monotonic_ns() // 1000
        return True

    def stop(self, stream: str) -> bool:
        self._streams.pop(stream, None)
        return True

    def is_recording(self, stream: str) -> bool:
        return stream in self._streams

    def consume_N(self, stream: str) -> dict:  # noqa: N802 - TittaPy's name
        now_us = time.monotonic_ns() // 1000
        if stream == "gaze":
            return self._gaze(now_us)
        if stream == "time_sync":
            stamps = [now_us] if self.device.is_connected else []
            return {
                "system_request_time_stamp": np.array(stamps, np.int64) - 50,
                "device_time_stamp": np.array(stamps, np.int64) + self.device.shift_us,
                "system_response_time_stamp": np.array(stamps, np.int64) + 50,
            }
        if stream == "notification":
            names = ("system_time_stamp", "notification_type", "output_frequency", "display_area", "errors_or_warnings")
            rows = [self.device.notifications.popleft() for _ in range(len(self.device.notifications))]
            return {name: [row[name] for row in rows] for name in names}
        if stream == "positioning":
            found: dict = {}
            for side in ("left", "right"):
                found[f"{side}_user_position_valid"] = np.array([True])
                for axis in "xyz":
                    found[f"{side}_user_position_{axis}"] = np.array([0.5])
            return found
        return {}

    def _gaze(self, now_us: int) -> dict:
        period = 1e6 / self.device.rate_hz
        since = self._streams.get("gaze")
        n = int((now_us - since) / period) if since is not None and self.device.is_connected else 0
        stamps = (since or 0) + (np.arange(n) * period).astype(np.int64)
        if since is not None and n:
            self._streams["gaze"] = int(since + n * period)
        at = self.device.looks_at
        x, y = at if at is not None else (math.nan, math.nan)
        seen = np.full(n, at is not None)
        found: dict = {"device_time_stamp": stamps + self.device.shift_us, "system_time_stamp": stamps}
        for side, sign in (("left", -1), ("right", 1)):
            for axis, value in (("x", x), ("y", y)):
                found[f"{side}_gaze_point_on_display_area_{axis}"] = np.full(n, value, np.float32)
            for axis, value in (("x", (x - 0.5) * 527), ("y", 306 - 296 * y), ("z", 0.0)):
                found[f"{side}_gaze_point_in_user_coordinates_{axis}"] = np.full(n, value, np.float32)
            for axis, value in (("x", sign * 31.5), ("y", 150.0), ("z", 640.0)):
                found[f"{side}_gaze_origin_in_user_coordinates_{axis}"] = np.full(n, value, np.float32)
            found[f"{side}_pupil_diameter"] = np.full(n, 3.25 if at else math.nan, np.float32)
            found[f"{side}_eye_openness_diameter"] = np.full(n, 9.5, np.float32)
            for kind in ("gaze_point", "gaze_origin", "pupil", "eye_openness"):
                found[f"{side}_{kind}_valid"] = seen
                found[f"{side}_{kind}_available"] = np.full(n, True)
        return found

    # Calibration: each action answers a little later

    def _later(self, action: Word, **more: object) -> None:
        answer = {"work_item": {"action": action}, "status": 0, "status_string": "ok", **more}
        threading.Timer(0.02, self._answers.append, (answer,)).start()

    def calibration_retrieve_result(self) -> dict | None:
        return self._answers.popleft() if self._answers else None

    def is_in_calibration_mode(self, _issue_error: bool | None = None) -> bool:
        return self.device.in_calibration

    def enter_calibration_mode(self, do_monocular: bool) -> bool:
        self.device.in_calibration, self.device.calibration, self.device.points = True, b"", {}
        self._later(Word.enter)
        return True

    def leave_calibration_mode(self, force: bool | None = None) -> bool:
        was_in, self.device.in_calibration = self.device.in_calibration, False
        if was_in:
            self._later(Word.exit)
        return was_in

    def calibration_collect_data(self, coordinates: list[float], eye: str | None = None) -> None:
        x, y = coordinates
        self.device.points[(x, y)] = self.device.points.get((x, y), 0) + 5
        self._later(Word.collect_data)

    def calibration_discard_data(self, coordinates: list[float], eye: str | None = None) -> None:
        self.device.points.pop(tuple(coordinates), None)
        self._later(Word.discard_data)

    def calibration_compute_and_apply(self) -> None:
        points = []
        for (x, y), n in self.device.points.items():
            point: dict = {"position_on_display_area_x": x, "position_on_display_area_y": y}
            for side in ("left", "right"):
                point[f"samples_{side}_position_on_display_area_x"] = np.full(n, x)
                point[f"samples_{side}_position_on_display_area_y"] = np.full(n, y)
                point[f"samples_{side}_validity"] = [Word.valid_and_used] * n
            points.append(point)
        self.device.calibration = repr(sorted(self.device.points.items())).encode()
        self._later(Word.compute, calibration_result={"status": Word.success, "points": points})

    def calibration_get_data(self) -> None:
        self._later(Word.get_calibration_data, calibration_data=list(self.device.calibration))

    def calibration_apply_data(self, cal_data: list[int]) -> None:
        self.device.calibration = bytes(cal_data)
        self._later(Word.apply_calibration_data)


def as_module(device: TittaDevice) -> ModuleType:
    """The module to put into sys.modules as TittaPy_v2."""
    module = ModuleType("TittaPy_v2")
    tracker = type("EyeTracker", (EyeTracker,), {"device": device})
    one = {
        "model": "Fake Pro Nano",
        "serial_number": "TITTA-1",
        "firmware_version": "1.0",
        "runtime_version": "2.0",
        "address": "tobii-prp://TITTA-1",
        "frequency": device.rate_hz,
        "supported_frequencies": [60.0, 120.0, 1200.0],
        "capabilities": [Word.can_do_screen_based_calibration],
    }
    module.EyeTracker = tracker  # type: ignore[attr-defined]
    module.find_all_eye_trackers = lambda: [one] if device.is_connected else []  # type: ignore[attr-defined]
    module.get_system_timestamp = lambda: time.monotonic_ns() // 1000  # type: ignore[attr-defined]
    module.get_SDK_version = lambda: "2.1.0.1"  # type: ignore[attr-defined]
    module.start_logging = lambda: True  # type: ignore[attr-defined]
    module.get_log = lambda _clear: []  # type: ignore[attr-defined]
    return module
