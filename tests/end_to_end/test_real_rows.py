"""The published rows of two polyp images (real gaze): import, heatmap, refined map, levels, Dice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processing.overlap import dice
from storage.study import Study
from tests.real_data import real_data
from workflows.import_images import import_to_folder
from workflows.make_labels import make_labels

# Best Dice of the heatmap over its thresholds, as the issue gives it for these two images.
EXPECTED = {"cju0qx73cjw570799j4n5cjze": 0.85, "cju0roawvklrq0799vmjorwfv": 0.79}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder: Path = tmp_path_factory.mktemp("real") / "study"
    import_to_folder("gazemedseg", real_data("gazemedseg-samples"), folder)
    opened = Study.open(folder)
    make_labels(opened, workers=1)
    return opened


def test_that_rows_saying_jpg_find_their_dicom_slices(study: Study) -> None:
    images = {image.image_id: image for image in study.images()}
    assert sum(image.path.endswith(".dcm") for image in images.values()) == 2
    assert all(len(trial.fixations) > 0 for trial in study.trials())
    assert not any(trial.is_simulated for trial in study.trials())


@pytest.mark.parametrize("image_id", list(EXPECTED))
def test_that_the_heatmap_of_real_gaze_fits_the_polyp_as_published(study: Study, image_id: str) -> None:
    (trial,) = study.trials(image_id=image_id)
    maps, truth = study.maps(trial.trial_id), study.ground_truth(image_id)
    assert maps is not None
    assert truth is not None
    best = max(dice(maps.heatmap >= threshold, truth) for threshold in np.arange(0.05, 1.0, 0.05))
    assert best == pytest.approx(EXPECTED[image_id], abs=0.015)
    assert len(maps.levels) == 2
    assert max(dice(level, truth) for level in maps.levels) > 0.6
