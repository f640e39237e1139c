"""Calibration as a pure state machine: events and the time go in, commands for the tracker come out.

Rules of the Tobii SDK that shape it (docs/decisions/0041-calibration-as-a-state-machine.md): entering the mode clears
the calibration in force, so that is saved first and applied again when nothing better was accepted; a point's data is
discarded before it is collected again; some models fail only in compute; the mode is always left. Every state has a
deadline.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from calibration.engine_events import (
    AcceptAttempt,
    Answered,
    Attempt,
    Cancel,
    Ending,
    EngineView,
    Event,
    KeyPressed,
    OperatorAccepts,
    OperatorSkips,
    PointVerdict,
    RedoAll,
    RedoPoint,
    ScreenChanged,
    Start,
    State,
    Tick,
    TrackerGone,
)
from calibration.profiles import Acceptance, Profile, in_order
from calibration.target import Answer, Command, ComputeResult, Step
from domain.calibration import Point

POSITION_S = 120.0
"""How long somebody may take to sit down."""
RETURN_S = 20.0
"""How long a calibration waits for somebody who left in the middle."""
PLACED_S = 0.5
"""How long the position must be good."""
AWAY_S = 2.0
"""After this long without eyes the annotator has left."""
ENTER_S = 5.0
DISCARD_S = 3.0
COMPUTE_S = 10.0
REVIEW_S = 600.0
LEAVE_S = 2.9
LEAVE_AGAIN_S = 1.5
"""Without an answer for this long, leaving is asked for again, by force."""
MIN_POINTS_SHARE = 0.6
"""Share of the points that must have data before computing makes sense."""


class CalibrationEngine:
    """One calibration from sitting down to leaving. It has no clock: every event brings the time in nanoseconds."""

    def __init__(self, profile: Profile, *, seed: int = 0) -> None:
        self.profile = profile
        self.attempts: list[Attempt] = []
        self.ending: Ending | None = None
        self.problem = ""
        self.previous_blob: bytes | None = None
        self.is_mode_left = True
        self.is_restored = False
        self.accepted: Attempt | None = None
        self._order = in_order(profile.points, seed)
        self._state = State.IDLE
        self._since_ns = 0
        self._deadline_ns: int | None = None
        self._queue: deque[int] = deque()
        self._again: list[int] = []
        self._at_end = False
        self._current: int | None = None
        self._last_point: Point = (0.5, 0.5)
        self._verdicts = [PointVerdict(point) for point in profile.points]
        self._tries_now = 0
        self._must_discard: set[int] = set()
        self._next_request = 1
        self._waiting: dict[int, Step] = {}
        self._placed_since_ns: int | None = None
        self._seen_ns: int | None = None
        self._has_entered = False
        self._is_forced = False
        self._result = ComputeResult(False)
        self._out: list[Command] = []

    # --- what others see -------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the calibration stands."""
        return self._state

    def view(self) -> EngineView:
        """What the screen shows."""
        current = self._current
        return EngineView(
            state=self._state,
            since_ns=self._since_ns,
            deadline_ns=self._deadline_ns,
            point=self.profile.points[current] if current is not None else None,
            previous_point=self._last_point,
            is_retry=current is not None and self._verdicts[current].n_tries > 1,
            n_done=sum(verdict.is_ok for verdict in self._verdicts),
            n_points=len(self._verdicts),
            verdicts=tuple(self._verdicts),
            message=self.problem or self._state.value,
            ending=self.ending,
        )

    # --- the one entrance ------------------------------------------------------------------------------------------

    def handle(self, event: Event, now_ns: int) -> list[Command]:
        """Take one event; the commands that follow from it, to be carried out in this order."""
        self._out = []
        if isinstance(event, Answered):
            self._on_answer(event.answer, now_ns)
        elif self._state not in (State.LEAVE, State.ENDED):
            self._on_event(event, now_ns)
        if self._deadline_ns is not None and now_ns >= self._deadline_ns:
            self._on_deadline(now_ns)
        elif self._state is State.LEAVE and not self._is_forced and self._passed(now_ns) >= LEAVE_AGAIN_S:
            self._force_leave()
        return self._out

    def _on_event(self, event: Event, now_ns: int) -> None:
        if isinstance(event, Cancel):
            self._leave(Ending.CANCELLED, now_ns)
        elif isinstance(event, TrackerGone):
            self._leave(Ending.TRACKER_LOST, now_ns)
        elif isinstance(event, ScreenChanged):
            self._leave(Ending.SCREEN_CHANGED, now_ns)
        elif isinstance(event, Start) and self._state is State.IDLE:
            self._queue = deque(self._order)
            self._go(State.POSITION, now_ns, POSITION_S)
        elif isinstance(event, Tick):
            self._on_tick(event, now_ns)
        elif self._state is State.POSITION and isinstance(event, OperatorAccepts):
            self._placed(now_ns)
        elif self._state is State.SETTLE:
            self._on_settle_word(event, now_ns)
        elif self._state is State.REVIEW:
            self._on_review_word(event, now_ns)

    # --- ticks: position, travel, settle, the gap after a verdict -------------------------------------------------

    def _on_tick(self, tick: Tick, now_ns: int) -> None:
        if tick.stability.is_anybody_there or self._seen_ns is None:
            self._seen_ns = now_ns
        if self._state is State.POSITION:
            if not tick.is_well_placed:
                self._placed_since_ns = None
            elif self._placed_since_ns is None:
                self._placed_since_ns = now_ns
            elif now_ns - self._placed_since_ns >= PLACED_S * 1e9:
                self._placed(now_ns)
        elif self._state in (State.TRAVEL, State.SETTLE) and now_ns - self._seen_ns >= AWAY_S * 1e9:
            self._away(now_ns)
        elif self._state is State.TRAVEL and self._passed(now_ns) >= self.profile.travel_s:
            waits = self.profile.acceptance is Acceptance.STABLE_GAZE
            limit = self.profile.stable_wait_s if waits else self.profile.person_wait_s
            self._go(State.SETTLE, now_ns, self.profile.rest_s + limit)
        elif self._state is State.SETTLE and self.profile.acceptance is Acceptance.STABLE_GAZE:
            if tick.stability.is_stable and self._passed(now_ns) >= self.profile.rest_s:
                self._collect(now_ns)
        elif self._state is State.VERDICT and not self._waiting and self._passed(now_ns) >= self.profile.gap_s:
            self._next_point(now_ns)

    def _on_settle_word(self, event: Event, now_ns: int) -> None:
        by_key = isinstance(event, KeyPressed) and self.profile.acceptance is Acceptance.ANNOTATOR_KEY
        if by_key or isinstance(event, OperatorAccepts):
            # A press from before the target came to rest belongs to the point before.
            if self._passed(now_ns) >= self.profile.shrink_s:
                self._collect(now_ns)
        elif isinstance(event, OperatorSkips):
            self._judge(now_ns, (False, False), "skipped by the operator", may_retry=False)

    # --- review ----------------------------------------------------------------------------------------------------

    def _on_review_word(self, event: Event, now_ns: int) -> None:
        if isinstance(event, RedoAll):
            self._redo(list(self._order), now_ns)
        elif isinstance(event, RedoPoint) and 0 <= event.index < len(self._verdicts):
            self._redo([event.index], now_ns)
        elif isinstance(event, AcceptAttempt) and 0 <= event.attempt < len(self.attempts):
            chosen = self.attempts[event.attempt]
            if chosen.is_usable and (chosen is self.attempts[-1] or chosen.blob):
                self.accepted = chosen
                self._leave(Ending.ACCEPTED, now_ns)

    def _redo(self, indices: list[int], now_ns: int) -> None:
        self.problem = ""
        self._at_end = False
        self._again = []
        for index in indices:
            self._verdicts[index] = PointVerdict(self.profile.points[index])
        self._queue = deque(indices)
        self._next_point(now_ns)

    # --- points ----------------------------------------------------------------------------------------------------

    def _placed(self, now_ns: int) -> None:
        self._placed_since_ns = None
        self._seen_ns = None
        if not self._has_entered:
            self._go(State.ENTERING, now_ns, ENTER_S)
            self._ask(Step.SAVE)
        elif self._current is not None:
            self._show(self._current, now_ns)
        else:
            self._next_point(now_ns)

    def _away(self, now_ns: int) -> None:
        self.problem = "Nobody is seen in front of the tracker."
        self._placed_since_ns = None
        self._go(State.POSITION, now_ns, RETURN_S)

    def _next_point(self, now_ns: int) -> None:
        if not self._queue and self._again and not self._at_end:
            self._at_end = True
            self._queue = deque(self._again)
            self._again = []
        if self._queue:
            self._tries_now = 0
            self._show(self._queue.popleft(), now_ns)
        else:
            self._compute(now_ns)

    def _show(self, index: int, now_ns: int) -> None:
        self.problem = ""
        if self._current is not None:
            self._last_point = self.profile.points[self._current]
        self._current = index
        self._tries_now += 1
        verdict = self._verdicts[index]
        self._verdicts[index] = replace(verdict, n_tries=verdict.n_tries + 1)
        if index in self._must_discard:
            self._go(State.VERDICT, now_ns, DISCARD_S)
            self._ask(Step.DISCARD, point=self.profile.points[index])
        else:
            self._go(State.TRAVEL, now_ns, self.profile.travel_s + LEAVE_S)

    def _collect(self, now_ns: int) -> None:
        if self._current is None:
            return
        self._must_discard.add(self._current)
        self._go(State.COLLECT, now_ns, self.profile.collect_limit_s)
        self._ask(Step.COLLECT, point=self.profile.points[self._current])

    def _judge(self, now_ns: int, eyes_ok: tuple[bool, bool], reason: str, *, may_retry: bool = True) -> None:
        """Decide on the current point: good, again at once, again at the end, or given up."""
        index = self._current
        if index is None:
            return
        wanted = self.profile.eyes.wanted
        is_ok = any(ok and asked for ok, asked in zip(eyes_ok, wanted, strict=True))
        self._verdicts[index] = replace(
            self._verdicts[index], eyes_ok=eyes_ok, is_ok=is_ok, reason="" if is_ok else reason
        )
        self._go(State.VERDICT, now_ns, self.profile.gap_s + DISCARD_S)
        if is_ok or not may_retry:
            return
        if self._tries_now < 2 and not self._at_end:
            self._show(index, now_ns)
        elif not self._at_end:
            self._again.append(index)

    # --- compute ---------------------------------------------------------------------------------------------------

    def _compute(self, now_ns: int) -> None:
        self._current = None
        n_ok = sum(verdict.is_ok for verdict in self._verdicts)
        if n_ok < max(1.0, MIN_POINTS_SHARE * len(self._verdicts)):
            text = f"only {n_ok} of {len(self._verdicts)} points have data, too few to calibrate"
            self._to_review(ComputeResult(False), None, text, now_ns)
            return
        self._go(State.COMPUTE, now_ns, COMPUTE_S)
        self._ask(Step.COMPUTE)

    def _on_computed(self, result: ComputeResult, now_ns: int) -> None:
        if not result.is_success:
            self._to_review(result, None, "the tracker could not compute a calibration from these points", now_ns)
            return
        without = [
            index for index, verdict in enumerate(self._verdicts) if verdict.is_ok and not self._used(result, index)
        ]
        if without and not self._at_end:
            self._at_end = True
            for index in without:
                self._verdicts[index] = replace(
                    self._verdicts[index], is_ok=False, reason="the tracker used no sample of this point"
                )
            self._queue = deque(without)
            self._next_point(now_ns)
            return
        self._result = result
        self._go(State.COMPUTE, now_ns, COMPUTE_S)
        self._ask(Step.RETRIEVE)

    def _used(self, result: ComputeResult, index: int) -> bool:
        samples = result.at(self.profile.points[index])
        if samples is None:
            return False
        return any(n > 0 and asked for n, asked in zip(samples.n_used(), self.profile.eyes.wanted, strict=True))

    def _to_review(self, result: ComputeResult, blob: bytes | None, problem: str, now_ns: int) -> None:
        attempt = Attempt(len(self.attempts) + 1, tuple(self._verdicts), result, blob, problem)
        eyes = attempt.eyes_calibrated()
        missing = [
            name
            for name, has, asked in zip(("left", "right"), eyes, self.profile.eyes.wanted, strict=True)
            if result.is_success and asked and not has
        ]
        if missing:
            attempt = replace(attempt, problem=f"the {' and '.join(missing)} eye is not calibrated")
        self.attempts.append(attempt)
        self.problem = attempt.problem
        self._current = None
        self._go(State.REVIEW, now_ns, REVIEW_S)

    # --- answers ---------------------------------------------------------------------------------------------------

    def _on_answer(self, answer: Answer, now_ns: int) -> None:
        step = self._waiting.pop(answer.request, None)
        if step is None:
            return
        if step in (Step.LEAVE, Step.APPLY):
            self._on_leaving(step, answer, now_ns)
        elif self._state in (State.LEAVE, State.ENDED):
            return
        elif step is Step.SAVE:
            self._on_saved(answer, now_ns)
        elif step is Step.ENTER:
            if answer.is_ok:
                self._next_point(now_ns)
            else:
                self._refuse(f"calibration mode was refused: {answer.error}", now_ns)
        elif step is Step.COLLECT and self._state is State.COLLECT:
            self._judge(now_ns, answer.eyes_ok if answer.is_ok else (False, False), answer.error or "no usable gaze")
        elif step is Step.DISCARD and self._state is State.VERDICT:
            # An error here means that there was nothing to discard.
            if self._current is not None:
                self._must_discard.discard(self._current)
            self._go(State.TRAVEL, now_ns, self.profile.travel_s + LEAVE_S)
        elif step is Step.COMPUTE:
            self._on_computed(answer.result if answer.is_ok and answer.result else ComputeResult(False), now_ns)
        elif step is Step.RETRIEVE:
            problem = "" if answer.is_ok else f"the calibration could not be read back: {answer.error}"
            self._to_review(self._result, answer.blob, problem, now_ns)

    def _on_saved(self, answer: Answer, now_ns: int) -> None:
        if not answer.is_ok:
            self._refuse(f"the calibration in force could not be saved: {answer.error}", now_ns)
            return
        self.previous_blob = answer.blob or None
        self._has_entered = True
        self.is_mode_left = False
        self._ask(Step.ENTER)

    def _refuse(self, why: str, now_ns: int) -> None:
        self._leave(Ending.REFUSED, now_ns)
        self.problem = why

    # --- deadlines -------------------------------------------------------------------------------------------------

    def _on_deadline(self, now_ns: int) -> None:
        state = self._state
        if state is State.POSITION:
            self._leave(Ending.NOBODY_THERE, now_ns)
        elif state is State.SETTLE:
            self._judge(now_ns, (False, False), "no stable gaze on the target")
        elif state is State.TRAVEL:
            self._go(State.SETTLE, now_ns, self.profile.rest_s + self.profile.stable_wait_s)
        elif state is State.VERDICT and not self._waiting:
            self._next_point(now_ns)
        elif state is State.REVIEW:
            self._leave(Ending.NO_DECISION, now_ns)
        elif state is State.LEAVE:
            self._end(now_ns)
        else:
            self._leave(Ending.NO_ANSWER, now_ns)

    # --- leaving ---------------------------------------------------------------------------------------------------

    def _leave(self, ending: Ending, now_ns: int) -> None:
        self.ending = ending
        self.problem = "" if ending is Ending.ACCEPTED else f"{ending.value[0].upper()}{ending.value[1:]}."
        self._waiting.clear()
        self._is_forced = False
        self._go(State.LEAVE, now_ns, LEAVE_S)
        if self._has_entered:
            self._ask(Step.LEAVE)
        else:
            self._end(now_ns)

    def _force_leave(self) -> None:
        self._is_forced = True
        if not self.is_mode_left:
            self._ask(Step.LEAVE, is_forced=True)

    def _on_leaving(self, step: Step, answer: Answer, now_ns: int) -> None:
        if step is Step.APPLY:
            self.is_restored = answer.is_ok
            if not answer.is_ok:
                self.problem = f"The chosen calibration could not be applied again: {answer.error}"
            if self._state is State.LEAVE:
                self._end(now_ns)
            return
        if self.is_mode_left:
            return
        if not answer.is_ok:
            if not self._is_forced:
                self._force_leave()
            return
        # Also when the answer comes late, after the end: the calibration of before is put back then.
        self.is_mode_left = True
        blob = self._blob_to_apply()
        if blob:
            self._ask(Step.APPLY, blob=blob)
        elif self._state is State.LEAVE:
            self._end(now_ns)

    def _blob_to_apply(self) -> bytes | None:
        if self.ending is not Ending.ACCEPTED:
            return self.previous_blob
        if self.accepted is not None and self.accepted is not self.attempts[-1]:
            return self.accepted.blob
        return None

    def _end(self, now_ns: int) -> None:
        self._go(State.ENDED, now_ns, None)

    # --- small change ----------------------------------------------------------------------------------------------

    def _go(self, state: State, now_ns: int, limit_s: float | None) -> None:
        self._state = state
        self._since_ns = now_ns
        self._deadline_ns = None if limit_s is None else now_ns + round(limit_s * 1e9)

    def _passed(self, now_ns: int) -> float:
        return (now_ns - self._since_ns) / 1e9

    def _ask(
        self, step: Step, *, point: Point | None = None, blob: bytes | None = None, is_forced: bool = False
    ) -> None:
        command = Command(self._next_request, step, point, self.profile.eyes, blob, is_forced)
        self._waiting[self._next_request] = step
        self._next_request += 1
        self._out.append(command)
