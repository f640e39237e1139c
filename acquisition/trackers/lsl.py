"""A gaze stream of the lab streaming layer as a tracker."""

from __future__ import annotations

import contextlib
import importlib
import logging
import threading
import time
from types import ModuleType
from typing import Any

import numpy as np

from acquisition.display_area import display_corners
from acquisition.lsl_channels import STREAM_TYPE, from_channels
from acquisition.tracker import CONNECTION_LOST, HAS_TIME_PROBES, Clock, SampleSink, Tracker, TrackerSettings, trackers
from domain.errors import MissingPackageError, TrackerError
from domain.session import TrackerInfo

log = logging.getLogger(__name__)

RESOLVE_S = 1.5
PULL_S = 0.004
PROBE_EVERY_S = 5.0


def load_pylsl() -> ModuleType:
    """The pylsl package.

    Raises:
        MissingPackageError: it is not installed, or its library cannot be loaded.
    """
    try:
        return importlib.import_module("pylsl")
    except (ImportError, RuntimeError, OSError) as error:
        raise MissingPackageError(
            f"The lab streaming layer is not installed ({error}).", "Install it with `pip install pylsl`."
        ) from error


def lost_error() -> type[Exception]:
    """What pylsl raises when a stream is gone; not every version shows it at its top."""
    for name in ("pylsl.util", "pylsl"):
        with contextlib.suppress(ImportError, AttributeError):
            found: type[Exception] = importlib.import_module(name).LostError
            return found
    return RuntimeError  # which it is a kind of


def lsl_offset_ns(pylsl: ModuleType) -> int:
    """Host clock minus the layer's local clock, from the quickest of several bracketed readings."""
    best = (1 << 62, 0)
    for _ in range(16):
        before = time.perf_counter_ns()
        reading = pylsl.local_clock()
        after = time.perf_counter_ns()
        best = min(best, (after - before, (before + after) // 2 - int(reading * 1e9)))
    return best[1]


@trackers.register("lsl")
class LslTracker(Tracker):
    """Address: the stream's source id or name; the first gaze stream where it is empty."""

    name = "lsl"
    label = "Lab streaming layer"
    needs = "pylsl"
    install_hint = "pip install pylsl"

    def __init__(self, settings: TrackerSettings, clock: Clock) -> None:
        super().__init__(settings, clock)
        self._pylsl = load_pylsl()
        self._lost = lost_error()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._inlet: Any = None  # Any: an object of pylsl
        self._open()

    @classmethod
    def discover(cls) -> list[TrackerInfo]:
        """All gaze streams in the network; blocks for 1.5 s."""
        pylsl = load_pylsl()
        return [_describe(stream) for stream in _gaze_streams(pylsl)]

    @property
    def info(self) -> TrackerInfo:
        """What the stream says about itself."""
        described = _describe(self._stream)
        return TrackerInfo(
            **{
                **described.as_json(),
                "capabilities": (HAS_TIME_PROBES,),
                "display_area_mm": display_corners(self.settings.display),
            }
        )

    def _open(self) -> None:
        wanted = self.settings.address
        matching = _matching(self._pylsl, wanted)
        if not matching:
            raise TrackerError(
                f"There is no gaze stream {wanted!r} in the lab streaming layer."
                if wanted
                else "There is no gaze stream in the lab streaming layer.",
                "Start the program that sends it; both machines must be in one network.",
            )
        self._inlet = self._pylsl.StreamInlet(matching[0], max_buflen=60, recover=False)
        try:
            self._stream = self._inlet.info(RESOLVE_S * 2)
            self._inlet.open_stream(RESOLVE_S * 2)
        except (TimeoutError, self._lost) as error:
            raise TrackerError(f"The gaze stream {matching[0].name()} does not answer.") from error
        self._labels = _labels(self._stream)
        self._offset_ns = lsl_offset_ns(self._pylsl)

    def reconnect(self) -> None:
        """Look for the same stream again."""
        self._inlet.close_stream()
        self._open()

    def start(self, sink: SampleSink) -> None:
        """Read the stream on a thread."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(sink,), name="lsl", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop reading."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            thread.join()

    def close(self) -> None:
        """Close the stream."""
        self.stop()
        self._inlet.close_stream()

    def _run(self, sink: SampleSink) -> None:
        next_probe_s = 0.0
        while not self._stopping.wait(PULL_S):
            try:
                if time.monotonic() >= next_probe_s:
                    next_probe_s = time.monotonic() + PROBE_EVERY_S
                    self._probe(sink)
                values, stamps = self._inlet.pull_chunk(timeout=0.0, max_samples=4096)
                if stamps:
                    self._take(values, stamps, sink)
            except self._lost:
                sink.notify(CONNECTION_LOST, {"error": "the stream ended"})
                return
            except TimeoutError:
                continue
            except Exception:
                log.exception("the gaze stream goes on after an error")

    def _probe(self, sink: SampleSink) -> None:
        """The layer's own estimate of the remote clock, as a probe."""
        correction = self._inlet.time_correction(RESOLVE_S)
        now_us = int(self._pylsl.local_clock() * 1e6)
        remote_us = now_us - int(correction * 1e6)
        host_us = now_us + self._offset_ns // 1000
        sink.time_probe(host_us, remote_us, host_us)

    def _take(self, values: Any, stamps: Any, sink: SampleSink) -> None:  # Any: lists of pylsl
        rows = from_channels(np.asarray(values, np.float64), self._labels)
        rows["device_us"] = np.rint(np.asarray(stamps) * 1e6).astype(np.int64)
        rows["system_us"] = self.clock.now_ns() // 1000
        sink.samples(rows)


def _labels(stream: Any) -> list[str]:  # Any: an object of pylsl
    labels = []
    channel = stream.desc().child("channels").child("channel")
    for _ in range(stream.channel_count()):
        labels.append(channel.child_value("label"))
        channel = channel.next_sibling("channel")
    return labels


def _gaze_streams(pylsl: ModuleType) -> list[Any]:
    """All that answer in time; asking for a minimum would end with the first, whichever it is."""
    return [stream for stream in pylsl.resolve_streams(RESOLVE_S) if stream.type() == STREAM_TYPE]


def _matching(pylsl: ModuleType, wanted: str) -> list[Any]:
    if not wanted:
        return list(pylsl.resolve_byprop("type", STREAM_TYPE, 1, RESOLVE_S))
    if "'" not in wanted:  # the layer puts the value into a query, in such quotes
        found = pylsl.resolve_byprop("source_id", wanted, 1, RESOLVE_S)
        if matching := [stream for stream in found if stream.type() == STREAM_TYPE]:
            return matching
    return [stream for stream in _gaze_streams(pylsl) if wanted in (stream.source_id(), stream.name())]


def _describe(stream: Any) -> TrackerInfo:  # Any: an object of pylsl
    rate_hz = float(stream.nominal_srate())
    about = stream.desc().child_value("simulated") if stream.desc() is not None else ""
    return TrackerInfo(
        "lsl",
        model=stream.name(),
        serial=stream.source_id(),
        address=stream.source_id() or stream.name(),
        rate_hz=rate_hz,
        rates_hz=(rate_hz,),
        is_simulated=about == "1",
    )
