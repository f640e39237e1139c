from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acquisition.gaze_plan import GazePlan
from acquisition.simulated_eye import EyeParameters, SimulatedEye, saccade_profile
from domain.display import Display
from domain.scene import Scene
from domain.view import ImageView

DISPLAY = Display((1920, 1080), (527.0, 296.0))
CALM = EyeParameters(blinks_per_min=0, losses_per_min=0, noise_deg=0.0, drift_deg=0.0, microsaccades_per_s=0, sway_mm=0)
DEG_MM = 2 * DISPLAY.distance_mm * np.tan(np.radians(0.5))


def ring_mask(size: tuple[int, int] = (600, 400)) -> np.ndarray:
    y, x = np.mgrid[: size[1], : size[0]]
    return (x - 300) ** 2 / 4 + (y - 200) ** 2 < 90**2


def scene(mask: np.ndarray | None = None) -> Scene:
    return Scene(DISPLAY, ImageView.fitted((600, 400), DISPLAY.size_px, margin=0.05), mask)


def test_that_chunks_do_not_change_what_is_seen() -> None:
    rng = np.random.default_rng(5)
    whole = SimulatedEye(DISPLAY, 300.0, seed=9)
    pieces = SimulatedEye(DISPLAY, 300.0, seed=9)
    for eye in (whole, pieces):
        eye.set_scene(scene(ring_mask()))
    once = whole.generate(6000)
    sizes = rng.integers(1, 80, 400)
    cut = np.concatenate([pieces.generate(int(n)) for n in sizes])[:6000]
    n = min(len(once), len(cut))
    assert once[:n].tobytes() == cut[:n].tobytes()


def test_that_peak_velocities_follow_the_main_sequence() -> None:
    for amplitude in (2.0, 5.0, 10.0, 15.0, 20.0):
        duration_s = (2.2 * amplitude + 21.0) / 1000.0
        tau = np.linspace(0, 1, 2001)
        share = saccade_profile(tau, amplitude)
        assert share[0] == 0.0
        assert share[-1] == pytest.approx(1.0)
        assert np.all(np.diff(share) >= 0)
        peak = np.max(np.diff(share)) * 2000 * amplitude / duration_s
        assert peak == pytest.approx(600.0 * (1 - np.exp(-amplitude / 10.0)), rel=0.15)


def test_that_it_scans_first_and_then_goes_over_the_target_from_its_centre_outward() -> None:
    plan = GazePlan(scene(ring_mask()), np.random.default_rng(2))
    view = scene().view
    assert view is not None
    points = np.array([view.image_xy_from_norm(plan.next_look().point_norm, DISPLAY) for _ in range(16)])
    distance = np.hypot((points[:, 0] - 300) / 2, points[:, 1] - 200)
    first_on = plan._n_scan
    assert distance[0] < 40
    assert distance[first_on] < 30
    assert distance[first_on + 5 : first_on + 12].mean() > distance[first_on : first_on + 3].mean() + 20


def test_that_without_a_target_the_whole_image_is_scanned() -> None:
    plan = GazePlan(scene(np.zeros((400, 600), np.bool_)), np.random.default_rng(2))
    view = scene().view
    assert view is not None
    points = np.array([view.image_xy_from_norm(plan.next_look().point_norm, DISPLAY) for _ in range(60)])
    assert np.ptp(points[:, 0]) > 350
    assert np.ptp(points[:, 1]) > 220


def test_that_two_separate_targets_are_both_looked_at() -> None:
    mask = np.zeros((400, 600), np.bool_)
    mask[50:120, 60:140] = True
    mask[250:350, 420:560] = True
    plan = GazePlan(scene(mask), np.random.default_rng(2))
    view = scene().view
    assert view is not None
    points = np.array([view.image_xy_from_norm(plan.next_look().point_norm, DISPLAY) for _ in range(40)])
    assert (np.hypot(points[:, 0] - 100, points[:, 1] - 85) < 60).sum() >= 4
    assert (np.hypot(points[:, 0] - 490, points[:, 1] - 300) < 90).sum() >= 4


