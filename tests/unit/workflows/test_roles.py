"""Roles: in a study with passwords everybody does what their role allows, on the command line and in the workflows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from acquisition.tracker import TrackerSettings
from domain.errors import NotAllowedError, UserFacingError
from domain.study import Role, StudyImage, TrialStatus
from domain.trial import TrialRecord
from storage.accounts import MAY
from storage.guarded_study import WORDS
from storage.study import Study
from tests.unit.processing.study_for_export import hard_mask, study_with_hard_cases
from workflows import agreement, review
from workflows.annotate_images import AnnotationSession
from workflows.command_line import build, run
from workflows.export_dataset import export
from workflows.import_images import ImportPlan, import_into
from workflows.predict_masks import predict_study
from workflows.sign_in import NAME_VARIABLE, PASSWORD_VARIABLE
from workflows.study import repair_paths, set_splits
from workflows.train_model import start_training

SECRET = "correct horse"
PEOPLE = {"anna": Role.ANNOTATOR, "rita": Role.REVIEWER, "adam": Role.ADMIN}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    study = study_with_hard_cases(tmp_path / "s", annotators=("A", "B"))
    for image in study.images():
        for name in "AB":
            study.save_mask(image.image_id, name, "polyp", hard_mask(image.size), origin="gaze")
    for name, role in PEOPLE.items():
        study.add_annotator(name, role)
    study.set_password("adam", SECRET)
    study.sign_in("adam", SECRET)
    for name in ("anna", "rita"):
        study.set_password(name, SECRET)
    study.sign_out()
    return study


def newest(study: Study, annotator: str = "A") -> review.MaskVersion:
    return study.mask_versions("plain", annotator, "polyp")[-1]


Deed = Callable[[Study], object]
DEEDS: dict[str, tuple[Deed, set[str]]] = {
    "own mask": (
        lambda s: s.save_mask("plain", s.actor, "polyp", hard_mask((70, 50)), origin="correction"),
        set(PEOPLE),
    ),
    "own trial": (lambda s: s.save_trial(TrialRecord(f"t-{s.actor}", "plain", s.actor, "polyp")), set(PEOPLE)),
    "own next image": (lambda s: s.next_unfinished(s.actor, "polyp"), set(PEOPLE)),
    "another's mask": (lambda s: s.save_mask("plain", "B", "polyp", hard_mask((70, 50)), origin="gaze"), {"adam"}),
    "another's trial": (lambda s: s.save_trial(TrialRecord("t", "plain", "B", "polyp")), {"adam"}),
    "another's status": (lambda s: s.set_status("plain", "B", "polyp", TrialStatus.NEW), {"adam"}),
    "another's sitting": (lambda s: AnnotationSession(s, "B", TrackerSettings("no such driver")).open(), {"adam"}),
    "list of cases": (review.cases, {"rita", "adam"}),
    "decision": (lambda s: review.decide(s, newest(s), "accepted", reviewer=s.actor), {"rita", "adam"}),
    "edit in review": (
        lambda s: review.correct(s, newest(s), hard_mask((70, 50)), reviewer=s.actor),
        {"rita", "adam"},
    ),
    "consensus": (lambda s: agreement.make_consensus(s, "plain", target="polyp", method="majority"), {"rita", "adam"}),
    "agreement": (agreement.examine, {"rita", "adam"}),
    "export": (lambda s: export(s, "png", s.folder.parent / f"out-{s.actor}", dry_run=True), {"adam"}),
    "import": (lambda s: import_into(s, ImportPlan(images=(), targets=())), {"adam"}),
    "new image": (lambda s: s.add_images([StudyImage("x", "images/x.png", (8, 8))]), {"adam"}),
    "splits": (lambda s: set_splits(s, {"plain": "val"}), {"adam"}),
    "moved images": (lambda s: repair_paths(s, s.folder), {"adam"}),
    "settings": (lambda s: s.update_settings(replace(s.settings, name="other")), {"adam"}),
    "people": (lambda s: s.add_annotator("new", Role.ANNOTATOR), {"adam"}),
    "another's password": (lambda s: s.set_password("anna", SECRET + "2"), {"anna", "adam"}),
    "own password": (lambda s: s.set_password(s.actor, SECRET + "2"), set(PEOPLE)),
    "training": (lambda s: start_training(s, preset_name="no such preset"), {"adam"}),
    "prediction": (lambda s: predict_study(s, s.folder / "no-such-model"), {"adam"}),
}


@pytest.mark.parametrize("who", ["", *PEOPLE])
def test_that_each_role_does_exactly_what_it_may_in_every_workflow(study: Study, who: str) -> None:
    if who:
        study.sign_in(who, SECRET)
    done, refusals = set(), []
    for name, (deed, _who_may) in DEEDS.items():
        try:
            deed(study)
            done.add(name)
        except NotAllowedError as refusal:
            refusals.append(refusal)
        except UserFacingError:
            done.add(name)  # it was let in, and then found no preset, model or driver
    assert all(refusal.hint and (who or "Nobody") in refusal.message for refusal in refusals)
    assert done == {name for name, (_deed, who_may) in DEEDS.items() if who in who_may}


def test_that_every_deed_has_words() -> None:
    assert set(WORDS) == set(MAY)


def test_that_a_study_without_passwords_is_open_to_all(tmp_path: Path) -> None:
    study = study_with_hard_cases(tmp_path / "s", annotators=("A", "B"))
    assert not study.is_guarded
    assert study.person is None
    assert all(study.may(deed) for deed in MAY)
    study.update_settings(replace(study.settings, name="mine"))


def test_that_the_first_password_is_an_admins_and_the_last_admin_stays(study: Study, tmp_path: Path) -> None:
    fresh = study_with_hard_cases(tmp_path / "fresh", annotators=("A", "B"))
    with pytest.raises(UserFacingError, match="an admin's"):
        fresh.set_password("A", SECRET)
    assert not fresh.is_guarded
    study.sign_in("adam", SECRET)
    with pytest.raises(UserFacingError, match="only admin"):
        study.add_annotator("adam", Role.REVIEWER)
    study.add_annotator("rita", Role.ADMIN)
    study.add_annotator("adam", Role.REVIEWER)


def test_that_a_role_that_is_taken_away_is_gone_at_once_in_a_study_that_is_open_elsewhere(study: Study) -> None:
    study.sign_in("rita", SECRET)
    with Study.open(study.folder) as elsewhere:
        elsewhere.sign_in("adam", SECRET)
        elsewhere.add_annotator("rita", Role.ANNOTATOR)
    with pytest.raises(NotAllowedError, match="rita is annotator"):
        review.decide(study, newest(study), "accepted", reviewer="rita")


def test_that_what_is_done_carries_the_name_of_who_signed_in(study: Study) -> None:
    study.sign_in("rita", SECRET)
    review.decide(study, newest(study), "accepted", reviewer="rita")
    with pytest.raises(NotAllowedError, match="under the name of"):
        review.decide(study, newest(study, "B"), "flagged", reviewer="adam")
    assert study.audit_entries()[-1].actor == "rita"


COMMANDS = {
    "review accept": (["review", "accept", "{s}", "plain", "A"], "rita"),
    "study person": (["study", "person", "{s}", "new"], "adam"),
    "study split": (["study", "split", "{s}", "{s}/ids.txt", "val"], "adam"),
    "study repair-paths": (["study", "repair-paths", "{s}", "{s}"], "adam"),
    "export": (["export", "png", "{s}", "--dry-run"], "adam"),
    "agreement": (["agreement", "{s}", "--consensus", "majority"], "rita"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_that_commands_ask_who_one_is_and_follow_the_role(
    study: Study, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words, who = COMMANDS[name]
    (study.folder / "ids.txt").write_text("plain\n")
    study.close()
    command = [word.format(s=study.folder) for word in words]
    monkeypatch.delenv(NAME_VARIABLE, raising=False)
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    assert run(build(), command) == 2
    assert "--as" in capsys.readouterr().err
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong horse")
    assert run(build(), [*command, "--as", who]) == 2
    assert "wrong" in capsys.readouterr().err
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    assert run(build(), [*command, "--as", "anna"]) == 2
    assert "anna is annotator and may not" in capsys.readouterr().err
    assert run(build(), [*command, "--as", who]) == 0
    monkeypatch.setenv(NAME_VARIABLE, who)
    assert run(build(), [*command[:1], "--help"]) == 0
