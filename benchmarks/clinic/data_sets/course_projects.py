"""What students of a course collect or make up for their final projects."""

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from data_sets.samples import Samples, digit_images, split

LETTERS = " abcdefghijklmnopqrstuvwxyz."


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(4100 + seed)


@cache
def stickers(count: int = 1400, size: int = 12) -> Samples:
    """Coloured bytes, RGB: a disc, a square, a cross, a ring or a bar on a wall."""
    draw = draws(1)
    y = torch.randint(5, (count,), generator=draw)
    axis = torch.arange(size).float()
    down, across = torch.meshgrid(axis, axis, indexing="ij")
    place = 4 + (size - 9) * torch.rand(count, 2, 1, 1, generator=draw)
    a, b = down - place[:, 0], across - place[:, 1]
    far = (a.square() + b.square()).sqrt()
    radius = 2.6 + 0.8 * torch.rand(count, 1, 1, generator=draw)
    forms = torch.stack([
        far < radius, (a.abs() < 0.85 * radius) & (b.abs() < 0.85 * radius),
        ((a.abs() < 1) | (b.abs() < 1)) & (far < 1.2 * radius),
        (far - radius).abs() < 0.8, (a.abs() < 1) & (b.abs() < 1.4 * radius),
    ])  # fmt: skip
    mask = forms[y, torch.arange(count)].float()[:, None]
    wall = 40 + 110 * torch.rand(count, 3, 1, 1, generator=draw)
    paint = wall + 70 + 30 * torch.rand(count, 3, 1, 1, generator=draw)
    x = wall + mask * (paint - wall) + 14 * torch.randn(count, 3, size, size, generator=draw)
    return split(x.clamp(0, 255).round(), y)


def normalized_stickers() -> Samples:
    """The same with mean 0 and deviation 1 in each colour."""
    data = stickers()
    mean, deviation = data.x.mean((0, 2, 3), True), data.x.std((0, 2, 3), keepdim=True)
    return data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)


@cache
def cells(count: int = 700, size: int = 16) -> Samples:
    """Grey pictures with a few bright cells on a slope of light, and the cells' masks."""
    draw = draws(2)
    axis = torch.arange(size).float()
    down, across = torch.meshgrid(axis, axis, indexing="ij")
    mask = torch.zeros(count, size, size, dtype=torch.bool)
    for _ in range(2):
        place = size * torch.rand(count, 2, 1, 1, generator=draw)
        wide = 1.5 + 1.2 * torch.rand(count, 2, 1, 1, generator=draw)
        far = ((down - place[:, 0]) / wide[:, 0]).square()
        mask |= far + ((across - place[:, 1]) / wide[:, 1]).square() < 1
    light = torch.randn(count, 2, 1, 1, generator=draw) * 0.05
    x = mask.float() + light[:, 0] * (down - 8) + light[:, 1] * (across - 8)
    x = x + 0.3 * torch.randn(count, size, size, generator=draw)
    return split(x[:, None], mask[:, None].float())


class Ratings(NamedTuple):
    """Pairs of a student and a film with stars from 1 to 5."""

    pairs: Tensor
    stars: Tensor
    pairs_test: Tensor
    stars_test: Tensor


@cache
def ratings(users: int = 120, films: int = 80, count: int = 5000) -> Ratings:
    draw = draws(3)
    taste = torch.randn(users, 3, generator=draw)
    kind = torch.randn(films, 3, generator=draw)
    mild = 0.35 * torch.randn(users, generator=draw)
    good = 0.35 * torch.randn(films, generator=draw)
    pairs = torch.stack([
        torch.randint(users, (count,), generator=draw),
        torch.randint(films, (count,), generator=draw),
    ], 1)  # fmt: skip
    user, film = pairs.T
    stars = 3.3 + mild[user] + good[film] + 0.5 * (taste[user] * kind[film]).sum(1)
    stars = (stars + 0.3 * torch.randn(count, generator=draw)).clamp(1, 5)
    cut = int(0.85 * count)
    return Ratings(pairs[:cut], stars[:cut], pairs[cut:], stars[cut:])


