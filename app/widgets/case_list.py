"""The cases of a review in a list, which states are listed, and whether names are hidden."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFrame, QListWidget, QListWidgetItem, QVBoxLayout

from app.texts import counted, tr
from app.theme import status_icon
from app.widgets.plain import label, shortened
from domain.study import TrialStatus
from workflows.review import ReviewCase

_MARKS = {
    "new": TrialStatus.DONE,
    "accepted": TrialStatus.ACCEPTED,
    "returned": TrialStatus.RETURNED,
    "flagged": TrialStatus.FLAGGED,
}
_WIDTH = 224
_ROOM = _WIDTH - 84
"""What is left for words beside margins, mark and scroll bar."""
STATES = ("", "new", "flagged", "returned", "accepted")


class CaseList(QFrame):
    """wishes_changed: another state or blindness was chosen; chosen: the place of a case."""

    wishes_changed = Signal()
    chosen = Signal(int)

    def __init__(self, *, is_blind: bool) -> None:
        super().__init__()
        self.setProperty("role", "rail")
        self.setFixedWidth(_WIDTH)
        self._counter = label("", "small")
        self._filter = QComboBox()
        for state in STATES:
            self._filter.addItem(tr(state) if state else tr("all states"), state)
        self._filter.setAccessibleName(tr("Which cases are listed"))
        self._filter.currentIndexChanged.connect(lambda _index: self.wishes_changed.emit())
        self.blind = QCheckBox(tr("Blind: hide names"))
        self.blind.setChecked(is_blind)
        self.blind.toggled.connect(lambda _on: self.wishes_changed.emit())
        self._list = QListWidget()
        self._list.setAccessibleName(tr("Cases"))
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.currentRowChanged.connect(self.chosen)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 14, 12, 12)
        column.setSpacing(8)
        for widget in (self._filter, self.blind, self._counter, self._list):
            column.addWidget(widget)

    @property
    def is_blind(self) -> bool:
        """Whether names are hidden."""
        return self.blind.isChecked()

    @property
    def state(self) -> str:
        """Only cases in this state are listed; empty for all."""
        return str(self._filter.currentData())

    def list_all(self) -> None:
        """Choose all states."""
        self._filter.setCurrentIndex(0)

    def show_cases(self, cases: Sequence[ReviewCase], place: int) -> None:
        """List these, with the one at `place` chosen; nothing is said of it."""
        self._list.blockSignals(True)
        self._list.clear()
        for case in cases:
            masks = counted(len(case.candidates), tr("1 mask"), tr("{n} masks"))
            words = f"{shortened(self._list, case.shown_name, _ROOM)}\n{masks} · {tr(case.state)}"
            item = QListWidgetItem(status_icon(_MARKS[case.state]), words)
            item.setToolTip(case.shown_name)
            self._list.addItem(item)
        decided = sum(case.state in ("accepted", "returned") for case in cases)
        self._counter.setText(tr("{n} of {total} decided").format(n=decided, total=len(cases)))
        self._list.setCurrentRow(place)
        self._list.blockSignals(False)

    def go(self, step: int) -> None:
        """The next case, or the one before."""
        if self._list.count():
            self._list.setCurrentRow((self._list.currentRow() + step) % self._list.count())
