"""Review, agreement, accounts, audit and the upkeep of a study."""

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from domain.errors import UserFacingError
from domain.study import Role, TrialStatus
from domain.trial import TrialQuality, TrialRecord
from storage import people_table
from storage.accounts import LOCK_S, MAX_FAILURES, Accounts, may
from storage.study import Study
from tests.unit.processing.study_for_export import hard_mask, study_with_hard_cases
from workflows import agreement, audit, review
from workflows.command_line import build, run
from workflows.mask_history import mask_history, restore
from workflows.sample_study import open_sample_study
from workflows.study import duplicates, missing_files, new_settings, repair_paths, set_splits


@pytest.fixture
def study(tmp_path: Path) -> Study:
    study = study_with_hard_cases(tmp_path / "s", annotators=("A", "B"))
    for image in study.images():
        first = hard_mask(image.size)
        second = np.roll(first, 2, axis=1)
        study.save_mask(image.image_id, "A", "polyp", first, origin="gaze")
        study.save_mask(image.image_id, "B", "polyp", second, origin="gaze")
    return study


def newest(study: Study, annotator: str, image_id: str = "plain") -> review.MaskVersion:
    return study.mask_versions(image_id, annotator, "polyp")[-1]


def test_that_an_accepted_mask_stands_and_is_closed(study: Study) -> None:
    review.decide(study, newest(study, "A"), "accepted", reviewer="R", difficulty="easy")
    assert np.array_equal(study.accepted_mask("plain", "polyp"), study.mask("plain", "A", "polyp"))
    assert study.statuses("A", "polyp")["plain"] is TrialStatus.ACCEPTED
    with pytest.raises(UserFacingError, match="accepted and is closed"):
        study.save_mask("plain", "A", "polyp", hard_mask((70, 50)), origin="correction")


def test_that_accepting_one_takes_the_other_back(study: Study) -> None:
    review.decide(study, newest(study, "A"), "accepted", reviewer="R")
    review.decide(study, newest(study, "B"), "accepted", reviewer="R")
    accepted = study.accepted_version("plain", "polyp")
    assert accepted is not None
    assert accepted.annotator == "B"
    assert study.statuses("A", "polyp")["plain"] is TrialStatus.DONE


def test_that_a_return_needs_a_reason_and_comes_back_to_the_annotator(study: Study) -> None:
    with pytest.raises(UserFacingError, match="reason"):
        review.decide(study, newest(study, "A"), "returned", reviewer="R")
    review.decide(study, newest(study, "A"), "returned", reviewer="R", reason=review.QUICK_REASONS[0])
    assert study.next_unfinished("A", "polyp") == "plain"
    assert review.return_rates(study) == {"A": (1, 1)}


def test_that_nobody_accepts_their_own(study: Study) -> None:
    with pytest.raises(UserFacingError, match="their own"):
        review.decide(study, newest(study, "A"), "accepted", reviewer="A")


def test_that_who_works_alone_may_accept_their_own_and_the_log_says_so(study: Study) -> None:
    study.add_annotator("A", Role.ADMIN)
    review.decide(study, newest(study, "A"), "accepted", reviewer="A")
    assert study.accepted_mask("plain", "polyp") is not None
    assert json.loads(study.audit_entries()[-1].details)["own_work"] is True
    study.add_annotator("R", Role.REVIEWER)
    other = next(image.image_id for image in study.images() if image.image_id != "plain")
    with pytest.raises(UserFacingError, match="their own"):
        review.decide(study, newest(study, "A", other), "accepted", reviewer="A")


def test_that_the_only_user_of_a_sample_study_may_accept_their_own(tmp_path: Path) -> None:
    with open_sample_study(tmp_path / "sample", n_frames=2) as sample:
        image = sample.images()[0]
        for author in ("me", "model"):
            sample.save_mask(image.image_id, author, "polyp", hard_mask(image.size), origin="gaze")
        sample.add_annotator("simulated", Role.ADMIN)  # as the guided tour does
        version = sample.mask_versions(image.image_id, "me", "polyp")[-1]
        assert review.decide(sample, version, "accepted", reviewer="me")
        sample.add_annotator("boss", Role.REVIEWER)
        assert not review.works_alone(sample, "me")


