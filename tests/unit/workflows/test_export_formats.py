"""Each format opened by its consumer's own reader: the same counts, areas and pixels."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from domain.errors import UserFacingError
from domain.labels import LabelParameters
from domain.study import StudyImage, StudySettings, Target
from domain.trial import TrialRecord
from processing.exporter import ExportOptions, exporters
from processing.exporters.nnunet import case_name, folds
from processing.exporters.yolo_seg import contours, has_hole
from processing.importer import ImportOptions
from processing.run_lengths import compressed, decompressed, mask_from_runs, run_lengths
from storage.image_file import read_image
from storage.study import Study
from tests.unit.processing.study_for_export import LABELS, fixations, hard_mask, study_with_hard_cases
from tests.unit.storage.test_image_file import dicom_file
from workflows.export_dataset import PreflightError, export, verify_export
from workflows.import_images import import_to_folder

ALL_NAMES = ["deep", "plain", "turned", "Zdjęcie-例"]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    study = study_with_hard_cases(tmp_path / "s")
    for image in study.images():  # a second target beside the first, so that classes can be told apart
        second = np.zeros((image.size[1], image.size[0]), np.bool_)
        second[:5, :6] = True
        study.save_mask(image.image_id, "A", "fold", second, origin="gaze")
    return study


def second_mask(size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size[::-1], np.bool_)
    mask[:5, :6] = True
    return mask


def test_that_all_formats_are_registered() -> None:
    wanted = {"gazemedseg", "png", "coco", "yolo-seg", "nnunet", "nifti", "dicom-seg", "tables", "bids"}
    assert wanted <= set(exporters.names())


@pytest.mark.parametrize("name", ["gazemedseg", "png", "coco", "yolo-seg", "nnunet", "nifti", "tables", "bids"])
def test_that_every_export_is_whole_and_says_so(study: Study, tmp_path: Path, name: str) -> None:
    report = export(study, name, tmp_path / "out")
    assert verify_export(tmp_path / "out") == []
    assert sorted(report.paths) == sorted(
        p.relative_to(tmp_path / "out").as_posix()
        for p in (tmp_path / "out").rglob("*")
        if p.is_file() and p.name != "manifest.json"
    )
    again = export(study, name, tmp_path / "again")
    for path in report.paths:
        if not path.endswith((".gz", ".parquet")):
            assert (tmp_path / "out" / path).read_bytes() == (tmp_path / "again" / path).read_bytes(), path
    assert again.n_bytes > 0 or name == "bids"


def test_that_png_masks_are_pixel_equal_in_both_kinds(study: Study, tmp_path: Path) -> None:
    export(study, "png", tmp_path / "out")
    for image in study.images():
        with Image.open(tmp_path / "out" / "masks" / f"{image.image_id}.png") as picture:
            assert picture.mode == "P"
            index = np.array(picture)
        assert np.array_equal(index == 1, hard_mask(image.size) & ~second_mask(image.size))
        assert np.array_equal(index == 2, second_mask(image.size))
        with Image.open(tmp_path / "out" / "masks_polyp" / f"{image.image_id}.png") as picture:
            assert np.array_equal(np.array(picture) == 255, hard_mask(image.size))
    assert json.loads((tmp_path / "out" / "labels.json").read_text()) == {"0": "background", "1": "polyp", "2": "fold"}


def test_that_16_bit_pictures_stay_16_bit(study: Study, tmp_path: Path) -> None:
    export(study, "png", tmp_path / "out")
    ours = read_image(tmp_path / "out" / "images" / "deep.png").values
    assert np.array_equal(ours, study.pixels("deep").values)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own, with numpy 2
def test_that_pycocotools_reads_equal_areas_and_masks(study: Study, tmp_path: Path) -> None:
    coco_module = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    export(study, "coco", tmp_path / "out")
    n_images = 0
    for split in ("train", "test"):
        coco = coco_module.COCO(str(tmp_path / "out" / f"annotations_{split}.json"))
        for row in coco.loadImgs(coco.getImgIds()):
            n_images += 1
            assert (tmp_path / "out" / row["file_name"]).is_file()
            found = {a["category_id"]: a for a in coco.loadAnns(coco.getAnnIds(imgIds=row["id"]))}
            for number, wanted in ((1, hard_mask), (2, second_mask)):
                mask = wanted((row["width"], row["height"]))
                assert np.array_equal(coco.annToMask(found[number]).astype(bool), mask)
                assert found[number]["area"] == mask.sum()
                left, top, width, height = (int(v) for v in found[number]["bbox"])
                box = np.zeros_like(mask)
                box[top : top + height, left : left + width] = True
                assert (mask & ~box).sum() == 0
                assert mask[top, :].any()
                assert mask[:, left].any()
    assert n_images == 4


def test_that_run_lengths_equal_pycocotools_and_come_back() -> None:
    mask_module = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    rng = np.random.default_rng(2)
    for shape in ((1, 1), (7, 5), (64, 48), (3, 300)):
        for share in (0.0, 0.02, 0.5, 1.0):
            mask = rng.random(shape) < share
            text = compressed(run_lengths(mask))
            assert text == mask_module.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
            assert np.array_equal(mask_from_runs(decompressed(text), shape), mask)


def test_that_a_coco_export_can_be_imported_again(study: Study, tmp_path: Path) -> None:
    export(study, "coco", tmp_path / "out")
    import_to_folder("coco", tmp_path / "out", tmp_path / "again")
    with Study.open(tmp_path / "again") as again:
        assert sorted(i.image_id for i in again.images()) == sorted(ALL_NAMES)
        assert [t.name for t in again.settings.targets] == ["polyp", "fold"]
        assert again.image("deep").split == "test"
        for image in again.images():
            assert np.array_equal(again.mask(image.image_id, "imported", "polyp"), hard_mask(image.size))
            assert np.array_equal(again.mask(image.image_id, "imported", "fold"), second_mask(image.size))


def test_that_a_png_export_can_be_imported_again(study: Study, tmp_path: Path) -> None:
    export(study, "png", tmp_path / "out")
    import_to_folder("folder", tmp_path / "out", tmp_path / "again")
    with Study.open(tmp_path / "again") as again:
        for image in again.images():
            wanted = hard_mask(image.size) | second_mask(image.size)
            assert np.array_equal(again.ground_truth(image.image_id), wanted)


def test_that_yolo_contours_fill_to_the_same_mask_and_holes_are_told(study: Study, tmp_path: Path) -> None:
    report = export(study, "yolo-seg", tmp_path / "out")
    assert any(finding.topic == "holes" and len(finding.image_ids) == 4 for finding in report.findings)
    text = (tmp_path / "out" / "labels" / "train" / "plain.txt").read_text()
    assert {line.split()[0] for line in text.splitlines()} == {"0", "1"}
    values = np.array([float(v) for line in text.splitlines() for v in line.split()[1:]])
    assert values.min() >= 0
    assert values.max() <= 1


def test_that_contours_enclose_exactly_the_pixels() -> None:
    mask = np.zeros((30, 40), np.bool_)
    mask[4:20, 5:30] = True
    mask[10:15, 12:30] = False  # a bay, not a hole
    mask[25:27, 35:38] = True
    assert not has_hole(mask)
    area = 0.0
    for outline in contours(mask):
        x, y = outline[:, 0], outline[:, 1]
        area += abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2
    assert area == pytest.approx(mask.sum(), rel=0.02)
    mask[6, 7] = False
    assert has_hole(mask)


def test_that_the_nnunet_folder_passes_its_own_rules(study: Study, tmp_path: Path) -> None:
    export(study, "nnunet", tmp_path / "out")
    (raw,) = (tmp_path / "out" / "nnUNet_raw").iterdir()
    description = json.loads((raw / "dataset.json").read_text())
    images = sorted(p.name for p in (raw / "imagesTr").iterdir())
    assert description["numTraining"] == len(images) == 3
    assert list(description["labels"].values()) == [0, 1, 2]
    for name in images:
        case = name.removesuffix("_0000.png")
        label = np.array(Image.open(raw / "labelsTr" / f"{case}.png"))
        picture = read_image(raw / "imagesTr" / name)
        assert picture.is_colour
        assert picture.size == label.shape[::-1]
        assert set(np.unique(label)) <= {0, 1, 2}
    splits = json.loads(next((tmp_path / "out" / "nnUNet_preprocessed").rglob("splits_final.json")).read_text())
    for fold in splits:
        assert not set(fold["train"]) & set(fold["val"])
        assert sorted(fold["train"] + fold["val"]) == sorted(name.removesuffix("_0000.png") for name in images)


@pytest.mark.filterwarnings("ignore")  # nnU-Net and its dependencies warn on import
def test_that_nnunets_integrity_check_accepts_the_export(study: Study, tmp_path: Path) -> None:
    check = pytest.importorskip(
        "nnunetv2.experiment_planning.verify_dataset_integrity", reason="nnunetv2 is not installed"
    )
    export(study, "nnunet", tmp_path / "out")
    (raw,) = (tmp_path / "out" / "nnUNet_raw").iterdir()
    check.verify_dataset_integrity(str(raw), num_processes=1)


def test_that_the_band_between_levels_becomes_nnunets_ignore_label(study: Study, tmp_path: Path) -> None:
    export(study, "nnunet", tmp_path / "out", ExportOptions(target="polyp", masks="gaze"))
    (raw,) = (tmp_path / "out" / "nnUNet_raw").iterdir()
    description = json.loads((raw / "dataset.json").read_text())
    assert description["labels"] == {"background": 0, "polyp": 1, "ignore": 2}
    label = np.array(Image.open(raw / "labelsTr" / "plain.png"))
    assert set(np.unique(label)) == {0, 1, 2}
    with Study.open(study.folder) as again:
        from processing.export_source import ExportSource

        maps = ExportSource(again, ExportOptions(target="polyp")).merged_maps("plain")
        assert maps is not None
        assert np.array_equal(label == 1, maps.refined >= 0.5)
        assert np.array_equal(label == 2, (maps.refined >= 0.3) & (maps.refined < 0.5))


def test_that_people_stay_together_in_nnunets_folds() -> None:
    images = [StudyImage(f"{c}{i}", "p", (1, 1), case=c, split="train") for c in "abcdefg" for i in range(3)]
    for fold in folds(images):
        assert not {name[0] for name in fold["train"]} & {name[0] for name in fold["val"]}
    assert case_name(replace(images[0], image_id="ä b")) != case_name(replace(images[0], image_id="ö b"))


def test_that_nifti_labels_lie_on_the_volumes_grid(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    affine = np.array([[0, 0, 2.0, 5], [-1.5, 0, 0, 7], [0, 1.2, 0, 9], [0, 0, 0, 1.0]])
    voxels = rng.integers(0, 500, (7, 6, 5)).astype(np.int16)
    (tmp_path / "in").mkdir()
    nibabel.save(nibabel.Nifti1Image(voxels, affine), tmp_path / "in" / "vol.nii.gz")
    nibabel.save(nibabel.Nifti1Image((voxels > 250).astype(np.uint8), affine), tmp_path / "in" / "vol_seg.nii.gz")
    import_to_folder("folder", tmp_path / "in", tmp_path / "s")
    with Study.open(tmp_path / "s") as study:
        export(study, "nifti", tmp_path / "out")
    image = nibabel.load(tmp_path / "out" / "images" / "vol.nii.gz")
    label = nibabel.load(tmp_path / "out" / "labels" / "vol.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj), voxels)
    assert label.shape == image.shape
    assert np.allclose(label.affine, image.affine)
    assert np.array_equal(np.asarray(label.dataobj), voxels > 250)


def test_that_flat_nifti_shows_the_same_picture_again(study: Study, tmp_path: Path) -> None:
    export(study, "nifti", tmp_path / "out")
    for image in study.images():
        label = read_image(tmp_path / "out" / "labels" / f"{image.image_id}.nii.gz").values[0]
        assert np.array_equal(label == 2, second_mask(image.size))
    assert np.array_equal(read_image(tmp_path / "out" / "images" / "deep.nii.gz").values, study.pixels("deep").values)


@pytest.fixture
def dicom_study(tmp_path: Path) -> Study:
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(4)
    facts: dict[str, object] = {
        "Modality": "CT",
        "PatientID": "Secret-1",
        "PatientName": "Secret^Name",
        "StudyInstanceUID": "1.2.3.4",
        "SeriesInstanceUID": "1.2.3.4.5",
        "FrameOfReferenceUID": "1.2.3.4.6",
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.5, 0.5],
        "SliceThickness": 3,
        "SeriesNumber": 2,
    }
    for i in range(2):
        path = tmp_path / "in" / f"scan{i}.dcm"
        dicom_file(
            path,
            rng.integers(0, 900, (24, 32)).astype(np.uint16),
            InstanceNumber=i + 1,
            ImagePositionPatient=[0, 0, 3.0 * i],
            **facts,
        )
    (tmp_path / "in" / "masks").mkdir()
    for i in range(2):
        Image.fromarray(hard_mask((32, 24)).astype(np.uint8) * 255).save(tmp_path / "in" / "masks" / f"scan{i}.png")
    import_to_folder("folder", tmp_path / "in", tmp_path / "s", options=ImportOptions(single_slices=True))
    study = Study.open(tmp_path / "s")
    study.update_settings(StudySettings("Dicom", (Target("prostate"),), labels=replace(LABELS, thresholds=(0.2, 0.4))))
    study.save_trial(TrialRecord("t", "scan0", "A", "prostate", fixations=fixations(3)))
    return study


def test_that_highdicom_reads_binary_masks_and_fractional_maps(dicom_study: Study, tmp_path: Path) -> None:
    hd = pytest.importorskip("highdicom", reason="highdicom is not installed")
    options = ExportOptions(test_share=0.0)
    export(dicom_study, "dicom-seg", tmp_path / "out", options)
    mask = hd.seg.segread(tmp_path / "out" / "masks" / "scan0.dcm")
    source = pydicom.dcmread(tmp_path / "out" / "images" / "scan0.dcm")
    assert mask.segmentation_type.value == "BINARY"
    pixels = mask.get_pixels_by_source_instance([source.SOPInstanceUID], segment_numbers=[1])
    assert np.array_equal(pixels[0, :, :, 0] > 0, hard_mask((32, 24)))
    assert "Secret" not in str(mask)
    heat = hd.seg.segread(tmp_path / "out" / "maps" / "scan0.dcm")
    assert heat.segmentation_type.value == "FRACTIONAL"
    from processing.export_source import ExportSource

    wanted = ExportSource(dicom_study, options).merged_maps("scan0")
    assert wanted is not None
    values = heat.get_pixels_by_source_instance([source.SOPInstanceUID], segment_numbers=[1])[0, :, :, 0]
    assert np.abs(values - wanted.refined).max() <= 0.5 / 255 + 1e-6
    assert not (tmp_path / "out" / "maps" / "scan1.dcm").exists()


def test_that_dicom_seg_refuses_pictures_with_a_sentence(study: Study, tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="not DICOM"):
        export(study, "dicom-seg", tmp_path / "out")


def test_that_dicom_with_identifiers_is_not_exported(dicom_study: Study, tmp_path: Path) -> None:
    path = dicom_study.absolute(dicom_study.image("scan0").path)
    dataset = pydicom.dcmread(path)
    dataset.PatientIdentityRemoved = "NO"
    dataset.save_as(path)
    with pytest.raises(PreflightError, match="identifiers"):
        export(dicom_study, "gazemedseg", tmp_path / "out")


def test_that_tables_hold_every_fixation_in_csv_and_parquet(study: Study, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    export(study, "tables", tmp_path / "csv", ExportOptions(more={"kind": "csv"}))
    export(study, "tables", tmp_path / "parquet", ExportOptions(more={"kind": "parquet"}))
    n = sum(len(trial.fixations) for trial in study.trials())
    csv, parquet = (
        pandas.read_csv(tmp_path / "csv" / "fixations.csv"),
        pandas.read_parquet(tmp_path / "parquet" / "fixations.parquet"),
    )
    assert len(csv) == len(parquet) == n
    assert np.array_equal(csv["x_norm"], parquet["x_norm"])
    plain = study.trial("plain", "A", "polyp")
    assert plain is not None
    assert np.array_equal(csv[csv.image_id == "plain"]["duration_ms"], plain.fixations.duration_ms)
    with pytest.raises(UserFacingError, match="no kind"):
        export(study, "tables", tmp_path / "x", ExportOptions(more={"kind": "xls"}))


def test_that_masks_can_come_from_gaze_from_people_or_from_the_reference(study: Study, tmp_path: Path) -> None:
    study.save_mask("plain", "A", "polyp", ~hard_mask((70, 50)), origin="correction")
    for way, wanted in (("reference", hard_mask((70, 50))), ("newest", ~hard_mask((70, 50)))):
        export(study, "png", tmp_path / way, ExportOptions(target="polyp", masks=way))  # type: ignore[arg-type]
        ours = np.array(Image.open(tmp_path / way / "masks_polyp" / "plain.png")) == 255
        assert np.array_equal(ours, wanted)
    assert isinstance(study.settings.labels, LabelParameters)
