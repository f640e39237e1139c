"""A DICOM series with one file per slice becomes one stack, in the right order, and nothing is mixed up in silence."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from domain.errors import BadFileError, Cancelled, UserFacingError
from domain.events import CancelToken, Progress
from domain.slice_stack import SliceStack
from domain.study import StudyImage, StudySettings
from storage.image_file import read_image
from storage.study import Study
from tests.dicom_series import ROWS, SERIES, SIZE, plane, write_series, write_slice
from workflows.audit import verify
from workflows.command_line import build, run
from workflows.import_images import import_into, import_to_folder, scan
from workflows.study import missing_files, repair_paths
from workflows.thumbnails import thumbnail


def stacks_in(folder: Path) -> dict[str, list[str]]:
    """File names of the slices of each stack in their order; the single images under ""."""
    found: dict[str, list[StudyImage]] = {}
    for image in scan("folder", folder).images:
        found.setdefault(image.stack, []).append(image)
    return {
        key: [i.path.name for i in (sorted(ones, key=lambda i: i.stack_position) if key else ones)]
        for key, ones in found.items()
    }


def test_that_a_series_is_one_stack_in_the_order_of_its_positions(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 8)
    import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    with Study.open(tmp_path / "study") as study:
        images = study.images()
        assert [image.origin for image in images] == [path.name for path in paths]
        assert len({image.stack for image in images}) == 1
        assert SERIES not in images[0].stack
        assert np.allclose(np.diff([image.stack_position for image in images]), 2.5, atol=1e-6)
        assert {image.case for image in images} == {images[0].case} != {""}
        stack, home = study.stack(images[3].image_id)
        assert (stack.n_slices, home, stack.size) == (8, 3, SIZE)
        for number in range(8):
            assert np.array_equal(stack.one_slice(number).values[0], plane(number))
            assert np.array_equal(study.pixels(images[number].image_id).values[0], plane(number))
            alone = study.pixels(images[number].image_id)
            assert np.array_equal(stack.one_slice(number).display_u8(), alone.display_u8())


def test_that_one_slice_is_read_from_its_own_file_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path / "in", 8)
    import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    read: list[str] = []

    def counted(path: Path) -> object:
        read.append(path.name)
        return read_image(path)

    monkeypatch.setattr("storage.study_images.read_image", counted)
    with Study.open(tmp_path / "study") as study:
        image = study.images()[5]
        study.pixels(image.image_id)
        thumbnail(study, image.image_id)
        assert set(read) == {Path(image.path).name}
        read.clear()
        stack, home = study.stack(image.image_id)
        assert isinstance(stack, SliceStack)
        assert read == [Path(image.path).name]
        again, other = study.stack(study.images()[6].image_id)
        assert again is stack
        assert (home, other) == (5, 6)
        stack.load(5, reach=2)
        assert len(read) == len(set(read)) == stack.n_loaded == 5


def test_that_copied_slices_still_belong_together_and_name_nobody(tmp_path: Path) -> None:
    write_series(tmp_path / "in", 4)
    import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    copies = [pydicom.dcmread(path) for path in sorted((tmp_path / "study" / "images").iterdir())]
    for name in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert len({str(copy[name].value) for copy in copies}) == 1
    assert len({str(copy.SOPInstanceUID) for copy in copies}) == 4
    inside = b"".join(path.read_bytes() for path in (tmp_path / "study").rglob("*") if path.is_file())
    for secret in (b"Zebedee", SERIES.encode()):
        assert secret not in inside


def test_that_localizers_and_odd_slices_stay_single_with_a_warning(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 5)
    write_slice(tmp_path / "in" / "odd.dcm", 9, pixels=plane(9, (30, 30)))
    write_slice(tmp_path / "in" / "scout.dcm", 11, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_slice(tmp_path / "in" / "coronal.dcm", 12, ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    found = scan("folder", tmp_path / "in")
    stacks = stacks_in(tmp_path / "in")
    assert sorted(stacks[""]) == ["coronal.dcm", "odd.dcm", "scout.dcm"]
    assert [ones for key, ones in stacks.items() if key] == [[path.name for path in paths]]
    assert any("3 localizers or images of another size" in text for text in found.warnings)


@pytest.mark.parametrize(
    ("missing", "words"),
    [({3}, "1 slice seems to be missing"), ({2, 3}, "2 slices seem to be missing"), (set(), "uneven")],
    ids=["one gap", "two in a row", "uneven"],
)
def test_that_gaps_and_uneven_steps_are_told(tmp_path: Path, missing: set[int], words: str) -> None:
    for number in set(range(8)) - missing:
        at = number + 0.3 * (number == 6 and not missing)
        write_slice(tmp_path / "in" / f"{number}.dcm", number, at=at)
    found = scan("folder", tmp_path / "in")
    assert any(words in text for text in found.warnings)
    assert len({image.stack for image in found.images}) == 1


def test_that_an_even_series_with_rounded_headers_gives_no_warning(tmp_path: Path) -> None:
    for number in range(8):
        at = [round(float(v), 2) for v in (10.0, 20.0, -3.333 * number)]
        turned = [0.9999, 0.0001 * (number % 2), 0, 0, 1, 0]
        write_slice(tmp_path / f"in/{number}.dcm", number, ImagePositionPatient=at, ImageOrientationPatient=turned)
    found = scan("folder", tmp_path / "in")
    assert found.warnings == ()
    assert found.series_sizes == (8,)
    assert [image.path.stem for image in found.images] == list("76543210")


@pytest.mark.parametrize(
    ("mark", "values"),
    [
        ("EchoTime", [2.3, 4.6]),
        ("AcquisitionNumber", [1, 2]),
        ("TemporalPositionIdentifier", [1, 2, 3]),
        ("DiffusionBValue", [0.0, 800.0]),
    ],
)
def test_that_images_of_one_place_become_a_stack_each(tmp_path: Path, mark: str, values: list[float]) -> None:
    for part, value in enumerate(values):
        write_series(tmp_path / "in", 6, prefix=f"p{part}-", **{mark: value, "InstanceNumber": part})
    stacks = stacks_in(tmp_path / "in")
    assert len(stacks) == len(values)
    for names in stacks.values():
        assert len(names) == 6
        assert len({name.split("-")[0] for name in names}) == 1
    assert any(mark in text for text in scan("folder", tmp_path / "in").warnings)


def test_that_what_nothing_tells_apart_stays_single(tmp_path: Path) -> None:
    for part in range(2):
        write_series(tmp_path / "in", 6, prefix=f"p{part}-", InstanceNumber=None)
    found = scan("folder", tmp_path / "in")
    assert {image.stack for image in found.images} == {""}
    assert any("nothing tells them apart" in text for text in found.warnings)


def test_that_one_slice_sent_twice_does_not_tear_a_series(tmp_path: Path) -> None:
    write_series(tmp_path / "in", 12)
    write_slice(tmp_path / "in" / "again.dcm", 5)
    (tmp_path / "in" / "copy.dcm").write_bytes((tmp_path / "in" / "IM0001.dcm").read_bytes())
    report = import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    assert report.n_images == 13
    assert len(report.duplicates) == 1
    with Study.open(tmp_path / "study") as study:
        assert sum(bool(image.stack) for image in study.images()) == 12


@pytest.mark.parametrize(
    ("without", "order"),
    [
        ({"ImagePositionPatient": None, "SliceLocation": True}, "slices"),
        ({"ImagePositionPatient": None}, "instances"),
        ({"ImagePositionPatient": None, "InstanceNumber": None}, "names"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "instances"),
        ({"ImagePositionPatient": [1, 2]}, "instances"),
    ],
    ids=["location", "instance number", "file names", "no plane", "half a position"],
)
def test_that_the_next_best_order_counts_where_positions_are_not_said(
    tmp_path: Path, without: dict[str, object], order: str
) -> None:
    places = [2, 0, 3, 1]
    for number, place in enumerate(places):
        facts = dict(without)
        if "SliceLocation" in facts:
            facts["SliceLocation"] = float(place)
        facts.setdefault("InstanceNumber", 10 - place)
        write_slice(tmp_path / "in" / f"IM{number}.dcm", place, **facts)
    (names,) = stacks_in(tmp_path / "in").values()
    by_place = [f"IM{places.index(place)}.dcm" for place in range(4)]
    wanted = {"slices": by_place, "instances": by_place[::-1], "names": sorted(by_place)}
    assert names == wanted[order]


def test_that_slices_of_another_frame_of_reference_are_another_stack(tmp_path: Path) -> None:
    write_series(tmp_path / "in", 4, prefix="a")
    write_series(tmp_path / "in", 4, prefix="b", FrameOfReferenceUID="1.2.840.99.8")
    stacks = stacks_in(tmp_path / "in")
    assert sorted({name[0] for name in names} == {"a"} for names in stacks.values()) == [False, True]
    assert all(len(names) == 4 for names in stacks.values())


def test_that_projections_of_one_series_are_no_stack(tmp_path: Path) -> None:
    for number in range(3):
        write_slice(
            tmp_path / f"in/{number}.dcm",
            number,
            Modality="DX",
            ImagePositionPatient=None,
            ImageOrientationPatient=None,
        )
    assert list(stacks_in(tmp_path / "in")) == [""]


def test_that_each_slice_keeps_its_own_rescale_and_window(tmp_path: Path) -> None:
    for number in range(4):
        write_slice(
            tmp_path / f"in/{number}.dcm",
            number,
            Modality="PT",
            RescaleSlope=0.5 + number,
            RescaleIntercept=-number,
            WindowCenter=100 * (number + 1),
            WindowWidth=50,
            PhotometricInterpretation="MONOCHROME1",
        )
    import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    with Study.open(tmp_path / "study") as study:
        stack, _ = study.stack("0")
        for number in range(4):
            wanted = plane(number) * np.float32(0.5 + number) - number
            assert np.allclose(stack.one_slice(number).values[0], wanted)
            assert stack.default_window(number) == (100 * (number + 1), 50)
            assert stack.one_slice(number).is_inverted


def test_that_several_patients_series_and_formats_in_one_folder_stay_apart(tmp_path: Path) -> None:
    place = tmp_path / "in"
    for patient in ("A", "B"):
        for series in (1, 2):
            for number in range(5):
                write_slice(
                    place / patient / f"s{series}" / f"1-{number + 1:03d}.dcm",
                    number,
                    PatientID=patient,
                    SeriesInstanceUID=f"1.2.3.{patient == 'A':d}.{series}",
                )
    write_slice(place / "B" / "1.2.840.113619.2.99", 1, SeriesInstanceUID="1.2.3.9", PatientID="B")
    write_slice(place / "DICOMDIR", 1)  # a list of files on real media
    import cv2

    cv2.imwrite(str(place / "photo.png"), plane(3).astype(np.uint8))
    report = import_to_folder("folder", place, tmp_path / "study")
    assert report.series_sizes == (5, 5, 5, 5, 1)
    assert "5 DICOM series with 5, 5, 5, 5 and 1 slices." in report.lines()
    with Study.open(tmp_path / "study") as study:
        images = study.images()
        assert len(images) == 22
        cases = {image.stack: image.case for image in images if image.stack}
        assert len(cases) == 4
        assert len(set(cases.values())) == 2
        assert images[0].image_id == "MR-01_001"
        assert {image.image_id[:5] for image in images if image.stack} == {f"MR-0{n}" for n in (1, 2, 3, 4)}


def test_that_patients_imported_one_by_one_get_names_of_their_own(tmp_path: Path) -> None:
    for patient in "AB":
        for series in (1, 2):
            for number in range(4):
                write_slice(
                    tmp_path / patient / f"s{series}" / f"1-{number + 1:03d}.dcm",
                    number,
                    PatientID=patient,
                    SeriesInstanceUID=f"1.2.3.{patient == 'A':d}.{series}",
                )
        import_to_folder("folder", tmp_path / patient, tmp_path / "study")
    with Study.open(tmp_path / "study") as study:
        names = [image.image_id for image in study.images()]
        assert names == [f"MR-{series:02d}_{number:03d}" for series in (1, 2, 3, 4) for number in (1, 2, 3, 4)]
    report = import_to_folder("folder", tmp_path / "B", tmp_path / "study")
    assert (report.n_images, len(report.duplicates)) == (0, 8)


def test_that_slices_can_stay_single_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*more: str) -> int:
        return run(build(), ["import", "folder", str(tmp_path / "in"), "--into", str(tmp_path / "s"), *more])

    write_series(tmp_path / "in", 4)
    assert command("--single-slices") == 0
    with Study.open(tmp_path / "s") as study:
        assert {image.stack for image in study.images()} == {""}
    # Taken as a series later, the images that are there become its slices.
    capsys.readouterr()
    assert command("--dry-run") == 0
    assert "1 DICOM series with 4 slices." in capsys.readouterr().out
    write_slice(tmp_path / "in" / "more.dcm", 4)
    report = import_to_folder("folder", tmp_path / "in", tmp_path / "s")
    assert (report.n_images, len(report.duplicates)) == (1, 4)
    with Study.open(tmp_path / "s") as study:
        stack, home = study.stack("more")
        assert (stack.n_slices, home) == (5, 4)
        assert np.array_equal(stack.one_slice(2).values[0], plane(2))


def test_that_a_series_is_taken_once_and_grows_by_what_is_new(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 6)
    for part in ("first", "second"):
        (tmp_path / part).mkdir()
    for number, path in enumerate(paths):
        for part, is_in in (("first", number % 2 == 0), ("second", number >= 2)):
            if is_in:
                (tmp_path / part / path.name).write_bytes(path.read_bytes())
    import_to_folder("folder", tmp_path / "first", tmp_path / "study")
    report = import_to_folder("folder", tmp_path / "second", tmp_path / "study")
    assert (report.n_images, len(report.duplicates)) == (2, 2)
    again = import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    assert (again.n_images, len(again.duplicates)) == (1, 5)
    with Study.open(tmp_path / "study") as study:
        stack, _ = study.stack(study.images()[0].image_id)
        assert stack.n_slices == 6
        assert all(np.array_equal(stack.one_slice(k).values[0], plane(k)) for k in range(6))


@pytest.mark.parametrize("mark", ["EchoTime", "AcquisitionNumber", "nothing"])
def test_that_echoes_of_two_imports_are_never_mixed(tmp_path: Path, mark: str) -> None:
    for part in (1, 2):
        more = {} if mark == "nothing" else {mark: part}
        write_series(tmp_path / f"in{part}", 6, prefix=f"p{part}-", **more)
    first = import_to_folder("folder", tmp_path / "in1", tmp_path / "study")
    half = tmp_path / "half"
    half.mkdir()
    for path in sorted((tmp_path / "in2").iterdir())[:3]:
        (half / path.name).write_bytes(path.read_bytes())
    second = import_to_folder("folder", half, tmp_path / "study")
    third = import_to_folder("folder", tmp_path / "in2", tmp_path / "study")
    assert (first.n_images, second.n_images, third.n_images) == (6, 3, 3)
    # Told where only the places gave it away.
    assert any("a stack of their own" in text for text in second.warnings) == (mark != "EchoTime")
    with Study.open(tmp_path / "study") as study:
        stacks: dict[str, set[str]] = {}
        for image in study.images():
            stacks.setdefault(image.stack, set()).add(image.origin[:2])
        assert sorted(map(sorted, stacks.values())) == [["p1"], ["p2"]]
        assert study.stack(study.images()[-1].image_id)[0].n_slices == 6


def test_that_slices_without_a_patient_find_their_series_again(tmp_path: Path) -> None:
    write_slice(tmp_path / "a/0.dcm", 0, PatientID="", PatientName="")
    write_slice(tmp_path / "a/1.dcm", 1, PatientID="", PatientName="")
    write_slice(tmp_path / "b/2.dcm", 2, PatientID="", PatientName="")
    write_slice(tmp_path / "b/3.dcm", 3, PatientID="", PatientName="")
    for part in "ab":
        import_to_folder("folder", tmp_path / part, tmp_path / "study")
    with Study.open(tmp_path / "study") as study:
        assert study.stack("3")[0].n_slices == 4


def test_that_a_stopped_import_of_a_series_leaves_the_study_as_it_was(tmp_path: Path) -> None:
    write_series(tmp_path / "in", 6)
    with Study.create(tmp_path / "study", StudySettings("s")) as study:
        before = sorted(str(path) for path in study.folder.rglob("*"))
        token = CancelToken()

        def stop(progress: Progress) -> None:
            if progress.done == 3:
                token.cancel()

        plan = scan("folder", tmp_path / "in")
        with pytest.raises(Cancelled):
            import_into(study, plan, on_progress=stop, cancel=token)
        assert study.images() == []
        assert sorted(str(path) for path in study.folder.rglob("*")) == before


def test_that_lost_and_changed_slices_are_told_and_found_again(tmp_path: Path) -> None:
    write_series(tmp_path / "in", 4)
    import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    with Study.open(tmp_path / "study") as study:
        assert verify(study).problems == ()
        images = study.images()
        for image in images[1:3]:
            target = tmp_path / "elsewhere" / Path(image.path).name
            target.parent.mkdir(exist_ok=True)
            study.absolute(image.path).replace(target)
        assert missing_files(study) == images[1:3]
        assert len([text for text in verify(study).problems if "missing" in text]) == 2
        with pytest.raises(BadFileError, match="slice of the series"):
            study.stack(images[0].image_id)
        study.pixels(images[0].image_id)  # alone it can still be looked at
        assert len(repair_paths(study, tmp_path / "elsewhere").found) == 2
        stack, _ = study.stack(images[0].image_id)
        assert np.array_equal(stack.one_slice(2).values[0], plane(2))
        write_slice(study.absolute(images[3].path), 7, pixels=plane(1, (9, 9)))
        assert any("not the file" in text for text in verify(study).problems)
        del stack
        stack, _ = study.stack(images[0].image_id)
        with pytest.raises(UserFacingError, match="9 x 9"):
            stack.display_u8(3)


def test_that_an_archive_with_a_series_is_one_stack(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for path in write_series(tmp_path / "in", 4):
            archive.write(path, f"export/{path.name}")
    import_to_folder("folder", tmp_path / "export.zip", tmp_path / "study")
    with Study.open(tmp_path / "study") as study:
        assert study.stack("IM0001")[0].n_slices == 4


def test_that_rows_of_the_fixture_are_a_direction() -> None:
    assert np.isclose(np.linalg.norm(ROWS), 1)
