"""Accuracy, precision and data loss at known targets, and the verdict on them.

Formulas: accuracy, SD and RMS as in Tobii's own prosdk-addons; the sign by the direction on the screen;
BCEA by Crossland and Rubin 2002; terms by Holmqvist et al. 2022.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from calibration.geometry import ScreenPlane, origins_mm
from domain.calibration import EYE_NAMES, EyeName, Eyes, EyeSummary, Grade, Point, PointQuality, Validation
from domain.display import angle_deg
from domain.gaze import LEFT, RIGHT, GazeSamples

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

BCEA_SHARE = 0.682
"""Share of the samples inside the ellipse (Crossland and Rubin 2002)."""

GOOD_MEAN_DEG, GOOD_MAX_DEG = 1.0, 1.5
FAIR_MEAN_DEG, FAIR_MAX_DEG = 1.5, 2.0
"""SR Research EyeLink user manual: GOOD, FAIR and POOR validations."""


def gaze_quality(
    gaze_mm: Float,
    origin_mm: Float,
    valid: Bool,
    *,
    target_mm: Float,
    right: Float,
    down: Float,
    target_norm: Point,
    eye: EyeName,
    n_expected: int = 0,
    is_stable: bool = True,
) -> PointQuality:
    """Quality of the gaze of one eye at one target.

    gaze_mm, origin_mm (n, 3) and target_mm (3,) in millimetres of one system; valid (n,); right, down (3,) unit
    vectors along the screen. n_expected: samples that the nominal rate would have given; counted as lost if missing.
    """
    n_all = max(len(valid), n_expected)
    usable = valid & np.isfinite(gaze_mm).all(axis=-1) & np.isfinite(origin_mm).all(axis=-1)
    n = int(usable.sum())
    loss = 1.0 - n / n_all if n_all else 1.0
    if n == 0:
        return PointQuality(target_norm, eye, loss=loss, n=0, is_stable=is_stable)
    gaze, origin = gaze_mm[usable], origin_mm[usable]
    rays = gaze - origin
    mean_gaze, mean_origin = gaze.mean(axis=0), origin.mean(axis=0)
    accuracy = float(angle_deg(mean_gaze - mean_origin, target_mm - mean_origin))
    offset_x, offset_y = _signed(np.asarray([accuracy]), (mean_gaze - target_mm)[None], right=right, down=down)[0]
    distance = angle_deg(rays, target_mm - origin)
    around_mean = angle_deg(rays, mean_gaze - origin)
    signed = _signed(distance, gaze - target_mm, right=right, down=down)
    ci_x, ci_y = (_half_width(signed[:, axis]) for axis in (0, 1))
    return PointQuality(
        target_norm,
        eye,
        offset_x_deg=float(offset_x),
        offset_y_deg=float(offset_y),
        accuracy_mean_deg=accuracy,
        accuracy_median_deg=float(np.median(distance)),
        sd_deg=float(np.sqrt(np.mean(around_mean**2))),
        rms_s2s_deg=_rms_s2s(gaze_mm - origin_mm, usable),
        bcea_deg2=bcea_deg2(signed),
        ci95_x_deg=ci_x,
        ci95_y_deg=ci_y,
        loss=loss,
        n=n,
        is_stable=is_stable,
    )


def point_quality(
    samples: GazeSamples,
    target_norm: Point,
    plane: ScreenPlane,
    *,
    distance_mm: float = 650.0,
    n_expected: int = 0,
    is_stable: bool = True,
) -> tuple[PointQuality, PointQuality, PointQuality]:
    """Quality at one target for the left eye, the right eye, and both.

    Binocular gaze is the mean of the two eyes in the samples in which both are valid. `distance_mm` is used only
    where the tracker does not say where the eyes are.
    """
    gaze = plane.mm_from_norm(samples.gaze_norm)
    origin = origins_mm(samples, plane, distance_mm)
    valid = samples.gaze_valid & np.isfinite(samples.gaze_norm).all(axis=-1)
    both = np.asarray(valid[:, LEFT] & valid[:, RIGHT], np.bool_)
    gaze_of = (gaze[:, LEFT], gaze[:, RIGHT], gaze.mean(axis=1))
    origin_of = (origin[:, LEFT], origin[:, RIGHT], origin.mean(axis=1))
    valid_of = (valid[:, LEFT], valid[:, RIGHT], both)
    target_mm = plane.mm_from_norm(target_norm)
    found = [
        gaze_quality(
            gaze_of[index],
            origin_of[index],
            valid_of[index],
            target_mm=target_mm,
            right=plane.right,
            down=plane.down,
            target_norm=target_norm,
            eye=eye,
            n_expected=n_expected,
            is_stable=is_stable,
        )
        for index, eye in enumerate(EYE_NAMES)
    ]
    return found[0], found[1], found[2]


def validate(
    points: list[PointQuality], *, eyes: Eyes = Eyes.BOTH, made_at: str = "", rate_hz: float = math.nan
) -> Validation:
    """The validation made of the figures of all points: averages per eye, grade, and the rule in words."""
    summaries = tuple(_summary([p for p in points if p.eye == eye], eye) for eye in EYE_NAMES)
    graded: EyeName = {Eyes.BOTH: "binocular", Eyes.LEFT: "left", Eyes.RIGHT: "right"}[eyes]  # type: ignore[assignment]  # mypy widens the literals
    chosen = next(s for s in summaries if s.eye == graded)
    if chosen.n_missing == chosen.n_points and eyes is Eyes.BOTH:
        # One eye that was never seen leaves no binocular sample; the other eye still says how good it is.
        chosen = min(summaries[:2], key=lambda s: s.n_missing)
    grade, rule = grade_of(chosen)
    return Validation(tuple(points), summaries, grade, chosen.eye, rule, made_at, rate_hz)


def grade_of(summary: EyeSummary) -> tuple[Grade, str]:
    """The grade of one eye's averages and the rule that gave it."""
    if summary.n_points == summary.n_missing:
        return Grade.NO_DATA, "NO DATA: gaze was valid at none of the points."
    mean, worst = summary.accuracy_mean_deg, summary.accuracy_max_deg
    figures = f"average {mean:.2f}° and maximum {worst:.2f}° ({summary.eye})"
    missing = f", no data at {summary.n_missing} of {summary.n_points} points" if summary.n_missing else ""
    if summary.n_missing > 1:
        return Grade.POOR, f"POOR: {figures}{missing}; at most one point may be without data."
    if mean < GOOD_MEAN_DEG and worst < GOOD_MAX_DEG and not summary.n_missing:
        return Grade.GOOD, f"GOOD: {figures}; the rule is average < {GOOD_MEAN_DEG}° and maximum < {GOOD_MAX_DEG}°."
    fair = f"the rule is average < {FAIR_MEAN_DEG}° and maximum < {FAIR_MAX_DEG}°"
    if mean < FAIR_MEAN_DEG and worst < FAIR_MAX_DEG:
        return Grade.FAIR, f"FAIR: {figures}{missing}; {fair}."
    return Grade.POOR, f"POOR: {figures}{missing}; for FAIR {fair}."


