"""The targets of the open study in a list to choose from, also after the study was changed."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox

from storage.study import Study


def list_targets(box: QComboBox, study: Study) -> None:
    """Fill the list where it is not that of the study any more; the choice stays where it is still there.

    Nobody is told of a change: it is for a page that is about to show everything anew.
    """
    names = [target.name for target in study.settings.targets]
    if names == [box.itemText(place) for place in range(box.count())]:
        return
    chosen = box.currentText()
    blocker = QSignalBlocker(box)
    box.clear()
    box.addItems(names)
    box.setCurrentIndex(max(0, box.findText(chosen)))
    blocker.unblock()
