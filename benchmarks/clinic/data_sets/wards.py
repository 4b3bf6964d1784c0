"""What wards and laboratories measure, made up: smears, radiographs, bloods, bills and bars."""

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split


def _blob(row: Tensor, column: Tensor, radius: Tensor, size: int) -> Tensor:
    """Soft discs, one to a picture."""
    grid = torch.arange(size).float()
    dy, dx = grid[None, :, None] - row[:, None, None], grid[None, None] - column[:, None, None]
    return torch.sigmoid(2.5 * (radius[:, None, None] - (dy**2 + dx**2).sqrt()))


@cache
def smears(
    shares: tuple[float, ...] = (0.25,) * 4, count: int = 1300, size: int = 16, noise: float = 0.1
) -> Samples:
    """Stained cells, RGB from 0 to 1; nuclei are small, large, of two lobes or bent."""
    generator = torch.Generator().manual_seed(101)
    y = torch.multinomial(torch.tensor(shares), count, True, generator=generator)
    u = torch.rand(8, count, generator=generator)
    row, column = size / 2 + 3 * (u[:2] - 0.5)
    angle = 2 * math.pi * u[2]
    cell = _blob(row, column, 5.5 + u[3], size)
    radius = torch.tensor([2.4, 4.0, 2.2, 3.4])[y] + 0.5 * (u[4] - 0.5)
    dy, dx = 2.1 * angle.sin(), 2.1 * angle.cos()
    other = _blob(row - dy, column - dx, torch.full((count,), 2.2), size)
    off = (y == 2).float()
    nucleus = _blob(row + off * dy, column + off * dx, radius, size)
    kinds = y[:, None, None]
    nucleus = torch.where(kinds == 2, torch.maximum(nucleus, other), nucleus)
    nucleus = torch.where(kinds == 3, nucleus * (1 - other), nucleus)
    stain = torch.stack([0.35 + 0.2 * u[5], 0.55 + 0.2 * u[6], 0.15 + 0.1 * u[7]], 1)
    picture = 0.9 - 0.2 * cell[:, None] - stain[..., None, None] * nucleus[:, None]
    picture = picture + noise * torch.randn(picture.shape, generator=generator)
    return split(picture.clamp(0, 1), y)


@cache
def radiographs(count: int = 1200, size: int = 18) -> Samples:
    """Grey pictures as detectors store them, 0 to 65,535, and whether a shadow is in the lung."""
    generator = torch.Generator().manual_seed(102)
    y = torch.randint(2, (count,), generator=generator)
    u = torch.rand(5, count, generator=generator)
    grid = torch.arange(size).float()
    ribs = torch.sin(grid[None, :, None] * 1.3 + 0.15 * grid[None, None] + 6 * u[0, :, None, None])
    shadow = _blob(5 + 8 * u[1], 4 + 10 * u[2], 1.8 + 0.8 * u[3], size)
    picture = 0.45 + 0.1 * ribs + 0.08 * (u[4, :, None, None] - 0.5)
    picture = picture + 0.2 * y[:, None, None] * shadow
    picture = picture + 0.06 * torch.randn(picture.shape, generator=generator)
    return split((65535 * picture.clamp(0, 1)).round()[:, None], y)


@cache
def bloods(count: int = 4000, base: float = -1.2) -> Samples:
    """Age, sodium, potassium, creatinine, platelets, CRP, degrees, pressure: who comes back."""
    generator = torch.Generator().manual_seed(103)
    z = torch.randn(count, 8, generator=generator)
    z[:, 3] = 0.8 * z[:, 3] + 0.5 * z[:, 0]
    columns = [
        62 + 15 * z[:, 0], 139 + 4 * z[:, 1], 4.2 + 0.5 * z[:, 2], (0.4 * z[:, 3]).exp(),
        250_000 + 70_000 * z[:, 4], (2 + 1.1 * z[:, 5]).exp(), 37 + 0.7 * z[:, 6],
        125 + 18 * z[:, 7],
    ]  # fmt: skip
    risk = base + 0.9 * z[:, 0] + 0.9 * z[:, 3] + 0.8 * z[:, 1].abs() + 0.9 * z[:, 5]
    risk = risk + 0.8 * z[:, 6] * z[:, 5].clamp(min=0) - 0.4 * z[:, 7]
    y = (torch.rand(count, generator=generator) < risk.sigmoid()).long()
    return split(torch.stack(columns, 1), y)


def bloods_scaled(base: float = -1.2) -> Samples:
    """The same, creatinine and CRP as logarithms and all columns standardised."""
    data = bloods(base=base)
    parts = []
    for x in (data.x, data.x_test):
        x = x.clone()
        x[:, [3, 5]] = x[:, [3, 5]].log()
        parts.append(x)
    mean, deviation = parts[0].mean(0), parts[0].std(0)
    return data.with_inputs(*((x - mean) / deviation for x in parts))