def bcea_deg2(offset_deg: Float) -> float:
    """Bivariate contour ellipse area of (n, 2) offsets, square degrees; NaN below 3 samples.

    2 k pi sd_x sd_y sqrt(1 - rho^2) with 1 - exp(-k) = 0.682; sd and rho with n - 1 degrees of freedom.
    """
    if len(offset_deg) < 3:
        return math.nan
    k = -math.log(1.0 - BCEA_SHARE)
    covariance = np.cov(offset_deg, rowvar=False)
    # sd_x sd_y sqrt(1 - rho^2) is the root of the covariance matrix's determinant.
    return float(2.0 * k * math.pi * math.sqrt(max(float(np.linalg.det(covariance)), 0.0)))


def _signed(angle: Float, on_screen_mm: Float, *, right: Float, down: Float) -> Float:
    x, y = on_screen_mm @ right, on_screen_mm @ down
    length = np.hypot(x, y)
    scale = np.divide(angle, length, out=np.zeros_like(length), where=length > 0)
    return np.stack([x * scale, y * scale], axis=-1)


def _rms_s2s(rays: Float, usable: Bool) -> float:
    """Only neighbours that are both valid make a pair: a gap is not a movement."""
    pairs = usable[:-1] & usable[1:]
    if not pairs.any():
        return math.nan
    return float(np.sqrt(np.mean(angle_deg(rays[:-1][pairs], rays[1:][pairs]) ** 2)))


def _half_width(offset: Float) -> float:
    """95 % confidence half-width of a mean; correlated samples count as fewer (first-order autoregression)."""
    n = len(offset)
    if n < 3:
        return math.nan
    centred = offset - offset.mean()
    power = float(centred @ centred)
    if power == 0.0:
        return 0.0
    rho = float(np.clip((centred[:-1] @ centred[1:]) / power, 0.0, 0.99))
    n_effective = max(n * (1.0 - rho) / (1.0 + rho), 2.0)
    return float(stdtrit(n_effective - 1.0, 0.975) * math.sqrt(power / (n - 1)) / math.sqrt(n_effective))


def _summary(points: list[PointQuality], eye: EyeName) -> EyeSummary:
    seen = [point for point in points if point.has_data]

    def mean(name: str) -> float:
        values = [float(getattr(point, name)) for point in seen]
        values = [value for value in values if math.isfinite(value)]
        return float(np.mean(values)) if values else math.nan

    return EyeSummary(
        eye=eye,
        accuracy_mean_deg=mean("accuracy_mean_deg"),
        accuracy_max_deg=max((point.accuracy_mean_deg for point in seen), default=math.nan),
        accuracy_median_deg=mean("accuracy_median_deg"),
        sd_deg=mean("sd_deg"),
        rms_s2s_deg=mean("rms_s2s_deg"),
        bcea_deg2=mean("bcea_deg2"),
        loss=float(np.mean([point.loss for point in points])) if points else 1.0,
        n_points=len(points),
        n_missing=len(points) - len(seen),
    )
