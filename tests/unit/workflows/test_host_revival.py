"""A tracker host that is killed while it records: it comes back by itself, and both parts are kept."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from acquisition.host import HostEvent, TrackerHost
from acquisition.screen_check import WrongScreenError
from acquisition.tracker import TrackerSettings
from domain.errors import TrackerError
from domain.markers import IMAGE_OFFSET
from domain.view import ImageView
from storage.session_file import read_session
from workflows.host_revival import MAX_FINAL
from workflows.record_session import HOST_RESTARTED, NOT_GOING_ON, RecordSession


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


def test_that_a_trial_ends_under_the_lock_under_which_a_new_part_begins(tmp_path: Path) -> None:
    """Else a part that begins between the two could carry a trial that has ended."""
    session = RecordSession(tmp_path, TrackerSettings(rate_hz=120.0))
    session.open()
    session.begin_trial("picture", ImageView.fitted((600, 400), session.display.size_px), trial_id="t1")
    journal = session._journal
    with journal._lock:
        ending = threading.Thread(target=session.end_trial)
        ending.start()
        ending.join(0.3)
        assert ending.is_alive()
        assert journal._onset is not None
    ending.join(10)
    assert journal._onset is None
    session.close()


def test_that_a_display_area_that_changed_is_said_after_a_few_tries_and_not_tried_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.host_revival.FIRST_WAIT_S", 0.01)
    tries: list[bool] = []

    def another_screen(*_values: object) -> None:
        tries.append(True)
        raise WrongScreenError("The tracker's display area is not this screen: it is larger.", "Set it anew.")

    session = RecordSession(tmp_path, TrackerSettings(rate_hz=120.0))
    session.open()
    monkeypatch.setattr("workflows.record_session.require_display_area", another_screen)
    kill(session.host)
    events: list[HostEvent] = []

    def is_said() -> bool:
        events.extend(session.events())
        return NOT_GOING_ON in [event.kind for event in events]

    poll_until(session, is_said)
    (said,) = [event for event in events if event.kind == NOT_GOING_ON]
    assert "it is larger" in said.payload["problem"]
    for _ in range(20):
        session.poll()
        time.sleep(0.01)
    assert len(tries) == MAX_FINAL
    assert session.is_cut
    assert session.host.is_alive
    with pytest.raises(TrackerError):
        session.close()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for an interpreter that hangs")
def test_that_the_end_waits_for_no_host_that_is_being_started_and_keeps_what_waited_for_it(tmp_path: Path) -> None:
    session = RecordSession(tmp_path, TrackerSettings(rate_hz=120.0), annotator="a")
    session.open()
    view = ImageView.fitted((600, 400), session.display.size_px)
    session.begin_trial("picture", view, trial_id="t1")
    poll_until(session, lambda: session.host.status()["n_recorded"] > 60)
    hangs = tmp_path / "hangs.sh"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o755)
    session.host._python = str(hangs)
    kill(session.host)
    poll_until(session, lambda: session._revival._is_starting)
    session.press_key("while dead")
    session.end_trial()
    began = time.perf_counter()
    with pytest.raises(TrackerError, match="not back"):
        session.close()
    assert time.perf_counter() - began < 5.0
    assert session.journal_path.is_file()  # made into a session by whoever closes the sitting, or at the next start
    (after,) = (read_session(path) for path in tmp_path.glob("*-part2.h5"))
    assert len(after.samples) == 0
    assert [marker.payload["key"] for marker in after.markers if "key" in marker.payload] == ["while dead"]
    assert [marker.payload["trial_id"] for marker in after.markers if marker.kind == IMAGE_OFFSET] == ["t1"]
    assert after.header.settings["continues"] == session.session_id
    assert "did not come back" in after.ending
