"""Checks, copies and replacements shared by all operations on existing networks."""

import copy
from collections import Counter
from collections.abc import Iterator, Mapping

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import ParametrizationList

from .initializations import WEIGHT_LAYERS


def check_network(network: nn.Module) -> None:
    """Refuse networks that cannot be modified.

    Raises:
        TypeError: If it is not a module, or a compiled, scripted or distributed one.
        ValueError: If it has uninitialised parameters.
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"Expected `network` to be an nn.Module, but got {type(network).__name__}.")
    for name, module in network.named_modules():
        _refuse_unchangeable(f"the module {name!r}" if name else "the network", module)


def copied(network: nn.Module) -> nn.Module:
    """Return a deep copy.

    Raises:
        ValueError: If the network cannot be copied.
    """
    try:
        return copy.deepcopy(network)
    except Exception as error:  # the module's own code may raise anything
        raise ValueError(
            f"Expected `network` to be copyable, but got {error!r}. Use `inplace=True`."
        ) from error


def _refuse_unchangeable(name: str, module: nn.Module) -> None:
    expected = "Expected `network` to"
    if isinstance(module, torch.jit.ScriptModule):
        raise TypeError(
            f"{expected} be plain Python modules, but got TorchScript: {name}. Change the network "
            "before `torch.jit`."
        )
    compiled_in_place = getattr(module, "_compiled_call_impl", None) is not None
    # Importing the class that torch.compile creates would take seconds.
    if compiled_in_place or isinstance(module._modules.get("_orig_mod"), nn.Module):
        raise TypeError(
            f"{expected} be uncompiled, but got a compiled module: {name}. Change the network, "
            "then compile it."
        )
    if isinstance(module, nn.parallel.DistributedDataParallel):
        raise TypeError(
            f"{expected} be an unwrapped module, but got DistributedDataParallel: {name}. Change "
            "the network, then wrap it."
        )
    tensors = [*module._parameters.values(), *module._buffers.values()]
    if any(is_lazy(tensor) for tensor in tensors if tensor is not None):
        raise ValueError(
            f"{expected} have initialised parameters, but got lazy ones in {name}. Run it on one "
            "batch first."
        )


def refuse_tied_weights(network: nn.Module) -> None:
    """Refuse parameters of several modules, and weight layers registered in several places."""
    parameters: Counter[int] = Counter()
    places: Counter[int] = Counter()
    for module in network.modules():
        parameters.update(id(p) for p in module._parameters.values() if p is not None)
        places.update(id(child) for child in module._modules.values() if child is not None)
    tied = [name for name, p in network.named_parameters() if parameters[id(p)] > 1]
    tied += [
        name
        for name, module in network.named_modules()
        if isinstance(module, WEIGHT_LAYERS) and places[id(module)] > 1
    ]
    if tied:
        raise ValueError(
            "Expected `network` to have no tied weights, but got several places that share "
            f"{', '.join(map(repr, tied))}. Untie them, or handle those layers yourself."
        )


def parts(module: nn.Module) -> Iterator[nn.Module]:
    """Yield each module once, except those whose weights their parent uses without calling them."""
    seen: set[nn.Module] = set()
    waiting = [module]
    while waiting:
        part = waiting.pop(0)
        if part in seen or isinstance(part, ParametrizationList):
            continue
        seen.add(part)
        yield part
        if not isinstance(part, nn.MultiheadAttention):
            waiting = [*part.children(), *waiting]


def replace_modules(network: nn.Module, new: Mapping[nn.Module, nn.Module]) -> nn.Module:
    """Replace modules in all places in which they are registered."""
    for module in list(network.modules()):
        for name, child in list(module._modules.items()):
            if child is not None and child in new:
                module.register_module(name, new[child])
    _leave_fast_path(network, set(new.values()))
    return new.get(network, network)


def _leave_fast_path(network: nn.Module, new: set[nn.Module]) -> None:
    """Make torch's transformers call their modules in evaluation, instead of a fused kernel."""
    for module in network.modules():
        if isinstance(module, nn.TransformerEncoderLayer) and not new.isdisjoint(module.children()):
            module.activation_relu_or_gelu = 0
    for module in network.modules():
        if isinstance(module, nn.TransformerEncoder) and not all(
            getattr(layer, "activation_relu_or_gelu", True) for layer in module.layers
        ):
            module.use_nested_tensor = False