@cache
def sayings(length: int = 33, count: int = 900) -> tuple[Tensor, Tensor]:
    """Windows of a made-up language of few words, as letter numbers: to train on, and others."""
    draw = draws(4)
    words = ["the", "a", "old", "green", "small", "robin", "otter", "tree", "sings", "sleeps",
             "under", "behind", "quietly", "river", "and", "then", "jumps", "over", "some",
             "cloud"]  # fmt: skip
    follow = torch.rand(len(words), len(words), generator=draw).pow(6)
    word, text = 0, ""
    while len(text) < count * 16:
        word = int(torch.multinomial(follow[word], 1, generator=draw))
        text += words[word] + (". " if torch.rand((), generator=draw) < 0.12 else " ")
    numbers = torch.tensor([LETTERS.index(letter) for letter in text])
    cut = int(0.8 * len(numbers))
    return numbers[:cut].unfold(0, length, 12), numbers[cut:].unfold(0, length, 16)


class Graph(NamedTuple):
    """Papers that cite one another."""

    adjacency: Tensor
    features: Tensor
    labels: Tensor
    train: Tensor
    test: Tensor


@cache
def papers(count: int = 320, topics: int = 4, known: int = 20) -> Graph:
    """Word counts that say little, citations that say more, and few topics that are known.

    The adjacency is dense, has loops, and is normalized on both sides.
    """
    draw = draws(6)
    labels = torch.randint(topics, (count,), generator=draw)
    same = labels[:, None] == labels
    edges = torch.rand(count, count, generator=draw) < torch.where(same, 0.05, 0.008)
    adjacency = (edges.triu(1) | edges.triu(1).T).float() + torch.eye(count)
    scale = adjacency.sum(1).rsqrt()
    centres = torch.rand(topics, 40, generator=draw)
    features = torch.poisson(0.6 * centres[labels] + 0.5, generator=draw)
    order = torch.randperm(count, generator=draw)
    first = torch.cat([order[labels[order] == t][:known] for t in range(topics)])
    rest = torch.tensor([i for i in order.tolist() if i not in set(first.tolist())])
    return Graph(scale[:, None] * adjacency * scale, features, labels, first, rest)


@cache
def bags(count: int = 2000, items: int = 10) -> Samples:
    """Sets of ten points of the plane; the target grows with how far they lie apart."""
    draw = draws(7)
    spread = 0.3 + 1.2 * torch.rand(count, 1, 1, generator=draw)
    points = 0.5 * torch.randn(count, 1, 2, generator=draw)
    points = points + spread * torch.randn(count, items, 2, generator=draw)
    target = points.std(1).mean(1)
    return split(points / 1.5, (target - target.mean()) / target.std())


@cache
def inverse(count: int = 1600, outliers: float = 0.02) -> Samples:
    """The sum of an angle and its wave, and the angle, which is often not the only one."""
    draw = draws(8)
    t = torch.rand(count, generator=draw)
    x = t + 0.3 * (6.2832 * t).sin() + 0.03 * torch.randn(count, generator=draw)
    lost = torch.rand(count, generator=draw) < outliers
    t = torch.where(lost, 10 * torch.rand(count, generator=draw) - 4.5, t)
    return split(4 * (x[:, None] - 0.5), 4 * (t - 0.5))


@cache
def rentals(count: int = 2400) -> Samples:
    """Standardized weather and hours, and the bicycles that were lent: about five an hour."""
    draw = draws(9)
    x = torch.randn(count, 6, generator=draw)
    rate = 1.4 + 0.5 * x[:, 0] - 0.3 * x[:, 1].square() + 0.4 * x[:, 2] * x[:, 3].tanh()
    return split(x, torch.poisson(rate.clamp(max=4).exp(), generator=draw))


