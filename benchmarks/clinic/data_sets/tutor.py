"""What a tutor makes up for the exercises of a course: pictures, sequences, sets, graphs, rows."""

import pydoc_data.topics
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

LETTERS = " abcdefghijklmnopqrstuvwxyz.,\n"
WORDS, TAGS, TOPICS, MARKS = 60, 5, 8, 120
USERS, FILMS = 120, 90
START = 10


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def shapes(count: int = 1800, size: int = 16, noise: float = 0.35) -> Samples:
    """Discs, rings, frames, and crosses of two kinds, anywhere in a noisy picture."""
    g = generator(5101)
    y = torch.randint(5, (count,), generator=g)
    centre = 5 + (size - 10) * torch.rand(count, 2, 1, 1, generator=g)
    radius = 3 + 2 * torch.rand(count, 1, 1, generator=g)
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    dy, dx = (rows - centre[:, 0]).abs(), (columns - centre[:, 1]).abs()
    distance = (dx.square() + dy.square()).sqrt()
    forms = torch.stack([
        distance < radius,
        (distance < radius) & (distance > radius - 1.6),
        (torch.maximum(dx, dy) < radius) & (torch.maximum(dx, dy) > radius - 1.4),
        (torch.minimum(dx, dy) < 1.1) & (torch.maximum(dx, dy) < radius),
        ((dx - dy).abs() < 1.1) & (dx + dy < 1.4 * radius),
    ])  # fmt: skip
    x = forms[y, torch.arange(count)].float() + noise * torch.randn(count, size, size, generator=g)
    return split(x[:, None], y, 0.75)


@cache
def spots(count: int = 900, size: int = 24) -> Samples:
    """Small bright spots on an uneven background, and where they are."""
    g = generator(5102)
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    mask = torch.zeros(count, size, size)
    for _ in range(2):
        centre = 3 + (size - 6) * torch.rand(count, 2, 1, 1, generator=g)
        radius = 1.5 + 1.2 * torch.rand(count, 1, 1, generator=g)
        far = (rows - centre[:, 0]).square() + (columns - centre[:, 1]).square()
        mask = torch.maximum(mask, (far < radius.square()).float())
    slope = torch.randn(count, 2, 1, 1, generator=g) / size
    ground = slope[:, 0] * (rows - size / 2) + slope[:, 1] * (columns - size / 2)
    x = mask + ground + 0.35 * torch.randn(count, size, size, generator=g)
    return split(x[:, None], mask[:, None], 0.75)


