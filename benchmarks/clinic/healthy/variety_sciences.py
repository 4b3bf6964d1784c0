"""Equations, molecules, sets and tissues: networks that know a law or a shape of data."""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Oscillator(LightningModule):
    """y'' + 0.4 y' + 4 y = 0 from y = 1 at rest; both conditions are built into the output."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 1)
        )

    def forward(self, t: Tensor) -> Tensor:
        return 1 + (1 - (-t).exp()).square() * self.net(t - 2.5)

    def residual(self, t: Tensor) -> Tensor:
        t = t.requires_grad_()
        y = self(t)
        (dy,) = torch.autograd.grad(y.sum(), t, create_graph=True)
        (d2y,) = torch.autograd.grad(dy.sum(), t, create_graph=True)
        return d2y + 0.4 * dy + 4 * y

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.residual(batch[0]).square().mean()
        self.log("physics", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.985)
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def oscillator() -> Program:
    generator = torch.Generator().manual_seed(0)
    times = TensorDataset(5 * torch.rand(640, 1, generator=generator))
    module = Oscillator()

    @torch.no_grad()
    def score() -> float:
        t = torch.linspace(0, 5, 200)[:, None]
        turns = math.sqrt(4 - 0.04)
        exact = (-0.2 * t).exp() * ((turns * t).cos() + 0.2 / turns * (turns * t).sin())
        return (module(t) - exact).abs().max().item()

    return Program(module, DataLoader(times, 64, shuffle=True), None, 200, score)


def pendulums(count: int, steps: int, seed: int) -> Tensor:
    """Angle and speed of damped pendulums, every tenth of a second."""
    generator = torch.Generator().manual_seed(seed)
    state = torch.rand(count, 2, generator=generator) * torch.tensor([4.0, 3.0])
    state = state - torch.tensor([2.0, 1.5])
    path = [state]
    for _ in range(steps):
        for _ in range(20):
            pull = -4 * state[:, 0].sin() - 0.3 * state[:, 1]
            state = state + 0.005 * torch.stack([state[:, 1], pull], 1)
        path.append(state)
    return torch.stack(path, 1)


class VectorField(LightningModule):
    """What moves the pendulum? Eight midpoint steps go into each gradient."""

    def __init__(self, hidden: int = 48) -> None:
        super().__init__()
        self.field = nn.Sequential(
            nn.Linear(2, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, 2),
        )  # fmt: skip

    def forward(self, state: Tensor, steps: int) -> Tensor:
        path = [state]
        for _ in range(steps):
            halfway = state + 0.05 * self.field(state)
            state = state + 0.1 * self.field(halfway)
            path.append(state)
        return torch.stack(path, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        path = batch[0]
        loss = F.mse_loss(self(path[:, 0], 8), path)
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        path = batch[0]
        self.log("val_mse", F.mse_loss(self(path[:, 0], path.shape[1] - 1), path))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def vector_field() -> Program:
    train = pendulums(150, 32, 0).unfold(1, 9, 4).transpose(2, 3).flatten(0, 1)
    test = pendulums(100, 32, 1)
    module = VectorField()

    @torch.no_grad()
    def score() -> float:
        return (1 - F.mse_loss(module(test[:, 0], 32), test) / test.var()).item()

    batches = DataLoader(TensorDataset(train), 50, shuffle=True)
    return Program(module, batches, DataLoader(TensorDataset(test), 100), 30, score)


class Molecules(NamedTuple):
    """Atoms, which of them are bound, and the energy of all."""

    kinds: Tensor
    bonds: Tensor
    energy: Tensor


def molecules(count: int = 1600, atoms: int = 9) -> Molecules:
    """Chains with a few rings; energies of bonds, and of what hangs on both ends of one."""
    g = torch.Generator().manual_seed(5)
    kinds = torch.randint(4, (count, atoms), generator=g)
    bonds = torch.zeros(count, atoms, atoms)
    for atom in range(1, atoms):
        back = (torch.rand(count, generator=g) * min(atom, 3)).long() + 1
        bonds[torch.arange(count), atom, atom - back] = 1
    rings = torch.randint(atoms, (count, 2), generator=g)
    bonds[torch.arange(count), rings[:, 0], rings[:, 1]] = 1
    bonds = ((bonds + bonds.mT) > 0).float() * (1 - torch.eye(atoms))
    table = torch.randn(4, 4, generator=g)
    pairs = (table + table.T)[kinds[:, :, None], kinds[:, None]]
    degrees = bonds.sum(2)
    strain = (degrees - 2).clamp(min=0) * (kinds == 1)
    energy = 0.5 * (pairs * bonds).sum((1, 2)) + 1.5 * strain.sum(1)
    return Molecules(kinds, bonds, (energy - energy.mean()) / energy.std())


class MessagePassing(LightningModule):
    """Three rounds of messages along bonds; a gated cell keeps each atom's state."""

    def __init__(self, width: int = 40) -> None:
        super().__init__()
        self.embed = nn.Embedding(4, width)
        self.message = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU())
        self.cell = nn.GRUCell(width, width)
        self.readout = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, kinds: Tensor, bonds: Tensor) -> Tensor:
        h = self.embed(kinds)
        atoms = h.shape[1]
        for _ in range(3):
            pairs = torch.cat(
                [h[:, :, None].expand(-1, -1, atoms, -1), h[:, None].expand(-1, atoms, -1, -1)], -1
            )
            heard = (self.message(pairs) * bonds[..., None]).sum(2)
            h = self.cell(heard.flatten(0, 1), h.flatten(0, 1)).view_as(h)
        energy: Tensor = self.readout(h).sum((1, 2)) / 3
        return energy

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        kinds, bonds, energy = batch
        loss = F.smooth_l1_loss(self(kinds, bonds), energy)
        self.log("train_huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        kinds, bonds, energy = batch
        self.log("val_mae", F.l1_loss(self(kinds, bonds), energy))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 6, 0.5)
        return [optimizer], [schedule]


