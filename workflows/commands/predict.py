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
        what: Annotated[
            list[Path],
            typer.Argument(help="[MODEL] WHERE: a model file (.safetensors), and the folder of a study or of images."),
        ],
        out: Annotated[Path | None, typer.Option(help="Folder for the results; needed for a folder of images.")] = None,
        study: Annotated[
            Path | None, typer.Option(help="Study whose model in use predicts a folder of images.")
        ] = None,
        everything: Annotated[bool, typer.Option("--all", help="Also images with an accepted mask.")] = False,
        device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
        as_: AsPerson = "",
    ) -> None:
        """Predict masks: into a study as pre-annotation, or for a folder of images as PNG files.

        Where no model is named, the one in use in the study predicts.
        """
        from domain.errors import UserFacingError
        from workflows.predict_masks import model_in_use, predict_folder, predict_study
        from workflows.progress_bar import progress_bar

        if len(what) > 2:
            raise UserFacingError(f"{len(what)} paths were given.", "Name a model and a folder, or the folder alone.")
        where, model = what[-1], what[0] if len(what) == 2 else None
        if not where.exists():
            raise UserFacingError(f"{where} is not there.", "Name the folder of a study or of images.")
        if (where / "study.json").exists():
            with open_as(where, as_) as opened, progress_bar("predicting") as show:
                found = predict_study(opened, model, only_open=not everything, device=device, on_progress=show)
        elif out is None:
            raise UserFacingError(f"{where} is a folder of images.", "Say where to put the results: --out FOLDER.")
        else:
            if model is None:
                if study is None:
                    raise UserFacingError("No model is named.", "Name a file, or a study that has one in use: --study.")
                with open_as(study, as_) as opened:
                    model = model_in_use(opened)
            with progress_bar("predicting") as show:
                found = predict_folder(where, out, model, device=device, on_progress=show)
        print(f"{len(found)} images predicted; most uncertain first:")
        for one in found[:10]:
            print(f"  {one.image_id}  uncertainty {one.uncertainty:.2f}  area {one.area_share:.1%}")
