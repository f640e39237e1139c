"""The simulated tracker: a generative eye behind the same interface as a real one, with faults on request."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acquisition.display_area import display_corners
from acquisition.simulated_eye import EyeParameters, SimulatedEye
from acquisition.tracker import (
    CALIBRATION_CHANGED,
    CAN_CALIBRATE,
    CAN_CALIBRATE_ONE_EYE,
    CAN_SET_DISPLAY_AREA,
    CONNECTION_LOST,
    CONNECTION_RESTORED,
    DISPLAY_AREA_CHANGED,
    HAS_OPENNESS,
    HAS_POSITION_GUIDE,
    HAS_TIME_PROBES,
    STREAM_OVERFLOW,
    Clock,
    SampleSink,
    Tracker,
    TrackerSettings,
    trackers,
)
from domain.errors import TrackerError
from domain.gaze import LEFT, RIGHT
from domain.scene import Scene
from domain.session import TrackerInfo

log = logging.getLogger(__name__)

DEFAULT_RATE_HZ = 120.0
RATES_HZ = (30.0, 60.0, 120.0, 250.0, 300.0, 600.0, 1200.0, 2000.0, 6000.0, 12000.0)
AHEAD_S = 0.1
"""Samples are made so far ahead and handed out when they are due; a new scene waits for them at most so long."""

PACE_S = 0.0025
CHUNK_ROWS = 1024
PROBE_EVERY_S = 5.0
FAULTS = (
    "disconnect",
    "silence",
    "stamp_jump",
    "overflow",
    "calibration_changed",
    "display_area_changed",
    "driver_crash",
)


@trackers.register("simulated")
class SimulatedTracker(Tracker):
    """Simulated eyes that look at the scene they are told of; in real time, faster, or by command.

    Options: those of `EyeParameters`; `faults`, a list of {"at_s", "kind", "duration_s", "amount_us"}; `collect_s`, how
    long a calibration point takes (default 0.5); `calibration_fails`: "collect", "compute" or "".
    """

    name = "simulated"
    label = "Simulated tracker"

    def __init__(self, settings: TrackerSettings, clock: Clock) -> None:
        super().__init__(settings, clock)
        rate_hz = settings.rate_hz or DEFAULT_RATE_HZ
        if rate_hz not in RATES_HZ:
            raise TrackerError(
                f"The simulated tracker cannot run at {rate_hz:g} Hz.",
                f"It knows {', '.join(f'{rate:g}' for rate in RATES_HZ)} Hz.",
            )
        self._rate_hz = rate_hz
        self._eye = SimulatedEye(
            settings.display, rate_hz, seed=settings.seed, parameters=EyeParameters.from_options(settings.options)
        )
        self._faults = sorted((dict(fault) for fault in settings.options.get("faults", ())), key=lambda f: f["at_s"])
        for fault in self._faults:
            if fault["kind"] not in FAULTS:
                raise TrackerError(f"There is no fault {fault['kind']!r} to simulate.", f"Known: {', '.join(FAULTS)}.")
        self._corners = display_corners(settings.display)
        self._sink: SampleSink | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._lock = threading.RLock()  # the eye is moved on by one thread at a time
        self._began_ns = 0
        self._n_out = 0  # samples handed out, including those that a fault took away
        self._ready: NDArray[np.void] = self._eye.generate(0)
        self._ready_at = 0
        self._packed: list[bytearray] = []  # the same, sample by sample, in real time
        self._stamps_us: list[tuple[int, int]] = []
        self._next_probe_ns = 0
        self._probe_rng = np.random.default_rng(settings.seed + 1)
        self._away_until_ns = 0
        self._silent_until_ns = 0
        self._stamp_shift_us = 0
        self._is_calibrating = False
        self._points: dict[tuple[float, float], NDArray[np.float64]] = {}
        self._calibration = b""

    @classmethod
    def discover(cls) -> list[TrackerInfo]:
        """The one there always is."""
        return [TrackerInfo("simulated", model="Simulated eye", serial="SIMULATED", is_simulated=True)]

    @property
    def info(self) -> TrackerInfo:
        """What the tracker says about itself now."""
        return TrackerInfo(
            driver="simulated",
            model="Simulated eye",
            serial="SIMULATED",
            firmware="1",
            rate_hz=self._rate_hz,
            rates_hz=RATES_HZ,
            capabilities=(
                CAN_CALIBRATE,
                CAN_CALIBRATE_ONE_EYE,
                CAN_SET_DISPLAY_AREA,
                HAS_OPENNESS,
                HAS_POSITION_GUIDE,
                HAS_TIME_PROBES,
            ),
            display_area_mm=self._corners,
            is_simulated=True,
        )

    # Streaming --------------------------------------------------------------------------------------------------

    def start(self, sink: SampleSink) -> None:
        """Stream from now on; the first time begins the eye's own time."""
        self._sink = sink
        if not self._began_ns:
            self._began_ns = self._next_probe_ns = self.clock.now_ns()
        else:  # what was not subscribed to is not delivered later
            self._silent_until_ns = max(self._silent_until_ns, self.clock.now_ns())
        if self.settings.speed == 0:
            return
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="simulated-eye", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop streaming; samples due meanwhile are never seen."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            thread.join()
        self._sink = None

    def reconnect(self) -> None:
        """Succeeds once a simulated disconnection is over."""
        if self.clock.now_ns() < self._away_until_ns:
            raise TrackerError("The simulated tracker is unplugged.")

    def _run(self) -> None:
        period_s = 1.0 / self._rate_hz
        while not self._stopping.is_set():
            due_s = (self._began_ns - self.clock.now_ns()) / 1e9 + self._n_out * period_s
            time.sleep(max(PACE_S, due_s / self.settings.speed))
            try:
                with self._lock:
                    self._emit_until(self.clock.now_ns())
            except Exception:
                log.exception("the simulated tracker goes on after an error")

    def advance(self, duration_ns: int) -> None:
        """Let time pass; waits where the journal is behind."""
        if self.settings.speed != 0:
            super().advance(duration_ns)
        with self._lock:
            self._emit_until(self.clock.now_ns() + duration_ns)

    def _emit_until(self, now_ns: int) -> None:
        sink = self._sink
        if sink is None:
            return
        is_stepped = self.settings.speed == 0
        due = int((now_ns - self._began_ns) * self._rate_hz / 1e9) + 1
        while self._n_out < due:
            while self._faults and self._faults[0]["at_s"] * self._rate_hz <= self._n_out:
                self._begin_fault(self._faults.pop(0), self.clock.now_ns(), sink)
            n = min(due - self._n_out, CHUNK_ROWS)
            if self._faults:  # no chunk reaches over the moment of a fault
                n = min(n, max(1, math.ceil(self._faults[0]["at_s"] * self._rate_hz) - self._n_out))
            if is_stepped:
                sink.wait_for_room(n)
                chunk_end_ns = self._began_ns + int((self._n_out + n - 1) * 1e9 / self._rate_hz)
                self.clock.advance_to(max(chunk_end_ns, self.clock.now_ns()))
            self._emit(n, sink)
        if is_stepped:
            self.clock.advance_to(now_ns)

    def _emit(self, n: int, sink: SampleSink) -> None:
        self._make_ready(n)
        begin, end = self._ready_at, self._ready_at + n
        self._ready_at = end
        self._n_out += n
        last_ns = self._began_ns + int((self._n_out - 1) * (1e9 / self._rate_hz))
        self._probe(last_ns, int(self._ready["device_us"][end - 1]), sink)
        hidden_until_us = -(-max(self._away_until_ns, self._silent_until_ns) // 1000)
        if self.settings.speed == 1.0:
            for (device_us, system_us), row in zip(self._stamps_us[begin:end], self._packed[begin:end], strict=True):
                if system_us >= hidden_until_us:
                    sink.packed_sample(device_us, system_us, row)
            return
        rows = self._ready[begin:end].copy()
        rows = rows[rows["system_us"] >= hidden_until_us]
        if len(rows):
            sink.samples(rows)

    def _make_ready(self, n: int) -> None:
        """Have n samples ready and, in real time, some more: made together they cost a tenth."""
        left = self._ready[self._ready_at :]
        if len(left) >= n:
            return
        ahead = 0 if self.settings.speed == 0 else max(1, int(AHEAD_S * self._rate_hz * max(1.0, self.settings.speed)))
        more = self._eye.generate(max(n - len(left), min(ahead, 8192)))
        more["device_us"] += self._stamp_shift_us
        numbers = self._n_out + len(left) + np.arange(len(more))
        more["system_us"] = (self._began_ns + (numbers * (1e9 / self._rate_hz)).astype(np.int64)) // 1000
        self._set_ready(np.concatenate([left, more]))

    def _set_ready(self, rows: NDArray[np.void]) -> None:
        self._ready, self._ready_at = rows, 0
        if self.settings.speed == 1.0:
            size = rows.dtype.itemsize
            raw = rows.tobytes()
            self._packed = [bytearray(raw[at : at + size]) for at in range(0, len(raw), size)]
            self._stamps_us = list(zip(rows["device_us"].tolist(), rows["system_us"].tolist(), strict=True))

    def _probe(self, now_ns: int, device_us: int, sink: SampleSink) -> None:
        """Ask the device for its time now and then, as a real driver does: more often at the beginning."""
        if now_ns < self._next_probe_ns or now_ns < self._away_until_ns:
            return
        out_us, back_us = 60 + self._probe_rng.exponential(20.0, 2)
        middle_us = now_ns // 1000
        sink.time_probe(round(middle_us - out_us), device_us, round(middle_us + back_us))
        young = now_ns - self._began_ns < 5_000_000_000
        self._next_probe_ns = now_ns + int((0.5 if young else PROBE_EVERY_S) * 1e9)

    # Faults -----------------------------------------------------------------------------------------------------

    def _begin_fault(self, fault: Mapping[str, Any], now_ns: int, sink: SampleSink) -> None:
        kind = fault["kind"]
        until_ns = now_ns + int(float(fault.get("duration_s", 1.0)) * 1e9)
        if kind == "disconnect":
            self._away_until_ns = until_ns
            sink.notify(CONNECTION_LOST, {})
            if fault.get("device_says_restored", True) and self.settings.speed > 0:
                delay_s = float(fault.get("duration_s", 1.0)) / self.settings.speed
                timer = threading.Timer(delay_s, sink.notify, (CONNECTION_RESTORED, {}))
                timer.daemon = True
                timer.start()
        elif kind == "silence":
            self._silent_until_ns = until_ns
        elif kind == "stamp_jump":
            amount_us = int(fault.get("amount_us", 1_000_000))
            self._stamp_shift_us += amount_us
            left = self._ready[self._ready_at :].copy()
            left["device_us"] += amount_us
            self._set_ready(left)
        elif kind == "overflow":
            self._silent_until_ns = until_ns
            sink.notify(STREAM_OVERFLOW, {"source": "gaze"})
        elif kind == "calibration_changed":
            self._calibration = b"changed by another application"
            self._eye.correction[:, :, 1] += float(fault.get("amount_mm", 20.0))
            sink.notify(CALIBRATION_CHANGED, {})
        elif kind == "display_area_changed":
            self._corners = tuple((x * 1.1, y * 1.1, z) for x, y, z in self._corners)
            sink.notify(DISPLAY_AREA_CHANGED, {"corners_mm": [list(corner) for corner in self._corners]})
        else:
            raise RuntimeError("a simulated crash of the driver")

    # Scene and calibration --------------------------------------------------------------------------------------

    def set_scene(self, scene: Scene) -> None:
        """Look at something else."""
        with self._lock:
            self._eye.set_scene(scene)

    def position_guide(self) -> dict[str, Any]:
        """The eyes sit in the middle of the track box."""
        return {"left": [0.45, 0.5, 0.5], "right": [0.55, 0.5, 0.5]}

    def set_display_area(self, corners_mm: tuple[tuple[float, float, float], ...]) -> None:
        """Believe what one is told."""
        self._corners = corners_mm

    def enter_calibration(self, eyes: str = "both") -> None:
        """The calibration in force ends, as with a real tracker."""
        if self._is_calibrating:
            raise TrackerError("The simulated tracker is in calibration mode already.")
        self._is_calibrating = True
        self._points = {}
        self._apply(b"")

    def collect(self, point_norm: tuple[float, float], eyes: str = "both") -> str:
        """Take what the eyes look at while the point is shown: (n, 2, 2) measured millimetres, eye, axis."""
        self._need_calibration_mode()
        if self.settings.options.get("calibration_fails") == "collect":
            return "failure"
        taken = np.zeros((0, 2, 2))
        n_parts = 10
        for _ in range(n_parts):
            self._pass_time(float(self.settings.options.get("collect_s", 0.5)) / n_parts)
            with self._lock:
                where = self._eye.where()
                seen = np.array([self._eye.measured_at(where, eye) for eye in (LEFT, RIGHT)])
            taken = np.concatenate([taken, seen[None]])
        key = (float(point_norm[0]), float(point_norm[1]))
        earlier = self._points.get(key, np.zeros((0, 2, 2)))
        # Like some real trackers: without a discard, old and new data of a point are mixed.
        self._points[key] = np.concatenate([earlier, taken])
        return "success"

    def discard(self, point_norm: tuple[float, float], eyes: str = "both") -> None:
        """Forget a point."""
        self._need_calibration_mode()
        self._points.pop((float(point_norm[0]), float(point_norm[1])), None)

    def compute_calibration(self) -> dict[str, Any]:
        """Per eye and axis a gain and an offset by least squares."""
        self._need_calibration_mode()
        if self.settings.options.get("calibration_fails") == "compute" or len(self._points) < 2:
            return {"status": "failure", "points": []}
        correction = np.tile(np.array([1.0, 0.0]), (2, 2, 1))
        display = self.settings.display
        targets = np.concatenate([np.tile(display.mm_from_norm(p), (len(s), 1)) for p, s in self._points.items()])
        seen = np.concatenate(list(self._points.values()))
        for eye in (LEFT, RIGHT):
            for axis in (0, 1):
                if np.ptp(targets[:, axis]) > 1.0:
                    gain, offset = np.polyfit(seen[:, eye, axis], targets[:, axis], 1)
                else:
                    gain, offset = 1.0, float(np.mean(targets[:, axis] - seen[:, eye, axis]))
                correction[eye, axis] = (gain, offset)
        self._apply(json.dumps(correction.tolist()).encode())
        return {"status": "success", "points": [self._result(p, s, correction) for p, s in self._points.items()]}

    def _result(
        self, point: tuple[float, float], seen: NDArray[np.float64], correction: NDArray[np.float64]
    ) -> dict[str, Any]:
        eyes = {}
        for eye, word in ((LEFT, "left"), (RIGHT, "right")):
            at = self.settings.display.norm_from_px(
                self.settings.display.px_from_norm(
                    (seen[:, eye] * correction[eye, :, 0] + correction[eye, :, 1]) / self.settings.display.size_mm
                )
            )
            eyes[word] = [[float(x), float(y), 1] for x, y in at]
        return {"point": list(point), **eyes}

    def leave_calibration(self) -> None:
        """End calibration mode."""
        self._is_calibrating = False

    def calibration_data(self) -> bytes:
        """The calibration in force."""
        return self._calibration

    def apply_calibration(self, data: bytes) -> None:
        """Put an earlier calibration in force."""
        if not data:
            raise TrackerError("An empty calibration cannot be applied.")
        self._apply(data)

    def _apply(self, data: bytes) -> None:
        self._calibration = data
        values = json.loads(data) if data else np.tile(np.array([1.0, 0.0]), (2, 2, 1))
        with self._lock:
            self._eye.correction = np.asarray(values, np.float64)

    def _need_calibration_mode(self) -> None:
        if not self._is_calibrating:
            raise TrackerError("Calibration was not begun.", "Enter calibration mode first.")

    def _pass_time(self, duration_s: float) -> None:
        if self.settings.speed == 0:
            self.advance(int(duration_s * 1e9))
        else:
            time.sleep(duration_s / self.settings.speed)
