"""Layer-sequential unit-variance initialisation, on a batch of data."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from .initializations import WEIGHT_LAYERS

_TOLERANCE = 0.02
_MAX_ITERATIONS = 10


@torch.no_grad()
def lsuv_(
    network: nn.Module,
    x: Tensor,
    *,
    reduce: Callable[[Tensor], Any] = lambda variance: variance,
) -> None:
    """Scale each weight layer, in running order, to outputs of variance 1.

    The weights should be orthogonal initially. Dropout is disabled meanwhile, and buffers such as
    the running statistics of BatchNorm are restored afterwards.

    Args:
        network: Modified in place.
        x: One batch of inputs of the network.
        reduce: Averages over ranks, so that all ranks scale equally.

    Reference:
        Mishkin and Matas 2016, "All you need is a good init", algorithm 1.
    """
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    resting = [m for m in network.modules() if isinstance(m, _DropoutNd) and m.training]
    layers = [m for m in network.modules() if isinstance(m, WEIGHT_LAYERS)]
    for module in resting:
        module.eval()
    try:
        for layer in _variances(network, layers, x):
            for _ in range(_MAX_ITERATIONS):
                variance = torch.as_tensor(reduce(_variances(network, [layer], x)[layer]))
                if not variance > 0 or abs(variance - 1) <= _TOLERANCE:
                    break
                layer.weight.div_(variance.sqrt())
    finally:
        for module in resting:
            module.train()
        for name, buffer in network.named_buffers():
            buffer.copy_(buffers[name])


def _variances(network: nn.Module, layers: Iterable[Any], x: Tensor) -> dict[Any, Tensor]:
    """Return the variance of the outputs of each layer's first call, in running order."""
    found: dict[Any, Tensor] = {}

    def keep(layer: nn.Module, args: Any, outputs: Tensor) -> None:
        found.setdefault(layer, outputs.float().var())

    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        network(x)
    finally:
        for hook in hooks:
            hook.remove()
    return found
