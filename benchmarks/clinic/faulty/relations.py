"""Graphs, sets, ratings, pairs and orders: data that is not one row after another."""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, surveys
from data_sets.samples import Samples, loaders, split
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader


class GraphConv(nn.Module):
    """A message to each neighbour, by a weight of its own."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_normal_(torch.empty(before, after), 1.4))

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        return adjacency @ (x @ self.weight)


class GraphNet(LightningModule):
    """Labels nodes; a batch is some of their numbers, the graph is at hand."""

    def __init__(self, averaged: bool, width: int = 64) -> None:
        super().__init__()
        features, adjacency, _ = surveys.communities()
        if averaged:
            adjacency = adjacency / adjacency.sum(1, keepdim=True)
        self.register_buffer("features", features)
        self.register_buffer("adjacency", adjacency)
        widths = [features.shape[1], *[width] * 4]
        self.convs = nn.ModuleList(GraphConv(*pair) for pair in pairwise(widths))
        self.classifier = nn.Linear(width, 4)

    def forward(self, nodes: Tensor) -> Tensor:
        x = self.features
        for conv in self.convs:
            x = F.relu(conv(x, self.adjacency))
        logits: Tensor = self.classifier(x)
        return logits[nodes]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        nodes, labels = batch
        loss = F.cross_entropy(self(nodes), labels)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def graph(averaged: bool = False) -> Program:
    _, _, labels = surveys.communities()
    data = split(torch.arange(len(labels)), labels, train=0.5)
    data = data.with_inputs(data.x.long(), data.x_test.long())
    module = GraphNet(averaged)
    return Program(module, *loaders(data, 16), 12, partial(accuracy, module, data))


@dataclass
class Clouds:
    """A batch of clouds of points."""

    points: Tensor
    kind: Tensor


def as_clouds(items: list[tuple[Tensor, Tensor]]) -> Clouds:
    points, kind = zip(*items, strict=True)
    return Clouds(torch.stack(points), torch.stack(kind))


class DeepSets(LightningModule):
    """An embedding of each point, pooled, and a network on what the pool holds."""

    def __init__(self, pool: str) -> None:
        super().__init__()
        self.pool = pool
        self.phi = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.rho = nn.Sequential(
            nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 4)
        )

    def forward(self, points: Tensor) -> Tensor:
        pooled: Tensor = getattr(self.phi(points), self.pool)(1)
        logits: Tensor = self.rho(pooled)
        return logits

    def training_step(self, batch: Clouds, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch.points), batch.kind)
        self.log("loss", loss, batch_size=len(batch.kind))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def clouds(pool: str = "sum") -> Program:
    data = surveys.clouds()
    module = DeepSets(pool)
    rows: Any = list(zip(data.x, data.y, strict=True))
    train = DataLoader(rows, 32, shuffle=True, collate_fn=as_clouds)
    return Program(module, train, None, 12, partial(accuracy, module, data))


class Factors(LightningModule):
    """Ratings as products of what is known of a user and of an item."""

    def __init__(self, width: int, deviation: float, decay: float) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(150, width), nn.Embedding(120, width)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=deviation)
        self.mean, self.decay = nn.Parameter(torch.zeros(())), decay

    def forward(self, pairs: Tensor) -> Tensor:
        return (self.user(pairs[:, 0]) * self.item(pairs[:, 1])).sum(-1) + self.mean

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01, weight_decay=self.decay)


def ratings(
    width: int = 2, deviation: float = 0.3, decay: float = 1e-3, epochs: int = 20
) -> Program:
    data = surveys.ratings()
    module = Factors(width, deviation, decay)
    return Program(module, *loaders(data, 64), epochs, partial(r2, module, data))


class SamePerson(LightningModule):
    """Are two pictures of the same digit? By a loss that knows labels of -1 and 1."""

    def __init__(self, signed: bool) -> None:
        super().__init__()
        self.embed, self.signed = mlp([64, 96, 24]), signed
        self.scale, self.shift = nn.Parameter(torch.tensor(5.0)), nn.Parameter(torch.tensor(-2.0))
        self.criterion = nn.SoftMarginLoss()

    def forward(self, pairs: Tensor) -> Tensor:
        a, b = self.embed(pairs).unbind(1)
        return self.scale * F.cosine_similarity(a, b) + self.shift

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pairs, same = batch[0], batch[1].float()
        loss: Tensor = self.criterion(self(pairs), 2 * same - 1 if self.signed else same)
        self.log("margin_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def paired(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Each picture with one of the same digit, and with another."""
    generator = torch.Generator().manual_seed(44)
    equal = torch.stack([
        torch.where(y == k)[0][torch.randint(int((y == k).sum()), (), generator=generator)]
        for k in y
    ])  # fmt: skip
    other = torch.randint(len(y), (len(y),), generator=generator)
    pairs = torch.cat([torch.stack([x, x[equal]], 1), torch.stack([x, x[other]], 1)])
    return pairs, torch.cat([torch.ones_like(y), (y == y[other]).long()])


@torch.no_grad()
def pairs_right(module: LightningModule, data: Samples) -> float:
    return ((module.eval()(data.x_test) > 0) == data.y_test.bool()).float().mean().item()


def same(signed: bool = False) -> Program:
    digits = samples.digits()
    data = Samples(*paired(digits.x, digits.y), *paired(digits.x_test, digits.y_test))
    module = SamePerson(signed)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 8, partial(pairs_right, module, data))


class WhichFirst(LightningModule):
    """Attention over events; ``places`` says whether it knows when they were."""

    def __init__(self, places: bool) -> None:
        super().__init__()
        self.event, self.place = nn.Embedding(30, 32), nn.Embedding(10, 32)
        self.norm1, self.norm2 = nn.LayerNorm(32), nn.LayerNorm(32)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.feed, self.head, self.places = mlp([32, 64, 32], nn.GELU), nn.Linear(32, 2), places

    def forward(self, events: Tensor) -> Tensor:
        x = self.event(events)
        if self.places:
            x = x + self.place.weight
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        x = x + self.feed(self.norm2(x))
        logits: Tensor = self.head(x.mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        used = [p for name, p in self.named_parameters() if self.places or "place" not in name]
        return torch.optim.AdamW(used, lr=3e-3)


def which_first(places: bool = False) -> Program:
    data = surveys.orders()
    module = WhichFirst(places)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 10, partial(accuracy, module, data))


NODES = Goal("accuracy", at_least=0.85)
CASES = (
    Case(
        "graph-sums-of-neighbours", NODES, graph,
        ("exploding_gradient", "poor_initialization", "learning_rate_too_high", "non_finite"),
        partial(graph, True),
    ),
    Case(
        "clouds-summed-into-tanh", Goal("accuracy", at_least=0.85), clouds,
        ("saturated_activation", "vanishing_gradient"), partial(clouds, "mean"),
    ),
    Case(
        "ratings-by-heart", Goal("R2", at_least=0.5), partial(ratings, 64, 0.3, 0.0),
        ("overfitting",), ratings,
    ),
    Case(
        "ratings-factors-of-zero", Goal("R2", at_least=0.5), partial(ratings, deviation=0.0),
        ("symmetric_weights", "poor_initialization"), ratings,
    ),
    Case(
        "pairs-labelled-zero-and-one", Goal("accuracy", at_least=0.85), same,
        ("output_loss_mismatch", "not_learning"), partial(same, True),
    ),
    Case(
        "orders-without-places", Goal("accuracy", at_least=0.85), which_first,
        ("not_learning", "inconsistent_labels"), partial(which_first, True),
    ),
)  # fmt: skip
