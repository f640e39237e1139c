"""Paging through the versions of the mask under review; what is shown is always compared with the newest."""

from __future__ import annotations

from collections.abc import Callable

from app.context import Services
from app.picture_loader import PictureLoader
from app.widgets.mask_comparison import MaskComparison
from app.widgets.version_pager import VersionPager
from storage.mask_table import MaskVersion
from workflows.mask_history import PastMask, mask_history


class VersionPaging:
    """Begins at the newest with `start`; the others are read beside the window when they are first asked for."""

    def __init__(
        self,
        services: Services,
        shown: MaskComparison,
        pager: VersionPager,
        *,
        hides_names: Callable[[], bool],
        before_past: Callable[[], object],
    ) -> None:
        self._shown, self._pager = shown, pager
        self._hides_names, self._before_past = hides_names, before_past
        self._newest: MaskVersion | None = None
        self._past: list[PastMask] = []
        self._place = 0
        self._versions: PictureLoader[MaskVersion, list[PastMask]] = PictureLoader(
            services.readers,
            lambda version: mask_history(services.open_study, version),
            on_shown=lambda _version, past: self._on_read(past),
            on_failed=lambda _version, error: services.show_error(error),
            on_slow=lambda _version: None,
        )

    def start(self, newest: MaskVersion | None) -> None:
        """Another mask is chosen, or none: its newest version is what is shown."""
        self._newest = newest
        self._versions.stop()
        self._past = []
        self._shown.set_past(None)
        self._pager.show_versions(newest.version if newest is not None else 0)

    def page(self, step: int) -> None:
        """An older (-1) or newer (1) version."""
        newest = self._newest
        if newest is None or newest.version < 2:
            return
        if self._past:
            self._show(self._place + step)
        elif step < 0 and not self._versions.is_waiting:
            self._versions.want(newest)

    @property
    def older(self) -> MaskVersion | None:
        """The older version that is shown; None while the newest is."""
        return self._past[self._place].version if self._past else None

    def _on_read(self, past: list[PastMask]) -> None:
        self._past = past
        self._show(len(past) - 2)

    def _show(self, place: int) -> None:
        if place >= len(self._past) - 1:
            self.start(self._newest)
            return
        self._place = max(place, 0)
        self._before_past()
        self._shown.set_past(self._past[self._place].mask)
        self._pager.show_past(self._past, self._place, hides_names=self._hides_names())
