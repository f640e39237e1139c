"""A series of DICOM slices leaves as one volume: the right place in the patient, and each mask on its own slice."""

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from domain.fixations import ImageFixations
from domain.study import StudyImage
from domain.trial import TrialRecord
from storage.study import Study
from tests.dicom_series import COLUMNS, ORIGIN, ROWS, SIZE, SPACING, STEP, plane, write_series, write_slice
from tests.unit.processing.study_for_export import hard_mask
from workflows.export_dataset import export, preflight
from workflows.import_images import import_to_folder

N = 7
MASKED = (2, 5)


def mask_on(number: int) -> np.ndarray:
    return np.roll(hard_mask(SIZE), number, axis=1)


def study_of(source: Path, folder: Path) -> Study:
    """A study with masks on two slices of a series, and gaze on another."""
    import_to_folder("folder", source, folder)
    study = Study.open(folder)
    target = study.settings.targets[0].name
    study.add_annotator("A")
    images = study.images()
    for number in MASKED:
        study.save_mask(images[number].image_id, "A", target, mask_on(number), origin="correction")
    looked = ImageFixations(
        np.array([[0.4, 0.5], [0.6, 0.5]]), np.array([300.0, 200.0]), np.array([0.0, 400.0]), pupil=np.full(2, 3.0)
    )
    study.save_trial(TrialRecord("t", images[4].image_id, "A", target, fixations=looked))
    return study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    write_series(tmp_path / "in", N)
    return study_of(tmp_path / "in", tmp_path / "study")


def wanted_affine() -> np.ndarray:
    """By hand from PS3.3: where voxel (column, row, slice) lies, then left and back become right and front."""
    normal = np.cross(ROWS, COLUMNS)
    by_hand = np.eye(4)
    by_hand[:3, :3] = np.column_stack([ROWS * SPACING[1], COLUMNS * SPACING[0], normal * STEP])
    by_hand[:3, 3] = ORIGIN
    return np.diag([-1, -1, 1, 1]) @ by_hand


def test_that_the_nifti_volume_lies_where_the_slices_lie(tmp_path: Path, study: Study) -> None:
    export(study, "nifti", tmp_path / "out")
    (volume_path,) = (tmp_path / "out" / "images").iterdir()
    (label_path,) = (tmp_path / "out" / "labels").iterdir()
    volume, labels = nibabel.load(volume_path), nibabel.load(label_path)
    for one in (volume, labels):
        assert one.shape == (*SIZE, N)
        assert np.allclose(one.affine, wanted_affine(), atol=1e-5)
        assert np.allclose(one.get_qform(), one.affine, atol=1e-4)
        assert np.allclose(one.header.get_zooms(), (SPACING[1], SPACING[0], STEP), atol=1e-5)
    for number in range(N):
        assert np.array_equal(np.asarray(volume.dataobj)[:, :, number].T, plane(number))
        wanted = mask_on(number) if number in MASKED else np.zeros(SIZE[::-1])
        assert np.array_equal(np.asarray(labels.dataobj)[:, :, number].T, wanted)
    study.close()


def test_that_simpleitk_places_the_series_the_same_way(tmp_path: Path, study: Study) -> None:
    sitk = pytest.importorskip("SimpleITK")
    export(study, "nifti", tmp_path / "out")
    (volume_path,) = (tmp_path / "out" / "images").iterdir()
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "in")))
    theirs, ours = reader.Execute(), sitk.ReadImage(str(volume_path))
    assert theirs.GetSize() == ours.GetSize()
    for voxel in ((0, 0, 0), (SIZE[0] - 1, 0, 0), (3, SIZE[1] - 1, 2), (5, 7, N - 1)):
        assert np.allclose(
            theirs.TransformIndexToPhysicalPoint(voxel), ours.TransformIndexToPhysicalPoint(voxel), atol=1e-3
        )
        assert theirs.GetPixel(*voxel) == ours.GetPixel(*voxel)
    study.close()


