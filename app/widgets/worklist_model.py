"""The worklist as a model for table and grid, and how a cell of the grid is painted."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.texts import tr
from app.theme import COLOURS, STATUS_COLOURS, paint_status, status_icon
from app.widgets.thumbnails import ThumbnailSource
from domain.study import TrialStatus
from workflows.worklist import WorklistRow

Index = QModelIndex | QPersistentModelIndex
ROW_ROLE = int(Qt.ItemDataRole.UserRole)
COLUMNS = ("Image", "Status", "Time", "Gaze loss", "Doubt", "Split", "Case", "Size", "Note")
DOUBT_COLUMN = COLUMNS.index("Doubt")
CELL = QSize(172, 176)
THUMBNAIL_PX = 208
_IN_A_ROW = 7.5
_WIDEST = 240
SMALL = QSize(56, 44)
MAX_SCALED = 1500


class WorklistModel(QAbstractTableModel):
    """Rows of the worklist; replaced as a whole when filtered."""

    def __init__(self, thumbnails: ThumbnailSource) -> None:
        super().__init__()
        self._rows: list[WorklistRow] = []
        self._place: dict[str, int] = {}
        self.thumbnails = thumbnails
        thumbnails.arrived.connect(self._on_arrived)

    def set_rows(self, rows: list[WorklistRow]) -> None:
        """Show these rows."""
        self.beginResetModel()
        self._rows = rows
        self._place = {row.image_id: place for place, row in enumerate(rows)}
        self.endResetModel()

    def row_at(self, place: int) -> WorklistRow | None:
        """The row at a place of the list."""
        return self._rows[place] if 0 <= place < len(self._rows) else None

    def place_of(self, image_id: str) -> int:
        """Where an image stands in the list, -1 if it is filtered away."""
        return self._place.get(image_id, -1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(COLUMNS)

    # What a role's value is depends on the role; Qt takes any.
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(COLUMNS[section])
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.row_at(index.row())
        if row is None:
            return None
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, index.column())
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            picture = self.thumbnails.get(row.image_id)
            return small_picture(picture) if picture is not None else None
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 1:
            return status_icon(row.status)
        if role == Qt.ItemDataRole.ToolTipRole and index.column() == DOUBT_COLUMN:
            return tr("How far the levels of the model disagree, 0 to 1")
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{row.shown_name}, {tr(row.status.value)}"
        return None

    def _text(self, row: WorklistRow, column: int) -> str:
        width, height = row.size
        depth = f" × {row.n_slices}" if row.n_slices > 1 else ""
        return (
            row.shown_name,
            tr(row.status.value),
            "" if math.isnan(row.seconds) else tr("{seconds:.0f} s").format(seconds=row.seconds),
            "" if math.isnan(row.loss) else f"{row.loss:.0%}",
            "" if math.isnan(row.uncertainty) else f"{row.uncertainty:.2f}",
            row.split,
            row.case,
            f"{width} × {height}{depth}",
            row.note,
        )[column]

    def _on_arrived(self, image_id: str) -> None:
        place = self.place_of(image_id)
        if place >= 0:
            index = self.index(place, 0)
            self.dataChanged.emit(index, index, [Qt.ItemDataRole.DecorationRole])


def small_picture(picture: QPixmap) -> QPixmap:
    """A thumbnail for a row of the table: the same size for all, with room around it."""
    made = QPixmap(SMALL)
    made.fill(Qt.GlobalColor.transparent)
    if not picture.isNull():
        shown = picture.scaled(SMALL, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
        painter = QPainter(made)
        painter.drawPixmap((SMALL.width() - shown.width()) // 2, (SMALL.height() - shown.height()) // 2, shown)
        painter.end()
    return made


class ThumbnailDelegate(QStyledItemDelegate):
    """A cell of the grid: picture, name, status as mark and word."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cell = CELL
        self._scaled: dict[tuple[int, int, int], QPixmap] = {}

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self.cell

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row = index.data(ROW_ROLE)
        if not isinstance(row, WorklistRow):
            return
        rect: QRect = option.rect
        state = option.state
        cell = rect.adjusted(5, 5, -5, -5)
        is_chosen = bool(state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(COLOURS.accent if is_chosen else COLOURS.line), 2 if is_chosen else 1))
        painter.setBrush(QColor(COLOURS.hover if is_chosen else COLOURS.panel))
        painter.drawRoundedRect(QRectF(cell), 7, 7)
        self._paint_picture(painter, cell.adjusted(6, 6, -6, -46), index)
        text = cell.adjusted(10, cell.height() - 42, -8, -23)
        painter.setPen(QColor(COLOURS.text))
        name = painter.fontMetrics().elidedText(row.shown_name, Qt.TextElideMode.ElideMiddle, text.width())
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        self._paint_status(painter, cell.adjusted(10, cell.height() - 22, -8, -4), row.status)
        painter.restore()

    def _paint_picture(self, painter: QPainter, box: QRect, index: Index) -> None:
        model = index.model()
        row = index.data(ROW_ROLE)
        picture = model.thumbnails.get(row.image_id) if isinstance(model, WorklistModel) else None
        if picture is None or picture.isNull():
            painter.fillRect(box, QColor(COLOURS.ground))
            return
        shown = self._fitting(picture, box.size())
        place = QPoint(box.center().x() - shown.width() // 2, box.center().y() - shown.height() // 2)
        painter.drawPixmap(place, shown)

    def _fitting(self, picture: QPixmap, size: QSize) -> QPixmap:
        # Scaling anew at each paint would stall the scrolling of long lists.
        key = (picture.cacheKey(), size.width(), size.height())
        if key not in self._scaled:
            if len(self._scaled) >= MAX_SCALED:
                self._scaled.clear()
            self._scaled[key] = picture.scaled(
                size, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
        return self._scaled[key]

    def _paint_status(self, painter: QPainter, box: QRect, status: TrialStatus) -> None:
        paint_status(painter, status, QRectF(box.x(), box.center().y() - 6, 12, 12))
        font = QFont(painter.font())
        font.setPixelSize(12)
        painter.setFont(font)
        painter.setPen(QColor(STATUS_COLOURS[status]))
        words = box.adjusted(19, 0, 0, 0)
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, tr(status.value))


class WorklistGrid(QListView):
    """Tiles that fill the width there is: larger ones in a larger window, no strip left free at the right."""

    def __init__(self, model: WorklistModel) -> None:
        super().__init__()
        self._delegate = ThumbnailDelegate(self)
        self.setModel(model)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setGridSize(CELL)
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setBatchSize(2000)
        self.setItemDelegate(self._delegate)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def resizeEvent(self, event: QResizeEvent) -> None:
        # With the room of a bar: one that comes and goes would change the width, and with it whether it is needed.
        room = self.width() - 2 * self.frameWidth() - self.verticalScrollBar().sizeHint().width() - 1
        wanted = min(_WIDEST, max(CELL.width(), round(room / _IN_A_ROW)))
        width = room // max(1, room // wanted)
        cell = QSize(width, width + CELL.height() - CELL.width())
        if cell != self._delegate.cell:
            self._delegate.cell = cell
            self.setGridSize(cell)
        super().resizeEvent(event)
