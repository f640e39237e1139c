"""Nothing is lost: undo and redo of everything, across images, after closing, after kill -9 at any moment."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from domain.study import Outcome, Role, TrialStatus
from storage.study import Study
from workflows.correct_mask import CorrectionDesk, digest
from workflows.edit_history import Decision
from workflows.mask_editing import painted
from workflows.review import decide
from workflows.sample_study import open_sample_study

TARGET = "polyp"


def raising(problem: BaseException) -> None:
    raise problem


@pytest.fixture
def study(tmp_path: Path):
    with open_sample_study(tmp_path / "study", n_frames=6) as made:
        yield made


@pytest.fixture
def desk(study: Study):
    made = CorrectionDesk(study, "anna", on_problem=raising)
    yield made
    made.close()


def state_of(desk: CorrectionDesk, image_ids: list[str]) -> list[tuple[str, str]]:
    """Masks and decisions as bytes and words."""
    return [(digest(desk.mask((i, TARGET))), desk.status((i, TARGET)).value) for i in image_ids]


def one_random_action(desk: CorrectionDesk, image_ids: list[str], random: np.random.Generator) -> None:
    place = (image_ids[int(random.integers(len(image_ids)))], TARGET)
    kind = random.choice(["stroke", "erase", "level", "accept", "skip", "flag", "no target"])
    mask = desk.mask(place)
    if kind in ("stroke", "erase"):
        height, width = mask.shape
        path = [tuple(random.uniform(0, 1, 2) * (width, height)) for _ in range(int(random.integers(1, 6)))]
        desk.change(place, painted(mask, path, float(random.uniform(2, 40)), adds=kind == "stroke")[0], str(kind))
    elif kind == "level":
        desk.change(place, random.random(mask.shape) < 0.01, "level")
    elif kind == "accept":
        desk.accept(place)
    elif kind == "skip":
        desk.skip(place, "not sure")
    elif kind == "flag":
        desk.flag(place)
    else:
        desk.change(place, np.zeros_like(mask), "no target")
        desk.accept(place, outcome=Outcome.NO_TARGET)


def test_that_200_random_actions_undo_to_the_first_state_and_redo_to_the_last_byte_for_byte(study, desk):
    random = np.random.default_rng(7)
    image_ids = [image.image_id for image in study.images()[:4]]
    for image_id in image_ids:
        desk.open(image_id, TARGET)
    first = state_of(desk, image_ids)
    for _ in range(200):
        one_random_action(desk, image_ids, random)
    last = state_of(desk, image_ids)
    assert last != first
    n_steps = 0
    while desk.undo() is not None:
        n_steps += 1
    assert n_steps >= 150
    assert state_of(desk, image_ids) == first
    while desk.redo() is not None:
        pass
    assert state_of(desk, image_ids) == last


def test_that_undo_and_redo_work_after_closing_and_opening_again(study):
    image_ids = [image.image_id for image in study.images()[:3]]
    random = np.random.default_rng(3)
    desk = CorrectionDesk(study, "anna", on_problem=raising)
    for image_id in image_ids:
        desk.open(image_id, TARGET)
    first = state_of(desk, image_ids)
    for _ in range(40):
        one_random_action(desk, image_ids, random)
    for _ in range(5):
        desk.undo()
    middle = state_of(desk, image_ids)
    desk.close()
    again = CorrectionDesk(study, "anna", on_problem=raising)
    assert state_of(again, image_ids) == middle
    while again.redo() is not None:
        pass
    while again.undo() is not None:
        pass
    assert state_of(again, image_ids) == first
    again.close()


def test_that_one_stroke_is_one_step_and_a_stroke_that_changes_nothing_is_none(study, desk):
    place = (study.images()[0].image_id, TARGET)
    mask = desk.open(*place).mask.copy()
    assert desk.change(place, mask, "brush") is None
    desk.change(place, painted(mask, [(20.0, 20.0), (60.0, 80.0)], 8.0, adds=True)[0], "brush")
    desk.undo()
    assert np.array_equal(desk.mask(place), mask)
    assert desk.undo() is None


def test_that_an_accepted_mask_is_a_version_in_the_study_and_earlier_versions_stay(study):
    place = (study.images()[0].image_id, TARGET)
    desk = CorrectionDesk(study, "anna", on_problem=raising)
    desk.open(*place)
    for radius in (10.0, 20.0):
        desk.change(place, painted(desk.mask(place), [(100.0, 100.0)], radius, adds=True)[0], "brush")
        desk.accept(place)
    last = desk.mask(place).copy()
    desk.close()
    versions = study.mask_versions(place[0], "anna", TARGET)
    assert [version.version for version in versions] == [1, 2]
    assert np.array_equal(study.mask(place[0], "anna", TARGET), last)
    assert study.statuses("anna", TARGET)[place[0]] is TrialStatus.DONE


def test_that_an_undone_decision_is_taken_back_in_the_study_too(study):
    place = (study.images()[0].image_id, TARGET)
    desk = CorrectionDesk(study, "anna", on_problem=raising)
    desk.open(*place)
    desk.skip(place, "blurred")
    edit = desk.undo()
    assert isinstance(edit, Decision)
    desk.close()
    assert study.statuses("anna", TARGET).get(place[0], TrialStatus.NEW) is TrialStatus.NEW


def test_that_undoing_a_second_accept_brings_the_first_accepted_mask_back(study):
    place = (study.images()[0].image_id, TARGET)
    desk = CorrectionDesk(study, "anna", on_problem=raising)
    desk.open(*place)
    desk.change(place, painted(desk.mask(place), [(100.0, 100.0)], 10.0, adds=True)[0], "brush")
    desk.accept(place)
    first = desk.mask(place).copy()
    desk.change(place, painted(desk.mask(place), [(200.0, 100.0)], 30.0, adds=True)[0], "brush")
    desk.accept(place)
    desk.undo()
    desk.close()
    assert np.array_equal(study.mask(place[0], "anna", TARGET), first)
    assert len(study.mask_versions(place[0], "anna", TARGET)) == 3


def test_that_two_annotators_do_not_see_each_others_steps(study):
    place = (study.images()[0].image_id, TARGET)
    anna, ben = (CorrectionDesk(study, name, on_problem=raising) for name in ("anna", "ben"))
    anna.open(*place)
    ben.open(*place)
    anna.change(place, np.ones_like(anna.mask(place)), "brush")
    assert not ben.can_undo
    assert not ben.mask(place).any()
    anna.close()
    ben.close()


WORKER = """
import sys
import numpy as np
from pathlib import Path
from storage.study import Study
from workflows.correct_mask import CorrectionDesk, digest
from workflows.mask_editing import painted
from workflows.review import decide

