"""What gaze files of other programs have in common: samples, screen, pictures shown, as a session like our own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.display import Display
from domain.errors import BadFileError
from domain.fixations import Fixations
from domain.gaze import SAMPLE_RECORD, GazeSamples
from domain.markers import IMAGE_OFFSET, IMAGE_ONSET, Marker, view_as_json
from domain.session import OnlineFixation, SessionHeader, SessionRecord, TrackerInfo
from domain.version import VERSION
from domain.view import ImageView
from processing.importer import FoundSession

MM_PER_PX = 25.4 / 96
"""Pixel size where a file does not tell the screen's: 96 pixels per inch. Degrees from it are rough, and said to be."""

Float = NDArray[np.float64]


@dataclass(frozen=True)
class ShownPicture:
    """A picture that was on the screen from onset to offset. view: where, if the file tells."""

    name: str
    onset_ns: int
    offset_ns: int
    view: ImageView | None = None


@dataclass(frozen=True)
class ScreenFit:
    """The screen's size in millimetres, and its centre and axes in the file's own millimetres."""

    size_mm: tuple[float, float]
    centre_mm: tuple[float, float]
    signs: tuple[float, float]
    is_assumed: bool = False

    def to_ucs(self, file_mm: Float) -> Float:
        """Positions (..., 2 or 3) of the file: origin at the screen's centre, x to the right, y up, z to the viewer."""
        out = np.array(file_mm, np.float64)
        out[..., 0] = (file_mm[..., 0] - self.centre_mm[0]) * self.signs[0]
        out[..., 1] = -(file_mm[..., 1] - self.centre_mm[1]) * self.signs[1]
        return out


@dataclass
class SampleTable:
    """Columns of samples while a file is read; eye axis: 0 left, 1 right."""

    time_ns: NDArray[np.int64]
    device_us: NDArray[np.int64]
    gaze_px: Float
    pupil_mm: Float
    is_valid: NDArray[np.bool_]
    origin_mm: Float | None = None
    gaze_mm: Float | None = None
    openness_mm: Float | None = None
    segment: NDArray[np.int64] | None = None
    system_us: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def samples(self, size_px: tuple[int, int]) -> GazeSamples:
        """The table as samples; what is missing or not a number is invalid."""
        n = len(self.time_ns)
        if n and np.any(np.diff(self.time_ns) < 0):
            raise ValueError("times fall")
        records = np.zeros(n, SAMPLE_RECORD)
        records["seq"] = np.arange(n)
        records["time_ns"], records["device_us"] = self.time_ns, self.device_us
        records["system_us"] = self.system_us if len(self.system_us) == n else 0
        gaze = self.gaze_px / np.asarray(size_px, np.float64)
        records["gaze_norm"] = gaze
        is_there = self.is_valid & np.isfinite(gaze).all(axis=2)
        records["gaze_valid"] = is_there
        records["gaze_norm"][~is_there] = np.nan
        for name, values in (("gaze_mm", self.gaze_mm), ("origin_mm", self.origin_mm)):
            records[name] = np.nan if values is None else values
        records["origin_valid"] = np.isfinite(records["origin_mm"]).all(axis=2)
        with np.errstate(invalid="ignore"):
            pupil_valid = np.isfinite(self.pupil_mm) & (self.pupil_mm > 0)
        records["pupil_mm"] = np.where(pupil_valid, self.pupil_mm, np.nan)
        records["pupil_valid"] = pupil_valid
        openness = np.full((n, 2), np.nan) if self.openness_mm is None else self.openness_mm
        records["openness_mm"], records["openness_valid"] = openness, np.isfinite(openness)
        records["segment"] = 0 if self.segment is None else self.segment
        return GazeSamples.from_records(records)


def fit_screen(px: Float, mm: Float, size_px: tuple[int, int]) -> ScreenFit:
    """Where the screen lies in the file's millimetres, from gaze points given both in pixels and millimetres.

    px, mm: (n, 2) with NaN where missing. A straight line per axis, since exporters differ in origin and direction.
    """
    scales, centres, signs = [], [], []
    for axis in (0, 1):
        keep = np.isfinite(px[:, axis]) & np.isfinite(mm[:, axis])
        if keep.sum() < 10 or np.ptp(px[keep, axis]) < 20:
            return assumed_screen(size_px)
        slope, intercept = np.polyfit(px[keep, axis], mm[keep, axis], 1)
        if not 0.02 < abs(slope) < 3:
            return assumed_screen(size_px)
        scales.append(abs(float(slope)))
        centres.append(float(intercept + slope * size_px[axis] / 2))
        signs.append(float(np.sign(slope)))
    size_mm = (scales[0] * size_px[0], scales[1] * size_px[1])
    return ScreenFit(size_mm, (centres[0], centres[1]), (signs[0], signs[1]))


