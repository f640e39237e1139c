"""kill -9 of the window while somebody annotates and corrects in it: nothing that was accepted is lost.

    python -m benchmarks.kill_annotating [--kills 50] [--quick]

A process runs the real window: a SIMULATED eye looks at images, keys accept their masks, every third mask is corrected
by strokes of the mouse first. It says what was accepted and drawn as soon as the window has taken it, and is killed at
a random moment. Then the study is opened as the application opens it. Runs in a window where a display is at hand
(start it under `xvfb-run -s "-screen 0 1920x1080x24"` elsewhere), else off-screen.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import Figure, show

ROOT = Path(__file__).resolve().parents[1]
ANNOTATOR, TARGET = "anna", "polyp"
N_FRAMES = 80
LATEST_S = 6.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="five kills")
    parser.add_argument("--annotates", type=Path, help=argparse.SUPPRESS)  # the process that is killed
    given = parser.parse_args()
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    if given.annotates is not None:
        annotate(given.annotates)
        return 0
    return kill_often(5 if given.quick else given.kills)


# the process that is killed


def annotate(folder: Path) -> None:
    """Annotate and correct until the process ends, saying what was done; "full" when nothing is left."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    from app.context import TrackerChoice
    from app.entry import main_window
    from app.let_run import let_run
    from app.screens.annotate import AnnotateScreen
    from app.stage_phase import Phase
    from domain.study import Role
    from workflows.correct_mask import digest
    from workflows.open_study import open_study
    from workflows.user_settings import UserSettings
    from workflows.warm_up import label_once

    label_once()  # as the application does when a study is opened
    study = open_study(folder, actor=ANNOTATOR)
    study.add_annotator(ANNOTATOR, Role.ANNOTATOR)
    window = main_window(UserSettings(annotator=ANNOTATOR))
    window.resize(1280, 800)
    window.show()
    window.services.set_annotator(ANNOTATOR, Role.ANNOTATOR)
    window.use_study(study)
    window.services.drift_check = None
    window.services.set_tracker(TrackerChoice(settings={"speed": 0.0, "seed": 3}))
    window.navigate("annotate")
    page = window.screen_widget("annotate")
    if not isinstance(page, AnnotateScreen):
        raise TypeError("the annotate screen is another than this program knows")
    page.start()
    stage = page.stage
    if stage is None:
        say("full")
        return
    stage.image.start_target_ms = 30
    stage.seen.seen_ms = 0  # nobody looks
    while stage.phase is not Phase.CARD:
        let_run(5)
    say("ready", stage.image_id)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    number = 0
    while True:
        while not stage.is_recording:
            let_run(5)
            if stage.phase is Phase.REST:
                QTest.keyClick(stage, Qt.Key.Key_Return)
            if stage.phase is Phase.RESULT:  # of the part that was killed
                QTest.keyClick(stage, Qt.Key.Key_Backspace)
            if stage.phase is Phase.DONE:
                say("full")
                return
        number += 1
        image_id = stage.image_id
        stage.session.recording.advance(4.0)
        let_run(20)
        QTest.keyClick(stage, Qt.Key.Key_Return)
        while stage.phase is not Phase.RESULT:
            let_run(5)
        desk, place = window.services.desk, (image_id, TARGET)
        if number % 3 == 0:
            QTest.keyClick(stage, Qt.Key.Key_E)
            correct(window.screen_widget("correct"), lambda desk=desk, place=place: digest(desk.mask(place)), image_id)
        elif stage.result is not None and stage.result.verdict == "stop":
            QTest.keyClick(stage, Qt.Key.Key_F)
            continue
        else:
            QTest.keyClick(stage, Qt.Key.Key_Return)
        say("accepted", image_id, digest(desk.mask(place)))


def correct(screen: object, digest_now: object, image_id: str) -> None:
    """Four strokes with the mouse, each told; then accept with the keys."""
    from PySide6.QtCore import QPoint, Qt
    from PySide6.QtTest import QTest

    from app.let_run import let_run
    from app.screens.correct import CorrectScreen

    if not isinstance(screen, CorrectScreen) or not callable(digest_now):
        raise TypeError("the correct screen is another than this program knows")
    screen.seen.seen_ms = 0  # nobody looks
    while screen.place is None:
        let_run(5)
    canvas, left = screen.canvas, Qt.MouseButton.LeftButton
    middle = canvas.image_rect_on_widget().center()
    for stroke in range(4):
        start = middle + QPoint(-120 + 60 * stroke, -90 + 50 * stroke)
        QTest.mousePress(canvas, left, pos=start)
        for step in range(6):
            QTest.mouseMove(canvas, start + QPoint(9 * step, 4 * step))
            let_run(4)
        QTest.mouseRelease(canvas, left, pos=start + QPoint(54, 24))
        say("drawn", image_id, digest_now())
    QTest.keyClick(screen, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)


def say(*words: str) -> None:
    """A line for the program that kills."""
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


# what is found afterwards


@dataclass
class Said:
    """What a killed process had said: accepted and drawn masks as digests, and whether the list was at its end."""

    accepted: dict[str, str] = field(default_factory=dict)
    drawn: dict[str, str] = field(default_factory=dict)
    first: str = ""
    is_full: bool = False

    def hear(self, line: str) -> None:
        """One line; a torn one says nothing."""
        words = line.split()
        if words == ["full"]:
            self.is_full = True
        elif len(words) == 2 and words[0] == "ready":
            self.first = words[1]
        elif len(words) == 3 and len(words[2]) == 64:
            (self.accepted if words[0] == "accepted" else self.drawn)[words[1]] = words[2]


