"""The drift check between images: over the annotation's stage, on its screen, with its tracker."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from app.annotate_stage import AnnotateStage
from app.calibrate_stage import CalibrateStage
from app.context import Services
from app.drift_stage import DriftStage
from app.full_screen import screen_named
from app.gaze_stage import GazeStage
from app.stage_phase import Phase
from calibration.drift import ONE_DOT
from calibration.profiles import profile_of
from domain.calibration import CalibrationRecord, Point
from storage.calibration_file import CalibrationStore
from workflows.annotate_images import AnnotationSession
from workflows.calibrate import CalibrationSession, calibrations_folder
from workflows.calibration_target import HostTarget
from workflows.drift_check import DriftRun
from workflows.set_up_tracker import can_calibrate, note_in_recording


class DriftOverStage:
    """Called by the stage when a check is due or asked for; lets the stage go on when it has ended."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.front: GazeStage | None = None
        self._stage: AnnotateStage | None = None

    def __call__(self, stage: QWidget, session: AnnotationSession, *, points: tuple[Point, ...] = ONE_DOT) -> None:
        """Show the check; a second call while one is shown does nothing."""
        if self.front is not None or not session.is_open:
            return
        if isinstance(stage, AnnotateStage) and stage is not self._stage:
            self._stage = stage
            stage.left.connect(self._on_stage_left)
        source = HostTarget(session.recording.host)
        run = DriftRun(
            source,
            points=points,
            profile=profile_of(self._profile_name()),
            distance_mm=session.recording.display.distance_mm,
            reason="between images",
        )
        front = DriftStage(self._services, source, run, session.drift)
        wants: list[bool] = []
        front.wants_calibration.connect(lambda: wants.append(True))
        self._show(front, stage, lambda: self._calibrate(stage, session, source) if wants else self._go_on(stage))

    def _calibrate(self, stage: QWidget, session: AnnotationSession, source: HostTarget) -> None:
        if not can_calibrate(source.host.info):
            self._go_on(stage)
            return
        calibration = CalibrationSession(
            source,
            profile=profile_of(self._profile_name()),
            annotator=self._services.annotator,
            distance_mm=session.recording.display.distance_mm,
            store=CalibrationStore(calibrations_folder()),
            is_simulated=source.host.info.is_simulated,
        )

        def on_end() -> None:
            record = calibration.record
            if record is not None:
                session.calibration = record
                while session.drift.active.kind != "none":
                    session.drift.undo()
                note_in_recording(source.host, record)
            self._go_on(stage)

        self._show(CalibrateStage(self._services, source, calibration), stage, on_end)

    def _show(self, front: GazeStage, stage: QWidget, on_end: Callable[[], None]) -> None:
        self.front = front
        front.finished.connect(lambda: self._on_finished(front, on_end))
        front.open_on(screen_named(stage.screen().name()))

    def _on_finished(self, front: GazeStage, on_end: Callable[[], None]) -> None:
        self.front = None
        front.close()
        front.deleteLater()
        on_end()

    def _on_stage_left(self) -> None:
        """A key that reached the stage before this window was in front: nothing is left to go on with."""
        front, self.front = self.front, None
        self._stage = None
        if front is not None:
            front.abandon()
            front.close()
            front.deleteLater()

    def _go_on(self, stage: QWidget) -> None:
        stage.activateWindow()
        stage.setFocus()
        # A result that was being looked at waits for its own decision.
        if isinstance(stage, AnnotateStage) and stage.phase is Phase.CARD:
            stage.go_on()

    def _profile_name(self) -> str:
        record = self._services.tracker.calibration
        return record.profile if isinstance(record, CalibrationRecord) else "adult"
