"""The one window: a rail of screens on the left, who and what at the top, the chosen screen in the middle."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.action_table import ACTIONS
from app.actions import ActionRegistry
from app.background_task import TaskRunner
from app.context import Services
from app.error_dialog import ErrorHook
from app.key_overlay import KeyOverlay
from app.password_dialog import ask_password
from app.screen import Screen, screens
from app.screens.welcome import WelcomeScreen
from app.study_watch import StudyWatch
from app.texts import tr
from app.widgets.notice_bar import NoticeBar
from app.widgets.page_scroll import PageScroll
from app.widgets.rail import Rail
from app.widgets.top_bar import TopBar
from domain.events import CancelToken, OnProgress
from workflows.user_settings import UserSettings

if TYPE_CHECKING:  # loaded when the first study is opened, after the window is painted
    from storage.study import Study

FIRST_SCREEN = "welcome"
SIGN_IN = "sign_in"
AFTER_FIRST_PAINT_MS = 20
AT_THE_FOOT = 1000
_DEFAULT_SIZE = QSize(1360, 860)
_LEAST_SIZE = QSize(640, 360)  # 1366 x 768 at 200 % holds it; what needs more scrolls


class MainWindow(QMainWindow):
    """Builds each screen when it is first shown and brings the asked one to the front."""

    def __init__(self, settings: UserSettings) -> None:
        super().__init__()
        self.setWindowTitle(tr("Sightline"))
        self.tasks = TaskRunner(parent=self)
        self.readers = TaskRunner(n_threads=2, parent=self)  # no picture waits behind a training or an export
        self.actions_registry = ActionRegistry(ACTIONS, settings.own_keys)
        self.error_hook = ErrorHook(self._window_in_front)
        self.services = Services(
            settings=settings,
            actions=self.actions_registry,
            tasks=self.tasks,
            readers=self.readers,
            navigate=self.navigate,
            show_error=self.error_hook.show,
        )
        self._built: dict[str, Screen] = {}
        self._current = ""
        self._is_complete = False
        self._may_stop_work = False
        self.quit_question: QMessageBox | None = None
        self._last_annotator = self.services.annotator
        self.rail = Rail()
        self._stack = QStackedWidget()
        self._overlay: KeyOverlay | None = None
        self._build()
        self._bind_actions()
        self.tasks.failed.connect(self.error_hook.show)
        self.services.study_changed.connect(self._on_study_changed)
        self.services.annotator_changed.connect(self._on_annotator_changed)
        self.watch = StudyWatch(self.services, self.notices, self.tasks, self)
        self._on_study_changed()
        self._resize_to_screen()
        self.navigate(FIRST_SCREEN)

    # screens

    @property
    def current_screen(self) -> str:
        """Name of the screen in front."""
        return self._current

    def screen_widget(self, name: str) -> Screen:
        """The screen of that name; it is built when first asked for."""
        if name not in self._built:
            kind = WelcomeScreen if name == FIRST_SCREEN else screens.get(name)
            screen = kind(self.services)
            screen.setObjectName(name)
            self._built[name] = screen
            self._stack.addWidget(PageScroll(screen))
        return self._built[name]

    def navigate(self, screen: str, **arguments: object) -> None:
        """Bring a screen to the front."""
        if screen != FIRST_SCREEN:
            self.complete()
            if screens.get(screen).needs_study and self.services.study is None:
                words = tr("{screen} needs a study: open one here first.")
                self._bar.say(words.format(screen=tr(screens.get(screen).title)))
                screen, arguments = FIRST_SCREEN, {}
            elif screens.get(screen).needs_study and self.services.is_signed_out:
                screen, arguments = SIGN_IN, {}
        # Making a study of one's own is no matter of the role that one has in another.
        refusal = None if screen == FIRST_SCREEN else screens.get(screen).refusal(self.services.role)
        if refusal is not None and not arguments.get("makes_new"):
            self.error_hook.show(refusal)
            self._mark_rail()
            return
        before = self._built.get(self._current)
        if before is not None and not before.can_leave():
            self._mark_rail()
            return
        self.services.finish_writing()  # each page counts what was decided on the one before
        widget = self.screen_widget(screen)
        if before is not None and before is not widget:
            before.on_hidden()
        self._current = screen
        self._stack.setCurrentWidget(self._scroll_of(widget))
        self._mark_rail()
        widget.setFocus(Qt.FocusReason.OtherFocusReason)
        widget.on_shown(**arguments)

    def open_study(self, folder: Path) -> None:
        """Open a study beside the window and show its worklist when it is there."""
        annotator = self.services.annotator

        def work(_report: OnProgress, _cancel: CancelToken) -> Study:
            from workflows.open_study import open_study

            return open_study(folder, actor=annotator)

        self.tasks.start(tr("Opening the study"), work, on_done=self.use_study)

    def use_study(self, study: Study) -> None:
        """Work in this study from now on."""
        self.services.set_study(study)
        self.services.settings.add_recent(study.folder)
        self.navigate("worklist")

    def open_sample(self) -> None:
        """Open the sample study; it is drawn on its first use."""

        def work(report: OnProgress, cancel: CancelToken) -> Study:
            from workflows.sample_study import open_sample_study

            return open_sample_study(on_progress=report, cancel=cancel)

        self.tasks.start(tr("Making the sample study"), work, on_done=self.use_study)

    def closeEvent(self, event: QCloseEvent) -> None:
        current = self._built.get(self._current)
        if current is not None and not current.can_leave():
            event.ignore()
            return
        under_way = "\n".join(filter(None, (screen.under_way() for screen in self._built.values())))
        if under_way and not self._may_stop_work:
            event.ignore()
            self._ask_to_quit(under_way)
            return
        self.hide()  # what is still to be saved may take a moment; nobody has to watch it
        if current is not None:
            current.on_hidden()
        for screen in self._built.values():
            screen.close_screen()
        self.tasks.close()
        self.readers.close()
        self.services.settings.own_keys = self.actions_registry.own_keys()
        self.services.settings.save()
        self.services.set_study(None)
        super().closeEvent(event)

    def _ask_to_quit(self, under_way: str) -> None:
        if self.quit_question is not None:
            return
        box = QMessageBox(
            QMessageBox.Icon.Question,
            tr("Sightline"),
            tr("Close Sightline?"),
            QMessageBox.StandardButton.NoButton,
            self,
        )
        box.setInformativeText(under_way)
        stops = box.addButton(tr("Stop and quit"), QMessageBox.ButtonRole.DestructiveRole)
        stays = box.addButton(tr("Keep the window open"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stays)
        box.setEscapeButton(stays)
        stops.clicked.connect(self._stop_and_quit)
        box.finished.connect(self._on_quit_answered)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.quit_question = box
        box.open()

    def _stop_and_quit(self) -> None:
        self._may_stop_work = True
        QTimer.singleShot(0, self, self.close)  # after the question is gone

    def _on_quit_answered(self) -> None:
        self.quit_question = None

    # building

    def _build(self) -> None:
        body = QVBoxLayout()
        body.setSpacing(0)
        body.setContentsMargins(0, 0, 0, 0)
        self._bar = TopBar(self.services, self.tasks)
        self._bar.switch_asked.connect(self.switch_user)
        self._bar.password_asked.connect(self._change_password)
        body.addWidget(self._bar)
        self.notices = NoticeBar()
        body.addWidget(self.notices)
        body.addWidget(self._stack, 1)
        whole = QHBoxLayout()
        whole.setSpacing(0)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.rail)
        whole.addLayout(body, 1)
        centre = QWidget()
        centre.setLayout(whole)
        self.setCentralWidget(centre)

    def complete(self) -> None:
        """Load all screens and fill the rail; done right after the first paint, or when another screen is asked for."""
        if self._is_complete:
            return
        self._is_complete = True
        from app.drift_over_stage import DriftOverStage

        self.services.drift_check = DriftOverStage(self.services)
        is_sprung = False
        names = [name for name in screens.names() if screens.get(name).in_rail]
        for name in sorted(names, key=lambda n: screens.get(n).order):
            if screens.get(name).order >= AT_THE_FOOT and not is_sprung:
                self.rail.add_stretch()
                is_sprung = True
            self._add_to_rail(name)
        if not is_sprung:
            self.rail.add_stretch()
        self._bind_screens()
        self._on_study_changed()
        self._mark_rail()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        QTimer.singleShot(AFTER_FIRST_PAINT_MS, self, self.complete)

    def _add_to_rail(self, name: str) -> None:
        kind = screens.get(name)
        made = self.rail.add(name, tr(kind.title), kind.icon, partial(self.navigate, name))
        if f"go.{name}" in {action.action_id for action in self.actions_registry.all()}:
            self.actions_registry.decorate(made, f"go.{name}")
        made.setAccessibleName(tr(kind.title))

    def switch_user(self) -> None:
        """Let somebody else sit down: what is under way is written first, then the next person is asked for."""
        if self.services.study is None:
            return
        self.navigate(SIGN_IN)
        if self._current == SIGN_IN:
            self.services.sign_out()

    def _change_password(self) -> None:
        study = self.services.study
        if study is not None:
            ask_password(self, self.services, self.services.annotator)

    def _bind_actions(self) -> None:
        bind = self.actions_registry.bind
        bind(self, "app.switch_user", self.switch_user, whole_window=True)
        bind(self, "help.keys", self.show_keys, whole_window=True)
        bind(self, "app.full_screen", self._toggle_full_screen, whole_window=True)
        bind(self, "app.quit", self.close, whole_window=True)

    def _bind_screens(self) -> None:
        bind = self.actions_registry.bind
        for name in screens.names():
            action_id = f"go.{name}"
            if any(action.action_id == action_id for action in self.actions_registry.all()):
                bind(self, action_id, partial(self.navigate, name), whole_window=True)

    def show_keys(self) -> None:
        """Show all keys over the window; any key closes it."""
        if self._overlay is None:
            self._overlay = KeyOverlay(self.actions_registry, self)
        self._overlay.open_for(self._current)

    # what changes

    def _on_study_changed(self) -> None:
        if any(screen.under_way() for screen in self._built.values()):
            words = tr("The training was stopped with a checkpoint; open its study again to resume it.")
            self.notices.tell("training stopped", words)
        self._forget_screens()
        self._on_annotator_changed()

    def _on_annotator_changed(self) -> None:
        if self.services.annotator != self._last_annotator:
            self._last_annotator = self.services.annotator
            self._forget_screens(but_at_work=True)  # what one person began goes on when another sits down
        self._bar.show_all()
        self._show_rail()

    def _forget_screens(self, *, but_at_work: bool = False) -> None:
        for name in list(self._built):
            stays = name == self._current or (but_at_work and self._built[name].under_way())
            if type(self._built[name]).needs_study and not stays:
                screen = self._built.pop(name)
                screen.close_screen()
                scroll = self._scroll_of(screen)
                self._stack.removeWidget(scroll)
                scroll.deleteLater()

    def _show_rail(self) -> None:
        role, is_signed_out = self.services.role, self.services.is_signed_out
        for name, rail_button in self.rail.buttons.items():
            kind = screens.get(name)
            rail_button.setEnabled(not kind.needs_study or (self.services.study is not None and not is_signed_out))
            rail_button.setVisible(role in kind.roles)
        self.rail.fit()

    def _mark_rail(self) -> None:
        self.rail.mark(self._current)

    def _scroll_of(self, screen: Screen) -> QWidget:
        every = [self._stack.widget(number) for number in range(self._stack.count())]
        return next(one for one in every if isinstance(one, PageScroll) and one.page is screen)

    def _toggle_full_screen(self) -> None:
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    def _resize_to_screen(self) -> None:
        area = QGuiApplication.primaryScreen().availableGeometry()
        self.resize(_DEFAULT_SIZE.boundedTo(area.size()))
        self.setMinimumSize(_LEAST_SIZE.boundedTo(area.size()))

    def _window_in_front(self) -> QWidget | None:
        active = QGuiApplication.focusWindow()
        for widget in (self, *self.findChildren(QWidget)):
            if active is not None and widget.isWindow() and widget.windowHandle() is active:
                return widget
        return self if self.isVisible() else None
