"""Trainings that end in numbers that are none, or far too large."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, scaled_targets, split
from lightning.pytorch import LightningModule
from modules import mlp, reset, sgd
from programs import classification, regression
from scores import outputs
from sklearn import datasets
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Siamese(LightningModule):
    """Pairs of digits, alike or not, a margin apart."""

    def __init__(self, floor: float) -> None:
        super().__init__()
        self.tower = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
        self.floor = floor

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.tower(x)
        return code

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        left, right, same = batch
        square = (self(left) - self(right)).pow(2).sum(1)
        distance = torch.sqrt(square + self.floor)
        loss = torch.where(same, square, F.relu(2 - distance).pow(2)).mean()
        self.log("contrastive", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def pairs(floor: float = 0.0) -> Program:
    """A digit may be drawn against itself, and then its distance has no slope."""
    data = samples.digits()
    generator = torch.Generator().manual_seed(5)
    left, right = torch.randint(len(data.x), (2, 6000), generator=generator)
    keep = (data.y[left] == data.y[right]) | (torch.rand(6000, generator=generator) < 0.12)
    left, right = left[keep], right[keep]
    table = TensorDataset(data.x[left], data.x[right], data.y[left] == data.y[right])
    module = Siamese(floor)

    def score() -> float:
        """Of the nearest of those learnt from."""
        found = outputs(module, data.x_test)
        if not found.isfinite().all():
            return 0.0
        nearest = torch.cdist(found, outputs(module, data.x)).argmin(1)
        return (data.y[nearest] == data.y_test).float().mean().item()

    return Program(module, DataLoader(table, 32, shuffle=True), None, 8, score)


def tiles(size: int = 8) -> Samples:
    """Which of two photographs a square is from; some squares are all of one colour."""
    china, flower = (torch.as_tensor(i.copy()) for i in datasets.load_sample_images().images)
    both = [
        image.permute(2, 0, 1).unfold(1, size, 2 * size).unfold(2, size, 2 * size)
        .permute(1, 2, 0, 3, 4).reshape(-1, 3, size, size)
        for image in (china, flower)
    ]  # fmt: skip
    y = torch.cat([torch.full((len(part),), k) for k, part in enumerate(both)])
    found = split(torch.cat(both) / 255, y)
    x = found.x.clone()
    x[::40] = 0.0
    return found.with_inputs(x, found.x_test)


class PerImage(nn.Module):
    """Each picture less its mean, by its deviation."""

    def __init__(self, floor: float) -> None:
        super().__init__()
        self.floor = floor

    def forward(self, x: Tensor) -> Tensor:
        deviation = x.std((1, 2, 3), keepdim=True)
        return (x - x.mean((1, 2, 3), keepdim=True)) / (deviation + self.floor)


def blank(floor: float = 0.0) -> Program:
    network = nn.Sequential(
        PerImage(floor), nn.Conv2d(3, 16, 3, stride=2), nn.ReLU(), nn.Conv2d(16, 24, 3),
        nn.ReLU(), nn.Flatten(), nn.Linear(24, 2),
    )  # fmt: skip
    optimizer = partial(torch.optim.AdamW, lr=2e-3)
    return classification(tiles(), network, optimizer, batch_size=32, epochs=6)


def growing(gain: float = 2.3) -> Program:
    """Sixteen layers each of which makes what it gets larger."""
    network = mlp([32, *[64] * 16, 20])
    reset(network, lambda w: nn.init.normal_(w, std=gain / w.shape[1] ** 0.5))
    return classification(
        samples.clusters(20, 60), network, sgd(3e-3, 0.9), batch_size=32, epochs=12
    )


def raw_targets(scaled: bool = False) -> Program:
    """The rate fits targets around 1; these have a deviation of 170."""
    data = samples.linear_targets(170.0)
    network = mlp([20, 64, 64, 1])
    return regression(
        scaled_targets(data) if scaled else data, network, sgd(0.01, 0.9), batch_size=32
    )


DIGITS = Goal("accuracy", at_least=0.92)
CASES = (
    Case(
        "digits-paired-with-themselves", DIGITS, pairs, ("non_finite",), partial(pairs, 1e-6),
    ),
    Case(
        "photographs-blank-squares-standardized", Goal("accuracy", at_least=0.9), blank,
        ("non_finite",), partial(blank, 1e-3),
    ),
    Case(
        "clusters-sixteen-growing-layers", Goal("accuracy", at_least=0.9), growing,
        ("exploding_gradient", "poor_initialization", "non_finite"), partial(growing, 2**0.5),
    ),
    Case(
        "linear-deviation-of-170", Goal("R2", at_least=0.9), raw_targets,
        ("exploding_gradient", "learning_rate_too_high", "non_finite", "dead_relu"),
        partial(raw_targets, True),
    ),
)  # fmt: skip
