"""The worklist: what there is to do, as a table or a grid, and one button that goes on."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import QModelIndex, QSize, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.context import Services
from app.screen import Screen, screens
from app.target_choice import list_targets
from app.texts import tr
from app.theme import icon, status_pixmap
from app.widgets.folding_box import FoldingBox
from app.widgets.plain import EmptyState, button, label, page
from app.widgets.thumbnails import ThumbnailSource
from app.widgets.worklist_model import DOUBT_COLUMN, THUMBNAIL_PX, WorklistGrid, WorklistModel
from domain.study import TrialStatus
from workflows.reading_order import ReadingOrder, choose_order
from workflows.thumbnails import thumbnail
from workflows.worklist import Worklist, WorklistRow, make_worklist, next_unfinished, search

FOLDS_BELOW_PX = 1000


@screens.register("worklist")
class WorklistScreen(Screen):
    """All images of the study with their status."""

    title: ClassVar[str] = "Worklist"
    icon: ClassVar[str] = "list"
    order: ClassVar[int] = 20

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        study = services.open_study
        self._worklist = Worklist([])
        self._filter: frozenset[TrialStatus] = frozenset()
        self._thumbnails = ThumbnailSource(lambda image_id: thumbnail(study, image_id, size_px=THUMBNAIL_PX), self)
        self.model = WorklistModel(self._thumbnails)
        column, head = page(self, tr("Worklist"))
        self._build_head(head)
        column.addLayout(self._progress_row())
        column.addWidget(self._filter_row())
        self._views = QStackedWidget()
        self.table = self._make_table()
        self.grid = self._make_grid()
        self._empty = EmptyState(
            "image", tr("This study has no images yet."), tr("Add images"), lambda: services.navigate("study")
        )
        for view in (self.grid, self.table, self._empty):
            self._views.addWidget(view)
        column.addWidget(self._views, 1)
        bind = services.actions.bind
        bind(self, "worklist.continue", self.go_on)
        bind(self, "worklist.open", self._open_chosen)
        bind(self, "worklist.search", lambda: self._search.setFocus())
        bind(self, "worklist.order", self.toggle_order)
        bind(self, "worklist.toggle_grid", self._toggle_view)
        services.trial_saved.connect(self._on_trial_saved)
        services.annotator_changed.connect(self.refresh)
        services.changed_elsewhere.connect(self._on_changed_elsewhere)

    @property
    def target(self) -> str:
        """The target whose status is shown."""
        return self._targets.currentText()

    def _on_trial_saved(self, _image_id: str) -> None:
        if self.isVisible():
            self.refresh()

    def _on_changed_elsewhere(self) -> None:
        """Another window decided: the list is read again beside this one, and what is chosen stays chosen."""
        if not self.isVisible():
            return
        services, target = self.services, self.target
        study, annotator, role = services.open_study, services.annotator, services.role

        def take(found: Worklist) -> None:
            if services.study is study and (annotator, target) == (services.annotator, self.target):
                view = self._view_in_use()
                chosen = self.model.row_at(view.currentIndex().row()) if isinstance(view, QAbstractItemView) else None
                self._show(found)
                if chosen is not None and isinstance(view, QAbstractItemView):
                    view.setCurrentIndex(self.model.index(self.model.place_of(chosen.image_id), 0))

        services.tasks.start(
            "", lambda _report, _cancel: make_worklist(study, annotator, target, role=role), on_done=take
        )

    @property
    def has_thumbnails(self) -> bool:
        """Whether the pictures of all rows that were painted are there."""
        return self._thumbnails.is_idle

    def on_shown(self, **arguments: object) -> None:
        list_targets(self._targets, self.services.open_study)
        self._targets.setVisible(self._targets.count() > 1)
        self.refresh()
        self._mark_next()
        self._view_in_use().setFocus()

    def _mark_next(self) -> None:
        """What one comes for is chosen already: Enter opens it."""
        following = next_unfinished(self._worklist.rows)
        place = self.model.place_of(following.image_id) if following is not None else -1
        if place < 0:
            return
        for view in (self.grid, self.table):
            index = self.model.index(place, 0)
            view.setCurrentIndex(index)
            view.scrollTo(index)

    def refresh(self) -> None:
        """Read the list again."""
        self._show(
            make_worklist(self.services.open_study, self.services.annotator, self.target, role=self.services.role)
        )

    def _show(self, worklist: Worklist) -> None:
        self._worklist = worklist
        self._order.setVisible(self._worklist.is_predicted)
        self._order.blockSignals(True)
        self._order.setCurrentIndex(self._order.findData(self._worklist.order))
        self._order.blockSignals(False)
        self.table.setColumnHidden(DOUBT_COLUMN, not self._worklist.is_predicted)
        self._show_rows()
        total = len(self._worklist.rows)
        finished = self._worklist.n_finished
        self._mine.setRange(0, max(total, 1))
        self._mine.setValue(finished)
        self._all.setRange(0, max(total, 1))
        self._all.setValue(self._worklist.n_done_by_all)
        self._mine_words.setText(tr("Mine: {done} of {total}").format(done=finished, total=total))
        self._all_words.setText(
            tr("Everybody: {done} of {total}").format(done=self._worklist.n_done_by_all, total=total)
        )
        for status, chip in self._chips.items():
            chip.setText(f"{tr(status.value)}  {self._worklist.counts[status]}")
        following = next_unfinished(self._worklist.rows)
        self._continue.setEnabled(following is not None)
        self._continue.setText(tr("Continue") if finished or following is None else tr("Start"))

    def go_on(self) -> None:
        """Annotate the next unfinished image."""
        following = next_unfinished(self._worklist.rows)
        if following is not None:
            self.services.navigate("annotate", image_id=following.image_id, target=self.target, starts=True)

    def toggle_order(self) -> None:
        """The other order, where a model has predicted: what is chosen is kept in the study's log."""
        if self._worklist.is_predicted:
            self._order.setCurrentIndex(1 - self._order.currentIndex())

    def _on_order(self) -> None:
        order = ReadingOrder(self._order.currentData())
        choose_order(self.services.open_study, self.services.annotator, self.target, order)
        self.refresh()

    def close_screen(self) -> None:
        self._thumbnails.close()

    def _build_head(self, head: QHBoxLayout) -> None:
        self._targets = QComboBox()
        list_targets(self._targets, self.services.open_study)
        self._targets.setToolTip(tr("What is looked for"))
        self._targets.currentIndexChanged.connect(lambda _index: self.refresh())
        self._order = QComboBox()
        for order, words in (
            (ReadingOrder.RANDOM, tr("Random order")),
            (ReadingOrder.DOUBT, tr("Most doubtful first")),
        ):
            self._order.addItem(words, order)
        self._order.setAccessibleName(tr("In which order the images are read"))
        self.services.actions.decorate_tooltip(self._order, "worklist.order")
        self._order.currentIndexChanged.connect(lambda _index: self._on_order())
        self._toggle = button("", self._toggle_view, icon_name="list")
        self.services.actions.decorate(self._toggle, "worklist.toggle_grid")
        self._continue = button(tr("Continue"), self.go_on, role="primary", icon_name="play")
        self.services.actions.decorate(self._continue, "worklist.continue")
        for widget in (self._targets, self._order, self._toggle, self._continue):
            head.addWidget(widget, 0, Qt.AlignmentFlag.AlignTop)

    def _progress_row(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(24)
        self._mine, self._all = QProgressBar(), QProgressBar()
        self._mine_words, self._all_words = label("", "small"), label("", "small")
        for words, bar in ((self._mine_words, self._mine), (self._all_words, self._all)):
            column = QVBoxLayout()
            column.setSpacing(5)
            column.addWidget(words)
            column.addWidget(bar)
            line.addLayout(column, 1)
        return line

    def _filter_row(self) -> FoldingBox:
        folding, chips = FoldingBox(FOLDS_BELOW_PX, spacing=8), QWidget()
        line = QHBoxLayout(chips)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        self._search = QLineEdit()
        self._search.setPlaceholderText(tr("Search name, number, case or split"))
        self._search.setClearButtonEnabled(True)
        self._search.setMaximumWidth(300)
        self._search.textChanged.connect(lambda _text: self._show_rows())
        folding.add(self._search, 1)
        folding.add(chips, 3)
        self._chips: dict[TrialStatus, QPushButton] = {}
        for status in TrialStatus:
            chip = QPushButton(tr(status.value))
            chip.setCheckable(True)
            chip.setProperty("role", "quiet")
            chip.setIcon(status_pixmap(status, 14))
            chip.setIconSize(QSize(14, 14))
            chip.setStyleSheet("padding: 4px 8px;")
            chip.setToolTip(tr("Show only images that are: {status}").format(status=tr(status.value)))
            chip.toggled.connect(lambda _on: self._on_filter())
            self._chips[status] = chip
            line.addWidget(chip)
        line.addStretch(1)
        return folding

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.model)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setAlternatingRowColors(True)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.verticalHeader().setVisible(False)
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.verticalHeader().setDefaultSectionSize(52)
        table.setIconSize(QSize(56, 44))
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        for section, width in enumerate((300, 130, 80, 90, 80, 80, 130, 140, 160)):
            header.resizeSection(section, width)
        header.setStretchLastSection(True)
        table.doubleClicked.connect(self._on_opened)
        return table

    def _make_grid(self) -> WorklistGrid:
        grid = WorklistGrid(self.model)
        grid.doubleClicked.connect(self._on_opened)
        return grid

    def _view_in_use(self) -> QWidget:
        return self._views.widget(self._views.currentIndex()) or self

    def _show_rows(self) -> None:
        self.model.set_rows(search(self._worklist.rows, self._search.text(), self._filter))
        if not self._worklist.rows:
            self._views.setCurrentWidget(self._empty)
        elif self._views.currentWidget() is self._empty:
            self._views.setCurrentWidget(self.grid)

    def _toggle_view(self) -> None:
        if not self._worklist.rows:
            return
        is_grid = self._views.currentWidget() is self.grid
        self._views.setCurrentWidget(self.table if is_grid else self.grid)
        self._toggle.setIcon(icon("grid" if is_grid else "list"))
        self._view_in_use().setFocus()

    def _on_filter(self) -> None:
        self._filter = frozenset(status for status, chip in self._chips.items() if chip.isChecked())
        self._show_rows()

    def _on_opened(self, index: QModelIndex) -> None:
        row = self.model.row_at(index.row())
        if row is not None:
            self._open(row)

    def _open_chosen(self) -> None:
        view = self._view_in_use()
        if isinstance(view, QAbstractItemView):
            self._on_opened(view.currentIndex())

    def _open(self, row: WorklistRow) -> None:
        goes_to = "annotate" if row.status in (TrialStatus.NEW, TrialStatus.IN_PROGRESS) else "correct"
        self.services.navigate(goes_to, image_id=row.image_id, target=self.target)
