"""Beside the window: who else has the study open, what they decided, and whether a training was cut off."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from app.background_task import TaskRunner
from app.context import Services
from app.texts import tr
from app.widgets.notice_bar import NoticeBar
from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress
from domain.study import Role

if TYPE_CHECKING:
    from storage.study_presence import StudyPresence

_log = logging.getLogger(__name__)
ALONE_EVERY_MS = 10_000
TOGETHER_EVERY_MS = 3_000
OPEN_ELSEWHERE, CUT_OFF = "open elsewhere", "training cut off"


@dataclass(frozen=True)
class _Seen:
    others: tuple[str, ...]
    n_changes: int


class StudyWatch(QObject):
    """Follows the open study; tells in the notice bar, and emits `services.changed_elsewhere`."""

    def __init__(self, services: Services, notices: NoticeBar, tasks: TaskRunner, parent: QObject) -> None:
        super().__init__(parent)
        self._services, self._notices, self._tasks = services, notices, tasks
        self._n_changes = -1
        self._is_looking = False
        self._has_offered = False
        self._presence: StudyPresence | None = None
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        services.study_changed.connect(self._on_study_changed)
        services.annotator_changed.connect(self._look_for_cut_off)

    def look(self) -> None:
        """Say that the study is open here, and look who else has it open and whether something was changed."""
        study, presence = self._services.study, self._presence
        if study is None or presence is None or self._is_looking:
            return
        self._is_looking = True

        def work(_report: OnProgress, _cancel: CancelToken) -> _Seen:
            others = tuple(f"{one.person} ({one.host}, {one.process_id})" for one in presence.beat())
            try:
                return _Seen(others, study.n_changes() if others else -1)
            except UserFacingError:
                return _Seen(others, -1)  # closed meanwhile, or busy: the next look tells

        def seen(found: _Seen) -> None:
            if presence is self._presence:
                self._take(found)

        task = self._tasks.start("", work, on_done=seen, on_failed=_log_failure)
        task.ended.connect(self._on_looked)
        if task.is_over:
            self._is_looking = False

    def _on_looked(self) -> None:
        self._is_looking = False

    def _take(self, found: _Seen) -> None:
        self._timer.setInterval(TOGETHER_EVERY_MS if found.others else ALONE_EVERY_MS)
        if not found.others:
            self._notices.take_back(OPEN_ELSEWHERE)
            self._n_changes = -1
            return
        words = tr("This study is open elsewhere too: {who}. What is decided there is shown here.")
        self._notices.tell(OPEN_ELSEWHERE, words.format(who=", ".join(found.others)))
        before, self._n_changes = self._n_changes, found.n_changes
        if -1 not in (before, found.n_changes) and before != found.n_changes:
            self._services.changed_elsewhere.emit()

    def _on_study_changed(self) -> None:
        if self._presence is not None:
            self._presence.leave()
        self._presence, self._n_changes, self._has_offered = None, -1, False
        self._timer.stop()
        for key in (OPEN_ELSEWHERE, CUT_OFF):
            self._notices.take_back(key)
        study = self._services.study
        if study is None:
            return
        from storage.study_presence import StudyPresence  # here: the window is painted before what this brings

        self._presence = StudyPresence(study.folder, self._services.annotator)
        self._timer.start(ALONE_EVERY_MS)
        self.look()
        self._look_for_cut_off()

    def _look_for_cut_off(self) -> None:
        study, presence = self._services.study, self._presence
        if study is None or presence is None or self._services.role is not Role.ADMIN:
            self._notices.take_back(CUT_OFF)
            return
        if self._has_offered:
            return  # once: what is trained since then is no business of this line
        self._has_offered = True

        def work(_report: OnProgress, _cancel: CancelToken) -> tuple[str, int, int] | None:
            from workflows.interrupted_training import interrupted_run

            run = None if presence.beat() else interrupted_run(study)  # others may be training it
            return None if run is None else (run.name, run.step, run.total)

        def offer(found: tuple[str, int, int] | None) -> None:
            if found is None or self._services.study is not study:
                return
            name, step, total = found
            self._notices.tell(
                CUT_OFF,
                tr("The training {name} was cut off at step {step} of {total}.").format(
                    name=name, step=step, total=total
                ),
                action=tr("Resume"),
                on_action=lambda: self._services.navigate("train", resume=name),
                on_dismissed=lambda: self._leave(name),
            )

        self._tasks.start("", work, on_done=offer, on_failed=_log_failure)

    def _leave(self, name: str) -> None:
        from workflows.interrupted_training import leave_stopped

        if self._services.study is not None:
            leave_stopped(self._services.study.folder / "runs" / name)


def _log_failure(error: BaseException) -> None:
    """Nobody asked for the look, so nobody is stopped by its failure."""
    _log.warning("the study could not be looked at: %s", error)
