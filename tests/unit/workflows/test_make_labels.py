from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from domain.errors import Cancelled, UserFacingError
from domain.events import CancelToken
from domain.fixations import ImageFixations
from domain.labels import LabelParameters
from domain.study import Outcome, StudyImage, StudySettings, TrialStatus
from domain.trial import TrialRecord
from processing.labels import make_label_maps
from storage.study import Study
from workflows.make_labels import make_labels, with_changes


def fixations(seed):
    rng = np.random.default_rng(seed)
    return ImageFixations(rng.uniform(0.3, 0.7, (8, 2)), rng.uniform(80, 500, 8), np.arange(8) * 400.0, np.full(8, 3.0))


def new_study(folder, *, n_images=3, labels=None):
    study = Study.create(folder / "study", StudySettings("test", labels=labels or LabelParameters(source="none")))
    rng = np.random.default_rng(0)
    for i in range(n_images):
        Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(folder / "study" / f"images/i{i}.png")
    study.add_images([StudyImage(f"i{i}", f"images/i{i}.png", (64, 48), sha256=f"{i}") for i in range(n_images)])
    study.add_annotator("ann")
    for i in range(n_images):
        study.save_trial(TrialRecord(f"t{i}", f"i{i}", "ann", "target", fixations=fixations(i)))
    return study


def test_that_every_trial_gets_maps_and_a_second_run_leaves_them_alone(tmp_path):
    with new_study(tmp_path) as study:
        report = make_labels(study, workers=1)
        assert (report.n_made, report.n_current, report.failures) == (3, 0, ())
        expected = make_label_maps(study.pixels("i1").display_u8(), fixations(1), study.settings.labels)
        assert np.abs(study.maps("t1").refined - expected.refined).max() < 1e-5
        again = make_labels(study, workers=1)
        assert (again.n_made, again.n_current) == (0, 3)
        assert make_labels(study, workers=1, again=True).n_made == 3


def test_that_only_what_changed_is_made_again(tmp_path):
    with new_study(tmp_path) as study:
        make_labels(study, workers=1)
        study.save_trial(TrialRecord("t1", "i1", "ann", "target", fixations=fixations(77)))
        assert make_labels(study, workers=1).n_made == 1
        (study.folder / "maps" / "t2" / "heatmap.png").unlink()
        assert make_labels(study, workers=1).n_made == 1
        study.update_settings(replace(study.settings, labels=LabelParameters(source="none", sigma=50.0)))
        assert make_labels(study, workers=1).n_made == 3
        assert study.maps("t0").parameters.sigma == 50.0


def test_that_no_target_gives_empty_maps_and_a_skipped_trial_none(tmp_path):
    with new_study(tmp_path) as study:
        study.save_trial(TrialRecord("t0", "i0", "ann", "target", Outcome.NO_TARGET, fixations=fixations(0)))
        skipped = TrialRecord("t1", "i1", "ann", "target", status=TrialStatus.SKIPPED, fixations=fixations(1))
        study.save_trial(skipped)
        assert make_labels(study, workers=1).n_made == 2
        assert not study.maps("t0").refined.any()
        assert study.maps("t1") is None


def test_that_a_broken_image_is_told_and_the_others_are_made(tmp_path):
    with new_study(tmp_path) as study:
        (study.folder / "images/i1.png").write_bytes(b"no picture")
        report = make_labels(study, workers=1)
        assert report.n_made == 2
        assert [trial_id for trial_id, _ in report.failures] == ["t1"]
        assert "i1.png" in report.failures[0][1]


def test_that_stopping_keeps_what_was_made_and_the_next_run_goes_on(tmp_path):
    token = CancelToken()
    with new_study(tmp_path) as study:

        def stop_after_the_first(progress):
            if progress.done == 1:
                token.cancel()

        with pytest.raises(Cancelled):
            make_labels(study, workers=1, on_progress=stop_after_the_first, cancel=token)
        report = make_labels(study, workers=1)
        assert (report.n_made, report.n_current) == (2, 1)


def test_that_degrees_without_a_session_are_refused_with_a_hint(tmp_path):
    with new_study(tmp_path, labels=LabelParameters("none", heatmap_mode="degrees", sigma=1.0)) as study:
        report = make_labels(study, workers=1)
        assert report.n_made == 0
        assert "published mode" in report.failures[0][1]


def test_that_processes_make_the_same_maps(tmp_path):
    with new_study(tmp_path, n_images=6) as study:
        seen = []
        report = make_labels(study, workers=2, on_progress=seen.append)
        assert (report.n_made, report.failures) == (6, ())
        assert seen[-1].done == seen[-1].total == 6
        assert "per second" in seen[-1].text
        inside = {f"t{i}": study.maps(f"t{i}").refined for i in range(6)}
        make_labels(study, workers=1, again=True)
        assert all(np.array_equal(study.maps(key).refined, value) for key, value in inside.items())


# Dask looks for the machine's own address and warns where there is no network; the cluster here needs none.
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore:Couldn't detect a suitable IP:RuntimeWarning"
)
def test_that_a_dask_cluster_makes_the_same_maps(tmp_path):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with (
        new_study(tmp_path, n_images=6) as study,
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
    ):
        report = make_labels(study, scheduler=cluster.scheduler_address)
        assert (report.n_made, report.failures) == (6, ())
        assert study.maps("t5") is not None


def test_that_a_scheduler_that_is_not_there_is_told(tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed")
    with new_study(tmp_path) as study, pytest.raises(UserFacingError, match="no Dask scheduler at"):
        make_labels(study, scheduler="nonsense://localhost:1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma": -1.0}, "sigma"),
        ({"thresholds": [1.5]}, "thresholds"),
        ({"source": "magic"}, "no refiner"),
        ({"mode": "magic"}, "no heatmap mode"),
        ({"mode": "degrees"}, "needs its own sigma"),
    ],
    ids=["sigma", "thresholds", "source", "mode", "mode without sigma"],
)
def test_that_impossible_settings_are_refused(change, message):
    with pytest.raises(UserFacingError, match=message):
        with_changes(LabelParameters(), **change)
