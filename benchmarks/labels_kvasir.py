"""Labels for 900 real Kvasir images from SIMULATED fixations: how fast, how much memory, how good.

    python -m benchmarks.labels_kvasir [--quick] [--workers N] [--sources crf none grabcut random_walker]

`sightline labels` on a study with all images, source CRF as published; then Dice against the real masks per source and
level. The Dice is of simulated gaze, and says nothing about people. Memory: resident memory of this process and all its
workers together, sampled ten times a second.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from benchmarks.data_place import data_place
from benchmarks.figures import Figure, show
from processing.overlap import dice
from storage.study import Study
from workflows.compare_label_sources import THRESHOLDS, compare_label_sources
from workflows.import_images import import_into, scan, settings_for
from workflows.make_labels import make_labels


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="40 images")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sources", nargs="+", default=["none", "crf", "grabcut", "random_walker"])
    chosen = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory() as name, Watch() as watch:
        plan = scan("gazemedseg", data_place("kvasir-seg"))
        if chosen.quick:
            images = plan.images[:40]
            kept = {image.image_id for image in images}
            plan = replace(plan, images=images, reads=tuple(r for r in plan.reads if r.image_id in kept))
        with Study.create(Path(name) / "study", settings_for(plan, "benchmark")) as study:
            import_into(study, plan, copy=False)
            watch.peak_bytes = 0
            report = make_labels(study, workers=chosen.workers)
            peak_gb = watch.peak_bytes / 1e9
            text = f"{report.per_second:.1f} per second ({report.n_made} in {report.seconds:.0f} s)"
            title = f"heatmap and CRF, {chosen.workers} processes"
            figures.append(Figure(title, text, ">= 8 per second", report.per_second >= 8))
            figures.append(Figure("memory, all processes", f"{peak_gb:.2f} GB", "<= 1.5 GB", peak_gb <= 1.5))
            again = make_labels(study, workers=chosen.workers)
            text = f"{again.n_made} made, {again.n_current} up to date, {again.seconds:.1f} s"
            figures.append(Figure("a second run", text, "0 made", again.n_made == 0))
            figures += _published_levels(study)
            figures += _sources(study, chosen.sources, chosen.workers)
    return show("Labels of Kvasir-SEG, SIMULATED gaze", figures)


def _published_levels(study: Study) -> list[Figure]:
    """Mean Dice of heatmap and refined map over all images, at the study's levels."""
    rows: dict[str, list[float]] = {}
    for trial in study.trials():
        maps, mask = study.maps(trial.trial_id), study.ground_truth(trial.image_id)
        if maps is None or mask is None:
            continue
        for threshold in maps.parameters.thresholds:
            rows.setdefault(f"heatmap at {threshold:g}", []).append(dice(maps.heatmap >= threshold, mask))
            rows.setdefault(f"CRF at {threshold:g}", []).append(dice(maps.refined >= threshold, mask))
    return [
        Figure(f"Dice, {key}", f"{np.mean(values):.3f} ({len(values)} images)", "", None)
        for key, values in sorted(rows.items())
    ]


def _sources(study: Study, sources: list[str], workers: int) -> list[Figure]:
    """Mean Dice of every source on a random choice of 60 images, at its best threshold and at the published ones."""
    found = compare_label_sources(study, sources=sources, workers=workers)
    figures = []
    for score in found.scores:
        at = {t: score.dice[THRESHOLDS.index(t)] for t in (0.5, 0.3)}
        text = f"best {score.best[1]:.3f} at {score.best[0]:g}; 0.5: {at[0.5]:.3f}, 0.3: {at[0.3]:.3f}"
        figures.append(Figure(f"{found.n_images} images: {score.source}, sigma {score.sigma:g}", text, "", None))
    low, high = found.interval
    text = f"{found.recommended.source}, sigma {found.recommended.sigma:g}, around {found.best_threshold:g}"
    figures.append(Figure("recommended", text, "", None))
    figures.append(
        Figure("its Dice on images it was not chosen on", f"{found.expected_dice:.3f} ({low:.3f}-{high:.3f})", "", None)
    )
    return figures


class Watch:
    """Highest resident memory of this process and its children."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        me = psutil.Process()
        while not self._over.wait(0.1):
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.peak_bytes = max(self.peak_bytes, total)


if __name__ == "__main__":
    sys.exit(main())
