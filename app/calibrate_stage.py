"""Calibrating in full screen: position, targets, validation, review; nothing else on the screen."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QStackedWidget, QVBoxLayout, QWidget

from app.calibration_review import CalibrationReview
from app.context import Services
from app.gaze_stage import GazeStage
from app.texts import tr
from app.widgets.plain import label
from app.widgets.position_guide import PositionGuide
from app.widgets.stage_pages import CardPage
from calibration.animation import TargetLook
from calibration.engine_events import Ending, State
from domain.errors import UserFacingError
from workflows.calibrate import CalibrationSession
from workflows.calibration_target import HostTarget

_ENDING_HINTS = {
    Ending.NOBODY_THERE: "Sit in front of the screen and start again.",
    Ending.TRACKER_LOST: "Check its cable, then connect it again.",
    Ending.NO_ANSWER: "Unplug the tracker, plug it in again, and connect it again.",
    Ending.REFUSED: "Another program may be using the tracker.",
    Ending.SCREEN_CHANGED: "Leave screen and scaling as they are while calibrating.",
    Ending.NO_DECISION: "Calibrate again when somebody is there to look at the result.",
}


class CalibrateStage(GazeStage):
    """Runs a `CalibrationSession` until it ends; `session.record` then says what was accepted."""

    def __init__(self, services: Services, source: HostTarget, session: CalibrationSession) -> None:
        super().__init__(source, source.host.settings.display, is_playful=session.profile.has_sound)
        self.services = services
        self.session = session
        self._last_state = State.IDLE
        self._pages = QStackedWidget()
        self._guide = PositionGuide()
        self._blank = QWidget()
        self._card = CardPage()
        plane = source.plane
        width, height = self.display.size_px
        self.review = CalibrationReview(
            aspect=width / height, norm_per_deg=plane.norm_per_deg(self.display.distance_mm)
        )
        self._position_page = self._make_position_page()
        for page in (self._blank, self._position_page, self.review, self._card):
            self._pages.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._pages)
        self._blank.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._blank.hide()
        self.review.accepted.connect(self._on_accepted)
        self.review.redo_point.connect(self.session.redo_point)
        self.review.redo_all.connect(self.session.redo_all)
        self.review.validate_again.connect(self.session.validate_again)
        self.review.cancelled.connect(self.session.cancel)
        self._bind()
        session.start()

    # the stage

    def tick(self) -> None:
        """One frame of the calibration."""
        self.session.tick()
        state = self.session.state
        if state is not self._last_state:
            self._on_state(state)
            self._last_state = state
        if self.session.is_in_review:
            if self._pages.currentWidget() is not self.review:
                self.review.show_attempts(self.session.reviewed())
                self._show(self.review)
        elif state is State.POSITION:
            self._guide.show_head(self.session.head)
            self._show(self._position_page)
        elif state is State.ENDED:
            self._on_ended()
        else:
            self._show(self._blank)

    def look(self) -> TargetLook | None:
        """The target, while targets are shown."""
        return self.session.look() if self._pages.currentWidget() is self._blank else None

    def on_screen_changed(self) -> None:
        """Nothing measured so far belongs to this screen."""
        self.session.screen_changed()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._pages.currentWidget() is not self._blank:
            return
        words = ""
        if self.session.state is State.ENTERING:
            words = tr("The tracker gets ready…")
        elif self.session.state is State.COMPUTE:
            words = tr("Computing…")
        if words:
            painter = QPainter(self)
            painter.setPen(QColor("#9AA6B3"))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, words)
            painter.end()

    # what people do

    def _bind(self) -> None:
        doing = {
            "calibrate.accept": self._on_enter,
            "calibrate.look": self._on_look,
            "calibrate.skip": self.session.operator_skips,
            "calibrate.next_point": lambda: self.review.step_point(1),
            "calibrate.previous_point": lambda: self.review.step_point(-1),
            "calibrate.redo_point": self.review.repeat_point,
            "calibrate.redo_all": self.session.redo_all,
            "calibrate.validate": self.session.validate_again,
            "calibrate.attempt": self.review.next_attempt,
            "calibrate.cancel": self.on_escape,
        }
        for action_id, slot in doing.items():
            self.services.actions.bind(self, action_id, slot)

    def _on_enter(self) -> None:
        if self._pages.currentWidget() is self._card:
            self.finish()
        elif self.session.is_in_review:
            self.review.accept()
        else:
            self.session.operator_accepts()

    def _on_look(self) -> None:
        if not self.session.is_in_review:
            self.session.key()

    def on_escape(self) -> None:
        """Stop, or close the card that says why it stopped."""
        if self._pages.currentWidget() is self._card:
            self.finish()
        else:
            self.session.cancel()

    def _on_accepted(self, number: int, reason: str) -> None:
        try:
            self.session.accept(number, override_reason=reason)
        except UserFacingError as problem:
            self.services.show_error(problem)

    # inside

    def _on_state(self, state: State) -> None:
        if state is State.TRAVEL and self.session.profile.has_sound:
            QApplication.beep()

    def _on_ended(self) -> None:
        ending = self.session.engine.ending
        hint = _ENDING_HINTS.get(ending) if ending is not None else None
        if hint is None or ending is None:
            self.finish()
            return
        if self._pages.currentWidget() is self._card:
            return
        words = [tr(hint)]
        engine = self.session.engine
        if not engine.is_mode_left:
            words.append(tr("The tracker did not confirm that it left calibration mode; connect it again before use."))
        elif engine.is_restored:
            words.append(tr("The calibration of before is in force again."))
        if engine.problem:
            words.insert(0, engine.problem)
        self._card.say(tr("The calibration has stopped"), "\n".join(words), tr("Enter goes back"))
        self._show(self._card)

    def _show(self, page: QWidget) -> None:
        if self._pages.currentWidget() is page and self._pages.isVisible() == (page is not self._blank):
            return
        self._pages.setCurrentWidget(page)
        # The target is painted by the stage itself, so the blank page must not cover it.
        self._pages.setVisible(page is not self._blank)
        is_for_reading = page in (self.review, self._card)
        self.setCursor(Qt.CursorShape.ArrowCursor if is_for_reading else Qt.CursorShape.BlankCursor)
        if page is not self.review:
            self.setFocus()

    def _make_position_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 60, 0, 40)
        column.setSpacing(18)
        heading = label(tr("Sit comfortably, so that both eyes lie in the frame"), "title")
        heading.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._guide.setFixedSize(640, 400)
        keys = label(tr("Starts by itself once the position is good · Enter starts now · Esc stops"), "muted")
        keys.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addStretch(1)
        column.addWidget(heading)
        column.addWidget(self._guide, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(keys)
        column.addStretch(1)
        return page
