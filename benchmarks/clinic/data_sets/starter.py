"""What starter notebooks are about: houses, rentals, reviews, clips, cells, ratings and graphs."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from .samples import Samples, split


def dice(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def houses(count: int = 2000) -> Samples:
    """Area, year, rooms, metres to the center, plot, energy class; the price in thousands."""
    chance = dice(11)
    u = torch.rand(count, 6, generator=chance)
    area = 40 + 200 * u[:, 0] ** 1.5
    year = 1900 + 120 * u[:, 1]
    rooms = (area / 30 + 2 * u[:, 2]).floor()
    away = 200 + 15000 * u[:, 3]
    plot = 100 + 1400 * u[:, 4] ** 2
    energy = (1 + 7 * u[:, 5]).floor()
    worth = 0.004 * (area - 100) - 0.00006 * away + 0.004 * (year - 1960) * (away > 5000)
    worth = worth + 0.0002 * plot + 0.1 * (energy - 4).abs() + 5.0
    price = (worth + 0.1 * torch.randn(count, generator=chance)).exp()
    return split(torch.stack([area, year, rooms, away, plot, energy], 1), price)


@cache
def rentals(count: int = 2000) -> Samples:
    """Hour (as an angle), warmth, wind, wet, free day: how many bicycles were lent."""
    chance = dice(12)
    hour = 6.283 * torch.rand(count, generator=chance)
    warm, wind, wet = torch.randn(3, count, generator=chance)
    free = (torch.rand(count, generator=chance) < 0.3).float()
    rush = torch.where(free > 0, -(hour.cos()), -(2 * hour).cos())
    rate = (4.8 + 0.6 * rush + 0.3 * warm - 0.15 * warm**2 - 0.15 * wind - 0.25 * wet.relu()).exp()
    x = torch.stack([hour.sin(), hour.cos(), warm, wind, wet, 2 * free - 1], 1)
    return split(x, torch.poisson(rate, generator=chance))


@cache
def loans(count: int = 2000) -> Samples:
    """Income, sum, age, months at work, other debts, children: was it paid back?"""
    chance = dice(13)
    income = (10.5 + 0.5 * torch.randn(count, generator=chance)).exp()
    amount = (9.5 + 0.8 * torch.randn(count, generator=chance)).exp()
    age = 20 + 45 * torch.rand(count, generator=chance)
    months = 300 * torch.rand(count, generator=chance) ** 2
    debts = (8.0 + 1.0 * torch.randn(count, generator=chance)).exp()
    children = torch.randint(4, (count,), generator=chance).float()
    risk = 1.2 * ((amount + debts) / income - 0.5) - 0.006 * (months - 100)
    risk = risk + 1.5 * (((age - 42) / 13) ** 2 - 1) + 0.2 * (children - 1.5)
    y = (risk + 0.4 * torch.randn(count, generator=chance) < 0).float()
    return split(torch.stack([income, amount, age, months, debts, children], 1), y)


@cache
def fraud(count: int = 4000, share: float = 0.03) -> Samples:
    """Twelve standardised columns; few rows are frauds, which are somewhat different."""
    chance = dice(14)
    y = (torch.rand(count, generator=chance) < share).long()
    x = torch.randn(count, 12, generator=chance)
    shift = torch.tensor([1.0, -0.9, 0.8, 0.7, -0.6] + [0.0] * 7)
    return split(x + y[:, None] * shift, y)


@cache
def reviews(length: int = 50, count: int = 1800, words: int = 120) -> Samples:
    """Word numbers, 0 behind the end; each of three moods has words of its own."""
    chance = dice(15)
    y = torch.randint(3, (count,), generator=chance)
    x = torch.randint(31, words, (count, length), generator=chance)
    own = 1 + 10 * y[:, None] + torch.randint(10, (count, length), generator=chance)
    x = torch.where(torch.rand(count, length, generator=chance) < 0.3, own, x)
    ends = torch.randint(8, 17, (count, 1), generator=chance)
    x = torch.where(torch.arange(length) < ends, x, 0)
    samples = split(x, y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def tagged(count: int = 2000, words: int = 150, tags: int = 8) -> Samples:
    """Counts of words; each of the tags, of which there are two or so, brings words of its own."""
    chance = dice(16)
    y = (torch.rand(count, tags, generator=chance) < 0.3).float()
    topics = 0.05 * torch.rand(tags, words, generator=chance)
    for tag in range(tags):
        topics[tag, 15 * tag : 15 * tag + 15] += 0.25
    x = torch.poisson(y @ topics + 0.1, generator=chance)
    return split(x, y)


@cache
def clips(count: int = 1500, length: int = 128, kinds: int = 6) -> Samples:
    """One channel of sound: chirps that rise or fall from three pitches, somewhere, in noise."""
    chance = dice(17)
    y = torch.randint(kinds, (count,), generator=chance)
    time = torch.arange(length) / length - 0.6 * torch.rand(count, 1, generator=chance)
    pitch = 30.0 + 30.0 * (y[:, None] // 2)
    slope = 50.0 * (2.0 * (y[:, None] % 2) - 1)
    heard = ((time > 0) & (time < 0.4)).float()
    phase = 6.3 * torch.rand(count, 1, generator=chance)
    sound = torch.sin(2 * (pitch + slope * (time - 0.2)) * time + phase)
    x = heard * sound + 0.15 * torch.randn(count, length, generator=chance)
    return split(x[:, None], y)


@cache
def cells(count: int = 900, size: int = 16) -> Samples:
    """Bright round cells on an uneven ground, and where they are."""
    chance = dice(18)
    place = size * torch.rand(count, 3, 2, generator=chance)
    radius = 1.5 + 1.5 * torch.rand(count, 3, generator=chance)
    axis = torch.arange(size) + 0.5
    square = (axis - place[..., :1])[..., None, :] ** 2 + (axis - place[..., 1:])[..., None] ** 2
    mask = (square.sqrt() < radius[..., None, None]).any(1).float()
    tilt = torch.randn(count, 1, 1, generator=chance) * (axis - size / 2) / size
    image = 0.8 * mask + tilt + 0.25 * torch.randn(count, size, size, generator=chance)
    return split(image[:, None], mask[:, None])


class Ratings(NamedTuple):
    """Numbers of users and films, and the stars given."""

    user: Tensor
    item: Tensor
    stars: Tensor

    def part(self, rows: slice) -> "Ratings":
        return Ratings(*(column[rows] for column in self))


@cache
def ratings(count: int = 6000, users: int = 150, items: int = 80) -> Ratings:
    """Who gave how many stars to what: 3.5 on average, tastes of three dimensions."""
    chance = dice(19)
    user = torch.randint(users, (count,), generator=chance)
    item = torch.randint(items, (count,), generator=chance)
    taste = torch.randn(users, 3, generator=chance)
    kind = torch.randn(items, 3, generator=chance)
    mild = 0.3 * torch.randn(users, generator=chance)
    liked = 0.5 * torch.randn(items, generator=chance)
    stars = 3.5 + mild[user] + liked[item] + 0.45 * (taste[user] * kind[item]).sum(1)
    return Ratings(user, item, stars + 0.3 * torch.randn(count, generator=chance))


@cache
def graphs(count: int = 1200, nodes: int = 14, features: int = 5) -> Samples:
    """Features of nodes beside the adjacency; the class is by what the neighbours have."""
    chance = dice(20)
    x = torch.randn(count, nodes, features, generator=chance)
    edges = torch.rand(count, nodes, nodes, generator=chance) < 0.5
    edges = (edges.triu(1) | edges.triu(1).mT).float()
    around = edges @ x / edges.sum(-1, keepdim=True).clamp(min=1)
    told = (2 * around[..., 0] + x[..., 1] - x[..., 2]).relu().mean(1)
    y = torch.bucketize(told, told.quantile(torch.tensor([1 / 3, 2 / 3])))
    return split(torch.cat([x, edges], 2), y)


@cache
def leaves(count: int = 1500, size: int = 16) -> Samples:
    """Colour pictures of striped leaves: five directions of the stripes, any colour and width."""
    chance = dice(21)
    y = torch.randint(5, (count,), generator=chance)
    angle = (3.1416 * y / 5 + 0.1 * torch.randn(count, generator=chance))[:, None, None]
    width = (1.2 + 0.8 * torch.rand(count, generator=chance))[:, None, None]
    axis = torch.arange(size) - size / 2
    phase = 6.3 * torch.rand(count, 1, 1, generator=chance)
    wave = torch.sin(width * (axis[:, None] * angle.cos() + axis * angle.sin()) + phase)
    colour = 0.5 + 0.5 * torch.rand(count, 3, 1, 1, generator=chance)
    image = colour * wave[:, None] + 0.5 * torch.randn(count, 3, size, size, generator=chance)
    return split(image, y)


@cache
def demand(count: int = 1800, length: int = 28) -> Samples:
    """Four weeks of sales and the next day's: a level, a trend and a week, of changing size."""
    chance = dice(22)
    day = torch.arange(length + 1) + torch.randint(7, (count, 1), generator=chance)
    level = torch.randn(count, 1, generator=chance)
    trend = 0.03 * torch.randn(count, 1, generator=chance)
    week = (1 + 0.5 * level) * torch.sin(2 * torch.pi * day / 7)
    sales = level + trend * torch.arange(length + 1) + week
    sales = sales + 0.2 * torch.randn(count, length + 1, generator=chance)
    return split(sales[:, :-1, None], sales[:, -1])


