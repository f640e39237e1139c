"""Image readers: nothing is lost, and what is broken is named."""

from pathlib import Path

import cv2
import nibabel
import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from domain.errors import BadFileError
from storage.image_file import image_readers, read_image, read_slice, stem_of
from storage.image_readers.nifti import read_affine, to_file_grid

RNG = np.random.default_rng(3)


def dicom_file(path: Path, pixels: np.ndarray, **more: object) -> Path:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.SOPClassUID = CTImageStorage
    ds.Rows, ds.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        ds.NumberOfFrames = len(pixels)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    for name, value in more.items():
        setattr(ds, name, value)
    ds.PixelData = pixels.astype("<u2").tobytes()
    ds.save_as(path, enforce_file_format=True)
    return path


def test_that_exif_orientation_is_applied(tmp_path: Path) -> None:
    grey = np.zeros((20, 30), np.uint8)
    grey[:10, :10] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned 90 degrees clockwise
    Image.fromarray(grey).save(tmp_path / "a.png", exif=exif)
    pixels = read_image(tmp_path / "a.png")
    assert pixels.size == (20, 30)
    assert np.array_equal(pixels.values[0], np.rot90(grey, -1))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_that_16_bit_grey_keeps_its_values(tmp_path: Path, suffix: str) -> None:
    values = RNG.integers(0, 65536, (7, 9)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / f"a{suffix}")
    assert np.array_equal(read_image(tmp_path / f"a{suffix}").values[0], values)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_that_16_bit_colour_keeps_its_values(tmp_path: Path, suffix: str) -> None:
    values = RNG.integers(0, 65536, (7, 9, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), values[:, :, ::-1])
    assert np.array_equal(read_image(tmp_path / f"a{suffix}").values[0], values)


def test_that_a_dark_16_bit_image_is_shown_through_its_percentiles(tmp_path: Path) -> None:
    values = RNG.integers(100, 300, (50, 50)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    shown = read_image(tmp_path / "a.png").display_u8()
    assert shown.shape == (50, 50, 3)
    assert shown.min() == 0
    assert shown.max() == 255


def test_that_a_content_beats_a_wrong_suffix_and_names_may_be_non_ascii(tmp_path: Path) -> None:
    folder = tmp_path / "Zdjęcia 例" / "ä b"
    folder.mkdir(parents=True)
    Image.fromarray(np.full((4, 5), 9, np.uint8)).save(folder / "ß.dcm", format="PNG")
    assert read_image(folder / "ß.dcm").values[0, 0, 0] == 9


def test_that_dicom_rescale_window_and_inversion_are_kept(tmp_path: Path) -> None:
    raw = np.array([[0, 1000], [2000, 4000]], np.uint16)
    path = dicom_file(
        tmp_path / "a.dcm",
        raw,
        RescaleSlope=2,
        RescaleIntercept=-1000,
        WindowCenter=[1000, 40],
        WindowWidth=[2000, 400],
        PhotometricInterpretation="MONOCHROME1",
        PatientName="Nobody",
    )
    pixels = read_image(path)
    assert np.array_equal(pixels.values[0], raw.astype(np.float32) * 2 - 1000)
    assert pixels.window == (1000, 2000)
    assert pixels.is_inverted
    assert pixels.display_u8()[0, 0, 0] == 255
    assert pixels.display_u8()[1, 1, 0] == 0
    assert "Nobody" not in str(pixels.meta)


def test_that_a_multi_frame_dicom_gives_slices(tmp_path: Path) -> None:
    raw = RNG.integers(0, 4096, (5, 6, 7)).astype(np.uint16)
    pixels = read_image(dicom_file(tmp_path / "a.dcm", raw))
    assert np.array_equal(pixels.values, raw)
    assert pixels.n_slices == 5


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "PSR", "SAL"])
def test_that_nifti_is_turned_for_the_reader_and_back(tmp_path: Path, codes: str) -> None:
    orientation = nibabel.orientations.axcodes2ornt(codes)
    voxels = RNG.integers(0, 100, (4, 5, 6)).astype(np.int16)
    affine = nibabel.orientations.inv_ornt_aff(orientation, voxels.shape)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), tmp_path / "a.nii.gz")
    shown = read_image(tmp_path / "a.nii.gz").values
    assert np.array_equal(to_file_grid(shown, read_affine(tmp_path / "a.nii.gz")), voxels)
    assert shown.shape[0] == 6


