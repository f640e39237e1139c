"""Imported gaze becomes session files, and trials where the study has the picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from domain.study import StudySettings, Target
from processing.importer import ImportOptions
from storage.session_file import read_session
from storage.study import Study
from tests.real_data import real_data
from workflows.import_images import import_into, import_to_folder, scan


def test_that_a_real_recording_becomes_a_session_and_a_trial_on_its_picture(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(np.zeros((865, 1110, 3), np.uint8)).save(tmp_path / "in" / "chimsky.png")
    import_to_folder("folder", tmp_path / "in", tmp_path / "s")
    path = real_data("tobii-pro-lab", "right-eye-300hz.tsv")
    with Study.open(tmp_path / "s") as study:
        report = import_into(study, scan("tobii-tsv", path, options=ImportOptions(annotator="P01")))
        assert (report.n_sessions, report.n_trials) == (1, 1)
        trial = study.trial("chimsky", "P01", "target")
        assert trial is not None
        record = read_session(study.absolute(trial.session_file))
        assert len(record.samples) == 4872
        assert len(record.online_fixations) == 32
        # Tobii gives the same positions on the picture itself (MCS norm); compare the first fixation's.
        lines = path.read_text(encoding="utf-8").splitlines()
        names = lines[0].split("\t")
        x, y = (names.index(f"Fixation point {axis} [MCS norm]") for axis in "XY")
        told = [
            tuple(float(row[k].replace(",", ".")) for k in (x, y)) for line in lines[1:] if (row := line.split("\t"))[x]
        ]
        assert len(trial.fixations) >= 2
        for position in trial.fixations.xy_norm[1:-1]:
            assert min(np.hypot(*(position - np.array(one))) for one in told) < 0.002


def test_that_recordings_of_unknown_pictures_are_kept_as_sessions(tmp_path: Path) -> None:
    with Study.create(tmp_path / "s", StudySettings("x", (Target("t"),))) as study:
        report = import_into(study, scan("eyelink-asc", real_data("eyelink", "mono500.asc")))
        assert (report.n_sessions, report.n_trials) == (1, 0)
        (file,) = (tmp_path / "s" / "sessions").iterdir()
        assert len(read_session(file).samples) > 1000


def test_that_a_failed_import_leaves_no_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    with Study.create(tmp_path / "s", StudySettings("x", (Target("t"),))) as study:
        plan = scan("eyelink-asc", real_data("eyelink", "mono500.asc"))
        monkeypatch.setattr(study, "add_import", fail)
        with pytest.raises(Exception, match="disk is full"):
            import_into(study, plan)
        assert list((tmp_path / "s" / "sessions").iterdir()) == []
