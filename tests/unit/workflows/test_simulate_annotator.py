from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from domain.errors import Cancelled, UserFacingError
from domain.events import CancelToken
from domain.study import Outcome
from processing.detector import detect
from storage.session_file import read_session
from storage.study import Study
from workflows.sample_study import open_sample_study
from workflows.simulate_annotator import simulate_annotator
from workflows.trial_from_gaze import trial_record


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return open_sample_study(tmp_path / "study", n_frames=8)


def test_that_simulated_trials_end_up_in_the_study(study: Study) -> None:
    session = simulate_annotator(study, annotator="robot", seconds=6.0)
    trials = study.trials(annotator="robot")
    with_mask = [image for image in study.images() if image.mask_path]
    assert sorted(trial.image_id for trial in trials) == sorted(image.image_id for image in with_mask)
    for trial in trials:
        mask = study.ground_truth(trial.image_id)
        assert mask is not None
        assert trial.is_simulated
        assert (trial.outcome is Outcome.TARGET) == bool(mask.any())
        assert len(trial.fixations) >= 6
        assert trial.session_file == f"sessions/{session.header.session_id}.h5"
        if mask.any():
            columns, rows = np.floor(trial.fixations.xy_norm * mask.shape[::-1]).astype(int).T
            known = (rows >= 0) & (columns >= 0) & (rows < mask.shape[0]) & (columns < mask.shape[1])
            assert mask[rows[known], columns[known]].mean() > 0.4


def test_that_online_fixations_are_those_of_the_offline_detector(study: Study) -> None:
    session = simulate_annotator(study, annotator="robot", seconds=5.0)
    read = read_session(study.folder / "sessions" / f"{session.header.session_id}.h5")
    offline = detect("ivt", read.samples, read.header.display).fixations
    ends = [event for event in read.online_fixations if event.phase == "end"]
    starts = [event for event in read.online_fixations if event.phase == "start"]
    assert [event.onset_ns for event in ends] == offline.onset_ns.tolist()
    assert [event.offset_ns for event in ends] == offline.offset_ns.tolist()
    np.testing.assert_array_equal([event.centre_norm for event in ends], offline.centre_norm)
    assert sorted(event.number for event in ends) == list(range(1, len(ends) + 1))
    assert sorted(event.number for event in starts) == list(range(1, len(ends) + 1))


def test_that_a_cancelled_sitting_keeps_what_was_recorded(study: Study) -> None:
    cancel = CancelToken()

    def stop_at_third(progress: object) -> None:
        if getattr(progress, "done", 0) == 2:
            cancel.cancel()

    with pytest.raises(Cancelled):
        simulate_annotator(study, annotator="robot", seconds=3.0, on_progress=stop_at_third, cancel=cancel)
    (path,) = (study.folder / "sessions").glob("*.h5")
    assert len(read_session(path).trials()) == 3
    assert not list((study.folder / "sessions").glob("*.journal"))


def test_that_a_study_without_masks_is_refused(study: Study) -> None:
    with pytest.raises(UserFacingError, match="known"):
        simulate_annotator(study, annotator="robot", images=[])


def test_that_a_trial_recorded_live_equals_the_one_from_the_file(study: Study) -> None:
    from acquisition.tracker import TrackerSettings
    from domain.view import ImageView
    from workflows.record_session import RecordSession
    from workflows.trial_from_gaze import trial_records

    image = study.images()[0]
    mask = study.ground_truth(image.image_id)
    session = RecordSession(study.folder / "live", TrackerSettings(speed=0), annotator="a", target="polyp")
    with session:
        session.advance(2.0)
        session.begin_trial(image.image_id, ImageView.fitted(image.size, session.display.size_px), mask=mask)
        session.advance(6.0)
        session.end_trial()
        trial, samples = session.last_trial()
        session.advance(1.0)
    record = session.close()
    protocol = study.settings.protocol
    names = {"annotator": "a", "target": "polyp", "session_file": "x.h5", "is_simulated": True}
    live = trial_record(trial, samples, session.display, protocol=protocol, **names)  # type: ignore[arg-type]
    (filed,) = trial_records(record, session_file="x.h5", protocol=protocol)
    assert abs(len(live.fixations) - len(filed.fixations)) <= 1
    assert live.started_ns == filed.started_ns
    assert live.quality == filed.quality
