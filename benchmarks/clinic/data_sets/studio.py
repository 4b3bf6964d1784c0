"""What a teaching assistant hands out: small pictures of clothes, loans, flats and bottles."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

KINDS = 6


def _masks(x: Tensor, y: Tensor) -> Tensor:
    """Shirt, trousers, dress, shoe, bag and coat over coordinates from about -1 to 1."""
    wide, high = x.abs(), y.abs()
    shirt = ((wide < 0.42) & (high < 0.7)) | ((wide < 0.85) & (y > -0.7) & (y < -0.25))
    trousers = (wide < 0.45) & (high < 0.8) & ~((wide < 0.12) & (y > -0.35))
    dress = (high < 0.85) & (wide < 0.18 + 0.28 * (y + 0.85))
    shoe = ((wide < 0.8) & (y > 0.1) & (y < 0.6)) | ((x > -0.8) & (x < -0.2) & (high < 0.45))
    radius = (x.square() + (y + 0.1).square()).sqrt()
    bag = ((wide < 0.65) & (y > -0.1) & (y < 0.7)) | ((radius - 0.5).abs() < 0.12) & (y < 0)
    coat = ((wide < 0.48) & (high < 0.85)) | ((wide < 0.8) & (y > -0.85) & (y < 0.3))
    return torch.stack([shirt, trousers, dress, shoe, bag, coat & (wide > 0.07)])


@cache
def garments(noise: float = 0.25, count: int = 1800, size: int = 14) -> Samples:
    """Grey pictures from 0 to 1 of six kinds of clothes, moved, scaled and of any brightness."""
    generator = torch.Generator().manual_seed(91)
    kind = torch.randint(KINDS, (count,), generator=generator)
    uniform = torch.rand(4, count, 1, 1, generator=generator)
    grid = torch.linspace(-1.1, 1.1, size)
    x = (grid[None, None] + 0.5 * uniform[0] - 0.25) / (0.75 + 0.4 * uniform[1])
    y = (grid[None, :, None] + 0.4 * uniform[2] - 0.2) / (0.75 + 0.4 * uniform[1])
    worn = _masks(*torch.broadcast_tensors(x, y))[kind, torch.arange(count)]
    picture = (0.35 + 0.6 * uniform[3]) * worn
    picture = picture + noise * torch.randn(count, size, size, generator=generator)
    return split(picture.clamp(0, 1)[:, None], kind)


def zero_centred(data: Samples) -> Samples:
    """By one mean and one deviation for all pixels, as transforms do."""
    mean, deviation = data.x.mean(), data.x.std()
    return data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)


@cache
def loans(share: float = 0.3, count: int = 4000) -> Samples:
    """Income, amount, interest, months, age, months employed, share of credit used, purpose."""
    generator = torch.Generator().manual_seed(92)
    n = torch.randn(6, count, generator=generator)
    income = (10.8 + 0.5 * n[0]).exp()
    amount = (9.4 + 0.3 * n[0] + 0.6 * n[1]).exp()
    months = 36 + 24 * (torch.rand(count, generator=generator) < 0.3)
    age = (40 + 11 * n[2]).clamp(19, 75)
    employed = (0.4 * (age - 18) * torch.rand(count, generator=generator) * 12).floor()
    used = (0.4 + 0.25 * n[3]).clamp(0, 1.2)
    interest = 11 + 3 * n[4] + 4 * used
    purpose = torch.randint(6, (count,), generator=generator)
    weight = torch.tensor([0.0, 0.6, -0.5, 1.0, -0.2, 0.3])[purpose]
    risk = 1.6 * (amount / income).log() + 3.5 * (used - 0.4) - 0.012 * employed + weight
    risk = risk + 0.16 * (interest - 12) + 0.9 * ((age - 40) / 11).square() * (months > 40)
    risk = 1.3 * risk + torch.randn(count, generator=generator)
    columns = [income, amount, interest, months, age, employed, used]
    shown = torch.eye(6)[purpose]
    x = torch.cat([torch.stack(columns, 1), shown], 1)
    return split(x, (risk > risk.quantile(1 - share)).long())


class Flats(NamedTuple):
    """Numbers of districts, standardised columns and prices in 100,000, to train and to test."""

    district: Tensor
    columns: Tensor
    price: Tensor
    cut: int


@cache
def flats(count: int = 4000, districts: int = 160) -> Flats:
    generator = torch.Generator().manual_seed(93)
    district = torch.randint(districts, (count,), generator=generator)
    wealth = 0.45 * torch.randn(districts, generator=generator)
    area = (4.2 + 0.4 * torch.randn(count, generator=generator)).exp()
    rooms = (area / 25 + 0.5 * torch.randn(count, generator=generator)).round().clamp(1)
    floor = torch.randint(12, (count,), generator=generator)
    age = 80 * torch.rand(count, generator=generator)
    lift = (torch.rand(count, generator=generator) < 0.5).float()
    level = 0.9 * area.log() - 3.0 + wealth[district] - 0.004 * age + 0.00006 * age.square()
    level = level + 0.02 * floor * (2 * lift - 1) + 0.05 * rooms.clamp(max=4)
    price = (level + 0.1 * torch.randn(count, generator=generator)).exp()
    columns = torch.stack([area.log(), rooms, floor.float(), age, lift], 1)
    columns = (columns - columns.mean(0)) / columns.std(0)
    return Flats(district, columns, price, 2800)


@cache
def bottles(count: int = 3000) -> Samples:
    """Eight measured properties, standardised, and one of five marks on which few tasters agree."""
    generator = torch.Generator().manual_seed(94)
    x = torch.randn(count, 8, generator=generator)
    taste = x[:, 0] - 0.7 * x[:, 1].square() + 0.6 * x[:, 2] * x[:, 3] + 0.5 * x[:, 4]
    taste = taste + 1.0 * torch.randn(count, generator=generator)
    edges = taste.quantile(torch.tensor([0.08, 0.4, 0.8, 0.95]))
    return split(x, torch.bucketize(taste, edges))
