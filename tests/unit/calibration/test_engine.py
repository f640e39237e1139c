from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.calibration_faults import FAULTS, Fault, escape_at_any_moment, fault_holds, run_fault
from benchmarks.scripted_tracker import (
    MOVING,
    STABLE,
    ScriptedTracker,
    cooperative,
    in_state,
    once,
    play,
    refuses,
)
from calibration.engine import CalibrationEngine
from calibration.engine_events import (
    AcceptAttempt,
    Answered,
    Cancel,
    Ending,
    Event,
    KeyPressed,
    OperatorAccepts,
    OperatorSkips,
    RedoAll,
    RedoPoint,
    ScreenChanged,
    Start,
    State,
    Tick,
    TrackerGone,
)
from calibration.profiles import profile_of
from calibration.stability import NOBODY
from calibration.target import Answer, Command, ComputeResult, Step


def engine(name: str = "adult", n_points: int = 5) -> CalibrationEngine:
    return CalibrationEngine(profile_of(name, n_points=n_points), seed=1)


def accept(machine: CalibrationEngine, _now: int) -> list[Event]:
    return [AcceptAttempt(len(machine.attempts) - 1)] if machine.state is State.REVIEW else []


def steps(tracker: ScriptedTracker) -> list[Step]:
    return [command.step for command in tracker.log]


def test_that_a_cooperative_person_is_calibrated_on_5_points_within_15_seconds() -> None:
    outcome = play(engine(), ScriptedTracker(), events=accept)
    assert outcome.engine.ending is Ending.ACCEPTED
    assert outcome.ended_s <= 15.0
    assert outcome.tracker.active == b"calibration 1"
    assert not outcome.tracker.is_in_mode
    assert all(verdict.is_ok for verdict in outcome.engine.attempts[0].verdicts)


def test_that_the_states_follow_each_other_as_named() -> None:
    states = play(engine(), ScriptedTracker(), events=accept).states
    point = [State.TRAVEL, State.SETTLE, State.COLLECT, State.VERDICT]
    expected = [State.POSITION, State.ENTERING, *point * 5, State.COMPUTE, State.REVIEW, State.LEAVE, State.ENDED]
    assert states == expected


def test_that_the_calibration_in_force_is_saved_before_the_mode_is_entered() -> None:
    outcome = play(engine(), ScriptedTracker(), events=accept)
    assert steps(outcome.tracker)[:2] == [Step.SAVE, Step.ENTER]
    assert outcome.engine.previous_blob == b"the calibration of before"


@pytest.mark.parametrize("state", [s for s in State if s not in (State.IDLE, State.LEAVE, State.ENDED)])
def test_that_esc_in_any_state_leaves_the_mode_and_puts_the_earlier_calibration_back(state: State) -> None:
    outcome = play(engine(), ScriptedTracker(), events=once(Cancel(), in_state(state)))
    assert outcome.engine.ending is Ending.CANCELLED
    assert outcome.engine.is_mode_left
    assert outcome.tracker.active == b"the calibration of before"
    assert not outcome.tracker.is_in_mode
    assert outcome.ended_s - outcome.deadline_s <= 3.0


def test_that_nothing_is_applied_on_cancel_where_there_was_no_calibration_before() -> None:
    outcome = play(engine(), ScriptedTracker(active=None), events=once(Cancel(), in_state(State.COLLECT)))
    assert Step.APPLY not in steps(outcome.tracker)
    assert outcome.engine.state is State.ENDED


def test_that_a_failing_point_is_tried_again_at_once_and_at_the_end_with_discard_before_each() -> None:
    point = (0.9, 0.9)

    def spoil(command: Command, answer: Answer, _t: ScriptedTracker) -> Answer:
        bad = command.step is Step.COLLECT and command.point == point
        return Answer(command.request, False, (False, False), error="failure") if bad else answer

    outcome = play(engine(), ScriptedTracker(spoil=spoil), until_review=True)
    collected = [command.point for command in outcome.tracker.log if command.step is Step.COLLECT]
    assert collected.count(point) == 3
    assert collected[-1] == point
    first = collected.index(point)
    assert collected[first + 1] == point
    assert not outcome.tracker.mixed
    verdict = outcome.engine.attempts[0].verdicts[4]
    assert (verdict.is_ok, verdict.n_tries, verdict.reason) == (False, 3, "failure")
    assert outcome.engine.attempts[0].is_usable


