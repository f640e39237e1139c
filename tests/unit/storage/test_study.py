"""The study: what is put in comes back, from any process, and the order is everyone's own."""

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import Connection, text

from domain.errors import BadFileError, NewerVersionError, UserFacingError
from domain.fixations import ImageFixations
from domain.labels import LabelMaps, LabelParameters
from domain.study import Outcome, Protocol, Role, StudyImage, StudySettings, Target, TrialStatus
from domain.trial import TrialQuality, TrialRecord
from storage.audit_log import first_break
from storage.study import Study

SETTINGS = StudySettings("Test", targets=(Target("polyp"),), protocol=Protocol(reads_per_image=1))


def study_with(folder: Path, n: int, settings: StudySettings = SETTINGS) -> Study:
    study = Study.create(folder, settings)
    study.add_images([StudyImage(f"img{i:04d}", f"images/img{i:04d}.png", (40, 30)) for i in range(n)])
    return study


def trial(image_id: str = "img0000", annotator: str = "A", **more: object) -> TrialRecord:
    fixations = ImageFixations(
        np.array([[0.1, 0.2], [1.5, -0.5]]), np.array([200.0, 100.0]), np.array([0.0, 250.5]), np.array([3.1, np.nan])
    )
    values = {"trial_id": f"t-{image_id}-{annotator}", "fixations": fixations, "started_ns": 2**62} | more
    return TrialRecord(image_id=image_id, annotator=annotator, target="polyp", **values)  # type: ignore[arg-type]


def test_that_a_study_opens_again_with_its_settings(tmp_path: Path) -> None:
    study_with(tmp_path / "s", 3).close()
    with Study.open(tmp_path / "s") as study:
        assert study.settings == SETTINGS
        assert [image.image_id for image in study.images()] == ["img0000", "img0001", "img0002"]
        assert [image.image_id for image in study.images("0002")] == ["img0002"]


def test_that_a_trial_comes_back_with_every_number(tmp_path: Path) -> None:
    with study_with(tmp_path / "s", 1) as study:
        quality = TrialQuality(loss=0.05, drift_deg=0.4, warnings=("second peak",))
        study.save_trial(trial(quality=quality, outcome=Outcome.NO_TARGET, status=TrialStatus.FLAGGED))
    with Study.open(tmp_path / "s") as study:
        back = study.trial("img0000", "A", "polyp")
        assert back is not None
        assert np.array_equal(back.fixations.xy_norm, trial().fixations.xy_norm)
        assert np.array_equal(back.fixations.pupil, trial().fixations.pupil, equal_nan=True)
        assert (back.quality, back.outcome, back.started_ns) == (quality, Outcome.NO_TARGET, 2**62)
        assert study.statuses("A", "polyp") == {"img0000": TrialStatus.FLAGGED}


def test_that_a_repeated_read_keeps_the_first(tmp_path: Path) -> None:
    with study_with(tmp_path / "s", 1) as study:
        study.save_trial(trial(trial_id="first"))
        study.save_trial(trial(trial_id="second"))
        newest = study.trial("img0000", "A", "polyp")
        assert newest is not None
        assert newest.trial_id == "second"
        assert len(study.trials(image_id="img0000")) == 2
        assert len(study.trials(newest_only=True)) == 1


def test_that_the_order_is_seeded_per_annotator_and_survives_additions(tmp_path: Path) -> None:
    with study_with(tmp_path / "s", 50) as study:
        first, other = study.order("A"), study.order("B")
        assert first == study.order("A")
        assert first != other
        assert first != sorted(first)
        study.add_images([StudyImage("late", "images/late.png", (4, 4))])
        assert [i for i in study.order("A") if i != "late"] == first


def test_that_next_unfinished_gives_a_read_to_one_annotator_only(tmp_path: Path) -> None:
    with study_with(tmp_path / "s", 2) as study:
        mine, theirs = study.next_unfinished("A", "polyp"), study.next_unfinished("B", "polyp")
        assert {mine, theirs} == {"img0000", "img0001"}
        assert study.next_unfinished("A", "polyp") == mine
        study.save_trial(trial(str(mine), "A"))
        assert study.next_unfinished("A", "polyp") is None
        study.set_status(str(mine), "A", "polyp", TrialStatus.RETURNED)
        assert study.next_unfinished("A", "polyp") == mine


