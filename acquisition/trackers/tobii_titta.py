"""Tobii Pro trackers through TittaPy: the same C SDK, its samples buffered outside Python, on Python 3.10-3.14.

Nothing here runs on a thread of the SDK: one thread of ours empties its buffers every few milliseconds.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from acquisition.trackers.tobii import clock_offset_ns
from domain.errors import MissingPackageError, TrackerError
from domain.gaze import LEFT, RIGHT, SAMPLE_RECORD
from domain.session import TrackerInfo

log = logging.getLogger(__name__)

PULL_S = 0.004
CALIBRATION_PULL_S = 0.01
_SLOW_STREAMS = ("time_sync", "notification", "external_signal")
_CAPABILITIES = {
    "can_do_screen_based_calibration": CAN_CALIBRATE,
    "can_do_monocular_calibration": CAN_CALIBRATE_ONE_EYE,
    "can_set_display_area": CAN_SET_DISPLAY_AREA,
    "has_eye_openness_data": HAS_OPENNESS,
    "has_external_signal": HAS_EXTERNAL_SIGNAL,
}
_STATUSES = {"success": "success", "success_left_eye": "success_left", "success_right_eye": "success_right"}
_VALIDITIES = {"invalid_and_not_used": -1, "valid_but_not_used": 0, "valid_and_used": 1}
DEADLINES_S = {"enter": 5.0, "collect_data": 12.0, "discard_data": 5.0, "compute": 15.0, "exit": 5.0}


def load_titta() -> ModuleType:
    """The TittaPy_v2 module, or the one for older trackers.

    Raises:
        MissingPackageError: it is not installed.
    """
    problem: ImportError | None = None
    for name in ("TittaPy_v2", "TittaPy_v1"):
        try:
            return importlib.import_module(name)
        except ImportError as error:
            problem = problem or error
    raise MissingPackageError(
        f"TittaPy is not installed for this interpreter ({problem}).", "Install it with `pip install TittaPy`."
    )


@trackers.register("tobii_titta")
class TittaTracker(Tracker):
    """Options: `licenses`, a list of files with licences to apply; `mode`, the eye tracking mode."""

    name = "tobii_titta"
    label = "Tobii Pro (TittaPy)"
    needs = "TittaPy_v2"
    install_hint = "pip install TittaPy"
    tells_calibration = False  # only inside calibration mode, and entering that clears it

    def __init__(self, settings: TrackerSettings, clock: Clock) -> None:
        super().__init__(settings, clock)
        self._titta = load_titta()
        self._sink: SampleSink | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._guide: dict[str, Any] = {}
        self._is_guiding = False
        with self._asking("be opened"):
            self._address = settings.address or self._first_address()
            self._tracker = self._open()
            if settings.options.get("mode"):
                self._tracker.tracking_mode = settings.options["mode"]
            if settings.rate_hz:
                self._set_rate(settings.rate_hz)
        self.system_offset_ns = clock_offset_ns(self._titta.get_system_timestamp)

    @classmethod
    def discover(cls) -> list[TrackerInfo]:
        """All reachable Tobii trackers; blocks for about 2 s."""
        titta = load_titta()
        return [_info(found, titta, ()) for found in titta.find_all_eye_trackers()]

    @property
    def info(self) -> TrackerInfo:
        """What the tracker says about itself now."""
        with self._asking("be asked about itself"):
            area = self._tracker.display_area
            corners = tuple(tuple(float(v) for v in area[name]) for name in ("top_left", "top_right", "bottom_left"))
            tracker = self._tracker
            facts = {
                "serial_number": tracker.serial_number,
                "model": tracker.model,
                "firmware_version": tracker.firmware_version,
                "runtime_version": tracker.runtime_version,
                "address": tracker.address,
                "frequency": tracker.frequency,
                "supported_frequencies": tracker.supported_frequencies,
                "capabilities": tracker.capabilities,
            }
            return _info(facts, self._titta, corners)

    def _first_address(self) -> str:
        found = sorted(self._titta.find_all_eye_trackers(), key=lambda one: str(one["serial_number"]))
        if not found:
            raise TrackerError(
                "No Tobii eye tracker was found.",
                "Is it plugged in, and does Tobii's Eye Tracker Manager see it? Its runtime must be installed.",
            )
        return str(found[0]["address"])

    def _open(self) -> Any:  # Any: an object of TittaPy
        tracker = self._titta.EyeTracker(self._address)
        with contextlib.suppress(Exception):  # a crash may have left it in calibration mode
            tracker.leave_calibration_mode(True)
        licences = [list(_bytes_of(name)) for name in self.settings.options.get("licenses", ())]
        if licences:
            results = [str(result).rsplit(".", 1)[-1] for result in tracker.apply_licenses(licences)]
            if any(result != "ok" for result in results):
                raise TrackerError(f"The tracker refused a licence: {', '.join(results)}.")
        return tracker

    def _set_rate(self, rate_hz: float) -> None:
        known = [float(rate) for rate in self._tracker.supported_frequencies]
        if rate_hz not in known:
            raise TrackerError(
                f"{self._tracker.model} cannot run at {rate_hz:g} Hz.",
                f"It knows {', '.join(f'{rate:g}' for rate in known)} Hz.",
            )
        self._tracker.frequency = rate_hz

    # Streaming --------------------------------------------------------------------------------------------------

    def start(self, sink: SampleSink) -> None:
        """Start all streams this tracker has and the thread that empties them."""
        self._sink = sink
        with self._asking("start its streams"):
            if self._tracker.has_stream("eye_openness"):
                self._tracker.set_include_eye_openness_in_gaze(True)
            with contextlib.suppress(Exception):  # the log is the process's own and may run already
                self._titta.start_logging()
            for stream in (*_SLOW_STREAMS, "gaze"):
                if self._tracker.has_stream(stream):
                    self._tracker.start(stream)
            if self._is_guiding:
                self._tracker.start("positioning")
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(sink,), name="titta", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the streams after what they hold has been taken."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        for stream in (*_SLOW_STREAMS, "gaze", "positioning"):
            with contextlib.suppress(Exception):  # a lost tracker cannot be stopped
                if self._tracker.is_recording(stream):
                    self._tracker.stop(stream)
        self._stopping.set()
        thread.join()
        self._sink = None

    def reconnect(self) -> None:
        """Open the same tracker by its address again."""
        with self._asking("be opened again"):
            self._tracker = self._open()

    def _run(self, sink: SampleSink) -> None:
        n_turns = 0
        is_last = False
        while not is_last:
            is_last = self._stopping.wait(PULL_S)
            try:
                self._pull_gaze(sink)
                if n_turns % 16 == 0 or is_last:
                    self._pull_rest(sink)
            except Exception as error:
                log.exception("TittaPy's buffers could not be read")
                if n_turns == 0:
                    sink.notify("driver_error", {"error": repr(error)})
            n_turns += 1

    def _pull_gaze(self, sink: SampleSink) -> None:
        found = self._tracker.consume_N("gaze")
        if len(found["device_time_stamp"]):
            sink.samples(gaze_rows(found))

    def _pull_rest(self, sink: SampleSink) -> None:
        probes = self._tracker.consume_N("time_sync")
        columns = ("system_request_time_stamp", "device_time_stamp", "system_response_time_stamp")
        for request, device, response in zip(*(probes[name] for name in columns), strict=True):
            sink.time_probe(int(request), int(device), int(response))
        for row in _rows(self._tracker.consume_N("notification")):
            kind = str(row.pop("notification_type")).rsplit(".", 1)[-1]
            sink.notify(kind, {key: value for key, value in row.items() if value is not None})
        if self._tracker.is_recording("external_signal"):
            for row in _rows(self._tracker.consume_N("external_signal")):
                sink.notify(EXTERNAL_SIGNAL, row)
        for entry in self._titta.get_log(True):
            if "error" in entry:  # a log message has a level instead
                sink.notify(STREAM_ERROR, {key: str(value) for key, value in entry.items()})
        if self._is_guiding:
            guide = self._tracker.consume_N("positioning")
            if len(guide["left_user_position_valid"]):
                self._guide = {
                    side: [float(guide[f"{side}_user_position_{axis}"][-1]) for axis in "xyz"]
                    if guide[f"{side}_user_position_valid"][-1]
                    else None
                    for side in ("left", "right")
                }

    # Device -----------------------------------------------------------------------------------------------------

    def position_guide(self) -> dict[str, Any]:
        """Where the eyes are in the track box; the stream starts with the first question."""
        if not self._is_guiding:
            self._is_guiding = True
            if self._sink is not None and self._tracker.has_stream("positioning"):
                self._tracker.start("positioning")
        return self._guide

    def set_display_area(self, corners_mm: tuple[tuple[float, float, float], ...]) -> None:
        """Tell the tracker where the screen is."""
        names = ("top_left", "top_right", "bottom_left")
        with self._asking("be told where the screen is"):
            self._tracker.display_area = {name: list(corner) for name, corner in zip(names, corners_mm, strict=True)}

    # Calibration: TittaPy answers later; each question waits for its own answer --------------------------------------

    def enter_calibration(self, eyes: str = "both") -> None:
        """Begin a calibration; the one in force ends."""
        with self._asking("enter calibration mode"):
            self._tracker.enter_calibration_mode(eyes != "both")
            self._answer("enter")

    def collect(self, point_norm: tuple[float, float], eyes: str = "both") -> str:
        """Collect at a point; blocks up to 12 s."""
        with self._asking("collect calibration data"):
            self._tracker.calibration_collect_data(list(point_norm), *_eye(eyes))
            answer = self._answer("collect_data")
        if int(answer.get("status", -1)) != 0:
            return "failure"
        return {"left": "success_left", "right": "success_right"}.get(eyes, "success")

    def discard(self, point_norm: tuple[float, float], eyes: str = "both") -> None:
        """Forget a point."""
        with self._asking("discard calibration data"):
            self._tracker.calibration_discard_data(list(point_norm), *_eye(eyes))
            self._answer("discard_data")

    def compute_calibration(self) -> dict[str, Any]:
        """Compute and apply; failure comes back as a status."""
        with self._asking("compute a calibration"):
            self._tracker.calibration_compute_and_apply()
            answer = self._answer("compute")
        result = answer.get("calibration_result")
        if result is None:
            return {"status": "failure", "points": []}
        status = str(result["status"]).rsplit(".", 1)[-1]
        return {"status": _STATUSES.get(status, "failure"), "points": _points(result["points"])}

    def leave_calibration(self) -> None:
        """End calibration mode whatever happened before."""
        with self._asking("leave calibration mode"):
            if self._tracker.leave_calibration_mode(True):
                with contextlib.suppress(TrackerError):  # nothing answers when the mode was not on
                    self._answer("exit")

    def calibration_data(self) -> bytes:
        """The calibration in force."""
        with self._asking("give its calibration"):
            if not self._tracker.is_in_calibration_mode(False):
                return b""  # TittaPy can only ask inside calibration mode, and entering that clears it
            self._tracker.calibration_get_data()
            return bytes(bytearray(int(value) for value in self._answer("get_calibration_data")["calibration_data"]))

    def apply_calibration(self, data: bytes) -> None:
        """Put an earlier calibration in force."""
        if not data:
            raise TrackerError("An empty calibration cannot be applied.")
        with self._asking("apply a calibration"):
            was_in = self._tracker.is_in_calibration_mode(False)
            if not was_in:
                self._tracker.enter_calibration_mode(False)
                self._answer("enter")
            self._tracker.calibration_apply_data(list(data))
            self._answer("apply_calibration_data")
            if not was_in:
                self.leave_calibration()

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

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except (TrackerError, MissingPackageError, OSError):
            raise
        except Exception as error:
            raise TrackerError(f"The tracker could not {what}: {error}.", "Check its cable and power.") from error


def gaze_rows(found: Mapping[str, Any]) -> NDArray[np.void]:
    """TittaPy's dictionary of columns as rows of `SAMPLE_RECORD`; columns it does not have stay invalid."""
    n = len(found["device_time_stamp"])
    rows = np.zeros(n, SAMPLE_RECORD)
    rows["device_us"] = found["device_time_stamp"]
    rows["system_us"] = found["system_time_stamp"]
    for name in ("gaze_norm", "gaze_mm", "origin_mm", "pupil_mm", "openness_mm"):
        rows[name] = np.nan
    for eye, side in ((LEFT, "left"), (RIGHT, "right")):
        for number, axis in enumerate("xyz"):
            if number < 2:
                rows["gaze_norm"][:, eye, number] = found[f"{side}_gaze_point_on_display_area_{axis}"]
            rows["gaze_mm"][:, eye, number] = _either(found, f"{side}_gaze_point_in_user_coordinates_{axis}")
            rows["origin_mm"][:, eye, number] = _either(found, f"{side}_gaze_origin_in_user_coordinates_{axis}")
        rows["pupil_mm"][:, eye] = found[f"{side}_pupil_diameter"]
        rows["gaze_valid"][:, eye] = found[f"{side}_gaze_point_valid"]
        rows["origin_valid"][:, eye] = found[f"{side}_gaze_origin_valid"]
        rows["pupil_valid"][:, eye] = found[f"{side}_pupil_valid"]
        if f"{side}_eye_openness_valid" in found:
            rows["openness_mm"][:, eye] = found[f"{side}_eye_openness_diameter"]
            rows["openness_valid"][:, eye] = found[f"{side}_eye_openness_valid"]
    return rows


