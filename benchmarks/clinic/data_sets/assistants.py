"""Data made up for scripts that assistants write: signs, gestures, tickets, loads, and more."""

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from data_sets.samples import Samples

WORDS, WIDTH, SUBJECTS = 260, 30, 5
NOTES, SYMBOLS = 18, 12
PLANS, REGIONS, CHANNELS = 4, 12, 6


class Records(Dataset[dict[str, Tensor]]):
    """Rows of several columns, each row a dictionary."""

    def __init__(self, **columns: Tensor) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: column[index] for name, column in self.columns.items()}


class Graphs(NamedTuple):
    """Kinds of nodes (0 for none), adjacency matrices, and a property of each graph."""

    nodes: Tensor
    edges: Tensor
    y: Tensor


class Windows(NamedTuple):
    """What was measured, what is known of the hours ahead, and the load in these."""

    past: Tensor
    known: Tensor
    load: Tensor


def cut(x: Tensor, y: Tensor, share: float = 0.75) -> Samples:
    """The first rows to train on, the others to measure on."""
    n = int(share * len(y))
    return Samples(x[:n], y[:n], x[n:], y[n:])


@cache
def signs(count: int = 4000, size: int = 16) -> Samples:
    """Six light shapes of any colour on a dark ground of any colour, with noise; standardised."""
    g = torch.Generator().manual_seed(9101)
    y = torch.randint(6, (count,), generator=g)
    axis = torch.arange(size, dtype=torch.float32)
    center = 5 + (size - 11) * torch.rand(count, 2, 1, 1, generator=g)
    r = 3.2 + 1.8 * torch.rand(count, 1, 1, generator=g)
    dx, dy = axis - center[:, 0], axis[:, None] - center[:, 1]
    square = dx**2 + dy**2
    wide = torch.maximum(dx.abs(), dy.abs())
    shapes = torch.stack([
        square < r**2,
        wide < 0.85 * r,
        (square < r**2) & (square > 0.35 * r**2),
        (wide < r) & (torch.minimum(dx.abs(), dy.abs()) < 0.35 * r),
        (dy < 0.8 * r) & (dy > 2 * dx.abs() - r),
        dx.abs() + dy.abs() < 1.1 * r,
    ], 1)  # fmt: skip
    mask = shapes[torch.arange(count), y][:, None].float()
    ground, ink = torch.rand(2, count, 3, 1, 1, generator=g)
    x = 0.5 * ground * (1 - mask) + (0.6 + 0.4 * ink) * mask
    x = x + 0.12 * torch.randn(count, 3, size, size, generator=g)
    return cut((x - 0.5) / 0.3, y)


