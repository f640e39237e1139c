"""The consensus of a case's masks: seen first, stored when asked for, and then a mask that can be accepted."""

from __future__ import annotations

from collections.abc import Callable

from app.context import Services
from app.widgets.mask_comparison import MaskComparison
from app.widgets.review_panel import ReviewPanel
from domain.events import CancelToken, OnProgress
from workflows.agreement import Consensus, Method, find_consensus
from workflows.review import ReviewCase

# The same key goes through these: what is shown now, what comes next.
NEXT_METHOD: dict[str, Method | None] = {"": "majority", "majority": "staple", "staple": None}


class ConsensusPreview:
    """`shown` is what may be stored. seen: the case on the screen, None while it is read or its mask is edited."""

    def __init__(
        self,
        services: Services,
        comparison: MaskComparison,
        panel: ReviewPanel,
        *,
        seen: Callable[[], ReviewCase | None],
        on_change: Callable[[bool], object],
    ) -> None:
        self._services, self._comparison, self._panel = services, comparison, panel
        self._seen, self._on_change = seen, on_change
        self.shown: Consensus | None = None

    def next(self, case: ReviewCase) -> None:
        """The majority, then STAPLE, then none; nothing is stored."""
        method = NEXT_METHOD[self.shown.method if self.shown is not None else ""]
        if method is None:
            self.drop()
            return
        study, image_id, target = self._services.open_study, case.image_id, case.target

        def work(_report: OnProgress, _cancel: CancelToken) -> Consensus:
            return find_consensus(study, image_id, target=target, method=method)

        self._services.tasks.start("", work, on_done=self._show)

    def drop(self) -> None:
        """Show none."""
        self.shown = None
        self._on_change(False)
        self._panel.show_consensus(None, [])
        self._comparison.set_preview(None)

    def _show(self, found: Consensus) -> None:
        case = self._seen()
        if case is None or (case.image_id, case.target) != (found.image_id, found.target):
            return
        self.shown = found
        self._on_change(True)
        self._panel.show_consensus(found, [(one.version.annotator, one.shown_name) for one in case.candidates])
        self._comparison.set_preview(found.mask)
