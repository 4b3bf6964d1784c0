"""Reinitialise an existing network."""

import warnings
from typing import Any

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from .building_blocks.choices import Options
from .building_blocks.dataflow import Dataflow
from .building_blocks.initializations import WEIGHT_LAYERS, WeightLayer, check_init, initialize
from .building_blocks.surgery import check_network, copied, parts, refuse_tied_weights


def reinitialize(
    network: nn.Module,
    init: str = "auto",
    init_options: Options | None = None,
    *,
    inplace: bool = False,
) -> nn.Module:
    """Give each convolution and linear layer new weights that fit the activations around it.

    The activations are found with ``torch.fx``; modules whose code cannot be traced are assumed to
    run their submodules in registration order. Normalisations, including their running statistics,
    and all other layers with ``reset_parameters``, such as embeddings and recurrent layers, are
    reset. Parameters of modules without ``reset_parameters``, such as a class token, keep their
    values, with a warning. With ``init="default"``, every layer uses its own ``reset_parameters``.

    Args:
        network: Network or LightningModule.
        init: Name of a scheme: ``"auto"`` fits the activation; others are ``"default"``,
            ``"kaiming_normal"``, ``"orthogonal"`` etc., except ``"lsuv"``, which needs data.
        init_options: Arguments of the scheme ``"normal"`` or ``"constant"``.
        inplace: Whether to change the network itself instead of a deep copy.

    Returns:
        The network with new weights; ``requires_grad`` of each parameter stays as it was.

    Raises:
        TypeError: If the network is already compiled, scripted or distributed.
        ValueError: If the scheme is unknown or needs data, if weights are tied, uninitialised or
            parametrised (weight or spectral norm, pruning), or if there are none.

    Example:
        >>> network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> reinitialize(network)[0].bias.count_nonzero()
        tensor(0)
    """
    check_init(init, init_options)
    if init == "lsuv":
        raise ValueError(
            "Expected `init` to be a scheme that needs no data, but got 'lsuv'. Use "
            '`init="orthogonal"`, which LSUV starts from.'
        )
    check_network(network)
    refuse_tied_weights(network)
    _refuse_parametrized(network)
    if next(network.parameters(), None) is None:
        raise ValueError("Expected `network` to have parameters, but got none.")
    network = network if inplace else copied(network)
    layers = [module for module in parts(network) if isinstance(module, WEIGHT_LAYERS)]
    # Before the initialisation, which may depend on the slope of a PReLU.
    kept = [module for module in parts(network) if module not in layers and not _reset(module)]
    if init == "default":
        for layer in layers:
            layer.reset_parameters()
    else:
        flow = Dataflow(network)
        around = [
            WeightLayer(layer, flow.activation_before(layer), flow.activation_after(layer))
            for layer in layers
        ]
        initialize(around, init, init_options)
    _report(network, kept)
    return network


def _refuse_parametrized(network: nn.Module) -> None:
    for name, module in network.named_modules():
        # Older weight norm (_g), spectral norm and pruning (_orig) compute a plain attribute.
        computed = any(
            parameter.removesuffix(suffix) in module.__dict__
            for parameter in module._parameters
            for suffix in ("_g", "_orig")
        )
        if computed or is_parametrized(module):
            raise ValueError(
                "Expected `network` to have plain parameters as weights, but got weights of "
                f"{name or 'the network'!r} that are computed from others (parametrisation, "
                "weight norm or pruning). Remove that first."
            )


def _reset(module: Any) -> bool:
    """Reset a module's own parameters; return whether that succeeded or there are none."""
    if isinstance(module, nn.MultiheadAttention):
        module.out_proj.reset_parameters()
        module._reset_parameters()
    elif callable(getattr(module, "reset_parameters", None)):
        module.reset_parameters()
    else:
        return not any(p is not None for p in module._parameters.values())
    return True


def _report(network: nn.Module, kept: list[nn.Module]) -> None:
    names = [
        f"{prefix}.{name}" if prefix else name
        for prefix, module in network.named_modules()
        if module in kept
        for name, _ in module.named_parameters(recurse=False)
    ]
    if names:
        warnings.warn(
            "Parameters of modules without `reset_parameters` keep their values: "
            f"{', '.join(names)}.",
            stacklevel=3,
        )
