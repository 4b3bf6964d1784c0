"""Optimisers, layers and heads that somebody wrote for themselves."""

import math
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import loaders, standardized
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import StochasticWeightAveraging
from lightning.pytorch.utilities import CombinedLoader
from modules import mlp
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


class Signs(torch.optim.Optimizer):
    """Steps of one length along the sign of a mean of gradients, as Lion does."""

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float = 0.1) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in (p for p in group["params"] if p.grad is not None):
                mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(group["lr"] * mean.lerp(weight.grad, 0.1).sign())
                mean.lerp_(weight.grad, 0.01)
        return loss


class RootMeanSquare(nn.Module):
    """Divides by it, and multiplies by a gain."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt()


class Mixer(LightningModule):
    """Rows and columns of an image are mixed in turn; every branch starts at nothing."""

    def __init__(self, width: int = 32, depth: int = 3) -> None:
        super().__init__()
        self.stem = nn.Linear(8, width)
        self.across = nn.ModuleList(mlp([8, 24, 8], nn.GELU) for _ in range(depth))
        self.along = nn.ModuleList(mlp([width, 64, width], nn.GELU) for _ in range(depth))
        self.norms = nn.ModuleList(RootMeanSquare(width) for _ in range(2 * depth + 1))
        self.alpha = nn.Parameter(torch.zeros(2 * depth))
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x.unflatten(1, (8, 8)))
        for k, (rows, columns) in enumerate(zip(self.across, self.along, strict=True)):
            x = x + self.alpha[2 * k] * rows(self.norms[2 * k](x).mT).mT
            x = x + self.alpha[2 * k + 1] * columns(self.norms[2 * k + 1](x))
        logits: Tensor = self.head(self.norms[-1](x).mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("top1", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = Signs(self.parameters(), lr=1e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=600)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def mixer() -> Program:
    data = samples.digits()
    module = Mixer()
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class Maxout(nn.Module):
    """The largest of three linear maps, each with a direction and a length."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        linear = nn.Linear(before, 3 * after)
        self.linear = nn.utils.parametrizations.weight_norm(linear)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).unflatten(1, (3, -1)).amax(1)


class Sharpness(LightningModule):
    """Climbs to the worst point nearby, and descends by its gradient (SAM)."""

    def __init__(self, reach: float = 0.05) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.reach = reach
        self.net = nn.Sequential(Maxout(64, 48), nn.Dropout(0.2), Maxout(48, 32), nn.Linear(32, 10))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        loss = F.cross_entropy(self(x), y)
        self.manual_backward(loss)
        weights = [p for p in self.parameters() if p.grad is not None]
        norm = torch.stack([p.grad.norm() for p in weights]).norm()  # type: ignore[union-attr]
        with torch.no_grad():
            climbs = [self.reach / (norm + 1e-12) * p.grad for p in weights]  # type: ignore[operator]
            for weight, climb in zip(weights, climbs, strict=True):
                weight.add_(climb)
        optimizer.zero_grad()
        self.manual_backward(F.cross_entropy(self(x), y))
        with torch.no_grad():
            for weight, climb in zip(weights, climbs, strict=True):
                weight.sub_(climb)
        optimizer.step()
        self.log("train/ce", loss)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/ce", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def sharpness() -> Program:
    data = samples.digits()
    module = Sharpness()
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class Margin(LightningModule):
    """Angles to a vector of each class, with a margin; scale learned, weights averaged at last."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp([64, 96, 24], nn.PReLU, norm=nn.LayerNorm)
        self.classes = nn.Parameter(torch.randn(10, 24))
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def forward(self, x: Tensor) -> Tensor:
        code = F.normalize(self.body(x), dim=1)
        return code @ F.normalize(self.classes, dim=1).T

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        cosine = self(batch[0]) - 0.2 * F.one_hot(batch[1], 10)
        loss = F.cross_entropy(self.log_scale.exp() * cosine, batch[1])
        self.log_dict({"cosface": loss, "scale": self.log_scale.detach().exp()})
        return loss

    def configure_callbacks(self) -> list[Any]:
        return [StochasticWeightAveraging(swa_lrs=1e-3, swa_epoch_start=0.7, annealing_epochs=2)]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)


def margin() -> Program:
    data = samples.digits()
    module = Margin()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 12, partial(accuracy, module, data))


class MeanTeacher(LightningModule):
    """A tenth of the labels; on the rest it agrees with an average of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.student, self.teacher = (mlp([64, 128, 10], dropout=0.2) for _ in range(2))
        self.teacher.load_state_dict(self.student.state_dict())
        self.teacher.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = (self.student if self.training else self.teacher)(x)
        return logits

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> dict[str, Tensor]:
        (x, y), (other,) = batch["labelled"], batch["unlabelled"]
        with torch.no_grad():
            goal = self.teacher(other + 0.05 * torch.randn_like(other)).softmax(1)
        guess = self.student(other + 0.1 * torch.randn_like(other)).softmax(1)
        ramp = min(1.0, self.global_step / 200)
        known, agreed = F.cross_entropy(self.student(x), y), (guess - goal).square().sum(1).mean()
        self.log_dict({"labelled": known, "agreement": agreed}, batch_size=len(x))
        return {"loss": known + 2 * ramp * agreed}

    def on_before_zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        with torch.no_grad():
            for slow, fast in zip(
                self.teacher.parameters(), self.student.parameters(), strict=True
            ):
                slow.lerp_(fast, 0.03)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-4)


