"""Gaze of other programs: the real files with their traps, and what is broken about files."""

from pathlib import Path

import numpy as np
import pytest

from domain.errors import BadFileError
from processing.importer import FoundSession, ImportOptions, importers
from tests.real_data import real_data
from workflows.import_images import scan


def session(name: str, path: Path, **more: str) -> FoundSession:
    (found,) = scan(name, path, options=ImportOptions(more=more)).sessions
    return found


def test_that_all_gaze_formats_are_registered() -> None:
    wanted = {"tobii-tsv", "tobii-research", "eyelink-asc", "data-viewer"}
    assert wanted <= set(importers.names())
    assert {importers.get(name).kind for name in wanted} == {"gaze"}


def test_that_a_pro_lab_export_with_one_eye_keeps_samples_fixations_and_the_picture() -> None:
    found = session("tobii-tsv", real_data("tobii-pro-lab", "right-eye-300hz.tsv"))
    samples, header = found.record.samples, found.record.header
    assert len(samples) == 4872  # rows of the mouse and of events are not samples
    assert not samples.gaze_valid[:, 0].any()
    assert samples.gaze_valid[:, 1].sum() == 3660
    assert header.tracker.rate_hz == pytest.approx(300, abs=0.5)
    assert header.display.size_px == (1920, 1080)
    assert header.display.size_mm == pytest.approx((527, 296), abs=3)
    assert header.display.distance_mm == pytest.approx(583, abs=2)
    assert header.settings["screen_size_is_assumed"] is False
    assert found.fixations is not None
    assert len(found.fixations) == 32
    (trial,) = found.record.trials()
    assert found.image_names[trial.trial_id] == "chimsky.png"
    _, view = trial.views.rows()[0]
    assert (view.image_size, view.left_top_px, view.zoom) == ((1110, 865), (405.0, 108.0), 1.0)


def test_that_decimal_commas_and_units_in_headers_give_the_numbers_of_the_file() -> None:
    path = real_data("tobii-pro-lab", "right-eye-300hz.tsv")
    found = session("tobii-tsv", path)
    lines = path.read_text(encoding="utf-8").splitlines()
    names = lines[0].split("\t")
    cells = next(row for line in lines[1:] if (row := line.split("\t"))[names.index("Gaze point right X [DACS px]")])
    first = int(np.flatnonzero(found.record.samples.gaze_valid[:, 1])[0])
    assert found.record.samples.gaze_norm[first, 1, 0] * 1920 == pytest.approx(
        float(cells[names.index("Gaze point right X [DACS px]")]), abs=1e-3
    )
    assert found.record.samples.pupil_mm[first, 1] == pytest.approx(
        float(cells[names.index("Pupil diameter right [mm]")].replace(",", ".")), abs=1e-6
    )
    assert found.record.samples.device_us[first] == int(cells[names.index("Eyetracker timestamp [μs]")])


def test_that_both_eyes_and_the_validation_of_a_pro_lab_export_are_read() -> None:
    found = session("tobii-tsv", real_data("tobii-pro-lab", "custom-filter-120hz.tsv"))
    samples = found.record.samples
    assert (len(samples), samples.gaze_valid[:, 0].sum(), samples.gaze_valid[:, 1].sum()) == (4910, 4111, 4246)
    assert found.record.validations[0]["mean_deg"] == 0.42
    assert found.fixations is not None
    assert len(found.fixations) == 75
    # Eyes about 6 cm apart and 57 cm away, in the middle of the screen.
    both = samples.gaze_valid.all(axis=1)
    apart = np.nanmean(samples.origin_mm[both, 1] - samples.origin_mm[both, 0], axis=0)
    assert apart[0] == pytest.approx(58, abs=6)


def test_that_a_studio_export_with_validity_codes_is_read() -> None:
    found = session("tobii-tsv", real_data("tobii-pro-lab", "studio-3.4-120hz.tsv"))
    samples, header = found.record.samples, found.record.header
    assert len(samples) == 2910
    assert samples.gaze_valid[:, 0].sum() == 2602
    assert header.tracker.rate_hz == pytest.approx(120, abs=0.5)
    assert header.settings["program"] == "Tobii Studio 3.4.5"
    assert not (samples.pupil_mm < 0).any()
    assert header.display.size_mm[0] == pytest.approx(513, abs=5)
    assert header.created_utc.startswith("2016-10-25")
    assert len(found.record.trials()) >= 1


def test_that_a_dump_of_the_sdk_with_nan_tuples_is_read() -> None:
    found = session("tobii-research", real_data("tobii-sdk-dumps", "4c-tobii-research.csv"))
    samples = found.record.samples
    assert len(samples) == 453  # the last line of the file is cut off
    assert samples.gaze_norm[0, 0].tolist() == pytest.approx([0.10997918248, 0.64418059587], abs=1e-7)
    assert samples.origin_mm[0, 1].tolist() == pytest.approx([-17.8566818, 97.6476364, 634.585144], abs=1e-4)
    row = 159  # line 161 of the file: the right eye is (nan, nan)
    assert samples.gaze_valid[row].tolist() == [True, False]
    assert np.isnan(samples.gaze_norm[row, 1]).all()
    assert 400 < found.record.header.display.size_mm[0] < 700