def assumed_screen(size_px: tuple[int, int]) -> ScreenFit:
    """A screen of 96 pixels per inch."""
    size_mm = (size_px[0] * MM_PER_PX, size_px[1] * MM_PER_PX)
    return ScreenFit(size_mm, (size_mm[0] / 2, size_mm[1] / 2), (1.0, 1.0), is_assumed=True)


def make_session(
    path: Path,
    samples: GazeSamples,
    *,
    driver: str,
    display: Display,
    pictures: list[ShownPicture],
    model: str = "",
    annotator: str = "",
    created_utc: str = "",
    rate_hz: float = 0.0,
    fixations: Fixations | None = None,
    settings: Mapping[str, Any] | None = None,
    validations: tuple[Mapping[str, Any], ...] = (),
    name: str = "",
) -> FoundSession:
    """A session from what a file told."""
    markers: list[Marker] = []
    names: dict[str, str] = {}
    for number, picture in enumerate(pictures, start=1):
        trial_id = f"{name or path.stem}-{number}"
        names[trial_id] = picture.name
        payload: dict[str, Any] = {"trial_id": trial_id, "image_id": picture.name}
        shown = {"view": view_as_json(picture.view)} if picture.view is not None else {}
        markers.append(Marker(IMAGE_ONSET, {**payload, **shown}, scheduled_ns=picture.onset_ns))
        markers.append(Marker(IMAGE_OFFSET, payload, scheduled_ns=picture.offset_ns))
    digest = hashlib.sha256(f"{path.name}|{name}|{len(samples)}".encode() + samples.time_ns.tobytes()).hexdigest()
    header = SessionHeader(
        session_id=digest[:32],
        created_utc=created_utc or "1970-01-01T00:00:00+00:00",
        clock_epoch_ns=0,
        software_version=VERSION,
        tracker=TrackerInfo(driver=driver, model=model, rate_hz=rate_hz or measured_rate_hz(samples.time_ns)),
        display=display,
        annotator=annotator,
        settings={"imported_from": path.name, **(settings or {})},
    )
    record = SessionRecord(
        header,
        samples,
        markers=tuple(markers),
        online_fixations=_as_online(fixations),
        validations=validations,
        ending="imported",
    )
    return FoundSession(name or path.stem, record, names, fixations)


def _as_online(fixations: Fixations | None) -> tuple[OnlineFixation, ...]:
    # What the other program found is kept where our own recordings keep what was found while they ran.
    if fixations is None:
        return ()
    return tuple(
        OnlineFixation(
            number=i + 1,
            phase="end",
            time_ns=int(fixations.offset_ns[i]),
            onset_ns=int(fixations.onset_ns[i]),
            offset_ns=int(fixations.offset_ns[i]),
            centre_norm=(float(fixations.centre_norm[i, 0]), float(fixations.centre_norm[i, 1])),
        )
        for i in range(len(fixations))
    )


def measured_rate_hz(time_ns: NDArray[np.int64]) -> float:
    """Samples per second by the median interval; 0 where there are too few."""
    intervals = np.diff(time_ns)
    intervals = intervals[intervals > 0]
    return round(1e9 / float(np.median(intervals)), 3) if len(intervals) else 0.0


def fixations_on_display(
    onset_ns: NDArray[np.int64],
    offset_ns: NDArray[np.int64],
    centre_norm: Float,
    time_ns: NDArray[np.int64],
    *,
    pupil_mm: Float | None = None,
) -> Fixations:
    """Fixations that another program found, tied to the samples by time."""
    order = np.argsort(onset_ns, kind="stable")
    onset, offset = onset_ns[order], offset_ns[order]
    n = len(onset)
    first = np.searchsorted(time_ns, onset, side="left")
    last = np.maximum(np.searchsorted(time_ns, offset, side="right") - 1, first)
    return Fixations(
        first=first.astype(np.int64),
        last=last.astype(np.int64),
        onset_ns=onset,
        offset_ns=offset,
        centre_norm=centre_norm[order],
        dispersion_deg=np.full(n, np.nan),
        pupil_mm=np.full(n, np.nan) if pupil_mm is None else pupil_mm[order],
    )


def checked_samples(path: Path, table: SampleTable, size_px: tuple[int, int]) -> GazeSamples:
    """The samples of a file.

    Raises:
        BadFileError: no samples, or times that fall.
    """
    if len(table.time_ns) == 0:
        raise BadFileError(f"{path} holds no gaze samples.", "Export the recording with its gaze data.")
    try:
        return table.samples(size_px)
    except ValueError as problem:
        raise BadFileError(f"{path} is not in order: {problem}.", "Export the recording again, by time.") from problem
