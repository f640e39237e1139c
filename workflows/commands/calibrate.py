"""`sightline calibrations` and `sightline calibrate-simulated`."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

import typer


def register(cli: typer.Typer) -> None:
    """Add the commands."""

    @cli.command()
    def calibrations() -> None:
        """List the calibrations that were accepted on this machine, newest first."""
        from calibration.staleness import age_words, made_at
        from domain.errors import BadFileError
        from storage.calibration_file import CalibrationStore, read_calibration
        from workflows.calibrate import calibrations_folder

        paths = CalibrationStore(calibrations_folder()).paths()
        if not paths:
            print("No calibration was stored yet. Calibrate in the application: `sightline`, then Tracker.")
        for path in paths:
            try:
                record = read_calibration(path)
            except BadFileError as problem:
                print(f"{path.name}: {problem.message}")
                continue
            grade = record.validation.grade.value if record.validation else "not validated"
            simulated = ", simulated" if record.is_simulated else ""
            age = age_words(datetime.now(timezone.utc) - made_at(record))
            print(
                f"{record.made_at}  {record.surroundings.annotator:<16} {record.surroundings.tracker_model} "
                f"{record.surroundings.tracker_serial}: {grade}, {len(record.points)} points, {age} old{simulated}"
            )

    @cli.command("calibrate-simulated")
    def calibrate_simulated(
        points: Annotated[int, typer.Option(help="2, 5 or 9.")] = 5,
        profile: Annotated[
            str, typer.Option(help="adult, child, low vision, nystagmus, left eye, right eye.")
        ] = "adult",
        offset: Annotated[float, typer.Option(help="Error of the eye that calibration must remove, degrees.")] = 1.5,
        seed: Annotated[int, typer.Option(help="Seed of the simulated eye.")] = 1,
    ) -> None:
        """Calibrate and validate a SIMULATED eye with a known error. Real ones are calibrated in the application."""
        from workflows.calibrate_simulated import calibrate_simulated_eye

        outcome = calibrate_simulated_eye(n_points=points, profile=profile, offset_deg=offset, seed=seed)
        print(f"simulated eye, {offset:g}° off: {outcome.ending.value} after {outcome.accepted_s:.1f} s")
        if outcome.validation is not None:
            print(outcome.validation.rule)
        if outcome.objections:
            raise typer.Exit(1)
