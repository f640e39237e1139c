"""Masks of a whole series find their slices: by name in a DICOM segmentation, by place in a NIfTI file."""

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from domain.errors import BadFileError
from domain.study import Target
from processing.importer import ImportOptions
from storage.dicom_segmentation import Segment, write_segmentation
from storage.study import Study
from tests.dicom_series import SIZE, write_series
from tests.unit.processing.study_for_export import hard_mask
from tests.unit.workflows.test_export_series import MASKED, N, mask_on, study_of, wanted_affine
from workflows.export_dataset import export
from workflows.import_images import import_to_folder, scan


def masks_by_slice(study: Study) -> dict[int, np.ndarray]:
    found = {}
    for number, image in enumerate(sorted(study.images(), key=lambda image: image.stack_position)):
        mask = study.ground_truth(image.image_id)
        if mask is not None:
            found[number] = mask
    return found


def volume_mask() -> np.ndarray:
    """(column, row, slice), as the series' own grid has it."""
    mask = np.zeros((*SIZE, N), np.uint8)
    for number in MASKED:
        mask[:, :, number] = mask_on(number).T
    return mask


TURNS = {"as it is": "xyz", "rows upside down": "xYz", "slices reversed": "xyZ", "all": "XYZ", "axes moved": "zXy"}


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_that_a_nifti_mask_is_turned_onto_the_slices(tmp_path: Path, turn: str) -> None:
    write_series(tmp_path / "in", N)
    axes = ["xyz".index(letter.lower()) for letter in turn]
    ornt = np.array([[axes.index(k), -1 if turn[axes.index(k)].isupper() else 1] for k in range(3)])
    volume = nibabel.Nifti1Image(volume_mask(), wanted_affine())
    nibabel.save(volume.as_reoriented(ornt), tmp_path / "in" / "prostate_seg.nii.gz")
    report = import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    assert (report.n_images, report.n_masks, report.warnings) == (N, N, ())
    with Study.open(tmp_path / "study") as study:
        for number, mask in masks_by_slice(study).items():
            assert np.array_equal(mask, mask_on(number) if number in MASKED else np.zeros(SIZE[::-1]))


def test_that_a_mask_of_another_place_is_left_out_and_told(tmp_path: Path) -> None:
    write_series(tmp_path / "in", N)
    moved = wanted_affine()
    moved[:3, 3] += 0.4
    nibabel.save(nibabel.Nifti1Image(volume_mask(), moved), tmp_path / "in" / "x_seg.nii.gz")
    found = scan("folder", tmp_path / "in")
    assert all(image.read_mask is None for image in found.images)
    assert any("x_seg.nii.gz" in text for text in found.warnings)


def test_that_our_own_segmentation_comes_back_to_its_slices(tmp_path: Path) -> None:
    pytest.importorskip("highdicom")
    write_series(tmp_path / "in", N)
    with study_of(tmp_path / "in", tmp_path / "study") as study:
        export(study, "dicom-seg", tmp_path / "out")
    report = import_to_folder("folder", tmp_path / "out", tmp_path / "again")
    assert (report.n_images, report.n_masks) == (N, N)
    assert any("no BINARY segmentation" in text for text in report.warnings)  # the gaze map beside it
    with Study.open(tmp_path / "again") as again:
        found = masks_by_slice(again)
        assert sorted(found) == list(range(N))
        for number, mask in found.items():
            assert np.array_equal(mask, mask_on(number) if number in MASKED else np.zeros(SIZE[::-1]))


def test_that_segments_of_several_targets_become_masks_of_each(tmp_path: Path) -> None:
    pytest.importorskip("highdicom")
    paths = write_series(tmp_path / "in", N)
    stack = np.zeros((N, SIZE[1], SIZE[0], 2), np.bool_)
    stack[1, :, :, 0], stack[4, 3:9, 2:7, 1] = hard_mask(SIZE), True
    segments = [Segment("gland", is_manual=True), Segment("lesion", is_manual=True)]
    write_segmentation(tmp_path / "in" / "SEG.dcm", paths, stack, segments, uid_of="x")
    import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    with Study.open(tmp_path / "study") as study:
        assert study.settings.targets == (Target("gland", 1), Target("lesion", 2))
        images = sorted(study.images(), key=lambda image: image.stack_position)
        for number, image in enumerate(images):
            for place, name in enumerate(("gland", "lesion")):
                kept = study.mask(image.image_id, "imported", name)
                assert kept is not None
                assert np.array_equal(kept, stack[number, :, :, place])


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_that_a_cut_segmentation_is_refused_or_left_out_when_asked(tmp_path: Path, share: float) -> None:
    pytest.importorskip("highdicom")
    paths = write_series(tmp_path / "in", N)
    stack = np.zeros((N, SIZE[1], SIZE[0], 1), np.bool_)
    stack[1, :, :, 0] = True
    path = tmp_path / "in" / "SEG.dcm"
    write_segmentation(path, paths, stack, [Segment("gland", is_manual=True)], uid_of="x")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(BadFileError):
        scan("folder", tmp_path / "in")
    found = scan("folder", tmp_path / "in", options=ImportOptions(skip_broken=True))
    assert len(found.images) == N
    assert any("SEG.dcm" in text for text in found.warnings)


def test_that_reports_and_plans_between_the_images_are_passed_over(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", N)
    report = pydicom.dcmread(paths[0])
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    report.Modality = "SR"
    del report.PixelData, report.Rows, report.Columns
    report.save_as(tmp_path / "in" / "report.dcm")
    found = scan("folder", tmp_path / "in")
    assert len(found.images) == N
    assert any("1 DICOM files without a picture" in text for text in found.warnings)
