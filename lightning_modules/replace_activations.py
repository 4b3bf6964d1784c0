"""Other activations for a network that exists."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from .building_blocks.activations import ACTIVATIONS, make_activation
from .building_blocks.choices import Options
from .building_blocks.dataflow import ELEMENTWISE_ACTIVATIONS, function_name, trace
from .building_blocks.surgery import check_network, copied, parts, replace_modules

# A handle that removes a hook knows the dictionary that holds it, so the dictionaries move.
_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


def replace_activations(
    network: nn.Module,
    activation: Any,
    activation_options: Options | None = None,
    *,
    replaced: Sequence[type[nn.Module]] = ELEMENTWISE_ACTIVATIONS,
    inplace: bool = False,
) -> nn.Module:
    """Put another activation in the place of each activation module.

    Each module is replaced by one of its own; one that the network's code calls at several
    sites, or that is registered in several places, stays one. All hooks move to the new module.
    Of the functions that code may call instead of modules, only the one that torch's transformer
    layers are given is replaced; others stay, with a warning where they are found.

    By default gates and outputs such as ``nn.Sigmoid`` are replaced as well: ``replaced`` says
    which to take.

    Args:
        network: Network or LightningModule, or an activation itself.
        activation: Name, import path or class of an activation, or a module or function.
        activation_options: Arguments of the activation, such as ``{"negative_slope": 0.2}``.
        replaced: Classes whose instances are replaced; every element-wise one of ``torch.nn``.
        inplace: Whether to change the network itself instead of a deep copy.

    Returns:
        The changed network; each new activation has the mode of the old one, and the device and
        dtype of the nearest parameters before it.

    Raises:
        TypeError: If ``replaced`` holds something other than classes, or the network is compiled,
            scripted or distributed already.
        ValueError: If the activation is unknown or there is nothing to replace.

    Example:
        >>> replace_activations(nn.Sequential(nn.Linear(4, 8), nn.ReLU()), "leaky_relu")
        Sequential(
          (0): Linear(in_features=4, out_features=8, bias=True)
          (1): LeakyReLU(negative_slope=0.01)
        )
    """
    classes = _checked_classes(replaced)
    check_network(network)
    network = network if inplace else copied(network)
    make_activation(activation, activation_options)  # an error leaves the network as it was
    new: dict[nn.Module, nn.Module] = {}
    nearest = next(_float_tensors(network), None)
    for part in parts(network):
        own = next(_float_tensors(part, recurse=False), None)
        nearest = nearest if own is None else own
        if isinstance(part, classes):
            new[part] = _successor(part, make_activation(activation, activation_options), nearest)
    for layer, old in _transformer_functions(network, classes):
        like = next(layer.parameters())
        layer.activation = _successor(
            old.train(layer.training), make_activation(activation, activation_options), like
        )
        new.setdefault(layer.activation, layer.activation)
    _report_functions(network, any_replaced=bool(new))
    return replace_modules(network, new)


def _checked_classes(replaced: Any) -> tuple[type[nn.Module], ...]:
    classes = tuple(replaced) if isinstance(replaced, (tuple, list, set, frozenset)) else None
    if not classes or not all(isinstance(c, type) and issubclass(c, nn.Module) for c in classes):
        raise TypeError(
            "Expected `replaced` to be a tuple of classes of modules, such as `(nn.ReLU,)`, but "
            f"got {replaced!r}."
        )
    return classes


def _float_tensors(module: nn.Module, *, recurse: bool = True) -> Iterator[Tensor]:
    for tensor in module.parameters(recurse):
        if tensor.is_floating_point():
            yield tensor


def _successor(old: nn.Module, new: nn.Module, like: Tensor | None) -> nn.Module:
    """The new module with the old one's hooks, mode, device, dtype and frozen parameters."""
    if like is not None:
        new.to(device=like.device, dtype=like.dtype)
    new.train(old.training)
    trainable = [parameter.requires_grad for parameter in old.parameters()]
    if trainable and not any(trainable):
        new.requires_grad_(False)
    for name in _HOOKS:
        hooks = old.__dict__[name]
        hooks.update(new.__dict__[name])
        new.__dict__[name] = hooks
    if old._is_full_backward_hook is not None:
        new._is_full_backward_hook = old._is_full_backward_hook
    return new


def _transformer_functions(
    network: nn.Module, classes: tuple[type[nn.Module], ...]
) -> list[tuple[Any, nn.Module]]:
    """Transformer layers whose activation is a function, with its module."""
    found = []
    for module in network.modules():
        if isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
            name = getattr(module.activation, "__name__", "")
            if not isinstance(module.activation, nn.Module) and name in ACTIVATIONS:
                old = ACTIVATIONS[name]()
                found += [(module, old)] if isinstance(old, classes) else []
    return found


def _report_functions(network: nn.Module, *, any_replaced: bool) -> None:
    graph = trace(network)
    called = set() if graph is None else {function_name(n).rstrip("_") for n in graph.nodes}
    names = sorted(called & ACTIVATIONS.keys())
    calls = f"its code calls {', '.join(names)} as functions" if names else ""
    if not any_replaced:
        raise ValueError(
            "Expected `network` to have activation modules of `replaced`, but got none"
            f"{': ' + calls if calls else ''}. Activations that code calls as functions, such as "
            "`torch.relu(x)`, cannot be replaced: make them modules first."
        )
    if names:
        warnings.warn(
            f"Some activations stay: {calls}, which cannot be replaced. Make them modules first.",
            stacklevel=3,
        )
