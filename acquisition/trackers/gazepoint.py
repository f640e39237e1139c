"""Gazepoint trackers through Open Gaze: text lines over one TCP connection; calibrated in their own program.

Traps of the protocol (from its clients): records arrive in pieces, attributes may lack the space between them
(`VALUE="0"DUR="0"`), and answers come between the records. One thread does all the reading.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from acquisition.clock_map import ArrivalProbes
from acquisition.display_area import display_corners
from acquisition.tracker import CONNECTION_LOST, Clock, SampleSink, Tracker, TrackerSettings, trackers
from domain.errors import TrackerError
from domain.gaze import LEFT, RIGHT, SAMPLE_RECORD
from domain.session import TrackerInfo

log = logging.getLogger(__name__)

DEFAULT_ADDRESS = "127.0.0.1:4242"
CONNECT_S = 2.0
SEND = ("COUNTER", "TIME", "TIME_TICK", "POG_LEFT", "POG_RIGHT", "POG_BEST", "PUPIL_LEFT", "PUPIL_RIGHT", "EYE_LEFT",
        "EYE_RIGHT")  # fmt: skip
_ATTRIBUTE = re.compile(r'([A-Za-z0-9_]+)="([^"]*)"')


def parse_line(line: str) -> tuple[str, dict[str, str]]:
    """The word that a line begins with (REC, ACK, NACK, CAL) and its attributes, glued together or not."""
    head = re.match(r"\s*<\s*([A-Z]+)", line)
    return (head.group(1) if head else "", dict(_ATTRIBUTE.findall(line)))


class LineReader:
    """Puts lines together from pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[str]:
        """The lines that are whole now."""
        self._rest += piece
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            text = line.decode("ascii", errors="replace").strip()
            if text:
                yield text


