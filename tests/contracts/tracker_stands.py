"""A stand for each driver: something it can really be opened on, and handles to make it look, lose and vanish."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquisition.tracker import Tracker, TrackerSettings, trackers
from domain.display import Display
from domain.gaze import SAMPLE_RECORD, GazeSamples
from domain.scene import Scene

FAKES = Path(__file__).resolve().parent.parent / "fakes"
DISPLAY = Display((1920, 1080), (527.0, 296.0))
PATIENCE_S = 60.0


class RealClock:
    def now_ns(self) -> int:
        return time.perf_counter_ns()

    def advance_to(self, time_ns: int) -> None:
        raise AssertionError("a real clock cannot be moved")


class ListSink:
    """Keeps what comes, as the host would."""

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []
        self.probes: list[tuple[int, int, int]] = []
        self.notifications: list[tuple[str, dict]] = []
        self._changed = threading.Condition()

    def samples(self, rows: np.ndarray) -> None:
        with self._changed:
            self.parts.append(rows.copy())
            self._changed.notify_all()

    def packed_sample(self, device_us: int, system_us: int, row: bytearray) -> None:
        (one,) = rows = np.frombuffer(bytes(row), SAMPLE_RECORD).copy()
        assert (one["device_us"], one["system_us"]) == (device_us, system_us)
        self.samples(rows)

    def time_probe(self, request_us: int, device_us: int, response_us: int) -> None:
        with self._changed:
            self.probes.append((request_us, device_us, response_us))
            self._changed.notify_all()

    def notify(self, kind: str, payload: Any) -> None:
        with self._changed:
            self.notifications.append((kind, dict(payload)))
            self._changed.notify_all()

    def wait_for_room(self, n: int) -> None:
        return

    def rows(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, SAMPLE_RECORD), *self.parts])

    def wait_until(self, holds: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(holds, timeout=PATIENCE_S), "it did not happen"

    def wait_for_samples(self, n: int) -> np.ndarray:
        have = len(self.rows())
        self.wait_until(lambda: len(self.rows()) >= have + n)
        return self.rows()[have:]


@dataclass
class Stand:
    """settings: how to open it. look: at a point of the display area. lose: the eyes. unplug, plug_in: the device."""

    settings: TrackerSettings
    look: Callable[[Tracker, tuple[float, float]], None] | None = None
    lose: Callable[[], None] | None = None
    unplug: Callable[[], None] | None = None
    plug_in: Callable[[], None] | None = None
    tolerance: float = 1e-4
    packages: tuple[Path, ...] = ()
    runs_in_host: bool = True
    module: str = ""
    closers: list[Callable[[], None]] = field(default_factory=list)
    tracker: Tracker | None = None


@contextlib.contextmanager
def stand_for(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    make = {
        "simulated": _simulated,
        "mouse": _mouse,
        "replay": _replay,
        "tobii": _tobii,
        "tobii_titta": _titta,
        "gazepoint": _gazepoint,
        "lsl": _lsl,
    }.get(name)
    assert make is not None, f"the driver {name} needs a stand here"
    stand = make(folder, monkeypatch)
    try:
        yield stand
    finally:
        for close in stand.closers:
            close()


def open_tracker(stand: Stand) -> Tracker:
    stand.tracker = trackers.get(stand.settings.driver)(stand.settings, RealClock())
    return stand.tracker


def _simulated(_folder: Path, _monkeypatch: pytest.MonkeyPatch) -> Stand:
    quiet = {"blinks_per_min": 0, "losses_per_min": 0, "noise_deg": 0.02, "drift_deg": 0.01, "microsaccades_per_s": 0}

    def look(tracker: Tracker, at: tuple[float, float]) -> None:
        tracker.set_scene(Scene(DISPLAY, points_norm=(at,)))

    def unplug() -> None:
        tracker = stand.tracker
        with tracker._lock:  # type: ignore[union-attr]  # only this stand knows which tracker it is
            tracker._faults.append({"at_s": 0.0, "kind": "disconnect", "duration_s": 3600.0})  # type: ignore[union-attr]

    def plug_in() -> None:
        stand.tracker._away_until_ns = 0  # type: ignore[union-attr]

    stand = Stand(
        TrackerSettings("simulated", rate_hz=120.0, display=DISPLAY, options=quiet),
        look=look,
        unplug=unplug,
        plug_in=plug_in,
        tolerance=0.01,
    )
    return stand


def _mouse(_folder: Path, _monkeypatch: pytest.MonkeyPatch) -> Stand:
    return Stand(TrackerSettings("mouse", display=DISPLAY), look=lambda tracker, at: tracker.point_at(*at))


def _replay(folder: Path, _monkeypatch: pytest.MonkeyPatch) -> Stand:
    rows = np.zeros(20_000, SAMPLE_RECORD)
    rows["time_ns"] = 5 * 10**12 + np.arange(len(rows)) * 5_000_000
    rows["device_us"] = rows["time_ns"] // 1000 + 17
    rows["gaze_norm"] = (0.25, 0.75)
    rows["gaze_valid"] = 1
    np.save(folder / "rows.npy", GazeSamples.from_records(rows).to_records())
    return Stand(TrackerSettings("replay", display=DISPLAY, options={"path": str(folder / "rows.npy")}))


def _tobii(_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    monkeypatch.syspath_prepend(str(FAKES))
    monkeypatch.delitem(sys.modules, "tobii_research", raising=False)
    import tobii_research

    monkeypatch.setitem(sys.modules, "tobii_research", tobii_research)
    device = tobii_research.devices[0]
    return Stand(
        TrackerSettings("tobii", rate_hz=120.0, display=DISPLAY),
        look=lambda _tracker, at: setattr(device, "looks_at", at),
        lose=lambda: setattr(device, "looks_at", None),
        unplug=device.unplug,
        plug_in=device.plug_in,
        packages=(FAKES,),
        module="tobii_research",
    )


def _titta(_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    monkeypatch.syspath_prepend(str(FAKES))
    import fake_titta

    device = fake_titta.TittaDevice()
    monkeypatch.setitem(sys.modules, "TittaPy_v2", fake_titta.as_module(device))
    return Stand(
        TrackerSettings("tobii_titta", rate_hz=120.0, display=DISPLAY),
        look=lambda _tracker, at: setattr(device, "looks_at", at),
        lose=lambda: setattr(device, "looks_at", None),
        unplug=device.unplug,
        plug_in=lambda: setattr(device, "is_connected", True),
        runs_in_host=False,  # the fake lives in this process
        module="TittaPy_v2",
    )


def _gazepoint(_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    monkeypatch.syspath_prepend(str(FAKES))
    from gazepoint_server import GazepointServer

    server = GazepointServer()
    return Stand(
        TrackerSettings("gazepoint", address=f"127.0.0.1:{server.port}", display=DISPLAY),
        look=lambda _tracker, at: setattr(server, "looks_at", at),
        lose=lambda: setattr(server, "looks_at", None),
        unplug=server.unplug,
        plug_in=server.plug_in,
        closers=[server.close],
    )


def _lsl(_folder: Path, _monkeypatch: pytest.MonkeyPatch) -> Stand:
    pylsl = pytest.importorskip("pylsl", reason="pylsl is not installed", exc_type=Exception)
    from acquisition.lsl_channels import CHANNELS

    source = f"contract-{time.monotonic_ns()}"
    info = pylsl.StreamInfo("contract", "Gaze", len(CHANNELS), 100.0, "double64", source)
    channels = info.desc().append_child("channels")
    for label, _, _ in CHANNELS:
        channels.append_child("channel").append_child_value("label", label)
    outlets = [pylsl.StreamOutlet(info)]
    at = [0.5, 0.5]
    stop = threading.Event()

    def send() -> None:
        # Stamps are exact whatever the machine does meanwhile: the test looks at them, not at the sender's pace.
        stamp = pylsl.local_clock()
        while not stop.wait(0.01):
            stamp += 0.01
            values = [0.0] * len(CHANNELS)
            for number, (label, _, _) in enumerate(CHANNELS):
                if label.endswith("_norm"):
                    values[number] = at[0] if "_x_" in label else at[1]
                elif label.endswith("_valid"):
                    values[number] = float(at[0] >= 0)
            if outlets:
                outlets[0].push_sample(values, stamp)

    thread = threading.Thread(target=send)
    thread.start()

    def close() -> None:
        stop.set()
        thread.join()

    return Stand(
        TrackerSettings("lsl", address=source, display=DISPLAY),
        look=lambda _tracker, where: at.__setitem__(slice(None), list(where)),
        lose=lambda: at.__setitem__(0, -1.0),
        unplug=outlets.clear,
        plug_in=lambda: outlets.append(pylsl.StreamOutlet(info)),
        module="pylsl",
        closers=[close],
    )
