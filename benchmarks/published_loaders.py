"""The published loaders of med-air/GazeMedSeg open our export, unpatched, and train 20 steps from it.

    python -m benchmarks.published_loaders --reference PATH [--quick]

`--reference` is a checkout of that repository, which stays outside this one. Needs torch, monai, pandas, scikit-image
and scikit-learn (what the published code imports). Their trainers call `.cuda()` throughout, so on a machine without a
GPU the 20 steps are run by this program with their data loader, model, optimiser, criterion and consistency loss.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from benchmarks.data_place import data_place
from benchmarks.published_code import checked_checkout
from domain.study import StudyImage
from processing.exporter import ExportOptions
from storage.study import Study
from training.torchvision_shim import ensure_torchvision
from workflows.export_dataset import export
from workflows.import_images import import_to_folder

N_STEPS = 20


def make_exports(folder: Path, data: Path, n_images: int) -> tuple[Path, Path]:
    """Kvasir flavour from real images with SIMULATED fixations; prostate flavour from two real slices and rows."""
    source = folder / "kvasir-part"
    (source / "images").mkdir(parents=True)
    (source / "masks").mkdir()
    names = sorted(p.name for p in (data / "kvasir-seg" / "images").iterdir())[:n_images]
    for name in names:
        for kind in ("images", "masks"):
            (source / kind / name).symlink_to(data / "kvasir-seg" / kind / name)
    (source / "kvasir_fixation_simulated.csv").symlink_to(data / "kvasir-seg" / "kvasir_fixation_simulated.csv")
    import_to_folder("gazemedseg", source, folder / "kvasir")
    with Study.open(folder / "kvasir") as study:
        export(study, "gazemedseg", folder / "kvasir-export")
    import_to_folder("gazemedseg", data / "gazemedseg-samples", folder / "prostate")
    with Study.open(folder / "prostate") as study:
        labels = replace(study.settings.labels, source="none", sigma=50.0, thresholds=(0.2, 0.4))
        study.update_settings(replace(study.settings, labels=labels))
        slices: list[StudyImage] = study.images("Prostate")
        study.update_image(replace(slices[0], split="test"))
        export(study, "gazemedseg", folder / "prostate-export", ExportOptions(target="prostate"))
    return folder / "kvasir-export", folder / "prostate-export"


def arguments(data: str, root: Path, size: int, batch: int) -> SimpleNamespace:
    """What the published scripts pass, with a size that a CPU can do."""
    return SimpleNamespace(
        method="gaze_sup",
        data=data,
        model="unet",
        root=str(root),
        pseudo_root=str(root / "gaze"),
        spatial_size=size,
        data_size_rate=1,
        num_levels=2,
        batch_size=batch,
        num_worker=0,
        in_channels=3 if data == "kvasir" else 1,
        opt="sgd",
        lr=1e-2,
        weight_decay=4e-4,
        cons_weight=3.0,
    )


def use(data: str, root: Path, size: int, batch: int) -> list[tuple[str, str, bool]]:
    """Iterate over train and test with the published loaders, then train; rows of (figure, value, passed)."""
    import torch
    from datasets import get_dataloader
    from models import get_model_opt
    from utils import get_criterion
    from utils.losses import multi_level_propgation_consistency_loss

    torch.manual_seed(0)
    args = arguments(data, root, size, batch)
    train, test = get_dataloader(args, split="train"), get_dataloader(args, split="test")
    rows = []
    for split, loader in (("train", train), ("test", test)):
        n, levels = 0, []
        for minibatch in loader:
            n += len(minibatch["image"])
            if split == "train":
                levels.append([float(minibatch[f"pseudo_label_{i}"].float().mean()) for i in (1, 2)])
        n_wanted = len((root / f"{split}.txt").read_text(encoding="utf-8").split())
        rows.append((f"{data}: images iterated in {split}", f"{n} of {n_wanted}", n == n_wanted and n > 0))
        if levels:
            first, second = np.mean(levels, axis=0)
            rows.append((f"{data}: share of level 1 and 2", f"{first:.3f}, {second:.3f}", 0 < min(first, second) < 1))
    model, optimizer = get_model_opt(args)
    criterion = get_criterion(args)
    model.train()
    losses, begun = [], time.perf_counter()
    while len(losses) < N_STEPS:
        for minibatch in train:
            predicted = model(minibatch["image"])
            loss = sum(
                criterion(predicted[f"logits_{i}"], minibatch[f"pseudo_label_{i}"].float()) for i in (1, 2)
            ) + args.cons_weight * (
                multi_level_propgation_consistency_loss(
                    [predicted[f"logits_{i}"] for i in (1, 2)], [predicted[f"logits_prop_{i}"] for i in (1, 2)]
                ).sum()
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
            if len(losses) == N_STEPS:
                break
    text = f"{N_STEPS} in {time.perf_counter() - begun:.0f} s, loss {losses[0]:.3f} to {losses[-1]:.3f}"
    rows.append((f"{data}: training steps", text, bool(np.all(np.isfinite(losses)))))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    data = data_place("kvasir-seg").parent
    checked_checkout(chosen.reference)
    # The published packages `datasets`, `models` and `utils` are found first; ours have no such names.
    sys.path.insert(0, str(chosen.reference.absolute()))
    warnings.simplefilter("ignore")
    ensure_torchvision()  # the published code imports it; on a CPU-only torch its wheel needs help to load
    n_images, size = (10, 32) if chosen.quick else (60, 96)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        kvasir, prostate = make_exports(Path(folder), data, n_images)
        rows += use("kvasir", kvasir, size, 2)
        rows += use("prostate", prostate, size, 1)
    for figure, value, passed in rows:
        print(f"{figure:<36} {value:<44} {'PASS' if passed else 'MISS'}")
    return 0 if all(passed for *_, passed in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
