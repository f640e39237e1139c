from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.known_gaze import DISPLAY, PLANE, look_at
from calibration.geometry import ScreenPlane, disagreement_mm
from calibration.profiles import FIVE, FRESH, NINE, SPARE, fresh_points, in_order, inside_edges, profile_of
from calibration.validation import bcea_deg2, gaze_quality, grade_of, point_quality, validate
from domain.calibration import Eyes, EyeSummary, Grade, Validation
from domain.errors import UserFacingError
from domain.gaze import GazeSamples

RIGHT = np.array([1.0, 0.0, 0.0])
DOWN = np.array([0.0, -1.0, 0.0])
ORIGIN = np.array([0.0, 0.0, 1000.0])


def at(x_mm: float, y_down_mm: float) -> list[float]:
    return [x_mm, -y_down_mm, 0.0]


def quality(gaze: list[list[float]], valid: list[bool], **kwargs: int) -> object:
    n = len(gaze)
    return gaze_quality(
        np.array(gaze, float),
        np.tile(ORIGIN, (n, 1)),
        np.array(valid, bool),
        target_mm=np.zeros(3),
        right=RIGHT,
        down=DOWN,
        target_norm=(0.5, 0.5),
        eye="left",
        **kwargs,
    )


def deg(opposite: float, adjacent: float = 1000.0) -> float:
    return math.degrees(math.atan2(opposite, adjacent))


def test_that_accuracy_and_precision_of_golden_samples_equal_the_hand_computed_values() -> None:
    # An eye 1 m in front of the target; gaze at 10, 20, 30 mm to the right of it.
    found = quality([at(10, 0), at(20, 0), at(30, 0)], [True, True, True])
    a, b, c = deg(10), deg(20), deg(30)
    assert found.accuracy_mean_deg == pytest.approx(b, abs=1e-9)
    assert found.offset_x_deg == pytest.approx(b, abs=1e-9)
    assert found.offset_y_deg == pytest.approx(0.0, abs=1e-9)
    assert found.accuracy_median_deg == pytest.approx(b, abs=1e-9)
    assert found.sd_deg == pytest.approx(math.sqrt(((a - b) ** 2 + 0 + (c - b) ** 2) / 3), abs=1e-9)
    assert found.rms_s2s_deg == pytest.approx(math.sqrt(((b - a) ** 2 + (c - b) ** 2) / 2), abs=1e-9)
    assert found.bcea_deg2 == pytest.approx(0.0, abs=1e-9)
    assert found.loss == 0.0
    assert found.n == 3


def test_that_offsets_are_signed_to_the_right_and_downwards() -> None:
    found = quality([at(-30, 40)] * 4, [True] * 4)
    assert found.accuracy_mean_deg == pytest.approx(deg(50), abs=1e-9)
    assert found.offset_x_deg == pytest.approx(-0.6 * deg(50), abs=1e-9)
    assert found.offset_y_deg == pytest.approx(0.8 * deg(50), abs=1e-9)
    assert math.hypot(found.offset_x_deg, found.offset_y_deg) == pytest.approx(found.accuracy_mean_deg, abs=1e-12)


def test_that_a_noisy_eye_without_offset_has_no_systematic_error_but_a_median_distance() -> None:
    # The two numbers that other tools both call accuracy.
    found = quality([at(10, 0), at(-10, 0), at(0, 10), at(0, -10)], [True] * 4)
    assert found.accuracy_mean_deg == pytest.approx(0.0, abs=1e-9)
    assert found.accuracy_median_deg == pytest.approx(deg(10), abs=1e-9)


def test_that_a_gap_is_not_a_movement_in_rms_and_counts_as_loss() -> None:
    found = quality([at(10, 0), at(999, 999), at(30, 0), at(40, 0)], [True, False, True, True])
    assert found.rms_s2s_deg == pytest.approx(deg(40) - deg(30), abs=1e-9)
    assert found.loss == pytest.approx(0.25, abs=1e-12)
    assert found.n == 3


def test_that_samples_a_silent_tracker_never_sent_count_as_lost() -> None:
    found = quality([at(0, 0)] * 6, [True] * 6, n_expected=10)
    assert found.loss == pytest.approx(0.4, abs=1e-12)


