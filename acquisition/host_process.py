"""The tracker host: a process of its own that talks to the tracker and writes the journal, whatever the screen does.

Run as `python -m acquisition.host_process` by `acquisition.host`; imports numpy, the standard library and its driver.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from acquisition.connection import Connection
from acquisition.host_messages import MessagePipe
from acquisition.priority import favour_callbacks
from acquisition.recorder import Recorder
from acquisition.ring import Ring
from acquisition.tracker import CALIBRATION_CHANGED, Tracker, TrackerSettings, trackers
from domain.errors import UserFacingError
from domain.scene import Scene

log = logging.getLogger("acquisition.host_process")

Values = dict[str, Any]
Command = Callable[[Values, bytes], Values | tuple[Values, bytes] | None]


class HostProcess:
    """Answers messages until the application leaves or dies; then finishes the journal and leaves, too."""

    def __init__(self, pipe: MessagePipe) -> None:
        self._pipe = pipe
        self._inbox: queue.Queue[tuple[Values, bytes] | None] = queue.Queue()
        self._slow: queue.Queue[tuple[Values, bytes] | None] = queue.Queue()
        self._outbox: queue.Queue[tuple[Values, bytes] | None] = queue.Queue()
        self._sender = threading.Thread(target=self._send_loop, name="control-send", daemon=True)
        self._ring: Ring | None = None
        self._recorder: Recorder | None = None
        self._tracker: Tracker | None = None
        self._connection: Connection | None = None
        self._calibration_mode_by_us = False
        self._quick: dict[str, Command] = {
            "status": self._do_status,
            "start_recording": self._do_start_recording,
            "hold_recording": lambda _values, _blob: {"position": self._sink.hold()},
            "stop_recording": self._do_stop_recording,
            "event": self._do_event,
            "set_scene": self._do_set_scene,
            "point_at": self._do_point_at,
            "position_guide": self._do_position_guide,
        }
        # These ask the device and may take seconds; markers must not wait behind them.
        self._patient: dict[str, Command] = {
            "open": self._do_open,
            "advance": self._do_advance,
            "info": lambda _values, _blob: self._driver.info.as_json(),
            "set_display_area": self._do_set_display_area,
            "enter_calibration": self._do_enter_calibration,
            "collect": self._do_collect,
            "discard": self._do_discard,
            "compute_calibration": self._do_compute_calibration,
            "leave_calibration": self._do_leave_calibration,
            "calibration_data": lambda _values, _blob: ({}, self._driver.calibration_data()),
            "apply_calibration": self._do_apply_calibration,
        }

    def run(self) -> None:
        """Serve until the other side is gone."""
        self._sender.start()
        for target, name in ((self._read_loop, "control-read"), (self._slow_loop, "control-slow")):
            threading.Thread(target=target, name=name, daemon=True).start()
        try:
            while (message := self._inbox.get()) is not None:
                values, blob = message
                if values["do"] == "close":
                    self._finish()
                    self._answer(values, {})
                    self._outbox.put(None)
                    self._sender.join(timeout=5.0)
                    return
                if values.get("force"):
                    # Leaving calibration must not wait behind a collect that hangs.
                    forced = threading.Thread(target=self._serve, args=(*message, self._patient), daemon=True)
                    forced.start()
                elif values["do"] in self._patient:
                    self._slow.put(message)
                else:
                    self._serve(values, blob, self._quick)
        finally:
            self._finish()

    def _read_loop(self) -> None:
        while (message := self._pipe.receive()) is not None:
            self._inbox.put(message)
        self._inbox.put(None)

    def _slow_loop(self) -> None:
        while (message := self._slow.get()) is not None:
            self._serve(*message, self._patient)

    def _serve(self, values: Values, blob: bytes, commands: Mapping[str, Command]) -> None:
        try:
            result = commands[values["do"]](values, blob)
        except UserFacingError as error:
            kind = type(error).__name__
            self._answer(values, {"error": {"kind": kind, "message": error.message, "hint": error.hint}})
        except Exception as error:
            log.exception("the command %r failed", values.get("do"))
            self._answer(values, {"error": {"kind": type(error).__name__, "message": str(error), "hint": ""}})
        else:
            reply, reply_blob = result if isinstance(result, tuple) else (result or {}, b"")
            self._answer(values, {"result": reply}, reply_blob)

    def _answer(self, values: Values, reply: Values, blob: bytes = b"") -> None:
        if "id" in values:
            self._send({"id": values["id"], **reply}, blob)
        elif "error" in reply:
            self._send({"event": "command_failed", "payload": {"do": values.get("do"), **reply["error"]}})

    def _send(self, values: Values, blob: bytes = b"") -> None:
        """Never waits: an application that does not read must not stop a tracker's callback."""
        self._outbox.put((values, blob))

    def _send_loop(self) -> None:
        while (message := self._outbox.get()) is not None:
            try:
                self._pipe.send(*message)
            except (OSError, ValueError):
                log.info("the application is gone")
                return

    def _on_event(self, kind: str, payload: Mapping[str, Any]) -> None:
        if self._connection is not None:
            self._connection.on_notification(kind)
        self._send({"event": kind, "payload": dict(payload)})

    def _finish(self) -> None:
        """Close the journal first: it matters most."""
        self._slow.put(None)
        if self._recorder is not None:
            if self._connection is not None and self._connection.state == "streaming" and self._tracker is not None:
                # Samples already taken from the device belong to the journal.
                self._guarded(self._tracker.stop)
            self._guarded(self._recorder.stop)
        if self._connection is not None:
            self._guarded(self._connection.close)
        if self._tracker is not None:
            if self._calibration_mode_by_us:
                self._guarded(self._tracker.leave_calibration)
            self._guarded(self._tracker.close)
        if self._recorder is not None:
            self._guarded(self._recorder.close)
        if self._ring is not None:
            ring = self._ring
            self._guarded(lambda: ring.close(remove=True))
        self._connection = self._recorder = self._tracker = self._ring = None

    @staticmethod
    def _guarded(step: Callable[[], object]) -> None:
        try:
            step()
        except Exception:
            log.exception("an error while leaving")

    # Commands ---------------------------------------------------------------------------------------------------

    @property
    def _driver(self) -> Tracker:
        if self._tracker is None:
            raise ValueError("no tracker is open")
        return self._tracker

    @property
    def _sink(self) -> Recorder:
        if self._recorder is None:
            raise ValueError("no tracker is open")
        return self._recorder

    def _do_open(self, values: Values, _blob: bytes) -> Values:
        settings = TrackerSettings.from_json(values["settings"])
        ring = Ring(Path(values["ring"]))
        ring.touch()
        self._ring = ring
        if ring.head == 0:  # else it goes on where an earlier host ended, and so does its clock
            ring.clock.set_speed(settings.speed)
        tracker = trackers.get(settings.driver)(settings, ring.clock)
        self._tracker = tracker
        self._recorder = Recorder(
            ring,
            self._on_event,
            system_offset_ns=tracker.system_offset_ns,
            warn_bytes=values.get("warn_bytes", 5 << 30),
            stop_bytes=values.get("stop_bytes", 1 << 30),
        )
        self._connection = Connection(tracker, self._recorder)
        self._connection.start()
        return {"info": tracker.info.as_json(), "python": sys.version.split()[0], "pid": os.getpid()}

    def _do_status(self, _values: Values, _blob: bytes) -> Values:
        return {
            "connection": self._connection.state if self._connection else "stopped",
            "n_samples": self._ring.head if self._ring else 0,
            "n_overflow": self._ring.n_overflow if self._ring else 0,
            "cpu_s": time.process_time(),
            "modules": sorted({name.split(".")[0] for name in sys.modules}) if _values.get("modules") else [],
            **(self._recorder.counts() if self._recorder else {}),
        }

    def _do_start_recording(self, values: Values, _blob: bytes) -> Values:
        position = self._sink.start(Path(values["path"]), values["header"])
        data = b""
        try:
            data = self._driver.calibration_data()
        except UserFacingError as error:
            log.info("the calibration in force could not be read: %s", error)
        self._sink.event("calibration", {"time_ns": self._now_ns(), "reason": "in force at the start"}, data)
        return {"position": position}

    def _do_stop_recording(self, _values: Values, _blob: bytes) -> Values:
        return self._sink.stop()

    def _do_event(self, values: Values, blob: bytes) -> None:
        self._sink.event(values["kind"], values["values"], blob)

    def _do_set_scene(self, values: Values, blob: bytes) -> None:
        self._driver.set_scene(Scene.from_message(values["scene"], blob))

    def _do_point_at(self, values: Values, _blob: bytes) -> None:
        self._driver.point_at(float(values["x"]), float(values["y"]))

    def _do_position_guide(self, _values: Values, _blob: bytes) -> Values:
        return self._driver.position_guide()

    def _do_advance(self, values: Values, _blob: bytes) -> Values:
        self._driver.advance(int(values["duration_ns"]))
        return {"now_ns": self._now_ns()}

    def _do_set_display_area(self, values: Values, _blob: bytes) -> None:
        first, second, third = (tuple(float(value) for value in corner) for corner in values["corners_mm"])
        self._driver.set_display_area((first, second, third))  # type: ignore[arg-type]  # each corner has three numbers
        self._remember()

    def _do_enter_calibration(self, values: Values, _blob: bytes) -> None:
        self._driver.enter_calibration(values["eyes"])
        self._calibration_mode_by_us = True

    def _do_collect(self, values: Values, _blob: bytes) -> Values:
        x, y = values["point"]
        return {"status": self._driver.collect((float(x), float(y)), values["eyes"])}

    def _do_discard(self, values: Values, _blob: bytes) -> None:
        x, y = values["point"]
        self._driver.discard((float(x), float(y)), values["eyes"])

    def _do_compute_calibration(self, _values: Values, _blob: bytes) -> tuple[Values, bytes]:
        result = self._driver.compute_calibration()
        data = self._driver.calibration_data()
        self._remember()
        self._sink.event("calibration", {"time_ns": self._now_ns(), "reason": "computed", **result}, data)
        return result, data

    def _do_leave_calibration(self, _values: Values, _blob: bytes) -> None:
        self._driver.leave_calibration()
        self._calibration_mode_by_us = False
        self._remember()

    def _do_apply_calibration(self, _values: Values, blob: bytes) -> None:
        self._driver.apply_calibration(blob)
        self._remember()
        self._sink.event("calibration", {"time_ns": self._now_ns(), "reason": "applied"}, blob)
        self._sink.event("notification", {"kind": CALIBRATION_CHANGED, "time_ns": self._now_ns(), "by": "Sightline"})

    def _remember(self) -> None:
        if self._connection is not None:
            self._connection.remember_calibration()

    def _now_ns(self) -> int:
        return self._ring.clock.now_ns() if self._ring else 0


def main() -> None:
    """Serve the application on standard input and output until it is gone."""
    logging.basicConfig(level=os.environ.get("SIGHTLINE_HOST_LOG", "WARNING"), stream=sys.stderr)
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a vendor's library prints goes to the log, not between the messages
    favour_callbacks()
    HostProcess(MessagePipe(incoming, outgoing)).run()


if __name__ == "__main__":
    main()
