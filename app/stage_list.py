"""The images of a sitting, and which of them is on."""

from __future__ import annotations

from collections.abc import Sequence

from app.texts import tr
from workflows.worklist import WorklistRow


class StageList:
    """Rows in the order in which they are looked at, for one target."""

    def __init__(self, rows: Sequence[WorklistRow], target: str) -> None:
        self.rows = tuple(rows)
        self.target = target
        self.place = 0

    @property
    def is_at_end(self) -> bool:
        """Whether every image has had its turn."""
        return self.place >= len(self.rows)

    @property
    def image_id(self) -> str:
        """The image that is on; the last one at the end."""
        return self.rows[min(self.place, len(self.rows) - 1)].image_id

    @property
    def desk_place(self) -> tuple[str, str]:
        """Image and target: where its mask lies on the desk."""
        return self.image_id, self.target

    @property
    def ids_ahead(self) -> list[str]:
        """The image that is on and the next."""
        return [row.image_id for row in self.rows[self.place : self.place + 2]]

    @property
    def words(self) -> str | None:
        """Which image it is, for the top of the stage; None at the end."""
        if self.is_at_end:
            return None
        return tr("{name} · {n} of {total} · {target}").format(
            name=self.rows[self.place].shown_name, n=self.place + 1, total=len(self.rows), target=self.target
        )

    def go_to(self, image_id: str) -> bool:
        """Make an image of the list the one that is on; False if it is not in the list."""
        found = next((n for n, row in enumerate(self.rows) if row.image_id == image_id), None)
        if found is not None:
            self.place = found
        return found is not None
