"""Faults that are put into programs which are well, as mutation testing does.

After the operators of DeepCrime (Humbatova, Jahangirova and Tonella, ISSTA 2021): each changes one
thing of a program. Whether that is a fault of this program is found out by training it: only
where the goal is missed is it one.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from case import Program
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset, TensorDataset

Mutation = Callable[[Program], Program | None]
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.RNN, nn.LSTM, nn.GRU, nn.Embedding)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
RATE_KEYS = ("lr", "initial_lr", "max_lr", "min_lr")


@dataclass(frozen=True)
class Operator:
    """A mutation, and the diagnoses that are right where it does harm, the plainest in front.

    ``mutate`` changes a program that was just built, and returns None where it cannot.
    """

    name: str
    mutate: Mutation
    accepted: tuple[str, ...]


def _configured(program: Program, change: Callable[[torch.optim.Optimizer], None]) -> Program:
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

    return partial(_configured, change=change)


def heavy_decay(program: Program) -> Program:
    """Of the size that a slip of two zeros gives."""

    def change(optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            own = isinstance(optimizer, torch.optim.AdamW)
            group["weight_decay"] = 0.05 / group["lr"] if own and group["lr"] else 0.3

    return _configured(program, change)


def last_layer_forgotten(program: Program) -> Program | None:
    """The optimiser was made before the head was put on."""
    head = _layers(program)[-1:]
    if not head or not list(head[0].parameters()):
        return None
    return _without(program, set(head[0].parameters()))


def body_forgotten(program: Program) -> Program | None:
    """Only the head is given to the optimiser, and what is below was never trained."""
    layers = _layers(program)
    if len(layers) < 3:
        return None
    kept = set(layers[-1].parameters())
    return _without(program, {p for p in program.module.parameters() if p not in kept})


def _without(program: Program, left_out: set[nn.Parameter]) -> Program:
    def change(optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            kept = [p for p in group["params"] if p not in left_out]
            group["params"] = kept or group["params"][:1]

    return _configured(program, change)


def _layers(program: Program) -> list[nn.Module]:
    return [m for m in program.module.modules() if isinstance(m, LAYERS)]


def _dense(program: Program) -> list[Any]:
    return [m for m in program.module.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)]


def weights_times(factor: float) -> Mutation:
    @torch.no_grad()
    def mutate(program: Program) -> Program | None:
        layers = _dense(program)
        for layer in layers:
            layer.weight.mul_(factor)
        return program if len(layers) > 1 else None

    return mutate


@torch.no_grad()
def equal_weights(program: Program) -> Program | None:
    layers = _dense(program)
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
    for layer in _dense(program)[:-1]:
        if layer.bias is not None:
            layer.bias.fill_(-10.0)
    return program


def _swapped(program: Program, old: type, new: Callable[[Any], nn.Module]) -> Program | None:
    found = False
    for parent in list(program.module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is old:
                setattr(parent, name, new(child))
                found = True
    return program if found else None


def without_activations(program: Program) -> Program | None:
    return _swapped(program, nn.ReLU, lambda _: nn.Identity())


def sigmoids(program: Program) -> Program | None:
    return _swapped(program, nn.ReLU, lambda _: nn.Sigmoid())


def strong_dropout(program: Program) -> Program | None:
    return _swapped(program, nn.ReLU, lambda _: nn.Sequential(nn.ReLU(), nn.Dropout(0.95)))


def slow_averages(program: Program) -> Program | None:
    """BatchNorm's momentum as Keras counts it, whose 0.999 is 0.001 here."""
    norms = [m for m in program.module.modules() if isinstance(m, NORMS)]
    for norm in norms:
        norm.momentum = 0.001
    return program if norms else None


def _with_output(program: Program, activation: nn.Module) -> Program | None:
    """Put an activation behind the network of a module that minimises what needs none."""
    for name in ("network", "net"):
        network = getattr(program.module, name, None)
        if isinstance(network, nn.Sequential) and isinstance(network[-1], nn.Linear):
            network.append(activation)
            return program
    return None


def squashed(program: Program) -> Program | None:
    """A softmax, or a sigmoid for one output, in front of a loss that is of logits."""
    layers = _dense(program)
    if not layers or getattr(layers[-1], "out_features", 0) < 1:
        return None
    several = layers[-1].out_features > 1
    return _with_output(program, nn.Softmax(-1) if several else nn.Sigmoid())


def rectified(program: Program) -> Program | None:
    return _with_output(program, nn.ReLU())


def unscaled_inputs(program: Program) -> Program | None:
    """The first layer gets columns in units of their own, or pixels up to 255."""
    layers = _layers(program)
    if not layers or isinstance(layers[0], nn.Embedding):
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

    layers[0].register_forward_pre_hook(change)
    return program


def _tensors(program: Program) -> tuple[Tensor, ...] | None:
    """What the training's loader reads: inputs and labels."""
    loader = program.train
    if not isinstance(loader, DataLoader) or not isinstance(loader.dataset, TensorDataset):
        return None
    tensors = loader.dataset.tensors
    return tensors if len(tensors) == 2 else None


