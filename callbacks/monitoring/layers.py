"""Which layer each parameter belongs to, and which strategies flatten parameters."""

from collections.abc import Collection

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn

from .activations.activation_kinds import plain_name


def layer_names(module: nn.Module) -> dict[str, str]:
    """Layer name of each parameter, by the parameter's name.

    The layer is the module that owns the parameter, directly or through a parametrisation, under
    its name without the parts that wrappers insert. A custom module with several matrices has one
    layer per matrix, named after it; the vectors registered after a matrix belong to its layer. The
    module's own parameters belong to ``"root"``, or ``"root (itself)"`` beside a submodule of that
    name.
    """
    split = {name: _by_matrix(part) for name, part in module.named_modules() if _is_own(part)}
    layers = {}
    for name, _ in module.named_parameters():
        owner, _, own = name.rpartition(".")
        matrix = split.get(owner, {}).get(own)
        layers[name] = ".".join(filter(None, (plain_layer(owner), matrix)))
    root = free_name("root", "itself", layers.values())
    return {name: layer or root for name, layer in layers.items()}


def free_name(name: str, addition: str, taken: Collection[str]) -> str:
    """The name, with an addition in brackets if it is taken."""
    return f"{name} ({addition})" if name in taken else name


def plain_layer(name: str) -> str:
    """A layer's name without the parts that wrappers and parametrisations insert."""
    before, parametrized, _ = f".{name}".partition(".parametrizations.")
    return plain_name(before[1:] if parametrized else name)


def _is_own(module: nn.Module) -> bool:
    lists = (nn.ParameterList, nn.ParameterDict)
    return isinstance(module, lists) or not type(module).__module__.startswith("torch.nn.")


def _by_matrix(module: nn.Module) -> dict[str, str]:
    """Matrix that each own parameter of a module goes with; empty for fewer than two matrices."""
    own = list(module.named_parameters(recurse=False))
    matrices = [name for name, parameter in own if _is_matrix(parameter)]
    if len(matrices) < 2:
        return {}
    found, matrix = {}, matrices[0]
    for name, parameter in own:
        found[name] = matrix = name if _is_matrix(parameter) else matrix
    return found


def layers_by_parameter(module: nn.Module) -> dict[Tensor, str]:
    """Layer name of each parameter; a shared parameter belongs to its first layer."""
    names = layer_names(module)
    return {parameter: names[name] for name, parameter in module.named_parameters()}


def weight_layers(module: nn.Module) -> list[str]:
    """Layers that have a matrix or a convolution kernel, in the order of registration."""
    names, named = layer_names(module), module.named_parameters()
    return list(dict.fromkeys(names[name] for name, p in named if _is_matrix(p)))


def _is_matrix(parameter: Tensor) -> bool:
    return isinstance(parameter, nn.UninitializedParameter) or parameter.ndim > 1


def refuse_flattening(monitor: str, trainer: Trainer, pl_module: LightningModule) -> None:
    """Refuse strategies that flatten the parameters of several layers into one.

    Raises:
        TypeError: If the Trainer's strategy is FSDP1 or DeepSpeed.
    """
    if flattens_parameters(trainer):
        raise TypeError(
            f"Expected {monitor} to find each layer's own parameters and gradients, but "
            f"{type(trainer.strategy).__name__} flattens them: use ModelParallelStrategy (FSDP2) "
            "or DDP."
        )


def flattens_parameters(trainer: Trainer) -> bool:
    """Whether the strategy flattens several layers' parameters into one (FSDP1, DeepSpeed)."""
    # By name: the same class may come from lightning or from pytorch_lightning.
    names = {base.__name__ for base in type(trainer.strategy).__mro__}
    return not names.isdisjoint({"FSDPStrategy", "DeepSpeedStrategy"})