def test_that_a_point_whose_samples_compute_does_not_use_is_collected_once_more() -> None:
    def spoil(command: Command, answer: Answer, tracker: ScriptedTracker) -> Answer:
        if command.step is Step.COMPUTE and tracker.n_computed == 1 and answer.result:
            return Answer(command.request, True, result=ComputeResult(True, answer.result.points[:-1]))
        return answer

    outcome = play(engine(), ScriptedTracker(spoil=spoil), until_review=True)
    assert steps(outcome.tracker).count(Step.COMPUTE) == 2
    assert not outcome.tracker.mixed
    assert all(verdict.is_ok for verdict in outcome.engine.attempts[0].verdicts)


def test_that_redo_of_one_point_discards_collects_and_computes_again() -> None:
    machine = engine()
    redo = once(RedoPoint(2), in_state(State.REVIEW))

    def events(m: CalibrationEngine, now: int) -> list[Event]:
        return redo(m, now) or (accept(m, now) if len(m.attempts) == 2 else [])

    outcome = play(machine, ScriptedTracker(), events=events)
    point = machine.profile.points[2]
    last = [c for c in outcome.tracker.log if c.step in (Step.DISCARD, Step.COLLECT, Step.COMPUTE)][-3:]
    assert [c.step for c in last] == [Step.DISCARD, Step.COLLECT, Step.COMPUTE]
    assert last[0].point == last[1].point == point
    assert outcome.tracker.active == b"calibration 2"


def test_that_an_earlier_attempt_can_be_accepted_and_is_applied() -> None:
    machine = engine()
    redo = once(RedoAll(), in_state(State.REVIEW))

    def events(m: CalibrationEngine, now: int) -> list[Event]:
        if m.state is State.REVIEW and len(m.attempts) == 2:
            return [AcceptAttempt(0)]
        return redo(m, now)

    outcome = play(machine, ScriptedTracker(), events=events)
    assert machine.ending is Ending.ACCEPTED
    assert machine.accepted is machine.attempts[0]
    assert outcome.tracker.active == b"calibration 1"
    assert not outcome.tracker.mixed


def test_that_a_failed_attempt_cannot_be_accepted() -> None:
    outcome = play(engine(), ScriptedTracker(spoil=refuses(Step.COMPUTE)), events=accept, limit_s=60)
    assert outcome.engine.state is State.REVIEW
    assert not outcome.engine.attempts[0].is_usable
    assert "could not compute" in outcome.engine.problem


def test_that_one_eye_only_reaches_review_and_says_which_eye_is_missing() -> None:
    outcome = play(engine(), ScriptedTracker(eyes=(True, False)), until_review=True)
    assert outcome.engine.state is State.REVIEW
    assert outcome.engine.attempts[0].eyes_calibrated() == (True, False)
    assert outcome.engine.problem == "the right eye is not calibrated"


def test_that_the_missing_eye_is_no_problem_where_it_was_not_asked_for() -> None:
    outcome = play(engine("left eye"), ScriptedTracker(eyes=(True, False)), until_review=True)
    assert outcome.engine.problem == ""
    assert all(command.eyes.value == "left eye only" for command in outcome.tracker.log)


def test_that_the_wrong_eye_alone_does_not_count() -> None:
    outcome = play(engine("right eye"), ScriptedTracker(eyes=(True, False)), until_review=True)
    assert not outcome.engine.attempts[0].is_usable
    assert "0 of 5 points" in outcome.engine.problem


def test_that_somebody_who_comes_back_goes_on_where_they_left() -> None:
    seen: dict[str, int] = {}

    def person(machine: CalibrationEngine, now: int) -> Tick:
        if "gone" not in seen and len([v for v in machine.view().verdicts if v.is_ok]) == 2:
            seen["gone"] = now
        if "gone" in seen and now - seen["gone"] < 8e9:
            return Tick(NOBODY)
        return cooperative(machine, now)

    outcome = play(engine(), ScriptedTracker(), person=person, events=accept)
    assert outcome.engine.ending is Ending.ACCEPTED
    assert outcome.states.count(State.POSITION) == 2
    assert steps(outcome.tracker).count(Step.COLLECT) <= 6
    assert not outcome.tracker.mixed


