"""What a bench of instruments measures, made up: light curves, spectra, atoms, nuclei, spikes."""

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from data_sets.samples import Samples, scaled_targets, split, standardized


@cache
def light_curves(count: int = 3000, share: float = 1.0, noise: float = 0.3) -> Samples:
    """Brightness of stars; before some passes a planet: whether, how deep, how long."""
    draw = torch.Generator().manual_seed(201)
    u, time = torch.rand(5, count, 1, generator=draw), torch.arange(64.0)
    passes = (u[0] < share).float()
    depth, width = 0.8 + 1.2 * u[1], 4 + 8 * u[2]
    dip = torch.sigmoid(2 * (width - (time - 16 - 32 * u[3]).abs()))
    x = 0.3 * torch.sin(time / 12 + 6.3 * u[4]) - passes * depth * dip
    x = x + noise * torch.randn(x.shape, generator=draw)
    return split(x[:, None], torch.cat([passes, (depth - 1.4) / 0.35, (width - 8) / 2.3], 1))


class Patients(NamedTuple):
    """Measures of each, the interval in which they were last seen, and whether they died."""

    x: Tensor
    interval: Tensor
    died: Tensor


@cache
def patients(count: int = 3000, base: float = 0.0) -> Patients:
    """Years are cut into ten intervals; many leave the study alive, more by a higher base."""
    draw = torch.Generator().manual_seed(202)
    x = torch.randn(count, 8, generator=draw)
    risk = x[:, 0] + 0.8 * x[:, 1] * (x[:, 2] > 0) + 0.6 * x[:, 3].abs()
    life = -torch.rand(count, generator=draw).log() * 6 * torch.exp(base - risk)
    left = -torch.rand(count, generator=draw).log() * 7
    time = torch.minimum(torch.minimum(life, left), torch.tensor(9.99))
    return Patients(x, time.long(), (life <= time).float())


def concordance(risk: Tensor, known: Patients) -> float:
    """Share of the pairs, of whom one died earlier, whose risks are in that order."""
    pair = (known.interval[:, None] < known.interval) & (known.died[:, None] > 0)
    return (risk[:, None] > risk)[pair].float().mean().item()


@cache
def spectra() -> Samples:
    """Two lines of a gas, their heights and widths by its density and temperature."""
    draw = torch.Generator().manual_seed(203)
    y = torch.randn(2500, 2, generator=draw)
    grid, width = torch.linspace(-5, 5, 120), 0.5 * torch.exp(0.3 * y[:, :1])
    lines = torch.exp(-(((grid + 1.5) / width) ** 2)) + 0.6 * torch.exp(
        -(((grid - 2 - 0.2 * y[:, 1:]) / width) ** 2)
    )
    x = torch.exp(0.4 * y[:, 1:]) * lines + 0.05 * torch.randn(2500, 120, generator=draw)
    return split(x, y)


@cache
def clusters_of_atoms(count: int = 1200) -> tuple[Tensor, Tensor, Tensor]:
    """Places of five atoms, the energy of their Morse bonds, and the forces."""
    draw = torch.Generator().manual_seed(204)
    corners = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1.0]])
    places = 1.3 * corners + 0.2 * torch.randn(count, 5, 3, generator=draw)
    places.requires_grad_()
    i, j = torch.triu_indices(5, 5, 1)
    r = (places[:, i] - places[:, j]).norm(dim=2)
    energy = (0.5 * (1 - torch.exp(-1.2 * (r - 1.4))) ** 2).sum(1)
    (slope,) = torch.autograd.grad(energy.sum(), places)
    energy, deviation = energy.detach(), energy.detach().std()
    return places.detach(), (energy - energy.mean()) / deviation, -slope / deviation


@cache
def nuclei(count: int = 500, size: int = 24) -> tuple[Tensor, Tensor]:
    """Micrographs of two to five nuclei, and which pixels are of them."""
    draw = torch.Generator().manual_seed(205)
    u, grid = torch.rand(4, count, 5, 1, 1, generator=draw), torch.arange(size).float()
    far = ((grid[:, None] - size * u[0]) ** 2 + (grid - size * u[1]) ** 2).sqrt()
    there = (torch.arange(5)[:, None, None] < 2 + 4 * u[3][:, :1]).float()
    mask = (((far < 2 + 2.5 * u[2]) * there).amax(1, keepdim=True) > 0).float()
    light = 0.25 + 0.35 * F.avg_pool2d(mask, 3, 1, 1)
    return (light + 0.12 * torch.randn(mask.shape, generator=draw)).clamp(0, 1), mask


@cache
def surface() -> Samples:
    """A potential of three wells, at places that were measured."""
    draw = torch.Generator().manual_seed(206)
    place = 3 * torch.rand(600, 2, generator=draw) - 1.5
    x, y = place.T
    wells = [(-0.8, 0.9, -2.0), (0.7, -0.6, -1.6), (0.1, 0.6, -0.9)]
    v = 0.3 * (x**2 + y**2)
    for a, b, depth in wells:
        v = v + depth * torch.exp(-3 * ((x - a) ** 2 + (y - b) ** 2))
    return scaled_targets(split(place, v + 0.02 * torch.randn(600, generator=draw)))


@cache
def spikes() -> Samples:
    """How often a neuron fires, twenty steps of a stimulus before."""
    draw = torch.Generator().manual_seed(207)
    lags = torch.arange(20.0)
    kernel = 0.9 * torch.exp(-lags / 5) * torch.sin(lags / 3)
    x = torch.randn(8019, generator=draw).unfold(0, 20, 1)
    return split(x, torch.poisson(torch.exp(x @ kernel - 0.7), generator=draw).float())


@cache
def animals() -> Samples:
    """A few mice: five measures each, and their response to a dose."""
    draw = torch.Generator().manual_seed(208)
    x = torch.randn(130, 5, generator=draw)
    y = 1.5 * torch.tanh(x[:, 0]) + 0.8 * x[:, 1] - 0.5 * x[:, 2]
    data = split(x, y + 0.25 * torch.randn(130, generator=draw), train=0.55)
    return scaled_targets(standardized(data))
