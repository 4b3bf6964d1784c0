"""Changes that are no fault: the same training, put in another way.

What a doctor says of a healthy program must not hang on them (metamorphic testing).
"""

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from case import Program
from torch import nn
from torch.utils.data import DataLoader

from .operator import Mutation, Operator
from .optimizing import configured, loss_changed, loss_times

# They divide a gradient by its own size, so that a loss can be scaled.
ADAPTIVE = (
    torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.NAdam, torch.optim.RAdam,
)  # fmt: skip


def loss_scaled(factor: float) -> Mutation:
    """A loss in other units, for optimisers that do not mind."""
    mutate = loss_times(factor)

    def scaled(program: Program) -> Program | None:
        clips = "gradient_clip_val" in program.trainer
        return None if clips or not _adapts(program) else mutate(program)

    return scaled


def _adapts(program: Program) -> bool:
    module = copy.deepcopy(program.module)
    kinds: list[type] = []
    configured(replace(program, module=module), lambda made: kinds.append(type(made)))
    try:
        module.configure_optimizers()
    except (AttributeError, RuntimeError, TypeError):
        return False  # It asks its Trainer for something.
    return bool(kinds) and all(kind in ADAPTIVE for kind in kinds)


def loss_in_halves(program: Program) -> Program | None:
    return loss_changed(lambda loss: 0.5 * loss + loss / 2)(program)


def trained_with(**arguments: Any) -> Mutation:
    """Other arguments of the Trainer, where the program does not give them itself."""

    def mutate(program: Program) -> Program | None:
        manual = not program.module.automatic_optimization
        if manual or arguments.keys() & program.trainer.keys():
            return None
        return replace(program, trainer={**program.trainer, **arguments})

    return mutate


def half_batches_twice(program: Program) -> Program | None:
    """Batches of half the size, two for each step."""
    old = program.train
    plain = isinstance(old, DataLoader) and (old.batch_size or 1) > 7 and old.batch_size % 2 == 0
    norms = any("BatchNorm" in type(m).__name__ for m in program.module.modules())
    accumulated = trained_with(accumulate_grad_batches=2)(program)
    if not plain or norms or accumulated is None:
        return None
    shuffles = isinstance(old.sampler, torch.utils.data.RandomSampler)
    loader = DataLoader(
        old.dataset, old.batch_size // 2, shuffle=shuffles, collate_fn=old.collate_fn,
        drop_last=old.drop_last,
    )  # fmt: skip
    return replace(accumulated, train=loader)


def without_validation(program: Program) -> Program | None:
    return None if program.validation is None else replace(program, validation=None)


def idle_copy(program: Program) -> Program:
    """A frozen copy of the whole network is kept in the module, and not used."""
    program.module.kept_copy = nn.ModuleList(
        copy.deepcopy(child).requires_grad_(False) for child in program.module.children()
    )
    return program


def every_parameter_a_group(program: Program) -> Program:
    def change(optimizer: torch.optim.Optimizer) -> None:
        optimizer.param_groups[:] = [
            {**group, "params": [parameter]}
            for group in optimizer.param_groups
            for parameter in group["params"]
        ]

    return configured(program, change)


def averaged_aside(program: Program) -> Program:
    """Each step also moves an average of the weights, which nothing uses."""
    kept = [p.detach().clone() for p in program.module.parameters()]

    def change(optimizer: torch.optim.Optimizer) -> None:
        def average(*_: Any) -> None:
            with torch.no_grad():
                for mean, parameter in zip(kept, program.module.parameters(), strict=True):
                    mean.lerp_(parameter, 0.01)

        optimizer.register_step_post_hook(average)

    return configured(program, change)


def validated_in_other_units(change: Callable[[Any], Any]) -> Mutation:
    """Validation logs another measure of the same than training minimises."""

    def mutate(program: Program) -> Program | None:
        if program.validation is None:
            return None
        log = program.module.log

        def changed(name: str, value: Any, *rest: Any, **more: Any) -> None:
            is_loss = "val" in name and "loss" in name
            log(name, change(value) if is_loss else value, *rest, **more)

        program.module.log = changed
        return program

    return mutate


OPERATORS = (
    Operator("loss x 100", loss_scaled(100), ()),
    Operator("loss / 100", loss_scaled(0.01), ()),
    Operator("loss + 10", loss_changed(lambda loss: loss + 10), ()),
    Operator("loss - 10", loss_changed(lambda loss: loss - 10), ()),
    Operator("loss in halves", loss_in_halves, ()),
    Operator("half batches, twice", half_batches_twice, ()),
    Operator("in bfloat16", trained_with(precision="bf16-mixed"), ()),
    Operator("clipped far above", trained_with(gradient_clip_val=1e4), ()),
    Operator("without validation", without_validation, ()),
    Operator("validated every ten batches", trained_with(val_check_interval=10), ()),
    Operator("validated every third epoch", trained_with(check_val_every_n_epoch=3), ()),
    Operator("validation loss x 100", validated_in_other_units(lambda loss: 100 * loss), ()),
    Operator("validation loss as a root", validated_in_other_units(lambda x: abs(x) ** 0.5), ()),
    Operator("validation loss as perplexity", validated_in_other_units(lambda x: math.e**x), ()),
    Operator("validation loss + 5", validated_in_other_units(lambda loss: loss + 5), ()),
    Operator("an idle copy", idle_copy, ()),
    Operator("a group for each parameter", every_parameter_a_group, ()),
    Operator("averaged aside", averaged_aside, ()),
)
