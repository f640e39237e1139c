"""Where the eyes are in front of the tracker, and what to do about it, in millimetres and words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calibration.geometry import ScreenPlane
from domain.gaze import LEFT, RIGHT, GazeSamples


@dataclass(frozen=True)
class PositionLimits:
    """How far the head may be from the ideal place; what most screen-based trackers allow."""

    sideways_mm: float = 50.0
    height_mm: float = 50.0
    depth_mm: float = 100.0
    roll_deg: float = 12.0
    max_loss: float = 0.2


@dataclass(frozen=True)
class HeadPosition:
    """The head as seen over the last moments. NaN where not known.

    sideways_mm: to the user's right of the ideal place; height_mm: above it; depth_mm: farther away than it.
    eyes_mm: each eye relative to the ideal place (right, up, away); roll_deg: right eye higher than the left is > 0.
    rate_hz: samples per second as received; loss: share of invalid samples, left and right.
    """

    distance_mm: float = math.nan
    sideways_mm: float = math.nan
    height_mm: float = math.nan
    depth_mm: float = math.nan
    roll_deg: float = math.nan
    eyes_mm: tuple[tuple[float, float, float] | None, tuple[float, float, float] | None] = (None, None)
    loss: tuple[float, float] = (1.0, 1.0)
    rate_hz: float = 0.0
    advice: tuple[str, ...] = ()
    is_good: bool = False

    @property
    def eyes_seen(self) -> tuple[bool, bool]:
        """Whether the left and the right eye are seen."""
        return self.eyes_mm[LEFT] is not None, self.eyes_mm[RIGHT] is not None


def head_position(
    samples: GazeSamples,
    plane: ScreenPlane,
    *,
    ideal_distance_mm: float,
    limits: PositionLimits | None = None,
    wanted: tuple[bool, bool] = (True, True),
    recent_ms: float = 500.0,
) -> HeadPosition:
    """The head's place from the newest `recent_ms`; rate and loss over all samples given (a few seconds)."""
    limits = limits or PositionLimits()
    rate = measured_rate_hz(samples)
    if not len(samples):
        return HeadPosition(advice=("The tracker sends no samples.",))
    lost = 1.0 - (samples.gaze_valid & np.isfinite(samples.gaze_norm).all(axis=-1)).mean(axis=0)
    loss = (float(lost[LEFT]), float(lost[RIGHT]))
    recent = samples[samples.time_ns > samples.time_ns[-1] - recent_ms * 1e6]
    eyes = (_eye_mm(recent, LEFT, plane, ideal_distance_mm), _eye_mm(recent, RIGHT, plane, ideal_distance_mm))
    seen = [eye for eye in eyes if eye is not None]
    if not seen and not samples.origin_valid.any() and float(lost.min()) < 0.8:
        # A mouse, or a tracker that does not say where the eyes are: there is nothing to guide by.
        return HeadPosition(loss=loss, rate_hz=rate, is_good=True)
    if not seen:
        return HeadPosition(
            loss=loss, rate_hz=rate, advice=("No eyes are seen. Sit in front of the screen and look at it.",)
        )
    sideways, height, depth = (float(v) for v in np.mean(seen, axis=0))
    if len(seen) == 1:
        # Half the usual distance between the pupils (63 mm): the head's middle lies beside the one eye seen.
        sideways += 31.5 if eyes[LEFT] is not None else -31.5
    roll = math.nan
    left, right = eyes
    if left is not None and right is not None:
        roll = math.degrees(math.atan2(right[1] - left[1], right[0] - left[0]))
    advice = _advice(sideways, height, depth, roll, limits=limits)
    advice += [
        f"The {name} eye is not seen."
        for name, eye, asked in zip(("left", "right"), eyes, wanted, strict=True)
        if asked and eye is None
    ]
    shown_loss = max((value for value, asked in zip(loss, wanted, strict=True) if asked), default=1.0)
    if not advice and shown_loss > limits.max_loss:
        advice.append(f"{shown_loss:.0%} of the gaze is lost: check glasses, lashes, light on the face.")
    return HeadPosition(
        distance_mm=ideal_distance_mm + depth,
        sideways_mm=sideways,
        height_mm=height,
        depth_mm=depth,
        roll_deg=roll,
        eyes_mm=eyes,
        loss=loss,
        rate_hz=rate,
        advice=tuple(advice),
        is_good=not advice,
    )


def measured_rate_hz(samples: GazeSamples) -> float:
    """Samples per second by their time stamps; 0 below two samples."""
    if len(samples) < 2 or samples.time_ns[-1] <= samples.time_ns[0]:
        return 0.0
    return float((len(samples) - 1) * 1e9 / (samples.time_ns[-1] - samples.time_ns[0]))


def _eye_mm(
    samples: GazeSamples, eye: int, plane: ScreenPlane, ideal_distance_mm: float
) -> tuple[float, float, float] | None:
    origin = samples.origin_mm[:, eye]
    known = samples.origin_valid[:, eye] & np.isfinite(origin).all(axis=-1)
    if known.mean() < 0.2:
        return None
    from_ideal = np.median(origin[known], axis=0) - plane.eye_mm(ideal_distance_mm)
    return (
        float(from_ideal @ plane.right),
        float(-from_ideal @ plane.down),
        float(from_ideal @ plane.towards_user),
    )


def _advice(sideways: float, height: float, depth: float, roll: float, *, limits: PositionLimits) -> list[str]:
    words: list[str] = []
    if abs(depth) > limits.depth_mm:
        words.append(f"Come {_cm(depth)} closer." if depth > 0 else f"Move {_cm(depth)} back.")
    if abs(sideways) > limits.sideways_mm:
        words.append(f"Move {_cm(sideways)} to your {'left' if sideways > 0 else 'right'}.")
    if abs(height) > limits.height_mm:
        words.append(f"Sit {_cm(height)} {'lower' if height > 0 else 'higher'}, or move the screen.")
    if abs(roll) > limits.roll_deg:
        words.append(f"Hold your head upright: it is tilted by {abs(roll):.0f}°.")
    return words


def _cm(value_mm: float) -> str:
    return f"{abs(value_mm) / 10:.0f} cm"
