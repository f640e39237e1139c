"""The whole way once: a simulated annotator looks, labels are made, a small model is trained, a report is written."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from domain.errors import UserFacingError
from domain.events import OnProgress, Progress
from domain.study import StudyImage
from domain.trial import TrialRecord
from processing.overlap import dice
from storage.atomic_write import write_text_atomically
from storage.study import Study
from training.messages import Event
from workflows.demo_report import DemoResult, ImageScore, render_report
from workflows.export_dataset import export
from workflows.import_images import import_to_folder
from workflows.make_labels import make_labels
from workflows.predict_masks import predict_study
from workflows.sample_study import N_FRAMES, open_sample_study
from workflows.train_model import train_study

STUDY_FOLDER, SOURCE_FOLDER, SCREENS_FOLDER, EXPORT_FOLDER = "study", "source", "screens", "export"
REPORT_FILE = "report.html"
N_REAL = 60
"""How many real images the demo looks at unless told otherwise."""
N_TEST_SHARE = 4
"""Of real images, each fourth is kept out of training."""
MARKER_FILE = ".sightline-demo"
"""Says that a folder was made by the demo, so that the next demo may replace it."""


class Look(Protocol):
    """Lets a simulated annotator look at images in the real annotation window; gives the screenshots it took."""

    def __call__(self, study_folder: Path, screens: Path, *, n_images: int, on_progress: OnProgress) -> Sequence[Path]:
        """Annotate so many images of the study, in the annotator's order."""
        ...


Step = Callable[[str], AbstractContextManager[OnProgress]]
"""Shows one step of the demo while it runs: `with step("title") as on_progress`."""


@dataclass(frozen=True)
class DemoPlan:
    """What the demo runs on.

    source: a folder in Kvasir-SEG's layout (images/ and masks/), or None for the sample study.
    n_images: how many images are looked at; 0 = all of the sample study, 60 of another source.
    """

    folder: Path
    source: Path | None = None
    n_images: int = 0
    preset: str = "tiny"
    changes: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class DemoOutcome:
    """Where the report is, and the figures in it."""

    report: Path
    scores: list[ImageScore]
    thresholds: tuple[float, ...]
    total_s: float


def run_demo(plan: DemoPlan, *, look: Look, step: Step) -> DemoOutcome:
    """Run all steps and write the report.

    Raises:
        UserFacingError: the folder holds something that the demo did not make, or the source cannot be used.
    """
    folder = _fresh(plan.folder)
    seconds: list[tuple[str, float]] = []

    @contextmanager
    def timed(title: str) -> Iterator[OnProgress]:
        started_s = time.monotonic()
        with step(title) as on_progress:
            yield on_progress
        seconds.append((title, time.monotonic() - started_s))

    with timed("Images") as on_progress:
        study = _study(plan, folder, on_progress)
    with study:
        with timed("Looking (simulated annotator, real window)") as on_progress:
            screens = look(study.folder, folder / SCREENS_FOLDER, n_images=len(study.images()), on_progress=on_progress)
        with timed("Labels") as on_progress:
            make_labels(study, on_progress=on_progress)
        trials = study.trials(newest_only=True)
        with timed("Export") as on_progress:
            export(study, "gazemedseg", folder / EXPORT_FOLDER, on_progress=on_progress)
        events: list[Event] = []
        with timed("Training") as on_progress:
            model = train_study(
                study,
                preset_name=plan.preset,
                changes=dict(plan.changes),
                on_progress=on_progress,
                on_event=_listener(events, on_progress),
            )
        with timed("Prediction") as on_progress:
            predict_study(study, model, on_progress=on_progress)
        result = DemoResult(
            study=study,
            is_synthetic=plan.source is None,
            scores=[score for trial in trials if (score := _score(study, trial)) is not None],
            trials=trials,
            events=events,
            screens=list(screens),
            seconds=seconds,
            model=model,
        )
        page = render_report(result)
    report = folder / REPORT_FILE
    write_text_atomically(report, page)
    total_s = sum(taken for _, taken in seconds)
    return DemoOutcome(report, result.scores, study.settings.labels.thresholds, total_s)


def _fresh(folder: Path) -> Path:
    """An empty folder; an earlier demo in it is replaced, anything else is refused."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER_FILE).exists():
        raise UserFacingError(f"{folder} holds files that the demo did not make.", "Choose another folder with --into.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER_FILE).write_text("made by `sightline demo`; the next demo replaces this folder\n", "utf-8")
    return folder


def _study(plan: DemoPlan, folder: Path, on_progress: OnProgress) -> Study:
    place = folder / STUDY_FOLDER
    if plan.source is None:
        return open_sample_study(place, n_frames=plan.n_images or N_FRAMES, on_progress=on_progress)
    chosen = _some_of(plan.source, folder / SOURCE_FOLDER, plan.n_images or N_REAL)
    import_to_folder("kvasir-seg", chosen, place, name="Demo: real images, simulated gaze", on_write=on_progress)
    study = Study.open(place)
    images = [_with_split(image, number) for number, image in enumerate(study.images())]
    study.update_images(images, "demo: each fourth image is for test")
    return study


def _some_of(source: Path, place: Path, n_images: int) -> Path:
    """The first images (by name) of a Kvasir-SEG folder, with their masks, in a folder of their own."""
    masks = {path.name: path for path in sorted((source / "masks").glob("*"))}
    images = [path for path in sorted((source / "images").glob("*")) if path.name in masks]
    if not images:
        raise UserFacingError(
            f"{source} holds no images/ and masks/ with the same names.", "Choose a folder in Kvasir-SEG's layout."
        )
    for name in ("images", "masks"):
        (place / name).mkdir(parents=True)
    for image in images[:n_images]:
        shutil.copyfile(image, place / "images" / image.name)
        shutil.copyfile(masks[image.name], place / "masks" / image.name)
    return place


def _with_split(image: StudyImage, number: int) -> StudyImage:
    return replace(image, split="test" if number % N_TEST_SHARE == N_TEST_SHARE - 1 else "train")


def _listener(events: list[Event], on_progress: OnProgress) -> Callable[[Event], None]:
    def hear(event: Event) -> None:
        events.append(event)
        if event.get("event") == "step":
            on_progress(Progress(int(event["step"]), int(event["total"]), f"loss {event['loss']:.3f}"))

    return hear


def _score(study: Study, trial: TrialRecord) -> ImageScore | None:
    """Dice of the maps and of the prediction against the ground truth."""
    truth, maps = study.ground_truth(trial.image_id), study.maps(trial.trial_id)
    if truth is None or maps is None:
        return None
    predicted = study.mask(trial.image_id, "model", trial.target)
    return ImageScore(
        image_id=trial.image_id,
        split=study.image(trial.image_id).split,
        has_target=bool(truth.any()),
        heatmap=tuple(dice(maps.heatmap >= t, truth) for t in maps.parameters.thresholds),
        refined=tuple(dice(level, truth) for level in maps.levels),
        predicted=dice(predicted, truth) if predicted is not None else None,
    )
