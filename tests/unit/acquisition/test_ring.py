from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from acquisition.recorder import Recorder
from acquisition.ring import Ring
from domain.gaze import SAMPLE_RECORD
from storage.journal import read_journal


def numbered(n: int, first: int = 0) -> np.ndarray:
    rows = np.zeros(n, SAMPLE_RECORD)
    rows["seq"] = np.arange(first, first + n)
    rows["device_us"] = rows["system_us"] = 1_000 * rows["seq"] + 5
    return rows


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    made = Ring(tmp_path / "ring", create=True, slots=4096)
    yield made
    made.close(remove=True)
    assert not (tmp_path / "ring").exists()


def test_that_another_view_of_the_ring_reads_what_was_written(ring: Ring) -> None:
    reader = Ring(ring.path)
    position, seen = 0, []
    for start in range(0, 20_000, 700):
        ring.append(numbered(700, start))
        rows, position, missed = reader.read_since(position)
        assert missed == 0
        seen.append(rows["seq"])
    assert np.concatenate(seen).tolist() == list(range(20_300))
    assert reader.latest(3)["seq"].tolist() == [20_297, 20_298, 20_299]
    reader.close()


def test_that_a_reader_who_comes_too_late_is_told_how_much_it_missed(ring: Ring) -> None:
    for start in range(0, 10_000, 500):
        ring.append(numbered(500, start))
    rows, position, missed = ring.read_since(0)
    assert missed + len(rows) == 10_000 == position
    assert rows["seq"][0] == missed


def test_that_what_the_journal_has_not_taken_is_never_overwritten(ring: Ring) -> None:
    ring.keep = True
    lost = sum(ring.append(numbered(500, start)) for start in range(0, 10_000, 500))
    assert lost == 10_000 - 4096 == ring.n_overflow
    assert ring.between(0, 4096)["seq"].tolist() == list(range(4096))


def test_that_a_speeded_clock_agrees_in_both_views(ring: Ring) -> None:
    reader = Ring(ring.path)
    ring.clock.set_speed(0.0)
    now = ring.clock.now_ns()
    ring.clock.advance_to(now + 5)
    assert reader.clock.now_ns() == now + 5
    ring.clock.set_speed(50.0)
    before, after = ring.clock.now_ns(), reader.clock.now_ns()
    assert after >= before
    reader.close()


def test_that_an_overflow_is_counted_told_and_visible_as_a_hole(ring: Ring, tmp_path: Path) -> None:
    told: list[tuple[str, dict]] = []
    recorder = Recorder(ring, lambda kind, payload: told.append((kind, dict(payload))))
    stalled = threading.Lock()
    drain = recorder._drain

    def slow_drain(writer: object) -> None:
        with stalled:
            drain(writer)  # type: ignore[arg-type]

    recorder._drain = slow_drain  # type: ignore[method-assign]
    recorder.start(tmp_path / "a.journal", {})
    with stalled:
        for start in range(0, 6_000, 100):
            recorder.samples(numbered(100, start))
    deadline = threading.Event()
    for _ in range(3_000):
        if told:
            break
        deadline.wait(0.02)
    recorder.samples(numbered(100, 6_000))
    end = recorder.stop()
    recorder.close()
    found = read_journal(tmp_path / "a.journal")
    assert told[0][0] == "overflow"
    assert end["n_overflow"] == told[0][1]["n_lost"] == 6_000 - 4096
    assert len(found.samples) == 4096 + 100
    holes = np.diff(found.samples["seq"]) - 1
    assert holes.sum() == 6_000 - 4096


def test_that_a_disk_that_is_full_for_a_while_costs_nothing(
    ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import os

    told: list[str] = []
    recorder = Recorder(ring, lambda kind, _payload: told.append(kind))
    recorder.start(tmp_path / "a.journal", {})
    recorder.samples(numbered(100))
    real = os.write

    def full(_handle: int, _block: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    recorder.samples(numbered(100, 100))
    recorder.event("marker", {"a": 1})
    wait = threading.Event()
    for _ in range(3_000):
        if "write_error" in told:
            break
        wait.wait(0.02)
    monkeypatch.setattr(os, "write", real)
    recorder.samples(numbered(100, 200))
    recorder.stop()
    recorder.close()
    found = read_journal(tmp_path / "a.journal")
    assert told.count("write_error") == 1
    assert found.samples["seq"].tolist() == list(range(300))
    assert [event.kind for event in found.events] == ["marker"]
