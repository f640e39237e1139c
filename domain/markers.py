"""What happened on the screen and when: markers, and the log of where the image lay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.display import Display
from domain.view import ImageView

IMAGE_ONSET = "image_onset"
IMAGE_OFFSET = "image_offset"
VIEW_CHANGE = "view_change"
KEY_PRESS = "key_press"


@dataclass(frozen=True)
class Marker:
    """Something that happened during a recording, on the same clock as the gaze samples.

    scheduled_ns: when it was decided; submitted_ns: when the drawing was handed to the screen; presented_ns: when the
    frame that shows it was swapped in (0 where unknown). frame: that frame's number, -1 where unknown.
    time_ns: the time that counts, the latest of these that is known.
    """

    kind: str
    payload: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON values
    scheduled_ns: int = 0
    submitted_ns: int = 0
    presented_ns: int = 0
    frame: int = -1

    @property
    def time_ns(self) -> int:
        """When it counts: presented, else submitted, else scheduled."""
        return self.presented_ns or self.submitted_ns or self.scheduled_ns

    def as_json(self) -> dict[str, Any]:
        """Plain values for a message or a file."""
        return {
            "kind": self.kind,
            "payload": dict(self.payload),
            "scheduled_ns": self.scheduled_ns,
            "submitted_ns": self.submitted_ns,
            "presented_ns": self.presented_ns,
            "frame": self.frame,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Marker:
        """The marker from what `as_json` gave."""
        return cls(**values)


def view_as_json(view: ImageView) -> dict[str, Any]:
    """A view as plain values."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(view).items()}


def view_from_json(values: Mapping[str, Any]) -> ImageView:
    """The view from what `view_as_json` gave."""
    known = dict(values)
    known["image_size"] = tuple(known["image_size"])
    known["left_top_px"] = tuple(known["left_top_px"])
    return ImageView(**known)


@dataclass(frozen=True)
class ViewLog:
    """Where the image lay from when on: view i holds from time_ns[i] until time_ns[i + 1]; times do not fall."""

    time_ns: NDArray[np.int64]
    views: tuple[ImageView, ...]

    def __post_init__(self) -> None:
        if len(self.time_ns) != len(self.views):
            raise ValueError(f"{len(self.time_ns)} times for {len(self.views)} views")
        if np.any(np.diff(self.time_ns) < 0):
            raise ValueError("the times of a view log must not fall")

    def __len__(self) -> int:
        return len(self.views)

    @classmethod
    def constant(cls, view: ImageView, since_ns: int = 0) -> ViewLog:
        """One view, never moved."""
        return cls(np.array([since_ns], np.int64), (view,))

    @classmethod
    def from_markers(cls, markers: Iterable[Marker]) -> ViewLog:
        """The views that image onsets and view changes carry, in order of time."""
        rows = [(marker.time_ns, marker.payload["view"]) for marker in markers if "view" in marker.payload]
        rows.sort(key=lambda row: row[0])
        times = np.array([time for time, _ in rows], np.int64)
        return cls(times, tuple(view_from_json(values) for _, values in rows))

    def rows(self) -> list[tuple[int, ImageView]]:
        """(time_ns, view) in order of time."""
        return [(int(time), view) for time, view in zip(self.time_ns, self.views, strict=True)]

    def index_at(self, time_ns: ArrayLike) -> NDArray[np.int64]:
        """Which view holds at each time; -1 before the first."""
        return np.asarray(np.searchsorted(self.time_ns, np.asarray(time_ns, np.int64), side="right") - 1, np.int64)

    def slice_at(self, time_ns: ArrayLike) -> NDArray[np.int64]:
        """Which slice of a stack was shown at each time (n,); -1 before the first view."""
        slices = np.array([view.slice_index for view in self.views] + [-1], np.int64)
        return np.asarray(slices[self.index_at(time_ns)], np.int64)

    def image_xy(self, time_ns: ArrayLike, gaze_norm: ArrayLike, display: Display) -> NDArray[np.float64]:
        """Gaze (n, 2) on the display area at times (n,) as image pixels (n, 2), NaN before the first view."""
        gaze = np.asarray(gaze_norm, np.float64)
        out = np.full(gaze.shape, np.nan)
        index = self.index_at(time_ns)
        for number in np.unique(index[index >= 0]):
            rows = index == number
            out[rows] = self.views[int(number)].image_xy_from_norm(gaze[rows], display)
        return out
