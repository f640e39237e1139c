"""Beside the image under review: whose masks there are, how they are compared, and what one decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt, Signal, SignalInstance
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QButtonGroup, QComboBox, QFrame, QLineEdit, QMenu, QPushButton, QRadioButton, QVBoxLayout

from app.actions import ActionRegistry
from app.colour_maps import level_colour
from app.texts import tr
from app.widgets.mask_comparison import MODES, PREVIEW_COLOUR
from app.widgets.plain import button, label, line, row
from app.widgets.version_pager import VersionPager
from storage.mask_table import CONSENSUS
from storage.review_table import Difficulty
from workflows.agreement import Consensus
from workflows.review import QUICK_REASONS, Candidate

DIFFICULTIES: tuple[Difficulty, ...] = ("", "easy", "medium", "hard")
METHOD_WORDS = {"majority": "Majority", "staple": "STAPLE"}


def colour_of(number: int, candidate: Candidate | None = None) -> str:
    """The colour of the n-th mask; a consensus is white."""
    if candidate is not None and candidate.version.annotator == CONSENSUS:
        return PREVIEW_COLOUR
    return level_colour(number)


class ReviewPanel(QFrame):
    """Says by signals what was asked for; the screen does it."""

    chosen = Signal(int)
    mode_changed = Signal(str)
    edit_asked = Signal()
    consensus_asked = Signal()
    store_asked = Signal()
    accept_asked = Signal()
    return_asked = Signal()
    flag_asked = Signal()
    undo_asked = Signal()
    comment_left = Signal()

    def __init__(self, actions: ActionRegistry) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.setFixedWidth(312)
        self._actions = actions
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(9)
        self._name = label("", "heading")
        column.addWidget(self._name)
        self._history = label("", "small", wraps=True)
        column.addWidget(self._history)
        column.addWidget(label(tr("Masks of this image"), "muted"))
        self._candidates = QVBoxLayout()
        self._candidates.setSpacing(4)
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(self.chosen)
        column.addLayout(self._candidates)
        self.versions = VersionPager(actions)
        column.addWidget(self.versions)
        self.modes = QComboBox()
        for mode in MODES:
            self.modes.addItem(tr(mode).capitalize(), mode)
        self.modes.setAccessibleName(tr("How masks are compared"))
        self.modes.currentIndexChanged.connect(lambda _index: self.mode_changed.emit(self.mode))
        actions.decorate_tooltip(self.modes, "review.mode")
        column.addWidget(self.modes)
        column.addWidget(label(tr("Space: next mask. Hold Tab: the image alone."), "small", wraps=True))
        self.edit = self._button(tr("Edit"), self.edit_asked, "review.edit", "pencil")
        self.consensus = self._button(tr("Consensus"), self.consensus_asked, "review.consensus", "agreement")
        column.addLayout(row(self.edit, self.consensus))
        self._consensus_words = label("", "small", wraps=True)
        self._store = self._button(tr("Store this consensus"), self.store_asked, "review.store", "check")
        column.addWidget(self._consensus_words)
        column.addWidget(self._store)
        column.addWidget(line())
        self._difficulty = QComboBox()
        for difficulty in DIFFICULTIES:
            self._difficulty.addItem(tr(difficulty) if difficulty else tr("Difficulty: not said"), difficulty)
        self._difficulty.setAccessibleName(tr("Difficulty"))
        self._difficulty.setToolTip(tr("Keys 1, 2 and 3"))
        self.comment = QLineEdit()
        self.comment.setPlaceholderText(tr("Comment"))
        self.comment.setToolTip(tr("Enter keeps it for the decision, Esc leaves and clears it"))
        self.comment.setAccessibleName(tr("Comment"))
        self.comment.returnPressed.connect(self.comment_left)
        self.comment.installEventFilter(self)
        column.addWidget(self._difficulty)
        column.addWidget(self.comment)
        column.addStretch(1)
        self.said = label("", "small", wraps=True)
        column.addWidget(self.said)
        self.back = self._button(tr("Return…"), self.return_asked, "review.return", "undo")
        flag = self._button(tr("Flag"), self.flag_asked, "review.flag", "flag")
        take_back = self._button(tr("Undo"), self.undo_asked, "review.undo", "undo", role="quiet")
        accept = self._button(tr("Accept"), self.accept_asked, "review.accept", "check", role="primary")
        column.addLayout(row(take_back, flag))
        column.addLayout(row(self.back, accept))
        self._deciding = (self.versions, self.edit, self.consensus, self.modes, self.back, flag, take_back, accept)
        self.show_consensus(None, [])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.comment and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()  # else a shortcut with this key would have it
            elif event.type() == QEvent.Type.KeyPress:
                self.comment.clear()
                self.comment_left.emit()
            return True
        return super().eventFilter(watched, event)

    @property
    def mode(self) -> str:
        """How masks are compared."""
        return str(self.modes.currentData())

    @property
    def difficulty(self) -> Difficulty:
        """How hard the case is, in the reviewer's eyes."""
        return DIFFICULTIES[self._difficulty.currentIndex()]

    def say_difficulty(self, difficulty: Difficulty) -> None:
        """Choose one; the same again takes it back."""
        self._difficulty.setCurrentIndex(0 if self.difficulty == difficulty else DIFFICULTIES.index(difficulty))

    def ask_reason(self, on_reason: Callable[[str], object]) -> None:
        """Why a mask goes back: one key each."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for number, reason in enumerate(QUICK_REASONS, start=1):
            menu.addAction(f"&{number}   {tr(reason)}", partial(on_reason, reason))
        menu.popup(self.back.mapToGlobal(self.back.rect().topLeft()))

    def clear_words(self) -> None:
        """Comment and difficulty belong to one decision."""
        self.comment.clear()
        self._difficulty.setCurrentIndex(0)

    def show_case(self, name: str, candidates: Sequence[Candidate], history: str, chosen: int) -> None:
        """The masks of another case."""
        self._name.setText(name)
        self._history.setText(history)
        self._history.setVisible(bool(history))
        while (item := self._candidates.takeAt(0)) is not None:
            old = item.widget()
            if isinstance(old, QRadioButton):
                self._group.removeButton(old)
                old.deleteLater()
        for number, candidate in enumerate(candidates):
            words = tr("{name}, version {n}: {state}")
            if candidate.version.origin == "review":
                words = tr("{name}, version {n}: {state}\nedited in review")
            made = QRadioButton(
                words.format(name=candidate.shown_name, n=candidate.version.version, state=tr(candidate.state))
            )
            made.setStyleSheet(f"border-left: 4px solid {colour_of(number, candidate)}; padding-left: 8px;")
            made.setChecked(number == chosen)
            self._group.addButton(made, number)
            self._candidates.addWidget(made)

    def choose(self, number: int) -> None:
        """Mark the n-th mask."""
        button_of = self._group.button(number)
        if button_of is not None:
            button_of.setChecked(True)

    def show_consensus(self, found: Consensus | None, shown_names: Sequence[tuple[str, str]]) -> None:
        """What a consensus would be, before it is stored; `shown_names` are (name, shown name)."""
        self._store.setVisible(found is not None)
        self._consensus_words.setVisible(found is not None)
        if found is not None:
            each = ", ".join(f"{shown} {found.dice[name]:.2f}" for name, shown in shown_names if name in found.dice)
            self._consensus_words.setText(
                tr("{method} of {n} masks, in white. Dice with each: {each}.").format(
                    method=tr(METHOD_WORDS[found.method]), n=len(found.versions), each=each
                )
            )

    def set_editing(self, is_editing: bool) -> None:
        """While a mask is edited, nothing else is decided."""
        for widget in (*self._deciding, *self._group.buttons()):
            widget.setEnabled(not is_editing)

    def _button(self, text: str, signal: SignalInstance, action_id: str, icon_name: str, role: str = "") -> QPushButton:
        made = button(text, signal.emit, role=role, icon_name=icon_name)
        self._actions.decorate(made, action_id)
        return made
