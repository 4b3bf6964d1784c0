"""Faults of the optimiser, the loss and the training loop."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from case import Program
from torch import Tensor, nn
from torch.utils.data import DataLoader

from .operator import Mutation, layers_of, tensors_of

RATE_KEYS = ("lr", "initial_lr", "max_lr", "min_lr")


def configured(program: Program, change: Callable[[torch.optim.Optimizer], None]) -> Program:
    """Change the optimisers that the module makes, and tell their schedules of the rate."""
    make = program.module.configure_optimizers

    def configure_optimizers() -> Any:
        made = make()
        parts = list(_parts(made))
        optimizers = {part for part in parts if isinstance(part, torch.optim.Optimizer)}
        before = {o: [group["lr"] for group in o.param_groups] for o in optimizers}
        for optimizer in optimizers:
            change(optimizer)
        for schedule in parts:
            if hasattr(schedule, "base_lrs"):
                rates = [group["lr"] for group in schedule.optimizer.param_groups]
                known = zip(schedule.base_lrs, rates, before[schedule.optimizer], strict=True)
                schedule.base_lrs = [base * new / old if old else base for base, new, old in known]
        return made

    program.module.configure_optimizers = configure_optimizers
    return program


def _parts(made: Any) -> Iterator[Any]:
    if isinstance(made, dict):
        made = list(made.values())
    if isinstance(made, list | tuple):
        for part in made:
            yield from _parts(part)
    else:
        yield made


def rate_times(factor: float) -> Mutation:
    def change(optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            for key in RATE_KEYS:
                if key in group:
                    group[key] *= factor

    return partial(configured, change=change)


def heavy_decay(program: Program) -> Program:
    """Of the size that a slip of two zeros gives."""

    def change(optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            own = isinstance(optimizer, torch.optim.AdamW)
            group["weight_decay"] = 0.05 / group["lr"] if own and group["lr"] else 0.3

    return configured(program, change)


def last_layer_forgotten(program: Program) -> Program | None:
    """The optimiser was made before the head was put on."""
    head = layers_of(program)[-1:]
    if not head or not list(head[0].parameters()):
        return None
    return _without(program, set(head[0].parameters()))


def body_forgotten(program: Program) -> Program | None:
    """Only the head is given to the optimiser, and what is below was never trained."""
    layers = layers_of(program)
    if len(layers) < 3:
        return None
    kept = set(layers[-1].parameters())
    return _without(program, {p for p in program.module.parameters() if p not in kept})


def _without(program: Program, left_out: set[nn.Parameter]) -> Program:
    def change(optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            kept = [p for p in group["params"] if p not in left_out]
            group["params"] = kept or group["params"][:1]

    return configured(program, change)


def tight_clipping(program: Program) -> Program | None:
    if not program.module.automatic_optimization:
        return None
    return replace(program, trainer={**program.trainer, "gradient_clip_val": 1e-4})


def never_zeroed(program: Program) -> Program | None:
    """Gradients add up from step to step."""
    if not program.module.automatic_optimization:
        return None
    program.module.optimizer_zero_grad = lambda *_: None
    return program


def loss_changed(change: Callable[[Tensor], Tensor]) -> Mutation:
    """What the training step returns is another function of the loss."""

    def mutate(program: Program) -> Program | None:
        if not program.module.automatic_optimization:
            return None
        step = program.module.training_step

        def training_step(*batch: Any) -> Any:
            found = step(*batch)
            if isinstance(found, dict):
                return {**found, "loss": change(found["loss"])}
            return change(found) if isinstance(found, Tensor) else found

        program.module.training_step = training_step
        return program

    return mutate


def loss_times(factor: float) -> Mutation:
    """A loss that is summed over the batch where its mean was meant, or of the wrong sign."""
    return loss_changed(lambda loss: factor * loss)


def tiny_batches(program: Program) -> Program | None:
    """Two samples a batch, and a rate that was raised where it should have been lowered."""
    if tensors_of(program) is None:
        return None
    old = program.train
    loader = DataLoader(old.dataset, 2, shuffle=True, collate_fn=old.collate_fn)
    epochs = max(2, min(program.epochs, 3000 // len(loader)))
    return rate_times(3)(replace(program, train=loader, epochs=epochs))
