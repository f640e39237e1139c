"""Setting a study up: its name, images, target, label preset, protocol and people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
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
from app.widgets.images_card import ImagesCard
from app.widgets.new_study_form import PRESETS, NewStudyForm, wide_form
from app.widgets.people_card import PeopleCard
from app.widgets.plain import button, card, field_label, label, page, row
from app.widgets.targets_card import TargetsCard
from app.widgets.words_field import WordsField
from domain.study import Protocol, Role
from workflows.import_images import ImportReport, preset_named
from workflows.study import with_labels

SPIN_WIDTH = 110


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
        self._new = NewStudyForm(services)
        self._pages.addWidget(_scrolled(self._new))
        self._pages.addWidget(_scrolled(self._settings_page()))
        column.addWidget(self._pages, 1)

    def on_shown(self, **arguments: object) -> None:
        images = arguments.get("images")
        makes_new = bool(arguments.get("makes_new")) or self.services.study is None
        self._pages.setCurrentIndex(0 if makes_new else 1)
        if makes_new:
            self._new.start_over(images if isinstance(images, Path) else None)
            self._new.name.setFocus()
        else:
            self._show_settings()
        report = arguments.get("report")
        if isinstance(report, ImportReport):
            self.images.tell(report)

    # the open study

    def _settings_page(self) -> QWidget:
        holder = QWidget()
        columns = QHBoxLayout(holder)
        columns.setContentsMargins(0, 0, 0, 0)
        columns.setSpacing(18)
        left, right = QVBoxLayout(), QVBoxLayout()
        left.addWidget(self._protocol_card())
        left.addStretch(1)
        self._targets, self.images = TargetsCard(self.services), ImagesCard(self.services)
        right.addWidget(self.images)
        right.addWidget(self._targets)
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
        form = wide_form()
        self._study_name = QLineEdit()
        self._instruction = WordsField()
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

    def _labels_card(self) -> QFrame:
        frame, column = card(margin=22, spacing=10)
        column.addWidget(label(tr("Labels"), "heading"))
        self._label_words = label("", "muted", wraps=True)
        column.addWidget(self._label_words)
        see = button(tr("See their effect and change them"), lambda: self.services.navigate("labels"), icon_name="path")
        self._preset = QComboBox()
        self._preset.setAccessibleName(tr("Preset"))
        for name, words in PRESETS.items():
            self._preset.addItem(tr(words), name)
        column.addLayout(row(self._preset, button(tr("Use this preset"), self._use_preset), None))
        column.addLayout(row(see, None))
        return frame

    def _use_preset(self) -> None:
        with_labels(self.services.open_study, preset_named(str(self._preset.currentData())))
        self.services.settings_changed.emit()
        self._show_settings()

    def _show_settings(self) -> None:
        study = self.services.open_study
        settings, protocol = study.settings, study.settings.protocol
        self._study_name.setText(settings.name)
        self._study_name.setCursorPosition(0)
        self._instruction.say(protocol.instruction)
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
        self.images.show_images()
        self._targets.show_targets()
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
        instruction = self._instruction.text()
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


def _whole(low: int, high: int, suffix: str = "") -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(low, high)
    spin.setFixedWidth(SPIN_WIDTH)
    spin.setSuffix(suffix)
    spin.lineEdit().setTextMargins(8, 0, 0, 0)
    return spin


def _share() -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setRange(0, 100)
    spin.setFixedWidth(SPIN_WIDTH)
    spin.setDecimals(0)
    spin.setSuffix(" %")
    spin.lineEdit().setTextMargins(8, 0, 0, 0)
    return spin


def _seconds() -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setRange(0.1, 60)
    spin.setFixedWidth(SPIN_WIDTH)
    spin.setSingleStep(0.1)
    spin.setDecimals(1)
    spin.setSuffix(" s")
    spin.lineEdit().setTextMargins(8, 0, 0, 0)
    return spin


def _scrolled(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(widget)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    return area
