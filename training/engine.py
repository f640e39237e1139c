"""One training in memory: net, optimiser, moving average, and the step. Knows no files and no processes."""

from __future__ import annotations

import gc
import logging
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from domain.errors import BadFileError, UserFacingError
from training.augment import augment
from training.config import TrainConfig
from training.data_cache import DataCache
from training.device import Place, is_out_of_memory
from training.losses import multi_level_loss
from training.micro_batch import first_micro_batch
from training.moving_average import MovingAverage
from training.multi_level import MultiLevelNet
from training.numbers import epoch_order, sample_keys
from training.preprocess import Preprocess
from training.schedule import consistency_weight, learning_rate, steps_per_epoch
from training.share import Share, Trouble

_log = logging.getLogger(__name__)


class Engine:
    """Runs the steps of one training; `step` counts those done."""

    def __init__(
        self,
        config: TrainConfig,
        cache: DataCache,
        place: Place,
        *,
        share: Share | None = None,
        net: MultiLevelNet | None = None,
    ) -> None:
        self.config = config
        self.place = place
        self.share = share or Share()
        self.cache = cache.to(place.device)
        self.preprocess = Preprocess.of(config)
        self.net: MultiLevelNet = (net or MultiLevelNet(config)).to(place.device)
        if config.channels_last and place.device.type == "cuda":
            self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stubs
        self.average = MovingAverage(self.net, config.ema_decay) if config.ema_decay else None
        self.optimiser = _optimiser(config, self.net, place.device)
        self.step = 0
        self.micro_batch = first_micro_batch(config, self.net, place.device)
        self.is_compiled = False
        self.before_update: Callable[[], None] = lambda: None
        """Called by every step before it alters weights: see `state_is_copied`."""
        self._has_stepped = False
        self._staged: dict[str, Tensor] = {}

    @property
    def state_is_copied(self) -> bool:
        """Whether what `state` gave stays as it is while the training goes on; on a CPU it does not."""
        return self.place.device.type != "cpu"

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one epoch."""
        return steps_per_epoch(len(self.cache), self.config.batch)

    @property
    def final_net(self) -> nn.Module:
        """The network that is evaluated and kept: the moving average where there is one."""
        return self.average.net if self.average else self.net

    def compile(self) -> None:
        """Let torch compile the level networks at their next use."""
        for level in self.net.level_nets():
            level.compile(mode="max-autotune-no-cudagraphs")
        self.is_compiled = True

    def train_step(self) -> dict[str, Tensor]:
        """One step on the next batch; the loss's parts, still on the device.

        Out of memory halves the micro-batch and repeats the step with accumulated gradients: the same result, slower.
        Several processes do so together, and fail together.

        Raises:
            UserFacingError: not even one sample fits, or another process failed.
        """
        parts = self._computed(self._indices())
        self.share.add_up(self.net)
        rate = learning_rate(self.config, self.step, len(self.cache))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        if self.config.clip_norm:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.config.clip_norm, foreach=True)
        self.before_update()
        self.optimiser.step()
        if self.average:
            self.average.update(self.net, self.step)
        self.step += 1
        self._has_stepped = True
        parts["lr"] = torch.tensor(rate)
        return parts

    def state(self) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
        """Everything that decides the coming steps: arrays by name, and plain values.

        On a CPU weights are not copied: they are right until the next step's `before_update` has returned. From a GPU
        they are copied before this returns, into memory that the next call uses again.
        """
        # Statistics of batches change on the way forth already.
        buffers = {f"net.{name}" for name, _ in self.net.named_buffers()}
        tensors: dict[str, Tensor] = {f"net.{k}": v for k, v in self.net.state_dict().items()}
        if self.average:
            tensors |= {f"average.{k}": v for k, v in self.average.net.state_dict().items()}
        for index, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{k}": v for k, v in values.items() if isinstance(v, Tensor)}
        arrays = {
            name: self._in_main_memory(name, value.detach(), copies=name in buffers).numpy()
            for name, value in tensors.items()
        }
        if self._staged:
            torch.cuda.synchronize(self.place.device)
        return arrays, {"step": self.step, "micro_batch": self.micro_batch, "config": self.config.digest()}

    def load_state(self, arrays: dict[str, np.ndarray[Any, Any]], values: dict[str, Any]) -> None:
        """Go on exactly where `state` was taken.

        Raises:
            BadFileError: the state belongs to another configuration.
        """
        if values.get("config") != self.config.digest():
            raise BadFileError("The checkpoint belongs to another configuration.", "Start a new run instead.")
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        self.net.load_state_dict(_part(tensors, "net."))
        if self.average:
            self.average.net.load_state_dict(_part(tensors, "average."))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _part(tensors, "optimiser.").items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = tensor
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        self.step = int(values["step"])
        self.micro_batch = int(values["micro_batch"])

    def move_to(self, device: torch.device) -> None:
        """Move all state to another device: to main memory for a pause, and back."""
        self.net.to(device)
        if self.average:
            self.average.net.to(device)
        for values in self.optimiser.state.values():
            for key, value in values.items():
                if isinstance(value, Tensor) and value.ndim:
                    values[key] = value.to(device)
        self.optimiser.zero_grad(set_to_none=True)
        self.cache = self.cache.to(device)
        if self.place.device.type == "cuda":
            # Rings of references keep tensors, and an empty cache gives back only what nothing keeps.
            gc.collect()
            torch.cuda.empty_cache()

    def _in_main_memory(self, name: str, value: Tensor, *, copies: bool) -> Tensor:
        if value.device.type != "cuda":
            found = value.cpu().contiguous()
            is_shared = found.data_ptr() == value.data_ptr()
            return found.clone() if is_shared and (copies or self.state_is_copied) else found
        # Pinned memory is filled at the speed of the bus, and all copies are under way at once.
        if name not in self._staged:
            self._staged[name] = torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
        return self._staged[name].copy_(value, non_blocking=True)

    def _indices(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        epoch, position = divmod(self.step, self.steps_per_epoch)
        order = epoch_order(self.config.seed, epoch, len(self.cache))
        return order[position * self.config.batch : (position + 1) * self.config.batch]

    def _computed(self, indices: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, Tensor]:
        """Gradients of this process's share, once every process has computed its own."""
        while True:
            parts: dict[str, Tensor] = {}
            trouble, error = Trouble.NONE, None  # type: tuple[Trouble, BaseException | None]
            try:
                parts = self._accumulate(indices)
            except (RuntimeError, MemoryError, OSError, ImportError, subprocess.SubprocessError) as met:
                if self._can_do_without_compiling(met):
                    # The others have compiled: this one alone repeats its part, they wait for its word.
                    continue
                trouble, error = Trouble.FAILED, met
                if is_out_of_memory(met):
                    # Its trace would keep the tensors of the failed try alive, beside those of the next.
                    trouble, error = Trouble.MEMORY, met.with_traceback(None)
            worst = self.share.worst(trouble)
            if worst is Trouble.NONE:
                return parts
            if worst is Trouble.FAILED:
                told = self.share.tell_failure(error) if self.share.world > 1 else None
                raise error or told or RuntimeError("a step failed without a reason")
            self._make_smaller_or_raise(error)

    def _accumulate(self, indices: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, Tensor]:
        """Gradients of the mean loss over the whole batch, from micro-batches of this process's share."""
        epoch = self.step // self.steps_per_epoch
        device = self.place.device
        mine = torch.from_numpy(indices[self.share.rank :: self.share.world].copy())
        counts = 1.0
        if not len(mine):
            # A short last batch: every process has gradients to add, so one sample goes along without weight.
            mine, counts = torch.from_numpy(indices[:1].copy()), 0.0
        mine = mine.to(device)
        batch = augment(self.cache.batch(mine), sample_keys(self.config.seed, epoch, mine), self.config)
        image = self.preprocess.normalise(batch.image, batch.inside)
        self.net.train()
        self.optimiser.zero_grad(set_to_none=True)
        sums: dict[str, Tensor] = {}
        for start in range(0, len(mine), self.micro_batch):
            part = slice(start, start + self.micro_batch)
            weights = None if batch.weights is None else batch.weights[part]
            terms = self._loss(image[part], batch.targets[part], weights)
            scale = counts * self.share.world / len(indices)
            (terms.total.sum() * scale).backward()
            for name, value in terms.parts.items():
                share = value * (len(terms.total) / len(mine))
                sums[name] = sums[name] + share if name in sums else share
        return sums

    def _loss(self, image: Tensor, targets: Tensor, weights: Tensor | None) -> Any:  # LossTerms
        weight = consistency_weight(self.config, self.step)
        wants_propagation = self.config.consistency == "propagated" and weight > 0 and self.config.n_levels > 1
        if self.config.channels_last and self.place.device.type == "cuda":
            image = image.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.place.device.type, self.place.autocast, enabled=self.place.autocast is not None):
            outputs = self.net(image, wants_propagation)
        return multi_level_loss(outputs, targets, weights, config=self.config, consistency_weight=weight)

    def _can_do_without_compiling(self, error: BaseException) -> bool:
        if not self.is_compiled or self._has_stepped or is_out_of_memory(error):
            return False
        _log.warning("torch.compile does not work here (%s): going on without it", error)
        torch.compiler.reset()
        for level in self.net.level_nets():
            level._compiled_call_impl = None
        self.is_compiled = False
        return True

    def _make_smaller_or_raise(self, error: BaseException | None) -> None:
        """error: what this process met, None where another one ran out of memory."""
        self.optimiser.zero_grad(set_to_none=True)
        if self.place.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.micro_batch <= 1:
            raise UserFacingError(
                "The memory is too small for even one image.", "Choose a smaller size_px, or preset tiny."
            ) from error
        self.micro_batch = max(1, min(self.micro_batch, self.config.batch // self.share.world) // 2)
        _log.warning("out of memory: going on with micro-batches of %d", self.micro_batch)


def _optimiser(config: TrainConfig, net: nn.Module, device: torch.device) -> torch.optim.Optimizer:
    fused = device.type == "cuda"
    if config.optimiser == "sgd":
        return torch.optim.SGD(
            net.parameters(),
            lr=config.learning_rate,
            momentum=config.momentum,
            nesterov=config.momentum > 0,
            weight_decay=config.weight_decay,
            fused=fused,
            foreach=None if fused else True,
        )
    return torch.optim.AdamW(
        net.parameters(),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        fused=fused,
        foreach=None if fused else True,
    )


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
