"""The whole way through the real window: the demo's tour on a small sample study."""

import threading
import time
from pathlib import Path

import pytest

from app.let_run import let_run
from domain.study import TrialStatus
from workflows.sample_study import open_sample_study


@pytest.mark.window
@pytest.mark.slow
def test_that_a_simulated_annotator_walks_through_the_real_window_and_leaves_trials_maps_and_a_session(
    qapp: object, tmp_path: Path
) -> None:
    from app.demo_tour import run_tour

    with open_sample_study(tmp_path / "study", n_frames=3) as study:
        folder, n_images = study.folder, len(study.images())
    tour = run_tour(folder, tmp_path / "shots", n_images, look_s=4.0)
    assert len(tour.trial_ids) == n_images
    assert all(path.stat().st_size > 5000 for path in tour.screenshots)
    with open_sample_study(folder) as study:
        trials = study.trials(newest_only=True)
        assert {trial.trial_id for trial in trials} == set(tour.trial_ids)
        assert all(trial.is_simulated and trial.status is TrialStatus.DONE for trial in trials)
        assert all((folder / trial.session_file).is_file() for trial in trials)
        assert all(study.maps(trial.trial_id) is not None for trial in trials)
        assert all(study.mask(trial.image_id, "simulated", trial.target) is not None for trial in trials)


def test_that_work_beside_the_window_goes_on_while_a_program_drives_it(qapp):
    is_over, turns = threading.Event(), [0]

    def work() -> None:
        while not is_over.is_set():
            time.sleep(0.001)
            turns[0] += 1

    worker = threading.Thread(target=work)
    worker.start()
    for _ in range(20):
        let_run(10)
    is_over.set()
    worker.join()
    assert turns[0] > 40  # QTest.qWait would let it run once in each turn
