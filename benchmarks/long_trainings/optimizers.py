"""Optimisers and schedules that wait for their parameters."""

import math
from collections.abc import Callable
from typing import Any

import torch


def cosine(steps: int, warmup: int = 0) -> Callable[[torch.optim.Optimizer], Any]:
    def share(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - warmup) / (steps - warmup)))

    return lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, share)


def restarts(every: int) -> Callable[[torch.optim.Optimizer], Any]:
    return lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, every, 2)


def cycles(low: float, high: float, half: int) -> Callable[[torch.optim.Optimizer], Any]:
    return lambda o: torch.optim.lr_scheduler.CyclicLR(o, low, high, half, cycle_momentum=False)


def halvings(every: int) -> Callable[[torch.optim.Optimizer], Any]:
    return lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, every, 0.5)


def one_cycle(rate: float, steps: int) -> Callable[[torch.optim.Optimizer], Any]:
    return lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)


def adam(rate: float = 1e-3, **options: Any) -> Callable[[Any], torch.optim.Optimizer]:
    return lambda parameters: torch.optim.Adam(parameters, rate, **options)


def adamw(rate: float, decay: float) -> Callable[[Any], torch.optim.Optimizer]:
    return lambda parameters: torch.optim.AdamW(parameters, rate, weight_decay=decay)


def sgd(rate: float, momentum: float = 0.9, decay: float = 0.0) -> Callable[[Any], Any]:
    return lambda p: torch.optim.SGD(p, rate, momentum, weight_decay=decay)
