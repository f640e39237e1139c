"""The application's side of the tracker host: starts the process, reads the ring, sends messages."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # not the builtin before Python 3.11
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import domain.errors
from acquisition.host_messages import MessagePipe
from acquisition.host_source import ROOT, is_own_interpreter, staged_source
from acquisition.ring import Ring, shared_folder
from acquisition.tracker import TrackerSettings
from domain.errors import TrackerError, UserFacingError
from domain.markers import Marker
from domain.scene import Scene
from domain.session import TrackerInfo

log = logging.getLogger(__name__)

HUNG_AFTER_S = 5.0
"""A running host whose heartbeat is older than this hangs; less may only mean that it was not scheduled.

Its death needs no heartbeat: the process is seen to end at once.
"""

OPEN_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class HostEvent:
    """Something the host said without being asked."""

    kind: str
    payload: dict[str, Any] = field(default_factory=dict)  # Any: JSON values


class TrackerHost:
    """One open tracker in a process of its own. Calls that ask the device wait; those for each frame do not.

    python: another interpreter for the host ("" = this one). packages: folders with packages for its driver.
    """

    def __init__(
        self,
        settings: TrackerSettings,
        *,
        python: str = "",
        packages: Sequence[Path] = (),
        warn_bytes: int = 5 << 30,
        stop_bytes: int = 1 << 30,
    ) -> None:
        self.settings = settings
        self.info = TrackerInfo(settings.driver)
        self.pid = 0
        self._python = python or sys.executable
        self._packages = [Path(folder).resolve() for folder in packages]
        self._limits = {"warn_bytes": warn_bytes, "stop_bytes": stop_bytes}
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: MessagePipe | None = None
        self._ring: Ring | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[tuple[dict[str, Any], bytes]]] = {}
        self._waiting_lock = threading.Lock()
        self._events: deque[HostEvent] = deque(maxlen=10_000)
        self._staged: Path | None = None
        self._is_closing = False
        self._dropped: MessagePipe | None = None  # of a process that we ended: its end is no news

    # Life -------------------------------------------------------------------------------------------------------

    def start(self) -> TrackerInfo:
        """Start the process, open the tracker and let it stream.

        Raises:
            TrackerError: the process or the tracker cannot be started.
        """
        self._is_closing = False
        self._ring = Ring(_new_ring_path(), create=True)
        try:
            return self._launch(self._ring)
        except UserFacingError:
            self.close()
            raise

    def restart(self) -> TrackerInfo:
        """Start a new process in place of one that died; samples, their numbers and the clock go on.

        Whoever holds this object keeps it. A recording must be begun anew. May be tried again and again.

        Raises:
            TrackerError: the process or the tracker cannot be started, or the old process still runs.
        """
        earlier = self.ring
        if not self.has_died:
            raise TrackerError("The tracker host still runs.")
        self._end_process()
        ring = Ring.continued(earlier, _new_ring_path())
        try:
            info = self._launch(ring)
        except UserFacingError:
            self._end_process(kills=True)
            ring.close(remove=True)
            raise
        self._ring = ring
        earlier.leave()
        return info

    def _launch(self, ring: Ring) -> TrackerInfo:
        """Start the process, have it open the tracker and stream into a ring."""
        if self._staged is None and not is_own_interpreter(self._python):
            self._staged = staged_source()
        source = self._staged or ROOT
        path = os.pathsep.join(str(folder) for folder in (source, *self._packages))
        environment = {**os.environ, "PYTHONPATH": path}
        environment.setdefault("OMP_NUM_THREADS", "1")
        environment.setdefault("OPENBLAS_NUM_THREADS", "1")
        try:
            self._process = subprocess.Popen(
                [self._python, "-m", "acquisition.host_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                cwd=source,  # the first entry of the path with -m; no folder of the user's may come before ours
                # Ctrl-C in the terminal must reach the application only, which then closes the host in order.
                start_new_session=os.name != "nt",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise TrackerError(f"The tracker host cannot be started with {self._python}: {error}.") from error
        if self._process.stdin is None or self._process.stdout is None:
            raise TrackerError("The tracker host has no pipes.")
        self._pipe = MessagePipe(self._process.stdout, self._process.stdin)  # type: ignore[arg-type]  # buffered pipes
        threading.Thread(target=self._read_loop, args=(self._pipe,), name="tracker-host-read", daemon=True).start()
        message = {"settings": self.settings.as_json(), "ring": str(ring.path), **self._limits}
        answer, _ = self.ask("open", message, timeout_s=OPEN_TIMEOUT_S)
        ring.beat()  # its answer is a sign of life; its own thread for that may not have had its turn yet
        self.pid = int(answer["pid"])
        self.info = TrackerInfo.from_json(answer["info"])
        return self.info

    def _end_process(self, *, kills: bool = False) -> None:
        """Let go of a process that has ended or is to end at once."""
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if process is None:
            return
        if kills:
            self._dropped = pipe
            process.kill()
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def kill(self) -> None:
        """End the process at once, also one that is just being started: whoever waits for it gets an error."""
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()

    def close(self) -> None:
        """Finish a running recording, let the tracker go, end the process."""
        self._is_closing = True
        process, ring = self._process, self._ring
        if process is not None and process.poll() is None:
            with contextlib.suppress(TrackerError):
                self.ask("close", {}, timeout_s=ANSWER_TIMEOUT_S)
        self._end_process()
        if ring is not None:
            ring.close(remove=True)
        if self._staged is not None:
            shutil.rmtree(self._staged, ignore_errors=True)
        self._ring = self._staged = None

    def __enter__(self) -> TrackerHost:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs and says so."""
        if self._process is None or self._process.poll() is not None or self._ring is None:
            return False
        return self._ring.heartbeat_age_s < HUNG_AFTER_S

    @property
    def has_died(self) -> bool:
        """Whether the process was started and has ended without being told to."""
        return (
            not self._is_closing
            and self._ring is not None
            and (self._process is None or self._process.poll() is not None)
        )

    # Samples ----------------------------------------------------------------------------------------------------

    @property
    def ring(self) -> Ring:
        """The shared ring.

        Raises:
            TrackerError: the host is not running.
        """
        if self._ring is None:
            raise TrackerError("No tracker is open.", "Choose a tracker first.")
        return self._ring

    def now_ns(self) -> int:
        """Now on the clock of samples and markers."""
        return self.ring.clock.now_ns()

    def latest(self, n: int) -> NDArray[np.void]:
        """The newest n samples as rows of `SAMPLE_RECORD`."""
        return self.ring.latest(n)

    def read_since(self, position: int) -> tuple[NDArray[np.void], int, int]:
        """Samples from a position on, the next position, and how many the reader missed."""
        return self.ring.read_since(position)

    # Recording --------------------------------------------------------------------------------------------------

    def start_recording(self, path: Path, header: dict[str, Any]) -> int:
        """Open a journal; everything from now on is kept. Returns the ring's position of the first sample."""
        answer, _ = self.ask("start_recording", {"path": str(path.resolve()), "header": header})
        return int(answer["position"])

    def hold_recording(self) -> int:
        """Take no more samples into the journal, but still events; returns the position after the last sample."""
        return int(self.ask("hold_recording", {})[0]["position"])

    def stop_recording(self) -> dict[str, Any]:
        """Close the journal; returns count, hash and size."""
        return self.ask("stop_recording", {}, timeout_s=60.0)[0]

    def mark(self, marker: Marker) -> None:
        """Write a marker into the journal; does not wait."""
        self.journal("marker", {**marker.as_json(), "time_ns": marker.time_ns})

    def journal(self, kind: str, values: dict[str, Any], blob: bytes = b"") -> None:
        """Write anything that is not a sample into the journal; does not wait."""
        self._tell("event", {"kind": kind, "values": values}, blob)

    def set_scene(self, scene: Scene) -> None:
        """Tell a simulated eye what is on the screen; does not wait."""
        values, blob = scene.to_message()
        self._tell("set_scene", {"scene": values}, blob)

    def point_at(self, x_norm: float, y_norm: float) -> None:
        """Tell the mouse driver where the pointer is; does not wait."""
        self._tell("point_at", {"x": x_norm, "y": y_norm})

    def advance(self, duration_s: float) -> int:
        """Let time pass for a tracker with speed 0; returns the new time."""
        values = {"duration_ns": round(duration_s * 1e9)}
        return int(self.ask("advance", values, timeout_s=600.0)[0]["now_ns"])

    # Device -----------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Connection, counts, disk, processor time."""
        return self.ask("status", {})[0]

    def position_guide(self) -> dict[str, Any]:
        """Where the eyes are in the track box."""
        return self.ask("position_guide", {})[0]

    def refresh_info(self) -> TrackerInfo:
        """What the tracker says about itself now."""
        self.info = TrackerInfo.from_json(self.ask("info", {})[0])
        return self.info

    def set_display_area(self, corners_mm: tuple[tuple[float, float, float], ...]) -> None:
        """Tell the tracker where the screen is."""
        self.ask("set_display_area", {"corners_mm": [list(corner) for corner in corners_mm]})

    def enter_calibration(self, eyes: str = "both") -> None:
        """Begin a calibration."""
        self.ask("enter_calibration", {"eyes": eyes})

    def collect(self, point_norm: tuple[float, float], eyes: str = "both") -> str:
        """Take data at a point; waits up to 15 s."""
        return str(self.ask("collect", {"point": list(point_norm), "eyes": eyes})[0]["status"])

    def discard(self, point_norm: tuple[float, float], eyes: str = "both") -> None:
        """Forget the data of a point."""
        self.ask("discard", {"point": list(point_norm), "eyes": eyes})

    def compute_calibration(self) -> tuple[dict[str, Any], bytes]:
        """Compute and apply; the result as `Tracker.compute_calibration` gives it, and the blob."""
        return self.ask("compute_calibration", {})

    def leave_calibration(self, *, force: bool = False) -> None:
        """End calibration mode; by force it does not wait for what is still being collected."""
        self.ask("leave_calibration", {"force": force})

    def calibration_data(self) -> bytes:
        """The calibration in force."""
        return self.ask("calibration_data", {})[1]

    def apply_calibration(self, data: bytes) -> None:
        """Put an earlier calibration in force."""
        self.send("apply_calibration", {}, data).result(ANSWER_TIMEOUT_S)

    # Messages ---------------------------------------------------------------------------------------------------

    def events(self) -> list[HostEvent]:
        """What the host said since the last call, oldest first."""
        found = []
        with contextlib.suppress(IndexError):
            while True:
                found.append(self._events.popleft())
        return found

    def send(self, do: str, values: dict[str, Any], blob: bytes = b"") -> Future[tuple[dict[str, Any], bytes]]:
        """Ask without waiting; the answer, or the host's error, arrives in the future."""
        future: Future[tuple[dict[str, Any], bytes]] = Future()
        number = next(self._numbers)
        with self._waiting_lock:
            self._waiting[number] = future
        self._tell(do, {**values, "id": number}, blob)
        return future

    def ask(
        self, do: str, values: dict[str, Any], *, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> tuple[dict[str, Any], bytes]:
        """Ask and wait for the answer.

        Raises:
            TrackerError: the host is gone, silent, or could not do it.
        """
        try:
            return self.send(do, values).result(timeout_s)
        except FutureTimeoutError:
            raise TrackerError(f"The tracker host did not answer {do!r} within {timeout_s:.0f} s.") from None

    def _tell(self, do: str, values: dict[str, Any], blob: bytes = b"") -> None:
        if self._pipe is None:
            raise TrackerError("No tracker is open.", "Choose a tracker first.")
        try:
            self._pipe.send({"do": do, **values}, blob)
        except (OSError, ValueError) as error:
            raise TrackerError(
                "The tracker host has ended unexpectedly.",
                "What was recorded is safe in its journal. Open the tracker again.",
            ) from error

    def _read_loop(self, pipe: MessagePipe) -> None:
        while (message := pipe.receive()) is not None:
            values, blob = message
            if "event" in values:
                self._events.append(HostEvent(values["event"], values.get("payload", {})))
                continue
            with self._waiting_lock:
                future = self._waiting.pop(values["id"], None)
            if future is None:
                continue
            if "error" in values:
                future.set_exception(_error_from(values["error"]))
            else:
                future.set_result((values.get("result", {}), blob))
        if not self._is_closing and pipe is not self._dropped:
            self._events.append(HostEvent("host_died", {"time_ns": time.perf_counter_ns()}))
        with self._waiting_lock:
            waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            future.set_exception(TrackerError("The tracker host has ended unexpectedly."))


def _new_ring_path() -> Path:
    return shared_folder() / f"sightline-{os.getpid()}-{uuid.uuid4().hex[:12]}.ring"


def _error_from(values: dict[str, Any]) -> UserFacingError:
    kind = getattr(domain.errors, str(values["kind"]), None)
    if isinstance(kind, type) and issubclass(kind, UserFacingError):
        return kind(values["message"], values["hint"])
    return TrackerError(f"{values['kind']}: {values['message']}", values["hint"])
