"""Add normalisation layers to an existing network."""

import warnings
from collections.abc import Mapping, Sequence

from torch import nn

from .building_blocks.choices import Options
from .building_blocks.dataflow import Dataflow
from .building_blocks.initializations import WEIGHT_LAYERS
from .building_blocks.normalized_layer import NormalizedLayer
from .building_blocks.surgery import (
    check_network,
    copied,
    parts,
    refuse_tied_weights,
    replace_modules,
)


def add_normalization(
    network: nn.Module,
    norm: str = "batch",
    norm_options: Options | None = None,
    *,
    include_output: bool = False,
    inplace: bool = False,
) -> nn.Module:
    """Add a normalisation after each convolution and linear layer that lacks one.

    A layer lacks one if its output reaches an activation, another layer with weights or the
    network's output before any normalisation. This is determined with ``torch.fx``; modules whose
    code cannot be traced are assumed to run their submodules in registration order, with a warning
    if that affects the result.

    Each such layer is replaced by a module that holds the layer and its normalisation, and through
    which the layer's attributes, such as ``weight``, can still be read and set. Weights and biases
    keep their values, so the outputs change through the normalisation alone. Keys of the state dict
    change (``fc.weight`` becomes ``fc.layer.weight``); one saved beforehand loads with
    ``strict=False``, with the normalisation's entries missing. For sequences ``(N, L, C)``, linear
    layers have their last dimension normalised; batch normalisation takes its statistics over all
    ``N * L`` positions, padding included.

    Layers inside ``nn.MultiheadAttention``, and any other layer whose weights are used without
    calling it, are left unchanged, and so is a network in which no layer lacks a normalisation.

    Args:
        network: Network or LightningModule.
        norm: ``"batch"``, ``"layer"``, ``"group"``, ``"instance"`` or ``"rms"``.
        norm_options: Arguments of the normalisation, such as ``{"momentum": 0.01}``.
        include_output: Whether to normalise output layers too: those that no other layer with
            weights follows.
        inplace: Whether to change the network itself instead of a deep copy.

    Returns:
        The modified network; each normalisation has its layer's device, dtype and training mode.

    Raises:
        TypeError: If the network is already compiled, scripted or distributed.
        ValueError: If the normalisation does not fit, weights are tied or uninitialised, or there
            is no layer to normalise.

    Example:
        >>> network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> [type(part).__name__ for part in add_normalization(network)]
        ['NormalizedLayer', 'ReLU', 'Linear']
    """
    if norm == "none":
        raise ValueError("Expected `norm` to be a normalisation, but got 'none'.")
    check_network(network)
    refuse_tied_weights(network)
    network = network if inplace else copied(network)
    layers = [module for module in parts(network) if isinstance(module, WEIGHT_LAYERS)]
    flow = Dataflow(network)
    eligible = [layer for layer in layers if include_output or not flow.is_output(layer)]
    if not eligible:
        raise ValueError(
            "Expected `network` to have a convolution or linear layer "
            f"{'' if include_output else 'before its output layer '}to normalise, but got none. "
            f"{'' if include_output else '`include_output=True` normalises the output layer too.'}"
        )
    new: dict[nn.Module, nn.Module] = {
        layer: NormalizedLayer(layer, norm, norm_options)
        for layer in eligible
        if flow.lacks_normalization(layer)
    }
    _report_guesses(network, flow.guessed, new)
    return replace_modules(network, new)


def _report_guesses(
    network: nn.Module, guessed: Sequence[nn.Module], new: Mapping[nn.Module, nn.Module]
) -> None:
    doubtful = {part for module in guessed for part in module.modules()} & new.keys()
    names = [name for name, module in network.named_modules() if module in doubtful]
    if names:
        parts_of = sorted({type(module).__name__ for module in guessed})
        warnings.warn(
            f"The code of {', '.join(parts_of)} cannot be traced, so its submodules are assumed to "
            f"run in registration order. Check whether these layers really lack a normalisation: "
            f"{', '.join(names)}. If some do not, pass only the parts of the network that do.",
            stacklevel=3,
        )