def test_that_the_segmentation_names_the_slices_it_was_drawn_on(tmp_path: Path, study: Study) -> None:
    hd = pytest.importorskip("highdicom")
    export(study, "dicom-seg", tmp_path / "out")
    (path,) = (tmp_path / "out" / "masks").iterdir()
    segmentation = hd.seg.segread(path)
    slices = [pydicom.dcmread(study.absolute(image.path)) for image in study.images()]
    uids = [one.SOPInstanceUID for one in slices]
    found = segmentation.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True)
    assert found.shape == (N, SIZE[1], SIZE[0], 1)
    for number in range(N):
        wanted = mask_on(number) if number in MASKED else np.zeros(SIZE[::-1])
        assert np.array_equal(found[number, :, :, 0], wanted)
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        number = uids.index(source)
        assert np.allclose(frame.PlanePositionSequence[0].ImagePositionPatient, slices[number].ImagePositionPatient)
    assert segmentation.FrameOfReferenceUID == slices[0].FrameOfReferenceUID
    copies = sorted((tmp_path / "out" / "images").rglob("*.dcm"))
    assert [pydicom.dcmread(copy).SOPInstanceUID for copy in copies] == uids
    (maps,) = (tmp_path / "out" / "maps").iterdir()
    gaze = hd.seg.segread(maps).get_pixels_by_source_instance(
        uids, assert_missing_frames_are_empty=True, rescale_fractional=True
    )
    assert [number for number in range(N) if gaze[number].any()] == [4]
    study.close()


def test_that_a_series_without_positions_is_exported_and_the_loss_is_told(tmp_path: Path) -> None:
    pytest.importorskip("highdicom")
    unsaid = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID"))
    write_series(tmp_path / "in", N, SOPClassUID="1.2.840.10008.5.1.4.1.1.7", **unsaid)  # secondary capture
    with study_of(tmp_path / "in", tmp_path / "study") as study:
        assert study.stack(study.images()[0].image_id)[0].n_slices == N
        assert any("no true place" in finding.text for finding in preflight(study, "nifti"))
        export(study, "nifti", tmp_path / "out")
        (label_path,) = (tmp_path / "out" / "labels").iterdir()
        labels = np.asarray(nibabel.load(label_path).dataobj)
        assert [number for number in range(N) if labels[:, :, number].any()] == list(MASKED)
        export(study, "dicom-seg", tmp_path / "seg")
        assert len(list((tmp_path / "seg" / "masks").iterdir())) == len(MASKED)


def test_that_uneven_slices_and_a_tilted_gantry_are_told_and_kept(tmp_path: Path) -> None:
    for number in range(N):
        write_slice(
            tmp_path / "in" / f"{number}.dcm",
            number,
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[0, 1.5 * number, 3.0 * number],
        )
    with study_of(tmp_path / "in", tmp_path / "study") as study:
        assert not [f for f in preflight(study, "nifti") if f.topic == "geometry"]
        export(study, "nifti", tmp_path / "out")
        (path,) = (tmp_path / "out" / "images").iterdir()
        assert np.allclose(nibabel.load(path).affine[:3, 2], [0, -1.5, 3.0])
        images = study.images()
        lost = [image for image in images if image.image_id != "3"]
        assert len(lost) == N - 1
    for number in (0, 1, 3, 4):
        write_slice(tmp_path / "gap" / f"{number}.dcm", number)
    import_to_folder("folder", tmp_path / "gap", tmp_path / "gap-study")
    with Study.open(tmp_path / "gap-study") as study:
        assert any("uneven or missing" in finding.text for finding in preflight(study, "nifti"))


@pytest.mark.parametrize("name", ["gazemedseg", "coco", "png", "nnunet", "yolo-seg", "tables"])
def test_that_formats_of_pictures_take_each_slice(tmp_path: Path, study: Study, name: str) -> None:
    export(study, name, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    if name == "gazemedseg":
        chosen: list[StudyImage] = study.images()
        for image, copy in zip(chosen, sorted((tmp_path / "out" / "images").iterdir()), strict=False):
            assert copy.suffix == ".dcm"
            assert pydicom.dcmread(copy).PatientIdentityRemoved == "YES"
            assert image.image_id
    assert names
    study.close()


def test_that_slices_of_one_patient_are_never_divided(tmp_path: Path) -> None:
    for patient in range(4):
        write_series(
            tmp_path / "in" / str(patient), 4, PatientID=f"p{patient}", SeriesInstanceUID=f"1.2.840.99.{patient}"
        )
    with study_of(tmp_path / "in", tmp_path / "study") as study:
        assert not [finding for finding in preflight(study, "nifti") if finding.topic == "leakage"]
        export(study, "nifti", tmp_path / "out")
        assert len(list((tmp_path / "out" / "images").iterdir())) == 4
