"""Run as a program: show an image with one bright spot in random views, grab the screen, and say how far the spot lies
from where the view says it is. Prints one JSON object."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from PySide6.QtCore import QRect
from PySide6.QtGui import QImage, QPixmap, QScreen
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.display_of_screen import display_of
from app.widgets.image_canvas import ImageCanvas
from domain.pixels import ImagePixels
from domain.view import ImageView
from workflows.user_settings import UserSettings

N_VIEWS = 20
SIZE = (400, 300)


def pixels_of(picture: QPixmap) -> np.ndarray:
    image = picture.toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width()].astype(float)


def spot_on(screen: QScreen, canvas: ImageCanvas, moved_to: tuple[int, int]) -> np.ndarray | None:
    """Where the spot is in physical pixels of the screen, found in the picture that the screen shows.

    Off-screen there is no picture of a second screen: there the window's own picture is shifted to where it was put.
    """
    if QApplication.platformName() == "xcb":
        return centre_of(pixels_of(screen.grabWindow(0)))
    found = centre_of(pixels_of(canvas.grab()))
    return found + np.round(np.array(moved_to) * screen.devicePixelRatio()) if found is not None else None


def centre_of(grey: np.ndarray) -> np.ndarray | None:
    grey[grey < 100] = 0
    total = grey.sum()
    if not total:
        return None
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]]
    return np.array([(grey * (x + 0.5)).sum() / total, (grey * (y + 0.5)).sum() / total])


def main() -> None:
    app = QApplication(sys.argv[:1])
    random = np.random.default_rng(5)
    errors, n_screens = [], len(app.screens())
    for screen in app.screens():
        area = screen.geometry()
        scale = screen.devicePixelRatio()
        canvas = ImageCanvas(margin=0.0)
        canvas.setWindowFlag(canvas.windowFlags().FramelessWindowHint, True)
        canvas.setScreen(screen)
        width, height = (4 * int(length * 0.7 / 4) for length in (area.width(), area.height()))
        canvas.setGeometry(QRect(area.x() + 20, area.y() + 20, width, height))
        canvas.show()
        QTest.qWait(250)
        for _ in range(N_VIEWS):
            # Places and sizes of whole physical pixels at every scale: off-screen nobody says how Qt rounds others.
            x, y = (4 * int(random.integers(0, free // 4)) for free in (area.width() - width, area.height() - height))
            canvas.move(area.x() + int(x), area.y() + int(y))
            column, row = (int(random.integers(20, n - 20)) for n in SIZE)
            values = np.zeros((1, SIZE[1], SIZE[0]), np.uint8)
            values[0, row - 4 : row + 5, column - 4 : column + 5] = 255
            canvas.set_pixels(ImagePixels(values, window=(127.5, 255.0)))
            zoom = float(random.uniform(0.6, 4.0))
            centre = np.array([width, height]) * scale * random.uniform(0.3, 0.7, 2)
            flip_x, flip_y = (bool(random.integers(2)) for _ in range(2))
            spot = np.array([column + 0.5, row + 0.5])
            shown = np.where([flip_x, flip_y], np.array(SIZE) - spot, spot)
            left, top = centre - zoom * shown
            canvas.set_view(ImageView(SIZE, (float(left), float(top)), zoom, flip_x, flip_y))
            QTest.qWait(60)
            found = spot_on(screen, canvas, (int(x), int(y)))
            view = canvas.screen_view()
            if found is None or view is None:
                errors.append(float("inf"))
                continue
            display = display_of(screen, UserSettings())
            in_image = view.image_xy_from_norm(display.norm_from_px(found), display)
            errors.append(float(np.linalg.norm(in_image - spot) * min(zoom, 1.0)))
        canvas.close()
    platform = app.platformName()
    found = {"platform": platform, "screens": n_screens, "n": len(errors), "worst_px": max(errors)}
    sys.stdout.write(json.dumps(found) + "\n")


main()
