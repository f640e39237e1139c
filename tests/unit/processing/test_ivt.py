import numpy as np
import pytest

from benchmarks.pro_lab_export import read_pro_lab
from processing.detector import detect, stream
from processing.detectors.ivt import IvtParameters
from processing.event import EventKind
from processing.gaze_table import GazeCleaning
from processing.velocity import window_samples

RIGHT_EYE = IvtParameters(cleaning=GazeCleaning(eyes="right", gap_fill_ms=75.0))
STRICT = IvtParameters(cleaning=GazeCleaning(eyes="strict average", noise="average", gap_fill_ms=75.0))


def runs_of(labels, kind):
    edges = np.flatnonzero(np.diff(np.concatenate([[False], labels == kind, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True))


def test_that_the_right_eye_recording_is_labelled_as_by_tobii(data_folder):
    samples, labels, display, point_px, duration_ms = read_pro_lab(data_folder / "tobii-pro-lab/right-eye-300hz.tsv")
    found = detect("ivt", samples, display, RIGHT_EYE)
    assert np.mean(found.labels == labels) >= 0.997
    fixations = [event for event in found.events if event.kind == EventKind.FIXATION]
    assert [(event.first, event.last) for event in fixations] == runs_of(labels, EventKind.FIXATION)
    assert len(fixations) == 32
    for event in fixations:
        assert abs(event.duration_ms - duration_ms[event.first]) <= 0.5
        assert np.abs(display.px_from_norm(event.centre_norm) - point_px[event.first]).max() <= 1.0


def test_that_the_custom_filter_recording_is_labelled_nearly_as_by_tobii(data_folder):
    samples, labels, display, _, _ = read_pro_lab(data_folder / "tobii-pro-lab/custom-filter-120hz.tsv")
    assert np.mean(detect("ivt", samples, display, STRICT).labels == labels) >= 0.990


@pytest.mark.parametrize(
    ("rate_hz", "n"), [(60, 2), (120, 3), (250, 6), (300, 7), (600, 13), (1200, 25)], ids=lambda value: str(value)
)
def test_that_the_window_has_the_length_that_tobii_uses(rate_hz, n):
    assert window_samples(20.0, 1e9 / rate_hz) == n


@pytest.mark.parametrize("chunk", [1, 7, 24, 500])
def test_that_live_and_recorded_samples_give_the_same_events(data_folder, chunk):
    samples, _, display, _, _ = read_pro_lab(data_folder / "tobii-pro-lab/right-eye-300hz.tsv")
    whole = detect("ivt", samples, display, RIGHT_EYE)
    running = stream("ivt", display, RIGHT_EYE)
    events = [event for i in range(0, len(samples), chunk) for event in running.push(samples[i : i + chunk])]
    assert tuple(map(repr, [*events, *running.finish()])) == tuple(map(repr, whole.events))
