"""A study of 10 000 images, 200 sessions and 5 annotators (all generated), and how long people wait in it.

python -m benchmarks.scale
python -m benchmarks.scale --quick     a twentieth of it
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from acquisition.finalise import recover_all
from benchmarks.fault_cases import SIZE, blob, frame, trial
from domain.display import Display
from domain.gaze import SAMPLE_RECORD, GazeSamples
from domain.markers import IMAGE_OFFSET, IMAGE_ONSET, Marker, view_as_json
from domain.session import SessionHeader, SessionRecord, TrackerInfo
from domain.study import Protocol, Role, StudyImage, StudySettings, Target
from domain.trial import TrialRecord
from domain.view import ImageView
from storage.audit_log import first_break
from storage.picture_write import write_png
from storage.session_file import read_session, write_session
from storage.study import Study
from workflows.worklist import make_worklist

ANNOTATORS = ("anna", "ben", "carla", "dan", "eva")
N_PICTURES = 50
"""Different pictures; the other files are copies, as the catalog does not look into them."""
SECONDS_PER_IMAGE = 5.0
RATE_HZ = 60.0


def timed(what: Callable[[], object], times: int = 1) -> tuple[float, object]:
    """Median seconds, and the last result."""
    took = []
    result: object = None
    for _ in range(times):
        started = time.perf_counter()
        result = what()
        took.append(time.perf_counter() - started)
    return float(np.median(took)), result


def make_study(folder: Path, n_images: int, n_sessions: int) -> None:
    """Images, people, sessions with their trials; everything generated, the gaze simulated."""
    settings = StudySettings(
        "scale", targets=(Target("polyp"),), protocol=Protocol(reads_per_image=2), is_simulated=True
    )
    with Study.create(folder, settings) as study:
        for number in range(min(N_PICTURES, n_images)):
            write_png(folder / "images" / f"picture-{number:05d}.png", frame(number))
        for number in range(N_PICTURES, n_images):
            source = folder / "images" / f"picture-{number % N_PICTURES:05d}.png"
            shutil.copyfile(source, folder / "images" / f"picture-{number:05d}.png")
        study.add_images(
            [
                StudyImage(
                    f"picture-{number:05d}", f"images/picture-{number:05d}.png", SIZE, sha256=f"{number:064x}",
                    case=f"case-{number // 10:04d}",
                )
                for number in range(n_images)
            ]
        )  # fmt: skip
        for name in ANNOTATORS:
            study.add_annotator(name, Role.ANNOTATOR)
        per_session = n_images // n_sessions
        for number in range(n_sessions):
            annotator = ANNOTATORS[number % len(ANNOTATORS)]
            names = [f"picture-{i:05d}" for i in range(number * per_session, (number + 1) * per_session)]
            path = folder / "sessions" / f"sitting-{number:03d}.h5"
            write_session(path, session(names, annotator))
            study.add_import([], [read(number, name, annotator, path.name) for name in names])


def read(number: int, image_id: str, annotator: str, session_file: str) -> TrialRecord:
    made = trial(number, image_id)
    return replace(
        made, trial_id=f"{image_id}-{annotator}", annotator=annotator, session_file=f"sessions/{session_file}"
    )


def session(names: list[str], annotator: str) -> SessionRecord:
    """One sitting in which each image was shown for five seconds."""
    n = round(len(names) * SECONDS_PER_IMAGE * RATE_HZ)
    rows = np.zeros(n, SAMPLE_RECORD)
    rows["seq"] = np.arange(n)
    rows["time_ns"] = np.round(np.arange(n) * 1e9 / RATE_HZ)
    rng = np.random.default_rng(n)
    rows["gaze_norm"] = 0.5 + 0.1 * rng.standard_normal((n, 2, 2))
    rows["gaze_valid"] = 1
    display = Display((1920, 1080), (527.0, 296.0))
    view = view_as_json(ImageView.fitted(SIZE, display.size_px))
    markers = []
    for number, name in enumerate(names):
        start = round(number * SECONDS_PER_IMAGE * 1e9)
        payload = {"trial_id": f"{name}-{annotator}", "image_id": name}
        markers.append(Marker(IMAGE_ONSET, {**payload, "view": view}, submitted_ns=start))
        end = start + round((SECONDS_PER_IMAGE - 0.1) * 1e9)
        markers.append(Marker(IMAGE_OFFSET, {"trial_id": payload["trial_id"]}, submitted_ns=end))
    tracker = TrackerInfo("simulated", rate_hz=RATE_HZ, is_simulated=True)
    header = SessionHeader("scale", "2026-01-01T00:00:00+00:00", 0, "0", tracker, display, annotator=annotator)
    return SessionRecord(header, GazeSamples.from_records(rows), tuple(markers))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="500 images and 10 sessions")
    chosen = parser.parse_args()
    n_images, n_sessions = (500, 10) if chosen.quick else (10_000, 200)
    missed = 0

    def tell(name: str, value: float, target: float, unit: str = "s") -> None:
        nonlocal missed
        missed += value > target
        print(f"{name:<52} {value:>9.3f} {unit:<3} {target:>7g}  {'PASS' if value <= target else 'MISS'}", flush=True)

    with tempfile.TemporaryDirectory(prefix="sightline-scale-", ignore_cleanup_errors=True) as folder:
        place = Path(folder) / "study"
        made_s, _ = timed(lambda: make_study(place, n_images, n_sessions))
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        print(f"made {n_images} images and {n_sessions} sessions in {made_s:.0f} s, {size / 1e6:.0f} MB")
        print(f"{'figure':<52} {'measured':>9}     {'target':>7}")
        tell("open the study", timed(lambda: Study.open(place).close(), 5)[0], 2.0)
        with Study.open(place, actor="anna") as study:
            tell("list all images", timed(study.images, 5)[0], 1.0)
            tell("search the images", timed(lambda: study.images(search="0042"), 5)[0], 1.0)
            tell(
                "worklist of one annotator",
                timed(lambda: make_worklist(study, "anna", "polyp", role=Role.ANNOTATOR), 3)[0],
                2.0,
            )
            tell("next unfinished image", timed(lambda: study.next_unfinished("anna", "polyp"), 5)[0], 0.5)
            tell("all newest trials", timed(lambda: study.trials(newest_only=True), 3)[0], 5.0)
            took = []
            for number in range(100):
                image_id = f"picture-{number:05d}"
                record = replace(trial(number, image_id), trial_id=f"new-{number}", annotator="eva")
                took.append(timed(lambda record=record: study.save_trial(record))[0])
            tell("save a trial, p95", float(np.percentile(took, 95)), 0.1)
            took = [
                timed(lambda i=i: study.save_mask(f"picture-{i:05d}", "eva", "polyp", blob(i), origin="gaze"))[0]
                for i in range(100)
            ]
            tell("save a mask, p95", float(np.percentile(took, 95)), 0.2)
            tell("verify the audit log", timed(lambda: first_break(study.audit_entries()))[0], 10.0)
        tell("read one session", timed(lambda: read_session(place / "sessions" / "sitting-000.h5"), 5)[0], 1.0)
        tell("look for journals to recover", timed(lambda: recover_all(place / "sessions"), 5)[0], 0.5)
        tell("memory of this process", psutil.Process().memory_info().rss / 1e6, 1500.0, "MB")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
