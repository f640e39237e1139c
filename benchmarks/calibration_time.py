"""How long a 5-point calibration takes with a cooperative simulated eye, start to accepted. [--quick]

"Accepted" includes the validation on 4 fresh points and leaving calibration mode. Simulated time is that of the eye's
own clock, at 60 frames a second, whatever this machine does meanwhile; one run is in real time.
"""

from __future__ import annotations

from benchmarks.figure_table import Figure, arguments, show
from calibration.engine_events import Ending
from workflows.calibrate_simulated import SimulatedCalibration, calibrate_simulated_eye

LIMIT_S = 15.0


def main() -> None:
    given = arguments(__doc__ or "").parse_args()
    runs = [calibrate_simulated_eye(seed=seed) for seed in range(1, 3 if given.quick else 21)]
    real = calibrate_simulated_eye(seed=1, speed=1.0)
    clean = [run for run in runs if run.ending is Ending.ACCEPTED]
    times = sorted(run.accepted_s for run in clean)
    grades = [run.validation.grade.value for run in runs if run.validation is not None]
    errors = [accuracy_deg(run) for run in clean]
    median = times[len(times) // 2] if times else float("nan")
    worst = max(times, default=float("nan"))
    show(
        f"5-point calibration, start to accepted: {len(runs)} simulated eyes, each 1.5° off",
        [
            Figure("accepted", f"{len(clean)} of {len(runs)}", "all", len(clean) == len(runs)),
            Figure("start to accepted, median", f"{median:.1f} s", "≤ 15 s", median <= LIMIT_S),
            Figure("start to accepted, slowest", f"{worst:.1f} s", "shown", None),
            Figure("start to accepted, in real time", f"{real.accepted_s:.1f} s", "≤ 15 s", real.accepted_s <= LIMIT_S),
            Figure("of that until computed", f"{real.computed_s:.1f} s", "shown", None),
            Figure("accuracy left, worst eye", f"{max(errors, default=float('nan')):.2f}°", "shown", None),
            Figure("graded good", f"{grades.count('good')} of {len(runs)}", "shown", None),
        ],
    )


def accuracy_deg(run: SimulatedCalibration) -> float:
    """Binocular accuracy of the validation."""
    return run.validation.summary("binocular").accuracy_mean_deg if run.validation is not None else float("nan")


if __name__ == "__main__":
    main()