@cache
def characters(length: int = 40, count: int = 2000) -> tuple[Tensor, Tensor]:
    """Windows of Python's documentation, letter by letter: to train on, and others."""
    texts = pydoc_data.topics.topics
    text = " ".join(" ".join(texts[name].lower().split()) for name in sorted(texts))
    numbers = torch.tensor([LETTERS.index(c) for c in text if c in LETTERS])
    windows = numbers[: len(numbers) // length * length].reshape(-1, length)
    windows = windows[torch.randperm(len(windows), generator=generator(5103))]
    return windows[:count], windows[count : count + 400]


@cache
def reversals(count: int = 2400, length: int = 7) -> Samples:
    """Digits, and the same in reverse."""
    x = torch.randint(10, (count, length), generator=generator(5104))
    cut = int(0.8 * count)
    return Samples(x[:cut], x[:cut].flip(1), x[cut:], x[cut:].flip(1))


@cache
def tides(count: int = 1800, length: int = 32) -> Samples:
    """Two waves and noise; what comes three steps after the window?"""
    g = generator(5105)
    period = torch.tensor([9.0, 14.0]) * (0.9 + 0.2 * torch.rand(count, 2, generator=g))
    phase = 6.283 * torch.rand(count, 2, generator=g)
    time = torch.arange(length + 3)
    angle = 6.283 * time / period[..., None] + phase[..., None]
    clean = (torch.tensor([0.9, 0.6])[:, None] * torch.sin(angle)).sum(1)
    x = clean + 0.12 * torch.randn(count, length + 3, generator=g)
    return split(x[:, :length, None], clean[:, -1])


@cache
def tones(count: int = 1600, length: int = 32) -> Samples:
    """Waves of four frequencies, at any phase."""
    g = generator(5106)
    y = torch.randint(4, (count,), generator=g)
    phase = 6.283 * torch.rand(count, 1, generator=g)
    time = torch.linspace(0, 6.283, length)
    x = torch.sin((1 + y[:, None]) * time + phase)
    return split((x + 0.3 * torch.randn(count, length, generator=g))[..., None], y)


@cache
def sentences(count: int = 1600, length: int = 16) -> Samples:
    """Words and their tags; what half of the words are tagged hangs on the word before."""
    g = generator(5107)
    x = torch.randint(WORDS, (count, length), generator=g)
    table = torch.randint(TAGS, (WORDS,), generator=g)
    after = torch.randint(TAGS, (WORDS, 4), generator=g)
    before = torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1] % 4], 1)
    tags = torch.where(x < WORDS // 2, table[x], after[x, before])
    cut = int(0.75 * count)
    return Samples(x[:cut], tags[:cut], x[cut:], tags[cut:])


@cache
def topics(count: int = 1800) -> Samples:
    """Counts of words, most of them zero, and which of eight topics a text is about."""
    g = generator(5108)
    y = (torch.rand(count, TOPICS, generator=g) < 0.2).float()
    rates = 0.03 * torch.ones(TOPICS + 1, MARKS)
    for topic in range(TOPICS):
        rates[topic, torch.randperm(MARKS, generator=g)[:12]] = 0.5
    about = torch.cat([y, torch.ones(count, 1)], 1)
    return split(torch.poisson(about @ rates, generator=g), y, 0.75)


@cache
def values(count: int = 2000) -> Samples:
    """States of a pendulum on a cart, and what each of three actions is worth."""
    g = generator(5109)
    s = 2 * torch.rand(count, 4, generator=g) - 1
    push = torch.tensor([-1.0, 0.0, 1.0])
    lean = s[:, 2:3] + 0.5 * s[:, 3:4] + 0.3 * push
    place = s[:, :1] + 0.5 * s[:, 1:2] + 0.1 * push
    y = torch.cos(2.5 * lean) - 0.6 * place.square() + 0.4 * torch.sin(3 * s[:, :1] * s[:, 2:3])
    y = y + 0.05 * torch.randn(count, 3, generator=g)
    return split(s, (y - y.mean()) / y.std())


class Moves(NamedTuple):
    """Where somebody was, the move made, what it paid and where it led to."""

    place: Tensor
    move: Tensor
    reward: Tensor
    next_place: Tensor


@cache
def moves(count: int = 4000) -> Moves:
    """A walk in a square in steps of a tenth; it pays to be near (0.5, -0.3)."""
    g = generator(5110)
    place = 2 * torch.rand(count, 2, generator=g) - 1
    move = torch.randint(4, (count,), generator=g)
    step = 0.2 * torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    following = (place + step[move] + 0.02 * torch.randn(count, 2, generator=g)).clamp(-1, 1)
    reward = -(following - torch.tensor([0.5, -0.3])).abs().sum(1)
    return Moves(place, move, reward, following)


@cache
def frauds(count: int = 3600) -> Samples:
    """One row of thirty is a fraud; frauds are not far from the others."""
    g = generator(5111)
    y = (torch.rand(count, generator=g) < 0.035).float()
    x = torch.randn(count, 10, generator=g)
    x[:, :4] += 1.1 * y[:, None]
    x[:, 4] += y * 1.2 * torch.randn(count, generator=g)
    return split(x, y)


class Graph(NamedTuple):
    """Nodes, who knows whom (normalised), their groups, and whose group is known."""

    x: Tensor
    adjacency: Tensor
    y: Tensor
    known: Tensor


@cache
def citations(nodes: int = 400, groups: int = 4) -> Graph:
    """Papers of four fields: those of a field cite each other more, and share some words."""
    g = generator(5112)
    y = torch.arange(nodes) % groups
    chance = torch.where(y[:, None] == y, 0.05, 0.008)
    edges = (torch.rand(nodes, nodes, generator=g) < chance).float().triu(1)
    both = edges + edges.T + torch.eye(nodes)
    degree = both.sum(1).rsqrt()
    words = torch.randn(groups, 30, generator=g)
    x = 0.35 * words[y] + torch.randn(nodes, 30, generator=g)
    known = torch.zeros(nodes, dtype=torch.bool)
    known[torch.randperm(nodes, generator=g)[:80]] = True
    return Graph(x, degree[:, None] * both * degree, y, known)


@cache
def clouds(count: int = 1600, points: int = 20) -> Samples:
    """Points in a plane: a cloud, a ring, two clouds or a line, turned at random."""
    g = generator(5113)
    y = torch.randint(4, (count,), generator=g)
    noise = torch.randn(count, points, 2, generator=g)
    angle = 6.283 * torch.rand(count, points, generator=g)
    ring = torch.stack([angle.cos(), angle.sin()], -1) * 1.3 + 0.2 * noise
    side = torch.randint(2, (count, points, 1), generator=g) * 2.0 - 1
    two = 0.4 * noise + side * torch.tensor([1.2, 0.0])
    line = noise * torch.tensor([1.3, 0.15])
    forms = torch.stack([0.9 * noise, ring, two, line])
    turn = 6.283 * torch.rand(count, generator=g)
    rotation = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], 1).reshape(-1, 2, 2)
    return split(forms[y, torch.arange(count)] @ rotation, y)