def message_passing() -> Program:
    data = molecules()
    module = MessagePassing()

    @torch.no_grad()
    def score() -> float:
        error = F.mse_loss(module(data.kinds[1200:], data.bonds[1200:]), data.energy[1200:])
        return (1 - error / data.energy[1200:].var()).item()

    train = TensorDataset(*(column[:1200] for column in data))
    test = TensorDataset(*(column[1200:] for column in data))
    return Program(module, DataLoader(train, 32, shuffle=True), DataLoader(test, 200), 22, score)


def bags(count: int = 2400, size: int = 12) -> Samples:
    """Sets of numbers of many lengths; how far do they spread? Absent ones are marked."""
    g = torch.Generator().manual_seed(7)
    values = torch.randn(count, size, generator=g) * (0.3 + torch.rand(count, 1, generator=g))
    values = values + torch.randn(count, 1, generator=g)
    there = torch.arange(size) < torch.randint(4, size + 1, (count, 1), generator=g)
    mean = (values * there).sum(1, keepdim=True) / there.sum(1, keepdim=True)
    spread = ((values - mean).square() * there).sum(1) / there.sum(1)
    x = torch.stack([values * there, there.float()], 2)
    return Samples(x[:1600], spread.sqrt()[:1600], x[1600:], spread.sqrt()[1600:])


