"""Programs that nobody wrote: data, network, optimiser and plan are drawn by a number.

Each draw is within what textbooks advise, so that most of these trainings go well, but nothing is
fitted to anything else: which do is found out by training them.
"""

import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from case import Case, Program
from data_sets import samples
from data_sets.samples import Samples, scaled_targets, standardized
from goal import Goal
from modules import Optimizer, mlp
from programs import classification, regression
from torch import Tensor, nn

ACTIVATIONS = (nn.ReLU, nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.ELU, nn.Tanh)
# Least and highest learning rate of each optimiser.
RATES: dict[str, tuple[float, float]] = {
    "Adam": (5e-4, 5e-3), "AdamW": (5e-4, 5e-3), "NAdam": (5e-4, 4e-3), "RMSprop": (3e-4, 2e-3),
    "SGD": (0.05, 0.3), "momentum": (0.01, 0.1),
}  # fmt: skip
# Data, what is expected of its score, and the networks that suit it.
TASKS: dict[str, tuple[Callable[[], Samples], float, tuple[str, ...]]] = {
    "digits": (samples.digits, 0.93, ("dense", "convolutional", "recurrent", "attention")),
    "cancer": (lambda: standardized(samples.cancer()), 0.93, ("dense",)),
    "moons": (samples.moons, 0.93, ("dense",)),
    "waves": (samples.waves, 0.85, ("recurrent", "strided")),
    "friedman": (lambda: scaled_targets(samples.friedman()), 0.8, ("dense",)),
}
# Digits are drawn as often as they have networks.
CHOICES = ("digits", "digits", "digits", "cancer", "moons", "waves", "friedman")


class Recurrent(nn.Module):
    """The last output of a recurrent layer."""

    def __init__(self, layer: nn.RNNBase, rows: int = 0) -> None:
        super().__init__()
        self.layer, self.rows = layer, rows

    def forward(self, x: Tensor) -> Tensor:
        last: Tensor = self.layer(x.unflatten(1, (self.rows, -1)) if self.rows else x)[0][:, -1]
        return last


class Attention(nn.Module):
    """The mean over the rows of a picture behind layers of an encoder."""

    def __init__(self, width: int, depth: int, dropout: float, *, norm_first: bool) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout, batch_first=True, norm_first=norm_first
        )
        self.rows, self.places = nn.Linear(8, width), nn.Parameter(0.02 * torch.randn(8, width))
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        mean: Tensor = self.encoder(self.rows(x.unflatten(1, (8, 8))) + self.places).mean(1)
        return mean


