"""A small study with hard cases: holes, parts, a turned picture, 16 bits, foreign letters, two annotators."""

from pathlib import Path

import numpy as np
from PIL import Image

from domain.fixations import ImageFixations
from domain.labels import LabelParameters
from domain.study import Role, StudyImage, StudySettings, Target
from domain.trial import TrialRecord
from storage.image_file import read_image, sha256_of
from storage.study import Study

LABELS = LabelParameters(source="none", sigma=60.0, thresholds=(0.5, 0.3))


def hard_mask(size: tuple[int, int]) -> np.ndarray:
    width, height = size
    mask = np.zeros((height, width), np.bool_)
    mask[height // 6 : height * 4 // 6, width // 5 : width * 4 // 5] = True
    mask[height // 3 : height // 3 + 4, width // 2 : width // 2 + 5] = False  # a hole
    mask[-3:, -2:] = True  # a second part, at the border
    return mask


def write_hard_images(folder: Path) -> dict[str, Path]:
    rng = np.random.default_rng(5)
    folder.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "Mr Nobody"
    Image.fromarray(rng.integers(0, 255, (48, 64, 3)).astype(np.uint8)).save(folder / "turned.jpg", exif=exif)
    Image.fromarray(rng.integers(0, 255, (50, 70, 3)).astype(np.uint8)).save(folder / "plain.jpg", quality=90)
    Image.fromarray(rng.integers(0, 4000, (40, 60)).astype(np.uint16)).save(folder / "deep.png")
    Image.fromarray(rng.integers(0, 255, (60, 44, 3)).astype(np.uint8)).save(folder / "Zdjęcie-例.png")
    return {path.stem: path for path in sorted(folder.iterdir())}


def fixations(seed: int, n: int = 6) -> ImageFixations:
    rng = np.random.default_rng(seed)
    return ImageFixations(
        rng.uniform(0.2, 0.8, (n, 2)).round(9),
        duration_ms=rng.integers(80, 500, n).astype(float),
        start_ms=np.arange(n) * 600.0,
        pupil=rng.uniform(2, 5, n).round(3),
    )


def study_with_hard_cases(folder: Path, *, annotators: tuple[str, ...] = ("A",), reference: bool = True) -> Study:
    paths = write_hard_images(folder.with_name(folder.name + "-images"))
    study = Study.create(folder, StudySettings("Hard cases", (Target("polyp", 1), Target("fold", 2)), labels=LABELS))
    splits = {"turned": "train", "plain": "train", "deep": "test", "Zdjęcie-例": "train"}
    images = []
    for name, path in paths.items():
        size = read_image(path).size
        mask_path = ""
        if reference:
            mask_path = f"reference/{name}.png"
            Image.fromarray(hard_mask(size).astype(np.uint8) * 255).save(study.folder / mask_path)
        images.append(
            StudyImage(
                name, path.as_posix(), size, sha256=sha256_of(path), split=splits[name], mask_path=mask_path, case=name
            )
        )
    study.add_images(images)
    for person, annotator in enumerate(annotators):
        study.add_annotator(annotator, Role.ANNOTATOR)
        for number, image in enumerate(images):
            if image.split == "test" and person == 0:
                continue
            study.save_trial(
                TrialRecord(
                    trial_id=f"t{person}{number}",
                    image_id=image.image_id,
                    annotator=annotator,
                    target="polyp",
                    started_ns=10**9,
                    ended_ns=9 * 10**9,
                    fixations=fixations(10 * person + number),
                )
            )
    return study
