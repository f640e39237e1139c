"""A page that is larger than its window scrolls; one that fits fills it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QWidget

_LEAST = QSize(160, 80)


class PageScroll(QScrollArea):
    """Gives its page all the room there is, and never less than the page needs.

    Qt's own `widgetResizable` asks for the height that a page would like, not for the least one: pages with wrapped
    words would scroll although they could give way.
    """

    def __init__(self, page: QWidget, *, only_down: bool = False) -> None:
        super().__init__()
        self._page = page
        self._only_down = only_down
        self._is_scrolling = False
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        if only_down:
            self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
            self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(page)
        page.installEventFilter(self)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._fit)

    @property
    def page(self) -> QWidget:
        """What scrolls."""
        return self._page

    def minimumSizeHint(self) -> QSize:
        return QSize(self._wide(self._page.minimumSizeHint()), _LEAST.height()) if self._only_down else _LEAST

    def sizeHint(self) -> QSize:
        return QSize(self._wide(self._page.sizeHint()), self._page.sizeHint().height())

    def _wide(self, hint: QSize) -> int:
        least, most = self._page.minimumWidth(), self._page.maximumWidth()
        bar = self.verticalScrollBar().sizeHint().width() if self._is_scrolling else 0
        return min(max(hint.width(), least), most) + bar

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._page and event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Show):
            self._later.start(0)
        return super().eventFilter(watched, event)

    def _fit(self) -> None:
        room = self.maximumViewportSize()
        bar = self.verticalScrollBar().sizeHint().width()
        width, height = self._least(room.width())
        is_scrolling = height > room.height()
        if is_scrolling != self._is_scrolling:
            self._is_scrolling = is_scrolling
            self.updateGeometry()
        if is_scrolling:
            _, height = self._least(room.width() - bar)
            room.setWidth(room.width() - bar)
        if width > room.width():
            room.setHeight(room.height() - self.horizontalScrollBar().sizeHint().height())
        width = room.width() if self._only_down else max(width, room.width())
        self._page.resize(width, max(height, room.height()))

    def _least(self, room: int) -> tuple[int, int]:
        """Width and height below which the page would be cut, in so much width."""
        layout = self._page.layout()
        width = max(self._page.minimumSizeHint().width(), self._page.minimumWidth())
        height = max(self._page.minimumSizeHint().height(), self._page.minimumHeight())
        if layout is not None and layout.hasHeightForWidth():
            height = max(self._page.minimumHeight(), layout.minimumHeightForWidth(max(width, room)))
        return width, height
