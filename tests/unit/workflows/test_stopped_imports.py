"""An import whose process is killed leaves nothing that the next import does not take away."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from domain.study import StudySettings
from storage.study import Study
from tests.dicom_series import write_series
from workflows.audit import verify
from workflows.import_images import import_to_folder
from workflows.stopped_imports import STAGING, clear_stopped_imports, note_moves, owned_name

ROOT = Path(__file__).parents[3]
N = 6
# The process kills itself at a moment of its choice, as the system would: without a word, without tidying up.
PROGRAM = """
import os, signal, sys
from pathlib import Path
from storage.study import Study
from workflows import import_images
moment, source, folder = sys.argv[1:]
def die(*_args, **_more):
    os.kill(os.getpid(), signal.SIGKILL)
if moment == "catalog":
    Study.add_import = die
elif moment == "moving":
    import_images._trial = die
    original = Path.replace
    seen = []
    def replace(self, target):
        seen.append(target)
        if len(seen) > 3 and "images" in str(target):
            die()
        return original(self, target)
    Path.replace = replace
def on_write(progress):
    if moment == "staging" and progress.done == 3:
        die()
import_images.import_to_folder("folder", source, folder, on_write=on_write)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("moment", ["staging", "moving", "catalog"])
@pytest.mark.parametrize("is_new", [False, True], ids=["into a study", "a new study"])
def test_that_a_killed_import_leaves_nothing_after_the_next(tmp_path: Path, moment: str, is_new: bool) -> None:
    write_series(tmp_path / "in", N)
    folder = tmp_path / "place" / "study"
    folder.parent.mkdir()
    if not is_new:
        Study.create(folder, StudySettings("s")).close()
    killed = subprocess.run(
        [sys.executable, "-c", PROGRAM, moment, str(tmp_path / "in"), str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-500:]
    if not is_new:
        with Study.open(folder) as study:
            assert study.images() == []
    report = import_to_folder("folder", tmp_path / "in", folder)
    assert report.n_images == N
    with Study.open(folder) as study:
        assert verify(study).problems == ()
        assert sorted(path.name for path in (folder / "images").iterdir()) == sorted(
            Path(image.path).name for image in study.images()
        )
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["study", "study-keys"]


def test_that_an_import_under_way_and_files_in_use_are_left_alone(tmp_path: Path) -> None:
    write_series(tmp_path / "in", N)
    import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    with Study.open(tmp_path / "study") as study:
        mine = study.folder / owned_name(STAGING)
        mine.mkdir()
        assert clear_stopped_imports(study) == 0
        dead = study.folder / mine.name.replace(f"-{os.getpid()}-", f"-{2**22 + 7}-")
        dead.mkdir()
        used, unused = study.absolute(study.images()[0].path), study.folder / "images" / "left.dcm"
        unused.write_bytes(b"x")
        outside = tmp_path / "outside.dcm"
        outside.write_bytes(b"x")
        note_moves(dead, [used, unused, outside])
        assert clear_stopped_imports(study) == 1
        assert used.is_file()
        assert outside.is_file()
        assert not unused.exists()
        assert not dead.exists()
        assert mine.is_dir()