def test_that_programs_are_not_people(study: Study) -> None:
    with study.catalog.writing() as connection:
        for name in ("model", "simulated", "imported"):  # as earlier versions entered them
            people_table.put(connection, name, Role.ADMIN)
    assert {person.name for person in study.people()} == {"A", "B"}
    assert {"model", "simulated"} < {person.name for person in study.annotators()}
    with pytest.raises(UserFacingError, match="no person drew"):
        study.add_annotator("model")


def test_that_a_decision_can_be_taken_back_and_stays_in_the_log(study: Study) -> None:
    review.decide(study, newest(study, "A"), "accepted", reviewer="R")
    assert review.undo(study, "plain", "polyp", reviewer="R").decision == "accepted"
    assert study.accepted_mask("plain", "polyp") is None
    assert [r.decision for r in review.all_reviews(study)] == ["accepted", "reopened"]
    with pytest.raises(UserFacingError, match="no decision"):
        review.undo(study, "plain", "polyp", reviewer="R")


def test_that_a_reviewers_edit_is_a_version_and_the_original_stays(study: Study) -> None:
    original = newest(study, "A")
    before = (study.folder / original.path).read_bytes()
    edited = ~study.read_version(original)
    assert review.correct(study, original, edited, reviewer="R") == 2
    assert (study.folder / original.path).read_bytes() == before
    second = newest(study, "A")
    assert (second.parent, second.author, second.origin, second.annotator) == (1, "R", "review", "A")


def test_that_blind_mode_hides_names_but_not_the_order_of_work(study: Study) -> None:
    shown = review.cases(study, blind=True)
    assert [case.shown_name for case in shown] == ["Image 1", "Image 2", "Image 3", "Image 4"]
    assert {candidate.shown_name for case in shown for candidate in case.candidates} == {"Reader 1", "Reader 2"}
    assert len({case.candidates[0].version.annotator for case in shown}) == 2


def test_that_a_correction_after_a_return_is_new_again(study: Study) -> None:
    review.decide(study, newest(study, "A"), "returned", reviewer="R", reason="x")
    study.save_mask("plain", "A", "polyp", hard_mask((70, 50)), origin="correction", parent=1)
    case = next(case for case in review.cases(study) if case.image_id == "plain")
    assert {candidate.version.annotator: candidate.state for candidate in case.candidates} == {"A": "new", "B": "new"}


def test_that_agreement_reports_pairs_outliers_times_and_loss(study: Study, tmp_path: Path) -> None:
    study.save_mask("deep", "B", "polyp", np.zeros((40, 60), np.bool_), origin="gaze")
    quality = TrialQuality(loss=0.04, n_samples=100, active_s=7.5, longest_gap_s=0.6, drift_deg=0.5)
    study.save_trial(TrialRecord("q", "deep", "A", "polyp", quality=quality))
    report = agreement.examine(study)
    assert report.n_images_with_two == 4
    means = report.mean_of_pairs()["A", "B"]
    assert (means["n"], means["n_one_empty"]) == (4, 1)
    assert [(p.image_id, p.dice) for p in report.outliers()] == [("deep", 0.0)]
    figures = {one.annotator: one for one in report.annotators}
    assert figures["A"].mean_loss == 0.04
    assert figures["A"].median_drift_deg == 0.5
    assert figures["B"].median_active_s == 8.0
    agreement.write_csv(report, tmp_path / "pairs.csv")
    assert len((tmp_path / "pairs.csv").read_text().splitlines()) == 5


def test_that_a_consensus_is_stored_with_what_it_is_from(study: Study) -> None:
    mask = agreement.make_consensus(study, "plain", target="polyp", method="majority")
    both = [study.mask("plain", name, "polyp") for name in "AB"]
    assert np.array_equal(mask, both[0] & both[1])  # type: ignore[operator]
    assert np.array_equal(study.mask("plain", "consensus", "polyp"), mask)


