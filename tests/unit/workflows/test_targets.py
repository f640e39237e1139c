"""Targets of a study: what may be changed when, on the command line too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from domain.errors import UserFacingError
from domain.study import StudyImage, StudySettings, Target
from storage.study import Study
from workflows.command_line import build, run
from workflows.targets import WantedTarget, change_targets, used


@pytest.fixture
def study(tmp_path: Path) -> Study:
    study = Study.create(tmp_path / "s", StudySettings("s", (Target("polyp"), Target("ulcer", 2, "#56B4E9"))))
    study.add_images([StudyImage("a", "images/a.png", (8, 6))])
    study.save_mask("a", "anna", "polyp", np.zeros((6, 8), np.bool_), origin="correction")
    return study


def keep(study: Study) -> list[WantedTarget]:
    return [WantedTarget(one.name, one.name, one.colour, one.description) for one in study.settings.targets]


def test_that_targets_are_added_renamed_recoloured_and_described_and_numbers_stay(study: Study) -> None:
    wanted = [
        WantedTarget("polyp", "polyp", "#009E73", "any raised lesion"),
        WantedTarget("ulcer", "erosion"),
        WantedTarget("", "vessel"),
    ]
    change_targets(study, wanted)
    assert study.settings.targets == (
        Target("polyp", 1, "#009E73", "any raised lesion"),
        Target("erosion", 2, "#56B4E9"),
        Target("vessel", 3, "#009E73"),
    )
    with Study.open(study.folder) as again:
        assert again.settings.targets == study.settings.targets
    change_targets(study, [WantedTarget("polyp", "polyp"), WantedTarget("vessel", "vessel")])
    change_targets(study, [*keep(study), WantedTarget("", "scar")])
    assert [(one.name, one.number) for one in study.settings.targets] == [("polyp", 1), ("vessel", 3), ("scar", 4)]


@pytest.mark.parametrize(
    "wanted",
    [
        [WantedTarget("polyp", "adenoma"), WantedTarget("ulcer", "ulcer")],
        [WantedTarget("ulcer", "ulcer")],
        [WantedTarget("", "polyp"), WantedTarget("ulcer", "ulcer")],
    ],
    ids=["renamed", "removed", "made anew under its name"],
)
def test_that_a_target_with_masks_can_be_neither_renamed_nor_removed(study: Study, wanted: list[WantedTarget]) -> None:
    before = study.settings
    assert used(study) == {"polyp": (0, 1)}
    with pytest.raises(UserFacingError, match="1 mask; it can be neither renamed nor removed"):
        change_targets(study, wanted)
    assert study.settings == before


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ([], "one or more targets"),
        ([WantedTarget("", " ")], "one or more targets"),
        ([WantedTarget("polyp", "polyp"), WantedTarget("", "Polyp")], "different names"),
        ([WantedTarget("polyp", "polyp", "red")], "no colour"),
        ([WantedTarget("polyp", "polyp"), WantedTarget("liver", "liver")], "no target 'liver'"),
    ],
    ids=["none", "no name", "twice", "colour", "unknown"],
)
def test_that_impossible_targets_are_refused(study: Study, wanted: list[WantedTarget], words: str) -> None:
    with pytest.raises(UserFacingError, match=words):
        change_targets(study, wanted)


def test_that_targets_are_changed_from_the_command_line(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    folder, cli = str(study.folder), build()
    study.close()
    assert run(cli, ["study", "target", folder, "vessel", "--colour", "#0072B2"]) == 0
    assert run(cli, ["study", "target", folder, "ulcer", "--rename", "erosion"]) == 0
    assert "1 polyp #E69F00, 2 erosion #56B4E9, 3 vessel #0072B2" in capsys.readouterr().out
    assert run(cli, ["study", "target", folder, "vessel", "--remove"]) == 0
    assert run(cli, ["study", "target", folder, "polyp", "--remove"]) == 2
    assert "neither renamed nor removed" in capsys.readouterr().err