@pytest.mark.parametrize(
    ("name", "n_samples", "eyes", "n_fixations", "n_blocks"),
    [("mono500.asc", None, [True, False], None, 4), ("bino500.asc", None, [True, True], None, None)],
)
def test_that_an_eyelink_recording_is_read(
    name: str, n_samples: None, eyes: list[bool], n_fixations: None, n_blocks: int | None
) -> None:
    path = real_data("eyelink", name)
    found = session("eyelink-asc", path)
    lines = path.read_text().splitlines()
    samples = found.record.samples
    assert len(samples) == sum(line[:1].isdigit() for line in lines)
    assert samples.gaze_valid.any(axis=0).tolist() == eyes
    assert found.fixations is not None
    assert len(found.fixations) == sum(line.startswith("EFIX") for line in lines)
    assert found.record.header.display.size_px == (1024, 768)
    assert found.record.header.tracker.rate_hz == pytest.approx(500, abs=1)
    assert len(np.unique(samples.segment)) == sum(line.startswith("START") for line in lines)
    assert np.isnan(samples.pupil_mm).all()
    del n_samples, n_fixations, n_blocks


def test_that_a_remote_binocular_recording_with_missing_eyes_is_read() -> None:
    found = session("eyelink-asc", real_data("eyelink", "binoRemote500.asc"))
    samples = found.record.samples
    row = int(np.flatnonzero(samples.time_ns == 12038142 * 10**6)[0])
    assert samples.gaze_valid[row].tolist() == [False, True]
    assert samples.gaze_norm[row, 1].tolist() == pytest.approx([58.9 / 1024, 636.2 / 768], abs=1e-5)


def test_that_a_fixation_report_gives_sessions_without_samples() -> None:
    found = session("data-viewer", real_data("eyelink", "data-viewer-fixation-report.csv"))
    assert len(found.record.samples) == 0
    assert found.fixations is not None
    assert len(found.fixations) == len(found.record.online_fixations) == 112
    assert found.fixations.centre_norm[0].tolist() == pytest.approx([59.8 / 1024, 125.4 / 768], abs=1e-9)
    assert found.fixations.duration_ms[:3].tolist() == [22, 26, 216]
    assert set(found.image_names.values()) == {"reading-dickens-1"}


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("tobii-tsv", ("tobii-pro-lab", "studio-3.4-120hz.tsv")),
        ("tobii-research", ("tobii-sdk-dumps", "4c-tobii-research.csv")),
        ("eyelink-asc", ("eyelink", "mono500.asc")),
        ("data-viewer", ("eyelink", "data-viewer-fixation-report.csv")),
        ("gazemedseg", ("gazemedseg-samples", "kvasir_samples.csv")),
    ],
)
def test_that_the_file_of_another_format_is_refused_with_words(name: str, source: tuple[str, str]) -> None:
    path = real_data(*source)
    for other in ("tobii-tsv", "tobii-research", "eyelink-asc", "data-viewer"):
        if other != name:
            with pytest.raises(BadFileError) as caught:
                scan(other, path)
            assert path.name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("tobii-tsv", "", "empty"),
        ("tobii-tsv", "A\tB\n1\t2\n", "lacks the columns Eyetracker timestamp"),
        ("tobii-tsv", "Eyetracker timestamp [μs]\tGaze point left X [DACS px]\n1\t2\n", "resolution"),
        ("tobii-research", "a;b\n1;2\n", "lacks the columns device_time_stamp"),
        (
            "tobii-research",
            "device_time_stamp;left_gaze_point_on_display_area;right_gaze_point_on_display_area\n1;(0.1);(0,1)\n",
            "2 numbers are needed",
        ),
        (
            "tobii-research",
            "device_time_stamp;left_gaze_point_on_display_area;right_gaze_point_on_display_area\n2;;\n1;;\n",
            "times fall",
        ),
        ("eyelink-asc", "hello", "not an EyeLink ASC file"),
        ("eyelink-asc", "** X\nSTART\t1\tLEFT\tSAMPLES\n1\tabc\t2\t3\n", "line 3"),
        ("eyelink-asc", "** X\nSTART\t1\tLEFT\tSAMPLES\n", "no gaze samples"),
        ("data-viewer", "RECORDING_SESSION_LABEL,TRIAL_INDEX\na,1\n", "lacks the columns CURRENT_FIX_X"),
        (
            "data-viewer",
            "RECORDING_SESSION_LABEL,TRIAL_INDEX,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION\na,1,1,1,0\n",
            "not above 0",
        ),
    ],
)
def test_that_broken_gaze_files_are_refused_with_words(tmp_path: Path, name: str, content: str, words: str) -> None:
    path = tmp_path / "broken.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadFileError, match=words):
        scan(name, path)


@pytest.mark.parametrize("share", [0.3, 0.77])
def test_that_a_cut_recording_is_taken_as_far_as_it_is_whole_or_refused(tmp_path: Path, share: float) -> None:
    raw = real_data("eyelink", "mono500.asc").read_bytes()
    (tmp_path / "cut.asc").write_bytes(raw[: int(len(raw) * share)])
    # Both cuts lie behind the first recording: what is whole is taken, and the rest is told.
    plan = scan("eyelink-asc", tmp_path / "cut.asc")
    assert plan.sessions[0].record.samples.gaze_valid.any()
    assert len(plan.warnings) in (1, 2)
