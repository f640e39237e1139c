"""Gaze with a known error: offset and white noise in degrees, for tests and benchmarks against truth."""

from __future__ import annotations

import numpy as np

from calibration.geometry import ScreenPlane
from domain.display import Display
from domain.gaze import SAMPLE_RECORD, GazeSamples

DISPLAY = Display((1920, 1080), (527.0, 296.0), distance_mm=650.0)
PLANE = ScreenPlane.upright(DISPLAY)


def look_at(
    target_norm: tuple[float, float],
    *,
    n: int = 60,
    rate_hz: float = 60.0,
    offset_deg: tuple[float, float] = (0.0, 0.0),
    sd_deg: float = 0.0,
    seed: int = 0,
    start_ns: int = 0,
    valid: tuple[bool, bool] = (True, True),
    distance_mm: float = 650.0,
) -> GazeSamples:
    """Samples that look at a target, with angles that are exact at the target (not only at the centre)."""
    rng = np.random.default_rng(seed)
    records = np.zeros(n, SAMPLE_RECORD)
    records["seq"] = np.arange(n)
    records["time_ns"] = start_ns + np.round(np.arange(n) * 1e9 / rate_hz).astype(np.int64)
    target = PLANE.mm_from_norm(target_norm)
    for eye, side in ((0, -31.5), (1, 31.5)):
        origin = PLANE.eye_mm(distance_mm) + np.array([side, 0.0, 0.0])
        angle = np.asarray(offset_deg) + sd_deg * rng.standard_normal((n, 2))
        gaze = hit(origin, target, angle)
        norm = np.stack(
            [gaze @ PLANE.right / PLANE.size_mm[0], gaze @ PLANE.down / PLANE.size_mm[1]], axis=-1
        ) - np.array(
            [
                np.asarray(PLANE.top_left_mm) @ PLANE.right / PLANE.size_mm[0],
                np.asarray(PLANE.top_left_mm) @ PLANE.down / PLANE.size_mm[1],
            ]
        )
        records["gaze_norm"][:, eye] = norm
        records["gaze_mm"][:, eye] = gaze
        records["origin_mm"][:, eye] = origin
        for kind in ("gaze_valid", "origin_valid"):
            records[kind][:, eye] = valid[eye]
    return GazeSamples.from_records(records)


def hit(origin: np.ndarray, target: np.ndarray, angle_deg: np.ndarray) -> np.ndarray:
    """Where a ray meets the screen that is turned away from the target by an angle (n, 2), towards (right, down).

    The direction on the screen is that of (x, y); the angle between the rays is exactly their length.
    """
    ray = target - origin
    distance = np.linalg.norm(ray)
    size = np.radians(np.linalg.norm(angle_deg, axis=-1))
    safe = np.where(size > 0, np.linalg.norm(angle_deg, axis=-1), 1.0)
    way = (angle_deg[..., :1] * PLANE.right + angle_deg[..., 1:] * PLANE.down) / safe[..., None]
    # Walk s along `way` on the screen so that the angle at the eye is `size`: the sine rule in that triangle.
    cos_at_target = -(way @ ray) / distance
    at_target = np.arccos(np.clip(cos_at_target, -1, 1))
    s = distance * np.sin(size) / np.sin(np.pi - at_target - size)
    return np.asarray(target + way * s[..., None])
