"""`sightline predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workflows.sign_in import AsPerson, open_as


def register(cli: typer.Typer) -> None:
    """Add the command."""

    @cli.command()
    def predict(
        model: Annotated[Path, typer.Argument(help="Model file (.safetensors) of a training run.")],
        where: Annotated[Path, typer.Argument(help="Folder of a study, or of images.")],
        out: Annotated[Path | None, typer.Option(help="Folder for the results; needed for a folder of images.")] = None,
        everything: Annotated[bool, typer.Option("--all", help="Also images with an accepted mask.")] = False,
        device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
        as_: AsPerson = "",
    ) -> None:
        """Predict masks: into a study as pre-annotation, or for a folder of images as PNG files."""
        from domain.errors import UserFacingError
        from workflows.predict_masks import predict_folder, predict_study
        from workflows.progress_bar import progress_bar

        if (where / "study.json").exists():
            with open_as(where, as_) as study, progress_bar("predicting") as show:
                found = predict_study(study, model, only_open=not everything, device=device, on_progress=show)
        elif out is None:
            raise UserFacingError(f"{where} is a folder of images.", "Say where to put the results: --out FOLDER.")
        else:
            with progress_bar("predicting") as show:
                found = predict_folder(where, out, model, device=device, on_progress=show)
        print(f"{len(found)} images predicted; most uncertain first:")
        for one in found[:10]:
            print(f"  {one.image_id}  uncertainty {one.uncertainty:.2f}  area {one.area_share:.1%}")
