"""Faults of the weights, the activations and the other layers."""

from typing import Any

import torch
from case import Program
from torch import Tensor, nn

from .operator import Mutation, dense_layers, layers_of, swapped

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def weights_times(factor: float) -> Mutation:
    @torch.no_grad()
    def mutate(program: Program) -> Program | None:
        layers = dense_layers(program)
        for layer in layers:
            layer.weight.mul_(factor)
        return program if len(layers) > 1 else None

    return mutate


@torch.no_grad()
def equal_weights(program: Program) -> Program | None:
    layers = dense_layers(program)
    for layer in layers:
        layer.weight.fill_(0.05)
        if layer.bias is not None:
            layer.bias.zero_()
    return program if len(layers) > 1 else None


@torch.no_grad()
def low_biases(program: Program) -> Program | None:
    """In front of ReLUs."""
    if not any(isinstance(m, nn.ReLU) for m in program.module.modules()):
        return None
    for layer in dense_layers(program)[:-1]:
        if layer.bias is not None:
            layer.bias.fill_(-10.0)
    return program


def without_activations(program: Program) -> Program | None:
    return swapped(program, nn.ReLU, lambda _: nn.Identity())


def sigmoids(program: Program) -> Program | None:
    return swapped(program, nn.ReLU, lambda _: nn.Sigmoid())


class SteepTanh(nn.Module):
    """Of the slope 20."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(20 * x)


def steep_tanh(program: Program) -> Program | None:
    return swapped(program, nn.ReLU, lambda _: SteepTanh())


def strong_dropout(program: Program) -> Program | None:
    return swapped(program, nn.ReLU, lambda _: nn.Sequential(nn.ReLU(), nn.Dropout(0.95)))


def slow_averages(program: Program) -> Program | None:
    """BatchNorm's momentum as Keras counts it, whose 0.999 is 0.001 here."""
    norms = [m for m in program.module.modules() if isinstance(m, NORMS)]
    for norm in norms:
        norm.momentum = 0.001
    return program if norms else None


def cut_in_the_middle(program: Program) -> Program | None:
    """A layer's output is detached, so that nothing in front of it learns."""
    layers = layers_of(program)
    if len(layers) < 3:
        return None

    def detach(_: nn.Module, __: Any, output: Any) -> Any:
        if isinstance(output, Tensor):
            return output.detach()
        return (output[0].detach(), *output[1:])

    layers[len(layers) // 2].register_forward_hook(detach)
    return program


def sigmoid_tower(program: Program) -> Program | None:
    """Six more layers with sigmoids in front of the last one."""
    network = _sequence(program)
    if network is None:
        return None
    width = network[-1].in_features
    for _ in range(6):
        network.insert(len(network) - 1, nn.Linear(width, width))
        network.insert(len(network) - 1, nn.Sigmoid())
    return program


def _sequence(program: Program) -> Any:
    """The network of a module whose last layer gives what the loss is given."""
    for name in ("network", "net"):
        network = getattr(program.module, name, None)
        if isinstance(network, nn.Sequential) and isinstance(network[-1], nn.Linear):
            return network
    return None


def _with_output(program: Program, activation: nn.Module) -> Program | None:
    network = _sequence(program)
    if network is None:
        return None
    network.append(activation)
    return program


def squashed(program: Program) -> Program | None:
    """A softmax, or a sigmoid for one output, in front of a loss that is of logits."""
    layers = dense_layers(program)
    if not layers or getattr(layers[-1], "out_features", 0) < 1:
        return None
    several = layers[-1].out_features > 1
    return _with_output(program, nn.Softmax(-1) if several else nn.Sigmoid())


def rectified(program: Program) -> Program | None:
    return _with_output(program, nn.ReLU())
