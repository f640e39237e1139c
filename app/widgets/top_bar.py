"""The line above every screen: which study, what runs, which tracker, and who works."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QProgressBar, QToolButton

from app.background_task import Task, TaskRunner
from app.context import Services
from app.texts import tr
from app.theme import COLOURS, icon
from app.widgets.plain import ElidedLabel, label, set_state, shortened
from domain.events import Progress

AGE_EVERY_MS = 30_000
TASK_SHOWN_AFTER_MS = 400
REMARK_MS = 8_000
_TASK_WIDTH = 110
_NAME_WIDTH = 220


class TopBar(QFrame):
    """Follows the services and the tasks by itself. switch_asked, password_asked: from the menu of who works."""

    switch_asked = Signal()
    password_asked = Signal()

    def __init__(self, services: Services, tasks: TaskRunner) -> None:
        super().__init__()
        self._services, self._tasks = services, tasks
        self.setProperty("role", "bar")
        self.setFixedHeight(44)
        self._study_label = ElidedLabel("heading", mode=Qt.TextElideMode.ElideMiddle, fits=True)
        self._simulated_label = label(tr("simulated gaze"), "small")
        self._task_label = ElidedLabel("small", fits=True)
        self._task_bar = QProgressBar()
        self._task_bar.setFixedWidth(_TASK_WIDTH)
        self._task_bar.hide()
        self._shown: Task | None = None
        self._annotator_label = self._user_menu()
        self._tracker_label = ElidedLabel("muted", fits=True)
        items = QHBoxLayout(self)
        items.setContentsMargins(20, 0, 20, 0)
        items.setSpacing(14)
        items.addWidget(self._study_label)
        items.addWidget(self._simulated_label)
        items.addStretch(1)
        self._remark = ElidedLabel("", fits=True)
        set_state(self._remark, "warn")
        self._remark.hide()
        self._remark_timer = QTimer(self)
        self._remark_timer.setSingleShot(True)
        self._remark_timer.timeout.connect(self._remark.hide)
        items.addWidget(self._remark)
        for widget in (self._task_label, self._task_bar, self._tracker_label, self._annotator_label):
            items.addWidget(widget)
        tasks.started.connect(self._on_task_started)
        services.settings_changed.connect(self._show_study)
        services.tracker_changed.connect(self._show_tracker)
        self._age_timer = QTimer(self)
        self._age_timer.setInterval(AGE_EVERY_MS)
        self._age_timer.timeout.connect(self._show_tracker)
        self._age_timer.start()

    def show_all(self) -> None:
        """Another study, or somebody else."""
        self._show_study()
        self._show_tracker()
        who = f"{self._services.annotator} · {tr(self._services.role.value)}"
        self._annotator_label.setToolTip(tr("Who works here: {who}").format(who=who))
        shown = tr("Not signed in") if self._services.is_signed_out else who
        self._annotator_label.setText(shortened(self._annotator_label, shown, _NAME_WIDTH))
        self._annotator_label.setVisible(self._services.study is not None)

    @property
    def remark(self) -> str:
        """What is said now."""
        return self._remark.whole if not self._remark.isHidden() else ""

    def say(self, words: str) -> None:
        """Say something for a while: why a key did nothing."""
        self._remark.say(words)
        self._remark.show()
        self._remark_timer.start(REMARK_MS)

    def _user_menu(self) -> QToolButton:
        made = QToolButton()
        made.setProperty("role", "user")
        made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        made.setToolTip(tr("Who works here"))
        menu = QMenu(made)
        menu.addAction(icon("user", COLOURS.text), tr("Switch user…"), self.switch_asked.emit)
        menu.addAction(tr("Change my password…"), self.password_asked.emit)
        made.setMenu(menu)
        return made

    def _show_study(self) -> None:
        study = self._services.study
        self._study_label.say(study.settings.name if study is not None else tr("No study open"))
        self._simulated_label.setVisible(study is not None and study.settings.is_simulated)

    def _show_tracker(self) -> None:
        choice = self._services.tracker
        name = tr("Simulated tracker") if choice.is_simulated else choice.serial or choice.name
        if choice.verdict:
            text = tr("{name}: {verdict}, {accuracy:.2f}°, {age} old").format(
                name=name, verdict=tr(choice.verdict), accuracy=choice.accuracy_deg, age=choice.age_words
            )
        elif choice.is_simulated:
            text = name
        else:
            text = tr("{name}: not calibrated").format(name=name)
        self._tracker_label.say(text)
        set_state(self._tracker_label, "" if choice.verdict or choice.is_simulated else "warn")
        self._tracker_label.setVisible(self._services.study is not None or bool(choice.verdict))

    def _on_task_started(self, task: Task) -> None:
        if not task.text:
            return
        task.progressed.connect(lambda progress: self._on_task_progress(task, progress))
        task.ended.connect(lambda: self._on_task_ended(task))
        QTimer.singleShot(TASK_SHOWN_AFTER_MS, self, lambda: self._on_task_begun(task))

    def _on_task_begun(self, task: Task) -> None:
        if self._shown is None and not task.is_over:
            self._on_task_progress(task, Progress(0, 0))

    def _on_task_progress(self, task: Task, progress: Progress) -> None:
        # One task at a time: a bar that two share would jump between them.
        if task.is_over or (self._shown is not None and self._shown is not task):
            return
        self._shown = task
        self._task_label.setText(task.text)
        self._task_bar.show()
        self._task_bar.setRange(0, progress.total)
        self._task_bar.setValue(progress.done)

    def _on_task_ended(self, task: Task) -> None:
        if self._shown is task:
            self._shown = None
        if self._shown is not None:
            return
        waiting = next((one for one in self._tasks.active if one.text and not one.is_over), None)
        if waiting is not None:
            self._on_task_progress(waiting, Progress(0, 0))
        else:
            self._task_label.setText("")
            self._task_bar.hide()
