from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acquisition.finalise import recover_all
from acquisition.host import HostEvent, TrackerHost
from acquisition.simulated_eye import EyeParameters, SimulatedEye
from acquisition.tracker import TrackerSettings
from domain.errors import TrackerError, UserFacingError
from domain.session import GapCause, SessionRecord
from storage.journal import is_being_written, read_journal
from storage.session_file import read_session
from workflows.record_session import RecordSession

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60.0
STEPPED = TrackerSettings(driver="simulated", speed=0.0)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def with_faults(*faults: dict, speed: float = 0.0, **options: object) -> TrackerSettings:
    return replace(STEPPED, speed=speed, options={"faults": list(faults), "blinks_per_min": 0, **options})


def record(folder: Path, settings: TrackerSettings, seconds: float) -> tuple[SessionRecord, list[HostEvent]]:
    session = RecordSession(folder, settings)
    session.open()
    session.advance(seconds)
    events = session.events()
    return session.close(), events


def assert_is_what_the_eye_made(rows: np.ndarray, settings: TrackerSettings) -> None:
    """Each recorded sample is bit for bit the one of its number that the generator makes from the same seed."""
    parameters = EyeParameters.from_options(settings.options)
    eye = SimulatedEye(settings.display, settings.rate_hz or 120.0, seed=settings.seed, parameters=parameters)
    made = eye.generate(int(rows["seq"][-1]) + 1)[rows["seq"]]
    for name in ("gaze_norm", "gaze_mm", "origin_mm", "pupil_mm", "openness_mm", "gaze_valid", "device_us"):
        assert rows[name].tobytes() == made[name].tobytes()


def test_that_the_host_imports_numpy_and_the_standard_library_only() -> None:
    with TrackerHost(STEPPED) as host:
        answer, _ = host.ask("status", {"modules": True})
    allowed = {"numpy", "acquisition", "domain", "storage", "__main__", "__mp_main__"}
    known = set(sys.stdlib_module_names) | allowed
    site = {"sitecustomize", "usercustomize", "_distutils_hack", "distutils-precedence", "mkl", "_virtualenv"}
    # numpy's own extension modules bring Cython's runtime along.
    ours = ("__editable__", "_cython", "cython_runtime")
    foreign = {name for name in answer["modules"] if name not in known | site and not name.startswith(ours)}
    assert foreign == set()


def test_that_errors_of_the_host_keep_their_kind_and_words(tmp_path: Path) -> None:
    settings = TrackerSettings(driver="replay", options={"path": str(tmp_path / "none.npy")})
    with pytest.raises(UserFacingError, match=r"none\.npy"):
        TrackerHost(settings).start()


def test_that_a_second_recording_into_the_same_host_is_refused_while_one_runs(tmp_path: Path) -> None:
    session = RecordSession(tmp_path, STEPPED)
    session.open()
    with pytest.raises(TrackerError, match="running"):
        session.host.start_recording(tmp_path / "other.journal", {})
    session.close()


def test_that_a_killed_host_is_noticed_and_leaves_a_good_prefix(tmp_path: Path) -> None:
    settings = replace(STEPPED, speed=1.0, rate_hz=1200.0)
    session = RecordSession(tmp_path, settings)
    session.open()
    wait_until(lambda: session.host.status()["n_recorded"] > 200)
    seen = session.host.ring.head
    session.host._process.kill()  # type: ignore[union-attr]
    wait_until(lambda: not session.host.is_alive)
    wait_until(lambda: "host_died" in [event.kind for event in session.events()])
    with pytest.raises(TrackerError):
        session.stop()
    session.host.close()
    (recovered,) = recover_all(tmp_path)
    assert recovered.session is not None
    record = read_session(recovered.session)
    assert "crash" in record.ending
    assert len(record.samples) >= 200
    assert seen >= 200
    assert_is_what_the_eye_made(record.samples.to_records(), settings)
    assert np.all(np.diff(record.samples.seq) == 1)


def test_that_the_death_of_the_application_loses_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from acquisition.tracker import TrackerSettings\n"
        "from workflows.record_session import RecordSession\n"
        "session = RecordSession(Path(sys.argv[1]), TrackerSettings(speed=1.0, rate_hz=600.0))\n"
        "session.open()\n"
        "print(session.host.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    application = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert application.stdout is not None
    application.stdout.readline()
    (journal,) = tmp_path.glob("*.journal")
    wait_until(lambda: journal.stat().st_size > 100_000)
    application.kill()
    application.wait()
    application.stdout.close()
    wait_until(lambda: not is_being_written(journal))
    found = read_journal(journal)
    assert found.end is not None  # the host itself closed the journal
    assert found.end["n_samples"] == len(found.samples)
    assert found.end["n_overflow"] == 0
    assert np.all(np.diff(found.samples["seq"]) == 1)
    (recovered,) = recover_all(tmp_path)
    assert recovered.n_samples == len(found.samples)