def _loaded(program: Program, dataset: Any, epochs: int | None = None) -> Program:
    old = program.train
    shuffles = not isinstance(old.sampler, torch.utils.data.SequentialSampler)
    loader = DataLoader(
        dataset, old.batch_size, shuffle=shuffles, collate_fn=old.collate_fn,
        drop_last=old.drop_last and len(dataset) > (old.batch_size or 1),
    )  # fmt: skip
    return replace(program, train=loader, epochs=epochs or program.epochs)


def shuffled_labels(share: float) -> Mutation:
    """Inputs and labels were put in different orders."""

    def mutate(program: Program) -> Program | None:
        tensors = _tensors(program)
        if tensors is None:
            return None
        x, y = tensors
        order = torch.arange(len(y))
        chosen = torch.randperm(len(y))[: int(share * len(y))]
        order[chosen] = chosen[torch.randperm(len(chosen))]
        return _loaded(program, TensorDataset(x, y[order]))

    return mutate


def few_samples(program: Program) -> Program | None:
    """A slice that was meant for trying the program out, for as many steps."""
    tensors = _tensors(program)
    if tensors is None or len(tensors[0]) < 300:
        return None
    count = 40
    batch = program.train.batch_size
    steps = program.epochs * -(-len(tensors[0]) // batch)
    dataset = Subset(program.train.dataset, torch.randperm(len(tensors[0]))[:count].tolist())
    return _loaded(program, dataset, min(steps // -(-count // batch), 400))


def rare_classes(program: Program) -> Program | None:
    """Nearly all of the training data is of one class."""
    tensors = _tensors(program)
    if tensors is None:
        return None
    y = tensors[1]
    if y.ndim != 1 or y.is_floating_point() or len(y.unique()) > 20:
        return None
    common, rest = (y == y[0]).nonzero().flatten(), (y != y[0]).nonzero().flatten()
    kept = torch.cat([common, rest[torch.randperm(len(rest))[: max(6, len(common) // 50)]]])
    epochs = min(program.epochs * len(y) // len(kept), 6 * program.epochs)
    return _loaded(program, Subset(program.train.dataset, kept.tolist()), epochs)


def missing_value(program: Program) -> Program | None:
    """One sample in a hundred has a hole."""
    tensors = _tensors(program)
    if tensors is None or not tensors[0].is_floating_point():
        return None
    x = tensors[0].clone()
    x.view(len(x), -1)[torch.randperm(len(x))[: 1 + len(x) // 100], 0] = float("nan")
    return _loaded(program, TensorDataset(x, tensors[1]))


def tight_clipping(program: Program) -> Program | None:
    if not program.module.automatic_optimization:
        return None
    return replace(program, trainer={**program.trainer, "gradient_clip_val": 1e-4})


FAST = ("learning_rate_too_high", "non_finite", "unstable_loss", "exploding_gradient", "dead_relu")
SLOW = ("learning_rate_too_low", "not_learning", "vanishing_gradient")
START = ("poor_initialization", "exploding_gradient", "saturated_activation", "unstable_loss")
LABELS = ("inconsistent_labels", "not_learning", "overfitting")
OPERATORS = (
    Operator("rate x 10", rate_times(10), (*FAST, "saturated_activation")),
    Operator("rate x 100", rate_times(100), (*FAST, "saturated_activation")),
    Operator("rate x 1000", rate_times(1000), (*FAST, "saturated_activation")),
    Operator("rate / 100", rate_times(1e-2), SLOW[:2]),
    Operator("rate / 1000", rate_times(1e-3), SLOW[:2]),
    Operator("rate / 100000", rate_times(1e-5), (*SLOW[:2], "frozen_parameter")),
    Operator("heavy weight decay", heavy_decay, ("over_regularized",)),
    Operator("head not in the optimiser", last_layer_forgotten, ("frozen_parameter",)),
    Operator("body not in the optimiser", body_forgotten, ("frozen_parameter",)),
    Operator("weights x 10", weights_times(10), START),
    Operator("weights x 0.05", weights_times(0.05), ("poor_initialization", *SLOW)),
    Operator("weights all equal", equal_weights, ("symmetric_weights",)),
    Operator("biases of -10", low_biases, ("dead_relu", "poor_initialization")),
    Operator("no activations", without_activations, ("linear_network",)),
    Operator("sigmoids for ReLUs", sigmoids, (*SLOW, "saturated_activation", "dormant_units")),
    Operator("dropout of 0.95", strong_dropout, ("over_regularized", "train_eval_mismatch")),
    Operator("slow averages", slow_averages, ("train_eval_mismatch",)),
    Operator("squashed outputs", squashed, ("output_loss_mismatch",)),
    Operator("rectified outputs", rectified, ("output_loss_mismatch", "dead_relu")),
    Operator("unscaled inputs", unscaled_inputs, ("unnormalized_input",)),
    Operator("labels shuffled", shuffled_labels(1.0), LABELS),
    Operator("six labels in ten shuffled", shuffled_labels(0.6), LABELS),
    Operator("few samples", few_samples, ("overfitting",)),
    Operator("rare classes", rare_classes, ("class_imbalance", "overfitting")),
    Operator("missing values", missing_value, ("non_finite",)),
    Operator("clipped to nothing", tight_clipping, (*SLOW[:2], "vanishing_gradient")),
)


def in_turn(names: Iterable[str], operator: Operator) -> list[str]:
    """Programs to put a fault into, in an order that the fault's name draws."""
    order = sorted(names)
    random.Random(operator.name).shuffle(order)
    return order
