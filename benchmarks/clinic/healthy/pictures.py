"""Ordinary networks that see, some of which look as if they were wrong."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import records, samples, surveys
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import adam, reset, sgd
from programs import classification, regression
from scores import accuracy, outputs
from torch import Tensor, nn

KAIMING = partial(nn.init.kaiming_normal_, nonlinearity="relu")


def shapes() -> Samples:
    found = surveys.pictures()
    return found.labelled(found.shape)


def colours() -> Samples:
    found = surveys.pictures()
    return found.labelled(found.colour)


def conv(before: int, after: int, *, norm: bool = True, **options: Any) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(before, after, 3, padding=1, bias=not norm, **options)]
    layers += [nn.BatchNorm2d(after)] if norm else []
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


def stacked() -> Program:
    """Eight convolutions without any norm, drawn for ReLUs, and one cycle."""

    def cycle(optimizer: torch.optim.Optimizer) -> Any:
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=350)

    widths = (3, 12, 12, 12, 24, 24, 24, 24, 24)
    layers: list[nn.Module] = []
    for k, (before, after) in enumerate(pairwise(widths)):
        layers.append(conv(before, after, norm=False))
        layers += [nn.MaxPool2d(2)] if k in (2, 5) else []
    network = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(216, 4))
    reset(network, KAIMING)
    optimizer = partial(torch.optim.AdamW, lr=1e-3, weight_decay=0.05)
    return classification(shapes(), network, optimizer, epochs=14, scheduler=cycle)


class Separable(nn.Module):
    """Each channel by itself, then all of them in a place."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(before, before, 3, stride, 1, groups=before, bias=False)
        self.pointwise = nn.Conv2d(before, after, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(before), nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self.bn1(self.depthwise(x)))
        return F.relu6(self.bn2(self.pointwise(x)))


def mobile() -> Program:
    """A rate of 0.1 for batches of 64, warmed up, under norms."""

    def warmed(optimizer: torch.optim.Optimizer) -> Any:
        warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=30)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 230)
        return torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, cosine], [30])

    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU6(),
        Separable(16, 32, 2), Separable(32, 48, 1), Separable(48, 64, 2),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(64, 4),
    )  # fmt: skip
    optimizer = sgd(0.1, 0.9, weight_decay=3e-3)
    return classification(shapes(), network, optimizer, batch_size=64, epochs=20, scheduler=warmed)


class MixedUp(LightningModule):
    """Pairs of pictures are mixed, so that its loss of training never gets small."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            conv(3, 16), nn.MaxPool2d(2), conv(16, 32), nn.MaxPool2d(2), conv(32, 32),
            nn.Flatten(), nn.Linear(288, 4),
        )  # fmt: skip
        self.mix = torch.distributions.Beta(0.4, 0.4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        share, other = self.mix.sample().item(), torch.randperm(len(x))
        logits = self(share * x + (1 - share) * x[other])
        loss = share * F.cross_entropy(logits, y)
        loss = loss + (1 - share) * F.cross_entropy(logits, y[other])
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), 0.05, momentum=0.9, weight_decay=5e-4)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)]


def mixed_up() -> Program:
    data, module = shapes(), MixedUp()
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class Wide(nn.Module):
    """A residual block without norms, whose branch starts at nothing (as in Fixup)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.scale * self.conv2(F.relu(self.conv1(x))))


def fixed_up() -> Program:
    network = nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), *[Wide(24) for _ in range(5)],
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(96, 10),
    )  # fmt: skip
    return classification(samples.digit_images(), network, adam(1e-3), epochs=7)


def three_tiny() -> Program:
    """Three pictures a batch, and groups in place of batches for the norms."""
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.GroupNorm(4, 16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3), nn.GroupNorm(4, 32), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4),
    )  # fmt: skip
    return classification(
        shapes(), network, partial(torch.optim.AdamW, lr=1e-3), batch_size=3, epochs=5
    )


def steering() -> Program:
    """The angle at which a driver steered, by strided convolutions and ELUs."""
    network = nn.Sequential(
        nn.Conv2d(1, 12, 3, stride=2), nn.ELU(), nn.Conv2d(12, 24, 3, stride=2), nn.ELU(),
        nn.Flatten(), nn.LazyLinear(40), nn.ELU(), nn.Linear(40, 1),
    )  # fmt: skip
    data = records.drives()
    network(data.x[:2])
    return regression(data, network, adam(1e-3), batch_size=32, epochs=14)


def one_layer() -> Program:
    """Which colour: a linear model of pixels is enough."""
    network = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(27, 3))
    return classification(
        colours(), network, partial(torch.optim.Adagrad, lr=0.5), batch_size=50, epochs=20
    )


def squares() -> Program:
    """Squared errors to ones and zeros, in half precision: odd, and as good."""

    def squared(logits: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(logits, F.one_hot(y, 4).to(logits.dtype))

    network = nn.Sequential(
        conv(3, 16), nn.MaxPool2d(2), conv(16, 32), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(288, 4),
    )  # fmt: skip
    return classification(
        shapes(), network, adam(1e-3), epochs=16, criterion=squared,
        trainer={"precision": "bf16-mixed"},
    )  # fmt: skip


class Pieces(LightningModule):
    """Pictures come with blocks cut out, which it fills in; judged by what it has not seen."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(4, 24, 3, padding=1), nn.GELU(), nn.Conv2d(24, 24, 3, padding=2, dilation=2),
            nn.GELU(), nn.Conv2d(24, 24, 3, padding=2, dilation=2), nn.GELU(),
            nn.Conv2d(24, 3, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        hole = torch.zeros_like(x[:, :1])
        hole[:, :, 5:9, 3:8] = 1
        found: Tensor = self.net(torch.cat([x * (1 - hole), hole], 1))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x = batch[0]
        loss = F.l1_loss(self(x), x)
        self.log("l1", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.l1_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def pieces() -> Program:
    data, module = shapes(), Pieces()

    def score() -> float:
        found, true = outputs(module, data.x_test), data.x_test
        hole = (found - true)[:, :, 5:9, 3:8].square().mean()
        return (1 - hole / true[:, :, 5:9, 3:8].var()).item()

    return Program(module, *loaders(data, 32), 14, score)


SHAPES = Goal("accuracy", at_least=0.9)
CASES = (
    Case("shapes-eight-convolutions-no-norm", Goal("accuracy", at_least=0.85), stacked),
    Case("shapes-separable-warmed-up", Goal("accuracy", at_least=0.87), mobile),
    Case("shapes-mixed-up-small-beta", SHAPES, mixed_up),
    Case("digit-images-branches-from-nothing", Goal("accuracy", at_least=0.9), fixed_up),
    Case("shapes-batches-of-three", Goal("accuracy", at_least=0.82), three_tiny),
    Case("drives-steered-by-elu", Goal("R2", at_least=0.85), steering),
    Case("colours-linear-adagrad", SHAPES, one_layer),
    Case("shapes-squared-errors-half-precision", Goal("accuracy", at_least=0.85), squares),
    Case("shapes-holes-filled", Goal("R2", at_least=0.35), pieces),
)
