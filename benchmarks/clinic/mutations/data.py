"""Faults of the inputs, the labels and the loader."""

from dataclasses import replace

import torch
from case import Program
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset, TensorDataset

from .operator import Mutation, first_layer, loaded, tensors_of


def unscaled_inputs(program: Program) -> Program | None:
    """The first layer gets columns in units of their own, or pixels up to 255."""
    first = first_layer(program)
    if first is None:
        return None
    generator = torch.Generator().manual_seed(0)
    units: dict[int, Tensor] = {}

    def change(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        x = inputs[0]
        if not x.is_floating_point():
            return None
        if isinstance(layer, nn.Conv1d | nn.Conv2d):
            return (x * 255, *inputs[1:])
        if not units:
            units[0] = 10 ** (4 * torch.rand(x.shape[-1], generator=generator) - 1)
        return ((x + 1) * units[0].to(x), *inputs[1:])

    first.register_forward_pre_hook(change)
    return program


def raw_in_validation(program: Program) -> Program | None:
    """Only the training data are standardised."""
    layer = first_layer(program)
    if layer is None:
        return None

    def change(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        return None if layer.training else (4 * inputs[0] + 3, *inputs[1:])

    layer.register_forward_pre_hook(change)
    return program


def drowned_in_noise(program: Program) -> Program | None:
    """An augmentation that leaves nothing of the inputs."""
    layer = first_layer(program)
    if layer is None:
        return None

    def change(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        x = inputs[0]
        return (x + 4 * x.std() * torch.randn_like(x), *inputs[1:]) if layer.training else None

    layer.register_forward_pre_hook(change)
    return program


def scaled_every_epoch(program: Program) -> Program | None:
    """The training data are multiplied in place, so that they grow from epoch to epoch."""
    layer, module = first_layer(program), program.module
    if layer is None:
        return None

    def change(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        return (inputs[0] * (1 + module.current_epoch), *inputs[1:]) if layer.training else None

    layer.register_forward_pre_hook(change)
    return program


def blank_inputs(program: Program) -> Program | None:
    """Files that could not be read came as zeros."""
    tensors = tensors_of(program)
    if tensors is None or not tensors[0].is_floating_point():
        return None
    return loaded(program, TensorDataset(torch.zeros_like(tensors[0]), tensors[1]))


def shuffled_labels(share: float) -> Mutation:
    """Inputs and labels were put in different orders."""

    def mutate(program: Program) -> Program | None:
        tensors = tensors_of(program)
        if tensors is None:
            return None
        x, y = tensors
        order = torch.arange(len(y))
        chosen = torch.randperm(len(y))[: int(share * len(y))]
        order[chosen] = chosen[torch.randperm(len(chosen))]
        return loaded(program, TensorDataset(x, y[order]))

    return mutate


def few_samples(program: Program) -> Program | None:
    """A slice that was meant for trying the program out, for as many steps."""
    tensors = tensors_of(program)
    if tensors is None or len(tensors[0]) < 300:
        return None
    count = 40
    batch = program.train.batch_size
    steps = program.epochs * -(-len(tensors[0]) // batch)
    dataset = Subset(program.train.dataset, torch.randperm(len(tensors[0]))[:count].tolist())
    return loaded(program, dataset, min(steps // -(-count // batch), 400))


def rare_classes(program: Program) -> Program | None:
    """Nearly all of the training data is of one class."""
    tensors = tensors_of(program)
    if tensors is None:
        return None
    y = tensors[1]
    if y.ndim != 1 or y.is_floating_point() or len(y.unique()) > 20:
        return None
    common, rest = (y == y[0]).nonzero().flatten(), (y != y[0]).nonzero().flatten()
    kept = torch.cat([common, rest[torch.randperm(len(rest))[: max(6, len(common) // 50)]]])
    epochs = min(program.epochs * len(y) // len(kept), 6 * program.epochs)
    return loaded(program, Subset(program.train.dataset, kept.tolist()), epochs)


def sorted_by_label(program: Program) -> Program | None:
    """The file is sorted, and the loader does not shuffle."""
    tensors = tensors_of(program)
    if tensors is None or tensors[1].ndim != 1:
        return None
    order = tensors[1].argsort()
    dataset = TensorDataset(*(tensor[order] for tensor in tensors))
    return replace(program, train=DataLoader(dataset, program.train.batch_size))


def missing_value(program: Program) -> Program | None:
    """One sample in a hundred has a hole."""
    tensors = tensors_of(program)
    if tensors is None or not tensors[0].is_floating_point():
        return None
    x = tensors[0].clone()
    x.view(len(x), -1)[torch.randperm(len(x))[: 1 + len(x) // 100], 0] = float("nan")
    return loaded(program, TensorDataset(x, tensors[1]))