def raising(problem):
    raise problem

study = Study.open(Path(sys.argv[1]))
desk = CorrectionDesk(study, "anna", on_problem=raising)
random = np.random.default_rng(int(sys.argv[2]))
ids = [image.image_id for image in study.images()[:3]]
for image_id in ids:
    desk.open(image_id, "polyp")
print("ready", flush=True)
while True:
    place = (ids[int(random.integers(3))], "polyp")
    mask = desk.mask(place)
    height, width = mask.shape
    path = [tuple(random.uniform(0, 1, 2) * (width, height)) for _ in range(3)]
    desk.change(place, painted(mask, path, 12.0, adds=bool(random.random() < 0.7))[0], "brush")
    if random.random() < 0.4:
        desk.accept(place)
        print("accepted", place[0], digest(desk.mask(place)), flush=True)
"""


def last_accepted(said: str) -> dict[str, str]:
    found = {}
    for line in said.splitlines():
        words = line.split()
        if words[:1] == ["accepted"] and len(words) == 3 and len(words[2]) == 64:
            found[words[1]] = words[2]
    return found


def kill_at_a_random_moment(folder: Path, seed: int, after_s: float) -> dict[str, str]:
    """Run the worker on the study, kill it, and say what it had acknowledged."""
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(seed)], stdout=subprocess.PIPE, env=environment, cwd=root
    )
    assert worker.stdout is not None
    ready = worker.stdout.readline()
    assert ready.strip() == b"ready"
    time.sleep(after_s)
    worker.kill()
    said = worker.stdout.read().decode()
    worker.stdout.close()
    worker.wait()
    return last_accepted(said)


@pytest.mark.slow
def test_that_kill_9_at_a_random_moment_loses_no_accepted_mask(study):
    folder = study.folder
    random = np.random.default_rng(11)
    n_moments = int(os.environ.get("SIGHTLINE_KILLS", "5"))
    n_seen = 0
    for seed in range(n_moments):
        accepted = kill_at_a_random_moment(folder, seed, float(random.uniform(0.05, 0.5)))
        desk = CorrectionDesk(study, "anna", on_problem=raising)
        for image_id, acknowledged in accepted.items():
            decisions = [
                edit.after["sha256"]
                for edit in desk.history.state.done
                if isinstance(edit, Decision) and edit.place[0] == image_id
            ]
            assert acknowledged in decisions, f"moment {seed}: an accepted mask of {image_id} is gone"
            standing = desk.history.state.decisions[(image_id, TARGET)]
            assert standing["status"] == TrialStatus.DONE.value
            assert study.statuses("anna", TARGET)[image_id] is TrialStatus.DONE
            stored = study.mask(image_id, "anna", TARGET)
            assert stored is not None, f"moment {seed}: {image_id} has no stored mask"
            assert digest(stored) == standing["sha256"], f"moment {seed}: {image_id} has another mask"
            n_seen += 1
        desk.close()
    assert n_seen > 0


def test_that_what_a_reviewer_decided_stands_when_the_annotator_comes_back(study: Study):
    study.add_annotator("anna", Role.ANNOTATOR)
    study.add_annotator("rita", Role.REVIEWER)
    images = [image.image_id for image in study.images()[:3]]
    first = CorrectionDesk(study, "anna", on_problem=raising)
    for image_id in images:
        drawn = first.open(image_id, TARGET)
        first.change(drawn.place, painted(drawn.mask, [(30.0, 30.0)], 9.0, adds=True)[0], "brush")
        first.accept(drawn.place)
    first.close()
    for image_id, decision in zip(images, ("returned", "accepted"), strict=False):
        newest = study.mask_versions(image_id, "anna", TARGET)[-1]
        decide(study, newest, decision, reviewer="rita", reason="border too wide")
    wanted = [TrialStatus.RETURNED, TrialStatus.ACCEPTED, TrialStatus.DONE]
    again = CorrectionDesk(study, "anna", on_problem=raising)
    try:
        assert [study.statuses("anna", TARGET)[image_id] for image_id in images] == wanted
        assert [again.status((image_id, TARGET)) for image_id in images] == wanted
        place = again.open(images[0], TARGET).place
        again.accept(place)
        assert again.status(place) is TrialStatus.DONE
        again.undo()
        assert again.status(place) is TrialStatus.RETURNED
        again.redo()
    finally:
        again.close()
    CorrectionDesk(study, "anna", on_problem=raising).close()
    assert study.statuses("anna", TARGET)[images[0]] is TrialStatus.DONE
