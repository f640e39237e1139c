"""Makes carry/: the shared Kvasir images at 352 px with maps of their SIMULATED fixations, for a GPU machine.

    python -m benchmarks.prepare_carry [--images 900] [--reference PATH_TO_GAZEMEDSEG_CHECKOUT]

carry/ is ignored by git and stays small enough to travel (about 50 MB). With --reference, the published model and
losses and the pure-Python packages that they and our backbones need (MONAI, segmentation-models-pytorch) are copied
beside.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib.util
import json
import os
import shutil
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from domain.fixations import ImageFixations
from domain.labels import POLYP
from processing.labels import make_label_maps

SIZE = 352
TEST_SHARE = 0.2
LIMIT_BYTES = 64_000_000
ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=900)
    parser.add_argument("--out", type=Path, default=ROOT / "carry")
    parser.add_argument("--reference", type=Path)
    options = parser.parse_args()
    data = Path(os.environ.get("SIGHTLINE_DATA", ROOT.parent / "shared" / "data")) / "kvasir-seg"
    if not data.is_dir():
        raise SystemExit(f"{data} is not there; SIGHTLINE_DATA names the folder with the shared data")
    fixations = _fixations(data / "kvasir_fixation_simulated.csv")
    names = sorted(path.stem for path in (data / "images").iterdir())[: options.images]
    for part in ("images", "masks", "maps"):
        (options.out / part).mkdir(parents=True, exist_ok=True)

    def one(name: str) -> str:
        _write_one(data, options.out, name, fixations[name])
        return name

    with ThreadPoolExecutor(2) as pool:
        for number, name in enumerate(pool.map(one, names), start=1):
            if number % 50 == 0 or number == len(names):
                print(f"{number}/{len(names)} {name}", flush=True)
    # By hash of the name: the same split everywhere. Own split: the published test images are not among these 900.
    split = {name: "test" if _is_test(name) else "train" for name in names}
    (options.out / "split.json").write_text(json.dumps(split, indent=0))
    if options.reference:
        _copy_code(options.reference, options.out)
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    n_test = sum(part == "test" for part in split.values())
    print(f"{options.out}: {size / 1e6:.0f} MB of at most {LIMIT_BYTES / 1e6:.0f}, {n_test} test images")
    return int(size > LIMIT_BYTES)


def _fixations(path: Path) -> dict[str, ImageFixations]:
    rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    columns = ("X", "Y", "DURATION", "START", "PUPIL")
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            rows[Path(row["IMAGE"]).stem].append(tuple(float(row[f"CURRENT_FIX_{name}"]) for name in columns))
    found = {}
    for name, values in rows.items():
        array = np.asarray(values)
        found[name] = ImageFixations(array[:, :2], array[:, 2], array[:, 3], array[:, 4])
    return found


def _write_one(data: Path, out: Path, name: str, fixations: ImageFixations) -> None:
    image = cv2.imread(str(data / "images" / f"{name}.jpg"), cv2.IMREAD_COLOR)
    mask = cv2.imread(str(data / "masks" / f"{name}.jpg"), cv2.IMREAD_GRAYSCALE)
    if image is None or mask is None:
        raise SystemExit(f"{name} cannot be read")
    scale = SIZE / max(image.shape[:2])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    # Labels are made at full size, as the product does, and shrunk then.
    rgb = np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)
    labels = make_label_maps(rgb, fixations, POLYP)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(out / "images" / f"{name}.jpg"), small, [cv2.IMWRITE_JPEG_QUALITY, 92])
    shrunk = cv2.resize((mask > 127).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(out / "masks" / f"{name}.png"), (shrunk > 0.5).astype(np.uint8) * 255)
    cv2.imwrite(str(out / "maps" / f"{name}.png"), _shrunk_u8(labels.refined, size))


def _shrunk_u8(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    small = cv2.resize(np.ascontiguousarray(values), size, interpolation=cv2.INTER_AREA)
    return np.round(np.clip(small, 0, 1) * 255).astype(np.uint8)


def _is_test(name: str) -> bool:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32 < TEST_SHARE


def _copy_code(reference: Path, out: Path) -> None:
    for part in ("models", "utils"):
        shutil.copytree(reference / part, out / "gazemedseg" / part, dirs_exist_ok=True)
    for package in ("monai", "segmentation_models_pytorch"):
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            print(f"{package} is not installed here and was not copied")
            continue
        ignore = shutil.ignore_patterns("__pycache__", "*.so", "tests")
        shutil.copytree(Path(found.origin).parent, out / "packages" / package, dirs_exist_ok=True, ignore=ignore)


if __name__ == "__main__":
    raise SystemExit(main())
