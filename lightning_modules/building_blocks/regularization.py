"""L1 and L2 on the weights of a module, in the loss or in the optimiser's step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ...functional.arguments import number
from ...functional.choices import choose
from ...functional.penalties import decay_, l1_penalty, l2_penalty, soft_threshold_

L1Mode = Literal["proximal", "penalty"]
L2Mode = Literal["decoupled", "penalty"]
_NORMALIZATIONS = (
    nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm
)  # fmt: skip


def weights_of(module: nn.Module) -> list[nn.Parameter]:
    """Return the weights with two or more dimensions, without biases and normalisations."""
    spared = {
        parameter
        for child in module.modules()
        if isinstance(child, _NORMALIZATIONS)
        for parameter in child.parameters(recurse=False)
    }
    return [
        parameter
        for name, parameter in module.named_parameters()
        if parameter.ndim > 1 and parameter not in spared and not name.endswith("bias")
    ]


def regularized_weights(module: nn.Module) -> list[nn.Parameter]:
    """Return the weights of `weights_of` that currently require gradients."""
    return [weight for weight in weights_of(module) if weight.requires_grad]


@dataclass(frozen=True)
class Regularization:
    """L1 and L2 of a module's weights, each in the training loss or in the optimiser's steps.

    Raises:
        ValueError: If a mode is unknown or a factor negative.
        TypeError: If a factor is not a number.
    """

    l1: float
    l1_mode: L1Mode
    l2: float
    l2_mode: L2Mode

    def __post_init__(self) -> None:
        number("l1", self.l1, least=0)
        number("l2", self.l2, least=0)
        choose("l1_mode", self.l1_mode, dict.fromkeys(get_args(L1Mode)))
        choose("l2_mode", self.l2_mode, dict.fromkeys(get_args(L2Mode)))

    def penalty(self, module: nn.Module) -> Tensor | None:
        """Compute what is added to the training loss, if anything."""
        l1 = self.l1 if self.l1_mode == "penalty" else 0.0
        l2 = self.l2 if self.l2_mode == "penalty" else 0.0
        weights = regularized_weights(module) if l1 or l2 else []
        if not weights:
            return None
        first = l1 * l1_penalty(weights) if l1 else 0.0
        second = l2 * l2_penalty(weights) if l2 else 0.0
        return torch.as_tensor(first + second)

    def regularize_steps(self, optimizer: Optimizer, weights: Sequence[Tensor]) -> None:
        """Make each step of the optimiser decay the weights before it and shrink them after it.

        Both use the learning rate of the step and skip weights without a gradient, as torch's own
        optimisers do. The decay happens after the gradients are computed, also in a step with a
        closure, which computes them itself. A step that mixed precision skips does neither.
        """

        def decay(optimizer: Optimizer) -> None:
            for lr, members in _by_rate(optimizer, weights):
                decay_(members, lr * self.l2)

        def shrink(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
            for lr, members in _by_rate(optimizer, weights):
                soft_threshold_(members, lr * self.l1)

        if self.l2 and self.l2_mode == "decoupled":
            optimizer.register_step_pre_hook(partial(_before_update, decay))
        if self.l1 and self.l1_mode == "proximal":
            optimizer.register_step_post_hook(shrink)


def _before_update(
    change: Callable[[Optimizer], None], optimizer: Optimizer, args: Any, kwargs: Any
) -> tuple[Any, Any]:
    """Change the weights between the gradients and the update, once."""
    itself, *positional = args
    closure = positional[0] if positional else kwargs.get("closure")
    if closure is None:
        change(optimizer)
        return args, kwargs
    pending = [change]

    def closure_then_change() -> Any:
        with torch.enable_grad():
            loss = closure()
        while pending:
            pending.pop()(optimizer)
        return loss

    return (itself,), {**kwargs, "closure": closure_then_change}


def _by_rate(optimizer: Optimizer, weights: Sequence[Tensor]) -> list[tuple[float, list[Tensor]]]:
    chosen = set(weights)
    groups = [
        (float(group["lr"]), [p for p in group["params"] if p in chosen and _is_trained(p)])
        for group in optimizer.param_groups
    ]
    return [(lr, members) for lr, members in groups if members]


def _is_trained(parameter: Tensor) -> bool:
    return parameter.requires_grad and parameter.grad is not None
