"""Methods of papers for tasks, graphs, scenes, functions and control."""

from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, surveys
from data_sets.samples import loaders, split
from lightning.pytorch import LightningModule
from modules import mlp
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class ThreeTasks(LightningModule):
    """Which digit, how much ink and how high it is; the tasks weigh themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU())
        self.heads = nn.ModuleDict({"digit": nn.Linear(64, 10), "rest": nn.Linear(64, 2)})
        self.log_variance = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.trunk(x)
        return self.heads["digit"](hidden), self.heads["rest"](hidden)

    def tasks(self, batch: list[Tensor]) -> Tensor:
        logits, rest = self(batch[0])
        errors = F.mse_loss(rest, batch[1][:, 1:], reduction="none").mean(0)
        return torch.cat([F.cross_entropy(logits, batch[1][:, 0].long())[None], errors])

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        losses = self.tasks(batch)
        loss = (losses * (-self.log_variance).exp() + self.log_variance).sum()
        self.log_dict({"total": loss, "digit": losses[0], "ink": losses[1], "height": losses[2]})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        losses = self.tasks(batch)
        self.log_dict({"val_digit": losses[0], "val_ink": losses[1], "val_height": losses[2]})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-5)


def three_tasks() -> Program:
    data = samples.digits()
    every = torch.cat([data.x, data.x_test])
    ink, height = every.sum(1), every @ torch.arange(8.0).repeat_interleave(8)
    rest = torch.stack([ink, height / ink], 1)
    rest = (rest - rest[: len(data.y)].mean(0)) / rest[: len(data.y)].std(0)
    y = torch.cat([torch.cat([data.y, data.y_test])[:, None].float(), rest], 1)
    both = data._replace(y=y[: len(data.y)], y_test=y[len(data.y) :])
    module = ThreeTasks()

    @torch.no_grad()
    def score() -> float:
        """The worse of the accuracy and the two R2."""
        logits, found = module.eval()(both.x_test)
        right = (logits.argmax(1) == data.y_test).float().mean()
        errors = (found - both.y_test[:, 1:]).square().mean(0) / both.y_test[:, 1:].var(0)
        return min(right.item(), (1 - errors.max()).item())

    return Program(module, *loaders(both, 32), 12, score)


class Isomorphism(LightningModule):
    """Kinds of graphs by sums over neighbours and a pool over nodes; batches are padded."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Linear(before, width), nn.BatchNorm1d(width), nn.ReLU(),
                nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(),
            )
            for before in (1, width, width)
        )  # fmt: skip
        self.eps = nn.Parameter(torch.zeros(3))
        self.drop, self.head = nn.Dropout(0.2), nn.Linear(3 * width, 3)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        real = batch["size"][:, None] > torch.arange(batch["adjacency"].shape[1])
        x, pools = real[..., None].float(), []
        for layer, eps in zip(self.layers, self.eps, strict=True):
            x = batch["adjacency"] @ x + (1 + eps) * x
            x = torch.zeros(*real.shape, 32).masked_scatter(real[..., None], layer(x[real]))
            pools.append(x.sum(1) / batch["size"][:, None])
        logits: Tensor = self.head(self.drop(torch.cat(pools, 1)))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch), batch["kind"])
        self.log("gin/train", loss, batch_size=len(batch["kind"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        loss = F.cross_entropy(self(batch), batch["kind"])
        self.log("gin/val", loss, batch_size=len(batch["kind"]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 6, 0.5)]


def graphs(count: int = 900, most: int = 20) -> list[dict[str, Tensor]]:
    """As many edges in each: anyhow, with hubs, or among neighbours on a ring."""
    generator = torch.Generator().manual_seed(92)
    found = []
    for number in range(count):
        size = int(torch.randint(12, most + 1, (), generator=generator))
        place = torch.arange(size).float()
        gap = (place[:, None] - place).abs()
        near = torch.minimum(gap, size - gap)
        hub = torch.exp(1.5 * torch.randn(size, generator=generator))
        chance = (torch.ones(size, size), hub[:, None] * hub, torch.exp(-1.0 * near))[number % 3]
        upper = chance.triu(1).flatten()
        chosen = torch.multinomial(upper, 2 * size, generator=generator)
        edges = torch.zeros(size * size).index_fill(0, chosen, 1.0).reshape(size, size)
        adjacency = torch.zeros(most, most)
        adjacency[:size, :size] = edges + edges.T
        kind, many = torch.tensor(number % 3), torch.tensor(size)
        found.append({"adjacency": adjacency, "size": many, "kind": kind})
    return found


def isomorphism() -> Program:
    every: Any = graphs()
    module = Isomorphism()
    train, test = DataLoader(every[:720], 32, shuffle=True), DataLoader(every[720:], 180)

    @torch.no_grad()
    def score() -> float:
        batch = next(iter(test))
        return (module.eval()(batch).argmax(1) == batch["kind"]).float().mean().item()

    return Program(module, train, test, 16, score)


class Points(LightningModule):
    """Shapes as points: a map of heat for each kind, most of which is cold, and offsets."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, 32, 3, padding=2, dilation=2), nn.BatchNorm2d(32), nn.ReLU(),
        )  # fmt: skip
        self.heat, self.offset = nn.Conv2d(32, 4, 1), nn.Conv2d(32, 2, 1)
        nn.init.constant_(self.heat.bias, -3.0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.backbone(x)
        return self.heat(features), self.offset(features)

    def objective(self, batch: list[Tensor]) -> Tensor:
        x, kind, place = batch
        logits, offset = self(x)
        cell = (12 * place).floor()
        grid = torch.stack(torch.meshgrid(torch.arange(12), torch.arange(12), indexing="ij"), -1)
        bump = torch.exp(-(grid - cell[:, None, None]).square().sum(-1) / 1.5)
        goal = F.one_hot(kind, 4)[:, :, None, None] * bump[:, None]
        p = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
        hit = (goal == 1) * (1 - p).square() * p.log()
        miss = (goal < 1) * (1 - goal).pow(4) * p.square() * (1 - p).log()
        rows, (y, column) = torch.arange(len(x)), cell.long().T
        shift = F.l1_loss(offset[rows, :, y, column], 12 * place - cell)
        return -(hit + miss).sum() / len(x) + shift

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.objective(batch)
        self.log("det_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("det_val_loss", self.objective(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)


def points() -> Program:
    found = surveys.pictures()
    parts = found.x, found.shape, found.corner
    module = Points()
    train = DataLoader(TensorDataset(*(p[:800] for p in parts)), 16, shuffle=True)
    test = DataLoader(TensorDataset(*(p[800:] for p in parts)), 100)

    @torch.no_grad()
    def score() -> float:
        """Pictures whose warmest point is of the right kind and less than a pixel away."""
        heat, offset = module.eval()(found.x[800:])
        best = heat.flatten(1).argmax(1)
        kind, row, column = best // 144, best % 144 // 12, best % 12
        place = torch.stack([row, column], 1) + offset[torch.arange(300), :, row, column]
        near = (place - 12 * found.corner[800:]).norm(dim=1) < 1
        return (near & (kind == found.shape[800:])).float().mean().item()

    return Program(module, train, test, 7, score)


class MeanFirst(LightningModule):
    """How far off a mean may be is learned by a network of its own, once there is a mean."""

    def __init__(self, warm_up: int = 5) -> None:
        super().__init__()
        self.mean, self.raw = mlp([2, 64, 64, 1], nn.Tanh), mlp([2, 32, 1], nn.Tanh)
        self.warm_up = warm_up

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mean(x)[:, 0], F.softplus(self.raw(x)[:, 0]) + 1e-3

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        mean, deviation = self(batch[0])
        if self.current_epoch < self.warm_up:
            return F.mse_loss(mean, batch[1])
        nll = -torch.distributions.Normal(mean, deviation).log_prob(batch[1])
        loss = (nll * deviation.detach()).mean()
        self.log_dict({"beta_nll": loss, "nll": nll.mean()})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        mean, deviation = self(batch[0])
        nll = -torch.distributions.Normal(mean, deviation).log_prob(batch[1]).mean()
        self.log_dict({"val_rmse": F.mse_loss(mean, batch[1]).sqrt(), "val_nll": nll})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def mean_first() -> Program:
    """A wave over a plane, noisier to one side; the best there is is about 0.06."""
    generator = torch.Generator().manual_seed(93)
    x = 2 * torch.rand(2000, 2, generator=generator) - 1
    noise = (0.05 + 0.25 * (x[:, 0] + 1)) * torch.randn(2000, generator=generator)
    data = split(x, torch.sin(3 * x[:, 0]) * torch.cos(2 * x[:, 1]) + noise)
    module = MeanFirst()

    @torch.no_grad()
    def score() -> float:
        mean, deviation = module.eval()(data.x_test)
        return -torch.distributions.Normal(mean, deviation).log_prob(data.y_test).mean().item()

    return Program(module, *loaders(data, 32), 14, score)


CASES = (
    Case("digits-three-tasks-of-one-trunk", Goal("worst of three", at_least=0.9), three_tasks),
    Case("graphs-by-sums-and-norms", Goal("accuracy", at_least=0.85), isomorphism),
    Case("shapes-warmest-points", Goal("found", at_least=0.85), points),
    Case("plane-mean-before-deviation", Goal("negative log-likelihood", at_most=0.35), mean_first),
)
