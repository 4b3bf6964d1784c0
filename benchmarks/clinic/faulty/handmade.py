"""Layers and losses written by hand, and their slips."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, surveys
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp, sgd
from programs import classification
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, TensorDataset


class Stack(nn.Module):
    """Dense layers with a function of one's own between them."""

    def __init__(self, sizes: list[int], between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = self.between(layer(x))
        logits: Tensor = self.layers[-1](x)
        return logits


def shares(x: Tensor) -> Tensor:
    return F.softmax(x, dim=1)


def hidden_softmax(between: Callable[[Tensor], Tensor] = shares) -> Program:
    """A softmax after every layer but the last."""
    network = Stack([64, *[64] * 4, 10], between)
    return classification(samples.digits(), network, sgd(0.05, 0.9), epochs=10)


class Matrix(nn.Module):
    """A product with a matrix of one's own."""

    def __init__(self, before: int, after: int, weight: Tensor, through_data: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(after))
        self.through_data = through_data

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.data if self.through_data else self.weight
        bias = self.bias.data if self.through_data else self.bias
        return torch.addmm(bias, x, weight)


def matrices(
    draw: Callable[..., Tensor] | None = None,
    *,
    through_data: bool = False,
    width: int = 64,
    lr: float = 1e-3,
) -> Program:
    """Three of them; the weights drawn as asked, or with a gain for ReLUs."""
    layers: list[nn.Module] = []
    for before, after in pairwise([64, width, width, 10]):
        scale = (2 / before) ** 0.5
        weight = draw(before, after) if draw else scale * torch.randn(before, after)
        layers += [Matrix(before, after, weight, through_data and after != 10), nn.ReLU()]
    network = nn.Sequential(*layers[:-1])
    return classification(samples.digits(), network, adam(lr), epochs=8)


class Convolved(nn.Module):
    """Convolutions over time; ``kept`` says whether what the activation returns is kept."""

    def __init__(self, kept: bool) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(c, 16, 5, padding=2) for c in (1, 16, 16))
        self.act, self.fc, self.kept = nn.ReLU(), nn.Linear(16 * 24, 4), kept

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        for conv in self.convs:
            x = conv(x)
            activated = self.act(x)
            if self.kept:
                x = activated
        logits: Tensor = self.fc(x.flatten(1))
        return logits


def convolved(kept: bool = False) -> Program:
    return classification(samples.waves(), Convolved(kept), adam(2e-3), epochs=12)


class OneDomain(Sampler[list[int]]):
    """Batches of one half of the data or of the other."""

    def __init__(self, count: int) -> None:
        self.half = count // 2

    def __len__(self) -> int:
        return 2 * (self.half // 32)

    def __iter__(self) -> Iterator[list[int]]:
        a, b = torch.randperm(self.half), self.half + torch.randperm(self.half)
        for k in range(0, 32 * (self.half // 32), 32):
            yield from (a[k : k + 32].tolist(), b[k : k + 32].tolist())


def domains(apart: bool = True) -> Program:
    """Two scanners of digits, one of which is bright; a batch is from one of them."""
    data = samples.digits()
    half = len(data.y) // 2
    x, x_test = data.x.clone(), data.x_test.clone()
    x[half:], x_test[::2] = 3 * x[half:] + 4, 3 * x_test[::2] + 4
    data = data.with_inputs(x, x_test)
    network = mlp([64, 96, 96, 10], norm=nn.BatchNorm1d)
    program = classification(data, network, adam(2e-3), epochs=12)
    if not apart:
        return program
    train = DataLoader(TensorDataset(data.x, data.y), batch_sampler=OneDomain(len(data.y)))
    return Program(program.module, train, program.validation, 12, program.score)


class Skipped(nn.Module):
    """Residual layers of which some are left out at random, while it trains or otherwise."""

    def __init__(self, inverted: bool, depth: int = 6) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(64, 64), nn.Linear(64, 10)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 64), nn.GELU()) for _ in range(depth)
        )
        self.inverted = inverted

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        for block in self.blocks:
            y = block(x)
            if self.training != self.inverted:
                y = y * (torch.rand(len(x), 1) < 0.5) / 0.5
            x = x + y
        logits: Tensor = self.leave(x)
        return logits


