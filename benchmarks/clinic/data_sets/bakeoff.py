"""What a magazine trains its test programs on: stickers, chirps, graphs, counts and words."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

SHAPES, CALLS, LETTERS, VOCABULARY, TAGS, ATOMS = 6, 5, 15, 160, 5, 4


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def stickers(count: int = 2000, size: int = 16) -> Samples:
    """Coloured pictures from 0 to 1: square, disc, ring, cross, diagonal cross, stripes."""
    g = generator(7101)
    y = torch.randint(SHAPES, (count,), generator=g)
    line = torch.arange(size).float()
    center = 5 + 6 * torch.rand(2, count, 1, 1, generator=g)
    dy, dx = line[:, None] - center[0], line - center[1]
    radius = 3 + 2 * torch.rand(count, 1, 1, generator=g)
    square = torch.maximum(dy.abs(), dx.abs()) < radius
    distance = (dy.square() + dx.square()).sqrt()
    shapes = [
        square,
        distance < radius,
        (distance - radius).abs() < 0.9,
        ((dy.abs() < 1) | (dx.abs() < 1)) & square,
        (((dy - dx).abs() < 1.2) | ((dy + dx).abs() < 1.2)) & square,
        (dy.remainder(3) < 1.5) & square,
    ]
    mask = torch.stack(shapes, 1)[torch.arange(count), y][:, None].float()
    colour = 0.5 + 0.5 * torch.rand(count, 3, 1, 1, generator=g)
    ground = 0.4 * torch.rand(count, 3, 1, 1, generator=g)
    x = ground + (colour - ground) * mask
    x = x + 0.08 * torch.randn(x.shape, generator=g)
    return split(x.clamp(0, 1), y, 0.75)


@cache
def chirps(count: int = 2400, length: int = 64, rest: float = 0.2, noise: float = 0.25) -> Samples:
    """Calls of five birds, none before sample 24; ``rest`` are of each bird but the first."""
    g = generator(7102)
    shares = torch.tensor([1 - 4 * rest, rest, rest, rest, rest])
    y = torch.multinomial(shares, count, True, generator=g)
    begin = 24 + 10 * torch.rand(count, 1, generator=g)
    time = torch.arange(length).float() - begin
    during = ((time > 0) & (time < 28)).float()
    phase = 6.28 * torch.rand(count, 1, generator=g)
    calls = [
        (0.9 * time + phase).sin(),
        (0.4 * time + 0.025 * time.square() + phase).sin(),
        (1.8 * time - 0.025 * time.square() + phase).sin(),
        (0.9 * time + phase).sin() * (time.remainder(14) < 7),
        (0.9 * time + phase).sin() * (0.45 * time).sin(),
    ]
    x = during * torch.stack(calls, 1)[torch.arange(count), y]
    x = x + noise * torch.randn(count, length, generator=g)
    return split(x[:, None], y, 0.7)


class Graphs(NamedTuple):
    """Kinds of atoms and bonds between them, and an energy: to train on, and others."""

    atoms: Tensor
    bonds: Tensor
    y: Tensor
    atoms_test: Tensor
    bonds_test: Tensor
    y_test: Tensor


@cache
def graphs(count: int = 1600, size: int = 10, lone: float = 0.02) -> Graphs:
    """Some have an atom without a bond."""
    g = generator(7103)
    kind = torch.randint(ATOMS, (count, size), generator=g)
    bonds = torch.diag(torch.ones(size - 1), 1).repeat(count, 1, 1)
    bonds = torch.maximum(bonds, (torch.rand(count, size, size, generator=g) < 0.1).float())
    bonds = bonds.triu(1)
    alone = torch.rand(count, generator=g) < lone
    bonds[alone, :, -1] = 0
    bonds = bonds + bonds.mT
    pull = torch.randn(ATOMS, ATOMS, generator=g)
    pull = pull + pull.mT
    pairs = pull[kind[:, :, None], kind[:, None]]
    triangles = torch.einsum("bij,bjk,bki->b", bonds, bonds, bonds)
    crowd = (bonds.sum(2) - 2).relu().square().sum(1)
    y = (bonds * pairs).sum((1, 2)) + 0.3 * triangles - 1.5 * crowd
    y = (y - y.mean()) / y.std()
    atoms = torch.eye(ATOMS)[kind]
    cut = 3 * count // 4
    return Graphs(atoms[:cut], bonds[:cut], y[:cut], atoms[cut:], bonds[cut:], y[cut:])


@cache
def hires(count: int = 2600, scale: float = 1.0) -> Samples:
    """Degrees, percent, km/h, the hour as sine and cosine, holiday; bicycles hired that hour."""
    g = generator(7104)
    z = torch.randn(count, 3, generator=g)
    hour = 6.28 * torch.rand(count, generator=g)
    holiday = (torch.rand(count, generator=g) < 0.2).float()
    rate = 0.7 * z[:, 0] - 0.35 * z[:, 0].square() - 0.3 * z[:, 1].relu() * z[:, 2]
    rate = rate + 0.8 * (2 * hour).sin() * (1 - holiday) + 0.5 * holiday * hour.cos()
    y = torch.poisson(scale * (2.2 + rate).exp(), generator=g)
    weather = [15 + 8 * z[:, 0], 60 + 15 * z[:, 1], 12 + 5 * z[:, 2]]
    return split(torch.stack([*weather, hour.sin(), hour.cos(), holiday], 1), y, 0.75)


@cache
def barometer(count: int = 1800, length: int = 48) -> Samples:
    """Two days of pressure in hPa, and its change in the next six hours, of deviation 1."""
    g = generator(7105)
    time = torch.arange(length + 6).float()
    phase = 6.28 * torch.rand(2, count, 1, generator=g)
    slow = 0.08 + 0.06 * torch.rand(count, 1, generator=g)
    x = 6 * (slow * time + phase[0]).sin() + 1.5 * (0.52 * time + phase[1]).sin()
    x = 1013 + 4 * torch.randn(count, 1, generator=g) + x
    x = x + 0.3 * torch.randn(x.shape, generator=g)
    y = x[:, -1] - x[:, length - 1]
    return split(x[:, :length, None], (y - y.mean()) / y.std(), 0.75)


@cache
def letters(count: int = 1600, length: int = 33, words: int = 30) -> Samples:
    """Made-up words one behind the other, 0 between them; nothing but inputs."""
    g = generator(7106)
    sizes = torch.randint(3, 8, (words,), generator=g).tolist()
    known = [torch.randint(1, LETTERS, (size,), generator=g).tolist() for size in sizes]
    rows = []
    for _ in range(count):
        row: list[int] = []
        while len(row) < length + 8:
            row += [*known[int(torch.randint(words, (), generator=g))], 0]
        start = int(torch.randint(8, (), generator=g))
        rows.append(row[start : start + length])
    x = torch.tensor(rows)
    cut = 3 * count // 4
    return Samples(x[:cut], x[:cut], x[cut:], x[cut:])


@cache
def clouds(count: int = 2000, points: int = 24) -> Samples:
    """Sets of points in the plane: ring, disc, line, two heaps, spiral."""
    g = generator(7107)
    y = torch.randint(5, (count,), generator=g)
    u = torch.rand(count, points, generator=g)
    turn = 6.28 * torch.rand(count, points, generator=g)
    side = (u > 0.5).float() * 2 - 1
    spread = 0.25 * torch.randn(2, count, points, generator=g)
    angle = 7 * u
    kinds = [
        torch.stack([turn.cos(), turn.sin()], -1),
        torch.stack([u.sqrt() * turn.cos(), u.sqrt() * turn.sin()], -1),
        torch.stack([2 * u - 1, 0 * u], -1),
        torch.stack([0.7 * side + spread[0], spread[1]], -1),
        torch.stack([u * angle.cos(), u * angle.sin()], -1),
    ]
    x = torch.stack(kinds, 1)[torch.arange(count), y]
    way = 6.28 * torch.rand(count, generator=g)
    turned = torch.stack([way.cos(), way.sin(), -way.sin(), way.cos()], 1).view(-1, 2, 2)
    x = (0.7 + 0.6 * torch.rand(count, 1, 1, generator=g)) * x @ turned
    return split(1.5 * (x + 0.1 * torch.randn(x.shape, generator=g)), y, 0.75)


@cache
def colonies(count: int = 1100, size: int = 16) -> Samples:
    """Grey pictures of one to three bright colonies on an uneven ground, and where they are."""
    g = generator(7108)
    line = torch.arange(size).float()
    mask = torch.zeros(count, size, size)
    for k in range(3):
        center = 2 + (size - 4) * torch.rand(2, count, 1, 1, generator=g)
        radius = 1.2 + 1.5 * torch.rand(count, 1, 1, generator=g)
        near = (line[:, None] - center[0]).square() + (line - center[1]).square()
        there = torch.rand(count, 1, 1, generator=g) < 1 / (k + 1)
        mask = torch.maximum(mask, ((near < radius.square()) & there).float())
    slope = torch.randn(2, count, 1, 1, generator=g) / size
    x = mask + slope[0] * line[:, None] + slope[1] * line
    x = x + 0.4 * torch.randn(x.shape, generator=g)
    return split(x[:, None], mask[:, None], 0.75)


@cache
def tagged(count: int = 1600, length: int = 14) -> Samples:
    """Word numbers, and a tag for each that hangs on its kind and that of the one before."""
    g = generator(7109)
    kind = torch.randint(8, (VOCABULARY,), generator=g)
    table = torch.randint(TAGS, (8, 8), generator=g)
    x = torch.randint(VOCABULARY, (count, length), generator=g)
    kinds = kind[x]
    before = torch.cat([torch.zeros(count, 1).long(), kinds[:, :-1]], 1)
    data = split(x, table[before, kinds], 0.75)
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def grades(count: int = 2400) -> Samples:
    """Eight readings of a cheese, and one of five grades in their order."""
    g = generator(7110)
    x = torch.randn(count, 8, generator=g)
    level = 1.4 * x[:, 0] * x[:, 1] + (1.5 * x[:, 2]).sin() + 0.8 * x[:, 3].abs() + 0.5 * x[:, 4]
    level = level + 0.15 * torch.randn(count, generator=g)
    cuts = level.quantile(torch.tensor([0.2, 0.4, 0.6, 0.8]))
    return split(x, torch.bucketize(level, cuts), 0.75)


@cache
def keywords(count: int = 2600, labels: int = 8) -> Samples:
    """Twenty features of an article, and which of eight keywords it has."""
    g = generator(7111)
    x = torch.randn(count, 20, generator=g)
    hidden = (x @ torch.randn(20, 24, generator=g) / 20**0.5 * 1.5).tanh()
    logits = 3 * hidden @ torch.randn(24, labels, generator=g) / 24**0.5 * 2 - 0.7
    return split(x, (logits > 0).float(), 0.75)


@cache
def tides(count: int = 2400) -> Samples:
    """Five readings, and a level whose noise is larger where the third is far from 0."""
    g = generator(7112)
    x = torch.randn(count, 5, generator=g)
    level = 1.5 * (1.6 * x[:, 0]).sin() + x[:, 1].square() - 1 + 0.6 * x[:, 3] * x[:, 4]
    noise = (0.1 + 0.3 * x[:, 2].abs()) * torch.randn(count, generator=g)
    return split(x, level + noise, 0.75)


@cache
def regimes(count: int = 2800, kinds: int = 4) -> Samples:
    """Which of four machines it is says how the other ten readings add up."""
    g = generator(7113)
    machine = torch.randint(kinds, (count,), generator=g)
    weights = torch.randn(kinds, 10, generator=g)
    x = torch.randn(count, 10, generator=g)
    y = (x * weights[machine]).sum(1) / 10**0.5 + 0.1 * torch.randn(count, generator=g)
    return split(torch.cat([x, torch.eye(kinds)[machine]], 1), y, 0.75)


@cache
def bags(count: int = 2400, words: int = 2000, longest: int = 18) -> Samples:
    """Texts as mostly empty rows of counts, and one of six sections."""
    g = generator(7114)
    y = torch.randint(6, (count,), generator=g)
    common = 1 / (torch.arange(words) + 10.0)
    own = torch.zeros(6, words)
    for k in range(6):
        own[k, torch.randperm(words, generator=g)[:60]] = 1 / 60
    drawn = torch.multinomial(
        0.65 * common / common.sum() + 0.35 * own[y], longest, True, generator=g
    )
    return split(torch.zeros(count, words).scatter_add(1, drawn, torch.ones(drawn.shape)), y, 0.75)
