"""How strongly weight decay pulls at the weights, relative to the gradient of the loss."""

import math

import torch
from torch import Tensor, optim
from torch.optim import Optimizer

from .anatomy import is_whole

_COUPLED = (
    optim.ASGD, optim.SGD, optim.Adadelta, optim.Adagrad, optim.Adam, optim.Adamax, optim.NAdam,
    optim.RAdam, optim.RMSprop,
)  # fmt: skip


def decay_pull(optimizer: Optimizer, scale: float, longest: float = math.nan) -> Tensor | None:
    """Return the norm of what weight decay adds to the gradient over that of the gradient itself.

    Gradients are clipped before the decay is added.

    AdamW, Muon and other optimisers with decoupled weight decay add nothing to the gradient: the
    effect of their decay does not depend on its size.

    Args:
        optimizer: An optimiser that is about to make a step.
        scale: Factor by which mixed precision has scaled the gradients.
        longest: Norm to which the Trainer clips all gradients together; NaN if it does not.

    Returns:
        A scalar on the weights' device; None without coupled decay, or if the weights are sharded
        or on several devices.
    """
    if type(optimizer) not in _COUPLED:
        return None
    pulls, pushes = [], []
    for group in optimizer.param_groups:
        decay = float(group.get("weight_decay", 0.0))
        if decay == 0.0 or group.get("decoupled_weight_decay"):
            continue
        moving = [p for p in group["params"] if is_whole(p.grad) and is_whole(p.data)]
        pulls += [decay * norm for norm in _norms([p.detach() for p in moving])]
        pushes += _norms([p.grad for p in moving if p.grad is not None])
    grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
    all_pushes = pushes if math.isnan(longest) else _norms([g for g in grads if is_whole(g)])
    if not pulls or len({norm.device for norm in (*pulls, *pushes, *all_pushes)}) > 1:
        return None
    pull = _length(pulls) / _length(pushes) * scale
    if math.isnan(longest):
        return pull
    return pull * (_length(all_pushes) / scale / longest).clamp(min=1)


def _length(norms: list[Tensor]) -> Tensor:
    return torch.stack([n.float() for n in norms]).square().sum().sqrt()


def _norms(tensors: list[Tensor]) -> list[Tensor]:
    return list(torch._foreach_norm(tensors)) if tensors else []
