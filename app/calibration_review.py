"""What came of a calibration: points, figures, attempts side by side, and the decision."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.texts import tr
from app.theme import COLOURS
from app.widgets.calibration_plot import CalibrationPlot
from app.widgets.plain import button, card, label, line, row, set_state
from calibration.acceptance import can_be_overridden
from domain.calibration import Grade
from workflows.calibrate import ReviewedAttempt

GRADE_STATES = {Grade.GOOD: "good", Grade.FAIR: "warn", Grade.POOR: "bad", Grade.NO_DATA: "bad"}
GRADE_WORDS = {Grade.GOOD: "Good", Grade.FAIR: "Fair", Grade.POOR: "Poor", Grade.NO_DATA: "No data"}
_COLUMNS = ("accuracy", "largest", "median", "SD", "RMS-S2S", "lost")


class CalibrationReview(QWidget):
    """Shows attempts and asks what to do; it decides nothing itself."""

    accepted = Signal(int, str)
    redo_point = Signal(int)
    redo_all = Signal()
    validate_again = Signal()
    cancelled = Signal()

    def __init__(self, *, aspect: float, norm_per_deg: tuple[float, float]) -> None:
        super().__init__()
        self._attempts: list[ReviewedAttempt] = []
        self._shown = 0
        self._point = 0
        self.plot = CalibrationPlot(aspect=aspect, norm_per_deg=norm_per_deg)
        self.plot.point_chosen.connect(self.choose_point)
        self._grade = label("", "big")
        self._rule = label("", "muted", wraps=True)
        self._objections = label("", "", wraps=True)
        self._figures: list[list[QLabel]] = []
        self._attempt_buttons = QButtonGroup(self)
        self._attempt_row = QHBoxLayout()
        self._attempt_row.setSpacing(8)
        self.reason = QLineEdit()
        self.reason.setPlaceholderText(tr("Reason for using it all the same (is stored)"))
        self.reason.setMaxLength(200)
        self.reason.textChanged.connect(lambda _text: self._show_buttons())
        self._build()

    # what the stage asks

    def show_attempts(self, attempts: list[ReviewedAttempt]) -> None:
        """Show these attempts, the newest in front."""
        self._attempts = attempts
        self._shown = len(attempts) - 1
        self.reason.clear()
        for old in self._attempt_buttons.buttons():
            self._attempt_buttons.removeButton(old)
            old.deleteLater()
        while self._attempt_row.count():
            self._attempt_row.takeAt(0)
        for number, reviewed in enumerate(attempts):
            made = QPushButton(_attempt_words(reviewed))
            made.setCheckable(True)
            made.setChecked(number == self._shown)
            made.clicked.connect(lambda _checked=False, n=number: self.show_attempt(n))
            self._attempt_buttons.addButton(made, number)
            self._attempt_row.addWidget(made)
        self._attempt_row.addStretch(1)
        failed = [i for i, verdict in enumerate(self._current.attempt.verdicts) if not verdict.is_ok]
        self.choose_point(failed[0] if failed else 0, is_click=False)
        self._views[0].setChecked(self._current.validation is not None)
        self._views[1].setChecked(self._current.validation is None)
        self._refresh()
        self._accept.setFocus()

    def show_attempt(self, number: int) -> None:
        """Bring one attempt to the front."""
        if self._attempts:
            self._shown = number % len(self._attempts)
            self._attempt_buttons.button(self._shown).setChecked(True)
            self._refresh()

    def next_attempt(self) -> None:
        """Bring the next attempt to the front."""
        self.show_attempt(self._shown + 1)

    def choose_point(self, index: int, *, is_click: bool = True) -> None:
        """Mark the calibration point that "Repeat point" means."""
        if not self._attempts:
            return
        self._point = index % len(self._current.attempt.verdicts)
        self.plot.choose(self._point)
        self._redo_point.setText(tr("Repeat point {n}").format(n=self._point + 1))
        if is_click and not self._views[1].isChecked():
            self._views[1].setChecked(True)
            self._refresh()

    def step_point(self, step: int) -> None:
        """Choose the next or the previous point."""
        self.choose_point(self._point + step)

    def accept(self) -> None:
        """Ask for the shown attempt, with the reason where one is needed."""
        if self._accept.isEnabled():
            self.accepted.emit(self._current.attempt.number, self.reason.text().strip())
        elif self.reason.isVisible():
            self.reason.setFocus()

    def repeat_point(self) -> None:
        """Ask for the chosen point once more."""
        self.redo_point.emit(self._point)

    @property
    def words(self) -> str:
        """What stands on the page, for tests and screen readers."""
        return "\n".join((self._grade.text(), self._rule.text(), self._objections.text()))

    # inside

    @property
    def _current(self) -> ReviewedAttempt:
        return self._attempts[self._shown]

    def _build(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(12)
        self._views = [QPushButton(tr("Validation on fresh points")), QPushButton(tr("Calibration points"))]
        views = QButtonGroup(self)
        for made in self._views:
            made.setCheckable(True)
            views.addButton(made)
            made.clicked.connect(lambda _checked=False: self._refresh())
        self._views[0].setChecked(True)
        left.addLayout(row(*self._views, None))
        left.addWidget(self.plot, 1)
        left.addLayout(self._attempt_row)

        frame, column = card(margin=22, spacing=12)
        frame.setFixedWidth(470)
        column.addWidget(self._grade)
        column.addWidget(self._rule)
        column.addWidget(line())
        column.addLayout(self._figure_grid())
        meaning = tr(
            "accuracy: angle of the mean offset, what a better calibration removes · median: how far off a single look"
            " is · SD, RMS-S2S: noise"
        )
        column.addWidget(label(meaning, "small", wraps=True))
        column.addWidget(line())
        column.addWidget(self._objections)
        column.addWidget(self.reason)
        column.addStretch(1)
        self._accept = button(tr("Accept"), self.accept, role="primary", icon_name="check")
        self._accept.setMinimumHeight(38)
        self._redo_point = button(tr("Repeat point 1"), self.repeat_point, icon_name="repeat")
        self._redo_all = button(tr("Repeat all points"), self.redo_all.emit, icon_name="repeat")
        self._again = button(tr("Validate again"), self.validate_again.emit, icon_name="target")
        self._cancel = button(tr("Stop, keep the calibration of before"), self.cancelled.emit, role="quiet")
        column.addWidget(self._accept)
        column.addLayout(row(self._redo_point, self._redo_all))
        column.addWidget(self._again)
        column.addWidget(self._cancel)

        whole = QHBoxLayout()
        whole.setSpacing(20)
        whole.addLayout(left, 1)
        whole.addWidget(frame)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(28, 22, 28, 22)
        outer.setSpacing(14)
        outer.addWidget(label(tr("Calibration: look at it before you use it"), "title"))
        outer.addLayout(whole, 1)
        keys = tr("Enter accepts · R repeats the chosen point · Shift+R repeats all · V validates again · Esc stops")
        outer.addWidget(label(keys, "small"))

    def _figure_grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(9)
        grid.setVerticalSpacing(6)
        for number, words in enumerate(
            (tr("accuracy"), tr("largest"), tr("median"), tr("SD"), tr("RMS-S2S"), tr("lost"))
        ):
            head = label(words, "small")
            head.setAlignment(Qt.AlignmentFlag.AlignRight)
            grid.addWidget(head, 0, number + 1)
        for place, words in enumerate((tr("left eye"), tr("right eye"), tr("both eyes")), start=1):
            grid.addWidget(label(words, "muted"), place, 0)
            cells: list[QLabel] = []
            for number in range(len(_COLUMNS)):
                cell = label("—")
                cell.setAlignment(Qt.AlignmentFlag.AlignRight)
                grid.addWidget(cell, place, number + 1)
                cells.append(cell)
            self._figures.append(cells)
        grid.setColumnStretch(0, 1)
        return grid

    def _refresh(self) -> None:
        reviewed = self._current
        validation = reviewed.validation
        self.plot.show_attempt(reviewed, validation=self._views[0].isChecked())
        if validation is not None:
            self._grade.setText(tr(GRADE_WORDS[validation.grade]))
            set_state(self._grade, GRADE_STATES[validation.grade])
            self._rule.setText(validation.rule)
        else:
            self._grade.setText(tr("Not calibrated") if not reviewed.attempt.is_usable else tr("Not validated"))
            set_state(self._grade, "bad")
            problem = reviewed.attempt.problem
            self._rule.setText(f"{problem[:1].upper()}{problem[1:]}." if problem else "")
        for place, cells in enumerate(self._figures):
            values = ["—"] * len(_COLUMNS)
            if validation is not None:
                summary = validation.summaries[place]
                figures = (
                    summary.accuracy_mean_deg,
                    summary.accuracy_max_deg,
                    summary.accuracy_median_deg,
                    summary.sd_deg,
                    summary.rms_s2s_deg,
                )
                values = [f"{value:.2f}°" if math.isfinite(value) else "—" for value in figures]
                values.append(f"{summary.loss:.0%}")
            for cell, words in zip(cells, values, strict=True):
                cell.setText(words)
        others = [words for words in reviewed.objections if validation is None or words != validation.rule]
        self._objections.setText("\n".join(f"• {words}" for words in others))
        set_state(self._objections, "bad" if others else "")
        self._objections.setVisible(bool(others))
        self._show_buttons()

    def _show_buttons(self) -> None:
        if not self._attempts:
            return
        reviewed = self._current
        may = can_be_overridden(reviewed.attempt)
        needs_reason = bool(reviewed.objections) and may
        self.reason.setVisible(needs_reason)
        self._accept.setEnabled(may and (not needs_reason or bool(self.reason.text().strip())))
        self._accept.setText(tr("Use it all the same") if needs_reason else tr("Accept"))
        self._again.setEnabled(self._attempts[-1].attempt.is_usable)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(COLOURS.ground))
        painter.end()


def _attempt_words(reviewed: ReviewedAttempt) -> str:
    number = reviewed.attempt.number
    if reviewed.validation is None:
        return tr("Attempt {n}: failed").format(n=number)
    summary = reviewed.validation.summary(reviewed.validation.graded_eye)
    return tr("Attempt {n}: {grade}, {mean:.2f}°, largest {worst:.2f}°").format(
        n=number,
        grade=tr(GRADE_WORDS[reviewed.validation.grade]).lower(),
        mean=summary.accuracy_mean_deg,
        worst=summary.accuracy_max_deg,
    )