@cache
def reviews(length: int = 18, words: int = 120, count: int = 1500, share: float = 0.25) -> Samples:
    """Word numbers of reviews with one of three verdicts; 15 words tell each."""
    draw = draws(10)
    y = torch.randint(3, (count,), generator=draw)
    x = torch.randint(46, words, (count, length), generator=draw)
    own = 1 + 15 * y[:, None] + torch.randint(15, (count, length), generator=draw)
    x = torch.where(torch.rand(count, length, generator=draw) < share, own, x)
    data = split(x, y)
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def gestures(length: int = 20, count: int = 1400) -> Samples:
    """Two-dimensional strokes that differ in the order of what is done, of four kinds."""
    draw = draws(11)
    y = torch.randint(4, (count,), generator=draw)
    first, second = y // 2, y % 2
    time = torch.linspace(0, 1, length)
    start = 0.15 + 0.2 * torch.rand(count, 1, generator=draw)
    later = 0.6 + 0.2 * torch.rand(count, 1, generator=draw)
    a = (-((time - start) / 0.08).square()).exp() * (2.0 * first[:, None] - 1)
    b = (-((time - later) / 0.08).square()).exp() * (2.0 * second[:, None] - 1)
    noise = 0.45 * torch.randn(count, length, 2, generator=draw)
    return split(1.5 * torch.stack([a + b, a * 0.3 - b * 0.3], -1) + noise, y)


@cache
def tiles(count: int = 2600, share: float = 0.03) -> Samples:
    """Standardized pictures of tiles, few of which have a crack (1)."""
    draw = draws(12)
    cracked = torch.rand(count, generator=draw) < share
    coarse = torch.randn(count, 1, 4, 4, generator=draw)
    x = 0.6 * F.interpolate(coarse, size=12, mode="bilinear")
    axis = torch.arange(12).float()
    down, across = torch.meshgrid(axis, axis, indexing="ij")
    slope = 0.6 * torch.randn(count, 1, 1, generator=draw)
    place = 3 + 6 * torch.rand(count, 1, 1, generator=draw)
    line = (down - place - slope * (across - 6)).abs() < 0.7
    x = x + 0.6 * torch.randn(count, 1, 12, 12, generator=draw)
    x = x - 1.4 * (line & cracked[:, None, None])[:, None]
    return split(x, cracked.long(), 0.6)


@cache
def houses(count: int = 1800) -> Samples:
    """Eight standardized columns, and a standardized price whose noise grows with it."""
    draw = draws(14)
    x = torch.randn(count, 8, generator=draw)
    price = x[:, 0] + 0.7 * x[:, 1] * x[:, 2] + 0.6 * x[:, 3].abs() - 0.4 * x[:, 4]
    wide = 0.3 + 0.3 * x[:, 5].sigmoid()
    price = price + wide * torch.randn(count, generator=draw)
    return split(x, (price - price.mean()) / price.std())


def twins(images: Tensor, labels: Tensor, count: int, draw: torch.Generator) -> list[Tensor]:
    """Indices of two samples, half of them of one class, and whether they are."""
    a = torch.randint(len(images), (count,), generator=draw)
    b = torch.randint(len(images), (count,), generator=draw)
    same = torch.rand(count, generator=draw) < 0.5
    for label in labels.unique():
        mine = (labels == label).nonzero().flatten()
        spots = (same & (labels[a] == label)).nonzero().flatten()
        b[spots] = mine[torch.randint(len(mine), (len(spots),), generator=draw)]
    return [a, b, (labels[a] == labels[b]).float()]


@cache
def digit_pairs(count: int = 2400) -> Samples:
    """Two digits, one above the other, and whether they are the same number.

    A digit may be paired with itself.
    """
    data, draw = digit_images(), draws(16)
    a, b, same = twins(data.x, data.y, count, draw)
    c, d, test = twins(data.x_test, data.y_test, 800, draw)
    return Samples(
        torch.stack([data.x[a.long()], data.x[b.long()]], 1), same,
        torch.stack([data.x_test[c.long()], data.x_test[d.long()]], 1), test,
    )  # fmt: skip
