"""Whether a stored calibration still fits what is in front of us."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from domain.calibration import CalibrationRecord, Surroundings

MAX_AGE = timedelta(hours=12)
"""Calibrate every day: accuracy got worse within days in a clinic (Chatelain et al. 2018)."""
REVALIDATE_AFTER = timedelta(minutes=30)
SIZE_MM = 3.0
"""Corners and sizes that differ by less are the same screen measured twice."""
DISTANCE_MM = 100.0


def stale_reasons(record: CalibrationRecord, now: Surroundings, *, at: datetime) -> tuple[str, ...]:
    """Why this calibration must not be used here and now, each reason as a sentence; none if it may be."""
    then = record.surroundings
    found: list[str] = []
    if (then.tracker_model, then.tracker_serial) != (now.tracker_model, now.tracker_serial):
        found.append(f"It was made on another tracker ({_tracker(then)}, not {_tracker(now)}).")
    if (then.screen_name, then.screen_serial) != (now.screen_name, now.screen_serial):
        found.append(f"It was made on another screen ({_screen(then)}, not {_screen(now)}).")
    elif then.screen_px != now.screen_px:
        found.append(f"The screen had {_pair(then.screen_px)} pixels then and has {_pair(now.screen_px)} now.")
    elif then.screen_scale != now.screen_scale:
        found.append(f"The screen's scaling was {then.screen_scale:.0%} then and is {now.screen_scale:.0%} now.")
    if _apart(then.screen_mm, now.screen_mm) > SIZE_MM:
        found.append(f"The screen's size was {_pair(then.screen_mm)} mm then and is {_pair(now.screen_mm)} mm now.")
    if then.display_area_mm and now.display_area_mm and _apart(then.display_area_mm, now.display_area_mm) > SIZE_MM:
        found.append("The tracker was told of another display area since.")
    if abs(then.distance_mm - now.distance_mm) > DISTANCE_MM:
        found.append(
            f"The viewing distance was {then.distance_mm / 10:.0f} cm then and is {now.distance_mm / 10:.0f} cm now."
        )
    if then.annotator != now.annotator:
        found.append(f"It belongs to {then.annotator or 'somebody else'}, not to {now.annotator or 'you'}.")
    age = at - made_at(record)
    if age > MAX_AGE:
        found.append(f"It is {age_words(age)} old; {age_words(MAX_AGE)} is the limit.")
    if age < -timedelta(minutes=5):
        found.append("It was made in the future: the clock of this machine was changed.")
    return tuple(found)


def made_at(record: CalibrationRecord) -> datetime:
    """When the calibration was made, with its time zone."""
    return datetime.fromisoformat(record.made_at.replace("Z", "+00:00"))


def age_words(age: timedelta) -> str:
    """An age as people say it."""
    minutes = age.total_seconds() / 60
    if minutes < 1:
        return "less than a minute"
    if minutes < 90:
        return f"{minutes:.0f} min"
    if minutes < 48 * 60:
        return f"{minutes / 60:.0f} h"
    return f"{minutes / 1440:.0f} days"


def _apart(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    if len(first) != len(second):
        return math.inf
    return max((abs(a - b) for a, b in zip(first, second, strict=True)), default=0.0)


def _tracker(surroundings: Surroundings) -> str:
    return " ".join(part for part in (surroundings.tracker_model, surroundings.tracker_serial) if part) or "unknown"


def _screen(surroundings: Surroundings) -> str:
    return " ".join(part for part in (surroundings.screen_name, surroundings.screen_serial) if part) or "unknown"


def _pair(values: tuple[float, float]) -> str:
    return f"{values[0]:g} × {values[1]:g}"
