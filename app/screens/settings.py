"""Settings: comfort, language, and the keys with their conflicts."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QHeaderView,
    QKeySequenceEdit,
    QLineEdit,
    QScrollArea,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.action_table import CONTEXTS
from app.colour_maps import NAMES
from app.context import Services
from app.screen import Screen, screens
from app.texts import languages, tr
from app.widgets.folding_box import FoldingBox
from app.widgets.plain import button, card, field_label, label, page, row
from domain.errors import UserFacingError
from domain.study import Role

LANGUAGE_NAMES = {"en": "English", "de": "Deutsch"}
TEXT_SCALES = (0.9, 1.0, 1.15, 1.3, 1.5)


FOLDS_BELOW_PX = 1000


@screens.register("settings")
class SettingsScreen(Screen):
    """What this person wants different."""

    title: ClassVar[str] = "Settings"
    icon: ClassVar[str] = "settings"
    order: ClassVar[int] = 1000
    needs_study: ClassVar[bool] = False

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        column, _head = page(self, tr("Settings"))
        body = FoldingBox(FOLDS_BELOW_PX, spacing=18)
        cards = QWidget()
        left = QVBoxLayout(cards)
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(14)
        left.addWidget(self._comfort_card())
        left.addWidget(self._person_card())
        left.addStretch(1)
        body.add(cards, 2)
        body.add(self._keys_card(), 3)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(body)
        column.addWidget(scroll, 1)
        services.actions.keys_changed.connect(self._show_keys)

    def on_shown(self, **arguments: object) -> None:
        self._name.setText(self.services.annotator)
        self._show_keys()

    def on_hidden(self) -> None:
        self._save()

    def close_screen(self) -> None:
        self._save()

    # building

    def _comfort_card(self) -> QFrame:
        settings = self.services.settings
        frame, column = card(margin=22, spacing=12)
        column.addWidget(label(tr("Comfort"), "heading"))
        form = QFormLayout()
        form.setHorizontalSpacing(22)
        form.setVerticalSpacing(10)
        self._scale, self._language, self._colours = QComboBox(), QComboBox(), QComboBox()
        for scale in TEXT_SCALES:
            self._scale.addItem(f"{scale:.0%}", scale)
        self._scale.setCurrentIndex(max(0, self._scale.findData(settings.text_scale)))
        for name in languages():
            self._language.addItem(LANGUAGE_NAMES.get(name, name), name)
        self._language.setCurrentIndex(max(0, self._language.findData(settings.language)))
        self._colours.addItems(NAMES)
        self._colours.setCurrentText(settings.colour_map)
        self._lock = QCheckBox(tr("Keep zoom and window from image to image"))
        self._lock.setChecked(settings.lock_view)
        form.addRow(field_label(tr("Size of texts")), self._scale)
        form.addRow(field_label(tr("Language")), self._language)
        form.addRow(field_label(tr("Colours of maps")), self._colours)
        form.addRow(field_label(""), self._lock)
        column.addLayout(form)
        column.addWidget(label(tr("Text size and language change at the next start."), "small", wraps=True))
        return frame

    def _person_card(self) -> QFrame:
        frame, column = card(margin=22, spacing=12)
        column.addWidget(label(tr("Who works here"), "heading"))
        self._name = QLineEdit()
        self._name.setAccessibleName(tr("Name or pseudonym"))
        self._name.setPlaceholderText(tr("Name or pseudonym"))
        column.addWidget(self._name)
        self._person_words = label("", "small", wraps=True)
        column.addLayout(row(button(tr("Use this name"), self._use_name, icon_name="user"), None))
        column.addWidget(self._person_words)
        return frame

    def _keys_card(self) -> QFrame:
        frame, column = card(margin=22, spacing=10)
        column.addWidget(label(tr("Keys"), "heading"))
        self._find = QLineEdit()
        self._find.setPlaceholderText(tr("Search an action or a key"))
        self._find.textChanged.connect(lambda _text: self._show_keys())
        column.addWidget(self._find)
        self._table = QTableWidget(0, 3)
        self._table.setHorizontalHeaderLabels([tr("Where"), tr("What"), tr("Keys")])
        self._table.verticalHeader().setVisible(False)
        self._table.setShowGrid(False)
        self._table.setTabKeyNavigation(False)
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self._table.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        self._table.itemSelectionChanged.connect(self._on_chosen)
        self._table.setMinimumHeight(240)
        column.addWidget(self._table, 1)
        self._edit = QKeySequenceEdit()
        self._edit.setMaximumSequenceLength(1)
        self._edit.setAccessibleName(tr("New key"))
        self._set = button(tr("Set"), self._set_key, role="primary")
        self._default = button(tr("As it was"), self._reset_one)
        self._all = button(tr("All as they were"), self.services.actions.reset_keys)
        column.addLayout(row(label(tr("New key"), "muted"), self._edit, self._set, self._default, self._all, None))
        self._problem = label("", "small", wraps=True)
        self._problem.setProperty("state", "warn")
        column.addWidget(self._problem)
        return frame

    # keys

    def _show_keys(self) -> None:
        actions = self.services.actions
        chosen = self._chosen_id()
        words = self._find.text().lower().split()
        clashing = {name for c in actions.conflicts() for name in (c.first.action_id, c.second.action_id)}
        rows = []
        for action in actions.all():
            place, text, keys = tr(CONTEXTS[action.context]), tr(action.text), actions.shown_keys(action.action_id)
            if all(word in f"{place} {text} {keys}".lower() for word in words):
                rows.append((action.action_id, place, text, keys))
        self._table.blockSignals(True)
        self._table.setRowCount(len(rows))
        for number, (action_id, place, text, keys) in enumerate(rows):
            shown = tr("{keys}  (taken twice)").format(keys=keys) if action_id in clashing else keys
            for column, cell in enumerate((place, text, shown)):
                item = QTableWidgetItem(cell)
                item.setData(Qt.ItemDataRole.UserRole, action_id)
                self._table.setItem(number, column, item)
            if action_id == chosen:
                self._table.selectRow(number)
        self._table.blockSignals(False)

    def _chosen_id(self) -> str:
        items = self._table.selectedItems()
        return str(items[0].data(Qt.ItemDataRole.UserRole)) if items else ""

    def _on_chosen(self) -> None:
        chosen = self._chosen_id()
        self._problem.setText("")
        if chosen:
            keys = self.services.actions.keys(chosen)
            self._edit.setKeySequence(QKeySequence(keys[0]) if keys else QKeySequence())

    def _set_key(self) -> None:
        chosen = self._chosen_id()
        if not chosen:
            self._problem.setText(tr("Choose an action in the list first."))
            return
        key = self._edit.keySequence().toString()
        try:
            self.services.actions.set_keys(chosen, (key,) if key else ())
        except UserFacingError as taken:
            self._problem.setText(str(taken))
            return
        self._problem.setText("")
        self._save()

    def _reset_one(self) -> None:
        chosen = self._chosen_id()
        if chosen:
            self.services.actions.set_keys(chosen, self.services.actions.get(chosen).keys)
            self._on_chosen()

    # the rest

    def _use_name(self) -> None:
        name = self._name.text().strip()
        if not name:
            return
        study = self.services.study
        role = Role.ADMIN
        if study is not None and study.is_guarded:
            self.services.navigate("sign_in")  # a name alone is not enough here
            return
        if study is not None:
            known = {person.name: person.role for person in study.annotators()}
            if name not in known:
                study.add_annotator(name, Role.ANNOTATOR)
            role = known.get(name, Role.ANNOTATOR)
        self.services.set_annotator(name, role)
        self._person_words.setText(tr("You work as {name}, {role}.").format(name=name, role=tr(role.value)))
        self._save()

    def _save(self) -> None:
        settings = self.services.settings
        settings.text_scale = float(self._scale.currentData())
        settings.language = str(self._language.currentData())
        settings.colour_map = self._colours.currentText()
        settings.lock_view = self._lock.isChecked()
        settings.annotator = self.services.annotator
        settings.own_keys = self.services.actions.own_keys()
        settings.save()
