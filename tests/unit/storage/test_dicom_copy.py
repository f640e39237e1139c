"""De-identified DICOM copies: nothing that names a person stays, what belongs together stays together."""

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from storage.dicom_copy import DicomCopier
from storage.study import Study
from tests.real_data import real_data
from tests.unit.storage.test_image_file import dicom_file
from workflows.import_images import import_to_folder

SECRET = "Zebedee"


def named_file(path: Path, *, patient: str = SECRET, **more: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    facts: dict[str, object] = {
        "Modality": "US",
        "PatientName": f"{SECRET}^Jane",
        "PatientID": patient,
        "PatientBirthDate": "19510203",
        "PatientSex": "F",
        "PatientAge": "070Y",
        "ReferringPhysicianName": f"Dr^{SECRET}",
        "InstitutionName": f"{SECRET} Hospital",
        "OperatorsName": SECRET,
        "StudyDescription": f"for {SECRET}",
        "ImageComments": SECRET,
        "AccessionNumber": SECRET,
        "StudyDate": "20200102",
        "StudyInstanceUID": "1.2.840.99.1",
        "SeriesInstanceUID": "1.2.840.99.1.2",
        "FrameOfReferenceUID": "1.2.840.99.1.3",
        "DeviceSerialNumber": SECRET,
        "RequestAttributesSequence": Sequence([Dataset()]),
    }
    file = dicom_file(path, np.arange(400).reshape(20, 20).astype(np.uint16), **(facts | more))
    dataset = pydicom.dcmread(file)
    dataset.add_new(0x00091001, "LO", f"private {SECRET}")
    dataset.add_new(0x60000022, "LO", f"overlay {SECRET}")
    referenced = Dataset()
    referenced.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.6.1"
    referenced.ReferencedSOPInstanceUID = "1.2.840.99.1.2.3"
    referenced.ReferringPhysicianName = SECRET
    dataset.ReferencedImageSequence = Sequence([referenced])
    dataset.preamble = SECRET.encode().ljust(128, b" ")
    dataset.file_meta.SourceApplicationEntityTitle = SECRET
    dataset.save_as(file, enforce_file_format=True)
    return file


def test_that_no_byte_of_the_name_stays_and_the_pixels_do(tmp_path: Path) -> None:
    source = named_file(tmp_path / "a.dcm")
    before = source.read_bytes()
    DicomCopier(tmp_path / "study").copy(source, tmp_path / "b.dcm")
    assert source.read_bytes() == before
    assert SECRET.encode() not in (tmp_path / "b.dcm").read_bytes()
    kept = pydicom.dcmread(tmp_path / "b.dcm")
    assert np.array_equal(kept.pixel_array, pydicom.dcmread(source).pixel_array)
    assert kept.PatientIdentityRemoved == "YES"
    assert kept.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert kept.DeidentificationMethod
    for name in ("PatientBirthDate", "PatientSex", "StudyDate", "AccessionNumber", "ReferringPhysicianName"):
        assert not str(kept.get(name, ""))
    for name in ("PatientAge", "InstitutionName", "StudyDescription", "ImageComments", "DeviceSerialNumber"):
        assert name not in kept
    assert not [element for element in kept if element.tag.is_private or 0x6000 <= element.tag.group <= 0x60FF]


def test_that_uids_are_mapped_the_same_for_all_files_and_references_hold(tmp_path: Path) -> None:
    copier = DicomCopier(tmp_path / "study")
    one, two = named_file(tmp_path / "1.dcm"), named_file(tmp_path / "2.dcm")
    for number, path in enumerate((one, two)):
        copier.copy(path, tmp_path / f"out{number}.dcm")
    first, second = pydicom.dcmread(tmp_path / "out0.dcm"), pydicom.dcmread(tmp_path / "out1.dcm")
    assert first.StudyInstanceUID == second.StudyInstanceUID != "1.2.840.99.1"
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID
    assert first.SOPClassUID == pydicom.dcmread(one).SOPClassUID
    reference = first.ReferencedImageSequence[0]
    assert reference.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.6.1"
    assert reference.ReferencedSOPInstanceUID == copier.mapped_uid("1.2.840.99.1.2.3")
    assert first.PatientID == second.PatientID != SECRET


def test_that_the_key_lies_apart_and_gives_the_same_names_later(tmp_path: Path) -> None:
    named_file(tmp_path / "in" / "a.dcm")
    import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    key = json.loads((tmp_path / "study-keys" / "keys.json").read_text(encoding="utf-8"))
    assert list(key["patients"]) == [SECRET]
    inside = b"".join(p.read_bytes() for p in (tmp_path / "study").rglob("*") if p.is_file())
    assert SECRET.encode() not in inside
    named_file(tmp_path / "more" / "b.dcm", InstanceNumber=7)
    import_to_folder("folder", tmp_path / "more", tmp_path / "study")
    with Study.open(tmp_path / "study") as study:
        assert {image.case for image in study.images()} == {key["patients"][SECRET]}


@pytest.mark.parametrize(
    ("modality", "burned_in", "needs_look"),
    [("US", None, True), ("US", "NO", False), ("CT", None, False), ("CT", "YES", True), ("SC", None, True)],
)
def test_that_images_that_may_hold_text_are_named(
    tmp_path: Path, modality: str, burned_in: str | None, needs_look: bool
) -> None:
    more = {"BurnedInAnnotation": burned_in} if burned_in else {}
    named_file(tmp_path / "in" / "a.dcm", Modality=modality, **more)
    report = import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    assert report.look_for_text == (("a",) if needs_look else ())


def test_that_a_real_slice_keeps_pixels_geometry_and_loses_dates(tmp_path: Path) -> None:
    source = real_data("gazemedseg-samples", "Prostate3T-01-0001_13.dcm")
    DicomCopier(tmp_path / "study").copy(source, tmp_path / "b.dcm")
    before, kept = pydicom.dcmread(source), pydicom.dcmread(tmp_path / "b.dcm")
    assert np.array_equal(before.pixel_array, kept.pixel_array)
    assert kept.PixelSpacing == before.PixelSpacing
    assert kept.ImagePositionPatient == before.ImagePositionPatient
    text = str(kept)
    for name in ("AccessionNumber", "StudyDate", "StationName", "StudyDescription"):
        value = str(before.get(name, ""))
        assert not value or value not in text
