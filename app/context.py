"""What screens are handed: the open study, who works, settings, tasks, actions, the way to other screens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.actions import ActionRegistry
from app.background_task import TaskRunner
from calibration.drift import DriftLog
from calibration.staleness import age_words, made_at
from domain.calibration import CalibrationRecord, Point
from domain.study import Role
from workflows.user_settings import UserSettings

if TYPE_CHECKING:  # the window is painted before the libraries behind these are loaded
    from acquisition.host import TrackerHost
    from storage.study import Study
    from workflows.annotate_images import AnnotationSession
    from workflows.correct_mask import CorrectionDesk


class Navigator(Protocol):
    """Brings a screen to the front."""

    def __call__(self, screen: str, **arguments: object) -> None: ...


class DriftCheck(Protocol):
    """Shows the drift check over the stage; it calls `stage.go_on()` when it has ended."""

    def __call__(self, stage: QWidget, session: AnnotationSession, *, points: tuple[Point, ...] = ...) -> None: ...


@dataclass
class TrackerChoice:
    """Which tracker is used, and what is known of it: shown at the top of every screen."""

    name: str = "simulated"
    serial: str = ""
    settings: dict[str, object] = field(default_factory=dict)
    calibration: CalibrationRecord | None = None
    calibrated_ns: int = 0
    drift: DriftLog = field(default_factory=DriftLog)
    verdict: str = ""
    accuracy_deg: float = float("nan")

    @property
    def is_simulated(self) -> bool:
        """Whether gaze comes from the simulated eye."""
        return self.name == "simulated"

    @property
    def age_words(self) -> str:
        """How old the calibration in force is, in words."""
        if self.calibration is None:
            return ""
        return age_words(datetime.now(timezone.utc) - made_at(self.calibration))


class Services(QObject):
    """Everything a screen may use; one per window, handed to each screen's constructor."""

    study_changed = Signal()
    annotator_changed = Signal()
    tracker_changed = Signal()
    trial_saved = Signal(str)
    settings_changed = Signal()
    changed_elsewhere = Signal()

    def __init__(
        self,
        *,
        settings: UserSettings,
        actions: ActionRegistry,
        tasks: TaskRunner,
        readers: TaskRunner,
        navigate: Navigator,
        show_error: Callable[[BaseException], None],
    ) -> None:
        super().__init__()
        self.settings = settings
        self.actions = actions
        self.tasks = tasks
        self.readers = readers
        self.navigate = navigate
        self.show_error = show_error
        self.tracker = TrackerChoice(name=settings.tracker)
        self.host: TrackerHost | None = None
        self.drift_check: DriftCheck | None = None
        self._study: Study | None = None
        self._desk: CorrectionDesk | None = None
        self._annotator = settings.annotator
        self._role = Role.ADMIN

    @property
    def study(self) -> Study | None:
        """The open study, if any."""
        return self._study

    @property
    def open_study(self) -> Study:
        """The open study, for screens that are shut without one.

        Raises:
            RuntimeError: no study is open.
        """
        if self._study is None:
            raise RuntimeError("no study is open")
        return self._study

    @property
    def annotator(self) -> str:
        """Who works here."""
        return self._annotator

    @property
    def role(self) -> Role:
        """What that person may do; the least while nobody is signed in to a study that asks for it."""
        return Role.ANNOTATOR if self.is_signed_out else self._role

    @property
    def is_signed_out(self) -> bool:
        """Whether the open study's people have passwords and nobody has given theirs yet."""
        return self._study is not None and self._study.person is None and self._study.is_guarded

    @property
    def desk(self) -> CorrectionDesk:
        """Working masks and decisions of whoever works here; opened when first asked for."""
        if self._desk is None:
            from workflows.correct_mask import CorrectionDesk

            self._desk = CorrectionDesk(self.open_study, self._annotator, on_problem=self.show_error)
        return self._desk

    def finish_writing(self, seconds: float = 1.0) -> None:
        """Let what was decided reach the study before another page counts it; a slow disk is not waited for longer."""
        if self._desk is not None:
            self._desk.wait_until_written(seconds)

    def close_desk(self) -> None:
        """Write what is left and let go of the journal."""
        if self._desk is not None:
            self._desk.close()
            self._desk = None

    def set_study(self, study: Study | None) -> None:
        """Open another study (the one before is closed) and tell all screens."""
        self.close_desk()
        if self._study is not None and self._study is not study:
            if self._study.is_guarded:
                self._role = Role.ADMIN  # what one may do there says nothing of what one may do here
            self._study.close()
        self._study = study
        self.study_changed.emit()

    def sign_out(self) -> None:
        """Nobody works any more, after what is under way was written under the name of who did it."""
        self.close_desk()
        if self._study is not None:
            self._study.sign_out()
        self.annotator_changed.emit()

    def set_annotator(self, name: str, role: Role) -> None:
        """Somebody else works now."""
        self.close_desk()
        self._annotator, self._role = name, role
        if self._study is not None:
            self._study.actor = name  # the audit log names who worked
        self.annotator_changed.emit()

    def set_tracker(self, choice: TrackerChoice) -> None:
        """Another tracker, or news of its calibration."""
        self.tracker = choice
        self.tracker_changed.emit()
