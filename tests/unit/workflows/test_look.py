"""What counts of a look."""

import numpy as np
import pytest

from domain.display import Display
from domain.gaze import SAMPLE_RECORD, GazeSamples
from domain.study import Protocol
from domain.view import ImageView
from workflows.look import Look, counted_stretches, image_fixations_of

STEP_NS = 8_000_000
MS = 1_000_000
DISPLAY = Display((1000, 1000), (300.0, 300.0))


def look(stays: list[tuple[int, int, float]], ended_ms: int, **changes: object) -> Look:
    """A look from 0 on: the eyes stay at x = y = place of the screen from one millisecond to another."""
    times = np.arange(stays[0][0] * MS, stays[-1][1] * MS, STEP_NS)
    records = np.zeros(len(times), SAMPLE_RECORD)
    records["time_ns"] = times
    records["gaze_valid"] = 1
    records["origin_valid"] = 1
    records["origin_mm"] = [0.0, 150.0, 650.0]
    for begin, end, place in stays:
        stays_here = (times >= begin * MS) & (times < end * MS)
        records["gaze_norm"][stays_here] = place
        records["gaze_mm"][stays_here] = [(place - 0.5) * 300.0, (1 - place) * 300.0, 0.0]
    values = {
        "trial_id": "t",
        "image_id": "i",
        "target": "polyp",
        "started_ns": 0,
        "ended_ns": ended_ms * MS,
        "views": ((0, ImageView((100, 100), (0.0, 0.0), 10.0)),),
        "counted": ((0, ended_ms * MS),),
        "samples": GazeSamples.from_records(records),
        "display": DISPLAY,
        "session_file": "",
        "is_simulated": True,
    }
    return Look(**{**values, **changes})


STAYS = [(-400, 150, 0.5), (150, 700, 0.2), (700, 1600, 0.8)]


@pytest.mark.parametrize(
    ("ignore_first_ms", "places"),
    [
        pytest.param(300, [0.8], id="as the protocol comes"),
        pytest.param(0, [0.2, 0.8], id="the fixation in flight at the onset never counts"),
        pytest.param(1000, [], id="a longer setting"),
    ],
)
def test_that_fixations_that_begin_in_the_first_moments_are_left_out_by_the_protocol(ignore_first_ms, places):
    found = image_fixations_of(look(STAYS, 1600), Protocol(ignore_first_ms=ignore_first_ms))
    assert found.xy_norm[:, 0] == pytest.approx(places, abs=0.02)
    assert np.all(found.start_ms >= ignore_first_ms)


def test_that_the_protocol_leaves_out_300_ms_where_nobody_says_otherwise():
    assert Protocol().ignore_first_ms == 300


def test_that_what_is_seen_in_a_pause_makes_no_fixation_and_times_stay_those_of_the_look():
    stays = [(-400, 500, 0.5), (500, 1500, 0.2), (1500, 2500, 0.8), (2500, 3500, 0.3)]
    counted = counted_stretches(0, 3500 * MS, [(1500 * MS, 2500 * MS)])
    found = image_fixations_of(look(stays, 3500, counted=counted), Protocol())
    assert found.xy_norm[:, 0] == pytest.approx([0.2, 0.3], abs=0.02)
    assert found.start_ms == pytest.approx([500, 2500], abs=30)