def test_that_the_annotators_key_accepts_a_point_but_not_before_the_target_rests() -> None:
    machine = CalibrationEngine(profile_of("adult"), seed=1)
    from dataclasses import replace

    from calibration.profiles import Acceptance

    machine = CalibrationEngine(replace(profile_of("adult"), acceptance=Acceptance.ANNOTATOR_KEY), seed=1)
    outcome = play(
        machine,
        ScriptedTracker(),
        person=lambda m, n: Tick(MOVING, is_well_placed=True),
        events=lambda m, n: [KeyPressed()] if m.state in (State.TRAVEL, State.SETTLE) else accept(m, n),
    )
    assert machine.ending is Ending.ACCEPTED
    assert outcome.ended_s > 5 * (machine.profile.travel_s + machine.profile.shrink_s)


def test_that_an_operator_paces_a_child_and_may_skip() -> None:
    machine = engine("child", 5)
    skip = once(OperatorSkips(), lambda m, n: m.state is State.SETTLE)

    def events(m: CalibrationEngine, now: int) -> list[Event]:
        if m.state is State.SETTLE:
            return skip(m, now) or [OperatorAccepts()]
        return accept(m, now)

    play(machine, ScriptedTracker(), person=lambda m, n: Tick(MOVING, is_well_placed=True), events=events)
    assert machine.ending is Ending.ACCEPTED
    skipped = [verdict for verdict in machine.attempts[0].verdicts if not verdict.is_ok]
    assert [verdict.reason for verdict in skipped] == ["skipped by the operator"]


def never_looks(machine: CalibrationEngine, now: int) -> Tick:
    return Tick(MOVING, is_well_placed=True)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_that_every_scripted_fault_ends_in_its_named_state_within_3_s_and_the_mode_is_left(fault: Fault) -> None:
    outcome = run_fault(fault)
    assert fault_holds(fault, outcome), (
        outcome.engine.state,
        outcome.engine.ending,
        outcome.ended_s,
        outcome.deadline_s,
    )
    if outcome.engine.state is State.ENDED and outcome.engine.is_mode_left and outcome.engine.previous_blob:
        assert outcome.tracker.active == b"the calibration of before"


def test_that_the_table_of_faults_would_notice_a_mode_that_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CalibrationEngine, "_leave", lambda self, ending, now_ns: self._end(now_ns))
    assert not any(fault_holds(fault, run_fault(fault)) for fault in FAULTS if fault.ending is Ending.TRACKER_LOST)


def test_that_esc_at_random_moments_always_ends_well() -> None:
    good, slowest = escape_at_any_moment(40)
    assert good == 40
    assert slowest <= 3.0


def test_that_a_collect_that_hangs_10_s_and_then_fails_is_tried_again_and_ends_in_review() -> None:
    hung: list[int] = []

    def slow(command: Command) -> float | None:
        if command.step is Step.COLLECT and not hung:
            hung.append(1)
            return 10.0
        return None

    outcome = play(engine(), ScriptedTracker(slow=slow), until_review=True)
    assert outcome.engine.state is State.REVIEW
    assert outcome.engine.attempts[0].is_usable


def test_that_gaze_that_never_rests_ends_in_review_with_the_reason_at_each_point() -> None:
    outcome = play(engine(), ScriptedTracker(), person=never_looks, until_review=True, limit_s=120)
    assert outcome.engine.state is State.REVIEW
    assert {v.reason for v in outcome.engine.attempts[0].verdicts} == {"no stable gaze on the target"}
    assert Step.COLLECT not in steps(outcome.tracker)


def test_that_a_mode_that_is_left_too_late_still_gets_its_earlier_calibration_back() -> None:
    def slow(command: Command) -> float | None:
        return 6.0 if command.step is Step.LEAVE and not command.is_forced else None

    machine = engine()
    tracker = ScriptedTracker(slow=slow, spoil=lambda c, a, t: None if c.is_forced else a)
    outcome = play(machine, tracker, events=once(Cancel(), in_state(State.SETTLE)))
    assert machine.state is State.ENDED
    assert not machine.is_mode_left
    now = round((outcome.ended_s + 10) * 1e9)
    for answer in tracker.answers(now):
        for command in machine.handle(Answered(answer), now):
            tracker.submit(command, now)
    assert machine.is_mode_left
    assert tracker.active == b"the calibration of before"


EVENTS = st.one_of(
    st.sampled_from(
        [
            Start(),
            Tick(STABLE, True),
            Tick(MOVING, True),
            Tick(NOBODY, False),
            Tick(STABLE, False),
            KeyPressed(),
            OperatorAccepts(),
            OperatorSkips(),
            RedoAll(),
            RedoPoint(0),
            RedoPoint(4),
            RedoPoint(99),
            AcceptAttempt(0),
            AcceptAttempt(7),
            "answer ok",
            "answer fail",
            "answer stale",
            "lose answer",
        ]
    ),
    st.sampled_from([Cancel(), TrackerGone(), ScreenChanged()]),
)
STEP = st.integers(min_value=0, max_value=4_000_000_000)


