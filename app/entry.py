"""How the application is started: by `python -m app`, by `sightline`, by start.py and by tests."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from app.main_window import MainWindow
from app.texts import install_language
from app.theme import apply_theme
from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress
from domain.version import VERSION
from workflows.user_settings import UserSettings

if TYPE_CHECKING:
    from storage.study import Study

_log = logging.getLogger(__name__)


def application(settings: UserSettings | None = None) -> QApplication:
    """The one Qt application of this process, dark from its first frame."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        app = existing
    else:
        # Wayland tells no window where it lies, so that gaze could not be mapped: XWayland does.
        if sys.platform.startswith("linux") and os.environ.get("WAYLAND_DISPLAY") and os.environ.get("DISPLAY"):
            os.environ.setdefault("QT_QPA_PLATFORM", "xcb")
        app = QApplication(["sightline"])
    settings = settings if settings is not None else UserSettings.load()
    app.setApplicationName("Sightline")
    app.setApplicationVersion(VERSION)
    apply_theme(app, settings.text_scale)
    if not app.property("sightline_language"):
        install_language(app, settings.language)
        app.setProperty("sightline_language", settings.language)
    return app


def refuse_without_display() -> None:
    """Say that no window can be shown, where Qt would end the process without a useful word.

    Raises:
        UserFacingError: Linux without a display.
    """
    if sys.platform.startswith("linux") and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        raise UserFacingError(
            "There is no display here, so no window can be opened.",
            "Start Sightline on a desktop, or connect with `ssh -X`. `sightline --help` lists what needs no window.",
        )


def main_window(settings: UserSettings | None = None, *, study: Study | None = None) -> MainWindow:
    """The main window, not shown yet, with a study where one is given."""
    settings = settings if settings is not None else UserSettings.load()
    application(settings)
    window = MainWindow(settings)
    if study is not None:
        window.use_study(study)
    return window


def run(argv: list[str] | None = None) -> int:
    """Open the application and stay until it is closed; the exit code."""
    parser = argparse.ArgumentParser(prog="sightline", description="Annotate medical images by looking at them.")
    parser.add_argument("study", nargs="?", type=Path, help="study folder to open")
    parser.add_argument("--full-screen", action="store_true", help="fill the screen")
    chosen = parser.parse_args(argv if argv is not None else sys.argv[1:])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    refuse_without_display()
    app = application()
    qInstallMessageHandler(_on_qt_message)
    window = main_window()
    window.error_hook.install()
    _compile_when_a_study_opens(window)
    if chosen.study is not None:
        window.open_study(chosen.study)
    elif not window.services.settings.recents:
        window.open_sample()  # who starts for the first time sees something that works
    if chosen.full_screen:
        window.showFullScreen()
    else:
        window.show()
    try:
        return app.exec()
    finally:
        window.error_hook.uninstall()


def _compile_when_a_study_opens(window: MainWindow) -> None:
    """The loops that make labels are compiled once on each machine: beside the window, before they are needed."""
    is_begun = False

    def begin() -> None:
        nonlocal is_begun
        study = window.services.study
        if study is None or is_begun:
            return
        is_begun = True
        source = study.settings.labels.source

        def work(report: OnProgress, cancel: CancelToken) -> None:
            from workflows.warm_up import warm_up  # here, since it brings what the first window does without

            warm_up(source, on_progress=report, cancel=cancel)

        window.tasks.start("", work, on_failed=lambda error: _log.warning("not compiled ahead: %s", error))

    window.services.study_changed.connect(begin)


def _on_qt_message(kind: QtMsgType, _where: QMessageLogContext, message: str) -> None:
    level = logging.DEBUG if kind in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg) else logging.WARNING
    logging.getLogger("qt").log(level, message)
