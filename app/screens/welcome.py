"""The first screen: go on with a study, make one, or try the sample study without a tracker."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.context import Services
from app.screen import Screen, screens
from app.texts import counted, tr
from app.theme import COLOURS, icon_pixmap
from app.widgets.plain import ElidedLabel, button, card, label, page
from app.widgets.thumbnails import pixmap_of
from domain.events import CancelToken, OnProgress

if TYPE_CHECKING:  # loaded beside the window, which is painted first
    from storage.study import Study
    from workflows.open_study import RecentStudy

_PICTURE = QSize(96, 72)
_LEAST_NAME = 120
_OPENS = "opens_recent"


@screens.register("welcome")
class WelcomeScreen(Screen):
    """Where one starts."""

    title: ClassVar[str] = "Welcome"
    icon: ClassVar[str] = "home"
    order: ClassVar[int] = 10
    needs_study: ClassVar[bool] = False

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.setAcceptDrops(True)
        column, _head = page(
            self, tr("Welcome to Sightline"), tr("Annotate medical images by looking at them. Everything stays here.")
        )
        column.setSpacing(20)
        body = QHBoxLayout()
        body.setSpacing(24)
        body.addWidget(self._starts(), 0, Qt.AlignmentFlag.AlignTop)
        self._recents = QVBoxLayout()
        self._recents.setSpacing(10)
        right = QVBoxLayout()
        right.setSpacing(10)
        right.addWidget(label(tr("Recent studies"), "heading"))
        right.addLayout(self._recents)
        right.addStretch(1)
        body.addLayout(right, 1)
        column.addLayout(body, 1)
        column.addWidget(label(tr("Tip: press F1 on any screen to see its keys. Annotating needs no mouse."), "small"))

    def on_shown(self, **arguments: object) -> None:
        folders = list(self.services.settings.recents)

        def look(report: OnProgress, cancel: CancelToken) -> list[RecentStudy]:
            from workflows.open_study import glance_at

            found = []
            for folder in folders:
                cancel.raise_if_cancelled()
                found.append(glance_at(folder))
            return found

        self.services.tasks.start("", look, on_done=self._show_recents)

    def _starts(self) -> QWidget:
        frame, column = card(margin=22, spacing=12)
        frame.setFixedWidth(400)
        column.addWidget(label(tr("Start"), "heading"))
        column.addWidget(
            label(
                tr("No tracker needed: a simulated eye looks at a few synthetic images, and you see what comes out."),
                "muted",
                wraps=True,
            )
        )
        self.try_sample = button(tr("Try the sample study"), self._open_sample, role="primary", icon_name="eye")
        column.addWidget(self.try_sample)
        column.addSpacing(10)
        column.addWidget(label(tr("Or work with your own images."), "muted", wraps=True))
        column.addWidget(button(tr("New study…"), self._new_study, icon_name="plus"))
        column.addWidget(button(tr("Open a study…"), self._choose_study, icon_name="folder"))
        column.addSpacing(4)
        column.addWidget(label(tr("You can also drop a study or a folder of images here."), "small", wraps=True))
        return frame

    def _open_sample(self) -> None:
        self.try_sample.setEnabled(False)

        def work(report: OnProgress, cancel: CancelToken) -> Study:
            from workflows.sample_study import open_sample_study

            return open_sample_study(on_progress=report, cancel=cancel)

        task = self.services.tasks.start(tr("Making the sample study"), work, on_done=self._use)
        task.ended.connect(lambda: self.try_sample.setEnabled(True))

    def _new_study(self, images: Path | None = None) -> None:
        self.services.navigate("study", makes_new=True, images=images)

    def _choose_study(self) -> None:
        dialog = QFileDialog(self, tr("Open a study"))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(lambda folder: self.open_folder(Path(folder)))
        dialog.open()

    def open_folder(self, folder: Path) -> None:
        """Open a study folder, or begin a new study with a folder of images."""
        from workflows.open_study import is_study, open_study

        if not is_study(folder):
            self._new_study(folder)
            return
        actor = self.services.annotator
        self.services.tasks.start(
            tr("Opening the study"), lambda _report, _cancel: open_study(folder, actor=actor), on_done=self._use
        )

    def _use(self, study: Study) -> None:
        self.services.set_study(study)
        self.services.settings.add_recent(study.folder)
        self.services.navigate("worklist")

    def _show_recents(self, found: list[RecentStudy]) -> None:
        while (item := self._recents.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.deleteLater()
        for recent in found:
            self._recents.addWidget(self._recent_card(recent))
        self._focus_newest([recent.is_there for recent in found])
        if not found:
            self._recents.addWidget(label(tr("Studies you open will be listed here."), "muted"))

    def _focus_newest(self, are_there: list[bool]) -> None:
        """Return goes on with the newest study, or begins with the sample; not where somebody went elsewhere."""
        focused = QApplication.focusWidget()
        if focused not in (None, self, self.try_sample) and self.window().isAncestorOf(focused):
            return
        place = self._recents.itemAt(are_there.index(True)) if True in are_there else None
        card_of = place.widget() if place is not None else None
        newest = card_of.findChild(QPushButton, _OPENS) if card_of is not None else None
        (newest or self.try_sample).setFocus(Qt.FocusReason.TabFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        focused = self.focusWidget()
        is_return = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_return and isinstance(focused, QPushButton) and focused.hasFocus():
            focused.click()  # Qt leaves Return to dialogs
            event.accept()
        else:
            super().keyPressEvent(event)

    def _recent_card(self, recent: RecentStudy) -> QWidget:
        frame, column = card(margin=10)
        line = QHBoxLayout()
        line.setSpacing(14)
        picture = QLabel()
        picture.setFixedSize(_PICTURE)
        picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        if recent.picture is not None:
            shown = pixmap_of(recent.picture).scaled(
                _PICTURE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
            picture.setPixmap(shown)
        else:
            picture.setPixmap(icon_pixmap("folder" if recent.is_there else "warn", COLOURS.muted, 32))
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addStretch(1)
        name, place = ElidedLabel("heading"), ElidedLabel("small", mode=Qt.TextElideMode.ElideMiddle)
        name.setMinimumWidth(_LEAST_NAME)
        name.say(recent.name)
        words.addWidget(name)
        state = (
            counted(recent.n_images, tr("1 image"), tr("{n} images")) if recent.is_there else tr("Not found any more")
        )
        place.say(f"{state}  ·  {recent.folder}")
        words.addWidget(place)
        words.addStretch(1)
        line.addWidget(picture)
        line.addLayout(words, 1)
        if recent.is_there:
            made = button(tr("Open"), partial(self.open_folder, Path(recent.folder)))
            made.setAccessibleName(tr("Open {name}").format(name=recent.name))
            made.setObjectName(_OPENS)
            line.addWidget(made)
        line.addWidget(
            button(
                "",
                partial(self._forget, recent.folder),
                role="quiet",
                icon_name="close",
                tooltip=tr("Take off this list"),
            )
        )
        column.addLayout(line)
        frame.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return frame

    def _forget(self, folder: str) -> None:
        self.services.settings.forget_recent(folder)
        self.on_shown()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            first = paths[0]
            self.open_folder(first if first.is_dir() else first.parent)
