"""Fixation reports of EyeLink Data Viewer: fixations in pixels, by session and trial; no samples."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.display import Display
from domain.errors import BadFileError
from domain.events import CancelToken, OnProgress, Progress
from domain.gaze import GazeSamples
from processing.foreign_gaze import ShownPicture, assumed_screen, fixations_on_display, make_session
from processing.importer import FoundSession, ImportOptions, ImportPlan, importers
from processing.importers.tobii_research import screen_option
from processing.table_text import Table, read_table

_NEEDED = ("RECORDING_SESSION_LABEL", "TRIAL_INDEX", "CURRENT_FIX_X", "CURRENT_FIX_Y", "CURRENT_FIX_DURATION")
_PICTURE_COLUMNS = ("IMAGE", "image", "IMAGE_NAME", "image_name", "stimulus", "page_name")
_PAUSE_NS = 1_000_000_000
LONGEST_MS = 86_400_000.0
"""A fixation of a day is a damaged number."""
LATEST_MS = 1e11
"""Three years on the tracker's clock: nanoseconds still fit into 64 bits."""


class DataViewerImporter:
    """One session per recording session label; a trial's fixations follow each other where starts are not told."""

    title = "EyeLink Data Viewer fixation report (.csv, .txt)"
    kind: Literal["images", "gaze"] = "gaze"

    def scan(
        self, source: Path, options: ImportOptions, *, on_progress: OnProgress, cancel: CancelToken | None
    ) -> ImportPlan:
        """All fixations of the report. `screen=1920x1080` and `image=COLUMN` may be said as settings."""
        table = read_table(source)
        table.need(_NEEDED)
        if table.n_rows == 0:
            raise BadFileError(f"{source} has a header but no rows.", "Export the report again.")
        on_progress(Progress(0, 1, source.name))
        xy = np.column_stack([table.numbers(name, may_be_empty=True) for name in _NEEDED[2:4]])
        duration = table.numbers("CURRENT_FIX_DURATION")
        is_length = (duration > 0) & (duration < LONGEST_MS)
        _refuse(table, "CURRENT_FIX_DURATION", ~is_length, "is not above 0 and below a day")
        has_start = "CURRENT_FIX_START" in table.columns
        start = table.numbers("CURRENT_FIX_START") if has_start else np.zeros(table.n_rows)
        _refuse(table, "CURRENT_FIX_START", ~(np.abs(start) < LATEST_MS), "is not a time in milliseconds")
        size_px = screen_option(options, _smallest_screen(xy))
        column = options.more.get("image", "") or next((n for n in _PICTURE_COLUMNS if n in table.columns), "")
        if column and column not in table.columns:
            table.need([column])
        sessions = _sessions(table, xy, duration, start if has_start else None, size_px, column, options)
        warnings = ["A fixation report has no samples; the sessions hold fixations only."]
        if not has_start:
            warnings.append("CURRENT_FIX_START is not in the report; fixations are put one after the other.")
        if "screen" not in options.more:
            warnings.append(f"The screen is not told; {size_px[0]} x {size_px[1]} is assumed (--setting screen=WxH).")
        on_progress(Progress(1, 1))
        return ImportPlan(sessions=tuple(sessions), warnings=tuple(warnings))


importers.register("data-viewer")(DataViewerImporter())


def _refuse(table: Table, name: str, is_bad: NDArray[np.bool_], what: str) -> None:
    if is_bad.any():
        raise table.wrong_cell(int(np.flatnonzero(is_bad)[0]), name, what)


def _smallest_screen(xy: np.typing.NDArray[np.float64]) -> tuple[int, int]:
    known = ((1024, 768), (1280, 1024), (1680, 1050), (1920, 1080), (1920, 1200), (2560, 1440), (3840, 2160))
    with np.errstate(invalid="ignore"):
        for size in known:
            if np.nanmean((xy[:, 0] < size[0]) & (xy[:, 1] < size[1])) >= 0.99:
                return size
    return known[-1]


def _sessions(
    table: Table,
    xy: np.typing.NDArray[np.float64],
    duration: np.typing.NDArray[np.float64],
    start: np.typing.NDArray[np.float64] | None,
    size_px: tuple[int, int],
    column: str,
    options: ImportOptions,
) -> list[FoundSession]:
    labels, trials = table.columns["RECORDING_SESSION_LABEL"], table.columns["TRIAL_INDEX"]
    grouped: dict[str, dict[tuple[str, str], list[int]]] = {}
    for row, (label, trial) in enumerate(zip(labels, trials, strict=True)):
        picture = table.columns[column][row] if column else f"trial {trial}"
        grouped.setdefault(label, {}).setdefault((trial, picture), []).append(row)
    sessions = []
    for label, by_trial in grouped.items():
        clock_ns, pictures = 0, []
        onsets: list[int] = []
        rows_in_order: list[int] = []
        for (_trial, picture), rows in by_trial.items():
            begun, place = clock_ns, 0.0
            for row in rows:
                onset_ms = start[row] if start is not None else place
                onsets.append(begun + round(float(onset_ms) * 1e6))
                place = float(onset_ms) + float(duration[row])
                rows_in_order.append(row)
            end = begun + round(place * 1e6)
            pictures.append(ShownPicture(picture, begun, end))
            clock_ns = end + _PAUSE_NS
        onset_ns = np.array(onsets, np.int64)
        offset_ns = onset_ns + np.rint(duration[rows_in_order] * 1e6).astype(np.int64)
        centre = xy[rows_in_order] / np.asarray(size_px, np.float64)
        fixations = fixations_on_display(onset_ns, offset_ns, centre, np.zeros(0, np.int64))
        sessions.append(
            make_session(
                table.path,
                GazeSamples.empty(),
                driver="eyelink data viewer",
                model="EyeLink",
                display=Display(size_px, assumed_screen(size_px).size_mm),
                pictures=pictures,
                annotator=options.annotator or label,
                fixations=fixations,
                settings={"screen_size_is_assumed": True, "fixations_only": True},
                name=f"{table.path.stem}-{label}",
            )
        )
    return sessions
