"""Live curves: what is drawn when, and that a long run keeps its extremes."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage

from app.let_run import let_run
from app.widgets.curve_axis import Axis, count_axis, value_axis
from app.widgets.curve_plot import CURVE_COLOURS, CurvePlot
from app.widgets.curve_points import MOST_POINTS, CurvePoints, thinned


def drawn(plot: CurvePlot, colour: str) -> int:
    """Pixels of about this colour."""
    image = plot.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(bytes(image.constBits()), np.uint8).reshape(image.height(), -1)
    pixels = rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)
    wanted = QColor(colour)
    return int((np.abs(pixels - (wanted.red(), wanted.green(), wanted.blue())).max(axis=2) < 60).sum())


@pytest.fixture
def plot(qapp: object) -> CurvePlot:
    made = CurvePlot("step", "loss")
    made.resize(500, 300)
    made.show()
    let_run(50)
    return made


def test_that_a_new_point_is_added_to_the_picture_and_only_a_new_range_draws_it_again(plot: CurvePlot) -> None:
    for step in range(40):
        plot.add("loss", step, 1 + step / 40)
    plot.refresh()
    let_run(20)
    before, picture = drawn(plot, CURVE_COLOURS[0]), plot._picture
    assert before > 200
    plot.add("loss", 40, 1.1)
    plot.add("loss", 41, float("nan"))
    plot.refresh()
    assert plot._picture is picture
    assert drawn(plot, CURVE_COLOURS[0]) > before
    assert plot.n_points("loss") == 41
    plot.add("loss", 90, 5.0)
    plot.refresh()
    let_run(20)
    assert plot._picture is not picture
    assert plot._y_axis.holds(1.0, 5.0)
    plot.clear_curves()
    let_run(20)
    assert drawn(plot, CURVE_COLOURS[0]) == 0
    assert plot.n_points("loss") == 0
    plot.close()


def test_that_a_curve_added_piece_by_piece_looks_like_one_drawn_at_once(plot: CurvePlot) -> None:
    other = CurvePlot("step", "loss")
    other.resize(plot.size())
    other.show()
    values = 1 + np.sin(np.arange(200) / 9)
    for step, value in enumerate(values):
        for one in (plot, other):
            one.add("loss", step, value)
        plot.refresh()
        plot.repaint()
    other.refresh()
    let_run(50)
    counts = [drawn(one, CURVE_COLOURS[0]) for one in (plot, other)]
    assert counts[0] == pytest.approx(counts[1], rel=0.1)
    plot.close()
    other.close()


def test_that_a_long_run_keeps_few_points_and_its_extremes() -> None:
    points = CurvePoints()
    values = np.random.default_rng(0).normal(size=5 * MOST_POINTS)
    values[1234], values[30_000] = 99.0, -99.0
    for step, value in enumerate(values):
        points.add(step, value)
    xs, ys = points.arrays()
    assert len(points) == len(xs) <= MOST_POINTS + 1
    assert points.n_added == len(values)
    assert (np.diff(xs) >= 0).all()
    assert ys.max() == points.high == 99
    assert ys.min() == points.low == -99
    assert abs(xs[np.argmax(ys)] - 1234) < 50
    assert (xs[0], xs[-1], ys[-1]) == (0, len(values) - 1, values[-1])


def test_that_thinning_keeps_first_lowest_highest_and_last_of_each_column() -> None:
    ys = np.array([3.0, 1, 9, 4, 7, 5])
    xs, thin = thinned(np.arange(6.0), ys, np.array([0, 0, 0, 0, 1, 1]))
    assert thin.tolist() == [3, 1, 9, 4, 7, 5, 7, 5]
    assert xs.tolist() == [0, 1.5, 1.5, 3, 4, 4.5, 4.5, 5]


@pytest.mark.parametrize(
    ("last", "top"), [(0, 1), (1, 1), (7, 8), (100, 100), (101, 125), (999, 1000), (1001, 1250), (81_000, 100_000)]
)
def test_that_the_axis_of_steps_grows_in_steps(last: float, top: float) -> None:
    assert count_axis(last) == Axis(0.0, top)


def test_that_values_lie_between_round_numbers() -> None:
    assert value_axis(0.12, 1.07) == Axis(0.0, pytest.approx(1.2))
    assert value_axis(3.0, 3.0).holds(3.0, 3.0)
    assert value_axis(np.inf, -np.inf) == Axis(0.0, 1.0)
    assert [text for _, text in Axis(0.0, 4000.0).ticks(4)] == [
        "0",
        "1\u202f000",
        "2\u202f000",
        "3\u202f000",
        "4\u202f000",
    ]
    assert [text for _, text in Axis(-0.2, 0.2).ticks(4)] == ["-0.2", "-0.1", "0.0", "0.1", "0.2"]
