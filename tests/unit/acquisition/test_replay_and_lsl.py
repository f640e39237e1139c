from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from acquisition.host import TrackerHost
from acquisition.lsl_channels import CHANNELS, from_channels, to_channels
from acquisition.tracker import TrackerSettings, trackers
from acquisition.trackers.gazepoint import LineReader, parse_line
from acquisition.trackers.replay import read_recording
from domain.errors import BadFileError
from domain.gaze import SAMPLE_RECORD
from tests.contracts.tracker_stands import RealClock
from tests.real_data import real_data
from workflows.record_session import RecordSession
from workflows.replay_source import replay_settings


def record(folder: Path, settings: TrackerSettings, seconds: float) -> Path:
    session = RecordSession(folder, settings)
    session.open()
    session.advance(seconds)
    session.close()
    return session.session_path


def test_that_a_replayed_session_gives_the_same_gaze_and_fixations(tmp_path: Path) -> None:
    from storage.session_file import read_session

    first = read_session(record(tmp_path / "a", TrackerSettings(speed=0, seed=5), 10.0))
    settings = replay_settings(tmp_path / "a" / f"{first.header.session_id}.h5", speed=0.0)
    second = read_session(record(tmp_path / "b", settings, 11.0))
    n = len(second.samples)
    assert n >= len(first.samples) - 1
    np.testing.assert_array_equal(second.samples.gaze_norm, first.samples.gaze_norm[-n:])
    np.testing.assert_array_equal(second.samples.device_us, first.samples.device_us[-n:])
    np.testing.assert_array_equal(np.diff(second.samples.time_ns), np.diff(first.samples.time_ns[-n:]))
    ends = [[e.centre_norm for e in s.online_fixations if e.phase == "end"] for s in (first, second)]
    np.testing.assert_allclose(ends[0][2:-2], ends[1][2:-2], atol=1e-6)
    assert second.header.is_simulated
    assert "replay_ended" in [notification.kind for notification in second.notifications]


def test_that_a_real_dump_of_the_sdk_can_be_replayed(tmp_path: Path) -> None:
    dump = real_data("tobii-sdk-dumps/4c-tobii-research.csv")
    rows = read_recording(dump)
    assert len(rows) > 100
    assert rows["device_us"][0] == 491999899
    assert rows["gaze_norm"][0, 0] == pytest.approx((0.10997918, 0.64418060))
    assert np.isfinite(rows["gaze_norm"][rows["gaze_valid"] == 1]).all()
    from storage.session_file import read_session

    seconds = (rows["device_us"][-1] - rows["device_us"][0]) / 1e6 + 1.0
    session = read_session(record(tmp_path, replay_settings(dump, speed=0.0), float(seconds)))
    assert len(session.samples) >= len(rows) - 1
    assert len([event for event in session.online_fixations if event.phase == "end"]) >= 5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("missing.npy", None, id="missing"),
        pytest.param("text.npy", b"hello", id="no numpy file"),
        pytest.param("dump.csv", b"a;b\n1;2\n", id="other columns"),
        pytest.param("film.mp4", b"x", id="unknown kind"),
        pytest.param("cut.journal", b"SIGHT", id="cut journal"),
    ],
)
def test_that_what_cannot_be_replayed_is_refused_with_its_name(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadFileError, match=name.split(".")[0]):
        read_recording(path)


def test_that_channels_carry_every_field_there_and_back() -> None:
    rng = np.random.default_rng(1)
    rows = np.zeros(50, SAMPLE_RECORD)
    for name in ("gaze_norm", "gaze_mm", "origin_mm", "pupil_mm", "openness_mm"):
        rows[name] = rng.random(rows[name].shape)
    for name in ("gaze_valid", "origin_valid", "pupil_valid", "openness_valid"):
        rows[name] = rng.integers(0, 2, rows[name].shape)
    labels = [label for label, _, _ in CHANNELS]
    back = from_channels(to_channels(rows), labels)
    assert back.tobytes() == rows.tobytes()
    order = rng.permutation(len(labels))
    shuffled = from_channels(to_channels(rows)[:, order], [labels[i] for i in order])
    assert shuffled.tobytes() == rows.tobytes()


def test_that_what_the_outlet_sends_is_what_another_machine_receives() -> None:
    pytest.importorskip("pylsl", reason="pylsl is not installed", exc_type=Exception)
    from acquisition.lsl_outlet import LslOutlet

    quiet = {"blinks_per_min": 0, "losses_per_min": 0}
    with TrackerHost(TrackerSettings("simulated", rate_hz=250.0, options=quiet)) as sender:
        outlet = LslOutlet(sender)
        settings = TrackerSettings("lsl", address="sightline-simulated-SIMULATED")
        with TrackerHost(settings) as receiver:
            assert receiver.info.is_simulated
            assert receiver.info.rate_hz == 250.0
            deadline = time.monotonic() + 60.0
            while receiver.ring.head < 200 and time.monotonic() < deadline:
                time.sleep(0.02)
            received = receiver.latest(100)
            sent = sender.latest(5000)
        outlet.close()
    assert outlet.n_missed == 0
    assert len(received) == 100
    place = {row.tobytes(): number for number, row in enumerate(sent["gaze_norm"])}
    matched = [place.get(row.tobytes(), -1) for row in received["gaze_norm"]]
    known = [number for number in matched if number >= 0]
    assert len(known) >= 50
    assert known == list(range(known[0], known[0] + len(known)))
    rows = [number for number, at in enumerate(matched) if at >= 0]
    late_ms = (received["time_ns"][rows] - sent["time_ns"][known]) / 1e6
    assert np.abs(np.median(late_ms)) < 5.0  # capture times, not times of arrival


def test_that_the_stream_that_was_asked_for_is_found_among_others() -> None:
    pylsl = pytest.importorskip("pylsl", reason="pylsl is not installed", exc_type=Exception)
    lsl = trackers.get("lsl")
    mark = time.monotonic_ns()
    named = {f"first-{mark}": "Another's eyes", f"second-{mark}": f"Anna's eyes {mark}"}
    outlets = []
    for source, name in named.items():
        info = pylsl.StreamInfo(name, "Gaze", len(CHANNELS), 100.0, "double64", source)
        channels = info.desc().append_child("channels")
        for label, _, _ in CHANNELS:
            channels.append_child("channel").append_child_value("label", label)
        outlets.append(pylsl.StreamOutlet(info))
    wanted = {info.serial for info in lsl.discover()}
    assert set(named) <= wanted, "one stream that answers first must not hide the other"
    for address in (f"second-{mark}", f"Anna's eyes {mark}"):
        tracker = lsl(TrackerSettings("lsl", address=address), RealClock())
        try:
            assert tracker.info.serial == f"second-{mark}"
        finally:
            tracker.close()
    del outlets


def test_that_glued_attributes_and_broken_pieces_are_read() -> None:
    reader = LineReader()
    pieces = (b'<REC CNT="1" LPOGX="0.5"LPO', b'GY="0.25"LPOGV="1" />\r\n<ACK ID="X" ', b'VALUE="0"DUR="0" />\r\n<R')
    lines = [line for piece in pieces for line in reader.feed(piece)]
    assert [parse_line(line) for line in lines] == [
        ("REC", {"CNT": "1", "LPOGX": "0.5", "LPOGY": "0.25", "LPOGV": "1"}),
        ("ACK", {"ID": "X", "VALUE": "0", "DUR": "0"}),
    ]
    assert parse_line("garbage") == ("", {})
