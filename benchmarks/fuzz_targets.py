"""Every reader of a file that may come from outside, with a good file to damage."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random

import cv2
import nibabel
import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file

from acquisition.finalise import session_from_journal
from domain.calibration import CalibrationRecord, Eyes, Surroundings
from domain.display import Display
from domain.errors import UserFacingError
from domain.events import no_progress
from domain.fixations import ImageFixations
from domain.gaze import SAMPLE_RECORD
from domain.labels import LabelParameters
from domain.session import SessionHeader, TrackerInfo
from domain.study import StudyImage, StudySettings
from domain.trial import TrialRecord
from processing.fixation_table import COLUMNS, read_fixation_table
from processing.importer import ImportOptions, importers
from processing.split_files import read_splits
from storage.calibration_file import read_calibration, write_calibration
from storage.dicom_geometry import affine_of, read_slice_facts
from storage.dicom_segmentation import Segment, write_segmentation
from storage.image_file import read_image, read_slice
from storage.journal import JournalEvent, JournalWriter, read_journal
from storage.map_file import read_map, write_map
from storage.mask_file import read_mask, write_mask
from storage.model_file import TensorFile, read_tensor_file, write_tensor_file
from storage.session_file import header_as_json, read_session, write_session
from storage.snapshot_file import SnapshotSource, SnapshotWriter, read_snapshot
from storage.study import Study
from storage.study_settings_file import read_study_file
from training.run_folder import RunFolder
from workflows.import_images import import_to_folder
from workflows.unpack_archive import unpacked

ALLOWED = (UserFacingError,)
"""What a reader may raise: words for the person in front of the screen."""


@dataclass(frozen=True)
class FuzzTarget:
    """One reader. `prepare` makes a folder with a good file in it and names the file that is to be damaged."""

    name: str
    prepare: Callable[[Path], Path]
    read: Callable[[Path], object]
    is_text: bool = False


def survives(target: FuzzTarget, path: Path) -> str:
    """Read a file: "" when the reader gave a result or words for the user, else what it did instead."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.read(path)
    except ALLOWED as error:
        return "" if str(error).strip() else "an error without words"
    except BaseException as error:  # noqa: BLE001 - everything else is what is looked for
        return f"{type(error).__name__}: {str(error)[:160]}"
    return ""


# ------------------------------------------------------------------ damage

_WORDS = (
    b"NaN",
    b"-1",
    b"1e999",
    b"null",
    b"{}",
    b"[]",
    b"../../x",
    b"99999999999999999999",
    b"\x00",
    b"\xff\xfe",
    b",,",
)


