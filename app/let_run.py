"""Let the application run for a while, for programs that drive it: the threads beside the window run too."""

from __future__ import annotations

from PySide6.QtCore import QEventLoop, QTimer


def let_run(milliseconds: int) -> None:
    """Handle events for so long. `QTest.qWait` keeps Python to itself, so that work beside the window stands still."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