class DeepSets(LightningModule):
    """Zaheer et al.: elements apart, their mean, then the whole."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.rho = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        values, there = x[..., :1], x[..., 1:]
        pooled = (self.phi(values) * there).sum(1) / there.sum(1)
        spread: Tensor = self.rho(pooled)[:, 0]
        return spread

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.mse_loss(self(batch[0]), batch[1])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_rmse", F.mse_loss(self(batch[0]), batch[1]).sqrt())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.NAdam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 45)]


def deep_sets() -> Program:
    data = bags()
    module = DeepSets()
    return Program(module, *loaders(data, 32), 45, lambda: r2(module, data))


class Rings(NamedTuple):
    """Times, what the circuit is like, and its voltage."""

    t: Tensor
    circuit: Tensor
    volts: Tensor


def ringing_circuits(count: int, seed: int) -> Rings:
    g = torch.Generator().manual_seed(seed)
    t = torch.rand(count, 24, 1, generator=g)
    circuit = 2 * torch.rand(count, 3, generator=g) - 1
    speed, damping, phase = (circuit[:, None, i : i + 1] for i in range(3))
    volts = (-(1.5 + damping) * t).exp() * ((7 + 3 * speed) * t + 1.5 * phase).sin()
    return Rings(2 * t - 1, circuit, volts + 0.02 * torch.randn(volts.shape, generator=g))


class Modulated(LightningModule):
    """One network of time; another says how each of its layers is stretched and moved (FiLM)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.stem = nn.Linear(1, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.film = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 4 * width))
        self.head = nn.Linear(width, 1)

    def forward(self, t: Tensor, circuit: Tensor) -> Tensor:
        h = torch.sin(3 * self.stem(t))
        told = self.film(circuit)[:, None].chunk(4, -1)
        for layer, stretch, shift in zip(self.layers, told[:2], told[2:], strict=True):
            h = h + F.silu(layer(h) * (1 + stretch) + shift)
        volts: Tensor = self.head(h)
        return volts

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        t, circuit, volts = batch
        loss = F.mse_loss(self(t, circuit), volts)
        self.log("mse", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 3e-3, total_steps=int(self.trainer.estimated_stepping_batches)
        )
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}
        }  # fmt: skip


def modulated() -> Program:
    train, test = ringing_circuits(1500, 0), ringing_circuits(400, 1)
    module = Modulated()

    @torch.no_grad()
    def score() -> float:
        error = F.mse_loss(module(test.t, test.circuit), test.volts)
        return (1 - error / test.volts.var()).item()

    return Program(module, DataLoader(TensorDataset(*train), 32, shuffle=True), None, 35, score)


class Surface(LightningModule):
    """A smooth surface of 300 soundings; the quasi-Newton method sees all of them each time."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        depth: Tensor = self.net(x)[:, 0]
        return depth

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        misfit = F.mse_loss(self(batch[0]), batch[1])
        size = sum(p.square().sum() for p in self.parameters())
        return misfit + 1e-5 * size

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(
            self.parameters(), lr=1.0, max_iter=8, history_size=20, line_search_fn="strong_wolfe"
        )


def soundings() -> Samples:
    g = torch.Generator().manual_seed(11)
    x = 2 * torch.rand(900, 2, generator=g) - 1
    y = torch.sin(3 * x[:, 0]) * torch.cos(2 * x[:, 1]) + 0.5 * x.prod(1)
    y = y + 0.03 * torch.randn(900, generator=g)
    return Samples(x[:500], y[:500], x[500:], y[500:])


def surface() -> Program:
    data = soundings()
    module = Surface()
    whole = DataLoader(TensorDataset(data.x, data.y), 500)
    return Program(module, whole, None, 80, lambda: r2(module, data))


CASES = (
    Case("spring-that-dies-away-by-its-equation", Goal("error", at_most=0.03), oscillator),
    Case("pendulums-by-half-steps-of-a-field", Goal("R2", at_least=0.95), vector_field),
    Case("bonds-and-strain-by-gated-messages", Goal("R2", at_least=0.95), message_passing),
    Case("spread-of-any-number-of-values", Goal("R2", at_least=0.95), deep_sets),
    Case("circuits-ring-stretched-and-moved", Goal("R2", at_least=0.97), modulated),
    Case("soundings-by-a-line-search", Goal("R2", at_least=0.97), surface),
)
