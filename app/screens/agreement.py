"""Agreement: how far annotators agree, how long they took, and the cases to look at."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QTableWidget,
    QTableWidgetItem,
)

from app.context import Services
from app.screen import Screen, screens
from app.target_choice import list_targets
from app.texts import counted, tr
from app.widgets.agreement_plots import READ_METRICS, AgreementPlots
from app.widgets.plain import button, card, label, page, shortened
from domain.study import Role
from workflows.agreement import AgreementReport, AnnotatorFigures, examine

_LEAST_ROOM = 160
_ODD_FORMS = {"active_s": "{:.0f} s", "loss": "{:.0%}", "drift_deg": "{:.1f}°"}


@screens.register("agreement")
class AgreementScreen(Screen):
    """Pairs, people and outliers of one target."""

    title: ClassVar[str] = "Agreement"
    icon: ClassVar[str] = "agreement"
    order: ClassVar[int] = 80
    roles: ClassVar[frozenset[Role]] = frozenset({Role.REVIEWER, Role.ADMIN})

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        column, head = page(
            self,
            tr("Agreement"),
            tr("The newest masks of all annotators. A click on a dot, or Enter in the list, opens its case."),
        )
        self._target = QComboBox()
        self._target.setAccessibleName(tr("Target"))
        self._target.currentIndexChanged.connect(lambda _index: self.refresh())
        head.addWidget(self._target, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(button(tr("Compare again"), self.refresh, icon_name="repeat"), 0, Qt.AlignmentFlag.AlignTop)
        self._summary = label("", "muted")
        column.addWidget(self._summary)
        self._pairs = _table(
            [tr("Pair"), tr("n"), "Dice", "IoU", "HD95", "κ"], tr("Agreement of each pair of annotators")
        )
        self._people = _table(
            [tr("Annotator"), tr("n"), tr("Time"), tr("Loss"), tr("Gap"), tr("Drift")],
            tr("Time and gaze of each annotator"),
        )
        meanings = (tr("Median active time per image"), tr("Mean loss of gaze"), tr("Longest gap"), tr("Median drift"))
        for place, words in enumerate(meanings, start=2):
            header = self._people.horizontalHeaderItem(place)
            if header is not None:
                header.setToolTip(words)
        self._outliers = QListWidget()
        self._outliers.setAccessibleName(tr("Cases to look at"))
        self._outliers.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._outliers.itemActivated.connect(self._on_outlier)
        self._outliers.itemClicked.connect(self._on_outlier)
        self.plots = AgreementPlots()
        self.plots.picked.connect(self._open_case)
        column.addWidget(self.plots, 4)
        tables = QHBoxLayout()
        tables.setSpacing(14)
        tables.addWidget(_titled(tr("Pairs"), self._pairs), 9)
        tables.addWidget(_titled(tr("Annotators"), self._people), 9)
        tables.addWidget(_titled(tr("Cases to look at"), self._outliers), 6)
        column.addLayout(tables, 3)
        self._rule = label("", "small", wraps=True)
        column.addWidget(self._rule)

    def on_shown(self, **arguments: object) -> None:
        list_targets(self._target, self.services.open_study)
        self._target.setVisible(self._target.count() > 1)
        self.refresh()

    def refresh(self) -> None:
        """Compare all masks, beside the window."""
        study, target = self.services.open_study, self._target.currentText()
        self._summary.setText(tr("Comparing…"))
        self.services.tasks.start(
            tr("Comparing masks"),
            lambda report, cancel: examine(study, target=target, on_progress=report, cancel=cancel),
            on_done=self._show,
        )

    def _show(self, report: AgreementReport) -> None:
        if report.target != self._target.currentText():
            return  # another target was chosen while this one was compared
        if report.n_images_with_two:
            self._summary.setText(
                counted(
                    report.n_images_with_two,
                    tr("1 image has masks of two or more annotators."),
                    tr("{n} images have masks of two or more annotators."),
                )
            )
        else:
            self._summary.setText(tr("No image has masks of two annotators yet; figures per person are below."))
        means = sorted(report.mean_of_pairs().items(), key=lambda item: item[1]["dice"])
        self._pairs.setRowCount(len(means))
        for line, ((first, second), values) in enumerate(means):
            cells = (
                f"{first} – {second}",
                f"{values['n']:.0f}",
                f"{values['dice']:.3f}",
                f"{values['iou']:.3f}",
                f"{values['hausdorff95_px']:.1f}",
                f"{values['kappa']:.3f}",
            )
            _fill(self._pairs, line, cells)
        self._people.setRowCount(len(report.annotators))
        for line, person in enumerate(report.annotators):
            _fill(self._people, line, _person_cells(person))
        self._outliers.clear()
        for pair in report.outliers():
            words = tr("Dice {dice:.2f}: {first}, {second}").format(
                first=pair.first, second=pair.second, dice=pair.dice
            )
            self._add_outlier(words, pair.image_id)
        for odd in report.odd_reads():
            form = _ODD_FORMS[odd.metric]
            words = tr("{measure} {value}: {annotator}").format(
                measure=tr(READ_METRICS[odd.metric]), value=form.format(odd.value), annotator=odd.read.annotator
            )
            self._add_outlier(words, odd.read.image_id)
        if not self._outliers.count():
            item = QListWidgetItem(tr("None."))
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            self._outliers.addItem(item)
        self._rule.setText(tr(report.rule))
        self.plots.show_report(report)

    def _add_outlier(self, words: str, image_id: str) -> None:
        room = max(_LEAST_ROOM, self._outliers.viewport().width() - 32)
        lines = (words, image_id)
        item = QListWidgetItem("\n".join(shortened(self._outliers, one, room) for one in lines))
        item.setToolTip("\n".join(lines))
        item.setData(Qt.ItemDataRole.UserRole, image_id)
        self._outliers.addItem(item)

    def _on_outlier(self, item: QListWidgetItem) -> None:
        image_id = item.data(Qt.ItemDataRole.UserRole)
        if image_id:
            self._open_case(str(image_id))

    def _open_case(self, image_id: str) -> None:
        target = self._target.currentText()
        has_mask = bool(self.services.open_study.mask_versions(image_id, target=target))
        self.services.navigate("review" if has_mask else "labels", image_id=image_id, target=target)


def _person_cells(person: AnnotatorFigures) -> tuple[str, ...]:
    name = tr("{name} (simulated)").format(name=person.annotator) if person.is_simulated else person.annotator
    return (
        name,
        str(person.n_images),
        _or_dash(person.median_active_s, "{:.1f} s"),
        f"{person.mean_loss:.1%}" if person.mean_loss is not None else "–",
        _or_dash(person.longest_gap_s, "{:.1f} s"),
        _or_dash(person.median_drift_deg, "{:.2f}°"),
    )


def _or_dash(value: float | None, form: str) -> str:
    return form.format(value) if value is not None else "–"


def _table(names: list[str], accessible: str) -> QTableWidget:
    table = QTableWidget(0, len(names))
    table.setHorizontalHeaderLabels(names)
    table.setAccessibleName(accessible)
    table.verticalHeader().setVisible(False)
    table.setShowGrid(False)
    table.setTabKeyNavigation(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    header = table.horizontalHeader()
    header.setHighlightSections(False)
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return table


def _fill(table: QTableWidget, line: int, cells: tuple[str, ...]) -> None:
    for column, text in enumerate(cells):
        item = QTableWidgetItem(text)
        item.setToolTip(text)
        table.setItem(line, column, item)


def _titled(title: str, widget: QTableWidget | QListWidget) -> QFrame:
    frame, column = card(margin=18, spacing=8)
    column.addWidget(label(title, "heading"))
    column.addWidget(widget, 1)
    return frame