def test_that_a_journal_being_written_is_not_recovered(tmp_path: Path) -> None:
    session = RecordSession(tmp_path, STEPPED)
    session.open()
    assert recover_all(tmp_path) == []
    session.close()


def test_that_a_lost_connection_is_mended_and_its_gap_named(tmp_path: Path) -> None:
    settings = with_faults({"at_s": 0.3, "kind": "disconnect", "duration_s": 0.4}, speed=1.0)
    session = RecordSession(tmp_path, settings)
    session.open()
    events: list[HostEvent] = []

    def reconnected() -> bool:
        events.extend(session.events())
        return "reconnected" in [event.kind for event in events]

    wait_until(reconnected)
    head = session.host.ring.head
    wait_until(lambda: session.host.ring.head > head + 30)
    record = session.close()
    (event,) = [event for event in events if event.kind == "reconnected"]
    assert event.payload["is_calibration_same"]
    assert event.payload["is_display_area_same"]
    gaps = [gap for gap in record.gaps if gap.cause is GapCause.DISCONNECTED]
    assert len(gaps) == 1
    assert gaps[0].duration_ms >= 380
    assert gaps[0].n_missing >= 45
    assert record.samples.segment[-1] == 1
    assert np.all(np.diff(record.samples.time_ns) > 0)


def test_that_a_calibration_changed_meanwhile_is_found_out_at_reconnection(tmp_path: Path) -> None:
    settings = with_faults(
        {"at_s": 0.2, "kind": "calibration_changed"},
        {"at_s": 0.3, "kind": "display_area_changed"},
        {"at_s": 0.4, "kind": "disconnect", "duration_s": 0.2},
        speed=1.0,
    )
    session = RecordSession(tmp_path, settings)
    session.open()
    events: list[HostEvent] = []

    def reconnected() -> bool:
        events.extend(session.events())
        return "reconnected" in [event.kind for event in events]

    wait_until(reconnected)
    session.close()
    (event,) = [event for event in events if event.kind == "reconnected"]
    assert not event.payload["is_calibration_same"]
    assert not event.payload["is_display_area_same"]
    assert {"calibration_changed", "display_area_changed"} <= {event.kind for event in events}


def test_that_silence_of_the_tracker_is_told_and_recorded(tmp_path: Path) -> None:
    settings = with_faults({"at_s": 0.2, "kind": "silence", "duration_s": 1.4}, speed=1.0)
    session = RecordSession(tmp_path, settings)
    session.open()
    kinds: list[str] = []

    def speaks_again() -> bool:
        kinds.extend(event.kind for event in session.events())
        return "tracker_speaks_again" in kinds

    wait_until(speaks_again)
    record = session.close()
    assert "tracker_silent" in kinds
    (gap,) = [gap for gap in record.gaps if gap.cause is GapCause.TRACKER_SILENT and gap.duration_ms > 1000]
    assert gap.n_missing >= 150


def test_that_a_jump_of_the_device_clock_splits_segments_and_time_still_rises(tmp_path: Path) -> None:
    for amount_us in (7_000_000, -7_000_000):
        fault = {"at_s": 2.0, "kind": "stamp_jump", "amount_us": amount_us}
        record, events = record_with(tmp_path / str(amount_us), fault, 6.0)
        assert "clock_jump" in [event.kind for event in events]
        assert sorted(set(record.samples.segment.tolist())) == [0, 1]
        assert np.all(np.diff(record.samples.time_ns) > 0)
        assert record.samples.time_ns[-1] - record.samples.time_ns[0] == pytest.approx(6e9, rel=0.02)
        steps = np.abs(np.diff(record.samples.device_us))
        assert steps.max() == pytest.approx(abs(amount_us), rel=0.01)  # stamps are kept verbatim


def record_with(folder: Path, fault: dict, seconds: float) -> tuple[SessionRecord, list[HostEvent]]:
    return record(folder, with_faults(fault), seconds)


def test_that_an_overflow_in_the_sdk_is_recorded_as_ours(tmp_path: Path) -> None:
    record, _ = record_with(tmp_path, {"at_s": 1.0, "kind": "overflow", "duration_s": 0.3}, 3.0)
    (gap,) = [gap for gap in record.gaps if gap.cause is GapCause.OVERFLOW]
    assert gap.n_missing == pytest.approx(36, abs=2)


def test_that_a_crash_in_the_driver_does_not_end_the_recording(tmp_path: Path) -> None:
    session = RecordSession(tmp_path, with_faults({"at_s": 0.2, "kind": "driver_crash"}, speed=1.0))
    session.open()
    head = session.host.ring.head
    wait_until(lambda: session.host.ring.head > head + 100)
    assert len(session.close().samples) > 100


