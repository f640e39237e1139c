"""Import: everything is read and checked first, then written as a whole or not at all."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from domain.errors import BadFileError, BrokenFilesError, Cancelled, UserFacingError
from domain.events import CancelToken, Progress
from domain.study import StudySettings
from storage.study import Study
from tests.real_data import real_data
from workflows.command_line import build, run
from workflows.import_images import import_into, import_to_folder, scan

HEADER = (
    "IMAGE,CURRENT_FIX_INDEX,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION,CURRENT_FIX_PUPIL,CURRENT_FIX_START,"
    "IMAGE_HEIGHT,IMAGE_WIDTH"
)
ROW = "a.jpg,1,0.5,0.25,200,3000,7,30,40"


def picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (30, 40, 3)).astype(np.uint8)).save(path)
    return path


def mask(path: Path, size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros(size[::-1], np.uint8)
    values[5:10, 5:12] = 255
    Image.fromarray(values).save(path)
    return path


def everything_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_that_kvasir_seg_becomes_a_study_with_masks_and_splits(tmp_path: Path) -> None:
    source = tmp_path / "kvasir"
    for i in range(4):
        picture(source / "images" / f"p{i}.png", i)
        mask(source / "masks" / f"p{i}.png")
    (source / "train.txt").write_text("p0\np1 more words\n")
    (source / "test.txt").write_text("p2\n")
    report = import_to_folder("kvasir-seg", source, tmp_path / "study")
    assert (report.n_images, report.n_masks) == (4, 4)
    with Study.open(tmp_path / "study") as study:
        assert [image.split for image in study.images()] == ["train", "train", "test", ""]
        truth = study.ground_truth("p3")
        assert truth is not None
        assert truth.sum() == 35
        assert study.settings.targets[0].name == "polyp"


def test_that_the_real_gazemedseg_rows_find_their_images_also_where_they_are_dicom(tmp_path: Path) -> None:
    report = import_to_folder("gazemedseg", real_data("gazemedseg-samples"), tmp_path / "study")
    assert (report.n_images, report.n_masks, report.n_reads, report.n_fixations) == (4, 2, 4, 105)
    with Study.open(tmp_path / "study") as study:
        assert [t.name for t in study.settings.targets] == ["polyp", "prostate"]
        trial = study.trial("cju0qx73cjw570799j4n5cjze", "gazemedseg", "polyp")
        assert trial is not None
        assert len(trial.fixations) == 39
        assert trial.fixations.xy_norm[0].tolist() == [0.480208333, 0.512239583]
        assert (trial.fixations.duration_ms[0], trial.fixations.pupil[0], trial.fixations.start_ms[0]) == (256, 2146, 7)
        assert not trial.is_simulated
        prostate = study.image("Prostate3T-01-0002_16")
        assert (prostate.case, prostate.split, prostate.size) == ("Prostate3T-01-0002", "train", (320, 320))
        assert study.trial("Prostate3T-01-0002_16", "gazemedseg", "prostate") is not None
        kept = pydicom.dcmread(study.absolute(prostate.path))
        source = pydicom.dcmread(real_data("gazemedseg-samples", "Prostate3T-01-0002_16.dcm"))
        assert np.array_equal(kept.pixel_array, source.pixel_array)


def test_that_simulated_tables_are_called_simulated(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "images" / "a.jpg")
    (tmp_path / "in" / "kvasir_fixation_simulated.csv").write_text(f"{HEADER}\n{ROW}\n")
    import_to_folder("gazemedseg", tmp_path / "in", tmp_path / "study")
    with Study.open(tmp_path / "study") as study:
        trial = study.trial("a", "simulated", "polyp")
        assert trial is not None
        assert trial.is_simulated
        assert study.settings.is_simulated


@pytest.mark.parametrize(
    ("table", "words"),
    [
        pytest.param("IMAGE,X\na.jpg,1\n", "lacks the columns CURRENT_FIX_INDEX", id="wrong-columns"),
        pytest.param("", "empty", id="empty"),
        pytest.param(HEADER + "\n", "no rows", id="header-only"),
        pytest.param(HEADER + "\na.jpg,1,left,0.5,200,3000,7,30,40\n", "line 2: CURRENT_FIX_X", id="not-a-number"),
        pytest.param(HEADER + "\na.jpg,1,480,220,200,3000,7,30,40\n", "share of the image", id="pixels"),
        pytest.param(HEADER + "\na.jpg,1,0.5,0.5,-2,3000,7,30,40\n", "not above 0", id="negative-duration"),
        pytest.param(HEADER + "\na.jpg,1,0.5,nan,20,3000,7,30,40\n", "is empty", id="no-position"),
        pytest.param(HEADER + "\n../../a.jpg,1,0.5,0.5,20,3000,7,30,40\n", "plain file name", id="path-traversal"),
        pytest.param(HEADER + "\na.jpg,1,0,5,0,5,200,3000,7,30,40\n", "11 cells", id="decimal-comma-in-csv"),
        pytest.param(HEADER + "\nother.jpg,1,0.5,0.5,20,3000,7,30,40\n", "None of the images", id="no-image"),
        pytest.param(HEADER + "\na.jpg,1,0.5,0.5,20,3000,7,0,40\n", "size in pixels", id="zero-size"),
        pytest.param("\x00\x01\x02binary", "not a text file", id="binary"),
    ],
)
def test_that_a_bad_table_is_refused_and_nothing_is_left(tmp_path: Path, table: str, words: str) -> None:
    picture(tmp_path / "in" / "images" / "a.jpg")
    (tmp_path / "in" / "kvasir_fixation.csv").write_text(table)
    with pytest.raises(BadFileError, match=words):
        import_to_folder("gazemedseg", tmp_path / "in", tmp_path / "study")
    assert not (tmp_path / "study").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (f"{HEADER}\n{ROW}\n", "utf-8-sig"),
        (f"{HEADER}\n{ROW}\n", "utf-16"),
        (f"{HEADER}\r\n{ROW}\r\n\r\n", "utf-8"),
        (f"{HEADER}\n{ROW}\n".replace(",", ";").replace(".25", ",25").replace("0.5", "0,5"), "utf-8"),
        (f"{HEADER}\n{ROW}\n".replace(",", "\t"), "cp1252"),
    ],
    ids=["byte-order-mark", "utf-16", "windows-lines", "semicolons-and-decimal-commas", "tabs"],
)
def test_that_tables_of_other_programs_are_understood(tmp_path: Path, content: str, encoding: str) -> None:
    picture(tmp_path / "in" / "a.jpg")
    (tmp_path / "in" / "t.csv").write_bytes(content.encode(encoding))
    plan = scan("gazemedseg", tmp_path / "in")
    assert plan.reads[0].fixations.xy_norm.tolist() == [[0.5, 0.25]]


def test_that_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "images" / "a.png")
    mask(tmp_path / "in" / "masks" / "a.png", (30, 40))
    with pytest.raises(BadFileError, match="30 x 40"):
        import_to_folder("kvasir-seg", tmp_path / "in", tmp_path / "study")


def test_that_broken_files_are_left_out_only_when_asked(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png")
    whole = picture(tmp_path / "in" / "b.png", 1).read_bytes()
    (tmp_path / "in" / "b.png").write_bytes(whole[: len(whole) // 2])
    assert run(build(), ["import", "folder", str(tmp_path / "in"), "--into", str(tmp_path / "s")]) == 2
    assert not (tmp_path / "s").exists()
    command = ["import", "folder", str(tmp_path / "in"), "--into", str(tmp_path / "s"), "--skip-broken"]
    assert run(build(), command) == 0
    with Study.open(tmp_path / "s") as study:
        assert [image.image_id for image in study.images()] == ["a"]


def test_that_the_same_file_is_taken_once(tmp_path: Path) -> None:
    first = picture(tmp_path / "in" / "a.png")
    shutil.copy(first, tmp_path / "in" / "copy.png")
    report = import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    assert (report.n_images, report.duplicates) == (1, {"copy.png": "a"})
    again = import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    assert (again.n_images, len(again.duplicates)) == (0, 2)


def test_that_another_image_of_the_same_name_gets_another_id(tmp_path: Path) -> None:
    picture(tmp_path / "one" / "a.png", 1)
    picture(tmp_path / "two" / "A.png", 2)
    import_to_folder("folder", tmp_path / "one", tmp_path / "study")
    import_to_folder("folder", tmp_path / "two", tmp_path / "study")
    with Study.open(tmp_path / "study") as study:
        assert [image.image_id for image in study.images()] == ["a", "A-2"]
        assert not np.array_equal(study.pixels("a").values, study.pixels("A-2").values)


def test_that_a_stopped_import_leaves_the_study_as_it_was(tmp_path: Path) -> None:
    for i in range(5):
        picture(tmp_path / "in" / f"{i}.png", i)
    with Study.create(tmp_path / "study", StudySettings("x")) as study:
        before = everything_in(tmp_path / "study")
        token = CancelToken()

        def stop(progress: Progress) -> None:
            if progress.done == 3:
                token.cancel()

        plan = scan("folder", tmp_path / "in")
        with pytest.raises(Cancelled):
            import_into(study, plan, on_progress=stop, cancel=token)
        assert study.images() == []
    assert [n for n in everything_in(tmp_path / "study") if "sqlite-" not in n] == [
        n for n in before if "sqlite-" not in n
    ]


def test_that_images_may_stay_where_they_are(tmp_path: Path) -> None:
    source = picture(tmp_path / "in" / "Zdjęcia 例.png")
    import_to_folder("folder", tmp_path / "in", tmp_path / "study", copy=False)
    with Study.open(tmp_path / "study") as study:
        image = study.images()[0]
        assert image.path == source.as_posix()
        assert study.pixels(image.image_id).size == (40, 30)


def test_that_a_folder_with_something_else_is_not_touched(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    with pytest.raises(UserFacingError, match="not a study and not empty"):
        import_to_folder("folder", tmp_path / "in", tmp_path / "full")


def test_that_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(tmp_path / "in" / "a.png")
    command = ["import", "folder", str(tmp_path / "in"), "--into", str(tmp_path / "s"), "--dry-run"]
    assert run(build(), command) == 0
    assert "1 image, " in capsys.readouterr().out
    assert not (tmp_path / "s").exists()


def test_that_every_slice_of_a_volume_is_an_image_of_one_case(tmp_path: Path) -> None:
    import nibabel

    voxels = np.random.default_rng(0).integers(0, 99, (6, 5, 4)).astype(np.int16)
    (tmp_path / "in").mkdir()
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "in" / "vol.nii.gz")
    nibabel.save(nibabel.Nifti1Image((voxels > 50).astype(np.uint8), np.eye(4)), tmp_path / "in" / "vol_seg.nii.gz")
    import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    with Study.open(tmp_path / "study") as study:
        images = study.images()
        assert [image.image_id for image in images] == ["vol_001", "vol_002", "vol_003", "vol_004"]
        assert {image.case for image in images} == {"vol"}
        pixels, truth = study.pixels("vol_003").values, study.ground_truth("vol_003")
        assert np.array_equal(pixels[0], voxels[::-1, ::-1, 2].T)
        assert np.array_equal(truth, pixels[0] > 50)
        assert len(list((tmp_path / "study" / "images").iterdir())) == 1


def zipped(folder: Path, archive: Path, *, evil: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                opened.write(path, f"Kvasir-SEG/{path.relative_to(folder).as_posix()}")
        if evil:
            opened.writestr(evil, b"evil")
    return archive


def test_that_an_archive_is_imported_and_always_copied(tmp_path: Path) -> None:
    picture(tmp_path / "k" / "images" / "a.png")
    mask(tmp_path / "k" / "masks" / "a.png")
    archive = zipped(tmp_path / "k", tmp_path / "k.zip")
    import_to_folder("kvasir-seg", archive, tmp_path / "s", copy=False)
    with Study.open(tmp_path / "s") as study:
        assert study.pixels("a").size == (40, 30)
        assert study.image("a").path == "images/a.png"


@pytest.mark.parametrize("evil", ["../evil.txt", "/etc/evil", "a/../../evil", "C:\\evil.txt", "..\\evil.txt"])
def test_that_an_archive_whose_names_lead_out_is_refused(tmp_path: Path, evil: str) -> None:
    picture(tmp_path / "k" / "images" / "a.png")
    archive = zipped(tmp_path / "k", tmp_path / "k.zip", evil=evil)
    with pytest.raises(BadFileError, match="leads out"):
        import_to_folder("kvasir-seg", archive, tmp_path / "s")
    assert not (tmp_path / "s").exists()
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_that_a_cut_archive_is_refused(tmp_path: Path, share: float) -> None:
    picture(tmp_path / "k" / "images" / "a.png")
    archive = zipped(tmp_path / "k", tmp_path / "k.zip")
    raw = archive.read_bytes()
    archive.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(BadFileError, match="cannot be unpacked"):
        import_to_folder("kvasir-seg", archive, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_that_a_study_that_is_there_is_not_added_to_under_another_name(tmp_path: Path) -> None:
    picture(tmp_path / "one" / "a.png")
    picture(tmp_path / "two" / "b.png", 1)
    place = tmp_path / "s"
    assert run(build(), ["import", "folder", str(tmp_path / "one"), "--into", str(place), "--name", "First"]) == 0
    with pytest.raises(UserFacingError, match=r"'First'.*Leave the name out"):
        import_to_folder("folder", tmp_path / "two", place, name="Second")
    with pytest.raises(UserFacingError, match="Leave the preset out"):
        import_to_folder("folder", tmp_path / "two", place, preset="prostate")
    with Study.open(place) as study:
        assert len(study.images()) == 1
    assert import_to_folder("folder", tmp_path / "two", place, name="First").n_images == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["folder", "in", "--into", "file.txt"], "is a file", id="into-a-file"),
        pytest.param(["nonsense", "nowhere"], "nonsense", id="format-before-folder"),
        pytest.param(["folder", "nowhere", "--preset", "liver"], "liver", id="preset-before-folder"),
        pytest.param(["folder", "nowhere"], "nowhere is not there", id="no-source"),
    ],
)
def test_that_wrong_words_of_an_import_are_told_in_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "file.txt").write_text("x")
    assert run(build(), ["import", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_that_all_broken_files_are_named_at_once(tmp_path: Path) -> None:
    for number in range(4):
        picture(tmp_path / "in" / f"{number}.png", number)
    for number in (1, 3):
        (tmp_path / "in" / f"{number}.png").write_bytes(b"no picture")
    with pytest.raises(BrokenFilesError, match="2 files cannot be read") as told:
        scan("folder", tmp_path / "in")
    assert [name in text for name, text in zip(("1.png", "3.png"), told.value.problems, strict=True)] == [True, True]
