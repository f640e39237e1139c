"""Exporting a dataset: choose a format, see what is missing, see what would be written, write it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
)

from app.context import Services
from app.screen import Screen, screens
from app.target_choice import list_targets
from app.texts import counted, tr
from app.theme import COLOURS, icon
from app.widgets.plain import button, card, field_label, label, page
from app.widgets.task_row import TaskRow
from domain.study import Role
from processing.exporter import ExportOptions, Finding, exporters
from workflows.export_dataset import ExportReport, export

MASKS = {
    "auto": "Best there is for each image",
    "accepted": "Only masks a reviewer accepted",
    "reference": "Only masks that came with the images",
    "newest": "The newest mask of each annotator",
    "gaze": "The first level of the gaze map",
}
_SIGNS = {"error": ("none", COLOURS.bad), "warning": ("warn", COLOURS.warn), "note": ("check", COLOURS.good)}
_WORDS = {"error": "Stops the export", "warning": "Warning", "note": "Note"}


@screens.register("export")
class ExportScreen(Screen):
    """Hand the study over as a dataset."""

    title: ClassVar[str] = "Export"
    icon: ClassVar[str] = "export"
    order: ClassVar[int] = 85
    roles: ClassVar[frozenset[Role]] = frozenset({Role.ADMIN})

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._is_writing = False
        column, _head = page(
            self, tr("Export"), tr("A dataset for other programs. It is checked first and written whole or not at all.")
        )
        body = QHBoxLayout()
        body.setSpacing(18)
        body.addLayout(self._choices(), 4)
        body.addLayout(self._outcome(), 5)
        column.addLayout(body, 1)

    def on_shown(self, **arguments: object) -> None:
        list_targets(self._target, self.services.open_study)
        if not self._folder.text():
            study = self.services.open_study
            self._folder.setText(str(study.folder / "exports" / str(self._format_name())))
        self.check()

    # building

    def _choices(self) -> QVBoxLayout:
        left = QVBoxLayout()
        frame, column = card(margin=22, spacing=12)
        column.addWidget(label(tr("What and where"), "heading"))
        form = QFormLayout()
        form.setHorizontalSpacing(22)
        form.setVerticalSpacing(10)
        self._format, self._masks, self._target = QComboBox(), QComboBox(), QComboBox()
        for name in sorted(exporters.names(), key=lambda one: one != "gazemedseg"):
            whole = tr(exporters.get(name).title)
            self._format.addItem(whole.split(" (")[0], name)
            self._format.setItemData(self._format.count() - 1, whole, Qt.ItemDataRole.ToolTipRole)
        for name, words in MASKS.items():
            self._masks.addItem(tr(words), name)
        for box in (self._format, self._masks, self._target):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(20)
            box.currentIndexChanged.connect(lambda _index: self._on_choice())
        self._only_gaze = QCheckBox(tr("Only images that were looked at"))
        self._only_gaze.toggled.connect(lambda _on: self._on_choice())
        self._folder = QLineEdit()
        form.addRow(field_label(tr("Format")), self._format)
        form.addRow(field_label(tr("Target")), self._target)
        form.addRow(field_label(tr("Masks")), self._masks)
        form.addRow(field_label(""), self._only_gaze)
        place = QHBoxLayout()
        place.setSpacing(8)
        place.addWidget(self._folder, 1)
        place.addWidget(button(tr("Choose…"), self._choose))
        form.addRow(field_label(tr("New folder")), place)
        column.addLayout(form)
        self.task_row = TaskRow(
            self.services,
            tr("Export"),
            self.start,
            icon_name="export",
            stopped=tr("Stopped. Nothing half-written is left."),
        )
        self.task_row.ended.connect(self._on_ended)
        self.task_row.offer(None)
        column.addWidget(self.task_row)
        left.addWidget(frame)
        left.addStretch(1)
        return left

    def _outcome(self) -> QVBoxLayout:
        right = QVBoxLayout()
        right.setSpacing(10)
        right.addWidget(label(tr("What was found"), "heading"))
        self._findings = QListWidget()
        self._findings.setWordWrap(True)
        self._findings.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._findings.setIconSize(QSize(18, 18))
        self._findings.setAccessibleName(tr("What was found"))
        right.addWidget(self._findings, 2)
        self._files_title = label(tr("What would be written"), "heading")
        right.addWidget(self._files_title)
        self._files = QListWidget()
        self._files.setAccessibleName(tr("What would be written"))
        right.addWidget(self._files, 3)
        return right

    # what the user does

    def check(self) -> None:
        """Look what is missing and what would be written; nothing is written."""
        self._run(dry=True)

    def start(self) -> None:
        """Write the dataset."""
        if self._folder.text().strip():
            self._run(dry=False)

    def _run(self, *, dry: bool) -> None:
        study, name, options = self.services.open_study, self._format_name(), self._options()
        folder = Path(self._folder.text().strip() or str(study.folder / "exports" / name))
        self._is_writing = not dry
        self.task_row.run(
            "" if dry else tr("Exporting"),
            lambda report, cancel: export(study, name, folder, options, dry_run=dry, on_progress=report, cancel=cancel),
            on_done=self._on_checked if dry else self._on_exported,
            words=tr("Checking…") if dry else tr("Writing…"),
            can_cancel=not dry,
        )

    def _choose(self) -> None:
        dialog = QFileDialog(self, tr("New folder"))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self._folder.setText)
        dialog.open()

    # what comes back

    def _on_checked(self, report: ExportReport) -> None:
        self._show(report)
        n_errors = sum(finding.level == "error" for finding in report.findings)
        if n_errors:
            self.task_row.say(tr("This cannot be exported yet; see what was found."))
        else:
            self.task_row.say(
                tr("{images} would give {files}.").format(
                    images=counted(report.n_images, tr("1 image"), tr("{n} images")),
                    files=counted(len(report.paths), tr("1 file"), tr("{n} files")),
                )
            )
        self._files_title.setText(tr("What would be written"))
        self.task_row.go.setEnabled(not n_errors)

    def _on_exported(self, report: ExportReport) -> None:
        self._show(report)
        self.task_row.offer(report.folder)
        self._files_title.setText(tr("What was written"))
        self.task_row.say(
            tr("Done: {files}, {size:.1f} MB.").format(
                files=counted(len(report.paths), tr("1 file"), tr("{n} files")), size=report.n_bytes / 1e6
            )
        )

    def _on_ended(self) -> None:
        if (
            self._is_writing
        ):  # a check said before that it may be written; another folder may have mended what was wrong
            self.task_row.go.setEnabled(True)

    def _on_choice(self) -> None:
        self._folder.setText(str(self.services.open_study.folder / "exports" / self._format_name()))
        self.check()

    def _show(self, report: ExportReport) -> None:
        self._findings.clear()
        order = {"error": 0, "warning": 1, "note": 2}
        for finding in sorted(report.findings, key=lambda found: order[found.level]):
            self._findings.addItem(self._finding_item(finding))
        if not report.findings:
            self._findings.addItem(QListWidgetItem(icon("check", COLOURS.good), tr("Nothing is missing.")))
        self._files.clear()
        self._files.addItems(list(report.paths[:2000]))
        if len(report.paths) > 2000:
            self._files.addItem(tr("… and {n} more").format(n=len(report.paths) - 2000))

    def _finding_item(self, finding: Finding) -> QListWidgetItem:
        name, colour = _SIGNS[finding.level]
        item = QListWidgetItem(icon(name, colour), f"{tr(_WORDS[finding.level])}: {finding.text}")
        item.setToolTip("\n".join(finding.image_ids[:30]))
        item.setData(Qt.ItemDataRole.UserRole, finding.image_ids)
        return item

    def _format_name(self) -> str:
        return str(self._format.currentData())

    def _options(self) -> ExportOptions:
        masks = str(self._masks.currentData())
        return ExportOptions(
            target=self._target.currentText(),
            masks=masks,  # type: ignore[arg-type]  # one of the keys of MASKS
            only_with_gaze=self._only_gaze.isChecked(),
        )
