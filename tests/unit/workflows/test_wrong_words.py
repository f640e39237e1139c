"""What the command line answers to wrong words: exit code 2, what is wrong, and what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from domain.study import StudySettings
from workflows.command_line import build, run
from workflows.open_study import create_study


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["export", "nonsense", "nowhere"], "nonsense", id="export-format"),
        pytest.param(["train", "nowhere", "--preset", "huge"], "huge", id="training-preset"),
        pytest.param(["study", "show", "nowhere"], "There is no folder", id="missing-study"),
        pytest.param(["study", "show", "file.txt"], "is a file, not a study", id="file-as-study"),
        pytest.param(["study", "show", "empty"], "it holds no study.json", id="no-study"),
        pytest.param(["labels", "made"], "no image was looked at yet", id="labels-without-gaze"),
        pytest.param(["predict", "none.safetensors", "made"], "The model none.safetensors is not there", id="no-model"),
        pytest.param(["predict", "none.safetensors", "nowhere"], "nowhere is not there", id="nothing-to-predict"),
    ],
)
def test_that_wrong_words_are_answered(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("x")
    create_study(tmp_path / "made", StudySettings(name="Made"), annotator="anna").close()
    assert run(build(), arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux knows machines without a display")
def test_that_a_machine_without_a_display_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from app import launch

    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    create_study(tmp_path / "made", StudySettings(name="Made"), annotator="anna").close()
    assert run(launch.build(), ["open", str(tmp_path / "made")]) == 2
    assert "no display" in capsys.readouterr().err
    assert run(launch.build(), []) == 2
    assert "no display" in capsys.readouterr().err
    assert run(launch.build(), ["open", str(tmp_path / "nowhere")]) == 2
    assert "There is no folder" in capsys.readouterr().err
