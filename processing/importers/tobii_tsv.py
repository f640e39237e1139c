"""Exports of Tobii Pro Lab and Tobii Studio: tab-separated, with mouse rows, unit suffixes and decimal commas."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.display import Display
from domain.errors import BadFileError
from domain.events import CancelToken, OnProgress, Progress
from domain.fixations import Fixations
from domain.view import ImageView
from processing.foreign_gaze import (
    SampleTable,
    ShownPicture,
    checked_samples,
    fit_screen,
    fixations_on_display,
    make_session,
    measured_rate_hz,
)
from processing.importer import FoundSession, ImportOptions, ImportPlan, importers
from processing.table_text import Table, read_table

USUAL_DISTANCE_MM = 650.0

# What each program calls the columns; {side} is left or right. In brackets behind a name stand unit and frame.
_NAMES = {
    "pro lab": {
        "time": ("Eyetracker timestamp",),
        "clock": ("Recording timestamp",),
        "gaze": ("Gaze point {side} X", "Gaze point {side} Y"),
        "origin": ("Eye position {side} X", "Eye position {side} Y", "Eye position {side} Z"),
        "pupil": ("Pupil diameter {side}",),
        "openness": ("Eye openness {side}",),
        "validity": ("Validity {side}",),
        "movement": ("Eye movement type", "Eye movement event duration", "Eye movement type index"),
        "fixation": ("Fixation point X", "Fixation point Y"),
        "media": ("Presented Media name", "Presented Media width", "Presented Media height"),
        "place": ("Presented Media position X", "Presented Media position Y"),
        "original": ("Original Media width", "Original Media height"),
        "recording": ("Recording name", "Participant name"),
    },
    "studio": {
        "time": ("EyeTrackerTimestamp",),
        "clock": ("RecordingTimestamp",),
        "gaze": ("GazePoint{Side}X", "GazePoint{Side}Y"),
        "origin": ("EyePos{Side}X", "EyePos{Side}Y", "EyePos{Side}Z"),
        "pupil": ("Pupil{Side}",),
        "openness": ("",),
        "validity": ("Validity{Side}",),
        "movement": ("GazeEventType", "GazeEventDuration", "FixationIndex"),
        "fixation": ("", ""),
        "media": ("MediaName", "MediaWidth", "MediaHeight"),
        "place": ("MediaPosX", "MediaPosY"),
        "original": ("", ""),
        "recording": ("RecordingName", "ParticipantName"),
    },
}


class TobiiTsvImporter:
    """Reads one exported table; several recordings in it become several sessions."""

    title = "Tobii Pro Lab or Tobii Studio export (.tsv)"
    kind: Literal["images", "gaze"] = "gaze"

    def scan(
        self, source: Path, options: ImportOptions, *, on_progress: OnProgress, cancel: CancelToken | None
    ) -> ImportPlan:
        """One session per recording in the table, or in each table of a folder."""
        files = sorted(source.glob("*.tsv")) if source.is_dir() else [source]
        if not files:
            raise BadFileError(f"{source} holds no .tsv files.", "Choose an export of Tobii Pro Lab or Tobii Studio.")
        sessions: list[FoundSession] = []
        for number, path in enumerate(files):
            if cancel is not None:
                cancel.raise_if_cancelled()
            on_progress(Progress(number, len(files), path.name))
            sessions += _sessions_in(path, options)
        on_progress(Progress(len(files), len(files)))
        assumed = [s.name for s in sessions if s.record.header.settings.get("screen_size_is_assumed")]
        warnings = (f"{len(assumed)} recordings do not tell the screen's size; 96 dpi is assumed.",) if assumed else ()
        return ImportPlan(sessions=tuple(sessions), warnings=warnings)


importers.register("tobii-tsv")(TobiiTsvImporter())


def _sessions_in(path: Path, options: ImportOptions) -> list[FoundSession]:
    table = read_table(path, delimiter="\t")
    program = "studio" if _find(table, "EyeTrackerTimestamp") or _find(table, "GazeEventType") else "pro lab"
    names = _NAMES[program]
    time_column = _find(table, names["time"][0])
    if not time_column or not _find(table, names["gaze"][0].format(side="left", Side="Left"), "px"):
        table.need([names["time"][0], names["gaze"][0].format(side="left", Side="Left")])
    keys = [table.columns[c] for n in names["recording"] if (c := _find(table, n))]
    rows_of: dict[tuple[str, ...], list[int]] = {}
    has_time = [bool(cell.strip()) for cell in table.columns[time_column]]
    for row in range(table.n_rows):
        rows_of.setdefault(tuple(column[row] for column in keys), []).append(row)
    sessions = []
    for key, rows in rows_of.items():
        gaze_rows = np.array([row for row in rows if has_time[row]], np.int64)
        if len(gaze_rows) == 0 and len(rows_of) > 1:
            continue
        label = f"{path.stem}-{'-'.join(key)}" if len(rows_of) > 1 else path.stem
        sessions.append(_Recording(table, program, np.array(rows), gaze_rows).session(label, options))
    if not sessions:
        raise BadFileError(f"{path} holds no gaze samples.", "Export the recording with its gaze data.")
    return sessions


class _Recording:
    """The rows of one recording."""

    def __init__(self, table: Table, program: str, all_rows: NDArray[np.int64], gaze_rows: NDArray[np.int64]) -> None:
        self._table, self._names = table, _NAMES[program]
        self._program, self._all, self._rows = program, all_rows, gaze_rows

    def session(self, label: str, options: ImportOptions) -> FoundSession:
        """The recording as a session."""
        path, size_px = self._table.path, self._screen_px()
        device_us = self._numbers(self._names["time"][0])
        if not np.isfinite(device_us).all():
            raise BadFileError(f"{path}: a time of the eye tracker is no number.", "Export the recording again.")
        device = np.rint(device_us * self._microseconds()).astype(np.int64)
        gaze_px = self._eyes(self._names["gaze"], "px")
        gaze_file_mm = self._eyes(self._names["gaze"], "mm")
        fit = fit_screen(gaze_px.reshape(-1, 2), gaze_file_mm.reshape(-1, 2), size_px)
        origin_file_mm = self._eyes(self._names["origin"], "mm")
        gaze_mm = np.concatenate([fit.to_ucs(gaze_file_mm), np.zeros((len(device), 2, 1))], axis=2)
        gaze_mm[~np.isfinite(gaze_file_mm).all(axis=2)] = np.nan
        samples = checked_samples(
            path,
            SampleTable(
                time_ns=device * 1000,
                device_us=device,
                gaze_px=gaze_px,
                pupil_mm=self._eyes(self._names["pupil"], "")[:, :, 0],
                is_valid=self._validity(),
                origin_mm=fit.to_ucs(origin_file_mm),
                gaze_mm=gaze_mm,
                openness_mm=self._eyes(self._names["openness"], "")[:, :, 0] if self._names["openness"][0] else None,
            ),
            size_px,
        )
        distances = origin_file_mm[:, :, 2][np.isfinite(origin_file_mm[:, :, 2]) & (origin_file_mm[:, :, 2] > 0)]
        display = Display(
            size_px=size_px,
            size_mm=fit.size_mm,
            distance_mm=float(np.median(distances)) if len(distances) else USUAL_DISTANCE_MM,
        )
        settings = {
            "program": f"Tobii {'Studio' if self._program == 'studio' else 'Pro Lab'} {self._version()}".strip(),
            "fixation_filter": self._first("Recording Fixation filter name") or self._first("FixationFilter"),
            "screen_size_is_assumed": fit.is_assumed,
        }
        return make_session(
            path,
            samples,
            driver="tobii export",
            display=display,
            pictures=self._pictures(device),
            annotator=options.annotator,
            created_utc=self._date(),
            rate_hz=measured_rate_hz(samples.time_ns),
            fixations=self._fixations(samples.time_ns, gaze_px, size_px),
            settings=settings,
            validations=self._validations(),
            name=label,
        )

    def _screen_px(self) -> tuple[int, int]:
        width, height = self._first("Recording resolution width"), self._first("Recording resolution height")
        if not width:
            match = re.match(r"\s*(\d+)\s*x\s*(\d+)", self._first("RecordingResolution"))
            width, height = match.groups() if match else ("", "")
        if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
            raise BadFileError(
                f"{self._table.path} does not tell the screen's resolution.",
                "Export with the columns of the recording's resolution.",
            )
        return int(width), int(height)

    def _eyes(self, names: tuple[str, ...], unit: str) -> NDArray[np.float64]:
        eyes = [
            np.column_stack([self._numbers(name.format(side=side, Side=side.title()), unit) for name in names])
            for side in ("left", "right")
        ]
        return np.stack(eyes, axis=1)

    def _validity(self) -> NDArray[np.bool_]:
        eyes = []
        for side in ("left", "right"):
            column = _find(self._table, self._names["validity"][0].format(side=side, Side=side.title()))
            cells = [self._table.columns[column][row] for row in self._rows] if column else ["Valid"] * len(self._rows)
            # Words in Pro Lab; in Studio codes from 0 (sure) to 4 (not found), of which 0 and 1 can be used.
            eyes.append([cell.strip() in ("Valid", "0", "1") for cell in cells])
        return np.array(eyes, np.bool_).T.reshape(-1, 2)

    def _pictures(self, device_us: NDArray[np.int64]) -> list[ShownPicture]:
        column = _find(self._table, self._names["media"][0])
        if not column:
            return []
        names = [self._table.columns[column][row].strip() for row in self._rows]
        found: list[ShownPicture] = []
        start = 0
        for row in range(1, len(names) + 1):
            if row == len(names) or names[row] != names[start]:
                if names[start]:
                    onset, offset = int(device_us[start]) * 1000, int(device_us[row - 1]) * 1000
                    found.append(ShownPicture(names[start], onset, offset, self._view(int(self._rows[start]))))
                start = row
        return found

    def _view(self, row: int) -> ImageView | None:
        values = [self._number_at(name, row) for name in (*self._names["place"], *self._names["media"][1:])]
        left, top, width, height = values
        if not np.isfinite(values).all() or width <= 0 or height <= 0:
            return None
        originals = [self._number_at(name, row) if name else np.nan for name in self._names["original"]]
        size = (originals[0], originals[1]) if np.isfinite(originals).all() and min(originals) > 0 else (width, height)
        return ImageView((round(size[0]), round(size[1])), (left, top), zoom=width / size[0])

    def _fixations(
        self, time_ns: NDArray[np.int64], gaze_px: NDArray[np.float64], size_px: tuple[int, int]
    ) -> Fixations | None:
        kind, duration, index = (_find(self._table, name) for name in self._names["movement"])
        if not (kind and duration and index):
            return None
        kinds = np.array([self._table.columns[kind][row].strip() for row in self._rows])
        indices = self._numbers(self._names["movement"][2])
        durations = self._numbers(self._names["movement"][1])
        x, y = (self._numbers(name, "px") if name else np.full(len(kinds), np.nan) for name in self._names["fixation"])
        onset, offset, centre = [], [], []
        for number in np.unique(indices[(kinds == "Fixation") & np.isfinite(indices)]):
            rows = np.flatnonzero((kinds == "Fixation") & (indices == number))
            onset.append(int(time_ns[rows[0]]))
            length_ms = durations[rows[0]] if np.isfinite(durations[rows[0]]) else 0.0
            offset.append(max(int(time_ns[rows[0]] + length_ms * 1e6), int(time_ns[rows[-1]])))
            told = np.array([x[rows[0]], y[rows[0]]])
            seen = gaze_px[rows].reshape(-1, 2)
            seen = seen[np.isfinite(seen).all(axis=1)]
            centre.append(told if np.isfinite(told).all() else seen.mean(axis=0) if len(seen) else told)
        if not onset:
            return None
        centre_norm = np.array(centre, np.float64) / np.asarray(size_px, np.float64)
        return fixations_on_display(np.array(onset, np.int64), np.array(offset, np.int64), centre_norm, time_ns)

    def _validations(self) -> tuple[dict[str, object], ...]:
        text = self._first("Average validation accuracy", "°").replace(",", ".")
        return ({"mean_deg": float(text), "source": "Tobii Pro Lab"},) if re.fullmatch(r"\d+(\.\d+)?", text) else ()

    def _date(self) -> str:
        date = self._first("Recording date UTC") or self._first("RecordingDate")
        clock = self._first("Recording start time UTC") or "00:00:00"
        for pattern in ("%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%d"):
            try:
                day = datetime.strptime(date, pattern).date().isoformat()
            except ValueError:
                continue
            return f"{day}T{clock if re.fullmatch(r'[0-9:.]+', clock) else '00:00:00'}+00:00"
        return ""

    def _version(self) -> str:
        return self._first("Recording software version") or self._first("StudioVersionRec")

    def _microseconds(self) -> float:
        column = _find(self._table, self._names["time"][0])
        return 1000.0 if "[ms]" in column else 1.0

    def _numbers(self, name: str, unit: str = "") -> NDArray[np.float64]:
        column = _find(self._table, name, unit)
        if not column:
            return np.full(len(self._rows), np.nan)
        part = Table(self._table.path, {column: [self._table.columns[column][r] for r in self._rows]}, 0, "\t")
        return part.numbers(column, may_be_empty=True)

    def _number_at(self, name: str, row: int) -> float:
        column = _find(self._table, name)
        if not column:
            return float("nan")
        part = Table(self._table.path, {column: [self._table.columns[column][row]]}, 1, "\t")
        return float(part.numbers(column, may_be_empty=True)[0])

    def _first(self, name: str, unit: str = "") -> str:
        column = _find(self._table, name, unit)
        cells = [self._table.columns[column][row].strip() for row in self._all[:50]] if column else []
        return next((cell for cell in cells if cell), "")


def _find(table: Table, name: str, unit: str = "") -> str:
    """The column of that name, whatever stands in brackets behind it; `unit` picks among several."""
    if not name:
        return ""
    for column in table.columns:
        plain, bracket, rest = column.replace("(", "[").partition("[")
        is_media_frame = "MCS" in rest
        is_unit = not unit or not bracket or unit in rest
        if plain.strip().lower() == name.lower() and not is_media_frame and is_unit:
            return column
    return ""
