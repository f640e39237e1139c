"""Active time, by its printed rule."""

import numpy as np
import pytest

from domain.gaze import SAMPLE_RECORD, GazeSamples
from workflows.active_time import active_seconds
from workflows.agreement import ACTIVE_TIME_RULE

STEP_NS = 10_000_000
S = 1_000_000_000


def gaze(seconds: float, *, lost: tuple[float, float] = (0, 0), aside: tuple[float, float] = (0, 0)) -> GazeSamples:
    """Samples at 100 Hz; no eye is seen in `lost`, and the eyes look past the screen in `aside` (seconds)."""
    records = np.zeros(round(seconds * 100), SAMPLE_RECORD)
    records["time_ns"] = np.arange(len(records)) * STEP_NS
    at_s = records["time_ns"] / S
    records["gaze_norm"] = 0.5
    records["gaze_valid"] = ~((at_s >= lost[0]) & (at_s < lost[1]))[:, None]
    records["gaze_norm"][(at_s >= aside[0]) & (at_s < aside[1])] = 1.4
    return GazeSamples.from_records(records)


ALL = [(0, 20 * S)]


@pytest.mark.parametrize(
    ("samples", "counted", "options", "seconds"),
    [
        pytest.param(gaze(20), ALL, {}, 20.0, id="all of it"),
        pytest.param(gaze(20), [], {}, 0.0, id="nothing counted"),
        pytest.param(gaze(20), [(0, 5 * S), (12 * S, 20 * S)], {}, 13.0, id="a pause"),
        pytest.param(gaze(20), ALL, {"behind": [(4 * S, 9 * S)]}, 15.0, id="another window in front"),
        pytest.param(gaze(20), ALL, {"behind": [(15 * S, 20 * S)]}, 15.0, id="another window in front until the end"),
        pytest.param(gaze(20, lost=(4, 4.4)), ALL, {}, 20.0, id="a blink counts"),
        pytest.param(gaze(20, lost=(4, 7)), ALL, {}, 17.0, id="the tracker saw no eye"),
        pytest.param(gaze(20, aside=(4, 8)), ALL, {}, 20.0, id="four seconds beside the screen"),
        pytest.param(gaze(20, aside=(4, 14)), ALL, {}, 10.0, id="idle: ten seconds beside the screen"),
        pytest.param(gaze(20, aside=(4, 13)), ALL, {"acted_ns": [8 * S]}, 20.0, id="not idle: a key in between"),
        pytest.param(GazeSamples.empty(), ALL, {}, 0.0, id="no samples"),
    ],
)
def test_that_active_time_leaves_out_what_its_rule_says(samples, counted, options, seconds):
    assert active_seconds(samples, counted, **options) == pytest.approx(seconds, abs=0.03)


def test_that_the_rule_that_is_printed_names_the_limits_that_are_used():
    assert "more than 5 s" in ACTIVE_TIME_RULE
    assert "up to 0.5 s" in ACTIVE_TIME_RULE
    assert "window was in front" in ACTIVE_TIME_RULE
