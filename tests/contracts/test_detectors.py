"""What every registered detector keeps to."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from benchmarks import gaze_cases
from domain.display import Display
from domain.errors import UserFacingError
from domain.gaze import GazeSamples
from processing.detector import detect, detectors, parameters_as_json, parameters_for, stream
from processing.event import EventKind

DISPLAY = Display(size_px=(1920, 1080), size_mm=(531.0, 299.0), distance_mm=650.0)
NAMES = detectors.names()


@pytest.mark.parametrize("name", NAMES)
@given(case=gaze_cases.gaze_cases())
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_that_events_do_not_depend_on_the_chunks(name, case):
    samples, cuts = case
    whole = list(detect(name, samples, DISPLAY).events)
    in_chunks = gaze_cases.events_in_chunks(stream(name, DISPLAY), samples, cuts)
    assert gaze_cases.differences(in_chunks, whole) == []


@pytest.mark.parametrize("name", NAMES)
@given(case=gaze_cases.gaze_cases())
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_that_events_cover_every_sample_once_in_order(name, case):
    samples, _ = case
    events = detect(name, samples, DISPLAY).events
    covered = [i for event in events for i in range(event.first, event.last + 1)]
    assert covered == list(range(len(samples)))
    assert all(event.offset_ns >= event.onset_ns for event in events)
    for event in events:
        if event.kind == EventKind.FIXATION:
            assert np.isfinite(event.centre_norm).all()
            assert event.dispersion_deg >= 0


@pytest.mark.parametrize("name", NAMES)
def test_that_two_places_looked_at_are_two_fixations(name):
    n = 300
    rng = np.random.default_rng(0)
    place = np.where(np.arange(n)[:, None] < 150, [0.3, 0.4], [0.7, 0.6]) + rng.normal(0, 0.0002, (n, 2))
    samples = gaze_cases.random_gaze(rng, n, 300, 0.0, 0.0, 0.0, False)
    records = samples.to_records()
    records["time_ns"] = np.arange(n) * 3_333_333
    records["gaze_norm"] = place[:, None]
    records["segment"] = 0
    found = detect(name, GazeSamples.from_records(records), DISPLAY).fixations
    assert len(found) == 2
    assert found.centre_norm == pytest.approx(np.array([[0.3, 0.4], [0.7, 0.6]]), abs=0.005)
    assert found.duration_ms.sum() == pytest.approx(1000, abs=80)
    assert found.pupil_mm == pytest.approx([3.2, 3.2], abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_that_parameters_go_with_the_result_and_come_back_from_it(name):
    found = detect(name, GazeSamples.empty(), DISPLAY)
    plain = json.loads(json.dumps(found.parameters))
    assert parameters_as_json(parameters_for(name, plain)) == found.parameters
    assert detect(name, GazeSamples.empty(), DISPLAY, plain).parameters_digest == found.parameters_digest
    assert found.events == ()


@pytest.mark.parametrize("name", NAMES)
def test_that_every_preset_can_be_used(name):
    samples = gaze_cases.random_gaze(np.random.default_rng(1), 200, 120, 0.0, 0.05, 0.0, True)
    digests = {detect(name, samples, DISPLAY, preset).parameters_digest for preset in detectors.get(name).presets}
    assert len(digests) == len(detectors.get(name).presets)
    with pytest.raises(UserFacingError, match="no preset"):
        detect(name, samples, DISPLAY, "magic")
    with pytest.raises(UserFacingError, match="Unknown parameter magic"):
        detect(name, samples, DISPLAY, {"magic": 1})
