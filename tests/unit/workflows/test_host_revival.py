"""A tracker host that is killed while it records: it comes back by itself, and both parts are kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from acquisition.host import HostEvent, TrackerHost
from acquisition.tracker import TrackerSettings
from domain.errors import TrackerError
from domain.view import ImageView
from storage.session_file import read_session
from workflows.record_session import HOST_RESTARTED, RecordSession


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60.0
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def kill(host: TrackerHost) -> None:
    psutil.Process(host.pid).kill()
    wait_until(lambda: host.has_died)


def poll_until(session: RecordSession, holds: Callable[[], bool]) -> None:
    def polled() -> bool:
        session.poll()
        return holds()

    wait_until(polled)


def test_that_a_killed_host_comes_back_and_both_parts_with_the_trial_are_kept(tmp_path: Path) -> None:
    restarted: list[bool] = []
    session = RecordSession(
        tmp_path, TrackerSettings(rate_hz=600.0), annotator="a", on_restarted=lambda: restarted.append(True)
    )
    session.open()
    view = ImageView.fitted((600, 400), session.display.size_px)
    session.begin_trial("picture", view, trial_id="t1")
    poll_until(session, lambda: session.host.status()["n_recorded"] > 300)
    first_path = session.session_path
    kill(session.host)
    session.press_key("while dead")  # nobody is there to write it; it waits
    moved = view.moved((10.0, 0.0), view.zoom)
    session.change_view(moved)
    events: list[HostEvent] = []

    def is_back() -> bool:
        events.extend(session.events())
        return HOST_RESTARTED in [event.kind for event in events]

    poll_until(session, is_back)
    assert session.host.is_alive
    assert restarted == [True]
    assert [event.kind for event in events].count("host_died") == 1
    head = session.host.ring.head
    poll_until(session, lambda: session.host.ring.head > head + 100)
    _, seen = session.last_trial()
    session.end_trial()
    second = session.close()
    (told,) = [event for event in events if event.kind == HOST_RESTARTED]
    assert told.payload["continues"] == session.session_id
    assert session.earlier_parts == [first_path]
    first = read_session(first_path)
    assert "crash" in first.ending
    assert len(first.samples) > 250
    assert [trial.trial_id for trial in first.trials()] == ["t1"]
    assert second.ending == "complete"
    assert second.header.session_id == f"{session.session_id}-part2"
    assert second.header.settings["continues"] == session.session_id
    assert HOST_RESTARTED in [told.kind for told in second.notifications]
    assert [marker.payload["key"] for marker in second.markers if "key" in marker.payload] == ["while dead"]
    (trial,) = second.trials()
    assert (trial.trial_id, trial.image_id) == ("t1", "picture")
    assert second.samples.time_ns[0] > first.samples.time_ns[-1]
    assert second.samples.seq[0] > first.samples.seq[-1]
    assert not list(tmp_path.glob("*.journal"))
    # What is seen on the screen goes on over the cut: in order, from both hosts.
    assert np.all(np.diff(seen.time_ns) > 0)
    assert seen.time_ns[0] < first.samples.time_ns[-1] < second.samples.time_ns[0] < seen.time_ns[-1]


def test_that_a_host_that_cannot_be_started_yet_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = RecordSession(tmp_path, TrackerSettings(rate_hz=120.0))
    session.open()
    real, tries = TrackerHost.restart, []

    def not_at_first(host: TrackerHost) -> object:
        tries.append(True)
        if len(tries) < 3:
            raise TrackerError("The tracker is not there.")
        return real(host)

    monkeypatch.setattr(TrackerHost, "restart", not_at_first)
    kill(session.host)
    poll_until(session, lambda: HOST_RESTARTED in [event.kind for event in session.events()])
    assert len(tries) == 3
    assert session.close().ending == "complete"
    assert len(list(tmp_path.glob("*.h5"))) == 2


def test_that_a_host_that_is_back_does_not_count_before_the_recording_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = RecordSession(tmp_path, TrackerSettings(rate_hz=120.0))
    session.open()
    real, may_go_on = TrackerHost.start_recording, threading.Event()

    def when_told(host: TrackerHost, path: Path, header: dict) -> int:
        assert may_go_on.wait(60.0)
        return real(host, path, header)

    monkeypatch.setattr(TrackerHost, "start_recording", when_told)
    assert not session.is_cut
    kill(session.host)
    poll_until(session, lambda: session.host.is_alive)
    assert session.is_cut
    may_go_on.set()
    poll_until(session, lambda: HOST_RESTARTED in [event.kind for event in session.events()])
    assert not session.is_cut
    session.close()


def test_that_a_sitting_that_ends_while_the_host_is_dead_keeps_its_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_host: TrackerHost) -> None:
        raise TrackerError("The tracker is not there.")

    monkeypatch.setattr(TrackerHost, "restart", never)
    session = RecordSession(tmp_path, TrackerSettings(rate_hz=120.0))
    session.open()
    kill(session.host)
    session.poll()
    with pytest.raises(TrackerError):
        session.close()
    assert session.journal_path.is_file()


def test_that_a_host_that_runs_is_not_started_again() -> None:
    with TrackerHost(TrackerSettings(speed=0.0)) as host, pytest.raises(TrackerError, match="still runs"):
        host.restart()


def test_that_time_that_stands_still_goes_on_where_it_stood() -> None:
    with TrackerHost(TrackerSettings(speed=0.0)) as host:
        before = host.advance(3600.0)
        head = host.ring.head
        kill(host)
        host.restart()
        assert host.now_ns() == before
        assert host.advance(1.0) == before + 10**9
        rows, _, missed = host.read_since(head)
        assert (len(rows), missed) == (pytest.approx(120, abs=2), 0)
        assert rows["seq"][0] == head
        assert rows["segment"][0] == 1
        assert rows["time_ns"][0] == pytest.approx(before, abs=1_000_000)
        assert rows["time_ns"][0] > host.read_since(head - 1)[0]["time_ns"][0]
