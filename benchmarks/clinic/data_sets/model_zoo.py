"""What the small models of a zoo are trained on: scenes, sensors, keywords, documents, tables."""

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .samples import Samples, digit_images, split


class Scenes(NamedTuple):
    """Pictures of one thing each: its outline, where it is from -1 to 1, its kind and radius."""

    image: Tensor
    mask: Tensor
    place: Tensor
    kind: Tensor
    radius: Tensor

    def part(self, rows: slice) -> "Scenes":
        return Scenes(*(column[rows] for column in self))


def dice(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def scenes(count: int = 1600, size: int = 16, noise: float = 0.3) -> Scenes:
    """Discs, squares, crosses and rings on noise."""
    chance = dice(3)
    kind = torch.randint(4, (count,), generator=chance)
    radius = 2 + 2.5 * torch.rand(count, generator=chance)
    place = 1.2 * torch.rand(count, 2, generator=chance) - 0.6
    axis = torch.arange(size) - (size - 1) / 2
    dy = axis[:, None] - size / 2 * place[:, 1, None, None]
    dx = axis[None, :] - size / 2 * place[:, 0, None, None]
    r = radius[:, None, None]
    distance, largest = (dx**2 + dy**2).sqrt(), torch.maximum(dx.abs(), dy.abs())
    smallest = torch.minimum(dx.abs(), dy.abs())
    kinds = torch.stack(
        [
            distance < r, largest < 0.9 * r, (smallest < r / 3) & (largest < r),
            (distance < r) & (distance > 0.55 * r),
        ],
        1,
    )  # fmt: skip
    mask = kinds[torch.arange(count), kind]
    light = 0.6 + 0.4 * torch.rand(count, 1, 1, generator=chance)
    image = light * mask + noise * torch.randn(count, size, size, generator=chance)
    return Scenes(image[:, None], mask.float()[:, None], place, kind, radius)


@cache
def sensors(length: int = 24, count: int = 1500) -> Samples:
    """Three channels of a machine that swings; the target is where it will be in three steps."""
    chance = dice(length)
    speed = 0.15 + 0.35 * torch.rand(count, 1, generator=chance)
    phase = 6.3 * torch.rand(count, 1, generator=chance)
    size = 0.7 + 0.6 * torch.rand(count, 1, generator=chance)
    angle = speed * torch.arange(length) + phase
    channels = torch.stack(
        [size * angle.sin(), size * angle.cos(), torch.zeros(count, length)], -1
    ) + 0.1 * torch.randn(count, length, 3, generator=chance)
    channels[..., 2] = channels[..., 2] * 3
    target = size * torch.sin(speed * (length + 2) + phase)
    return split(channels, target[:, 0])


def in_units(samples: Samples) -> Samples:
    """Degrees, pascals and percents."""
    scale, origin = torch.tensor([8.0, 900.0, 20.0]), torch.tensor([15.0, 101325.0, 55.0])
    return samples.with_inputs(samples.x * scale + origin, samples.x_test * scale + origin)


@cache
def keywords(classes: int = 8, count: int = 1600, length: int = 40, noise: float = 0.5) -> Samples:
    """Twelve bands over time; each word glides from one band to another, sooner or later."""
    chance = dice(classes)
    y = torch.randint(classes, (count,), generator=chance)
    ends = torch.randint(12, (classes, 2), generator=dice(5)).float()
    start = torch.randint(length // 2, (count, 1), generator=chance)
    share = ((torch.arange(length) - start) / (length / 2)).clamp(-1, 2)
    center = ends[y, :1] + (ends[y, 1:] - ends[y, :1]) * share
    loud = ((share >= 0) & (share <= 1)).float()
    bands = torch.exp(-((torch.arange(12.0)[None, :, None] - center[:, None]) ** 2) / 2)
    x = 1.5 * bands * loud[:, None] + noise * torch.randn(count, 12, length, generator=chance)
    return split(x, y)


@cache
def documents(topics: int = 8, words: int = 300, count: int = 1600, length: int = 24) -> Samples:
    """Word numbers from 1 on, zeros where a document has ended."""
    chance = dice(topics)
    y = torch.randint(topics, (count,), generator=chance)
    x = torch.randint(1 + 12 * topics, words, (count, length), generator=chance)
    own = 1 + 12 * y[:, None] + torch.randint(12, (count, length), generator=chance)
    x = torch.where(torch.rand(count, length, generator=chance) < 0.3, own, x)
    sizes = torch.randint(10, length - 2, (count, 1), generator=chance)
    x = torch.where(torch.arange(length) < sizes, x, 0)
    samples = split(x, y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def sentences(count: int = 1200, length: int = 18, words: int = 60, tags: int = 6) -> Samples:
    """A word's tag hangs on its own kind, and on the kind of the word before."""
    chance = dice(words)
    x = torch.randint(words, (count, length), generator=chance)
    kinds = torch.randint(5, (words,), generator=dice(1))
    table = torch.randint(tags, (5, 5), generator=dice(2))
    now = kinds[x]
    before = F.pad(now, (1, 0))[:, :-1]
    samples = split(x, table[now, before])
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def corpus(letters: int = 24, length: int = 25, count: int = 1400) -> tuple[Tensor, Tensor]:
    """Texts in which two letters mostly tell the third: to train on, and others."""
    chance = dice(letters)
    follows = torch.randint(letters, (letters, 6), generator=chance)
    text = torch.randint(letters, (count, length), generator=chance)
    for i in range(2, length):
        told = follows[text[:, i - 1], text[:, i - 2] % 6]
        sure = torch.rand(count, generator=chance) < 0.8
        text[:, i] = torch.where(sure, told, text[:, i])
    return text[: count * 3 // 4], text[count * 3 // 4 :]


@cache
def ratings(users: int = 150, items: int = 100, count: int = 9000) -> Samples:
    """Pairs of a user and an item; stars are a product of four tastes."""
    chance = dice(users)
    taste = torch.randn(users, 4, generator=chance)
    trait = torch.randn(items, 4, generator=chance)
    user = torch.randint(users, (count,), generator=chance)
    item = torch.randint(items, (count,), generator=chance)
    stars = (taste[user] * trait[item]).sum(1) / 2 + 0.3 * torch.randn(count, generator=chance)
    samples = split(torch.stack([user, item], 1), stars)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def customers(count: int = 3000, base: float = 0.0) -> Samples:
    """Columns 0 to 2 are codes of a plan, a region and a shop, the others are standardised."""
    chance = dice(count)
    codes = [torch.randint(n, (count,), generator=chance) for n in (6, 10, 20)]
    numbers = torch.randn(count, 6, generator=chance)
    effects = [1.3 * torch.randn(n, generator=chance) for n in (6, 10, 20)]
    logit = base + sum(e[c] for e, c in zip(effects, codes, strict=True))
    logit = logit + 2 * numbers[:, 0] * numbers[:, 1] + 1.5 * numbers[:, 2].abs() - 1.2
    y = torch.rand(count, generator=chance) < (1.5 * logit).sigmoid()
    return split(torch.cat([torch.stack(codes, 1), numbers], 1), y.long())


class Watched(NamedTuple):
    """What is in order to train on; and more of it, with what is not."""

    train: Tensor
    test: Tensor
    odd: Tensor


@cache
def engines(count: int = 1500) -> Watched:
    """Four causes behind twenty-four readings; an odd engine's readings do not fit together."""
    chance = dice(9)
    first, second = (torch.randn(4, 16, generator=chance), torch.randn(16, 24, generator=chance))

    def readings(n: int) -> Tensor:
        x = torch.tanh(torch.randn(n, 4, generator=chance) @ first / 1.5) @ second / 3
        return x + 0.1 * torch.randn(n, 24, generator=chance)

    train, test, odd = readings(count), readings(400), readings(400)
    odd[:, :8] = odd[torch.randperm(400, generator=chance), :8]
    return Watched(train, test, odd)


class Patients(NamedTuple):
    """Covariates, months, and whether the event was seen."""

    x: Tensor
    months: Tensor
    seen: Tensor

    def part(self, rows: slice) -> "Patients":
        return Patients(*(column[rows] for column in self))


@cache
def patients(count: int = 1600, columns: int = 12) -> Patients:
    chance = dice(columns)
    x = torch.randn(count, columns, generator=chance)
    risk = 1.2 * x[:, 0] + x[:, 1] * x[:, 2] + 0.8 * x[:, 3].abs() - 0.7 * x[:, 4]
    death = -torch.rand(count, generator=chance).log() * torch.exp(-risk) * 20
    end = -torch.rand(count, generator=chance).log() * 30
    return Patients(x, torch.minimum(death, end), (death < end).float())


@cache
def queries(count: int = 600, documents: int = 8) -> Samples:
    """Ten features of each document of a query; how far it answers it, from 0 to 1."""
    chance = dice(documents)
    x = torch.randn(count, documents, 10, generator=chance)
    fit = x[..., 0] * x[..., 1] + 1.5 * torch.sin(2 * x[..., 2]) + x[..., 3] - 0.5 * x[..., 4] ** 2
    fit = fit + 0.3 * torch.randn(fit.shape, generator=chance)
    return split(x, (fit / 2).sigmoid())


@cache
def molecules(count: int = 1000, nodes: int = 12) -> Samples:
    """Five features of each atom, then its row of the bonds; a property of who is beside whom."""
    chance = dice(nodes)
    x = torch.randn(count, nodes, 5, generator=chance)
    bonds = (torch.rand(count, nodes, nodes, generator=chance) < 0.25).float().triu(1)
    bonds = bonds + bonds.mT
    near = bonds @ x / bonds.sum(-1, keepdim=True).clamp(min=1)
    told = F.relu(near[..., 0] + x[..., 1]) + torch.tanh(2 * near[..., 2]) * x[..., 3]
    y = told.mean(1)
    return split(torch.cat([x, bonds], -1), (y - y.mean()) / y.std())


@cache
def digit_points(count: int = 24) -> Samples:
    """Digits as sets of points: two coordinates and an ink for each."""
    digits = digit_images()
    axis = torch.linspace(-1, 1, 8)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).reshape(64, 2)

    def points(images: Tensor) -> Tensor:
        ink, where = images.flatten(1).topk(count)
        return torch.cat([grid[where], ink[..., None]], -1)

    return digits.with_inputs(points(digits.x), points(digits.x_test))


@cache
def visits(count: int = 2500) -> Samples:
    """How often somebody comes in a month."""
    chance = dice(8)
    x = torch.randn(count, 8, generator=chance)
    log_rate = 0.4 + torch.sin(2 * x[:, 0]) + 0.8 * x[:, 1] * x[:, 2].tanh() + 0.5 * x[:, 3]
    return split(x, torch.poisson(log_rate.clamp(max=3).exp(), generator=chance))


@cache
def gauges(count: int = 2000) -> Samples:
    """A gauge's error at a temperature (the first column), and at a load."""
    chance = dice(6)
    x = torch.randn(count, 6, generator=chance)
    x[:, 0] = 1.7 * (2 * torch.rand(count, generator=chance) - 1)
    y = torch.sin(2 * x[:, 0]) * (1 + 0.5 * x[:, 1]) + 0.5 * x[:, 2] * x[:, 3] + 0.3 * x[:, 4]
    return split(x, y + 0.1 * torch.randn(count, generator=chance))


@cache
def surfaces(count: int = 2400, share: float = 0.04, size: int = 16) -> Samples:
    """Brushed metal; a few pieces have a scratch."""
    chance = dice(size)
    y = (torch.rand(count, generator=chance) < share).long()
    y[count // 2 :] = (torch.rand(count - count // 2, generator=chance) < share).long()
    brushed = 0.5 * torch.randn(count, size, 1, generator=chance)
    x = brushed + 0.4 * torch.randn(count, size, size, generator=chance)
    start = torch.randint(size, (count, 1, 1), generator=chance)
    slope = 1 + torch.randint(2, (count, 1, 1), generator=chance)
    rows, columns = torch.arange(size)[:, None], torch.arange(size)[None, :]
    line = ((rows * slope + start - columns) % size == 0) & (rows > 3) & (rows < 12)
    x = x + 1.6 * line * y[:, None, None]
    return split(x[:, None], y)


@cache
def houses(count: int = 1500) -> Samples:
    """Prices of some hundred thousands, of standardised columns."""
    chance = dice(10)
    x = torch.randn(count, 10, generator=chance)
    value = (
        0.5 * x[:, 0] + 0.3 * torch.relu(x[:, 1]) * x[:, 2] + 0.2 * x[:, 3] - 0.2 * x[:, 4].abs()
    )
    price = 240_000 * torch.exp(0.6 * value + 0.05 * torch.randn(count, generator=chance))
    return split(x, price)


@cache
def grades(count: int = 1800, levels: int = 5) -> Samples:
    """Ordered grades from 0 on."""
    chance = dice(levels)
    x = torch.randn(count, 9, generator=chance)
    worth = x[:, 0] + x[:, 1].tanh() * x[:, 2] + 0.5 * x[:, 3]
    worth = worth + 0.3 * torch.randn(count, generator=chance)
    cuts = worth.quantile(torch.linspace(0, 1, levels + 1)[1:-1])
    return split(x, torch.bucketize(worth, cuts))