@trackers.register("gazepoint")
class GazepointTracker(Tracker):
    """Address: host:port of Gazepoint Control (default 127.0.0.1:4242)."""

    name = "gazepoint"
    label = "Gazepoint (Open Gaze)"

    def __init__(self, settings: TrackerSettings, clock: Clock) -> None:
        super().__init__(settings, clock)
        self._address = settings.address or DEFAULT_ADDRESS
        self._sink: SampleSink | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._reader = LineReader()
        self._facts: dict[str, str] = {}
        self._probes = ArrivalProbes()
        self._socket = self._connect()

    @classmethod
    def discover(cls) -> list[TrackerInfo]:
        """The server on this machine, if it runs."""
        host, port = DEFAULT_ADDRESS.split(":")
        try:
            socket.create_connection((host, int(port)), timeout=0.5).close()
        except OSError:
            return []
        return [TrackerInfo("gazepoint", model="Gazepoint", address=DEFAULT_ADDRESS)]

    @property
    def info(self) -> TrackerInfo:
        """What the server said about itself."""
        serial = self._facts.get("SERIAL_ID", "")
        model = self._facts.get("PRODUCT_ID", "") or "Gazepoint"
        rate_hz = float(self._facts.get("RATE", 0) or 0) or self.settings.rate_hz or 60.0
        return TrackerInfo(
            "gazepoint",
            model=model,
            serial=serial,
            address=self._address,
            rate_hz=rate_hz,
            rates_hz=(rate_hz,),
            display_area_mm=display_corners(self.settings.display),
        )

    # Connection -------------------------------------------------------------------------------------------------

    def _connect(self) -> socket.socket:
        host, _, port = self._address.rpartition(":")
        try:
            connection = socket.create_connection((host, int(port)), timeout=CONNECT_S)
        except (OSError, ValueError) as error:
            raise TrackerError(
                f"No Gazepoint server answers at {self._address}: {error}.", "Start Gazepoint Control."
            ) from error
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = LineReader()
        self._facts.clear()
        try:
            self._ask_facts(connection)
        except OSError as error:
            connection.close()
            raise TrackerError(f"The Gazepoint server at {self._address} hung up: {error}.") from error
        return connection

    def _ask_facts(self, connection: socket.socket) -> None:
        wanted = ("TIME_TICK_FREQUENCY", "SERIAL_ID", "PRODUCT_ID")
        for name in wanted:
            connection.sendall(f'<GET ID="{name}" />\r\n'.encode())
        deadline = time.monotonic() + CONNECT_S
        missing = set(wanted)
        while missing and time.monotonic() < deadline:
            connection.settimeout(max(0.05, deadline - time.monotonic()))
            try:
                piece = connection.recv(65536)
            except OSError:
                break
            if not piece:
                break
            for line in self._reader.feed(piece):
                word, values = parse_line(line)
                if word in ("ACK", "NACK") and values.get("ID") in missing:
                    missing.discard(values["ID"])
                    self._take_fact(values)
        if "TIME_TICK_FREQUENCY" not in self._facts:
            connection.close()
            raise TrackerError(f"What answers at {self._address} does not speak Open Gaze.")

    def _take_fact(self, values: Mapping[str, str]) -> None:
        self._facts[values["ID"]] = values.get("FREQ") or values.get("VALUE") or ""
        if values["ID"] == "PRODUCT_ID" and values.get("RATE"):
            self._facts["RATE"] = values["RATE"]

    def reconnect(self) -> None:
        """Connect to the same server again."""
        self._socket.close()
        self._socket = self._connect()

    # Streaming --------------------------------------------------------------------------------------------------

    def start(self, sink: SampleSink) -> None:
        """Ask for data and read it on a thread."""
        self._sink = sink
        self._probes = ArrivalProbes()
        try:
            for name in SEND:
                self._socket.sendall(f'<SET ID="ENABLE_SEND_{name}" STATE="1" />\r\n'.encode())
            self._socket.sendall(b'<SET ID="ENABLE_SEND_DATA" STATE="1" />\r\n')
        except OSError as error:
            raise TrackerError(f"The Gazepoint server is gone: {error}.") from error
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(sink,), name="gazepoint", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask for no more data."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping.set()
        thread.join()
        try:
            self._socket.sendall(b'<SET ID="ENABLE_SEND_DATA" STATE="0" />\r\n')
        except OSError:
            log.info("the Gazepoint server is gone already")
        self._sink = None

    def close(self) -> None:
        """Close the connection."""
        self.stop()
        self._socket.close()

    def _run(self, sink: SampleSink) -> None:
        self._socket.settimeout(0.05)
        while not self._stopping.is_set():
            try:
                piece = self._socket.recv(65536)
            except TimeoutError:
                continue
            except OSError as error:
                sink.notify(CONNECTION_LOST, {"error": str(error)})
                return
            if not piece:
                sink.notify(CONNECTION_LOST, {"error": "the server closed the connection"})
                return
            arrival_ns = self.clock.now_ns()
            try:
                self._take(list(self._reader.feed(piece)), arrival_ns, sink)
            except Exception:
                log.exception("a record of the Gazepoint server could not be read")

    def _take(self, lines: list[str], arrival_ns: int, sink: SampleSink) -> None:
        rows = []
        for line in lines:
            word, values = parse_line(line)
            if word == "REC" and "TIME_TICK" in values:
                rows.append(self._row(values))
            elif word == "NACK":
                sink.notify("refused", values)
        if not rows:
            return
        block = np.concatenate(rows)
        arrival_us = arrival_ns // 1000
        block["system_us"] = arrival_us
        probe = self._probes.add(int(block["device_us"][-1]), arrival_us)
        if probe is not None:
            sink.time_probe(probe[1], probe[0], probe[1])
        sink.samples(block)

    def _row(self, values: Mapping[str, str]) -> NDArray[np.void]:
        row = np.zeros(1, SAMPLE_RECORD)
        frequency = float(self._facts["TIME_TICK_FREQUENCY"])
        row["device_us"] = int(int(values["TIME_TICK"]) * 1e6 / frequency)
        width, height = self.settings.display.size_mm
        for name in ("gaze_norm", "gaze_mm", "origin_mm", "pupil_mm", "openness_mm"):
            row[name] = np.nan
        for eye, side in ((LEFT, "L"), (RIGHT, "R")):
            x, y = _number(values, f"{side}POGX"), _number(values, f"{side}POGY")
            row["gaze_norm"][0, eye] = (x, y)
            row["gaze_mm"][0, eye] = ((x - 0.5) * width, (1.0 - y) * height, 0.0)
            row["gaze_valid"][0, eye] = values.get(f"{side}POGV") == "1"
            # Metres in the protocol; the axes are taken as those of the user coordinate system.
            origin = [1000.0 * _number(values, f"{side}EYE{axis}") for axis in "XYZ"]
            row["origin_mm"][0, eye] = origin
            row["origin_valid"][0, eye] = values.get(f"{side}PUPILV") == "1" and bool(np.all(np.isfinite(origin)))
            row["pupil_mm"][0, eye] = 1000.0 * _number(values, f"{side}PUPILD")
            row["pupil_valid"][0, eye] = values.get(f"{side}PUPILV") == "1"
        return row


def _number(values: Mapping[str, str], name: str) -> float:
    try:
        return float(values[name])
    except (KeyError, ValueError):
        return float("nan")
