"""Attention that torch runs as one fused function, unless it has hooks or a mode is entered.

The fused function rounds differently. A training in which such a part is observed would therefore
end in slightly different weights than one in which it is not.
"""

from collections.abc import Iterator, Mapping

from torch import nn

_FUSED = (nn.TransformerEncoderLayer, nn.MultiheadAttention)
_NO_HOOKS = (nn.TransformerEncoderLayer, nn.ModuleList, nn.ModuleDict)


def inside_fused(root: nn.Module) -> frozenset[int]:
    """Identities of the modules that accept no hook: encoder layers at rest, and all within."""
    layers = (m for m in root.modules() if isinstance(m, nn.TransformerEncoderLayer))
    return frozenset(id(part) for layer in layers if at_rest(layer) for part in layer.modules())


def is_inside_encoder_layer(modules: Mapping[str, nn.Module], name: str) -> bool:
    """Whether the module of this name, among all by name, is part of an encoder layer, or one."""
    return any(isinstance(modules.get(n), nn.TransformerEncoderLayer) for n in _outwards(name))


def callers_of_fused(root: nn.Module) -> list[nn.Module]:
    """Modules at rest during whose forward pass no mode may be entered.

    These are attention layers, and the modules that call encoder layers. An encoder layer that
    something else calls, such as the training step itself, has no such module.
    """
    modules = dict(root.named_modules())
    fused = [n for n, module in modules.items() if isinstance(module, _FUSED) and at_rest(module)]
    callers = dict.fromkeys(_caller(name, modules) for name in fused)
    return [caller for caller in callers if caller is not None]


def at_rest(module: nn.Module) -> bool:
    """Whether a module is in evaluation mode and not trained."""
    if any(part.training for part in module.modules()):
        return False
    return not any(parameter.requires_grad for parameter in module.parameters())


def _caller(name: str, modules: dict[str, nn.Module]) -> nn.Module | None:
    """Return the fused module itself or the one that calls it, whichever accepts hooks."""
    own = isinstance(modules[name], nn.MultiheadAttention)
    if own and not is_inside_encoder_layer(modules, name):
        return modules[name]
    around = (modules[outer] for outer in _outwards(name.rpartition(".")[0]))
    caller = next((module for module in around if not isinstance(module, _NO_HOOKS)), None)
    return caller if caller is not None and at_rest(caller) else None


def _outwards(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]
