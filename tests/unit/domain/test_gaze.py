import numpy as np
import pytest

from domain.gaze import SAMPLE_RECORD, GazeSamples


def test_that_one_sample_is_128_bytes():
    assert SAMPLE_RECORD.itemsize == 128


def test_that_records_survive_the_way_there_and_back():
    rng = np.random.default_rng(1)
    records = np.zeros(7, SAMPLE_RECORD)
    records["seq"] = np.arange(7)
    records["time_ns"] = np.arange(7) * 3_333_333 + 2**53
    records["gaze_norm"] = rng.random((7, 2, 2), np.float32)
    records["gaze_valid"] = rng.integers(0, 2, (7, 2))
    samples = GazeSamples.from_records(records)
    assert np.array_equal(samples.to_records(), records)


def test_that_columns_of_unequal_length_are_refused():
    samples = GazeSamples.empty()
    columns = {name: getattr(samples, name) for name in samples.__dataclass_fields__}
    columns["time_ns"] = np.zeros(3, np.int64)
    with pytest.raises(ValueError, match="time_ns has 3 rows, expected 0"):
        GazeSamples(**columns)
