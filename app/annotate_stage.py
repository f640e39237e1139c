"""The full-screen stage on which images are looked at: black, image centred, nothing on the image."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from enum import Enum
from functools import partial

import numpy as np
from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QColor, QKeyEvent, QPainter, QPaintEvent, QScreen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.colour_maps import LEVEL_COLOURS
from app.context import Services
from app.full_screen import fill_screen
from app.key_overlay import KeyOverlay
from app.texts import tr
from app.widgets.image_canvas import ImageCanvas
from app.widgets.layers import Layer, MaskLayer, OutlineLayer
from app.widgets.plain import ElidedLabel, button, label
from app.widgets.quality_chip import QualityChip
from app.widgets.stage_pages import CardPage, StartTargetPage
from app.widgets.viewer import PeekFilter, bind_view_actions
from calibration.drift import DriftSchedule
from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress
from domain.pixels import ImagePixels
from domain.study import Outcome
from domain.view import ImageView
from storage.study import Study
from workflows.annotate_images import (
    AWAY_AFTER_S,
    CLUTCH_DOWN,
    CLUTCH_UP,
    PAUSED,
    RESUMED,
    AnnotationSession,
    LabelMaker,
    Look,
    LookResult,
    store_look,
)
from workflows.edit_history import Decision
from workflows.worklist import WorklistRow

_log = logging.getLogger(__name__)
BAR_HEIGHT = 56
START_TARGET_MS = 700
POLL_MS = 40
_CORNERS = ((0.05, 0.1), (0.95, 0.1), (0.05, 0.9), (0.95, 0.9))
SKIP_REASONS = ("The image is not good enough", "I am not sure", "This image does not belong here", "Another reason")
_HINTED_IMAGES = 3


class Phase(str, Enum):
    """Where the annotator is with an image."""

    OPENING = "opening"
    CARD = "card"
    START_TARGET = "start target"
    LOOKING = "looking"
    WORKING = "working"
    RESULT = "result"
    PAUSED = "paused"
    REST = "rest"
    SKIP = "skip"
    LOST = "tracker lost"
    DONE = "done"


class AnnotateStage(QWidget):
    """Leads through the images of a list; `left` says that the annotator wants out."""

    phase_changed = Signal(str)
    left = Signal()
    wants_correction = Signal(str)
    image_shown = Signal(str)
    mask_shown = Signal(str)

    def __init__(
        self, services: Services, session: AnnotationSession, rows: list[WorklistRow], target: str, *, clutch: bool
    ) -> None:
        super().__init__()
        self.services = services
        self.session = session
        self.phase = Phase.OPENING
        self.result: LookResult | None = None
        self._rows = rows
        self._place = 0
        self._target = target
        self._clutch = clutch
        self._labels = LabelMaker(services.open_study.settings.labels)
        self._pixels: dict[str, ImagePixels] = {}
        self._trial_id = ""
        self._before_pause = Phase.CARD
        self._n_since_rest = 0
        self._rested_at_s = self._checked_at_s = time.monotonic()
        self._n_since_check = 0
        self._away_s = self._paused_at_s = 0.0
        self._key_at_s = 0.0
        self._overlay: KeyOverlay | None = None
        self.seconds_to_mask: list[float] = []
        self.seconds_to_image: list[float] = []
        self._preparing_s = 0.0
        self.start_target_ms = START_TARGET_MS
        self.canvas = ImageCanvas(margin=0.0)
        self._build()
        self._bind()
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._on_poll)
        self._start_timer = QTimer(self)
        self._start_timer.setSingleShot(True)
        self._start_timer.timeout.connect(self._show_image)
        self.canvas.view_changed.connect(self._on_view_changed)
        self.canvas.window_changed.connect(lambda _window: self._on_view_changed(self.canvas.view))
        self.canvas.painted.connect(self._on_painted)

    @property
    def image_id(self) -> str:
        """The image that is looked at or was looked at last."""
        return self._row().image_id

    @property
    def is_recording(self) -> bool:
        """Whether the image is on the screen and gaze is counted for it."""
        return self.phase is Phase.LOOKING and self._trial_id not in ("", "pending")

    @property
    def is_prepared(self) -> bool:
        """Whether the refiner has seen the image that is looked at."""
        return self._labels.is_prepared(self.image_id)

    # opening and closing

    def open_on(self, screen: QScreen) -> None:
        """Fill the screen and open the tracker beside it."""
        fill_screen(self, screen)
        self.setFocus()
        self._open_tracker()

    def _open_tracker(self) -> None:
        self._go_to(Phase.OPENING)
        self._card.say(tr("Opening the tracker…"), "", "")
        self.services.tasks.start(
            tr("Opening the tracker"),
            lambda _report, _cancel: self.session.open(),
            on_done=lambda _none: self._on_open(),
            on_failed=self._on_open_failed,
        )

    def _on_open(self) -> None:
        self._poll.start()
        self._show_instruction()

    def _on_open_failed(self, error: BaseException) -> None:
        hint = error.hint if isinstance(error, UserFacingError) else str(error)
        message = error.message if isinstance(error, UserFacingError) else tr("The tracker cannot be opened.")
        self._go_to(Phase.LOST)
        self._card.say(message, hint, tr("Enter tries again · Esc goes back"))

    def resume(self, screen: QScreen) -> None:
        """Come back from the correct screen; the image that was corrected is done."""
        fill_screen(self, screen)
        self.setFocus()
        self._next()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._poll.stop()
        self._start_timer.stop()
        super().closeEvent(event)

    # building

    def _build(self) -> None:
        self.setWindowTitle(tr("Sightline"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._card, self._start_target = CardPage(), StartTargetPage()
        self._middle = QStackedWidget()
        for widget in (self._card, self._start_target, self.canvas):
            self._middle.addWidget(widget)
        self._top_words, self._top_right = label("", "muted"), label("", "muted")
        self._chip = QualityChip()
        top = QHBoxLayout()
        top.setContentsMargins(24, 0, 24, 0)
        top.setSpacing(28)
        top.addWidget(self._top_words)
        top.addWidget(self._chip, 1)
        top.addStretch(0)
        top.addWidget(self._top_right)
        self._top = _bar(top)
        self._remark = ElidedLabel("muted")
        self._buttons = self._result_buttons()
        bottom = QHBoxLayout()
        bottom.setContentsMargins(24, 0, 24, 0)
        bottom.setSpacing(16)
        bottom.addWidget(self._remark, 1)
        bottom.addWidget(self._buttons)
        self._bottom = _bar(bottom)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        # The stage is as large as its screen; what it holds never asks for more.
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetNoConstraint)
        column.addWidget(self._top)
        column.addWidget(self._middle, 1)
        column.addWidget(self._bottom)

    def _result_buttons(self) -> QWidget:
        holder = QWidget()
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        actions = self.services.actions
        for action_id, text, slot in (
            ("annotate.undo", tr("Undo"), self.undo),
            ("annotate.again", tr("Look again"), self.look_again),
            ("annotate.no_target", tr("No target"), self.no_target),
            ("annotate.skip", tr("Skip"), self.skip),
            ("annotate.flag", tr("Flag"), self.flag),
            ("annotate.correct", tr("Correct"), self.correct),
        ):
            made = button(text, slot, role="quiet", icon_name=actions.get(action_id).icon)
            made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            actions.decorate(made, action_id)
            line.addWidget(made)
        self._accept = button(tr("Accept, next"), self.go_on, role="primary", icon_name="check")
        self._accept.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        actions.decorate(self._accept, "annotate.go_on")
        line.addWidget(self._accept)
        return holder

    def _bind(self) -> None:
        bind = self.services.actions.bind
        slots: dict[str, Callable[[], object]] = {
            "annotate.go_on": self.go_on,
            "annotate.again": self.look_again,
            "annotate.no_target": self.no_target,
            "annotate.skip": self.skip,
            "annotate.flag": self.flag,
            "annotate.correct": self.correct,
            "annotate.undo": self.undo,
            "annotate.pause": self.pause,
            "annotate.leave": self.leave,
            "annotate.drift": self.drift_check,
        }
        for action_id, slot in slots.items():
            bind(self, action_id, slot)
        bind(self, "help.keys", self._show_keys)
        bind_view_actions(self, self.canvas, self.services.actions)
        PeekFilter(self, self.canvas, self.services.actions)

    # what the annotator does

    def go_on(self) -> None:
        """Enter: start, finish looking, accept, go on after a pause."""
        steps: dict[Phase, Callable[[], object]] = {
            Phase.CARD: self._begin_image,
            Phase.START_TARGET: self._show_image,
            Phase.LOOKING: self.finish_look,
            Phase.RESULT: self._accept_or_repeat,
            Phase.PAUSED: self._resume,
            Phase.REST: self._end_rest,
            Phase.LOST: self._open_again,
            Phase.DONE: self.leave,
        }
        step = steps.get(self.phase)
        if step is not None:
            step()

    def finish_look(self) -> None:
        """The annotator has seen enough of the image."""
        self._end_look(Outcome.TARGET)

    def no_target(self) -> None:
        """There is no target in this image: an answer of its own."""
        if self.phase is Phase.LOOKING:
            self._end_look(Outcome.NO_TARGET)
        elif self.phase is Phase.RESULT and self.result is not None:
            desk, place = self.services.desk, self._image_place()
            desk.change(place, np.zeros_like(desk.mask(place)), "no target")
            desk.accept(place, outcome=Outcome.NO_TARGET, origin="gaze")
            self._after_decision()

    def look_again(self) -> None:
        """Look at the same image once more; the look before stays in the record."""
        if self.phase is Phase.LOOKING:
            self._drop_look("again")
        if self.phase in (Phase.RESULT, Phase.LOOKING, Phase.SKIP):
            self._begin_image()

    def skip(self) -> None:
        """Ask for a reason, then go on without an answer."""
        if self.phase in (Phase.LOOKING, Phase.RESULT):
            if self.phase is Phase.LOOKING:
                self._drop_look("skip")
            self._go_to(Phase.SKIP)
            lines = "\n".join(f"{n}   {tr(reason)}" for n, reason in enumerate(SKIP_REASONS, start=1))
            self._card.say(tr("Skip this image?"), lines, tr("Press a number · Backspace looks again"))

    def flag(self) -> None:
        """Keep the mask and ask for a second look by somebody."""
        if self.phase is Phase.RESULT:
            self.services.desk.flag(self._image_place(), "")
            self._after_decision()

    def correct(self) -> None:
        """Correct the mask by hand."""
        if self.phase is Phase.RESULT:
            self.hide()
            self.wants_correction.emit(self._row().image_id)

    def undo(self) -> None:
        """Take back the last decision and show its image again, with the mask it had."""
        if self.phase not in (Phase.RESULT, Phase.CARD, Phase.DONE, Phase.REST):
            return
        edit = self.services.desk.undo()
        while edit is not None and not isinstance(edit, Decision):
            edit = self.services.desk.undo()
        if edit is None:
            return
        found = next((n for n, row in enumerate(self._rows) if row.image_id == edit.place[0]), None)
        if found is not None:
            self._place = found
            self._begin_image()

    def pause(self) -> None:
        """Stop counting gaze and hide the image until Enter."""
        if self.phase in (Phase.LOOKING, Phase.RESULT, Phase.CARD):
            self._pause(tr("Paused"), tr("Nothing is lost. Take your time."))

    def leave(self) -> None:
        """Out of the stage; what is recorded stays."""
        if self.phase is Phase.LOOKING:
            self._drop_look("leave")
        self._start_timer.stop()
        self.left.emit()

    def drift_check(self) -> None:
        """Look at a dot for half a second to see how far the gaze is off."""
        check = self.services.drift_check
        if check is not None and self.phase in (Phase.RESULT, Phase.CARD, Phase.REST):
            check(self, self.session)

    # phases

    def _show_instruction(self) -> None:
        protocol = self.services.open_study.settings.protocol
        if not self._rows:
            self._finish()
            return
        self._go_to(Phase.CARD)
        how = (
            tr("Hold {key} while you look at the target.").format(
                key=self.services.actions.shown_keys("annotate.clutch")
            )
            if self._clutch
            else tr("Gaze is recorded from the moment the image appears until you press Enter.")
        )
        words = (
            f"{tr('Target')}: {self._target}\n\n"
            + tr("1   Find the target.")
            + "\n"
            + tr("2   Look over all of it, from its centre to its border.")
            + (f"\n\n{protocol.instruction}" if protocol.instruction != type(protocol)().instruction else "")
            + f"\n\n{how}"
        )
        keys = tr("Enter starts · N no target in this image · F1 all keys · Esc goes back")
        self._card.say(tr("Look at each image in two steps"), words, keys)

    def _begin_image(self) -> None:
        began_s = time.perf_counter()
        row = self._row()
        pixels = self._pixels_of(row.image_id)
        self._go_to(Phase.START_TARGET)
        self.canvas.set_pixels(pixels, keep_view=self.services.settings.lock_view)
        self.canvas.set_layers({})
        corner = _CORNERS[hash_of(row.image_id) % len(_CORNERS)]
        self._start_target.move_to(corner)
        self._start_timer.start(self.start_target_ms)
        image_u8 = pixels.display_u8(self.canvas.view.slice_index if self.canvas.view else 0)
        self.services.tasks.start(
            "",
            lambda _report, cancel: self._labels.prepare(row.image_id, image_u8, cancel=cancel),
            on_failed=lambda error: _log.info("the refiner was not prepared: %s", error),
        )
        self._prefetch()
        self._preparing_s = time.perf_counter() - began_s

    def _show_image(self) -> None:
        if self.phase is not Phase.START_TARGET:
            return
        self._start_timer.stop()
        self._trial_id = ""
        self._key_at_s = time.perf_counter()
        self._go_to(Phase.LOOKING)
        self.canvas.setFocus()

    def _on_painted(self) -> None:
        if self.phase is Phase.LOOKING and not self._trial_id:
            # The backing store goes to the screen when this paint returns; the next turn of the loop is after it.
            self._trial_id = "pending"
            self.seconds_to_image.append(self._preparing_s + time.perf_counter() - self._key_at_s)
            QTimer.singleShot(0, self, self._begin_trial)

    def _begin_trial(self) -> None:
        view = self.canvas.screen_view()
        if self.phase is not Phase.LOOKING or view is None:
            return
        row = self._row()
        self._trial_id = self.session.begin(row.image_id, self._target, view, clutch=self._clutch)
        self.image_shown.emit(row.image_id)

    def _end_look(self, outcome: Outcome) -> None:
        if self._trial_id in ("", "pending"):
            return
        self._key_at_s = time.perf_counter()
        look = self.session.end(outcome=outcome)
        self._trial_id = ""
        self._go_to(Phase.WORKING)
        pixels, view = self._pixels_of(look.image_id), self.canvas.view
        image_u8 = pixels.display_u8(view.slice_index if view is not None else 0)
        protocol, annotator = self.services.open_study.settings.protocol, self.services.annotator
        self.services.tasks.start(
            "",
            lambda report, cancel: self._labels.make(
                protocol, annotator, look, image_u8, on_progress=report, cancel=cancel
            ),
            on_done=lambda result: self._on_labels(look, result),
        )

    def _on_labels(self, look: Look, result: LookResult) -> None:
        self.result = result
        desk, study = self.services.desk, self.services.open_study
        desk.store(lambda: store_look(study, result))
        desk.start_over(look.image_id, look.target, np.asarray(result.maps.levels[0]))
        self._go_to(Phase.RESULT)
        self._show_result(result)
        self.canvas.repaint()
        self.seconds_to_mask.append(time.perf_counter() - self._key_at_s)
        self.mask_shown.emit(look.image_id)
        self.services.trial_saved.emit(look.image_id)

    def _show_result(self, result: LookResult) -> None:
        layers: dict[str, Layer] = {}
        levels = result.maps.levels
        for number in range(len(levels) - 1, 0, -1):
            colour = LEVEL_COLOURS[number % len(LEVEL_COLOURS)]
            layers[f"level {number + 1}"] = OutlineLayer(levels[number], colour, is_dashed=True)
        layers["mask"] = MaskLayer(levels[0], LEVEL_COLOURS[0])
        self.canvas.set_layers(layers)
        self._chip.show_result(result)
        counts = result.verdict != "stop"
        remark = result.remarks[0] if result.remarks else ""
        if result.record.outcome is Outcome.NO_TARGET:
            remark = tr("You said: no target in this image.")
        if not counts:
            remark = tr("Too much gaze is missing. Enter looks again; F keeps it and flags it.")
        self._remark.say(remark)
        self._accept.setText(tr("Accept, next") if counts else tr("Look again"))

    def _accept_or_repeat(self) -> None:
        if self.result is None:
            return
        if self.result.verdict == "stop":
            self.look_again()
            return
        self.services.desk.accept(self._image_place(), outcome=self.result.record.outcome, origin="gaze")
        self._after_decision()

    def _after_decision(self) -> None:
        self.services.trial_saved.emit(self._row().image_id)
        self._labels.forget(self._row().image_id)
        self._n_since_rest += 1
        self._n_since_check += 1
        self._next()

    def _next(self) -> None:
        self._place += 1
        protocol = self.services.open_study.settings.protocol
        if self._place >= len(self._rows):
            self._finish()
        elif (
            self._n_since_rest >= protocol.rest_after_images
            or time.monotonic() - self._rested_at_s >= protocol.rest_after_min * 60
        ):
            self._rest()
        else:
            self._check_or_begin()

    def _check_or_begin(self) -> None:
        """The next image, after a drift check where one is due: every N images, every M minutes, after an absence."""
        check, every = self.services.drift_check, self.services.open_study.settings.protocol.drift_check_every
        why = DriftSchedule(every_images=every).why_due(
            n_images=self._n_since_check,
            since_check_s=time.monotonic() - self._checked_at_s,
            away_s=self._away_s,
        )
        self._away_s = 0.0
        if check is None or not every or not why:
            self._begin_image()
            return
        self._n_since_check, self._checked_at_s = 0, time.monotonic()
        self._go_to(Phase.CARD)
        self._card.say(tr("Drift check"), tr("Look at the dot until it disappears."), tr("Enter goes on"))
        check(self, self.session)

    def _rest(self) -> None:
        self._paused_at_s = time.monotonic()
        self._go_to(Phase.REST)
        words = tr("{n} images are done. Look into the distance for a minute; blink; move your shoulders.")
        self._card.say(
            tr("Time for a rest"), words.format(n=self._n_since_rest), tr("Enter goes on · Esc ends for today")
        )

    def _end_rest(self) -> None:
        self._n_since_rest = 0
        self._rested_at_s = time.monotonic()
        self._away_s += time.monotonic() - self._paused_at_s
        self._check_or_begin()

    def _finish(self) -> None:
        self._go_to(Phase.DONE)
        self._card.say(
            tr("All images are done"), tr("Thank you. Everything is saved."), tr("Enter goes back to the worklist")
        )

    def _pause(self, heading: str, words: str) -> None:
        self._paused_at_s = time.monotonic()
        self._before_pause = self.phase
        if self.phase is Phase.LOOKING:
            self.session.shut(PAUSED)
        self._go_to(Phase.PAUSED)
        self._card.say(heading, words, tr("Enter goes on · Esc goes back to the worklist"))

    def _resume(self) -> None:
        self._away_s += time.monotonic() - self._paused_at_s
        self._go_to(self._before_pause)
        if self.phase is Phase.LOOKING:
            self.session.reopen(RESUMED)

    def _open_again(self) -> None:
        if not self.session.is_open:
            self._open_tracker()
        elif self.session.is_alive:
            self._show_instruction()

    def _drop_look(self, why: str) -> None:
        if self._trial_id not in ("", "pending"):
            self.session.key(why)
            self.session.end()
        self._trial_id = ""

    # while it runs

    def _on_poll(self) -> None:
        if not self.session.is_open:
            return
        if not self.session.is_alive:
            self._on_tracker_lost()
            return
        self.session.poll()
        if self.is_recording and self.session.seconds_without_eyes() >= AWAY_AFTER_S:
            self._pause(tr("Are you there?"), tr("The tracker has not seen your eyes for two seconds."))

    def _on_tracker_lost(self) -> None:
        self._poll.stop()
        if self.is_recording:
            self._end_look(Outcome.TARGET)  # what there is, is kept
            return
        self._go_to(Phase.LOST)
        self._card.say(
            tr("The tracker is gone"),
            tr("What was recorded is kept. Check its cable, then go on."),
            tr("Esc goes back to the worklist"),
        )

    def _on_view_changed(self, _view: ImageView | None) -> None:
        view = self.canvas.screen_view()
        if self.is_recording and view is not None:
            window = self.canvas.grey_window
            payload = {"window": list(window) if window is not None else None, "inverted": self.canvas.is_inverted}
            self.session.change_view(view, payload=payload)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.phase is Phase.SKIP and event.text() in "1234" and event.text():
            self.services.desk.skip(self._image_place_begun(), SKIP_REASONS[int(event.text()) - 1])
            self._after_decision()
        elif self._clutch and not event.isAutoRepeat() and self.services.actions.matches("annotate.clutch", event):
            self.session.reopen(CLUTCH_DOWN)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if self._clutch and not event.isAutoRepeat() and self.services.actions.matches("annotate.clutch", event):
            self.session.shut(CLUTCH_UP)
        else:
            super().keyReleaseEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow() and self._clutch:
            self.session.shut(CLUTCH_UP)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(0, 0, 0))
        painter.end()

    # inside

    def _go_to(self, phase: Phase) -> None:
        self.phase = phase
        pages: dict[Phase, QWidget] = {
            Phase.START_TARGET: self._start_target,
            Phase.LOOKING: self.canvas,
            Phase.WORKING: self.canvas,
            Phase.RESULT: self.canvas,
        }
        self._middle.setCurrentWidget(pages.get(phase, self._card))
        is_result = phase is Phase.RESULT
        self._chip.setVisible(is_result)
        self._buttons.setVisible(is_result)
        self._remark.setVisible(is_result or phase is Phase.LOOKING)
        self._say_around(phase)
        if phase is not Phase.LOOKING or self._middle.currentWidget() is not self.canvas:
            self.setFocus()
        self.phase_changed.emit(phase.value)

    def _say_around(self, phase: Phase) -> None:
        is_quiet = phase in (Phase.START_TARGET, Phase.LOOKING, Phase.OPENING, Phase.DONE)
        if self._rows and self._place < len(self._rows):
            words = tr("{name} · {n} of {total} · {target}").format(
                name=self._row().shown_name, n=self._place + 1, total=len(self._rows), target=self._target
            )
            self._top_words.setText("" if is_quiet else words)
        self._top_right.setText(tr("simulated gaze") if self.session.is_simulated and not is_quiet else "")
        if phase is Phase.LOOKING:
            hint = tr("Enter when you have seen all of it · N no target") if self._place < _HINTED_IMAGES else ""
            self._remark.say(hint)

    def _row(self) -> WorklistRow:
        return self._rows[min(self._place, len(self._rows) - 1)]

    def _image_place(self) -> tuple[str, str]:
        return self._row().image_id, self._target

    def _image_place_begun(self) -> tuple[str, str]:
        self.services.desk.open(self._row().image_id, self._target)
        return self._image_place()

    def _pixels_of(self, image_id: str) -> ImagePixels:
        if image_id not in self._pixels:
            self._pixels[image_id] = self.services.open_study.pixels(image_id)
        return self._pixels[image_id]

    def _prefetch(self) -> None:
        wanted = [row.image_id for row in self._rows[self._place : self._place + 2]]
        for image_id in list(self._pixels):
            if image_id not in wanted:
                del self._pixels[image_id]
        missing = [image_id for image_id in wanted if image_id not in self._pixels]
        study = self.services.open_study
        for image_id in missing:
            self.services.tasks.start(
                "",
                partial(_read_image, study, image_id),
                on_done=self._on_prefetched,
                on_failed=lambda error: _log.warning("the next image cannot be read: %s", error),
            )

    def _on_prefetched(self, found: tuple[str, ImagePixels]) -> None:
        self._pixels[found[0]] = found[1]

    def _show_keys(self) -> None:
        if self.phase is Phase.LOOKING:
            return
        if self._overlay is None:
            self._overlay = KeyOverlay(self.services.actions, self)
        self._overlay.open_for("annotate")


def _read_image(study: Study, image_id: str, _report: OnProgress, _cancel: CancelToken) -> tuple[str, ImagePixels]:
    return image_id, study.pixels(image_id)


def hash_of(text: str) -> int:
    """A small number from a text, the same on every run."""
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(text))


def _bar(line: QHBoxLayout) -> QFrame:
    bar = QFrame()
    bar.setFixedHeight(BAR_HEIGHT)
    bar.setLayout(line)
    return bar
