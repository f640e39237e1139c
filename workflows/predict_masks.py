"""Masks, probability maps and uncertainty for a folder of images or for the rest of a study."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadFileError, UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.study import Role
from storage.atomic_write import write_text_atomically
from storage.image_file import read_image
from storage.map_file import write_map
from storage.mask_file import write_mask
from storage.study import Study
from training.prediction import Prediction, Predictor, load_model
from workflows.model_shelf import active_model

# The author of predicted masks in a study.
MODEL_AUTHOR = "model"
_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".nii", ".gz")


@dataclass(frozen=True)
class PredictedImage:
    """One predicted image; `uncertainty` is the disagreement of the levels, 0-1, high = look at it first."""

    image_id: str
    uncertainty: float
    area_share: float


def predict_study(
    study: Study,
    model: Path | None = None,
    *,
    target: str = "",
    only_open: bool = True,
    device: str = "auto",
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> list[PredictedImage]:
    """Predict a study's images and store masks as pre-annotation by the author "model"; most uncertain first.

    model: None means the model in use. only_open: leave out images that have an accepted mask. The order is kept in
    runs/worklist-TARGET.json.

    Raises:
        UserFacingError: no image is left, no model is in use, or it cannot be read.
        Cancelled: stopped; what was predicted so far is stored.
    """
    study.require("train")
    model = model or model_in_use(study)
    predictor = load_model(model, device=device)
    name = target or str(predictor.description.get("target", "")) or study.settings.targets[0].name
    ids = [
        image.image_id for image in study.images() if not only_open or study.accepted_mask(image.image_id, name) is None
    ]
    if not ids:
        raise UserFacingError("All images of the study have an accepted mask.", "Predict all images instead.")
    study.add_annotator(MODEL_AUTHOR, Role.ANNOTATOR)
    found = []
    images = (_shown(study, image_id) for image_id in ids)
    try:
        for number, (image_id, prediction) in enumerate(_predicted(predictor, ids, images, cancel), start=1):
            facts = {"model": model.name, "uncertainty": round(prediction.uncertainty, 4)}
            study.save_mask(image_id, MODEL_AUTHOR, name, prediction.mask, origin="model", facts=facts)
            found.append(PredictedImage(image_id, prediction.uncertainty, float(prediction.mask.mean())))
            on_progress(Progress(number, len(ids), "predicting"))
    finally:  # stopped or failed: what was predicted is listed all the same
        found.sort(key=lambda one: -one.uncertainty)
        if found:
            _list_down(study, name, model, found)
    return found


def _list_down(study: Study, target: str, model: Path, found: list[PredictedImage]) -> None:
    rows = [{"image_id": one.image_id, "uncertainty": one.uncertainty, "area_share": one.area_share} for one in found]
    write_text_atomically(_worklist_path(study, target), json.dumps({"model": str(model), "images": rows}, indent=1))


def model_in_use(study: Study) -> Path:
    """The model that was chosen for this study.

    Raises:
        UserFacingError: none was.
    """
    model = active_model(study)
    if model is None:
        raise UserFacingError("No model is in use in this study.", "Choose one on the training page, or name a file.")
    return model


def worklist(study: Study, target: str = "") -> list[PredictedImage]:
    """The images of the last prediction that nobody has accepted yet, most uncertain first.

    Raises:
        BadFileError: the list is damaged.
    """
    name = target or study.settings.targets[0].name
    path = _worklist_path(study, name)
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text("utf-8"))["images"]
        listed = [
            PredictedImage(str(row["image_id"]), float(row["uncertainty"]), float(row["area_share"])) for row in rows
        ]
    except (OSError, ValueError, OverflowError, LookupError, TypeError) as error:
        raise BadFileError(f"{path} is damaged: {error}.", "Predict again to have it made anew.") from error
    return [one for one in listed if study.accepted_mask(one.image_id, name) is None]


def predict_folder(
    folder: Path,
    out: Path,
    model: Path,
    *,
    device: str = "auto",
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> list[PredictedImage]:
    """Predict every image in a folder: masks/, probability/, uncertainty/ and predictions.csv in `out`.

    Raises:
        UserFacingError: no image in the folder, or the model or an image cannot be read.
        Cancelled: stopped; what was predicted so far is there.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES) if folder.is_dir() else []
    if not files:
        raise UserFacingError(f"{folder} holds no image.", "Name a folder with PNG, JPEG, TIFF, DICOM or NIfTI files.")
    predictor = load_model(model, device=device)
    found = []
    names = _distinct_names(files)
    images = (read_image(path).display_u8(0) for path in files)
    for number, (name, prediction) in enumerate(_predicted(predictor, names, images, cancel), start=1):
        record: dict[str, object] = {"model": model.name, "uncertainty": prediction.uncertainty}
        write_mask(out / "masks" / f"{name}.png", prediction.mask, record)
        write_map(out / "probability" / f"{name}.png", prediction.probability, record)
        write_map(out / "uncertainty" / f"{name}.png", prediction.uncertainty_map, record)
        found.append(PredictedImage(name, prediction.uncertainty, float(prediction.mask.mean())))
        on_progress(Progress(number, len(files), "predicting"))
    found.sort(key=lambda one: -one.uncertainty)
    with (out / "predictions.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "uncertainty", "area_share"])
        writer.writerows([one.image_id, f"{one.uncertainty:.4f}", f"{one.area_share:.4f}"] for one in found)
    return found


def _predicted(
    predictor: Predictor, ids: list[str], images: Iterator[NDArray[np.uint8]], cancel: CancelToken | None
) -> Iterator[tuple[str, Prediction]]:
    def watched() -> Iterator[NDArray[np.uint8]]:
        for image in images:
            if cancel is not None:
                cancel.raise_if_cancelled()
            yield image

    yield from zip(ids, predictor.predict_many(watched()), strict=True)


def _shown(study: Study, image_id: str) -> NDArray[np.uint8]:
    pixels = study.pixels(image_id)
    return pixels.display_u8(0 if pixels.n_slices == 1 else max(0, study.image(image_id).slice_index))


def _worklist_path(study: Study, target: str) -> Path:
    safe = "".join(letter if letter.isalnum() else "-" for letter in target)
    return study.folder / "runs" / f"worklist-{safe}.json"


def _distinct_names(files: list[Path]) -> list[str]:
    """Stems, or whole names where two files share a stem."""
    stems = [path.stem for path in files]
    return [path.stem if stems.count(path.stem) == 1 else path.name.replace(".", "-") for path in files]
