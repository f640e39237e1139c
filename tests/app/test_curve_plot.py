"""Live curves: what is drawn when, and that a long run keeps its extremes."""

from __future__ import annotations

import numpy as np
import pytest
from pyqtgraph import AxisItem
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QImage

from app.let_run import let_run
from app.widgets.curve_axis import Axis, count_axis, value_axis
from app.widgets.curve_plot import CURVE_COLOURS, CurvePlot
from app.widgets.curve_points import MOST_POINTS, CurvePoints, thinned
from app.widgets.run_curves import RunCurves


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


def test_that_points_are_shown_when_the_plot_is_refreshed_and_gone_when_cleared(plot: CurvePlot) -> None:
    for step in range(40):
        plot.add("loss", step, 1 + step / 40)
    plot.add("loss", 40, float("nan"))
    assert plot.has_news()
    assert drawn(plot, CURVE_COLOURS[0]) < 60  # in the legend
    plot.refresh()
    let_run(20)
    assert not plot.has_news()
    assert drawn(plot, CURVE_COLOURS[0]) > 200
    assert plot.n_points("loss") == 40
    plot.clear_curves()
    let_run(20)
    assert drawn(plot, CURVE_COLOURS[0]) == 0
    assert plot.n_points("loss") == 0
    plot.close()


def test_that_a_point_inside_the_range_leaves_the_axes_alone(plot: CurvePlot, monkeypatch: pytest.MonkeyPatch) -> None:
    plot.add("loss", 0, 0.5)
    plot.add("loss", 1, 2.0)
    plot.refresh()
    let_run(50)
    painted: list[str] = []
    paint_axis = AxisItem.generateDrawSpecs

    def noted(axis: AxisItem, painter: object) -> object:
        painted.append(axis.orientation)
        return paint_axis(axis, painter)

    monkeypatch.setattr(AxisItem, "generateDrawSpecs", noted)
    for x, y, axes in ((30, 1.0, set()), (90, 1.0, {"bottom"}), (91, 5.0, {"left"})):
        painted.clear()
        plot.add("loss", x, y)
        plot.refresh()
        let_run(50)
        assert axes <= set(painted)
        assert axes or not painted
    (x_low, x_high), (y_low, y_high) = plot.getViewBox().viewRange()
    assert x_low == 0
    assert x_high >= 91
    assert y_low <= 0
    assert y_high >= 5
    plot.close()


def test_that_one_plot_is_drawn_at_a_time_and_only_one_with_news(qapp: object) -> None:
    curves = RunCurves()
    plots = (curves.loss_plot, curves.dice_plot)
    curves.add_step({"step": 1, "loss": 0.5, "disagreement": 0.2})
    curves.refresh()
    assert [plot.has_news() for plot in plots] == [False, True]
    curves.add_step({"step": 2, "loss": 0.4, "disagreement": 0.2})
    curves.refresh()
    assert [plot.has_news() for plot in plots] == [True, False]
    curves.refresh()
    assert [plot.has_news() for plot in plots] == [False, False]
    curves.close()


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


def test_that_no_share_lies_under_the_legend(qapp: object) -> None:
    made = CurvePlot("step", "Dice", is_share=True)
    made.resize(700, 170)
    made.show()
    for step in range(60):
        made.add("level disagreement", step, 0.3)
        made.add("Dice (val)", step, 1.0)
    made.refresh()
    let_run(50)
    legend = made.getPlotItem().legend
    lowest = legend.mapRectToScene(legend.boundingRect()).bottom()
    highest = made.getViewBox().mapViewToScene(QPointF(30, 1.0)).y()
    assert lowest <= highest
    made.close()