def skipped(inverted: bool = True) -> Program:
    return classification(samples.digits(), Skipped(inverted), adam(1e-3), epochs=10)


class Votes(LightningModule):
    """Learns how annotators' votes are divided; the divergence wants logarithms."""

    def __init__(self, logarithms: bool) -> None:
        super().__init__()
        self.student, self.logarithms = mlp([2, 64, 64, 3]), logarithms

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.student(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, votes = batch
        logits = self(x)
        own = F.log_softmax(logits, -1) if self.logarithms else F.softmax(logits, -1)
        loss = F.kl_div(own, votes, reduction="batchmean")
        self.log("distillation_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def divergence(module: LightningModule, data: Samples) -> float:
    own = F.log_softmax(outputs(module, data.x_test), -1)
    return F.kl_div(own, data.y_test, reduction="batchmean").item()


def votes(logarithms: bool = False) -> Program:
    """The classes of the blob overlap; a vote follows the distance to each of the centres."""
    data = standardized(samples.blob())
    centers = torch.stack([data.x[data.y == k].mean(0) for k in range(3)])
    y, y_test = ((-2 * torch.cdist(x, centers)).softmax(1) for x in (data.x, data.x_test))
    data = data._replace(y=y, y_test=y_test)
    module = Votes(logarithms)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 15, partial(divergence, module, data))


class Fusion(LightningModule):
    """A picture, and what the camera wrote beside it, joined before the last layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(),
        )  # fmt: skip
        self.fc = mlp([128 + 3, 64, 4])

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        image, meta = inputs
        logits: Tensor = self.fc(torch.cat([self.conv(image), meta], 1))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self((batch["image"], batch["meta"])), batch["label"])
        self.log("train/loss", loss, batch_size=len(batch["label"]))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def fusion(scaled: bool = False) -> Program:
    """The time in seconds since 1970, the sensitivity, the exposure in seconds."""
    found = surveys.pictures()
    generator = torch.Generator().manual_seed(47)
    uniform = torch.rand(len(found.x), 3, generator=generator)
    meta = torch.tensor([1.6e9, 100.0, 0.001]) + torch.tensor([5e7, 3100.0, 0.1]) * uniform
    if scaled:
        meta = (meta - meta.mean(0)) / meta.std(0)
    rows: Any = [
        {"image": x, "meta": m, "label": y}
        for x, m, y in zip(found.x[:800], meta[:800], found.shape[:800], strict=True)
    ]
    module = Fusion()
    train = DataLoader(rows, batch_size=32, shuffle=True)
    unseen: Any = (found.x[-300:], meta[-300:])
    data = Samples(found.x, found.shape, unseen, found.shape[-300:])
    return Program(module, train, None, 12, partial(accuracy, module, data))


DIGITS = Goal("accuracy", at_least=0.88)
CASES = (
    Case(
        "digits-softmax-in-between", DIGITS, hidden_softmax,
        ("vanishing_gradient", "not_learning"), partial(hidden_softmax, F.relu),
    ),
    Case(
        "digits-weights-of-rand", DIGITS, partial(matrices, torch.rand),
        ("poor_initialization", "exploding_gradient"), matrices,
    ),
    Case(
        "digits-weights-through-data", DIGITS,
        partial(matrices, through_data=True, width=20, lr=5e-3),
        ("frozen_parameter",), partial(matrices, width=20, lr=5e-3),
    ),
    Case(
        "waves-activations-discarded", Goal("accuracy", at_least=0.85), convolved,
        ("linear_network",), partial(convolved, True),
    ),
    Case(
        "digits-norms-by-scanner", Goal("accuracy", at_least=0.8), domains,
        ("train_eval_mismatch", "covariate_shift"),
        partial(domains, False),
    ),
    Case(
        "digits-layers-skipped-in-evaluation", DIGITS, skipped, ("train_eval_mismatch",),
        partial(skipped, False),
    ),
    Case(
        "votes-divergence-of-probabilities", Goal("divergence", at_most=0.05), votes,
        ("output_loss_mismatch",), partial(votes, True),
    ),
    Case(
        "shapes-with-seconds-since-1970", Goal("accuracy", at_least=0.7), fusion,
        ("unnormalized_input", "exploding_gradient", "dead_relu"), partial(fusion, True),
    ),
)  # fmt: skip