@settings(max_examples=400, deadline=None)
@given(
    script=st.lists(st.tuples(EVENTS, STEP), max_size=120),
    name=st.sampled_from(["adult", "child", "left eye"]),
    answers_later=st.booleans(),
)
def test_that_no_sequence_of_events_gets_stuck_and_the_mode_is_always_left(
    script: list[tuple[object, int]], name: str, answers_later: bool
) -> None:
    machine = engine(name)
    tracker = ScriptedTracker()
    open_commands: list[Command] = []
    now = 0
    leave_seen = False

    def feed(event: Event) -> None:
        nonlocal leave_seen
        before = machine.state
        for command in machine.handle(event, now):
            if leave_seen:
                assert command.step in (Step.LEAVE, Step.APPLY)
            leave_seen = leave_seen or command.step is Step.LEAVE
            tracker.log.append(command)
            open_commands.append(command)
        if before is State.ENDED:
            assert machine.state is State.ENDED
        if machine.state not in (State.IDLE, State.ENDED):
            deadline = machine.view().deadline_ns
            assert deadline is not None
            assert deadline > now

    for event, step in script:
        now += step
        if event == "answer ok" and open_commands:
            feed(Answered(tracker._do(open_commands.pop(0))))
        elif event == "answer fail" and open_commands:
            feed(Answered(Answer(open_commands.pop(0).request, False, (False, False), error="no")))
        elif event == "answer stale":
            feed(Answered(Answer(10_000, True)))
        elif event == "lose answer" and open_commands:
            open_commands.pop(0)
        elif not isinstance(event, str):
            feed(event)
    if machine.state is State.IDLE:
        feed(Start())
    # From here on nobody is there and nobody decides; the tracker answers, or does not.
    for _ in range(5_000):
        if machine.state is State.ENDED:
            break
        now += 500_000_000
        if answers_later and open_commands:
            feed(Answered(tracker._do(open_commands.pop(0))))
        feed(Tick(NOBODY))
    assert machine.state is State.ENDED
    assert machine.ending is not None
    asked = [command.step for command in tracker.log]
    if Step.ENTER in asked:
        assert Step.LEAVE in asked[asked.index(Step.ENTER) :]
    for index, command in enumerate(tracker.log):
        if command.step is Step.COLLECT:
            earlier = [c.step for c in tracker.log[:index] if c.point == command.point]
            assert not earlier or earlier[-1] is Step.DISCARD


INTRUSIONS = st.lists(
    st.tuples(
        st.floats(min_value=0.0, max_value=40.0),
        st.sampled_from(
            [
                OperatorAccepts(),
                OperatorSkips(),
                RedoAll(),
                RedoPoint(1),
                RedoPoint(3),
                AcceptAttempt(0),
                AcceptAttempt(1),
                Start(),
                KeyPressed(),
                Cancel(),
                TrackerGone(),
            ]
        ),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(
    intrusions=INTRUSIONS,
    failing=st.sets(st.integers(min_value=0, max_value=30), max_size=12),
    lost=st.sets(st.integers(min_value=0, max_value=30), max_size=2),
)
def test_that_intrusions_and_failing_answers_on_a_willing_person_never_get_it_stuck(
    intrusions: list[tuple[float, Event]], failing: set[int], lost: set[int]
) -> None:
    pending = sorted(intrusions, key=lambda row: row[0])

    def events(_m: CalibrationEngine, now: int) -> list[Event]:
        found: list[Event] = []
        while pending and pending[0][0] * 1e9 <= now:
            found.append(pending.pop(0)[1])
        return found

    def spoil(command: Command, answer: Answer, _t: ScriptedTracker) -> Answer | None:
        if command.request in lost:
            return None
        if command.request in failing:
            return Answer(command.request, False, (False, False), error="no")
        return answer

    outcome = play(engine(), ScriptedTracker(spoil=spoil), events=events, step_ms=50, limit_s=1500)
    assert outcome.engine.state is State.ENDED
    assert not outcome.tracker.mixed
    if Step.ENTER in steps(outcome.tracker):
        assert Step.LEAVE in steps(outcome.tracker)
