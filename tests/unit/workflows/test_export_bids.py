"""BIDS eye tracking from a real recording: file names, sidecars and numbers as the specification wants them."""

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from processing.exporter import ExportOptions
from processing.importer import ImportOptions
from storage.session_file import read_session
from storage.study import Study
from tests.real_data import real_data
from workflows.export_dataset import export
from workflows.import_images import import_into, import_to_folder, scan

# rules/sidecars/continuous.yaml (Physio and PhysioTypeEyeTracking) and rules/sidecars/beh.yaml of BIDS 1.11
REQUIRED = {"SamplingFrequency", "StartTime", "Columns", "PhysioType", "RecordedEye", "SampleCoordinateSystem"}
SCREEN = {"ScreenDistance", "ScreenOrigin", "ScreenResolution", "ScreenSize"}


@pytest.fixture
def exported(tmp_path: Path) -> tuple[Path, Study]:
    (tmp_path / "in").mkdir()
    Image.fromarray(np.zeros((865, 1110, 3), np.uint8)).save(tmp_path / "in" / "chimsky.png")
    import_to_folder("folder", tmp_path / "in", tmp_path / "s")
    study = Study.open(tmp_path / "s")
    path = real_data("tobii-pro-lab", "right-eye-300hz.tsv")
    import_into(study, scan("tobii-tsv", path, options=ImportOptions(annotator="P 01")))
    export(study, "bids", tmp_path / "out", ExportOptions(test_share=0.0))
    return tmp_path / "out", study


def test_that_files_are_named_as_the_specification_says(exported: tuple[Path, Study]) -> None:
    folder, _ = exported
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    pattern = re.compile(
        r"sub-([A-Za-z0-9]+)/beh/sub-\1_task-[A-Za-z0-9]+_run-\d+"
        r"(_events\.(tsv|json)|_recording-eye[12]_(physio|physioevents)\.(tsv\.gz|json))"
    )
    inside = [name for name in names if name.startswith("sub-")]
    assert len(inside) == 10
    assert all(pattern.fullmatch(name) for name in inside)
    assert {"dataset_description.json", "participants.tsv", "README", "stimuli/chimsky.png"} <= set(names)
    assert json.loads((folder / "dataset_description.json").read_text())["BIDSVersion"] == "1.11.0"


def test_that_sidecars_hold_what_the_schema_requires(exported: tuple[Path, Study]) -> None:
    folder, _ = exported
    for eye, name in (("1", "left"), ("2", "right")):
        facts = json.loads(next(folder.rglob(f"*recording-eye{eye}_physio.json")).read_text())
        assert set(facts) >= REQUIRED
        assert facts["Columns"][:3] == ["timestamp", "x_coordinate", "y_coordinate"]
        assert (facts["PhysioType"], facts["RecordedEye"]) == ("eyetrack", name)
        assert facts["SamplingFrequency"] == pytest.approx(300, abs=0.5)
        assert {"Units"} <= set(facts["x_coordinate"])
        assert "diameter" in facts["pupil_size"]["Description"]
        events = json.loads(next(folder.rglob(f"*recording-eye{eye}_physioevents.json")).read_text())
        assert events["Columns"][0] == "onset"
        assert events["OnsetSource"] == "timestamp"
    screen = json.loads(next(folder.rglob("*_events.json")).read_text())["StimulusPresentation"]
    assert set(screen) >= SCREEN
    assert screen["ScreenResolution"] == [1920, 1080]
    assert 0.4 < screen["ScreenSize"][0] < 0.7


def test_that_samples_have_no_header_and_equal_the_session(exported: tuple[Path, Study]) -> None:
    folder, study = exported
    samples = read_session(study.absolute(study.trials()[0].session_file)).samples
    rows = gzip.decompress(next(folder.rglob("*recording-eye2_physio.tsv.gz")).read_bytes()).decode().splitlines()
    assert len(rows) == len(samples)
    first = int(np.flatnonzero(samples.gaze_valid[:, 1])[0])
    time, x, y, pupil = rows[first].split("\t")
    assert float(time) == pytest.approx((samples.time_ns[first] - samples.time_ns[0]) / 1e9, abs=1e-6)
    assert float(x) == pytest.approx(samples.gaze_norm[first, 1, 0] * 1920, abs=1e-3)
    assert float(y) == pytest.approx(samples.gaze_norm[first, 1, 1] * 1080, abs=1e-3)
    assert float(pupil) == pytest.approx(samples.pupil_mm[first, 1], abs=1e-3)
    left = gzip.decompress(next(folder.rglob("*recording-eye1_physio.tsv.gz")).read_bytes()).decode().splitlines()
    assert all(row.split("\t")[1:3] == ["n/a", "n/a"] for row in left)
    (trial,) = study.trials()
    events = next(folder.rglob("*_events.tsv")).read_text().splitlines()
    assert events[0].split("\t") == ["onset", "duration", "trial_type", "stim_file"]
    assert events[1].split("\t")[3] == "chimsky.png"
    found = gzip.decompress(next(folder.rglob("*eye2_physioevents.tsv.gz")).read_bytes()).decode().splitlines()
    assert len(found) == len(trial.fixations)


def test_that_the_schema_of_bids_knows_every_field(exported: tuple[Path, Study]) -> None:
    schema_module = pytest.importorskip("bidsschematools.schema", reason="bidsschematools is not installed")
    folder, _ = exported
    schema = schema_module.load_schema()
    known = {entry["name"] for entry in schema["objects"]["metadata"].values()}
    facts = json.loads(next(folder.rglob("*recording-eye2_physio.json")).read_text())
    assert set(facts) - known <= set(facts["Columns"])
    assert "eyetrack" in str(schema["rules"]["sidecars"])
