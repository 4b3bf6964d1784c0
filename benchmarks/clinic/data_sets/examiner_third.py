"""The data of a third examiner: padded notes, signals, tables of patients, stations and plants."""

from functools import cache

import torch
from sklearn import datasets
from torch import Tensor

from data_sets.samples import Samples, split


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def levels(length: int = 40, count: int = 1500) -> Samples:
    """Flows in and out of a tank, hour by hour; the target is the level at the end."""
    g = seeded(301)
    flow = torch.randn(count, length, 2, generator=g)
    level = (flow[..., 0] - 0.5 * flow[..., 1]).sum(1)
    return split(flow, level / level.std())


@cache
def notes(words: int = 60, most: int = 14, count: int = 1500) -> Samples:
    """Word numbers up to a length from 5 on, then zeros; three kinds by words of their own."""
    g = seeded(302)
    y = torch.randint(3, (count,), generator=g)
    x = torch.randint(31, words, (count, most), generator=g)
    own = 1 + 10 * y[:, None] + torch.randint(10, (count, most), generator=g)
    x = torch.where(torch.rand(count, most, generator=g) < 0.4, own, x)
    lengths = torch.randint(5, most - 1, (count, 1), generator=g)
    found = split(x * (torch.arange(most) < lengths), y)
    return found.with_inputs(found.x.long(), found.x_test.long())


@cache
def rare(distance: float, share: float = 0.04, count: int = 4000) -> Samples:
    """Eight readings of machines, few of which break; those lie ``distance`` deviations off."""
    g = seeded(303)
    y = (torch.rand(count, generator=g) < share).long()
    x = torch.randn(count, 8, generator=g)
    x[:, :4] += 0.5 * distance * y[:, None]
    return split(x, y)


@cache
def stations(count: int = 1500) -> Samples:
    """Pressure in Pa, altitude in m, humidity from 0 to 1, temperature in C, pH; a growth rate."""
    g = seeded(304)
    z = torch.randn(count, 5, generator=g)
    humidity = torch.rand(count, generator=g)
    x = torch.stack(
        [101_325 + 900 * z[:, 0], 1200 + 500 * z[:, 1], humidity, 15 + 8 * z[:, 2],
         7 + 0.4 * z[:, 3]], 1,
    )  # fmt: skip
    y = 2 * (6.283 * humidity).sin() + z[:, 2] * z[:, 3] + 0.2 * z[:, 4]
    return split(x, y / y.std())


@cache
def cohort(patients: int = 150, others: int = 700) -> Samples:
    """Thirty standardized readings of few patients, three of which say who relapses."""
    g = seeded(305)
    x = torch.randn(patients + others, 30, generator=g)
    logit = 1.6 * x[:, 0] - 1.3 * x[:, 1] + 1.2 * x[:, 2]
    y = (torch.rand(len(x), generator=g) < logit.sigmoid()).long()
    return Samples(x[:patients], y[:patients], x[patients:], y[patients:])


@cache
def demand(count: int = 2000) -> Samples:
    """Hour and day as waves, and a standardized temperature; megawatts about 52,000."""
    g = seeded(306)
    hour, day = 6.283 * torch.rand(2, count, generator=g)
    warm = torch.randn(count, generator=g)
    y = 52_000 + 6000 * hour.sin() + 2500 * (2 * hour + day).cos() + 3000 * warm.square()
    x = torch.stack([hour.sin(), hour.cos(), day.sin(), day.cos(), warm], 1)
    return split(x, y + 800 * torch.randn(count, generator=g))


@cache
def returns(count: int = 6000) -> Samples:
    """Twelve signals and a return, an eighth of whose variance they explain."""
    g = seeded(307)
    x = torch.randn(count, 12, generator=g)
    told = 0.8 * x[:, 0] + 0.5 * x[:, 1] * x[:, 2].sign()
    y = told + 2.5 * torch.randn(count, generator=g)
    return split(x, y / y.std())


@cache
def mixed_up_rings(count: int = 1400) -> Samples:
    """Two rings within each other, three columns of noise beside them."""
    x, y = datasets.make_circles(count, noise=0.08, factor=0.5, random_state=8)
    noise = 0.3 * torch.randn(count, 3, generator=seeded(308))
    return split(torch.cat([torch.as_tensor(x).float(), noise], 1), y)


@cache
def polynomial(count: int = 1500) -> Samples:
    """Three inputs; products and squares of them."""
    g = seeded(309)
    x = torch.randn(count, 3, generator=g)
    y = x[:, 0] * x[:, 1] + x[:, 2].square() + 1.2 * x[:, 0]
    return split(x, (y - y.mean()) / y.std() + 0.1 * torch.randn(count, generator=g))


@cache
def names_of_files(count: int) -> list[int]:
    """The numbers of pictures 0.png, 1.png, ... in the order in which a folder lists them."""
    return [int(name[:-4]) for name in sorted(f"{i}.png" for i in range(count))]


def ring_points(count: int, generator: torch.Generator | None = None) -> Tensor:
    """Points near a circle of radius 1."""
    angle = 6.283 * torch.rand(count, generator=generator)
    noise = 0.05 * torch.randn(count, 2, generator=generator)
    return torch.stack([angle.cos(), angle.sin()], 1) + noise