def test_that_the_patients_right_is_left_and_anterior_is_up(tmp_path: Path) -> None:
    voxels = np.zeros((4, 5, 2), np.int16)
    voxels[3, 4, 0] = 7  # RAS: farthest right, farthest anterior, lowest slice
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "a.nii")
    assert read_image(tmp_path / "a.nii").values[0, 0, 0] == 7


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        pytest.param("a.png", b"", "empty", id="empty"),
        pytest.param("a.png", b"\x89PNG\r\n\x1a\n" + b"x" * 40, "picture", id="png-junk"),
        pytest.param("a.jpg", b"hello, I am text", "picture", id="text-as-jpg"),
        pytest.param("a.xyz", b"hello, I am text", "not an image", id="foreign"),
        pytest.param("a.dcm", b"\x00" * 128 + b"DICM" + b"\x02", "DICOM", id="dicom-cut"),
        pytest.param("a.nii.gz", b"\x1f\x8b\x08\x00\x00", "NIfTI", id="gzip-cut"),
        pytest.param("a.nii", b"\x00" * 100, "NIfTI", id="nifti-short"),
    ],
)
def test_that_a_broken_file_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadFileError, match=words) as caught:
        read_image(tmp_path / name)
    assert name in str(caught.value)


def test_that_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match=r"gone\.png"):
        read_image(tmp_path / "gone.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".dcm", ".nii.gz"])
def test_that_a_truncated_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    values = RNG.integers(0, 255, (64, 64)).astype(np.uint8)
    if suffix == ".dcm":
        dicom_file(path, values)
    elif suffix == ".nii.gz":
        nibabel.save(nibabel.Nifti1Image(values[:, :, None], np.eye(4)), path)
    else:
        Image.fromarray(values).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadFileError):
        read_image(path)


def test_that_every_reader_is_registered_and_stems_are_found() -> None:
    assert image_readers.names() == ["dicom", "nifti", "raster"]
    assert [stem_of(n) for n in ("a.b.png", "v.nii.gz", "x.1")] == ["a.b", "v", "x.1"]


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PSR", "SAL", "RAI"])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_that_one_slice_of_a_volume_is_that_slice_of_the_whole(tmp_path: Path, codes: str, ending: str) -> None:
    orientation = nibabel.orientations.axcodes2ornt(codes)
    voxels = RNG.integers(0, 100, (4, 5, 6)).astype(np.int16)
    affine = nibabel.orientations.inv_ornt_aff(orientation, voxels.shape)
    volume = nibabel.Nifti1Image(voxels, affine)
    volume.header.set_slope_inter(2.0, 1.0)
    path = tmp_path / f"a{ending}"
    nibabel.save(volume, path)
    whole = read_image(path)
    for number in range(whole.n_slices):
        one = read_slice(path, number)
        assert np.array_equal(one.values, whole.values[number : number + 1])
        assert one.spacing_mm == whole.spacing_mm
    with pytest.raises(BadFileError, match="slice 6 is missing"):
        read_slice(path, 6)


@pytest.mark.parametrize("shape", [(7, 9), (4, 5, 3, 2)], ids=["flat", "with time"])
def test_that_slices_of_odd_volumes_are_those_of_the_whole(tmp_path: Path, shape: tuple[int, ...]) -> None:
    voxels = RNG.integers(0, 100, shape).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "a.nii")
    whole = read_image(tmp_path / "a.nii")
    for number in range(whole.n_slices):
        assert np.array_equal(read_slice(tmp_path / "a.nii", number).values[0], whole.values[number])


def test_that_one_frame_of_a_multi_frame_dicom_is_that_frame(tmp_path: Path) -> None:
    raw = RNG.integers(0, 4096, (5, 6, 7)).astype(np.uint16)
    path = dicom_file(tmp_path / "a.dcm", raw, RescaleSlope=2, RescaleIntercept=-7, WindowCenter=40, WindowWidth=80)
    whole = read_image(path)
    for number in range(5):
        one = read_slice(path, number)
        assert np.array_equal(one.values[0], whole.values[number])
        assert one.window == whole.window
    with pytest.raises(BadFileError, match="slice 5 is missing"):
        read_slice(path, 5)
    single = dicom_file(tmp_path / "b.dcm", raw[0])
    assert np.array_equal(read_slice(single, 0).values[0], raw[0])


@pytest.mark.parametrize("name", ["examples_ybr_color.dcm", "color3d_jpeg_baseline.dcm", "emri_small_RLE.dcm"])
def test_that_frames_of_real_colour_and_compressed_files_are_the_same(name: str) -> None:
    found = get_testdata_file(name, download=False)
    if not isinstance(found, str):
        pytest.skip(f"pydicom came without its test file {name}")
    try:
        whole = read_image(found)
    except BadFileError as problem:
        pytest.skip(f"no decoder here: {problem.message[-80:]}")
    for number in (0, whole.n_slices // 2, whole.n_slices - 1):
        assert np.array_equal(read_slice(found, number).values[0], whole.values[number])