@cache
def gestures(count: int = 2800, length: int = 64, noise: float = 0.7) -> Samples:
    """Three channels of a wrist sensor: two paces, and three ways in which the channels follow."""
    g = torch.Generator().manual_seed(9102)
    y = torch.randint(6, (count,), generator=g)
    pace = (3.0 + 1.5 * (y % 2) + 0.3 * torch.randn(count, generator=g))[:, None, None]
    lag = (2 * math.pi / 3) * (y // 2 - 1)[:, None, None] * torch.arange(3.0)[:, None]
    phase = 2 * math.pi * torch.rand(count, 1, 1, generator=g)
    time = torch.linspace(0, 2 * math.pi, length)
    height = 0.7 + 0.6 * torch.rand(count, 3, 1, generator=g)
    x = height * torch.sin(pace * time + phase + lag)
    return cut(x + noise * torch.randn(count, 3, length, generator=g), y)


@cache
def tickets(count: int = 4000) -> Samples:
    """Word numbers of 5 to 30 words, padded with 0, and which of five desks answers.

    A fifth of the words hint at a desk; each of these words is used at two desks.
    """
    g = torch.Generator().manual_seed(9103)
    y = torch.randint(SUBJECTS, (count,), generator=g)
    x = torch.randint(61, WORDS, (count, WIDTH), generator=g)
    pick = torch.randint(24, (count, WIDTH), generator=g)
    neighbour = (y[:, None] + (pick >= 12)) % SUBJECTS
    hint = 1 + 12 * neighbour + pick % 12
    x = torch.where(torch.rand(count, WIDTH, generator=g) < 0.3, hint, x)
    length = torch.randint(5, WIDTH + 1, (count, 1), generator=g)
    return cut(x.masked_fill(torch.arange(WIDTH) >= length, 0), y)


@cache
def customers(count: int = 6000) -> tuple[Tensor, Tensor, Tensor]:
    """Three columns of categories, six of numbers, and who cancels."""
    g = torch.Generator().manual_seed(9104)
    sizes = (PLANS, REGIONS, CHANNELS)
    kinds = torch.stack([torch.randint(n, (count,), generator=g) for n in sizes], 1)
    numbers = torch.randn(count, 6, generator=g)
    effects = [0.9 * torch.randn(n, generator=g) for n in sizes]
    slopes = torch.randn(PLANS, generator=g)
    logit = sum(effect[kinds[:, i]] for i, effect in enumerate(effects)) - 0.9
    logit = logit + 1.6 * slopes[kinds[:, 0]] * numbers[:, 0] + 1.2 * numbers[:, 1]
    logit = logit + 0.8 * (numbers[:, 2].abs() - 0.8) - 0.6 * numbers[:, 3] * numbers[:, 4]
    return kinds, numbers, (torch.rand(count, generator=g) < torch.sigmoid(1.3 * logit)).float()


@cache
def loads(count: int = 2400, past: int = 48, ahead: int = 12) -> tuple[Windows, Windows]:
    """Hours of a grid's load that hangs on hour, day and temperature; to train, and later ones."""
    g = torch.Generator().manual_seed(9105)
    hours = 24 * 7 * 50
    t = torch.arange(hours, dtype=torch.float32)
    warmth = torch.zeros(hours)
    for i in range(1, hours):
        warmth[i] = 0.97 * warmth[i - 1] + 0.24 * torch.randn((), generator=g)
    angle = 2 * math.pi * t / 24
    week = torch.where((t // 24) % 7 < 5, 0.5, -0.6)
    load = 0.9 * torch.sin(angle - 2) + 0.4 * torch.sin(2 * angle) + week + 0.35 * warmth**2
    load = load + 0.15 * torch.randn(hours, generator=g)
    load = (load - load.mean()) / load.std()
    known = torch.stack([warmth, angle.sin(), angle.cos(), week], 1)
    cutting, rows = int(0.75 * hours), torch.arange(past + ahead)
    early = torch.randint(0, cutting - past - ahead, (count,), generator=g)
    late = torch.randint(cutting, hours - past - ahead, (count // 3,), generator=g)

    def windows(start: Tensor) -> Windows:
        at = start[:, None] + rows
        seen = torch.cat([load[at, None], known[at]], -1)
        return Windows(seen[:, :past], seen[:, past:, 1:], load[at][:, past:])

    return windows(early), windows(late)


@cache
def molecules(count: int = 3000, most: int = 10) -> tuple[Graphs, Graphs]:
    """Trees of 6 to 10 nodes with a ring or two; pairs of neighbours make the property."""
    g = torch.Generator().manual_seed(9106)
    size = torch.randint(6, most + 1, (count,), generator=g)
    nodes = 1 + torch.randint(4, (count, most), generator=g)
    edges = torch.zeros(count, most, most)
    every = torch.arange(count)
    for node in range(1, most):
        parent = (torch.rand(count, generator=g) * node).long()
        edges[every, node, parent] = 1.0
    edges = torch.maximum(edges, (torch.rand(count, most, most, generator=g) < 0.04).float())
    inside = torch.arange(most) < size[:, None]
    edges = torch.maximum(edges, edges.mT) * (1 - torch.eye(most))
    edges = edges * inside[:, None] * inside[:, :, None]
    nodes = nodes * inside
    bond = torch.randn(5, 5, generator=g)
    pairs = (bond + bond.T)[nodes[:, :, None], nodes[:, None]]
    alone = torch.randn(5, generator=g)
    y = (pairs * edges).sum((1, 2)) / 4 + (alone[nodes] * inside).sum(1)
    y = y + 0.25 * y.std() * torch.randn(count, generator=g)
    y = (y - y.mean()) / y.std()
    n = 3 * count // 4
    return Graphs(nodes[:n], edges[:n], y[:n]), Graphs(nodes[n:], edges[n:], y[n:])


@cache
def scans(count: int = 640, size: int = 24) -> Samples:
    """Grey pictures of an organ with a spot in it, and which of the three each pixel shows."""
    g = torch.Generator().manual_seed(9107)
    axis = torch.arange(size, dtype=torch.float32)
    center = size / 2 + 2.5 * torch.randn(count, 2, 1, 1, generator=g).clamp(-1, 1)
    width = 5.5 + 3 * torch.rand(count, 2, 1, 1, generator=g)
    dx, dy = axis - center[:, 0], axis[:, None] - center[:, 1]
    organ = (dx / width[:, 0]) ** 2 + (dy / width[:, 1]) ** 2 < 1
    spot = center + 0.5 * (width - 2) * (2 * torch.rand(count, 2, 1, 1, generator=g) - 1)
    r = 1.8 + 1.4 * torch.rand(count, 1, 1, generator=g)
    lesion = ((axis - spot[:, 0]) ** 2 + (axis[:, None] - spot[:, 1]) ** 2 < r**2) & organ
    y = organ.long() + lesion.long()
    level = torch.tensor([0.0, 1.0, 1.9])[y] + 0.4 * torch.randn(count, 1, 1, generator=g)
    x = level + 0.55 * torch.randn(count, size, size, generator=g)
    return cut((x - 0.5)[:, None], y, 0.8)


@cache
def flats(count: int = 4000) -> Samples:
    """Eight columns in their own units, and the price in ten thousands."""
    g = torch.Generator().manual_seed(9108)
    u = torch.rand(count, 8, generator=g)
    area, rooms, year = 25 + 150 * u[:, 0] ** 1.5, (1 + 5 * u[:, 1]).floor(), 1890 + 130 * u[:, 2]
    floor, far, income = (9 * u[:, 3]).floor(), 20 * u[:, 4], 18_000 + 70_000 * u[:, 5]
    lift, plot = (u[:, 6] > 0.5).float(), 1500 * u[:, 7] ** 2
    rate = 0.2 + 0.25 * torch.exp(-far / 6) + 0.15 * torch.sin((year - 1890) / 25)
    rate = rate + 0.02 * floor * (2 * lift - 1) * 0.6 + 2e-6 * income
    price = area * rate + 0.3 * rooms + 0.004 * plot
    price = price + (0.01 * area + 0.2) * 2.0 * torch.randn(count, generator=g)
    x = torch.stack([area, rooms, year, floor, far, income, lift, plot], 1)
    return cut(x, price)


@cache
def tastings(count: int = 4500) -> Samples:
    """Ten measurements of a cheese, and which of five grades it got; few get the last one."""
    g = torch.Generator().manual_seed(9109)
    x = torch.randn(count, 10, generator=g)
    score = x[:, 0] + 0.9 * torch.sin(1.5 * x[:, 1]) - 0.6 * x[:, 2] ** 2 + 0.5 * x[:, 3] * x[:, 4]
    score = score + 0.35 * torch.randn(count, generator=g)
    return cut(x, torch.bucketize(score, torch.tensor([-1.8, -0.7, 0.2, 1.3])))


@cache
def articles(count: int = 5000, words: int = 60, tags: int = 8) -> Samples:
    """Counts of words, and which of eight tags fit, some of which come together."""
    g = torch.Generator().manual_seed(9110)
    themes = torch.randn(count, 4, generator=g)
    lean = torch.randn(4, tags, generator=g)
    y = ((themes @ lean) / 2 + 0.5 * torch.randn(count, tags, generator=g) > 0.6).float()
    rate = 1.8 * torch.rand(tags, words, generator=g) ** 6
    x = torch.poisson(0.3 + y @ rate, generator=g)
    return cut(x.log1p(), y)


@cache
def codes(count: int = 4000, length: int = 5) -> Samples:
    """Words of five symbols, and the same in another alphabet, written backwards.

    Symbol 0 begins what is written.
    """
    g = torch.Generator().manual_seed(9111)
    x = torch.randint(1, SYMBOLS, (count, length), generator=g)
    other = 1 + torch.randperm(SYMBOLS - 1, generator=g)
    y = other[x - 1].flip(1)
    return cut(x, y)


@cache
def tunes(count: int = 2000, length: int = 33) -> Samples:
    """Notes that hang on the two before; what comes next is half chance."""
    g = torch.Generator().manual_seed(9112)
    one, two = torch.randn(2, NOTES, 6, generator=g)
    after = torch.randn(6, NOTES, generator=g)
    notes = torch.randint(NOTES, (count, length), generator=g)
    for i in range(2, length):
        logits = 1.1 * (one[notes[:, i - 1]] + two[notes[:, i - 2]]) @ after
        notes[:, i] = torch.multinomial(logits.softmax(1), 1, generator=g)[:, 0]
    return cut(notes[:, :-1], notes[:, 1:])


@cache
def spectra(count: int = 3000, points: int = 40) -> Samples:
    """Three peaks whose heights and places vary, with noise; the target is without it."""
    g = torch.Generator().manual_seed(9113)
    axis = torch.linspace(0, 1, points)
    place = torch.tensor([0.2, 0.5, 0.8]) + 0.06 * torch.randn(count, 3, generator=g)
    height = 0.5 + torch.rand(count, 3, generator=g)
    peaks = height[..., None] * torch.exp(-(((axis - place[..., None]) / 0.07) ** 2))
    clean = peaks.sum(1)
    return cut(clean + 0.08 * torch.randn(count, points, generator=g), clean)


@cache
def listings(count: int = 3200) -> tuple[Tensor, Tensor]:
    """A picture's features and a text's features of the same thing, row by row."""
    g = torch.Generator().manual_seed(9114)
    thing = torch.randn(count, 6, generator=g)
    picture = torch.tanh(thing @ torch.randn(6, 32, generator=g))
    text = torch.relu(thing @ torch.randn(6, 24, generator=g) + 0.5)
    picture = picture + 0.3 * torch.randn(count, 32, generator=g)
    text = text + 0.3 * torch.randn(count, 24, generator=g)
    return picture, (text - text.mean(0)) / text.std(0)


@cache
def machines(count: int = 4000) -> Samples:
    """Sixteen readings of a machine that works in one of four modes, and what it makes."""
    g = torch.Generator().manual_seed(9115)
    x = torch.randn(count, 16, generator=g)
    mode = 2 * (x[:, 0] > 0).long() + (x[:, 1] + 0.5 * x[:, 2] > 0).long()
    slopes = torch.randn(4, 16, generator=g)
    y = (x * slopes[mode]).sum(1) / 3 + torch.tensor([1.0, -1.0, 0.5, -0.5])[mode]
    y = y + 0.25 * torch.randn(count, generator=g)
    return cut(x, (y - y.mean()) / y.std())


@cache
def boards(count: int = 9000, rate: float = 0.04) -> Samples:
    """Twenty readings of soldered boards, few of which are faulty, in two ways."""
    g = torch.Generator().manual_seed(9116)
    y = (torch.rand(count, generator=g) < rate).long()
    x = torch.randn(count, 20, generator=g)
    way = torch.rand(count, generator=g) < 0.5
    x[:, :4] += 1.5 * (y * way)[:, None]
    x[:, 4:8] -= 1.5 * (y * ~way)[:, None]
    x[:, 8:11] *= 1 + 0.5 * y[:, None]
    return cut(x @ torch.linalg.qr(torch.randn(20, 20, generator=g))[0], y, 0.6)


@cache
def species(count: int = 4000, kinds: int = 20) -> Samples:
    """Twenty-four measurements of twenty kinds that resemble each other."""
    g = torch.Generator().manual_seed(9117)
    y = torch.randint(kinds, (count,), generator=g)
    hidden = torch.randn(kinds, 10, generator=g)[y] + 0.42 * torch.randn(count, 10, generator=g)
    x = torch.tanh(hidden @ torch.randn(10, 24, generator=g) / 2)
    return cut((x + 0.1 * torch.randn(count, 24, generator=g)) / 0.7, y)


@cache
def vibrations(count: int = 2400, length: int = 40) -> Samples:
    """One channel of a swinging arm, and how strongly it is damped, standardised."""
    g = torch.Generator().manual_seed(9118)
    damping = 0.02 + 0.1 * torch.rand(count, 1, generator=g)
    pace = 0.4 + 0.4 * torch.rand(count, 1, generator=g)
    phase = 2 * math.pi * torch.rand(count, 1, generator=g)
    t = torch.arange(length, dtype=torch.float32)
    x = torch.exp(-damping * t) * torch.sin(pace * t + phase)
    x = (x + 0.08 * torch.randn(count, length, generator=g)) / 0.4
    return cut(x[..., None], (damping[:, 0] - 0.07) / 0.029)
