"""Drift check and validation in full screen: dots to look at, then the verdict and what to do about it."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.context import Services
from app.gaze_stage import GazeStage
from app.texts import counted, tr
from app.widgets.plain import button, card, label, row, set_state
from calibration.animation import TargetLook
from calibration.drift import AFFINE_FROM, DriftLog
from domain.calibration import DriftCheck, DriftVerdict, Validation
from workflows.calibration_target import HostTarget
from workflows.drift_check import DriftRun, accept_correction, journal_values
from workflows.gaze_run import GazeRun
from workflows.validate import ValidationRun

INTRO_S = 1.5
"""So long the words before the first dot are shown; Enter or Space goes on at once."""

_HEADINGS = {
    DriftVerdict.PASS: ("The gaze fits", "good"),
    DriftVerdict.OFFER: ("The gaze has drifted", "warn"),
    DriftVerdict.RECALIBRATE: ("The gaze is far off", "bad"),
    DriftVerdict.NO_DATA: ("No steady look was seen", "warn"),
}


class _LookStage(GazeStage):
    """Shows the dots of a run; a subclass says what to do with the result."""

    def __init__(self, services: Services, source: HostTarget, run: GazeRun, intro: str = "") -> None:
        super().__init__(source, source.host.settings.display, is_playful=run.profile.has_sound)
        self.services = services
        self.run = run
        self._is_shown = False
        frame, self._column = card(margin=32, spacing=14)
        frame.setFixedWidth(560)
        self._heading = label("", "title", wraps=True)
        self._words = label("", "", wraps=True)
        self._buttons = QHBoxLayout()
        self._keys = label("", "muted", wraps=True)
        for made in (self._heading, self._words):
            self._column.addWidget(made)
        self._column.addLayout(self._buttons)
        self._column.addWidget(self._keys)
        self._card = QWidget(self)
        middle = QVBoxLayout(self._card)
        middle.addStretch(1)
        # Not by alignment: a card that is aligned does not grow with the lines of its wrapped words.
        middle.addLayout(row(None, frame, None))
        middle.addStretch(1)
        self._card.hide()
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._card)
        self._intro = label(intro, "lead")
        self._intro.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._intro.setVisible(bool(intro))
        whole.addWidget(self._intro)
        self._begins_at_s = 0.0
        self._is_begun = False
        services.actions.bind(self, "calibrate.accept", self.on_enter)
        services.actions.bind(self, "calibrate.look", self.run_key)
        services.actions.bind(self, "calibrate.cancel", self.on_escape)
        if not intro:
            self.begin()

    def begin(self) -> None:
        """The words before it are read: the first dot."""
        if not self._is_begun:
            self._is_begun = True
            self._intro.hide()
            self.run.start()

    @property
    def words(self) -> str:
        """What stands on the card."""
        return f"{self._heading.text()}\n{self._words.text()}"

    def tick(self) -> None:
        """One frame of the run."""
        if self._is_shown:
            return
        if not self._is_begun:
            now_s = time.monotonic()
            self._begins_at_s = self._begins_at_s or now_s + INTRO_S
            if now_s >= self._begins_at_s:
                self.begin()
            return
        self.run.tick()
        if self.run.is_complete:
            self.on_complete()
        elif self.run.is_over:
            self.on_stopped(self.run.run.reason)

    def look(self) -> TargetLook | None:
        """The dot, until there is a result."""
        return None if self._is_shown or not self._is_begun else self.run.look()

    def on_screen_changed(self) -> None:
        """Nothing measured so far belongs to this screen."""
        self.run.screen_changed()

    def run_key(self) -> None:
        """The annotator says: I look at it."""
        if self._is_begun:
            self.run.key()
        else:
            self.begin()

    def on_complete(self) -> None:
        """All looks are there."""

    def on_stopped(self, reason: str) -> None:
        """It ended before that."""
        if reason == "cancelled":
            self.finish()
        else:
            self.say(tr("It has stopped"), f"{reason[:1].upper()}{reason[1:]}.", "bad", tr("Enter goes on"))

    def on_enter(self) -> None:
        """Enter: go on."""
        if self._is_shown:
            self.finish()
        elif self._is_begun:
            self.run.accept()
        else:
            self.begin()

    def on_escape(self) -> None:
        """Esc: stop, or close the card."""
        if self._is_shown or not self._is_begun:
            self.finish()
        else:
            self.run.cancel()

    def say(self, heading: str, words: str, state: str, keys: str, *buttons: QWidget) -> None:
        """Show the card."""
        self._is_shown = True
        self._heading.setText(heading)
        set_state(self._heading, state)
        self._words.setText(words)
        self._keys.setText(keys)
        while (item := self._buttons.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.deleteLater()
        for made in buttons:
            self._buttons.addWidget(made)
        if buttons:
            self._buttons.addStretch(1)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self._card.show()
        if buttons:
            buttons[0].setFocus()


class DriftStage(_LookStage):
    """One drift check. `wants_calibration` says that the annotator chose to calibrate again."""

    wants_calibration = Signal()

    def __init__(self, services: Services, source: HostTarget, run: DriftRun, log: DriftLog) -> None:
        self.check: DriftCheck | None = None
        self._drift_run = run
        self._log = log
        n_points = len(run.run.points)
        one, many = (
            tr("Drift check: look at the dot until it disappears."),
            tr("Drift check: look at each of {n} dots."),
        )
        super().__init__(services, source, run, counted(n_points, one, many))

    def on_complete(self) -> None:
        """The verdict, and what it offers."""
        check = self.check = self._drift_run.check()
        heading, state = _HEADINGS[check.verdict]
        if check.verdict is DriftVerdict.PASS:
            words = tr("{offset:.2f}° off; up to 0.5° is fine.").format(offset=check.offset_deg)
            self._journal()
            self.say(tr(heading), words, state, tr("Enter goes on"))
            return
        again = button(tr("Check again"), self._again, icon_name="repeat")
        calibrate = button(tr("Calibrate again"), self._calibrate, icon_name="target")
        if check.verdict is DriftVerdict.OFFER:
            what = (
                tr("The gaze of the following images can be shifted and fitted to the five dots.")
                if len(self._drift_run.run.points) >= AFFINE_FROM
                else tr("The gaze of the following images can be shifted by that much.")
            )
            kept = tr("What was recorded stays as it is, and the shift can be taken back.")
            words = f"{tr('{offset:.2f}° off.').format(offset=check.offset_deg)} {what} {kept}"
            apply = button(tr("Shift the gaze"), self.apply_correction, role="primary", icon_name="check")
            self.say(tr(heading), words, state, tr("Enter shifts · Esc goes on without"), apply, again, calibrate)
        elif check.verdict is DriftVerdict.RECALIBRATE:
            words = tr("{offset:.2f}° off. From 2° on a shift is not enough.").format(offset=check.offset_deg)
            calibrate.setProperty("role", "primary")
            self.say(tr(heading), words, state, tr("Enter calibrates · Esc goes on without"), calibrate, again)
        else:
            reason = next((look.reason for look, _ in self.run.looks() if look.reason), "")
            words = tr("The dot was not looked at steadily for half a second ({why}).").format(
                why=reason or tr("too few samples")
            )
            self.say(tr(heading), words, state, tr("Enter checks again · Esc goes on without"), again, calibrate)

    def on_enter(self) -> None:
        """Enter does what is written first on the card."""
        if not self._is_shown or self.check is None:
            super().on_enter()
        elif self.check.verdict is DriftVerdict.OFFER:
            self.apply_correction()
        elif self.check.verdict is DriftVerdict.RECALIBRATE:
            self._calibrate()
        elif self.check.verdict is DriftVerdict.NO_DATA:
            self._again()
        else:
            self.finish()

    def on_escape(self) -> None:
        """Esc leaves everything as it is; the check is kept."""
        if self._is_shown and self.check is not None and self.check.verdict is not DriftVerdict.PASS:
            self._journal()
        super().on_escape()

    def apply_correction(self) -> None:
        """Put the offered correction in force for what follows."""
        if self.check is not None:
            accept_correction(self._log, self.check, self._drift_run.correction())
            self._journal()
        self.finish()

    def _calibrate(self) -> None:
        self._journal()
        self.wants_calibration.emit()
        self.finish()

    def _again(self) -> None:
        self._journal()
        run = DriftRun(
            self.source,
            points=self._drift_run.run.points,
            profile=self._drift_run.profile,
            distance_mm=self._drift_run.distance_mm,
            reason=self._drift_run.reason,
            after_images=self._drift_run.after_images,
        )
        self.run = self._drift_run = run
        self.check = None
        self._is_shown = False
        self._card.hide()
        self.setCursor(Qt.CursorShape.BlankCursor)
        self.setFocus()
        run.start()

    def _journal(self) -> None:
        if self.check is not None and not self.source.is_closed:
            self.source.host.journal("drift_check", journal_values(self.check, self._log))


class ValidateStage(_LookStage):
    """A validation without calibration; `validation` has the figures when it ended."""

    def __init__(self, services: Services, source: HostTarget, run: ValidationRun) -> None:
        self.validation: Validation | None = None
        self._validation_run = run
        super().__init__(services, source, run)

    def on_complete(self) -> None:
        """The grade and the rule."""
        found = self.validation = self._validation_run.validation()
        self.source.host.journal("validation", {**found.as_json(), "time_ns": self.source.now_ns()})
        state = {"good": "good", "fair": "warn"}.get(found.grade.value, "bad")
        summary = found.summary(found.graded_eye)
        figures = tr("Precision {sd:.2f}° (SD), {rms:.2f}° (RMS-S2S), {loss:.0%} lost.").format(
            sd=summary.sd_deg, rms=summary.rms_s2s_deg, loss=summary.loss
        )
        words = found.rule if summary.n_points == summary.n_missing else f"{found.rule}\n{figures}"
        self.say(tr("Validation: {grade}").format(grade=tr(found.grade.value)), words, state, tr("Enter goes on"))
