"""`sightline record`, `sightline repair` and `sightline trackers`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from workflows.sign_in import AsPerson, open_as


def register(cli: typer.Typer) -> None:
    """Add the commands."""

    @cli.command()
    def record(
        study: Annotated[Path, typer.Argument(help="Folder of the study.", metavar="STUDY")],
        annotator: Annotated[str, typer.Option(help="Name the trials are stored under.")] = "simulated",
        target: Annotated[str, typer.Option(help="Target to look at (default: the study's first).")] = "",
        images: Annotated[int, typer.Option(min=0, help="How many images (0 = all that have a mask).")] = 0,
        seconds: Annotated[float, typer.Option(min=0.5, help="How long each image is looked at.")] = 8.0,
        rate: Annotated[float, typer.Option(min=0, help="Samples per second (0 = the tracker's own).")] = 0.0,
        seed: Annotated[int, typer.Option(help="Seed of the simulated eye.")] = 1,
        speed: Annotated[float, typer.Option(min=0, help="1 = real time, 0 = as fast as it goes.")] = 0.0,
        as_: AsPerson = "",
    ) -> None:
        """Let a SIMULATED annotator look at the images of a study. Real sittings are recorded in the application."""
        from acquisition.tracker import TrackerSettings
        from workflows.progress_bar import progress_bar
        from workflows.simulate_annotator import simulate_annotator

        settings = TrackerSettings(driver="simulated", rate_hz=rate, seed=seed, speed=speed)
        with open_as(study, as_) as opened, progress_bar("Recording simulated gaze") as on_progress:
            wanted = [image for image in opened.images() if image.mask_path]
            session = simulate_annotator(
                opened,
                annotator=annotator,
                target=target,
                images=wanted[:images] if images else wanted,
                seconds=seconds,
                settings=settings,
                on_progress=on_progress,
            )
        quality = session.quality
        print(
            f"{len(session.trials())} images, {quality['n_samples']} simulated samples at "
            f"{quality['rate_hz_measured']:.0f} Hz, {quality['n_overflow']} lost; {session.header.session_id}.h5"
        )

    @cli.command()
    def repair(
        folder: Annotated[Path, typer.Argument(help="A study, or a folder with journals.", metavar="FOLDER")],
    ) -> None:
        """Turn what a crash left of recordings into session files. Exit code 2 when a journal could not be read."""
        from acquisition.finalise import recover_all
        from domain.errors import BadFileError

        if not folder.is_dir():
            raise BadFileError(f"There is no folder {folder}.")
        sessions = folder / "sessions" if (folder / "sessions").is_dir() else folder
        found = recover_all(sessions)
        if not found:
            print("Nothing to repair.")
        for one in found:
            if one.session is not None:
                print(f"{one.journal.name}: {one.n_samples} samples recovered into {one.session.name}")
            else:
                print(f"{one.journal.name}: not recovered: {one.problem}")
        if any(one.session is None for one in found):
            raise typer.Exit(2)

    @cli.command()
    def trackers(
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    ) -> None:
        """List the eye trackers that can be reached now, and what is missing for those that cannot."""
        from workflows.find_trackers import find_trackers

        found = find_trackers()
        if as_json:
            print(json.dumps([one.as_json() for one in found], indent=2))
            return
        for one in found:
            print(f"{one.driver:<14} {one.text}")
            if one.hint:
                print(f"{'':<14} {one.hint}")
