"""An examiner's data: baskets, vibrations, sensors that drift, graphs, ratings, slides, genes."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def baskets(count: int = 2400, most: int = 12, empty: float = 0.02) -> tuple[Tensor, ...]:
    """Rows of items of 6 features, which of them are there, and whether one is a gift.

    A basket in fifty has no items at all.
    """
    g = seeded(21)
    items = torch.randn(count, most, 6, generator=g)
    sizes = torch.randint(1, most + 1, (count,), generator=g)
    sizes[torch.rand(count, generator=g) < empty] = 0
    there = torch.arange(most) < sizes[:, None]
    gift = (items[..., 0] * items[..., 1] > 1.1) & there
    return items * there[..., None], there, gift.any(1).float()


@cache
def till(length: int = 60, count: int = 2400) -> Samples:
    """Amounts, and whether each is paid in, paid out or only noted; the target is what is left."""
    g = seeded(22)
    amount = torch.rand(count, length, generator=g)
    sign = torch.randint(-1, 2, (count, length), generator=g).float()
    left = (amount * sign).sum(1)
    return split(torch.stack([amount, sign], 2), left / left.std())


@cache
def vibrations(count: int = 1800, length: int = 96, noise: float = 0.6) -> Samples:
    """One channel; five kinds by the frequency of a short burst anywhere in the noise."""
    g = seeded(23)
    y = torch.randint(5, (count,), generator=g)
    time = torch.arange(length)
    frequency = torch.tensor([0.05, 0.1, 0.17, 0.27, 0.4])[y]
    centre = 20 + 56 * torch.rand(count, 1, generator=g)
    phase = 6.283 * torch.rand(count, 1, generator=g)
    envelope = (-(((time - centre) / 12) ** 2)).exp()
    x = 2 * envelope * (6.283 * frequency[:, None] * time + phase).sin()
    return split((x + noise * torch.randn(count, length, generator=g))[:, None], y)


@cache
def rings(count: int = 700, size: int = 20) -> tuple[Tensor, Tensor]:
    """Pictures of discs and rings, and a mask of the rings alone, a small part of the picture."""
    g = seeded(24)
    axis = torch.arange(size)
    picture, mask = torch.zeros(count, size, size), torch.zeros(count, size, size)
    for kind in range(4):
        cx, cy = (4 + 12 * torch.rand(count, 1, 1, generator=g) for _ in range(2))
        radius = 2 + 1.5 * torch.rand(count, 1, 1, generator=g)
        far = ((axis[:, None] - cy) ** 2 + (axis - cx) ** 2).sqrt()
        disc, hole = far < radius, far < 0.5 * radius
        shape = disc & ~hole if kind % 2 else disc
        picture = torch.where(disc, shape.float(), picture)
        mask = torch.where(disc, shape.float() * (kind % 2), mask)
    return (picture + 0.25 * torch.randn(picture.shape, generator=g))[:, None], mask[:, None]


@cache
def gas_sensors(count: int = 6000) -> Samples:
    """Five sensors read for years, in order: their level drifts, and with it what a gas looks like.

    Every fourth reading is measured on.
    """
    g = seeded(26)
    age = torch.linspace(0, 1, count)
    y = torch.randint(3, (count,), generator=g)
    angle = 2.094 * y + 5.0 * age
    pattern = torch.stack([angle.cos(), angle.sin()], 1)
    x = torch.cat([pattern, torch.zeros(count, 3)], 1) + 0.3 * torch.randn(count, 5, generator=g)
    x[:, 2:] += 6 * (age[:, None] - 0.5)
    other = torch.arange(count) % 4 == 3
    return Samples(x[~other], y[~other], x[other], y[other])


@cache
def ballots(length: int = 24, count: int = 2400) -> Samples:
    """Rows of five tokens; the label is the one that is most frequent."""
    g = seeded(27)
    x = torch.randint(5, (count, length), generator=g)
    y = torch.randint(5, (count,), generator=g)
    x = torch.where(torch.rand(x.shape, generator=g) < 0.2, y[:, None], x)
    votes = torch.stack([(x == token).sum(1) for token in range(5)], 1)
    data = split(x, votes.argmax(1))
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def tagged_notes(count: int = 3000, words: int = 400, tags: int = 8) -> Samples:
    """Counts of words, and which of eight tags a note has; each tag has 12 words of its own."""
    g = seeded(28)
    y = torch.rand(count, tags, generator=g) < 0.25
    rate = torch.full((count, words), 0.06)
    for tag in range(tags):
        own = torch.randperm(words, generator=g)[:12]
        rate[:, own] += 0.35 * y[:, tag, None]
    return split(torch.poisson(rate, generator=g).log1p(), y.float())


def graph(nodes: int, chance: Tensor, g: torch.Generator) -> Tensor:
    """Adjacency of a random graph."""
    upper = (torch.rand(nodes, nodes, generator=g) < chance).triu(1)
    return (upper | upper.T).float()


@cache
def graphs(count: int = 1500, nodes: int = 14) -> tuple[list[Tensor], Tensor, Tensor]:
    """Edges of graphs, features of their nodes, and how strongly like nodes are linked."""
    g = seeded(29)
    edges, features, target = [], [], []
    for _ in range(count):
        kind = torch.randint(2, (nodes,), generator=g).float()
        affinity = torch.rand((), generator=g)
        same = kind[:, None] == kind
        links = graph(nodes, torch.where(same, affinity, 1 - affinity) * 0.5, g)
        edges.append(links.nonzero().T)
        features.append(torch.stack([kind, 1 - kind], 1))
        target.append(affinity)
    y = torch.stack(target)
    return edges, torch.stack(features), (y - y.mean()) / y.std()


@cache
def tongue(words: int = 150, length: int = 32, count: int = 900) -> tuple[Tensor, Tensor]:
    """Texts in which every word is followed by one of four others."""
    g = seeded(30)
    after = torch.randint(words, (words, 4), generator=g)
    text = torch.randint(words, (count, 1), generator=g)
    for _ in range(length):
        chosen = torch.multinomial(torch.tensor([0.6, 0.2, 0.1, 0.1]), count, True, generator=g)
        text = torch.cat([text, after[text[:, -1], chosen][:, None]], 1)
    return text[: count * 3 // 4], text[count * 3 // 4 :]


@cache
def credit(count: int = 3000) -> Samples:
    """A table as a bank has it: income, debt, age, rate, visits, balance, each in its own unit."""
    g = seeded(31)
    z = torch.randn(count, 6, generator=g)
    risk = z[:, 3] * z[:, 2] + (z[:, 1] - z[:, 0]).abs() - 1.1 + 0.6 * z[:, 4]
    y = (risk + 0.3 * torch.randn(count, generator=g) > 0).long()
    scale = torch.tensor([18_000.0, 6_000.0, 12.0, 0.01, 3.0, 90_000.0])
    return split(z * scale + torch.tensor([42_000.0, 9_000.0, 45.0, 0.04, 8.0, 150_000.0]), y)


@cache
def stars(users: int = 200, films: int = 150, count: int = 9000) -> Samples:
    """Pairs of a user and a film, and one to five stars."""
    g = seeded(32)
    taste, kind = torch.randn(users, 3, generator=g), torch.randn(films, 3, generator=g)
    liked = 0.8 * torch.randn(films, generator=g)
    pair = torch.stack(
        [torch.randint(n, (count,), generator=g) for n in (users, films)],
        1,
    )
    value = (taste[pair[:, 0]] * kind[pair[:, 1]]).sum(1) * 0.6 + liked[pair[:, 1]] + 3.2
    data = split(pair, (value + 0.3 * torch.randn(count, generator=g)).round().clamp(1, 5))
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def visits(count: int = 3000, length: int = 20) -> Samples:
    """Clicks over time; one in thirty is of a buyer and one in thirty of a robot."""
    g = seeded(33)
    draw = torch.rand(count, generator=g)
    y = (draw < 1 / 30).long() + 2 * (draw > 29 / 30).long()
    x = torch.randn(count, length, 3, generator=g)
    trend = torch.linspace(-1, 1, length)
    x[..., 0] += 0.75 * (y == 1)[:, None] * trend
    x[..., 1] += 0.75 * (y == 2)[:, None] * (torch.arange(length) % 2 * 2 - 1)
    return split(x, y)


@cache
def genes(count: int = 1000, number: int = 200) -> Samples:
    """Expression of many genes of few patients, of which eight tell of the disease."""
    g = seeded(34)
    x = torch.randn(count, number, generator=g)
    risk = 1.1 * x[:, :8].sum(1) + torch.randn(count, generator=g)
    return split(x, (risk > 0).long(), 0.5)


@cache
def furnace(count: int = 2000) -> Samples:
    """Eight settings and the strength of the steel, standardised."""
    g = seeded(35)
    x = torch.randn(count, 8, generator=g)
    y = (1.5 * x[:, 0]).sin() + x[:, 1] * x[:, 2] + 0.5 * x[:, 3].abs() + 0.4 * x[:, 4]
    y = y + 0.15 * torch.randn(count, generator=g)
    return split(x, (y - y.mean()) / y.std())


@cache
def sites(count: int = 2400, number: int = 12, length: int = 64) -> tuple[Samples, Tensor]:
    """Traces of three kinds of beats, each site with an amplifier of its own; and the sites."""
    g = seeded(36)
    y, site = (torch.randint(n, (count,), generator=g) for n in (3, number))
    time = torch.arange(length)
    centre = 16 + 32 * torch.rand(count, 1, generator=g)
    width = torch.tensor([2.0, 3.5, 6.0])[y][:, None]
    beat = 2 * (-(((time - centre) / width) ** 2)).exp()
    x = beat + 0.25 * torch.randn(count, length, generator=g)
    gain = (1.0 * torch.randn(number, generator=g)).exp()[site][:, None]
    offset = 3 * torch.randn(number, generator=g)[site][:, None]
    cut = int(0.7 * count)
    x = (gain * x + offset)[:, None]
    return Samples(x[:cut], y[:cut], x[cut:], y[cut:]), site[:cut]


@cache
def reviews(count: int = 2400, length: int = 18, words: int = 200) -> Samples:
    """Word numbers; praise or blame, turned round by a "not" before it."""
    g = seeded(37)
    x = torch.randint(20, words, (count, length), generator=g)
    y = torch.zeros(count)
    rows = torch.arange(count)
    for start in (0, 6, 12):
        at = start + 1 + torch.randint(4, (count,), generator=g)
        word = 1 + torch.randint(18, (count,), generator=g)
        turned = torch.rand(count, generator=g) < 0.5
        x[rows, at] = word
        x[rows[turned], at[turned] - 1] = 0
        y += torch.where(word <= 9, 1.0, -1.0) * torch.where(turned, -1.0, 1.0)
    data = split(x, (y > 0).long())
    return data.with_inputs(data.x.long(), data.x_test.long())
