"""Normalisation layers for a network that exists."""

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
    """Normalise the outputs of each convolution and linear layer that lacks it.

    A layer lacks it if an activation, another layer with weights or the network's output reads
    what the layer gives before a normalisation does. That is found by ``torch.fx``; parts whose
    code it cannot follow count as running in the order in which they are registered, with a
    warning if that decides.

    Each such layer is replaced by one module of the layer and the normalisation, through which
    the layer's own attributes, such as ``weight``, are still read and set. Weights keep their
    values, a bias included, so the outputs change as the normalisation makes them. The state
    gets new names (``fc.weight`` becomes ``fc.layer.weight``); one that was saved before loads
    with ``strict=False``, the normalisation's entries missing. Linear layers of sequences
    ``(N, L, C)`` have their last dimension normalised, over the ``N * L`` positions for batch
    normalisation, padding included.

    Not reached: the layers inside ``nn.MultiheadAttention``, and any other whose weights are
    used without calling the layer. A network in which nothing lacks it is returned as it is.

    Args:
        network: Network or LightningModule.
        norm: ``"batch"``, ``"layer"``, ``"group"``, ``"instance"`` or ``"rms"``.
        norm_options: Arguments of the normalisation, such as ``{"momentum": 0.01}``.
        include_output: Whether layers with no further layer of weights after them, the outputs,
            get one too.
        inplace: Whether to change the network itself instead of a deep copy.

    Returns:
        The changed network; each normalisation has its layer's device, dtype and mode.

    Raises:
        TypeError: If the network is compiled, scripted or distributed already.
        ValueError: If the normalisation does not fit, the weights are tied or uninitialised, or
            no layer is there to normalise.

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
            f"The code of {', '.join(parts_of)} cannot be followed, so that its parts count as "
            f"running as registered. Check whether these layers lack a normalisation: "
            f"{', '.join(names)}. Where not, give only the parts of the network that do.",
            stacklevel=3,
        )
