"""The full-screen stage on which images are looked at: black, image centred, nothing on the image."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeyEvent, QScreen

from app import stage_cards
from app.clutch_keys import ClutchKeys
from app.context import Services
from app.drift_words import stage_note
from app.full_screen import fill_screen
from app.stage_answer import StageAnswer
from app.stage_breaks import Breaks
from app.stage_cards import Card
from app.stage_frame import StageFrame
from app.stage_image import StageImage
from app.stage_list import StageList
from app.stage_look import StageLook
from app.stage_phase import Phase
from app.stage_recall import StageRecall
from app.stage_view_log import StageViewLog
from app.stage_watch import StageWatch
from app.texts import tr
from app.widgets.viewer import PeekFilter, bind_view_actions
from calibration.drift import FIVE_DOTS, ONE_DOT
from domain.calibration import Point
from domain.study import Outcome
from domain.view import ImageView
from workflows.annotate_images import PAUSED, RESUMED, AnnotationSession
from workflows.look_labels import LookResult
from workflows.worklist import WorklistRow

_HINTED_IMAGES = 3


class AnnotateStage(StageFrame):
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
        self.result: LookResult | None = None
        self._list = StageList(rows, target)
        self._clutch = clutch
        self.image = StageImage(services, self)
        self.look = StageLook(services, session, self.image, clutch=clutch, show_draft=self.show_draft, parent=self)
        self._answer = StageAnswer(services, self._list)
        self._recall = StageRecall(services, self._list, self.image, self)
        self._breaks = Breaks()
        self._before_pause = Phase.CARD
        self._has_begun = self._is_lost_in_look = False
        self._wants_out = False
        self._before_skip = Phase.CARD
        self._unreadable: Card | None = None
        self._bind()
        self.close_asked.connect(self.leave)
        self.card.chosen.connect(self._on_choice)
        if clutch:
            ClutchKeys(self, services.actions, session)
        self._watch = StageWatch(self, self.canvas, session, lambda: self.is_recording)
        self._watch.tracker_lost.connect(self._on_tracker_lost)
        self._watch.tracker_back.connect(self._on_tracker_back)
        self._watch.tracker_unusable.connect(self._on_tracker_unusable)
        self._watch.nobody_seen.connect(self._on_nobody_seen)
        self.image.arrived.connect(self._on_image_arrived)
        self.image.due.connect(self._show_image)
        self.image.is_late.connect(lambda: self.start_target.say(tr("Reading the image…")))
        self.image.unreadable.connect(self._on_image_unreadable)
        self._recall.ready.connect(self._on_recalled)
        self._recall.missing.connect(self._on_nothing_recalled)
        self._recall.failed.connect(self._on_labels_failed)
        self._recall.dropped.connect(self._go_out)
        self.look.begun.connect(self.image_shown)
        self.look.labelled.connect(self._on_labels)
        self.look.failed.connect(self._on_labels_failed)
        self.look.lost.connect(self._offer_to_reconnect)
        StageViewLog(self.canvas, session, lambda: self.is_recording, self.result_bar.remark.say)
        self.canvas.painted.connect(self._on_painted)

    @property
    def image_id(self) -> str:
        """The image that is looked at or was looked at last."""
        return self._list.image_id

    @property
    def is_recording(self) -> bool:
        """Whether the image is on the screen and gaze is counted for it."""
        return self.phase is Phase.LOOKING and self.look.is_running

    @property
    def is_prepared(self) -> bool:
        """Whether the refiner has seen the image that is looked at."""
        return self.look.is_prepared(self.image_id)

    # opening and closing

    def open_on(self, screen: QScreen) -> None:
        """Fill the screen and open the tracker beside it."""
        fill_screen(self, screen)
        self.setFocus()
        self._open_tracker()

    def _open_tracker(self) -> None:
        self._watch.stop()  # nothing reads a recording while another thread ends it
        self._show_card(Phase.OPENING, stage_cards.opening())
        was_open = self.session.is_open
        work = self.session.reconnect if was_open else self.session.open
        self.services.tasks.start(
            tr("Opening the tracker"),
            lambda _report, _cancel: work(),
            on_done=self._on_open,
            on_failed=self._on_open_failed,
        )

    def _on_open(self, _nothing: object) -> None:
        if self.services.host is not None:
            self.services.host = self.session.recording.host  # another one, where a lost tracker was opened anew
        self._watch.start()
        if self._wants_out:
            self._go_out()
        elif self._has_begun:
            self._show_card(Phase.CARD, stage_cards.tracker_back())
        else:
            self._show_instruction()

    def _on_open_failed(self, error: BaseException) -> None:
        self._put_or_go_out(Phase.LOST, stage_cards.cannot_open(error))

    def resume(self, screen: QScreen) -> None:
        """Come back from the correct screen; an image that was decided about there is done."""
        fill_screen(self, screen)
        self.setFocus()
        if self._answer.is_decided:
            self._answer.note_correction()
            self._recall.note(self.image_id, is_decided=True)
            self._next()
        else:
            self._offer_again()

    def dismiss(self) -> None:
        """Take the window away for good; the session is its owner's to close."""
        self._watch.stop()
        self.image.stop()
        super().dismiss()

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
            "annotate.drift_five": lambda: self.drift_check(FIVE_DOTS),
            "annotate.undo_drift": self.undo_drift,
        }
        self.build(self.services.actions, slots)
        for action_id, slot in slots.items():
            bind(self, action_id, slot)
        bind(self, "help.keys", self.show_keys)
        bind_view_actions(self, self.canvas, self.services.actions)
        PeekFilter(self, self.canvas, self.services.actions)

    # what the annotator does

    def go_on(self) -> None:
        """Enter: start, finish looking, accept, go on after a pause."""
        steps: dict[Phase, Callable[[], object]] = {
            Phase.CARD: self._begin_or_offer,
            Phase.START_TARGET: self.image.go_on,
            Phase.LOOKING: lambda: self._end_look(Outcome.TARGET),
            Phase.RESULT: self._accept_or_repeat,
            Phase.PAUSED: self._resume,
            Phase.REST: self._end_rest,
            Phase.LOST: self._open_tracker,
            Phase.DONE: self.leave,
        }
        if self.phase in steps:
            steps[self.phase]()

    def no_target(self) -> None:
        """There is no target in this image: an answer of its own."""
        if self.phase is Phase.LOOKING:
            self._end_look(Outcome.NO_TARGET)
        elif self.phase is Phase.RESULT and self.result is not None and self.has_seen():
            self._answer.no_target()
            self._after_decision()

    def look_again(self) -> None:
        """Look at the same image once more; the look before stays in the record."""
        if self.phase in (Phase.RESULT, Phase.LOOKING, Phase.SKIP):
            self.look.drop("again")
            self._begin_image()

    def skip(self) -> None:
        """Ask for a reason, then go on without an answer; a look under way waits meanwhile."""
        if self.phase in (Phase.LOOKING, Phase.RESULT) or (self.phase is Phase.CARD and self._unreadable is not None):
            self._before_skip = self.phase
            if self.phase is Phase.LOOKING:
                self.session.shut(PAUSED)
            self._show_card(Phase.SKIP, stage_cards.skip())

    def _on_choice(self, number: int) -> None:
        """A line of the skip card: a reason, or (0) not to skip."""
        if self.phase is not Phase.SKIP:
            return
        if number:
            self.look.drop("skip")
            self._answer.skip(number)
            self._after_decision()
        elif self._before_skip is Phase.CARD and self._unreadable is not None:
            self._show_card(Phase.CARD, self._unreadable)
        else:
            before = self._before_skip
            self._go_to(before)
            if before is Phase.LOOKING:
                self.session.reopen(RESUMED)

    def flag(self) -> None:
        """Keep the mask and ask for a second look by somebody."""
        if self.phase is Phase.RESULT and self.has_seen():
            self._answer.flag()
            self._after_decision()

    def correct(self) -> None:
        """Correct the mask by hand."""
        if self.phase is Phase.RESULT:
            self.hide()
            self.wants_correction.emit(self._list.image_id)

    def undo(self) -> None:
        """Take back the last decision of this sitting: its image is on again, with the mask that it had."""
        if self.phase not in (Phase.RESULT, Phase.CARD, Phase.DONE, Phase.REST, Phase.LOOKING, Phase.START_TARGET):
            return
        if not self._answer.can_undo:
            self.result_bar.remark.say(tr("Nothing was decided in this sitting yet. Correct takes back older work."))
            return
        self.look.drop("undo")  # nobody has decided about it: its image comes again afterwards
        self._recall.note(self._answer.undo(), is_decided=False)
        self.services.trial_saved.emit(self.image_id)
        self._offer_again()

    def pause(self) -> None:
        """Stop counting gaze and hide the image until Enter."""
        if self.phase in (Phase.LOOKING, Phase.RESULT, Phase.CARD):
            self._pause(stage_cards.paused())

    def leave(self) -> None:
        """Out of the stage; what is recorded stays. A tracker being opened or a mask being made is waited for first."""
        if self.phase is Phase.OPENING:
            self._wants_out = True
            self.put(stage_cards.going_back())
        elif self.phase is Phase.WORKING:
            self._wants_out = True
            self.result_bar.remark.say(tr("Going back as soon as the mask is kept…"))
            self.result_bar.remark.show()
        elif self.phase is Phase.SKIP:
            self._on_choice(0)
        elif self.phase is Phase.RECALLING and self._recall.is_reading:
            self._recall.drop()
        else:
            if self.phase is Phase.LOOKING:
                self.look.drop("leave")
            self._go_out()

    def _put_or_go_out(self, phase: Phase, card: Card) -> None:
        if self._wants_out:
            self._go_out()
        else:
            self._show_card(phase, card)

    def _go_out(self) -> None:
        self.image.stop()
        self.left.emit()

    def drift_check(self, points: tuple[Point, ...] = ONE_DOT) -> None:
        """Look at each dot for half a second to see how far the gaze is off."""
        check = self.services.drift_check
        if check is not None and self.phase in (Phase.RESULT, Phase.CARD, Phase.REST):
            check(self, self.session, points=points)

    def undo_drift(self) -> None:
        """Take the newest drift correction back, for the images that follow."""
        is_between = self.phase in (Phase.RESULT, Phase.CARD, Phase.REST)
        if is_between and self.session.is_open and self.session.drift.active.kind != "none":
            self.session.undo_drift()
            self._go_to(self.phase)
            self.result_bar.remark.say(tr("The drift correction is taken back; it held until now."))

    # phases

    def _show_instruction(self) -> None:
        protocol = self.services.open_study.settings.protocol
        if not self._list.rows:
            self._show_card(Phase.DONE, stage_cards.all_done())
            return
        self._go_to(Phase.CARD)
        held = self.services.actions.shown_keys("annotate.clutch") if self._clutch else ""
        self.put(stage_cards.instruction(protocol, self._list.target, held))

    def _begin_or_offer(self) -> None:
        """The image that is on: its mask, where it has one that nobody has decided about, else a look."""
        if self._recall.is_due:
            self._offer_again()
        else:
            self._begin_image()

    def _offer_again(self) -> None:
        """Show the mask of an earlier look once more, to be decided about."""
        self._has_begun, self._unreadable = True, None
        self._go_to(Phase.RECALLING)
        self.start_target.move_for(self.image_id)
        self.start_target.say(tr("Reading the mask…"))
        self._recall.begin()

    def _on_recalled(self, result: LookResult) -> None:
        if self.phase is Phase.RECALLING:
            self.canvas.go_to_slice(self.image.home_slice)
            self.result = result
            self._go_to(Phase.RESULT)
            self.show_result(result, mask=self._answer.working_mask(result))
            self.result_bar.remark.say(tr("This mask is still to be decided about."))
            self.seen.begin()

    def _on_nothing_recalled(self) -> None:
        if self.phase is Phase.RECALLING:
            self._begin_image()

    def _begin_image(self) -> None:
        if not self.session.is_alive:
            self._offer_to_reconnect()
            return
        self._has_begun, self._unreadable = True, None
        self._go_to(Phase.START_TARGET)
        self.start_target.move_for(self._list.image_id)
        self.image.begin(self._list.ids_ahead)

    def _on_image_arrived(self) -> None:
        pixels, home_slice = self.image.pixels, self.image.home_slice
        self.canvas.set_pixels(pixels, keep_view=self.services.settings.lock_view, home_slice=home_slice)
        self.look.prepare(self._list.image_id)

    def _on_image_unreadable(self, error: BaseException) -> None:
        self._unreadable = stage_cards.cannot_show(error)
        self._put_or_go_out(Phase.CARD, self._unreadable)

    def _show_image(self) -> None:
        self._recall.offer()
        if self.phase is not Phase.START_TARGET:
            return
        self.canvas.go_to_slice(self.image.home_slice)
        self._go_to(Phase.LOOKING)
        self.canvas.setFocus()

    def _on_painted(self) -> None:
        if self.phase is Phase.LOOKING:
            self.look.note_paint(self._view_of_look, self._list.image_id, self._list.target)

    def _view_of_look(self) -> ImageView | None:
        return self.canvas.screen_view() if self.phase is Phase.LOOKING else None

    def _end_look(self, outcome: Outcome) -> None:
        if self.look.end(outcome):
            self._go_to(Phase.WORKING)
            self.canvas.go_to_slice(self.image.home_slice)

    def _on_labels(self, result: LookResult) -> None:
        self.result = result
        self._go_to(Phase.RESULT)
        self.show_result(result)
        if self._is_lost_in_look:
            self._is_lost_in_look = False
            self.result_bar.remark.say(tr("The tracker was lost: this is what it saw."))
        self.seen.begin()
        self.canvas.repaint()
        self.look.keep(result)  # no key comes between what is seen and what is kept
        image_id = result.record.image_id
        self._recall.note(image_id, is_decided=False)
        self.mask_shown.emit(image_id)
        self.services.trial_saved.emit(image_id)
        if self._wants_out:
            self._go_out()

    def _on_labels_failed(self, error: BaseException) -> None:
        self.services.show_error(error)
        self._put_or_go_out(Phase.CARD, stage_cards.no_mask())

    def _accept_or_repeat(self) -> None:
        if self.result is None or not self.has_seen():
            return
        if self.result.verdict == "stop":
            self.look_again()
            return
        self._answer.accept(self.result.record.outcome)
        self._after_decision()

    def _after_decision(self) -> None:
        self._recall.note(self.image_id, is_decided=True)
        self.services.trial_saved.emit(self._list.image_id)
        self.look.forget(self._list.image_id)
        self._breaks.count_image()
        self._next()

    def _next(self) -> None:
        self._list.place += 1
        if self._list.is_at_end:
            self._show_card(Phase.DONE, stage_cards.all_done())
        elif self._breaks.is_rest_due(self.services.open_study.settings.protocol):
            self._breaks.begin()
            self._show_card(Phase.REST, stage_cards.rest(self._breaks.n_since_rest))
        else:
            self._check_or_begin()

    def _check_or_begin(self) -> None:
        """The next image, after a drift check where one is due: every N images, every M minutes, after an absence."""
        check, why = self.services.drift_check, self._breaks.why_check(self.services.open_study.settings.protocol)
        if check is None or not why:
            self._begin_or_offer()
            return
        self._breaks.count_check()
        self._show_card(Phase.CARD, stage_cards.drift_check())
        check(self, self.session)

    def _end_rest(self) -> None:
        self._breaks.end_rest()
        self._check_or_begin()

    def _pause(self, card: Card) -> None:
        self._breaks.begin()
        self._before_pause = self.phase
        if self.phase is Phase.LOOKING:
            self.session.shut(PAUSED)
        self._show_card(Phase.PAUSED, card)

    def _resume(self) -> None:
        self._breaks.end()
        self._go_to(self._before_pause)
        if self.phase is Phase.LOOKING:
            self.session.reopen(RESUMED)

    def _show_card(self, phase: Phase, card: Card) -> None:
        self._go_to(phase)
        self.put(card)

    def _offer_to_reconnect(self) -> None:
        self._show_card(Phase.LOST, stage_cards.tracker_gone(self.session.problem))

    # while it runs

    def _on_nobody_seen(self, is_silent: bool) -> None:
        self._pause(stage_cards.silent() if is_silent else stage_cards.away())

    def _on_tracker_lost(self) -> None:
        if self.look.is_running:
            self._is_lost_in_look = True
            self._end_look(Outcome.TARGET)  # what there is, is kept
        elif self.phase not in (Phase.WORKING, Phase.RESULT, Phase.SKIP, Phase.DONE):
            self._offer_to_reconnect()  # after these, the next image does

    def _on_tracker_unusable(self, _problem: object) -> None:
        if self.phase is Phase.LOST:
            self._offer_to_reconnect()  # with the reason; elsewhere the next image says it

    def _on_tracker_back(self) -> None:
        if self.phase is Phase.LOST:
            self._show_card(Phase.CARD, stage_cards.tracker_back())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.phase is Phase.SKIP and event.text() in "1234" and event.text():
            self._on_choice(int(event.text()))
        else:
            super().keyPressEvent(event)

    # inside

    def _go_to(self, phase: Phase) -> None:
        self.show_phase(phase, words=self._list.words, note=stage_note(self.session))
        if phase is Phase.LOOKING:
            hint = tr("Enter when you have seen all of it · N no target") if self._list.place < _HINTED_IMAGES else ""
            self.result_bar.remark.say(hint)
        else:
            self.setFocus()
        self.phase_changed.emit(phase.value)