class Turned(nn.Module):
    """Channels in front of time."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


def drawn(number: int) -> Case:
    """The case of a number; its program is the same each time."""
    task = random.Random(number).choice(CHOICES)
    metric = "R2" if task == "friedman" else "accuracy"
    return Case(f"drawn-{number}", Goal(metric, at_least=TASKS[task][1]), partial(_program, number))


def _program(number: int) -> Program:
    draw = random.Random(number)
    task = draw.choice(CHOICES)
    make, _, kinds = TASKS[task]
    data, batch_size = make(), draw.choice([16, 32, 64])
    steps, accumulate = draw.choice([400, 800, 1500]), draw.choice([1, 1, 1, 2])
    in_epoch = math.ceil(len(data.x) / batch_size)
    epochs = max(4, math.ceil(steps * accumulate / in_epoch))
    optimizer, trainer = _optimizer(draw), _trainer(draw, accumulate)
    outputs = 1 if task == "friedman" else int(data.y.max()) + 1
    network = NETWORKS[draw.choice(kinds)](draw, data.x, outputs)
    if task == "friedman":
        return regression(
            data, network, optimizer, batch_size=batch_size, epochs=epochs, trainer=trainer
        )
    planned = epochs * math.ceil(in_epoch / accumulate)
    return classification(
        data, network, optimizer, batch_size=batch_size, epochs=epochs, trainer=trainer,
        scheduler=_schedule(draw, planned),
    )  # fmt: skip


def _optimizer(draw: random.Random) -> Optimizer:
    name = draw.choice([*RATES])
    low, high = RATES[name]
    options: dict[str, Any] = {"lr": math.exp(draw.uniform(math.log(low), math.log(high)))}
    options["weight_decay"] = draw.choice([0.0, 0.0, 1e-2 if name == "AdamW" else 1e-4])
    if name == "momentum":
        return partial(torch.optim.SGD, momentum=0.9, **options)
    return partial(getattr(torch.optim, name), **options)


def _trainer(draw: random.Random, accumulate: int) -> dict[str, Any]:
    return {
        "accumulate_grad_batches": accumulate,
        "gradient_clip_val": draw.choice([None, None, 1.0]),
        "precision": draw.choice(["32-true", "32-true", "32-true", "bf16-mixed"]),
    }


def _schedule(draw: random.Random, steps: int) -> Callable[[torch.optim.Optimizer], Any] | None:
    rates = torch.optim.lr_scheduler
    kinds: list[Callable[[torch.optim.Optimizer], Any] | None] = [
        None,
        None,
        lambda o: rates.CosineAnnealingLR(o, steps),
        lambda o: rates.OneCycleLR(o, o.param_groups[0]["lr"], steps),
        lambda o: rates.StepLR(o, max(1, steps // 3), 0.3),
    ]
    return draw.choice(kinds)


def _dense(draw: random.Random, x: Tensor, outputs: int) -> nn.Module:
    depth, width = draw.choice([1, 2, 3, 5]), draw.choice([32, 64, 128])
    norm = draw.choice([None, None, nn.BatchNorm1d, nn.LayerNorm])
    dropout = draw.choice([0.0, 0.0, 0.2])
    sizes = [x.shape[1], *[width] * depth, outputs]
    return mlp(sizes, draw.choice(ACTIVATIONS), norm=norm, dropout=dropout)


def _convolutional(draw: random.Random, x: Tensor, outputs: int) -> nn.Module:
    width, activation = draw.choice([8, 16, 32]), draw.choice(ACTIVATIONS)
    normed = draw.choice([False, True])

    def block(before: int, after: int) -> list[nn.Module]:
        norm = [nn.BatchNorm2d(after)] if normed else []
        return [nn.Conv2d(before, after, 3, padding=1), *norm, activation()]

    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), *block(1, width), *block(width, width), nn.MaxPool2d(2),
        *block(width, 2 * width), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(8 * width, outputs),
    )  # fmt: skip


def _recurrent(draw: random.Random, x: Tensor, outputs: int) -> nn.Module:
    kind, width = draw.choice([nn.GRU, nn.LSTM]), draw.choice([32, 64])
    features = 8 if x.ndim == 2 else x.shape[2]
    layer = kind(features, width, draw.choice([1, 2]), batch_first=True)
    return nn.Sequential(Recurrent(layer, 8 if x.ndim == 2 else 0), nn.Linear(width, outputs))


def _attention(draw: random.Random, x: Tensor, outputs: int) -> nn.Module:
    width, dropout = draw.choice([32, 64]), draw.choice([0.0, 0.1])
    body = Attention(width, draw.choice([1, 2, 3]), dropout, norm_first=draw.choice([False, True]))
    return nn.Sequential(body, nn.Linear(width, outputs))


def _strided(draw: random.Random, x: Tensor, outputs: int) -> nn.Module:
    width, activation = draw.choice([16, 32]), draw.choice(ACTIVATIONS)
    return nn.Sequential(
        Turned(), nn.Conv1d(x.shape[2], width, 5, stride=2), activation(),
        nn.Conv1d(width, width, 5, stride=2), activation(), nn.AdaptiveAvgPool1d(2), nn.Flatten(),
        nn.Linear(2 * width, outputs),
    )  # fmt: skip


NETWORKS: dict[str, Callable[[random.Random, Tensor, int], nn.Module]] = {
    "dense": _dense, "convolutional": _convolutional, "recurrent": _recurrent,
    "attention": _attention, "strided": _strided,
}  # fmt: skip