def _either(found: Mapping[str, Any], name: str) -> Any:  # Any: a column of TittaPy
    """A column under its name of today or of earlier versions."""
    return found[name] if name in found else found[name.replace("user_coordinates", "user_coordinate_system")]


def _rows(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = list(columns)
    return [
        {name: _plain(value) for name, value in zip(names, values, strict=True)}
        for values in zip(*(columns[name] for name in names), strict=True)
    ]


def _plain(value: Any) -> Any:  # Any: what TittaPy gives
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    return {str(k): _plain(v) for k, v in value.items()} if isinstance(value, dict) else str(value)


def _points(points: Any) -> list[dict[str, Any]]:  # Any: what TittaPy gives
    merged: dict[tuple[float, float], dict[str, Any]] = {}
    for point in points:
        at = (float(point["position_on_display_area_x"]), float(point["position_on_display_area_y"]))
        entry = merged.setdefault(at, {"point": list(at), "left": [], "right": []})
        for side in ("left", "right"):
            xs, ys = (point[f"samples_{side}_position_on_display_area_{axis}"] for axis in "xy")
            words = (str(word).rsplit(".", 1)[-1] for word in point[f"samples_{side}_validity"])
            entry[side] += [
                [float(x), float(y), _VALIDITIES.get(word, -1)] for x, y, word in zip(xs, ys, words, strict=True)
            ]
    return list(merged.values())


def _eye(eyes: str) -> tuple[str, ...]:
    return () if eyes == "both" else (eyes,)


def _bytes_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _info(facts: Mapping[str, Any], titta: ModuleType, corners: Any) -> TrackerInfo:  # Any: three corners or nothing
    known = {str(capability).rsplit(".", 1)[-1] for capability in facts["capabilities"]}
    capabilities = [ours for theirs, ours in _CAPABILITIES.items() if theirs in known]
    return TrackerInfo(
        driver="tobii_titta",
        model=str(facts["model"]),
        serial=str(facts["serial_number"]),
        firmware=str(facts["firmware_version"]),
        software=f"{titta.__name__}, SDK {titta.get_SDK_version()}, runtime {facts['runtime_version']}",
        address=str(facts["address"]),
        rate_hz=float(facts["frequency"]),
        rates_hz=tuple(float(rate) for rate in facts["supported_frequencies"]),
        capabilities=(*capabilities, HAS_POSITION_GUIDE, HAS_TIME_PROBES),
        display_area_mm=corners,
    )
