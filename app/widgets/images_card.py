"""The images of the study: how many, adding more, and finding those whose files were moved."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog

from app.context import Services
from app.texts import counted, tr
from app.widgets.broken_files import BrokenFiles
from app.widgets.plain import Card, button, label, row, set_state, stacks_box
from domain.errors import BrokenFilesError
from domain.events import CancelToken, OnProgress
from processing.importer import ImportOptions
from workflows.import_images import ImportReport, import_into, scan
from workflows.study import PathRepair, duplicates, missing_files, repair_paths


class ImagesCard(Card):
    """Counts, and two buttons; what takes time runs beside the window."""

    def __init__(self, services: Services) -> None:
        super().__init__(tr("Images"))
        self.services, column = services, self.column
        self.counts = label("", "muted", wraps=True)
        column.addWidget(self.counts)
        self.lost = label("", "small", wraps=True)
        column.addWidget(self.lost)
        self.find_moved = button(tr("Find the moved images…"), self._choose_place, icon_name="search")
        add = button(tr("Add a folder of images…"), self._choose_images, icon_name="plus")
        column.addLayout(row(add, self.find_moved, None))
        self.stacks = stacks_box()
        column.addWidget(self.stacks)
        self.broken = BrokenFiles()
        column.addWidget(self.broken)

    def show_images(self) -> None:
        """Read the counts from the study; files are looked for beside the window."""
        study = self.services.open_study
        images = study.images()
        n_masks = sum(bool(image.mask_path) for image in images)
        self.counts.setText(
            tr("{images}, {masks} with a reference mask.").format(
                images=counted(len(images), tr("1 image"), tr("{n} images")), masks=n_masks
            )
        )
        self._say("")
        self.find_moved.hide()

        def look(_report: OnProgress, _cancel: CancelToken) -> tuple[int, int]:
            return len(missing_files(study)), len(duplicates(study))

        self.services.tasks.start("", look, on_done=self._show_state)

    def add_from(self, folder: str, *, skip_broken: bool = False) -> None:
        """Take a folder of images into the open study."""
        study = self.services.open_study
        options = ImportOptions(single_slices=not self.stacks.isChecked(), skip_broken=skip_broken)
        self.broken.hide()

        def add(report: OnProgress, cancel: CancelToken) -> ImportReport:
            plan = scan("folder", folder, options=options, on_progress=report, cancel=cancel)
            return import_into(study, plan, on_progress=report, cancel=cancel)

        def failed(error: BaseException) -> None:
            if isinstance(error, BrokenFilesError):
                self.broken.offer(error.problems, lambda: self.add_from(folder, skip_broken=True))
            else:
                self.services.show_error(error)

        self.services.tasks.start(tr("Adding images"), add, on_done=self.tell, on_failed=failed)

    def find_in(self, folder: str) -> None:
        """Look for the lost files under a folder and point the study at all that are found."""
        study = self.services.open_study
        self.services.tasks.start(
            tr("Looking for images"),
            lambda report, cancel: repair_paths(study, Path(folder), on_progress=report, cancel=cancel),
            on_done=self._on_repaired,
        )

    def _show_state(self, state: tuple[int, int]) -> None:
        n_lost, n_twice = state
        words = []
        if n_lost:
            words.append(tr("{n} image files are not where they were.").format(n=n_lost))
        if n_twice:
            words.append(tr("{n} groups of images have the same content.").format(n=n_twice))
        self._say(" ".join([*words, self.lost.text()]).strip())
        set_state(self.lost, "warn" if words else "")
        self.find_moved.setVisible(n_lost > 0)

    def tell(self, report: ImportReport) -> None:
        """What an import did, and what it warns of."""
        self.show_images()
        self._say("\n".join(report.lines()))

    def _on_repaired(self, repair: PathRepair) -> None:
        self.show_images()
        self._say(tr("{found} found again, {lost} still lost.").format(found=len(repair.found), lost=len(repair.lost)))

    def _say(self, words: str) -> None:
        self.lost.setText(words)
        self.lost.setVisible(bool(words))

    def _choose_images(self) -> None:
        self._choose(tr("Add a folder of images"), self.add_from)

    def _choose_place(self) -> None:
        self._choose(tr("The folder in which the images are now"), self.find_in)

    def _choose(self, title: str, take: object) -> None:
        dialog = QFileDialog(self, title)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(take)
        dialog.open()
