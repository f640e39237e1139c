"""The dense CRF against pydensecrf: the same numbers, and how long it takes.

    python -m benchmarks.dense_crf [--quick]

Stored outputs of pydensecrf 1.0 are compared for every engine; where pydensecrf can be imported, it is also run on more
real images and timed, in turn with ours, on one thread. Medians.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.data_place import data_place
from benchmarks.figures import Figure, show
from benchmarks.published_heatmap import as_fixations, table_rows
from domain.labels import POLYP
from processing.compiled import HAS_NUMBA
from processing.dense_crf import DenseCrf
from processing.heatmap import fixation_heatmap

THRESHOLDS = (0.2, 0.3, 0.4, 0.5)
SIZE = (624, 532)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images and repetitions")
    is_quick = parser.parse_args().quick
    reference = _reference()
    figures = []
    engines = [engine for engine in ("fast", "sparse", "torch") if _is_there(engine)]
    for engine in engines:
        figures += _parity(engine)
    images = _more_images(2 if is_quick else 20)
    if reference is None:
        figures.append(Figure("pydensecrf beside ours", "not measured: it is not installed", "", None))
    else:
        worst, n_masks, n_pixels = 0.0, 0, 0
        for image, heatmap in images:
            expected, ours = reference(image, heatmap), DenseCrf(image).refine(heatmap)
            worst = max(worst, float(np.abs(expected - ours).max()))
            different = sum(int(np.count_nonzero((expected >= t) != (ours >= t))) for t in THRESHOLDS)
            n_masks, n_pixels = n_masks + (different > 0), n_pixels + different
        value = f"{worst:.1e}; {n_masks} images ({n_pixels} px)"
        name = f"{len(images)} more images run here: max difference; masks that differ"
        figures.append(Figure(name, value, "<= 1e-5; 0", worst <= 1e-5 and n_masks == 0))
    figures += _times(engines, reference, images[0], 3 if is_quick else 15)
    return show("Dense CRF, 10 iterations", figures)


def _parity(engine: str) -> list[Figure]:
    worst, n_masks, n_pixels, nearest = 0.0, 0, 0, 0.0
    paths = sorted(data_place("crf-oracles").glob("*.npz"))
    for path in paths:
        with np.load(path) as oracle:
            image, heatmap, expected = oracle["image"], oracle["heatmap"], oracle["refined"]
        ours = DenseCrf(image, engine=engine).refine(heatmap)
        worst = max(worst, float(np.abs(expected - ours).max()))
        for threshold in THRESHOLDS:
            differs = (expected >= threshold) != (ours >= threshold)
            n_masks, n_pixels = n_masks + bool(differs.any()), n_pixels + int(differs.sum())
            nearest = max(nearest, float(np.abs(expected[differs] - threshold).max(initial=0.0)))
    value = f"{n_masks} of {len(paths) * len(THRESHOLDS)} ({n_pixels} px)"
    if n_pixels:
        value += f", at most {nearest:.0e} from the threshold"
    return [
        Figure(f"{engine}: max difference to stored pydensecrf", f"{worst:.1e}", "<= 1e-5", worst <= 1e-5),
        Figure(f"{engine}: masks that differ at 0.2, 0.3, 0.4, 0.5", value, "0", n_masks == 0),
    ]


def _times(engines: list[str], reference: Callable | None, pair: tuple, n: int) -> list[Figure]:
    image, heatmap = cv2.resize(pair[0], SIZE, interpolation=cv2.INTER_AREA), cv2.resize(pair[1], SIZE)
    heatmap = np.clip(heatmap, 0, 1)
    work: dict[str, Callable[[], object]] = {
        engine: (lambda engine=engine: DenseCrf(image, engine=engine).refine(heatmap)) for engine in engines
    }
    if "fast" in engines and (os.cpu_count() or 1) > 1:
        work["fast, 2 threads"] = lambda: DenseCrf(image, engine="fast", threads=2).refine(heatmap)
    if reference is not None:
        work["pydensecrf"] = lambda: reference(image, heatmap)
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(n):
        for name, once in work.items():
            begun = time.perf_counter()
            once()
            times[name].append(1000 * (time.perf_counter() - begun))
    median = {name: float(np.median(values[1:] or values)) for name, values in times.items()}
    limits = {"fast": 100.0, "sparse": 500.0}
    device = _torch_device()
    if device == "cuda":
        limits["torch"] = 5.0
    figures = []
    for name, value in median.items():
        limit = limits.get(name)
        label = f"{name} ({device})" if name == "torch" else name
        passed = None if limit is None else value <= limit
        figures.append(
            Figure(f"{SIZE[0]} x {SIZE[1]}: {label}", f"{value:.0f} ms", f"<= {limit:.0f} ms" if limit else "", passed)
        )
    if device != "cuda":
        figures.append(Figure("GPU", "not measured: there is none", "<= 5 ms", None))
    if reference is not None and "fast" in median:
        ratio = median["pydensecrf"] / median["fast"]
        figures.append(Figure("pydensecrf / fast", f"{ratio:.1f} times", ">= 3 times", ratio >= 3))
    return figures


def _more_images(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Real images with heatmaps from SIMULATED fixations."""
    place = data_place("kvasir-seg")
    found = []
    for name, (_, rows) in list(table_rows(place / "kvasir_fixation_simulated.csv").items())[:: 900 // n][:n]:
        image = cv2.cvtColor(cv2.imread(str(place / "images" / name)), cv2.COLOR_BGR2RGB)
        found.append((image, fixation_heatmap(as_fixations(rows), (image.shape[1], image.shape[0]), POLYP)))
    return found


def _reference() -> Callable | None:
    try:
        library = importlib.import_module("pydensecrf.densecrf")
        tools = importlib.import_module("pydensecrf.utils")
    except ImportError:
        return None

    def run(image: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
        height, width = heatmap.shape
        crf = library.DenseCRF2D(width, height, 2)
        crf.setUnaryEnergy(tools.unary_from_softmax(np.stack([1 - heatmap, heatmap])))
        crf.addPairwiseBilateral(sxy=80, srgb=13, rgbim=np.ascontiguousarray(image), compat=1)
        return np.array(crf.inference(10))[1].reshape(height, width)

    return run


def _is_there(engine: str) -> bool:
    if engine == "fast":
        return HAS_NUMBA
    return engine != "torch" or importlib.util.find_spec("torch") is not None


def _torch_device() -> str:
    if not _is_there("torch"):
        return "none"
    return "cuda" if importlib.import_module("torch").cuda.is_available() else "cpu"


if __name__ == "__main__":
    sys.exit(main())