def damaged(content: bytes, random: Random, *, is_text: bool) -> bytes:
    """One damaged version of a good file: cut, flipped, repeated, overwritten, or with strange words in it."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        at = random.randrange(len(data)) if data else 0
        kind = random.randrange(8)
        if kind == 0:
            del data[at:]
        elif kind == 1 and data:
            data[at] ^= 1 << random.randrange(8)
        elif kind == 2 and data:
            # The first bytes hold the sizes that a reader believes.
            data[random.randrange(min(256, len(data)))] = random.randrange(256)
        elif kind == 3:
            del data[at : at + random.randrange(1, 64)]
        elif kind == 4:
            data[at:at] = data[at : at + random.randrange(1, 256)]
        elif kind == 5:
            data[at : at + 4] = struct.pack("<I", random.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)))
        elif kind == 6:
            data[at:at] = random.choice(_WORDS)
        elif is_text and data:
            end = data.find(b"\n", at)
            del data[at : end if end > 0 else len(data)]
        elif data:
            data[at : at + 32] = random.randbytes(32)
    return bytes(data)


def damaged_png(content: bytes, random: Random) -> bytes:
    """A damaged PNG whose chunk checksums are right, so that the damage gets past them."""
    data = bytearray(content[:8])
    at = 8
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        kind, body = content[at + 4 : at + 8], bytearray(content[at + 8 : at + 8 + length])
        if body and random.random() < 0.5:
            body[random.randrange(len(body))] = random.randrange(256)
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + bytes(body)))
        at += 12 + length
    return bytes(data)


# ------------------------------------------------------------------ good files

_PIXELS = np.random.default_rng(1).integers(0, 255, (24, 32, 3), dtype=np.uint8)


def _picture(suffix: str) -> Callable[[Path], Path]:
    def prepare(folder: Path) -> Path:
        path = folder / f"picture{suffix}"
        if suffix == ".png":
            path.write_bytes(cv2.imencode(".png", (_PIXELS.astype(np.uint16) * 257))[1].tobytes())
        elif suffix == ".tif":
            pages = [Image.fromarray(_PIXELS[..., 0]) for _ in range(3)]
            pages[0].save(path, save_all=True, append_images=pages[1:])
        else:
            Image.fromarray(_PIXELS).save(path)
        return path

    return prepare


def _grey_png(folder: Path) -> Path:
    path = folder / "grey.png"
    Image.fromarray(_PIXELS[..., 0]).save(path)
    return path


def _dicom(folder: Path) -> Path:
    source = get_testdata_file("CT_small.dcm", download=False)
    if not isinstance(source, str):
        raise FileNotFoundError("pydicom came without its test file CT_small.dcm")
    path = folder / "slice.dcm"
    shutil.copyfile(source, path)
    return path


def _frames(folder: Path) -> Path:
    path = _dicom(folder)
    good = pydicom.dcmread(path)
    good.NumberOfFrames, good.PixelData = 3, 3 * good.PixelData
    good.save_as(path)
    return path


def _series(folder: Path) -> Path:
    """Three slices of one series; the middle one is what is damaged."""
    path = _dicom(folder)
    good = pydicom.dcmread(path)
    for number, name in enumerate(("above", "slice", "below")):
        good.ImagePositionPatient[2] = 10.0 + 5 * number
        good.InstanceNumber = number + 1
        good.SOPInstanceUID = good.file_meta.MediaStorageSOPInstanceUID = f"1.2.840.99.{number + 1}"
        good.save_as(folder / f"{name}.dcm")
    return path


def _stacked_study(folder: Path) -> Path:
    """A study with a series; what is damaged is the file of one slice."""
    (folder / "in").mkdir()
    _series(folder / "in")
    import_to_folder("folder", folder / "in", folder / "study")
    return folder / "study" / "images" / "slice.dcm"


def _segmentation(folder: Path) -> Path:
    """A mask of the series, beside it."""
    slices = [_series(folder).with_name(f"{name}.dcm") for name in ("above", "slice", "below")]
    stack = np.zeros((3, *read_image(slices[0]).values.shape[1:], 1), np.bool_)
    stack[1, 20:60, 30:80] = True
    path = folder / "SEG.dcm"
    write_segmentation(path, slices, stack, [Segment("polyp", is_manual=True)], uid_of="fuzz")
    return path


def _scan_masks(path: Path) -> object:
    plan = importers.get("folder").scan(path.parent, ImportOptions(), on_progress=no_progress, cancel=None)
    return [image.read_mask() for image in plan.images if image.read_mask is not None]


def _nifti_mask(folder: Path) -> Path:
    path = folder / "polyp_seg.nii"
    facts = [read_slice_facts(_series(folder).with_name(f"{name}.dcm")) for name in ("above", "slice", "below")]
    nibabel.save(nibabel.Nifti1Image(np.ones((128, 128, 3), np.uint8), affine_of(facts)), path)
    return path


def _use_stack(path: Path) -> object:
    with Study.open(path.parents[1]) as study:
        stack, _ = study.stack("above")
        return [stack.display_u8(number) for number in range(stack.n_slices)]


def _nifti(suffix: str) -> Callable[[Path], Path]:
    def prepare(folder: Path) -> Path:
        path = folder / f"volume{suffix}"
        nibabel.save(nibabel.Nifti1Image(np.arange(960, dtype=np.int16).reshape(8, 10, 12), np.eye(4)), path)
        return path

    return prepare


def _map(folder: Path) -> Path:
    write_map(folder / "map.png", np.linspace(0, 1, 768).reshape(24, 32), {"sigma": 70})
    return folder / "map.png"


def _mask(folder: Path) -> Path:
    write_mask(folder / "mask.png", _PIXELS[..., 0] > 100, {"origin": "gaze"})
    return folder / "mask.png"


def _calibration(folder: Path) -> Path:
    surroundings = Surroundings("serial", "model", "screen", "s", (1920, 1080), 1.0, (527.0, 296.0), 650.0, "anna")
    record = CalibrationRecord(b"blob", surroundings, "2026-11-23T10:00:00", "standard", ((0.5, 0.5),), Eyes.BOTH)
    path = folder / "one.calibration.json"
    write_calibration(path, record)
    return path


def _header() -> SessionHeader:
    tracker = TrackerInfo("simulated", rate_hz=60.0, is_simulated=True)
    return SessionHeader("fuzz", "2026-11-23T10:00:00+00:00", 0, "0", tracker, Display((1920, 1080), (527.0, 296.0)))


def _rows(n: int = 60) -> np.ndarray:
    rows = np.zeros(n, SAMPLE_RECORD)
    rows["seq"], rows["time_ns"] = np.arange(n), np.arange(n) * 16_666_667
    rows["gaze_norm"], rows["gaze_valid"] = 0.5, 1
    return rows


def _journal(folder: Path) -> Path:
    path = folder / "sitting.journal"
    writer = JournalWriter(path, header_as_json(_header()))
    for part in np.array_split(_rows(), 5):
        writer.write_samples(part)
        writer.write_event(JournalEvent("notification", {"kind": "connection_lost", "time_ns": 5}))
    writer.write_event(JournalEvent("time_sync", {"request_us": 1, "device_us": 2, "response_us": 3}))
    writer.close({"reason": "complete", "n_overflow": 0})
    return path


def _session(folder: Path) -> Path:
    record = session_from_journal(read_journal(_journal(folder)))
    path = folder / "sitting.h5"
    write_session(path, record)
    return path


def _read_journal(path: Path) -> object:
    return session_from_journal(read_journal(path))


def _model(folder: Path) -> Path:
    path = folder / "model.safetensors"
    tensors = {"weight": np.ones((4, 3), np.float32), "bias": np.zeros(4, np.float32)}
    write_tensor_file(path, TensorFile("model", tensors, {"levels": 2}))
    return path


def _snapshot(folder: Path) -> Path:
    place = folder / "snapshot"
    with SnapshotWriter(place, target="polyp", labels=LabelParameters(), is_simulated=True) as writer:
        source = SnapshotSource("one", _PIXELS, [np.ones((24, 32), np.float32)], mask=_PIXELS[..., 0] > 9)
        writer.add(source)
        writer.finish()
    return place / "snapshot.json"


def _read_snapshot(path: Path) -> object:
    snapshot = read_snapshot(path.parent)
    return [(snapshot.image(item), snapshot.maps(item), snapshot.mask(item)) for item in snapshot.items]


def _study(folder: Path) -> Path:
    place = folder / "study"
    with Study.create(place, StudySettings(name="fuzz")) as study:
        (place / "images" / "one.png").write_bytes(cv2.imencode(".png", _PIXELS)[1].tobytes())
        study.add_images([StudyImage("one", "images/one.png", (32, 24))])
        study.add_annotator("anna")
        fixations = ImageFixations(
            np.full((3, 2), 0.5), duration_ms=np.full(3, 200.0), start_ms=np.arange(3) * 300.0, pupil=np.full(3, 3.0)
        )
        study.save_trial(TrialRecord("t1", "one", "anna", "target", fixations=fixations))
        study.save_mask("one", "anna", "target", _PIXELS[..., 0] > 9, origin="gaze")
        study.catalog.close()
    return place


def _study_json(folder: Path) -> Path:
    return _study(folder) / "study.json"


def _catalog(folder: Path) -> Path:
    return _study(folder) / "catalog.sqlite"


def _use_study(path: Path) -> object:
    # What an earlier damaged catalog left beside it does not belong to this one.
    for ending in ("-wal", "-shm", "-journal"):
        path.with_name(f"catalog.sqlite{ending}").unlink(missing_ok=True)
    with Study.open(path.parent) as study:
        for image in study.images():
            with contextlib.suppress(UserFacingError):
                study.pixels(image.image_id)
        return study.trials(), study.annotators(), study.audit_entries(), study.mask("one", "anna", "target")


def _fixation_table(folder: Path) -> Path:
    rows = [f"one.png,{i + 1},0.{i}5,0.5,{200 + i},900,{i * 300},24,32" for i in range(9)]
    path = folder / "polyp_fixation.csv"
    path.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    Image.fromarray(_PIXELS).save(folder / "one.png")
    return path


def _scan(importer: str) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        return importers.get(importer).scan(path.parent, ImportOptions(), on_progress=no_progress, cancel=None)

    return read


def _splits(folder: Path) -> Path:
    path = folder / "train.txt"
    path.write_text("one\ntwo.jpg\nthree 4\n")
    return path


def _run(folder: Path) -> Path:
    from training.config import preset

    RunFolder(folder / "run").create(preset("tiny"), folder, "0" * 64)
    return folder / "run" / "run.json"


def _tables_json(folder: Path) -> Path:
    _fixation_table(folder)
    path = folder / "tables.json"
    path.write_text(json.dumps({"polyp_fixation.csv": {"annotator": "anna", "target": "polyp", "no_target": ["one"]}}))
    return path


_HEADS = {
    "tobii-tsv": ("tobii-pro-lab/right-eye-300hz.tsv", "tobii-pro-lab/studio-3.4-120hz.tsv"),
    "tobii-research": ("tobii-sdk-dumps/4c-tobii-research.csv",),
    "eyelink-asc": ("eyelink/mono500.asc", "eyelink/bino500.asc"),
    "data-viewer": ("eyelink/data-viewer-fixation-report.csv",),
}
N_LINES = 150


def _foreign_gaze() -> list[FuzzTarget]:
    """Importers of gaze recorded elsewhere, with the first lines of real files; none where those are not there."""
    data = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    found = []
    for importer, names in _HEADS.items():
        for name in names:
            source = data / name
            if not source.is_file():
                continue

            def prepare(folder: Path, source: Path = source) -> Path:
                path = folder / source.name
                path.write_bytes(b"".join(source.read_bytes().splitlines(keepends=True)[:N_LINES]))
                return path

            def read(path: Path, importer: str = importer) -> object:
                return importers.get(importer).scan(path, ImportOptions(), on_progress=no_progress, cancel=None)

            found.append(FuzzTarget(f"import {importer}, {source.name}", prepare, read, is_text=True))
    return found


def _coco(folder: Path) -> Path:
    Image.fromarray(_PIXELS).save(folder / "one.png")
    square = [[2.0, 2.0, 20.0, 2.0, 20.0, 20.0]]
    runs = {"size": [24, 32], "counts": [100, 50, 618]}
    values = {
        "images": [{"id": 1, "file_name": "one.png", "width": 32, "height": 24}],
        "categories": [{"id": 1, "name": "polyp"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": square},
            {"id": 2, "image_id": 1, "category_id": 1, "iscrowd": 1, "segmentation": runs},
        ],
    }
    path = folder / "annotations.json"
    path.write_text(json.dumps(values))
    return path


def _archive(folder: Path) -> Path:
    path = folder / "pictures.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pictures/one.bmp", cv2.imencode(".bmp", _PIXELS)[1].tobytes())
        archive.writestr("pictures/train.txt", "one\n")
    return path


def _read_archive(path: Path) -> object:
    with unpacked(path) as folder:
        return sorted(folder.rglob("*"))


def _published_checkpoint(folder: Path) -> Path:
    import torch

    path = folder / "model_best.pth"
    torch.save({"state_dict": {"encoder.conv_0.conv_0.conv.weight": torch.ones(4, 3, 3, 3)}, "epoch": 3}, path)
    return path


def _read_published_checkpoint(path: Path) -> object:
    from training.published_checkpoint import read_published_checkpoint

    return read_published_checkpoint(path)


def targets() -> list[FuzzTarget]:
    """All readers of outside files."""
    pictures = [
        FuzzTarget(f"image {end}", _picture(end), read_image) for end in (".png", ".jpg", ".tif", ".bmp", ".webp")
    ]
    return [
        *pictures,
        FuzzTarget("image grey .png", _grey_png, read_image),
        FuzzTarget("image DICOM", _dicom, read_image),
        FuzzTarget("image .nii", _nifti(".nii"), read_image),
        FuzzTarget("image .nii.gz", _nifti(".nii.gz"), read_image),
        FuzzTarget("slice of .nii", _nifti(".nii"), lambda path: read_slice(path, 5)),
        FuzzTarget("slice of .nii.gz", _nifti(".nii.gz"), lambda path: read_slice(path, 5)),
        FuzzTarget("frame of DICOM", _frames, lambda path: read_slice(path, 1)),
        FuzzTarget("map", _map, read_map),
        FuzzTarget("mask", _mask, read_mask),
        FuzzTarget("calibration", _calibration, read_calibration, is_text=True),
        FuzzTarget("journal", _journal, _read_journal),
        FuzzTarget("session", _session, read_session),
        FuzzTarget("model", _model, lambda path: read_tensor_file(path, kind="model")),
        FuzzTarget("snapshot", _snapshot, _read_snapshot, is_text=True),
        FuzzTarget("study.json", _study_json, lambda path: read_study_file(path.parent), is_text=True),
        FuzzTarget("catalog", _catalog, _use_study),
        FuzzTarget("fixation table", _fixation_table, read_fixation_table, is_text=True),
        FuzzTarget("import gazemedseg", _fixation_table, _scan("gazemedseg"), is_text=True),
        FuzzTarget("import gazemedseg, tables.json", _tables_json, _scan("gazemedseg"), is_text=True),
        FuzzTarget("import folder", _grey_png, _scan("folder")),
        FuzzTarget("import folder, NIfTI", _nifti(".nii"), _scan("folder")),
        FuzzTarget("import folder, DICOM", _dicom, _scan("folder")),
        FuzzTarget("import folder, DICOM series", _series, _scan("folder")),
        FuzzTarget("slice of a DICOM series", _stacked_study, _use_stack),
        FuzzTarget("import folder, NIfTI mask of a series", _nifti_mask, _scan_masks),
        *([FuzzTarget("import folder, DICOM-SEG", _segmentation, _scan_masks)] if find_spec("highdicom") else []),
        FuzzTarget("split files", _splits, lambda path: read_splits(path.parent), is_text=True),
        FuzzTarget("training run", _run, lambda path: RunFolder(path.parent).config(), is_text=True),
        FuzzTarget("import coco", _coco, _scan("coco"), is_text=True),
        FuzzTarget("archive", _archive, _read_archive),
        FuzzTarget("published checkpoint", _published_checkpoint, _read_published_checkpoint),
        *_foreign_gaze(),
    ]
