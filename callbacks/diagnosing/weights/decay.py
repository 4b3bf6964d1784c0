"""How hard weight decay pulls at the weights, beside the gradient of the data."""

import math

import torch
from torch import Tensor
from torch.optim import (
    ASGD,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
)

from .anatomy import is_whole

_COUPLED = (ASGD, SGD, Adadelta, Adagrad, Adam, Adamax, NAdam, RAdam, RMSprop)


def decay_pull(optimizer: Optimizer, scale: float, longest: float = math.nan) -> Tensor | None:
    """Length of what a decay adds to the gradient over that of the gradient itself.

    A gradient that is clipped is so before the decay is added.

    AdamW, Muon and others that decay the weights by themselves add nothing to it: their decay means
    the same at any size of gradient.

    Args:
        optimizer: About to make a step.
        scale: What mixed precision has multiplied the gradients by.
        longest: Norm that the Trainer clips all gradients together to; NaN where it does not.

    Returns:
        A scalar on the weights' device; None without such a decay, and where ranks share weights.
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
