"""How quick the application is under the hand: first paint, key to mask, image to image, a worklist of 10 000.

    python -m benchmarks.app_speed [--quick]

Runs in a window where a display is at hand (start it under `xvfb-run -s "-screen 0 1920x1080x24"` elsewhere), else
off-screen. Everything recorded is SIMULATED gaze on synthetic endoscopy-like frames, as in the sample study. On white
noise the lattice of the CRF has thirty times as many vertices: there the first levels come long before the refined.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, show

ROOT = Path(__file__).resolve().parents[1]
IMAGE_SIZE = (1280, 1024)
FIRST_PAINT = """
import time
began = time.perf_counter()
import sys
from app.entry import application, main_window
from workflows.user_settings import UserSettings
app = application(UserSettings())
window = main_window(UserSettings())
painted = []
class Watch(__import__("PySide6.QtCore").QtCore.QObject):
    def eventFilter(self, watched, event):
        if event.type() == event.Type.Paint and not painted:
            painted.append(time.perf_counter() - began)
        return False
watch = Watch()
window.installEventFilter(watch)
window.show()
while not painted:
    app.processEvents()
print(painted[0], "torch" in sys.modules)
window.close()
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    is_quick = parser.parse_args().quick
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    figures = [*first_paint(2 if is_quick else 5)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SIGHTLINE_HOME"] = folder
        figures += looks(Path(folder), n_images=4 if is_quick else 20)
        figures += long_worklist(Path(folder), n_images=2000 if is_quick else 10_000)
    return show("The application under the hand (simulated gaze)", figures)


def first_paint(n: int) -> list[Figure]:
    """Process start to the first paint of the window, the first of n starts (cold) left out."""
    times = []
    for _ in range(n + 1):
        run = subprocess.run([sys.executable, "-c", FIRST_PAINT], capture_output=True, text=True, cwd=ROOT, check=True)
        seconds, has_torch = run.stdout.split()
        times.append(float(seconds))
    warm = float(np.median(times[1:]))
    return [
        Figure("start of the program to first paint, warm (median)", f"{warm:.2f} s", "<= 1.5 s", warm <= 1.5),
        Figure("torch imported at the start", has_torch, "False", has_torch == "False"),
    ]


def looks(folder: Path, *, n_images: int) -> list[Figure]:
    """Key to mask and image to image on frames of 1280 x 1024."""
    import cv2

    from app.demo_tour import run_tour
    from domain.study import StudyImage, StudySettings, Target
    from resources.sample_study.frames import synthetic_frame
    from storage.image_file import sha256_of
    from storage.mask_file import write_mask
    from storage.study import Study
    from workflows.warm_up import label_once

    with Study.create(folder / "looks", StudySettings("looks", (Target("polyp"),), is_simulated=True)) as study:
        images = []
        for number in range(n_images):
            frame = synthetic_frame(number, size=IMAGE_SIZE)
            path = study.folder / "images" / f"frame{number}.png"
            cv2.imwrite(str(path), frame.image[..., ::-1])
            write_mask(study.folder / "masks" / f"frame{number}.png", frame.mask, {})
            images.append(
                StudyImage(
                    f"frame{number}",
                    f"images/{path.name}",
                    IMAGE_SIZE,
                    sha256_of(path),
                    mask_path=f"masks/frame{number}.png",
                )
            )
        study.add_images(images)
    label_once()
    tour = run_tour(folder / "looks", folder / "shots", n_images, look_s=6.0, takes_pictures=False)
    to_mask = np.array(tour.seconds_to_mask)
    to_image = np.array(tour.seconds_to_image[1:])
    mask95, image95 = float(np.percentile(to_mask, 95)), float(np.percentile(to_image, 95))
    first95 = float(np.percentile(np.array(tour.seconds_to_first_mask), 95))
    return [
        Figure("key to first levels on screen, 1280 x 1024, p95", f"{first95:.3f} s", "<= 0.5 s", first95 <= 0.5),
        Figure("key to refined mask on screen, p95", f"{mask95:.3f} s", "<= 0.5 s", mask95 <= 0.5),
        Figure("key to refined mask on screen, median", f"{np.median(to_mask):.3f} s", "", None),
        Figure(
            "accept to next image (start target's time left out), p95",
            f"{1e3 * image95:.0f} ms",
            "<= 100 ms",
            image95 <= 0.1,
        ),
    ]


def long_worklist(folder: Path, *, n_images: int) -> list[Figure]:
    """Opening a worklist of many images, and the longest stall while it scrolls."""
    import cv2

    from app.entry import main_window
    from app.let_run import let_run
    from app.screens.worklist import WorklistScreen
    from domain.study import Role, StudyImage, StudySettings
    from resources.sample_study.frames import synthetic_frame
    from storage.study import Study
    from workflows.user_settings import UserSettings

    study = Study.create(folder / "long", StudySettings("long"))
    cv2.imwrite(str(study.folder / "images" / "one.png"), synthetic_frame(1).image[..., ::-1])
    study.add_images([StudyImage(f"image{n:05d}", "images/one.png", (480, 400)) for n in range(n_images)])
    study.add_annotator("anna", Role.ADMIN)
    window = main_window(UserSettings())
    window.resize(1600, 900)
    window.show()
    let_run(300)
    window.navigate("settings")
    began = time.perf_counter()
    window.use_study(study)
    window.repaint()
    opening_s = time.perf_counter() - began
    screen = window.screen_widget("worklist")
    if not isinstance(screen, WorklistScreen):
        raise TypeError("the worklist is another screen than this program knows")
    let_run(1500)
    bar = screen.grid.verticalScrollBar()
    stalls = []
    for step in range(200):
        began = time.perf_counter()
        bar.setValue(step * bar.maximum() // 200)
        screen.grid.viewport().repaint()
        stalls.append(time.perf_counter() - began)
        let_run(5)
    window.close()
    worst = max(stalls)
    name = f"worklist of {n_images} images"
    return [
        Figure(f"{name}: open", f"{opening_s:.2f} s", "<= 2 s", opening_s <= 2),
        Figure(f"{name}: longest stall while scrolling", f"{1e3 * worst:.0f} ms", "<= 50 ms", worst <= 0.05),
    ]


if __name__ == "__main__":
    sys.exit(main())
