"""Dumps of what a tobii_research callback delivered: one record per row, tuples in cells, `(nan, nan)` for nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.display import Display
from domain.errors import BadFileError
from domain.events import CancelToken, OnProgress, Progress
from processing.foreign_gaze import SampleTable, checked_samples, make_session
from processing.importer import ImportOptions, ImportPlan, importers
from processing.table_text import Table, read_table

_NEEDED = ("device_time_stamp", "left_gaze_point_on_display_area", "right_gaze_point_on_display_area")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf)")


class TobiiResearchImporter:
    """Reads a table whose columns are the SDK's own names."""

    title = "tobii_research dump (.csv with the SDK's names)"
    kind: Literal["images", "gaze"] = "gaze"

    def scan(
        self, source: Path, options: ImportOptions, *, on_progress: OnProgress, cancel: CancelToken | None
    ) -> ImportPlan:
        """One session per file. The screen is not told; 1920 x 1080 pixels at 96 dpi are assumed unless said."""
        table = read_table(source)
        table.need(_NEEDED)
        on_progress(Progress(0, 1, source.name))
        table, is_torn = _without_torn_end(table)
        size_px = screen_option(options)
        device = table.numbers("device_time_stamp").astype(np.int64)
        n = table.n_rows
        gaze = _vectors(table, "{}_gaze_point_on_display_area", 2)
        shape = (n, 2, 3)
        samples = checked_samples(
            source,
            SampleTable(
                time_ns=device * 1000,
                device_us=device,
                gaze_px=gaze * np.asarray(size_px, np.float64),
                pupil_mm=_scalars(table, "{}_pupil_diameter"),
                is_valid=_flags(table, "{}_gaze_point_validity"),
                origin_mm=_vectors(table, "{}_gaze_origin_in_user_coordinate_system", 3).reshape(shape),
                gaze_mm=_vectors(table, "{}_gaze_point_in_user_coordinate_system", 3).reshape(shape),
                system_us=table.numbers("system_time_stamp").astype(np.int64)
                if "system_time_stamp" in table.columns
                else np.zeros(0, np.int64),
            ),
            size_px,
        )
        display, is_assumed = _display(samples.gaze_norm, samples.gaze_mm, samples.origin_mm, size_px)
        on_progress(Progress(1, 1))
        session = make_session(
            source,
            samples,
            driver="tobii_research dump",
            display=display,
            pictures=[],
            annotator=options.annotator,
            settings={"screen_size_is_assumed": is_assumed, "resolution_is_assumed": "screen" not in options.more},
        )
        warnings = []
        if is_torn:
            warnings.append(f"The last line of {source.name} is cut off and was left out.")
        if "screen" not in options.more:
            warnings.append("The screen's resolution is not told; 1920 x 1080 is assumed (--setting screen=WxH).")
        return ImportPlan(sessions=(session,), warnings=tuple(warnings))


importers.register("tobii-research")(TobiiResearchImporter())


def _without_torn_end(table: Table) -> tuple[Table, bool]:
    # A dump ends where the program was stopped, often in the middle of a line.
    if table.n_rows == 0 or table.columns["device_time_stamp"][-1].strip():
        return table, False
    columns = {name: cells[:-1] for name, cells in table.columns.items()}
    return Table(table.path, columns, table.n_rows - 1, table.delimiter), True


def screen_option(options: ImportOptions, default: tuple[int, int] = (1920, 1080)) -> tuple[int, int]:
    """The screen's resolution from `--setting screen=1920x1080`."""
    text = options.more.get("screen", "")
    if not text:
        return default
    match = re.fullmatch(r"(\d{2,5})\s*x\s*(\d{2,5})", text)
    if not match:
        raise BadFileError(f"{text!r} is no resolution.", "Example: --setting screen=1920x1080")
    return int(match.group(1)), int(match.group(2))


def _vectors(table: Table, name: str, length: int) -> NDArray[np.float64]:
    out = np.full((table.n_rows, 2, length), np.nan)
    for eye, side in enumerate(("left", "right")):
        column = name.format(side)
        for row, cell in enumerate(table.columns.get(column, [])):
            numbers = _NUMBER.findall(cell)
            if cell.strip() and len(numbers) != length:
                raise table.wrong_cell(row, column, f"holds {cell[:40]!r}, {length} numbers are needed")
            if numbers:
                out[row, eye] = [float(number) for number in numbers]
    return out


def _scalars(table: Table, name: str) -> NDArray[np.float64]:
    columns = [
        table.numbers(name.format(side), may_be_empty=True)
        if name.format(side) in table.columns
        else np.full(table.n_rows, np.nan)
        for side in ("left", "right")
    ]
    return np.column_stack(columns)


def _flags(table: Table, name: str) -> NDArray[np.bool_]:
    columns = [
        [cell.strip() in ("1", "1.0", "True", "true") for cell in table.columns[name.format(side)]]
        if name.format(side) in table.columns
        else [True] * table.n_rows
        for side in ("left", "right")
    ]
    return np.array(columns, np.bool_).T.reshape(-1, 2)


def _display(
    gaze_norm: NDArray[np.float64],
    gaze_mm: NDArray[np.float64],
    origin_mm: NDArray[np.float64],
    size_px: tuple[int, int],
) -> tuple[Display, bool]:
    # A straight line from display area to millimetres gives the sides; the tilt of the screen is in y and z together.
    flat_norm, flat_mm = gaze_norm.reshape(-1, 2), gaze_mm.reshape(-1, 3)
    keep = np.isfinite(flat_norm).all(axis=1) & np.isfinite(flat_mm).all(axis=1)
    distances = np.linalg.norm(origin_mm - gaze_mm, axis=2)
    finite = distances[np.isfinite(distances)]
    distance = float(np.median(finite)) if len(finite) else 650.0
    if keep.sum() > 20 and min(np.ptp(flat_norm[keep], axis=0)) > 0.02:
        design = np.column_stack([flat_norm[keep], np.ones(int(keep.sum()))])
        sides, *_ = np.linalg.lstsq(design, flat_mm[keep], rcond=None)
        width, height = float(np.linalg.norm(sides[0])), float(np.linalg.norm(sides[1]))
        if 50 < width < 3000 and 50 < height < 3000:
            return Display(size_px, (width, height), distance_mm=distance), False
    return Display(size_px, (size_px[0] * 25.4 / 96, size_px[1] * 25.4 / 96), distance_mm=distance), True
