"""A narrow list of looks: image, annotator, number of fixations. Long names give way; the tooltip has the whole."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QListWidget, QListWidgetItem

from app.texts import counted, tr
from app.widgets.plain import shortened
from domain.trial import TrialRecord

WIDTH = 210
_ROOM = WIDTH - 40
"""What is left for words beside padding and scroll bar."""


class TrialList(QListWidget):
    """One row per trial, in the order given."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedWidth(WIDTH)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def show_trials(self, trials: Sequence[TrialRecord], *, is_masked: bool) -> None:
        """Fill the list without telling of a choice. is_masked: numbers stand for the images' names."""
        self.blockSignals(True)
        self.clear()
        for number, trial in enumerate(trials, start=1):
            name = tr("Image {n}").format(n=number) if is_masked else trial.image_id
            count = " · " + counted(len(trial.fixations), tr("1 fixation"), tr("{n} fixations"))
            shown = shortened(self, name, _ROOM)
            who = shortened(self, trial.annotator, _ROOM - self.fontMetrics().horizontalAdvance(count))
            item = QListWidgetItem(f"{shown}\n{who}{count}")
            item.setToolTip(f"{name}\n{trial.annotator}{count}")
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{name}, {trial.annotator}{count}")
            self.addItem(item)
        self.blockSignals(False)
