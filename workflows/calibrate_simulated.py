"""The whole calibration with a simulated eye, without a screen: for the command line, tests and benchmarks."""

from __future__ import annotations

import time
from dataclasses import dataclass

from acquisition.host import TrackerHost
from acquisition.tracker import TrackerSettings
from calibration.engine_events import Ending
from calibration.profiles import Acceptance, profile_of
from domain.calibration import Validation
from domain.display import Display
from domain.errors import TrackerError
from workflows.calibrate import CalibrationSession
from workflows.calibration_target import HostTarget

FRAME_S = 1 / 60
LIMIT_S = 300.0


@dataclass(frozen=True)
class SimulatedCalibration:
    """How it went. Times in seconds of the eye's own clock from the start: data taken, validated, accepted."""

    ending: Ending
    computed_s: float
    validated_s: float
    accepted_s: float
    validation: Validation | None
    objections: tuple[str, ...]


def calibrate_simulated_eye(
    *,
    n_points: int = 5,
    profile: str = "adult",
    offset_deg: float = 1.5,
    seed: int = 1,
    rate_hz: float = 120.0,
    speed: float = 0.0,
) -> SimulatedCalibration:
    """Calibrate a cooperative eye that is `offset_deg` off; speed 0 is as fast as it goes, 1 real time.

    Raises:
        TrackerError: it did not end within five minutes.
    """
    display = Display((1920, 1080), (527.0, 296.0), distance_mm=650.0, name="simulated screen")
    error = {"offset_deg": [offset_deg, -0.6 * offset_deg, 0.8 * offset_deg, -0.7 * offset_deg], "gain": [1.04, 0.97]}
    settings = TrackerSettings("simulated", rate_hz=rate_hz, speed=speed, seed=seed, display=display, options=error)
    with TrackerHost(settings) as host:
        chosen = profile_of(profile, n_points=n_points)
        session = CalibrationSession(
            HostTarget(host), profile=chosen, annotator="simulated", distance_mm=650.0, is_simulated=True, seed=seed
        )
        begin_ns = host.now_ns()
        computed_s = validated_s = 0.0
        objections: tuple[str, ...] = ()
        session.start()
        while not session.is_ended:
            if speed == 0:
                host.advance(FRAME_S)
            else:
                time.sleep(FRAME_S / speed)
            session.tick()
            if chosen.acceptance is not Acceptance.STABLE_GAZE and session.is_target_resting:
                session.operator_accepts()
            now_s = (host.now_ns() - begin_ns) / 1e9
            if session.engine.attempts and not computed_s:
                computed_s = now_s
            if session.is_in_review:
                validated_s = now_s
                objections = session.reviewed()[-1].objections
                if objections:
                    session.cancel()
                else:
                    session.accept()
            if now_s > LIMIT_S:
                raise TrackerError(
                    f"The simulated calibration is still at {session.state.value!r} after {LIMIT_S:g} s."
                )
        return SimulatedCalibration(
            ending=session.engine.ending or Ending.NO_DECISION,
            computed_s=computed_s,
            validated_s=validated_s,
            accepted_s=(host.now_ns() - begin_ns) / 1e9,
            validation=session.reviewed()[-1].validation if session.engine.attempts else None,
            objections=objections,
        )