@dataclass
class Tally:
    """Counts over all kills."""

    n_kills: int = 0
    n_whole: int = 0
    n_accepted: int = 0
    n_drawn: int = 0
    n_while_correcting: int = 0
    problems: list[str] = field(default_factory=list)


def kill_often(n_kills: int) -> int:
    """So many processes, each killed at its own moment; the table of what was found."""
    from workflows.sample_study import open_sample_study

    chance, tally, number = random.Random(5), Tally(), 0
    while tally.n_kills < n_kills:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "study"
            with open_sample_study(folder, n_frames=N_FRAMES):
                pass
            done: dict[str, str] = {}
            while tally.n_kills < n_kills:
                number += 1
                said = run_and_kill(folder, Path(place), chance.uniform(0.0, LATEST_S))
                if said.is_full:
                    break
                tally.n_kills += 1
                if said.first in done:
                    tally.problems.append(f"kill {number}: {said.first} was accepted and is asked for again")
                done |= said.accepted
                found = look_at(folder, done, said)
                tally.n_whole += not found
                tally.problems += [f"kill {number}: {words}" for words in found]
                tally.n_accepted += len(said.accepted)
                tally.n_drawn += len(said.drawn)
                tally.n_while_correcting += bool(set(said.drawn) - set(said.accepted))
    for words in tally.problems:
        print(words)
    return show(
        f"{tally.n_kills} kills of the annotating window (simulated gaze)",
        [
            Figure(
                "everything accepted and drawn is there, files verify",
                f"{tally.n_whole} of {tally.n_kills}",
                "all",
                tally.n_whole == tally.n_kills and not tally.problems,
            ),
            Figure("masks accepted / strokes told of", f"{tally.n_accepted} / {tally.n_drawn} images", "", None),
            Figure("killed while correcting", str(tally.n_while_correcting), "", None),
        ],
    )


def run_and_kill(folder: Path, home: Path, after_s: float) -> Said:
    """Run the annotating process, kill it so long after it was ready, and say what it had said."""
    environment = {**os.environ, "SIGHTLINE_HOME": str(home / "home"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.kill_annotating", "--annotates", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    pipe = process.stdout
    if pipe is None:
        raise RuntimeError("no pipe")
    said, is_ready = Said(), threading.Event()

    def listen() -> None:
        for line in pipe:
            said.hear(line if line.endswith("\n") else "")
            is_ready.set()
        is_ready.set()

    listener = threading.Thread(target=listen)
    listener.start()
    is_ready.wait(120)
    if not said.is_full:
        time.sleep(after_s)
    has_failed = process.poll() not in (None, 0)
    process.kill()
    process.wait()
    listener.join()
    pipe.close()
    if has_failed:
        raise RuntimeError("the annotating process ended by itself; its message stands above")
    return said


def look_at(folder: Path, accepted: dict[str, str], said: Said) -> list[str]:
    """Open the study as the application does, and say in sentences what is not as it was left."""
    from domain.study import TrialStatus
    from storage.journal import is_being_written
    from storage.session_file import read_session
    from workflows.audit import verify
    from workflows.correct_mask import CorrectionDesk, digest
    from workflows.open_study import open_study

    deadline = time.monotonic() + 60
    while any(is_being_written(path) for path in (folder / "sessions").glob("*.journal")):
        if time.monotonic() > deadline:
            return ["the tracker's process writes on without the application"]
        time.sleep(0.05)
    found, complaints = [], []
    with open_study(folder, actor=ANNOTATOR) as study:
        desk = CorrectionDesk(study, ANNOTATOR, on_problem=complaints.append)
        statuses = study.statuses(ANNOTATOR, TARGET)
        for image_id, wanted in accepted.items():
            stored = study.mask(image_id, ANNOTATOR, TARGET)
            if statuses.get(image_id) is not TrialStatus.DONE:
                found.append(f"{image_id} was accepted and is {statuses.get(image_id)}")
            elif stored is None or digest(stored) != wanted:
                found.append(f"{image_id} has another mask than the one accepted")
            if study.trial(image_id, ANNOTATOR, TARGET) is None:
                found.append(f"{image_id} has no trial")
        for image_id, wanted in said.drawn.items():
            if image_id not in said.accepted and wanted not in states_of(desk, image_id):
                found.append(f"a stroke on {image_id} is gone")
        desk.close()
        found += [str(problem) for problem in complaints]
        found += verify(study).problems
        for path in sorted((folder / "sessions").glob("*.h5")):
            read_session(path)
        found += [f"{path.name} was not recovered" for path in (folder / "sessions").glob("*.journal")]
    return found


def states_of(desk: object, image_id: str) -> set[str]:
    """Digests of the working mask now and before each of the last steps: one more may have been taken than told."""
    from workflows.correct_mask import CorrectionDesk, digest

    if not isinstance(desk, CorrectionDesk):
        raise TypeError("a desk is needed")
    state, place = desk.history.state, (image_id, TARGET)
    seen = {digest(state.masks[place])} if place in state.masks else set()
    for _ in range(3):  # in memory only: the journal is not told
        if state.undo() is None:
            break
        if place in state.masks:
            seen.add(digest(state.masks[place]))
    return seen


if __name__ == "__main__":
    sys.exit(main())
