"""`sightline train`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workflows.sign_in import AsPerson, open_as

if TYPE_CHECKING:
    from storage.study import Study
    from training.messages import Event

_WHY = {
    "no_gpu": "there is no GPU here, and best takes hours to days without one",
    "few_images": "there is a GPU, but best needs labels of 20 images or more",
    "gpu": "there is a GPU, and enough images",
}


def register(cli: typer.Typer) -> None:
    """Add the command."""

    @cli.command()
    def train(
        study: Annotated[Path, typer.Argument(help="Folder of the study.")],
        preset: Annotated[
            str, typer.Option(help="tiny (minutes on a CPU), reference (published), best, or auto: what suits.")
        ] = "auto",
        target: Annotated[str, typer.Option(help="What to train for; the study's first target if left out.")] = "",
        supervision: Annotated[str, typer.Option(help="gaze, full, point, box or scribble.")] = "gaze",
        seed: Annotated[int, typer.Option(help="Seed of weights, order and augmentation.")] = 0,
        device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
        steps: Annotated[int, typer.Option(help="Number of steps; the preset's own if 0.")] = 0,
        setting: Annotated[
            list[str] | None, typer.Option("--set", help="Any setting as name=value, for example --set size_px=224.")
        ] = None,
        labels: Annotated[
            str, typer.Option(help="study: its own; auto: a source that its training masks show to be clearly better.")
        ] = "study",
        resume: Annotated[str, typer.Option(help="Name of a run to go on with, from its last checkpoint.")] = "",
        as_: AsPerson = "",
        as_json: Annotated[bool, typer.Option("--json", help="Print the worker's events as JSON lines.")] = False,
    ) -> None:
        """Train a model on a study's labels, in a process of its own. Ctrl-C stops it; --resume goes on."""
        from domain.errors import UserFacingError
        from training.config import preset as known_preset
        from training.supervisor import TrainingRun
        from workflows.progress_bar import progress_bar
        from workflows.train_model import follow, start_training

        if labels not in ("study", "auto"):
            raise UserFacingError(f"There is no choice of labels {labels!r}.", "Known: study, auto.")
        if preset != "auto":
            known_preset(preset)  # a wrong word is told before the study is asked for
        changes: dict[str, Any] = {"seed": seed, "device": device, "supervision": supervision, **_settings(setting)}
        if steps:
            changes["steps"] = steps
        with open_as(study, as_) as opened, progress_bar("training") as show:
            if resume:
                opened.require("train")
                run = TrainingRun.start_again(opened.folder / "runs" / resume)
            else:
                name = _suited(opened, is_silent=as_json) if preset == "auto" else preset
                run = start_training(
                    opened,
                    preset_name=name,
                    changes=changes,
                    target=target,
                    chooses_labels=labels == "auto",
                    on_progress=show,
                )
                if not as_json and labels == "auto":
                    _tell_labels(run.folder.folder)

            def tell(event: Event) -> None:
                _tell(event, as_json=as_json, show=show)

            model = follow(run, on_event=tell)
        if not as_json:
            print(f"model: {model}")


def _suited(study: Study, *, is_silent: bool) -> str:
    from workflows.train_model import suggested_training

    name, why = suggested_training(study)
    if not is_silent:
        print(f"preset {name}: {_WHY[why]}")
    return name


def _tell_labels(run_folder: Path) -> None:
    from workflows.label_choice import label_choice_of

    choice = label_choice_of(run_folder)
    if choice is None:
        return
    source = choice.labels.source
    if choice.own_dice is None:
        print(f"labels: the study's own ({source}), nothing was compared: {choice.why_not}")
    elif choice.is_other:
        dice = f"Dice {choice.chosen_dice:.3f} against {choice.own_dice:.3f}"
        print(f"labels: {source}, {dice} of the study's own on {choice.n_images} training images with masks")
    else:
        print(f"labels: the study's own ({source}); no other source is clearly better on {choice.n_images} images")


def _settings(given: list[str] | None) -> dict[str, Any]:
    """name=value pairs; values are read as JSON where they are, else taken as text."""
    from domain.errors import UserFacingError

    settings: dict[str, Any] = {}
    for pair in given or []:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UserFacingError(f"--set {pair!r} is not name=value.", "For example --set learning_rate=0.001.")
        try:
            settings[name.strip()] = json.loads(text)
        except ValueError:
            settings[name.strip()] = text
    return settings


def _tell(event: Event, *, as_json: bool, show: Any) -> None:  # show: OnProgress
    from domain.events import Progress

    if as_json:
        print(json.dumps(event), flush=True)
        return
    kind = event.get("event")
    if kind == "step":
        text = f"loss {event['loss']:.3f}  {event['it_per_s']:.1f} steps/s  {event['eta_s']:.0f} s left"
        show(Progress(int(event["step"]), int(event["total"]), text))
    elif kind == "progress":
        show(Progress(int(event["done"]), int(event["total"]), str(event["text"])))
    elif kind == "evaluation":
        low, high = event["dice_low"], event["dice_high"]
        print(f"step {event['step']}: validation Dice {event['dice']:.3f} ({low:.3f}-{high:.3f}), {event['n']} images")
    elif kind == "finding":
        print(f"{event['kind']}: {event['message']} {event['hint']}")
