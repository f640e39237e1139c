"""Run as a module: print what Qt finds here as one line of JSON. A process of its own, since Qt may abort."""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Open Qt (off-screen where there is no display), look at the screens, print."""
    no_display = sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if no_display:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import qVersion
    from PySide6.QtGui import QGuiApplication

    qt = QGuiApplication(sys.argv[:1])
    screens = []
    for screen in qt.screens():
        size, mm = screen.size(), screen.physicalSize()
        screens.append(
            f"{size.width()}x{size.height()} logical px, scale {screen.devicePixelRatio():g}, "
            f"{mm.width():.0f}x{mm.height():.0f} mm, {screen.refreshRate():.0f} Hz"
        )
    sys.stdout.write(json.dumps({"qt": qVersion(), "platform": qt.platformName(), "screens": screens}) + "\n")


if __name__ == "__main__":
    main()
