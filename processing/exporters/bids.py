"""BIDS eye tracking 1.11: physio and physioevents per eye, with what the screen was.

Source: BIDS specification 1.11, eye tracking (BEP020); sidecar fields from its schema, rules/sidecars/continuous.yaml.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain.session import SessionRecord
from domain.trial import TrialRecord
from processing.export_pictures import picture_name, write_picture
from processing.export_source import ExportSource
from processing.exporter import ExportItem, Finding, exporters, text_item
from storage.session_file import read_session

_EYES = ("left", "right")


@dataclass(frozen=True)
class _Run:
    """One session of one annotator as one run."""

    subject: str
    task: str
    number: int
    session_file: str
    trials: tuple[TrialRecord, ...]

    @property
    def stem(self) -> str:
        """The beginning of its files' names."""
        return f"sub-{self.subject}/beh/sub-{self.subject}_task-{self.task}_run-{self.number}"


class BidsExporter:
    """One subject per annotator, one run per session; reads without samples have nothing that BIDS could hold."""

    title = "BIDS 1.11 eye tracking (physio, physioevents, events)"
    settings: Mapping[str, str] = {}
    needs_masks = False

    def preflight(self, source: ExportSource) -> list[Finding]:
        """Reads without samples."""
        without = tuple(sorted({trial.image_id for trial in source.all_reads if not trial.session_file}))
        if not without:
            return []
        text = f"Reads of {len(without)} images came without samples; BIDS needs samples, they are left out."
        return [Finding("warning", "no samples", text, without)]

    def items(self, source: ExportSource) -> list[ExportItem]:
        """Data set description, participants, stimuli and runs."""
        runs = _runs(source)
        subjects = _subjects(source)
        used = {trial.image_id for run in runs for trial in run.trials}
        description = {
            "Name": source.study.settings.name,
            "BIDSVersion": "1.11.0",
            "DatasetType": "raw",
            "GeneratedBy": [{"Name": "Sightline"}],
        }
        participants = "participant_id\n" + "".join(f"sub-{s}\n" for s in sorted(subjects.values()))
        items = [
            text_item("dataset_description.json", _json(description)),
            text_item("participants.tsv", participants),
            text_item("README", f"Eye tracking of the study {source.study.settings.name}, exported by Sightline.\n"),
        ]
        for image in source.images:
            if image.image_id in used:
                items.append(ExportItem.one(f"stimuli/{picture_name(image)}", write_picture(source, image)))
        for run in runs:
            paths = [f"{run.stem}_events.tsv", f"{run.stem}_events.json"]
            for number in (1, 2):
                base = f"{run.stem}_recording-eye{number}"
                paths += [f"{base}_physio.tsv.gz", f"{base}_physio.json"]
                paths += [f"{base}_physioevents.tsv.gz", f"{base}_physioevents.json"]
            items.append(ExportItem(tuple(paths), _run_writer(source, run)))
        return items


exporters.register("bids")(BidsExporter())


def _subjects(source: ExportSource) -> dict[str, str]:
    names = sorted({trial.annotator for trial in source.all_reads})
    return {
        name: re.sub(r"[^A-Za-z0-9]", "", name) + (f"x{n}" if re.search(r"[^A-Za-z0-9]", name) else "")
        for n, name in enumerate(names, start=1)
    }


def _runs(source: ExportSource) -> list[_Run]:
    grouped: dict[tuple[str, str, str], list[TrialRecord]] = defaultdict(list)
    for trial in source.all_reads:
        if trial.session_file:
            grouped[trial.annotator, trial.target, trial.session_file].append(trial)
    subjects = _subjects(source)
    counts: dict[tuple[str, str], int] = defaultdict(int)
    runs = []
    for (annotator, target, session_file), trials in sorted(grouped.items()):
        counts[annotator, target] += 1
        task = re.sub(r"[^A-Za-z0-9]", "", target) or "annotation"
        ordered = tuple(sorted(trials, key=lambda trial: trial.started_ns))
        runs.append(_Run(subjects[annotator], task, counts[annotator, target], session_file, ordered))
    return runs


def _run_writer(source: ExportSource, run: _Run) -> Callable[[Sequence[Path]], None]:
    names = {image.image_id: picture_name(image) for image in source.images}

    def write(targets: Sequence[Path]) -> None:
        session = read_session(source.study.absolute(run.session_file))
        origin_ns = int(session.samples.time_ns[0]) if len(session.samples) else 0
        _write_events(targets[0], targets[1], session, run, names, origin_ns)
        for eye, name in enumerate(_EYES):
            physio, physio_json, events, events_json = targets[2 + 4 * eye : 6 + 4 * eye]
            _write_physio(physio, physio_json, session, eye, name, origin_ns)
            _write_physio_events(events, events_json, run, origin_ns)

    return write


