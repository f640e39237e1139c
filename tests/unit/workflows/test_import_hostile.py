"""Every importer against files as they should not be: right result or words, never a half import or a stray file."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from domain.errors import StorageFullError, UserFacingError
from processing.fixation_table import COLUMNS
from processing.importer import importers
from processing.run_lengths import compressed, run_lengths
from storage.study import Study
from tests.real_data import real_data
from workflows import unpack_archive
from workflows.import_images import import_into, import_to_folder, scan

N_MANY = 100_000
REAL_GAZE = {
    "tobii-tsv": ("tobii-pro-lab", "studio-3.4-120hz.tsv"),
    "tobii-research": ("tobii-sdk-dumps", "4c-tobii-research.csv"),
    "eyelink-asc": ("eyelink", "mono500.asc"),
    "data-viewer": ("eyelink", "data-viewer-fixation-report.csv"),
}


def picture(path: Path, size: tuple[int, int] = (40, 30), value: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 60, 30)).save(path)
    return path


def coco_of(folder: Path, *, file_name: str = "a.png", counts: object = None, **changes: object) -> Path:
    """A folder with one picture and its COCO file, with what the test wants to be wrong."""
    picture(folder / "a.png")
    mask = np.zeros((30, 40), np.bool_)
    mask[5:12, 7:20] = True
    runs = compressed(run_lengths(mask)) if counts is None else counts
    values: dict[str, object] = {
        "images": [{"id": 1, "file_name": file_name, "width": 40, "height": 30}],
        "categories": [{"id": 1, "name": "polyp"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": {"size": [30, 40], "counts": runs}, "iscrowd": 0}
        ],
        **changes,
    }
    (folder / "annotations.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


def refused(name: str, source: Path, study: Path) -> str:
    """The words of the refusal; a refused import leaves nothing at all."""
    before = set(source.parent.rglob("*"))
    with pytest.raises(UserFacingError) as caught:
        import_to_folder(name, source, study)
    assert not study.exists()
    assert set(source.parent.rglob("*")) == before
    return str(caught.value)


# pictures: truncated, wrong encoding, path traversal


@pytest.mark.parametrize("name", ["folder", "kvasir-seg"])
def test_that_a_truncated_picture_stops_the_import_by_name(tmp_path: Path, name: str) -> None:
    place = tmp_path / "in" / ("images" if name == "kvasir-seg" else "")
    whole = picture(place / "good.png", (300, 200))
    (place / "cut.png").write_bytes(whole.read_bytes()[:70])
    if name == "kvasir-seg":
        picture(tmp_path / "in" / "masks" / "good.png", (300, 200))
        picture(tmp_path / "in" / "masks" / "cut.png", (300, 200))
    assert "cut.png" in refused(name, tmp_path / "in", tmp_path / "s")


@pytest.mark.parametrize("evil", ["../outside.png", "../../etc/passwd", "/etc/passwd", "C:\\x.png", "..\\outside.png"])
def test_that_a_coco_file_cannot_name_pictures_elsewhere(tmp_path: Path, evil: str) -> None:
    picture(tmp_path / "outside.png")
    source = coco_of(tmp_path / "in", file_name=evil)
    assert refused("coco", source, tmp_path / "s")


@pytest.mark.parametrize(
    "changes",
    [
        {"images": []},
        {"images": "no list"},
        {"images": [{"id": 1}]},
        {"annotations": [{"id": 1, "image_id": 9, "category_id": 1, "segmentation": []}]},
        {
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 7, "segmentation": {"size": [30, 40], "counts": "0"}}
            ]
        },
        {"counts": "not runs"},
        {"counts": [1, 2]},
        {"counts": [10**12]},
    ],
    ids=["no images", "wrong kind", "no file name", "no such image", "no such class", "bad runs", "short", "endless"],
)
def test_that_a_wrong_coco_file_is_refused_whole(tmp_path: Path, changes: dict[str, object]) -> None:
    assert refused("coco", coco_of(tmp_path / "in", **changes), tmp_path / "s")  # type: ignore[arg-type]


def test_that_a_coco_file_in_latin_1_gives_the_right_names(tmp_path: Path) -> None:
    source = coco_of(tmp_path / "in")
    path = source / "annotations.json"
    path.write_bytes(path.read_text(encoding="utf-8").replace("polyp", "pólyp").encode("latin-1"))
    assert [target.name for target in scan("coco", source).targets] == ["pólyp"]


@pytest.mark.parametrize("how", ["truncated", "utf-16 without a mark"])
def test_that_a_coco_file_that_is_no_json_is_refused(tmp_path: Path, how: str) -> None:
    source = coco_of(tmp_path / "in")
    path = source / "annotations.json"
    text = path.read_text(encoding="utf-8").replace("polyp", "pólyp")
    raw = {"truncated": text[:90].encode(), "utf-16 without a mark": text.encode("utf-16-be")}
    path.write_bytes(raw[how])
    assert "annotations.json" in refused("coco", source, tmp_path / "s")


def test_that_a_mask_that_cannot_be_read_leaves_a_study_as_it_was(tmp_path: Path) -> None:
    import_to_folder("folder", picture(tmp_path / "first" / "z.png").parent, tmp_path / "s")
    plan = scan("coco", coco_of(tmp_path / "in"))

    def fail() -> None:
        raise UserFacingError("this mask cannot be read", "")

    object.__setattr__(plan.masks[0], "read", fail)
    with Study.open(tmp_path / "s") as study:
        with pytest.raises(UserFacingError, match="this mask"):
            import_into(study, plan)
        assert [image.image_id for image in study.images()] == ["z"]
        assert study.mask_versions() == []


# fixation tables: wrong columns, encoding, decimal comma, traversal


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_that_a_table_with_decimal_commas_in_any_encoding_gives_the_same_numbers(tmp_path: Path, encoding: str) -> None:
    picture(tmp_path / "in" / "é.png")
    rows = [";".join(COLUMNS), "é.jpg;1;0,5;0,25;200,5;3,1;0;30;40"]
    (tmp_path / "in" / "t.csv").write_bytes("\n".join(rows).encode(encoding))
    (read,) = scan("gazemedseg", tmp_path / "in").reads
    assert read.fixations.xy_norm.tolist() == [[0.5, 0.25]]
    assert read.fixations.duration_ms.tolist() == [200.5]


@pytest.mark.parametrize("evil", ["../../outside.jpg", "/etc/passwd", "..\\outside.jpg"])
def test_that_a_table_cannot_name_pictures_elsewhere(tmp_path: Path, evil: str) -> None:
    picture(tmp_path / "outside.png")
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "t.csv").write_text(",".join(COLUMNS) + f"\n{evil},1,0.5,0.5,200,3,0,30,40\n")
    try:
        import_to_folder("gazemedseg", tmp_path / "in", tmp_path / "s")
    except UserFacingError:
        assert not (tmp_path / "s").exists()
        return
    with Study.open(tmp_path / "s") as study:
        assert [image.image_id for image in study.images()] == ["a"]
        assert study.trials() == []


# gaze recorded elsewhere


@pytest.mark.parametrize("name", REAL_GAZE)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_that_gaze_in_another_encoding_is_the_same_gaze(tmp_path: Path, name: str, encoding: str) -> None:
    path = real_data(*REAL_GAZE[name])
    again = tmp_path / path.name
    again.write_bytes(path.read_bytes().decode("utf-8").encode(encoding))
    before, after = scan(name, path).sessions, scan(name, again).sessions
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one.record.samples.gaze_norm, other.record.samples.gaze_norm, equal_nan=True)
        assert list(one.image_names.values()) == list(other.image_names.values())


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("eyelink-asc", b"!V IMGLOAD", b"!V IMGLOAD"),
        ("data-viewer", b"msd001", b"../../../evil"),
        ("data-viewer", b"msd001", b"..\\..\\evil"),
        ("eyelink-asc", b"TRIALID", b"TRIALID ../../../evil"),
    ],
)
def test_that_names_in_gaze_files_lead_nowhere(tmp_path: Path, name: str, before: bytes, after: bytes) -> None:
    raw = real_data(*REAL_GAZE[name]).read_bytes()
    source = tmp_path / "deep" / "in" / "gaze.txt"
    source.parent.mkdir(parents=True)
    source.write_bytes(raw.replace(before, after))
    import_to_folder("folder", picture(tmp_path / "deep" / "p" / "a.png").parent, tmp_path / "deep" / "s")
    outside = {path for path in tmp_path.rglob("*") if tmp_path / "deep" / "s" not in path.parents}
    try:
        import_to_folder(name, source, tmp_path / "deep" / "s")
    except UserFacingError as refusal:
        assert refusal.message  # noqa: PT017 - a refusal is right too
    assert {path for path in tmp_path.rglob("*") if tmp_path / "deep" / "s" not in path.parents} == outside
    assert not list(tmp_path.rglob("*evil*.png"))


def many_rows(name: str) -> str:
    if name == "tobii-research":
        head = "device_time_stamp;left_gaze_point_on_display_area;right_gaze_point_on_display_area"
        return "\n".join([head, *(f"{i * 8333};(0.25, 0.5);(0.75, 0.5)" for i in range(N_MANY))])
    if name == "tobii-tsv":
        head = "Eyetracker timestamp [μs]\tGaze point left X [DACS px]\tGaze point left Y [DACS px]"
        head += "\tRecording resolution width\tRecording resolution height"
        return "\n".join([head, *(f"{i * 8333}\t480\t540\t1920\t1080" for i in range(N_MANY))])
    if name == "eyelink-asc":
        head = "** CONVERTED\nMSG\t0 GAZE_COORDS 0.00 0.00 1919.00 1079.00\nSTART\t1\tLEFT\tSAMPLES\n"
        rows = (f"{1 + 2 * i}\t  480.0\t  540.0\t 1000.0\t..." for i in range(N_MANY))
        return head + "\n".join(rows) + f"\nEND\t{2 * N_MANY}\tSAMPLES\n"
    head = "RECORDING_SESSION_LABEL,TRIAL_INDEX,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION"
    return "\n".join([head, *("a,1,480,540,200" for _ in range(N_MANY))])


@pytest.mark.parametrize("name", REAL_GAZE)
def test_that_100_000_rows_of_gaze_are_all_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / "many.txt"
    path.write_text(many_rows(name), encoding="utf-8")
    (found,) = scan(name, path).sessions
    n = len(found.record.samples) if name != "data-viewer" else len(found.fixations or ())
    assert n == N_MANY
    assert importers.get(name).kind == "gaze"


# archives made to do harm


def zip_of_zeros(path: Path, n_bytes: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("images/zeros.bin", bytes(n_bytes))
    return path


def test_that_an_archive_made_to_fill_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack_archive, "SUSPICIOUS_BYTES", 1_000_000)
    assert "fill a disk" in refused("folder", zip_of_zeros(tmp_path / "bomb.zip", 3_000_000), tmp_path / "s")


def test_that_an_archive_larger_than_the_free_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack_archive, "_RESERVE_BYTES", 10**18)
    with pytest.raises(StorageFullError, match="more than is free"):
        import_to_folder("folder", zip_of_zeros(tmp_path / "big.zip", 1000), tmp_path / "s")


def test_that_an_archive_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = zip_of_zeros(tmp_path / "liar.zip", 500_000)
    raw = bytearray(path.read_bytes())
    for place in (raw.find(b"PK\x03\x04") + 22, raw.find(b"PK\x01\x02") + 24):
        raw[place : place + 4] = struct.pack("<I", 10)  # uncompressed size, in both headers
    path.write_bytes(bytes(raw))
    assert "liar.zip" in refused("folder", path, tmp_path / "s")
