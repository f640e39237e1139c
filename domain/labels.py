"""From gaze to label: the parameters of a study and what they produce for one trial."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

HeatmapMode = Literal["published", "degrees"]


@dataclass(frozen=True)
class LabelParameters:
    """How fixations become maps and levels. Stored with every result, so that it can be made again.

    source: name of the refiner (`none` = the heatmap as it is, `crf`, `grabcut`, `random_walker`).
    heatmap_mode: `published` = sigma in pixels of a 768 x 768 canvas; `degrees` = sigma in degrees of visual angle.
    sigma: 70 (polyp) or 50 (prostate) in published mode (Zhong et al. 2024, code med-air/GazeMedSeg).
    thresholds: one per level, each in 0-1; a pixel belongs to a level where map >= threshold.
    min_fixation_ms: shorter fixations do not count (published: 50 ms).
    """

    source: str = "crf"
    heatmap_mode: HeatmapMode = "published"
    sigma: float = 70.0
    thresholds: tuple[float, ...] = (0.5, 0.3)
    min_fixation_ms: float = 50.0
    crf_sxy: float = 80.0
    crf_srgb: float = 13.0
    crf_compat: float = 1.0
    crf_iterations: int = 10
    reproduce_published_quirks: bool = False

    def __post_init__(self) -> None:
        if not 1 <= len(self.thresholds) <= 5 or not all(0 < t < 1 for t in self.thresholds):
            raise ValueError(f"1 to 5 thresholds between 0 and 1 are needed, got {self.thresholds}")
        if self.sigma <= 0:
            raise ValueError(f"sigma must be positive, got {self.sigma}")

    def as_json(self) -> dict[str, object]:
        """Plain values for a JSON file."""
        values = asdict(self)
        values["thresholds"] = list(self.thresholds)
        return values

    @classmethod
    def from_json(cls, values: dict[str, object]) -> LabelParameters:
        """The parameters from what `as_json` gave; unknown keys are refused by the constructor."""
        known = dict(values)
        known["thresholds"] = tuple(known.get("thresholds", (0.5, 0.3)))  # type: ignore[arg-type]  # JSON gives a list
        return cls(**known)  # type: ignore[arg-type]  # the values come from as_json

    def digest(self) -> str:
        """Short hash of all parameters, the same on every machine."""
        text = json.dumps(self.as_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


POLYP = LabelParameters()
PROSTATE = LabelParameters(source="none", sigma=50.0, thresholds=(0.2, 0.4))


@dataclass(frozen=True)
class LabelMaps:
    """What one trial gave: maps (H, W) float32 in 0-1 of the image's own size, and one mask per threshold.

    warnings: sentences for the annotator (second peak below a level, target smaller than the blob, no fixation).
    """

    heatmap: NDArray[np.float32]
    refined: NDArray[np.float32]
    parameters: LabelParameters
    warnings: tuple[str, ...] = field(default=())

    @property
    def levels(self) -> list[NDArray[np.bool_]]:
        """One mask (H, W) per threshold, in the order of the thresholds."""
        return [self.refined >= threshold for threshold in self.parameters.thresholds]
