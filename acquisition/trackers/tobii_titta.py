"""Tobii Pro trackers through TittaPy: the same C SDK, its samples buffered outside Python, on Python 3.10-3.14.

Nothing here runs on a thread of the SDK: one thread of ours empties its buffers every few milliseconds.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import threading
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from acquisition.titta_calibration import TittaCalibration
from acquisition.titta_columns import gaze_rows, rows_of
from acquisition.tobii_words import (
    asking,
    capabilities,
    clock_offset_ns,
    no_tracker_found,
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

log = logging.getLogger(__name__)

PULL_S = 0.004
_SLOW_STREAMS = ("time_sync", "notification", "external_signal")


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
        with asking("be opened"):
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
        with asking("be asked about itself"):
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
            raise no_tracker_found()
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
        require_rate(rate_hz, known, self._tracker.model)
        self._tracker.frequency = rate_hz

    # Streaming --------------------------------------------------------------------------------------------------

    def start(self, sink: SampleSink) -> None:
        """Start all streams this tracker has and the thread that empties them."""
        self._sink = sink
        with asking("start its streams"):
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
        with asking("be opened again"):
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
        for row in rows_of(self._tracker.consume_N("notification")):
            kind = str(row.pop("notification_type")).rsplit(".", 1)[-1]
            sink.notify(kind, {key: value for key, value in row.items() if value is not None})
        if self._tracker.is_recording("external_signal"):
            for row in rows_of(self._tracker.consume_N("external_signal")):
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
        with asking("be told where the screen is"):
            self._tracker.display_area = {name: list(corner) for name, corner in zip(names, corners_mm, strict=True)}

    # Calibration ------------------------------------------------------------------------------------------------

    @property
    def _calibration(self) -> TittaCalibration:
        return TittaCalibration(self._tracker)

    def enter_calibration(self, eyes: str = "both") -> None:
        """Begin a calibration; the one in force ends."""
        self._calibration.enter(eyes)

    def collect(self, point_norm: tuple[float, float], eyes: str = "both") -> str:
        """Collect at a point; blocks up to 12 s."""
        return self._calibration.collect(point_norm, eyes)

    def discard(self, point_norm: tuple[float, float], eyes: str = "both") -> None:
        """Forget a point."""
        self._calibration.discard(point_norm, eyes)

    def compute_calibration(self) -> dict[str, Any]:
        """Compute and apply; failure comes back as a status."""
        return self._calibration.compute()

    def leave_calibration(self) -> None:
        """End calibration mode whatever happened before."""
        self._calibration.leave()

    def calibration_data(self) -> bytes:
        """The calibration in force; empty outside calibration mode, where TittaPy cannot ask for it."""
        return self._calibration.data()

    def apply_calibration(self, data: bytes) -> None:
        """Put an earlier calibration in force."""
        self._calibration.apply(data)


def _bytes_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _info(facts: Mapping[str, Any], titta: ModuleType, corners: Any) -> TrackerInfo:  # Any: three corners or nothing
    return TrackerInfo(
        driver="tobii_titta",
        model=str(facts["model"]),
        serial=str(facts["serial_number"]),
        firmware=str(facts["firmware_version"]),
        software=f"{titta.__name__}, SDK {titta.get_SDK_version()}, runtime {facts['runtime_version']}",
        address=str(facts["address"]),
        rate_hz=float(facts["frequency"]),
        rates_hz=tuple(float(rate) for rate in facts["supported_frequencies"]),
        capabilities=capabilities(facts["capabilities"]),
        display_area_mm=corners,
    )
