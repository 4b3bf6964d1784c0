"""What a greenhouse records: climate, leaves, seedlings, spectra, pests, pipes and yields."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

SIZE = 20


def cut(x: Tensor, y: Tensor, train: float = 0.7) -> Samples:
    """The first rows to train on; rows were drawn independently."""
    at = int(train * len(x))
    return Samples(x[:at], y[:at], x[at:], y[at:])


@cache
def days(count: int = 2400) -> Samples:
    """Temperatures of 24 hours in degrees; growth suffers from hours above 30 and below 13."""
    generator = torch.Generator().manual_seed(301)
    mean = 20 + 4 * torch.randn(count, 1, generator=generator)
    swing = 3 + 10 * torch.rand(count, 1, generator=generator)
    clock = torch.arange(24) / 24 * 2 * torch.pi
    x = mean - swing * (clock + 0.5).cos() + torch.randn(count, 24, generator=generator)
    hot, cold = (x > 30).float().mean(1), (x < 13).float().mean(1)
    growth = 9 - 8 * hot - 6 * cold + 0.3 * torch.randn(count, generator=generator)
    return split(x, growth)


@cache
def leaves(count: int = 2000) -> tuple[Samples, Tensor, Tensor]:
    """Tomato leaves, RGB: sound, blight (large spots), mildew (pale spots), mites (many dots).

    Beside them masks of what is sick, to train on and to measure on.
    """
    generator = torch.Generator().manual_seed(302)

    def drawn(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    axis = torch.linspace(-1, 1, SIZE)
    row, column = axis[None, :, None], axis[None, None, :]
    y = torch.randint(4, (count,), generator=generator)
    mask = torch.zeros(count, SIZE, SIZE)
    for spot in range(9):
        number = torch.tensor([0, 2, 3, 9])[y]
        radius = torch.tensor([0.0, 0.26, 0.22, 0.1])[y] * (0.8 + 0.4 * drawn(count))
        a, b = 1.6 * drawn(count) - 0.8, 1.6 * drawn(count) - 0.8
        near = (row - a[:, None, None]) ** 2 + (column - b[:, None, None]) ** 2
        hit = (near < radius[:, None, None] ** 2) & (spot < number)[:, None, None]
        mask = torch.maximum(mask, hit.float())
    green = torch.tensor([0.25, 0.5, 0.22])[None, :, None, None]
    tints = torch.tensor([[0.0, 0, 0], [0.18, -0.15, -0.05], [0.3, 0.2, 0.3], [0.25, 0.1, -0.05]])
    light = 0.7 + 0.5 * drawn(count, 1, 1, 1)
    x = (green + mask[:, None] * tints[y][..., None, None]) * light
    x = x + 0.07 * torch.randn(count, 3, SIZE, SIZE, generator=generator)
    found = cut(x.clamp(0, 1), y)
    at = len(found.x)
    return found, mask[:at], mask[at:]


@cache
def seedlings(count: int = 1600) -> Samples:
    """Grey pictures from above; where the stem is, in -1..1 across and down.

    Two or three leaves stretch out from it, paler than the stem.
    """
    generator = torch.Generator().manual_seed(303)
    axis = torch.linspace(-1, 1, SIZE)
    row, column = axis[None, :, None], axis[None, None, :]
    place = 1.4 * torch.rand(count, 2, generator=generator) - 0.7
    across, down = column - place[:, :1, None], row - place[:, 1:, None]
    x = 0.9 * (-(across**2 + down**2) / 0.015).exp()
    for _ in range(3):
        angle = 2 * torch.pi * torch.rand(count, 1, 1, generator=generator)
        length = 0.15 + 0.2 * torch.rand(count, 1, 1, generator=generator)
        u = across - length * angle.cos()
        v = down - length * angle.sin()
        x = torch.maximum(x, 0.5 * (-(u**2 + v**2) / 0.02).exp())
    x = x + 0.1 * torch.randn(count, SIZE, SIZE, generator=generator)
    return cut(x[:, None], place)


@cache
def spectra(count: int = 2400) -> Samples:
    """120 bands that a leaf reflects, and its nitrogen; five substances overlap."""
    generator = torch.Generator().manual_seed(304)
    band = torch.linspace(0, 1, 120)
    centre = torch.tensor([0.2, 0.35, 0.5, 0.62, 0.8])[:, None]
    width = torch.tensor([0.12, 0.2, 0.1, 0.25, 0.15])[:, None]
    shapes = (-(((band - centre) / width) ** 2)).exp()
    amounts = torch.rand(count, 5, generator=generator)
    x = 0.9 - 0.4 * (amounts @ shapes) / (0.5 + amounts[:, 4:])
    x = x + 0.04 * torch.randn(count, 120, generator=generator)
    nitrogen = 2 + 2 * amounts[:, 2] + amounts[:, 0] * amounts[:, 3]
    return split(x, nitrogen + 0.4 * torch.randn(count, generator=generator))


@cache
def traps(count: int = 2500) -> Samples:
    """Ten readings around a sticky trap, standardized, and its white flies: mostly none."""
    generator = torch.Generator().manual_seed(305)
    x = torch.randn(count, 10, generator=generator)
    log_rate = -1.6 + 0.9 * x[:, 0] + 0.6 * x[:, 1] * (x[:, 2] > 0) - 0.5 * x[:, 3].abs()
    return split(x, torch.poisson(log_rate.clamp(max=3).exp(), generator=generator))


@cache
def pipes(count: int = 900, length: int = 64) -> Samples:
    """Flow, pressure and valve by the minute; each minute sound, leaking or clogged."""
    generator = torch.Generator().manual_seed(306)
    time = torch.arange(length)
    y = torch.zeros(count, length, dtype=torch.long)
    for kind, share in ((1, 0.13), (2, 0.1)):
        start = torch.randint(length - 8, (count, 1), generator=generator)
        lasts = torch.randint(5, 13, (count, 1), generator=generator)
        has = torch.rand(count, 1, generator=generator) < share
        y[(time >= start) & (time < start + lasts) & has] = kind
    period = torch.randint(8, 24, (count, 1), generator=generator)
    valve = ((time // period) % 2).float()
    flow = valve + 0.55 * (y == 1) - 0.55 * (y == 2) * valve
    pressure = 1 - 0.3 * valve - 0.45 * (y == 1) + 0.45 * (y == 2)
    noise = 0.8 * torch.randn(2, count, length, generator=generator)
    return cut(torch.stack([flow + noise[0], pressure + noise[1], valve], 1), y)


@cache
def canopies(count: int = 2400) -> Samples:
    """Twelve standardized sensors; transpiration, uptake and growth, standardized."""
    generator = torch.Generator().manual_seed(307)
    x = torch.randn(count, 12, generator=generator)
    open_ = (x[:, 0] + 0.5 * x[:, 1]).sigmoid()
    y = torch.stack([
        open_ * (2 + x[:, 2]), open_ * (1.5 + x[:, 3]) + 0.3 * x[:, 4],
        (x[:, 5] * x[:, 6]).tanh() + x[:, 7],
    ], 1)  # fmt: skip
    y = (y - y.mean(0)) / y.std(0)
    return split(x, y + 0.1 * torch.randn(count, 3, generator=generator))


class Bench(NamedTuple):
    """Plants on a bench, who is beside whom, and of which plants it is known."""

    x: Tensor
    beside: Tensor
    y: Tensor
    known: Tensor


@cache
def bench(side: int = 28) -> Bench:
    """Three strains of a virus in patches of a grid; readings of one plant say little."""
    generator = torch.Generator().manual_seed(308)
    place = torch.cartesian_prod(torch.arange(side), torch.arange(side)).float()
    sources = side * torch.rand(9, 2, generator=generator)
    y = torch.cdist(place, sources).argmin(1) % 3
    signs = torch.randn(3, 24, generator=generator)
    x = 0.35 * signs[y] + torch.randn(len(y), 24, generator=generator)
    beside = (torch.cdist(place, place) < 1.5).float()
    degree = beside.sum(1)
    known = torch.zeros(len(y), dtype=torch.bool)
    known[torch.randperm(len(y), generator=generator)[:160]] = True
    return Bench(x, beside / (degree[:, None] * degree).sqrt(), y, known)


@cache
def contours(count: int = 2400, points: int = 64, cultivars: int = 20) -> Samples:
    """How far a leaf's edge is from its middle, all around, from any angle on."""
    generator = torch.Generator().manual_seed(309)
    y = torch.randint(cultivars, (count,), generator=generator)
    waves = torch.arange(1, 9)
    heights = 0.08 * torch.randn(cultivars, 8, generator=generator)
    phases = 6.3 * torch.rand(cultivars, 8, generator=generator)
    turn = 6.3 * torch.rand(count, 1, 1, generator=generator)
    angle = torch.arange(points) / points * 2 * torch.pi
    own = heights[y] * (1 + 0.4 * torch.randn(count, 8, generator=generator))
    edge = own[..., None] * (waves[:, None] * (angle + turn) + phases[y][..., None]).cos()
    x = 1 + edge.sum(1) + 0.1 * torch.randn(count, points, generator=generator)
    return cut(x[:, None] - 1, y)