def test_that_little_disk_space_warns_and_very_little_stops_cleanly(tmp_path: Path) -> None:
    for limits, kind, ending in (
        ({"warn_bytes": 1 << 62, "stop_bytes": 0}, "disk_low", "complete"),
        ({"warn_bytes": 1 << 62, "stop_bytes": 1 << 61}, "recording_stopped", "disk full"),
    ):
        session = RecordSession(tmp_path / kind, STEPPED)
        session.host = TrackerHost(STEPPED, **limits)
        session.open()
        kinds: list[str] = []

        def told(session: RecordSession = session, kinds: list[str] = kinds, kind: str = kind) -> bool:
            kinds.extend(event.kind for event in session.events())
            return kind in kinds

        session.advance(1.0)
        wait_until(told)
        assert session.close().ending == ending


def test_that_markers_wait_for_nobody_while_a_calibration_point_is_collected(tmp_path: Path) -> None:
    session = RecordSession(tmp_path, replace(STEPPED, speed=1.0, options={"collect_s": 5.0}))
    session.open()
    session.host.enter_calibration()
    collecting = session.host.send("collect", {"point": [0.5, 0.5], "eyes": "both"})
    session.press_key("x")
    session.host.status()
    assert not collecting.done()
    session.host.leave_calibration(force=True)
    assert not collecting.done()
    record = session.close()
    assert [marker.payload["key"] for marker in record.markers] == ["x"]


def test_that_a_calibration_removes_the_simulated_error() -> None:
    options = {"offset_deg": [1.5, -1.0, -0.5, 0.8], "gain": [1.05, 0.95], "blinks_per_min": 0, "losses_per_min": 0}
    from domain.scene import Scene

    with TrackerHost(replace(STEPPED, options=options)) as host:

        def error_deg() -> float:
            host.set_scene(Scene(STEPPED.display, points_norm=((0.3, 0.7),)))
            host.advance(1.0)
            start = host.ring.head
            host.advance(1.0)
            rows, _, _ = host.read_since(start)
            mm = (np.nanmean(rows["gaze_norm"], axis=0) - (0.3, 0.7)) * STEPPED.display.size_mm
            return float(np.degrees(np.linalg.norm(mm, axis=1) / STEPPED.display.distance_mm).max())

        before = error_deg()
        host.enter_calibration()
        for point in ((0.5, 0.5), (0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9)):
            host.set_scene(Scene(STEPPED.display, points_norm=(point,)))
            host.advance(0.8)
            assert host.collect(point) == "success"
        result, blob = host.compute_calibration()
        host.leave_calibration()
        assert result["status"] == "success"
        assert blob == host.calibration_data()
        assert before > 1.0
        assert error_deg() < 0.2


def test_that_the_host_runs_under_another_interpreter(tmp_path: Path) -> None:
    python = os.environ.get("SIGHTLINE_HOST_PYTHON", "")
    if not python:
        pytest.skip("SIGHTLINE_HOST_PYTHON names no other interpreter with numpy")
    session = RecordSession(tmp_path, STEPPED, python=python)
    session.open()
    session.advance(2.0)
    record = session.close()
    assert len(record.samples) == pytest.approx(240, abs=2)


def test_that_the_real_tobii_sdk_finds_no_tracker_quickly() -> None:
    python = os.environ.get("SIGHTLINE_HOST_PYTHON", "")
    check = [python or sys.executable, "-c", "import tobii_research"]
    if subprocess.run(check, capture_output=True, check=False).returncode != 0:
        pytest.skip("no interpreter with tobii-research (it exists for Python 3.10; SIGHTLINE_HOST_PYTHON names one)")
    began = time.monotonic()
    with pytest.raises(TrackerError, match="No Tobii"):
        TrackerHost(TrackerSettings(driver="tobii"), python=python).start()
    assert time.monotonic() - began < 60


def test_that_the_real_tittapy_imports_and_finds_no_tracker() -> None:
    titta = pytest.importorskip("TittaPy_v2", reason="TittaPy is not installed")
    from acquisition.tobii_words import clock_offset_ns
    from acquisition.trackers.tobii_titta import TittaTracker

    assert TittaTracker.discover() == []
    assert titta.get_SDK_version()
    reading = titta.get_system_timestamp() * 1000 + clock_offset_ns(titta.get_system_timestamp)
    assert abs(reading - time.perf_counter_ns()) < 50_000_000
    with pytest.raises(TrackerError, match="No Tobii"):
        TrackerHost(TrackerSettings(driver="tobii_titta")).start()
