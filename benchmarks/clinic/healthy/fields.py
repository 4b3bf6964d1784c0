"""Programs that learn functions of place, and operators between functions."""

import math
from typing import Any

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


class Siren(LightningModule):
    """A picture as a function of place, through sines; learned from half of its pixels."""

    def __init__(self, omega: float = 8.0) -> None:
        super().__init__()
        self.omega = omega
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in ((2, 64), (64, 64), (64, 3)))
        with torch.no_grad():
            for index, layer in enumerate(self.layers):
                bound = 1 / 2 if index == 0 else math.sqrt(6 / 64) / omega
                layer.weight.uniform_(-bound, bound)

    def forward(self, place: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            place = torch.sin(self.omega * layer(place))
        found: Tensor = self.layers[-1](place)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("psnr", -10 * loss.detach().log10())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def picture() -> Program:
    axis = torch.linspace(-1, 1, 64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    colours = [torch.sin(6 * x * y), torch.cos(5 * (x**2 + y**2)), torch.sin(4 * x + 2 * y)]
    place, colour = torch.stack([x, y], -1).flatten(0, 1), torch.stack(colours, -1).flatten(0, 1)
    order = torch.randperm(4096, generator=torch.Generator().manual_seed(62))
    known, other = order[:2048], order[2048:]
    module = Siren()
    train = DataLoader(TensorDataset(place[known], colour[known]), 128, shuffle=True)
    return Program(
        module, train, None, 25, lambda: explained(outputs(module, place[other]), colour[other])
    )


class Operator(LightningModule):
    """A branch for a function, a trunk for a place; their product is the integral up to there."""

    def __init__(self) -> None:
        super().__init__()
        self.branch, self.trunk = mlp([32, 64, 24], nn.GELU), mlp([1, 64, 64, 24], nn.GELU)
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, curve: Tensor, place: Tensor) -> Tensor:
        pair = torch.einsum("bk,bk->b", self.branch(curve), self.trunk(place)) / 24**0.5
        return pair + self.offset

    def training_step(self, batch: tuple[tuple[Tensor, Tensor], Tensor], batch_idx: int) -> Tensor:
        (curve, place), integral = batch
        loss = F.mse_loss(self(curve, place), integral)
        self.log("mse", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def integrals() -> Program:
    generator = torch.Generator().manual_seed(63)
    time = torch.linspace(0, 1, 32)
    waves = torch.arange(1, 5)
    height = torch.randn(3000, 4, generator=generator)
    curve = height @ torch.cos(math.pi * waves[:, None] * time)
    place = torch.rand(3000, 1, generator=generator)
    integral = (height * torch.sin(math.pi * waves * place) / (math.pi * waves)).sum(1) / 0.26
    inputs = zip(curve[:2400], 2 * place[:2400] - 1, strict=True)
    rows = list(zip(inputs, integral[:2400], strict=True))
    module = Operator()
    train = DataLoader(rows, 32, shuffle=True)  # type: ignore[arg-type]

    def score() -> float:
        with torch.no_grad():
            found = module.eval()(curve[2400:], 2 * place[2400:] - 1)
        return explained(found, integral[2400:])

    return Program(module, train, None, 15, score)


class SpectralLayer(nn.Module):
    """Weights for the lowest frequencies, complex, beside a convolution of one point."""

    def __init__(self, width: int, modes: int) -> None:
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(torch.randn(width, width, modes, dtype=torch.cfloat) / width)
        self.local = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        low = torch.fft.rfft(x, norm="ortho")[..., : self.modes]
        changed = torch.einsum("bik,iok->bok", low, self.weight)
        out: Tensor = torch.fft.irfft(changed, n=x.shape[-1], norm="ortho") + self.local(x)
        return out


class FourierOperator(LightningModule):
    """From a temperature along a ring to that of a moment later."""

    def __init__(self) -> None:
        super().__init__()
        self.lift, self.lower = nn.Conv1d(1, 16, 1), nn.Conv1d(16, 1, 1)
        self.layers = nn.Sequential(SpectralLayer(16, 12), nn.GELU(), SpectralLayer(16, 12))

    def forward(self, before: Tensor) -> Tensor:
        return self.lower(F.gelu(self.layers(self.lift(before[:, None]))))[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        before, after = batch
        error = torch.linalg.vector_norm(self(before) - after, dim=1)
        loss = (error / torch.linalg.vector_norm(after, dim=1)).mean()
        self.log("relative_l2", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=400)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def ring_of_heat() -> Program:
    """It flows on faster where it is hot (Burgers' equation with little viscosity)."""
    generator = torch.Generator().manual_seed(65)
    angle = 2 * math.pi * torch.arange(64) / 64
    waves = torch.arange(1, 5)[:, None] * angle
    basis = torch.cat([waves.sin(), waves.cos()])
    before = torch.randn(1000, 8, generator=generator) @ basis / 2
    after, dx = before, 2 * math.pi / 64
    for _ in range(100):
        up, down = after.roll(-1, 1), after.roll(1, 1)
        flow = (up**2 - down**2) / (4 * dx)
        after = after + 0.002 * (0.2 * (up - 2 * after + down) / dx**2 - flow)
    module = FourierOperator()
    train = DataLoader(TensorDataset(before[:800], after[:800]), 20, shuffle=True)
    return Program(
        module, train, None, 10, lambda: explained(outputs(module, before[800:]), after[800:])
    )


CASES = (
    Case("picture-of-sines", Goal("R2", at_least=0.95), picture),
    Case("integrals-operator", Goal("R2", at_least=0.95), integrals),
    Case("ring-fourier-operator", Goal("R2", at_least=0.95), ring_of_heat),
)
