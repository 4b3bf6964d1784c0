"""Programs on what instruments measure, and on what physics says of it."""

import copy
import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import fabricated
from data_sets.samples import loaders, split, standardized
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp, sgd
from programs import classification, regression
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def wells_slowly() -> Program:
    """Plain gradient descent; every layer is normalised."""
    network = mlp([6, 64, 64, 1], nn.ReLU, norm=nn.LayerNorm)
    return regression(
        standardized(fabricated.wells()), network, sgd(0.02), batch_size=32, epochs=30
    )


class Blocks(nn.Module):
    """Twenty blocks of two layers, the second zero at first."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.inlet, self.outlet = nn.Linear(2, width), nn.Linear(width, 2)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
            )
            for _ in range(20)
        )
        for block in self.blocks:
            nn.init.zeros_(block[-1].weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inlet(x)
        for block in self.blocks:
            x = x + block(x)
        out: Tensor = self.outlet(x)
        return out


def arms() -> Program:
    data = fabricated.spirals(1200, 1.25, 0.05)
    optimizer = partial(torch.optim.AdamW, lr=1e-3, weight_decay=0.02)
    cosine = partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=420)
    module = LitClassifier(Blocks(), optimizer, scheduler=cosine)
    return Program(module, *loaders(data, 64), 30, partial(accuracy, module, data))


class Fleet(LightningModule):
    """Deep Q-learning: keep a cart's speed near 0 by pushing left, right or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.q = mlp([2, 64, 64, 3])
        self.target = copy.deepcopy(self.q).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        values: Tensor = self.q(x)
        return values

    @staticmethod
    def move(state: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        place, speed = state.unbind(1)
        speed = (0.95 * speed + 0.25 * (action - 1) - 0.05 * place.sin()).clamp(-1.5, 1.5)
        place = (place + 0.3 * speed).clamp(-2, 2)
        return torch.stack([place, speed], 1), -place.square() - 0.1 * speed.square()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        state, action = batch
        new, reward = self.move(state, action)
        with torch.no_grad():
            best = self.q(new).argmax(1, keepdim=True)
            goal = reward + 0.9 * self.target(new).gather(1, best).squeeze(1)
        loss = F.smooth_l1_loss(self.q(state).gather(1, action[:, None]).squeeze(1), goal)
        self.log("td", loss)
        if self.global_step % 100 == 0:
            self.target.load_state_dict(self.q.state_dict())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)

    @torch.no_grad()
    def drive(self) -> float:
        """Mean reward of thirty steps from many places."""
        state = torch.cartesian_prod(torch.linspace(-2, 2, 9), torch.linspace(-1, 1, 5))
        total = torch.zeros(len(state))
        for _ in range(30):
            state, reward = self.move(state, self.q(state).argmax(1))
            total += reward / 30
        return total.mean().item()


def fleet(count: int = 6400) -> Program:
    """All moves were driven at random, before."""
    generator = torch.Generator().manual_seed(84)
    low, wide = torch.tensor([-2.0, -1.5]), torch.tensor([4.0, 3.0])
    state = low + wide * torch.rand(count, 2, generator=generator)
    action = torch.randint(3, (count,), generator=generator)
    module = Fleet()
    train = DataLoader(TensorDataset(state, action), 64, shuffle=True)
    return Program(module, train, None, 12, module.drive)


class Cooling(LightningModule):
    """The heat equation on a rod whose ends are cold, by its residual at drawn points."""

    def __init__(self) -> None:
        super().__init__()
        self.u = mlp([2, 32, 32, 32, 1], nn.Tanh)

    def forward(self, points: Tensor) -> Tensor:
        x = points[:, :1]
        out: Tensor = torch.sin(math.pi * x) + points[:, 1:] * x * (1 - x) * self.u(points)
        return out

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        points = batch[0].requires_grad_()
        u = self(points)
        (slope,) = torch.autograd.grad(u.sum(), points, create_graph=True)
        (bend,) = torch.autograd.grad(slope[:, 0].sum(), points, create_graph=True)
        loss = (slope[:, 1] - 0.2 * bend[:, 0]).square().mean()
        self.log("residual", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)]


