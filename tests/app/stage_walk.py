"""Walking through the annotation stage with keys only, and what is asked of every frame on the way."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QLineEdit, QWidget

from app.annotate_stage import AnnotateStage
from app.context import TrackerChoice
from app.main_window import MainWindow
from app.stage_phase import Phase
from domain.study import Role
from storage.study import Study

ANNOTATOR = "anna"
LOOK_S = 4.0


def open_stage(
    window: MainWindow, study: Study, wait: Callable[..., None], *, role: Role, **options: object
) -> AnnotateStage:
    """The stage on the instruction card, with a simulated eye (and its options) whose time is told to pass."""
    study.add_annotator(ANNOTATOR, role)
    window.services.set_annotator(ANNOTATOR, role)
    window.use_study(study)
    window.services.set_tracker(TrackerChoice(settings={"speed": 0.0, "seed": 2, "options": options}))
    window.activateWindow()
    window.navigate("worklist")
    QTest.keyClick(window.screen_widget("worklist"), Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    screen = window.screen_widget("annotate")
    stage = screen.stage
    assert isinstance(stage, AnnotateStage)
    stage.image.start_target_ms = 40
    wait(lambda: stage.phase is Phase.CARD, 60)
    return stage


def look_and_answer(stage: AnnotateStage, study: Study, wait: Callable[..., None]) -> None:
    """One image: time passes, then Enter or N, then Enter when the mask is there."""
    wait(lambda: stage.is_recording, 30)
    truth = study.ground_truth(stage.image_id)
    stage.session.recording.advance(LOOK_S)
    n_before = len(stage.look.seconds_to_mask)
    QTest.keyClick(stage, Qt.Key.Key_Return if truth is None or truth.any() else Qt.Key.Key_N)
    wait(lambda: len(stage.look.seconds_to_mask) > n_before, 90)
    QTest.keyClick(stage, Qt.Key.Key_Return)


def visible_texts(*roots: QWidget) -> list[str]:
    """Every word that stands in a visible widget, and every tooltip."""
    found = []
    for root in roots:
        for widget in (root, *root.findChildren(QWidget)):
            if not widget.isVisible():
                continue
            found += [widget.windowTitle(), widget.toolTip(), widget.accessibleName()]
            if isinstance(widget, (QLabel, QAbstractButton, QLineEdit)):
                found.append(widget.text())
            if isinstance(widget, QComboBox):
                found += [widget.itemText(n) for n in range(widget.count())]
    return [text for text in found if text]


def widgets_on_the_image(stage: AnnotateStage) -> list[QWidget]:
    """Visible widgets with something on them whose rectangle meets that of the image."""
    canvas = stage.canvas
    origin = canvas.mapToGlobal(QPoint(0, 0))
    image = canvas.image_rect_on_widget().translated(origin)
    meeting = []
    for top in QApplication.topLevelWidgets():
        if not top.isVisible() or (top is not stage and not top.isAncestorOf(stage) and not _is_above(top, stage)):
            continue
        for widget in top.findChildren(QWidget):
            if not widget.isVisible() or widget is canvas or widget.isAncestorOf(canvas):
                continue
            place = QRect(widget.mapToGlobal(QPoint(0, 0)), widget.size())
            if place.intersects(image):
                meeting.append(widget)
    return meeting


def _is_above(top: QWidget, stage: AnnotateStage) -> bool:
    return top.windowFlags() & Qt.WindowType.Popup == Qt.WindowType.Popup and top is not stage
