"""Gradients of batches that wait for a step, across an interruption.

Lightning does not save them: a run resumed from between two steps would take the next one with the
gradients of its own batches alone, and with ``accumulate_grad_batches`` yet divided by the number
of all.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from ...monitoring.layers import flattens_parameters
from .progress import batch_progress
from .waiting_optimizers import WaitingOptimizers


class WaitingGradients:
    """Keep them for checkpoints, and give them back to the parameters when training goes on.

    Attributes:
        by_hand: Under manual optimisation, the optimisers that wait.
    """

    def __init__(self) -> None:
        self.by_hand = WaitingOptimizers()
        self.clear()

    def clear(self) -> None:
        """Forget what a checkpoint had."""
        self._loaded: dict[str, Any] | None = None
        self._differentiated = -1
        self.by_hand.clear()

    def begin_backward(self, trainer: Trainer) -> None:
        """From here on a part of the current batch may be in them."""
        self._differentiated = batch_progress(trainer).total.ready

    def state(self, trainer: Trainer) -> dict[str, Any] | None:
        """What waits, whole and as the mean of the ranks; a collective, as saving a checkpoint is.

        None where nothing waits. After an exception other ranks cannot be asked, and a batch that
        was broken off may have left a part of its own.
        """
        if self._loaded is not None:
            return self._loaded
        optimizers = self.by_hand.found
        batches = self.by_hand.batches or _waiting(trainer)
        if not batches:
            return None
        lost = self._obstacle(trainer)
        gradients = {} if lost else _gather(trainer, optimizers or trainer.optimizers)
        lost = lost or ("sparse, on several ranks" if gradients is None else "")
        return {
            "epoch": trainer.current_epoch, "batches": batches, "gradients": gradients,
            "lost": lost, "by_hand": [trainer.optimizers.index(each) for each in optimizers],
        }  # fmt: skip

    def _obstacle(self, trainer: Trainer) -> str:
        """Why they cannot be had, the same on all ranks; empty if they can."""
        if trainer.world_size > 1 and trainer.interrupted:
            return "saved after an exception, when the other ranks could not be asked"
        if self._is_in_backward(trainer):
            return "saved within a batch, of which a part was in them"
        return "FSDP1 has them in parts of its own" if flattens_parameters(trainer) else ""

    def _is_in_backward(self, trainer: Trainer) -> bool:
        done = batch_progress(trainer)
        in_batch = done.current.ready != done.current.processed
        return bool(in_batch and done.total.ready == self._differentiated)

    def load_state(self, state: dict[str, Any] | None) -> None:
        """Remember a checkpoint's until training goes on."""
        self.clear()
        self._loaded = state

    def put_back(self, trainer: Trainer) -> None:
        """Where training goes on with the batch behind those that they are of."""
        loaded, self._loaded = self._loaded, None
        if loaded is None:
            return
        by_hand = loaded.get("by_hand", [])
        if by_hand and len(trainer.optimizers) > max(by_hand):
            optimizers = [trainer.optimizers[position] for position in by_hand]
            self.by_hand.put_back(optimizers, loaded["batches"])
        elif loaded["epoch"] != trainer.current_epoch or loaded["batches"] != _waiting(trainer):
            return  # of another number of batches in a step
        if loaded["lost"]:
            rank_zero_warn(
                f"The gradients of {loaded['batches']} batches that waited for a step are not in "
                f"the checkpoint ({loaded['lost']}): the next step is taken with those of the "
                "batches that are left."
            )
            return
        for name, parameter in _trained(trainer):
            gradient = loaded["gradients"].get(name)
            if gradient is not None and gradient.shape == parameter.shape:
                parameter.grad = _as_of(parameter, gradient)


def _waiting(trainer: Trainer) -> int:
    """Batches that were trained since the last step."""
    by_hand = not trainer.lightning_module.automatic_optimization
    if by_hand or trainer.strategy.handles_gradient_accumulation:
        return 0
    progress = batch_progress(trainer)
    done = progress.current
    is_last = progress.is_last_batch or done.ready == trainer.num_training_batches
    if is_last and done.ready == done.processed:
        return 0  # After the last batch of an epoch there is a step.
    waiting: int = done.processed % trainer.accumulate_grad_batches
    return waiting


def _trained(trainer: Trainer) -> Iterator[tuple[str, nn.Parameter]]:
    module = trainer.lightning_module
    return ((name, p) for name, p in module.named_parameters() if p.requires_grad)


def _gather(trainer: Trainer, optimizers: Iterable[Optimizer]) -> dict[str, Tensor] | None:
    """Those of all ranks; None where they are sparse, which ranks cannot sum up everywhere."""
    groups = (group for optimizer in optimizers for group in optimizer.param_groups)
    own = {parameter for group in groups for parameter in group["params"]}
    parameters = {name: p for name, p in _trained(trainer) if p in own}
    # One that a rank did not use has its share there of nothing.
    has = [p.grad is not None for p in parameters.values()]
    sparse = [p.grad is not None and p.grad.layout != torch.strided for p in parameters.values()]
    if trainer.world_size > 1:
        told = torch.tensor([has, sparse], dtype=torch.float32, device=trainer.strategy.root_device)
        has, sparse = trainer.strategy.reduce(told, reduce_op="sum").tolist()
        if any(sparse):
            return None
    names = [name for name, count in zip(parameters, has, strict=True) if count]
    return {name: _whole(trainer, parameters[name]) for name in names}


def _whole(trainer: Trainer, parameter: nn.Parameter) -> Tensor:
    gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.detach()
    if isinstance(gradient, DTensor):
        return gradient.full_tensor().cpu()
    if trainer.world_size > 1:
        gradient = trainer.strategy.reduce(gradient.clone(), reduce_op="mean")
    return gradient.to("cpu", copy=True)


def _as_of(parameter: nn.Parameter, gradient: Tensor) -> Tensor:
    if isinstance(parameter, DTensor):
        whole = gradient.to(parameter.device_mesh.device_type)
        mesh, placements = parameter.device_mesh, parameter.placements
        return distribute_tensor(whole, mesh, placements, src_data_rank=None)
    return gradient.to(parameter.device, parameter.dtype)
