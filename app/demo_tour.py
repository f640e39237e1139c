"""A simulated annotator in the real window: looks at images, accepts masks, and takes a picture of each page."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.annotate_stage import AnnotateStage
from app.context import TrackerChoice
from app.entry import application, main_window
from app.let_run import let_run
from app.main_window import MainWindow
from app.screens.annotate import AnnotateScreen
from app.screens.labels import LabelsScreen
from app.screens.worklist import WorklistScreen
from app.stage_phase import Phase
from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.study import Role
from storage.study import Study
from workflows.open_study import open_study
from workflows.user_settings import UserSettings

_log = logging.getLogger(__name__)
ANNOTATOR = "simulated"
LOOK_S = 6.0
WINDOW = (1600, 900)
_PATIENCE_S = 180.0


def use_off_screen(folder: Path, size: tuple[int, int] = WINDOW) -> None:
    """Let Qt draw into memory, on one screen of this size; call it before the first window of the process."""
    screen = {"name": "off-screen", "x": 0, "y": 0, "width": size[0], "height": size[1]}
    screen |= {"logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "off-screen.json"
    path.write_text(json.dumps({"screens": [screen]}), encoding="utf-8")
    os.environ["QT_QPA_PLATFORM"] = f"offscreen:configfile={path}"


@dataclass
class Tour:
    """What a tour left: pictures in order, and the trials that were recorded."""

    screenshots: list[Path] = field(default_factory=list)
    trial_ids: list[str] = field(default_factory=list)
    seconds_to_mask: list[float] = field(default_factory=list)
    seconds_to_first_mask: list[float] = field(default_factory=list)
    seconds_to_image: list[float] = field(default_factory=list)


def run_tour(
    study_folder: Path,
    out_folder: Path,
    n_images: int,
    *,
    annotator: str = ANNOTATOR,
    seed: int = 1,
    look_s: float = LOOK_S,
    takes_pictures: bool = True,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> Tour:
    """Walk through the application with a simulated annotator. Qt must run off-screen or on a real screen.

    The window, its keys and its timing are those of the application; only the eye is simulated, and its time is told
    to pass, so that a look of seconds takes moments. Everything recorded is marked as simulated.

    Raises:
        UserFacingError: the application did not come as far as it should.
        Cancelled: stopped between two images.
    """
    out_folder.mkdir(parents=True, exist_ok=True)
    settings = UserSettings(annotator=annotator)
    app = application(settings)
    study = open_study(study_folder, actor=annotator)
    study.add_annotator(annotator, Role.ADMIN)
    window = main_window(settings)
    guide = _Guide(app, window, out_folder if takes_pictures else None, Tour())
    try:
        window.resize(*WINDOW)
        window.show()
        window.use_study(study)
        guide.walk(study, n_images, seed=seed, look_s=look_s, on_progress=on_progress, cancel=cancel)
    finally:
        window.close()
        window.deleteLater()
        app.processEvents()
    return guide.tour


class _Guide:
    """Leads the window from page to page."""

    def __init__(self, app: QApplication, window: MainWindow, out_folder: Path | None, tour: Tour) -> None:
        self.app = app
        self.window = window
        self.out_folder = out_folder
        self.tour = tour

    def walk(
        self,
        study: Study,
        n_images: int,
        *,
        seed: int,
        look_s: float,
        on_progress: OnProgress,
        cancel: CancelToken | None,
    ) -> None:
        self.wait(lambda: self.window.current_screen == "worklist")
        let_run(600)
        self.wait(lambda: self.is_filled("worklist"))
        self.picture(self.window, "worklist")
        self.window.services.drift_check = None  # it waits in real time, which stands still here
        self.window.services.set_tracker(TrackerChoice(settings={"speed": 0.0, "seed": seed}))
        self.window.navigate("annotate")
        page = self.window.screen_widget("annotate")
        if not isinstance(page, AnnotateScreen):
            raise TypeError("the annotate screen is not the one this tour knows")
        self.picture(self.window, "annotate")
        page.start()
        if page.stage is None:
            raise UserFacingError("There is nothing left to annotate in this study.", "Make a new sample study.")
        self.annotate(page.stage, study, n_images=n_images, look_s=look_s, on_progress=on_progress, cancel=cancel)
        self.wait(lambda: not any(task.text for task in self.window.tasks.active))
        for name in ("worklist", "correct", "labels", "train"):
            self.window.navigate(name)
            let_run(500)
            self.wait(partial(self.is_filled, name))
            self.picture(self.window, f"{name}_after")

    def is_filled(self, name: str) -> bool:
        """Whether what a page loads beside the window is on it."""
        screen = self.window.screen_widget(name)
        if isinstance(screen, WorklistScreen):
            return screen.has_thumbnails
        return screen.has_maps if isinstance(screen, LabelsScreen) else True

    def annotate(
        self,
        stage: AnnotateStage,
        study: Study,
        *,
        n_images: int,
        look_s: float,
        on_progress: OnProgress,
        cancel: CancelToken | None,
    ) -> None:
        stage.image.start_target_ms = 60
        stage.seen.seen_ms = 0  # nobody looks
        self.wait(lambda: stage.phase in (Phase.CARD, Phase.LOST))
        if stage.phase is Phase.LOST:
            raise UserFacingError("The simulated tracker could not be opened.", "Run `sightline doctor`.")
        self.picture(stage, "instruction")
        self.press(stage, Qt.Key.Key_Return)
        for number in range(n_images):
            if cancel is not None:
                cancel.raise_if_cancelled()
            self.wait(lambda: stage.is_recording or stage.phase in (Phase.DONE, Phase.REST))
            while stage.phase is Phase.REST:
                self.press(stage, Qt.Key.Key_Return)
                self.wait(lambda: stage.is_recording)
            if stage.phase is Phase.DONE:
                break
            self.look(stage, study, number, look_s)
            on_progress(Progress(number + 1, n_images, "looking at images (simulated gaze)"))
        self.tour.seconds_to_image = list(stage.look.seconds_to_image)
        self.press(stage, Qt.Key.Key_Escape)

    def look(self, stage: AnnotateStage, study: Study, number: int, look_s: float) -> None:
        truth = study.ground_truth(stage.image_id)
        stage.session.recording.advance(look_s)
        if number == 0:
            self.picture(stage, "looking")
        self.wait(lambda: stage.is_prepared)  # a look in real time takes longer than that
        n_before = len(stage.look.seconds_to_mask)
        has_target = truth is not None and bool(truth.any())
        self.press(stage, Qt.Key.Key_Return if has_target else Qt.Key.Key_N)
        self.wait(lambda: len(stage.look.seconds_to_mask) > n_before)
        result = stage.result
        if result is None:
            raise UserFacingError("A look gave no result.", "See the log.")
        if number < 3:
            self.picture(stage, f"mask_{number + 1}")
        self.tour.trial_ids.append(result.record.trial_id)
        self.tour.seconds_to_mask.append(stage.look.seconds_to_mask[-1])
        self.tour.seconds_to_first_mask.append(stage.look.seconds_to_first_mask[-1])
        if result.verdict == "stop":  # Enter would look again for ever with a poor simulated eye
            self.press(stage, Qt.Key.Key_F)
        else:
            self.press(stage, Qt.Key.Key_Return)

    def press(self, widget: QWidget, key: Qt.Key) -> None:
        QTest.keyClick(widget, key)

    def picture(self, widget: QWidget, name: str) -> None:
        self.app.processEvents()
        if self.out_folder is None:
            return
        path = self.out_folder / f"{len(self.tour.screenshots) + 1:02d}_{name}.png"
        widget.grab().save(str(path))
        self.tour.screenshots.append(path)

    def wait(self, is_true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not is_true():
            let_run(10)
            if time.monotonic() > deadline:
                raise UserFacingError(
                    f"The tour came no further in {_PATIENCE_S:.0f} s.", "The machine may be very busy; try again."
                )