@cache
def chains(count: int = 500, length: int = 32, signs: int = 24) -> tuple[Tensor, Tensor]:
    """Texts in which each sign has three that may follow: to train on, and others."""
    chance = dice(23)
    follow = torch.stack([torch.randperm(signs, generator=chance)[:3] for _ in range(signs)])
    text = torch.randint(signs, (count, 1), generator=chance)
    for _ in range(length):
        pick = torch.multinomial(torch.tensor([0.7, 0.2, 0.1]), count, True, generator=chance)
        text = torch.cat([text, follow[text[:, -1], pick][:, None]], 1)
    return text[:400], text[400:]


@cache
def grades(count: int = 1500) -> Samples:
    """Eight measures of a wine, and its grade from 0 to 4."""
    chance = dice(24)
    x = torch.randn(count, 8, generator=chance)
    merit = x[:, 0] + 0.7 * x[:, 1] * (x[:, 2] > 0) - 0.5 * x[:, 3] ** 2 + 0.5 * x[:, 4]
    merit = merit + 0.3 * torch.randn(count, generator=chance)
    return split(x, torch.bucketize(merit, torch.tensor([-1.8, -0.8, 0.1, 1.0])))


def drawn_anew(y: Tensor, share: float, classes: int) -> Tensor:
    """The labels, of which a share is drawn anew."""
    chance = dice(25)
    anew = torch.randint(classes, y.shape, generator=chance)
    return torch.where(torch.rand(y.shape, generator=chance) < share, anew, y)