def cooling() -> Program:
    generator = torch.Generator().manual_seed(85)
    points = torch.rand(3200, 2, generator=generator)
    module = Cooling()

    def error() -> float:
        exact = torch.exp(-0.2 * math.pi**2 * points[:, 1]) * torch.sin(math.pi * points[:, 0])
        return (outputs(module, points)[:, 0] - exact).abs().mean().item()

    return Program(module, DataLoader(TensorDataset(points), 64, shuffle=True), None, 16, error)


class Attending(nn.Module):
    """Graph attention on dense neighbourhoods; a sample is a molecule-like graph."""

    def __init__(self, features: int, width: int = 32) -> None:
        super().__init__()
        self.lift = nn.Linear(features, width)
        self.mix = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(3))
        self.score = nn.ModuleList(nn.Linear(width, 2, bias=False) for _ in range(3))
        self.norm = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.read = nn.Linear(width, 1)

    def forward(self, both: Tensor) -> Tensor:
        nodes = both.shape[1]
        x, links = self.lift(both[..., nodes:]), both[..., :nodes] + torch.eye(nodes)
        for mix, score, norm in zip(self.mix, self.score, self.norm, strict=True):
            y = mix(norm(x))
            a, b = score(y).split(1, -1)
            weight = F.leaky_relu(a + b.mT, 0.2).masked_fill(links == 0, -torch.inf).softmax(-1)
            x = x + F.elu(weight @ y)
        out: Tensor = self.read(x).sum(1)
        return out


def molecules(count: int = 1500, nodes: int = 9) -> Program:
    """A graph's energy hangs on each node's kind and on which kinds are linked."""
    generator = torch.Generator().manual_seed(86)
    kind = torch.randint(4, (count, nodes), generator=generator)
    upper = (torch.rand(count, nodes, nodes, generator=generator) < 0.3).float().triu(1)
    links = upper + upper.mT
    own = torch.tensor([0.5, -0.3, 1.0, -1.0])
    charge = own[kind]
    mean = (links @ charge[..., None]).squeeze(2) / links.sum(2).clamp(min=1)
    energy = (charge + 1.5 * charge * mean).sum(1)
    energy = (energy - energy.mean()) / energy.std()
    energy = energy + 0.1 * torch.randn(count, generator=generator)
    data = split(torch.cat([links, F.one_hot(kind, 4).float()], 2), energy)
    return regression(data, Attending(4), adam(2e-3), batch_size=32, epochs=20)


def ordinary_too() -> Program:
    """Classes of 70, 20 and 10 in a hundred, which the network tells apart all the same."""
    data = fabricated.pulses((0.7, 0.2, 0.1), 2000, 0.3)
    network = nn.Sequential(
        nn.Conv1d(1, 24, 11, stride=2), nn.BatchNorm1d(24), nn.ReLU(),
        nn.Conv1d(24, 24, 7, stride=2), nn.BatchNorm1d(24), nn.ReLU(),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(24, 3),
    )  # fmt: skip
    optimizer = partial(torch.optim.RMSprop, lr=2e-3)
    return classification(data, network, optimizer, batch_size=32, epochs=10)


CASES = (
    Case("wells-plain-descent", Goal("R2", at_least=0.9), wells_slowly),
    Case("spirals-twenty-blocks", Goal("accuracy", at_least=0.93), arms),
    Case("cart-deep-q-offline", Goal("reward", at_least=-0.6), fleet),
    Case("rod-cooling-by-its-equation", Goal("mean error", at_most=0.02), cooling),
    Case("molecules-graph-attention", Goal("R2", at_least=0.85), molecules),
    Case("pulses-seventy-twenty-ten", Goal("accuracy", at_least=0.92), ordinary_too),
)
