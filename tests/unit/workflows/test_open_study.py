"""A crash in the middle of a sitting: the next opening of the study makes the session whole and knows its trials."""

import os
import time
from pathlib import Path

from acquisition.tracker import TrackerSettings
from domain.study import TrialStatus
from domain.view import ImageView
from storage.journal import read_journal
from workflows.annotate_images import AnnotationSession
from workflows.open_study import glance_at, open_study
from workflows.sample_study import open_sample_study


def wait_for_markers(journal: Path, n_markers: int) -> None:
    deadline = time.monotonic() + 60.0
    while sum(event.kind == "marker" for event in read_journal(journal).events) < n_markers:
        assert time.monotonic() < deadline, "the host wrote nothing for a minute"
        time.sleep(0.02)


def test_that_trials_of_a_cut_off_session_are_in_the_catalog_after_the_next_opening(tmp_path: Path):
    study = open_sample_study(tmp_path / "study", n_frames=2)
    image = study.images()[0]
    session = AnnotationSession(study, "anna", TrackerSettings(speed=0.0))
    session.open()
    view = ImageView.fitted(image.size, (1920, 1080))
    for _ in range(2):
        session.begin(image.image_id, "polyp", view)
        session.recording.advance(3.0)
        session.end()
    # The host writes every 20 ms, later on a busy machine; what this test is about begins after that.
    wait_for_markers(session.recording.journal_path, 4)
    os.kill(session.recording.host.pid, 9)
    time.sleep(0.3)
    session.recording.host.close()
    study.close()
    again = open_study(tmp_path / "study")
    trials = again.trials(annotator="anna")
    assert len(trials) == 2
    assert all(len(trial.fixations) > 1 and trial.is_simulated for trial in trials)
    assert {trial.status for trial in trials} == {TrialStatus.IN_PROGRESS}
    assert not list((again.folder / "sessions").glob("*.journal*"))
    again.close()


def test_that_a_glance_at_a_study_that_is_gone_or_damaged_says_so(tmp_path: Path):
    assert not glance_at(str(tmp_path / "nowhere")).is_there
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "study.json").write_text("{half")
    assert not glance_at(str(broken)).is_there
    with open_sample_study(tmp_path / "study", n_frames=2):
        pass
    seen = glance_at(str(tmp_path / "study"))
    assert seen.is_there
    assert seen.n_images == 3
    assert seen.picture is not None