def mean_teacher() -> Program:
    data = samples.digits()
    known = TensorDataset(data.x[:200], data.y[:200])
    parts = {
        "labelled": DataLoader(known, 20, shuffle=True),
        "unlabelled": DataLoader(TensorDataset(data.x[200:]), 64, shuffle=True),
    }
    module = MeanTeacher()
    train = CombinedLoader(parts, "max_size_cycle")
    return Program(module, train, None, 25, partial(accuracy, module, data))


class Ensemble(LightningModule):
    """Eight networks as one, by a dimension more; they never meet but in the mean."""

    def __init__(self, members: int = 8) -> None:
        super().__init__()
        sizes = ((30, 24), (24, 2))
        self.weights = nn.ParameterList(
            torch.randn(members, a, b) * (2 / a) ** 0.5 for a, b in sizes
        )
        self.biases = nn.ParameterList(torch.zeros(members, 1, b) for _, b in sizes)

    def members(self, x: Tensor) -> Tensor:
        hidden = F.leaky_relu(torch.baddbmm(self.biases[0], x, self.weights[0]))
        return torch.baddbmm(self.biases[1], hidden, self.weights[1])

    def forward(self, x: Tensor) -> Tensor:
        every = self.members(x.expand(len(self.weights[0]), -1, -1))
        return every.softmax(-1).mean(0)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = (part.unflatten(0, (8, -1)) for part in batch)
        loss = F.cross_entropy(self.members(x).flatten(0, 1), y.flatten(), reduction="sum")
        self.log("sum_ce", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=5e-3, momentum=0.9, weight_decay=1e-3)


def ensemble() -> Program:
    """Each draws its own samples; the rarer class as often as the other."""
    data = standardized(samples.cancer())
    weight = 1 / data.y.bincount()[data.y]
    draw = WeightedRandomSampler(weight.tolist(), 8 * 384)
    module = Ensemble()
    train = DataLoader(TensorDataset(data.x, data.y), 64, sampler=draw)

    def score() -> float:
        return (outputs(module, data.x_test).argmax(1) == data.y_test).float().mean().item()

    return Program(module, train, None, 4, score)


CASES = (
    Case("digits-mixer-by-signs", Goal("accuracy", at_least=0.92), mixer),
    Case("digits-maxout-sharpness", Goal("accuracy", at_least=0.92), sharpness),
    Case("digits-cosine-margin", Goal("accuracy", at_least=0.92), margin),
    Case("digits-mean-teacher", Goal("accuracy", at_least=0.9), mean_teacher),
    Case("cancer-ensemble-resampled", Goal("accuracy", at_least=0.93), ensemble),
)
