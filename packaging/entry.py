"""The first code of a frozen Sightline: the application, one of its commands, or one of its own child processes.

Child processes are started as `sightline -m training.worker ...`, as from source; a frozen program has to do what the
interpreter's `-m` does by itself. Only modules of Sightline are run that way.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys

OURS = ("app", "workflows", "acquisition", "calibration", "processing", "training", "storage", "domain", "benchmarks")


def main() -> None:
    multiprocessing.freeze_support()
    if len(sys.argv) > 2 and sys.argv[1] == "-m" and sys.argv[2].split(".")[0] in OURS:
        module = sys.argv[2]
        sys.argv = [module, *sys.argv[3:]]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    if os.environ.get("SIGHTLINE_SMOKE"):
        smoke()
        return
    from app.launch import main as launch

    launch()


def smoke() -> None:
    """Print everything that registers itself by lying in a folder; a module left out of the bundle shows here."""
    from acquisition.tracker import trackers
    from app.screen import screens
    from processing.detector import detectors
    from processing.exporter import exporters
    from processing.importer import importers
    from processing.refiner import refiners
    from storage.image_reader import image_readers
    from training.backbone import backbones

    for registry in (trackers, detectors, refiners, importers, exporters, backbones, screens, image_readers):
        print(f"{registry.kind}: {', '.join(registry.names())}")


if __name__ == "__main__":
    main()