@cache
def collisions(count: int = 8000, features: int = 12) -> Samples:
    """Standardised features of collisions, and which are signal: radii and products say so."""
    generator = torch.Generator().manual_seed(104)
    x = torch.randn(count, features, generator=generator)
    score = 1.6 * x[:, 0] * x[:, 1] + 1.2 * (x[:, 2] ** 2 - x[:, 3] ** 2) + 1.3 * x[:, 4] * x[:, 5]
    y = (torch.rand(count, generator=generator) < (1.5 * score).sigmoid()).long()
    return split(x, y)


class Incomes(NamedTuple):
    """Numbers of levels of three columns, four standardised numbers, who earns more."""

    levels: Tensor
    numbers: Tensor
    more: Tensor


LEVELS = (9, 16, 42)


@cache
def incomes(count: int = 16_000) -> Incomes:
    generator = torch.Generator().manual_seed(105)
    levels = torch.stack([torch.randint(n, (count,), generator=generator) for n in LEVELS], 1)
    numbers = torch.randn(count, 4, generator=generator)
    worth = [torch.randn(n, generator=generator)[levels[:, i]] for i, n in enumerate(LEVELS)]
    risk = -1.2 + sum(worth) + numbers[:, 0] - 0.6 * numbers[:, 0] ** 2 + 0.7 * numbers[:, 1]
    return Incomes(
        levels, numbers, (torch.rand(count, generator=generator) < risk.sigmoid()).long()
    )


@cache
def bills(count: int = 4000) -> Samples:
    """Seven standardised features of stays, and their bills in thousands: most small, few huge."""
    generator = torch.Generator().manual_seed(106)
    x = torch.randn(count, 7, generator=generator)
    rate = (1.2 + 0.5 * x[:, 0] + 0.3 * x[:, 1] * x[:, 2] + 0.3 * x[:, 3].abs()).exp()
    y = rate * _gamma(count, 3)
    return split(x, y)


def _gamma(count: int, shape: int) -> Tensor:
    """Draws of mean 1, of a whole ``shape``."""
    generator = torch.Generator().manual_seed(107)
    uniform = torch.rand(shape, count, generator=generator).clamp(min=1e-6)
    return -uniform.log().mean(0)


@cache
def ages(count: int = 3000) -> Samples:
    """Ten markers of the blood, and how old somebody is: 18 to 90 years."""
    generator = torch.Generator().manual_seed(108)
    y = 18 + 72 * torch.rand(count, generator=generator)
    share = (y - 54) / 21
    slope = torch.randn(10, generator=generator)
    bend = torch.randn(10, generator=generator)
    x = torch.tanh(share[:, None] * slope + bend) + 0.3 * torch.randn(
        count, 10, generator=generator
    )
    return split((x - x.mean(0)) / x.std(0), y)


@cache
def bars(count: int = 1400, size: int = 14) -> Samples:
    """Pictures of one bar each, and cosine and sine of twice its angle."""
    generator = torch.Generator().manual_seed(109)
    angle = math.pi * torch.rand(count, generator=generator)
    shift = 2 * torch.rand(count, generator=generator) - 1
    grid = torch.arange(size).float() - (size - 1) / 2
    across = (
        grid[None, None] * angle.sin()[:, None, None]
        - grid[None, :, None] * angle.cos()[:, None, None]
    )
    x = torch.exp(-((across - shift[:, None, None]) ** 2) / 2)
    x = x + 0.03 * torch.randn(x.shape, generator=generator)
    return split(x[:, None], torch.stack([(2 * angle).cos(), (2 * angle).sin()], 1))


@cache
def fields(count: int = 700, size: int = 24, most: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    """Grey fields of cells, a map that sums to how many there are, and that number."""
    generator = torch.Generator().manual_seed(110)
    number = torch.randint(most + 1, (count,), generator=generator)
    picture, density = torch.zeros(2, count, size, size)
    for k in range(most):
        u = torch.rand(3, count, generator=generator)
        row, column = 3 + (size - 7) * u[:2]
        there = (number > k).float()[:, None, None]
        cell = _blob(row, column, 1.6 + 0.8 * u[2], size)
        picture = torch.maximum(picture, there * (0.5 + 0.4 * u[2])[:, None, None] * cell)
        spot = _blob(row, column, torch.full((count,), 1.5), size)
        density = density + there * spot / spot.sum((1, 2), keepdim=True)
    picture = picture + 0.1 * torch.randn(picture.shape, generator=generator)
    return picture[:, None], density[:, None], number.float()
