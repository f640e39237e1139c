"""Set up the tracker: which one, on which screen, how far away; position guide; calibrate, validate, check."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timezone
from typing import ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout

from acquisition.host import TrackerHost
from acquisition.tracker import TrackerSettings
from app.calibrate_stage import CalibrateStage
from app.context import Services, TrackerChoice
from app.drift_stage import DriftStage, ValidateStage
from app.drift_words import drift_words
from app.full_screen import screen_named
from app.gaze_stage import GazeStage
from app.screen import Screen, screens
from app.texts import tr
from app.widgets.calibration_card import CalibrationCard
from app.widgets.plain import card, label, page, set_state
from app.widgets.position_guide import PositionGuide
from app.widgets.tracker_form import TrackerForm
from calibration.drift import FIVE_DOTS, ONE_DOT, DriftLog
from calibration.position import head_position
from domain.calibration import CalibrationRecord, Point
from domain.errors import TrackerError
from storage.calibration_file import CalibrationStore
from workflows.calibrate import CalibrationSession, calibrations_folder
from workflows.calibration_target import HostTarget
from workflows.drift_check import DriftRun, undo_correction
from workflows.find_trackers import find_trackers
from workflows.set_up_tracker import can_calibrate, geometry_objection, open_tracker, put_in_force, stored_calibration
from workflows.validate import ValidationRun

_log = logging.getLogger(__name__)
GUIDE_MS = 33
CARD_EVERY_S = 20
RATE_WINDOW_MS = 3000.0
MAX_LOSS = 0.2


@screens.register("tracker")
class TrackerScreen(Screen):
    """The page on which one gets ready; what it opens stays open for the annotation."""

    title: ClassVar[str] = "Tracker"
    icon: ClassVar[str] = "tracker"
    order: ClassVar[int] = 30
    needs_study: ClassVar[bool] = False

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.stage: GazeStage | None = None
        self.source: HostTarget | None = None
        self.record: CalibrationRecord | None = None
        self.drift_log = DriftLog()
        self._has_searched = False
        self._is_opening = self._lost_calibration = False
        self._n_revivals = 0
        self._stored: CalibrationRecord | None = None
        self._guide_timer, self._card_timer = QTimer(self), QTimer(self)
        self._guide_timer.setInterval(GUIDE_MS)
        self._guide_timer.timeout.connect(self._on_frame)
        self._card_timer.setInterval(CARD_EVERY_S * 1000)
        self._card_timer.timeout.connect(self._show_calibration)
        self._build()
        services.annotator_changed.connect(self._on_annotator_changed)
        for action_id, slot in {
            "tracker.connect": self.connect_tracker,
            "tracker.calibrate": self.calibrate,
            "tracker.validate": self.validate,
            "tracker.drift": self.check_drift,
            "tracker.drift_five": lambda: self.check_drift(FIVE_DOTS),
            "tracker.undo_drift": self.undo_drift,
        }.items():
            services.actions.bind(self, action_id, slot)

    # screen

    def on_shown(self, **arguments: object) -> None:
        self.form.fill_screens()
        self._show_calibration()
        self._guide_timer.start()
        self._card_timer.start()
        if not self._has_searched:
            self.search()

    def on_hidden(self) -> None:
        self._guide_timer.stop()
        self._card_timer.stop()

    def can_leave(self) -> bool:
        return self.stage is None

    def close_screen(self) -> None:
        self.on_hidden()
        if self.stage is not None:
            self.stage.close()
        self.disconnect_tracker()

    # trackers

    def search(self) -> None:
        """Look for trackers beside the window; the simulated eye and the mouse are there at once."""
        self._has_searched = True
        self.form.show_search()
        self.services.tasks.start(
            "",
            lambda _report, _cancel: find_trackers(),
            on_done=self.form.show_found,
            on_failed=lambda error: self.form.show_search_failed(str(error)),
        )

    def connect_tracker(self) -> None:
        """Open the chosen tracker on the chosen screen, beside the window."""
        if self._is_opening or self.stage is not None:
            return
        self.form.remember_geometry()
        self.disconnect_tracker()
        form = self.form
        settings = TrackerSettings(driver=form.driver, address=form.address, rate_hz=form.rate_hz, display=form.display)
        self._is_opening = True
        self._show_calibration()
        self.services.tasks.start(
            tr("Opening the tracker"),
            lambda _report, _cancel: open_tracker(settings),
            on_done=self._on_opened,
            on_failed=self._on_open_failed,
        )

    def disconnect_tracker(self) -> None:
        """Let the tracker go."""
        source, self.source = self.source, None
        self.record = None
        self.drift_log = DriftLog()
        if source is not None:
            if self.services.host is source.host:
                self.services.host = None
            source.close()

    # what one comes for

    def calibrate(self) -> None:
        """Calibrate in full screen."""
        source = self._ready()
        if source is None or not can_calibrate(source.host.info):
            return
        session = CalibrationSession(
            source,
            profile=self.form.profile,
            annotator=self.services.annotator,
            distance_mm=self.form.display.distance_mm,
            store=CalibrationStore(calibrations_folder()),
            is_simulated=source.host.info.is_simulated,
            seed=int(datetime.now(timezone.utc).timestamp()),
        )
        stage = CalibrateStage(self.services, source, session)
        self._open_stage(stage, lambda: self._on_calibrated(session))

    def validate(self) -> None:
        """Validate what is in force on fresh points."""
        source = self._ready()
        if source is None:
            return
        calibrated = self.record.points if self.record is not None else ()
        profile, distance = self.form.profile, self.form.display.distance_mm
        run = ValidationRun(source, profile=profile, calibrated=calibrated, distance_mm=distance)
        self._open_stage(ValidateStage(self.services, source, run), lambda: None)

    def check_drift(self, points: tuple[Point, ...] = ONE_DOT) -> None:
        """Look at one dot, or at five."""
        source = self._ready()
        if source is None:
            return
        profile, distance = self.form.profile, self.form.display.distance_mm
        run = DriftRun(source, points=points, profile=profile, distance_mm=distance, reason="asked for")
        stage = DriftStage(self.services, source, run, self.drift_log)
        stage.wants_calibration.connect(lambda: QTimer.singleShot(0, self, self.calibrate))
        self._open_stage(stage, lambda: None)

    def undo_drift(self) -> None:
        """Take the newest drift correction back, for what follows."""
        source = self._ready()
        if source is not None and not source.is_closed and self.drift_log.active.kind != "none":
            source.host.journal("drift_check", undo_correction(self.drift_log, time_ns=source.now_ns()))
            self._show_calibration()

    def use_stored(self) -> None:
        """Put the stored calibration in force again, beside the window: the tracker may take its time."""
        source, record = self.source, self._stored
        if source is None or record is None:
            return
        self.services.tasks.start(
            tr("Loading the calibration"),
            lambda _report, _cancel: put_in_force(source.host, record),
            on_done=lambda _none: self._on_calibration(record),
        )

    # inside

    def _ready(self) -> HostTarget | None:
        return self.source if self.stage is None else None

    def _open_stage(self, stage: GazeStage, on_end: Callable[[], None]) -> None:
        self.stage = stage
        stage.finished.connect(lambda: self._on_stage_end(stage, on_end))
        stage.open_on(screen_named(self.form.screen_name))

    def _on_stage_end(self, stage: GazeStage, on_end: Callable[[], None]) -> None:
        self.stage = None
        stage.close()
        stage.deleteLater()
        self.window().activateWindow()
        self.setFocus()
        on_end()
        self._show_calibration()

    def _on_calibrated(self, session: CalibrationSession) -> None:
        if session.record is not None:
            self._on_calibration(session.record)

    def _on_calibration(self, record: CalibrationRecord) -> None:
        self.record = record
        self.drift_log = DriftLog()
        self._announce()

    def _on_opened(self, host: TrackerHost) -> None:
        self._is_opening = False
        self._n_revivals = 0
        self.source = HostTarget(host, put_back=lambda: self._put_back(host))
        self.services.host = host
        self.services.settings.tracker = host.info.driver
        self.services.settings.annotate_screen = self.form.screen_name
        self.form.show_rates(host.info.rates_hz)
        self._announce()

    def _put_back(self, host: TrackerHost) -> None:
        """A host that was started again gets the calibration that was in force. Runs on the revival's thread."""
        if self.record is None or not can_calibrate(host.info):
            return
        try:
            put_in_force(host, self.record)
        except TrackerError as problem:
            if host.has_died:
                raise
            _log.warning("the calibration is not in force any more: %s", problem)
            self._lost_calibration = True

    def _on_open_failed(self, error: BaseException) -> None:
        self._is_opening = False
        self._show_calibration()
        self.services.show_error(error)

    def _on_geometry_changed(self) -> None:
        """A calibration belongs to the screen as it was measured."""
        self.disconnect_tracker()
        self._show_calibration()

    def _on_annotator_changed(self) -> None:
        """A calibration belongs to the eyes it was made with."""
        self.record = None
        self.drift_log = DriftLog()
        self._announce()
        self._show_calibration()

    def _announce(self) -> None:
        """Tell the other screens which tracker there is and how good its calibration is."""
        if self.source is None:
            return
        info = self.source.host.info
        validation = self.record.validation if self.record is not None else None
        summary = validation.summary(validation.graded_eye) if validation is not None else None
        self.services.set_tracker(
            TrackerChoice(
                name=info.driver,
                serial=info.serial,
                settings={"rate_hz": info.rate_hz, "address": info.address},
                calibration=self.record,
                drift=self.drift_log,
                calibrated_ns=self.source.now_ns() if self.record is not None else 0,
                verdict=validation.grade.value if validation is not None else "",
                accuracy_deg=summary.accuracy_mean_deg if summary is not None else float("nan"),
            )
        )
        self._show_calibration()

    def _on_frame(self) -> None:
        source = self.source
        if source is None:
            is_opening = self._is_opening
            words = tr("Opening the tracker…") if is_opening else tr("Connect a tracker to see where your eyes are.")
            self._guide.show_head(None, words)
            self._stream.setText("")
            return
        if source.is_closed:
            self.disconnect_tracker()
            self._show_calibration()
            return
        is_coming_back = source.revive()
        if source.n_revivals != self._n_revivals:
            self._n_revivals = source.n_revivals
            self._on_revived()
        samples = source.latest(RATE_WINDOW_MS)
        if source.is_lost() or is_coming_back:
            gone = tr("The tracker is gone. Check its cable and connect it again.")
            self._guide.show_head(None, tr("The tracker is gone. It is started again…") if is_coming_back else gone)
            set_state(self._stream, "bad")
            self._stream.setText(tr("no samples"))
            return
        head = head_position(samples, source.plane, ideal_distance_mm=source.host.settings.display.distance_mm)
        note = "" if can_calibrate(source.host.info) else tr("It needs no position and no calibration.")
        self._guide.show_head(head, note)
        nominal = source.rate_hz
        words = tr("{rate:.0f} of {nominal:.0f} Hz · lost in the last 3 s: left {left:.0%}, right {right:.0%}")
        self._stream.setText(words.format(rate=head.rate_hz, nominal=nominal, left=head.loss[0], right=head.loss[1]))
        is_slow = bool(nominal) and abs(head.rate_hz / nominal - 1) > 0.05
        set_state(self._stream, "warn" if is_slow or max(head.loss) > MAX_LOSS else "")

    def _on_revived(self) -> None:
        if self._lost_calibration:
            self._lost_calibration = False
            self.record = None
            self._announce()
        self._show_calibration()

    def _show_calibration(self) -> None:
        """The card with the calibration in force, its age and grade."""
        source, calibration = self.source, self.calibration
        words = tr("Opening…") if self._is_opening else tr("Connect again") if source is not None else tr("Connect")
        self.form.show_connection(words, is_enabled=not self._is_opening, is_first=source is None)
        self._stored = None
        calibration.offer_stored(None)
        calibration.show_correction(drift_words(self.drift_log.active, self.form.display))
        if source is None:
            calibration.allow(calibrate=False, look=False)
            calibration.say(tr("Not connected"), tr("Choose a tracker and a screen, then connect."))
            return
        info = source.host.info
        calibration.allow(calibrate=can_calibrate(info), look=True)
        if not can_calibrate(info):
            name = info.model or info.driver
            calibration.say(tr("No calibration needed"), tr("{name} is used as it is.").format(name=name))
        elif self.record is not None:
            calibration.show_record(self.record)
        else:
            self._show_uncalibrated(source)

    def _show_uncalibrated(self, source: HostTarget) -> None:
        info, display = source.host.info, source.host.settings.display
        words = [geometry_objection(info, display), tr("{name} is ready.").format(name=info.model or info.driver)]
        now = source.surroundings(self.services.annotator, distance_mm=display.distance_mm)
        record, reasons = stored_calibration(CalibrationStore(calibrations_folder()), now)
        if record is not None and reasons:
            words.append(tr("The stored calibration is stale: {why}").format(why=" ".join(reasons)))
        elif record is not None:
            self._stored = record
            self.calibration.offer_stored(record)
        words.append(tr("Calibrate before you record."))
        self.calibration.say(tr("Not calibrated"), " ".join(word for word in words if word), "warn")

    # building

    def _build(self) -> None:
        words = tr("Choose a tracker, sit well, calibrate. It takes about a quarter of a minute.")
        column, _head = page(self, tr("Tracker"), words)
        self.form = TrackerForm(self.services)
        self.form.wants_connection.connect(self.connect_tracker)
        self.form.wants_search.connect(self.search)
        self.form.geometry_changed.connect(self._on_geometry_changed)
        self.calibration = CalibrationCard(self.services.actions)
        self.calibration.wants_calibration.connect(self.calibrate)
        self.calibration.wants_validation.connect(self.validate)
        self.calibration.wants_drift_check.connect(self.check_drift)
        self.calibration.wants_five_dots.connect(lambda: self.check_drift(FIVE_DOTS))
        self.calibration.wants_undo_drift.connect(self.undo_drift)
        self.calibration.wants_stored.connect(self.use_stored)
        columns = QHBoxLayout()
        columns.setSpacing(16)
        columns.addWidget(self.form)
        right = QVBoxLayout()
        right.setSpacing(14)
        right.addWidget(self._guide_card(), 1)
        right.addWidget(self.calibration)
        columns.addLayout(right, 1)
        column.addLayout(columns, 1)

    def _guide_card(self) -> QFrame:
        frame, inside = card(margin=14, spacing=8)
        frame.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._guide = PositionGuide()
        self._stream = label("", "muted")
        self._stream.setAlignment(Qt.AlignmentFlag.AlignCenter)
        inside.addWidget(self._guide, 1)
        inside.addWidget(self._stream)
        return frame
