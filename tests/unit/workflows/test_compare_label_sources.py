import numpy as np
import pytest
from PIL import Image

from domain.errors import UserFacingError
from domain.fixations import ImageFixations
from domain.labels import LabelParameters
from domain.study import StudyImage, StudySettings
from domain.trial import TrialRecord
from processing.heatmap import fixation_heatmap
from processing.overlap import dice
from processing.refiner import refiners
from storage.mask_file import write_mask
from storage.study import Study
from workflows.command_line import build, run
from workflows.compare_label_sources import THRESHOLDS, compare_label_sources, levels_around
from workflows.freeze_study import freeze_study, parts_of
from workflows.label_choice import chosen_labels, keep_choice, label_choice_of
from workflows.make_labels import maps_of_trial

OWN = LabelParameters(source="none", sigma=90.0, thresholds=(0.9, 0.8))


def new_study(folder, *, n_images=8):
    """Bright discs, looked at: the CRF finds their border, the heatmap alone does not."""
    study = Study.create(folder / "study", StudySettings("test", labels=OWN))
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :128]
    for i in range(n_images):
        centre = rng.uniform([45, 38], [83, 58])
        mask = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= 20**2
        colours = np.where(mask[..., None], [200, 120, 90], [60, 40, 40]) + rng.normal(0, 4, (96, 128, 3))
        Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8)).save(folder / "study" / f"images/i{i}.png")
        write_mask(folder / "study" / f"reference/i{i}.png", mask, {})
        study.add_images([StudyImage(f"i{i}", f"images/i{i}.png", (128, 96), mask_path=f"reference/i{i}.png")])
        xy = (centre + rng.normal(0, 8, (12, 2))) / [128, 96]
        gaze = ImageFixations(xy, rng.uniform(80, 400, 12), np.arange(12) * 300.0, np.full(12, np.nan))
        study.save_trial(TrialRecord(f"t{i}", f"i{i}", "ann", "target", fixations=gaze, is_simulated=True))
    return study


def test_that_the_figures_are_those_of_the_maps_and_the_best_is_recommended(tmp_path):
    with new_study(tmp_path) as study:
        found = compare_label_sources(study, sources=["none", "crf"], sigmas=[50.0], workers=2)
        assert found.n_images == 8
        assert found.is_simulated
        assert {(score.source, score.sigma) for score in found.scores} == {
            (source, sigma) for source in ("none", "crf") for sigma in (50.0, 90.0)
        }
        plain = next(score for score in found.scores if (score.source, score.sigma) == ("none", 50.0))
        k = THRESHOLDS.index(0.5)
        by_hand = np.mean(
            [
                dice(
                    fixation_heatmap(t.fixations, (128, 96), LabelParameters("none", sigma=50.0)) >= 0.5,
                    study.ground_truth(t.image_id),
                )
                for t in study.trials()
            ]
        )
        assert plain.dice[k] == pytest.approx(by_hand)
        best = found.scores[0]
        assert (found.recommended.source, found.recommended.sigma) == (best.source, best.sigma)
        assert best.best[1] >= max(score.best[1] for score in found.scores)
        assert found.interval[0] <= found.expected_dice <= found.interval[1]
        assert found.expected_dice <= best.best[1] + 1e-9


def test_that_too_few_masks_are_told(tmp_path):
    with new_study(tmp_path, n_images=3) as study, pytest.raises(UserFacingError, match="3 images have both"):
        compare_label_sources(study, workers=1)


@pytest.mark.parametrize(
    ("threshold", "n", "expected"),
    [(0.4, 2, (0.5, 0.3)), (0.3, 2, (0.4, 0.2)), (0.5, 1, (0.5,)), (0.05, 3, (0.15, 0.05, 0.02))],
    ids=["polyp", "prostate", "one level", "at the lower end"],
)
def test_that_levels_lie_around_the_best_threshold(threshold, n, expected):
    assert levels_around(threshold, n) == pytest.approx(expected)


def test_that_the_command_prints_the_table_and_adopts_on_request(tmp_path, capsys):
    new_study(tmp_path, n_images=6).close()
    arguments = ["labels", "compare", str(tmp_path / "study"), "--source", "none", "--sigma", "50", "--adopt"]
    assert run(build(), [*arguments, "--workers", "1"]) == 0
    printed = capsys.readouterr().out
    assert "SIMULATED gaze" in printed
    assert "Recommended: source none" in printed
    with Study.open(tmp_path / "study") as study:
        labels = study.settings.labels
        assert f"sigma {labels.sigma:g}, thresholds {labels.thresholds[0]:g} and" in printed
        assert labels.thresholds != (0.9, 0.8)


def test_that_one_click_takes_a_clearly_better_source_by_training_masks_and_leaves_the_study_as_it_is(tmp_path):
    with new_study(tmp_path) as study:
        parts = parts_of(study, "target")
        choice = chosen_labels(study, sources=["none", "crf"], workers=1)
        assert choice.n_images == sum(part == "train" for part in parts.values()) == 7
        assert choice.is_other
        assert choice.labels.source == "crf"
        assert choice.chosen_dice > choice.own_dice
        snapshot = freeze_study(study, tmp_path / "run" / "snapshot", labels=choice.labels)
        assert snapshot.labels == choice.labels
        assert study.settings.labels == OWN
        assert study.maps("t0") is None
        item = next(item for item in snapshot.items if item.item_id == "i0")
        wanted = maps_of_trial(
            study, study.trials(trial_id="t0")[0], choice.labels, refiners.get(choice.labels.source)()
        )
        assert np.abs(snapshot.fused_map(item) - wanted.refined).max() < 1e-4
        keep_choice(tmp_path / "run", choice)
        assert label_choice_of(tmp_path / "run") == choice


def test_that_one_click_keeps_the_own_labels_where_too_few_masks_could_choose(tmp_path):
    with new_study(tmp_path, n_images=4) as study:
        choice = chosen_labels(study, workers=1)
    assert choice.labels == OWN
    assert not choice.is_other
    assert "at least 5 are needed" in choice.why_not
    assert label_choice_of(tmp_path) is None
