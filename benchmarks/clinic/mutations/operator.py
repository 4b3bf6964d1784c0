"""A mutation, and the parts of a program that mutations change."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from case import Program
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Mutation = Callable[[Program], Program | None]
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.RNN, nn.LSTM, nn.GRU, nn.Embedding)


@dataclass(frozen=True)
class Operator:
    """A mutation, and the diagnoses that are right where it does harm, the plainest in front.

    ``mutate`` changes a program that was just built, and returns None where it cannot.
    """

    name: str
    mutate: Mutation
    accepted: tuple[str, ...]


def layers_of(program: Program) -> list[nn.Module]:
    return [m for m in program.module.modules() if isinstance(m, LAYERS)]


def dense_layers(program: Program) -> list[Any]:
    return [m for m in program.module.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)]


def first_layer(program: Program) -> nn.Module | None:
    """The layer that gets the inputs, unless they are words."""
    layers = layers_of(program)
    return None if not layers or isinstance(layers[0], nn.Embedding) else layers[0]


def swapped(program: Program, old: type, new: Callable[[Any], nn.Module]) -> Program | None:
    found = False
    for parent in list(program.module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is old:
                setattr(parent, name, new(child))
                found = True
    return program if found else None


def tensors_of(program: Program) -> tuple[Tensor, ...] | None:
    """What the training's loader reads: inputs and labels."""
    loader = program.train
    if not isinstance(loader, DataLoader) or not isinstance(loader.dataset, TensorDataset):
        return None
    tensors = loader.dataset.tensors
    return tensors if len(tensors) == 2 else None


def loaded(program: Program, dataset: Any, epochs: int | None = None) -> Program:
    old = program.train
    shuffles = not isinstance(old.sampler, torch.utils.data.SequentialSampler)
    loader = DataLoader(
        dataset, old.batch_size, shuffle=shuffles, collate_fn=old.collate_fn,
        drop_last=old.drop_last and len(dataset) > (old.batch_size or 1),
    )  # fmt: skip
    return replace(program, train=loader, epochs=epochs or program.epochs)