def test_that_audit_verify_passes_and_finds_each_flipped_byte(study: Study) -> None:
    folder = study.folder
    study.close()
    assert run(build(), ["audit", "verify", str(folder)]) == 0
    with sqlite3.connect(folder / "catalog.sqlite") as raw:
        (details,) = raw.execute("SELECT details FROM audit WHERE number = 3").fetchone()
        flipped = details[:-3] + chr(ord(details[-3]) ^ 1) + details[-2:]
        raw.execute("UPDATE audit SET details = ? WHERE number = 3", (flipped,))
    raw.close()
    with Study.open(folder) as again:
        assert any("Entry 3" in problem for problem in audit.verify(again).problems)
    assert run(build(), ["audit", "verify", str(folder)]) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit WHERE number = 2",
        "UPDATE audit SET actor = 'somebody' WHERE number = 4",
        "UPDATE audit SET at = '2020' WHERE number = 4",
        "UPDATE masks SET sha256 = 'x' WHERE annotator = 'A'",
        "DELETE FROM masks WHERE annotator = 'A'",
    ],
)
def test_that_audit_verify_finds_changes_of_the_catalog(study: Study, statement: str) -> None:
    with study.catalog.writing() as connection:
        connection.exec_driver_sql(statement)
    assert audit.verify(study).problems


def test_that_audit_verify_finds_a_changed_mask_and_image(study: Study) -> None:
    for path in (study.folder / newest(study, "A").path, Path(study.image("deep").path)):
        raw = bytearray(path.read_bytes())
        raw[-20] ^= 1
        path.write_bytes(bytes(raw))
    problems = audit.verify(study).problems
    assert any("plain" in problem and "changed" in problem for problem in problems)
    assert any("deep.png is not the file that was imported" in problem for problem in problems)


def test_that_passwords_are_hashed_and_wrong_ones_lock(study: Study) -> None:
    clock = [1000.0]
    accounts = Accounts(study.catalog, now_s=lambda: clock[0])
    study.add_annotator("R", Role.REVIEWER)
    accounts.set_password("R", "correct horse")
    assert b"correct horse" not in (study.folder / "catalog.sqlite").read_bytes()
    assert accounts.log_in("R", "correct horse").role is Role.REVIEWER
    for _ in range(MAX_FAILURES):
        with pytest.raises(UserFacingError, match="wrong"):
            accounts.log_in("R", "guess")
    with pytest.raises(UserFacingError, match="locked"):
        accounts.log_in("R", "correct horse")
    clock[0] += LOCK_S + 1
    assert accounts.log_in("R", "correct horse").name == "R"
    actions = [entry.action for entry in study.audit_entries()]
    assert actions.count("log-in refused") == MAX_FAILURES


@pytest.mark.parametrize(("name", "password"), [("nobody", "x" * 9), ("A", "x" * 9)])
def test_that_a_log_in_without_account_or_password_is_refused(study: Study, name: str, password: str) -> None:
    with pytest.raises(UserFacingError):
        Accounts(study.catalog).log_in(name, password)


def test_that_a_short_password_is_refused_and_roles_differ(study: Study) -> None:
    with pytest.raises(UserFacingError, match="8 characters"):
        Accounts(study.catalog).set_password("A", "short")
    assert may(Role.ANNOTATOR, "annotate")
    assert not may(Role.ANNOTATOR, "see others")
    assert not may(Role.REVIEWER, "export")
    assert may(Role.ADMIN, "people")


def test_that_moved_images_are_found_with_all_their_siblings(study: Study, tmp_path: Path) -> None:
    shutil.move(str(tmp_path / "s-images"), str(tmp_path / "elsewhere" / "deeper"))
    assert len(missing_files(study)) == 4
    repair = repair_paths(study, tmp_path / "elsewhere")
    assert (len(repair.found), repair.lost) == (4, ())
    assert missing_files(study) == []
    assert study.pixels("plain").size == (70, 50)