@cache
def calls(count: int = 2000) -> Samples:
    """Calls in an hour: a few to some dozens, by the hour, the weather and a campaign."""
    g = generator(5114)
    x = torch.randn(count, 6, generator=g)
    rate = 1.6 + 0.5 * x[:, 0] + 0.4 * torch.sin(2 * x[:, 1]) + 0.3 * x[:, 2] * (x[:, 3] > 0)
    return split(x, torch.poisson(rate.exp(), generator=g))


@cache
def ratings(count: int = 6000) -> Samples:
    """Stars from one to five of users for films: taste, kindness and quality."""
    g = generator(5115)
    user = torch.randint(USERS, (count,), generator=g)
    film = torch.randint(FILMS, (count,), generator=g)
    taste, kind = torch.randn(USERS, 3, generator=g), torch.randn(USERS, generator=g)
    genre, good = torch.randn(FILMS, 3, generator=g), torch.randn(FILMS, generator=g)
    stars = 3.2 + 0.45 * (taste[user] * genre[film]).sum(1) + 0.5 * kind[user] + 0.5 * good[film]
    stars = (stars + 0.4 * torch.randn(count, generator=g)).round().clamp(1, 5)
    data = split(torch.stack([user, film], 1), stars, 0.8)
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def grades(count: int = 1800) -> Samples:
    """Answers of pupils, and one of six grades, each a slice of what they know."""
    g = generator(5116)
    x = torch.randn(count, 12, generator=g)
    knows = x[:, :4].sum(1) / 2 + 0.8 * x[:, 4] * x[:, 5] + 0.25 * torch.randn(count, generator=g)
    return split(x, torch.bucketize(knows, torch.tensor([-1.5, -0.7, 0.0, 0.7, 1.5])))


@cache
def gardens(count: int = 1800) -> Samples:
    """A bounded measure whose spread grows with one of the inputs."""
    g = generator(5117)
    x = 2 * torch.rand(count, 3, generator=g) - 1
    y = torch.sin(3 * x[:, 0]) + x[:, 1].square()
    return split(x, y + (0.1 + 0.5 * (x[:, 2] > 0)) * torch.randn(count, generator=g))
