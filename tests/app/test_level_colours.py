"""One colour per level, and one measure of what a mask covers, on every page."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from app.colour_maps import LEVEL_COLOURS, MASK_COLOUR, colour_at, level_colour
from domain.labels import LabelMaps, LabelParameters

APP = Path(__file__).resolve().parents[2] / "app"


def test_that_the_colours_of_levels_stand_in_one_file_only():
    found = [
        f"{path.relative_to(APP)}: {name}"
        for path in APP.rglob("*.py")
        for name in re.findall(r"^(?:MASK|LEVEL)_COLOURS? *= *.*#", path.read_text("utf-8"), re.MULTILINE)
        if path.name != "colour_maps.py"
    ]
    assert not found
    assert LEVEL_COLOURS[0] == MASK_COLOUR


@pytest.mark.parametrize(
    ("threshold", "colour"),
    [(0.5, level_colour(0)), (0.3, level_colour(1)), (0.41, MASK_COLOUR)],
    ids=["first", "second", "between"],
)
def test_that_a_mask_has_the_colour_of_its_level(threshold: float, colour: str):
    assert colour_at(threshold, (0.5, 0.3)) == colour


@pytest.mark.window
def test_that_the_slider_says_the_colour_of_the_level_that_is_chosen(qapp):
    from app.widgets.level_slider import LevelSlider

    slider = LevelSlider()
    ramp = np.tile(np.linspace(0, 1, 50, dtype=np.float32), (40, 1))
    slider.show_maps(LabelMaps(ramp, ramp, LabelParameters()), 0.5)
    assert slider.colour == level_colour(0)
    slider.step(-1)
    assert slider.colour == level_colour(1)


@pytest.mark.window
def test_that_the_curve_of_a_level_has_the_colour_of_the_level(qapp):
    from app.widgets.run_curves import RunCurves

    curves = RunCurves()
    curves.add_step({"step": 1, "loss": 1.0, "level_1": 0.5, "level_2": 0.7, "disagreement": 0.1})
    shown = {name: curve.sample.opts["pen"].color().name().upper() for name, curve in curves.loss_plot._curves.items()}
    assert shown["level 1"] == level_colour(0)
    assert shown["level 2"] == level_colour(1)
    assert len(set(shown.values())) == 3


@pytest.mark.window
def test_that_curves_begin_with_words_and_then_show_the_whole_length_of_the_run(qapp):
    from app.widgets.run_curves import RunCurves

    curves = RunCurves()
    assert not curves.nothing.isHidden()
    assert not curves.loss_plot.isVisibleTo(curves)
    for step in (1, 60):
        curves.add_step({"step": step, "total": 120, "loss": 1.0, "level_1": 0.5, "disagreement": 0.1})
        curves.refresh()
        for plot in (curves.loss_plot, curves.dice_plot):
            assert plot.isVisibleTo(curves)
            assert plot.getViewBox().viewRange()[0] == [0, 120]
    curves.clear()
    assert not curves.loss_plot.isVisibleTo(curves)