def test_that_not_a_number_is_lost_even_where_the_tracker_calls_it_valid() -> None:
    found = quality([at(0, 0), [math.nan] * 3], [True, True])
    assert found.n == 1
    assert found.loss == 0.5


def test_that_bcea_equals_the_closed_form() -> None:
    offset = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0], [0.0, 0.0]])
    # Variances 2/4 and 8/4, no covariance; k = -ln(1 - 0.682).
    expected = 2 * -math.log(0.318) * math.pi * math.sqrt(0.5) * math.sqrt(2.0)
    assert bcea_deg2(offset) == pytest.approx(expected, abs=1e-9)
    turned = offset @ np.array([[0.6, 0.8], [-0.8, 0.6]])
    assert bcea_deg2(turned) == pytest.approx(expected, abs=1e-9)


def test_that_the_confidence_interval_is_students_for_uncorrelated_samples() -> None:
    # Alternating signs have a negative autocorrelation, which counts as none.
    found = quality([at(10 * (-1) ** i, 0) for i in range(10)], [True] * 10)
    sd = deg(10) * math.sqrt(10 / 9)
    assert found.ci95_x_deg == pytest.approx(2.2621571627409915 * sd / math.sqrt(10), rel=1e-9)
    assert found.ci95_y_deg == 0.0


def test_that_the_confidence_interval_holds_the_injected_offset_in_95_of_100_even_with_correlated_noise() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(400):
        noise = np.zeros(120)
        for i in range(1, 120):
            noise[i] = 0.6 * noise[i - 1] + rng.normal(0, 3.0)
        found = quality([at(20 + float(v), 0) for v in noise], [True] * 120)
        inside += abs(found.offset_x_deg - deg(20)) <= found.ci95_x_deg
    assert 0.90 <= inside / 400 <= 0.99


def test_that_no_samples_give_no_data_and_no_exception() -> None:
    for samples in (GazeSamples.empty(), look_at((0.5, 0.5), valid=(False, False))):
        for found in point_quality(samples, (0.5, 0.5), PLANE):
            assert not found.has_data
            assert found.loss == 1.0
            assert math.isnan(found.accuracy_mean_deg)


def test_that_one_missing_eye_leaves_the_other_ones_figures() -> None:
    left, right, both = point_quality(
        look_at((0.3, 0.3), valid=(True, False), offset_deg=(0.4, 0.0)), (0.3, 0.3), PLANE
    )
    assert left.accuracy_mean_deg == pytest.approx(0.4, abs=1e-3)
    assert not right.has_data
    assert not both.has_data


@pytest.mark.parametrize("target", FRESH)
def test_that_an_injected_offset_comes_back_at_every_place_of_the_screen(target: tuple[float, float]) -> None:
    for found in point_quality(look_at(target, offset_deg=(0.7, -0.4)), target, PLANE):
        assert found.offset_x_deg == pytest.approx(0.7, abs=0.01)
        assert found.offset_y_deg == pytest.approx(-0.4, abs=0.01)


def test_that_injected_white_noise_comes_back_as_sd_and_rms() -> None:
    left, right, _ = point_quality(look_at((0.5, 0.5), n=20_000, sd_deg=0.3, seed=1), (0.5, 0.5), PLANE)
    for found in (left, right):
        assert found.sd_deg == pytest.approx(0.3 * math.sqrt(2), rel=0.02)
        assert found.rms_s2s_deg == pytest.approx(0.3 * 2.0, rel=0.02)


def summary(mean: float, worst: float, n_missing: int = 0) -> EyeSummary:
    return EyeSummary("binocular", mean, worst, mean, 0.1, 0.1, 0.1, 0.0, 5, n_missing)


