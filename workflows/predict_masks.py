"""Masks, probability maps and uncertainty for a folder of images or for the rest of a study."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from storage.image_file import read_image
from storage.map_file import write_map
from storage.mask_file import write_mask
from storage.study import Study
from training.prediction import Prediction, Predictor, load_model
from workflows.doubt import PredictedImage, read_doubts, write_doubts
from workflows.model_shelf import active_model

# The author of predicted masks in a study.
MODEL_AUTHOR = "model"
_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".nii", ".gz")


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
        image.image_id
        for image in study.images()
        if not only_open or study.accepted_version(image.image_id, name) is None
    ]
    if not ids:
        raise UserFacingError("All images of the study have an accepted mask.", "Predict all images instead.")
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
            write_doubts(study, name, model, found)
    return found


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
    listed = read_doubts(study, name)[1]
    return [one for one in listed if study.accepted_version(one.image_id, name) is None]


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


def _distinct_names(files: list[Path]) -> list[str]:
    """Stems, or whole names where two files share a stem."""
    stems = [path.stem for path in files]
    return [path.stem if stems.count(path.stem) == 1 else path.name.replace(".", "-") for path in files]
