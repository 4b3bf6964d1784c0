"""The gradients that an optimiser is about to use."""

from collections.abc import Collection, Mapping

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.optim import Optimizer

from ..layers import free_name


def gradients_by_layer(
    optimizer: Optimizer, layer_of: Mapping[Tensor, str]
) -> dict[str, list[Tensor]]:
    """Gradients of this optimiser's own parameters, never stale ones of another optimiser.

    Args:
        optimizer: The optimiser.
        layer_of: Layer of each parameter of the module, in order; a parameter that is not the
            module's belongs to ``"other"``, or ``"other (outside)"`` beside a layer of that name.

    Returns:
        Gradients by layer, in the order of ``layer_of``; empty gradients are left out.
    """
    gradients: dict[str, list[Tensor]] = {}
    other = free_name("other", "outside", layer_of.values())
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None and parameter.grad.numel():
                layer = layer_of.get(parameter, other)
                gradients.setdefault(layer, []).append(parameter.grad)
    order = {layer: i for i, layer in enumerate(dict.fromkeys(layer_of.values()))}
    return dict(sorted(gradients.items(), key=lambda item: order.get(item[0], len(order))))


def has_gradients(optimizer: Optimizer) -> bool:
    """Whether any parameter of an optimiser has a gradient."""
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    return any(parameter.grad is not None for parameter in parameters)


def parameters_beside(optimizer: Optimizer, known: Collection[Tensor]) -> set[Tensor]:
    """Parameters of an optimiser that are not known, such as those of a layer added later."""
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    return {parameter for parameter in parameters if parameter not in known}


def optimizer_position(trainer: Trainer, optimizer: Optimizer) -> int:
    """Position of an optimiser among the Trainer's."""
    position: int = trainer.optimizers.index(optimizer)
    return position


def scales_loss(trainer: Trainer) -> bool:
    """Whether steps whose scaled gradients overflow are skipped (16-bit mixed precision)."""
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    return scaler is not None and scaler.is_enabled()


def loss_scale(trainer: Trainer, optimizer: Optimizer) -> float:
    """Loss scale still in the gradients: a fused optimiser unscales inside its own step."""
    if not scales_loss(trainer) or not getattr(optimizer, "_step_supports_amp_scaling", False):
        return 1.0
    return float(trainer.precision_plugin.scaler.get_scale())  # type: ignore[attr-defined]


def scale_of(trainer: Trainer, loss: Tensor) -> Tensor | float:
    """Factor by which a loss was scaled before its backward pass, on the loss's device."""
    if not scales_loss(trainer):
        return 1.0
    one = torch.ones((), device=loss.device)
    scale: Tensor = trainer.precision_plugin.scaler.scale(one)  # type: ignore[attr-defined]
    return scale
