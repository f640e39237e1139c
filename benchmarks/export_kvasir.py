"""Export of 900 real images with heatmaps and refined maps, and how soon a cancelled one stops.

    python -m benchmarks.export_kvasir [--quick]

The images are real (Kvasir-SEG), the fixations are SIMULATED. Targets: progress all the time, cancel within 1 s with
nothing left half-written.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.data_place import data_place
from domain.errors import Cancelled
from domain.events import CancelToken, Progress
from storage.study import Study
from workflows.export_dataset import export, verify_export
from workflows.import_images import import_into, scan, settings_for


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="60 images instead of all")
    chosen = parser.parse_args()
    data = data_place("kvasir-seg")
    rows: list[tuple[str, str, bool]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begun = time.perf_counter()
        plan = scan("gazemedseg", data)
        if chosen.quick:
            images = plan.images[:60]
            kept = {image.image_id for image in images}
            plan = replace(plan, images=images, reads=tuple(r for r in plan.reads if r.image_id in kept))
        n_test = len(plan.images) // 10
        images = tuple(replace(image, split="test" if i < n_test else "train") for i, image in enumerate(plan.images))
        with Study.create(folder / "study", settings_for(plan, "benchmark")) as study:
            import_into(study, replace(plan, images=images), copy=False)
            rows.append((f"import of {len(images)} images", f"{time.perf_counter() - begun:.1f} s", True))
            rows.append(_cancelled(study, folder))
            last, longest, begun = time.perf_counter(), 0.0, time.perf_counter()

            def watch(_progress: Progress) -> None:
                nonlocal last, longest
                longest, last = max(longest, time.perf_counter() - last), time.perf_counter()

            report = export(study, "gazemedseg", folder / "out", on_progress=watch)
        took = time.perf_counter() - begun
        rows.append((f"export of {len(images)} images, {report.n_bytes / 1e6:.0f} MB", f"{took:.1f} s", True))
        rows.append(("longest time without progress", f"{longest:.2f} s (1 s)", longest < 1.0))
        rows.append(("files differing from the manifest", str(len(verify_export(folder / "out"))), True))
    for figure, value, passed in rows:
        print(f"{figure:<40} {value:<24} {'PASS' if passed else 'MISS'}")
    return 0 if all(passed for *_, passed in rows) else 1


def _cancelled(study: Study, folder: Path) -> tuple[str, str, bool]:
    token = CancelToken()
    stopped_at = 0.0

    def stop() -> None:
        nonlocal stopped_at
        stopped_at = time.perf_counter()
        token.cancel()

    before = set(folder.iterdir())
    begun = threading.Event()

    def start_timer(progress: Progress) -> None:
        if progress.text == "Writing files" and progress.done > 10 and not begun.is_set():
            begun.set()
            threading.Timer(0.3, stop).start()

    try:
        export(study, "gazemedseg", folder / "cancelled", on_progress=start_timer, cancel=token)
    except Cancelled:
        took = time.perf_counter() - stopped_at
        left = set(folder.iterdir()) - before
        return "from cancel to nothing left", f"{took:.2f} s (1 s)", took < 1.0 and not left
    return "from cancel to nothing left", "it ran through", False


if __name__ == "__main__":
    sys.exit(main())