@cache
def treatments(count: int = 6000, products: int = 400, most: int = 10) -> Samples:
    """Numbers of what a bed was given, 0 for nothing more, and how many fruits it bore."""
    generator = torch.Generator().manual_seed(310)
    weight = 1 / (torch.arange(products - 1) + 5.0)
    x = 1 + torch.multinomial(weight.expand(count, -1), most, generator=generator)
    number = torch.randint(3, most + 1, (count, 1), generator=generator)
    x = torch.where(torch.arange(most) < number, x, 0)
    effect = 0.35 * torch.randn(products, generator=generator)
    effect[0] = 0
    rate = (2.2 + effect[x].sum(1)).clamp(-1, 4.5).exp()
    found = cut(x.float(), torch.poisson(rate, generator=generator))
    return found.with_inputs(found.x.long(), found.x_test.long())


@cache
def fruits(count: int = 4000, wrong: float = 0.35) -> Samples:
    """Nine standardized measures of a cucumber; four grades, in training often wrong."""
    generator = torch.Generator().manual_seed(311)
    x = torch.randn(count, 9, generator=generator)
    grade = x[:, 0] + 0.6 * x[:, 1] * x[:, 2] - 0.8 * (x[:, 3].abs() - 0.8)
    y = torch.bucketize(grade, torch.tensor([-0.8, 0.0, 0.8]))
    found = cut(x, y)
    other = torch.randint(4, found.y.shape, generator=generator)
    careless = torch.rand(found.y.shape, generator=generator) < wrong
    return found._replace(y=torch.where(careless, other, found.y))


@cache
def afternoons(count: int = 3000) -> Samples:
    """Temperature and sun of 48 hours, standardized, and the next peak; clouds are chance."""
    generator = torch.Generator().manual_seed(312)
    clock = torch.arange(48) / 24 * 2 * torch.pi
    mean = torch.randn(count, 1, generator=generator)
    drift = 0.4 * torch.randn(count, 1, generator=generator)
    temperature = mean + drift * torch.arange(48) / 24 - (clock + 0.5).cos()
    temperature = temperature + 0.3 * torch.randn(count, 48, generator=generator)
    sun = (-clock.cos()).clamp(min=0) * torch.rand(count, 1, generator=generator)
    peak = mean[:, 0] + 2.5 * drift[:, 0] + 0.5 * sun.mean(1)
    spread = 0.5 + 1.5 * torch.rand(count, generator=generator)
    peak = peak + spread * torch.randn(count, generator=generator)
    return cut(torch.stack([temperature, sun], 2), peak)
