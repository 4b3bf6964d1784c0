"""Gradients of batches that await an optimiser step, across an interruption.

Lightning does not save them: a run resumed between two steps would take the next one with the
gradients of its own batches alone, yet with ``accumulate_grad_batches`` divide them by the number
of all batches.
"""

import functools
from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from ...monitoring.layers import flattens_parameters
from ..tensors import sharded_like
from .exceptions import saves_on_exception
from .progress import batch_progress
from .waiting_optimizers import WaitingOptimizers


class WaitingGradients:
    """Keep them for checkpoints, and return them to the parameters when training resumes.

    Attributes:
        by_hand: Under manual optimisation, the optimisers whose gradients await a step.
    """

    def __init__(self) -> None:
        self.by_hand = WaitingOptimizers()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._loaded: dict[str, Any] | None = None
        self._differentiated = self._stepped = -1
        self._copies: dict[str, Tensor] | None = None
        self.by_hand.clear()

    def begin_backward(self, trainer: Trainer) -> None:
        """Copy the gradients from before the current batch, which are about to change.

        Only if an exception may leave a checkpoint behind, and gradients await a step.
        """
        batch = batch_progress(trainer).total.ready
        if batch != self._differentiated and trainer.world_size == 1:
            waits = self._count(trainer) and saves_on_exception(trainer)
            self._copies = self._copy(trainer) if waits else None
        self._differentiated = batch

    def begin_step(self, trainer: Trainer, optimizer: Optimizer) -> None:
        """Note that from here on the weights may change, too."""
        self._stepped = batch_progress(trainer).total.ready
        if not trainer.lightning_module.automatic_optimization:
            self.by_hand.step(optimizer)

    def state(self, trainer: Trainer) -> dict[str, Any] | None:
        """Return full gradients, averaged over ranks; a collective, like saving a checkpoint.

        None if none await a step. After an exception, they cannot be gathered from other ranks; if
        a batch was interrupted, the gradients from before it are used.
        """
        if self._loaded is not None:
            return self._loaded
        batches = self._count(trainer)
        if not batches:
            return None
        lost = self._obstacle(trainer)
        gradients = {} if lost else self._gather(trainer)
        by_hand = [trainer.optimizers.index(optimizer) for optimizer in self.by_hand.found]
        return {
            "epoch": trainer.current_epoch, "batches": batches, "gradients": gradients,
            "lost": lost, "by_hand": by_hand,
        }  # fmt: skip

    def _count(self, trainer: Trainer) -> int:
        """Return the number of batches before the current one whose gradients await a step."""
        return self.by_hand.batches or _waiting(trainer)

    def _obstacle(self, trainer: Trainer) -> str:
        """Return why they cannot be saved, the same on all ranks; empty if they can."""
        if trainer.world_size > 1 and trainer.interrupted:
            return "saved after an exception, when they could not be gathered from other ranks"
        if self._is_in_batch(trainer, self._stepped):
            return "saved within a batch, while a step was being taken"
        if self._is_in_backward(trainer) and self._copies is None:
            return "saved within a batch, part of which had been added to them"
        return "FSDP1 keeps them in shards of its own" if flattens_parameters(trainer) else ""

    def _is_in_backward(self, trainer: Trainer) -> bool:
        return self._is_in_batch(trainer, self._differentiated)

    def _is_in_batch(self, trainer: Trainer, batch: int) -> bool:
        done = batch_progress(trainer)
        in_batch = done.current.ready != done.current.processed
        return bool(in_batch and done.total.ready == batch)

    def _copy(self, trainer: Trainer) -> dict[str, Tensor]:
        own = self._own(trainer).items()
        return {name: p.grad.detach().clone() for name, p in own if p.grad is not None}

    def _gather(self, trainer: Trainer) -> dict[str, Tensor]:
        """Gather the gradients of all ranks."""
        if self._is_in_backward(trainer) and self._copies is not None:
            return {name: _on_cpu(gradient) for name, gradient in self._copies.items()}
        own = self._own(trainer)
        sparse = _sparse_by_name(trainer, own)
        return {
            name: _sparse_mean(trainer, own[name]) if is_sparse else _whole(trainer, own[name])
            for name, is_sparse in sparse.items()
        }

    def _own(self, trainer: Trainer) -> dict[str, nn.Parameter]:
        """Return the parameters of the optimisers whose gradients await a step, by name."""
        optimizers = self.by_hand.found or trainer.optimizers
        groups = (group for optimizer in optimizers for group in optimizer.param_groups)
        own = {parameter for group in groups for parameter in group["params"]}
        return {name: p for name, p in _trained(trainer) if p in own}

    def load_state(self, state: dict[str, Any] | None) -> None:
        """Remember a checkpoint's gradients until training resumes."""
        self.clear()
        self._loaded = state

    def end_validation(self) -> None:
        """Drop loaded gradients: another EarlyStopping ran this validation and restored them."""
        if self._loaded is not None:
            self._loaded = {**self._loaded, "gradients": {}}

    def put_back(self, trainer: Trainer) -> None:
        """Restore the gradients if training resumes right after the batches that they are of."""
        loaded, self._loaded = self._loaded, None
        if loaded is None:
            return
        by_hand = loaded["by_hand"]
        if by_hand and len(trainer.optimizers) > max(by_hand):
            optimizers = [trainer.optimizers[position] for position in by_hand]
            self.by_hand.put_back(optimizers, loaded["batches"])
        elif loaded["epoch"] != trainer.current_epoch or loaded["batches"] != _waiting(trainer):
            return  # the number of batches per step has changed
        if loaded["lost"]:
            rank_zero_warn(
                f"The gradients of {loaded['batches']} batches that awaited a step are not in the "
                f"checkpoint ({loaded['lost']}): the next step uses only those of the remaining "
                "batches."
            )
            return
        for name, parameter in _trained(trainer):
            gradient = loaded["gradients"].get(name)
            if gradient is not None and gradient.shape == parameter.shape:
                parameter.grad = _as_of(parameter, gradient)


