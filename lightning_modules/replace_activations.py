"""Replace the activations of an existing network."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from .building_blocks.activations import ACTIVATIONS, make_activation
from .building_blocks.choices import Options
from .building_blocks.dataflow import ELEMENTWISE_ACTIVATIONS, function_name, trace
from .building_blocks.surgery import check_network, copied, parts, replace_modules


def replace_activations(
    network: nn.Module,
    activation: Any,
    activation_options: Options | None = None,
    *,
    replaced: Sequence[type[nn.Module]] = ELEMENTWISE_ACTIVATIONS,
    inplace: bool = False,
) -> nn.Module:
    """Replace each activation module by another activation.

    Each module gets its own replacement; a module that is called or registered in several places
    gets a single one. All hooks move to the new module. Of functional activations, only the one
    passed to torch's transformer layers is replaced; others are kept, with a warning where they
    are found.

    By default, gates and output activations such as ``nn.Sigmoid`` are replaced as well; use
    ``replaced`` to choose. A LightningModule's checkpoint does not hold the change: replace them
    again in what ``load_from_checkpoint`` returns.

    Args:
        network: Network or LightningModule, or an activation itself.
        activation: Name, import path or class of an activation, or a module or function.
        activation_options: Arguments of the activation, such as ``{"negative_slope": 0.2}``.
        replaced: Classes whose instances are replaced; by default every element-wise activation of
            ``torch.nn``.
        inplace: Whether to change the network itself instead of a deep copy.

    Returns:
        The modified network; each new activation has the training mode of the old one, and the
        device and dtype of the nearest preceding parameters.

    Raises:
        TypeError: If ``replaced`` holds something other than classes, or the network is already
            compiled, scripted or distributed.
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
    make_activation(activation, activation_options)  # fails before the network is changed
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
            "Expected `replaced` to be a tuple of module classes, such as `(nn.ReLU,)`, but "
            f"got {replaced!r}."
        )
    return classes


def _float_tensors(module: nn.Module, *, recurse: bool = True) -> Iterator[Tensor]:
    for tensor in module.parameters(recurse):
        if tensor.is_floating_point():
            yield tensor


def _successor(old: nn.Module, new: nn.Module, like: Tensor | None) -> nn.Module:
    """Give the new module the old one's hooks, mode and frozen state, and move it to ``like``."""
    if like is not None:
        new.to(device=like.device, dtype=like.dtype)
    new.train(old.training)
    trainable = [parameter.requires_grad for parameter in old.parameters()]
    if trainable and not any(trainable):
        new.requires_grad_(False)
    for name, hooks in old.__dict__.items():
        if name.startswith(("_forward_", "_backward_")) and "_hooks" in name:
            # The handle of a hook refers to the dictionary that holds it, which therefore moves.
            hooks.update(new.__dict__[name])
            new.__dict__[name] = hooks
    if old._is_full_backward_hook is not None:
        new._is_full_backward_hook = old._is_full_backward_hook
    return new


def _transformer_functions(
    network: nn.Module, classes: tuple[type[nn.Module], ...]
) -> list[tuple[Any, nn.Module]]:
    """Find transformer layers whose activation is a function, with the equivalent module."""
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
    calls = f"the network calls {', '.join(names)} as functions" if names else ""
    if not any_replaced:
        raise ValueError(
            "Expected `network` to have activation modules of a class in `replaced`, but got none"
            f"{': ' + calls if calls else ''}. Functional activations, such as `torch.relu(x)`, "
            "cannot be replaced: turn them into modules first."
        )
    if names:
        warnings.warn(
            f"Some activations are kept: {calls}, which cannot be replaced. Turn them into modules "
            "first.",
            stacklevel=3,
        )
