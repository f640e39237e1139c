from __future__ import annotations

import builtins
import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquisition.connection import Connection
from acquisition.gaps import find_gaps
from acquisition.host import TrackerHost
from acquisition.recorder import Recorder
from acquisition.ring import Ring
from acquisition.tracker import CAN_CALIBRATE, CONNECTION_LOST, HAS_OPENNESS, HAS_TIME_PROBES, trackers
from domain.errors import MissingPackageError, TrackerError
from domain.gaze import GazeSamples
from domain.session import GapCause, Notification, TrackerInfo
from storage.journal import read_journal
from tests.contracts.tracker_stands import PATIENCE_S, ListSink, Stand, open_tracker, stand_for

pytestmark = pytest.mark.parametrize("name", trackers.names())


@pytest.fixture
def stand(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    with stand_for(name, tmp_path, monkeypatch) as made:
        yield made


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@contextlib.contextmanager
def recording(stand: Stand, folder: Path, events: list[str]) -> Iterator[tuple[Recorder, Path]]:
    """What the host puts together, in this process, where the fakes are."""
    ring = Ring(folder / "ring", create=True)
    tracker = open_tracker(stand)
    watched: list[Connection] = []

    def on_event(kind: str, _payload: Any) -> None:
        events.append(kind)
        for connection in watched:
            connection.on_notification(kind)

    recorder = Recorder(ring, on_event, system_offset_ns=tracker.system_offset_ns)
    watched.append(Connection(tracker, recorder))
    recorder.start(folder / "a.journal", {})
    watched[0].start()
    try:
        yield recorder, folder / "a.journal"
    finally:
        watched[0].close()
        tracker.close()
        recorder.stop()
        recorder.close()
        ring.close(remove=True)


def test_that_a_tracker_describes_itself(name: str, stand: Stand) -> None:
    tracker = open_tracker(stand)
    info = tracker.info
    tracker.close()
    assert info.driver == name == tracker.name
    assert tracker.label
    assert info.rate_hz > 0
    assert info.model
    assert len(info.display_area_mm) == 3
    assert TrackerInfo.from_json(info.as_json()) == info


def test_that_discovery_lists_its_own_trackers(name: str, stand: Stand) -> None:
    driver = trackers.get(name)
    found = driver.discover()
    assert all(info.driver == name for info in found)


def test_that_samples_come_in_order_and_say_where_the_eyes_look(name: str, stand: Stand) -> None:
    tracker, sink = open_tracker(stand), ListSink()
    tracker.start(sink)
    if stand.look is not None:
        stand.look(tracker, (0.25, 0.75))

    def recent() -> np.ndarray:
        rows = sink.rows()[-20:]
        rows = rows[rows["gaze_valid"].all(axis=1)]
        return rows[np.abs(rows["gaze_norm"] - (0.25, 0.75)).max(axis=(1, 2)) < stand.tolerance]

    sink.wait_until(lambda: len(recent()) >= 10)
    tracker.stop()
    rows = sink.rows()
    assert np.all(np.diff(rows["device_us"]) > 0)
    period_us = 1e6 / tracker.info.rate_hz
    assert np.median(np.diff(rows["device_us"])) == pytest.approx(period_us, rel=0.35)
    for field in ("gaze_valid", "origin_valid", "pupil_valid", "openness_valid"):
        assert set(np.unique(rows[field])) <= {0, 1}
    assert np.isfinite(rows["gaze_norm"][rows["gaze_valid"] == 1]).all()
    if HAS_OPENNESS in tracker.info.capabilities:
        assert rows["openness_valid"].mean() > 0.5
    if HAS_TIME_PROBES in tracker.info.capabilities:
        assert sink.probes
        assert all(request <= response for request, _, response in sink.probes)
    tracker.close()


def test_that_nothing_comes_after_stop_and_again_after_start(name: str, stand: Stand) -> None:
    tracker, sink = open_tracker(stand), ListSink()
    tracker.start(sink)
    sink.wait_for_samples(5)
    tracker.stop()
    n = len(sink.rows())
    time.sleep(0.1)
    assert len(sink.rows()) == n
    again = ListSink()
    tracker.start(again)
    again.wait_for_samples(5)
    tracker.close()
    assert len(sink.rows()) == n
    n = len(again.rows())
    time.sleep(0.1)
    assert len(again.rows()) == n


def test_that_lost_eyes_are_flagged(name: str, stand: Stand) -> None:
    if stand.lose is None:
        pytest.skip("this tracker has no eyes that could be lost on request")
    tracker, sink = open_tracker(stand), ListSink()
    tracker.start(sink)
    sink.wait_for_samples(5)
    stand.lose()
    sink.wait_until(lambda: not sink.rows()[-5:]["gaze_valid"].any())
    tracker.close()


def test_that_a_lost_connection_is_told_and_mended(name: str, stand: Stand) -> None:
    if stand.unplug is None or stand.plug_in is None:
        pytest.skip("this tracker has no connection that could be lost on request")
    tracker, sink = open_tracker(stand), ListSink()
    tracker.start(sink)
    sink.wait_for_samples(5)
    stand.unplug()
    sink.wait_until(lambda: CONNECTION_LOST in [kind for kind, _ in sink.notifications])
    tracker.stop()
    with pytest.raises(TrackerError):
        tracker.reconnect()
    stand.plug_in()
    tracker.reconnect()
    again = ListSink()
    tracker.start(again)
    again.wait_for_samples(5)
    tracker.close()


def test_that_a_connection_lost_while_recording_is_a_gap_with_its_cause(
    name: str, stand: Stand, tmp_path: Path
) -> None:
    if stand.unplug is None or stand.plug_in is None:
        pytest.skip("this tracker has no connection that could be lost on request")
    events: list[str] = []
    with recording(stand, tmp_path, events) as (recorder, journal):
        wait_until(lambda: recorder.n_taken > 20)
        stand.unplug()
        wait_until(lambda: CONNECTION_LOST in events)
        time.sleep(0.3)
        stand.plug_in()
        wait_until(lambda: "reconnected" in events)
        n = recorder.n_taken
        wait_until(lambda: recorder.n_taken > n + 20)
    found = read_journal(journal)
    (told,) = [event.values for event in found.events if event.values.get("kind") == "reconnected"]
    tells = trackers.get(name).tells_calibration
    assert told["is_calibration_same"] is (True if tells else None)
    assert told["is_display_area_same"]
    assert sorted(set(found.samples["segment"].tolist())) == [0, told["segment"]]
    assert np.all(np.diff(found.samples["seq"]) == 1)
    assert np.all(np.diff(found.samples["time_ns"]) > 0)
    notifications = [
        Notification(int(event.values["time_ns"]), str(event.values["kind"]))
        for event in found.events
        if event.kind == "notification"
    ]
    rate_hz = 1e6 / float(np.median(np.diff(found.samples["device_us"])))
    gaps = find_gaps(GazeSamples.from_records(found.samples), notifications, rate_hz=rate_hz)
    cut = int(np.flatnonzero(np.diff(found.samples["segment"].astype(np.int64)))[0])
    (gap,) = [gap for gap in gaps if gap.start_ns == int(found.samples["time_ns"][cut])]
    assert gap.cause is GapCause.DISCONNECTED


def test_that_calibration_works_or_is_refused_with_words(name: str, stand: Stand) -> None:
    tracker, sink = open_tracker(stand), ListSink()
    tracker.start(sink)
    if CAN_CALIBRATE not in tracker.info.capabilities:
        with pytest.raises(TrackerError, match="calibrated"):
            tracker.enter_calibration()
        tracker.close()
        return
    tracker.leave_calibration()  # also when the mode is not on
    with pytest.raises(TrackerError):
        tracker.apply_calibration(b"")
    tracker.enter_calibration()
    for point in ((0.1, 0.1), (0.9, 0.9), (0.5, 0.5)):
        if stand.look is not None:
            stand.look(tracker, point)
        assert tracker.collect(point) == "success"
    tracker.discard((0.5, 0.5))
    assert tracker.collect((0.5, 0.5)) == "success"
    result = tracker.compute_calibration()
    assert result["status"] == "success"
    assert sorted(tuple(point["point"]) for point in result["points"]) == [(0.1, 0.1), (0.5, 0.5), (0.9, 0.9)]
    for point in result["points"]:
        for side in ("left", "right"):
            assert point[side]
            assert all(validity in (-1, 0, 1) for _, _, validity in point[side])
    data = tracker.calibration_data()
    assert data
    tracker.leave_calibration()
    tracker.apply_calibration(data)
    tracker.close()


def test_that_an_impossible_rate_is_refused(name: str, stand: Stand) -> None:
    if name in ("mouse", "replay", "gazepoint", "lsl"):
        pytest.skip("this tracker's rate is not chosen by us")
    from dataclasses import replace

    stand.settings = replace(stand.settings, rate_hz=77.0)
    with pytest.raises(TrackerError, match="77 Hz"):
        open_tracker(stand)


def test_that_a_missing_package_is_named_with_its_line(
    name: str, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not stand.module:
        pytest.skip("this driver needs no package")
    for module in [known for known in sys.modules if known.split(".")[0].startswith(stand.module[:7])]:
        monkeypatch.delitem(sys.modules, module)
    real = builtins.__import__

    def blocked(wanted: str, *more: Any, **named: Any) -> Any:
        if wanted.startswith(stand.module[:7]):
            raise ImportError(f"No module named {wanted!r}")
        return real(wanted, *more, **named)

    import importlib

    original = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", lambda wanted, *more: blocked(wanted) and original(wanted, *more))
    monkeypatch.setattr(builtins, "__import__", blocked)
    with pytest.raises(MissingPackageError) as caught:
        trackers.get(name).discover()
    assert "pip install" in caught.value.hint


def test_that_it_streams_through_the_host_without_loss(name: str, stand: Stand) -> None:
    if not stand.runs_in_host:
        pytest.skip("its fake lives in this process; the host's side is the same for all drivers")
    with TrackerHost(stand.settings, packages=stand.packages) as host:
        deadline = time.monotonic() + 60.0
        position, parts = 0, []
        while sum(len(part) for part in parts) < 60 and time.monotonic() < deadline:
            rows, position, missed = host.read_since(position)
            assert missed == 0
            parts.append(rows)
            time.sleep(0.02)
        rows = np.concatenate(parts)
        assert len(rows) >= 60
        assert rows["seq"].tolist() == list(range(len(rows)))
        assert np.all(np.diff(rows["time_ns"]) > 0)
        assert abs(int(rows["time_ns"][-1]) - host.now_ns()) < 5e9
        assert host.is_alive
        assert host.status()["n_overflow"] == 0