def test_that_maps_come_back_with_their_parameters(tmp_path: Path) -> None:
    maps = LabelMaps(
        np.linspace(0, 1, 1200, dtype=np.float32).reshape(30, 40),
        np.zeros((30, 40), np.float32),
        LabelParameters(sigma=50, thresholds=(0.2, 0.4)),
        ("a warning",),
    )
    with study_with(tmp_path / "s", 1) as study:
        assert study.maps("t/1") is None
        study.save_maps("t/1", maps)
        back = study.maps("t/1")
        assert back is not None
        assert (back.parameters, back.warnings) == (maps.parameters, maps.warnings)
        assert np.allclose(back.heatmap, maps.heatmap, atol=1e-5)


def test_that_masks_become_versions_and_none_is_overwritten(tmp_path: Path) -> None:
    first, second = np.zeros((30, 40), np.bool_), np.ones((30, 40), np.bool_)
    with study_with(tmp_path / "s", 1) as study:
        assert study.save_mask("img0000", "Ä/b", "polyp", first, origin="gaze") == 1
        assert study.save_mask("img0000", "Ä/b", "polyp", second, origin="correction", parent=1) == 2
        assert np.array_equal(study.mask("img0000", "Ä/b", "polyp"), second)
        assert np.array_equal(study.mask("img0000", "Ä/b", "polyp", 1), first)
        assert study.mask("img0000", "C", "polyp") is None
        assert study.accepted_mask("img0000", "polyp") is None
        assert not first_break(study.audit_entries())
        with pytest.raises(UserFacingError, match="41 x 30"):
            study.save_mask("img0000", "A", "polyp", np.zeros((30, 41), np.bool_), origin="gaze")


def test_that_images_are_entered_all_or_none(tmp_path: Path) -> None:
    with study_with(tmp_path / "s", 1) as study:
        for bad in ("img0000", "../evil", "a/b", "", "con"):
            with pytest.raises(UserFacingError):
                study.add_images([StudyImage("good", "g.png", (1, 1)), StudyImage(bad, "b.png", (1, 1))])
        assert len(study.images()) == 1


def test_that_ground_truth_of_another_size_is_refused(tmp_path: Path) -> None:
    with Study.create(tmp_path / "s", SETTINGS) as study:
        Image.fromarray(np.full((30, 40), 255, np.uint8)).save(study.folder / "masks" / "m.png")
        study.add_images([StudyImage("a", "images/a.png", (40, 30), mask_path="masks/m.png")])
        study.add_images([StudyImage("b", "images/b.png", (30, 40), mask_path="masks/m.png")])
        truth = study.ground_truth("a")
        assert truth is not None
        assert truth.all()
        with pytest.raises(BadFileError, match="30 x 40"):
            study.ground_truth("b")


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda f: (f / "study.json").unlink(), BadFileError),
        (lambda f: (f / "study.json").write_text("{"), BadFileError),
        (lambda f: (f / "study.json").write_text("[]"), BadFileError),
        (lambda f: (f / "catalog.sqlite").unlink(), BadFileError),
        (lambda f: (f / "catalog.sqlite").write_bytes(b"no database" * 999), BadFileError),
        (lambda f: _set(f, "format_version", 99), NewerVersionError),
        (lambda f: _set(f, "settings", {}), BadFileError),
    ],
    ids=["no-file", "cut", "other", "no-catalog", "foreign-catalog", "newer", "no-settings"],
)
def test_that_a_bad_study_is_refused_with_words(tmp_path: Path, change: object, kind: type[Exception]) -> None:
    study_with(tmp_path / "s", 1).close()
    change(tmp_path / "s")  # type: ignore[operator]
    with pytest.raises(kind) as caught:
        Study.open(tmp_path / "s")
    assert str(tmp_path) in str(caught.value) or "catalog" in str(caught.value)


def _set(folder: Path, key: str, value: object) -> None:
    values = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    values[key] = value
    (folder / "study.json").write_text(json.dumps(values), encoding="utf-8")


