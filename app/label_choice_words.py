"""What the labels of a run were chosen by, in words."""

from __future__ import annotations

from pathlib import Path

from app.texts import tr
from workflows.label_choice import LabelChoice, label_choice_of

SOURCE_WORDS = {"none": "the heatmap itself", "crf": "CRF", "grabcut": "GrabCut", "random_walker": "the random walker"}


def label_choice_words(run_folder: Path) -> str:
    """One sentence; empty where the run's labels were not chosen."""
    choice = label_choice_of(run_folder)
    return "" if choice is None else choice_words(choice)


def choice_words(choice: LabelChoice) -> str:
    """The choice, with its figures."""
    source = tr(SOURCE_WORDS.get(choice.labels.source, choice.labels.source))
    if choice.own_dice is None:
        return tr("Labels: the study's own ({source}). {why}").format(source=source, why=choice.why_not)
    if choice.chosen_dice is None or not choice.is_other:
        words = tr("Labels: the study's own ({source}, Dice {own:.2f}); no other is clearly better on {n} images.")
        return words.format(source=source, own=choice.own_dice, n=choice.n_images)
    words = tr("Labels: {source}, Dice {chosen:.2f} against {own:.2f} of the study's own on {n} training images.")
    return words.format(source=source, chosen=choice.chosen_dice, own=choice.own_dice, n=choice.n_images)
