"""A new study: its name, what is looked for, and where the images are."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from app.context import Services
from app.texts import tr
from app.widgets.broken_files import BrokenFiles
from app.widgets.plain import button, card, field_label, label, row, stacks_box
from domain.errors import BrokenFilesError, UserFacingError
from domain.events import CancelToken, OnProgress
from domain.study import Role
from processing.importer import ImportOptions, importers
from storage.study import Study
from workflows.import_images import ImportReport, import_to_folder
from workflows.open_study import is_study, open_study

PRESETS = {"polyp": "Polyp", "prostate": "Prostate", "own": "Something else"}


class NewStudyForm(QWidget):
    """Fields, and the button that makes the study beside the window."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        frame, column = card(margin=26, spacing=14)
        frame.setMaximumWidth(760)
        column.addWidget(label(tr("New study"), "heading"))
        form = wide_form()
        self.name = QLineEdit()
        self.name.setPlaceholderText(tr("For example: Polyps 2026"))
        self._preset = QComboBox()
        for name, words in PRESETS.items():
            self._preset.addItem(tr(words), name)
        self._target = QLineEdit()
        self._target.setPlaceholderText(tr("What is looked for, in one word"))
        self._format = QComboBox()
        for name in sorted(importers.names(), key=lambda one: one != "folder"):
            if importers.get(name).kind == "images":
                self._format.addItem(tr(importers.get(name).title), name)
        self._format.setCurrentIndex(max(0, self._format.findData("folder")))
        self._source, self._folder = QLineEdit(), QLineEdit()
        self._copies = QCheckBox(tr("Copy the images into the study"))
        self._copies.setChecked(True)
        form.addRow(field_label(tr("Name")), self.name)
        form.addRow(field_label(tr("Kind of target")), self._preset)
        form.addRow(field_label(tr("Target")), self._target)
        form.addRow(field_label(tr("Images")), self._format)
        form.addRow(field_label(tr("From")), self._with_chooser(self._source, tr("Folder with the images")))
        form.addRow(field_label(tr("Study folder")), self._with_chooser(self._folder, tr("Empty folder")))
        self.stacks = stacks_box()
        form.addRow(field_label(""), self._copies)
        form.addRow(field_label(""), self.stacks)
        column.addLayout(form)
        self._problem = label("", "small", wraps=True)
        self._problem.setProperty("state", "warn")
        column.addWidget(self._problem)
        self.ways_out, ways = QWidget(), QVBoxLayout()
        self.open_there = button(tr("Open it"), self._open_there, icon_name="folder")
        self.choose_other = button(tr("Choose another folder"), self._choose_other)
        self.add_there = button(tr("Add these images to it"), self._add_there, icon_name="plus")
        ways.setContentsMargins(0, 0, 0, 0)
        ways.addLayout(row(self.open_there, self.choose_other, self.add_there, None))
        self.ways_out.setLayout(ways)
        self.broken = BrokenFiles()
        column.addWidget(self.ways_out)
        column.addWidget(self.broken)
        self._make = button(tr("Make the study"), self._make_study, role="primary", icon_name="check")
        self._cancel = button(tr("Cancel"), lambda: self.services.navigate("welcome"))
        column.addLayout(row(self._make, self._cancel, None))
        outer.addWidget(frame)
        outer.addStretch(1)
        self._source.textChanged.connect(self._suggest)
        self._suggested = ("", "")
        self._adds = False
        self._say("")

    def start_over(self, images: Path | None = None) -> None:
        """Forget the study before, and fill in what a folder of images says; not while one is being made."""
        if not self._make.isEnabled():
            return
        for field in (self.name, self._target, self._source, self._folder):
            field.clear()
        self._preset.setCurrentIndex(0)
        self._format.setCurrentIndex(max(0, self._format.findData("folder")))
        self._copies.setChecked(True)
        self.stacks.setChecked(True)
        self._suggested = ("", "")
        self._say("")
        if images is not None:
            self._source.setText(str(images))

    def _with_chooser(self, field: QLineEdit, title: str) -> QWidget:
        holder = QWidget()
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        line.addWidget(field, 1)

        def choose() -> None:
            dialog = QFileDialog(self, title)
            dialog.setFileMode(QFileDialog.FileMode.Directory)
            dialog.fileSelected.connect(field.setText)
            dialog.open()

        line.addWidget(button(tr("Choose…"), choose))
        return holder

    def _suggest(self, source: str) -> None:
        place = Path(source)
        name, folder = (place.name, str(_free_folder(place))) if source.strip() else ("", "")
        # What was suggested follows the source; what was written stays.
        if self.name.text() in ("", self._suggested[0]):
            self.name.setText(name)
        if self._folder.text() in ("", self._suggested[1]):
            self._folder.setText(folder)
        self._suggested = (name, folder)

    def _make_study(self, *, adds: bool = False, skip_broken: bool = False) -> None:
        missing = [
            words
            for field, words in (
                (self.name, tr("a name")),
                (self._source, tr("the folder with the images")),
                (self._folder, tr("a folder for the study")),
            )
            if not field.text().strip()
        ]
        if missing:
            self._say(tr("Still needed: {what}.").format(what=", ".join(missing)))
            return
        folder, source, name = self._folder.text().strip(), self._source.text().strip(), self.name.text().strip()
        if not adds and is_study(Path(folder).expanduser()):
            self._say(tr("There is a study in this folder already: {folder}").format(folder=folder))
            self.ways_out.show()
            return
        self._say("")
        self._adds = adds
        format_name, preset = str(self._format.currentData()), str(self._preset.currentData())
        target = self._target.text().strip() or (preset if preset != "own" else "target")
        copies, annotator = self._copies.isChecked(), self.services.annotator
        options = ImportOptions(target=target, single_slices=not self.stacks.isChecked(), skip_broken=skip_broken)
        self._make.setEnabled(False)

        def work(report: OnProgress, cancel: CancelToken) -> tuple[Study, ImportReport]:
            done = import_to_folder(
                format_name,
                source,
                folder,
                options=options,
                name="" if adds else name,
                preset="" if adds else preset,
                copy=copies,
                on_read=report,
                on_write=report,
                cancel=cancel,
            )
            study = open_study(done.study_folder, actor=annotator)
            if not adds:
                study.add_annotator(annotator, Role.ADMIN)
            return study, done

        words = tr("Adding images") if adds else tr("Making the study")
        task = self.services.tasks.start(words, work, on_done=self._on_made, on_failed=self._on_failed)
        task.ended.connect(self._on_ended)

    def _on_ended(self) -> None:
        # A button that is switched off gives its focus to the next one, which would be chosen by nobody.
        self._make.setEnabled(True)
        if self.isVisible() and self.focusWidget() is self._cancel:
            self._make.setFocus()

    def _open_there(self) -> None:
        folder, actor = Path(self._folder.text().strip()).expanduser(), self.services.annotator
        self.services.tasks.start(
            tr("Opening the study"),
            lambda _report, _cancel: (open_study(folder, actor=actor), ImportReport(folder)),
            on_done=self._on_made,
            on_failed=self._on_failed,
        )

    def _choose_other(self) -> None:
        self._folder.clear()
        self._say("")
        self._folder.setFocus()

    def _add_there(self) -> None:
        self._make_study(adds=True)

    def _go_on_without(self) -> None:
        self._make_study(adds=self._adds, skip_broken=True)

    def _say(self, words: str) -> None:
        self._problem.setText(words)
        self._problem.setVisible(bool(words))
        self.ways_out.hide()
        self.broken.hide()

    def _on_made(self, made: tuple[Study, ImportReport]) -> None:
        study, report = made
        self.services.set_study(study)
        self.services.settings.add_recent(study.folder)
        # What an import warns of is read before the work begins: slices that are missing, images left single.
        if report.warnings:
            self.services.navigate("study", report=report)
        else:
            self.services.navigate("worklist")

    def _on_failed(self, error: BaseException) -> None:
        if isinstance(error, BrokenFilesError):
            self._say("")
            self.broken.offer(error.problems, self._go_on_without)
        elif isinstance(error, UserFacingError):
            self._say(str(error))
        else:
            self.services.show_error(error)


def _free_folder(images: Path) -> Path:
    """Where a study of these images may lie: beside them, in a folder that is not there yet."""
    found, number = images.parent / f"{images.name}-study", 2
    while found.exists():
        found, number = images.parent / f"{images.name}-study-{number}", number + 1
    return found


def wide_form() -> QFormLayout:
    """A form with room between its columns and fields that take the width there is."""
    form = QFormLayout()
    form.setHorizontalSpacing(22)
    form.setVerticalSpacing(10)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return form
