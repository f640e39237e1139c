"""All training samples as uint8 squares in one place, on the device; no loader process, no file is read twice."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from domain.events import CancelToken, OnProgress, Progress, no_progress
from storage.snapshot_file import Snapshot, SnapshotItem
from training.augment import Batch
from training.config import TrainConfig
from training.preprocess import Preprocess
from training.supervision import label_source, planes_from_square


@dataclass(frozen=True)
class DataCache:
    """n samples: image (n, C, S, S), targets and weights (n, levels, S, S), inside (n, S, S) bool; 255 = 1.

    weights and inside are None where every pixel counts.
    """

    image: Tensor
    targets: Tensor
    weights: Tensor | None
    inside: Tensor | None
    item_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.image)

    @property
    def n_bytes(self) -> int:
        """Memory the cache takes."""
        return sum(t.numel() for t in (self.image, self.targets, self.weights, self.inside) if t is not None)

    def batch(self, indices: Tensor) -> Batch:
        """Some samples as floats: images 0-255, labels 0-1."""
        inside = None if self.inside is None else self.inside[indices]
        weights = None if self.weights is None else self.weights[indices].float() / 255
        if inside is not None:
            shown = inside.unsqueeze(1).float()
            weights = shown.expand(-1, self.targets.shape[1], -1, -1) if weights is None else weights * shown
        return Batch(self.image[indices].float(), self.targets[indices].float() / 255, weights, inside)

    def with_labels(self, targets: Tensor, weights: Tensor) -> DataCache:
        """The same images with other labels (uint8), for a round of self-training."""
        return replace(self, targets=targets, weights=weights)

    def to(self, device: torch.device) -> DataCache:
        """The cache on another device."""
        return DataCache(
            self.image.to(device),
            self.targets.to(device),
            None if self.weights is None else self.weights.to(device),
            None if self.inside is None else self.inside.to(device),
            self.item_ids,
        )


def build_cache(
    snapshot: Snapshot,
    items: Sequence[SnapshotItem],
    config: TrainConfig,
    *,
    n_threads: int = 4,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> DataCache:
    """Decode, resize and label every item once. The result does not depend on the number of threads.

    Raises:
        UserFacingError: a file is unreadable or an item lacks its label.
        Cancelled: stopped by the user.
    """
    shape = Preprocess.of(config)
    size = config.size_px
    n = len(items)
    image = torch.empty((n, config.in_channels, size, size), dtype=torch.uint8)
    targets = torch.empty((n, config.n_levels, size, size), dtype=torch.uint8)
    weights = torch.full((n, config.n_levels, size, size), 255, dtype=torch.uint8)
    inside = torch.ones((n, size, size), dtype=torch.bool)

    def fill(index: int) -> bool:
        item = items[index]
        image[index] = shape.square_u8(snapshot.image(item))
        square = shape.square_map(label_source(snapshot, item, config)).numpy()
        planes = planes_from_square(square, config)
        targets[index] = torch.from_numpy(np.round(planes.targets * 255).astype(np.uint8))
        if planes.weights is not None:
            weights[index] = torch.from_numpy(np.round(planes.weights * 255).astype(np.uint8))
        if config.keep_aspect:
            width, height = item.size
            inside[index] = shape.inside(height, width)
        return planes.weights is not None

    has_weights = False
    with ThreadPoolExecutor(max_workers=max(1, n_threads)) as pool:
        for done, weighted in enumerate(pool.map(fill, range(n)), start=1):
            has_weights = has_weights or weighted
            on_progress(Progress(done, n, "reading images"))
            if cancel is not None and cancel.is_cancelled:
                pool.shutdown(wait=True, cancel_futures=True)
                cancel.raise_if_cancelled()
    return DataCache(
        image,
        targets,
        weights if has_weights else None,
        inside if config.keep_aspect else None,
        tuple(item.item_id for item in items),
    )