def test_that_noise_has_the_size_that_was_asked_for() -> None:
    for rate_hz in (60.0, 1200.0):
        eye = SimulatedEye(DISPLAY, rate_hz, seed=3, parameters=replace(CALM, noise_deg=0.3))
        eye.set_scene(Scene(DISPLAY, points_norm=((0.5, 0.5),)))
        rows = eye.generate(int(40 * rate_hz))[int(rate_hz) :]
        deviation_deg = (rows["gaze_norm"] - 0.5) * DISPLAY.size_mm / DEG_MM
        assert deviation_deg.std(axis=0) == pytest.approx(np.full((2, 2), 0.3), rel=0.12)
        left, right = deviation_deg[:, 0, 0], deviation_deg[:, 1, 0]
        assert abs(np.corrcoef(left, right)[0, 1]) < 0.2


def test_that_blinks_come_as_often_as_asked_and_lose_gaze_in_both_eyes() -> None:
    eye = SimulatedEye(DISPLAY, 250.0, seed=3, parameters=replace(CALM, blinks_per_min=20.0))
    rows = eye.generate(250 * 600)
    lost = ~rows["gaze_valid"].astype(bool)
    assert (lost[:, 0] == lost[:, 1]).all()
    runs = np.flatnonzero(np.diff(np.concatenate([[0], lost[:, 0].astype(int), [0]])) == 1)
    assert len(runs) / 10 == pytest.approx(20.0, rel=0.15)
    assert np.isnan(rows["gaze_norm"][lost[:, 0]]).all()
    assert rows["openness_mm"][lost[:, 0]].max() < 5.0


def test_that_true_fixations_are_divided_where_the_lids_hide_them() -> None:
    eye = SimulatedEye(DISPLAY, 500.0, seed=6, parameters=replace(CALM, blinks_per_min=30.0))
    eye.set_scene(scene(ring_mask()))
    rows = eye.generate(500 * 60)
    visible = eye.visible_fixations()
    lost = ~rows["gaze_valid"][:, 0].astype(bool)
    for fixation in visible:
        inside = slice(int(np.ceil(fixation.onset_s * 500)) + 1, int(fixation.offset_s * 500) - 1)
        assert not lost[inside].any()
    assert len(visible) > len(eye.truth)
    assert sum(f.offset_s - f.onset_s for f in visible) < sum(f.offset_s - f.onset_s for f in eye.truth)


def test_that_offset_and_gain_move_gaze_as_told() -> None:
    told = replace(CALM, offset_deg=(1.0, 0.0, 0.0, -2.0))
    eye = SimulatedEye(DISPLAY, 60.0, seed=1, parameters=told)
    eye.set_scene(Scene(DISPLAY, points_norm=((0.5, 0.5),)))
    rows = eye.generate(120)[60:]
    off_deg = (rows["gaze_norm"].mean(axis=0) - 0.5) * DISPLAY.size_mm / DEG_MM
    assert off_deg == pytest.approx(np.array([[1.0, 0.0], [0.0, -2.0]]), abs=1e-4)


def test_that_the_eyes_answer_a_new_scene_after_their_latency() -> None:
    eye = SimulatedEye(DISPLAY, 1000.0, seed=4, parameters=CALM)
    eye.generate(2000)
    eye.set_scene(Scene(DISPLAY, points_norm=((0.9, 0.2),)))
    rows = eye.generate(1000)
    moving = np.flatnonzero(np.abs(rows["gaze_norm"][:, 0, 0] - rows["gaze_norm"][0, 0, 0]) > 0.005)
    assert 175 <= moving[0] <= 260
    assert rows["gaze_norm"][-1, 0] == pytest.approx((0.9, 0.2), abs=0.02)


def test_that_device_stamps_drift_as_told() -> None:
    eye = SimulatedEye(DISPLAY, 1000.0, seed=4, parameters=replace(CALM, device_drift_ppm=200.0))
    rows = eye.generate(100_001)
    assert rows["device_us"][-1] - rows["device_us"][0] == pytest.approx(100_000_000 * 1.0002, abs=2)
