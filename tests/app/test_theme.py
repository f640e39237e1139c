"""Readable in the dark, and states told apart without colour."""

import itertools

import numpy as np
import pytest
from PySide6.QtGui import QImage

from app.theme import COLOURS, STATUS_COLOURS, contrast, status_pixmap
from domain.study import TrialStatus

GROUNDS = (COLOURS.ground, COLOURS.panel, COLOURS.raised)
TEXTS = (COLOURS.text, COLOURS.muted, COLOURS.accent, COLOURS.good, COLOURS.warn, COLOURS.bad)


def test_that_contrast_follows_wcag():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(("text", "ground"), list(itertools.product(TEXTS, GROUNDS)))
def test_that_every_text_colour_reads_at_4_5_to_1_on_every_ground(text: str, ground: str):
    assert contrast(text, ground) >= 4.5


@pytest.mark.parametrize("colour", list(STATUS_COLOURS.values()))
def test_that_every_status_word_reads_at_4_5_to_1(colour: str):
    assert min(contrast(colour, ground) for ground in GROUNDS) >= 4.5


def test_that_the_words_on_the_main_button_read():
    assert contrast(COLOURS.on_accent, COLOURS.accent) >= 4.5


def shape_of(status: TrialStatus) -> np.ndarray:
    image = status_pixmap(status, 28).toImage().convertToFormat(QImage.Format.Format_ARGB32)
    return np.frombuffer(image.constBits(), np.uint8).reshape(28, 28, 4)[..., 3] > 100


def test_that_every_status_has_a_shape_of_its_own(qapp: object):
    for first, second in itertools.combinations(TrialStatus, 2):
        a, b = shape_of(first), shape_of(second)
        assert (a ^ b).sum() > 0.25 * min(a.sum(), b.sum()), f"{first.value} and {second.value} look alike"
