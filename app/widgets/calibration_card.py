"""The calibration in force in one card: grade, age, whose it is, and what can be done."""

from __future__ import annotations

from datetime import datetime, timezone

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout

from app.actions import ActionRegistry
from app.texts import tr
from app.widgets.plain import button, label, row, set_state
from calibration.staleness import REVALIDATE_AFTER, age_words, made_at
from domain.calibration import CalibrationRecord

GRADE_STATES = {"good": "good", "fair": "warn"}


class CalibrationCard(QFrame):
    """Shows and asks; the page does."""

    wants_calibration = Signal()
    wants_validation = Signal()
    wants_drift_check = Signal()
    wants_five_dots = Signal()
    wants_undo_drift = Signal()
    wants_stored = Signal()

    def __init__(self, actions: ActionRegistry) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self._grade = label("", "figure", wraps=True)
        self._detail = label("", "muted", wraps=True)
        self.calibrate = button(tr("Calibrate"), self.wants_calibration.emit, role="primary", icon_name="target")
        self.validate = button(tr("Validate"), self.wants_validation.emit, icon_name="check")
        self.drift = button(tr("Drift check"), self.wants_drift_check.emit, icon_name="eye")
        self.five_dots = button(tr("Five dots"), self.wants_five_dots.emit, icon_name="eye")
        self.undo_drift = button(tr("Undo the correction"), self.wants_undo_drift.emit, role="quiet", icon_name="undo")
        self._correction = label("")
        set_state(self._correction, "warn")
        self.use_stored = button("", self.wants_stored.emit, icon_name="undo")
        for made, action_id in (
            (self.calibrate, "tracker.calibrate"),
            (self.validate, "tracker.validate"),
            (self.drift, "tracker.drift"),
            (self.five_dots, "tracker.drift_five"),
            (self.undo_drift, "tracker.undo_drift"),
        ):
            actions.decorate(made, action_id)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(20, 18, 20, 18)
        inside.setSpacing(8)
        inside.addWidget(self._grade)
        inside.addWidget(self._detail)
        inside.addSpacing(4)
        inside.addLayout(row(self._correction, self.undo_drift, self.use_stored, None))
        inside.addLayout(row(self.calibrate, self.validate, self.drift, self.five_dots, None))
        self.use_stored.hide()
        self.show_correction("")

    @property
    def words(self) -> str:
        """What the card says."""
        return f"{self._grade.text()}\n{self._detail.text()}\n{self._correction.text()}".rstrip()

    def say(self, grade: str, detail: str, state: str = "") -> None:
        """Words of the page's own."""
        self._grade.setText(grade)
        set_state(self._grade, state)
        self._detail.setText(detail)

    def allow(self, *, calibrate: bool, look: bool) -> None:
        """What can be done now."""
        self.calibrate.setEnabled(calibrate)
        self.validate.setEnabled(look)
        self.drift.setEnabled(look)
        self.five_dots.setEnabled(look)

    def offer_stored(self, record: CalibrationRecord | None) -> None:
        """Offer a calibration of before, or none."""
        self.use_stored.setVisible(record is not None)
        if record is not None:
            age = age_words(datetime.now(timezone.utc) - made_at(record))
            self.use_stored.setText(tr("Use the one from {age} ago").format(age=age))

    def show_correction(self, words: str) -> None:
        """The drift correction in force, and how to take it back; nothing where there is none."""
        self._correction.setText(words)
        self._correction.setVisible(bool(words))
        self.undo_drift.setVisible(bool(words))

    def show_record(self, record: CalibrationRecord) -> None:
        """The calibration in force, with its age."""
        age = datetime.now(timezone.utc) - made_at(record)
        words = [
            tr("For {who}, {n} points, {age} old.").format(
                who=record.surroundings.annotator, n=len(record.points), age=age_words(age)
            )
        ]
        if age > REVALIDATE_AFTER:
            words.append(tr("Validate again: it is older than {limit}.").format(limit=age_words(REVALIDATE_AFTER)))
        if record.override_reason:
            words.append(tr("Used against the rule: {why}").format(why=record.override_reason))
        validation = record.validation
        if validation is None:
            self.say(tr("Calibrated, not validated"), " ".join(words), "warn")
            return
        summary = validation.summary(validation.graded_eye)
        grade = tr("{grade}: {mean:.2f}° on average, {worst:.2f}° at most").format(
            grade=tr(validation.grade.value.capitalize()),
            mean=summary.accuracy_mean_deg,
            worst=summary.accuracy_max_deg,
        )
        self.say(grade, " ".join(words), GRADE_STATES.get(validation.grade.value, "bad"))