@pytest.mark.parametrize(
    ("mean", "worst", "n_missing", "grade"),
    [
        pytest.param(0.99, 1.49, 0, Grade.GOOD, id="just good"),
        pytest.param(1.0, 1.2, 0, Grade.FAIR, id="average at the limit of good"),
        pytest.param(0.5, 1.5, 0, Grade.FAIR, id="maximum at the limit of good"),
        pytest.param(0.5, 0.6, 1, Grade.FAIR, id="one point without data"),
        pytest.param(0.5, 0.6, 2, Grade.POOR, id="two points without data"),
        pytest.param(1.5, 1.6, 0, Grade.POOR, id="average at the limit of fair"),
        pytest.param(1.0, 2.0, 0, Grade.POOR, id="maximum at the limit of fair"),
        pytest.param(math.nan, math.nan, 5, Grade.NO_DATA, id="nothing"),
    ],
)
def test_that_the_grade_follows_the_rule(mean: float, worst: float, n_missing: int, grade: Grade) -> None:
    found, rule = grade_of(summary(mean, worst, n_missing))
    assert found is grade
    assert rule.startswith(grade.value.upper())


def test_that_a_point_without_data_blanks_nothing_else() -> None:
    points = [q for target in FRESH for q in point_quality(look_at(target), target, PLANE)]
    points += point_quality(GazeSamples.empty(), SPARE[0], PLANE)
    found = validate(points)
    assert found.grade is Grade.FAIR
    assert found.summary("left").n_missing == 1
    assert found.summary("left").accuracy_mean_deg < 0.01
    assert "no data at 1 of 5 points" in found.rule


def test_that_one_eye_alone_is_graded_by_that_eye() -> None:
    points = [q for t in FRESH for q in point_quality(look_at(t, valid=(False, True)), t, PLANE)]
    assert validate(points, eyes=Eyes.RIGHT).graded_eye == "right"
    assert validate(points, eyes=Eyes.BOTH).graded_eye == "right"
    assert validate(points, eyes=Eyes.LEFT).grade is Grade.NO_DATA


def test_that_a_validation_survives_json_with_its_gaps() -> None:
    points = [q for t in FRESH[:2] for q in point_quality(look_at(t), t, PLANE)]
    points += point_quality(GazeSamples.empty(), FRESH[2], PLANE)
    before = validate(points, made_at="2026-01-01T00:00:00Z", rate_hz=60.0)
    after = Validation.from_json(before.as_json())
    assert after.grade is before.grade
    assert str(after) == str(before)


def test_that_a_tracker_set_up_for_another_screen_is_noticed() -> None:
    samples = look_at((0.3, 0.7))
    assert disagreement_mm(samples, PLANE) < 0.01
    other = ScreenPlane((-300.0, 340.0, 0.0), (300.0, 340.0, 0.0), (-300.0, 0.0, 0.0))
    assert disagreement_mm(samples, other) > 10


def test_that_the_plane_has_its_axes_right() -> None:
    assert PLANE.right == pytest.approx([1, 0, 0])
    assert PLANE.down == pytest.approx([0, -1, 0])
    assert PLANE.towards_user == pytest.approx([0, 0, 1])
    assert PLANE.mm_from_norm((1.0, 1.0)) == pytest.approx([263.5, 0.0, 0.0])
    assert PLANE.norm_per_deg(650.0)[0] * 1920 == pytest.approx(DISPLAY.px_per_deg()[0])
    with pytest.raises(ValueError, match="span"):
        ScreenPlane((0, 0, 0), (1, 0, 0), (2, 0, 0))


def test_that_no_validation_point_was_calibrated_on() -> None:
    for layout in (FIVE, NINE, FRESH):
        fresh = fresh_points(layout)
        assert len(fresh) == 4
        assert not {*fresh} & {*layout}


def test_that_points_keep_off_the_edge_and_the_centre_comes_first() -> None:
    moved = inside_edges(((0.0, 1.0), (0.5, 0.5)), DISPLAY)
    assert moved[0][0] * 527 == pytest.approx(1.5 * 11.34, abs=0.2)
    assert moved[1] == (0.5, 0.5)
    order = in_order(NINE, seed=4)
    assert order[0] == 0
    assert sorted(order) == list(range(9))
    assert in_order(NINE, seed=5) != order


def test_that_an_unknown_profile_or_layout_is_refused_in_words() -> None:
    with pytest.raises(UserFacingError, match="Known: adult"):
        profile_of("martian")
    with pytest.raises(UserFacingError, match="2, 5 or 9"):
        profile_of("adult", n_points=7)
    assert profile_of("adult", points=((0.2, 0.2),)).points == ((0.2, 0.2),)
