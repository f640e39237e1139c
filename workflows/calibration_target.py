"""The tracker host as calibration wants it: commands that return at once, answers that are fetched."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np

from acquisition.host import HostEvent, TrackerHost
from acquisition.tracker import CONNECTION_LOST, CONNECTION_RESTORED
from calibration.geometry import ScreenPlane
from calibration.target import Answer, Command, ComputeResult, PointSamples, Step
from domain.calibration import Eyes, Point, Surroundings
from domain.errors import TrackerError, UserFacingError
from domain.gaze import GazeSamples
from domain.scene import Scene
from workflows.host_revival import HostRevival

log = logging.getLogger(__name__)

_WORDS = {
    Step.SAVE: "calibration_data",
    Step.ENTER: "enter_calibration",
    Step.COLLECT: "collect",
    Step.DISCARD: "discard",
    Step.COMPUTE: "compute_calibration",
    Step.RETRIEVE: "calibration_data",
    Step.LEAVE: "leave_calibration",
    Step.APPLY: "apply_calibration",
}
_EYES = {Eyes.BOTH: "both", Eyes.LEFT: "left", Eyes.RIGHT: "right"}
_SEEN = {"success": (True, True), "success_left": (True, False), "success_right": (False, True)}
MAX_HELD_S = 30.0


class HostTarget:
    """A running `TrackerHost` behind the protocol `calibration.target.CalibrationTarget`."""

    def __init__(self, host: TrackerHost, *, put_back: Callable[[], None] | None = None) -> None:
        """put_back: what a host that was started again is given before it counts as back (a calibration, say)."""
        self.host = host
        self._put_back = put_back
        self._revival = HostRevival(lambda: self.host, self._on_revived)
        self.n_revivals = 0
        self._open: list[tuple[Command, Future[tuple[dict[str, Any], bytes]]]] = []
        self._refused: list[Answer] = []
        self._was_alive = False
        self._last_ns = self._last_perf_ns = time.perf_counter_ns()
        self._is_away = False
        self.events: list[HostEvent] = []

    @property
    def plane(self) -> ScreenPlane:
        """The display area as the tracker has it; an upright screen where it does not say."""
        corners = self.host.info.display_area_mm
        return ScreenPlane(*corners[:3]) if len(corners) >= 3 else ScreenPlane.upright(self.host.settings.display)

    @property
    def rate_hz(self) -> float:
        """Nominal samples per second."""
        return self.host.info.rate_hz

    @property
    def is_closed(self) -> bool:
        """Whether somebody closed the host."""
        try:
            return self.host.ring is None
        except TrackerError:
            return True

    def now_ns(self) -> int:
        """Now on the clock of the samples; it goes on when the host is gone, so that deadlines still pass."""
        try:
            now = self.host.now_ns()
        except TrackerError:
            return self._last_ns + time.perf_counter_ns() - self._last_perf_ns
        self._last_ns, self._last_perf_ns = now, time.perf_counter_ns()
        return now

    def submit(self, command: Command) -> None:
        """Hand a command over; a host that is gone answers with its error."""
        values: dict[str, Any] = {}
        if command.step in (Step.ENTER, Step.COLLECT, Step.DISCARD):
            values["eyes"] = _EYES[command.eyes]
        if command.point is not None:
            values["point"] = list(command.point)
        try:
            self._open.append((command, self.host.send(_WORDS[command.step], values, command.blob or b"")))
        except UserFacingError as problem:
            self._refused.append(Answer(command.request, False, (False, False), error=problem.message))

    def answers(self) -> list[Answer]:
        """Answers that arrived since the last call."""
        ready, self._refused = self._refused, []
        waiting = []
        for command, future in self._open:
            if future.done():
                ready.append(_answer(command, future))
            else:
                waiting.append((command, future))
        self._open = waiting
        return ready

    def latest(self, duration_ms: float) -> GazeSamples:
        """The newest samples that span at most this long."""
        n = round(max(self.rate_hz, 30.0) * duration_ms / 1000.0) + 1
        return self._newest(n)

    def between(self, start_ns: int, end_ns: int) -> GazeSamples:
        """Samples with start <= time < end, as far as the ring still holds them."""
        since_s = min((self.now_ns() - start_ns) / 1e9 + 1.0, MAX_HELD_S)
        samples = self._newest(round(max(self.rate_hz, 30.0) * since_s * 1.1) + 8)
        return samples[(samples.time_ns >= start_ns) & (samples.time_ns < end_ns)]

    def _newest(self, n: int) -> GazeSamples:
        try:
            return GazeSamples.from_records(self.host.latest(n))
        except TrackerError:
            return GazeSamples.empty()

    def is_lost(self) -> bool:
        """Whether the host is gone or says that it lost the tracker."""
        for event in self.host.events():
            self.events.append(event)
            if event.kind in (CONNECTION_LOST, "host_died"):
                self._is_away = True
            elif event.kind == CONNECTION_RESTORED:
                self._is_away = False
        is_alive = self.host.is_alive
        # A host that has just been started has no heartbeat yet.
        self._was_alive = self._was_alive or is_alive
        return self._is_away or (self._was_alive and not is_alive)

    def revive(self) -> bool:
        """Start a host that has died again, beside whoever asks; whether that is under way. Only its owner asks."""
        return self._revival.look()

    def close(self) -> None:
        """Let the tracker go; one that is just being started again is not waited for."""
        self._revival.close()
        self.host.close()

    def _on_revived(self, _seconds: float, _tries: int) -> None:
        if self._put_back is not None:
            self._put_back()
        self.events.extend(self.host.events())  # of the process that died; what it said holds no longer
        self._is_away = False
        self.n_revivals += 1

    def show(self, point: Point | None) -> None:
        """Tell a simulated eye where the target is."""
        if self.host.info.is_simulated:
            display = self.host.settings.display
            # A host that is gone is noticed by `is_lost`; nobody looks any more.
            with contextlib.suppress(TrackerError):
                self.host.set_scene(Scene(display, points_norm=(point if point is not None else (0.5, 0.5),)))

    def surroundings(self, annotator: str, *, distance_mm: float) -> Surroundings:
        """What a calibration made now belongs to."""
        info, display = self.host.info, self.host.settings.display
        return Surroundings(
            tracker_serial=info.serial,
            tracker_model=info.model,
            screen_name=display.name,
            screen_serial=display.serial,
            screen_px=display.size_px,
            screen_scale=display.scale,
            screen_mm=display.size_mm,
            distance_mm=round(distance_mm, 1),
            annotator=annotator,
            display_area_mm=self.plane.numbers(),
        )


def _answer(command: Command, future: Future[tuple[dict[str, Any], bytes]]) -> Answer:
    problem = future.exception()
    if problem is not None:
        message = problem.message if isinstance(problem, UserFacingError) else str(problem)
        return Answer(command.request, False, (False, False), error=message)
    values, blob = future.result()
    if command.step is Step.COLLECT:
        seen = _SEEN.get(str(values["status"]), (False, False))
        return Answer(command.request, any(seen), seen, error="" if any(seen) else "the tracker saw no usable gaze")
    if command.step is Step.COMPUTE:
        is_success = str(values["status"]) in _SEEN
        points = tuple(point_samples(entry) for entry in values.get("points", []))
        return Answer(command.request, True, result=ComputeResult(is_success, points))
    return Answer(command.request, True, blob=blob)


def point_samples(entry: dict[str, Any]) -> PointSamples:
    """One point of `Tracker.compute_calibration`; eyes may have different numbers of samples."""
    x, y = entry["point"]
    eyes = [np.asarray(entry.get(word, []), np.float64).reshape(-1, 3) for word in ("left", "right")]
    n = max(len(eye) for eye in eyes)
    gaze = np.full((n, 2, 2), np.nan)
    validity = np.full((n, 2), -1, np.int8)
    for number, eye in enumerate(eyes):
        gaze[: len(eye), number] = eye[:, :2]
        validity[: len(eye), number] = eye[:, 2].astype(np.int8)
    return PointSamples((float(x), float(y)), gaze, validity)