def _write_physio(table: Path, sidecar: Path, session: SessionRecord, eye: int, name: str, origin_ns: int) -> None:
    samples, display = session.samples, session.header.display
    xy = samples.gaze_norm[:, eye] * np.asarray(display.size_px, np.float64)
    seconds = (samples.time_ns - origin_ns) / 1e9
    lines = [
        "\t".join((f"{t:.6f}", _cell(x), _cell(y), _cell(p)))
        for t, (x, y), p in zip(seconds, xy, samples.pupil_mm[:, eye], strict=True)
    ]
    _write_gz(table, lines)
    intervals = np.diff(samples.time_ns)
    rate = session.header.tracker.rate_hz or (1e9 / float(np.median(intervals)) if len(intervals) else 0.0)
    facts: dict[str, object] = {
        "SamplingFrequency": rate,
        "StartTime": 0,
        "Columns": ["timestamp", "x_coordinate", "y_coordinate", "pupil_size"],
        "PhysioType": "eyetrack",
        "RecordedEye": name,
        "SampleCoordinateSystem": "gaze-on-screen",
        "Manufacturer": session.header.tracker.driver,
        "ManufacturersModelName": session.header.tracker.model,
        "DeviceSerialNumber": session.header.tracker.serial,
        "SoftwareVersions": session.header.software_version,
        "EyeTrackerDistance": session.header.display.distance_mm / 1000,
        "timestamp": {"Description": "Time since the first sample", "Units": "s"},
        "x_coordinate": {"Description": "Gaze from the left edge of the screen", "Units": "pixel"},
        "y_coordinate": {"Description": "Gaze from the upper edge of the screen", "Units": "pixel"},
        "pupil_size": {"Description": "Pupil diameter", "Units": "mm"},
    }
    errors = [e for v in session.validations for e in (v.get("mean_deg"),) if isinstance(e, (int, float))]
    if errors:
        facts["AverageCalibrationError"] = float(errors[-1])
    facts["CalibrationCount"] = len(session.calibrations)
    sidecar.write_text(_json(facts), encoding="utf-8")


def _write_physio_events(table: Path, sidecar: Path, run: _Run, origin_ns: int) -> None:
    lines = []
    for trial in run.trials:
        start_s = (trial.started_ns - origin_ns) / 1e9
        fixations = trial.fixations
        lines += [
            f"{start_s + begin / 1000:.6f}\t{duration / 1000:.6f}\tfixation\t0\t{trial.image_id}"
            for begin, duration in zip(fixations.start_ms, fixations.duration_ms, strict=True)
        ]
    _write_gz(table, sorted(lines, key=lambda line: float(line.split("\t")[0])))
    facts = {
        "Columns": ["onset", "duration", "trial_type", "blink", "message"],
        "OnsetSource": "timestamp",
        "Description": "Fixations on the images; message names the image.",
        "onset": {"Description": "Time since the first sample", "Units": "s"},
        "duration": {"Units": "s"},
    }
    sidecar.write_text(_json(facts), encoding="utf-8")


def _write_events(
    table: Path, sidecar: Path, session: SessionRecord, run: _Run, names: dict[str, str], origin_ns: int
) -> None:
    display = session.header.display
    rows = ["onset\tduration\ttrial_type\tstim_file"]
    for trial in run.trials:
        onset, duration = (trial.started_ns - origin_ns) / 1e9, trial.duration_s
        rows.append(f"{onset:.6f}\t{duration:.6f}\t{trial.outcome.value}\t{names.get(trial.image_id, 'n/a')}")
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    facts = {
        "StimulusPresentation": {
            "ScreenDistance": display.distance_mm / 1000,
            "ScreenOrigin": ["top", "left"],
            "ScreenResolution": list(display.size_px),
            "ScreenSize": [side / 1000 for side in display.size_mm],
            "SoftwareName": "Sightline",
        },
        "trial_type": {"Description": "What the annotator said: target, or no target"},
    }
    sidecar.write_text(_json(facts), encoding="utf-8")


def _write_gz(path: Path, lines: list[str]) -> None:
    content = io.BytesIO()
    # No time and name in the header: the same table gives the same file.
    with gzip.GzipFile(fileobj=content, mode="wb", mtime=0, filename="") as packed:
        packed.write("".join(f"{line}\n" for line in lines).encode())
    path.write_bytes(content.getvalue())


def _cell(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else "n/a"


def _json(values: object) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
