import pytest

from domain.study import Outcome
from processing.overlap import dice
from storage.session_file import read_session
from workflows.sample_study import open_sample_study
from workflows.simulated_annotator import annotate


@pytest.fixture(scope="module")
def annotated(tmp_path_factory):
    with open_sample_study(tmp_path_factory.mktemp("home") / "sample", n_frames=8) as study:
        ids = [image.image_id for image in study.images(search="synthetic")][5:8]
        yield study, annotate(study, ids, seed=5)


def test_that_everything_stored_says_it_is_simulated(annotated):
    study, trials = annotated
    assert all(trial.is_simulated for trial in trials)
    assert all(trial.is_simulated for trial in study.trials())
    assert read_session(study.absolute(trials[0].session_file)).header.is_simulated


def test_that_labels_of_simulated_gaze_lie_on_the_polyp(annotated):
    study, trials = annotated
    for trial in trials:
        truth, maps = study.ground_truth(trial.image_id), study.maps(trial.trial_id)
        if trial.outcome is Outcome.TARGET:
            assert dice(maps.levels[0], truth) > 0.6


def test_that_an_image_without_polyp_gets_empty_maps(annotated):
    study, trials = annotated
    (empty,) = [trial for trial in trials if trial.outcome is Outcome.NO_TARGET]
    assert not study.maps(empty.trial_id).refined.any()
    assert len(empty.fixations) > 3
