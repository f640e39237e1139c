"""Predicting: the model draws masks for what is still open, and a person looks at the most doubtful ones first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.background_task import Work
from app.colour_maps import MASK_COLOUR
from app.context import Services
from app.picture_loader import PictureLoader
from app.screen import Screen, screens
from app.slices_ahead import SlicesAhead
from app.target_choice import list_targets
from app.texts import tr
from app.widgets.image_canvas import ImageCanvas
from app.widgets.layers import MaskLayer
from app.widgets.plain import EmptyState, button, card, field_label, label, page, row
from app.widgets.task_row import TaskRow
from app.widgets.thumbnails import ThumbnailSource, icon_of
from app.widgets.viewer import say_reading, say_unreadable
from domain.events import CancelToken, OnProgress
from domain.pixels import ImagePixels
from domain.slice_stack import SliceStack
from domain.study import Role
from workflows.correct_mask import Stored
from workflows.edit_history import Place
from workflows.mask_editing import Mask
from workflows.model_shelf import models_of
from workflows.thumbnails import thumbnail

if TYPE_CHECKING:  # torch comes with it, which nobody waits for before it is needed
    from workflows.doubt import PredictedImage

"""Not the colour of a person's mask: what the model drew is seen to be the model's."""

_LEFT_WIDTH = 430
_THUMBNAIL = QSize(72, 56)
_Picture = tuple[ImagePixels | SliceStack, int | None, Mask | None, Stored]
_ID = int(Qt.ItemDataRole.UserRole)


@screens.register("predict")
class PredictScreen(Screen):
    """Masks of a model for the rest of the study or for a folder; the doubtful ones come first."""

    title: ClassVar[str] = "Predict"
    icon: ClassVar[str] = "predict"
    order: ClassVar[int] = 95
    roles: ClassVar[frozenset[Role]] = frozenset({Role.ADMIN})

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        study = services.open_study
        self._mask: Mask | None = None
        self._stored: Stored | None = None
        self._slices = SlicesAhead(services.readers)
        self._thumbnails = ThumbnailSource(lambda image_id: thumbnail(study, image_id), self)
        self._thumbnails.arrived.connect(self._on_thumbnail)
        self.pictures: PictureLoader[Place, _Picture] = PictureLoader(
            services.readers,
            self._read_picture,
            on_shown=self._show_picture,
            on_failed=self._on_unreadable,
            on_slow=lambda _place: say_reading(self._canvas),
        )
        column, _head = page(
            self,
            tr("Predict"),
            tr("A model draws masks for what is still open. Nothing counts before a person has accepted it."),
        )
        self._empty = EmptyState(
            "train",
            tr("There is no model yet. Train one on the labels of this study first."),
            tr("Train"),
            lambda: services.navigate("train"),
        )
        column.addWidget(self._empty, 1)
        self._body = QWidget()
        body = QHBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(18)
        left = QVBoxLayout()
        left.setSpacing(14)
        left.addWidget(self._order_card())
        left.addWidget(self._list_card(), 1)
        body.addLayout(left)
        body.addWidget(self._picture_card(), 1)
        column.addWidget(self._body, 1)

    # screen

    def on_shown(self, **arguments: object) -> None:
        study = self.services.open_study
        list_targets(self._target, study)
        chosen = self._model.currentData()
        self._model.clear()
        for path, is_active in models_of(study):
            words = tr("{name} (in use)").format(name=path.stem) if is_active else _run_name(path)
            self._model.addItem(words, path)
        self._model.setCurrentIndex(max(0, self._model.findData(chosen)))
        has_models = self._model.count() > 0
        self._empty.setVisible(not has_models)
        self._body.setVisible(has_models)
        if has_models:
            self.refresh()

    def on_hidden(self) -> None:
        self.pictures.stop()
        self._slices.stop()

    def close_screen(self) -> None:
        self.task_row.stop()
        self.on_hidden()
        self._thumbnails.close()

    # building

    def _order_card(self) -> QFrame:
        frame, column = card(margin=22, spacing=12)
        frame.setFixedWidth(_LEFT_WIDTH)
        column.addWidget(label(tr("What and where"), "heading"))
        form = QFormLayout()
        form.setHorizontalSpacing(18)
        form.setVerticalSpacing(10)
        self._model, self._target, self._what = QComboBox(), QComboBox(), QComboBox()
        self._target.currentIndexChanged.connect(lambda _index: self.refresh())
        self._what.addItem(tr("The rest of this study"), "study")
        self._what.addItem(tr("A folder of images"), "folder")
        self._what.currentIndexChanged.connect(lambda _index: self._show_what())
        self._everything = QCheckBox(tr("Also images with an accepted mask"))
        self._folder = QLineEdit()
        self._folder.setPlaceholderText(tr("Folder with images"))
        for box in (self._model, self._target, self._what):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(18)
        form.addRow(field_label(tr("Model")), self._model)
        form.addRow(field_label(tr("Images")), self._what)
        self._target_words = field_label(tr("Target"))
        form.addRow(self._target_words, self._target)
        column.addLayout(form)
        column.addWidget(self._everything)
        self._place = QWidget()
        place = QHBoxLayout(self._place)
        place.setContentsMargins(0, 0, 0, 0)
        place.addWidget(self._folder, 1)
        place.addWidget(button(tr("Choose…"), self._choose))
        column.addWidget(self._place)
        self.task_row = TaskRow(
            self.services,
            tr("Predict"),
            self.start,
            icon_name="predict",
            stopped=tr("Stopped. What was predicted so far is kept."),
        )
        self.task_row.ended.connect(self._on_ended)
        self.task_row.open.hide()
        column.addWidget(self.task_row)
        self._show_what()
        return frame

    def _list_card(self) -> QFrame:
        frame, column = card(margin=18, spacing=8)
        frame.setFixedWidth(_LEFT_WIDTH)
        self._list_title = label(tr("Most doubtful first"), "heading")
        column.addWidget(self._list_title)
        self._list = QListWidget()
        self._list.setIconSize(_THUMBNAIL)
        self._list.setAccessibleName(tr("Predicted images, most doubtful first"))
        self._list.currentItemChanged.connect(lambda _item, _before: self._want_picture())
        self._list.itemActivated.connect(lambda _item: self.correct())
        column.addWidget(self._list, 1)
        return frame

    def _picture_card(self) -> QFrame:
        frame, column = card(margin=18, spacing=10)
        self._name = label("", "heading")
        self._correct = button(tr("Look at it and correct"), self.correct, icon_name="pencil")
        self._correct.setEnabled(False)
        column.addLayout(row(self._name, None, self._correct))
        self._canvas = ImageCanvas()
        self._canvas.tells_slice = True
        self._canvas.unreadable.connect(self.services.show_error)
        self._canvas.set_opacity(self.services.settings.overlay_opacity)
        column.addWidget(self._canvas, 1)
        self._facts = label(tr("Nothing is waiting. Press Predict."), "small", wraps=True)
        column.addWidget(self._facts)
        return frame

    # what the user does

    def start(self) -> None:
        """Predict with the chosen model."""
        model = self._model.currentData()
        if not isinstance(model, Path):
            return
        if self._what.currentData() == "study":
            self._predict_study(model)
        else:
            self._predict_folder(model)

    def refresh(self) -> None:
        """List the predictions nobody has accepted yet."""
        if not self._model.count():
            return
        study, target = self.services.open_study, self._target.currentText()

        def work(_report: OnProgress, _cancel: CancelToken) -> tuple[str, list[PredictedImage]]:
            from workflows.predict_masks import worklist

            return target, worklist(study, target)

        self.services.tasks.start("", work, on_done=self._show_list_of)

    def correct(self) -> None:
        """Put the model's mask on the desk, as a step that can be undone, and open it."""
        if self.pictures.is_waiting:
            self._facts.setText(tr("The image is still being read."))
        shown = self.pictures.shown
        if shown is None or self._mask is None:
            return
        (image_id, target), desk = shown, self.services.desk
        if not desk.open(image_id, target, self._stored).mask.any():
            desk.start_over(image_id, target, self._mask, tool="model")
        self.services.navigate("correct", image_id=image_id, target=target, back="predict")

    # inside

    def _predict_study(self, model: Path) -> None:
        study, target, only_open = (
            self.services.open_study,
            self._target.currentText(),
            not self._everything.isChecked(),
        )

        def work(report: OnProgress, cancel: CancelToken) -> tuple[str, list[PredictedImage]]:
            from workflows.predict_masks import predict_study

            found = predict_study(study, model, target=target, only_open=only_open, on_progress=report, cancel=cancel)
            return target, found

        self._run(work, self._on_predicted)

    def _predict_folder(self, model: Path) -> None:
        folder = Path(self._folder.text().strip())
        if not self._folder.text().strip() or not folder.is_dir():
            self.task_row.say(tr("Choose the folder with the images."))
            self._folder.setFocus()
            return
        out = _free_folder(folder.parent / f"{folder.name}-predicted")

        def work(report: OnProgress, cancel: CancelToken) -> list[PredictedImage]:
            from workflows.predict_masks import predict_folder

            return predict_folder(folder, out, model, on_progress=report, cancel=cancel)

        def on_done(found: list[PredictedImage]) -> None:
            self.task_row.offer(out)
            self.task_row.open.show()
            words = tr("Predicted: {n}. Masks, probability maps and uncertainty are in {folder}.")
            self.task_row.say(words.format(n=len(found), folder=out))

        self._run(work, on_done)

    def _run(self, work: Work, on_done: Callable[..., object]) -> None:
        words = tr("{n} of {total} images")
        self.task_row.run(tr("Predicting"), work, on_done=on_done, words=tr("Loading the model…"), progress_words=words)

    def _on_predicted(self, predicted: tuple[str, list[PredictedImage]]) -> None:
        words = tr("Predicted: {n}. Look at the doubtful ones first.")
        self.task_row.say(words.format(n=len(predicted[1])))
        self._show_list_of(predicted)

    def _on_ended(self) -> None:
        self.task_row.go.setEnabled(True)
        if self.task_row.was_stopped:
            self.refresh()

    def _show_list_of(self, listed: tuple[str, list[PredictedImage]]) -> None:
        target, found = listed
        if target != self._target.currentText():
            return  # another target was chosen while this one was predicted or read
        chosen = self._list.currentItem().data(_ID) if self._list.currentItem() is not None else None
        self.pictures.stop()  # masks of the same images may be others now
        self._list.blockSignals(True)
        self._list.clear()
        for one in found:
            words = tr("{name}\nuncertainty {uncertainty:.2f} · area {area:.1%}").format(
                name=one.image_id, uncertainty=one.uncertainty, area=one.area_share
            )
            item = QListWidgetItem(words)
            item.setData(_ID, one.image_id)
            picture = self._thumbnails.get(one.image_id)
            if picture is not None:
                item.setIcon(icon_of(picture))
            self._list.addItem(item)
            if one.image_id == chosen:
                self._list.setCurrentItem(item)
        if found and self._list.currentItem() is None:
            self._list.setCurrentRow(0)
        self._list.blockSignals(False)
        self._want_picture()
        if not found:
            self._canvas.set_pixels(None)
            self._name.setText("")
            self._facts.setText(tr("Nothing is waiting. Press Predict."))
            self._correct.setEnabled(False)

    def _want_picture(self) -> None:
        place, target = self._list.currentRow(), self._target.currentText()
        self._mask = None
        if place < 0:
            self.pictures.stop()
            return
        near = [self._list.item(n) for n in (place, place + 1, place - 1) if 0 <= n < self._list.count()]
        wanted, *ahead = [(str(item.data(_ID)), target) for item in near]
        self._correct.setEnabled(False)
        self._desk = self.services.desk  # opened here, in the thread that it belongs to
        self.pictures.want(wanted, ahead=ahead)

    def _read_picture(self, place: Place) -> _Picture:
        from workflows.predict_masks import MODEL_AUTHOR

        study = self.services.open_study
        return *study.stack(place[0]), study.mask(place[0], MODEL_AUTHOR, place[1]), self._desk.read(*place)

    def _show_picture(self, place: Place, picture: _Picture) -> None:
        pixels, home_slice, self._mask, self._stored = picture
        self._canvas.set_pixels(pixels, home_slice=home_slice)
        self._slices.read_around(pixels, home_slice)
        if self._mask is not None:
            self._canvas.set_layer("mask", MaskLayer(self._mask, MASK_COLOUR))
        self._correct.setEnabled(self._mask is not None)
        self._name.setText(place[0])
        self._facts.setText(
            tr("Uncertainty is how far the model's levels disagree, from 0 to 1. Enter opens the mask for correction.")
        )

    def _on_unreadable(self, place: Place, error: BaseException) -> None:
        self._name.setText(place[0])
        self._facts.setText("")
        say_unreadable(self._canvas, place[0], error)

    def _on_thumbnail(self, image_id: str) -> None:
        for place in range(self._list.count()):
            item = self._list.item(place)
            picture = self._thumbnails.get(image_id) if item.data(_ID) == image_id else None
            if picture is not None:
                item.setIcon(icon_of(picture))

    def _show_what(self) -> None:
        is_study = self._what.currentData() == "study"
        for widget in (self._target, self._target_words, self._everything):
            widget.setVisible(is_study)
        self._place.setVisible(not is_study)

    def _choose(self) -> None:
        dialog = QFileDialog(self, tr("Folder with images"))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self._folder.setText)
        dialog.open()


def _run_name(model: Path) -> str:
    return model.parent.name if model.stem == "model" else model.stem


def _free_folder(wanted: Path) -> Path:
    number, free = 2, wanted
    while free.exists():
        free = wanted.with_name(f"{wanted.name}-{number}")
        number += 1
    return free
