from __future__ import annotations

from pathlib import Path

import numpy as np

from acquisition.openness import WAIT_FOR, OpennessMerger
from acquisition.recorder import Recorder
from acquisition.ring import Ring
from acquisition.sample_row import SampleRow, set_openness
from domain.gaze import SAMPLE_RECORD


def fill(row: SampleRow, stamp: int = 11) -> None:
    gaze = ((0.1, 0.2), (0.3, 0.4), (1, 2, 3), (4, 5, 6), (7, 8, 9), (10, 11, 12))
    row.pack(stamp, stamp + 1, *gaze, 3.0, 4.0, 1, 0, 1, 0, 1, 0)


def test_that_each_packed_value_lands_in_its_field() -> None:
    row = SampleRow()
    fill(row)
    set_openness(row.packed, (9.5, 8.5), (1, 0))
    (one,) = np.frombuffer(bytes(row.packed), SAMPLE_RECORD)
    assert (one["device_us"], one["system_us"], one["seq"], one["segment"]) == (11, 12, 0, 0)
    np.testing.assert_allclose(one["gaze_norm"], [[0.1, 0.2], [0.3, 0.4]], rtol=1e-6)
    np.testing.assert_array_equal(one["gaze_mm"], [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(one["origin_mm"], [[7, 8, 9], [10, 11, 12]])
    assert one["pupil_mm"].tolist() == [3.0, 4.0]
    assert one["openness_mm"].tolist() == [9.5, 8.5]
    for field in ("gaze_valid", "origin_valid", "pupil_valid", "openness_valid"):
        assert one[field].tolist() == [1, 0]


def test_that_packed_samples_and_rows_are_recorded_alike(tmp_path: Path) -> None:
    results = []
    for way in ("packed", "rows"):
        ring = Ring(tmp_path / way, create=True, slots=256)
        recorder = Recorder(ring, lambda _kind, _payload: None, system_offset_ns=5_000)
        row = SampleRow()
        for number in range(100):
            stamp = 1_000_000 + number * 1_000 - (300_000 if number >= 60 else 0)  # the clock jumps back once
            if number % 10 == 0:
                recorder.time_probe(stamp + 50, stamp, stamp + 90)
                recorder.fit_probes()
            fill(row, stamp)
            if way == "packed":
                recorder.packed_sample(stamp, stamp + 1, row.packed)
            else:
                recorder.samples(np.frombuffer(bytearray(row.packed), SAMPLE_RECORD))
        results.append(ring.latest(100).copy())
        recorder.close()
        ring.close(remove=True)
    packed, rows = results
    assert packed.tobytes() == rows.tobytes()
    assert packed["seq"].tolist() == list(range(100))
    assert packed["segment"].tolist() == [0] * 60 + [1] * 40


class PackedSink:
    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []

    def packed_sample(self, _device_us: int, _system_us: int, row: bytearray) -> None:
        self.rows.append(np.frombuffer(bytes(row), SAMPLE_RECORD)[0])


def test_that_openness_finds_its_gaze_whichever_comes_first() -> None:
    sink = PackedSink()
    merger = OpennessMerger(sink)  # type: ignore[arg-type]
    row = SampleRow()
    for number in range(200):
        fill(row, number)
        value = (float(number), float(number))
        if number % 3 == 0:
            merger.openness(number, value, (1, 1))
            merger.gaze(number, number, row.packed)
        else:
            merger.gaze(number, number, row.packed)
            merger.openness(number, value, (1, 1))
    merger.flush()
    assert [int(one["device_us"]) for one in sink.rows] == list(range(200))
    assert [int(one["openness_mm"][0]) for one in sink.rows] == list(range(200))


def test_that_gaze_does_not_wait_for_ever_for_openness_that_never_comes() -> None:
    sink = PackedSink()
    merger = OpennessMerger(sink)  # type: ignore[arg-type]
    row = SampleRow()
    for number in range(100):
        fill(row, number)
        merger.gaze(number, number, row.packed)
    assert len(sink.rows) == 100 - WAIT_FOR
    merger.flush()
    assert [int(one["device_us"]) for one in sink.rows] == list(range(100))
    assert not any(one["openness_valid"].any() for one in sink.rows)
