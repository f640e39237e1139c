"""Files that are made to harm: they claim to be huge, lead out of their folder, or name what is not theirs."""

from __future__ import annotations

import gzip
import json
import os
import stat
import struct
import sys
import tracemalloc
import zlib
from pathlib import Path

import h5py
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from domain.errors import BadFileError, UserFacingError
from domain.labels import LabelParameters
from domain.study import StudyImage, StudySettings
from storage.image_file import read_image
from storage.map_file import read_map
from storage.mask_file import read_mask
from storage.session_file import read_session
from storage.snapshot_file import SnapshotSource, SnapshotWriter, read_snapshot
from storage.study import Study

LIMIT_BYTES = 300_000_000


@pytest.fixture
def little_memory():
    """The reader must refuse before it takes memory for what the file only claims to hold."""
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < LIMIT_BYTES


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_that_a_small_picture_that_claims_to_be_huge_is_refused(tmp_path: Path, little_memory: None):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_claims(60_000, 60_000))
    for read in (read_image, read_map, read_mask):
        with pytest.raises(BadFileError):
            read(path)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_that_a_small_volume_that_claims_to_be_huge_is_refused(tmp_path: Path, packed: bool, little_memory: None):
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, 30_000, 30_000, 30_000, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    path = tmp_path / ("bomb.nii.gz" if packed else "bomb.nii")
    content = bytes(header) + b"\0" * 1000
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(BadFileError, match="NIfTI"):
        read_image(path)


def test_that_a_small_dicom_file_that_claims_to_be_huge_is_refused(tmp_path: Path, little_memory: None):
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    dataset.Rows = dataset.Columns = 65_535
    dataset.NumberOfFrames = 100_000
    path = tmp_path / "bomb.dcm"
    dataset.save_as(path)
    with pytest.raises(BadFileError, match="DICOM"):
        read_image(path)


def test_that_a_session_that_claims_years_of_gaze_is_refused(tmp_path: Path, little_memory: None):
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["format_version"] = "sightline-session", 1
        from storage.session_file import UNITS

        for name in UNITS:
            file.create_dataset(f"gaze/{name}", shape=(10**11,), chunks=(4096,), dtype="i8", compression="gzip")
    assert path.stat().st_size < 1_000_000
    with pytest.raises(BadFileError, match="more than a sitting"):
        read_session(path)


@pytest.mark.parametrize("name", ["../outside.png", "/etc/passwd", "C:\\secret.png", "images\\..\\..\\x.png"])
def test_that_a_snapshot_cannot_name_files_outside_itself(tmp_path: Path, name: str):
    folder = tmp_path / "snapshot"
    with SnapshotWriter(folder, target="polyp", labels=LabelParameters(), is_simulated=True) as writer:
        writer.add(SnapshotSource("one", np.zeros((8, 8, 3), np.uint8)))
        writer.finish()
    index = json.loads((folder / "snapshot.json").read_text())
    index["items"][0]["image"] = name
    (folder / "snapshot.json").write_text(json.dumps(index))
    with pytest.raises(BadFileError, match="outside the snapshot"):
        read_snapshot(folder)


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "..", "", "con", "x:y", "a\x00b", "x" * 500])
def test_that_no_image_name_leads_out_of_a_study(tmp_path: Path, name: str):
    with Study.create(tmp_path / "study", StudySettings("s")) as study, pytest.raises(UserFacingError):
        study.add_images([StudyImage(name, "images/x.png", (8, 8))])


def test_that_names_of_people_and_targets_cannot_lead_out_of_a_study(tmp_path: Path):
    place = tmp_path / "study"
    with Study.create(place, StudySettings("s")) as study:
        study.add_images([StudyImage("one", "images/one.png", (8, 6))])
        study.add_annotator("../../anna")
        study.save_mask("one", "../../anna", "../polyp", np.ones((6, 8), np.bool_), origin="gaze")
        assert study.mask("one", "../../anna", "../polyp") is not None
    written = {path.resolve() for path in tmp_path.rglob("*") if path.is_file()}
    assert all(path.is_relative_to(place.resolve()) for path in written)


@pytest.mark.parametrize("text", ["'; DROP TABLE images; --", 'x" OR 1=1 --', "%", "_", "\\"])
def test_that_sql_in_what_people_type_is_only_text(tmp_path: Path, text: str):
    with Study.create(tmp_path / "study", StudySettings("s")) as study:
        study.add_images([StudyImage("one", "images/one.png", (8, 6), case="A")])
        study.add_annotator(text)
        found = study.images(search=text)
        assert [image.image_id for image in study.images()] == ["one"]
        assert found == []
        assert text in [person.name for person in study.annotators()]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits; the folder's rights are inherited")
def test_that_nobody_else_may_write_a_studys_files_and_none_may_be_run(tmp_path: Path):
    before = os.umask(0o022)
    try:
        with Study.create(tmp_path / "study", StudySettings("s")) as study:
            study.add_images([StudyImage("one", "images/one.png", (8, 6))])
            study.save_mask("one", "anna", "polyp", np.ones((6, 8), np.bool_), origin="gaze")
    finally:
        os.umask(before)
    for path in (tmp_path / "study").rglob("*"):
        mode = path.stat().st_mode
        assert not mode & (stat.S_IWGRP | stat.S_IWOTH), path
        if path.is_file():
            assert not mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH), path
