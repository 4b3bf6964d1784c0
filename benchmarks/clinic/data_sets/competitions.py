"""Tables in the manner of the competitions that many learn on: mixed columns, gaps and zeros."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split


class Passengers(NamedTuple):
    """Numbers (age, fare, relatives; a fifth of the ages is missing), categories, survival."""

    numbers: Tensor
    categories: Tensor
    survived: Tensor


SIZES = (3, 2, 4)
TRAIN = 1000


@cache
def passengers(count: int = 1500) -> Passengers:
    generator = torch.Generator().manual_seed(61)
    uniform = torch.rand(5, count, generator=generator)
    normal = torch.randn(2, count, generator=generator)
    berth = (uniform[0] > 0.25).long() + (uniform[0] > 0.45).long()
    woman = (uniform[1] < 0.36).long()
    port = (4 * uniform[2]).long()
    age = (30 + 13 * normal[0]).clamp(1, 80)
    fare = (4.4 - 0.8 * berth + 0.4 * normal[1]).exp()
    relatives = torch.empty(count).exponential_(1.2, generator=generator).floor()
    logit = 3.6 * woman - 1.3 * (berth - 1) - 0.06 * (age - 28) - 0.4 * relatives - 1.3
    survived = (uniform[3] < logit.sigmoid()).long()
    age = torch.where(uniform[4] < 0.2, torch.nan, age)
    numbers = torch.stack([age, fare, relatives], 1)
    return Passengers(numbers, torch.stack([berth, woman, port], 1), survived)


def passenger_columns(missing: float | None = None) -> Samples:
    """Numbers standardised by what is known of them, categories as zeros and ones.

    A missing age is ``missing``, or the median and a column that says so.
    """
    found = passengers()
    known = found.numbers[:TRAIN]
    middle = known.nanmedian(0).values
    mean = known.nanmean(0)
    deviation = (known - mean).square().nanmean(0).sqrt()
    gaps = found.numbers.isnan()
    if missing is None:
        numbers = torch.where(gaps, middle, found.numbers)
        numbers = torch.cat([(numbers - mean) / deviation, gaps[:, :1].float()], 1)
    else:
        numbers = torch.where(gaps, missing, (found.numbers - mean) / deviation)
    shown = [torch.eye(n)[column] for n, column in zip(SIZES, found.categories.T, strict=True)]
    x = torch.cat([numbers, *shown], 1)
    return Samples(x[:TRAIN], found.survived[:TRAIN], x[TRAIN:], found.survived[TRAIN:])


@cache
def bikes(count: int = 2500) -> Samples:
    """The hour on a circle, weekend, temperature, humidity, wind; how many bikes were rented."""
    generator = torch.Generator().manual_seed(62)
    uniform = torch.rand(5, count, generator=generator)
    hour = (24 * uniform[0]).floor()
    weekend = (uniform[1] < 2 / 7).float()
    temperature = 35 * uniform[2]
    rush = torch.exp(-((hour - 8) ** 2) / 4) + 1.2 * torch.exp(-((hour - 17.5) ** 2) / 6)
    leisure = torch.exp(-((hour - 14) ** 2) / 20)
    level = 1.0 + 2.2 * (1 - weekend) * rush + 2.4 * weekend * leisure + 0.9 * (hour > 6)
    level = level + 1.5 * torch.exp(-((temperature - 24) ** 2) / 150) - 0.8 * uniform[3]
    rented = torch.poisson(
        (level + 0.15 * torch.randn(count, generator=generator)).exp(), generator=generator
    )
    turn = 6.283 * hour / 24
    columns = [turn.sin(), turn.cos(), (2 * turn).sin(), (2 * turn).cos(), weekend, temperature]
    return split(torch.stack([*columns, uniform[3], 15 * uniform[4]], 1), rented)


@cache
def machines(count: int = 5000) -> Samples:
    """Air and process temperature, speed, torque, wear; which few machines failed."""
    generator = torch.Generator().manual_seed(63)
    normal = torch.randn(3, count, generator=generator)
    air = 300 + 2 * normal[0]
    process = air + 10 + normal[1]
    speed = 1540 + 180 * normal[2]
    torque = 40 - 8 * normal[2] + 5 * torch.randn(count, generator=generator)
    wear = 240 * torch.rand(count, generator=generator)
    strain = torque * wear / 2600 + (torque / 22) ** 2
    failed = strain > strain.quantile(0.96)
    lost = torch.rand(count, generator=generator) < 0.002
    return split(torch.stack([air, process, speed, torque, wear], 1), (failed ^ lost).long())


class Shops(NamedTuple):
    """Number of the shop, weekday, promotion, holiday; whether it is open, and its sales."""

    x: Tensor
    sales: Tensor


@cache
def shops(count: int = 3000, number: int = 40) -> Shops:
    generator = torch.Generator().manual_seed(64)
    shop = torch.randint(number, (count,), generator=generator)
    day = torch.randint(7, (count,), generator=generator)
    promotion = torch.randint(2, (count,), generator=generator) * (day < 5)
    holiday = (torch.rand(count, generator=generator) < 0.1).long()
    size = 0.35 * torch.randn(number, generator=generator)
    week = torch.tensor([0.25, 0.05, 0.0, 0.02, 0.12, -0.1, 0.0])
    level = 8.6 + size[shop] + week[day] + 0.35 * promotion - 0.2 * holiday
    sales = (level + 0.1 * torch.randn(count, generator=generator)).exp()
    is_open = (day != 6) & (torch.rand(count, generator=generator) > 0.03)
    return Shops(torch.stack([shop, day, promotion, holiday], 1), sales * is_open)