def test_that_a_study_of_the_first_format_opens_and_is_saved_in_the_newest(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    study_with(folder, 1).close()
    values = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    for target in values["settings"]["targets"]:
        del target["description"]
    _set(folder, "settings", values["settings"])
    _set(folder, "format_version", 1)
    with Study.open(folder) as study:
        assert [target.description for target in study.settings.targets] == [""]
        study.update_settings(study.settings)
    assert json.loads((folder / "study.json").read_text(encoding="utf-8"))["format_version"] == 2


def test_that_an_old_catalog_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    study = study_with(tmp_path / "s", 1)
    with study.catalog.writing() as connection:
        connection.exec_driver_sql("UPDATE catalog_facts SET value='99'")
    study.close()
    with pytest.raises(NewerVersionError):
        Study.open(tmp_path / "s")


def test_that_a_catalog_of_the_first_version_gets_its_new_columns(tmp_path: Path) -> None:
    study = study_with(tmp_path / "s", 3)
    before = study.images()
    with study.catalog.writing() as connection:
        as_version_1(connection)
    study.close()
    with Study.open(tmp_path / "s") as study:
        assert study.images() == before
        study.add_images([StudyImage("slice", "x.dcm", (4, 3), stack="series-1", stack_position=2.5, file_sha256="ab")])
        assert study.images()[-1].stack_position == 2.5
    Study.open(tmp_path / "s").close()  # and once more, now that it is of the new version


def as_version_1(connection: Connection) -> None:
    """The catalog as Sightline made it before slices of series had stacks."""
    connection.exec_driver_sql("DROP INDEX ix_images_stack")
    for name in ("stack", "stack_position", "file_sha256"):
        connection.exec_driver_sql(f"ALTER TABLE images DROP COLUMN {name}")
    connection.exec_driver_sql("UPDATE catalog_facts SET value='1'")


@pytest.mark.parametrize(
    ("change", "of_what"),
    [
        ("UPDATE trials SET quality = replace(quality, 'longest_gap_s', 'longest^gap_s')", "Trial 't1'"),
        ("UPDATE trials SET quality = '[1]'", "Trial 't1'"),
        ("UPDATE trials SET outcome = 'tarwet'", "Trial 't1'"),
        ("UPDATE annotators SET role = 'annotaTor'", "list of people"),
        ("UPDATE assignments SET status = 'dome'", "worklist"),
    ],
)
def test_that_a_damaged_value_in_the_catalog_is_told_in_words(tmp_path: Path, change: str, of_what: str) -> None:
    with Study.create(tmp_path / "study", StudySettings(name="S")) as study:
        study.add_images([StudyImage("one", "images/one.png", (32, 24))])
        study.add_annotator("anna")
        study.save_trial(TrialRecord("t1", "one", "anna", "target"))
        study.set_status("one", "anna", "target", TrialStatus.DONE)
        with study.catalog.writing() as connection:
            assert connection.execute(text(change)).rowcount
        with pytest.raises(BadFileError, match=of_what):
            _ = study.trials(), study.annotators(), study.statuses("anna", "target")


def test_that_people_have_roles(tmp_path: Path) -> None:
    with study_with(tmp_path / "s", 1) as study:
        study.add_annotator("A")
        study.add_annotator("R", Role.REVIEWER)
        study.add_annotator("A", Role.ADMIN)
        assert [(p.name, p.role) for p in study.annotators()] == [("A", Role.ADMIN), ("R", Role.REVIEWER)]


def _work(folder: str, annotator: str, queue: "multiprocessing.Queue[list[str]]") -> None:
    got: list[str] = []
    with Study.open(folder) as study:
        while (image_id := study.next_unfinished(annotator, "polyp")) is not None:
            got.append(image_id)
            study.save_trial(trial(image_id, annotator))
    queue.put(got)


def test_that_two_processes_share_the_images_without_doubles(tmp_path: Path) -> None:
    study_with(tmp_path / "s", 60).close()
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[list[str]] = context.Queue()
    workers = [context.Process(target=_work, args=(str(tmp_path / "s"), name, queue)) for name in "AB"]
    for worker in workers:
        worker.start()
    results = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert sorted(results[0] + results[1]) == [f"img{i:04d}" for i in range(60)]
    with Study.open(tmp_path / "s") as study:
        assert len(study.trials()) == 60
        assert not first_break(study.audit_entries())
