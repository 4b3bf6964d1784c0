"""Programs of physics: energies, trajectories and forces."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def explained(found: Tensor, wanted: Tensor) -> float:
    """Share of the variance, over all that is predicted."""
    return (1 - (found - wanted).square().mean() / wanted.var()).item()


class Hamiltonian(LightningModule):
    """Learns an energy, whose slopes are the motion; also evaluated with gradients on."""

    def __init__(self) -> None:
        super().__init__()
        self.energy = mlp([2, 64, 64, 1], nn.Softplus)

    @torch.enable_grad()
    def forward(self, state: Tensor) -> Tensor:
        state = state.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.energy(state).sum(), state, create_graph=True)
        return torch.stack([slope[:, 1], -slope[:, 0]], 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("derivative_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_derivative_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def pendulum() -> Program:
    generator = torch.Generator().manual_seed(60)
    state = 2 * torch.rand(1600, 2, generator=generator) - 1
    state = state * torch.tensor([2.5, 1.5])
    motion = torch.stack([state[:, 1], -torch.sin(state[:, 0])], 1)
    measured = motion + 0.05 * torch.randn(1600, 2, generator=generator)
    train = TensorDataset(state[:1200], measured[:1200])
    unseen = TensorDataset(state[1200:], measured[1200:])
    module = Hamiltonian()
    return Program(
        module, DataLoader(train, 32, shuffle=True), DataLoader(unseen, 400), 12,
        lambda: explained(module(state[1200:]).detach(), motion[1200:]),
    )  # fmt: skip


class Trajectory(NamedTuple):
    """Where it begins, and twenty places after."""

    start: Tensor
    path: Tensor


class OrdinaryDifferential(LightningModule):
    """A field that is followed for twenty steps of Heun's rule; one loss over the whole path."""

    def __init__(self) -> None:
        super().__init__()
        self.field = mlp([2, 48, 48, 2], nn.Tanh)

    def forward(self, start: Tensor, steps: int = 20, dt: float = 0.1) -> Tensor:
        states = [start]
        for _ in range(steps):
            here = states[-1]
            slope = self.field(here)
            states.append(here + dt / 2 * (slope + self.field(here + dt * slope)))
        return torch.stack(states[1:], 1)

    def training_step(self, batch: Trajectory, batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch.start), batch.path, beta=0.1)
        self.log("path_loss", loss, batch_size=len(batch.start))
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.NAdam(self.parameters(), lr=0.01)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule}}


def spirals() -> Program:
    """Turning inwards about the origin, faster near to it."""
    generator = torch.Generator().manual_seed(61)
    start = 2 * torch.rand(700, 2, generator=generator) - 1
    states, here = [], start
    for _ in range(200):
        speed = 1.5 / (0.5 + here.square().sum(1, keepdim=True))
        turned = torch.stack([-here[:, 1], here[:, 0]], 1)
        here = here + 0.01 * (speed * turned - 0.3 * here)
        states.append(here)
    path = torch.stack(states[9::10], 1)
    noisy = path + 0.02 * torch.randn(path.shape, generator=generator)
    rows = [Trajectory(*row) for row in zip(start[:500], noisy[:500], strict=True)]
    module = OrdinaryDifferential()
    train = DataLoader(rows, 25, shuffle=True)  # type: ignore[arg-type]
    return Program(
        module, train, None, 20, lambda: explained(outputs(module, start[500:]), path[500:])
    )


class Interactions(LightningModule):
    """Charges push and pull each other: a message for each pair, summed over the others."""

    def __init__(self) -> None:
        super().__init__()
        self.message = mlp([6, 64, 64, 32], nn.SiLU)
        self.update = mlp([33, 64, 2], nn.SiLU)

    def forward(self, place: Tensor, charge: Tensor) -> Tensor:
        gap = place[:, :, None] - place[:, None]
        distance = gap.square().sum(-1, keepdim=True)
        shape = distance.shape
        pair = [charge[:, :, None, None].expand(shape), charge[:, None, :, None].expand(shape)]
        told = self.message(torch.cat([gap, distance, *pair, pair[0] * pair[1]], -1))
        others = ~torch.eye(place.shape[1], dtype=torch.bool)
        told = (told * others[..., None]).sum(2)
        found: Tensor = self.update(torch.cat([told, charge[..., None]], -1))
        return found

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        force = self(batch["place"], batch["charge"])
        loss = (force - batch["force"]).abs().mean()
        self.log("force_mae", loss)
        return {"loss": loss}

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        force = self(batch["place"], batch["charge"])
        self.log("test_force_mae", (force - batch["force"]).abs().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, amsgrad=True)


def charges() -> Program:
    generator = torch.Generator().manual_seed(64)
    place = torch.randn(1200, 4, 2, generator=generator)
    charge = 2.0 * torch.randint(2, (1200, 4), generator=generator) - 1
    gap = place[:, :, None] - place[:, None]
    product = (charge[:, :, None] * charge[:, None])[..., None]
    force = (product * gap / (gap.square().sum(-1, keepdim=True) + 0.5)).sum(2)
    force = force / force.std()
    rows = [
        {"place": a, "charge": b, "force": c} for a, b, c in zip(place, charge, force, strict=True)
    ]
    module = Interactions()
    train = DataLoader(rows[:900], 30, shuffle=True)  # type: ignore[arg-type]
    unseen = DataLoader(rows[900:], 150)  # type: ignore[arg-type]

    def score() -> float:
        with torch.no_grad():
            return explained(module.eval()(place[900:], charge[900:]), force[900:])

    return Program(module, train, unseen, 15, score)


CASES = (
    Case("pendulum-hamiltonian", Goal("R2", at_least=0.95), pendulum),
    Case("spirals-neural-equation", Goal("R2", at_least=0.95), spirals),
    Case("charges-interacting", Goal("R2", at_least=0.9), charges),
)