def _waiting(trainer: Trainer) -> int:
    """Return the number of batches trained since the last step."""
    by_hand = not trainer.lightning_module.automatic_optimization
    if by_hand or trainer.strategy.handles_gradient_accumulation:
        return 0
    progress = batch_progress(trainer)
    done = progress.current
    is_last = progress.is_last_batch or done.ready == trainer.num_training_batches
    if is_last and done.ready == done.processed:
        return 0  # A step follows the last batch of an epoch.
    waiting: int = done.processed % trainer.accumulate_grad_batches
    return waiting


def _trained(trainer: Trainer) -> Iterator[tuple[str, nn.Parameter]]:
    module = trainer.lightning_module
    return ((name, p) for name, p in module.named_parameters() if p.requires_grad)


def _sparse_by_name(trainer: Trainer, own: dict[str, nn.Parameter]) -> dict[str, bool]:
    """Return names of parameters with a gradient on any rank, and whether it is sparse on any."""
    # A parameter that a rank did not use has no gradient there, which counts as zero.
    has = [p.grad is not None for p in own.values()]
    sparse = [p.grad is not None and p.grad.layout != torch.strided for p in own.values()]
    if trainer.world_size > 1:
        told = torch.tensor([has, sparse], dtype=torch.float32, device=trainer.strategy.root_device)
        has, sparse = trainer.strategy.reduce(told, reduce_op="sum").bool().tolist()
    return {name: where for name, some, where in zip(own, has, sparse, strict=True) if some}


def _sparse_mean(trainer: Trainer, parameter: nn.Parameter) -> Tensor:
    """Return the mean over ranks, with the entries that any of them has."""
    gradient = None if parameter.grad is None else _on_cpu(parameter.grad.detach())
    ranks = [gradient]
    if trainer.world_size > 1:
        ranks *= trainer.world_size
        torch.distributed.all_gather_object(ranks, gradient)
    shares = (share / len(ranks) for share in ranks if share is not None)
    return functools.reduce(torch.add, shares)


def _whole(trainer: Trainer, parameter: nn.Parameter) -> Tensor:
    gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.detach()
    if trainer.world_size > 1 and not isinstance(gradient, DTensor):
        gradient = trainer.strategy.reduce(gradient.clone(), reduce_op="mean")
    return _on_cpu(gradient)


def _on_cpu(gradient: Tensor) -> Tensor:
    whole = gradient.full_tensor() if isinstance(gradient, DTensor) else gradient
    return whole.to("cpu", copy=True)


def _as_of(parameter: nn.Parameter, gradient: Tensor) -> Tensor:
    if isinstance(parameter, DTensor):
        return sharded_like(parameter, gradient)
    return gradient.to(parameter.device, parameter.dtype)
