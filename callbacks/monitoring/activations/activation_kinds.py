"""Which functions and modules are activations, and under which name."""

from collections.abc import Collection
from typing import Any

from torch import nn

ACTIVATION_MODULES: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "rrelu": nn.RReLU,
    "elu": nn.ELU,
    "celu": nn.CELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "sigmoid": nn.Sigmoid,
    "logsigmoid": nn.LogSigmoid,
    "tanh": nn.Tanh,
    "hardsigmoid": nn.Hardsigmoid,
    "hardtanh": nn.Hardtanh,
    "hardswish": nn.Hardswish,
    "hardshrink": nn.Hardshrink,
    "softshrink": nn.Softshrink,
    "tanhshrink": nn.Tanhshrink,
}
"""Module of every kind that can be observed, by torch's functional name."""

# Functions are recognised by name: it is the same in torch, torch.nn.functional and Tensor, and
# Dynamo can look it up.
_KIND_OF_FUNCTION = {
    **{kind: kind for kind in ACTIVATION_MODULES},
    **{f"{kind}_": kind for kind in ACTIVATION_MODULES},
    "log_sigmoid": "logsigmoid",
    "special_expit": "sigmoid",
}
_MODULES = tuple(ACTIVATION_MODULES.values())
# Modules of other libraries that compute an activation from tanh or sigmoid, by the name of their
# class without "activation".
_FORMULAS = {
    "gelu": "gelu", "newgelu": "gelu", "fastgelu": "gelu", "quickgelu": "gelu", "gelutanh": "gelu",
    "accurategelu": "gelu", "pytorchgelutanh": "gelu", "silu": "silu", "swish": "silu",
    "memoryefficientswish": "silu", "swishme": "silu", "mish": "mish", "mishme": "mish",
}  # fmt: skip
# Name parts that wrappers insert into the names of the modules they wrap.
_WRAPPERS = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}


def functions_of(kinds: Collection[str]) -> list[str]:
    """Names of the functions whose calls may be of one of these kinds."""
    called = {*kinds, "hardtanh"} if "relu6" in kinds else kinds
    return [name for name, kind in _KIND_OF_FUNCTION.items() if kind in called]


def kind_of_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Kind of a function's call: hardtanh from 0 to 6 is ReLU6."""
    kind = _KIND_OF_FUNCTION[name]
    if kind != "hardtanh":
        return kind
    low = args[1] if len(args) > 1 else kwargs.get("min_val")
    high = args[2] if len(args) > 2 else kwargs.get("max_val")
    return "relu6" if low == 0 and high == 6 else kind


def kind_of_module(module: nn.Module) -> str | None:
    """Kind of an activation module; None for any other."""
    if isinstance(module, nn.Hardtanh) and module.min_val == 0 and module.max_val == 6:
        return "relu6"
    if not isinstance(module, _MODULES):
        name = type(module).__name__.lower().replace("activation", "").replace("_", "")
        has_weights = name in _FORMULAS and next(module.parameters(), None) is not None
        return None if has_weights else _FORMULAS.get(name)
    return next((kind for kind, of in ACTIVATION_MODULES.items() if isinstance(module, of)), None)


def names_by_module(root: nn.Module) -> dict[int, list[str]]:
    """Names (as in a site) under which each module's parents hold it, by the module's id.

    A parent that is held in several places counts under its first name only, so that neither
    cycles nor deeply nested shared modules make the result large.
    """
    names: dict[int, list[str]] = {}
    for parent, module in root.named_modules():
        for name, child in module.named_children():
            path = plain_name(f"{parent}.{name}" if parent else name)
            names.setdefault(id(child), []).append(path)
    return names


def plain_name(name: str) -> str:
    """A module's name without the parts that wrappers insert."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def is_silent(module: nn.Module) -> bool:
    """Whether a module calls no activation itself: a torch layer, a compiled module's wrapper."""
    if not module._modules:
        return type(module).__module__.startswith("torch.nn.modules.")
    return [name for name, _ in module.named_children()] == ["_orig_mod"]
