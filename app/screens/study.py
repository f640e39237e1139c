"""Setting a study up: its name, images, target, label preset, protocol and people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.context import Services
from app.screen import Screen, screens
from app.texts import tr
from app.widgets.people_card import PeopleCard
from app.widgets.plain import button, card, field_label, label, page, row
from domain.errors import UserFacingError
from domain.study import Protocol, Role
from processing.importer import ImportOptions, importers
from storage.study import Study
from workflows.import_images import ImportReport, import_into, import_to_folder, scan
from workflows.open_study import open_study

SPIN_WIDTH = 110
PRESETS = {"polyp": "Polyp", "prostate": "Prostate", "own": "Something else"}


@screens.register("study")
class StudyScreen(Screen):
    """New study, or the settings of the open one."""

    title: ClassVar[str] = "Study"
    icon: ClassVar[str] = "study"
    order: ClassVar[int] = 15
    needs_study: ClassVar[bool] = False
    roles: ClassVar[frozenset[Role]] = frozenset({Role.ADMIN})

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        column, _head = page(self, tr("Study"), "")
        self._pages = QStackedWidget()
        self._pages.addWidget(_scrolled(self._new_page()))
        self._pages.addWidget(_scrolled(self._settings_page()))
        column.addWidget(self._pages, 1)

    def on_shown(self, **arguments: object) -> None:
        images = arguments.get("images")
        makes_new = bool(arguments.get("makes_new")) or self.services.study is None
        self._pages.setCurrentIndex(0 if makes_new else 1)
        if isinstance(images, Path):
            self._source.setText(str(images))
            if not self._name.text():
                self._name.setText(images.name)
        if makes_new:
            self._name.setFocus()
        else:
            self._show_settings()

    # a new study

    def _new_page(self) -> QWidget:
        holder = QWidget()
        outer = QVBoxLayout(holder)
        outer.setContentsMargins(0, 0, 0, 0)
        frame, column = card(margin=26, spacing=14)
        frame.setMaximumWidth(760)
        column.addWidget(label(tr("New study"), "heading"))
        form = _form()
        self._name = QLineEdit()
        self._name.setPlaceholderText(tr("For example: Polyps 2026"))
        self._preset = QComboBox()
        for name, words in PRESETS.items():
            self._preset.addItem(tr(words), name)
        self._target = QLineEdit()
        self._target.setPlaceholderText(tr("What is looked for, in one word"))
        self._format = QComboBox()
        for name in importers.names():
            if importers.get(name).kind == "images":
                self._format.addItem(tr(importers.get(name).title), name)
        self._source, self._folder = QLineEdit(), QLineEdit()
        self._copies = QCheckBox(tr("Copy the images into the study"))
        self._copies.setChecked(True)
        form.addRow(field_label(tr("Name")), self._name)
        form.addRow(field_label(tr("Kind of target")), self._preset)
        form.addRow(field_label(tr("Target")), self._target)
        form.addRow(field_label(tr("Images")), self._format)
        form.addRow(field_label(tr("From")), self._with_chooser(self._source, tr("Folder with the images")))
        form.addRow(field_label(tr("Study folder")), self._with_chooser(self._folder, tr("Empty folder")))
        form.addRow(field_label(""), self._copies)
        column.addLayout(form)
        self._problem = label("", "small", wraps=True)
        self._problem.setProperty("state", "warn")
        column.addWidget(self._problem)
        self._make = button(tr("Make the study"), self._make_study, role="primary", icon_name="check")
        cancel = button(tr("Cancel"), lambda: self.services.navigate("welcome"))
        column.addLayout(row(self._make, cancel, None))
        outer.addWidget(frame)
        outer.addStretch(1)
        self._source.textChanged.connect(self._suggest)
        return holder

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
        if source and not self._folder.text():
            self._folder.setText(str(place.parent / f"{place.name}-study"))
        if source and not self._name.text():
            self._name.setText(place.name)

    def _make_study(self) -> None:
        missing = [
            words
            for field, words in (
                (self._name, tr("a name")),
                (self._source, tr("the folder with the images")),
                (self._folder, tr("a folder for the study")),
            )
            if not field.text().strip()
        ]
        if missing:
            self._problem.setText(tr("Still needed: {what}.").format(what=", ".join(missing)))
            return
        self._problem.setText("")
        folder, source, name = self._folder.text().strip(), self._source.text().strip(), self._name.text().strip()
        format_name, preset = str(self._format.currentData()), str(self._preset.currentData())
        target = self._target.text().strip() or (preset if preset != "own" else "target")
        copies, annotator = self._copies.isChecked(), self.services.annotator
        self._make.setEnabled(False)
        task = self.services.tasks.start(
            tr("Making the study"),
            lambda report, cancel: _made(
                import_to_folder(
                    format_name,
                    source,
                    folder,
                    options=ImportOptions(target=target),
                    name=name,
                    preset=preset,
                    copy=copies,
                    on_write=report,
                    cancel=cancel,
                ),
                annotator,
            ),
            on_done=self._on_made,
            on_failed=self._on_failed,
        )
        task.ended.connect(lambda: self._make.setEnabled(True))

    def _on_made(self, study: Study) -> None:
        self.services.set_study(study)
        self.services.settings.add_recent(study.folder)
        self.services.navigate("worklist")

    def _on_failed(self, error: BaseException) -> None:
        if isinstance(error, UserFacingError):
            self._problem.setText(str(error))
        else:
            self.services.show_error(error)

    # the open study

    def _settings_page(self) -> QWidget:
        holder = QWidget()
        columns = QHBoxLayout(holder)
        columns.setContentsMargins(0, 0, 0, 0)
        columns.setSpacing(18)
        left, right = QVBoxLayout(), QVBoxLayout()
        left.addWidget(self._protocol_card())
        left.addStretch(1)
        right.addWidget(self._images_card())
        right.addWidget(self._labels_card())
        self._people = PeopleCard(self.services)
        right.addWidget(self._people)
        right.addStretch(1)
        columns.addLayout(left, 1)
        columns.addLayout(right, 1)
        return holder

    def _protocol_card(self) -> QFrame:
        frame, column = card(margin=22, spacing=12)
        column.addWidget(label(tr("Protocol"), "heading"))
        form = _form()
        self._study_name = QLineEdit()
        self._instruction = QLineEdit()
        self._reads, self._seed = _whole(1, 9), _whole(0, 999_999)
        self._ignore = _whole(0, 2000, " ms")
        self._warn_loss, self._stop_loss = _share(), _share()
        self._warn_gap, self._stop_gap = _seconds(), _seconds()
        self._rest_images, self._rest_min = _whole(1, 500), _whole(1, 240, " min")
        self._drift = _whole(0, 200)
        for words, widget in (
            (tr("Name"), self._study_name),
            (tr("Instruction"), self._instruction),
            (tr("Reads per image"), self._reads),
            (tr("Seed of the order"), self._seed),
            (tr("Not counted at first"), self._ignore),
            (tr("Warn from a loss of"), self._warn_loss),
            (tr("Repeat from a loss of"), self._stop_loss),
            (tr("Warn from a gap of"), self._warn_gap),
            (tr("Repeat from a gap of"), self._stop_gap),
            (tr("Rest after images"), self._rest_images),
            (tr("Rest after"), self._rest_min),
            (tr("Drift check every (0 = never)"), self._drift),
        ):
            form.addRow(field_label(words), widget)
        column.addLayout(form)
        self._saved = label("", "small")
        column.addLayout(row(button(tr("Save"), self._save, role="primary", icon_name="check"), self._saved, None))
        return frame

    def _images_card(self) -> QFrame:
        frame, column = card(margin=22, spacing=10)
        column.addWidget(label(tr("Images"), "heading"))
        self._n_images = label("", "muted", wraps=True)
        column.addWidget(self._n_images)
        column.addLayout(row(button(tr("Add a folder of images…"), self._add_images, icon_name="plus"), None))
        return frame

    def _labels_card(self) -> QFrame:
        frame, column = card(margin=22, spacing=10)
        column.addWidget(label(tr("Labels"), "heading"))
        self._label_words = label("", "muted", wraps=True)
        column.addWidget(self._label_words)
        see = button(tr("See their effect and change them"), lambda: self.services.navigate("labels"), icon_name="path")
        column.addLayout(row(see, None))
        return frame

    def _show_settings(self) -> None:
        study = self.services.open_study
        settings, protocol = study.settings, study.settings.protocol
        self._study_name.setText(settings.name)
        self._study_name.setCursorPosition(0)
        self._instruction.setText(protocol.instruction)
        self._instruction.setCursorPosition(0)
        for widget, value in (
            (self._reads, protocol.reads_per_image),
            (self._seed, protocol.order_seed),
            (self._ignore, protocol.ignore_first_ms),
            (self._rest_images, protocol.rest_after_images),
            (self._rest_min, protocol.rest_after_min),
            (self._drift, protocol.drift_check_every),
        ):
            widget.setValue(value)
        for spin, number in (
            (self._warn_loss, protocol.warn_loss * 100),
            (self._stop_loss, protocol.stop_loss * 100),
            (self._warn_gap, protocol.warn_gap_s),
            (self._stop_gap, protocol.stop_gap_s),
        ):
            spin.setValue(number)
        images = study.images()
        n_masks = sum(bool(image.mask_path) for image in images)
        targets = ", ".join(target.name for target in settings.targets)
        self._n_images.setText(
            tr("{n} images, {masks} with a reference mask. Looked for: {targets}.").format(
                n=len(images), masks=n_masks, targets=targets
            )
        )
        labels = settings.labels
        levels = ", ".join(f"{threshold:.2f}" for threshold in labels.thresholds)
        self._label_words.setText(
            tr("Source {source}, σ {sigma:.0f}, levels {levels}.").format(
                source=labels.source, sigma=labels.sigma, levels=levels
            )
        )
        self._people.show_people()
        self._saved.setText("")

    def _save(self) -> None:
        study = self.services.open_study
        before = study.settings.protocol
        instruction = self._instruction.text().strip()
        changed = instruction != before.instruction
        protocol = Protocol(
            instruction=instruction,
            instruction_version=before.instruction_version + (1 if changed else 0),
            order_seed=self._seed.value(),
            reads_per_image=self._reads.value(),
            ignore_first_ms=self._ignore.value(),
            warn_loss=self._warn_loss.value() / 100,
            stop_loss=self._stop_loss.value() / 100,
            warn_gap_s=self._warn_gap.value(),
            stop_gap_s=self._stop_gap.value(),
            rest_after_images=self._rest_images.value(),
            rest_after_min=self._rest_min.value(),
            drift_check_every=self._drift.value(),
        )
        name = self._study_name.text().strip() or study.settings.name
        study.update_settings(replace(study.settings, name=name, protocol=protocol))
        self.services.settings_changed.emit()
        self._saved.setText(tr("Saved."))

    def _add_images(self) -> None:
        dialog = QFileDialog(self, tr("Add a folder of images"))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self.add_images_from)
        dialog.open()

    def add_images_from(self, folder: str) -> None:
        """Take a folder of images into the open study."""
        study = self.services.open_study
        self.services.tasks.start(
            tr("Adding images"),
            lambda report, cancel: import_into(
                study, scan("folder", folder, cancel=cancel), on_progress=report, cancel=cancel
            ),
            on_done=self._on_added,
        )

    def _on_added(self, report: ImportReport) -> None:
        self._show_settings()
        self._n_images.setText("\n".join([self._n_images.text(), *report.lines()]))


def _made(report: ImportReport, annotator: str) -> Study:
    study = open_study(report.study_folder, actor=annotator)
    study.add_annotator(annotator, Role.ADMIN)
    return study


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setHorizontalSpacing(22)
    form.setVerticalSpacing(10)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return form


def _whole(low: int, high: int, suffix: str = "") -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(low, high)
    spin.setFixedWidth(SPIN_WIDTH)
    spin.setSuffix(suffix)
    return spin


def _share() -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setRange(0, 100)
    spin.setFixedWidth(SPIN_WIDTH)
    spin.setDecimals(0)
    spin.setSuffix(" %")
    return spin


def _seconds() -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setRange(0.1, 60)
    spin.setFixedWidth(SPIN_WIDTH)
    spin.setSingleStep(0.1)
    spin.setDecimals(1)
    spin.setSuffix(" s")
    return spin


def _scrolled(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(widget)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    return area
