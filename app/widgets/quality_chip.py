"""The quality of a look in one line: loss, longest gap, fixations, coverage, and a word for the whole."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from app.texts import counted, tr
from app.theme import COLOURS, icon_pixmap
from app.widgets.plain import ElidedLabel, label, set_state
from workflows.look_labels import LookResult

_WORDS = {"good": "Good gaze", "check": "Check the mask", "warn": "Weak gaze", "stop": "Does not count"}
_SIGNS = {
    "good": ("check", COLOURS.good),
    "check": ("warn", COLOURS.warn),
    "warn": ("warn", COLOURS.warn),
    "stop": ("none", COLOURS.bad),
}
_STATES = {"good": "good", "check": "warn", "warn": "warn", "stop": "bad"}


class QualityChip(QWidget):
    """Word, sign and figures; never by colour alone."""

    def __init__(self) -> None:
        super().__init__()
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(10)
        self._sign = QLabel()
        self._sign.setFixedSize(QSize(20, 20))
        self._word = label("", "heading")
        self._figures = ElidedLabel("muted")
        line.addWidget(self._sign)
        line.addWidget(self._word)
        line.addWidget(self._figures, 1)

    def show_result(self, result: LookResult) -> None:
        """Show what came of a look."""
        name, colour = _SIGNS[result.verdict]
        self._sign.setPixmap(icon_pixmap(name, colour, 20))
        self._word.setText(tr(_WORDS[result.verdict]))
        set_state(self._word, _STATES[result.verdict])
        quality = result.record.quality
        figures = tr("loss {loss:.0%} · longest gap {gap:.1f} s · {fixations} · {coverage:.1%} of the image").format(
            loss=quality.loss,
            gap=quality.longest_gap_s,
            fixations=counted(len(result.record.fixations), tr("1 fixation"), tr("{n} fixations")),
            coverage=result.coverage,
        )
        self._figures.say(" · ".join([*(tr(words) for words in result.remarks), figures]))
