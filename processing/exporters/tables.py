"""Fixations, samples, times and quality as CSV or Parquet, for statistics programs."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import MissingPackageError, UserFacingError
from processing.export_source import ExportSource
from processing.exporter import ExportItem, Finding, exporters
from storage.session_file import read_session

Columns = dict[str, list[Any]]  # cells of a table are text, numbers or nothing


class TablesExporter:
    """`trials`, `fixations` and, where sessions are there, `samples` and `masks`."""

    title = "Tables (trials with times and quality, fixations, samples) as CSV or Parquet"
    settings: Mapping[str, str] = {"kind": "csv (default) or parquet", "samples": "yes (default) or no"}
    needs_masks = False

    def preflight(self, source: ExportSource) -> list[Finding]:
        """Reads whose samples are not there."""
        without = tuple(sorted({trial.image_id for trial in source.all_reads if not trial.session_file}))
        if not without:
            return []
        text = f"Reads of {len(without)} images came without samples (imported fixations); samples leaves them out."
        return [Finding("note", "no samples", text, without)]

    def items(self, source: ExportSource) -> list[ExportItem]:
        """The tables."""
        kind = source.options.more.get("kind", "csv")
        if kind not in ("csv", "parquet"):
            raise UserFacingError(f"There is no kind {kind!r}.", "Known: csv, parquet.")
        write = write_csv if kind == "csv" else write_parquet
        tables: list[tuple[str, Callable[[ExportSource], Columns]]] = [("trials", _trials), ("fixations", _fixations)]
        if source.options.more.get("samples", "yes") == "yes":
            tables.append(("samples", _samples))
        return [ExportItem.one(f"{name}.{kind}", _writer(source, make, write)) for name, make in tables]


exporters.register("tables")(TablesExporter())


def _writer(
    source: ExportSource, make: Callable[[ExportSource], Columns], write: Callable[[Path, Columns], None]
) -> Callable[[Path], None]:
    return lambda target: write(target, make(source))


def write_csv(target: Path, columns: Columns) -> None:
    """A table with a header; what is missing is empty."""
    with target.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow(["" if _is_missing(cell) else cell for cell in row])


def write_parquet(target: Path, columns: Columns) -> None:
    """The same table with types."""
    try:
        arrow: Any = importlib.import_module("pyarrow")  # an optional package
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as problem:
        raise MissingPackageError(
            "Parquet needs the package pyarrow.", "Install it with: pip install 'sightline[exports]'"
        ) from problem
    table = arrow.table({n: [None if _is_missing(c) else c for c in cells] for n, cells in columns.items()})
    parquet.write_table(table, target)


def _is_missing(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and bool(np.isnan(cell)))


def _trials(source: ExportSource) -> Columns:
    rows = []
    for trial in source.all_reads:
        quality = trial.quality
        is_measured = quality.n_samples > 0
        rows.append(
            {
                "trial_id": trial.trial_id,
                "image_id": trial.image_id,
                "annotator": trial.annotator,
                "target": trial.target,
                "outcome": trial.outcome.value,
                "status": trial.status.value,
                "is_simulated": trial.is_simulated,
                "duration_s": trial.duration_s,
                "active_s": quality.active_s if is_measured else None,
                "n_fixations": len(trial.fixations),
                "n_samples": quality.n_samples,
                "loss": quality.loss if is_measured else None,
                "longest_gap_s": quality.longest_gap_s if is_measured else None,
                "rate_hz": quality.rate_hz or None,
                "drift_deg": quality.drift_deg,
                "precision_deg": quality.precision_deg,
                "instruction_version": trial.instruction_version,
                "warnings": "; ".join(quality.warnings),
                "session_file": trial.session_file,
            }
        )
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {"trial_id": []}


def _fixations(source: ExportSource) -> Columns:
    columns: Columns = {
        name: []
        for name in [
            "trial_id",
            "image_id",
            "annotator",
            "target",
            "index",
            "x_norm",
            "y_norm",
            "x_px",
            "y_px",
            "duration_ms",
            "start_ms",
            "pupil",
            "is_simulated",
        ]
    }
    sizes = {image.image_id: image.size for image in source.study.images()}
    for trial in source.all_reads:
        fixations, (width, height) = trial.fixations, sizes[trial.image_id]
        n = len(fixations)
        for name in ("trial_id", "image_id", "annotator", "target", "is_simulated"):
            columns[name] += [getattr(trial, name)] * n
        columns["index"] += list(range(1, n + 1))
        columns["x_norm"] += fixations.xy_norm[:, 0].tolist()
        columns["y_norm"] += fixations.xy_norm[:, 1].tolist()
        columns["x_px"] += (fixations.xy_norm[:, 0] * width).tolist()
        columns["y_px"] += (fixations.xy_norm[:, 1] * height).tolist()
        columns["duration_ms"] += fixations.duration_ms.tolist()
        columns["start_ms"] += fixations.start_ms.tolist()
        columns["pupil"] += fixations.pupil.tolist()
    return columns


def _samples(source: ExportSource) -> Columns:
    columns: Columns = {name: [] for name in ("session_file", "seq", "time_ns", "device_us", "segment")}
    for eye in ("left", "right"):
        for name in ("x_norm", "y_norm", "valid", "pupil_mm"):
            columns[f"{eye}_{name}"] = []
    for session_file in sorted({trial.session_file for trial in source.all_reads if trial.session_file}):
        if source.cancel is not None:
            source.cancel.raise_if_cancelled()
        samples = read_session(source.study.absolute(session_file)).samples
        columns["session_file"] += [session_file] * len(samples)
        for name in ("seq", "time_ns", "device_us", "segment"):
            columns[name] += getattr(samples, name).tolist()
        for number, eye in enumerate(("left", "right")):
            columns[f"{eye}_x_norm"] += samples.gaze_norm[:, number, 0].tolist()
            columns[f"{eye}_y_norm"] += samples.gaze_norm[:, number, 1].tolist()
            columns[f"{eye}_valid"] += samples.gaze_valid[:, number].tolist()
            columns[f"{eye}_pupil_mm"] += samples.pupil_mm[:, number].tolist()
    return columns
