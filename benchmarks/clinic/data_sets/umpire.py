"""What an umpire makes up to try a tool: shapes, scenes, sentences, graphs, tables and series."""

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from data_sets.samples import Samples, split

SHAPES, WORDS, TAGS, LETTERS, LABELS = 6, 120, 5, 30, 8


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(x: Tensor, y: Tensor, kind: Tensor, radius: Tensor) -> Tensor:
    """A disk, ring, square, frame, cross or saltire each."""
    round_, square = (x**2 + y**2).sqrt(), torch.maximum(x.abs(), y.abs())
    cross = torch.minimum(x.abs(), y.abs())
    saltire = torch.minimum((x - y).abs(), (x + y).abs())
    forms = torch.stack([
        round_ < radius, (round_ - radius + 1).abs() < 0.8,
        square < 0.85 * radius, (square - 0.85 * radius + 0.8).abs() < 0.7,
        (cross < 0.8) & (square < radius), (saltire < 1) & (square < 0.85 * radius),
    ], 1)  # fmt: skip
    return forms[torch.arange(len(kind)), kind].float()


def grid(count: int, size: int, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Places relative to a random centre, and a random radius."""
    axis = torch.arange(size).float()
    centre = size / 2 - 0.5 + 3 * (torch.rand(count, 2, 1, 1, generator=draw) - 0.5)
    radius = 3 + 2 * torch.rand(count, 1, 1, generator=draw)
    return axis[:, None] - centre[:, 0], axis - centre[:, 1], radius


@cache
def shapes(count: int = 1800, noise: float = 0.3) -> Samples:
    """Pictures of 16 x 16 of six shapes."""
    draw = generator(9001)
    y = torch.randint(SHAPES, (count,), generator=draw)
    across, down, radius = grid(count, 16, draw)
    x = drawn(across, down, y, radius)
    x = x * (0.6 + 0.6 * torch.rand(count, 1, 1, generator=draw))
    x = x + noise * torch.randn(count, 16, 16, generator=draw)
    return split(x[:, None], y, 0.75)


@cache
def scenes(count: int = 700) -> Samples:
    """Pictures of 16 x 16 with a disk and a square; the mask is the disk's."""
    draw = generator(9002)
    x, mask = torch.zeros(count, 16, 16), torch.zeros(count, 16, 16)
    for kind in (0, 2, 2):
        axis = torch.arange(16).float()
        centre = 2 + 12 * torch.rand(count, 2, 1, 1, generator=draw)
        radius = 1.8 + 1.4 * torch.rand(count, 1, 1, generator=draw)
        kinds = torch.full((count,), kind)
        form = drawn(axis[:, None] - centre[:, 0], axis - centre[:, 1], kinds, radius)
        x = torch.where(form > 0, 0.7 + 0.5 * torch.rand(count, 1, 1, generator=draw), x)
        mask = form if kind == 0 else mask * (1 - form)
    x = x + 0.15 * torch.randn(count, 16, 16, generator=draw)
    return split(x[:, None], mask[:, None], 0.75)


@cache
def sentences(count: int = 1600, length: int = 14) -> Samples:
    """Word numbers; a word's tag depends on its kind and on that of the word before."""
    draw = generator(9003)
    words = torch.randint(WORDS, (count, length), generator=draw)
    kind = words % 6
    before = F.pad(kind, (1, 0), value=0)[:, :-1]
    table = torch.randint(TAGS, (6, 6), generator=draw)
    data = split(words, table[kind, before], 0.75)
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def letters(count: int = 1600, length: int = 24) -> Tensor:
    """Chains of letters of six kinds; the two kinds before say which is likely next."""
    draw = generator(9004)
    table = torch.randint(6, (6, 6), generator=draw)
    kinds = [torch.randint(6, (count,), generator=draw) for _ in range(2)]
    for _ in range(length - 2):
        free = torch.randint(6, (count,), generator=draw)
        strict = torch.rand(count, generator=draw) < 0.85
        kinds.append(torch.where(strict, table[kinds[-2], kinds[-1]], free))
    own = torch.multinomial(torch.tensor([8.0, 4, 2, 1, 1]), count * length, True, generator=draw)
    return torch.stack(kinds, 1) * 5 + own.reshape(count, length)


class Graphs(NamedTuple):
    """Nodes' features, which are neighbours, and the nodes' communities."""

    x: Tensor
    edges: Tensor
    y: Tensor


@cache
def graphs(count: int = 80, nodes: int = 60, noise: float = 1.6) -> Graphs:
    """Communities of four kinds whose features are blurred."""
    draw = generator(9005)
    y = torch.randint(4, (count, nodes), generator=draw)
    centres = torch.randn(4, 12, generator=draw)
    x = centres[y] + noise * torch.randn(count, nodes, 12, generator=draw)
    chance = torch.where(y[:, :, None] == y[:, None], 0.3, 0.04)
    upper = torch.bernoulli(chance, generator=draw).triu(1)
    return Graphs(x, upper + upper.mT, y)


@cache
def visits(count: int = 2400) -> Samples:
    """Eight features of patients and the years observed; how often they saw a doctor."""
    draw = generator(9006)
    x = torch.randn(count, 8, generator=draw)
    years = 0.5 + 2.5 * torch.rand(count, generator=draw)
    rate = 0.5 * x[:, 0] * x[:, 1] + 0.5 * (x[:, 2].abs() - 0.8) + 0.4 * torch.sin(2 * x[:, 3])
    y = torch.poisson((0.9 + rate).exp() * years, generator=draw)
    return split(torch.cat([x, years[:, None]], 1), y, 0.75)


@cache
def loans(count: int = 2400) -> Samples:
    """Age, income, debt, years in the job, cards, score; a grade from 0 to 4."""
    draw = generator(9007)
    z = torch.randn(count, 6, generator=draw)
    age, income = 42 + 12 * z[:, 0], 48_000 * (0.35 * z[:, 1]).exp()
    debt, years = 18_000 * (0.5 * z[:, 2]).exp(), (6 + 4 * z[:, 3]).clamp(0)
    cards, score = (2 + z[:, 4]).round().clamp(0), 640 + 70 * z[:, 5]
    worth = 1.2 * z[:, 1] - z[:, 2] + z[:, 5] + 0.8 * z[:, 0] * z[:, 3] - 0.7 * z[:, 4].abs()
    worth = worth + 0.3 * torch.randn(count, generator=draw)
    y = torch.bucketize(worth, worth.quantile(torch.tensor([0.2, 0.4, 0.6, 0.8])))
    return split(torch.stack([age, income, debt, years, cards, score], 1), y, 0.75)


@cache
def genes(count: int = 700, features: int = 200, train: int = 150) -> Samples:
    """Many expressions, few patients; three kinds of a disease move fifteen of them."""
    draw = generator(9008)
    y = torch.randint(3, (count,), generator=draw)
    shift = torch.zeros(3, features)
    shift[:, :15] = torch.randn(3, 15, generator=draw)
    x = shift[y] * 0.55 + torch.randn(count, features, generator=draw)
    return split(x, y, train / count)


@cache
def machines(count: int = 2400, length: int = 48, normal: float = 0.25) -> Samples:
    """Two sensors over time: as it should be, a lost beat, a faster beat, or a slow rise."""
    draw = generator(9009)
    rest = (1 - normal) / 3
    y = torch.multinomial(torch.tensor([normal, rest, rest, rest]), count, True, generator=draw)
    time = torch.arange(length).float()
    pace = torch.where(y == 2, 0.62, 0.5)[:, None]
    x = torch.sin(pace * time + 6.3 * torch.rand(count, 1, generator=draw))
    start = torch.randint(4, length - 12, (count, 1), generator=draw)
    gap = (time >= start) & (time < start + 7) & (y == 1)[:, None]
    x = x.masked_fill(gap, 0.0)
    second = 0.6 * torch.roll(x, 3, 1) + (y == 3)[:, None] * (0.8 * time / length)
    both = torch.stack([x, second], 1)
    return split(both + 0.45 * torch.randn(count, 2, length, generator=draw), y, 0.75)


@cache
def rare_machines() -> Samples:
    """Many that run well to learn from; as many of each state to measure on."""
    data, many = machines(9000), machines(9000, normal=0.9)
    return Samples(many.x[:2600], many.y[:2600], data.x_test, data.y_test)


@cache
def sensors(count: int = 2000) -> Samples:
    """Ten gas sensors that drift over the months, in the order of the records."""
    draw = generator(9010)
    y = torch.randint(5, (count,), generator=draw)
    month = torch.arange(count) / count
    response, drift = torch.randn(5, 10, generator=draw), torch.randn(10, generator=draw)
    x = response[y] + 3.5 * (month - 0.5)[:, None] * drift
    x = x + 0.6 * torch.randn(count, 10, generator=draw)
    test = torch.rand(count, generator=draw) < 0.25
    return Samples(x[~test], y[~test], x[test], y[test])


@cache
def swarms(count: int = 2000, points: int = 16) -> Samples:
    """Points of a plane in no order, from one to four swarms; how many?"""
    draw = generator(9011)
    y = torch.randint(4, (count,), generator=draw)
    angle = 6.28 * (torch.rand(count, 1, generator=draw) + torch.arange(4) / (y[:, None] + 1))
    centres = 1.5 * torch.stack([angle.cos(), angle.sin()], -1)
    member = torch.arange(points) % (y[:, None] + 1)
    x = centres.gather(1, member[..., None].expand(-1, -1, 2))
    x = x + 0.25 * torch.randn(count, points, 2, generator=draw)
    return split(x + 0.5 * torch.randn(count, 1, 2, generator=draw), y, 0.75)


@cache
def articles(count: int = 2400) -> Samples:
    """Twenty measures of an article, and which of eight labels it has."""
    draw = generator(9012)
    x = torch.randn(count, 20, generator=draw)
    first = torch.randint(20, (LABELS, 2), generator=draw)
    linear = x @ torch.randn(20, LABELS, generator=draw) / 3
    z = 1.5 * x[:, first[:, 0]] * x[:, first[:, 1]] + linear
    z = z + 0.3 * torch.randn(count, LABELS, generator=draw)
    return split(x, (z > 0.4).float(), 0.75)


@cache
def demand(count: int = 2400, length: int = 36) -> Samples:
    """Windows of a demand with two periods, and the next value."""
    draw = generator(9013)
    time = torch.arange(count + length + 1).float()
    level = torch.sin(0.26 * time) + 0.6 * torch.sin(0.9 * time + 1) * torch.cos(0.05 * time)
    level = level + 0.15 * torch.randn(len(time), generator=draw)
    windows = level.unfold(0, length + 1, 1)
    x, y = windows[:, :-1], windows[:, -1]
    return Samples(x[:1800], y[:1800], x[1800:], y[1800:])


@cache
def trips(count: int = 2400) -> Samples:
    """Six standard features of a trip; its minutes, less certain the longer it is."""
    draw = generator(9014)
    x = torch.randn(count, 6, generator=draw)
    mean = 1.5 * x[:, 0] + x[:, 1] * x[:, 2] + torch.sin(2 * x[:, 3]) + 0.5 * x[:, 4] ** 2
    spread = 0.25 * F.softplus(x[:, 0] + 0.5)
    return split(x, mean + spread * torch.randn(count, generator=draw), 0.75)


@cache
def baskets(count: int = 2400, items: int = 600) -> Samples:
    """Which of many items are in a basket, few of them each; four kinds of customers."""
    draw = generator(9015)
    y = torch.randint(4, (count,), generator=draw)
    chances = torch.rand(4, items, generator=draw) ** 8 + 0.02
    basket = torch.multinomial(chances[y], 14, generator=draw)
    return split(torch.zeros(count, items).scatter(1, basket, 1.0), y, 0.75)


@cache
def arm(count: int = 2400) -> Samples:
    """Where a sine's curve is crossed: several answers to each question."""
    draw = generator(9016)
    answer = torch.rand(count, 1, generator=draw)
    question = answer + 0.3 * torch.sin(6.28 * answer)
    return split(question + 0.03 * torch.randn(count, 1, generator=draw), answer, 0.75)


@cache
def experts(count: int = 2400) -> Samples:
    """Four regimes, by the signs of two features, each a linear rule of its own."""
    draw = generator(9017)
    x = torch.randn(count, 8, generator=draw)
    regime = 2 * (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    rules = torch.randn(4, 8, generator=draw)
    y = (x * rules[regime]).sum(1) + 0.3 * torch.randn(count, generator=draw)
    return split(x, y, 0.75)