def test_that_a_file_of_another_content_is_not_taken_for_a_lost_one(study: Study, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    shutil.copy(study.image("deep").path, tmp_path / "other" / "plain.jpg")
    Path(study.image("plain").path).unlink()
    assert repair_paths(study, tmp_path / "other").lost == ("plain",)


def test_that_duplicates_are_listed_and_splits_are_set(study: Study) -> None:
    assert duplicates(study) == []
    study.update_image(replace(study.image("deep"), sha256=study.image("plain").sha256))
    assert [sorted(group) for group in duplicates(study)] == [["deep", "plain"]]
    assert set_splits(study, {"deep": "val", "plain": "train"}) == 1
    with pytest.raises(UserFacingError, match="no split"):
        set_splits(study, {"deep": "training"})


@pytest.mark.parametrize(
    ("targets", "more"),
    [
        ([], {}),
        (["a", "a"], {}),
        (["a"], {"thresholds": (1.5,)}),
        (["a"], {"preset": "liver"}),
        (["a"], {"reads_per_image": 0}),
    ],
    ids=["none", "twice", "threshold", "preset", "reads"],
)
def test_that_impossible_settings_are_refused(targets: list[str], more: dict[str, object]) -> None:
    with pytest.raises(UserFacingError):
        new_settings("x", targets, **more)  # type: ignore[arg-type]


def test_that_the_commands_work_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "n")
    cli = build()
    create = ["study", "create", folder, "--target", "prostate", "--target", "lesion", "--reads", "2"]
    assert run(cli, create) == 0
    assert run(cli, create) == 2
    assert run(cli, ["study", "person", folder, "R", "--role", "reviewer"]) == 0
    assert run(cli, ["study", "show", folder]) == 0
    shown = capsys.readouterr().out
    assert "prostate, lesion; reads per image: 2; source none, sigma 50, levels 0.2, 0.4" in shown
    assert "reviewer   R  (no password)" in shown
    assert run(cli, ["audit", "show", folder]) == 0
    assert "person entered" in capsys.readouterr().out
    assert run(cli, ["study", "show", str(tmp_path / "nothing")]) == 2


def test_that_review_and_agreement_work_from_the_command_line(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    folder, cli = str(study.folder), build()
    study.close()
    assert run(cli, ["review", "list", folder]) == 0
    assert "plain" in capsys.readouterr().out
    assert run(cli, ["review", "accept", folder, "plain", "A", "--by", "R"]) == 0
    assert run(cli, ["review", "accept", folder, "plain", "C", "--by", "R"]) == 2
    assert run(cli, ["review", "return", folder, "plain", "B", "--by", "R", "--reason", "part missing"]) == 0
    assert run(cli, ["review", "undo", folder, "plain", "--by", "R"]) == 0
    assert run(cli, ["review", "flag", folder, "deep", "B", "--by", "R"]) == 0
    assert run(cli, ["agreement", folder, "--consensus", "staple"]) == 0
    shown = capsys.readouterr().out
    assert "A - B: n 4" in shown
    assert "4 consensus masks" in shown
    assert "Active time of an image" in shown


def test_that_the_same_decision_on_an_unchanged_mask_is_written_once(study: Study):
    assert review.decide(study, newest(study, "A"), "accepted", reviewer="R")
    assert not review.decide(study, newest(study, "A"), "accepted", reviewer="R")
    assert len(review.all_reviews(study)) == 1
    assert review.decide(study, newest(study, "A"), "accepted", reviewer="R", comment="and a word more")
    assert review.decide(study, newest(study, "B"), "accepted", reviewer="R")
    assert review.decide(study, newest(study, "A"), "accepted", reviewer="R", comment="and a word more"), "B stood"
    assert review.decide(study, newest(study, "B"), "returned", reviewer="R", reason="wrong place")
    assert not review.decide(study, newest(study, "B"), "returned", reviewer="R", reason="wrong place")
    assert review.decide(study, newest(study, "B"), "returned", reviewer="R", reason="part missing")
    n_before = len(review.all_reviews(study))
    review.correct(study, newest(study, "A"), ~study.read_version(newest(study, "A")), reviewer="R")
    assert review.decide(study, newest(study, "A"), "accepted", reviewer="R", comment="and a word more")
    assert len(review.all_reviews(study)) == n_before + 1


def test_that_an_older_version_comes_back_as_a_new_one_and_every_version_stays(study: Study):
    first = newest(study, "A")
    original = study.read_version(first)
    review.correct(study, first, ~original, reviewer="R")
    past = mask_history(study, first)
    assert [(one.version.version, one.version.author, one.is_edited_in_review) for one in past] == [
        (1, first.author, False),
        (2, "R", True),
    ]
    assert past[0].dice_with_newest == 0.0
    assert past[1].dice_with_newest == 1.0
    with pytest.raises(UserFacingError, match="shows already"):
        restore(study, past[1].version, reviewer="R")
    made = restore(study, first, reviewer="R")
    assert (made.version, made.parent, made.origin, made.author) == (3, 1, "review", "R")
    assert np.array_equal(study.read_version(made), original)
    assert [one.version.version for one in mask_history(study, made)] == [1, 2, 3]
    assert np.array_equal(study.read_version(past[1].version), ~original)
    undone = restore(study, past[1].version, reviewer="R")
    assert np.array_equal(study.read_version(undone), ~original)
