"""What is on the screen, told to the simulated eye so that it can look at it."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.display import Display
from domain.markers import view_as_json, view_from_json
from domain.view import ImageView


@dataclass(frozen=True)
class Scene:
    """An image with the region to look at, or points to look at, or nothing.

    mask (H, W): true where the target is, in image pixels; None where nobody knows (the eye then scans the image).
    points_norm: points on the display area that are looked at one after the other; the last one is kept.
    dwell_s: how long each point is looked at before the next.
    """

    display: Display
    view: ImageView | None = None
    mask: NDArray[np.bool_] | None = None
    points_norm: tuple[tuple[float, float], ...] = ()
    dwell_s: float = 1.0

    def __post_init__(self) -> None:
        if self.mask is not None:
            if self.view is None:
                raise ValueError("a scene with a mask needs the view that shows the image")
            width, height = self.view.image_size
            if self.mask.shape != (height, width):
                raise ValueError(f"the mask has shape {self.mask.shape}, the view shows an image of {width} x {height}")

    def to_message(self) -> tuple[dict[str, Any], bytes]:
        """The scene as JSON values and the packed mask."""
        values: dict[str, Any] = {
            "display": display_as_json(self.display),
            "view": view_as_json(self.view) if self.view else None,
            "points_norm": [list(point) for point in self.points_norm],
            "dwell_s": self.dwell_s,
            "mask_shape": list(self.mask.shape) if self.mask is not None else None,
        }
        blob = zlib.compress(np.packbits(self.mask).tobytes(), 1) if self.mask is not None else b""
        return values, blob

    @classmethod
    def from_message(cls, values: dict[str, Any], blob: bytes) -> Scene:
        """The scene from what `to_message` gave."""
        mask = None
        if values["mask_shape"] is not None:
            height, width = values["mask_shape"]
            bits = np.frombuffer(zlib.decompress(blob), np.uint8)
            mask = np.unpackbits(bits, count=height * width).reshape(height, width).astype(np.bool_)
        return cls(
            display=display_from_json(values["display"]),
            view=view_from_json(values["view"]) if values["view"] else None,
            mask=mask,
            points_norm=tuple((float(x), float(y)) for x, y in values["points_norm"]),
            dwell_s=float(values["dwell_s"]),
        )


def display_as_json(display: Display) -> dict[str, Any]:
    """A display as plain values."""
    return asdict(display)


def display_from_json(values: dict[str, Any]) -> Display:
    """The display from what `display_as_json` gave."""
    known = dict(values)
    for name in ("size_px", "size_mm", "origin_px"):
        known[name] = tuple(known[name])
    return Display(**known)
