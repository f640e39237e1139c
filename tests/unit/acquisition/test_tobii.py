from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquisition.connection import Connection
from acquisition.recorder import Recorder
from acquisition.ring import Ring
from acquisition.tracker import CONNECTION_LOST, HAS_OPENNESS, TrackerSettings, trackers
from domain.errors import TrackerError
from tests.contracts.tracker_stands import ListSink, RealClock, Stand, open_tracker, stand_for


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    with stand_for("tobii", tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def device(stand: Stand) -> Any:
    import tobii_research

    return tobii_research.devices[0]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60.0
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_that_values_arrive_as_the_sdk_gave_them(stand: Stand, device: Any) -> None:
    device.looks_at, device.sees_right = (0.25, 0.5), False
    tracker, sink = open_tracker(stand), ListSink()
    tracker.start(sink)
    row = sink.wait_for_samples(20)[-1]
    tracker.close()
    assert row["gaze_norm"][0] == pytest.approx((0.25, 0.5))
    assert np.isnan(row["gaze_norm"][1]).all()
    assert row["gaze_mm"][0] == pytest.approx((-131.75, 158.0, 0.0))
    assert row["origin_mm"][0] == pytest.approx((-31.5, 150.0, 640.0))
    assert row["pupil_mm"][0] == pytest.approx(3.25)
    assert row["gaze_valid"].tolist() == [1, 0]
    assert row["openness_mm"].tolist() == [9.5, 9.25]
    assert row["device_us"] - row["system_us"] == device.clock_shift_us


def test_that_the_callback_never_raises_into_the_sdk(stand: Stand, device: Any) -> None:
    tracker, sink = open_tracker(stand), ListSink()
    tracker.start(sink)
    sink.wait_for_samples(3)
    device.send("eyetracker_gaze_data", {"device_time_stamp": 1})
    device.notify("device_faults", faults="too warm")
    wait_until(lambda: {"driver_error", "device_faults"} <= {kind for kind, _ in sink.notifications})
    assert device.callback_errors == []
    sink.wait_for_samples(3)
    tracker.close()


def test_that_all_notifications_are_heard_from_the_moment_it_is_open(stand: Stand, device: Any) -> None:
    tracker, sink = open_tracker(stand), ListSink()
    device.notify("eye_tracking_mode_changed")
    tracker.start(sink)
    kinds = ("calibration_changed", "display_area_changed", "device_warnings", "stream_buffer_overflow")
    for kind in kinds:
        device.notify(kind)
    heard = [kind for kind, _ in sink.notifications]
    assert heard == ["gaze_output_frequency_changed", "eye_tracking_mode_changed", *kinds] or set(kinds) <= set(heard)
    assert "eye_tracking_mode_changed" in heard
    json.dumps(sink.notifications)
    tracker.close()


def test_that_stream_errors_and_external_signals_are_passed_on(stand: Stand, device: Any) -> None:
    tracker, sink = open_tracker(stand), ListSink()
    tracker.start(sink)
    device.send("eyetracker_stream_errors", {"system_time_stamp": 1, "error": "stream_error_internal_error"})
    device.send("eyetracker_external_signal", {"value": 3, "change_type": "initial_value", "device_time_stamp": 5})
    found = dict(sink.notifications)
    assert found["stream_error"]["error"] == "stream_error_internal_error"
    assert found["external_signal"]["value"] == 3
    tracker.close()


def test_that_nothing_stays_subscribed_after_close(stand: Stand, device: Any) -> None:
    tracker = open_tracker(stand)
    tracker.start(ListSink())
    tracker.position_guide()
    tracker.close()
    assert not any(callbacks for one in device.trackers for callbacks in one._callbacks.values())


def test_that_the_position_guide_comes_when_asked_for(stand: Stand) -> None:
    tracker = open_tracker(stand)
    tracker.start(ListSink())
    wait_until(lambda: bool(tracker.position_guide()))
    assert tracker.position_guide() == {"left": [0.55, 0.5, 0.45], "right": [0.45, 0.5, 0.45]}
    tracker.close()


def test_that_entering_calibration_ends_the_one_in_force_and_mixing_needs_discard(stand: Stand, device: Any) -> None:
    tracker = open_tracker(stand)
    assert tracker.calibration_data() == b"factory"
    tracker.enter_calibration()
    assert tracker.calibration_data() == b""
    tracker.collect((0.5, 0.5))
    tracker.collect((0.5, 0.5))
    tracker.collect((0.1, 0.1))
    mixed = {tuple(point["point"]): len(point["left"]) for point in tracker.compute_calibration()["points"]}
    tracker.discard((0.5, 0.5))
    tracker.collect((0.5, 0.5))
    again = {tuple(point["point"]): len(point["left"]) for point in tracker.compute_calibration()["points"]}
    assert mixed == {(0.5, 0.5): 10, (0.1, 0.1): 5}
    assert again == {(0.5, 0.5): 5, (0.1, 0.1): 5}
    tracker.leave_calibration()
    tracker.apply_calibration(b"factory")
    assert tracker.calibration_data() == b"factory"
    tracker.close()


def test_that_one_eye_can_be_calibrated_and_failures_are_statuses(stand: Stand, device: Any) -> None:
    tracker = open_tracker(stand)
    tracker.enter_calibration("left")
    assert tracker.collect((0.5, 0.5), "left") == "success_left"
    tracker.leave_calibration()
    tracker.enter_calibration()
    device.fails_collect, device.fails_compute = 1, True
    assert tracker.collect((0.5, 0.5)) == "failure"
    assert tracker.collect((0.5, 0.5)) == "success"
    assert tracker.compute_calibration() == {"status": "failure", "points": []}
    with pytest.raises(TrackerError, match="already"):
        tracker.enter_calibration()
    tracker.leave_calibration()
    tracker.close()


def test_that_a_tracker_left_in_calibration_mode_by_a_crash_is_freed(stand: Stand, device: Any) -> None:
    device.in_calibration_by = object()
    open_tracker(stand).close()
    assert device.in_calibration_by is None


def test_that_licences_are_applied_and_refusals_have_words(stand: Stand, device: Any, tmp_path: Path) -> None:
    device.is_licensed = False
    with pytest.raises(TrackerError, match="licence"):
        open_tracker(stand).start(ListSink())
    (tmp_path / "bad").write_bytes(b"bad")
    (tmp_path / "good").write_bytes(b"good")
    stand.settings = replace(stand.settings, options={"licenses": [str(tmp_path / "bad")]})
    with pytest.raises(TrackerError, match="expired"):
        open_tracker(stand)
    stand.settings = replace(stand.settings, options={"licenses": [str(tmp_path / "good")]})
    tracker = open_tracker(stand)
    tracker.start(ListSink())
    tracker.close()


def test_that_no_tracker_is_said_with_words(stand: Stand, device: Any) -> None:
    device.is_connected = False
    with pytest.raises(TrackerError, match="No Tobii"):
        open_tracker(stand)
    assert trackers.get("tobii").discover() == []


def test_that_a_tracker_without_openness_gives_gaze_at_once(stand: Stand, device: Any) -> None:
    device.capabilities = tuple(c for c in device.capabilities if "openness" not in c)
    tracker, sink = open_tracker(stand), ListSink()
    tracker.start(sink)
    rows = sink.wait_for_samples(10)
    tracker.close()
    assert HAS_OPENNESS not in trackers.get("tobii")(stand.settings, RealClock()).info.capabilities
    assert not rows["openness_valid"].any()


def test_that_a_display_area_can_be_set_and_a_bad_one_is_refused(stand: Stand, device: Any) -> None:
    tracker = open_tracker(stand)
    tracker.set_display_area(((-100.0, 120.0, 0.0), (100.0, 120.0, 0.0), (-100.0, 10.0, 0.0)))
    assert tracker.info.display_area_mm[1] == (100.0, 120.0, 0.0)
    with pytest.raises(TrackerError, match="DisplayAreaNotValid"):
        tracker.set_display_area(((0.0, 0.0, 0.0),) * 3)
    tracker.close()


@pytest.mark.parametrize("name", ["tobii", "tobii_titta", "gazepoint"])
def test_that_the_host_brings_a_lost_tracker_back(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_for(name, tmp_path, monkeypatch) as stand:
        assert stand.unplug is not None
        assert stand.plug_in is not None
        heard: list[tuple[str, dict]] = []
        ring = Ring(tmp_path / "ring", create=True, slots=4096)
        tracker = trackers.get(name)(stand.settings, ring.clock)
        connection: Connection

        def hear(kind: str, payload: Any) -> None:
            heard.append((kind, dict(payload)))
            connection.on_notification(kind)

        recorder = Recorder(ring, hear, system_offset_ns=tracker.system_offset_ns)
        connection = Connection(tracker, recorder)
        connection.start()
        wait_until(lambda: ring.head > 10)
        stand.unplug()
        wait_until(lambda: connection.state == "lost")
        time.sleep(0.3)
        stand.plug_in()
        wait_until(lambda: connection.state == "streaming")
        head = ring.head
        wait_until(lambda: ring.head > head + 10)
        (mended,) = [payload for kind, payload in heard if kind == "reconnected"]
        connection.close()
        tracker.close()
        recorder.close()
        rows = ring.latest(4000)
        ring.close(remove=True)
    assert mended["is_display_area_same"]
    assert mended["tries"] >= 1
    assert rows["segment"][-1] == mended["segment"] == 1
    assert np.all(np.diff(rows["seq"]) == 1)
    assert np.all(np.diff(rows["time_ns"]) > 0)


def test_that_an_error_nobody_foresaw_does_not_end_the_attempts_to_bring_a_tracker_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stand_for("tobii", tmp_path, monkeypatch) as stand:
        ring = Ring(tmp_path / "ring", create=True, slots=4096)
        tracker = trackers.get("tobii")(stand.settings, ring.clock)
        recorder = Recorder(ring, lambda _kind, _payload: None, system_offset_ns=tracker.system_offset_ns)
        connection = Connection(tracker, recorder)
        connection.start()
        wait_until(lambda: ring.head > 10)
        start, tried = tracker.start, []

        def fails_once(sink: Any) -> None:
            tried.append(sink)
            if len(tried) == 1:
                raise ZeroDivisionError("what no driver promises")
            start(sink)

        monkeypatch.setattr(tracker, "start", fails_once)
        connection.on_notification(CONNECTION_LOST)
        wait_until(lambda: len(tried) == 2 and connection.state == "streaming")
        head = ring.head
        wait_until(lambda: ring.head > head + 10)
        connection.close()
        tracker.close()
        recorder.close()
        ring.close(remove=True)


def test_settings_survive_their_message() -> None:
    settings = TrackerSettings("tobii", address="x", rate_hz=60.0, options={"mode": "human"})
    assert TrackerSettings.from_json(json.loads(json.dumps(settings.as_json()))) == settings
