"""`sightline agreement`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from workflows.progress_bar import progress_bar
from workflows.sign_in import AsPerson, open_as

Method = Literal["none", "majority", "staple"]


def register(cli: typer.Typer) -> None:
    """Add the command."""

    @cli.command()
    def agreement(
        study: Annotated[Path, typer.Argument(help="The study's folder.")],
        target: Annotated[str, typer.Option(help="Default: the first.")] = "",
        out: Annotated[Path | None, typer.Option("--out", "-o", help="All pairs as CSV.")] = None,
        consensus: Annotated[Method, typer.Option(help="Also store one mask per image from all annotators.")] = "none",
        as_: AsPerson = "",
    ) -> None:
        """Print how far annotators agree, their times, and the quality of their gaze."""
        from storage.mask_table import NOT_PEOPLE
        from workflows import agreement as work

        with open_as(study, as_) as opened:
            with progress_bar("Comparing") as on_progress:
                report = work.examine(opened, target=target, on_progress=on_progress)
            print(f"Target {report.target}: {report.n_images_with_two} images with two or more masks")
            for (first, second), means in report.mean_of_pairs().items():
                print(
                    f"{first} - {second}: n {means['n']:.0f}, Dice {means['dice']:.3f}, IoU {means['iou']:.3f}, "
                    f"HD95 {means['hausdorff95_px']:.1f} px, kappa {means['kappa']:.3f}"
                )
            for outlier in report.outliers()[:10]:
                print(f"look at {outlier.image_id}: {outlier.first} and {outlier.second}, Dice {outlier.dice:.2f}")
            print(report.rule)
            for one in report.annotators:
                active = "-" if one.median_active_s is None else f"{one.median_active_s:.1f} s"
                loss = "-" if one.mean_loss is None else f"{100 * one.mean_loss:.1f} %"
                drift = "-" if one.median_drift_deg is None else f"{one.median_drift_deg:.2f} deg"
                simulated = " (SIMULATED)" if one.is_simulated else ""
                print(
                    f"{one.annotator}{simulated}: {one.n_images} images, median active time {active}, "
                    f"loss {loss}, drift {drift}"
                )
            if out is not None:
                work.write_csv(report, out)
            if consensus != "none":
                by_image = work.newest_masks(opened, report.target)
                n_made = 0
                for image_id, people in by_image.items():
                    if len(people.keys() - NOT_PEOPLE) > 1:
                        work.make_consensus(opened, image_id, target=report.target, method=consensus)
                        n_made += 1
                print(f"{n_made} consensus masks ({consensus}) stored")
