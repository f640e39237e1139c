"""The GazeMedSeg export: the tree, the nine columns, nothing half-written, and back again."""

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from domain.errors import Cancelled, UserFacingError
from domain.events import CancelToken, Progress
from processing.export_source import ExportSource, with_splits
from processing.exporter import ExportItem, ExportOptions, exporters
from storage.image_file import read_image
from storage.study import Study
from tests.real_data import real_data
from tests.unit.processing.study_for_export import hard_mask, study_with_hard_cases
from workflows import export_dataset
from workflows.command_line import build, run
from workflows.export_dataset import PreflightError, export, preflight, verify_export
from workflows.import_images import import_to_folder


def tree(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_that_the_tree_is_what_the_published_loaders_open(tmp_path: Path) -> None:
    with study_with_hard_cases(tmp_path / "s") as study:
        export(study, "gazemedseg", tmp_path / "out", ExportOptions(target="polyp"))
    names = [
        line for split in ("train", "test") for line in (tmp_path / "out" / f"{split}.txt").read_text().split("\n")
    ]
    assert sorted(filter(None, names)) == sorted(["turned", "plain", "deep", "Zdjęcie-例"])
    for name in ("turned", "plain", "Zdjęcie-例"):
        for kind in ("images", "masks", "gaze/heatmap", "gaze/crf_compat1"):
            assert (tmp_path / "out" / kind / f"{name}.jpg").is_file()
    assert verify_export(tmp_path / "out") == []


def test_that_masks_are_pixel_equal_and_sizes_are_those_after_exif(tmp_path: Path) -> None:
    with study_with_hard_cases(tmp_path / "s") as study:
        export(study, "gazemedseg", tmp_path / "out", ExportOptions(target="polyp"))
        for image in study.images():
            with Image.open(tmp_path / "out" / "masks" / f"{image.image_id}.jpg") as picture:
                mask = np.array(picture.convert("L")) > 127
            assert np.array_equal(mask, hard_mask(image.size))
            with Image.open(tmp_path / "out" / "images" / f"{image.image_id}.jpg") as picture:
                assert picture.size == image.size
                assert not picture.getexif()


def test_that_a_jpeg_keeps_its_very_pixels(tmp_path: Path) -> None:
    with study_with_hard_cases(tmp_path / "s") as study:
        export(study, "gazemedseg", tmp_path / "out", ExportOptions(target="polyp"))
        ours = read_image(tmp_path / "out" / "images" / "plain.jpg").values
        assert np.array_equal(ours, study.pixels("plain").values)


def test_that_real_rows_come_out_as_they_went_in(tmp_path: Path) -> None:
    source = real_data("gazemedseg-samples")
    import_to_folder("gazemedseg", source, tmp_path / "s")
    for target, flavour, name in (("polyp", "kvasir", "kvasir"), ("prostate", "prostate", "nci-isbi")):
        with Study.open(tmp_path / "s") as study:
            study.update_settings(replace(study.settings, labels=replace(study.settings.labels, source="none")))
            export(study, "gazemedseg", tmp_path / name, ExportOptions(target=target, more={"flavour": flavour}))
        wanted = sorted((source / f"{name}_samples.csv").read_text().splitlines())
        assert sorted((tmp_path / name / f"{name}_fixation.csv").read_text().splitlines()) == wanted


def test_that_an_export_can_be_imported_again(tmp_path: Path) -> None:
    with study_with_hard_cases(tmp_path / "s", annotators=("A b", "Ö/2")) as study:
        export(study, "gazemedseg", tmp_path / "out", ExportOptions(target="polyp"))
        import_to_folder("gazemedseg", tmp_path / "out", tmp_path / "again")
        with Study.open(tmp_path / "again") as again:
            assert {p.name for p in again.annotators()} == {"A b", "Ö/2"}
            assert {i.image_id: i.split for i in again.images()} == {i.image_id: i.split for i in study.images()}
            for trial in study.trials():
                back = again.trial(trial.image_id, trial.annotator, "polyp")
                assert back is not None
                assert np.allclose(back.fixations.xy_norm, trial.fixations.xy_norm, atol=1e-9)
                assert np.array_equal(back.fixations.duration_ms, trial.fixations.duration_ms)
            for image in study.images():
                assert np.array_equal(again.ground_truth(image.image_id), study.ground_truth(image.image_id))


def test_that_several_annotators_get_tables_and_maps_of_their_own(tmp_path: Path) -> None:
    with study_with_hard_cases(tmp_path / "s", annotators=("A", "B")) as study:
        export(study, "gazemedseg", tmp_path / "out", ExportOptions(target="polyp"))
    files = tree(tmp_path / "out")
    assert {"kvasir_fixation_A.csv", "kvasir_fixation_B.csv", "gaze_B/crf_compat1/plain.jpg"} <= set(files)
    assert "kvasir_fixation.csv" not in files


def test_that_images_without_reference_get_an_empty_mask_and_a_note(tmp_path: Path) -> None:
    with study_with_hard_cases(tmp_path / "s", reference=False) as study:
        report = export(study, "gazemedseg", tmp_path / "out", ExportOptions(target="polyp"))
    assert "missing masks" in {finding.topic for finding in report.findings}
    assert read_image(tmp_path / "out" / "masks" / "plain.jpg").values.max() == 0
    assert "4 images have no reference mask" in (tmp_path / "out" / "README.txt").read_text(encoding="utf-8")


def test_that_leakage_between_splits_stops_the_export(tmp_path: Path) -> None:
    with study_with_hard_cases(tmp_path / "s") as study:
        study.update_image(replace(study.image("deep"), case="plain"))
        with pytest.raises(PreflightError, match="more than one split"):
            export(study, "gazemedseg", tmp_path / "out", ExportOptions(target="polyp"))
        assert not (tmp_path / "out").exists()
        report = export(study, "gazemedseg", tmp_path / "out", ExportOptions(target="polyp"), dry_run=True)
        assert {"leakage"} <= {finding.topic for finding in report.findings if finding.level == "error"}


def test_that_the_same_picture_in_two_splits_is_leakage(tmp_path: Path) -> None:
    with study_with_hard_cases(tmp_path / "s") as study:
        study.update_image(replace(study.image("deep"), sha256=study.image("plain").sha256))
        findings = preflight(study, "gazemedseg", ExportOptions(target="polyp"))
    assert any(f.level == "error" and "content" in f.text and set(f.image_ids) == {"deep", "plain"} for f in findings)


def test_that_whole_cases_are_divided_and_decided_ones_stay() -> None:
    from domain.study import StudyImage

    images = [StudyImage(f"{case}_{i}", "p", (1, 1), case=case) for case in "abcdefghij" for i in range(3)]
    divided = with_splits(images, test_share=0.2, seed=1)
    by_case = {image.case: {i.split for i in divided if i.case == image.case} for image in divided}
    assert all(len(splits) == 1 for splits in by_case.values())
    assert sum(splits == {"test"} for splits in by_case.values()) == 2
    assert with_splits(images, test_share=0.2, seed=1) == divided
    decided = [replace(images[0], split="val"), *images[1:]]
    again = with_splits(decided, test_share=0.2, seed=1)
    assert {image.split for image in again if image.case == "a"} == {"val"}


def test_that_a_missing_image_file_is_found_before_anything_is_written(tmp_path: Path) -> None:
    with study_with_hard_cases(tmp_path / "s") as study:
        Path(study.image("plain").path).unlink()
        with pytest.raises(PreflightError, match="not where they were"):
            export(study, "gazemedseg", tmp_path / "out", ExportOptions(target="polyp"))


def test_that_cancelling_leaves_nothing_and_is_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, token = threading.Event(), CancelToken()

    def slow_items(_self: object, _source: ExportSource) -> list[ExportItem]:
        def write(path: Path) -> None:
            started.set()
            time.sleep(0.1)
            path.write_bytes(b"x")

        return [ExportItem.one(f"f{i}", write) for i in range(500)]

    monkeypatch.setattr(type(exporters.get("gazemedseg")), "items", slow_items)
    stopped_at = 0.0

    def stop(progress: Progress) -> None:
        nonlocal stopped_at
        if progress.done >= 3 and started.is_set() and not token.is_cancelled:
            token.cancel()
            stopped_at = time.monotonic()

    with study_with_hard_cases(tmp_path / "s") as study:
        before = sorted(p.name for p in tmp_path.iterdir())
        with pytest.raises(Cancelled):
            export(study, "gazemedseg", tmp_path / "out", on_progress=stop, cancel=token)
        assert time.monotonic() - stopped_at < 1.0
        assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_that_a_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    with study_with_hard_cases(tmp_path / "s") as study:
        path = Path(study.image("plain").path)
        path.write_bytes(path.read_bytes()[:300])
        with pytest.raises(UserFacingError, match="plain"):
            export(study, "gazemedseg", tmp_path / "out", ExportOptions(target="polyp"))
        assert not [p for p in tmp_path.iterdir() if "out" in p.name]


def test_that_the_manifest_finds_a_flipped_byte(tmp_path: Path) -> None:
    with study_with_hard_cases(tmp_path / "s") as study:
        export(study, "gazemedseg", tmp_path / "out", ExportOptions(target="polyp"))
    values = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert values["labels"]["sigma"] == 60.0
    path = tmp_path / "out" / "masks" / "plain.jpg"
    raw = bytearray(path.read_bytes())
    raw[40] ^= 1
    path.write_bytes(bytes(raw))
    assert verify_export(tmp_path / "out") == ["masks/plain.jpg was changed."]


def test_that_the_command_lists_files_and_refuses_a_full_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study_with_hard_cases(tmp_path / "s").close()
    command = ["export", "gazemedseg", str(tmp_path / "s"), "--target", "polyp", "-o", str(tmp_path / "out")]
    assert run(build(), [*command, "--dry-run"]) == 0
    assert "images/plain.jpg" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert run(build(), command) == 0
    assert run(build(), command) == 2
    assert "not an empty folder" in capsys.readouterr().err
    assert run(build(), ["export", "no-such", str(tmp_path / "s")]) == 2


def test_that_an_export_is_in_the_audit_log(tmp_path: Path) -> None:
    with study_with_hard_cases(tmp_path / "s") as study:
        export(study, "gazemedseg", tmp_path / "out", ExportOptions(target="polyp"))
        assert study.audit_entries()[-1].action == "export"
        assert export_dataset.default_folder(study, "coco").parent == study.folder / "exports"
