"""Layer-sequential unit-variance initialisation, on a batch of data."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .initializations import WEIGHT_LAYERS

_DROPOUTS = (
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout
)  # fmt: skip


@torch.no_grad()
def lsuv_(
    network: nn.Module,
    x: Tensor,
    *,
    tolerance: float = 0.02,
    max_iterations: int = 10,
    reduce: Callable[[Tensor], Any] = lambda variance: variance,
) -> None:
    """Scale each weight layer, in running order, to outputs of variance 1.

    The weights should be orthogonal initially. Dropout is disabled meanwhile, and buffers such as
    the running statistics of BatchNorm are restored afterwards.

    Args:
        network: Modified in place.
        x: One batch of inputs of the network.
        tolerance: Accepted difference of the variance from 1.
        max_iterations: Maximum number of rescalings of each layer.
        reduce: Averages over ranks, so that all ranks scale equally.

    Reference:
        Mishkin and Matas 2016, "All you need is a good init", algorithm 1.
    """
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    resting = [m for m in network.modules() if isinstance(m, _DROPOUTS) and m.training]
    for module in resting:
        module.eval()
    try:
        for layer in _layers_in_running_order(network, x):
            for _ in range(max_iterations):
                variance = torch.as_tensor(reduce(_output_variance(network, layer, x)))
                if not variance > 0 or abs(variance - 1) <= tolerance:
                    break
                layer.weight.div_(variance.sqrt())
    finally:
        for module in resting:
            module.train()
        for name, buffer in network.named_buffers():
            buffer.copy_(buffers[name])


def _layers_in_running_order(network: nn.Module, x: Tensor) -> list[Any]:
    order: list[nn.Module] = []
    layers = [m for m in network.modules() if isinstance(m, WEIGHT_LAYERS)]
    hooks = [
        layer.register_forward_hook(lambda module, args, output: order.append(module))
        for layer in layers
    ]
    try:
        network(x)
    finally:
        for hook in hooks:
            hook.remove()
    return list(dict.fromkeys(order))


def _output_variance(network: nn.Module, layer: nn.Module, x: Tensor) -> Tensor:
    found: list[Tensor] = []
    hook = layer.register_forward_hook(lambda module, args, out: found.append(out.float().var()))
    try:
        network(x)
    finally:
        hook.remove()
    return found[0]
